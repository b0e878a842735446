"""Which workloads the Services of a cluster lead to, and so which applications they are part of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ecns.api.common import names
from ecns.api.services import manifests
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.core import Service
from ecns.backends.kubernetes.kinds.meta import Resource


class Leading:
    """The Services and the workloads of a cluster.

    Args:
        services: its Services.
        workloads: its controllers, one cache for each kind.
    """

    def __init__(self, services: Cache[Service], workloads: Sequence[Cache[Controller]]) -> None:
        self.services = services
        self.workloads = workloads

    def controllers(self, service: Service) -> list[Controller]:
        """The workloads that a Service leads to, or without a selector was made for; the oldest first."""
        namespace, selector = service.metadata.namespace, service.spec.selector
        found: list[Controller] = []
        for cache in self.workloads:
            if selector:
                candidates = min(
                    (cache.index(indexes.TEMPLATE, (namespace, *pair)) for pair in selector.items()), key=len
                )
                found += [one for one in candidates if selects(selector, one)]
            elif (name := manifests.target_name(service)) and (one := cache.get(name, namespace)):
                found.append(one)
        return sorted(found, key=oldest_first)

    def applications(self, service: Service) -> set[str]:
        """The applications that a Service is part of."""
        return manifests.applications(service, self.controllers(service))

    def to(self, controller: Controller) -> Iterator[str]:
        """The names of the Services that lead to a workload."""
        namespace = controller.metadata.namespace
        for pair in (controller.spec.template.metadata.labels or {}).items():
            for one in self.services.index(indexes.SELECTOR, (namespace, *pair)):
                if not one.spec.selector or selects(one.spec.selector, controller):
                    yield one.metadata.name
        made_for = (namespace, names.WORKLOAD, controller.metadata.name)
        for one in self.services.index(indexes.SELECTOR, made_for):
            if not one.spec.selector:
                yield one.metadata.name


def oldest_first(obj: Resource) -> tuple[str, str]:
    """The order of those of which one is chosen."""
    return obj.metadata.creation_timestamp or "", obj.metadata.name


def selects(selector: dict[str, str], controller: Controller) -> bool:
    """Whether a selector selects a workload's pods."""
    return selector.items() <= (controller.spec.template.metadata.labels or {}).items()
