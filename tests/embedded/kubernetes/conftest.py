"""A server in this process on a free loopback port, and a small client for it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from ecns.embedded.kubernetes import bootstrap, controllers
from ecns.embedded.kubernetes.auth import Authenticator
from ecns.embedded.kubernetes.cluster import Cluster
from ecns.embedded.kubernetes.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "test-admin-token"


class Reply:
    """Status, headers and decoded body of an answer."""

    def __init__(self, status: int, headers: Any, text: str) -> None:
        self.status = status
        self.headers = headers
        self.text = text

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def message(self) -> str:
        return str(self.json["message"])


class Client:
    """Speaks to one server as its administrator, unless told otherwise."""

    def __init__(self, session: aiohttp.ClientSession, url: str, cluster: Cluster) -> None:
        self.session = session
        self.url = url
        self.cluster = cluster

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        sent = {"Authorization": f"Bearer {TOKEN}", **(headers or {})}
        data = body if body is None or isinstance(body, bytes | str) else json.dumps(body)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(
            method, self.url + path, data=data, params=query or {}, headers=sent
        ) as response:
            return Reply(response.status, response.headers, await response.text())

    async def get(self, path: str, **query: Any) -> Reply:
        return await self.call("GET", path, query=query)

    async def post(self, path: str, body: Any, **query: Any) -> Reply:
        return await self.call("POST", path, body, query=query)

    async def put(self, path: str, body: Any, **query: Any) -> Reply:
        return await self.call("PUT", path, body, query=query)

    async def delete(self, path: str, body: Any = None, **query: Any) -> Reply:
        return await self.call("DELETE", path, body, query=query)

    async def patch(self, path: str, body: Any, kind: str = "merge-patch+json", **query: Any) -> Reply:
        headers = {"Content-Type": f"application/{kind}"}
        return await self.call("PATCH", path, body, query=query, headers=headers)

    async def watch(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """All events of a watch that the server ends (give timeoutSeconds)."""
        reply = await self.get(path, watch="1", **query)
        return [json.loads(line) for line in reply.text.splitlines()]

    async def until(self, condition: Any, seconds: float = 5.0) -> Any:
        """Waits until `condition()` is true; returns its value."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not (value := condition()):
            assert loop.time() < end, "the condition did not come true"
            await asyncio.sleep(0.01)
        return value


async def _running(*, with_controllers: bool) -> AsyncIterator[Client]:
    cluster = Cluster()
    accounts = Authenticator(
        TOKEN, b"k" * 32, lambda space, name: cluster.find("serviceaccounts", name, space)
    )
    server = Server(cluster, accounts)
    bootstrap.ensure(cluster)
    running = controllers.start(cluster) if with_controllers else []
    port = await server.start()
    session = aiohttp.ClientSession()
    try:
        yield Client(session, f"http://127.0.0.1:{port}", cluster)
    finally:
        await session.close()
        await server.stop()
        for controller in running:
            controller.stop()
        cluster.close()


@pytest.fixture
async def api() -> AsyncIterator[Client]:
    """A server without controllers: what is written stays as it is."""
    async for client in _running(with_controllers=False):
        yield client


@pytest.fixture
async def kubernetes() -> AsyncIterator[Client]:
    """A server with everything: controllers, scheduler, kubelets."""
    async for client in _running(with_controllers=True):
        yield client
