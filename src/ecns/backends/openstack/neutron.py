"""Neutron's Networking API, as far as ECNS asks it.

Source: https://docs.openstack.org/api-ref/network/v2/
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from ecns.backends.openstack.service import Query, Service, named

ROUTER_OWNERS = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
)
"""Who owns the ports by which routers are in a subnet."""


class Pool(msgspec.Struct, frozen=True):
    """A range of addresses that are given out."""

    start: str
    end: str


class Subnet(msgspec.Struct, frozen=True, kw_only=True):
    """A block of addresses in a network."""

    id: str
    name: str
    network_id: str
    project_id: str
    cidr: str
    ip_version: int
    enable_dhcp: bool = False
    gateway_ip: str | None = None
    description: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    revision_number: int = 0
    allocation_pools: list[Pool] = []


class _Subnet(msgspec.Struct):
    subnet: Subnet


class Network(msgspec.Struct, frozen=True):
    """A network; an external one leads out of the cloud, a shared one is every project's."""

    id: str
    shared: bool = False
    external: bool = msgspec.field(name="router:external", default=False)


class Address(msgspec.Struct, frozen=True):
    """An address of a port."""

    subnet_id: str


class Port(msgspec.Struct, frozen=True):
    """Where something is in a network."""

    fixed_ips: list[Address] = []
    id: str = ""
    name: str = ""
    description: str | None = None


class SecurityGroup(msgspec.Struct, frozen=True):
    """Rules of what may reach a port."""

    id: str
    name: str
    description: str | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of a security group: what it lets through; None: any."""

    security_group_id: str
    direction: str
    ethertype: str | None = None
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None


class AddressGroup(msgspec.Struct, frozen=True):
    """Blocks of addresses under one name."""

    id: str
    addresses: list[str] = []


class _AddressGroup(msgspec.Struct):
    address_group: AddressGroup


class Neutron(Service):
    """Networks, subnets and what protects them."""

    where = "Neutron"
    types = ("network",)
    version = re.compile(r"/v2\.0$")
    default_version = "/v2.0"

    async def subnets(self, token: str) -> list[Subnet]:
        """The subnets that the token may see: an administrator's, those of all projects."""
        return await self._pages(token, "/subnets", "subnets", list[Subnet])

    async def subnet(self, token: str, subnet_id: str) -> Subnet:
        """One subnet.

        Raises:
            NotFoundError: there is none that the token may see.
        """
        return (await self._get(token, f"/subnets/{named(subnet_id)}", _Subnet)).subnet

    async def security_groups(self, token: str, project_id: str) -> list[SecurityGroup]:
        """The security groups of a project."""
        query = [("project_id", project_id), *_fields("id", "name", "description")]
        return await self._pages(
            token, "/security-groups", "security_groups", list[SecurityGroup], query=query
        )

    async def rules(self, token: str, groups: Iterable[str]) -> list[Rule]:
        """The rules of security groups, by the ids of these."""
        query = [("security_group_id", one) for one in groups]
        return await self._pages(
            token, "/security-group-rules", "security_group_rules", list[Rule], query=query
        )

    async def address_group(self, token: str, group_id: str) -> AddressGroup:
        """One group of addresses.

        Raises:
            NotFoundError: there is none that the token may see.
        """
        path = f"/address-groups/{named(group_id)}"
        return (await self._get(token, path, _AddressGroup)).address_group

    async def delete_security_group(self, token: str, group_id: str) -> None:
        """Remove a security group.

        Raises:
            NotFoundError: there is none.
            ConflictError: a port uses it.
        """
        await self._send("DELETE", token, f"/security-groups/{named(group_id)}")

    async def ports(self, token: str, project_id: str) -> list[Port]:
        """The ports of a project, without their addresses."""
        query = [("project_id", project_id), *_fields("id", "name", "description")]
        return await self._pages(token, "/ports", "ports", list[Port], query=query)

    async def ports_at(self, token: str, subnet_id: str, address: str) -> list[Port]:
        """The ports with an address of a subnet, as far as the token may see them."""
        asked = [("fixed_ips", f"subnet_id={subnet_id}"), ("fixed_ips", f"ip_address={address}")]
        return await self._pages(token, "/ports", "ports", list[Port], query=[*asked, *_fields("id", "name")])

    async def delete_port(self, token: str, port_id: str) -> None:
        """Remove a port.

        Raises:
            NotFoundError: there is none.
            ConflictError: it is in use by something that does not let go of it.
        """
        await self._send("DELETE", token, f"/ports/{named(port_id)}")

    async def networks(self, token: str) -> list[Network]:
        """The networks that the token may see, as `subnets`."""
        return await self._pages(
            token, "/networks", "networks", list[Network], query=_fields("id", "shared", "router:external")
        )

    async def router_ports(self, token: str) -> list[Port]:
        """The ports of routers in subnets that the token may see, as `subnets`."""
        owners = [("device_owner", owner) for owner in ROUTER_OWNERS]
        # The id is what Neutron pages by.
        return await self._pages(
            token, "/ports", "ports", list[Port], query=[*owners, *_fields("id", "fixed_ips")]
        )


def _fields(*names: str) -> Query:
    return [("fields", name) for name in names]
