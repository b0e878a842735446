"""The configuration: TOML, one struct a group, each field with its unit and default.

Whatever part is missing is embedded (see `docs/configuration.md`). A wrong key, type or file is one
`ConfigError` whose message names the key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

ClusterType = Literal["EKS", "EHOS", "EOS"]
"""EOS: the cloud's own supervisor cluster; EKS: a business cluster; EHOS: an existing one taken over."""


class ConfigError(Exception):
    """The configuration cannot be used; the message is one line that names the key."""


class _Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration file."""


class Server(_Group, frozen=True):
    """`[server]`: how ECNS listens and what one request may cost."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8080
    """TCP port; 0 picks a free one."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    tls_certificate: Path | None = None
    """PEM file; with `tls_key` ECNS serves HTTPS itself."""
    tls_key: Path | None = None
    body_limit: int = 10 * 1024 * 1024
    """Bytes of a JSON or YAML body; more is 413. Kubernetes takes 3 MiB an object, a batch holds several."""
    request_timeout: float = 60.0
    """Seconds a request may take before 504; streams are exempt. Longer than any one upstream call."""


class Identity(_Group, frozen=True):
    """`[identity]`: the Keystone that knows people and projects."""

    auth_url: str
    """Keystone's v3 address, such as `https://keystone.example/v3`."""
    ca_file: Path | None = None
    timeout: float = 5.0
    """Seconds for one call; a token check must not hang a request for longer."""
    cache_seconds: float = 30.0
    """Seconds a valid token is believed without asking again: so long may a revoked one live."""
    outage_seconds: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    """Seconds more while Keystone does not answer: what needs nothing of OpenStack is to go on."""
    policy_file: Path | None = None
    """oslo.policy file that overrides the defaults."""


class OpenStack(_Group, frozen=True):
    """`[openstack]`: the cloud's other services, which are found in Keystone's catalog."""

    region: str = ""
    """Whose services are used; empty: those that the catalog names first."""
    interface: Literal["public", "internal", "admin"] = "public"
    """Which of their addresses."""
    timeout: Annotated[float, msgspec.Meta(gt=0)] = 20.0
    """Seconds for one call."""
    application_credential_id: str = ""
    """ECNS's own account, for what no caller's token may read (back ends of volume types); empty: none."""
    application_credential_secret_file: Path | None = None
    load_balancer_provider: str = "amphora"
    """Of the flavors and zones of load balancers that ECNS makes with its own account."""
    volume_types: Mapping[Literal["hdd", "high-performance"], str] = {}
    """Cinder's types for the disks of virtual machines, by the reference's words hdd and high-performance."""
    replicas_limit: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Replicas of one load balancer at most, which Octavia does not tell; its own ACTIVE_STANDBY has two."""


class Cluster(_Group, frozen=True):
    """`[[clusters]]`: one Kubernetes cluster."""

    name: str = ""
    """What callers call it; those of a directory are called as their files, without the suffix."""
    type: ClusterType = "EKS"
    kubeconfig: Path | None = None
    """A kubeconfig, or a directory with one for each cluster, looked at again and again while ECNS serves.

    Missing: the service account of the pod that ECNS runs in.
    """
    context: str = ""
    """The kubeconfig's context; empty: its current one."""
    projects: tuple[str, ...] = ("*",)
    """Ids of the projects that may use the cluster; `*` is all."""
    auth: Literal["kubeconfig", "keystone-token"] = "kubeconfig"
    """By whose credentials changes are made: ECNS's own, or the caller's token if the cluster trusts it."""
    impersonate: bool = True
    """Write as the caller so that the cluster's own RBAC stands behind ECNS's policy."""
    timeout: float = 20.0
    """Seconds for one call that is not a stream."""


class KubernetesVersion(_Group, frozen=True):
    """`[[kubernetes_versions]]`: a version that clusters can be made with."""

    version: str
    container_runtimes: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("containerd",)


class Harbor(_Group, frozen=True):
    """`[harbor]`: the image registry."""

    url: str
    """Where its API and its registry answer, such as `https://harbor.example`."""
    username: str = ""
    """An administrator of Harbor: ECNS makes projects and robot accounts, and collects garbage."""
    password_file: Path | None = None
    """Read again when Harbor no longer takes the password."""
    domain: str = ""
    """The registry's name in image references; missing: the host of `url`."""
    public_vip: str = ""
    """The platform's address that login information names; missing: the host of `url`."""
    ca_file: Path | None = None
    timeout: Annotated[float, msgspec.Meta(gt=0)] = 20.0
    """Seconds for one call, layers that are pushed aside."""
    stall_timeout: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """Seconds in which Harbor takes nothing of a layer, after which its push is given up."""
    login_days: Annotated[int, msgspec.Meta(ge=-1)] = 30
    """Days that the account of "login information" lives, after which there is a new one; -1: for ever."""


class Uploads(_Group, frozen=True):
    """`[uploads]`: images that are uploaded as files."""

    directory: Path | None = None
    """Where files lie meanwhile; missing: a directory of ours below the system's one for temporary files."""
    limit: Annotated[int, msgspec.Meta(gt=0)] = 20 * 1024**3
    """Bytes of a file; more is 413."""
    unpacked_limit: Annotated[int, msgspec.Meta(gt=0)] = 80 * 1024**3
    """Bytes of what is in it once all compression is undone; more is 413, so no bomb fills a disk."""
    at_once: Annotated[int, msgspec.Meta(ge=1)] = 8
    """Uploads that one process takes at a time; one more is 429."""
    of_one: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Uploads of one user among them."""
    layers: Annotated[int, msgspec.Meta(ge=1)] = 4
    """Layers of an upload that are pushed at a time."""
    idle_timeout: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    """Seconds without a byte of the file after which the upload is given up."""


class Sessions(_Group, frozen=True):
    """`[sessions]`: where the current namespace of a token is kept."""

    url: str = ""
    """`valkey://` or `redis://` address, needed with several replicas; empty: this process's memory."""


class Audit(_Group, frozen=True):
    """`[audit]`: who changed what, or tried to."""

    file: Path | None = None
    """Where the JSON lines go; missing: standard error."""
    reads: bool = False
    """Record every request and not only changes."""


class Limits(_Group, frozen=True):
    """`[limits]`: what one caller (a user) may ask of one process; more is 429."""

    requests_per_second: Annotated[float, msgspec.Meta(gt=0)] = 3000.0
    """In the long run."""
    burst: Annotated[float, msgspec.Meta(ge=1)] = 6000.0
    """Requests that may come at once."""
    streams: Annotated[int, msgspec.Meta(ge=1)] = 200
    """Logs, terminals and watches at a time."""


class Terminals(_Group, frozen=True):
    """`[terminals]`: shells in containers, opened over a WebSocket."""

    idle: Annotated[float, msgspec.Meta(gt=0)] = 1800.0
    """Seconds without a key pressed or a byte shown after which a terminal is closed."""
    longest: Annotated[float, msgspec.Meta(gt=0)] = 8 * 3600.0
    """Seconds after which it is closed in any case: a working day."""
    origins: tuple[str, ...] = ()
    """Pages of other hosts that may open one, such as `https://portal.example`; those of ECNS's own may."""


class Config(_Group, frozen=True):
    """The whole configuration; a group that is None (or no clusters) is served by a stand-in."""

    server: Server = Server()
    identity: Identity | None = None
    openstack: OpenStack = OpenStack()
    clusters: tuple[Cluster, ...] = ()
    kubernetes_versions: tuple[KubernetesVersion, ...] = ()
    """Empty: those for which there are images."""
    harbor: Harbor | None = None
    uploads: Uploads = Uploads()
    sessions: Sessions = Sessions()
    audit: Audit = Audit()
    limits: Limits = Limits()
    terminals: Terminals = Terminals()


def default_data_dir() -> Path:
    """Where the embedded default keeps its state: `$ECNS_DATA_DIR`, else below `$XDG_DATA_HOME`."""
    if named := os.environ.get("ECNS_DATA_DIR"):
        return Path(named)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "ecns"


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value).expanduser()
    raise NotImplementedError


def load(path: Path) -> Config:
    """Read and check a configuration file; relative paths in it are relative to it.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or has a wrong key or value.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    try:
        config = msgspec.toml.decode(text, type=Config, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    return _checked(config, path)


def _checked(config: Config, path: Path) -> Config:
    names = [cluster.name for cluster in config.clusters if cluster.name]
    if len(names) != len(set(names)):
        raise ConfigError(f"{path}: two [[clusters]] have the same name")
    own = config.openstack
    if bool(own.application_credential_id) != bool(own.application_credential_secret_file):
        raise ConfigError(
            f"{path}: openstack.application_credential_id and openstack.application_credential_secret_file "
            "go together"
        )
    if bool(config.server.tls_certificate) != bool(config.server.tls_key):
        raise ConfigError(f"{path}: server.tls_certificate and server.tls_key go together")
    base = path.parent

    def found(key: str, file: Path | None) -> Path | None:
        if file is None:
            return None
        file = file if file.is_absolute() else base / file
        if not file.is_file():
            raise ConfigError(f"{path}: {key}: no file {file}")
        return file

    audit_file = config.audit.file and base / config.audit.file
    if audit_file is not None and (audit_file.is_dir() or not audit_file.parent.is_dir()):
        raise ConfigError(f"{path}: audit.file: {audit_file} is not a file in a directory that is there")

    def cluster(entry: Cluster) -> Cluster:
        kubeconfig = entry.kubeconfig and base / entry.kubeconfig
        if kubeconfig and kubeconfig.is_dir():
            if entry.name:
                raise ConfigError(
                    f"{path}: clusters.{entry.name}: clusters of a directory are named by its files"
                )
        elif not entry.name:
            raise ConfigError(f"{path}: clusters: `name` is needed unless `kubeconfig` is a directory")
        else:
            kubeconfig = found(f"clusters.{entry.name}.kubeconfig", kubeconfig)
        return replace(entry, kubeconfig=kubeconfig)

    replace = msgspec.structs.replace
    return replace(
        config,
        server=replace(
            config.server,
            tls_certificate=found("server.tls_certificate", config.server.tls_certificate),
            tls_key=found("server.tls_key", config.server.tls_key),
        ),
        identity=config.identity
        and replace(
            config.identity,
            ca_file=found("identity.ca_file", config.identity.ca_file),
            policy_file=found("identity.policy_file", config.identity.policy_file),
        ),
        openstack=replace(
            own,
            application_credential_secret_file=found(
                "openstack.application_credential_secret_file", own.application_credential_secret_file
            ),
        ),
        clusters=tuple(cluster(entry) for entry in config.clusters),
        audit=replace(config.audit, file=audit_file),
        harbor=config.harbor
        and replace(
            config.harbor,
            password_file=found("harbor.password_file", config.harbor.password_file),
            ca_file=found("harbor.ca_file", config.harbor.ca_file),
        ),
        uploads=replace(
            config.uploads, directory=config.uploads.directory and base / config.uploads.directory
        ),
    )
