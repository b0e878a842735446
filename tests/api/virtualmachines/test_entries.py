"""Who may reach containers from the network of the machines, by the rules of security groups."""

from __future__ import annotations

import ipaddress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.virtualmachines import entries
from ecns.api.workloads.types import Access
from ecns.backends.openstack.neutron import Rule, Subnet
from ecns.errors import BadRequestError

SUBNET = Subnet(id="s", name="s", network_id="n", project_id="p", cidr="10.0.0.0/24", ip_version=4)
WEB = [Access(port=80, protocol="TCP")]
BLOCKS = {"office": ["192.0.2.0/25", "192.0.2.128/25"]}


def rule(**fields: Any) -> Rule:
    fields = {"security_group_id": "g", "direction": "ingress", "ethertype": "IPv4", **fields}
    return msgspec.convert(fields, Rule)


MEMBERS = rule(remote_group_id="g")
LOW_PORTS = {"port_range_min": 1, "port_range_max": 99}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([MEMBERS], ["10.0.0.0/24"]),
        ([rule()], ["0.0.0.0/0"]),
        ([MEMBERS, rule(protocol="tcp", remote_ip_prefix="10.0.0.7/32")], ["10.0.0.0/24"]),
        ([rule(protocol="6", remote_ip_prefix="192.0.2.0/24", **LOW_PORTS)], ["192.0.2.0/24"]),
        ([rule(protocol="any", remote_address_group_id="office")], ["192.0.2.0/24"]),
        ([MEMBERS, rule(protocol="udp"), rule(direction="egress"), rule(ethertype="IPv6")], ["10.0.0.0/24"]),
    ],
)
def test_whom_rules_let_in(rules: list[Rule], expected: list[str]) -> None:
    assert entries.sources(rules, BLOCKS, SUBNET, WEB, "vm_access") == expected


@pytest.mark.parametrize(
    ("rules", "access", "place"),
    [
        ([], WEB, 0),
        ([rule(protocol="udp")], WEB, 0),
        ([rule(protocol="tcp", port_range_min=81, port_range_max=90)], WEB, 0),
        ([rule(remote_address_group_id="gone")], WEB, 0),
        ([MEMBERS, rule(protocol="tcp", port_range_min=80, port_range_max=80)], [*WEB, Access(port=81)], 1),
    ],
)
def test_what_cannot_be_names_the_port(rules: list[Rule], access: list[Access], place: int) -> None:
    with pytest.raises(BadRequestError) as refusal:
        entries.sources(rules, BLOCKS, SUBNET, access, "workloads[2].vm_access")
    assert refusal.value.field == f"workloads[2].vm_access.access[{place}].port"


@given(st.lists(st.ip_addresses(v=4).map(lambda one: f"{one}/32"), min_size=1, max_size=20))
def test_sources_are_those_of_the_rules(prefixes: list[str]) -> None:
    found = entries.sources([rule(remote_ip_prefix=one) for one in prefixes], {}, SUBNET, WEB, "x")
    let_in = {address for block in found for address in ipaddress.ip_network(block)}
    assert let_in == {ipaddress.ip_network(one)[0] for one in prefixes}
