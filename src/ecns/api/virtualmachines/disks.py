"""Disks that were made for machines which never ran.

Heat leaves a disk without `cascade_deletion` when its machine goes, and cannot tell whether there ever was
one. Such a disk holds nothing, so it is removed; those of machines that ran stay as it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from ecns.api.common.waiting import all_of, few_of, until
from ecns.api.virtualmachines import templates
from ecns.api.virtualmachines.leftovers import CLEARED_SECONDS, DEPTH
from ecns.api.virtualmachines.templates import CASCADE_METADATA, STACK_METADATA
from ecns.backends.openstack.cinder import Volume
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.heat import Resource, Stack
from ecns.backends.openstack.nova import Server
from ecns.errors import BadRequestError, NotFoundError
from ecns.identity.caller import Caller

UNBORN = frozenset({"INIT_COMPLETE", "CREATE_IN_PROGRESS", "CREATE_FAILED"})
"""States of resources that never were complete."""


class Unused(NamedTuple):
    """A disk that no machine has used."""

    volume_id: str
    member: int
    """The number of its machine."""
    system: bool


def unused(resources: Iterable[Resource], servers: Sequence[Server]) -> list[Unused]:
    """The disks of a stack of which it is sure that no machine has used them; pure.

    Args:
        resources: of the stack and of the stacks inside of it.
        servers: of the stack.
    """
    known = used(resources, servers)
    found = {
        disk.id: Unused(disk.id, number(server.name), system=True)
        for server in servers
        if not server.launched_at
        for disk in server.disks
    }
    for name, member in _members(resources).items():
        if not _ran(member, servers):
            for called, one in _disks(member):
                system = called == templates.SYSTEM_DISK
                found[one.physical_resource_id or ""] = Unused(
                    one.physical_resource_id or "", number(name), system
                )
    return [one for key, one in found.items() if key not in known]


def used(resources: Iterable[Resource], servers: Sequence[Server]) -> set[str]:
    """The disks of a stack that machines have used, as far as anybody can tell; pure.

    Args:
        resources: of the stack and of the stacks inside of it.
        servers: of the stack.
    """
    found = {disk.id for server in servers if server.launched_at for disk in server.disks}
    for member in _members(resources).values():
        ran = _ran(member, servers)
        for called, one in _disks(member):
            attachment = member.get(called.replace(templates.DATA_DISK, templates.ATTACHMENT))
            attached = called != templates.SYSTEM_DISK and attachment and attachment.physical_resource_id
            if ran or attached:
                found.add(one.physical_resource_id or "")
    return found


def _members(resources: Iterable[Resource]) -> dict[str, dict[str, Resource]]:
    """The resources of each member, by their names."""
    found: dict[str, dict[str, Resource]] = {}
    for one in resources:
        if (parent := one.parent_resource or "").startswith(templates.AMONG):
            found.setdefault(parent, {})[one.resource_name] = one
    return found


def _ran(member: Mapping[str, Resource], servers: Sequence[Server]) -> bool:
    """Whether there was a machine; it counts as one when nobody can tell."""
    server = member.get("server")
    if server is None or server.resource_status not in UNBORN:
        return True
    return any(one.id == server.physical_resource_id and one.launched_at for one in servers)


def _disks(member: Mapping[str, Resource]) -> list[tuple[str, Resource]]:
    kind = "OS::Cinder::Volume"
    return [
        (name, one) for name, one in member.items() if one.resource_type == kind and one.physical_resource_id
    ]


def number(name: str) -> int:
    """That of a machine, by what it or its stack is called."""
    last = name.replace(templates.AMONG, "-").rpartition("-")[2]
    return int(last) if last.isdecimal() else 0


class Disks:
    """Finds and removes them with the caller's token.

    Args:
        openstack: where they are.
        caller: whose token.
    """

    def __init__(self, openstack: OpenStack, caller: Caller) -> None:
        self._openstack = openstack
        self._token = caller.token

    async def spare(self, stack: Stack, *, replicas: int, anew: bool) -> frozenset[str]:
        """The unused disks that a change of a stack leaves behind.

        Args:
            stack: which.
            replicas: the machines that stay; Heat goes on with what was made for them.
            anew: these get new system disks.
        """
        found = unused(*await self._seen(stack))
        return frozenset(one.volume_id for one in found if one.member >= replicas or (anew and one.system))

    async def remove(self, these: Collection[str]) -> None:
        """Remove disks that nothing has any more, or is about to let go of."""
        await few_of(until(partial(self._gone, one), CLEARED_SECONDS) for one in these)

    async def _gone(self, volume_id: str) -> bool:
        """Whether Cinder removes a disk; it does not while something has it."""
        try:
            await self._openstack.cinder.delete_volume(self._token, volume_id)
        except NotFoundError:
            return True
        except BadRequestError:
            return False
        return True

    async def release(self, stack: Stack) -> frozenset[str]:
        """Let the unused disks of a stack go with it.

        Returns:
            Those that machines have used.
        """
        resources, servers = await self._seen(stack)
        known = used(resources, servers)
        if stack.stack_status.startswith("CREATE_"):
            await self.release_but(stack.id, known)
        else:  # there may be others, which machines have left when they went
            these = {one.volume_id for one in unused(resources, servers)}
            await self._release(stack.id, lambda one: one.id in these)
        return frozenset(known)

    async def release_but(self, stack_id: str, these: Collection[str]) -> None:
        """Let all disks of a stack that never was complete go with it, but for these."""
        await self._release(stack_id, lambda one: one.id not in these)

    async def _release(self, stack_id: str, chosen: Callable[[Volume], bool]) -> None:
        async def change(one: Volume) -> None:
            try:
                metadata = {**one.metadata, CASCADE_METADATA: "true"}
                await self._openstack.cinder.describe_volume(self._token, one.id, metadata)
            except NotFoundError:
                return

        volumes = await self._openstack.cinder.volumes(self._token)
        await few_of(
            change(one)
            for one in volumes
            if one.metadata.get(STACK_METADATA) == stack_id
            and CASCADE_METADATA not in one.metadata
            and chosen(one)
        )

    async def _seen(self, stack: Stack) -> tuple[list[Resource], list[Server]]:
        resources, servers = await all_of(
            self._openstack.heat.resources(self._token, stack.stack_name, stack.id, DEPTH + 1),
            self._openstack.nova.servers(self._token),
        )
        return resources, [one for one in servers if one.metadata.get(STACK_METADATA) == stack.id]
