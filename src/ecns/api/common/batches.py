"""Batches: each item gets its own answer, and one item's failure stops no other.

The status is 200 when all went well, 207 when some failed, and the error's own when all failed for one
reason (design, "The write path").
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from litestar import Response

from ecns.api.common.objects import DryRun
from ecns.errors import EcnsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")
Results = TypeVar("Results", bound=msgspec.Struct)

PARALLEL = 8
"""Items of one batch under way at once: a batch may not take all of a cluster's connections."""

MULTI_STATUS = 207


class Succeeded(msgspec.Struct, Generic[Result], omit_defaults=True):
    """An item that was done; `result` is what a single call would have answered."""

    name: str
    result: Result | None = None


class Failed(msgspec.Struct, omit_defaults=True):
    """An item that was not done, with the code and the words a single call would have answered."""

    name: str
    code: int
    reason: str
    details: dict[str, Any] | None = None


class Batch(msgspec.Struct, Generic[Result]):
    """The answer to a batch."""

    succeed: list[Succeeded[Result]]
    failed: list[Failed]


Batched = Batch[Any] | DryRun
"""What a batch answers, or its trial (`dry_run=true`)."""


async def run(
    items: Sequence[Item],
    do: Callable[[Item], Awaitable[Result]],
    *,
    name: Callable[[Item], str],
) -> Response[Batch[Result]]:
    """Do every item, several at a time, and answer for each in the order sent; once if it was sent twice.

    Raises:
        EcnsError: every item failed, all with the same status and, if there are several, for one reason.
    """
    gate = asyncio.Semaphore(PARALLEL)
    items = _once(items, name)

    async def one(item: Item) -> Result | EcnsError:
        async with gate:
            try:
                return await do(item)
            except EcnsError as error:
                return error

    results = await asyncio.gather(*(one(item) for item in items))
    return answer([name(item) for item in items], results)


def _once(items: Sequence[Item], name: Callable[[Item], str]) -> list[Item]:
    """The items without repetitions; those of one name may differ in something else."""
    alike: dict[str, list[Item]] = {}
    different = []
    for item in items:
        others = alike.setdefault(name(item), [])
        if item not in others:
            others.append(item)
            different.append(item)
    return different


def answer(names: Sequence[str], results: Sequence[Result | EcnsError]) -> Response[Batch[Result]]:
    """The answer to a batch whose items had these results.

    Raises:
        EcnsError: every item failed with one status; it is that of the first, with all in its details.
    """
    batch: Batch[Result] = Batch(succeed=[], failed=[])
    errors: list[EcnsError] = []
    for name, result in zip(names, results, strict=True):
        if isinstance(result, EcnsError):
            errors.append(result)
            batch.failed.append(
                Failed(name=name, code=result.status, reason=result.message, details=result.details or None)
            )
        else:
            batch.succeed.append(Succeeded(name=name, result=result))
    return concluded(batch, errors, nothing=not batch.succeed)


def concluded(results: Results, errors: Sequence[EcnsError], *, nothing: bool) -> Response[Results]:
    """The answer to a batch, by what failed of it.

    Args:
        results: what the answer tells.
        errors: of the items that failed.
        nothing: no item was done.

    Raises:
        EcnsError: every item failed with one status; it is that of the first, with all in its details.
    """
    if errors and nothing and len({error.status for error in errors}) == 1:
        first = errors[0]
        if len(errors) > 1:
            first.message = f"none of {len(errors)} was done; the first: {first.message}"
            first.details = {**first.details, **msgspec.to_builtins(results)}
        raise first
    return Response(results, status_code=MULTI_STATUS if errors else 200)
