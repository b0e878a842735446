"""Logs and terminals whose way to the cluster breaks while they are read."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.api.answers import refused
from tests.api.pods.asking import STAY, Events, container, logs
from tests.faults.proxy import Fault
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.conftest import Faulty

NAMESPACE = "faults"
SECONDS = 20
COUNTS = "i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done"
EVENTS = {"Accept": "text/event-stream"}


@contextlib.contextmanager
def pod(faulty: Faulty, name: str, script: str) -> Iterator[str]:
    """A running pod, made beside the gateway."""
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    body = {"metadata": {"name": name}, "spec": {"containers": [container("c", script)]}}
    assert faulty.kubernetes.post(pods, json=body).status_code == 201
    try:
        eventually(lambda: faulty.kubernetes.get(f"{pods}/{name}").json()["status"].get("phase") == "Running")
        yield name
    finally:
        faulty.kubernetes.delete(f"{pods}/{name}", params={"gracePeriodSeconds": 0})


def streams(faulty: Faulty) -> list[str]:
    """The paths of logs and terminals that the gateway reads."""
    return faulty.proxy.paths("/log") + faulty.proxy.paths("/exec")


def follow(faulty: Faulty, name: str, headers: dict[str, str], **query: Any) -> Any:
    params = {"follow": "true", **query}
    return faulty.client(NAMESPACE).stream("GET", logs(name), params=params, headers=headers)


@pytest.mark.parametrize("headers", [{}, EVENTS], ids=["text", "events"])
def test_no_line_is_lost_or_doubled_when_the_connection_breaks(
    faulty: Faulty, headers: dict[str, str]
) -> None:
    with pod(faulty, "counts", COUNTS) as name, follow(faulty, name, headers) as answer:
        assert answer.status_code == 200
        seen: list[int] = []
        told = Events(answer) if headers else None
        lines = answer.iter_lines() if told is None else (told.next()[1]["line"] for _ in range(10**6))
        for line in lines:
            seen.append(int(line))
            if seen[-1] in {20, 50, 51}:
                faulty.proxy.cut()
            if seen[-1] >= 80:
                break
        assert seen == list(range(seen[0], seen[0] + len(seen)))


def test_all_containers_go_on_too(faulty: Faulty) -> None:
    with pod(faulty, "many", COUNTS) as name, follow(faulty, name, {}, all_containers="true") as answer:
        seen = []
        for line in answer.iter_lines():
            seen.append(int(line.removeprefix("[c] ")))
            if len(seen) == 20:
                faulty.proxy.cut()
            if len(seen) == 60:
                break
        assert seen == list(range(seen[0], seen[0] + 60))


def test_what_is_not_followed_ends_with_a_word_and_incomplete(faulty: Faulty) -> None:
    script = "x=$(printf '%0200000d' 1); for i in $(seq 1 150); do echo $x; done; echo end; " + STAY
    with pod(faulty, "wide", script) as name:
        last_line = {"tail_lines": 1}
        client = faulty.client(NAMESPACE)
        eventually(lambda: client.get(logs(name), params=last_line).text == "end\n")
        for query in ({}, {"timestamps": "true"}):
            text = b""
            with faulty.client(NAMESPACE).stream("GET", logs(name), params=query) as answer:
                assert answer.status_code == 200
                pieces = answer.iter_raw()
                text += next(pieces)
                eventually(lambda: streams(faulty) != [])
                faulty.proxy.cut()
                with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012  the loop is what fails
                    for piece in pieces:
                        text += piece
            last = text.splitlines()[-1].decode()
            assert last == "ecns: the log ends here: cluster eks: the connection broke"


def test_a_cluster_that_refuses_is_told_before_anything_is_sent(faulty: Faulty) -> None:
    with pod(faulty, "refused", COUNTS) as name:
        client = faulty.client(NAMESPACE)
        for failure, status in (("503", 503), ("500", 502), ("hang", 504)):
            # The first request is for the pod itself.
            faulty.proxy.inject(Fault(failure=failure, method="GET", plural="pods", name=name, skip=1))  # type: ignore[arg-type]  # of the kinds there are
            refused(client.get(logs(name)), status)
        eventually(lambda: client.get(logs(name)).status_code == 200)


def test_who_leaves_takes_the_connection_to_the_cluster_along(faulty: Faulty) -> None:
    with pod(faulty, "left", COUNTS) as name:
        with follow(faulty, name, {}) as answer:
            next(answer.iter_lines())
            assert streams(faulty) == [f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/log"]
        eventually(lambda: streams(faulty) == [], seconds=2)
        with follow(faulty, name, EVENTS, since_time="2099-01-01T00:00:00Z") as answer:  # a silent one
            assert answer.status_code == 200
        eventually(lambda: streams(faulty) == [], seconds=2)
        with terminal(faulty, name) as socket:
            socket.recv(timeout=SECONDS)
            assert [path.rpartition("/")[2] for path in streams(faulty)] == ["exec"]
        eventually(lambda: streams(faulty) == [], seconds=4)


def terminal(faulty: Faulty, name: str) -> Any:
    url = f"{faulty.gateway.url.replace('http', 'ws', 1)}/api/ecns/pod_exec/{NAMESPACE}/{name}/c/?cluster=eks"
    return connect(url, additional_headers={"X-Auth-Token": faulty.gateway.token("developer")})


def test_a_terminal_whose_connection_breaks_says_so(faulty: Faulty) -> None:
    with pod(faulty, "shell", STAY) as name, terminal(faulty, name) as socket:
        shown = ""
        while "# " not in shown:
            shown += json.loads(socket.recv(timeout=SECONDS))["Data"]
        faulty.proxy.cut()
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012  the loop is what ends
            while True:
                last = json.loads(socket.recv(timeout=SECONDS))
        assert (last["Operation"], last["Reason"], last["Code"]) == ("exit", "failed", 503)
        assert last["Message"] == "cluster eks: the connection broke"
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011


def test_streams_do_not_stand_in_the_way_of_calls(faulty: Faulty) -> None:
    with pod(faulty, "crowd", "echo here; " + STAY) as name, contextlib.ExitStack() as stack:
        limits = httpx.Limits(max_connections=None)
        member = faulty.client(NAMESPACE, "patient")
        pool = stack.enter_context(
            httpx.Client(base_url=member.base_url, headers=member.headers, limits=limits)
        )
        for _ in range(80):  # more than calls may be under way at a time
            stack.enter_context(pool.stream("GET", logs(name), params={"follow": "true", "tail_lines": 1}))
        assert len(streams(faulty)) == 80
        results: list[int] = []
        calls = [
            threading.Thread(target=lambda: results.append(member.get(f"/pods/pod/{name}/").status_code))
            for _ in range(16)
        ]
        for call in calls:
            call.start()
        for call in calls:
            call.join(SECONDS)
        assert results == [200] * 16
