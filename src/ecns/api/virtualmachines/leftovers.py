"""What is in the cloud of a group, but not in its stack.

Heat writes down what it has made after the service has answered. An engine that ends in between, killed or
cut off, leaves a server, a disk, a port, a load balancer or a stack inside of the group's that no stack
knows: nobody removes it, and what is unique about it (an address, a port of a load balancer, a disk in use)
keeps Heat from making it anew. All of it carries the id of the group's stack, by which it is found: in the
metadata of servers and volumes, in the description of the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple

from ecns.api.common.waiting import all_of, until
from ecns.api.virtualmachines.templates import CASCADE_METADATA, STACK_METADATA, mark
from ecns.backends.openstack.cinder import Volume
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.heat import Stack
from ecns.backends.openstack.neutron import Port, SecurityGroup
from ecns.backends.openstack.nova import Server
from ecns.backends.openstack.octavia import LoadBalancer
from ecns.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    NotSupportedError,
    UpstreamError,
)
from ecns.identity.caller import Caller

DEPTH = 1
"""Stacks inside of a group's: one for each of its members."""
LOOK_SECONDS = 3.0
"""Between two looks: what Heat has just made it knows after the second."""
CLEARED_SECONDS = 15.0
"""How long things may take to go."""


class Thing(NamedTuple):
    """Something in the cloud."""

    what: str
    """As a person calls it."""
    id: str
    going: bool
    """Whether it is being removed already."""
    remove: Callable[[], Awaitable[None]]


class Leftovers:
    """Finds and removes them with the caller's token.

    Args:
        openstack: where they are.
        caller: whose token and project.
    """

    def __init__(self, openstack: OpenStack, caller: Caller) -> None:
        self.openstack = openstack
        self.token = caller.token
        self.project_id = caller.project_id

    async def remove(self, stacks: Collection[str], seconds: float = CLEARED_SECONDS) -> None:
        """Remove all that stacks have made, but for disks that are to stay.

        Args:
            stacks: ids of stacks that are gone, or on their way.
            seconds: how long it may take.

        Raises:
            UpstreamError: something could not be removed, or not yet; asked again it goes on.
        """
        refused: dict[str, str] = {}

        async def gone() -> bool:
            refused.clear()
            left = await self._of(stacks)
            await self._remove(left, refused)
            return not left

        if not await until(gone, seconds):
            raise UpstreamError(
                f"still there of virtual machines: {'; '.join(refused.values()) or 'what is being removed'};"
                " the same deletion again goes on with it",
                upstream="openstack",
            )

    async def clear(self, stack: Stack) -> None:
        """Remove what would keep Heat from going on with a stack that it left in the middle, or that failed.

        Servers in ERROR hold the disks that those which Heat makes in their place need; what it does not know
        holds addresses and ports. It is asked twice, since Heat may be at work.
        """
        found = await self._foreign(stack)
        if any(not one.what.endswith("in ERROR") for one in found):
            await asyncio.sleep(LOOK_SECONDS)
            known = {one.id for one in found}
            found = [one for one in await self._foreign(stack) if one.id in known]
        if not found:
            return
        these = {one.id for one in found}

        async def gone() -> bool:
            left = [one for one in await self._foreign(stack) if one.id in these]
            await self._remove(left, {})
            return not left

        await until(gone, CLEARED_SECONDS)

    # Finding

    async def _of(self, stacks: Collection[str]) -> list[Thing]:
        """All that is of these stacks, but for disks that are to stay."""
        # Those first that others ask: who is told of the first failure is told of its cause.
        ports, groups, volumes, balancers, servers, inside = await all_of(
            self.openstack.neutron.ports(self.token, self.project_id),
            self.openstack.neutron.security_groups(self.token, self.project_id),
            self.openstack.cinder.volumes(self.token),
            self._balancers(),
            self.openstack.nova.servers(self.token),
            self._inside(stacks),
        )
        marks = {mark(one) for one in stacks}
        return [
            *(self._stack(one) for one in inside),
            *(self._server(one) for one in servers if one.metadata.get(STACK_METADATA) in stacks),
            *(self._balancer(one) for one in balancers if one.description in marks),
            *(self._port(one) for one in ports if one.description in marks),
            *(self._group(one) for one in groups if one.description in marks),
            *(
                thing
                for one in volumes
                if one.metadata.get(STACK_METADATA) in stacks
                for thing in (*self._attachments(one, servers), *self._volume(one))
            ),
        ]

    async def _foreign(self, stack: Stack) -> list[Thing]:
        """Servers in ERROR, disks in servers that are gone, and what of a stack Heat does not know."""
        heat = self.openstack.heat
        inside, servers, volumes, balancers = await all_of(
            self._inside([stack.id]),
            self.openstack.nova.servers(self.token),
            self.openstack.cinder.volumes(self.token),
            self._balancers(),
        )
        balancers = [one for one in balancers if one.description == mark(stack.id)]
        parts = await all_of(*(self.openstack.octavia.parts(self.token, one.id) for one in balancers))
        # Last: what was made before one of the looks is known by now.
        resources = await heat.resources(self.token, stack.stack_name, stack.id, DEPTH + 1)
        known = {one.physical_resource_id for one in resources}
        return [
            *(self._stack(one) for one in inside if one.id not in known),
            *(
                self._server(one)
                for one in servers
                if one.metadata.get(STACK_METADATA) == stack.id
                and ((one.id not in known and not _waits(one, servers)) or one.status == "ERROR")
            ),
            *(
                thing
                for one in volumes
                if one.metadata.get(STACK_METADATA) == stack.id
                for thing in self._attachments(one, servers)
            ),
            *(self._balancer(one) for one in balancers if one.id not in known),
            *(
                self._part(identity, path)
                for balancer, found in zip(balancers, parts, strict=True)
                if balancer.id in known
                for identity, path in found.items()
                if identity not in known
            ),
        ]

    async def _inside(self, stacks: Collection[str]) -> list[Stack]:
        """The stacks inside of stacks that are still there."""
        found: list[Stack] = []
        above = set(stacks)
        for _ in range(DEPTH):
            lists = await all_of(*(self.openstack.heat.inside(self.token, one) for one in sorted(above)))
            level = [one for each in lists for one in each]
            found += level
            above = {one.id for one in level}
        return [one for one in found if one.stack_status != "DELETE_COMPLETE"]

    async def _balancers(self) -> Sequence[LoadBalancer]:
        try:
            return await self.openstack.octavia.load_balancers(self.token, self.project_id)
        except NotSupportedError:
            return ()  # there is no Octavia

    # Removing

    async def _remove(self, things: Sequence[Thing], refused: dict[str, str]) -> None:
        """Tell each to go; what is refused since something else uses it is told again by who calls."""

        async def one(thing: Thing) -> None:
            try:
                if not thing.going:
                    await thing.remove()
            except NotFoundError:
                return
            except (BadRequestError, ConflictError) as error:
                refused[thing.id] = f"{thing.what}: {error.message}"

        await all_of(*(one(thing) for thing in things))

    def _stack(self, found: Stack) -> Thing:
        return Thing(
            f"stack {found.stack_name}",
            found.id,
            found.stack_status == "DELETE_IN_PROGRESS",
            lambda: self.openstack.heat.delete(self.token, found.stack_name, found.id),
        )

    def _server(self, found: Server) -> Thing:
        what = f"server {found.name}{' in ERROR' if found.status == 'ERROR' else ''}"
        return Thing(what, found.id, False, lambda: self.openstack.nova.delete(self.token, found.id))

    def _volume(self, found: Volume) -> list[Thing]:
        """A disk, if it is to go."""
        if CASCADE_METADATA not in found.metadata:
            return []
        going, delete = found.status == "deleting", self.openstack.cinder.delete_volume
        return [Thing(f"volume {found.name}", found.id, going, lambda: delete(self.token, found.id))]

    def _attachments(self, found: Volume, servers: Sequence[Server]) -> list[Thing]:
        """That a disk is in a server that is gone: Nova could not reach Cinder when it removed it."""
        there, delete = {one.id for one in servers}, self.openstack.cinder.delete_attachment
        return [
            Thing(
                f"attachment of volume {found.name}",
                one.attachment_id,
                False,
                partial(delete, self.token, one.attachment_id),
            )
            for one in found.attachments
            if one.server_id and one.server_id not in there
        ]

    def _port(self, found: Port) -> Thing:
        delete = self.openstack.neutron.delete_port
        return Thing(f"port {found.name}", found.id, False, lambda: delete(self.token, found.id))

    def _group(self, found: SecurityGroup) -> Thing:
        delete = self.openstack.neutron.delete_security_group
        return Thing(f"security group {found.name}", found.id, False, lambda: delete(self.token, found.id))

    def _balancer(self, found: LoadBalancer) -> Thing:
        going = found.provisioning_status == "PENDING_DELETE"
        delete = self.openstack.octavia.delete_load_balancer
        return Thing(f"load balancer {found.name}", found.id, going, lambda: delete(self.token, found.id))

    def _part(self, identity: str, path: str) -> Thing:
        what = f"a part of a load balancer {path}"
        delete = self.openstack.octavia.delete_part
        return Thing(what, identity, False, lambda: delete(self.token, path))


def _waits(server: Server, servers: Sequence[Server]) -> bool:
    """Whether another server failed to take this one's place: Heat lists one of both, and keeps both."""
    return bool(server.launched_at) and any(
        one.name == server.name and one.metadata == server.metadata and not one.launched_at for one in servers
    )
