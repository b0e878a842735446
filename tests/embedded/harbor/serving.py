"""A stand-in within this process, for tests that look inside or make it quicker."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor.harbor import Harbor
from ecns.embedded.harbor.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEY = b"k" * 32
PASSWORD = "Harbor12345"


@contextlib.asynccontextmanager
async def serving(folder: Path, **options: Any) -> AsyncIterator[tuple[Harbor, str]]:
    """A Harbor and its address."""
    options = {"window_hours": 0, "frozen_seconds": 0.01, "pull_seconds": 0.2, **options}
    harbor = Harbor(folder, KEY, PASSWORD, **options)
    server = Server(harbor, KEY)
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    try:
        harbor.start()
        await server.start(sock)
        yield harbor, f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        await server.stop()
        await harbor.close()
