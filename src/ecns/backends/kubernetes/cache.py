"""The watch cache: the objects of one kind in one cluster, listed once and then kept by a watch.

Sources: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes,
design "The read path".
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Generic
from weakref import WeakValueDictionary

import msgspec
import structlog

from ecns.backends.kubernetes.changes import Change, Changes, Subscription
from ecns.backends.kubernetes.client import Client
from ecns.backends.kubernetes.errors import ExpiredError, NotServedError, status_error
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind, ObjectMeta
from ecns.backends.kubernetes.objects import Indexer, Objects, R, version_of
from ecns.backends.kubernetes.sharing import sharer
from ecns.errors import (
    EcnsError,
    NotFoundError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

_log = structlog.get_logger(__name__)

FOLDED = 1000
"""Writes whose answers are remembered as seen."""
MANY = 1000
"""Objects whose list is kept out of the garbage collector's rounds, which with 60,000 objects take a second.

They go by their reference counts all the same.
"""
PATIENCE = 3
"""Watches in a row that bring nothing sensible before everything is listed again."""


class Timing(msgspec.Struct, frozen=True):
    """How the cache waits; all in seconds."""

    watch: float = 300.0
    """How long a watch is asked to last; a fifth less at random, so that not all end at once."""
    silence: float = 100.0
    """A watch without a byte for so long counts as cut: bookmarks come every minute."""
    brief: float = 1.0
    """A watch that ended sooner is followed by a pause."""
    pause: float = 0.5
    """After the first failure; doubles."""
    longest_pause: float = 15.0
    jitter: float = 1.0
    """At most so long before listing again, so that not all replicas do it at once."""
    answer_failed: float = 2.0
    """So long the last failure is answered without trying again."""


class _Envelope(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Known(msgspec.Struct):
    """What a bookmark has, and what is left of an object that cannot be read."""

    metadata: ObjectMeta


_envelope = msgspec.json.Decoder(_Envelope)
_known = msgspec.json.Decoder(_Known)


class Cache(Generic[R]):
    """The objects of one kind in one cluster; begins with the first `ready`.

    Objects are shared by all readers: do not change them.

    Args:
        client: the cluster's.
        kind: what; its Struct says which fields are kept.
        indexes: by name, what objects are found by.
        timing: how it waits.
        page_size: objects a request when listing; None: as the kind has it.
    """

    def __init__(
        self,
        client: Client,
        kind: Kind[R],
        *,
        indexes: Mapping[str, Indexer[R]] | None = None,
        timing: Timing | None = None,
        page_size: int | None = None,
    ) -> None:
        self.kind = kind
        self.resource_version = 0
        """All changes of the kind up to this one are in the cache."""
        self.fresh_at = 0.0
        """Monotonic time of the last sign of life."""
        self.used_at = time.monotonic()
        self.lists = 0
        """How often everything was listed."""
        self._client = client
        self._timing = timing or Timing()
        self._page_size = page_size
        self._decoder: msgspec.json.Decoder[R] = msgspec.json.Decoder(kind.type)
        self._share = sharer(kind.type)
        self._api_version = kind.api_version
        self._objects: Objects[R] = Objects(indexes or {})
        self._changes: Changes[R] = Changes()
        self._task: asyncio.Task[None] | None = None
        self._filled = False
        self._epoch = client.epoch
        """Of what is here."""
        self._began_in = client.epoch
        """Of the task."""
        self._error: EcnsError | None = None
        self._failed_at = 0.0
        self._attempt: asyncio.Future[None] | None = None
        """Done when the first list that now runs has ended, well or not."""
        self._wake = asyncio.Event()
        self._fruitless = 0
        self._folded: OrderedDict[int, None] = OrderedDict()
        self._verified: dict[str, int] = {}
        """By namespace, the resourceVersion of the last `reload`."""
        self._reloads: dict[str, asyncio.Task[None]] = {}
        """Those that have not begun."""
        self._reloading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    # Reading

    async def ready(self, within: float = 15.0) -> None:
        """Wait for the first list; at once when there was one, however old.

        Args:
            within: seconds.

        Raises:
            NotServedError: the cluster does not know the kind.
            UpstreamError: the cluster does not answer, not in time, or not sensibly.
        """
        self.used_at = time.monotonic()
        if self.filled:
            return
        if self._task is None or self._task.done() or self._began_in != self._client.epoch:
            await self._restart()
        if self._error is not None:
            recent = time.monotonic() < self._failed_at + self._timing.answer_failed
            if recent and not isinstance(self._error, NotServedError):  # it may have been installed since
                raise self._error.with_traceback(None)
            self._wake.set()
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(within):
                await asyncio.shield(self._attempt)
        except TimeoutError as error:
            raise UpstreamTimeoutError(
                f"cluster {self._client.name} did not list its {self.kind.plural} in {within:g} s",
                upstream=f"cluster {self._client.name}",
            ) from error
        if self._error is not None and not self._filled:
            raise self._error.with_traceback(None)

    @property
    def filled(self) -> bool:
        """Whether `ready` would return at once."""
        return self._filled and self._epoch == self._client.epoch

    def generation(self, namespace: str) -> tuple[int, int]:
        """Another value whenever something in a namespace has changed: what is made of it holds till then."""
        return self._objects.generation(namespace)

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[R]:
        """All objects, in no order."""
        return iter(self._objects)

    def get(self, name: str, namespace: str = "") -> R | None:
        """One object."""
        return self._objects.get(name, namespace)

    def namespace(self, namespace: str) -> Sequence[R]:
        """A namespace's objects newest first, equally old ones by name; slicing costs the slice.

        Kinds without namespaces have theirs under the empty name. It follows later changes: use it before
        the next await, or copy it.
        """
        return self._objects.namespace(namespace)

    def index(self, name: str, key: Hashable) -> Collection[R]:
        """The objects that an index has under a key, in no order; to be used before the next await."""
        return self._objects.index(name, key)

    def add_index(self, name: str, indexer: Indexer[R]) -> None:
        """Find objects by something else, too; an index of that name stays as it is."""
        self._objects.add_index(name, indexer)

    def age(self) -> float:
        """Seconds since the last sign of life: how old what is shown can be."""
        return time.monotonic() - self.fresh_at

    async def at_least(
        self,
        resource_version: int,
        *,
        namespace: str | None = None,
        within: float = 0.5,
        all_before: bool = False,
    ) -> bool:
        """Wait a moment until a change is seen.

        Args:
            resource_version: of a write of this very kind. (Of another kind it says nothing: this kind's
                watch hears of it with the next bookmark only.)
            namespace: where the reader looks; a `reload` of it counts.
            within: seconds.
            all_before: with all that others wrote before it; that it was folded says nothing of those.

        Returns:
            False when it was not: `refresh` or `reload`, then read.
        """
        if not self.kind.namespaced:
            namespace = ""
        if (
            resource_version <= self.resource_version
            or (resource_version in self._folded and not all_before)
            or (namespace is not None and resource_version <= self._verified_in(namespace))
        ):
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = (resource_version, future)
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(within):
                await future
        except TimeoutError:
            return False
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
        return True

    def _verified_in(self, namespace: str) -> int:
        return max(self._verified.get(namespace, 0), self._verified.get("", 0))

    def subscribe(self, since: int | None = None) -> Subscription[R]:
        """Follow the changes, `with` its block, from after a resourceVersion or from now."""
        self.used_at = time.monotonic()
        return self._changes.subscribe(since, self.resource_version)

    @property
    def followed(self) -> bool:
        """Whether somebody follows the changes."""
        return bool(self._changes.followers)

    # Writing, and reading through

    def fold(self, obj: R | JsonObject, *, deleted: bool = False) -> None:
        """Take in a write's answer, so that who wrote it reads it; older news about it are then ignored.

        Args:
            obj: the object as it is now, in this kind's Struct or with all fields.
            deleted: it is gone altogether, and `obj` was its last state.
        """
        if isinstance(obj, dict):
            obj = msgspec.convert(obj, self.kind.type)
        if deleted:
            self._objects.drop(obj.metadata)
            return
        self._share((obj,))
        self._objects.put(obj)
        self._folded[version_of(obj.metadata.resource_version)] = None
        if len(self._folded) > FOLDED:
            self._folded.popitem(last=False)

    async def refresh(self, name: str, namespace: str = "") -> R | None:
        """Ask the cluster itself about one object.

        Raises:
            UpstreamError: it does not answer.
        """
        before = self.get(name, namespace)
        try:
            found: R = await self._client.get(self.kind, name, namespace)
            self.fold(found)
        except NotFoundError:
            now = self.get(name, namespace)
            if before is not None and now is not None and now.metadata.uid == before.metadata.uid:
                self._objects.drop(now.metadata)
        return self.get(name, namespace)

    async def reload(self, namespace: str) -> None:
        """Ask the cluster itself about a namespace's objects; those who ask meanwhile share the next answer.

        Args:
            namespace: which; empty: all objects.

        Raises:
            UpstreamError: it does not answer.
        """
        task = self._reloads.get(namespace)
        if task is None:
            task = self._reloads[namespace] = asyncio.create_task(self._reload(namespace))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(task)

    async def _reload(self, namespace: str) -> None:
        async with self._reloading.setdefault(namespace, asyncio.Lock()):
            del self._reloads[namespace]  # who comes from here on needs a later answer
            await self._list_namespace(namespace)

    async def _list_namespace(self, namespace: str) -> None:
        listing = await self._client.list(self.kind, namespace)
        version = version_of(listing.resource_version)
        self._share(listing.items)
        for obj in listing.items:
            self._objects.put(obj)
        names = {(obj.metadata.namespace, obj.metadata.name) for obj in listing.items}
        for obj in list(self.namespace(namespace) if namespace else self):
            key = (obj.metadata.namespace, obj.metadata.name)
            if key not in names and version_of(obj.metadata.resource_version) <= version:
                self._objects.drop(obj.metadata)
        self._verified[namespace] = max(version, self._verified.get(namespace, 0))

    # Keeping it

    async def close(self) -> None:
        """Stop watching and let everybody go."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        where = f"cluster {self._client.name}"
        self._ended(UpstreamUnavailableError(f"{where} is no longer watched", upstream=where))
        self._changes.close()

    async def _restart(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._task is None:
            self._error = None
            self._began_in = self._client.epoch
            self._filled = self._filled and self._epoch == self._began_in
            self._task = asyncio.create_task(self._run(), name=f"{self._client.name} {self.kind.plural}")

    async def _run(self) -> None:
        timing = self._timing
        pause = 0.0
        listed = self._filled
        while True:
            began = time.monotonic()
            wait = 0.0
            try:
                if not listed or self._epoch != self._client.epoch:
                    await self._fill()
                    listed = True
                await self._watch()
                if self._fruitless >= PATIENCE:
                    listed, self._fruitless = False, 0
            except ExpiredError as error:
                listed = False
                wait = random.uniform(0, timing.jitter)  # noqa: S311  no secret
                _log.info(
                    "listing again", cluster=self._client.name, kind=self.kind.plural, why=error.message
                )
            except EcnsError as error:
                listed = self._troubled(error, listed=listed)
                wait = float(error.headers.get("Retry-After", 0))
            except Exception as error:  # noqa: BLE001  whatever it is, the watch goes on
                _log.exception(
                    "the watch cache has a fault", cluster=self._client.name, kind=self.kind.plural
                )
                where = f"cluster {self._client.name}"
                listed = self._troubled(
                    UpstreamInvalidError(f"{where}: {error!r}", upstream=where), listed=listed
                )
            if time.monotonic() - began >= timing.brief:
                pause = 0.0
            else:
                pause = min(timing.longest_pause, pause * 2 or timing.pause)
                wait = max(wait, pause * random.uniform(0.5, 1))  # noqa: S311  no secret
            await self._rest(wait)

    def _troubled(self, error: EcnsError, *, listed: bool) -> bool:
        """Take note of a failure; whether what is here can still be built on."""
        known = self._error is not None and self._error.message == error.message
        log = _log.debug if known else _log.warning
        log("watching failed", cluster=self._client.name, kind=self.kind.plural, error=error.message)
        self._error, self._failed_at = error, time.monotonic()
        if isinstance(error, NotServedError):
            self._filled = listed = False
            self._objects.clear()
        elif isinstance(error, UpstreamInvalidError):
            self._fruitless += 1
            if self._fruitless >= PATIENCE:
                listed, self._fruitless = False, 0
        if not self._filled:
            self._ended(error)
        return listed

    async def _rest(self, seconds: float) -> None:
        self._wake.clear()
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _ended(self, error: EcnsError | None) -> None:
        """Tell those who wait for the first list."""
        self._error = error
        if self._attempt is not None and not self._attempt.done():
            self._attempt.set_result(None)

    async def _fill(self) -> None:
        """List everything."""
        epoch, dead = self._client.epoch, self._objects.dead()
        try:
            items, version = await self._list(self._page_size)
        except ExpiredError:
            items, version = await self._list(0)
        if epoch != self._client.epoch:
            raise ExpiredError("the cluster's address has changed", upstream=f"cluster {self._client.name}")
        if epoch != self._epoch or version < self.resource_version:
            self._objects.clear()  # another cluster, or one that was put back to an older state
            self._verified.clear()
            self._folded.clear()
        again = self._filled
        many = len(items) >= MANY
        self._objects.merge(items, version, dead)
        self._epoch = epoch
        self._filled = True
        self.lists += 1
        self._alive()
        self.resource_version = version
        self._advanced(version)
        self._changes.lost(version)
        self._ended(None)
        if many:
            gc.freeze()
        _log.debug(
            "listed", cluster=self._client.name, kind=self.kind.plural, objects=len(items), again=again
        )

    async def _list(self, page_size: int | None) -> tuple[list[R], int]:
        items: list[R] = []
        version = 0
        async for page in self._client.pages(self.kind, page_size=page_size, background=True):
            self._share(page.items)
            items += page.items
            version = version or version_of(page.resource_version)
            await asyncio.sleep(0)
        if not version:
            where = f"cluster {self._client.name}"
            raise UpstreamInvalidError(
                f"{where} lists {self.kind.plural} without a resourceVersion", upstream=where
            )
        return items, version

    async def _watch(self) -> None:
        """Follow one watch until the server ends it."""
        seconds = self._timing.watch * random.uniform(0.8, 1)  # noqa: S311  no secret
        query = (
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", str(self.resource_version)),
            ("timeoutSeconds", str(max(1, round(seconds)))),
        )
        began = time.monotonic()
        before = self.resource_version
        heard = False
        watch = self._client.stream(
            "GET", self.kind.path(), query=query, silence=self._timing.silence, background=True
        )
        async with watch as stream:
            self._alive()
            self._error = None
            parts: list[bytes] = []
            async for chunk in stream:
                self._alive()
                start = 0
                while (end := chunk.find(b"\n", start)) >= 0:
                    parts.append(chunk[start:end])
                    if line := b"".join(parts).strip():
                        heard = True
                        self._event(line)
                    parts.clear()
                    start = end + 1
                if start < len(chunk):
                    parts.append(chunk[start:])
                if self._epoch != self._client.epoch:
                    return
        # A server ends even an idle watch with a bookmark; one that does not may be behind us for ever.
        if heard or self.resource_version != before:
            self._fruitless = 0
        elif time.monotonic() - began >= self._timing.brief:
            self._fruitless += 1

    def _event(self, line: bytes) -> None:
        """One line of a watch.

        Raises:
            ExpiredError: the watch began too long ago.
            UpstreamError: the cluster ends it, or sends nonsense.
        """
        try:
            envelope = _envelope.decode(line)
            raw = envelope.object
            if envelope.type == "ERROR":
                raise self._refusal(bytes(raw))
            known = _known.decode(raw).metadata if envelope.type == "BOOKMARK" else None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            where = f"cluster {self._client.name}"
            raise UpstreamInvalidError(f"{where}: its watch is nonsense: {error}", upstream=where) from error
        if known is not None:
            self._seen(version_of(known.resource_version))
            return
        try:
            obj = self._decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._unreadable(raw, error)
            return
        obj.api_version, obj.kind = self._api_version, self.kind.kind
        self._share((obj,))
        version = version_of(obj.metadata.resource_version)
        match envelope.type:
            case "ADDED" | "MODIFIED":
                self._objects.put(obj)
            case "DELETED":
                self._objects.drop(obj.metadata)
            case _:
                return
        self._changes.tell(Change(envelope.type, obj, version))
        self._seen(version)

    def _refusal(self, body: bytes) -> EcnsError:
        try:
            code = int(msgspec.json.decode(body).get("code", 0))
        except (msgspec.MsgspecError, ValueError, TypeError, AttributeError):
            code = 0
        return status_error(self._client.name, code or 500, body)

    def _unreadable(self, raw: msgspec.Raw, error: Exception) -> None:
        """An object that is not as its kind should be: leave it out, as lists do, and go on."""
        _log.warning(
            "an object cannot be read", cluster=self._client.name, kind=self.kind.plural, error=str(error)
        )
        try:
            metadata = _known.decode(raw).metadata
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        if (current := self.get(metadata.name, metadata.namespace)) is not None:
            self._objects.drop(msgspec.structs.replace(current.metadata, uid=""))
        self._seen(version_of(metadata.resource_version))

    def _alive(self) -> None:
        self.fresh_at = time.monotonic()

    def _seen(self, version: int) -> None:
        if version > self.resource_version:
            self.resource_version = version
            self._advanced(version)

    def _advanced(self, version: int) -> None:
        if self._waiting:
            for wanted, future in self._waiting:
                if wanted <= version and not future.done():
                    future.set_result(None)


__all__ = ["Cache", "Change", "Subscription", "Timing"]
