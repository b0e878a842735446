"""Who may reach containers from the network of the machines: `security_groups` of Hybrid workloads; pure.

Pods are no ports of Neutron, so no group can be put on them. What a workload has in the machines' network is
the load balancer of its `vm_access`; so the groups say who is let in there, as they would say it of a
machine. The list of sources is what Kubernetes, its OpenStack provider and Octavia have for it
(`loadBalancerSourceRanges`, `allowed_cidrs`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from ecns.api.virtualmachines.checks import PROTOCOLS
from ecns.api.workloads.types import Access
from ecns.backends.openstack.neutron import Rule, Subnet
from ecns.errors import BadRequestError

NUMBERS = {"6": "TCP", "17": "UDP"}
"""Protocols by their numbers."""


def sources(
    rules: Sequence[Rule],
    blocks: Mapping[str, Sequence[str]],
    subnet: Subnet,
    access: Sequence[Access],
    at: str,
) -> list[str]:
    """The blocks of addresses that may reach all ports of an entry.

    A rule that lets members of a group in lets in the subnet that the machines are in: load balancers know
    addresses, and members come and go.

    Args:
        rules: of the security groups.
        blocks: what address groups consist of, by their ids.
        subnet: where the entry is.
        access: its ports.
        at: where in the request they are.

    Raises:
        BadRequestError: nobody may reach one of them, or different ones.
    """
    found: list[set[str]] = []
    for place, entry in enumerate(access):
        field = f"{at}.access[{place}].port"
        open_to = {
            block for rule in rules if _opens(rule, entry, subnet) for block in _from(rule, blocks, subnet)
        }
        said = f"{entry.port}/{entry.protocol or PROTOCOLS[0]}"
        if not open_to:
            raise BadRequestError(f"{field}: the security groups let nobody reach {said}", field=field)
        found.append(set(_joined(open_to)))
        if found[0] != found[-1]:
            raise BadRequestError(
                f"{field}: the security groups open {said} to others than the first port;"
                " a load balancer has one list for all of its ports",
                field=field,
            )
    return sorted(found[0]) if found else []


def _opens(rule: Rule, entry: Access, subnet: Subnet) -> bool:
    """Whether a rule is about a port."""
    protocol = (rule.protocol or "any").upper()
    alike = NUMBERS.get(protocol, protocol) in {"ANY", "0", entry.protocol or PROTOCOLS[0]}
    least, most = rule.port_range_min, rule.port_range_max
    inside = least is None or most is None or least <= (entry.port or 0) <= most
    return rule.direction == "ingress" and rule.ethertype == f"IPv{subnet.ip_version}" and alike and inside


def _from(rule: Rule, blocks: Mapping[str, Sequence[str]], subnet: Subnet) -> Sequence[str]:
    """Whom a rule lets in."""
    if rule.remote_group_id:
        return [subnet.cidr]
    if rule.remote_address_group_id:
        return blocks.get(rule.remote_address_group_id, [])
    return [rule.remote_ip_prefix or ("0.0.0.0/0" if subnet.ip_version == 4 else "::/0")]  # noqa: PLR2004


def _joined(blocks: set[str]) -> list[str]:
    """Blocks without those that are inside of others."""
    read = (ipaddress.ip_network(block, strict=False) for block in blocks)
    return [str(one) for one in ipaddress.collapse_addresses(read)]  # type: ignore[type-var]  # of one version
