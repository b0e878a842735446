"""Terminals: a shell in a container, over a WebSocket of JSON messages (decisions, "Other chapters")."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect, WebSocketException

from ecns.api.common.streams import Ended, Form, Stream
from ecns.api.pods.types import TerminalMessage
from ecns.backends.kubernetes.containers import (
    STDERR,
    Execution,
    Exit,
    NotExecutableError,
    execute,
)
from ecns.config import Terminals
from ecns.errors import BadRequestError, ForbiddenError
from ecns.identity.place import Place

PROTOCOL = "ecns.terminal"
"""The subprotocol that is answered to who offers it."""
SHELL = (
    "sh",
    "-c",
    "TERM=xterm-256color; export TERM; command -v bash >/dev/null 2>&1 && exec bash; exec sh",
)
WAITING = 1024 * 1024
"""Bytes of input that wait for a slow program; then the client is made to wait."""
PING = 20.0
"""Seconds between two pings to the cluster; the client is pinged by the server."""
PARTING = 1.0
"""Seconds that the shell has to hear that its terminal is gone."""
LARGEST = 65_535
"""Columns or rows: what the kernel's terminals can have."""

_CLOSE = {"exited": 1000, "stopping": 1012, "refused": 1008, "idle": 1008, "invalid": 1008, "junk": 1007}
_FAILED = 1011
_REASON_BYTES = 120

_decode = msgspec.json.Decoder(TerminalMessage, strict=False).decode
_encode = msgspec.json.Encoder().encode


def check_origin(socket: WebSocket[Any, Any, Any], settings: Terminals) -> None:
    """Refuse pages of other hosts, which a browser tells; programs tell none.

    Raises:
        ForbiddenError: the page is not among `terminals.origins`.
    """
    origin = socket.headers.get("origin")
    if origin is None or origin in settings.origins:
        return
    try:
        host = urlsplit(origin).netloc.lower()
    except ValueError:
        host = ""
    if not host or host != socket.headers.get("host", "").lower():
        raise ForbiddenError(
            f"pages of {origin[:200]!r} may not open terminals; those that may are in terminals.origins"
        )


def subprotocol(socket: WebSocket[Any, Any, Any]) -> str | None:
    """The one that is answered; browsers want one of what they have offered.

    Raises:
        BadRequestError: others are offered, and not ours.
    """
    offered = socket.scope["subprotocols"]
    if offered and PROTOCOL not in offered:
        raise BadRequestError(f"offer the subprotocol {PROTOCOL}", field="Sec-WebSocket-Protocol")
    return PROTOCOL if offered else None


async def open_terminal(
    socket: WebSocket[Any, Any, Any],
    place: Place,
    *,
    pod: str,
    container: str,
    settings: Terminals,
    protocol: str | None,
) -> None:
    """Open a shell and carry it until it is over; errors come before the WebSocket is accepted.

    Raises:
        NotFoundError: the pod or the container is not there.
        ConflictError: the container does not run.
        ForbiddenError: the namespace is the system's, or the cluster does not let the caller.
        TooManyRequestsError: the caller has too many streams.
        UpstreamError: the cluster does not answer.
    """
    terminal = Terminal(socket, settings)
    stream = Stream.of(socket, place, terminal.form)
    await place.places.writing(place)
    shell = execute(place.cluster.client, place.namespace, pod, container, SHELL, actor=place.actor)
    async with shell as running:
        await socket.accept(protocol)
        await terminal.run(running, stream)


class Terminal:
    """One client at one shell.

    Args:
        socket: the client's.
        settings: limits of time.
    """

    def __init__(self, socket: WebSocket[Any, Any, Any], settings: Terminals) -> None:
        self._socket = socket
        self._settings = settings
        self._end = Ended("exited", "")
        self._input: deque[TerminalMessage] = deque()
        self._waiting = 0
        """Bytes in it."""
        self._moved = asyncio.Event()
        """Something was put into it, or taken out of it."""
        self._used = 0.0
        """When something was typed or shown."""
        self.form = Form("", b"", self._closed)

    async def run(self, shell: Execution, stream: Stream) -> None:
        """Carry what both sides say until one of them ends it, or may not go on."""
        self._shell = shell
        self._used = asyncio.get_running_loop().time()
        listening = asyncio.create_task(self._listen(stream))
        others = [asyncio.create_task(work) for work in (self._type(), self._watch(stream))]
        showing = asyncio.create_task(self._show(stream))
        try:
            await asyncio.wait({listening, showing}, return_when=asyncio.FIRST_COMPLETED)
            if not listening.done() or listening.result():
                await showing  # it tells the client why
        finally:
            for task in (listening, showing, *others):
                task.cancel()
            await asyncio.gather(listening, showing, *others, return_exceptions=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PARTING):
                    await self._shell.hang_up()

    # Towards the client

    async def _show(self, stream: Stream) -> None:
        with contextlib.suppress(OSError, WebSocketDisconnect):
            async with contextlib.aclosing(stream.carry(self._output())) as pieces:
                async for piece in pieces:
                    await self._socket.send_data(piece.decode(), mode="text")
            code = _CLOSE.get(self._end.reason, _FAILED)
            reason = self._end.message.encode()[:_REASON_BYTES].decode(errors="ignore")
            await self._socket.close(code=code, reason=reason)

    async def _output(self) -> AsyncGenerator[bytes]:
        """What the shell shows, as messages; how it ended is the last."""
        decoders = {channel: codecs.getincrementaldecoder("utf-8")("replace") for channel in (1, 2)}
        while True:
            try:
                item = await self._shell.read()
            except NotExecutableError:
                raise Ended("failed", "the container has no shell (sh)", 404) from None
            if isinstance(item, Exit):
                code = "" if item.code is None else str(item.code)
                yield _encode(TerminalMessage("exit", code, reason="exited"))
                return
            channel, data = item
            self._used = asyncio.get_running_loop().time()
            if text := decoders[channel].decode(data):
                yield _encode(TerminalMessage("stderr" if channel == STDERR else "stdout", text))

    def _closed(self, end: Ended) -> bytes:
        self._end = end
        return _encode(TerminalMessage("exit", "", reason=end.reason, message=end.message, code=end.code))

    # Towards the shell

    async def _listen(self, stream: Stream) -> bool:
        """Take what the client sends; False when it has left, True when it is to hear why it is over."""
        while True:
            try:
                received: dict[str, Any] = await self._socket.receive()  # type: ignore[assignment]  # events are
            except (WebSocketException, OSError):
                return False
            if received["type"] != "websocket.receive":
                return False
            try:
                message = _decode(received.get("text") or received.get("bytes") or b"")
            except (msgspec.MsgspecError, UnicodeDecodeError):
                stream.end(Ended("junk", 'send JSON objects such as {"Operation": "stdin", …}', 400))
                return True
            if message.operation == "exit":
                stream.end(Ended("exited", "the client has ended it"))
                return True
            if message.operation not in {"bind", "stdin", "resize"}:
                what = f"send bind, stdin, resize or exit, not {message.operation[:50]!r}"
                stream.end(Ended("invalid", what, 400))
                return True
            self._input.append(message)
            self._waiting += len(message.data or "")
            self._moved.set()
            while self._waiting > WAITING:
                self._moved.clear()
                await self._moved.wait()

    async def _type(self) -> None:
        """Give the shell what was taken, in order."""
        while True:
            while not self._input:
                self._moved.clear()
                await self._moved.wait()
            message = self._input.popleft()
            self._used = asyncio.get_running_loop().time()
            if message.data and message.operation == "stdin":
                await self._shell.write(message.data.encode())
            if message.operation != "stdin" and message.cols and message.rows:
                columns, rows = (min(max(value, 1), LARGEST) for value in (message.cols, message.rows))
                await self._shell.resize(columns, rows)
            self._waiting -= len(message.data or "")
            self._moved.set()

    async def _watch(self, stream: Stream) -> None:
        """Ping the cluster, and end what nobody uses or what has gone on for long enough."""
        settings, now = self._settings, asyncio.get_running_loop().time
        end = now() + settings.longest
        while True:
            idle = self._used + settings.idle
            if now() >= end:
                stream.end(Ended("idle", f"a terminal is open for {settings.longest:g} s at most"))
            elif now() >= idle:
                stream.end(Ended("idle", f"nothing was typed or shown for {settings.idle:g} s"))
            await asyncio.sleep(max(0.001, min(PING, idle - now(), end - now())))
            await self._shell.ping()
