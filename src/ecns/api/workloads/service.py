"""What the operations of chapter 1.21 do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ecns.api.common import marks
from ecns.api.common.applications import need_application
from ecns.api.common.lists import ListQuery, Page, Selection, kept_page, merged, select
from ecns.api.common.making import Making
from ecns.api.common.objects import Objects, Operations
from ecns.api.common.taken import alone
from ecns.api.common.waiting import all_of
from ecns.api.loadbalancing.profiles import Balancing
from ecns.api.workloads import aspects, checks, manifests
from ecns.api.workloads.cached import AROUND, Surroundings
from ecns.api.workloads.manifests import access
from ecns.api.workloads.types import Workload, WorkloadBase, WorkloadDetail
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.client import Propagation
from ecns.backends.kubernetes.kinds.apps import (
    CONTROLLER_REVISION,
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    Controller,
    ControllerRevision,
    Deployment,
    ReplicaSet,
)
from ecns.backends.kubernetes.kinds.core import EVENT, SERVICE
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind, Resource
from ecns.backends.kubernetes.kinds.networking import INGRESS
from ecns.backends.kubernetes.kinds.pods import POD_ROW
from ecns.backends.openstack.cloud import OpenStack
from ecns.errors import (
    ConflictError,
    NotFoundError,
)

KINDS: dict[str, Kind[Any]] = {kind.kind: kind for kind in (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)}


class Workloads:
    """The workloads of one place, for one request.

    Args:
        objects: the place.
        registry_domain: the registry's name in image references.
        openstack: where load balancers are.
    """

    def __init__(self, objects: Objects, registry_domain: str, openstack: OpenStack) -> None:
        self.objects = objects
        self.registry_domain = registry_domain
        self.balancing = Balancing(openstack, objects.place)

    # Reading

    async def page(
        self, query: ListQuery, *, workload_type: str | None, status: str | None, application: str | None
    ) -> Page:
        """A page of all three kinds or of one."""
        kinds = [KINDS[workload_type]] if workload_type else list(KINDS.values())
        caches = await self.objects.caches(*kinds, *AROUND, fresh=query.fresh)
        around = Surroundings(self.objects.place.cluster, caches[len(kinds) :], self.registry_domain)
        where = self.objects.namespace

        def make() -> Page:
            selection = self._select(caches[: len(kinds)], around, query, status, application)
            return Page(b",".join([around.row(one).encoded for one in selection.items]), selection.total)

        return kept_page(
            self.objects.place.cluster,
            ("workloads", where, workload_type, status, application, query.key),
            tuple(cache.generation(where if cache.kind.namespaced else "") for cache in caches),
            make,
        )

    def _select(
        self,
        caches: Sequence[Cache[Any]],
        around: Surroundings,
        query: ListQuery,
        status: str | None,
        application: str | None,
    ) -> Selection:
        views = [cache.namespace(self.objects.namespace) for cache in caches]
        filters: list[Callable[[Controller], bool]] = []
        if application is not None:
            filters.append(lambda one: (one.metadata.labels or {}).get(manifests.PART_OF) == application)
        if status is not None:
            filters.append(lambda one: around.row(one).status == status)
        return select(
            merged(views, lambda one: one.metadata),
            query,
            metadata=lambda one: one.metadata,
            sorts={"status": lambda one: around.row(one).status, "type": lambda one: type(one).__name__},
            filters=filters,
        )

    async def show(self, name: str, workload_type: str | None) -> WorkloadDetail:
        """A workload with its conditions, events and revisions."""
        kind, controller = await self.find(name, workload_type)
        around, events, history = await asyncio.gather(
            Surroundings.of(self.objects, self.registry_domain),
            self.objects.client.list(EVENT, self.objects.namespace),
            self.history(kind, controller),
        )
        companions = around.companions(controller)
        about = {controller.metadata.uid, *(pod.metadata.uid for pod in companions.pods)}
        if isinstance(controller, Deployment):
            about |= {one.metadata.uid for one in history}
        mine = [event for event in events.items if event.involved_object.uid in about]
        companions.reasons = manifests.why_not_ready(controller, companions.pods, mine)
        workload = manifests.workload(controller, companions, registry_domain=self.registry_domain)
        workload.access_mode = await self.balancing.shown(workload.access_mode or ())
        return WorkloadDetail(
            conditions=manifests.conditions(controller.status.conditions),
            events=manifests.events(mine),
            revisions=manifests.revisions(controller, history),
            workload=workload,
        )

    async def workload(self, name: str, workload_type: str | None) -> Workload:
        """A workload as it is now."""
        _, controller = await self.find(name, workload_type)
        return await self.shown(controller)

    async def shown(self, controller: Controller) -> Workload:
        """A workload as its users see it."""
        around = await Surroundings.of(self.objects, self.registry_domain)
        return manifests.workload(
            controller, around.companions(controller), registry_domain=self.registry_domain
        )

    async def find(self, name: str, workload_type: str | None) -> tuple[Kind[Any], Controller]:
        """A workload by name; without a type, the one of this name over all three.

        Raises:
            NotFoundError: there is none.
        """
        kinds = [KINDS[workload_type]] if workload_type else list(KINDS.values())
        found = await asyncio.gather(
            *(self.objects.client.get(kind, name, self.objects.namespace) for kind in kinds),
            return_exceptions=True,
        )
        for kind, one in zip(kinds, found, strict=True):
            if not isinstance(one, BaseException):
                return kind, one
        for error in found:
            if isinstance(error, BaseException) and not isinstance(error, NotFoundError):
                raise error
        raise NotFoundError(f"{workload_type or 'workload'} {name!r} is not there")

    async def history(
        self, kind: Kind[Any], controller: Controller
    ) -> Sequence[ReplicaSet] | Sequence[ControllerRevision]:
        """The objects that keep a workload's revisions."""
        uid = controller.metadata.uid
        if kind is DEPLOYMENT:
            cache = await self.objects.cache(REPLICA_SET)
            return list(cache.index(indexes.OWNER, uid))
        listed = await self.objects.client.list(CONTROLLER_REVISION, self.objects.namespace)
        return [one for one in listed.items if marks.owned_by(one, uid)]

    # Creating

    async def create(self, workload: Workload, product_type: str, *, at: str, key: str = "") -> Workload:
        """Make a workload with everything that belongs to it, or nothing.

        A workload of which a request like this one has made a part is completed.

        Args:
            workload: what was sent.
            product_type: of the request.
            at: where in the request it is, for messages.
            key: whose `Idempotency-Key` came with the request, and which: a workload that was made with it
                is answered, not refused.

        Raises:
            BadRequestError: ECNS or Kubernetes finds it wrong, or its application is not there.
            ConflictError: a workload of this name exists, of whatever type, or one of its objects does.
        """
        planned = await self.plan(workload, product_type, at=at)
        await need_application(self.objects, workload.application_name, f"{at}.application_name")
        called = [one.metadata.name for one in planned.services]
        modes = enumerate(workload.access_mode or ())
        claims = [one for index, mode in modes for one in access.claims(mode, f"{at}.access_mode[{index}]")]
        async with alone(self.objects, claims, services=called, ingresses=called) as check:
            making = Making(self.objects, "workload", check)
            return await making.make(planned, workload, self.shown, key=key)

    async def plan(self, workload: Workload, product_type: str, *, at: str) -> manifests.WorkloadObjects:
        """The objects that a workload is to be made of.

        Raises:
            BadRequestError: ECNS finds it wrong.
            ConflictError: a workload of this name and another type exists.
        """
        workload = checks.check_workload(workload, product_type, at=at)
        await self._unique(workload.workload_base)
        modes = await self.balancing.chosen(workload.access_mode or (), f"{at}.access_mode[#]")
        workload = msgspec.structs.replace(workload, access_mode=modes or workload.access_mode)
        return manifests.objects(
            workload, namespace=self.objects.namespace, registry_domain=self.registry_domain
        )

    async def _unique(self, base: WorkloadBase) -> None:
        caches = await self.objects.caches(*KINDS.values())
        for kind, cache in zip(KINDS.values(), caches, strict=True):
            if kind.kind != base.type and cache.get(base.name, self.objects.namespace) is not None:
                raise ConflictError(
                    f"a {kind.kind} named {base.name!r} exists; names of workloads are unique"
                )

    # Changing one aspect

    async def change(
        self, name: str, workload_type: str | None, build: Callable[[JsonObject, str], Operations]
    ) -> Workload:
        """Change one aspect of a workload: patch what `build` says of the whole object and its kind.

        Raises:
            NotFoundError: it is not there.
            ConflictError: somebody else changed the same aspect meanwhile.
        """
        kind = await self.kind(name, workload_type)
        changed = await self.objects.change(kind, name, lambda whole: build(whole, kind.kind))
        return await self.shown(changed)

    async def kind(self, name: str, workload_type: str | None) -> Kind[Any]:
        """The kind of a workload; without a type it is looked for."""
        if workload_type:
            return KINDS[workload_type]
        return (await self.find(name, None))[0]

    # Stopping, starting, deleting

    async def stop(self, name: str, workload_type: str | None) -> Workload:
        """No replicas, and remember how many there were; nothing to do when stopped."""
        return await self.change(name, workload_type, aspects.stop)

    async def start(self, name: str, workload_type: str | None) -> Workload:
        """As many replicas as before it was stopped; nothing to do when it is not stopped."""
        return await self.change(name, workload_type, aspects.start)

    async def recreate(self, name: str, workload_type: str | None) -> Workload:
        """Replace every pod, as `kubectl rollout restart` does."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return await self.change(
            name, workload_type, lambda whole, kind_name: aspects.recreate(whole, kind_name, now)
        )

    async def attach(self, base: WorkloadBase, application: str) -> Workload:
        """Make a workload a member of an application.

        Raises:
            ConflictError: it is a member of another one.
        """
        return await self.change(base.name, base.type, lambda whole, _: marks.attach(whole, application))

    async def detach(self, base: WorkloadBase, application: str) -> Workload:
        """Let a workload leave an application; nothing to do when it is no member."""
        return await self.change(base.name, base.type, lambda whole, _: marks.detach(whole, application))

    async def delete(
        self, base: WorkloadBase, *, policy: Propagation | None, force: bool, with_services: bool
    ) -> None:
        """Delete a workload with what belongs to it.

        Args:
            base: name and type.
            policy: Kubernetes' propagation policy; Background if None.
            force: its pods end at once.
            with_services: its Services and Ingresses go too; otherwise they stay.
        """
        kind, controller = await self.find(base.name, base.type)
        around = await Surroundings.of(self.objects, self.registry_domain)
        companions = around.companions(controller)
        uid = controller.metadata.uid
        faces: list[tuple[Kind[Any], Resource]] = [
            *((SERVICE, service) for service in companions.services),
            *((INGRESS, ingress) for ingress in companions.ingresses),
        ]
        if not with_services:
            await all_of(
                *(
                    self._let_go(one, face.metadata.name, uid)
                    for one, face in faces
                    if marks.owned_by(face, uid)
                )
            )
        await self.objects.delete(kind, base.name, uid=uid, propagation=policy or "Background")
        removals = []
        if with_services:
            removals += [self._gone(one, face.metadata.name) for one, face in faces]
        if force:
            removals += [self._gone(POD_ROW, pod.metadata.name, force=True) for pod in companions.pods]
        await all_of(*removals)

    async def _let_go(self, kind: Kind[Any], name: str, uid: str) -> None:
        """Take an owner from an object, so that it stays when the owner goes."""

        def build(whole: JsonObject) -> Operations:
            owners = whole["metadata"].get("ownerReferences") or []
            left = [owner for owner in owners if owner["uid"] != uid]
            if left == owners:
                return []
            path = "/metadata/ownerReferences"
            return [
                {"op": "test", "path": path, "value": owners},
                {"op": "replace", "path": path, "value": left},
            ]

        with contextlib.suppress(NotFoundError):
            await self.objects.change(kind, name, build)

    async def _gone(self, kind: Kind[Any], name: str, *, force: bool = False) -> None:
        with contextlib.suppress(NotFoundError):
            await self.objects.delete(kind, name, force=force)
