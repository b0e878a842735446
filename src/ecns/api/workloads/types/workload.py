"""A workload, and how it is."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from ecns.api.workloads.types.access import AccessMode
from ecns.api.workloads.types.base import ApplicationType, JsonObject, WorkloadBase
from ecns.api.workloads.types.containers import Container, Image, Volume
from ecns.api.workloads.types.strategies import Network, ScaleStrategy, SchedulerStrategy, UpdateStrategy


class Condition(Struct, kw_only=True):
    """condition: `update_time` in RFC 3339."""

    status: str
    type: str
    reason: str | None = None
    message: str | None = None
    update_time: str | None = None


class Event(Struct, kw_only=True):
    """event; `count` how often, `object` whom it is about, as `Pod/web-1`."""

    type: str
    reason: str | None = None
    message: str | None = None
    update_time: str | None = None
    count: int = 1
    object: str | None = None


class Revision(Struct, kw_only=True):
    """revision; `current` the one in use, `change_cause` what `kubectl annotate` noted."""

    version: int
    image: list[Image] | None = None
    creation_time: str | None = None
    current: bool | None = None
    change_cause: str | None = None


class ContainerStatus(Struct, kw_only=True):
    """How a container of a pod is: Running, Waiting, Terminated or Error.

    `reason`, `message` and `exit_code` are of its present state or, where that has none, of its last run's
    end; `last_reason` is of that end always, such as `OOMKilled`. `started_at` in RFC 3339.
    """

    name: str
    type: Literal["worker", "init", "ephemeral"]
    status: str
    ready: bool
    restart_count: int
    image: str
    reason: str | None = None
    message: str | None = None
    exit_code: int | None = None
    last_reason: str | None = None
    started_at: str | None = None


class PodStatus(Struct, kw_only=True):
    """pod_status, which the reference names and does not define."""

    name: str
    status: str
    pod_ip: str | None = None
    host_ip: str | None = None
    node_name: str | None = None
    restart_count: int = 0
    ready: bool = False
    reason: str | None = None
    message: str | None = None
    creation_time: str | None = None
    containers: list[ContainerStatus]


class WorkloadStatus(Struct, kw_only=True):
    """workload_status (chapter 1.2); `reasons` says in words why it is not ready."""

    workload_base: WorkloadBase | None = None
    owner: str = ""
    status: str
    images: list[Image]
    access_mode: list[AccessMode]
    ready_replicas: int
    available_replicas: int | None = None
    unavailable_replicas: int
    updated_replicas: int | None = None
    creation_time: str | None = None
    reasons: list[str] = field(default_factory=list)


class Workload(Struct, kw_only=True):
    """workload."""

    application_name: str | None = None
    application_type: ApplicationType | None = None
    workload_base: WorkloadBase
    security_groups: list[str] | None = None
    labels: dict[str, str] | None = None
    access_mode: list[AccessMode] | None = None
    vm_access: JsonObject | None = None
    vm_network: JsonObject | None = None
    runtime_class_name: str | None = None
    containers: list[Container]
    volumes: list[Volume] | None = None
    update_strategy: UpdateStrategy | None = None
    scale_strategy: ScaleStrategy | None = None
    scheduler_strategy: list[SchedulerStrategy] | None = None
    network: Network | None = None
    pods_status: list[Any] | None = field(default=None, name="Pods_status")
    workload_status: Any = None
