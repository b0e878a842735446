"""The questions that the watch caches answer without searching; one name each, by kind."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from ecns.backends.kubernetes.kinds.apps import DAEMON_SET, DEPLOYMENT, STATEFUL_SET, Controller, StatefulSet
from ecns.backends.kubernetes.kinds.autoscaling import HORIZONTAL_POD_AUTOSCALER, HorizontalPodAutoscaler
from ecns.backends.kubernetes.kinds.core import SERVICE, Service
from ecns.backends.kubernetes.kinds.discovery import ENDPOINT_SLICE, EndpointSlice
from ecns.backends.kubernetes.kinds.meta import Kind
from ecns.backends.kubernetes.kinds.networking import INGRESS, Ingress
from ecns.backends.kubernetes.kinds.pods import POD_ROW, PodRow

Index = Callable[[Any], Iterable[Hashable]]

OWNER = "owner"
"""Every kind, by the uids of its owners."""
SELECTOR = "selector"
"""Services by (namespace, key, value) of one label that they select by: the least; without a selector, by the
label that says which workload they were made for."""
ALLOCATED = "allocated"
"""Services by what only one in the cluster can have: node ports (numbers) and cluster IPs (strings)."""
BACKEND = "backend"
"""Ingresses by (namespace, service)."""
HOST = "host"
"""Ingresses by the host of each rule; empty for all hosts."""
TEMPLATE = "template"
"""Controllers by (namespace, key, value) of each label of their pods."""
OF_SERVICE = "service"
"""EndpointSlices by (namespace, service)."""
SERVICE_NAME = "kubernetes.io/service-name"
"""Label of an EndpointSlice: its Service."""
WORKLOAD_LABEL = "ecns.easystack.com/workload"
"""On all that goes with a workload that ECNS made: its name."""
TARGET = "target"
"""Autoscalers by (namespace, kind, name)."""
CLAIM = "claim"
"""Pods by (namespace, name) of the claims that they name."""
CLAIM_TEMPLATE = "claim_template"
"""StatefulSets by (namespace, all but the number) of the names of the claims that they make."""


def _selector(service: Service) -> Iterable[tuple[str, str, str]]:
    if selector := service.spec.selector:
        yield (service.metadata.namespace, *min(selector.items()))
    elif workload := (service.metadata.labels or {}).get(WORKLOAD_LABEL):
        yield (service.metadata.namespace, WORKLOAD_LABEL, workload)


def _allocated(service: Service) -> Iterable[int | str]:
    spec = service.spec
    found: set[int | str] = {port.node_port for port in spec.ports or () if port.node_port}
    if spec.health_check_node_port:
        found.add(spec.health_check_node_port)
    found |= {
        address for address in (spec.cluster_ip, *(spec.cluster_ips or ())) if address not in {"", "None"}
    }
    return found


def _template(controller: Controller) -> Iterable[tuple[str, str, str]]:
    labels = controller.spec.template.metadata.labels or {}
    return ((controller.metadata.namespace, key, value) for key, value in labels.items())


def _of_service(found: EndpointSlice) -> Iterable[tuple[str, str]]:
    if name := (found.metadata.labels or {}).get(SERVICE_NAME):
        yield found.metadata.namespace, name


def _hosts(ingress: Ingress) -> Iterable[str]:
    return {rule.host for rule in ingress.spec.rules or ()}


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


def claims(pod: PodRow) -> Iterable[tuple[str, str]]:
    """Namespace and name of the claims that a pod names."""
    for volume in pod.spec.volumes or ():
        if (source := volume.persistent_volume_claim) is not None:
            yield (pod.metadata.namespace, source.claim_name)


def _claim_templates(one: StatefulSet) -> Iterable[tuple[str, str]]:
    for template in one.spec.volume_claim_templates or ():
        yield (one.metadata.namespace, f"{template.metadata.name}-{one.metadata.name}")


INDEXES: Mapping[Kind[Any], Mapping[str, Index]] = {
    SERVICE: {SELECTOR: _selector, ALLOCATED: _allocated},
    INGRESS: {BACKEND: _backends, HOST: _hosts},
    DEPLOYMENT: {TEMPLATE: _template},
    STATEFUL_SET: {TEMPLATE: _template, CLAIM_TEMPLATE: _claim_templates},
    DAEMON_SET: {TEMPLATE: _template},
    ENDPOINT_SLICE: {OF_SERVICE: _of_service},
    HORIZONTAL_POD_AUTOSCALER: {TARGET: _target},
    POD_ROW: {CLAIM: claims},
}
