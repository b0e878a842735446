"""How long a change in the cluster takes to reach everybody who watches the list of workloads."""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import time
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

NAME = "bench-live"
PATIENCE = 30.0
MARK = re.compile(rb'"bench":\s*"(\d+)"')


async def lag(
    gateway: aiohttp.ClientSession,
    direct: aiohttp.ClientSession,
    *,
    api: str,
    server: str,
    namespace: str,
    listeners: int = 100,
    changes: int = 100,
) -> dict[str, float]:
    """Milliseconds from sending a change to Kubernetes until a listener has read it.

    That includes Kubernetes' own time for the write, which is given beside it.

    Args:
        gateway: sends the token and the namespace; without a limit of connections.
        direct: sends Kubernetes' own credentials.
        api: ECNS's address with the product type, such as `http://127.0.0.1:8080/api/ecns/eks`.
        server: the Kubernetes API's address.
        namespace: where a Deployment is made, changed and deleted.
        listeners: streams at once.
        changes: how many are measured.
    """
    collection = f"{server}/apis/apps/v1/namespaces/{namespace}/deployments"
    async with direct.post(collection, json=_deployment()) as answer:
        assert answer.status == 201, await answer.text()
    arrivals: dict[int, list[float]] = {number: [] for number in range(changes)}
    everybody = asyncio.Event()
    try:
        async with AsyncExitStack() as stack:
            timeout = aiohttp.ClientTimeout(total=None, sock_read=PATIENCE)
            streams = [
                await stack.enter_async_context(
                    gateway.get(f"{api}/workloads/?watch=true&name={NAME}", timeout=timeout)
                )
                for _ in range(listeners)
            ]
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(_synced(stream) for stream in streams))

            async def listen(stream: aiohttp.ClientResponse) -> None:
                async for line in stream.content:
                    now = time.perf_counter()
                    if line.startswith(b"data:") and (found := MARK.search(line)):
                        arrived = arrivals[int(found[1])]
                        arrived.append(now)
                        if len(arrived) == listeners:
                            everybody.set()

            tasks = [asyncio.create_task(listen(stream)) for stream in streams]
            lags: list[float] = []
            writes: list[float] = []
            for number in range(changes):
                everybody.clear()
                began = time.perf_counter()
                await _change(direct, f"{collection}/{NAME}", number)
                writes.append(time.perf_counter() - began)
                async with asyncio.timeout(PATIENCE):
                    await everybody.wait()
                lags += [moment - began for moment in arrivals[number]]
                # Not in step with the rounds in which changes are told.
                await asyncio.sleep(random.uniform(0, 0.1))  # noqa: S311  no secret
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        async with direct.delete(f"{collection}/{NAME}"):
            pass
    return {
        "listeners": listeners,
        "p50_ms": round(statistics.median(lags) * 1000, 1),
        "p99_ms": round(sorted(lags)[int(len(lags) * 0.99)] * 1000, 1),
        "most_ms": round(max(lags) * 1000, 1),
        "write_p50_ms": round(statistics.median(writes) * 1000, 1),
    }


async def _synced(stream: aiohttp.ClientResponse) -> None:
    assert stream.status == 200, await stream.text()
    async for line in stream.content:
        if line.startswith(b"event: synced"):
            return


async def _change(direct: aiohttp.ClientSession, url: str, number: int) -> None:
    patch = {"metadata": {"labels": {"bench": str(number)}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    async with direct.patch(url, json=patch, headers=headers) as answer:
        assert answer.status == 200, await answer.text()


def _deployment() -> dict[str, Any]:
    labels = {"app": NAME}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "labels": labels},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]},
            },
        },
    }
