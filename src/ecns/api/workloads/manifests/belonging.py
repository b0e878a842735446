"""Which Services, Ingresses and autoscalers belong to a workload, whoever made them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ecns.api.common import names
from ecns.api.workloads.manifests import routes
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.autoscaling import HorizontalPodAutoscaler
from ecns.backends.kubernetes.kinds.core import Service
from ecns.backends.kubernetes.kinds.networking import Ingress


def service_belongs(service: Service, controller: Controller) -> bool:
    """Whether a Service leads to the workload's pods, or has no pods and was made with the workload."""
    if service.metadata.namespace != controller.metadata.namespace:
        return False
    selector = service.spec.selector
    if selector:
        labels = controller.spec.template.metadata.labels or {}
        return selector.items() <= labels.items()
    return (service.metadata.labels or {}).get(names.WORKLOAD) == controller.metadata.name


def ingress_belongs(ingress: Ingress, services: Collection[str]) -> bool:
    """Whether an Ingress is named after one of these Services or leads to one."""
    return ingress.metadata.name in services or any(
        backend.name in services for _, _, backend in routes.of_services(ingress)
    )


def autoscaler_belongs(autoscaler: HorizontalPodAutoscaler, controller: Controller) -> bool:
    """Whether an autoscaler scales the workload."""
    target = autoscaler.spec.scale_target_ref
    return (target.kind, target.name, autoscaler.metadata.namespace) == (
        type(controller).__name__,
        controller.metadata.name,
        controller.metadata.namespace,
    )


class MatchIndex:
    """Services by what they select, so that finding a workload's does not cost all of them."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._by_label: dict[tuple[str, str], list[Service]] = {}
        self._by_workload: dict[str, list[Service]] = {}
        for service in services:
            selector = service.spec.selector
            if selector:
                self._by_label.setdefault(next(iter(selector.items())), []).append(service)
            elif name := (service.metadata.labels or {}).get(names.WORKLOAD):
                self._by_workload.setdefault(name, []).append(service)

    def of(self, controller: Controller) -> list[Service]:
        """The Services that belong to a workload."""
        labels = controller.spec.template.metadata.labels or {}
        candidates = [one for label in labels.items() for one in self._by_label.get(label, ())]
        candidates += self._by_workload.get(controller.metadata.name, [])
        return [one for one in candidates if service_belongs(one, controller)]
