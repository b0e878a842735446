"""A list whose rows are made of several objects each: rows kept encoded, pages of them, and how they change.

A row is made anew only when something that it shows has changed; which row another object belongs to, and did
before, is for the list's `View` to say. Where rows show one object each, `rows` makes the list.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from weakref import WeakKeyDictionary

from litestar import Request, Response

from ecns.api.common.applications import member
from ecns.api.common.feeds import Filter, Item, feed, watch
from ecns.api.common.lists import ListQuery, Page, kept_page, select
from ecns.api.common.objects import Objects
from ecns.api.common.selectors import app_selector
from ecns.api.common.streams import Stream, encode
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.clusters import Cluster
from ecns.backends.kubernetes.kinds.meta import Kind, Resource

R = TypeVar("R", bound=Resource)
R_contra = TypeVar("R_contra", bound=Resource, contravariant=True)

KEPT = 20_000
"""Rows of a list kept encoded for each cluster, unless it says otherwise."""
ROOM = 1000
"""So many deleted objects a feed remembers, and as many as there are, before it forgets them."""


class View(Protocol[R_contra]):
    """What stands around the objects that the rows of a list stand for."""

    @property
    def kinds(self) -> tuple[Kind[Any], ...]:
        """All that rows are made of; the first is that of the objects that they stand for."""

    def versions(self, obj: R_contra) -> Hashable:
        """Another value whenever the row of an object would be another one."""

    def row(self, obj: R_contra) -> Any:
        """What is shown of an object, to be encoded."""

    def word(self, obj: R_contra) -> str:
        """What kind of item an object is, for lists that are asked for one."""

    def applications(self, obj: R_contra) -> Collection[str]:
        """The applications that an object is part of."""

    def touched(self, other: Resource, namespace: str) -> Iterable[str]:
        """The names of the objects of a namespace whose rows show something of another object."""


class _Row(NamedTuple):
    versions: Hashable
    applications: tuple[str, ...]
    status: str
    encoded: bytes


class Composed(Generic[R]):
    """How such a list is told; one for the whole process.

    Args:
        kinds: as the view's.
        view: makes the view of caches of these kinds.
        sorts: more values of `sort_by`, with their keys.
        status: the word in a row that the list can be asked for by `status`, and sorted by.
        ages: rows change with time alone, so that a page holds for a second.
        most: rows kept encoded for each cluster; the longest unused go first.
    """

    def __init__(
        self,
        kinds: tuple[Kind[Any], ...],
        view: Callable[[Sequence[Cache[Any]]], View[R]],
        *,
        sorts: Mapping[str, Callable[[R], Any]] | None = None,
        status: Callable[[Any], str] | None = None,
        ages: bool = False,
        most: int = KEPT,
    ) -> None:
        self.kinds = kinds
        self.view = view
        self._sorts = sorts
        self._status = status
        self._ages = ages
        self._most = most
        self._kept: WeakKeyDictionary[Cluster, OrderedDict[str, _Row]] = WeakKeyDictionary()

    async def page(
        self,
        objects: Objects,
        query: ListQuery,
        *,
        word: str | None = None,
        application: str = "",
        status: str | None = None,
    ) -> Page:
        """A page of a namespace.

        Args:
            objects: where.
            query: what was asked for.
            word: only items of this kind.
            application: only what this `app_selector` selects.
            status: only rows with this status.

        Raises:
            BadRequestError: `sort_by` is unknown, or `app_selector` cannot be.
            UpstreamError: the cluster does not answer.
        """
        selected = app_selector(application)
        caches = await objects.caches(*self.kinds, fresh=query.fresh)
        cluster, namespace, view = objects.place.cluster, objects.namespace, self.view(caches)
        filters: list[Callable[[R], bool]] = []
        if word is not None:
            filters.append(lambda one: view.word(one) == word)
        if selected is not None:
            filters.append(lambda one: member(selected, one.metadata.labels, view.applications(one)))

        if status is not None:
            filters.append(lambda one: self._row(cluster, view, one).status == status)
        sorts: dict[str, Callable[[R], Any]] = dict(self._sorts or {})
        if self._status is not None:
            sorts["status"] = lambda one: self._row(cluster, view, one).status

        def make() -> Page:
            selection = select(
                caches[0].namespace(namespace),
                query,
                metadata=lambda one: one.metadata,
                sorts=sorts,
                filters=filters,
            )
            rows = [self._row(cluster, view, one).encoded for one in selection.items]
            return Page(b",".join(rows), selection.total)

        return kept_page(
            cluster,
            (self.kinds[0].resource, namespace, word, application, status, query.key),
            (
                int(time.time()) if self._ages else 0,
                *(cache.generation(namespace if cache.kind.namespaced else "") for cache in caches),
            ),
            make,
        )

    async def watch(
        self,
        request: Request[Any, Any, Any],
        objects: Objects,
        query: ListQuery,
        *,
        word: str | None = None,
        application: str = "",
        status: str | None = None,
    ) -> Response[Any]:
        """The list's rows as they are added, changed and removed; see `page`.

        Raises:
            BadRequestError: `app_selector` cannot be.
            TooManyRequestsError: the caller listens to too many streams.
            UpstreamError: the cluster does not answer.
        """
        tests: list[Callable[[Item], bool]] = []
        if (selected := app_selector(application)) is not None:
            tests.append(lambda item: member(selected, item.metadata.labels, item.applications))
        if (labels := query.labels) is not None:
            tests.append(lambda item: labels(item.metadata.labels or {}))
        if status is not None:
            tests.append(lambda item: item.status == status)
        stream = Stream.of(request, objects.place)
        caches = await objects.caches(*self.kinds)
        last_id = request.headers.get("last-event-id", "")
        followed = await feed(
            objects.place, self.kinds[0].resource, lambda: _Source(self, objects, caches), last_id
        )
        wanted = Filter(name=query.name, kind=word, tests=tuple(tests))
        return stream.answer(watch(followed, wanted, last_id))

    def item(self, cluster: Cluster, view: View[R], obj: R) -> Item:
        """The item that an object is."""
        row = self._row(cluster, view, obj)
        return Item(view.word(obj), obj.metadata, row.status, row.encoded, applications=row.applications)

    def _row(self, cluster: Cluster, view: View[R], obj: R) -> _Row:
        kept = self._kept.setdefault(cluster, OrderedDict())
        uid, versions = obj.metadata.uid, view.versions(obj)
        known = kept.get(uid)
        if known is None or known.versions != versions:
            applications = tuple(sorted(view.applications(obj)))
            shown = view.row(obj)
            status = self._status(shown) if self._status else ""
            known = kept[uid] = _Row(versions, applications, status, encode(shown))
            if len(kept) > self._most:
                kept.popitem(last=False)
        kept.move_to_end(uid)
        return known


class _Source(Generic[R]):
    """How the rows of a namespace are made, for its feed."""

    own = 1

    def __init__(self, rows: Composed[R], objects: Objects, caches: Sequence[Cache[Any]]) -> None:
        self.namespace = objects.namespace
        self.caches = caches
        self._cluster = objects.place.cluster
        self._rows = rows
        self._view = rows.view(caches)
        self._before = self._present()
        """What may belong to other rows after a change, as it was."""
        self._room = 2 * len(self._before) + ROOM

    def keys(self) -> list[Hashable]:
        """All objects, newest first."""
        return [one.metadata.name for one in self.caches[0].namespace(self.namespace)]

    def find(self, key: Hashable) -> R | None:
        """The object of a name."""
        found: R | None = self.caches[0].get(str(key), self.namespace)
        return found

    def item(self, obj: R) -> Item:
        """The list's row of an object."""
        return self._rows.item(self._cluster, self._view, obj)

    def touched(self, index: int, obj: Any) -> Iterable[Hashable]:
        """The rows that show something of an object, or did so before."""
        if index < self.own:
            return (obj.metadata.name,)
        touched = set(self._view.touched(obj, self.namespace))
        if (before := self._before.get(obj.metadata.uid)) is not None:
            touched.update(self._view.touched(before, self.namespace))
        self._before[obj.metadata.uid] = obj
        if len(self._before) > self._room:
            self._before = self._present()
            self._room = 2 * len(self._before) + ROOM
        return touched

    def _present(self) -> dict[str, Resource]:
        return {
            obj.metadata.uid: obj
            for cache in self.caches[1:]
            for obj in cache.namespace(self.namespace if cache.kind.namespaced else "")
        }
