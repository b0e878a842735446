"""What the operations of chapter 1.8 do to groups of virtual machines.

A group is a stack in the project of its namespace, made and asked for with the caller's own token; its tags
say which place, application and group it is. Nothing of it is kept here: a list is one question to each of
Heat, Nova and Octavia, whatever its length, and what is remembered stands with the application.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace

from ecns.api.common.objects import Objects
from ecns.api.common.waiting import all_of, few_of, until
from ecns.api.virtualmachines import losses, manifests, templates
from ecns.api.virtualmachines.leftovers import DEPTH, Leftovers
from ecns.api.virtualmachines.references import References
from ecns.api.virtualmachines.removal import SEEN_SECONDS, Removal
from ecns.api.virtualmachines.templates import Definition, Tags
from ecns.api.virtualmachines.types import VirtualMachine, VmNetwork, VmStatus
from ecns.backends.kubernetes.errors import NotServedError
from ecns.backends.kubernetes.kinds.extensions import APPLICATION, Application
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.heat import Stack
from ecns.backends.openstack.nova import Server
from ecns.backends.openstack.octavia import LoadBalancer
from ecns.errors import (
    ConflictError,
    EcnsError,
    ForbiddenError,
    NotFoundError,
)

Action = Literal["start", "stop", "recreate"]

LATELY = timedelta(days=1)
"""How long what is gone is asked for."""
NOT_OWN = (
    "virtual machines are in the project of the namespace, which is another one than this token's:"
    " use a token of that project"
)


class Planned(NamedTuple):
    """A group that is to be made."""

    stack: str
    """Its name."""
    body: dict[str, Any]
    """What Heat is told."""
    kept: Definition
    tags: Tags


class Found(NamedTuple):
    """A stack of this place."""

    tags: Tags
    stack: Stack


class Seen(NamedTuple):
    """What OpenStack says of the groups of a place."""

    groups: list[Found]
    servers: Mapping[str, list[Server]]
    """By the id of their stack."""
    stalled: Mapping[str, str]
    """What is said of stacks, by their ids, that Heat may have left in the middle."""
    balancers: Mapping[str, LoadBalancer]
    """By their description, which says of which stack they are."""


class VirtualMachines:
    """The groups of one place, for one request.

    Args:
        objects: the place.
        openstack: where they are.

    Every method raises, apart from what it names itself:
        ForbiddenError: the namespace is of another project than the token.
        NotSupportedError: the cloud has no Heat, Nova or what else is needed.
        UpstreamError: one of them does not answer.
    """

    def __init__(self, objects: Objects, openstack: OpenStack) -> None:
        self.objects = objects
        self.openstack = openstack
        self.token = objects.place.caller.token
        self.place = templates.place(objects.place.cluster.name, objects.namespace)

    # Reading

    async def all(self, *, fresh: bool = False) -> list[VmStatus]:
        """All groups, newest first; those of applications whose stack is not there, too."""
        await self._own()
        try:
            cache = await self.objects.cache(APPLICATION, fresh=fresh)
            applications: Sequence[Application] = list(cache.namespace(self.objects.namespace))
        except NotServedError:
            applications = []
        seen = await self.seen()
        found = [row for one in applications for row in self.of(one, seen)]
        known = {(row.application_name, row.name) for row in found}
        alone = [one for one in seen.groups if (one.tags.application, one.tags.name) not in known]
        found += await few_of(self._alone(one, seen) for one in alone)
        return sorted(
            sorted(found, key=lambda one: one.name), key=lambda one: one.creation_time, reverse=True
        )

    async def show(self, name: str) -> VmStatus:
        """One group.

        Raises:
            NotFoundError: it is not there.
        """
        for one in await self.all():
            if one.name == name:
                return one
        raise _not_there(name)

    async def exists(self, name: str) -> bool:
        """Whether Heat has a group of this name."""
        await self._own()
        return await self._named(name) is not None

    async def seen(self) -> Seen:
        """What OpenStack says of all groups."""
        await self._own()
        caller = self.objects.place.caller

        async def balancers() -> Sequence[LoadBalancer]:
            try:
                return await self.openstack.octavia.load_balancers(caller.token, caller.project_id)
            except EcnsError:
                return ()  # what can be said without is said

        groups, servers, found = await all_of(
            self._stacks(), self.openstack.nova.servers(self.token), balancers()
        )
        by_stack: dict[str, list[Server]] = {}
        for server in servers:
            by_stack.setdefault(server.metadata.get(templates.STACK_METADATA, ""), []).append(server)
        return Seen(groups, by_stack, await self._stalled(groups), manifests.balancers(found))

    async def _stalled(self, groups: Sequence[Found]) -> dict[str, str]:
        now = datetime.now(UTC)

        async def one(stack: Stack) -> tuple[str, str]:
            last = await self.openstack.heat.last_event(self.token, stack.stack_name, stack.id, DEPTH)
            return stack.id, manifests.stalled(stack, last, now)

        slow = [found.stack for found in groups if manifests.stalled(found.stack, None, now)]
        return dict(await few_of(one(stack) for stack in slow))

    def of(self, application: Application, seen: Seen | EcnsError) -> list[VmStatus]:
        """The groups of an application; what nobody could be asked about is Unknown, with the reason."""
        kept = manifests.definitions(application)
        metadata = application.metadata
        name, created = metadata.name, metadata.creation_timestamp or ""
        if isinstance(seen, EcnsError):
            return [manifests.unseen(group, name, created, one, seen.message) for group, one in kept.items()]
        groups = {one.tags.name: one for one in seen.groups if one.tags.application == name}
        return [
            self._status(groups[group], one, seen)
            if group in groups
            else manifests.missing(group, name, created, one)
            for group, one in kept.items()
        ]

    def _status(self, found: Found, kept: Definition | None, seen: Seen) -> VmStatus:
        tags, stack = found
        servers = seen.servers.get(stack.id, [])
        balancers = seen.balancers
        balancer = balancers.get(templates.mark(stack.id)) or balancers.get(stack.stack_name)
        stalled = seen.stalled.get(stack.id, "")
        return manifests.group(tags, stack, kept, servers, balancer, stalled=stalled)

    async def _alone(self, found: Found, seen: Seen) -> VmStatus:
        """A group whose application does not know it (any more): its stack remembers what it is."""
        try:
            stack = await self.openstack.heat.stack(self.token, found.stack.stack_name, found.stack.id)
            kept = templates.recalled(stack.parameters)
        except NotFoundError:
            kept = None
        return self._status(found, kept, seen)

    # Making

    async def plan(
        self,
        machines: Sequence[VirtualMachine],
        network: VmNetwork,
        application: str,
        request: str,
        *,
        again: bool = False,
    ) -> list[Planned]:
        """What is to be made of the machines of an application.

        Args:
            machines: checked.
            network: where they are to be.
            application: its name.
            request: the digest of the request.
            again: a part of it was made before.

        Raises:
            BadRequestError: something that is named is not there; `field` says what.
            ForbiddenError: a quota does not leave enough.
            ConflictError: there is a group of one of these names.
        """
        await self._own()
        place = self.objects.place
        references = References(self.openstack, place.caller)
        resolved, groups = await all_of(
            references.resolve(machines, network, quota=not again), self._stacks()
        )
        taken = {one.tags.name: one.tags for one in groups}
        planned: list[Planned] = []
        for machine, one in zip(machines, resolved, strict=True):
            if (tags := taken.get(machine.name)) is not None and not (again and tags.request == request):
                raise ConflictError(
                    f"virtual machines {machine.name!r} exist, of application {tags.application!r};"
                    " names are unique in a namespace"
                )
            name = templates.stack_name(place.cluster.name, place.namespace, machine.name)
            kept = templates.definition(machine, network, one)
            tags = Tags(
                project=place.caller.project_id,
                place=self.place,
                namespace=place.namespace,
                application=application,
                name=machine.name,
                replicas=machine.replicas,
                generation=0,
                request=request,
            )
            body = templates.stack(name, machine, kept, one, user_data=machine.user_data or "")
            planned.append(Planned(name, {**body, "tags": templates.tags(tags)}, kept, tags))
        return planned

    async def security_groups(self, called: Mapping[str, Sequence[str]]) -> None:
        """As `References.security_groups`."""
        if any(called.values()):
            await self._own()
            await References(self.openstack, self.objects.place.caller).security_groups(called)

    async def try_(self, planned: Planned) -> None:
        """See whether Heat would make a group."""
        await self.openstack.heat.preview(self.token, planned.stack, **planned.body)

    async def make(self, planned: Planned) -> None:
        """Let Heat make a group; one that this request has made before is left.

        Raises:
            ConflictError: there is another one of this name.
        """
        try:
            await self.openstack.heat.create(self.token, planned.stack, **planned.body)
        except ConflictError:
            found = await self._named(planned.tags.name)
            if found is None or found.tags.request != planned.tags.request:
                raise

    # Changing

    async def act(self, name: str, action: Action) -> None:
        """Start, stop or make anew all machines of a group; what is so already is left so.

        Starting a group that failed lets Heat try again, and one that Heat left in the middle go on;
        machines that are in ERROR, or that somebody has removed, are made anew.

        Raises:
            NotFoundError: it is not there.
            ConflictError: something is being done with it.
        """
        await self._own()
        found = await self._settled(name, going_on=action == "start")
        if action == "recreate" or (action == "start" and await self._broken(found)):
            anew = found.tags.generation + (action == "recreate")
            await self._update(found, generation=anew)
            return
        verb: Literal["os-start", "os-stop"] = "os-start" if action == "start" else "os-stop"
        state = {"start": "SHUTOFF", "stop": "ACTIVE"}[action]
        mine = [one for one in await self._servers(found.stack.id) if one.status == state]
        if not self.objects.dry_run:
            await few_of(self.openstack.nova.act(self.token, server.id, verb) for server in mine)

    async def scale(self, name: str, replicas: int) -> None:
        """Let a group have so many machines; those that it keeps are not touched, the last ones go first.

        Raises:
            NotFoundError: it is not there.
            ConflictError: something is being done with it.
            ForbiddenError: a quota does not leave enough.
        """
        await self._own()
        found = await self._settled(name)
        if (more := replicas - found.tags.replicas) > 0:
            stack = await self.openstack.heat.stack(self.token, found.stack.stack_name, found.stack.id)
            if (kept := templates.recalled(stack.parameters)) is not None:
                references = References(self.openstack, self.objects.place.caller)
                await references.room(replace(kept.machine, replicas=more))
        if replicas != found.tags.replicas or found.stack.stack_status.endswith("_FAILED"):
            await self._update(found, replicas=replicas)

    async def _update(self, found: Found, **changed: int) -> None:
        """Let Heat change a stack, and wait until it has begun: whoever asks next sees that."""
        if self.objects.dry_run:
            return
        tags = found.tags
        for key, value in changed.items():
            setattr(tags, key, value)
        name, stack_id = found.stack.stack_name, found.stack.id
        if not found.stack.stack_status.endswith("_COMPLETE"):
            await self._mend(found.stack)
        parameters = {"replicas": tags.replicas, "generation": tags.generation}
        await self.openstack.heat.update(
            self.token, name, stack_id, existing=True, parameters=parameters, tags=templates.tags(tags)
        )

        async def begun() -> bool:
            now = await self.openstack.heat.stack(self.token, name, stack_id)
            return now.updated_time != found.stack.updated_time or "IN_PROGRESS" in now.stack_status

        await until(begun, SEEN_SECONDS)

    async def _broken(self, found: Found) -> bool:
        """Whether Heat has something to do so that a group is whole; what is too much of it is removed."""
        if not found.stack.stack_status.endswith("_COMPLETE"):
            return True
        servers = await self._servers(found.stack.id)
        if len(servers) == found.tags.replicas and all(one.status != "ERROR" for one in servers):
            return False
        return not self.objects.dry_run and await self._mend(found.stack)

    async def _mend(self, stack: Stack) -> bool:
        """Remove what Heat does not know of a stack, and tell it what is gone; whether something is."""
        caller = self.objects.place.caller
        await Leftovers(self.openstack, caller).clear(stack)
        return await losses.tell(self.openstack, caller, stack)

    async def _servers(self, stack_id: str) -> list[Server]:
        servers = await self.openstack.nova.servers(self.token)
        return [one for one in servers if one.metadata.get(templates.STACK_METADATA) == stack_id]

    async def _settled(self, name: str, *, going_on: bool = False) -> Found:
        found = await self._named(name)
        if found is None:
            raise _not_there(name)
        status = found.stack.stack_status
        if status.endswith("_IN_PROGRESS") and (not going_on or status.startswith("DELETE_")):
            action = found.stack.stack_status.partition("_")[0].lower()
            raise ConflictError(f"virtual machines {name!r}: {action} is in progress; try again after it")
        return found

    # Deleting

    async def leave(self, application: str) -> None:
        """Let the groups of an application be of none any more."""
        await self._own()
        if self.objects.dry_run:
            return

        async def one(found: Found) -> None:
            found.tags.application = ""
            await self.openstack.heat.update(
                self.token,
                found.stack.stack_name,
                found.stack.id,
                existing=True,
                parameters={},
                tags=templates.tags(found.tags),
            )

        await few_of(one(found) for found in await self._stacks() if found.tags.application == application)

    async def delete_named(self, name: str) -> None:
        """Remove a group, as `delete`.

        Raises:
            NotFoundError: it is not there.
        """
        await self._own()
        if await self._named(name) is None:
            raise _not_there(name)
        await self.delete(name=name)

    async def delete(self, **tags: str) -> None:
        """Remove groups with all that was made for them, and wait for it.

        Those that are gone since a short while are looked for, too: a deletion may have been cut off.

        Args:
            tags: what says which: `application`, `name`, `request`.

        Raises:
            UpstreamError: something could not be removed, or not yet; asked again it goes on.
        """
        await self._own()
        if self.objects.dry_run:
            return
        found = [
            one
            for one in await self._stacks(gone=True)
            if all(getattr(one.tags, key) == value for key, value in tags.items())
        ]
        groups = {one.tags.name: one.stack for one in reversed(found)}  # newest last

        async def look() -> list[Stack]:
            return [one.stack for one in await self._stacks()]

        await Removal(self.openstack, self.objects.place.caller, groups, look).run()

    # Throughout

    async def _own(self) -> None:
        """Stacks are made and seen with the caller's token, so in its project alone."""
        if not self.objects.places.own_project(self.objects.place):
            raise ForbiddenError(NOT_OWN)

    async def _stacks(self, *, gone: bool = False) -> list[Found]:
        """The groups of the place; `gone`: those that are gone since a short while, too."""
        filters = {"tags": f"{templates.PREFIX}place={self.place}"}
        if gone:
            filters["show_deleted"] = "true"
        stacks = await self.openstack.heat.stacks(self.token, **filters)
        early = (datetime.now(UTC) - LATELY).strftime("%Y-%m-%dT%H:%M:%SZ")
        read = (
            (templates.read_tags(stack.tags), stack)
            for stack in stacks
            if (manifests.time(stack.deletion_time) or early) >= early
        )
        return [Found(tags, stack) for tags, stack in read if tags is not None]

    async def _named(self, name: str) -> Found | None:
        return next((one for one in await self._stacks() if one.tags.name == name), None)


def _not_there(name: str) -> NotFoundError:
    return NotFoundError(f"virtual machines {name!r} are not there")
