"""How ECNS reaches a cluster and who it is there: kubeconfig files and service accounts of pods.

Every file (kubeconfig, tokens, certificates) is looked at again once a second at most, so that what is
rotated on disk counts at once. See `docs/decisions/0003-kubernetes-credentials.md`.
Sources: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/,
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import os
import ssl
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import structlog
import yaml

from ecns.backends.kubernetes.execplugin import ExecPlugin, ExecSpec
from ecns.config import ConfigError

_log = structlog.get_logger(__name__)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LOOK_EVERY = 1.0
"""Seconds between two looks at the files: kubelets rotate tokens at 80 % of an hour, people at once."""


class Access(msgspec.Struct, frozen=True):
    """All that one request needs to reach a cluster."""

    server: str
    """Base URL without a slash at its end; may have a path (Rancher's have)."""
    headers: tuple[tuple[str, str], ...] = ()
    """Authorization."""
    impersonation: tuple[tuple[str, str], ...] = ()
    """`as` of the kubeconfig, for requests that are not made as somebody else."""
    ssl: ssl.SSLContext | bool = True
    server_hostname: str | None = None
    proxy: str | None = None


class _Spec(msgspec.Struct, rename="kebab", omit_defaults=True):
    pass


class _Named(_Spec):
    name: str = ""
    extension: Any = None


class _ClusterSpec(_Spec):
    server: str = ""
    certificate_authority: str | None = None
    certificate_authority_data: str | None = None
    insecure_skip_tls_verify: bool | None = None
    tls_server_name: str | None = None
    proxy_url: str | None = None
    extensions: list[_Named] | None = None


class _User(_Spec):
    token: str | None = None
    token_file: str | None = msgspec.field(default=None, name="tokenFile")
    client_certificate: str | None = None
    client_certificate_data: str | None = None
    client_key: str | None = None
    client_key_data: str | None = None
    username: str | int | None = None
    password: str | int | None = None
    exec: ExecSpec | None = None
    auth_provider: Any = None
    as_: str | None = msgspec.field(default=None, name="as")
    as_uid: str | None = None
    as_groups: list[str] | None = None
    as_user_extra: dict[str, list[str]] | None = None


class _Context(_Spec):
    cluster: str = ""
    user: str = ""
    namespace: str | None = None


class _NamedCluster(_Spec):
    name: str
    cluster: _ClusterSpec


class _NamedUser(_Spec):
    name: str
    user: _User | None = None


class _NamedContext(_Spec):
    name: str
    context: _Context


class _KubeConfig(_Spec):
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None
    current_context: str | None = None


class _Loaded(msgspec.Struct):
    """What the files said."""

    access: Access
    plugin: ExecPlugin | None
    stamps: dict[Path, tuple[int, ...] | None]
    tls: _Tls


class _Tls(msgspec.Struct, frozen=True):
    """What a TLS context is made of; equal ones share one, and with it the open connections."""

    authority: bytes = b""
    insecure: bool = False
    certificate: bytes = b""
    key: bytes = b""

    def context(self) -> ssl.SSLContext:
        """Build it.

        Raises:
            ssl.SSLError: a certificate or key is not usable.
        """
        if self.insecure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            context = ssl.create_default_context(cadata=self.authority.decode() if self.authority else None)
            # Python 3.13's default refuses the certificates of most clusters: no key identifiers.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.certificate:
            with tempfile.NamedTemporaryFile() as pair:  # mode 0600; the ssl module reads files only
                pair.write(self.certificate.rstrip() + b"\n" + self.key)
                pair.flush()
                # A password, or OpenSSL would ask the terminal for the one of an encrypted key.
                context.load_cert_chain(pair.name, password="")
        return context


class Credentials:
    """The credentials of one cluster, kept up to date.

    Args:
        name: the cluster, for messages.
        kubeconfig: the file; None: the service account of the pod that ECNS runs in.
        context: the kubeconfig's context; empty: its current one.
        service_account: the directory of the pod's service account.
        environ: the environment.

    Raises:
        ConfigError: they cannot be read or are not complete.
    """

    def __init__(
        self,
        name: str,
        kubeconfig: Path | None,
        context: str = "",
        *,
        service_account: Path = SERVICE_ACCOUNT,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._kubeconfig = kubeconfig
        self._context = context
        self._service_account = service_account
        self._environ = os.environ if environ is None else environ
        self._contexts: dict[_Tls, ssl.SSLContext] = {}
        self._lock = asyncio.Lock()
        self._look_at = time.monotonic() + LOOK_EVERY
        self._loaded = self._load()
        self._access = self._loaded.access
        self._issued: Any = None

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._loaded.access.server

    async def access(self) -> Access:
        """What to use for a request now.

        Raises:
            UpstreamError: the exec plugin does not give credentials.
        """
        if time.monotonic() >= self._look_at:
            await self._look()
        loaded = self._loaded
        if loaded.plugin is None:
            return self._access
        issued = await loaded.plugin.credential()
        if issued is not self._issued:
            self._access, self._issued = await asyncio.to_thread(self._with, loaded, issued), issued
        return self._access

    def without(self, access: Access) -> Access:
        """The same cluster, without ECNS's own name: a certificate would go before a token."""
        loaded = self._loaded
        plain = msgspec.structs.replace(loaded.tls, certificate=b"", key=b"")
        return Access(
            server=access.server,
            ssl=self._tls(plain) if access.ssl else False,
            server_hostname=access.server_hostname,
            proxy=access.proxy,
        )

    async def renew(self, refused: Access) -> bool:
        """After a 401: look for newer credentials; whether there are any."""
        if refused is not self._access:
            return True
        await self._look()
        if plugin := self._loaded.plugin:
            plugin.forget(self._issued)
        return await self.access() is not refused

    async def _look(self) -> None:
        async with self._lock:
            self._look_at = time.monotonic() + LOOK_EVERY
            before = self._loaded
            if all(_stamp(path) == stamp for path, stamp in before.stamps.items()):
                return
            try:
                loaded = await asyncio.to_thread(self._load)
            except ConfigError as error:
                _log.warning("credentials changed and cannot be read; the old ones stay", error=str(error))
                return
            if loaded.plugin and before.plugin and loaded.plugin.same(before.plugin):
                loaded.plugin = before.plugin
            self._issued = None
            self._loaded = loaded
            if loaded.access != self._access:
                self._access = loaded.access

    def _with(self, loaded: _Loaded, issued: Any) -> Access:
        replace = msgspec.structs.replace
        access = loaded.access
        if issued.token and not access.headers:
            access = replace(access, headers=(("Authorization", f"Bearer {issued.token}"),))
        if issued.certificate:
            tls = replace(loaded.tls, certificate=issued.certificate.encode(), key=issued.key.encode())
            try:
                access = replace(access, ssl=self._tls(tls))
            except (ssl.SSLError, ValueError) as error:
                raise loaded.plugin.junk(f"a certificate that cannot be used ({error})") from error  # type: ignore[union-attr]  # it was issued by one
        return access

    def _tls(self, tls: _Tls) -> ssl.SSLContext:
        if tls not in self._contexts:
            if len(self._contexts) > 3:  # noqa: PLR2004  the one in use, and those that requests still have
                self._contexts.clear()
            self._contexts[tls] = tls.context()
        return self._contexts[tls]

    def _load(self) -> _Loaded:
        reader = _Reader(self.name)
        if self._kubeconfig is None:
            spec, user, base = self._in_cluster(reader)
        else:
            spec, user = self._from_kubeconfig(reader, self._kubeconfig)
            base = self._kubeconfig.parent
        fail = reader.fail
        server = spec.server.rstrip("/")
        if "://" not in server:
            server = f"https://{server}"
        try:
            url = urlsplit(server)
            good = url.scheme in {"http", "https"} and url.hostname and (url.port or True)
        except ValueError:
            url, good = urlsplit(""), False
        if not good:
            raise fail(f"cluster.server {spec.server!r} is no http(s) address")
        tls = _Tls(
            authority=reader.either(
                spec.certificate_authority_data, spec.certificate_authority, base, "certificate-authority"
            ),
            insecure=bool(spec.insecure_skip_tls_verify),
            certificate=reader.either(
                user.client_certificate_data, user.client_certificate, base, "client-certificate"
            ),
            key=reader.either(user.client_key_data, user.client_key, base, "client-key"),
        )
        if tls.insecure and tls.authority:
            raise fail("insecure-skip-tls-verify and certificate-authority exclude each other")
        if bool(tls.certificate) != bool(tls.key):
            raise fail("client-certificate and client-key go together")
        if user.auth_provider is not None:
            raise fail("auth-provider has been taken out of Kubernetes; use an exec plugin")
        try:
            context: ssl.SSLContext | bool = self._tls(tls) if url.scheme == "https" else False
        except (ssl.SSLError, ValueError) as error:
            raise fail(f"a certificate or key cannot be used: {error}") from error
        access = Access(
            server=server,
            headers=_authorization(user, base, reader),
            impersonation=_impersonation(user, fail),
            ssl=context,
            server_hostname=spec.tls_server_name or None,
            proxy=self._proxy(spec.proxy_url, url.scheme, url.hostname or "", fail),
        )
        plugin = None
        if user.exec is not None:
            plugin = ExecPlugin(self.name, user.exec, base, _exec_cluster(spec, server, tls), self._environ)
        return _Loaded(access, plugin, reader.stamps, tls)

    def _in_cluster(self, reader: _Reader) -> tuple[_ClusterSpec, _User, Path]:
        host, port = (self._environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
        if not host or not port:
            raise reader.fail(
                "no kubeconfig is named and ECNS does not run in a pod (KUBERNETES_SERVICE_HOST is not set)"
            )
        spec = _ClusterSpec(
            server=f"https://{f'[{host}]' if ':' in host else host}:{port}", certificate_authority="ca.crt"
        )
        return spec, _User(token_file="token"), self._service_account  # noqa: S106  a file's name

    def _from_kubeconfig(self, reader: _Reader, path: Path) -> tuple[_ClusterSpec, _User]:
        fail = reader.fail
        try:
            config = msgspec.convert(yaml.load(reader.read(path, "kubeconfig"), _Loader) or {}, _KubeConfig)  # noqa: S506  a safe loader
        except yaml.YAMLError as error:
            raise fail(f"kubeconfig {path} is not YAML: {str(error).splitlines()[0]}") from error
        except msgspec.ValidationError as error:
            raise fail(f"kubeconfig {path}: {error}") from error
        name = self._context or config.current_context or ""
        if not name:
            raise fail(f"kubeconfig {path} has no current-context; name one in `context`")
        context = next((each.context for each in config.contexts or () if each.name == name), None)
        if context is None:
            raise fail(f"kubeconfig {path} has no context {name!r}")
        spec = next((each.cluster for each in config.clusters or () if each.name == context.cluster), None)
        if spec is None or not spec.server:
            raise fail(
                f"kubeconfig {path}: context {name!r} needs the cluster {context.cluster!r} and its server"
            )
        user = next((each.user or _User() for each in config.users or () if each.name == context.user), None)
        if user is None and context.user:
            raise fail(f"kubeconfig {path}: context {name!r} needs the user {context.user!r}")
        return spec, user or _User()

    def _proxy(self, named: str | None, scheme: str, host: str, fail: Any) -> str | None:
        """The kubeconfig's proxy, else the environment's; never one for this machine itself."""
        if named:
            if urlsplit(named).scheme not in {"http", "https"}:
                raise fail(f"proxy-url {_without_password(named)!r}: only http and https proxies can be used")
            return named
        if self._environ is not os.environ or host == "localhost" or _is_loopback(host):
            return None
        if urllib.request.proxy_bypass(host):
            return None
        return urllib.request.getproxies().get(scheme)


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Reader:
    """Reads files and remembers their stamps."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stamps: dict[Path, tuple[int, ...] | None] = {}

    def fail(self, message: str) -> ConfigError:
        return ConfigError(f"clusters.{self.name}: {message}")

    def read(self, path: Path, key: str) -> bytes:
        self.stamps[path] = _stamp(path)
        try:
            return path.read_bytes()
        except OSError as error:
            raise self.fail(f"{key}: {path}: {error.strerror}") from error

    def either(self, data: str | None, file: str | None, base: Path, key: str) -> bytes:
        """A value given as base64, which wins, or as a file's name relative to the kubeconfig."""
        if data:
            try:
                return base64.b64decode("".join(data.split()), validate=True)
            except (binascii.Error, ValueError) as error:
                raise self.fail(f"{key}-data is not base64") from error
        return self.read(base / file, key) if file else b""


def _authorization(user: _User, base: Path, reader: _Reader) -> tuple[tuple[str, str], ...]:
    token = user.token or ""
    if user.token_file:
        token = reader.read(base / user.token_file, "tokenFile").decode(errors="replace").strip() or token
        if not token:
            raise reader.fail(f"tokenFile: {base / user.token_file} is empty")
    token = token.strip()
    if any(not character.isprintable() for character in token):
        raise reader.fail("the token has characters that no token has")
    if token:
        return (("Authorization", f"Bearer {token}"),)
    if user.username is not None:
        pair = base64.b64encode(f"{user.username}:{user.password or ''}".encode()).decode()
        return (("Authorization", f"Basic {pair}"),)
    return ()


def _impersonation(user: _User, fail: Any) -> tuple[tuple[str, str], ...]:
    headers = [("Impersonate-Uid", user.as_uid)] if user.as_uid else []
    headers += [("Impersonate-Group", group) for group in user.as_groups or ()]
    for key, values in (user.as_user_extra or {}).items():
        headers += [(f"Impersonate-Extra-{quote(key, safe='')}", value) for value in values]
    if headers and not user.as_:
        raise fail("as-groups, as-uid and as-user-extra need `as`")
    return (("Impersonate-User", user.as_), *headers) if user.as_ else ()


def _exec_cluster(spec: _ClusterSpec, server: str, tls: _Tls) -> dict[str, Any]:
    """`spec.cluster` of what a plugin is told."""
    told: dict[str, Any] = {"server": server}
    if spec.tls_server_name:
        told["tls-server-name"] = spec.tls_server_name
    if tls.insecure:
        told["insecure-skip-tls-verify"] = True
    if tls.authority:
        told["certificate-authority-data"] = base64.b64encode(tls.authority).decode()
    if spec.proxy_url:
        told["proxy-url"] = spec.proxy_url
    for each in spec.extensions or ():
        if each.name == "client.authentication.k8s.io/exec":
            told["config"] = each.extension
    return told


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Changes when the file does, also when a symbolic link on its way is turned (projected volumes)."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
