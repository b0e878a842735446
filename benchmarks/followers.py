"""What it costs to read and follow logs through ECNS, against reading them from the cluster."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

FOLLOWERS = 100
LINES = 4_000
LINE = 2_000
"""Bytes; so a log has 8 MB."""
REPEATS = 15
SECONDS = 10.0
PATIENCE = 120.0
EVENTS = {"Accept": "text/event-stream"}


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Speed(NamedTuple):
    """What readers have read, in how many seconds, with how many seconds of the gateway's CPU."""

    megabytes: float
    seconds: float
    cpu: float


class Followers:
    """Readers of logs.

    Args:
        gateway: sends the token and the namespace; without a limit of connections.
        direct: sends Kubernetes' own credentials.
        api: ECNS's address with the product type, such as `http://127.0.0.1:8080/api/ecns/eks`.
        server: the Kubernetes API's address.
        namespace: where pods are made and deleted.
        pid: the gateway's.
    """

    def __init__(  # noqa: PLR0917  they are what there is
        self,
        gateway: aiohttp.ClientSession,
        direct: aiohttp.ClientSession,
        api: str,
        server: str,
        namespace: str,
        pid: int,
    ) -> None:
        self._gateway = gateway
        self._direct = direct
        self._api = api
        self._pods = f"{server}/api/v1/namespaces/{namespace}/pods"
        self._pid = pid

    async def measure(self) -> dict[str, dict[str, float]]:
        """All figures, by what they are of."""
        wide = f"for i in $(seq 1 {LINES}); do printf '%0{LINE - 1}d\\n' $i; done; sleep 100000"
        slow = "while true; do printf '%0199d\\n' 1; sleep 0.5; done"
        names = [f"bench-follow-{number}" for number in range(FOLLOWERS)]
        found: dict[str, dict[str, float]] = {}
        try:
            await self._make("bench-wide", wide)
            ours = f"{self._api}/pods/pod/bench-wide/logs/"
            theirs = f"{self._pods}/bench-wide/log"
            for what, query, headers in (
                ("read a log", "", {}),
                ("follow a log", "?follow=true", {}),
                ("follow a log as events", "?follow=true", EVENTS),
            ):
                both = [
                    (
                        await self._speed(self._gateway, ours + query, headers),
                        await self._speed(self._direct, theirs + query),
                    )
                    for _ in range(REPEATS)
                ]
                found[what] = _against(*zip(*both, strict=True))
            through = await self._speed(self._gateway, f"{ours}?follow=true", readers=FOLLOWERS)
            straight = await self._speed(self._direct, f"{theirs}?follow=true", readers=FOLLOWERS)
            found[f"{FOLLOWERS} followers of one pod"] = _against([through], [straight])
            await asyncio.gather(*(self._make(name, slow) for name in names))
            several = [f"{self._api}/pods/pod/{name}/logs/?follow=true&timestamps=true" for name in names]
            found[f"{FOLLOWERS} followers of {FOLLOWERS} pods, 2 lines a second each"] = await self._lag(
                self._gateway, several
            )
            several = [f"{self._pods}/{name}/log?follow=true&timestamps=true" for name in names]
            found["the same from the cluster"] = await self._lag(self._direct, several)
        finally:
            for name in ("bench-wide", *names):
                async with self._direct.delete(f"{self._pods}/{name}?gracePeriodSeconds=0"):
                    pass
        return found

    async def _make(self, name: str, script: str) -> None:
        container = {"name": "c", "image": "busybox:1.35", "command": ["sh", "-c", script]}
        body = {"metadata": {"name": name}, "spec": {"containers": [container]}}
        async with self._direct.post(self._pods, json=body) as answer:
            assert answer.status == 201, await answer.text()
        async with asyncio.timeout(PATIENCE):
            while True:
                async with self._direct.get(f"{self._pods}/{name}") as answer:
                    if (await answer.json())["status"].get("phase") == "Running":
                        return
                await asyncio.sleep(0.2)

    async def _speed(
        self,
        session: aiohttp.ClientSession,
        url: str,
        headers: dict[str, str] | None = None,
        *,
        readers: int = 1,
    ) -> Speed:
        """How fast all readers together were."""

        async def read(answer: aiohttp.ClientResponse) -> int:
            size = 0
            async for piece in answer.content.iter_any():
                size += len(piece)
                if size >= LINES * LINE:
                    break
            return size

        timeout = aiohttp.ClientTimeout(total=None, sock_read=PATIENCE)
        async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE):
            began, used = time.perf_counter(), cpu(self._pid)
            answers = []
            for _ in range(readers):
                answer = await stack.enter_async_context(session.get(url, headers=headers, timeout=timeout))
                assert answer.status == 200, await answer.text()
                answers.append(answer)
            size = sum(await asyncio.gather(*map(read, answers)))
            seconds, used = time.perf_counter() - began, cpu(self._pid) - used
        return Speed(size / 1e6, seconds, used)

    async def _lag(self, session: aiohttp.ClientSession, urls: list[str]) -> dict[str, float]:
        """Milliseconds from a line's time until it is read, and what that costs the gateway."""
        lags: list[float] = []

        async def follow(answer: aiohttp.ClientResponse) -> None:
            async for line in answer.content:
                written = datetime.fromisoformat(line[:26].decode()).replace(tzinfo=UTC).timestamp()
                lags.append(time.time() - written)

        timeout = aiohttp.ClientTimeout(total=None, sock_read=PATIENCE)
        async with AsyncExitStack() as stack:
            answers = [await stack.enter_async_context(session.get(url, timeout=timeout)) for url in urls]
            tasks = [asyncio.create_task(follow(answer)) for answer in answers]
            await asyncio.sleep(1)
            lags.clear()
            used = cpu(self._pid)
            await asyncio.sleep(SECONDS)
            used = cpu(self._pid) - used
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        figures: dict[str, Any] = {
            "p50_ms": round(statistics.median(lags) * 1000, 1),
            "p99_ms": round(sorted(lags)[int(len(lags) * 0.99)] * 1000, 1),
            "lines_per_second": round(len(lags) / SECONDS),
        }
        if session is self._gateway:
            figures["gateway_cpu_percent"] = round(used / SECONDS * 100, 1)
        return figures


def _against(ours: Sequence[Speed], theirs: Sequence[Speed]) -> dict[str, float]:
    through, straight = (
        statistics.median(one.megabytes / one.seconds for one in each) for each in (ours, theirs)
    )
    used = sum(one.cpu for one in ours) / sum(one.megabytes for one in ours) * 1000
    return {
        "MB_per_second": round(through, 1),
        "direct": round(straight, 1),
        "ratio": round(through / straight, 2),
        "gateway_cpu_s_per_GB": round(used, 1),
    }
