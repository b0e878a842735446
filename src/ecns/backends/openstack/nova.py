"""Nova's Compute API, as far as ECNS asks it.

Source: https://docs.openstack.org/api-ref/compute/
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from ecns.backends.openstack.service import Service, named
from ecns.errors import NotFoundError

FLAVORS_VERSION = {"OpenStack-API-Version": "compute 2.61"}
"""The first with a flavor's description and extra specs in the list, and in servers (2018)."""


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


class ServerFlavor(msgspec.Struct, frozen=True):
    """What a server is made of, as it was when it was made."""

    vcpus: int
    ram: int
    disk: int


class Address(msgspec.Struct, frozen=True):
    """An address of a server; `kind` is fixed or floating."""

    addr: str
    kind: str = msgspec.field(name="OS-EXT-IPS:type", default="fixed")


class Fault(msgspec.Struct, frozen=True):
    """Why a server is in ERROR."""

    message: str = ""


class ServerDisk(msgspec.Struct, frozen=True):
    """A volume that a server has, or is to have."""

    id: str


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual machine; `status` is ACTIVE, SHUTOFF, ERROR, BUILD and others."""

    id: str
    name: str
    status: str
    created: str = ""
    metadata: dict[str, str] = {}
    addresses: dict[str, list[Address]] = {}
    flavor: ServerFlavor | None = None
    fault: Fault | None = None
    launched_at: str | None = msgspec.field(name="OS-SRV-USG:launched_at", default=None)
    """When it first ran; None: it never did."""
    disks: list[ServerDisk] = msgspec.field(name="os-extended-volumes:volumes_attached", default=[])


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a project may have of servers, and has; -1: any number."""

    instances: int = msgspec.field(name="maxTotalInstances", default=-1)
    instances_used: int = msgspec.field(name="totalInstancesUsed", default=0)
    cores: int = msgspec.field(name="maxTotalCores", default=-1)
    cores_used: int = msgspec.field(name="totalCoresUsed", default=0)
    ram: int = msgspec.field(name="maxTotalRAMSize", default=-1)
    ram_used: int = msgspec.field(name="totalRAMUsed", default=0)


class _Absolute(msgspec.Struct):
    absolute: Limits


class _Limits(msgspec.Struct):
    limits: _Absolute


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
        return await self._pages(token, "/servers/detail", "servers", list[Server], headers=FLAVORS_VERSION)

    async def limits(self, token: str) -> Limits:
        """What the token's project may have."""
        return (await self._get(token, "/limits", _Limits)).limits.absolute

    async def has_keypair(self, token: str, name: str) -> bool:
        """Whether the token's user has a key of this name."""
        try:
            await self._send("GET", token, f"/os-keypairs/{named(name)}")
        except NotFoundError:
            return False
        return True

    async def delete(self, token: str, server_id: str) -> None:
        """Let Nova remove a server; it answers before that is done.

        Raises:
            NotFoundError: it is not there.
        """
        await self._send("DELETE", token, f"/servers/{named(server_id)}")

    async def act(self, token: str, server_id: str, action: Literal["os-start", "os-stop"]) -> None:
        """Let Nova start or stop a server; it answers before that is done.

        Raises:
            NotFoundError: it is not there.
            ConflictError: it is not in a state for it.
        """
        await self._send("POST", token, f"/servers/{named(server_id)}/action", body={action: None})
