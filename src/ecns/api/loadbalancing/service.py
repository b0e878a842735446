"""What the operations of chapter 1.23 do; OpenStack is asked with the caller's own token."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ecns.api.loadbalancing import manifests, types
from ecns.errors import ForbiddenError

if TYPE_CHECKING:
    from ecns.backends.openstack.cloud import OpenStack
    from ecns.identity.caller import Caller
    from ecns.identity.policy import Policy


class LoadBalancers:
    """Load balancing for one caller; every method raises what the clients of the services do."""

    def __init__(self, openstack: OpenStack, policy: Policy, caller: Caller) -> None:
        self.openstack = openstack
        self.policy = policy
        self.caller = caller

    async def zones(self) -> list[types.Zone]:
        """The availability zones of servers, by name."""
        found = await self.openstack.nova.zones(self.caller.token)
        return [manifests.zone(zone) for zone in sorted(found, key=lambda zone: zone.name)]

    async def flavors(self) -> list[types.Flavor]:
        """The flavors that the project may use, the smallest first."""
        found = await self.openstack.nova.flavors(self.caller.token)
        shown = [manifests.flavor(flavor) for flavor in found]
        return sorted(shown, key=lambda flavor: (flavor.vcpus, flavor.ram, flavor.disk, flavor.name))

    async def subnets(
        self, *, external: bool | None, connected: bool | None, all_projects: bool
    ) -> list[types.Subnet]:
        """Subnets by name: the project's and those of external and shared networks, or everybody's.

        Args:
            external: only those of external networks, or only others.
            connected: only those that a router is in, or only others.
            all_projects: those of other projects, too.

        Raises:
            ForbiddenError: only cloud administrators may see all projects.
        """
        if all_projects and not self.policy.is_cloud_admin(self.caller):
            raise ForbiddenError("all_projects is for cloud administrators")
        neutron, token = self.openstack.neutron, self.caller.token

        async def routed() -> set[str]:
            return set() if connected is None else manifests.routed(await neutron.router_ports(token))

        found, networks, with_router = await asyncio.gather(
            neutron.subnets(token), neutron.networks(token), routed()
        )
        return manifests.subnets(
            found,
            networks,
            project_id="" if all_projects else self.caller.project_id,
            external=external,
            connected=connected,
            with_router=with_router,
        )

    async def installed(self) -> types.LoadBalancing:
        """Whether there is an Octavia."""
        found = await self.openstack.octavia.installed(self.caller.token)
        return types.LoadBalancing(types.Installed(found))

    async def replicas_limit(self) -> types.ReplicasLimit:
        """How many replicas a load balancer has at most; Octavia tells it nobody, so the configuration does.

        Raises:
            NotSupportedError: there is no Octavia.
        """
        await self.openstack.octavia.needed(self.caller.token)
        return types.ReplicasLimit(self.openstack.replicas_limit)

    async def license(self) -> types.License:
        """What the project's quota of load balancers leaves."""
        octavia, caller = self.openstack.octavia, self.caller
        quota, made = await asyncio.gather(
            octavia.quota(caller.token, caller.project_id),
            octavia.load_balancers(caller.token, caller.project_id),
        )
        return manifests.license_of(quota.load_balancer, len(made))
