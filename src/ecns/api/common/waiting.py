"""Several calls at once, all of which are over before the first failure is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any


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
