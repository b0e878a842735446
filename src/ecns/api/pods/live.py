"""The pods of a namespace as they change."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from litestar import Request, Response

from ecns.api.common.feeds import Filter, Item, feed, watch
from ecns.api.common.lists import ListQuery
from ecns.api.common.streams import Stream, encode
from ecns.api.pods import manifests
from ecns.api.pods.service import Pods
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.kinds.pods import POD_ROW, PodRow


class PodSource:
    """How the rows of the pods of a namespace are made.

    Args:
        namespace: which.
        pods: the cache.
        registry_domain: where images of source `ecns` are.
    """

    own = 1

    def __init__(self, namespace: str, pods: Cache[PodRow], registry_domain: str) -> None:
        self.namespace = namespace
        self.registry_domain = registry_domain
        self.caches = (pods,)

    def keys(self) -> list[Hashable]:
        """All pods, newest first."""
        return [one.metadata.name for one in self.caches[0].namespace(self.namespace)]

    def find(self, key: Hashable) -> PodRow | None:
        """The pod of a name."""
        return self.caches[0].get(str(key), self.namespace)

    def item(self, obj: PodRow) -> Item:
        """The list's row of a pod."""
        row = manifests.row(obj, self.registry_domain)
        return Item("Pod", obj.metadata, row.status, encode(row))

    def touched(self, index: int, obj: PodRow) -> list[Hashable]:  # noqa: ARG002  there is one cache
        """The pod itself."""
        return [obj.metadata.name]


async def watch_pods(
    request: Request[Any, Any, Any], pods: Pods, query: ListQuery, *, status: str | None
) -> Response[Any]:
    """The list's rows as they are added, changed and removed.

    Raises:
        TooManyRequestsError: the caller listens to too many streams.
    """
    objects = pods.objects
    stream = Stream.of(request, objects.place)
    cache = await objects.cache(POD_ROW)
    last_id = request.headers.get("last-event-id", "")
    followed = await feed(
        objects.place,
        "pods",
        lambda: PodSource(objects.namespace, cache, pods.registry_domain),
        last_id,
    )
    tests: list[Callable[[Item], bool]] = []
    if (labels := query.labels) is not None:
        tests.append(lambda item: labels(item.metadata.labels or {}))
    if status is not None:
        tests.append(lambda item: item.status == status)
    return stream.answer(watch(followed, Filter(name=query.name, tests=tuple(tests)), last_id))
