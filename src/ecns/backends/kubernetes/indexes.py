"""The questions that the watch caches answer without searching; one name each, by kind."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from ecns.backends.kubernetes.kinds.autoscaling import HORIZONTAL_POD_AUTOSCALER, HorizontalPodAutoscaler
from ecns.backends.kubernetes.kinds.core import SERVICE, Service
from ecns.backends.kubernetes.kinds.meta import Kind
from ecns.backends.kubernetes.kinds.networking import INGRESS, Ingress

Index = Callable[[Any], Iterable[Hashable]]

OWNER = "owner"
"""Every kind, by the uids of its owners."""
SELECTOR = "selector"
"""Services by (namespace, key, value) of one label that they select by: the least; without a selector, by the
label that says which workload they were made for."""
BACKEND = "backend"
"""Ingresses by (namespace, service)."""
WORKLOAD_LABEL = "ecns.easystack.com/workload"
"""On all that goes with a workload that ECNS made: its name."""
TARGET = "target"
"""Autoscalers by (namespace, kind, name)."""


def _selector(service: Service) -> Iterable[tuple[str, str, str]]:
    if selector := service.spec.selector:
        yield (service.metadata.namespace, *min(selector.items()))
    elif workload := (service.metadata.labels or {}).get(WORKLOAD_LABEL):
        yield (service.metadata.namespace, WORKLOAD_LABEL, workload)


def _backends(ingress: Ingress) -> Iterable[tuple[str, str]]:
    backends = [
        path.backend for rule in ingress.spec.rules or () if rule.http for path in rule.http.paths or ()
    ]
    if ingress.spec.default_backend:
        backends.append(ingress.spec.default_backend)
    names = {backend.service.name for backend in backends if backend.service}
    return ((ingress.metadata.namespace, name) for name in names)


def _target(autoscaler: HorizontalPodAutoscaler) -> Iterable[tuple[str, str, str]]:
    target = autoscaler.spec.scale_target_ref
    yield (autoscaler.metadata.namespace, target.kind, target.name)


INDEXES: Mapping[Kind[Any], Mapping[str, Index]] = {
    SERVICE: {SELECTOR: _selector},
    INGRESS: {BACKEND: _backends},
    HORIZONTAL_POD_AUTOSCALER: {TARGET: _target},
}
