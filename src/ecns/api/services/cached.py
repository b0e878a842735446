"""What stands around the Services of a place, from the watch caches."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any, ClassVar

from ecns.api.common import marks
from ecns.api.common.composed import Composed
from ecns.api.services import manifests, types
from ecns.api.services.leading import Leading, oldest_first
from ecns.api.workloads.manifests import KINDS as WORKLOADS
from ecns.api.workloads.manifests import access, routes
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.core import NODE, SERVICE, Node, Service
from ecns.backends.kubernetes.kinds.discovery import ENDPOINT_SLICE, EndpointSlice
from ecns.backends.kubernetes.kinds.meta import Kind, Resource
from ecns.backends.kubernetes.kinds.networking import INGRESS, Ingress

KINDS: tuple[Kind[Any], ...] = (SERVICE, *WORKLOADS.values(), ENDPOINT_SLICE, INGRESS, NODE)
"""All that a Service's row is made of."""


class Surroundings:
    """The Services and what stands around them.

    Args:
        caches: of `KINDS`, in that order.
    """

    kinds: ClassVar[tuple[Kind[Any], ...]] = KINDS

    def __init__(self, caches: Sequence[Cache[Any]]) -> None:
        self.leading = Leading(caches[0], caches[1 : 1 + len(WORKLOADS)])
        self.slices: Cache[EndpointSlice]
        self.ingresses: Cache[Ingress]
        self.nodes: Cache[Node]
        self.slices, self.ingresses, self.nodes = caches[1 + len(WORKLOADS) :]
        self._known: tuple[Hashable, Hashable] | None = None

    def around(self, service: Service) -> manifests.Around:
        """What is around a Service."""
        namespace, name = service.metadata.namespace, service.metadata.name
        ingresses = {
            one.metadata.name: one for one in self.ingresses.index(indexes.BACKEND, (namespace, name))
        }
        if (own := self.ingresses.get(name, namespace)) is not None:
            ingresses[name] = own
        exposed = service.spec.type == "NodePort"
        return manifests.Around(
            controllers=self.leading.controllers(service),
            ingresses=sorted(ingresses.values(), key=oldest_first),
            slices=list(self.slices.index(indexes.OF_SERVICE, (namespace, name))),
            nodes=list(self.nodes.namespace("")) if exposed else [],
        )

    def _addresses(self) -> Hashable:
        """What rows show of the nodes."""
        generation = self.nodes.generation("")
        if self._known is None or self._known[0] != generation:
            nodes = self.nodes.namespace("")
            found = tuple((access.is_control_plane(one), tuple(access.addresses(one))) for one in nodes)
            self._known = (generation, found)
        return self._known[1]

    # As `View`

    def versions(self, obj: Service) -> Hashable:
        """The states of all that a row shows; of a workload what its status does not touch."""
        around = self.around(obj)
        return (
            obj.metadata.resource_version,
            *((one.metadata.uid, one.metadata.generation, marks.part_of(one)) for one in around.controllers),
            *((one.metadata.uid, one.metadata.resource_version) for one in around.ingresses),
            *((one.metadata.uid, one.metadata.resource_version) for one in around.slices),
            self._addresses() if around.nodes else None,
        )

    def row(self, obj: Service) -> types.Service:
        """A Service as it is shown."""
        return manifests.service(obj, self.around(obj))

    def word(self, obj: Service) -> str:
        """Its type."""
        return obj.spec.type

    def applications(self, obj: Service) -> Collection[str]:
        """Those that it is part of."""
        return self.leading.applications(obj)

    def touched(self, other: Resource, namespace: str) -> Iterable[str]:
        """The Services that show something of another object."""
        match other:
            case EndpointSlice():
                if name := (other.metadata.labels or {}).get(indexes.SERVICE_NAME):
                    yield name
            case Ingress():
                yield other.metadata.name
                yield from (backend.name for _, _, backend in routes.of_services(other))
            case Controller():
                yield from self.leading.to(other)
            case Node():
                here = self.leading.services.namespace(namespace)
                yield from (one.metadata.name for one in here if one.spec.type == "NodePort")


ROWS: Composed[Service] = Composed(KINDS, Surroundings, sorts={"type": lambda one: one.spec.type})
"""How Services are listed."""
