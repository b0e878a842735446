"""Lists: paging, sorting, filtering and totals, the same for every chapter.

Source: decisions, "Calling": `page` from 1, `page_size` 1 to 500, without `page` everything; `sort_by`,
`order`, `name` (contains), `label_selector`; every list answers `X-Total-Count`.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Literal, TypeVar
from weakref import WeakKeyDictionary

import msgspec
from litestar import Request, Response
from litestar.params import Parameter, QueryParameter

from ecns.api.common.selectors import label_selector
from ecns.backends.kubernetes.kinds.meta import ObjectMeta
from ecns.errors import BadRequestError

DEFAULT_SIZE = 20
"""What a page holds when only `page` is sent."""

Item = TypeVar("Item")
Order = Literal["asc", "desc"]


class ListQuery(msgspec.Struct, frozen=True):
    """What a caller wants to see of a list."""

    page: int | None
    page_size: int
    sort_by: str
    order: Order | None
    name: str
    selector: str
    labels: Callable[[Mapping[str, str]], bool] | None
    """`selector` as a test."""
    fresh: bool
    """`Cache-Control: no-cache`: ask the cluster itself."""

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What tells this question from others."""
        return (self.page, self.page_size, self.sort_by, self.order, self.name, self.selector)


class Selection(msgspec.Struct, frozen=True):
    """A page, and of how many."""

    items: Sequence[Any]
    total: int


class Page(msgspec.Struct, frozen=True):
    """A page whose rows are encoded and joined by commas, and of how many it is."""

    rows: bytes
    total: int


PAGES = 256
"""Pages kept for each owner, of up to some 100 KiB; the longest unused go first."""

_pages: WeakKeyDictionary[Any, OrderedDict[Hashable, tuple[Hashable, Page]]] = WeakKeyDictionary()


def kept_page(owner: Any, key: Hashable, generation: Hashable, make: Callable[[], Page]) -> Page:
    """A page that was made before, if nothing has changed since; otherwise a new one.

    Args:
        owner: whose pages these are, such as a cluster.
        key: the question.
        generation: of all that a page is made from.
        make: makes it anew.
    """
    pages = _pages.setdefault(owner, OrderedDict())
    known = pages.get(key)
    if known is None or known[0] != generation:
        known = pages[key] = (generation, make())
        if len(pages) > PAGES:
            pages.popitem(last=False)
    pages.move_to_end(key)
    return known[1]


def provide_query(  # noqa: PLR0917  the parameters of the query string, which Litestar passes by name
    request: Request[Any, Any, Any],
    page: Annotated[int | None, Parameter(ge=1, description="Page, from 1; without it everything.")] = None,
    page_size: Annotated[int | None, Parameter(ge=1, le=500, description="Items of a page.")] = None,
    sort_by: Annotated[
        str, Parameter(description="`creation_time` (default), `name`, or a field of the list.")
    ] = "",
    order: Annotated[
        Order | None, Parameter(description="Newest first, otherwise ascending, by default.")
    ] = None,
    name: Annotated[str, Parameter(description="Part of the name.")] = "",
    selector: Annotated[
        str, QueryParameter(name="label_selector", description="Kubernetes label selector.")
    ] = "",
) -> ListQuery:
    """Litestar's dependency `query` of every list."""
    if page is None and page_size is not None:
        page = 1
    return ListQuery(
        page=page,
        page_size=page_size or DEFAULT_SIZE,
        sort_by=sort_by,
        order=order,
        name=name,
        selector=selector,
        labels=label_selector(selector) if selector else None,
        fresh="no-cache" in request.headers.get("cache-control", ""),
    )


def select(
    items: Sequence[Item],
    query: ListQuery,
    *,
    metadata: Callable[[Item], ObjectMeta],
    sorts: Mapping[str, Callable[[Item], Any]] | None = None,
    filters: Iterable[Callable[[Item], bool]] = (),
) -> Selection:
    """The page of `items` that was asked for.

    Args:
        items: newest first; slicing them costs the slice.
        query: what was asked for.
        metadata: an item's name, labels and creation time.
        sorts: more values of `sort_by`, with their keys.
        filters: what else an item must pass.

    Raises:
        BadRequestError: `sort_by` is unknown.
    """
    keys: dict[str, Callable[[Item], Any]] = {
        "name": lambda item: metadata(item).name,
        "creation_time": lambda item: metadata(item).creation_timestamp or "",
        **(sorts or {}),
    }
    if query.sort_by and query.sort_by not in keys:
        raise BadRequestError(f"sort_by is one of {', '.join(sorted(keys))}", field="sort_by")
    tests: list[Callable[[Item], bool]] = list(filters)
    if query.name:
        tests.append(lambda item: query.name in metadata(item).name)
    if (labels := query.labels) is not None:
        tests.append(lambda item: labels(metadata(item).labels or {}))
    chosen = [item for item in items if all(test(item) for test in tests)] if tests else items
    total = len(chosen)
    newest_first = query.sort_by in {"", "creation_time"} and query.order in {None, "desc"}
    if not newest_first:
        reverse = query.order == "desc" or (query.order is None and query.sort_by in {"", "creation_time"})
        by_name = sorted(chosen, key=lambda item: metadata(item).name)
        chosen = sorted(by_name, key=keys[query.sort_by or "creation_time"], reverse=reverse)
    if query.page is None:
        return Selection(chosen[:], total)
    start = (query.page - 1) * query.page_size
    return Selection(chosen[start : start + query.page_size], total)


def merged(views: Sequence[Sequence[Item]], metadata: Callable[[Item], ObjectMeta]) -> Sequence[Item]:
    """Several views that are each newest first, as one."""
    if len(views) == 1:
        return views[0]
    return _Merged(views, metadata)


class _Merged(Sequence[Item]):
    """Newest first over several views; a slice walks from the nearer end."""

    def __init__(self, views: Sequence[Sequence[Item]], metadata: Callable[[Item], ObjectMeta]) -> None:
        self._views = views
        self._metadata = metadata

    def __len__(self) -> int:
        return sum(len(view) for view in self._views)

    def __iter__(self) -> Iterator[Item]:
        return heapq.merge(*self._views, key=self._key)

    def __reversed__(self) -> Iterator[Item]:
        return heapq.merge(*(reversed(view) for view in self._views), key=self._key, reverse=True)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            return self[index : index + 1][0]
        start, stop, _ = index.indices(len(self))
        if start + stop <= len(self):
            return list(islice(self, start, stop))
        back = islice(reversed(self), len(self) - stop, len(self) - start)
        return list(back)[::-1]

    def _key(self, item: Item) -> tuple[_Newest, str]:
        metadata = self._metadata(item)
        return _Newest(metadata.creation_timestamp or ""), metadata.name


class _Newest(str):
    """A time that sorts before older ones."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def listed(
    key: str,
    rows: Collection[msgspec.Raw | bytes],
    selection: Selection,
    query: ListQuery,
    *,
    headers: Mapping[str, str] | None = None,
    root: bool = False,
) -> Response[Any]:
    """A list's answer from rows that are encoded already.

    Args:
        key: the reference's name of the list.
        rows: each a JSON value.
        selection: gives the total.
        query: gives the page.
        headers: more of the answer's headers.
        root: the reference has a root array here.
    """
    page = Page(b",".join(bytes(row) for row in rows), selection.total)
    return listed_page(key, page, query, headers=headers, root=root)


def listed_several(
    pages: Mapping[str, Page], query: ListQuery, *, headers: Mapping[str, str] | None = None
) -> Response[Any]:
    """The answer of an operation that lists several things, each paged alike.

    Args:
        pages: by the reference's name of the list.
        query: gives the page.
        headers: more of the answer's headers.
    """
    total = sum(page.total for page in pages.values())
    size = query.page_size if query.page is not None else total
    totals = {key: page.total for key, page in pages.items()}
    numbers = {"total": total, "totals": totals, "page": query.page or 1, "page_size": size}
    lists = b"".join(b'"%b":[%b],' % (key.encode(), page.rows) for key, page in pages.items())
    return Response(
        b"{" + lists + msgspec.json.encode(numbers)[1:],
        media_type="application/json",
        headers={"X-Total-Count": str(total), **(headers or {})},
    )


def unavailable(clusters: Sequence[str]) -> dict[str, str]:
    """The header that names the clusters that a partial answer is without."""
    return {"X-Ecns-Unavailable": ", ".join(clusters)} if clusters else {}


def listed_page(
    key: str, page: Page, query: ListQuery, *, headers: Mapping[str, str] | None = None, root: bool = False
) -> Response[Any]:
    """As `listed`, of rows that are joined already."""
    if root:
        body = b"[" + page.rows + b"]"
    else:
        number = query.page or 1
        size = query.page_size if query.page is not None else page.total
        numbers = b',"total":%d,"page":%d,"page_size":%d}' % (page.total, number, size)
        body = b'{"' + key.encode() + b'":[' + page.rows + b"]" + numbers
    return Response(
        body,
        media_type="application/json",
        headers={"X-Total-Count": str(page.total), **(headers or {})},
    )


def listed_plainly(
    items: Sequence[Any],
    query: ListQuery,
    *,
    key: str = "",
    created: Callable[[Any], str | None] = lambda _: None,
    sorts: Mapping[str, Callable[[Any], Any]] | None = None,
) -> Response[Any]:
    """The answer of a list of things that are no Kubernetes objects, and have a `name` or are one.

    Args:
        items: as they are shown, in the order of a list that is not sorted.
        query: what was asked for.
        key: the reference's name of the list; empty: it has a root array here.
        created: when one was made.
        sorts: more values of `sort_by`, with their keys.

    Raises:
        BadRequestError: `sort_by` is unknown.
    """

    def metadata(item: Any) -> ObjectMeta:
        name = item if isinstance(item, str) else item.name
        return ObjectMeta(name=name, creation_timestamp=created(item))

    selection = select(items, query, metadata=metadata, sorts=sorts)
    rows = [msgspec.json.encode(item) for item in selection.items]
    return listed(key, rows, selection, query, root=not key)
