"""What stands around the Ingresses of a place, from the watch caches."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any, ClassVar

from ecns.api.common import marks
from ecns.api.common.composed import Composed
from ecns.api.ingresses import manifests, types
from ecns.api.services.leading import Leading
from ecns.api.workloads.manifests import KINDS as WORKLOADS
from ecns.api.workloads.manifests import routes
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.core import SERVICE, Service
from ecns.backends.kubernetes.kinds.meta import Kind, Resource
from ecns.backends.kubernetes.kinds.networking import INGRESS, Ingress

KINDS: tuple[Kind[Any], ...] = (INGRESS, SERVICE, *WORKLOADS.values())
"""All that an Ingress's row is made of."""


class Surroundings:
    """The Ingresses and what stands around them.

    Args:
        caches: of `KINDS`, in that order.
    """

    kinds: ClassVar[tuple[Kind[Any], ...]] = KINDS

    def __init__(self, caches: Sequence[Cache[Any]]) -> None:
        self.ingresses: Cache[Ingress] = caches[0]
        self.services: Cache[Service] = caches[1]
        self.leading = Leading(caches[1], caches[2:])

    def number(self, namespace: str) -> routes.Number:
        """Knows the ports of the Services of a namespace."""

        def number(service: str, port: str) -> int:
            found = self.services.get(service, namespace)
            return routes.numbers({service: found})(service, port) if found else 0

        return number

    def led_to(self, ingress: Ingress) -> list[Service]:
        """The Services that an Ingress leads to, as far as they are there."""
        named = sorted(manifests.services(ingress))
        found = (self.services.get(name, ingress.metadata.namespace) for name in named)
        return [one for one in found if one is not None]

    # As `View`

    def versions(self, obj: Ingress) -> Hashable:
        """The states of all that a row shows."""
        services = self.led_to(obj)
        return (
            obj.metadata.resource_version,
            *((one.metadata.uid, one.metadata.resource_version) for one in services),
            *((marks.part_of(each)) for one in services for each in self.leading.controllers(one)),
        )

    def row(self, obj: Ingress) -> types.Ingress:
        """An Ingress as it is shown."""
        return manifests.ingress(obj, self.number(obj.metadata.namespace))

    def word(self, obj: Ingress) -> str:  # noqa: ARG002  there is one kind
        """There is one kind."""
        return INGRESS.kind

    def applications(self, obj: Ingress) -> Collection[str]:
        """Those that it is part of."""
        theirs = {name for one in self.led_to(obj) for name in self.leading.applications(one)}
        return manifests.applications(obj, theirs)

    def touched(self, other: Resource, namespace: str) -> Iterable[str]:
        """The Ingresses that show something of another object."""
        match other:
            case Service():
                yield from self._leading_to(other.metadata.name, namespace)
            case Controller():
                for name in self.leading.to(other):
                    yield from self._leading_to(name, namespace)

    def _leading_to(self, service: str, namespace: str) -> Iterable[str]:
        return [one.metadata.name for one in self.ingresses.index(indexes.BACKEND, (namespace, service))]


ROWS: Composed[Ingress] = Composed(KINDS, Surroundings)
"""How Ingresses are listed."""
