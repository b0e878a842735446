"""Layers that go to the registry while the rest of the file still comes.

There they count for nothing until all of the file is here and right: an upload is begun and filled, and ended
with its digest only then. What is not ended is taken back.
"""

from __future__ import annotations

import asyncio

from ecns.api.images.upload.archives import Blob
from ecns.api.images.upload.pieces import pieces
from ecns.backends.harbor.registry import Registry
from ecns.errors import EcnsError, UpstreamTimeoutError

LEAST = 1024 * 1024
"""Bytes of a blob that is worth it; what is smaller is mostly no layer."""


class Ahead:
    """What is sent ahead to one repository.

    Args:
        registry: where to.
        repository: with the workspace's name before it; the caller may push to it.
        layers: that are sent at a time.
    """

    def __init__(self, registry: Registry, repository: str, layers: int) -> None:
        self.repository = repository
        """All is sent there."""
        self._registry = registry
        self._gate = asyncio.Semaphore(layers)
        self._sending: dict[str, asyncio.Task[str]] = {}
        """By digest; where the upload goes on, or empty when the registry has the blob."""

    def begin(self, blob: Blob) -> None:
        """Send a blob that has come, if it is worth it."""
        if blob.size >= LEAST and blob.digest not in self._sending:
            task = asyncio.create_task(self._send(blob))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._sending[blob.digest] = task

    async def end(self, repository: str, digest: str) -> bool | None:
        """Make a blob that was sent part of the registry.

        Returns:
            True when it is now, False when it was before, None when it is not: push it.

        Raises:
            UpstreamTimeoutError: the registry hangs.
        """
        task = self._sending.pop(digest, None) if repository == self.repository else None
        if task is None:
            return None
        at = ""
        try:
            if at := await task:
                await self._registry.finish(repository, at, digest)
        except BaseException as error:
            if at:
                await self._registry.drop(repository, at)
            if isinstance(error, EcnsError) and not isinstance(error, UpstreamTimeoutError):
                return None  # pushing it says what is wrong, if it is so still
            raise
        return bool(at)

    async def close(self) -> None:
        """Take back what was not ended."""
        tasks = list(self._sending.values())
        self._sending.clear()
        for task in tasks:
            task.cancel()
        sent = await asyncio.gather(*tasks, return_exceptions=True)
        drops = [self._registry.drop(self.repository, at) for at in sent if isinstance(at, str) and at]
        await asyncio.gather(*drops)

    async def _send(self, blob: Blob) -> str:
        async with self._gate:
            if await self._registry.has_blob(self.repository, blob.digest):
                return ""
            at = await self._registry.begin(self.repository)
            try:
                return await self._registry.fill(self.repository, at, blob.size, lambda: pieces(blob))
            except BaseException:
                await self._registry.drop(self.repository, at)
                raise
