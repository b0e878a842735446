"""HTTP/1.1 on loopback: a server of whole requests and a client for one call, on httptools.

It is small so that the stand-in starts in a tenth of a second; what it serves are bodies of JSON, and images
that fit into memory.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import httptools

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)
MOST_OF_BODY = 64 << 20
"""Bytes of a body: images are the largest."""
JSON = "application/json"


@dataclass
class Request:
    """One request, whole."""

    method: str
    path: str
    """Decoded."""
    query: list[tuple[str, str]]
    headers: dict[str, str]
    """By their names in small letters."""
    body: bytes

    @property
    def host(self) -> str:
        """What the client calls this server."""
        return self.headers.get("host", "127.0.0.1")


@dataclass
class Answer:
    """One answer; a body that is no bytes is sent as JSON, `None` as nothing."""

    status: int = HTTPStatus.OK
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    media: str = JSON

    def encoded(self) -> bytes:
        """The body as it is sent."""
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Handler = "Callable[[Request], Awaitable[Answer]]"


class _Connection(asyncio.Protocol):
    """One client; its requests are answered one after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._waiting: asyncio.Queue[tuple[Request, bool] | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  of a stream
        self._transport = transport
        self._server.connections.add(self)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._server.connections.discard(self)
        self._waiting.put_nowait(None)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(HTTPStatus.BAD_REQUEST)
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    # httptools' side

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, bytearray()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > MOST_OF_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def on_message_complete(self) -> None:
        raw, _, query = self._url.decode("latin-1").partition("?")
        request = Request(
            method=self._parser.get_method().decode(),
            path=unquote(raw, errors="replace"),
            query=parse_qsl(query, keep_blank_values=True, errors="replace"),
            headers=self._headers,
            body=bytes(self._body),
        )
        self._waiting.put_nowait((request, self._parser.should_keep_alive()))

    # ours

    async def _serve(self) -> None:
        while (item := await self._waiting.get()) is not None:
            request, keep = item
            try:
                answer = await self._server.handler(request)
            except Exception:  # noqa: BLE001  whatever went wrong, the client is answered
                _log.exception("%s %s failed", request.method, request.path)
                answer = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"message": "Internal Server Error"})
            self._write(answer, keep=keep, head=request.method == "HEAD")
            if not keep:
                return

    def _write(self, answer: Answer, *, keep: bool, head: bool = False) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        body = answer.encoded()
        lines = [f"HTTP/1.1 {int(answer.status)} {HTTPStatus(answer.status).phrase}"]
        if body or answer.status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            lines += [f"Content-Type: {answer.media}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        if not keep:
            lines.append("Connection: close")
        head_part = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        self._transport.write(head_part + (b"" if head else body))
        if not keep:
            self._transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        self._write(Answer(status, {"message": status.phrase}), keep=False)


class Server:
    """Serves requests on one socket.

    Args:
        handler: answers a request.
    """

    def __init__(self, handler: Callable[[Request], Awaitable[Answer]]) -> None:
        self.handler = handler
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, sock: socket.socket) -> None:
        """Serve on a bound socket."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=sock)

    async def stop(self) -> None:
        """End connections."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()


class _Reading:
    """What httptools tells of an answer."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.done = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.done = True


async def get(host: str, port: int, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """A GET over plain HTTP, on a connection of its own: status and body.

    Raises:
        OSError: nothing answers there, or what answers is not HTTP.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))
        told = _Reading()
        parser = httptools.HttpResponseParser(told)
        while not told.done:
            chunk = await reader.read(1 << 16)
            if not chunk:
                raise OSError("the connection ended early")
            parser.feed_data(chunk)
        return parser.get_status_code(), bytes(told.body)
    except httptools.HttpParserError as error:
        raise OSError(f"no HTTP: {error}") from error
    finally:
        writer.close()
