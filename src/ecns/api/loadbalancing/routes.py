"""The HTTP face of chapter 1.23."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get
from litestar.params import Parameter

from ecns.api.common.lists import ListQuery, listed_plainly
from ecns.api.common.operations import EKS, operation
from ecns.api.loadbalancing import types
from ecns.api.loadbalancing.service import LoadBalancers
from ecns.backends.openstack.cloud import OpenStack
from ecns.identity.caller import Caller
from ecns.identity.policy import Policy

TAGS = ["1.23 Dedicated load balancing"]

External = Annotated[
    bool | None, Parameter(description="Only subnets of external networks (true), only others (false).")
]
Connected = Annotated[
    bool | None, Parameter(description="Only subnets that a router is in (true), only others (false).")
]
AllProjects = Annotated[bool, Parameter(description="Of all projects; for cloud administrators.")]


def provide_load_balancers(openstack: OpenStack, policy: Policy, caller: Caller) -> LoadBalancers:
    """Litestar's dependency `load_balancers`."""
    return LoadBalancers(openstack, policy, caller)


@get("/ecns/kubernetes/server/availabilityzones", opt=operation("lb.zones", EKS), tags=TAGS)
async def list_zones(load_balancers: LoadBalancers, listing: ListQuery) -> Response[list[types.Zone]]:
    """The availability zones of servers, by name."""
    return listed_plainly(await load_balancers.zones(), listing)


@get("/ecns/kubernetes/server/flavors", opt=operation("lb.flavors", EKS), tags=TAGS)
async def list_flavors(load_balancers: LoadBalancers, listing: ListQuery) -> Response[list[types.Flavor]]:
    """What servers can be made of, the smallest first; `sort_by` also `vcpus`, `ram` and `disk`."""
    sorts = {"vcpus": lambda one: one.vcpus, "ram": lambda one: one.ram, "disk": lambda one: one.disk}
    return listed_plainly(await load_balancers.flavors(), listing, sorts=sorts)


@get("/ecns/kubernetes/network/subnets", opt=operation("lb.subnets", EKS), tags=TAGS)
async def list_subnets(
    load_balancers: LoadBalancers,
    listing: ListQuery,
    is_router_external: External = None,
    is_connect_router: Connected = None,
    all_projects: AllProjects = False,  # noqa: FBT002  a parameter, which Litestar passes by name
) -> Response[list[types.Subnet]]:
    """Subnets by name: the project's own, and those of external and shared networks."""
    found = await load_balancers.subnets(
        external=is_router_external, connected=is_connect_router, all_projects=all_projects
    )
    return listed_plainly(found, listing, created=lambda one: one.created_at)


@get(
    "/ecns/kubernetes/lbaas/flavorprofile_replicas_limit", opt=operation("lb.replicas_limit", EKS), tags=TAGS
)
async def show_replicas_limit(load_balancers: LoadBalancers) -> types.ReplicasLimit:
    """How many replicas a load balancer has at most, as this installation is configured."""
    return await load_balancers.replicas_limit()


@get("/ecns/kubernetes/lb/type", opt=operation("lb.type", EKS), tags=TAGS)
async def show_type(load_balancers: LoadBalancers) -> types.LoadBalancing:
    """Whether this cloud has an Octavia."""
    return await load_balancers.installed()


@get("/ecns/kubernetes/lb/license_usage", opt=operation("lb.license", EKS), tags=TAGS)
async def show_license(load_balancers: LoadBalancers) -> types.License:
    """The quota of load balancers of the token's project, and what is left of it; -1 is without limit."""
    return await load_balancers.license()


ROUTES = [list_zones, list_flavors, list_subnets, show_replicas_limit, show_type, show_license]
