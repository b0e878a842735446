"""A list of one kind: rows kept encoded, pages of them, and the rows as they change.

A row is made once for each state of its object, so that a warm page is a join of bytes (design, "The read
path"). For lists whose rows show one object each; what is made of several has its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from litestar import Request, Response

from ecns.api.common.feeds import Filter, Item, feed, watch
from ecns.api.common.lists import ListQuery, Page, kept_page, select
from ecns.api.common.objects import Objects
from ecns.api.common.selectors import Test, app_selector
from ecns.api.common.streams import Stream, encode
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.clusters import Cluster
from ecns.backends.kubernetes.kinds.meta import Kind, Resource

R = TypeVar("R", bound=Resource)

KEPT = 20_000
"""Rows kept encoded for each cluster; the longest unused go first."""


class Rows(Generic[R]):
    """How the objects of a kind are listed; one for the whole process.

    Args:
        kind: of what.
        row: what is shown of an object, to be encoded.
        word: what kind of item an object is, for lists that are asked for one; the object's kind if None.
        sorts: more values of `sort_by`, with their keys.
    """

    def __init__(
        self,
        kind: Kind[R],
        row: Callable[[R], Any],
        *,
        word: Callable[[R], str] | None = None,
        sorts: Mapping[str, Callable[[R], Any]] | None = None,
    ) -> None:
        self.kind = kind
        self._row = row
        self._word = word or (lambda _: kind.kind)
        self._sorts = sorts
        self._kept: WeakKeyDictionary[Cluster, OrderedDict[str, tuple[str, bytes]]] = WeakKeyDictionary()

    async def page(
        self, objects: Objects, query: ListQuery, *, word: str | None = None, application: str = ""
    ) -> Page:
        """A page of a namespace.

        Args:
            objects: where.
            query: what was asked for.
            word: only items of this kind.
            application: only what this `app_selector` selects.

        Raises:
            BadRequestError: `sort_by` is unknown, or `app_selector` cannot be.
            UpstreamError: the cluster does not answer.
        """
        filters: list[Callable[[R], bool]] = []
        if (selected := app_selector(application)) is not None:
            filters.append(_labelled(selected))
        cache = await objects.cache(self.kind, fresh=query.fresh)
        cluster, namespace = objects.place.cluster, objects.namespace
        if word is not None:
            filters.append(lambda one: self._word(one) == word)

        def make() -> Page:
            selection = select(
                cache.namespace(namespace),
                query,
                metadata=lambda one: one.metadata,
                sorts=self._sorts,
                filters=filters,
            )
            rows = [self._encoded(cluster, one) for one in selection.items]
            return Page(b",".join(rows), selection.total)

        key = (self.kind.resource, namespace, word, application, query.key)
        return kept_page(cluster, key, cache.generation(namespace), make)

    async def watch(
        self,
        request: Request[Any, Any, Any],
        objects: Objects,
        query: ListQuery,
        *,
        word: str | None = None,
        application: str = "",
    ) -> Response[Any]:
        """The list's rows as they are added, changed and removed; see `page`.

        Raises:
            BadRequestError: `app_selector` cannot be.
            TooManyRequestsError: the caller listens to too many streams.
            UpstreamError: the cluster does not answer.
        """
        tests = [test for test in (app_selector(application), query.labels) if test is not None]
        stream = Stream.of(request, objects.place)
        cache = await objects.cache(self.kind)
        last_id = request.headers.get("last-event-id", "")
        followed = await feed(
            objects.place, self.kind.resource, lambda: _Source(self, objects, cache), last_id
        )
        wanted = Filter(name=query.name, kind=word, tests=tuple(_labelled(test) for test in tests))
        return stream.answer(watch(followed, wanted, last_id))

    def item(self, cluster: Cluster, obj: R) -> Item:
        """The item that an object is."""
        return Item(self._word(obj), obj.metadata, "", self._encoded(cluster, obj))

    def _encoded(self, cluster: Cluster, obj: R) -> bytes:
        kept = self._kept.setdefault(cluster, OrderedDict())
        metadata = obj.metadata
        known = kept.get(metadata.uid)
        if known is None or known[0] != metadata.resource_version:
            known = kept[metadata.uid] = (metadata.resource_version, encode(self._row(obj)))
            if len(kept) > KEPT:
                kept.popitem(last=False)
        kept.move_to_end(metadata.uid)
        return known[1]


class _Source(Generic[R]):
    """How the rows of a namespace are made, for its feed."""

    own = 1

    def __init__(self, rows: Rows[R], objects: Objects, cache: Cache[R]) -> None:
        self.namespace = objects.namespace
        self.caches = (cache,)
        self._cluster = objects.place.cluster
        self._rows = rows

    def keys(self) -> list[Hashable]:
        """All objects, newest first."""
        return [one.metadata.name for one in self.caches[0].namespace(self.namespace)]

    def find(self, key: Hashable) -> R | None:
        """The object of a name."""
        return self.caches[0].get(str(key), self.namespace)

    def item(self, obj: R) -> Item:
        """The list's row of an object."""
        return self._rows.item(self._cluster, obj)

    def touched(self, index: int, obj: R) -> list[Hashable]:  # noqa: ARG002  there is one cache
        """The object itself."""
        return [obj.metadata.name]


def _labelled(test: Test) -> Callable[[Any], bool]:
    """A test of labels as one of whatever has metadata."""
    return lambda one: test(one.metadata.labels or {})
