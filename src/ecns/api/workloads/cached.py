"""What stands around a workload, from the watch cache, and a list's rows kept encoded.

A row is made anew only when one of the objects that it shows has changed, so that a warm page is a join of
bytes (design, "The read path").
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import msgspec

from ecns.api.workloads import manifests
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.kinds.apps import REPLICA_SET, Controller, Deployment
from ecns.backends.kubernetes.kinds.autoscaling import HORIZONTAL_POD_AUTOSCALER
from ecns.backends.kubernetes.kinds.core import NODE, PERSISTENT_VOLUME_CLAIM, SERVICE
from ecns.backends.kubernetes.kinds.meta import Kind
from ecns.backends.kubernetes.kinds.networking import INGRESS
from ecns.backends.kubernetes.kinds.pods import POD_ROW, PodRow

if TYPE_CHECKING:
    from ecns.api.common.objects import Objects
    from ecns.backends.kubernetes.cache import Cache
    from ecns.backends.kubernetes.clusters import Cluster

ROWS = 20_000
"""Rows kept encoded for each cluster, about 3 KiB each; the longest unused go first."""

_encode = msgspec.json.Encoder().encode


class Row(NamedTuple):
    """A row of the list, as it was when its objects had these versions."""

    versions: tuple[str, ...]
    status: str
    encoded: bytes


_rows: WeakKeyDictionary[Cluster, OrderedDict[str, Row]] = WeakKeyDictionary()


AROUND: tuple[Kind[Any], ...] = (
    REPLICA_SET,
    POD_ROW,
    SERVICE,
    INGRESS,
    HORIZONTAL_POD_AUTOSCALER,
    PERSISTENT_VOLUME_CLAIM,
    NODE,
)
"""What stands around workloads."""


class Surroundings:
    """What stands around workloads, from the caches of `AROUND` in that order."""

    def __init__(self, cluster: Cluster, caches: list[Cache[Any]], registry_domain: str) -> None:
        (
            self.replica_sets,
            self.pods,
            self.services,
            self.ingresses,
            self.autoscalers,
            self.claims,
            self.nodes,
        ) = caches
        self.registry_domain = registry_domain
        self.rows = _rows.setdefault(cluster, OrderedDict())

    @classmethod
    async def of(cls, objects: Objects, registry_domain: str, *, fresh: bool = False) -> Surroundings:
        """The surroundings of the workloads of a place."""
        caches = await objects.caches(*AROUND, fresh=fresh)
        return cls(objects.place.cluster, caches, registry_domain)

    def pods_of(self, controller: Controller) -> list[PodRow]:
        """A workload's pods, through its ReplicaSets where it has those."""
        uid = controller.metadata.uid
        if not isinstance(controller, Deployment):
            return list(self.pods.index(indexes.OWNER, uid))
        owners = self.replica_sets.index(indexes.OWNER, uid)
        return [pod for owner in owners for pod in self.pods.index(indexes.OWNER, owner.metadata.uid)]

    def companions(self, controller: Controller) -> manifests.Companions:
        """All that stands around a workload."""
        namespace = controller.metadata.namespace
        template = controller.spec.template
        services = []
        pairs = dict.fromkeys((template.metadata.labels or {}).items())
        pairs[indexes.WORKLOAD_LABEL, controller.metadata.name] = None
        for pair in pairs:
            candidates = self.services.index(indexes.SELECTOR, (namespace, *pair))
            services += [service for service in candidates if manifests.service_belongs(service, controller)]
        names = {service.metadata.name for service in services}
        ingresses = {
            ingress.metadata.name: ingress
            for name in names
            for ingress in self.ingresses.index(indexes.BACKEND, (namespace, name))
        }
        target = (namespace, type(controller).__name__, controller.metadata.name)
        autoscalers = list(self.autoscalers.index(indexes.TARGET, target))
        claims = {}
        for volume in template.spec.volumes or []:
            if volume.persistent_volume_claim is not None:
                name = volume.persistent_volume_claim.claim_name
                if (claim := self.claims.get(name, namespace)) is not None:
                    claims[name] = claim
        return manifests.Companions(
            services=services,
            ingresses=list(ingresses.values()),
            autoscaler=autoscalers[0] if autoscalers else None,
            claims=claims,
            pods=self.pods_of(controller),
            nodes=list(self.nodes.namespace("")) if services else [],
        )

    def row(self, controller: Controller) -> Row:
        """The list's row of a workload."""
        companions = self.companions(controller)
        uid = controller.metadata.uid
        versions = (controller.metadata.resource_version, *_versions(companions))
        if companions.nodes:
            versions += (str(self.nodes.generation("")),)
        known = self.rows.get(uid)
        if known is not None and known.versions == versions:
            self.rows.move_to_end(uid)
            return known
        shown = manifests.workload(controller, companions, registry_domain=self.registry_domain)
        status = shown.workload_status.status if shown.workload_status else ""
        row = self.rows[uid] = Row(versions, status, _encode(shown))
        self.rows.move_to_end(uid)
        if len(self.rows) > ROWS:
            self.rows.popitem(last=False)
        return row


def _versions(companions: manifests.Companions) -> list[str]:
    around = [
        *companions.services,
        *companions.ingresses,
        *companions.claims.values(),
        *companions.pods,
        *([companions.autoscaler] if companions.autoscaler else []),
    ]
    return [one.metadata.uid + one.metadata.resource_version for one in around]
