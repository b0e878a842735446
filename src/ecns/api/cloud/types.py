"""The reference's types of what OpenStack alone tells."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

InstanceType = Literal["server", "loadbalance"]
State = Literal["Active", "Shutoff", "Error", "Other"]


class InstanceStatus(Struct):
    """instance_status: the servers or load balancers that are in one state."""

    type: InstanceType
    status: State
    count: int
    names: list[str]


class OpenStackOverview(Struct):
    """The answer of "servers and load balancers by state"; `loadbalances` is the reference's spelling."""

    servers: list[InstanceStatus]
    loadbalances: list[InstanceStatus]


class VolumeType(Struct):
    """A Cinder volume type; `type` is its back end, empty if Cinder does not show it to the caller."""

    id: str
    name: str
    type: str
    description: str
    """Ours on top."""


class RuntimeVersion(Struct):
    """runtime_version."""

    container_runtime: str
    available: bool
    """An image for it is visible."""


class KubernetesVersion(Struct):
    """k8sversion."""

    k8s_version: str
    runtime_version: list[RuntimeVersion]


class KubernetesVersions(Struct):
    """The answer of "Kubernetes versions"."""

    versions: list[KubernetesVersion]
