"""Groups of virtual machines as the cloud has them.

A group is a stack in the project of its namespace, made and asked for with the caller's own token; its tags
say which place, application and group it is. Nothing of it is kept here: a list is one question to each of
Heat, Nova and Octavia, whatever its length, and what is remembered stands with the application.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ecns.api.common.objects import Objects
from ecns.api.common.waiting import all_of, few_of
from ecns.api.virtualmachines import manifests, templates
from ecns.api.virtualmachines.leftovers import DEPTH
from ecns.api.virtualmachines.templates import Definition, Tags
from ecns.api.virtualmachines.types import VmStatus
from ecns.backends.kubernetes.errors import NotServedError
from ecns.backends.kubernetes.kinds.extensions import APPLICATION, Application
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.heat import Stack
from ecns.backends.openstack.nova import Server
from ecns.backends.openstack.octavia import LoadBalancer
from ecns.errors import ConflictError, EcnsError, ForbiddenError, NotFoundError

LATELY = timedelta(days=1)
"""How long what is gone is asked for."""
NOT_OWN = (
    "virtual machines are in the project of the namespace, which is another one than this token's:"
    " use a token of that project"
)


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
    balancers: Mapping[str, LoadBalancer] | None
    """By their description, which says of which stack they are; None: Octavia does not say."""


class Groups:
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

    async def all(self, *, fresh: bool = False) -> list[VmStatus]:
        """All groups, newest first; those of applications whose stack is not there, too."""
        await self.own()
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
        raise not_there(name)

    async def exists(self, name: str) -> bool:
        """Whether Heat has a group of this name."""
        await self.own()
        return await self.named(name) is not None

    async def seen(self) -> Seen:
        """What OpenStack says of all groups."""
        await self.own()
        caller = self.objects.place.caller

        async def balancers() -> Mapping[str, LoadBalancer] | None:
            octavia = self.openstack.octavia
            try:
                return manifests.balancers(await octavia.load_balancers(caller.token, caller.project_id))
            except EcnsError:
                return None  # what can be said without is said

        groups, servers, found = await all_of(
            self.stacks(), self.openstack.nova.servers(self.token), balancers()
        )
        by_stack: dict[str, list[Server]] = {}
        for server in servers:
            by_stack.setdefault(server.metadata.get(templates.STACK_METADATA, ""), []).append(server)
        return Seen(groups, by_stack, await self._stalled(groups), found)

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
        known = seen.balancers or {}
        balancer = known.get(templates.mark(stack.id)) or known.get(stack.stack_name)
        return manifests.group(
            tags,
            stack,
            kept,
            servers,
            balancer,
            stalled=seen.stalled.get(stack.id, ""),
            octavia_says=seen.balancers is not None,
        )

    async def _alone(self, found: Found, seen: Seen) -> VmStatus:
        """A group whose application does not know it (any more)."""
        return self._status(found, await self.recalled(found), seen)

    async def recalled(self, found: Found) -> Definition | None:
        """What the stack of a group remembers of it; None: nothing, or it is gone."""
        try:
            stack = await self.openstack.heat.stack(self.token, found.stack.stack_name, found.stack.id)
        except NotFoundError:
            return None
        return templates.recalled(stack.parameters)

    # For those who change them

    async def own(self) -> None:
        """See that the namespace is of the token's project: stacks are made and seen by the token.

        Raises:
            ForbiddenError: it is not.
        """
        if not self.objects.places.own_project(self.objects.place):
            raise ForbiddenError(NOT_OWN)

    async def stacks(self, *, gone: bool = False, **tags: str) -> list[Found]:
        """The groups of the place with such tags; `gone`: those that are gone since a short while, too."""
        wanted = {"place": self.place, **tags}
        filters = {"tags": ",".join(f"{templates.PREFIX}{key}={value}" for key, value in wanted.items())}
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

    async def named(self, name: str) -> Found | None:
        """One of the groups."""
        return next((one for one in await self.stacks() if one.tags.name == name), None)

    async def servers(self, stack_id: str) -> list[Server]:
        """The machines of a stack."""
        servers = await self.openstack.nova.servers(self.token)
        return [one for one in servers if one.metadata.get(templates.STACK_METADATA) == stack_id]

    async def settled(self, name: str, *, going_on: bool = False) -> Found:
        """A group with which nothing is being done; `going_on`: but for what can be gone on with.

        Raises:
            NotFoundError: it is not there.
            ConflictError: something is being done with it.
        """
        found = await self.named(name)
        if found is None:
            raise not_there(name)
        status = found.stack.stack_status
        if status.endswith("_IN_PROGRESS") and (not going_on or status.startswith("DELETE_")):
            action = found.stack.stack_status.partition("_")[0].lower()
            raise ConflictError(f"virtual machines {name!r}: {action} is in progress; try again after it")
        return found


def not_there(name: str) -> NotFoundError:
    """What is said of a group that is not there."""
    return NotFoundError(f"virtual machines {name!r} are not there")
