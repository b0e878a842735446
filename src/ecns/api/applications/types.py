"""The reference's types of chapter 1.2.

What is optional is null when it is not known or not set. Keys that are not named here
are ignored: portals send back what they were shown. What types cannot say is in `checks`.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from ecns.api.virtualmachines.types import VirtualMachine, VmNetwork, VmStatus
from ecns.api.workloads.types import ApplicationType, Workload, WorkloadStatus

ApplicationWord = Literal["No workload", "Stopped", "Unready", "Running", "Processing"]


class ConfigMap(Struct, kw_only=True):
    """configmap (chapter 1.4): texts by key."""

    name: str
    config: dict[str, str]


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
