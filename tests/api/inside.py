"""A gateway inside the test's own process, for tests that change its clock or look at what it holds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from ecns.config import Cluster, Config, Identity
from ecns.server.app import create_app

if TYPE_CHECKING:
    from ecns.server.requests import Requests
    from tests.gateway import Gateway


@contextlib.asynccontextmanager
async def application(
    gateway: Gateway, clusters: tuple[Cluster, ...] | None = None
) -> AsyncIterator[Requests]:
    """Another ECNS in this process, in front of the same Keystone, that remembers no token.

    Args:
        gateway: with its Keystone.
        clusters: instead of the gateway's.
    """
    identity = Identity(auth_url=gateway.facts["identity_url"], cache_seconds=0)
    if clusters is None:
        clusters = (Cluster(name="eks", kubeconfig=Path(gateway.kubeconfig)),)
    app = create_app(Config(identity=identity, clusters=clusters))
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    told: asyncio.Queue[Any] = asyncio.Queue()
    running = asyncio.create_task(app({"type": "lifespan", "state": {}}, asked.get, told.put))
    asked.put_nowait({"type": "lifespan.startup"})
    assert (await told.get())["type"] == "lifespan.startup.complete"
    try:
        yield app
    finally:
        asked.put_nowait({"type": "lifespan.shutdown"})
        await running
        await _parted()


async def _parted() -> None:
    """Wait for the TLS connections of WebSockets, which aiohttp closes but does not wait for."""
    transports = asyncio.get_running_loop()._transports  # type: ignore[attr-defined]  # nothing public tells
    while any(transport.get_protocol() is not None for transport in transports.values()):  # noqa: ASYNC110  as above
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def client(
    gateway: Gateway, clusters: tuple[Cluster, ...] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of such an ECNS; it has all of an answer at once."""
    async with application(gateway, clusters) as app:
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # the two ASGI typings differ
        async with httpx.AsyncClient(transport=transport, base_url="http://ecns/api/ecns/eks") as made:
            yield made
