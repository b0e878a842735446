"""Runs the application with uvicorn until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import uuid
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ecns.api.common.streams import end_all
from ecns.config import ConfigError
from ecns.errors import BadRequestError
from ecns.server.app import create_app
from ecns.server.errors import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecns.config import Config

GRACE_SECONDS = 5
"""How long answers under way may take after SIGTERM; streams are cut then."""

MESSAGE_BYTES = 1024 * 1024
"""Longest message of a WebSocket's client: what somebody pastes into a terminal."""
PING_SECONDS = 20.0
PONG_SECONDS = 40.0
"""So long may an answer to a ping take; longer than a browser's tab or a program is held up."""
ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Seconds, seconds and times: so a silent stream notices that its client is gone without a word."""


class Protocol(HttpToolsProtocol):
    """HTTP; what is none is answered as every other error is."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's word for all of it
        """Refuse what cannot be read."""
        request_id = f"req-{uuid.uuid4()}"
        body = render(BadRequestError("this is no valid HTTP request"), request_id)
        head = (
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nRequestId: {request_id}\r\n"
            f"X-Openstack-Request-Id: {request_id}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn that tells when it serves and when it stops."""

    def __init__(
        self, config: uvicorn.Config, started: Callable[[Server], None], stopping: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._tell_started = started
        self._tell_stopping = stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM ask for an orderly end, after which the process goes on to its own."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve and tell so."""
        await super().startup(sockets)
        if not self.should_exit:
            self._tell_started(self)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell that it is over, then end; streams at once, for their clients to go elsewhere."""
        self._tell_stopping()
        await end_all()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to an address; port 0 picks a free one.

    Raises:
        ConfigError: the address cannot be had.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # connections inherit it
        for name, value in ALIVE.items():
            if (option := getattr(socket, name, None)) is not None:  # not every system has all of them
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
        sock.bind(address)
    except OSError as error:
        raise ConfigError(f"server: cannot listen on {host} port {port}: {error.strerror}") from error
    return sock


def run(
    config: Config, sock: socket.socket, *, started: Callable[[Server], None], stopping: Callable[[], None]
) -> None:
    """Serve on a bound socket until SIGINT or SIGTERM."""
    settings = config.server
    server = Server(
        uvicorn.Config(
            create_app(config),
            loop="uvloop",
            http=Protocol,
            ws="websockets-sansio",
            ws_max_size=MESSAGE_BYTES,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PONG_SECONDS,
            # Not compressed: a terminal says little, and each packer takes more memory than it says.
            ws_per_message_deflate=False,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
        ),
        started,
        stopping,
    )
    server.run(sockets=[sock])
