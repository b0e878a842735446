"""Where objects are kept: in memory for reading, in SQLite for lasting.

A write changes memory at once and is handed to `disk`; `Store.durable` waits for it, so that nothing is
acknowledged that a crash could lose.
Each object is encoded once; lists and watches join those bytes.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_left, insort
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ecns.embedded.kubernetes.disk import Disk, DiskError, Row
from ecns.embedded.kubernetes.errors import ApiError, Object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ecns.embedded.kubernetes.resources import Resources

HISTORY = 10_000
"""Changes of one resource that a watch may begin before (the rest is 410 Gone)."""
DECODED = 20_000
"""Objects that stay decoded in memory; the others are decoded when they are asked for."""
LARGEST = 1_572_864
"""Bytes of the largest object, as etcd's limit of a request."""
_HEADS = frozenset({"kind", "apiVersion", "metadata"})

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class _Owner(msgspec.Struct):
    uid: str = ""


class _Meta(msgspec.Struct):
    uid: str = ""
    labels: dict[str, str] | None = None
    ownerReferences: list[_Owner] | None = None  # noqa: N815  Kubernetes' name


class _Head(msgspec.Struct):
    metadata: _Meta


_decode_head = msgspec.json.Decoder(_Head).decode


class Expired(Exception):  # noqa: N818  what happened to the history, as Kubernetes names it
    """The changes since that revision are not kept any more."""


class TooLargeError(ApiError):
    """An object is larger than `LARGEST`."""

    def __init__(self) -> None:
        super().__init__(500, "", "etcdserver: request is too large")


class Record:
    """One state of an object, immutable.

    `data` is its JSON without kind and apiVersion (which are the resource's), so that the bytes are right
    in a list and, after a short head, on their own.
    """

    __slots__ = ("_obj", "_store", "data", "labels", "name", "namespace", "owners", "resource", "rv", "uid")

    def __init__(  # noqa: PLR0917  made for every write
        self, store: Store, resource: str, namespace: str, name: str, rv: int, data: bytes, obj: Object | None
    ) -> None:
        self._store = store
        self.resource = resource
        self.namespace = namespace
        self.name = name
        self.rv = rv
        self.data = data
        self._obj = obj
        if obj is None:
            meta = _decode_head(data).metadata
            self.uid = meta.uid
            self.labels: dict[str, str] = meta.labels or {}
            self.owners: tuple[str, ...] = tuple(owner.uid for owner in meta.ownerReferences or ())
        else:
            metadata = obj["metadata"]
            self.uid = metadata.get("uid", "")
            self.labels = metadata.get("labels") or {}
            self.owners = tuple(owner.get("uid", "") for owner in metadata.get("ownerReferences") or ())
            store.remember(self)

    @property
    def obj(self) -> Object:
        """The object; shared with other readers, so copy before change."""
        if self._obj is None:
            kind, api_version = self._store.head(self.resource)
            self._obj = {"kind": kind, "apiVersion": api_version, **_decode(self.data)}
            self._store.remember(self)
        return self._obj

    @property
    def is_decoded(self) -> bool:
        """Whether `obj` costs nothing."""
        return self._obj is not None

    def forget(self) -> None:
        """Drops the decoded object; the bytes stay."""
        self._obj = None


class Change(NamedTuple):
    """What one write did; `new` is the last state (with the deletion's revision) of what was deleted."""

    rv: int
    type: str
    new: Record
    old: Record | None


class _Shelf:
    """The objects of one resource, by namespace and name, and their latest changes."""

    def __init__(self, oldest: int) -> None:
        self.spaces: dict[str, dict[str, Record]] = {}
        self.names: dict[str, list[str]] = {}
        self.order: list[str] = []
        self.history: deque[Change] = deque()
        self.oldest = oldest
        self.listeners: list[Callable[[Change], None]] = []
        self.count = 0

    def put(self, record: Record) -> Record | None:
        space = self.spaces.get(record.namespace)
        if space is None:
            space = self.spaces[record.namespace] = {}
            self.names[record.namespace] = []
            insort(self.order, record.namespace, key=_space_key)
        old = space.get(record.name)
        if old is None:
            insort(self.names[record.namespace], record.name)
            self.count += 1
        space[record.name] = record
        return old

    def pop(self, namespace: str, name: str) -> Record | None:
        old = self.spaces.get(namespace, {}).pop(name, None)
        if old is not None:
            names = self.names[namespace]
            del names[bisect_left(names, name)]
            self.count -= 1
            if not names:
                del self.names[namespace], self.spaces[namespace]
                self.order.remove(namespace)
        return old

    def all(self, namespace: str | None) -> list[Record]:
        if namespace is not None:
            space = self.spaces.get(namespace)
            return [space[name] for name in self.names[namespace]] if space else []
        return [self.spaces[space][name] for space in self.order for name in self.names[space]]

    def note(self, change: Change) -> None:
        self.history.append(change)
        if len(self.history) > HISTORY:
            self.oldest = self.history.popleft().rv


def _space_key(namespace: str) -> str:
    return namespace + "/"


class Store:
    """All objects; `path` is the SQLite file, None keeps nothing.

    Args:
        path: the file, made when absent.
        resources: gives the kind and version of stored objects.

    """

    def __init__(self, path: Path | None, resources: Resources) -> None:
        self._resources = resources
        self._shelves: dict[str, _Shelf] = {}
        self._dependants: dict[str, dict[tuple[str, str, str], None]] = {}
        self._decoded: deque[Record] = deque()
        self.revision = 1
        self._started_at = 1
        self._disk = Disk(path) if path is not None else None
        if self._disk is not None:
            self._load(self._disk)

    def _load(self, disk: Disk) -> None:
        for resource, namespace, name, rv, data in disk.read():
            self._place(Record(self, resource, namespace, name, rv, data, None))
        self.revision = self._started_at = max(disk.revision, 1)
        for shelf in self._shelves.values():
            shelf.oldest = self.revision

    def head(self, resource: str) -> tuple[str, str]:
        """Kind and apiVersion of the stored objects of a resource."""
        found = self._resources.by_name(resource)
        if found is None:
            return "", ""
        return found.kind, found.api_version(found.storage_version)

    def remember(self, record: Record) -> None:
        """Counts a decoded object; the oldest beyond `DECODED` is let go."""
        self._decoded.append(record)
        if len(self._decoded) > DECODED:
            self._decoded.popleft().forget()

    def _shelf(self, resource: str) -> _Shelf:
        shelf = self._shelves.get(resource)
        if shelf is None:
            shelf = self._shelves[resource] = _Shelf(self._started_at)
        return shelf

    def _place(self, record: Record) -> Record | None:
        old = self._shelf(record.resource).put(record)
        key = (record.resource, record.namespace, record.name)
        if old is not None and old.owners != record.owners:
            self._unlink(old)
        for owner in record.owners:
            self._dependants.setdefault(owner, {})[key] = None
        return old

    def _unlink(self, record: Record) -> None:
        key = (record.resource, record.namespace, record.name)
        for owner in record.owners:
            dependants = self._dependants.get(owner)
            if dependants is not None:
                dependants.pop(key, None)
                if not dependants:
                    del self._dependants[owner]

    def get(self, resource: str, namespace: str, name: str) -> Record | None:
        """The present state of one object."""
        shelf = self._shelves.get(resource)
        return shelf.spaces.get(namespace, {}).get(name) if shelf else None

    def all(self, resource: str, namespace: str | None = None) -> list[Record]:
        """Every object of a resource, in the order of `<namespace>/<name>`."""
        shelf = self._shelves.get(resource)
        return shelf.all(namespace) if shelf else []

    def redecode(self, resource: str, change: Callable[[Object], None]) -> None:
        """Has `change` work on every object of a resource, as if each were read anew from disk.

        Objects get no revision and watchers no event; on disk they stay as they are.
        """
        for record in self.all(resource):
            obj = msgspec.json.decode(record.data)
            change(obj)
            record.data = encode_body(obj)
            record.forget()

    def count(self, resource: str) -> int:
        """How many objects of a resource there are."""
        shelf = self._shelves.get(resource)
        return shelf.count if shelf else 0

    def owned(self, uid: str) -> list[Record]:
        """The objects that name `uid` among their owners."""
        found = (self.get(*key) for key in self._dependants.get(uid, ()))
        return [record for record in found if record is not None]

    def resources(self) -> list[str]:
        """The resources of which there are or were objects."""
        return list(self._shelves)

    def put(self, resource: str, namespace: str, name: str, obj: Object) -> Change:
        """Stores a new state; `obj` belongs to the store from then on and gets its resourceVersion.

        Raises:
            TooLargeError: it has more bytes than a store takes.

        """
        revision = self.revision + 1
        obj["metadata"]["resourceVersion"] = str(revision)
        data = encode_body(obj)
        if len(data) > LARGEST:
            raise TooLargeError
        self.revision = revision
        record = Record(self, resource, namespace, name, revision, data, obj)
        old = self._place(record)
        if self._disk is not None:
            self._disk.add((resource, namespace, name), Row(self.revision, record.data))
        return self._changed(Change(self.revision, "MODIFIED" if old else "ADDED", record, old))

    def remove(self, resource: str, namespace: str, name: str, obj: Object) -> Change:
        """Takes an object out; `obj` is its last state, which watchers see with the deletion's revision."""
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        old = self._shelf(resource).pop(namespace, name)
        if old is not None:
            self._unlink(old)
        if self._disk is not None:
            self._disk.add((resource, namespace, name), Row(self.revision, None))
        record = Record(self, resource, namespace, name, self.revision, encode_body(obj), obj)
        return self._changed(Change(self.revision, "DELETED", record, old))

    def _changed(self, change: Change) -> Change:
        shelf = self._shelf(change.new.resource)
        shelf.note(change)
        for listener in tuple(shelf.listeners):
            listener(change)
        return change

    def load(self, objects: Iterable[tuple[str, Object]]) -> int:
        """Puts many objects in at once, without telling watchers of each; returns how many.

        Watches on their resources that began before are told to begin again (410).
        """
        count, touched = 0, set()
        for resource, obj in objects:
            self.revision += 1
            metadata = obj["metadata"]
            metadata["resourceVersion"] = str(self.revision)
            data = encode_body(obj)
            record = Record(
                self, resource, metadata.get("namespace", ""), metadata["name"], self.revision, data, None
            )
            self._place(record)
            if self._disk is not None:
                self._disk.add((resource, record.namespace, record.name), Row(self.revision, data))
            touched.add(resource)
            count += 1
        for resource in touched:
            shelf = self._shelf(resource)
            shelf.history.clear()
            shelf.oldest = self.revision
        return count

    def changes(self, resource: str, since: int) -> list[Change]:
        """The changes after a revision, oldest first.

        Raises:
            Expired: when some of them are not kept any more.

        """
        shelf = self._shelf(resource)
        if since < shelf.oldest:
            raise Expired
        found: list[Change] = []
        for change in reversed(shelf.history):
            if change.rv <= since:
                break
            found.append(change)
        found.reverse()
        return found

    def at(self, resource: str, namespace: str | None, revision: int) -> list[Record]:
        """Every object as it was at a revision.

        Raises:
            Expired: when that is too long ago.

        """
        then: dict[tuple[str, str], Record | None] = {}
        for change in self.changes(resource, revision):
            then.setdefault((change.new.namespace, change.new.name), change.old)
        if not then:
            return self.all(resource, namespace)
        found = [item for item in self.all(resource, namespace) if (item.namespace, item.name) not in then]
        found += [
            old
            for old in then.values()
            if old is not None and (namespace is None or old.namespace == namespace)
        ]
        found.sort(key=lambda item: (item.namespace + "/", item.name))
        return found

    def oldest(self, resource: str) -> int:
        """The revision from which on changes of a resource are kept."""
        return self._shelf(resource).oldest

    def begin(self, resource: str = "") -> None:
        """Lets the history of a resource (or, for "", of all) begin now, as when it is first served."""
        if resource:
            self._shelves.setdefault(resource, _Shelf(self.revision))
            return
        self._started_at = self.revision
        for name in self._shelves:
            self.compact(name)

    def compact(self, resource: str) -> None:
        """Forgets a resource's changes, so that what began before now is 410."""
        shelf = self._shelf(resource)
        shelf.history.clear()
        shelf.oldest = self.revision

    def subscribe(self, resource: str, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Calls `listener` on each change as it happens; returns what ends that."""
        listeners = self._shelf(resource).listeners
        listeners.append(listener)

        def stop() -> None:
            with contextlib.suppress(ValueError):
                listeners.remove(listener)

        return stop

    @property
    def failure(self) -> DiskError | None:
        """Why nothing can be written at the moment."""
        return self._disk.failure if self._disk is not None else None

    async def durable(self) -> None:
        """Returns when everything written so far is on disk.

        Raises:
            DiskError: it cannot be written.
        """
        if self._disk is not None:
            await self._disk.wait()

    def close(self) -> None:
        """Writes what is left and lets go of the file."""
        if self._disk is not None:
            self._disk.close(self.revision)
            self._disk = None


def encode_body(obj: Object) -> bytes:
    """An object's JSON without kind and apiVersion, its metadata first."""
    rest = {key: value for key, value in obj.items() if key not in _HEADS}
    return _encode({"metadata": obj["metadata"], **rest})
