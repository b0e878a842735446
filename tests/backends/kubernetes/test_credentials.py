from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import ssl
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from aiohttp import web

from ecns.backends.kubernetes import credentials as module
from ecns.backends.kubernetes import execplugin
from ecns.backends.kubernetes.client import Client
from ecns.backends.kubernetes.credentials import Credentials
from ecns.config import ConfigError
from ecns.errors import UpstreamError, UpstreamUnavailableError
from tests.backends.kubernetes.server import Api, Authority, Issued, kubeconfig, status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

AUTHORITY = Authority()
PEOPLE = Authority("people")
SERVER = AUTHORITY.issue("server", "kubernetes.example", addresses=("127.0.0.1",))
PERSON = PEOPLE.issue("jane")


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Secured(Api):
    """Takes the token that it is told to, or a certificate of its people; tells who asked."""

    def __init__(self) -> None:
        super().__init__()
        self.token = ""
        self.peers: list[str] = []
        self.answer = self.admit

    async def admit(self, request: web.Request) -> web.StreamResponse:
        assert request.transport
        certificate = request.transport.get_extra_info("peercert")
        peer = dict(pair[0] for pair in certificate["subject"])["commonName"] if certificate else ""
        self.peers.append(peer)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return status(401, "Unauthorized", "Unauthorized")
        return web.json_response({"gitVersion": "v1"})


def server_context(directory: Path, server: Issued = SERVER) -> ssl.SSLContext:
    files = {"server.crt": server.certificate, "server.key": server.key, "people.crt": PEOPLE.certificate}
    for name, data in files.items():
        (directory / name).write_bytes(data)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=directory / "people.crt")
    context.load_cert_chain(directory / "server.crt", directory / "server.key")
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Secured]:
    served = Secured()
    async with served.serving(server_context(tmp_path)):
        yield served


@asynccontextmanager
async def client(credentials: Credentials) -> AsyncIterator[Client]:
    made = Client(credentials.name, credentials, timeout=5)
    try:
        yield made
    finally:
        await made.close()


async def ask(path: Path) -> None:
    async with client(Credentials("east", path)) as made:
        await made.request("GET", "/version")


CA = {"certificate-authority-data": encoded(AUTHORITY.certificate)}


async def test_certificate_authority_as_data_or_a_file_beside_the_kubeconfig(
    api: Secured, tmp_path: Path
) -> None:
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.certificate)
    await ask(kubeconfig(tmp_path / "k", api.url, **CA))
    await ask(kubeconfig(tmp_path / "k", api.url, **{"certificate-authority": "ca.crt"}))
    await ask(kubeconfig(tmp_path / "k", api.url, **CA, **{"certificate-authority": "not there"}))


async def test_a_server_that_is_not_trusted(api: Secured, tmp_path: Path) -> None:
    for options in ({}, {"certificate-authority-data": encoded(PEOPLE.certificate)}):
        with pytest.raises(UpstreamUnavailableError, match="cluster east: its certificate is not trusted"):
            await ask(kubeconfig(tmp_path / "k", api.url, **options))
    await ask(kubeconfig(tmp_path / "k", api.url, **{"insecure-skip-tls-verify": True}))


async def test_tls_server_name(tmp_path: Path) -> None:
    api = Secured()
    named = AUTHORITY.issue("server", "kubernetes.example")
    async with api.serving(server_context(tmp_path, named)) as url:
        with pytest.raises(UpstreamUnavailableError, match="not trusted"):
            await ask(kubeconfig(tmp_path / "k", url, **CA))
        await ask(kubeconfig(tmp_path / "k", url, **CA, **{"tls-server-name": "kubernetes.example"}))
        with pytest.raises(UpstreamUnavailableError, match="not trusted"):
            await ask(kubeconfig(tmp_path / "k", url, **CA, **{"tls-server-name": "other.example"}))


async def test_client_certificate_as_data_or_files(api: Secured, tmp_path: Path) -> None:
    data = {"client-certificate-data": encoded(PERSON.certificate), "client-key-data": encoded(PERSON.key)}
    await ask(kubeconfig(tmp_path / "k", api.url, user=data, **CA))
    (tmp_path / "jane.crt").write_bytes(PERSON.certificate)
    (tmp_path / "jane.key").write_bytes(PERSON.key)
    files = {"client-certificate": "jane.crt", "client-key": str(tmp_path / "jane.key")}
    await ask(kubeconfig(tmp_path / "k", api.url, user=files, **CA))
    assert api.peers == ["jane", "jane"]


async def test_token_and_basic_authentication(api: Secured, tmp_path: Path) -> None:
    api.token = "t0"
    await ask(kubeconfig(tmp_path / "k", api.url, user={"token": "t0"}, **CA))
    with pytest.raises(UpstreamError, match="does not accept ECNS's credentials"):
        await ask(kubeconfig(tmp_path / "k", api.url, user={"token": "t1"}, **CA))
    api.token = ""
    await ask(kubeconfig(tmp_path / "k", api.url, user={"username": "u", "password": "p:w"}, **CA))
    assert api.requests[-1].headers["Authorization"] == f"Basic {encoded(b'u:p:w')}"


async def test_a_token_file_is_read_again_when_it_turns(
    api: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0.0)
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"token-{name}\n")
    link = tmp_path / "token"  # as projected volumes turn theirs
    link.symlink_to("one")
    path = kubeconfig(tmp_path / "k", api.url, user={"tokenFile": "token", "token": "stale"}, **CA)
    async with client(Credentials("east", path)) as made:
        api.token = "token-one"
        await made.request("GET", "/version")
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").replace(link)
        api.token = "token-two"
        await made.request("GET", "/version")
        link.unlink()  # for a moment
        await made.request("GET", "/version")
    assert [request.headers["Authorization"] for request in api.requests] == [
        "Bearer token-one",
        "Bearer token-two",
        "Bearer token-two",
    ]


async def test_a_refused_token_is_looked_up_at_once(api: Secured, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")
    path = kubeconfig(tmp_path / "k", api.url, user={"tokenFile": "token"}, **CA)
    async with client(Credentials("east", path)) as made:
        (tmp_path / "token").write_text("newer")
        api.token = "newer"
        await made.request("GET", "/version")
        assert len(api.requests) == 2
        (tmp_path / "token").write_text("newest")
        api.token = "newest"
        with pytest.raises(UpstreamError, match="HTTP status 200"):  # let in, though it is no WebSocket
            async with made.websocket("/version"):
                pass


async def test_a_changed_kubeconfig_counts_and_a_broken_one_does_not(
    api: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0.0)
    other = Secured()
    async with other.serving() as url:
        path = kubeconfig(tmp_path / "k", api.url, **CA)
        async with client(Credentials("east", path)) as made:
            await made.request("GET", "/version")
            path.write_text("{")
            await made.request("GET", "/version")
            kubeconfig(path, url)
            await made.request("GET", "/version")
            assert made.epoch == 1
            assert made.credentials.server == url
    assert (len(api.requests), len(other.requests)) == (2, 1)


async def test_in_cluster(api: Secured, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.certificate)
    (tmp_path / "token").write_text("account\n")
    host, port = api.url.removeprefix("https://").split(":")
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    api.token = "account"
    async with client(Credentials("east", None, service_account=tmp_path, environ=environ)) as made:
        await made.request("GET", "/version")
    with pytest.raises(ConfigError, match="does not run in a pod"):
        Credentials("east", None, environ={})
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    six = Credentials("east", None, service_account=tmp_path, environ=environ)
    assert six.server == "https://[fd00::1]:443"


async def test_impersonation_of_the_kubeconfig(api: Secured, tmp_path: Path) -> None:
    user = {"as": "jane", "as-groups": ["a", "b"], "as-uid": "7", "as-user-extra": {"x/y": ["1", "2"]}}
    await ask(kubeconfig(tmp_path / "k", api.url, user=user, **CA))
    headers = api.requests[0].headers
    assert headers["Impersonate-User"] == "jane"
    assert headers.getall("Impersonate-Group") == ["a", "b"]
    assert headers["Impersonate-Uid"] == "7"
    assert headers.getall("Impersonate-Extra-X%2fy") == ["1", "2"]


async def test_proxy_url(api: Secured, tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        host, port = api.url.removeprefix("https://").split(":")
        onward_reader, onward = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, onward), pump(onward_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        await ask(kubeconfig(tmp_path / "k", api.url, **CA, **{"proxy-url": f"http://u:p@{address}"}))
    assert seen[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic " in seen[0]


def test_the_environments_proxy_is_for_other_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")

    def proxy(host: str) -> str | None:
        return Credentials("east", kubeconfig(tmp_path / "k", f"https://{host}:6443"))._access.proxy

    assert proxy("kubernetes.example") == "http://proxy.example:3128"
    assert proxy("k.inside.example") is None
    assert proxy("127.0.0.1") is None


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({"client-certificate-data": encoded(PERSON.certificate)}, {}, "go together"),
        ({"client-certificate-data": "!", "client-key-data": "!"}, {}, "not base64|cannot be used"),
        ({"client-certificate-data": encoded(b"x"), "client-key-data": encoded(b"y")}, {}, "cannot be used"),
        (
            {"client-certificate": "nowhere.crt", "client-key": "nowhere.key"},
            {},
            "client-certificate: .*nowhere.crt: No such file",
        ),
        ({"tokenFile": "nowhere"}, {}, "tokenFile: .*nowhere: No such file"),
        ({"token": "a\nb"}, {}, "characters"),
        ({"as-groups": ["x"]}, {}, "need `as`"),
        ({"auth-provider": {"name": "gcp"}}, {}, "auth-provider"),
        ({"token": 5}, {}, "kubeconfig .*: Expected"),
        ({}, {"insecure-skip-tls-verify": True, **CA}, "exclude each other"),
        ({}, {"certificate-authority-data": encoded(b"junk")}, "cannot be used"),
        ({}, {"proxy-url": "socks5://u:secret@x:1"}, "only http and https proxies"),
        ({}, {"server": "ftp://x"}, "no http"),
        ({}, {"server": "https://x:99999999"}, "no http"),
        ({"exec": {"command": "x", "apiVersion": "v9"}}, {}, "apiVersion"),
        (
            {"exec": {"command": "x", "apiVersion": execplugin.API_VERSIONS[0], "interactiveMode": "Always"}},
            {},
            "terminal",
        ),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(
    tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any], words: str
) -> None:
    path = kubeconfig(tmp_path / "k", cluster.pop("server", "https://127.0.0.1:1"), user=user, **cluster)
    with pytest.raises(ConfigError, match=words) as caught:
        Credentials("east", path)
    assert "clusters.east" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_which_context(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k", "one.example/k8s/clusters/c-1/")
    assert Credentials("east", path).server == "https://one.example/k8s/clusters/c-1"
    config = yaml.safe_load(path.read_text())
    config["clusters"].append({"name": "d", "cluster": {"server": "https://two.example"}})
    config["contexts"] += [
        {"name": "second", "context": {"cluster": "d", "user": "u"}},
        {"name": "nobody", "context": {"cluster": "d", "user": "who"}},
        {"name": "nowhere", "context": {"cluster": "where", "user": "u"}},
    ]
    path.write_text(yaml.safe_dump(config))
    assert Credentials("east", path, "second").server == "https://two.example"
    for name, words in {"nobody": "who", "nowhere": "where", "third": "no context 'third'"}.items():
        with pytest.raises(ConfigError, match=words):
            Credentials("east", path, name)
    path.write_text("{}")
    with pytest.raises(ConfigError, match="no current-context"):
        Credentials("east", path)
    path.write_text("a: [")
    with pytest.raises(ConfigError, match="not YAML"):
        Credentials("east", path)
    with pytest.raises(ConfigError, match="No such file"):
        Credentials("east", tmp_path / "missing")


# Exec plugins


PLUGIN = """#!{python} -S
import json, os, sys
called = [sys.argv[1:], os.environ.get("WHO"), json.loads(os.environ["KUBERNETES_EXEC_INFO"])]
with open(os.path.join({directory!r}, "runs"), "a") as runs:
    runs.write(json.dumps(called) + "\\n")
print(open(os.path.join({directory!r}, "prints")).read())
sys.stderr.write("the password is hunter2")
sys.exit(int(open(os.path.join({directory!r}, "exits")).read()))
"""


class Plugin:
    """A program that prints what a test says, and what it was called with."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "plugin"
        self.file.write_text(PLUGIN.format(python=sys.executable, directory=str(directory)))
        self.file.chmod(0o755)
        self.prints("")

    def prints(self, text: str, *, exits: int = 0) -> None:
        (self.directory / "prints").write_text(text)
        (self.directory / "exits").write_text(str(exits))

    def gives(self, version: str = "v1", **credential: Any) -> None:
        api_version = f"client.authentication.k8s.io/{version}"
        self.prints(json.dumps({"apiVersion": api_version, "kind": "ExecCredential", "status": credential}))

    @property
    def runs(self) -> list[Any]:
        path = self.directory / "runs"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def user(self, version: str = "v1", **more: Any) -> dict[str, Any]:
        return {
            "exec": {"apiVersion": f"client.authentication.k8s.io/{version}", "command": "./plugin", **more}
        }


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path)


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_exec_gives_a_token(api: Secured, tmp_path: Path, plugin: Plugin, version: str) -> None:
    plugin.gives(version, token="from-plugin\n")
    api.token = "from-plugin"
    extension = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}]
    user = plugin.user(
        version, args=["get", "token"], env=[{"name": "WHO", "value": "me"}], provideClusterInfo=True
    )
    path = kubeconfig(tmp_path / "k", api.url, user=user, extensions=extension, **CA)
    async with client(Credentials("east", path)) as made:
        await asyncio.gather(*(made.request("GET", "/version") for _ in range(10)))
        await made.request("GET", "/version")
    assert plugin.runs == [
        [
            ["get", "token"],
            "me",
            {
                "apiVersion": f"client.authentication.k8s.io/{version}",
                "kind": "ExecCredential",
                "spec": {
                    "interactive": False,
                    "cluster": {"server": api.url, **CA, "config": {"audience": "x"}},
                },
            },
        ]
    ]


async def test_exec_gives_a_certificate(api: Secured, tmp_path: Path, plugin: Plugin) -> None:
    plugin.gives(clientCertificateData=PERSON.certificate.decode(), clientKeyData=PERSON.key.decode())
    await ask(kubeconfig(tmp_path / "k", api.url, user=plugin.user(), **CA))
    assert api.peers == ["jane"]
    assert "cluster" not in plugin.runs[0][2]["spec"]


async def test_exec_runs_again_when_the_credential_expires_or_is_refused(
    api: Secured, tmp_path: Path, plugin: Plugin
) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.3)
    plugin.gives(token="first", expirationTimestamp=soon.isoformat())
    path = kubeconfig(tmp_path / "k", api.url, user=plugin.user(), **CA)
    async with client(Credentials("east", path)) as made:
        api.token = "first"
        await made.request("GET", "/version")
        api.token = "second"
        plugin.gives(token="second")
        await asyncio.sleep(max(0, soon.timestamp() - time.time()))
        await made.request("GET", "/version")
        api.token = "third"
        plugin.gives(token="third")
        await made.request("GET", "/version")
        assert len(plugin.runs) == 3
        api.token = "fourth"
        with pytest.raises(UpstreamError, match="does not accept"):
            await made.request("GET", "/version")


def credential(version: str = "v1", **given: str) -> str:
    told = {
        "apiVersion": f"client.authentication.k8s.io/{version}",
        "kind": "ExecCredential",
        "status": given,
    }
    return json.dumps(told)


@pytest.mark.parametrize(
    ("prints", "words"),
    [
        ("", "gave no ExecCredential"),
        ("hello", "gave no ExecCredential"),
        (credential("v1beta1", token="x"), "v1beta1, not"),
        (credential(), "neither a token nor"),
        (credential(clientKeyData="x", token="y"), "without its"),
        (credential(clientKeyData="x", clientCertificateData="y"), "cannot be used"),
        (credential(token="a\nb"), "characters"),
        (credential(token="x", expirationTimestamp="tomorrow"), "gave no ExecCredential"),
    ],
)
async def test_exec_that_gives_junk(
    api: Secured, tmp_path: Path, plugin: Plugin, prints: str, words: str
) -> None:
    plugin.prints(prints)
    with pytest.raises(UpstreamUnavailableError, match=words) as caught:
        await ask(kubeconfig(tmp_path / "k", api.url, user=plugin.user(), **CA))
    assert "cluster east: the exec plugin './plugin'" in caught.value.message
    assert not api.requests


async def test_what_a_failing_plugin_says_is_not_for_callers(
    api: Secured, tmp_path: Path, plugin: Plugin
) -> None:
    plugin.prints("", exits=3)
    with pytest.raises(UpstreamUnavailableError, match="failed with exit status 3") as caught:
        await ask(kubeconfig(tmp_path / "k", api.url, user=plugin.user(), **CA))
    assert "hunter2" not in caught.value.message


async def test_exec_that_is_not_there(api: Secured, tmp_path: Path) -> None:
    spec = {
        "command": "no-such-plugin",
        "apiVersion": execplugin.API_VERSIONS[0],
        "installHint": "install it",
    }
    with pytest.raises(
        UpstreamUnavailableError, match=r"cannot be run: No such file or directory \(install it\)"
    ):
        await ask(kubeconfig(tmp_path / "k", api.url, user={"exec": spec}, **CA))


async def test_exec_that_hangs_is_ended_and_blocks_nothing(
    api: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execplugin, "RUN_SECONDS", 0.2)
    command = {"command": "sleep", "args": ["60"], "apiVersion": execplugin.API_VERSIONS[0]}
    asked = asyncio.create_task(ask(kubeconfig(tmp_path / "k", api.url, user={"exec": command}, **CA)))
    turns = 0
    while not asked.done():
        await asyncio.sleep(0.01)
        turns += 1
    with pytest.raises(UpstreamUnavailableError, match=r"did not end in 0.2 s"):
        asked.result()
    assert turns > 8


async def test_a_waiter_that_goes_away_does_not_take_the_plugin_with_it(
    api: Secured, tmp_path: Path, plugin: Plugin
) -> None:
    plugin.gives(token="t")
    credentials = Credentials("east", kubeconfig(tmp_path / "k", api.url, user=plugin.user(), **CA))
    first, second = (asyncio.create_task(credentials.access()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).headers == (("Authorization", "Bearer t"),)
    assert len(plugin.runs) == 1


def test_no_key_stays_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    user = {"client-certificate-data": encoded(PERSON.certificate), "client-key-data": encoded(PERSON.key)}
    Credentials("east", kubeconfig(tmp_path / "k", "https://127.0.0.1:1", user=user, **CA))
    assert list(scratch.iterdir()) == []
