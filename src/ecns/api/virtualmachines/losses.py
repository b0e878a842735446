"""What is in the stack of a group, but not in the cloud any more: somebody has removed it past Heat.

Heat does not look: what it has made once it takes to be there. What it is told is made anew by its next
update.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ecns.api.common.waiting import all_of, few_of
from ecns.api.virtualmachines.leftovers import DEPTH
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.heat import Resource, Stack
from ecns.errors import ConflictError, NotFoundError
from ecns.identity.caller import Caller

REASON = "It is not there any more"
SERVER, VOLUME, PORT = "OS::Nova::Server", "OS::Cinder::Volume", "OS::Neutron::Port"
BALANCING = "OS::Octavia::"
"""Load balancers and their parts."""
GOING = frozenset({"PENDING_DELETE", "DELETED"})


async def tell(openstack: OpenStack, caller: Caller, stack: Stack) -> bool:
    """Let Heat know which servers, disks, ports and load balancers of a stack are gone; whether any are."""
    token, project_id = caller.token, caller.project_id
    # First: what it makes meanwhile is in the cloud by then.
    made = _made(await openstack.heat.resources(token, stack.stack_name, stack.id, DEPTH + 1))
    servers, volumes, ports, balancing = await all_of(
        openstack.nova.servers(token),
        openstack.cinder.volumes(token),
        openstack.neutron.ports(token, project_id),
        _balancing(openstack, caller, made),
    )
    known: dict[str, Collection[str]] = {
        SERVER: {one.id for one in servers},
        VOLUME: {one.id for one in volumes},
        PORT: {one.id for one in ports},
        BALANCING: balancing,
    }
    lost = [
        one
        for one in made
        if (kind := BALANCING if one.resource_type.startswith(BALANCING) else one.resource_type) in known
        and one.physical_resource_id not in known[kind]
    ]

    async def mark(one: Resource) -> None:
        try:
            await openstack.heat.mark_unhealthy(token, one, REASON)
        except (ConflictError, NotFoundError):
            return  # Heat is at work with it

    await few_of(mark(one) for one in lost)
    return bool(lost)


async def unbalanced(openstack: OpenStack, caller: Caller, stack: Stack) -> bool:
    """Whether the load balancer of a stack is gone, or a part of it."""
    resources = await openstack.heat.resources(caller.token, stack.stack_name, stack.id, DEPTH + 1)
    made = [one for one in _made(resources) if one.resource_type.startswith(BALANCING)]
    there = await _balancing(openstack, caller, made)
    return any(one.physical_resource_id not in there for one in made)


def _made(resources: Sequence[Resource]) -> list[Resource]:
    return [
        one for one in resources if one.resource_status.endswith("_COMPLETE") and one.physical_resource_id
    ]


async def _balancing(openstack: OpenStack, caller: Caller, made: Sequence[Resource]) -> Collection[str]:
    """The ids of what is there of load balancers in these resources, and of their parts."""
    mine = {one.physical_resource_id for one in made if one.resource_type.startswith(BALANCING)}
    if not mine:
        return ()
    every = await openstack.octavia.load_balancers(caller.token, caller.project_id)
    there = [one.id for one in every if one.id in mine and one.provisioning_status not in GOING]
    parts = await all_of(*(openstack.octavia.parts(caller.token, one) for one in there))
    return {*there, *(identity for found in parts for identity in found)}
