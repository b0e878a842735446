"""WATCH: the changes of a resource as they happen, from a resourceVersion on.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from ecns.embedded.kubernetes.errors import ApiError
from ecns.embedded.kubernetes.negotiation import PROTOBUF
from ecns.embedded.kubernetes.store import Change, Expired, encode_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.options import ListOptions
    from ecns.embedded.kubernetes.selectors import Selection
    from ecns.embedded.kubernetes.store import Record, Store
    from ecns.embedded.kubernetes.views import View

_encode = msgspec.json.encode
BOOKMARK_EVERY = 60.0
BOOKMARK_BEFORE_END = 2.0
_SHORTEST, _LONGEST = 1800, 3600
BACKLOG = 10_000
"""Changes that a client may be behind before it is cut off."""
_AT_ONCE = 200
"""Changes of one frame: what a client that does not read keeps in memory is one frame."""


def _batched(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines joined, a frame at a time."""
    while frame := b"".join(islice(lines, _AT_ONCE)):
        yield frame


class Watch:
    """One client's watch.

    Args:
        store: where the changes come from.
        view: how objects are shown.
        namespace: of one namespace, or of all (None).
        chosen: the selectors.
        asked: from when, how long, with which extras.

    Raises:
        ApiError: 500 for a resourceVersion that is no number.

    """

    def __init__(
        self, store: Store, view: View, namespace: str | None, chosen: Selection, asked: ListOptions
    ) -> None:
        self._store = store
        self._view = view
        self._namespace = namespace
        self._chosen = chosen
        self._asked = asked
        self._resource = view.resource.stored_as
        self._columns = True
        version = asked.version
        if version and not version.isdigit():
            raise ApiError(
                500,
                "",
                f'resourceVersion: Invalid value: "{version}": strconv.ParseUint: parsing '
                f'"{version}": invalid syntax',
            )
        self._since = int(version or 0)
        if view.shape.media != "application/json":
            raise ApiError(
                406,
                "NotAcceptable",
                "only the following media types are accepted: "
                f"application/json;stream=watch, {PROTOBUF};stream=watch",
            )

    async def frames(self, stopping: asyncio.Event, cut: Callable[[], None]) -> AsyncIterator[bytes]:
        """The stream's bytes, each a few whole lines; ends at the timeout or when `stopping` is set.

        `cut` is called when the client is too far behind, even while a frame is on its way to it.
        """
        pending: deque[Change] = deque()
        wake = asyncio.Event()

        def heard(change: Change) -> None:
            if len(pending) == BACKLOG:
                unsubscribe()
                pending.clear()
                cut()
                return
            pending.append(change)
            wake.set()

        unsubscribe = self._store.subscribe(self._resource, heard)
        try:
            first, begun = self._beginning()
            for frame in _batched(first):
                yield frame
            if begun < 0:
                return
            async for frame in self._follow(pending, wake, begun, stopping):
                yield frame
        finally:
            unsubscribe()

    def _beginning(self) -> tuple[Iterator[bytes], int]:
        """What is sent at once, and the revision it brings the client to (-1 when the watch is over)."""
        asked, now = self._asked, self._store.revision
        listed = asked.initial_events or (asked.initial_events is None and self._since == 0)
        if listed:
            return self._every(self._store.all(self._resource, self._namespace), now), now
        if self._since == 0:
            return iter(()), now
        try:
            changes = self._store.changes(self._resource, self._since)
        except Expired:
            oldest = self._store.oldest(self._resource)
            error = ApiError(410, "Expired", f"too old resource version: {self._since} ({oldest})")
            return iter((_encode({"type": "ERROR", "object": error.status()}) + b"\n",)), -1
        return filter(None, map(self._lines, changes)), max(now, self._since)

    def _every(self, records: list[Record], now: int) -> Iterator[bytes]:
        for record in records:
            if self._chosen.takes(record):
                yield self._line("ADDED", record)
        if self._asked.initial_events and self._asked.bookmarks:
            yield self._bookmark(now, {"k8s.io/initial-events-end": "true"})

    async def _follow(
        self, pending: deque[Change], wake: asyncio.Event, begun: int, stopping: asyncio.Event
    ) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        limit = self._asked.timeout or random.randint(_SHORTEST, _LONGEST)  # noqa: S311  spreads reconnections
        end = loop.time() + limit
        bookmark = self._next_bookmark(loop.time(), end)
        stopped = asyncio.ensure_future(stopping.wait())
        stopped.add_done_callback(lambda _: wake.set())
        due = min(end, bookmark)
        timer = loop.call_at(due, wake.set)
        try:
            while not stopping.is_set():
                changes = (pending.popleft() for _ in range(min(len(pending), _AT_ONCE)))
                frame = b"".join([self._lines(change) for change in changes if change.rv > begun])
                if frame:
                    yield frame
                now = loop.time()
                if now >= end:
                    return
                if now >= bookmark and not pending:
                    bookmark = self._next_bookmark(now, end)
                    yield self._bookmark(max(self._store.revision, begun), {})
                if now >= due:
                    due = min(end, bookmark)
                    timer = loop.call_at(due, wake.set)
                if not pending:
                    wake.clear()
                    await wake.wait()
        finally:
            timer.cancel()
            stopped.cancel()

    def _next_bookmark(self, now: float, end: float) -> float:
        if not self._asked.bookmarks:
            return end + 1
        last = end - BOOKMARK_BEFORE_END
        return min(now + BOOKMARK_EVERY, last) if now < last else end + 1

    def _bookmark(self, revision: int, annotations: dict[str, str]) -> bytes:
        resource = self._view.resource
        metadata: Object = {"resourceVersion": str(revision)}
        if annotations:
            metadata["annotations"] = annotations
        obj: Object = {"kind": resource.kind, "apiVersion": resource.api_version(self._view.version)}
        obj["metadata"] = metadata
        if self._view.shape.kind == "Table":
            obj = self._view.table([], metadata, headers=self._columns)
            self._columns = False
        elif self._view.shape.kind:
            obj = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
        return _encode({"type": "BOOKMARK", "object": obj}) + b"\n"

    def _lines(self, change: Change) -> bytes:
        new, old = change.new, change.old
        if self._namespace is not None and new.namespace != self._namespace:
            return b""
        was = old is not None and self._chosen.takes(old)
        if change.type == "DELETED":
            return self._line("DELETED", new) if was or old is None else b""
        if self._chosen.takes(new):
            return self._line("MODIFIED" if was else "ADDED", new)
        if old is None or not was:
            return b""
        metadata = {**old.obj["metadata"], "resourceVersion": str(change.rv)}
        return self._line("DELETED", old, {**old.obj, "metadata": metadata})

    def _line(self, event: str, record: Record, obj: Object | None = None) -> bytes:
        try:
            data = self._object(record, obj)
        except ApiError as error:  # it cannot be brought into the watch's version
            event, data = "ERROR", _encode(error.status())
        return b'{"type":"' + event.encode() + b'","object":' + data + b"}\n"

    def _object(self, record: Record, obj: Object | None) -> bytes:
        view = self._view
        if view.plain and obj is None:
            return view.data(record)
        if view.plain and not view.converts and obj is not None:
            return view.head + encode_body(obj)[1:]
        shaped = view.shaped(view.converted(obj if obj is not None else record.obj), columns=self._columns)
        self._columns = False
        return _encode(shaped)
