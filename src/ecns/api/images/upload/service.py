"""Uploads: one at a time from its first byte to its last manifest, and nothing of it left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import msgspec

from ecns.api.common.streams import event
from ecns.api.images import names
from ecns.api.images.types import Pushed, Uploaded
from ecns.api.images.upload import reading
from ecns.api.images.upload.ahead import Ahead
from ecns.api.images.upload.archives import as_pushed
from ecns.api.images.upload.intake import Fields, Intake, boundary
from ecns.api.images.upload.pushing import Pusher, blobs_of
from ecns.api.images.upload.spool import Root, Spool
from ecns.api.images.upload.unpacking import Budget
from ecns.backends.harbor.registry import Registry
from ecns.errors import (
    EcnsError,
    NotSupportedError,
    PayloadTooLargeError,
    RequestTimeoutError,
    TooManyRequestsError,
)

if TYPE_CHECKING:
    from ecns.api.images.upload.reading import Target
    from ecns.api.images.upload.spool import Stored
    from ecns.config import Uploads as Settings
    from ecns.identity.caller import Caller
    from ecns.identity.workspaces import Workspaces

AHEAD = 8
"""Pieces of a form, of up to 256 KiB, that wait to be taken in."""
FORM_BYTES = 64 * 1024
"""What a form may have beside its file."""
LAYERS = frozenset({"gzip", "zstd"})
"""How a layer is compressed that is kept as it is."""
RETRY_AFTER = 10.0
TELL_SECONDS = 0.25
"""Progress is told at most so often."""

Receive = Callable[[], Awaitable[Any]]
_encode = msgspec.json.Encoder().encode


class GoneError(RequestTimeoutError):
    """The client has left."""


class Uploads:
    """What all uploads of this process share.

    Args:
        settings: how much and how many.
        registry: where images go; None where ECNS has no Harbor.
    """

    def __init__(self, settings: Settings, registry: Registry | None) -> None:
        self.settings = settings
        self._registry = registry
        self._root: Root | None = None
        self._pool: ThreadPoolExecutor | None = None
        self.processors = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
        self._active: dict[int, str] = {}
        """The callers of the uploads under way, by the upload's id."""

    @property
    def registry(self) -> Registry:
        """Where images go.

        Raises:
            NotSupportedError: there is none.
        """
        if self._registry is None:
            raise NotSupportedError("this installation has no image registry ([harbor])")
        return self._registry

    @property
    def root(self) -> Root:
        """Where files lie meanwhile."""
        assert self._root is not None, "the application has started"  # noqa: S101  a fault of ours
        return self._root

    @property
    def pool(self) -> ThreadPoolExecutor:
        """Packs and checks layers."""
        assert self._pool is not None, "the application has started"  # noqa: S101  a fault of ours
        return self._pool

    def start(self) -> None:
        """Make ready; remove what a process that died has left.

        Raises:
            ConfigError: the directory cannot be used.
        """
        if self._registry is not None:
            self._root = Root(self.settings.directory)
            self._pool = ThreadPoolExecutor(self.processors or 1, thread_name_prefix="pack")

    def close(self) -> None:
        """Remove everything."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._root is not None:
            self._root.close()

    def begin(self, workspaces: Workspaces, caller: Caller, *, dry_run: bool) -> Upload:
        """A place for one upload; to be closed.

        Raises:
            TooManyRequestsError: there are as many under way as may be.
        """
        mine = sum(1 for user in self._active.values() if user == caller.user_id)
        if len(self._active) >= self.settings.at_once or mine >= self.settings.of_one:
            raise TooManyRequestsError(
                f"{len(self._active)} uploads are under way here, {mine} of them yours; try again later",
                retry_after=RETRY_AFTER,
            )
        upload = Upload(self, workspaces, caller, dry_run=dry_run)
        self._active[id(upload)] = caller.user_id
        return upload

    def ended(self, upload: Upload) -> None:
        """Give the place to another one."""
        self._active.pop(id(upload), None)


class Upload:
    """One upload."""

    def __init__(self, uploads: Uploads, workspaces: Workspaces, caller: Caller, *, dry_run: bool) -> None:
        self._uploads = uploads
        self._workspaces = workspaces
        self._caller = caller
        self._dry_run = dry_run
        self._kept = contextlib.ExitStack()
        self._kept.callback(uploads.ended, self)
        self._budget = Budget(uploads.settings.unpacked_limit)
        self._spool: Spool | None = None
        self._fields = Fields()
        self._allowed = ""
        """The workspace that the caller may push to, as soon as that is known."""
        self._ahead: Ahead | None = None
        self._pusher: Pusher | None = None
        self._changed = asyncio.Event()
        self.facts: dict[str, Any] = {}
        """For the audit log: `names`, and the `status` that it came to where that is told by events."""

    async def __aenter__(self) -> Self:
        """Held until `close`."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go."""
        await self.close()

    async def close(self) -> None:
        """Remove what lies here."""
        try:
            if self._ahead is not None:
                await self._ahead.close()
        finally:
            await asyncio.to_thread(self._kept.close)

    # Taking in

    async def receive(self, content_type: str, length: int | None, receive: Receive) -> None:
        """Take the form in, to the disk.

        The workspace is looked for as soon as the form names it, which is at once if that stands before the
        file.

        Args:
            content_type: of the request.
            length: of its body, where it is told.
            receive: gives ASGI messages.

        Raises:
            BadRequestError: the form or the archive is refused; `field` says which.
            ForbiddenError: the workspace is another project's.
            GoneError: the client has left.
            NotFoundError: the workspace is not there for this caller.
            PayloadTooLargeError: it is over a limit.
            RequestTimeoutError: nothing came for too long.
            UnavailableError: there is no room for it here.
        """
        uploads, most = self._uploads, self._uploads.settings.limit + FORM_BYTES
        loop = asyncio.get_running_loop()
        if length is not None and length > most:
            raise self._too_large()
        uploads.root.check(length or 0)

        def came(stored: Stored) -> None:
            loop.call_soon_threadsafe(self._came, stored, intake.fields.image_name)

        directory = self._kept.enter_context(uploads.root.directory())
        spool = Spool(directory, uploads.pool, uploads.processors or 1, came)
        self._kept.callback(spool.close)
        named: list[str] = []
        intake = Intake(boundary(content_type), spool, self._budget, named.append)
        thread = ThreadPoolExecutor(1, thread_name_prefix="upload")
        under_way: deque[Future[None]] = deque()
        received, checked = 0, 0
        try:
            async for piece in self._pieces(receive):
                received += len(piece)
                if received > most:
                    raise self._too_large()
                under_way.append(thread.submit(intake.feed, piece))
                while len(under_way) > AHEAD or (under_way and under_way[0].done()):
                    await asyncio.wrap_future(under_way.popleft())
                if len(named) > checked:
                    checked, self.facts["names"] = len(named), [named[-1]]
                    self._allowed = (await self._workspaces.own(self._caller, named[-1])).name
            while under_way:
                await asyncio.wrap_future(under_way.popleft())
            self._fields = await asyncio.wrap_future(thread.submit(intake.finish))
        finally:
            for future in under_way:
                future.cancel()
            await asyncio.to_thread(thread.shutdown)
        self._spool = spool
        self.facts["names"] = [self._fields.harbor_project_name]

    def _came(self, stored: Stored, image_name: str) -> None:
        """Send a layer ahead when it is known where it goes, and that it may."""
        if self._dry_run or not self._allowed or not names.is_image(image_name):
            return
        if not stored.packed and stored.compression not in LAYERS:
            return
        if self._ahead is None:
            registry, layers = self._uploads.registry, self._uploads.settings.layers
            self._ahead = Ahead(registry, f"{self._allowed}/{image_name}", layers)
        self._ahead.begin(as_pushed(stored))

    async def _pieces(self, receive: Receive) -> AsyncIterator[bytes]:
        """The pieces of the body as they come."""
        seconds = self._uploads.settings.idle_timeout
        more = True
        while more:
            try:
                async with asyncio.timeout(seconds):
                    message = await receive()
            except TimeoutError as error:
                raise RequestTimeoutError(f"nothing of the upload came for {seconds:g} s") from error
            if message["type"] != "http.request":
                raise GoneError("the client has left")
            if piece := message.get("body", b""):
                yield bytes(piece)
            more = message.get("more_body", False)

    def _too_large(self) -> PayloadTooLargeError:
        return PayloadTooLargeError(f"image: is over the limit of {self._uploads.settings.limit} bytes")

    # Pushing

    async def push(self) -> Uploaded:
        """Check what has come, and push it.

        Raises:
            BadRequestError: the archive is refused, or the registry does not take it; `field` says more.
            ConflictError: a version is immutable.
            ForbiddenError: the workspace is another project's, or its storage limit does not allow it.
            NotFoundError: the workspace is not there for this caller.
            PayloadTooLargeError: it unpacks to more than allowed.
            UpstreamError: the registry is away, or refuses ECNS's account.
        """
        workspace = await self._workspaces.own(self._caller, self._fields.harbor_project_name)
        targets = await self._targets()
        self.facts["names"] = [f"{workspace.name}/{one.image_name}:{one.tag_name}" for one in targets]
        if self._dry_run:
            return Uploaded(images=[_tried(workspace.name, target) for target in targets])
        layers = self._uploads.settings.layers
        self._pusher = Pusher(
            self._uploads.registry, workspace.name, layers, ahead=self._ahead, changed=self._changed.set
        )
        return Uploaded(images=await self._pusher.push(targets))

    async def _targets(self) -> list[Target]:
        assert self._spool is not None, "it was received"  # noqa: S101  a fault of ours
        contents = await asyncio.to_thread(reading.contents, self._spool)
        targets = reading.targets(contents, self._fields)
        await reading.verify(contents.checks, self._budget, self._uploads.pool)
        return targets

    async def push_while(self, receive: Receive) -> Uploaded:
        """As `push`, as long as the client is there.

        Raises:
            GoneError: it has left.
        """
        work = asyncio.create_task(self.push())
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise GoneError("the client has left")
            return work.result()
        finally:
            gone.cancel()
            work.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def events(self) -> AsyncGenerator[bytes]:
        """As `push`, told as it goes on: `progress` again and again, then `done` or `failed`; then closed."""
        work = asyncio.create_task(self.push())
        work.add_done_callback(lambda _: self._changed.set())
        try:
            yield self._told()
            while not work.done():
                await self._changed.wait()
                self._changed.clear()
                if not work.done():
                    yield self._told()
                    await asyncio.wait({work}, timeout=TELL_SECONDS)
            try:
                yield event("done", _encode(work.result()))
            except EcnsError as error:
                yield event("failed", _encode(_failure(error)))
        finally:
            work.cancel()
            (result,) = await asyncio.gather(work, return_exceptions=True)
            self.facts["status"] = _status(result)
            await self.close()

    def _told(self) -> bytes:
        progress: Any = self._pusher.progress if self._pusher else {"stage": "checking"}
        return event("progress", _encode(progress))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _tried(workspace: str, target: Target) -> Pushed:
    """What a push would answer."""
    return Pushed(
        harbor_project_name=workspace,
        image_name=target.image_name,
        tag_name=target.tag_name,
        digest=target.node.digest,
        size=sum(blob.size for blob in blobs_of([target.node]).values()),
        blobs_pushed=0,
        blobs_present=0,
    )


def _status(result: Uploaded | BaseException) -> int:
    """What a push came to, as an HTTP status; 0 for one that was cut off."""
    match result:
        case Uploaded():
            return int(HTTPStatus.OK)
        case asyncio.CancelledError():
            return 0
        case EcnsError():
            return int(result.status)
        case _:
            return int(HTTPStatus.INTERNAL_SERVER_ERROR)


def _failure(error: EcnsError) -> dict[str, Any]:
    """An error in the form of the answers that are errors."""
    said = {"message": error.message, "code": int(error.status), "title": error.title}
    return {"error": said, **({"details": error.details} if error.details else {})}
