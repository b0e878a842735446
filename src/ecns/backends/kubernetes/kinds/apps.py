"""The apps group: Deployments, StatefulSets, DaemonSets and their histories.

The three controllers share one shape here: a field that a kind does not have is never set. Source:
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/
"""

from __future__ import annotations

from typing import Any

from msgspec import field

from ecns.backends.kubernetes.kinds.core import (
    Condition,
    IntOrString,
    LabelSelector,
    PersistentVolumeClaim,
    Status,
)
from ecns.backends.kubernetes.kinds.meta import Kind, Part, Resource
from ecns.backends.kubernetes.kinds.pods import PodTemplateSpec


class RollingUpdate(Part):
    """How far an update may go over or under the number wanted; a number or a percentage."""

    max_surge: IntOrString | None = None
    max_unavailable: IntOrString | None = None
    partition: int | None = None


class UpdateStrategy(Part):
    """How pods are replaced when the template changes."""

    type: str = ""
    rolling_update: RollingUpdate | None = None


class ControllerSpec(Part):
    """What a controller keeps running."""

    replicas: int | None = None
    selector: LabelSelector = field(default_factory=LabelSelector)
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)
    strategy: UpdateStrategy | None = None
    """Deployments."""
    update_strategy: UpdateStrategy | None = None
    """StatefulSets and DaemonSets."""
    min_ready_seconds: int = 0
    service_name: str = ""
    volume_claim_templates: list[PersistentVolumeClaim] | None = None
    paused: bool = False


class ControllerStatus(Status, frozen=True):
    """How far a controller is."""

    observed_generation: int = 0
    conditions: list[Condition] | None = None
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    updated_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""
    desired_number_scheduled: int = 0
    """DaemonSets, this and the following."""
    current_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    number_unavailable: int = 0
    updated_number_scheduled: int = 0


class Controller(Resource):
    """A Deployment, StatefulSet or DaemonSet."""

    spec: ControllerSpec = field(default_factory=ControllerSpec)
    status: ControllerStatus = ControllerStatus()


class Deployment(Controller):
    """Interchangeable pods."""


class StatefulSet(Controller):
    """Pods with names and claims of their own."""


class DaemonSet(Controller):
    """One pod a node."""


class ReplicaSet(Controller):
    """One revision of a Deployment."""


class ControllerRevision(Resource):
    """One revision of a StatefulSet or DaemonSet: `data` is a patch with the template."""

    revision: int = 0
    data: Any = None


DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment", Deployment)
STATEFUL_SET = Kind("apps", "v1", "statefulsets", "StatefulSet", StatefulSet)
DAEMON_SET = Kind("apps", "v1", "daemonsets", "DaemonSet", DaemonSet)
REPLICA_SET = Kind("apps", "v1", "replicasets", "ReplicaSet", ReplicaSet)
CONTROLLER_REVISION = Kind("apps", "v1", "controllerrevisions", "ControllerRevision", ControllerRevision)
