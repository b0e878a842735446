"""Logs, terminals and deletions of pods, whose containers on a real cluster really run."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.api.pods.asking import Events
from tests.gateway import eventually
from tests.real.cluster.conftest import IMAGE, SECONDS, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(600)

STAY = "trap 'exit 0' TERM; sleep 10000 & wait"
EVENTS = {"Accept": "text/event-stream"}


def container(name: str, script: str) -> dict[str, Any]:
    image = f"{IMAGE['image']}:{IMAGE['image_version']}"
    return {"name": name, "image": image, "command": ["sh", "-c", script]}


@contextlib.contextmanager
def pod(
    site: Site, name: str, *containers: dict[str, Any], phase: str = "Running", **spec: Any
) -> Iterator[str]:
    """A pod, once it is in a phase."""
    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": list(containers), "terminationGracePeriodSeconds": 5, **spec},
    }
    site.kubectl("apply", "-f", "-", stdin=json.dumps(made))
    try:
        eventually(
            lambda: site.kubectl_json("get", "pod", name)["status"].get("phase") == phase, seconds=SECONDS
        )
        yield name
    finally:
        site.kubectl("delete", "pod", name, "--now", "--wait=false", "--ignore-not-found")


def logs(name: str) -> str:
    return f"/pods/pod/{name}/logs/"


def test_logs(site: Site) -> None:
    client = site.client("visitor")
    talk = "echo one; sleep 1; echo two; sleep 1; printf '\\377\\n'; " + STAY
    other = "sleep 1.5; echo other; " + STAY
    with pod(site, "talk", container("main", talk), container("other", other)) as name:
        asked = {"container": "main"}
        eventually(
            lambda: client.get(logs(name), params=asked).content == b"one\ntwo\n\xff\n", seconds=SECONDS
        )
        eventually(lambda: client.get(logs(name), params={"container": "other"}).text == "other\n")
        both = client.get(logs(name), params={"all_containers": "true", "timestamps": "true"}).content
        lines = [line.split(b" ") for line in both.splitlines()]
        assert [text for whose, _, text in lines if whose == b"[main]"] == [b"one", b"two", b"\xff"]
        assert [text for whose, _, text in lines if whose == b"[other]"] == [b"other"]
        assert [at for _, at, _ in lines] == sorted(at for _, at, _ in lines)
        assert (
            client.get(logs(name), params={**asked, "tail_lines": 2, "limit_bytes": 5}).content
            == b"two\n\xff"
        )
        assert client.get(logs(name)).status_code == 400
        assert client.get(logs(name), params={"container": "none"}).status_code == 404
        assert client.get(logs(name), params={**asked, "previous": "true"}).status_code == 404

        with client.stream("GET", logs(name), params=asked, headers=EVENTS) as answer:
            told = Events(answer)
            seen = [(told.next()[1], told.id) for _ in range(3)]
        assert [line["line"] for line, _ in seen] == ["one", "two", "�"]
        assert seen[2][0]["base64"] == "/w=="
        for at, (_, position) in enumerate(seen):
            headers = {**EVENTS, "Last-Event-ID": position}
            with client.stream("GET", logs(name), params=asked, headers=headers) as answer:
                told = Events(answer)
                rest = [told.next()[1].get("line") for _ in seen[at + 1 :]]
                assert rest == [line["line"] for line, _ in seen[at + 1 :]]
                assert told.next()[0] == "done"


def test_a_log_is_followed_over_restarts_and_until_the_pod_is_deleted(site: Site) -> None:
    client = site.client()
    with pod(site, "again", container("c", "echo here; sleep 2; exit 3")) as name:
        query = {"follow": "true"}
        with client.stream("GET", logs(name), params=query, headers=EVENTS, timeout=SECONDS) as answer:
            told = Events(answer)
            told.until("line")
            (*_, (_, restarted)) = told.until("restarted")
            assert (restarted["container"], restarted["exit_code"]) == ("c", 3)
            (*_, (_, line)) = told.until("line")
            assert line["line"] == "here"
            previous = client.get(logs(name), params={"previous": "true"})
            assert previous.text == "here\n"
            body = {"pod": {"name": name}, "force": "true"}
            assert client.request("DELETE", "/pods/", json=body).status_code == 200
            assert told.until("done")[-1][0] == "done"
        assert client.get(logs(name)).status_code == 404


def test_a_container_that_cannot_start_says_why(site: Site) -> None:
    lost = {"name": "c", "image": "registry.invalid/no/such:1"}
    with pod(site, "lost", lost, phase="Pending") as name:

        def told() -> bool:
            answer = site.client().get(logs(name))
            return answer.status_code == 409 and "image" in answer.json()["error"]["message"]

        eventually(told, seconds=SECONDS)


class Session:
    """A terminal."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.shown = ""
        self.exit: dict[str, Any] = {}

    def send(self, operation: str, **fields: Any) -> None:
        self.socket.send(json.dumps({"Operation": operation, **fields}))

    def until(self, text: str) -> None:
        while text not in self.shown:
            message = json.loads(self.socket.recv(timeout=SECONDS))
            assert message["Operation"] == "stdout", message
            self.shown += message["Data"]

    def rest(self) -> dict[str, Any]:
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.exit = json.loads(self.socket.recv(timeout=SECONDS))
        return self.exit


@contextlib.contextmanager
def terminal(site: Site, name: str, container_name: str = "c") -> Iterator[Session]:
    path = f"/api/ecns/pod_exec/{site.namespace}/{name}/{container_name}/?cluster={site.cluster}"
    headers = {"X-Auth-Token": site.gateway.token("developer")}
    with connect(f"{site.gateway.url.replace('http', 'ws', 1)}{path}", additional_headers=headers) as socket:
        yield Session(socket)


def test_a_terminal(site: Site) -> None:
    with pod(site, "box", container("c", STAY)) as name:
        with terminal(site, name) as session:
            session.send("bind", Cols=111, Rows=33)
            session.send("stdin", Data="PS1='> '; stty size; hostname\r")
            session.until(f"33 111\r\n{name}\r\n")
            session.send("resize", Cols=77, Rows=22)
            session.send("stdin", Data="stty size; echo $((6*7)) caf\u00e9\r")
            session.until("22 77\r\n42 caf\u00e9\r\n")
            session.send("stdin", Data="echo $((8*8)); sleep 1000\r")
            session.until("\r\n64\r\n")
            session.send("stdin", Data="\x03")
            session.send("stdin", Data="exit 7\r")
            assert session.rest() == {"Operation": "exit", "Data": "7", "Reason": "exited"}
        with terminal(site, name) as session:
            session.send("stdin", Data="echo seen > /left; echo $((6*9))\r")
            session.until("\r\n54")
        assert site.kubectl("exec", name, "--", "cat", "/left") == "seen\n"
        assert site.client("visitor").get(f"/pod_exec/{site.namespace}/{name}/c/").status_code == 403


def test_a_terminal_ends_with_its_pod(site: Site) -> None:
    with pod(site, "doomed", container("c", STAY)) as name, terminal(site, name) as session:
        session.send("stdin", Data="echo ready\r")
        session.until("ready\r\n")
        site.kubectl("delete", "pod", name, "--now", "--wait=false")
        assert session.rest()["Operation"] == "exit"
