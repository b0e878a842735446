"""What happened to the objects of a watch cache, told to whoever follows, from where they left off."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")

HISTORY = 2000
"""Changes of one kind that are kept for those who come back."""
QUEUE = 1000
"""Changes that wait for a follower; one who is slower is let go."""


class Change(msgspec.Struct, Generic[T], frozen=True):
    """A change, in the order of the cluster's watch.

    `LOST` says that changes are missing here: read the collection again, then go on.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED", "LOST"]
    object: T | None
    """The new state; of a deleted object the last one; None for `LOST`."""
    resource_version: int
    """Where to go on after this change."""


class Subscription(Generic[T]):
    """An iterator over changes; it ends with `LOST` when its reader is too slow, or when the cache closes."""

    def __init__(self, changes: Changes[T], pending: list[Change[T]]) -> None:
        self._changes = changes
        self._pending = deque(pending)
        self._arrived = asyncio.Event()
        self._ended = False

    def __enter__(self) -> Subscription[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Subscription[T]:
        return self

    async def __anext__(self) -> Change[T]:
        while not self._pending:
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._pending.popleft()

    def close(self) -> None:
        """Follow no longer."""
        self._ended = True
        self._arrived.set()
        self._changes.followers.discard(self)

    def offer(self, change: Change[T]) -> None:
        """Queue a change, or let a reader go who has not kept up."""
        if len(self._pending) >= QUEUE:
            self._pending.clear()
            self._pending.append(Change("LOST", None, change.resource_version))
            self.close()
            return
        self._pending.append(change)
        self._arrived.set()


class Changes(Generic[T]):
    """The recent changes of one kind, and who follows them."""

    def __init__(self) -> None:
        self.followers: set[Subscription[T]] = set()
        self._history: deque[Change[T]] = deque()
        self._complete_from = 0
        """All changes after this resourceVersion are in the history."""

    def subscribe(self, since: int | None, now: int) -> Subscription[T]:
        """Follow from `since`, or from now; begins with `LOST` when `since` is too long ago."""
        pending: list[Change[T]] = []
        if since is not None and since < now:
            if since < self._complete_from:
                pending = [Change("LOST", None, now)]
            else:
                pending = [change for change in self._history if change.resource_version > since]
        subscription = Subscription(self, pending)
        self.followers.add(subscription)
        return subscription

    def tell(self, change: Change[T]) -> None:
        """Tell a change to all."""
        self._history.append(change)
        if len(self._history) > HISTORY:
            self._complete_from = self._history.popleft().resource_version
        for follower in list(self.followers):
            follower.offer(change)

    def lost(self, version: int) -> None:
        """Changes up to `version` were not seen one by one."""
        self._history.clear()
        self._complete_from = version
        for follower in list(self.followers):
            follower.offer(Change("LOST", None, version))

    def close(self) -> None:
        """Let all go."""
        for follower in list(self.followers):
            follower.close()
