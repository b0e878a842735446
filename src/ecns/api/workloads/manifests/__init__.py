"""Between the reference's workloads and Kubernetes' objects; pure, and total in the direction of showing."""

from ecns.api.common.names import PART_OF, STOPPED_REPLICAS, WORKLOAD
from ecns.api.workloads.manifests.belonging import (
    MatchIndex,
    autoscaler_belongs,
    ingress_belongs,
    service_belongs,
)
from ecns.api.workloads.manifests.controllers import (
    KINDS,
    Companions,
    WorkloadObjects,
    objects,
    workload,
)
from ecns.api.workloads.manifests.reasons import why_not_ready
from ecns.api.workloads.manifests.status import (
    conditions,
    current_revision,
    events,
    is_complete,
    is_stopped,
    pod_status,
    revision_of,
    revisions,
    wanted,
    workload_status,
    workload_word,
)

__all__ = [
    "KINDS",
    "PART_OF",
    "STOPPED_REPLICAS",
    "WORKLOAD",
    "Companions",
    "MatchIndex",
    "WorkloadObjects",
    "autoscaler_belongs",
    "conditions",
    "current_revision",
    "events",
    "ingress_belongs",
    "is_complete",
    "is_stopped",
    "objects",
    "pod_status",
    "revision_of",
    "revisions",
    "service_belongs",
    "wanted",
    "why_not_ready",
    "workload",
    "workload_status",
    "workload_word",
]
