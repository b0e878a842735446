"""The rows of claims, from the watch caches."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ecns.api.claims import attached, manifests
from ecns.api.claims.attached import Users
from ecns.api.claims.types import Claim, Surroundings, Whereabouts
from ecns.api.common.kept import KeptRows, Row, kept_rows
from ecns.backends.kubernetes.kinds.core import (
    NAMESPACE,
    PERSISTENT_VOLUME_CLAIM,
    Namespace,
    PersistentVolumeClaim,
)
from ecns.backends.kubernetes.kinds.meta import Kind
from ecns.backends.kubernetes.kinds.storage import STORAGE_CLASS, StorageClass

if TYPE_CHECKING:
    from ecns.api.common.objects import Objects
    from ecns.backends.kubernetes.cache import Cache
    from ecns.backends.kubernetes.clusters import Cluster
    from ecns.identity.place import Places

ROWS = 20_000
"""For each cluster, about 1 KiB each."""
AROUND: tuple[Kind[Any], ...] = (STORAGE_CLASS, NAMESPACE, *attached.KINDS)
"""What stands around claims."""


class ClaimRows:
    """The claims of one cluster as the rows of lists.

    Args:
        cluster: whose.
        caches: of claims, and of `AROUND` in that order.
        places: knows whose namespaces are.
    """

    def __init__(self, cluster: Cluster, caches: Sequence[Cache[Any]], places: Places) -> None:
        self.cluster = cluster
        self.places = places
        self.caches = caches
        self.claims: Cache[PersistentVolumeClaim] = caches[0]
        self.classes: Cache[StorageClass] = caches[1]
        self.namespaces: Cache[Namespace] = caches[2]
        self.users = Users(caches[3:])
        self.makers = caches[4:]
        """Of what makes pods."""
        self._rows: KeptRows[Claim] = kept_rows(cluster, "claims", ROWS)

    @classmethod
    async def of(cls, objects: Objects, *, fresh: bool = False) -> ClaimRows:
        """The claims of a place's cluster.

        Args:
            objects: of the place.
            fresh: claims no older than the cluster's own answer; what stands around them too, but for a whole
                cluster, of which to list all pods takes seconds.

        Raises:
            UpstreamError: the cluster does not answer.
        """
        attached.follow(objects.place.cluster)
        claims, around = await asyncio.gather(
            objects.cache(PERSISTENT_VOLUME_CLAIM, fresh=fresh),
            objects.caches(*AROUND, fresh=fresh and bool(objects.namespace)),
        )
        return cls(objects.place.cluster, [claims, *around], objects.places)

    def generation(self, namespaces: Iterable[str]) -> Hashable:
        """Another value whenever a row of these namespaces has changed."""
        return self.places.known, tuple(
            cache.generation(name if cache.kind.namespaced else "")
            for name in namespaces
            for cache in self.caches
        )

    def row(self, claim: PersistentVolumeClaim) -> Row[Claim]:
        """The list's row of a claim."""
        metadata, around = claim.metadata, self.around(claim)
        versions = (metadata.resource_version, around)
        return self._rows.row(metadata.uid, versions, lambda: manifests.shown(claim, around))

    def around(self, claim: PersistentVolumeClaim) -> Surroundings:
        """What stands around a claim."""
        domain, project = self.places.whose(self.namespaces.get(claim.metadata.namespace))
        kind = self.classes.get(manifests.class_of(claim))
        pods = [pod.metadata.name for pod in self.users.pods(claim)]
        return Surroundings(
            where=Whereabouts(self.cluster.name, self.cluster.addr, domain, project),
            attached=tuple(self.users.of(claim)),
            pods=len(pods),
            pod_names=tuple(sorted(pods)[: manifests.MANY]),
            class_mode=None if kind is None else kind.volume_binding_mode,
        )
