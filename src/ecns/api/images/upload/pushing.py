"""Images pushed to the registry: blobs several at a time, what is there already left out, then manifests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Literal

import msgspec

from ecns.api.images.types import Pushed
from ecns.api.images.upload.ahead import Ahead
from ecns.api.images.upload.archives import Blob, Node
from ecns.api.images.upload.pieces import pieces
from ecns.api.images.upload.reading import Target
from ecns.api.images.upload.spool import trim
from ecns.backends.harbor.registry import BlobUnknownError, Registry

State = Literal["waiting", "pushing", "pushed", "present"]


class LayerProgress(msgspec.Struct):
    """How far a blob is."""

    repository: str
    digest: str
    size: int
    sent: int = 0
    state: State = "waiting"


class Progress(msgspec.Struct):
    """How far an upload is; sizes are bytes, as they are sent to the registry."""

    stage: Literal["checking", "pushing"] = "checking"
    size: int = 0
    sent: int = 0
    """Those that the registry had already counted."""
    layers: list[LayerProgress] = msgspec.field(default_factory=list)


class Pusher:
    """Pushes what one archive holds to one workspace.

    Args:
        registry: where to.
        workspace: its name.
        layers: that are pushed at a time.
        ahead: what was sent before, if anything.
        changed: called when there is progress to tell.
    """

    def __init__(
        self,
        registry: Registry,
        workspace: str,
        layers: int,
        *,
        ahead: Ahead | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.progress = Progress()
        self._registry = registry
        self._workspace = workspace
        self._gate = asyncio.Semaphore(layers)
        self._ahead = ahead
        self._changed = changed
        self._there: dict[str, str] = {}
        """By digest, a repository of this workspace that has a blob now."""

    async def push(self, targets: list[Target]) -> list[Pushed]:
        """Push images under their names.

        What was pushed stays when the rest fails: a repetition finds it there.

        Raises:
            BadRequestError: the registry does not take a manifest.
            ConflictError: a version is immutable.
            ForbiddenError: the workspace's storage limit does not allow it.
            UpstreamError: the registry is away, or refuses ECNS's account.
        """
        plan = {
            repository: blobs_of([one.node for one in targets if self._repository(one) == repository])
            for repository in dict.fromkeys(map(self._repository, targets))
        }
        progress = self.progress
        progress.stage = "pushing"
        progress.layers = [
            LayerProgress(repository, blob.digest, blob.size)
            for repository, blobs in plan.items()
            for blob in blobs.values()
        ]
        progress.size = sum(one.size for one in progress.layers)
        self._changed()
        at = iter(progress.layers)
        for repository, blobs in plan.items():
            await self._blobs(repository, [(blob, next(at)) for blob in blobs.values()])
        return [await self._image(target) for target in targets]

    def _repository(self, target: Target) -> str:
        return f"{self._workspace}/{target.image_name}"

    async def _blobs(
        self, repository: str, blobs: list[tuple[Blob, LayerProgress]], *, anew: bool = False
    ) -> None:
        """Push blobs to a repository; the first that fails ends the others."""
        try:
            async with asyncio.TaskGroup() as group:
                # The largest first: it takes longest.
                for blob, progress in sorted(blobs, key=lambda one: one[0].size, reverse=True):
                    group.create_task(self._blob(repository, blob, progress, anew=anew))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _blob(self, repository: str, blob: Blob, progress: LayerProgress, *, anew: bool) -> None:
        sent = await self._ahead.end(repository, blob.digest) if self._ahead is not None else None
        if sent is not None:
            self._told(progress, blob.size, "pushed" if sent else "present")
            self._there[blob.digest] = repository
            return
        async with self._gate:
            if not anew and await self._registry.has_blob(repository, blob.digest):
                self._told(progress, blob.size, "present")
            else:
                self._told(progress, 0, "pushing")
                mount = "" if anew else self._there.get(blob.digest, "")
                await self._registry.push_blob(
                    repository,
                    blob.digest,
                    blob.size,
                    lambda: self._pieces(blob, progress),
                    mount=mount if mount != repository else "",
                )
                self._told(progress, blob.size, "pushed")
                await asyncio.to_thread(trim)
            self._there[blob.digest] = repository

    async def _pieces(self, blob: Blob, progress: LayerProgress) -> AsyncIterator[bytes]:
        self._told(progress, 0, "pushing")
        async for piece in pieces(blob):
            yield piece
            self._told(progress, progress.sent + len(piece), "pushing")

    def _told(self, progress: LayerProgress, sent: int, state: State) -> None:
        self.progress.sent += sent - progress.sent
        progress.sent, progress.state = sent, state
        self._changed()

    async def _image(self, target: Target) -> Pushed:
        repository, node = self._repository(target), target.node
        try:
            await self._manifests(repository, node, target.tag_name)
        except BlobUnknownError:
            # The registry said that it had what is gone now: its garbage collection was faster.
            blobs = blobs_of([node])
            anew = [(blob, LayerProgress(repository, blob.digest, blob.size)) for blob in blobs.values()]
            await self._blobs(repository, anew, anew=True)
            await self._manifests(repository, node, target.tag_name)
        mine = blobs_of([node])
        states = [
            one.state for one in self.progress.layers if one.repository == repository and one.digest in mine
        ]
        return Pushed(
            harbor_project_name=self._workspace,
            image_name=target.image_name,
            tag_name=target.tag_name,
            digest=node.digest,
            size=sum(blob.size for blob in mine.values()),
            blobs_pushed=states.count("pushed"),
            blobs_present=states.count("present"),
        )

    async def _manifests(self, repository: str, node: Node, tag: str) -> None:
        """Push manifests, those that an index names before it."""
        for one in manifests_of(node):
            reference = tag if one is node else one.digest
            await self._registry.put_manifest(repository, reference, one.media_type, one.body)


def manifests_of(node: Node) -> Iterator[Node]:
    """A manifest or index and what it names, each once and before what names it."""
    seen: set[str] = set()

    def walk(one: Node) -> Iterator[Node]:
        if one.digest not in seen:
            seen.add(one.digest)
            for child in one.children:
                yield from walk(child)
            yield one

    return walk(node)


def blobs_of(nodes: list[Node]) -> dict[str, Blob]:
    """The blobs of manifests, by digest."""
    return {blob.digest: blob for node in nodes for one in manifests_of(node) for blob in one.blobs}
