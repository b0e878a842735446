"""What every controller is: a queue of keys, fed by observers, worked off one key at a time on the loop.

A controller keeps no state that it cannot find again in the store, so a restart loses nothing: `start` looks
through what is there, in small steps, and queues what is not settled.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.controllers.shared import Shared
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Record

_log = logging.getLogger(__name__)

Key = tuple[str, ...]
"""(namespace, name), or whatever a controller names its work by."""

_SWEPT_AT_ONCE, _BREATH = 100, 0.005


def key_of(obj: Object) -> Key:
    """(namespace, name) of an object."""
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


class Controller:
    """One control loop.

    Subclasses set `name` (the component that their events come from) and `resource` (what they look
    through at start), subscribe in `begin`, and do the work of one key in `sync`. A `sync` that raises
    ApiError is tried again after a pause that doubles from `first_retry` seconds on.
    """

    name = ""
    resource = ""
    first_retry = 0.005
    last_retry = 1000.0

    def __init__(self, cluster: Cluster, shared: Shared) -> None:
        self.cluster = cluster
        self.shared = shared
        self._queue: deque[Key] = deque()
        self._queued: set[Key] = set()
        self._timers: dict[Key, tuple[float, asyncio.TimerHandle]] = {}
        self._failures: dict[Key, int] = {}
        self._subscriptions: list[Callable[[], None]] = []
        self._pumping = False
        self._sweep: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # for subclasses

    def begin(self) -> None:
        """Subscribes to what matters."""

    def sync(self, key: Key) -> None:
        """Brings the world nearer to what the object of `key` asks for."""
        raise NotImplementedError

    def is_settled(self, record: Record) -> bool:
        """Whether an object that was there at start needs no look; it must be cheap."""
        del record
        return False

    def watch(self, resource: str, handler: Callable[[str, Object | None, Object | None], None]) -> None:
        """Calls `handler` on each change of a resource until the controller stops."""
        self._subscriptions.append(self.cluster.observe(resource, handler))

    def watch_own(self, resource: str) -> None:
        """Queues each object of a resource that changes."""

        def changed(_event: str, new: Object | None, old: Object | None) -> None:
            obj = new or old
            if obj is not None:
                self.enqueue(key_of(obj))

        self.watch(resource, changed)

    def watch_owned(self, resource: str, kind: str) -> None:
        """Queues the controlling owner, of a kind, of each object of a resource that changes."""

        def changed(_event: str, new: Object | None, old: Object | None) -> None:
            owners = {_controller_name(obj, kind) for obj in (new, old) if obj is not None}
            obj = new or old
            if obj is not None:
                for owner in owners - {""}:
                    self.enqueue((obj["metadata"].get("namespace", ""), owner))

        self.watch(resource, changed)

    def now(self) -> datetime:
        """The cluster's time."""
        return self.cluster.now()

    def event(self, about: Object, kind: str, reason: str, message: str) -> None:
        """Records an event of this controller; `kind` is Normal or Warning."""
        self.shared.events.record(about, kind, reason, message, component=self.name)

    # the queue

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it runs on."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def enqueue(self, key: Key) -> None:
        """Has a key worked on soon; one that waits already is not added again."""
        if key in self._queued or self._loop is None:
            return
        self._queued.add(key)
        self._queue.append(key)
        self._wake()

    def after(self, seconds: float, key: Key) -> None:
        """Has a key worked on after a while; of several times the earliest counts."""
        due = self.loop.time() + max(seconds, 0.0)
        waiting = self._timers.get(key)
        if waiting is not None:
            if waiting[0] <= due:
                return
            waiting[1].cancel()
        self._timers[key] = due, self.loop.call_at(due, self._fire, key)

    def _fire(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.enqueue(key)

    def retry(self, namespace: str) -> None:
        """Tries what failed in a namespace again now."""
        for key in [key for key in self._failures if key[0] == namespace]:
            self.enqueue(key)

    def _wake(self) -> None:
        if not self._pumping:
            self._pumping = True
            self.loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        if not self._queue:
            return
        key = self._queue.popleft()
        self._queued.discard(key)
        try:
            self.sync(key)
        except ApiError as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            _log.debug("%s: %s: %s", self.name, "/".join(key), error)
            self.after(min(self.first_retry * 2 ** (failures - 1), self.last_retry), key)
        except Exception:  # noqa: BLE001  one broken object must not stop the others
            _log.exception("%s failed on %s", self.name, "/".join(key))
        else:
            self._failures.pop(key, None)
        if self._queue:
            self._wake()

    # life

    def start(self) -> None:
        """Subscribes, and looks through what is there."""
        self._loop = asyncio.get_running_loop()
        self.begin()
        if self.resource:
            self._step(iter(self.cluster.store.all(self.resource)))

    def _step(self, records: Iterator[Record]) -> None:
        self._sweep = None
        for count, record in enumerate(records, 1):
            if not self.is_settled(record):
                self.enqueue((record.namespace, record.name))
            if count == _SWEPT_AT_ONCE:
                self._sweep = self.loop.call_later(_BREATH, self._step, records)
                return

    def stop(self) -> None:
        """Ends its subscriptions and timers."""
        for unsubscribe in self._subscriptions:
            unsubscribe()
        self._subscriptions.clear()
        for _, handle in self._timers.values():
            handle.cancel()
        self._timers.clear()
        if self._sweep is not None:
            self._sweep.cancel()
        self._queue.clear()
        self._queued.clear()
        self._loop = None


def _controller_name(obj: Object, kind: str) -> str:
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller") and owner.get("kind") == kind:
            name: str = owner.get("name", "")
            return name
    return ""
