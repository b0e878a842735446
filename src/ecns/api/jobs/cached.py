"""What stands around the Jobs of a place, from the watch caches: their pods and claims."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Any, ClassVar

from ecns.api.common import marks
from ecns.api.common.composed import Composed
from ecns.api.jobs import manifests, types
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.kinds.batch import JOB, Job, JobSpec
from ecns.backends.kubernetes.kinds.core import PERSISTENT_VOLUME_CLAIM, Event, PersistentVolumeClaim
from ecns.backends.kubernetes.kinds.meta import Kind, Resource
from ecns.backends.kubernetes.kinds.pods import POD_ROW, PodRow

KINDS: tuple[Kind[Any], ...] = (JOB, POD_ROW, PERSISTENT_VOLUME_CLAIM)
"""All that a Job's row is made of."""


class Surroundings:
    """The Jobs and what stands around them.

    Args:
        caches: of `KINDS`, in that order.
        registry_domain: the registry's name in image references.
    """

    kinds: ClassVar[tuple[Kind[Any], ...]] = KINDS

    def __init__(self, caches: Sequence[Cache[Any]], registry_domain: str) -> None:
        self.jobs: Cache[Job]
        self.pods: Cache[PodRow]
        self.claims: Cache[PersistentVolumeClaim]
        self.jobs, self.pods, self.claims = caches
        self.registry_domain = registry_domain

    def pods_of(self, job: Job) -> Collection[PodRow]:
        """A Job's pods."""
        return self.pods.index(indexes.OWNER, job.metadata.uid)

    def claims_of(self, job: Job) -> dict[str, PersistentVolumeClaim]:
        """A Job's claims, by name."""
        return self.claims_named(job.spec, job.metadata.namespace)

    def claims_named(self, spec: JobSpec, namespace: str) -> dict[str, PersistentVolumeClaim]:
        """The claims that are there of those that a Job's pods mount, by name."""
        names = manifests.claim_names(spec)
        return {name: one for name in names if (one := self.claims.get(name, namespace)) is not None}

    def shown(self, job: Job, events: Sequence[Event] = ()) -> types.Job:
        """A Job as its users see it; `events` are its own and its pods', if they were asked for."""
        pods = list(self.pods_of(job))
        return manifests.job(job, pods, self.claims_of(job), events, registry_domain=self.registry_domain)

    # As `View`

    def versions(self, obj: Job) -> Hashable:
        """The states of all that a row shows."""
        around: list[Resource] = [obj, *self.pods_of(obj), *self.claims_of(obj).values()]
        return tuple((one.metadata.uid, one.metadata.resource_version) for one in around)

    def row(self, obj: Job) -> types.Job:
        """A Job as it is shown."""
        return self.shown(obj)

    def word(self, obj: Job) -> str:  # noqa: ARG002  as `View` has it
        """There is one kind."""
        return JOB.kind

    def applications(self, obj: Job) -> Collection[str]:
        """The one that it is a member of."""
        found = marks.part_of(obj)
        return [found] if found else []

    def touched(self, other: Resource, namespace: str) -> Iterable[str]:
        """The Jobs that a pod or a claim belongs to."""
        match other:
            case PodRow():
                owners = other.metadata.owner_references or ()
                yield from (one.name for one in owners if one.kind == JOB.kind)
            case PersistentVolumeClaim():
                name = other.metadata.name
                for job in self.jobs.namespace(namespace):
                    if name in manifests.claim_names(job.spec):
                        yield job.metadata.name


@lru_cache
def rows(registry_domain: str) -> Composed[Job]:
    """How Jobs are listed where the registry has this name."""
    return Composed(
        KINDS,
        lambda caches: Surroundings(caches, registry_domain),
        status=lambda shown: str(shown.job_status.status),
    )
