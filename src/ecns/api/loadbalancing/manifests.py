"""From OpenStack's things to the reference's."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ecns.api.loadbalancing import types
from ecns.backends.openstack.neutron import Network, Port, Subnet
from ecns.backends.openstack.nova import Flavor, Zone
from ecns.backends.openstack.octavia import UNLIMITED

RECOMMENDED = "ecns:recommend"
"""The extra spec by which an operator recommends a flavor."""
LOAD_BALANCERS = "loadbalancer"


def zone(found: Zone) -> types.Zone:
    """A zone as it is shown."""
    return types.Zone(found.name, types.ZoneState(found.state.available))


def flavor(found: Flavor) -> types.Flavor:
    """A flavor as it is shown."""
    return types.Flavor(
        id=found.id,
        name=found.name,
        description=found.description or "",
        vcpus=found.vcpus,
        ram=found.ram,
        disk=found.disk,
        is_public=found.is_public,
        is_disabled=found.is_disabled,
        is_recommend=found.extra_specs.get(RECOMMENDED, "").lower() == "true",
    )


def subnets(
    found: Iterable[Subnet],
    networks: Iterable[Network],
    *,
    project_id: str,
    external: bool | None,
    connected: bool | None,
    with_router: Collection[str],
) -> list[types.Subnet]:
    """Those subnets that were asked for, as they are shown, by name.

    Args:
        found: all that the token may see.
        networks: theirs; one that is not among them is neither external nor shared.
        project_id: whose subnets, beside those of external and shared networks; empty: everybody's.
        external: only those of external networks, or only others; None: both.
        connected: only those that a router is in, or only others; None: both.
        with_router: ids of the subnets that one is in.
    """
    by_id = {network.id: network for network in networks}
    chosen = []
    for one in found:
        network = by_id.get(one.network_id) or Network(one.network_id)
        if project_id and one.project_id != project_id and not (network.shared or network.external):
            continue
        if external is not None and network.external != external:
            continue
        if connected is not None and (one.id in with_router) != connected:
            continue
        chosen.append(_subnet(one, network))
    return sorted(chosen, key=lambda one: (one.name, one.id))


def _subnet(found: Subnet, network: Network) -> types.Subnet:
    return types.Subnet(
        id=found.id,
        name=found.name,
        description=found.description or "",
        project_id=found.project_id,
        network_id=found.network_id,
        cidr=found.cidr,
        ip_version=found.ip_version,
        gateway_ip=found.gateway_ip,
        is_dhcp_enabled=found.enable_dhcp,
        allocation_pools=[types.AllocationPool(pool.start, pool.end) for pool in found.allocation_pools],
        created_at=found.created_at,
        updated_at=found.updated_at,
        revision_number=found.revision_number,
        is_router_external=network.external,
        is_shared=network.shared,
    )


def routed(ports: Iterable[Port]) -> set[str]:
    """The ids of the subnets that these ports of routers are in."""
    return {address.subnet_id for port in ports for address in port.fixed_ips}


def license_of(limit: int, used: int) -> types.License:
    """What is left of a quota; more may be in use than it allows now."""
    available = UNLIMITED if limit == UNLIMITED else max(0, limit - used)
    return types.License(resource=LOAD_BALANCERS, hard_limit=limit, delta=used, available=available)
