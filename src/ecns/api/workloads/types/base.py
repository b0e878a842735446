"""Which workload."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

JsonObject = dict[str, Any]

WorkloadType = Literal["Deployment", "StatefulSet", "DaemonSet"]
ApplicationType = Literal["Normal", "Hybrid"]


class WorkloadBase(Struct, kw_only=True):
    """workload_base: which workload; `replicas` is not sent for DaemonSets."""

    name: str
    type: WorkloadType
    replicas: int | None = None
