"""The reference's types of chapter 1.8.

Units: disks in GiB. What is optional is null when it is not known or not set. What types cannot say is in
`checks`. `reason` of a group and of a machine are ours on top.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ecns.api.workloads.types import Access

GroupWord = Literal["Running", "Stopped", "Pending", "Failed", "Removing", "Unknown"]


class VmNetwork(Struct, kw_only=True):
    """vm_network: where the virtual machines of an application are."""

    network_name: str
    network_id: str
    subnet_name: str
    subnet_id: str


class BootManager(Struct, kw_only=True):
    """boot_manager: what a machine starts from; the field of its type is needed."""

    type: Literal["image", "snapshot", "volume"]
    image: str | None = None
    snapshot: str | None = None
    bootable_volume: str | None = None


class Disk(Struct, kw_only=True):
    """disk: `type` is hdd (capacity) or high-performance; `size` in GiB."""

    type: Literal["hdd", "high-performance"] | None = None
    size: int
    amount: int | None = None
    cascade_deletion: bool | None = None


class VmLoadBalancer(Struct, kw_only=True):
    """loadbalancer: of `access` port and protocol count; without any there is no load balancer.

    `internal_ip` is the address that it is to have, if that matters; `status` is shown alone.
    """

    name: str | None = None
    internal_ip: str | None = None
    status: str | None = None
    access: list[Access]


class VmAuthentication(Struct, kw_only=True):
    """authentication: how people log in; one of the two is needed."""

    keypair: str | None = None
    password: str | None = None


class VirtualMachine(Struct, kw_only=True):
    """virtual_machine: a group of equal machines; without `security_groups` they are in the one `default`."""

    name: str
    replicas: int
    availability_zone: str
    boot_manager: BootManager
    flavor_name: str
    system_disk: Disk
    data_disk: list[Disk] | None = None
    security_groups: list[str] | None = None
    loadbalancer: VmLoadBalancer
    authentication: VmAuthentication
    user_data: str | None = None


class Flavor(Struct, kw_only=True):
    """flavor: amounts with their units, as `2C`, `4GiB`."""

    cpu: str
    memory: str
    disk: str


class VmInstance(Struct, kw_only=True):
    """vm_instance: one machine of a group; `status` is Nova's word for it, `reason` why it is in ERROR."""

    name: str
    id: str
    status: str
    image: str
    internal_ip: str
    flavor: Flavor
    creation_time: str
    reason: str | None = None


class VmStatus(Struct, kw_only=True):
    """vm_status: how a group of machines is; `application_name` is empty once its application is deleted.

    `status` is Running, Stopped, Pending, Failed, Removing or, when nobody could be asked, Unknown.
    """

    name: str
    replicas: int
    status: GroupWord
    application_name: str
    image: str
    flavor: Flavor
    vm_instances: list[VmInstance]
    vm_network: VmNetwork
    loadbalancer: VmLoadBalancer | None = None
    creation_time: str
    reason: str | None = None


# Requests and answers


class VmName(Struct, kw_only=True):
    """Which group; other fields may be sent and do not count."""

    name: str


class SomeVirtualMachines(Struct, kw_only=True):
    """The body of the batches."""

    virtual_machines: list[VmName]


class ScaleVirtualMachine(Struct, kw_only=True):
    """How many machines a group is to have."""

    replicas: int
