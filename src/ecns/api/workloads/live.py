"""The workloads of a namespace as they change: which change touches which of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, cast

from litestar import Request, Response

from ecns.api.common.feeds import Feed, Filter, Item, feed, watch
from ecns.api.common.lists import ListQuery, merged
from ecns.api.common.streams import Stream
from ecns.api.workloads import manifests
from ecns.api.workloads.cached import Surroundings
from ecns.api.workloads.manifests import routes
from ecns.api.workloads.service import KINDS, Workloads
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.kinds.apps import Controller, ReplicaSet
from ecns.backends.kubernetes.kinds.autoscaling import HorizontalPodAutoscaler
from ecns.backends.kubernetes.kinds.core import Node, PersistentVolumeClaim, Service
from ecns.backends.kubernetes.kinds.meta import Resource
from ecns.backends.kubernetes.kinds.networking import Ingress
from ecns.backends.kubernetes.kinds.pods import PodRow

Key = tuple[str, str]
"""Kind and name of a workload."""


class WorkloadSource:
    """How the rows of the workloads of a namespace are made.

    Args:
        namespace: which.
        controllers: the caches of the three kinds.
        around: what stands around workloads.
    """

    def __init__(self, namespace: str, controllers: list[Cache[Any]], around: Surroundings) -> None:
        self.namespace = namespace
        self.around = around
        self.own = len(controllers)
        self.caches = (
            *controllers,
            around.replica_sets,
            around.pods,
            around.services,
            around.ingresses,
            around.autoscalers,
            around.claims,
            around.nodes,
        )
        self._controllers = dict(zip(KINDS, controllers, strict=True))
        movable = (around.services, around.ingresses, around.autoscalers)
        self._before: dict[str, Resource] = {
            obj.metadata.uid: obj
            for cache in (*movable, around.nodes)
            for obj in cache.namespace(namespace if cache.kind.namespaced else "")
        }
        """What may belong to another workload after a change, as it was."""

    def keys(self) -> list[Hashable]:
        """All workloads, newest first."""
        views = [cache.namespace(self.namespace) for cache in self._controllers.values()]
        return [_key(one) for one in merged(views, lambda one: one.metadata)]

    def find(self, key: Hashable) -> Controller | None:
        """A workload's controller."""
        kind, name = cast("Key", key)
        found: Controller | None = self._controllers[kind].get(name, self.namespace)
        return found

    def item(self, obj: Controller) -> Item:
        """The list's row of a workload."""
        row = self.around.row(obj)
        return Item(type(obj).__name__, obj.metadata, row.status, row.encoded)

    def touched(self, index: int, obj: Any) -> Iterable[Hashable]:
        """The workloads that show something of an object, or did so before."""
        if index < self.own:
            return [_key(obj)]
        match obj:
            case ReplicaSet() | PodRow():
                return list(self._owners(obj))
            case Service() | Ingress() | HorizontalPodAutoscaler():
                before = self._before.get(obj.metadata.uid, obj)
                self._before[obj.metadata.uid] = obj
                return {*self._led_to(before), *self._led_to(obj)}
            case Node():
                known = self._before.get(obj.metadata.uid)
                self._before[obj.metadata.uid] = obj
                if isinstance(known, Node) and known.status.addresses == obj.status.addresses:
                    return ()
                return [_key(one) for one in self._all() if self.around.companions(one).services]
            case PersistentVolumeClaim():
                return [_key(one) for one in self._all() if _claims(one, obj.metadata.name)]
        return ()

    def _all(self) -> Iterator[Controller]:
        for cache in self._controllers.values():
            yield from cache.namespace(self.namespace)

    def _owners(self, obj: Resource) -> Iterator[Key]:
        """The workloads that an object belongs to, through ReplicaSets too."""
        for owner in obj.metadata.owner_references or ():
            if owner.kind in KINDS:
                yield owner.kind, owner.name
            elif owner.kind == "ReplicaSet" and (
                one := self.around.replica_sets.get(owner.name, self.namespace)
            ):
                yield from self._owners(one)

    def _led_to(self, obj: Resource) -> Iterator[Key]:
        """The workloads that something leads to or scales."""
        match obj:
            case HorizontalPodAutoscaler():
                target = obj.spec.scale_target_ref
                if target.kind in KINDS:
                    yield target.kind, target.name
            case Service():
                yield from (_key(one) for one in self._all() if manifests.service_belongs(obj, one))
            case Ingress():
                for _, _, backend in routes.of_services(obj):
                    if service := self.around.services.get(backend.name, self.namespace):
                        yield from self._led_to(service)


def _key(one: Controller) -> Key:
    return type(one).__name__, one.metadata.name


def _claims(one: Controller, name: str) -> bool:
    volumes = one.spec.template.spec.volumes or ()
    return any(
        volume.persistent_volume_claim is not None and volume.persistent_volume_claim.claim_name == name
        for volume in volumes
    )


async def followed(workloads: Workloads, last_id: str = "", *, filled: bool = True) -> Feed:
    """The feed of the workloads of a place; see `feed`.

    Raises:
        UpstreamError: the cluster does not answer.
    """
    objects = workloads.objects
    controllers, around = await asyncio.gather(
        objects.caches(*KINDS.values()), Surroundings.of(objects, workloads.registry_domain)
    )
    return await feed(
        objects.place,
        "workloads",
        lambda: WorkloadSource(objects.namespace, controllers, around),
        last_id,
        filled=filled,
    )


async def watch_workloads(
    request: Request[Any, Any, Any],
    workloads: Workloads,
    query: ListQuery,
    *,
    workload_type: str | None,
    status: str | None,
    application: str | None,
) -> Response[Any]:
    """The list's rows as they are added, changed and removed.

    Raises:
        TooManyRequestsError: the caller listens to too many streams.
    """
    stream = Stream.of(request, workloads.objects.place)
    tests: list[Callable[[Item], bool]] = []
    if (labels := query.labels) is not None:
        tests.append(lambda item: labels(item.metadata.labels or {}))
    if status is not None:
        tests.append(lambda item: item.status == status)
    if application is not None:
        tests.append(lambda item: (item.metadata.labels or {}).get(manifests.PART_OF) == application)
    last_id = request.headers.get("last-event-id", "")
    wanted = Filter(name=query.name, kind=workload_type, tests=tuple(tests))
    return stream.answer(watch(await followed(workloads, last_id), wanted, last_id))
