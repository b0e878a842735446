"""Storage as it changes: which change touches which rows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from litestar import Request, Response

from ecns.api.claims.cached import ClaimRows
from ecns.api.claims.manifests import class_of
from ecns.api.common.feeds import Filter, Item, Source, feed, watch
from ecns.api.common.lists import ListQuery
from ecns.api.common.streams import Stream
from ecns.api.storage.cached import ClassRows, Site, VolumeRows
from ecns.api.storage.service import Wanted
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.kinds.apps import StatefulSet
from ecns.backends.kubernetes.kinds.core import Namespace, PersistentVolumeClaim
from ecns.backends.kubernetes.kinds.meta import Resource
from ecns.backends.kubernetes.kinds.pods import PodRow
from ecns.backends.kubernetes.kinds.storage import StorageClass


class ClaimSource:
    """How the rows of the claims of a namespace are made."""

    own = 1

    def __init__(self, namespace: str, rows: ClaimRows) -> None:
        self.namespace = namespace
        self.rows = rows
        self.caches: Sequence[Cache[Any]] = rows.caches
        self._before: dict[str, set[str]] = {
            obj.metadata.uid: set(rows.users.touched(obj))
            for cache in rows.makers
            for obj in cache.namespace(namespace)
        }
        """By uid of what makes pods, the claims that these mounted."""

    def keys(self) -> list[Hashable]:
        """All claims, newest first."""
        return [one.metadata.name for one in self.rows.claims.namespace(self.namespace)]

    def find(self, key: Hashable) -> PersistentVolumeClaim | None:
        """The claim of a name."""
        return self.rows.claims.get(str(key), self.namespace)

    def item(self, obj: PersistentVolumeClaim) -> Item:
        """The list's row of a claim."""
        row = self.rows.row(obj)
        return Item("PVC", obj.metadata, row.shown.status, row.encoded, (row.shown, obj))

    def touched(self, index: int, obj: Any) -> Iterable[Hashable]:  # noqa: ARG002  its type says it
        """The claims that show something of an object, or did so before."""
        match obj:
            case PersistentVolumeClaim():
                return [obj.metadata.name]
            case Namespace():
                return self.keys() if obj.metadata.name == self.namespace else []
            case StorageClass():
                claims = self.rows.claims.namespace(self.namespace)
                return [one.metadata.name for one in claims if class_of(one) == obj.metadata.name]
            case PodRow():
                own = self.rows.claims.index("owner", obj.metadata.uid)
                return [*self.rows.users.touched(obj), *(one.metadata.name for one in own)]
        now = set(self.rows.users.touched(obj))
        if isinstance(obj, StatefulSet):
            stems = tuple(
                f"{one.metadata.name}-{obj.metadata.name}-" for one in obj.spec.volume_claim_templates or ()
            )
            names = (one.metadata.name for one in self.rows.claims.namespace(self.namespace))
            now |= {name for name in names if stems and name.startswith(stems)}
        before = self._before.get(obj.metadata.uid, set())
        self._before[obj.metadata.uid] = now
        return before | now


class ClusterSource:
    """How the rows of what belongs to no namespace are made.

    Args:
        kind: `StorageClass` or `PV`.
        rows: of these.
        caches: of these, and of what stands around them.
    """

    own = 1
    namespace = ""

    def __init__(self, kind: str, rows: ClassRows | VolumeRows, caches: Sequence[Cache[Any]]) -> None:
        self.kind = kind
        self.rows: Any = rows
        self.caches = caches

    def keys(self) -> list[Hashable]:
        """All, newest first."""
        return [one.metadata.name for one in self.caches[0].namespace("")]

    def find(self, key: Hashable) -> Resource | None:
        """The object of a name."""
        found: Resource | None = self.caches[0].get(str(key))
        return found

    def item(self, obj: Any) -> Item:
        """The list's row."""
        row = self.rows.row(obj)
        return Item(self.kind, obj.metadata, getattr(row.shown, "status", ""), row.encoded, (row.shown, obj))

    def touched(self, index: int, obj: Any) -> Iterable[Hashable]:  # noqa: ARG002  its type says it
        """The object itself; all classes, of which another may be the default now; a namespace's volumes."""
        match obj:
            case StorageClass():
                return {obj.metadata.name, *self.keys()}
            case Namespace():
                return [
                    one.metadata.name
                    for one in self.caches[0].namespace("")
                    if one.spec.claim_ref and one.spec.claim_ref.namespace == obj.metadata.name
                ]
        return [obj.metadata.name]


def _source(kind: str, site: Site) -> Source:
    if kind == "PVC":
        return ClaimSource(site.place.namespace, site.claims)
    if kind == "PV":
        rows = site.volumes
        return ClusterSource(kind, rows, (rows.volumes, rows.namespaces))
    return ClusterSource(kind, site.classes, (site.classes.classes,))


async def watch_storage(
    request: Request[Any, Any, Any], kind: str, site: Site, query: ListQuery, wanted: Wanted
) -> Response[Any]:
    """The rows of one type in one place as they are added, changed and removed.

    Raises:
        TooManyRequestsError: the caller listens to too many streams.
    """
    stream = Stream.of(request, site.place)

    def on_row(test: Callable[[Any], bool]) -> Callable[[Item], bool]:
        return lambda item: test(item.found[0])

    tests: list[Callable[[Item], bool]] = [on_row(test) for test in wanted.tests(kind)]
    if kind == "PV":
        tests.append(lambda item: site.may_see(item.found[1]))
    if (labels := query.labels) is not None:
        tests.append(lambda item: labels(item.metadata.labels or {}))
    last_id = request.headers.get("last-event-id", "")
    place = site.place if kind == "PVC" else site.whole
    followed = await feed(place, f"storage {kind}", lambda: _source(kind, site), last_id)
    return stream.answer(watch(followed, Filter(name=query.name, tests=tuple(tests)), last_id))
