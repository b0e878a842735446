"""Who mounts a claim: pods, and the workloads that they are of; from the watch caches.

Source: https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection:
pods that have ended do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ecns.api.common import references
from ecns.api.common.references import controller_of
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.kinds.apps import (
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    ReplicaSet,
    StatefulSet,
)
from ecns.backends.kubernetes.kinds.batch import CRON_JOB, JOB, Job
from ecns.backends.kubernetes.kinds.core import PersistentVolumeClaim
from ecns.backends.kubernetes.kinds.meta import Kind, Resource
from ecns.backends.kubernetes.kinds.pods import POD_ROW, PodRow

if TYPE_CHECKING:
    from ecns.backends.kubernetes.cache import Cache
    from ecns.backends.kubernetes.clusters import Cluster

KINDS: tuple[Kind[Any], ...] = (
    POD_ROW,
    REPLICA_SET,
    DEPLOYMENT,
    STATEFUL_SET,
    DAEMON_SET,
    JOB,
    CRON_JOB,
)
"""What mounts claims, or makes what does."""
_ENDED = frozenset({"Succeeded", "Failed"})


class Attached(NamedTuple):
    """A workload that a claim is attached to."""

    kind: str
    name: str
    since: str | None
    """When the younger of the two was made."""


class Users:
    """Who mounts the claims of one cluster.

    Args:
        caches: of `KINDS`, in that order, made by `follow`.
    """

    def __init__(self, caches: Sequence[Cache[Any]]) -> None:
        self._pods: Cache[PodRow] = caches[0]
        self._templated = caches[1:]
        self._by_kind = {cache.kind.kind: cache for cache in caches}

    def pods(self, claim: PersistentVolumeClaim) -> list[PodRow]:
        """The pods that mount a claim, or are to when they begin."""
        namespace = claim.metadata.namespace
        found = list(self._pods.index(indexes.CLAIM, (namespace, claim.metadata.name)))
        owner = controller_of(claim)
        if owner is not None and owner.kind == "Pod":  # a generic ephemeral volume, which names no claim
            pod = self._pods.get(owner.name, namespace)
            if pod is not None and pod.metadata.uid == owner.uid:
                found.append(pod)
        return [pod for pod in found if pod.status.phase not in _ENDED]

    def of(self, claim: PersistentVolumeClaim, *, needing: bool = False) -> list[Attached]:
        """The workloads that a claim is attached to, with pods or without, in order.

        Args:
            claim: which.
            needing: without StatefulSets that have fewer replicas now than when they made the claim.
        """
        found: dict[tuple[str, str], Attached] = {}
        made = claim.metadata.creation_timestamp
        for obj in (*self.pods(claim), *self._makers(claim, needing=needing)):
            kind, name, created = self._workload(obj)
            found[kind, name] = Attached(kind, name, max(filter(None, (created, made)), default=None))
        return [found[key] for key in sorted(found)]

    def touched(self, obj: Resource) -> Iterator[str]:
        """The names of the claims that an object mounts, or makes pods that do."""
        if isinstance(obj, PodRow):
            yield from (name for _, name in indexes.claims(obj))
            return
        yield from (one.name for one in references.references(obj) if one.kind == "PersistentVolumeClaim")

    def _makers(self, claim: PersistentVolumeClaim, *, needing: bool) -> Iterator[Resource]:
        """What makes pods that mount a claim."""
        namespace, name = claim.metadata.namespace, claim.metadata.name
        key = (namespace, "PersistentVolumeClaim", name)
        for cache in self._templated:
            yield from _using(cache.index(references.INDEX, key))
        stem, _, number = name.rpartition("-")
        if number.isdecimal():
            sets: Iterable[StatefulSet] = self._by_kind["StatefulSet"].index(
                indexes.CLAIM_TEMPLATE, (namespace, stem)
            )
            yield from _using(one for one in sets if not needing or references.templated(one, name))

    def _workload(self, obj: Resource) -> tuple[str, str, str | None]:
        """Kind, name and creation time of the workload that an object is of."""
        owner = controller_of(obj)
        if owner is None or not isinstance(obj, PodRow | ReplicaSet | Job):
            kind = "Pod" if isinstance(obj, PodRow) else type(obj).__name__
            return kind, obj.metadata.name, obj.metadata.creation_timestamp
        cache = self._by_kind.get(owner.kind)
        found = cache.get(owner.name, obj.metadata.namespace) if cache is not None else None
        if found is None or found.metadata.uid != owner.uid:
            return owner.kind, owner.name, obj.metadata.creation_timestamp
        return self._workload(found)


def follow(cluster: Cluster) -> None:
    """Let the caches of a cluster find what names a claim."""
    for kind in KINDS:
        cluster.cache(kind, **indexes.INDEXES.get(kind, {}))
    references.follow(cluster)


def _using(several: Iterable[Resource]) -> Iterator[Resource]:
    """Those that do use what they name, and have not ended."""
    return (one for one in several if references.user(one) is not None)
