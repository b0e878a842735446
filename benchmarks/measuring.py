"""How long calls take."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import aiohttp

Call = Callable[[], Awaitable[None]]


def percentile(samples: list[float], share: float) -> float:
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * share))]


async def measure(call: Call, *, calls: int, callers: int = 1) -> dict[str, float]:
    """Milliseconds of one call, with so many callers at once."""
    samples: list[float] = []
    left = calls

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            before = time.perf_counter()
            await call()
            samples.append((time.perf_counter() - before) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    seconds = time.perf_counter() - began
    return {
        "p50_ms": round(statistics.median(samples), 2),
        "p99_ms": round(percentile(samples, 0.99), 2),
        "per_second": round(len(samples) / seconds),
    }


async def get(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as answer:
        await answer.read()
        assert answer.status == 200, await answer.text()
