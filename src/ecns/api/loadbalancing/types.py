"""The reference's types of chapter 1.23."""

from __future__ import annotations

from msgspec import Struct


class ZoneState(Struct):
    """state."""

    available: bool


class Zone(Struct):
    """An availability zone of servers."""

    name: str
    state: ZoneState


class Flavor(Struct, kw_only=True):
    """What a server is made of; `disk` is ours on top."""

    id: str
    name: str
    description: str
    vcpus: int
    ram: int
    """MiB."""
    disk: int
    """GiB."""
    is_public: bool
    is_disabled: bool
    is_recommend: bool
    """Its extra spec `ecns:recommend` is true."""


class AllocationPool(Struct):
    """allocation_pool: a range of addresses that are given out."""

    start: str
    end: str


class Subnet(Struct, kw_only=True):
    """A block of addresses in a network; the last two are ours on top."""

    id: str
    name: str
    description: str
    project_id: str
    network_id: str
    cidr: str
    ip_version: int
    gateway_ip: str | None
    is_dhcp_enabled: bool
    allocation_pools: list[AllocationPool]
    created_at: str | None
    updated_at: str | None
    revision_number: int
    is_router_external: bool
    """Its network leads out of the cloud."""
    is_shared: bool
    """Its network is every project's."""


class ReplicasLimit(Struct):
    """The answer of "replicas limit"; the name is the reference's."""

    REPLCAS_LIMIT: int


class Installed(Struct):
    """octavia."""

    is_installed: bool


class LoadBalancing(Struct):
    """The answer of "load balancing of which kind"."""

    octavia: Installed


class License(Struct):
    """The answer of "licence quota": load balancers of the token's project; -1 is without limit."""

    resource: str
    hard_limit: int
    delta: int
    """How many there are."""
    available: int
    """How many more may be made."""
