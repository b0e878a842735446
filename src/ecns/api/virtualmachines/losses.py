"""What is in the stack of a group, but not in the cloud any more: somebody has removed it past Heat.

Heat does not look: what it has made once it takes to be there. What it is told is made anew by its next
update.
"""

from __future__ import annotations

from ecns.api.common.waiting import all_of, few_of
from ecns.api.virtualmachines.leftovers import DEPTH
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.heat import Resource, Stack
from ecns.errors import ConflictError, NotFoundError
from ecns.identity.caller import Caller

REASON = "It is not there any more"


async def tell(openstack: OpenStack, caller: Caller, stack: Stack) -> bool:
    """Let Heat know which servers, disks, ports and load balancers of a stack are gone; whether any are."""
    token, project_id = caller.token, caller.project_id
    # First: what it makes meanwhile is in the cloud by then.
    resources = await openstack.heat.resources(token, stack.stack_name, stack.id, DEPTH + 1)
    made = [
        one for one in resources if one.resource_status.endswith("_COMPLETE") and one.physical_resource_id
    ]
    kinds = {one.resource_type for one in made}
    lists = {
        "OS::Nova::Server": openstack.nova.servers(token),
        "OS::Cinder::Volume": openstack.cinder.volumes(token),
        "OS::Neutron::Port": openstack.neutron.ports(token, project_id),
    }
    if "OS::Octavia::LoadBalancer" in kinds:
        lists["OS::Octavia::LoadBalancer"] = openstack.octavia.load_balancers(token, project_id)
    there = dict(zip(lists, await all_of(*lists.values()), strict=True))
    known = {kind: {one.id for one in things} for kind, things in there.items()}
    lost = [
        one
        for one in made
        if one.resource_type in known and one.physical_resource_id not in known[one.resource_type]
    ]

    async def mark(one: Resource) -> None:
        try:
            await openstack.heat.mark_unhealthy(token, one, REASON)
        except (ConflictError, NotFoundError):
            return  # Heat is at work with it

    await few_of(mark(one) for one in lost)
    return bool(lost)
