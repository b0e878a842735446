"""The reference's types of chapter 1.19; what they have beyond it is ours, as each says."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from ecns.api.common.named import Named
from ecns.api.workloads.types import AccessMode, WorkloadType

Affinity = Literal["None", "ClientIP"]
TrafficPolicy = Literal["Cluster", "Local"]


class Target(Struct, kw_only=True):
    """A workload that a Service leads to."""

    name: str
    type: str


class Service(Struct, kw_only=True):
    """service: a Service as it is shown.

    `target_workload` and `workload_type` are empty when it leads to no workload; of several they are the one
    that it was made for, else the oldest. All fields after `creation_time` are ours.
    """

    access_mode: AccessMode
    target_workload: str
    workload_type: str
    labels: dict[str, str]
    creation_time: str | None
    name: str
    workloads: list[Target]
    """All workloads whose pods it selects, the oldest first."""
    selector: dict[str, str] | None
    ready_endpoints: int | None
    """How many pods, or addresses set by hand, answer; null for type ExternalName, which has none."""
    endpoints: int | None
    """How many there are, ready or not."""
    session_affinity: str
    external_traffic_policy: str | None
    """Only of what is reached from outside."""
    cluster_ips: list[str]
    """One for each address family."""
    reasons: list[str] = field(default_factory=list)
    """What is wrong with it, in words."""


class NewService(Struct, kw_only=True):
    """service: a Service as it is sent to be made.

    `selector`, `session_affinity` and `external_traffic_policy` are ours; with a selector no workload need be
    named.
    """

    access_mode: AccessMode
    target_workload: str | None = None
    workload_type: WorkloadType | Literal[""] | None = None
    labels: dict[str, str] | None = None
    selector: dict[str, str] | None = None
    session_affinity: Affinity | None = None
    external_traffic_policy: TrafficPolicy | None = None


class ChangedMode(AccessMode, kw_only=True):
    """access_mode as an update sends it: what is not named stays."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] | None = None  # type: ignore[assignment]  # wider on purpose


class ChangedService(Struct, kw_only=True):
    """service as an update sends it: what is not named stays. A list or map that is sent replaces the old."""

    access_mode: ChangedMode | None = None
    target_workload: str | None = None
    workload_type: WorkloadType | Literal[""] | None = None
    labels: dict[str, str] | None = None
    selector: dict[str, str] | None = None
    session_affinity: Affinity | None = None
    external_traffic_policy: TrafficPolicy | None = None


class CreateService(Struct, kw_only=True):
    """The body of "create"."""

    service: NewService


class UpdateService(Struct, kw_only=True):
    """The body of "update"."""

    service: ChangedService


class DeleteServices(Struct, kw_only=True):
    """The body of "delete": names."""

    service: list[str | Named]


class OneService(Struct, kw_only=True):
    """The answer of "create" and "update"."""

    service: Service


class Services(Struct, kw_only=True):
    """The answer of "list"."""

    services: list[Service]


class NodePortUser(Struct, kw_only=True):
    """Who has a node port; told of Services that the caller may see."""

    node_port: int
    protocol: str
    namespace: str
    service: str


class NodePorts(Struct, kw_only=True):
    """The answer of "node ports in use": the numbers, in order; `used_by` and the page are ours."""

    nodeports: list[int]
    used_by: list[NodePortUser]
    total: int
    page: int
    page_size: int
