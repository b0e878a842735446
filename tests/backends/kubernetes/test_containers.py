"""Logs and terminals against what a real Kubernetes 1.36 said and sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import WSMsgType, web

from ecns.backends.kubernetes.client import Client, Impersonation
from ecns.backends.kubernetes.containers import (
    CLOSE,
    FRAME,
    RESIZE,
    STDIN,
    Exit,
    LogQuery,
    NotExecutableError,
    NotStartedError,
    execute,
    open_log,
)
from ecns.errors import (
    BadRequestError,
    EcnsError,
    NotFoundError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamUnavailableError,
)
from tests.backends.kubernetes.server import Api, connected, recorded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

RECORDED = recorded("streams.jsonl")
LOGS = [one for name, one in RECORDED.items() if name.startswith("logs/")]
EXECS = [one for name, one in RECORDED.items() if name.startswith("exec-websocket/")]
REFUSALS: dict[str, type[EcnsError]] = {
    "is not valid for pod": NotFoundError,
    "previous terminated container": NotFoundError,
    "is waiting to start": NotStartedError,
    "does not have a host": NotStartedError,
    "container not found": NotStartedError,
    'pods "nosuch" not found': NotFoundError,
    "a container name must be specified": BadRequestError,
    "parsing time": BadRequestError,
    "may not be specified": BadRequestError,
    "at least 1 of": BadRequestError,
    "Unauthorized": UpstreamError,
    "Upgrade request required": BadRequestError,
}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    served = Api()
    async with served.serving():
        yield served


@pytest.fixture
async def client(api: Api, tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(tmp_path, api.url, seconds=3) as made:
        yield made


def answer(response: dict[str, Any]) -> web.Response:
    """A recorded answer that is no stream."""
    body, kind = response["body"], response["headers"].get("content-type", "")
    text = json.dumps(body) if isinstance(body, dict) else body
    return web.Response(status=response["status"], text=text, content_type=kind.split(";")[0] or None)


def refusal(response: dict[str, Any]) -> type[EcnsError]:
    """What such an answer means."""
    body = response["body"]
    message = body["message"] if isinstance(body, dict) else body or ""
    return next((kind for words, kind in REFUSALS.items() if words in message), UpstreamInvalidError)


@pytest.mark.parametrize("exchange", LOGS, ids=lambda one: one["id"])
async def test_a_recorded_log(api: Api, client: Client, exchange: dict[str, Any]) -> None:
    response = exchange["response"]
    api.say(answer(response))
    asked = open_log(client, "logs", "talk", LogQuery(container="c"))
    if response["status"] != 200:
        with pytest.raises(NotStartedError if response["status"] == 204 else refusal(response)):
            await asked
        return
    stream = await asked
    assert b"".join([piece async for piece in stream]).decode() == (response["body"] or "")
    stream.close()


async def test_what_is_asked_of_a_log(api: Api, client: Client) -> None:
    api.say(web.Response(text="x"))
    query = LogQuery(
        container="c", follow=True, timestamps=True, tail_lines=0, since_time="2026-11-23T10:46:37Z"
    )
    (await open_log(client, "logs", "talk", query)).close()
    assert api.requests[0].path == "/api/v1/namespaces/logs/pods/talk/log"
    assert dict(api.requests[0].query) == {
        "container": "c",
        "follow": "true",
        "timestamps": "true",
        "tailLines": "0",
        "sinceTime": "2026-11-23T10:46:37Z",
    }
    with pytest.raises(BadRequestError):
        await open_log(client, "logs", "../secrets", query)


async def test_a_slow_reader_makes_the_kubelet_wait(api: Api, client: Client) -> None:
    sent = 0

    async def pour(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"x" * 65536)
                sent += 65536
        return response

    api.say(pour)
    stream = await open_log(client, "logs", "talk", LogQuery(container="c", follow=True))
    before = -1
    while before != sent:  # until everything between is full
        before = sent
        await asyncio.sleep(0.2)
    assert sent < 16 * 1024 * 1024  # the kernel's buffers for the most part
    assert len(stream._response.content._buffer) <= 64
    for _ in range(300):
        assert await stream.read()
    assert sent > before
    stream.close()


class Shell:
    """An API server that plays the server's part of a recorded terminal, and keeps what the client sent."""

    def __init__(self, frames: list[dict[str, Any]], protocols: tuple[str, ...]) -> None:
        self.frames = frames
        self.protocols = protocols
        self.received: list[bytes] = []
        self.over = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=self.protocols)
        await socket.prepare(request)
        for frame in self.frames:
            if frame["from"] == "client":
                continue
            if frame["op"] == "close":
                await socket.close(code=frame["code"])
                break
            data = frame["data"].encode("latin-1" if "\\x" in frame["data"] else "utf-8")
            await socket.send_bytes(bytes([frame["channel"]]) + data)
        async for message in socket:
            assert message.type is WSMsgType.BINARY
            self.received.append(message.data)
        self.over.set()
        return socket


def speaks_ours(exchange: dict[str, Any]) -> bool:
    response = exchange["response"]
    ours = exchange["request"]["protocols"].startswith(("v5", "v4")) and response.get("end") != "client"
    return response["status"] != 101 or ours


@pytest.mark.parametrize("exchange", list(filter(speaks_ours, EXECS)), ids=lambda one: one["id"])
async def test_a_recorded_execution(api: Api, client: Client, exchange: dict[str, Any]) -> None:
    response, protocols = exchange["response"], exchange["request"]["protocols"].split(", ")
    if response["status"] != 101:
        api.say(answer(response))
        with pytest.raises(refusal(response)):
            async with execute(client, "exec-websocket", "box", "c", ["true"]):
                pass
        return
    frames = response["body"]
    api.say(Shell(frames, (protocols[0],)))
    output = {1: b"", 2: b""}
    ended: Exit | Exception
    async with execute(client, "exec-websocket", "box", "c", ["true"]) as running:
        while True:
            try:
                item = await running.read()
            except EcnsError as error:
                ended = error
                break
            if isinstance(item, Exit):
                ended = item
                break
            output[item[0]] += item[1]
    for channel in (1, 2):
        sent = "".join(
            one["data"] for one in frames if one.get("channel") == channel and one["from"] == "server"
        )
        assert output[channel].decode("latin-1") == sent.encode().decode("latin-1")
    statuses = [json.loads(one["data"]) for one in frames if one.get("channel") == 3]
    if not statuses:
        assert isinstance(ended, UpstreamUnavailableError | Exit)
    elif statuses[0]["status"] == "Success":
        assert ended == Exit(0)
    elif "executable file not found" in statuses[0]["message"]:
        assert isinstance(ended, NotExecutableError)
    elif statuses[0]["reason"] == "InternalError":
        assert isinstance(ended, UpstreamError)
        assert "Internal error occurred" in ended.message
    else:
        assert ended == Exit(int(statuses[0]["details"]["causes"][0]["message"]))


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
async def test_what_is_typed_reaches_the_program(api: Api, client: Client, protocol: str) -> None:
    shell = Shell([], (protocol,))
    api.say(shell)
    actor = Impersonation("u", ("g",))
    async with execute(client, "ns", "box", "c", ["sh", "-c", "x"], actor=actor) as running:
        await running.write(b"a" * (FRAME + 1))
        await running.resize(120, 40)
        await running.ping()
        await running.hang_up()
    async with asyncio.timeout(5):
        await shell.over.wait()
    first = api.requests[0]
    assert first.headers["Impersonate-User"] == "u"
    assert first.query.getall("command") == ["sh", "-c", "x"]
    assert {key: first.query[key] for key in ("stdin", "stdout", "tty", "container")} == {
        "stdin": "true",
        "stdout": "true",
        "tty": "true",
        "container": "c",
    }
    assert shell.received[:3] == [
        bytes([STDIN]) + b"a" * FRAME,
        bytes([STDIN]) + b"a",
        bytes([RESIZE]) + b'{"Width":120,"Height":40}',
    ]
    farewell = [bytes([STDIN]) + b"\x04", bytes([CLOSE, STDIN])]
    assert shell.received[3:] == (farewell if protocol.startswith("v5") else farewell[:1])


async def test_a_connection_that_breaks_is_said_to(api: Api, client: Client) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io",))
        await socket.prepare(request)
        await socket.send_bytes(b"\x01hi")
        assert request.transport
        request.transport.abort()
        return socket

    api.say(cut)
    async with execute(client, "ns", "box", "c", ["sh"]) as running:
        assert await running.read() == (1, b"hi")
        with pytest.raises(UpstreamUnavailableError, match="connection broke"):
            await running.read()
        with contextlib.suppress(UpstreamError):
            await running.write(b"x")
        await running.hang_up()


@pytest.mark.parametrize("status", [b"\x03not json", b'\x03{"status":"Failure","message":"no","code":418}'])
async def test_nonsense_at_the_end_is_said_to_be(api: Api, client: Client, status: bytes) -> None:
    async def talk(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io",))
        await socket.prepare(request)
        await socket.send_bytes(b"")
        await socket.send_str("text")
        await socket.send_bytes(b"\x09other")
        await socket.send_bytes(status)
        return socket

    api.say(talk)
    async with execute(client, "ns", "box", "c", ["sh"]) as running:
        with pytest.raises(UpstreamError):
            await running.read()
