"""The objects of a watch cache: found by name and by index, sorted newest first, never going back in time.

resourceVersions are compared as the numbers they are, which Kubernetes allows since 1.35:
https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from ecns.backends.kubernetes.kinds.meta import ObjectMeta, Resource

R = TypeVar("R", bound=Resource)
Indexer = Callable[[R], Iterable[Hashable]]

GRAVES = 10_000
"""How many deleted objects are remembered, so that no late event brings them back."""

_SEPARATORS = str.maketrans("", "", "-T:Z.")


def version_of(text: str) -> int:
    """A resourceVersion as a number; what is none is older than everything."""
    return int(text) if text.isdigit() else 0


def newest_first(obj: Resource) -> tuple[int, str]:
    """The order of every list: by time of creation, newest first, then by name."""
    digits = (obj.metadata.creation_timestamp or "").translate(_SEPARATORS)[:14]
    return (-int(digits) if digits.isdigit() else 0, obj.metadata.name)


class Objects(Generic[R]):
    """The objects of one kind in one cluster.

    Args:
        indexes: by name, what each object is found by.
    """

    def __init__(self, indexes: Mapping[str, Indexer[R]]) -> None:
        self._by_name: dict[str, dict[str, R]] = {}
        self._sorted: dict[str, list[R]] = {}
        """By namespace, of those that somebody has asked for."""
        self._indexers = dict(indexes)
        self._indexes: dict[str, dict[Hashable, dict[tuple[str, str], R]]] = {name: {} for name in indexes}
        self._graves: OrderedDict[str, None] = OrderedDict()
        self._changes: dict[str, int] = {}
        self._merges = 0

    def generation(self, namespace: str) -> tuple[int, int]:
        """Another value whenever something in a namespace has changed."""
        return self._merges, self._changes.get(namespace, 0)

    def __len__(self) -> int:
        return sum(map(len, self._by_name.values()))

    def __iter__(self) -> Iterator[R]:
        for there in self._by_name.values():
            yield from there.values()

    def get(self, name: str, namespace: str) -> R | None:
        """One object."""
        there = self._by_name.get(namespace)
        return there.get(name) if there else None

    def namespace(self, namespace: str) -> Sequence[R]:
        """A namespace's objects, newest first; follows later changes, so use it before the next await."""
        found = self._sorted.get(namespace)
        if found is None:
            there = self._by_name.get(namespace)
            if not there:
                return ()
            found = self._sorted[namespace] = sorted(there.values(), key=newest_first)
        return found

    def index(self, name: str, key: Hashable) -> Collection[R]:
        """The objects that an index has under a key."""
        found = self._indexes[name].get(key)
        return found.values() if found else ()

    def add_index(self, name: str, indexer: Indexer[R]) -> None:
        """Index what is there and what comes; an index that is there already stays."""
        if name not in self._indexers:
            self._indexers[name] = indexer
            self._indexes[name] = {}
            for obj in self:
                self._note(name, indexer, obj)

    def put(self, obj: R) -> bool:
        """Take a state of an object unless a newer one is here or it is known to be gone."""
        metadata = obj.metadata
        if metadata.uid in self._graves:
            return False
        current = self.get(metadata.name, metadata.namespace)
        if current is not None:
            if version_of(current.metadata.resource_version) >= version_of(metadata.resource_version):
                return False
            if newest_first(current) == newest_first(obj):
                self._exchange(current, obj)
                return True
            self._take_out(current)
        self._put_in(obj)
        return True

    def drop(self, metadata: ObjectMeta) -> bool:
        """Take note that an object is gone; `metadata` is its last one."""
        self._bury(metadata.uid)
        current = self.get(metadata.name, metadata.namespace)
        if current is None:
            return False
        mine, other = version_of(metadata.resource_version), version_of(current.metadata.resource_version)
        if current.metadata.uid != metadata.uid and other > mine:
            return False  # one of the same name that was made later
        self._take_out(current)
        return True

    def dead(self) -> frozenset[str]:
        """The uids of those known to be gone; one that a list shows all the same is not: see `merge`."""
        return frozenset(self._graves)

    def merge(self, items: Iterable[R], version: int, dead: frozenset[str] = frozenset()) -> None:
        """Make everything as a list says, save for what is newer than the list.

        Args:
            items: of the list.
            version: of the list.
            dead: those who were thought to be gone before the list was asked for.
        """
        old = self._by_name
        kept: dict[str, dict[str, R]] = {}
        for obj in items:
            metadata = obj.metadata
            if metadata.uid in self._graves:
                if metadata.uid not in dead:
                    continue
                del self._graves[metadata.uid]
            current = old.get(metadata.namespace, {}).get(metadata.name)
            if current is not None and _newer(current, obj):
                obj = current  # noqa: PLW2901  the newer of the two
            kept.setdefault(metadata.namespace, {})[metadata.name] = obj
        for namespace, there in old.items():
            for name, current in there.items():
                if version_of(current.metadata.resource_version) > version:
                    kept.setdefault(namespace, {}).setdefault(name, current)
        self._by_name = kept
        self._sorted = {}
        self._merges += 1
        self._indexes = {name: {} for name in self._indexers}
        for obj in self:
            for name, indexer in self._indexers.items():
                self._note(name, indexer, obj)

    def clear(self) -> None:
        """Forget everything, the dead too: it was another cluster's."""
        self._by_name = {}
        self._graves.clear()
        self.merge((), 0)

    def _changed(self, namespace: str) -> None:
        self._changes[namespace] = self._changes.get(namespace, 0) + 1

    def _put_in(self, obj: R) -> None:
        metadata = obj.metadata
        self._changed(metadata.namespace)
        self._by_name.setdefault(metadata.namespace, {})[metadata.name] = obj
        order = self._sorted.get(metadata.namespace)
        if order is not None:
            order.insert(bisect_left(order, newest_first(obj), key=newest_first), obj)
        for name, indexer in self._indexers.items():
            self._note(name, indexer, obj)

    def _exchange(self, old: R, new: R) -> None:
        """Put a newer state in the very place of an older one."""
        metadata = new.metadata
        self._changed(metadata.namespace)
        self._by_name[metadata.namespace][metadata.name] = new
        order = self._sorted.get(metadata.namespace)
        if order is not None:
            order[bisect_left(order, newest_first(new), key=newest_first)] = new
        for name, indexer in self._indexers.items():
            self._strike(name, indexer, old)
            self._note(name, indexer, new)

    def _take_out(self, obj: R) -> None:
        metadata = obj.metadata
        self._changed(metadata.namespace)
        there = self._by_name[metadata.namespace]
        del there[metadata.name]
        order = self._sorted.get(metadata.namespace)
        if order is not None:
            del order[bisect_left(order, newest_first(obj), key=newest_first)]
        if not there:
            del self._by_name[metadata.namespace]
            self._sorted.pop(metadata.namespace, None)
        for name, indexer in self._indexers.items():
            self._strike(name, indexer, obj)

    def _strike(self, name: str, indexer: Indexer[R], obj: R) -> None:
        index = self._indexes[name]
        for key in indexer(obj):
            if (found := index.get(key)) is not None:
                found.pop((obj.metadata.namespace, obj.metadata.name), None)
                if not found:
                    del index[key]

    def _note(self, name: str, indexer: Indexer[R], obj: R) -> None:
        index = self._indexes[name]
        for key in indexer(obj):
            index.setdefault(key, {})[obj.metadata.namespace, obj.metadata.name] = obj

    def _bury(self, uid: str) -> None:
        if uid:
            self._graves[uid] = None
            if len(self._graves) > GRAVES:
                self._graves.popitem(last=False)


def _newer(one: Resource, other: Resource) -> bool:
    return version_of(one.metadata.resource_version) > version_of(other.metadata.resource_version)


def owners(obj: Resource) -> Iterable[str]:
    """An index by the uids of whom an object belongs to."""
    return [owner.uid for owner in obj.metadata.owner_references or ()]
