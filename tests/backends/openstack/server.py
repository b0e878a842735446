"""A cloud that answers as a test says: one server for Keystone's catalog and for every service."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.keystone import Keystone
from ecns.config import OpenStack as Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

REQUEST_ID = "req-11111111-2222-3333-4444-555555555555"
PATHS = {
    "compute": "/compute/v2.1",
    "network": "/network",
    "volumev3": "/volume/v3/p1",
    "image": "/image",
    "load-balancer": "/lb",
    "orchestration": "/heat/v1/p1",
}


def always(status: int, body: Any = None, *, text: str | None = None, **headers: str) -> Handler:
    async def handler(_: web.BaseRequest) -> web.Response:
        sent = {"x-openstack-request-id": REQUEST_ID, **headers}
        if text is not None:
            return web.Response(status=status, text=text, headers=sent)
        return web.json_response(body, status=status, headers=sent)

    return handler


def catalog(base: str) -> dict[str, Any]:
    return {
        "catalog": [
            {
                "type": kind,
                "name": kind,
                "endpoints": [
                    {"interface": interface, "region_id": region, "url": f"{base}/{region}-{interface}{path}"}
                    for region in ("one", "two")
                    for interface in ("internal", "public")
                ],
            }
            for kind, path in PATHS.items()
        ]
    }


class Cloud:
    """The clients, and what they asked."""

    def __init__(self, client: OpenStack, base: str, asked: list[web.BaseRequest]) -> None:
        self.client = client
        self.base = base
        self.asked = asked


@contextlib.asynccontextmanager
async def answering(handler: Handler, **settings: Any) -> AsyncIterator[Cloud]:
    """Clients of a cloud whose services answer everything with `handler`."""
    asked: list[web.BaseRequest] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/v3/auth/catalog":
            return web.json_response(catalog(base))
        asked.append(request)
        return await handler(request)

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.01)
    await runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{sock.getsockname()[1]}"
    await web.SockSite(runner, sock).start()
    keystone = Keystone(base)
    client = OpenStack(keystone, Settings(**settings))
    try:
        yield Cloud(client, base, asked)
    finally:
        await client.close()
        await keystone.close()
        await runner.cleanup()
