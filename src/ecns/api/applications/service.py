"""What the operations of chapter 1.2 do, and those of 1.8 on applications.

Creating is all or nothing: every object is tried by Kubernetes first, then the Application is made, marked as
unfinished, and its members after it. If one fails, what was made is removed again; if ECNS itself is cut off,
the application is there to be seen, and the same request sent again completes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal, NamedTuple, cast
from weakref import WeakKeyDictionary

import msgspec

from ecns.api.applications import checks, installation, manifests, types
from ecns.api.applications.manifests import COMPANIONS, CONTROLLERS
from ecns.api.applications.manifests import request as public
from ecns.api.applications.members import Members, members_of
from ecns.api.applications.types import ApplicationInfo, CreateApplication, Description
from ecns.api.common import batches, marks
from ecns.api.common.applications import find_application
from ecns.api.common.lists import ListQuery, Selection, select
from ecns.api.common.making import complete
from ecns.api.common.names import MANAGED_BY, MANAGER
from ecns.api.common.objects import Objects
from ecns.api.common.waiting import all_of
from ecns.api.virtualmachines import manifests as machines
from ecns.api.virtualmachines.service import Planned, VirtualMachines
from ecns.api.workloads.manifests import PART_OF, WorkloadObjects
from ecns.api.workloads.service import Workloads
from ecns.api.workloads.types import ApplicationType, WorkloadBase
from ecns.backends.kubernetes.clusters import Cluster
from ecns.backends.kubernetes.errors import NotServedError
from ecns.backends.kubernetes.kinds.apps import StatefulSet
from ecns.backends.kubernetes.kinds.configuration import CONFIG_MAP
from ecns.backends.kubernetes.kinds.core import PERSISTENT_VOLUME_CLAIM, SERVICE
from ecns.backends.kubernetes.kinds.extensions import APPLICATION, Application
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind, Resource
from ecns.backends.kubernetes.kinds.networking import INGRESS
from ecns.backends.openstack.cloud import OpenStack
from ecns.errors import (
    ConflictError,
    EcnsError,
    NotFoundError,
    TooManyRequestsError,
    UpstreamError,
)
from ecns.identity.policy import Policy

Action = Literal["start", "stop", "recreate"]
Found = tuple[Kind[Any], Resource]

_making: WeakKeyDictionary[Cluster, set[str]] = WeakKeyDictionary()
"""Namespaces and names of the applications that this process makes just now."""


class _Plan(NamedTuple):
    """All objects of an application that is to be made."""

    application: JsonObject
    config_maps: list[JsonObject]
    workloads: list[WorkloadObjects]
    machines: list[Planned]

    def members(self) -> list[tuple[Kind[Any], str]]:
        """Kind and name of everything but the application, those that come first first."""
        found: list[tuple[Kind[Any], str]] = []
        for one in self.workloads:
            found.append((one.kind, one.controller.metadata.name))
            found += [(kind, dependant.metadata.name) for kind, dependant in one.dependants]
        return found + [(CONFIG_MAP, one["metadata"]["name"]) for one in self.config_maps]


class Applications:
    """The applications of one place, for one request.

    Args:
        objects: the place.
        registry_domain: the registry's name in image references.
        policy: what is done to a Hybrid application has rules of its own.
        openstack: where its virtual machines are.
    """

    def __init__(self, objects: Objects, registry_domain: str, policy: Policy, openstack: OpenStack) -> None:
        self.objects = objects
        self.policy = policy
        self.machines = VirtualMachines(objects, openstack)
        self.workloads = Workloads(objects, registry_domain, openstack)

    # Reading

    async def page(
        self, query: ListQuery, application_type: ApplicationType, status: str | None
    ) -> tuple[Selection, list[bytes]]:
        """The rows of a page, encoded; nothing where the cluster keeps no applications yet."""
        self._may("list", application_type)
        try:
            cache = await self.objects.cache(APPLICATION, fresh=query.fresh)
        except NotServedError:
            return Selection([], 0), []
        members = await self._members(fresh=query.fresh, hybrid=application_type == "Hybrid")

        def word(one: Application) -> str:
            return manifests.application_word(one, members.states(one))

        filters: list[Callable[[Application], bool]] = [
            lambda one: manifests.application_type(one) == application_type
        ]
        if status is not None:
            filters.append(lambda one: word(one) == status)
        selection = select(
            cache.namespace(self.objects.namespace),
            query,
            metadata=lambda one: one.metadata,
            sorts={"status": word},
            filters=filters,
        )
        return selection, [msgspec.json.encode(members.info(one)) for one in selection.items]

    async def show(self, name: str, application_type: ApplicationType | None = None) -> ApplicationInfo:
        """An application with its workloads and ConfigMaps.

        Raises:
            NotFoundError: it is not there, or is of the other type.
        """
        found = await self.find(name)
        if application_type not in {None, manifests.application_type(found)}:
            raise NotFoundError(f"{application_type} application {name!r} is not there")
        self._may("show", manifests.application_type(found))
        return await self.shown(found)

    async def shown(self, found: Application) -> ApplicationInfo:
        """An application as it is answered alone."""
        members = await self._members(hybrid=bool(machines.definitions(found)))
        labels = f"{PART_OF}={found.metadata.name}"
        listing = await self.objects.client.list(CONFIG_MAP.whole, self.objects.namespace, labels=labels)
        return members.info(found, listing.items)

    async def find(self, name: str) -> Application:
        """An application by name.

        Raises:
            NotFoundError: it is not there.
        """
        found = await find_application(self.objects, name)
        if found is None:
            raise NotFoundError(f"application {name!r} is not there")
        return found

    async def _members(self, *, fresh: bool = False, hybrid: bool) -> Members:
        return await members_of(
            self.objects, self.workloads.registry_domain, self.machines, fresh=fresh, hybrid=hybrid
        )

    # Creating

    async def create(
        self, sent: CreateApplication, product_type: str, *, key: str = ""
    ) -> ApplicationInfo | None:
        """Make an application with its ConfigMaps, workloads and virtual machines, or nothing.

        Virtual machines are made by Heat after this has answered; what fails then is told by their status.

        An application of which a request like this one has made a part is completed.

        Args:
            sent: the body.
            product_type: of the request.
            key: whose `Idempotency-Key` came with the request, and which: an application that was made with
                it is answered, not refused.

        Returns:
            The application; None when it was only tried.

        Raises:
            BadRequestError: ECNS or Kubernetes finds something wrong.
            ConflictError: it is there already, or something of it is.
            ForbiddenError: a quota is used up.
            NotSupportedError: the cluster cannot keep applications, or the cloud makes no virtual machines.
        """
        application = checks.application(sent, product_type)
        self._may("create", application.type or "Normal")
        begun = await self._begun(application, key)
        plan = await self._plan(application, product_type, key, begun)
        place, places = self.objects.place, self.objects.places
        await places.writing(place)
        await installation.ensure(place)
        if self.objects.dry_run:
            await self._try(plan)
            return None
        request = marks.digest(public(application), key)
        under_way = _making.setdefault(place.cluster, set())
        if (name := f"{place.namespace}/{application.name}") in under_way:
            raise ConflictError(f"application {application.name!r} is just being made")
        under_way.add(name)
        try:
            if begun is None:
                await self._try(plan)
            found = await self._make(plan, begun)
            await places.doubted(place, request)
        except (UpstreamError, TooManyRequestsError):
            await places.doubt(place, request)
            raise
        finally:
            under_way.discard(name)
        return await self.shown(found)

    async def _plan(
        self, application: types.Application, product_type: str, key: str, begun: Application | None
    ) -> _Plan:
        namespace = self.objects.namespace
        workloads = [
            await self.workloads.plan(workload, product_type, at=f"workloads[{place}]")
            for place, workload in enumerate(application.workloads or ())
        ]
        config_maps = [
            manifests.config_map_object(one, application.name, namespace)
            for one in application.configmaps or ()
        ]
        if application.type == "Hybrid":
            sources = await self.machines.sources(application.workloads or (), application.vm_network)
            for service in (service for one in workloads for service in one.services):
                service.spec.load_balancer_source_ranges = sources.get(service.metadata.name)
        planned: list[Planned] = []
        whole = begun is not None and not marks.creating(begun)
        if application.virtual_machines and application.vm_network and not whole:
            planned = await self.machines.plan(
                application.virtual_machines,
                application.vm_network,
                application.name,
                marks.digest(public(application)),
                again=begun is not None,
            )
        kept = [one.kept for one in planned]
        found = manifests.application_object(application, namespace, kept, key=key)
        return _Plan(found, config_maps, workloads, planned)

    async def _begun(self, application: types.Application, key: str) -> Application | None:
        """What a request like this one, or this very one, has made before, perhaps in part.

        Raises:
            ConflictError: an application of this name was made otherwise.
        """
        found = await find_application(self.objects, application.name)
        if found is None:
            return None
        request = marks.digest(public(application), key)
        if creating := marks.creating(found):
            if creating == marks.digest(public(application)):
                return found
        elif marks.request(found) == request and (
            key or await self.objects.places.doubted(self.objects.place, request)
        ):
            return found
        kind = manifests.application_type(found)
        raise ConflictError(
            f"a {kind} application named {application.name!r} exists; names are unique over both types"
        )

    async def _try(self, plan: _Plan) -> None:
        trial = self.objects if self.objects.dry_run else self.objects.trying()
        objects: list[tuple[Kind[Any], Any]] = [(APPLICATION, plan.application)]
        objects += [(CONFIG_MAP, one) for one in plan.config_maps]
        for one in plan.workloads:
            objects += [(one.kind, one.controller), *one.dependants]
        await self._all(trial.create(kind, obj) for kind, obj in objects)
        if self.objects.dry_run:  # otherwise Heat looks when it makes them
            await self._all(self.machines.try_(one) for one in plan.machines)

    async def _make(self, plan: _Plan, begun: Application | None) -> Application:
        """Make what is not there yet; if something fails, remove all of it.

        Raises:
            EcnsError: something failed; nothing is left, or the message says so.
        """
        found = begun or await self.objects.create(APPLICATION, plan.application)
        if not marks.creating(found):
            return found

        async def create(kind: Kind[Any], obj: Any) -> Any:
            try:
                return await self.objects.create(kind, obj)
            except ConflictError:
                # By the request that was cut off, or by the same one at another replica.
                name = obj["metadata"]["name"] if isinstance(obj, dict) else obj.metadata.name
                if (made := await self._made(kind, name, found)) is None:
                    raise
                return made

        async def workload(one: WorkloadObjects) -> None:
            controller = await create(one.kind, one.controller)
            await complete(one, controller, create)

        try:
            # First: what Heat finds wrong is told before anything else is made.
            await self._all(self.machines.make(one) for one in plan.machines)
            await self._all(create(CONFIG_MAP, one) for one in plan.config_maps)
            await self._all(workload(one) for one in plan.workloads)
            return await self.objects.change(APPLICATION, found.metadata.name, marks.finished)
        except EcnsError as error:
            try:
                await self._remove(plan, found)
            except EcnsError:
                error.message += (
                    f"; what was made before could not be removed again: application"
                    f" {found.metadata.name!r} is unfinished, send the same request again to complete it"
                )
            raise

    async def _made(self, kind: Kind[Any], name: str, application: Application) -> Resource | None:
        """An object that was made for an unfinished application."""
        try:
            found: Resource = await self.objects.client.get(kind, name, self.objects.namespace)
        except NotFoundError:
            return None
        metadata = found.metadata
        labels = metadata.labels or {}
        since = application.metadata.creation_timestamp or ""
        ours = (
            labels.get(PART_OF) == application.metadata.name
            and labels.get(MANAGED_BY) == MANAGER
            and (metadata.creation_timestamp or "") >= since
            and metadata.deletion_timestamp is None
        )
        return found if ours else None

    async def _remove(self, plan: _Plan, application: Application) -> None:
        """Remove what was made of a plan; the Application last, so that what is left can be seen.

        Raises:
            EcnsError: something could not be removed.
        """

        async def remove(kind: Kind[Any], name: str) -> None:
            if (made := await self._made(kind, name, application)) is not None:
                await self._gone(kind, made)

        await self._all(remove(kind, name) for kind, name in plan.members())
        if plan.machines:
            ours = {one.tags.request for one in plan.machines}
            for request in ours:
                await self.machines.delete(application=application.metadata.name, request=request)
        await self._gone(APPLICATION, application)

    # Changing

    async def describe(self, name: str, sent: Description) -> ApplicationInfo:
        """Change the description; without one there is nothing to do.

        Raises:
            NotFoundError: it is not there.
            ConflictError: somebody else changed it meanwhile.
        """
        found = await self.find(name)
        if not isinstance(new := sent.description, msgspec.UnsetType):
            found = await self.objects.change(APPLICATION, name, lambda whole: manifests.describe(whole, new))
        return await self.shown(found)

    async def act(self, name: str, action: Action) -> None:
        """Start, stop or redeploy all workloads and virtual machines of an application; else as it is.

        Raises:
            NotFoundError: it is not there.
            EcnsError: it failed for some of them, which the details name; the others are done.
        """
        application = await self.find(name)
        do = {"start": self.workloads.start, "stop": self.workloads.stop, "recreate": self.workloads.recreate}
        members = await self._labelled(name, CONTROLLERS)

        errors: dict[str, EcnsError] = {}

        async def one(kind: Kind[Any], member: Resource) -> None:
            try:
                await do[action](member.metadata.name, kind.kind)
            except NotFoundError:
                pass  # deleted meanwhile
            except EcnsError as error:
                errors[member.metadata.name] = error

        async def group(called: str) -> None:
            try:
                await self.machines.act(called, action)
            except EcnsError as error:
                errors[called] = error

        groups = machines.definitions(application)
        await self._all(
            [*(one(kind, member) for kind, member in members), *(group(called) for called in groups)]
        )
        if errors:
            failed = [
                batches.Failed(name=member, code=error.status, reason=error.message)
                for member, error in sorted(errors.items())
            ]
            first = errors[failed[0].name]
            first.message = (
                f"{len(failed)} of {len(members) + len(groups)} workloads could not be done;"
                f" {failed[0].name!r}: {first.message}"
            )
            first.details = {**first.details, "workloads": msgspec.to_builtins(failed)}
            raise first

    # Deleting

    async def delete(self, name: str, parts: frozenset[str]) -> None:
        """Delete an application; the Application itself goes last, so that what failed can be repeated.

        Args:
            name: which.
            parts: what goes with it: `workload`, `service`, `all`. What stays is no longer part of it.

        Raises:
            NotFoundError: it is not there.
        """
        application = await self.find(name)
        self._may("delete", manifests.application_type(application))
        found = await self._labelled(name, (*CONTROLLERS, *COMPANIONS))
        going = set(COMPANIONS) if "all" in parts else {SERVICE, INGRESS} if "service" in parts else set()
        if parts:
            going |= set(CONTROLLERS)
        controllers = [one for one in found if one[0] in CONTROLLERS and one[0] in going]
        gone = {controller.metadata.uid for _, controller in controllers}
        faces = {SERVICE, INGRESS} & going
        staying = [
            (kind, one)
            for kind, one in found
            if kind not in going and (kind in {SERVICE, INGRESS} or not _owners(one) & gone)
        ]
        if _has_machines(application):
            if parts:
                # First: what is to use them goes with them, and if it takes too long the rest is still there.
                await self.machines.delete(application=name)
            else:
                await self.machines.leave(name)
        claims = await self._claims(controllers) if "all" in parts else []
        await self._all(self._leave(kind, one, name) for kind, one in staying)
        await self._all(self._delete(kind, one, with_services=bool(faces)) for kind, one in controllers)
        others = [one for one in found if one[0] in going and one[0] not in CONTROLLERS]
        await self._all(self._gone(kind, one) for kind, one in [*others, *claims])
        owned = any(application.metadata.uid in _owners(one) for _, one in found)
        await self._gone(APPLICATION, application, orphan=owned)

    async def _labelled(self, name: str, kinds: Iterable[Kind[Any]]) -> list[Found]:
        """What is part of an application, as the cluster itself has it now."""

        async def of(kind: Kind[Any]) -> list[Found]:
            labels = f"{PART_OF}={name}"
            listing = await self.objects.client.list(kind, self.objects.namespace, labels=labels)
            return [(kind, one) for one in listing.items]

        return [one for found in await self._all(of(kind) for kind in kinds) for one in found]

    async def _claims(self, controllers: Iterable[Found]) -> list[Found]:
        """The claims that StatefulSets made; Kubernetes keeps them when the StatefulSet goes."""
        patterns = [
            rf"{re.escape(template.metadata.name)}-{re.escape(controller.metadata.name)}-\d+"
            for _, controller in controllers
            if isinstance(controller, StatefulSet)
            for template in controller.spec.volume_claim_templates or ()
        ]
        if not patterns:
            return []
        called = re.compile("|".join(patterns))
        listing = await self.objects.client.list(PERSISTENT_VOLUME_CLAIM, self.objects.namespace)
        return [
            (PERSISTENT_VOLUME_CLAIM, claim)
            for claim in listing.items
            if called.fullmatch(claim.metadata.name) and PART_OF not in (claim.metadata.labels or {})
        ]

    async def _delete(self, kind: Kind[Any], controller: Resource, *, with_services: bool) -> None:
        base = WorkloadBase(name=controller.metadata.name, type=cast("Any", kind.kind))
        with contextlib.suppress(NotFoundError):
            await self.workloads.delete(base, policy=None, force=False, with_services=with_services)

    async def _leave(self, kind: Kind[Any], one: Resource, name: str) -> None:
        with contextlib.suppress(NotFoundError):
            await self.objects.change(kind, one.metadata.name, lambda whole: marks.detach(whole, name))

    async def _gone(self, kind: Kind[Any], one: Resource, *, orphan: bool = False) -> None:
        with contextlib.suppress(NotFoundError):
            await self.objects.delete(
                kind,
                one.metadata.name,
                uid=one.metadata.uid,
                propagation="Orphan" if orphan else "Background",
            )

    # Throughout

    async def _all(self, calls: Iterable[Awaitable[Any]]) -> list[Any]:
        """As `all_of`, a few at a time: an application may not take all of a cluster's connections."""
        gate = asyncio.Semaphore(batches.PARALLEL)

        async def one(call: Awaitable[Any]) -> Any:
            async with gate:
                return await call

        return await all_of(*(one(call) for call in calls))

    def _may(self, verb: str, application_type: ApplicationType) -> None:
        """Hybrid applications have rules of their own beside those of the route."""
        if application_type == "Hybrid":
            caller = self.objects.place.caller
            self.policy.check(f"hybrid.{verb}", caller, {"project_id": caller.project_id})


def _has_machines(application: Application) -> bool:
    return bool(machines.definitions(application))


def _owners(one: Resource) -> set[str]:
    return {owner.uid for owner in one.metadata.owner_references or ()}
