"""Bodies of requests."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ecns.api.workloads.types.access import AccessMode
from ecns.api.workloads.types.base import WorkloadBase
from ecns.api.workloads.types.containers import Container
from ecns.api.workloads.types.strategies import Network, ScaleStrategy, SchedulerStrategy, UpdateStrategy
from ecns.api.workloads.types.workload import Revision, Workload


class CreateWorkloads(Struct, kw_only=True):
    """The body of "create workloads"."""

    workloads: list[Workload]


class WorkloadsBase(Struct, kw_only=True):
    """The body of the batches: attach and detach (with `application_name`), start, stop, recreate."""

    workloads_base: list[WorkloadBase]
    application_name: str | None = None


class DeleteWorkloads(Struct, kw_only=True):
    """The body of "delete workloads"."""

    workloads_base: list[WorkloadBase]
    delete_policy: Literal["Foreground", "Background", "Orphan"] | None = None
    force_delete: bool | None = None
    delete_service: bool | None = None


class Scale(Struct, kw_only=True):
    """The body of "scale"."""

    replicas: int


class AccessModes(Struct, kw_only=True):
    """The body of "access modes"."""

    access_modes: list[AccessMode]


class Containers(Struct, kw_only=True):
    """The body of "containers", and the answer to its GET."""

    containers: list[Container]


class SetUpdateStrategy(Struct, kw_only=True):
    """The body of "update strategy"."""

    update_strategy: UpdateStrategy


class SetScaleStrategy(Struct, kw_only=True):
    """The body of "scale strategy", and the answer to its GET; null or empty is none."""

    scale_strategy: ScaleStrategy | None


class SetSchedulerStrategy(Struct, kw_only=True):
    """The body of "scheduler strategy", and the answer to its GET."""

    scheduler_strategy: list[SchedulerStrategy] | SchedulerStrategy | None

    @property
    def strategies(self) -> list[SchedulerStrategy]:
        """All of them, also when one was sent alone."""
        sent = self.scheduler_strategy
        return [] if sent is None else sent if isinstance(sent, list) else [sent]


class SetNetwork(Struct, kw_only=True):
    """The body of "network", and the answer to its GET."""

    network: Network | None


class SetLabels(Struct, kw_only=True):
    """The body of "labels"."""

    labels: dict[str, str] | None


class Rollback(Struct, kw_only=True):
    """The body of "roll back"."""

    target_version: str | int


class DeleteRevisions(Struct, kw_only=True):
    """The body of "delete revisions"."""

    revisions: list[Revision]
