"""The reference's types of chapter 1.2, and those of 1.8 that an application carries.

Units: disks in GiB. What is optional is null when it is not known or not set. Keys that are not named here
are ignored: portals send back what they were shown. What types cannot say is in `checks`.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from ecns.api.workloads.types import Access, ApplicationType, Workload, WorkloadStatus

ApplicationWord = Literal["No workload", "Stopped", "Unready", "Running", "Processing"]


class ConfigMap(Struct, kw_only=True):
    """configmap (chapter 1.4): texts by key."""

    name: str
    config: dict[str, str]


# Virtual machines


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
    """loadbalancer: of `access` port and protocol count; name, address and status are shown."""

    name: str | None = None
    internal_ip: str | None = None
    status: str | None = None
    access: list[Access]


class VmAuthentication(Struct, kw_only=True):
    """authentication: how people log in; one of the two is needed."""

    keypair: str | None = None
    password: str | None = None


class VirtualMachine(Struct, kw_only=True):
    """virtual_machine: a group of equal machines."""

    name: str
    replicas: int
    availability_zone: str
    boot_manager: BootManager
    flavor_name: str
    system_disk: Disk
    data_disk: list[Disk] | None = None
    security_groups: list[str]
    loadbalancer: VmLoadBalancer
    authentication: VmAuthentication
    user_data: str | None = None


class Flavor(Struct, kw_only=True):
    """flavor: amounts with their units, as `2C`, `4GiB`."""

    cpu: str
    memory: str
    disk: str


class VmInstance(Struct, kw_only=True):
    """vm_instance: one machine of a group."""

    name: str
    id: str
    status: str
    image: str
    internal_ip: str
    flavor: Flavor
    creation_time: str


class VmStatus(Struct, kw_only=True):
    """vm_status: how a group of machines is."""

    name: str
    replicas: int
    status: str
    application_name: str
    image: str
    flavor: Flavor
    vm_instances: list[VmInstance]
    vm_network: VmNetwork
    loadbalancer: VmLoadBalancer | None = None
    creation_time: str


# Applications


class Application(Struct, kw_only=True):
    """application: `configmaps` and `workloads` are null in lists."""

    name: str
    description: str | None = None
    type: ApplicationType | None = None
    vm_network: VmNetwork | None = None
    configmaps: list[ConfigMap] | None = None
    workloads: list[Workload] | None = None
    virtual_machines: list[VirtualMachine] | None = None


class ApplicationStatus(Struct, kw_only=True):
    """application_status."""

    creation_time: str
    status: ApplicationWord


class ApplicationInfo(Struct, kw_only=True):
    """application_info."""

    application: Application
    application_status: ApplicationStatus
    workloads_status: list[WorkloadStatus]
    vms_status: list[VmStatus]


# Requests


class CreateApplication(Struct, kw_only=True):
    """The body of "create application": its fields, or all of them in `application`."""

    name: str | None = None
    description: str | None = None
    type: ApplicationType | None = None
    vm_network: VmNetwork | None = None
    configmaps: list[ConfigMap] | None = None
    workloads: list[Workload] | None = None
    virtual_machines: list[VirtualMachine] | None = None
    application: Application | None = None


class Description(Struct, kw_only=True):
    """A description for the application of this name; null or empty takes it away."""

    name: str | None = None
    description: str | UnsetType | None = UNSET


class DescribeApplication(Description, kw_only=True):
    """The body of "change description": the fields, or both in `application`."""

    application: Description | None = None


class ApplicationName(Struct, kw_only=True):
    """Which application; the other fields of an application may be sent and do not count."""

    name: str


class SomeApplications(Struct, kw_only=True):
    """The body of the batches."""

    applications: list[ApplicationName]


# Answers


class OneApplication(Struct, kw_only=True):
    """The answer of creating, changing and showing."""

    application_info: ApplicationInfo


class Applications(Struct, kw_only=True):
    """The answer of listing."""

    applications_info: list[ApplicationInfo]
    total: int
    page: int
    page_size: int
