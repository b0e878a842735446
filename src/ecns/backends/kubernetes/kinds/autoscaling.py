"""HorizontalPodAutoscaler v2.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/
"""

from __future__ import annotations

from msgspec import field

from ecns.backends.kubernetes.kinds.core import Condition, Quantity, Status
from ecns.backends.kubernetes.kinds.meta import Kind, Part, Resource


class ScaleTarget(Part):
    """What is scaled."""

    api_version: str = ""
    kind: str = ""
    name: str = ""


class MetricTarget(Part):
    """The value aimed at; `average_utilization` in percent of the requests."""

    type: str = ""
    average_utilization: int | None = None
    average_value: Quantity | None = None
    value: Quantity | None = None


class ResourceMetric(Part):
    """CPU or memory of the pods."""

    name: str = ""
    target: MetricTarget = field(default_factory=MetricTarget)


class Metric(Part):
    """One thing to scale by; other types than Resource are left alone."""

    type: str = ""
    resource: ResourceMetric | None = None


class HorizontalPodAutoscalerSpec(Part):
    """How something is scaled."""

    scale_target_ref: ScaleTarget = field(default_factory=ScaleTarget)
    min_replicas: int | None = None
    max_replicas: int = 0
    metrics: list[Metric] | None = None


class HorizontalPodAutoscalerStatus(Status, frozen=True):
    """How the scaling goes."""

    current_replicas: int = 0
    desired_replicas: int = 0
    conditions: list[Condition] | None = None


class HorizontalPodAutoscaler(Resource):
    """An autoscaler."""

    spec: HorizontalPodAutoscalerSpec = field(default_factory=HorizontalPodAutoscalerSpec)
    status: HorizontalPodAutoscalerStatus = HorizontalPodAutoscalerStatus()


HORIZONTAL_POD_AUTOSCALER = Kind(
    "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", HorizontalPodAutoscaler
)
