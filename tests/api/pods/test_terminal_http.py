"""Terminals as users, programs and pages in a browser open them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from ecns.api.common import streams
from ecns.server.errors import Envelope
from tests.api import inside
from tests.api.answers import refused
from tests.api.pods.asking import STAY, container, pod
from tests.conftest import start, stop
from tests.gateway import Gateway, eventually

if TYPE_CHECKING:
    from tests.api.project import Project

SECONDS = 20


@pytest.fixture(scope="module")
def box(gateway: Gateway, project: Project) -> Iterator[str]:  # noqa: ARG001  the namespace is made by it
    """A pod with a container that has bash, one that has only sh, and one that has no shell."""
    bash = {**container("bash", STAY), "image": "nginx:1.27"}
    bare = {"name": "bare", "image": "gcr.io/distroless/static:1"}
    with pod(gateway, bash, container("ash", STAY), bare) as name:
        yield name


class Session:
    """One side of a terminal."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.shown = ""
        self.exit: dict[str, Any] = {}

    def send(self, operation: str, **fields: Any) -> None:
        """Send a message."""
        self.socket.send(json.dumps({"Operation": operation, **fields}))

    def type(self, text: str) -> None:
        """Press keys."""
        self.send("stdin", Data=text)

    def take(self) -> dict[str, Any]:
        """The next message."""
        message: dict[str, Any] = json.loads(self.socket.recv(timeout=SECONDS))
        if message["Operation"] == "stdout":
            self.shown += message["Data"]
        if message["Operation"] == "exit":
            self.exit = message
        return message

    def until(self, text: str) -> str:
        """Read until something is shown."""
        while text not in self.shown:
            self.take()
        return self.shown

    def rest(self) -> int:
        """Read to the end; the code with which the WebSocket is closed."""
        while True:
            try:
                self.take()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 0


def address(gateway: Gateway, path: str, product: str = "/eks") -> str:
    return f"{gateway.url.replace('http', 'ws', 1)}/api/ecns{product}/pod_exec/{path}/"


@contextlib.contextmanager
def terminal(gateway: Gateway, path: str, user: str = "chapters-member", **more: Any) -> Iterator[Session]:
    headers = {"X-Auth-Token": gateway.token(user), "X-Ecns-Cluster": "eks"} if user else {}
    product = more.pop("product", "/eks")
    with connect(address(gateway, path, product), additional_headers=headers, **more) as socket:
        yield Session(socket)


def denied(gateway: Gateway, path: str, user: str = "chapters-member", **more: Any) -> tuple[int, str]:
    """The status and message of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as caught, terminal(gateway, path, user, **more):
        pass
    response = caught.value.response
    envelope = msgspec.json.decode(bytes(response.body or b""), type=Envelope)
    assert envelope.error.code == response.status_code
    assert envelope.request_id == response.headers["RequestId"]
    if response.status_code == 401:
        assert response.headers["WWW-Authenticate"].startswith("Keystone uri=")
    return response.status_code, envelope.error.message


@pytest.mark.parametrize(("name", "prompt"), [("bash", "root@"), ("ash", "/ # ")])
@pytest.mark.parametrize("product", ["/eks", ""])
def test_a_shell_of_the_container(gateway: Gateway, box: str, name: str, prompt: str, product: str) -> None:
    with terminal(gateway, f"chapters/{box}/{name}", product=product) as session:
        session.until(prompt)  # before anything is sent
        session.send("bind", Cols=100, Rows=30, SessionID="whatever")
        session.type("stty size\r")
        session.until("30 100\r\n")
        session.send("resize", Cols="90", Rows=20)
        session.type("stty size\r")
        session.until("20 90\r\n")
        session.type("hostname; echo $TERM; exit 4\r")
        assert session.rest() == 1000
        assert f"{box}\r\nxterm-256color\r\n" in session.shown
        assert session.exit == {"Operation": "exit", "Data": "4", "Reason": "exited"}


def test_input_and_output_of_any_kind(gateway: Gateway, box: str) -> None:
    with terminal(gateway, f"chapters/{box}/ash") as session:
        session.until("# ")
        session.socket.send(
            json.dumps({"Operation": "stdin", "Data": "echo caf\u00e9 \U0001f600\r"}).encode()
        )
        session.until("caf\u00e9 \U0001f600\r\n")
        session.type("printf '\\303'; printf '\\251|\\377|'; echo over\r")
        assert "é|\ufffd|over" in session.until("|over\r\n").split("echo over")[-1]
        session.send("resize", Cols=0, Rows=0)
        session.send("resize", Cols=10**9, Rows=-1)
        session.send("stdin", Data=None)
        session.send("bind")
        session.type("echo " + "x" * 300_000 + "|\r")
        session.until("x|\r\n")
        session.type("\x04")
        assert session.rest() == 1000
        assert session.exit["Data"] == "0"


@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        ("junk", 1007, "junk"),
        ("[]", 1007, "junk"),
        ("", 1007, "junk"),
        ('{"Operation": "stdin", "Data": {}}', 1007, "junk"),
        ('{"Operation": "stdin", "Data": "\\ud800"}', 1007, "junk"),
        (b"\xff\xfe", 1007, "junk"),
        ('{"Operation": "resize", "Cols": "many"}', 1007, "junk"),
        ('{"Operation": "stdout", "Data": "x"}', 1008, "invalid"),
        ('{"Operation": ""}', 1008, "invalid"),
        ('{"Operation": "exit"}', 1000, "exited"),
    ],
)
def test_what_is_no_message_ends_it_with_a_word(
    gateway: Gateway, box: str, sent: str | bytes, code: int, reason: str
) -> None:
    with terminal(gateway, f"chapters/{box}/ash") as session:
        session.until("# ")
        session.socket.send(sent)
        assert session.rest() == code
        assert session.exit["Reason"] == reason
        assert session.exit["Message"]


def test_a_message_that_is_too_large_ends_it(gateway: Gateway, box: str) -> None:
    with terminal(gateway, f"chapters/{box}/ash") as session:
        session.until("# ")
        with contextlib.suppress(ConnectionClosed):  # at the latest when it is half sent
            session.socket.send("x" * (16 * 1024 * 1024))
        assert session.rest() in {1009, 0}
    with terminal(gateway, f"chapters/{box}/ash") as session:
        session.until("# ")


def test_a_container_without_a_shell_is_said_to_have_none(gateway: Gateway, box: str) -> None:
    with terminal(gateway, f"chapters/{box}/bare") as session:
        assert session.rest() == 1011
        assert session.exit["Code"] == 404
        assert "no shell" in session.exit["Message"]


def test_who_may_open_one(gateway: Gateway, box: str) -> None:
    path = f"chapters/{box}/ash"
    assert denied(gateway, path, "")[0] == 401
    assert denied(gateway, path, "chapters-reader")[0] == 403
    assert denied(gateway, path, "other") == (404, "namespace 'chapters' is not there")
    assert denied(gateway, "nowhere/x/y") == (404, "namespace 'nowhere' is not there")
    assert denied(gateway, path, product="/image")[0] == 404
    assert denied(gateway, "kube-system/x/y", "admin")[0] == 403
    assert denied(gateway, f"chapters/{box}/nothing")[0] == 404
    assert denied(gateway, "chapters/nothing/ash")[0] == 404
    assert denied(gateway, f"chapters/{box}/%2e%2e")[0] in {400, 404}
    assert denied(gateway, "chapters/..%2f..%2fsecrets/c")[0] in {400, 404}
    with terminal(gateway, path, "chapters-manager") as session:
        session.until("# ")


def test_a_container_that_does_not_run_is_a_conflict(gateway: Gateway, project: Project) -> None:  # noqa: ARG001  as above
    with pod(gateway, container("c", "exit 0"), wait="Succeeded", restartPolicy="Never") as name:
        status, message = denied(gateway, f"chapters/{name}/c")
        assert (status, "does not run" in message) == (409, True)


def test_the_cluster_is_named_by_header_or_query(gateway: Gateway, box: str) -> None:
    url = address(gateway, f"chapters/{box}/ash")
    headers = {"X-Auth-Token": gateway.token("chapters-member")}
    with connect(f"{url}?cluster=eks", additional_headers=headers) as socket:
        Session(socket).until("# ")
    for query, header in (("nope", ""), ("eks", "nope"), ("eos", "")):
        more = {**headers, **({"X-Ecns-Cluster": header} if header else {})}
        with (
            pytest.raises(InvalidStatus) as caught,
            connect(f"{url}?cluster={query}", additional_headers=more),
        ):
            pass
        assert caught.value.response.status_code == 404


def browser(gateway: Gateway, path: str, *protocols: str, origin: str | None = None) -> Any:
    return connect(address(gateway, path), subprotocols=list(protocols), origin=origin)  # type: ignore[arg-type]  # plain strings


def test_a_page_brings_its_token_in_a_subprotocol(gateway: Gateway, box: str) -> None:
    path = f"chapters/{box}/ash"
    token = base64.urlsafe_b64encode(gateway.token("chapters-member").encode()).decode().rstrip("=")
    ours = ("ecns.terminal", f"ecns.token.{token}")
    for origin in (None, gateway.url, gateway.url.upper()):
        with browser(gateway, path, *ours, origin=origin) as socket:
            assert socket.subprotocol == "ecns.terminal"
            assert token not in str(socket.response.headers)
            Session(socket).until("# ")
    for origin in ("https://evil.example", "null", gateway.url + "0", "http://[", ""):
        with pytest.raises(InvalidStatus) as caught, browser(gateway, path, *ours, origin=origin):
            pass
        assert caught.value.response.status_code == 403
    for wrong, status in (
        ((ours[1],), 400),
        (("ecns.terminal",), 401),
        (("ecns.terminal", "ecns.token.!"), 400),
    ):
        with pytest.raises(InvalidStatus) as caught, browser(gateway, path, *wrong):
            pass
        assert caught.value.response.status_code == status
    query = f"{address(gateway, path)}?token={token}&x-auth-token={token}"
    with pytest.raises(InvalidStatus) as caught, connect(query):
        pass
    assert caught.value.response.status_code == 401


def test_other_paths_are_no_websockets(gateway: Gateway) -> None:
    headers = {"X-Auth-Token": gateway.token("chapters-member")}
    for path in ("/healthz", "/api/ecns/eks/pods/", "/nothing", "/"):
        url = gateway.url.replace("http", "ws", 1) + path
        with pytest.raises(InvalidStatus) as caught, connect(url, additional_headers=headers):
            pass
        assert caught.value.response.status_code == 404
        assert b"no WebSocket" in bytes(caught.value.response.body or b"")


def test_over_http_it_says_what_it_is(gateway: Gateway, project: Project, box: str) -> None:
    answer = project.member.get(f"/pod_exec/chapters/{box}/ash/")
    assert "WebSocket" in refused(answer, 426)
    assert answer.headers["upgrade"] == "websocket"
    refused(project.reader.get(f"/pod_exec/chapters/{box}/ash/"), 403)
    refused(gateway.client("other").get(f"/pod_exec/chapters/{box}/ash/"), 404)


def test_a_client_that_leaves_ends_the_shell(gateway: Gateway, box: str, project: Project) -> None:
    with terminal(gateway, f"chapters/{box}/ash") as session:
        session.until("# ")
        session.socket.socket.shutdown(2)
    with terminal(gateway, f"chapters/{box}/ash") as session:
        session.type("sleep 1000\r")
        session.until("sleep 1000\r\n")
    assert project.member.get("/pods/").status_code == 200


def test_a_pod_that_is_deleted_ends_it(gateway: Gateway, project: Project) -> None:
    with pod(gateway, container("c", STAY)) as name, terminal(gateway, f"chapters/{name}/c") as session:
        session.until("# ")
        body = {"pod": {"name": name}, "force": "true"}
        assert project.member.request("DELETE", "/pods/", json=body).status_code == 200
        session.rest()
        assert session.exit["Operation"] == "exit"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Path]]:
    """A gateway whose terminals end soon, that keeps an audit log and lets another page in."""
    folder = tmp_path_factory.mktemp("strict")
    (folder / "ecns.toml").write_text(
        """
        [terminals]
        idle = 1.0
        longest = 2.5
        origins = ["https://portal.example"]
        [audit]
        file = "audit.log"
        [limits]
        streams = 2
        """
    )
    process, started = start(folder / "data", "--config", str(folder / "ecns.toml"))
    deployment = ("run", "box", "--image=busybox:1.35", "--", "sh", "-c", STAY)
    started.kubectl("-n", "demo", *deployment)
    eventually(
        lambda: started.kubectl_json("-n", "demo", "get", "pod", "box")["status"]["phase"] == "Running"
    )
    yield started, folder / "audit.log"
    started.close()
    assert stop(process) == 0


def test_terminals_end_when_they_are_idle_or_have_lasted(strict: tuple[Gateway, Path]) -> None:
    gateway, _ = strict
    with terminal(gateway, "demo/box/box", "developer") as session:
        assert session.rest() == 1008
        assert session.exit["Reason"] == "idle"
        assert "nothing was typed or shown for 1 s" in session.exit["Message"]
    began = time.monotonic()
    with terminal(gateway, "demo/box/box", "developer") as session:
        session.type("while true; do echo on; sleep 0.2; done\r")
        assert session.rest() == 1008
        assert "2.5 s at most" in session.exit["Message"]
    assert 2 < time.monotonic() - began < 15


def test_so_many_streams_and_no_more(strict: tuple[Gateway, Path]) -> None:
    gateway, _ = strict
    with (
        terminal(gateway, "demo/box/box", "developer") as one,
        terminal(gateway, "demo/box/box", "developer") as two,
    ):
        one.until("# ")
        two.until("# ")
        assert denied(gateway, "demo/box/box", "developer")[0] == 429
    eventually(lambda: gateway.client("developer").get("/pods/?watch=true&page=x").status_code == 400)

    def again() -> bool:
        try:
            with terminal(gateway, "demo/box/box", "developer"):
                return True
        except InvalidStatus:
            return False

    eventually(again)


def test_a_page_of_another_host_that_is_let_in(strict: tuple[Gateway, Path]) -> None:
    gateway, _ = strict
    token = base64.urlsafe_b64encode(gateway.token("developer").encode()).decode().rstrip("=")
    ours = ("ecns.terminal", f"ecns.token.{token}")
    with browser(gateway, "demo/box/box", *ours, origin="https://portal.example") as socket:
        Session(socket).until("# ")


def test_it_is_recorded_who_was_where_and_for_how_long(strict: tuple[Gateway, Path]) -> None:
    gateway, file = strict
    secret = "a-secret-that-is-typed"
    with terminal(gateway, "demo/box/box", "developer") as session:
        session.until("# ")
        session.type(f"echo {secret}; sleep 0.3; exit\r")
        session.rest()
    assert denied(gateway, "demo/box/box", "visitor")[0] == 403

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in file.read_text().splitlines()]

    eventually(lambda: [one["result"] for one in lines()][-3:] == ["begun", "done", "refused"])
    begun, done, denied_ = lines()[-3:]
    assert begun["request_id"] == done["request_id"]
    assert done["milliseconds"] >= begun["milliseconds"] + 200
    for line in (begun, done):
        assert (line["operation"], line["user_name"], line["status"]) == ("pod.terminal", "developer", 101)
        assert (line["cluster"], line["namespace"], line["names"]) == ("eks", "demo", ["box"])
    assert (denied_["user_name"], denied_["namespace"]) == ("visitor", "demo")
    assert secret not in file.read_text()


EXAMPLE = Path(__file__).parents[3] / "examples" / "terminal.py"


def test_the_example_pipes_commands_into_a_shell(gateway: Gateway, box: str) -> None:
    url = f"{gateway.url}/api/ecns/eks/pod_exec/chapters/{box}/ash/"
    env = {**os.environ, "TOKEN": gateway.token("chapters-member")}
    done = subprocess.run(
        [sys.executable, EXAMPLE, url],
        input="echo café; exit 5\n",
        env=env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "\ncafé\n" in done.stdout, done.stderr
    assert done.returncode == 5


def test_the_example_is_a_terminal_for_a_person(gateway: Gateway, box: str) -> None:
    url = f"{gateway.url}/api/ecns/eks/pod_exec/chapters/{box}/ash/"
    env = {**os.environ, "TOKEN": gateway.token("chapters-member"), "COLUMNS": "80", "LINES": "24"}
    person, screen = pty.openpty()
    fcntl.ioctl(person, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    process = subprocess.Popen(
        [sys.executable, EXAMPLE, url], stdin=screen, stdout=screen, stderr=screen, env=env
    )
    os.close(screen)
    try:
        shown = b""
        for expected, typed in ((b"# ", b"stty size\r"), (b"33 77\r\n", b"exit\r"), (b"exit\r\n", b"")):
            while expected not in shown:
                assert select.select([person], [], [], SECONDS)[0], shown
                shown += os.read(person, 4096)
            os.write(person, typed)
        assert process.wait(timeout=SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(person)


class Socket:
    """A WebSocket's two ends, as a server has them."""

    def __init__(self, app: Any, path: str, token: str) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {
            "type": "websocket",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"ecns"), (b"x-auth-token", token.encode())],
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        self.sent.put_nowait({"type": "websocket.connect"})
        self.running = asyncio.create_task(app(scope, self.sent.get, self.received.put))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what Litestar says of its next version
async def test_it_ends_when_its_token_is_revoked_or_ecns_stops(
    gateway: Gateway, box: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "CHECK", 0.1)
    kept = gateway.token(user := "chapters-member")
    del gateway._tokens[user]
    revoked = gateway.token(user)
    gateway._tokens[user] = kept
    async with asyncio.timeout(SECONDS), inside.application(gateway) as app:
        socket = Socket(app, f"/api/ecns/eks/pod_exec/chapters/{box}/ash", revoked)
        assert (await socket.received.get())["type"] == "websocket.accept"
        headers = {"X-Auth-Token": revoked, "X-Subject-Token": revoked}
        async with httpx.AsyncClient() as keystone:
            ended = await keystone.delete(f"{gateway.facts['identity_url']}/auth/tokens", headers=headers)
        assert ended.status_code == 204
        while (message := await socket.received.get())["type"] != "websocket.close":
            last = json.loads(message["text"])
        assert (last["Operation"], last["Reason"], last["Code"]) == ("exit", "refused", 401)
        assert message["code"] == 1008
        await socket.running

        another = Socket(app, f"/api/ecns/eks/pod_exec/chapters/{box}/ash", kept)
        assert (await another.received.get())["type"] == "websocket.accept"
        await streams.end_all()
        while (message := await another.received.get())["type"] != "websocket.close":
            last = json.loads(message["text"])
        assert (last["Operation"], last["Reason"], message["code"]) == ("exit", "stopping", 1012)
        await another.running
