"""What changes in a list, found out once for all who listen to it.

A feed follows the watch caches that the items of one namespace are made of. It notes which items each change
touches, makes those anew at most once in `INTERVAL`, and tells its listeners what has become of them. What an
item looks like is encoded once, however many listen.

A listener's place is an id that names the version of each cache up to which everything was told; whoever
comes back with one is told what was touched since, or to start over when that is not known any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import msgspec
import structlog

from ecns.api.common.streams import Ended, encode, event
from ecns.backends.kubernetes.cache import Cache, Change, Subscription
from ecns.backends.kubernetes.clusters import Cluster
from ecns.backends.kubernetes.kinds.meta import ObjectMeta, Resource
from ecns.errors import UpstreamUnavailableError
from ecns.identity.place import Place

INTERVAL = 0.03
"""Seconds between two rounds: an item is told at most so often."""
ROUND = 50
"""Items that are made in one go; then others have their turn."""
LINGER = 60.0
"""Seconds that a feed goes on without listeners: they may come back."""
LOG = 10_000
"""Changes that a feed remembers for those who come back."""
QUEUE = 1000
"""Events that wait for one listener (or as many as there are items); one who is slower is cut."""
PIECE = 64 * 1024
"""Bytes of the present items that are sent in one piece, about."""

Name = Literal["added", "changed", "removed"]
Versions = tuple[int, ...]

log = structlog.get_logger(__name__)


class Item(NamedTuple):
    """An item of a list as it was at one time."""

    kind: str
    metadata: ObjectMeta
    status: str
    encoded: bytes
    """The list's row."""
    found: Any = None
    """What else a filter may ask about."""
    applications: tuple[str, ...] = ()
    """Those that it is part of, where its labels do not say all."""


class Filter(msgspec.Struct, frozen=True):
    """Which items a listener wants."""

    name: str = ""
    """Part of the name."""
    kind: str | None = None
    tests: tuple[Callable[[Item], bool], ...] = ()
    """What can change while an item lives."""

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not (self.name or self.kind or self.tests)

    def ever(self, item: Item) -> bool:
        """Whether the item can pass at some time."""
        return self.name in item.metadata.name and self.kind in {None, item.kind}

    def now(self, item: Item | None) -> bool:
        """Whether the item is there and passes."""
        return item is not None and self.ever(item) and all(test(item) for test in self.tests)


class Source(Protocol):
    """How the items of a namespace are made."""

    @property
    def namespace(self) -> str:
        """Where the items are."""

    @property
    def caches(self) -> Sequence[Cache[Any]]:
        """All that items are made of."""

    @property
    def own(self) -> int:
        """So many caches, from the first, hold one object for each item."""

    def keys(self) -> Iterable[Hashable]:
        """The keys of all items, newest first."""

    def find(self, key: Hashable) -> Resource | None:
        """The object that an item stands for."""

    def item(self, obj: Any) -> Item:
        """The item that stands for an object."""

    def touched(self, index: int, obj: Any) -> Iterable[Hashable]:
        """The keys of the items that an object of the cache `index` belongs to, or did before."""


class Event:
    """What has become of an item."""

    __slots__ = ("_frames", "after", "before")

    def __init__(self, before: Item | None, after: Item | None) -> None:
        self.before = before
        self.after = after
        self._frames: dict[Name, bytes] = {}

    def seen(self, wanted: Filter) -> Name | None:
        """What it means to a listener."""
        if wanted.now(self.after):
            return "changed" if wanted.now(self.before) else "added"
        return "removed" if wanted.now(self.before) else None

    def frame(self, name: Name) -> bytes:
        """The event without an id and an end; a removed item is as it was last shown."""
        known = self._frames.get(name)
        if known is None:
            item = self.before if name == "removed" and self.before else self.after
            assert item is not None, "one of them is"  # noqa: S101  a fault of ours
            known = self._frames[name] = b"event: " + name.encode() + b"\ndata: " + item.encoded + b"\nid: "
        return known


class Batch:
    """What one round brought."""

    def __init__(self, events: list[Event], touched: set[Hashable], before: str, after: str) -> None:
        self.events = events
        self.touched = touched
        self._before = before.encode() + b"\n\n"
        """Up to where everything had been told before; the id of all events but the last."""
        self._after = after.encode() + b"\n\n"
        self._whole: tuple[bytes, int] | None = None

    def told(self, wanted: Filter) -> tuple[bytes, int]:
        """The events for a listener in one piece, and how many they are."""
        if not wanted.everything:
            return self._told(wanted)
        if self._whole is None:
            self._whole = self._told(wanted)
        return self._whole

    def _told(self, wanted: Filter) -> tuple[bytes, int]:
        frames = [each.frame(name) for each in self.events if (name := each.seen(wanted))]
        return (self._before.join(frames) + self._after if frames else b""), len(frames)


class Listener:
    """One who listens, to a list or to a single item.

    Args:
        feed: to what.
        wanted: which items of it.
        key: the single item; what it looks like is not told then, only that it was touched.
    """

    def __init__(self, feed: Feed, wanted: Filter, key: Hashable = None) -> None:
        self.wanted = wanted
        self.key = key
        self._feed = feed
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._arrived = asyncio.Event()
        self._end: Ended | None = None

    async def next(self) -> bytes:
        """The events that have come since, waiting for the first; nothing for a single item.

        Raises:
            Ended: the listener was cut or the feed ended.
        """
        while not self._pieces:
            if self._end is not None:
                raise self._end
            self._arrived.clear()
            await self._arrived.wait()
        pieces = b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        return pieces

    def take(self, batch: Batch) -> None:
        """Queue what a round brought."""
        if self.key is not None:
            if self.key in batch.touched and not self._pieces:
                self._pieces.append(b"")
                self._arrived.set()
            return
        piece, events = batch.told(self.wanted)
        if not events:
            return
        self._waiting += events
        if self._waiting > max(QUEUE, len(self._feed.items)):
            self._pieces.clear()
            self.end(Ended("slow", f"more than {self._waiting - 1} events wait to be read; connect again"))
            return
        self._pieces.append(piece)
        self._arrived.set()

    def end(self, why: Ended) -> None:
        """Tell nothing more."""
        self._end = why
        self._feed.listeners.discard(self)
        self._arrived.set()


class Feed:
    """Follows what the items of one list in one namespace are made of; made by `feed`.

    Args:
        source: how items are made.
        scope: what tells the ids of this feed from others.
        since: the versions that somebody has seen, to begin there if the caches still know.
        forget: called when the feed is over.
    """

    def __init__(
        self,
        source: Source,
        scope: str,
        since: Versions | None = None,
        forget: Callable[[], object] = lambda: None,
    ) -> None:
        self.source = source
        self.items: dict[Hashable, Item] = {}
        """As they were told last."""
        self.listeners: set[Listener] = set()
        self.over: Ended | None = None
        """Why, when it is."""
        self._idle_since = time.monotonic()
        self._forget = forget
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._scope = scope
        self._versions = [cache.resource_version for cache in source.caches]
        """Up to here changes are noted."""
        self._complete = list(self._versions)
        """From here on they are in the log."""
        self._log: deque[tuple[int, Change[Any], tuple[Hashable, ...]]] = deque()
        self._gone: OrderedDict[Hashable, Any] = OrderedDict()
        """The last states of objects that were deleted."""
        self._dirty: dict[Hashable, None] = dict.fromkeys(source.keys())
        self._wake = asyncio.Event()
        self._wake.set()
        self._position = tuple(self._versions)
        """Up to here everything was told."""
        self._advanced = asyncio.Event()
        """Set, and replaced, when the position advances."""
        self._busy = False
        """In a round."""
        self._tasks = []
        for index, cache in enumerate(source.caches):
            seen = since[index] if since and since[index] < self._versions[index] else None
            if seen is not None:
                self._complete[index] = seen
            following = self._follow(index, cache, cache.subscribe(seen))
            self._tasks.append(asyncio.create_task(following))
        # The last to begin: by then the others have noted what their caches remember.
        self._tasks.append(asyncio.create_task(self._run()))

    @property
    def id(self) -> str:
        """Where a listener is who was told everything."""
        return self._id(self._position)

    @contextlib.contextmanager
    def listen(self, wanted: Filter, key: Hashable = None) -> Iterator[Listener]:
        """Listen from now on; to a feed that is over, only why."""
        listener = Listener(self, wanted, key)
        if self.over is not None:
            listener.end(self.over)
        else:
            self.listeners.add(listener)
        try:
            yield listener
        finally:
            self.listeners.discard(listener)
            self._idle_since = time.monotonic()

    async def reached(self, written: Mapping[str, int], within: float = 0.5) -> None:
        """Wait a moment until the changes that somebody made are told, for them to see what they wrote.

        Args:
            written: versions by resource.
            within: seconds.
        """
        wanted = [written.get(cache.kind.resource, 0) for cache in self.source.caches]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while any(told < want for told, want in zip(self._position, wanted, strict=True)):
                    await self._advanced.wait()

    def since(self, id_: str, wanted: Filter) -> list[bytes] | None:
        """What a listener who has seen an id has missed, as events without ids.

        Returns:
            None when that is not known: everything is to be told.
        """
        seen = versions(id_, self._scope, len(self.source.caches))
        if seen is None:
            return None
        for version, complete, cache in zip(seen, self._complete, self.source.caches, strict=True):
            if not complete <= version <= max(complete, cache.resource_version):
                return None
        touched: dict[Hashable, None] = {}
        first: dict[Hashable, str] = {}
        for index, change, keys in self._log:
            if change.resource_version > seen[index]:
                touched.update(dict.fromkeys(keys))
                if index < self.source.own:
                    first.update((key, change.type) for key in keys if key not in first)
        missed = (self._missed(key, wanted, first.get(key, "")) for key in touched)
        return [piece for piece in missed if piece]

    def _missed(self, key: Hashable, wanted: Filter, first: str) -> bytes:
        """What was missed of one item; `first` is what happened first to itself."""
        item = self.items.get(key)
        if item is not None and wanted.now(item):
            return event("added" if first == "ADDED" else "changed", item.encoded)
        if first == "ADDED":
            return b""
        if item is None and first and key in self._gone:
            item = self.source.item(self._gone[key])
        if item is None or not wanted.ever(item):
            return b""
        return event("removed", item.encoded)

    def close(self, why: Ended) -> None:
        """Follow no longer."""
        if self.over is not None:
            return
        self.over = why
        self._forget()
        for task in self._tasks:
            task.cancel()
        for listener in list(self.listeners):
            listener.end(why)
        if not self.ready.done():
            self.ready.set_exception(why)
            self.ready.exception()

    def _id(self, position: Sequence[int]) -> str:
        return "-".join([self._scope, *(f"{version:x}" for version in position)])

    # Noting changes

    async def _follow(self, index: int, cache: Cache[Any], subscription: Subscription[Any]) -> None:
        while True:
            lost = False
            with subscription:
                async for change in subscription:
                    lost = change.type == "LOST"
                    self._note(index, change)
            if not lost:
                self.close(Ended("stopping", "the cluster is no longer watched here; connect again", 503))
                return
            # We were too slow, and let go; everything up to now is in the cache.
            subscription = cache.subscribe()
            self._versions[index] = self._complete[index] = cache.resource_version

    def _note(self, index: int, change: Change[Any]) -> None:
        if change.type == "LOST":
            # Not the greater: a cluster that was put back counts from an older version again.
            self._versions[index] = self._complete[index] = change.resource_version
            self._log = deque(entry for entry in self._log if entry[0] != index)
            self._dirty.update(dict.fromkeys([*self.items, *self.source.keys()]))
            self._wake.set()
        elif keys := self._touched(index, change.object):
            self._remember(index, change, keys)
            self._dirty.update(dict.fromkeys(keys))
            self._wake.set()
        self._versions[index] = max(self._versions[index], change.resource_version)
        if not self._dirty and not self._busy:
            self._advance(tuple(self._versions))

    def _advance(self, position: Versions) -> None:
        self._position = position
        self._advanced.set()
        self._advanced = asyncio.Event()

    def _touched(self, index: int, obj: Any) -> tuple[Hashable, ...]:
        if obj.metadata.namespace not in {"", self.source.namespace}:
            return ()
        return tuple(self.source.touched(index, obj))

    def _remember(self, index: int, change: Change[Any], keys: tuple[Hashable, ...]) -> None:
        self._log.append((index, change, keys))
        if len(self._log) > LOG:
            first, forgotten, _ = self._log.popleft()
            self._complete[first] = max(self._complete[first], forgotten.resource_version)
        if index < self.source.own and change.type == "DELETED":
            for key in keys:
                self._gone[key] = change.object
            while len(self._gone) > QUEUE:
                self._gone.popitem(last=False)

    # Telling them

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self.listeners or time.monotonic() - self._idle_since < LINGER:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LINGER):
                        await self._wake.wait()
                began = loop.time()
                await self._round()
                if not self.ready.done():
                    self.ready.set_result(None)
                await asyncio.sleep(max(0.0, began + INTERVAL - loop.time()))
            self.close(Ended("stopping", "nobody listens"))
        except Exception:
            log.exception("a feed has a fault")
            self.close(Ended("failed", "ECNS failed; the reason is in its log", 500))

    async def _round(self) -> None:
        self._wake.clear()
        self._busy = True
        position = tuple(self._versions)
        dirty, self._dirty = self._dirty, {}
        made: list[tuple[Hashable, Item | None]] = []
        for number, key in enumerate(dirty, 1):
            obj = self.source.find(key)
            made.append((key, None if obj is None else self.source.item(obj)))
            if number % ROUND == 0:
                await asyncio.sleep(0)
        events = []
        for key, after in made:
            before = self.items.get(key)
            if after is not None:
                self.items[key] = after
            elif before is not None:
                del self.items[key]
            if not _same(before, after):
                events.append(Event(before, after))
        if not self._dirty:
            position = tuple(self._versions)
        batch = Batch(events, set(dirty), self._id(self._position), self._id(position))
        self._advance(position)
        self._busy = False
        for listener in list(self.listeners):
            listener.take(batch)


def _same(before: Item | None, after: Item | None) -> bool:
    """Whether no listener can tell two states apart."""
    if before is None or after is None:
        return before is after
    return (
        before.encoded == after.encoded
        and before.metadata.labels == after.metadata.labels
        and before.applications == after.applications
    )


def versions(id_: str, scope: str, count: int) -> Versions | None:
    """The versions that an id names; None when it is not one of this scope."""
    first, *numbers = id_.split("-")
    if first != scope or len(numbers) != count:
        return None
    try:
        return tuple(int(number, 16) for number in numbers)
    except ValueError:
        return None


_feeds: WeakKeyDictionary[Cluster, dict[Hashable, Feed]] = WeakKeyDictionary()


async def feed(
    place: Place, name: str, make: Callable[[], Source], last_id: str = "", *, filled: bool = True
) -> Feed:
    """The feed of a list, which all its listeners share, no older than what the caller wrote.

    Args:
        place: where, and whose.
        name: which list.
        make: how its items are made, if nobody listens yet.
        last_id: what the listener has seen.
        filled: wait until all items are made, which who follows a single one need not.

    Raises:
        UpstreamError: it could not be made.
    """
    cluster = place.cluster
    feeds = _feeds.setdefault(cluster, {})
    found = feeds.get((name, place.namespace))
    if found is None:
        scope = hashlib.sha256(f"{cluster.name} {place.namespace} {name}".encode()).hexdigest()[:8]
        source = make()
        seen = versions(last_id, scope, len(source.caches))
        found = Feed(source, scope, seen, lambda: feeds.pop((name, place.namespace), None))
        feeds[name, place.namespace] = found
    try:
        if filled:
            await asyncio.shield(found.ready)
    except Ended as end:
        raise UpstreamUnavailableError(end.message, upstream=f"cluster {cluster.name}") from None
    await found.reached(place.written)
    return found


async def watch(followed: Feed, wanted: Filter, last_id: str = "") -> AsyncGenerator[bytes]:
    """The events of one who listens to a list.

    Without an id the present items come first, each as `added`; with one, what was missed, or `reset` and
    then the present items. `synced` says that this is over; what happens comes after it.

    Args:
        followed: the list.
        wanted: which items.
        last_id: what the listener has seen.
    """
    with followed.listen(wanted) as listener:
        missed = followed.since(last_id, wanted) if last_id else None
        if missed is None:
            present = [item for item in followed.items.values() if wanted.now(item)]
            begin = (
                [event("reset", b'{"message":"what you missed is not known; here is all"}')]
                if last_id
                else []
            )
            pieces: Iterator[bytes] = (event("added", item.encoded) for item in present)
        else:
            present, begin, pieces = [], [], iter(missed)
        synced = event(
            "synced", encode({"items": len(present) if missed is None else len(missed)}), followed.id
        )
        piece: list[bytes] = begin
        size = 0
        for each in pieces:
            piece.append(each)
            size += len(each)
            if size > PIECE:
                yield b"".join(piece)
                piece, size = [], 0
        yield b"".join((*piece, synced))
        del present, pieces
        while True:
            yield await listener.next()
