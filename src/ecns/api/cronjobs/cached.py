"""What stands around the CronJobs of a place, from the watch caches: their Jobs."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from ecns.api.common import marks
from ecns.api.common.composed import Composed
from ecns.api.cronjobs import types
from ecns.api.cronjobs.manifests import cronjobs as manifests
from ecns.api.jobs.manifests import is_over
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.kinds.batch import CRON_JOB, JOB, CronJob, Job
from ecns.backends.kubernetes.kinds.meta import Kind, Resource

KINDS: tuple[Kind[Any], ...] = (CRON_JOB, JOB)
"""All that a CronJob's row is made of."""


class Surroundings:
    """The CronJobs and what stands around them.

    Args:
        caches: of `KINDS`, in that order.
    """

    kinds: ClassVar[tuple[Kind[Any], ...]] = KINDS

    def __init__(self, caches: Sequence[Cache[Any]]) -> None:
        self.jobs: Cache[Job] = caches[1]

    def jobs_of(self, cronjob: CronJob) -> Collection[Job]:
        """A CronJob's Jobs."""
        return self.jobs.index(indexes.OWNER, cronjob.metadata.uid)

    # As `View`

    def versions(self, obj: CronJob) -> Hashable:
        """The states of all that a row shows, and when it is due."""
        return (
            obj.metadata.resource_version,
            manifests.due(obj, datetime.now(UTC)),
            *((one.metadata.uid, is_over(one)) for one in self.jobs_of(obj)),
        )

    def row(self, obj: CronJob) -> types.CronJobStatus:
        """A CronJob as it is shown."""
        return manifests.status(obj, self.jobs_of(obj), datetime.now(UTC))

    def word(self, obj: CronJob) -> str:  # noqa: ARG002  as `View` has it
        """There is one kind."""
        return CRON_JOB.kind

    def applications(self, obj: CronJob) -> Collection[str]:
        """The one that it is a member of."""
        found = marks.part_of(obj)
        return [found] if found else []

    def touched(self, other: Resource, namespace: str) -> Iterable[str]:  # noqa: ARG002  it names its owner
        """The CronJob that a Job belongs to."""
        owners = other.metadata.owner_references or ()
        return [one.name for one in owners if one.kind == CRON_JOB.kind]


ROWS: Composed[CronJob] = Composed(KINDS, Surroundings, status=lambda shown: str(shown.status), ages=True)
"""How CronJobs are listed."""
