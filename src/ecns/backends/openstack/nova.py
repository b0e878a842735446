"""Nova's Compute API, as far as ECNS asks it.

Source: https://docs.openstack.org/api-ref/compute/
"""

from __future__ import annotations

import re

import msgspec

from ecns.backends.openstack.service import Service

FLAVORS_VERSION = {"OpenStack-API-Version": "compute 2.61"}
"""The first with a flavor's description and extra specs in the list (2018)."""


class Flavor(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is made of: processors, MiB of memory, GiB of disk."""

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    description: str | None = None
    is_public: bool = msgspec.field(name="os-flavor-access:is_public", default=True)
    is_disabled: bool = msgspec.field(name="OS-FLV-DISABLED:disabled", default=False)
    extra_specs: dict[str, str] = {}


class ZoneState(msgspec.Struct, frozen=True):
    """Whether a zone takes servers."""

    available: bool


class Zone(msgspec.Struct, frozen=True):
    """An availability zone."""

    name: str = msgspec.field(name="zoneName")
    state: ZoneState = msgspec.field(name="zoneState")


class Server(msgspec.Struct, frozen=True):
    """A virtual machine; `status` is ACTIVE, SHUTOFF, ERROR, BUILD and others."""

    id: str
    name: str
    status: str


class _Zones(msgspec.Struct):
    zones: list[Zone] = msgspec.field(name="availabilityZoneInfo")


class Nova(Service):
    """Servers and what they are made of."""

    where = "Nova"
    types = ("compute",)
    version = re.compile(r"/v2(\.1)?(/\w+)?$")
    default_version = "/v2.1"

    async def flavors(self, token: str) -> list[Flavor]:
        """The flavors that the token's project may use."""
        return await self._pages(token, "/flavors/detail", "flavors", list[Flavor], headers=FLAVORS_VERSION)

    async def zones(self, token: str) -> list[Zone]:
        """The availability zones."""
        return (await self._get(token, "/os-availability-zone", _Zones)).zones

    async def servers(self, token: str) -> list[Server]:
        """The servers of the token's project."""
        return await self._pages(token, "/servers/detail", "servers", list[Server])
