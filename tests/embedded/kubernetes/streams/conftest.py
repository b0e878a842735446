from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.embedded.kubernetes.simulation import pod

from ecns.embedded.kubernetes import bootstrap, controllers, requests, streams
from ecns.embedded.kubernetes.cluster import Cluster
from ecns.embedded.kubernetes.errors import ApiError


class Served:
    """A cluster whose streams are served on loopback, in real time."""

    def __init__(self, cluster: Cluster, session: aiohttp.ClientSession, url: str) -> None:
        self.cluster = cluster
        self._session = session
        self._url = url

    async def pod(self, name: str, script: str, *, phase: str = "Running", **container: Any) -> None:
        one = pod(name, "sh", "-c", script, restartPolicy="Never")
        one["spec"]["containers"][0] |= container
        self.cluster.create("pods", one, namespace="default")
        await self.until(name, phase)

    async def until(self, name: str, phase: str) -> None:
        async with asyncio.timeout(5):
            while self.cluster.get("pods", name, "default")["status"]["phase"] != phase:  # noqa: ASYNC110  no Event
                await asyncio.sleep(0.005)

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
        url = f"{self._url}/api/v1/namespaces/default/pods/{path}"
        return self._session.get(url, params=query, headers=headers)

    def connect(self, path: str, query: list[tuple[str, str]], *protocols: str) -> Any:
        url = f"{self._url}/api/v1/namespaces/default/pods/{path}"
        return self._session.ws_connect(url, params=query, protocols=protocols)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    cluster = Cluster()
    bootstrap.ensure(cluster, "(certificate)")
    running = controllers.start(cluster)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        target = requests.parse(request.method, request.path, request.query)
        assert target is not None
        try:
            return await streams.handle(cluster, request, target)
        except ApiError as error:
            return web.json_response(error.status(), status=error.code)

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with asyncio.timeout(5):
        while cluster.find("serviceaccounts", "default", "default") is None:  # noqa: ASYNC110  no Event
            await asyncio.sleep(0.005)
    async with aiohttp.ClientSession() as session:
        yield Served(cluster, session, f"http://127.0.0.1:{port}")
    for controller in running:
        controller.stop()
    await runner.cleanup()
    cluster.close()
