"""Several calls at once, all of which are over before the first failure is told; and one until it is so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

PARALLEL = 8
"""How many calls of `few_of` go on at a time."""
INTERVAL = 0.5
"""Seconds between two looks of `until`."""


async def all_of(*calls: Awaitable[Any]) -> list[Any]:
    """The results, in order.

    Unlike `asyncio.gather` alone nothing goes on in the background after an error, so that what was made can
    be removed.

    Raises:
        Exception: the first call's, in order, that failed.
    """
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


async def few_of(calls: Iterable[Awaitable[Any]], at_once: int = PARALLEL) -> list[Any]:
    """As `all_of`, a few at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(call: Awaitable[Any]) -> Any:
        async with gate:
            return await call

    return await all_of(*(one(call) for call in calls))


async def until(check: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Whether something has become so within some time; it is looked at least once."""
    deadline = time.monotonic() + seconds
    while not await check():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(INTERVAL)
    return True
