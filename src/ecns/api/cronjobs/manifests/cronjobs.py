"""Between the reference's CronJobs and Kubernetes' (chapter 1.5); total in the direction of showing.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from msgspec import Struct

from ecns.api.common import marks
from ecns.api.cronjobs.manifests import chinese, english, schedules
from ecns.api.cronjobs.manifests.schedules import LIMITS, MACROS, Schedule, ScheduleError
from ecns.api.cronjobs.types import CronJob, CronJobStatus, CronRule, ShownRule
from ecns.api.jobs import manifests as jobs
from ecns.api.jobs.types import Job
from ecns.backends.kubernetes.kinds import batch
from ecns.backends.kubernetes.kinds.core import PERSISTENT_VOLUME_CLAIM, PersistentVolumeClaim
from ecns.backends.kubernetes.kinds.meta import Kind, ObjectMeta, OwnerReference, Resource

INSTANTIATE = "cronjob.kubernetes.io/instantiate"
"""Annotation of Jobs that were run by hand, as kubectl writes it."""
ANY = "*"


class CronJobObjects(Struct, kw_only=True):
    """The Kubernetes objects of one CronJob; its Jobs share the claims."""

    kind: Kind[Any] = batch.CRON_JOB
    controller: batch.CronJob
    claims: list[PersistentVolumeClaim]

    @property
    def dependants(self) -> list[tuple[Kind[Any], Resource]]:
        """What goes with the CronJob."""
        return [(PERSISTENT_VOLUME_CLAIM, claim) for claim in self.claims]


# Rules


def fields(rule: CronRule) -> dict[schedules.FieldName, str]:
    """The five fields of a rule; what is not said is `*`.

    A month that there is not is a day when no day is said: so the reference's fourth example has it.
    """
    day, month = _said(rule.day, rule.day_of_the_month), _said(rule.month)
    if day == ANY and not _fits("month", month) and _fits("day", month):
        day, month = month, ANY
    return {
        "minute": _said(rule.minute),
        "hour": _said(rule.hour),
        "day": day,
        "month": month,
        "week": _said(rule.week, rule.day_of_the_week),
    }


def _fits(name: schedules.FieldName, text: str) -> bool:
    try:
        return bool(schedules.parse_field(name, text).values)
    except schedules.ScheduleError:
        return False


def _said(*values: str | int | None) -> str:
    texts = (str(value).strip() for value in values if value is not None)
    return next((text for text in texts if text), ANY)


def schedule(rule: CronRule | str) -> str:
    """The schedule of a rule, or the one that was sent."""
    return rule.strip() if isinstance(rule, str) else " ".join(fields(rule).values())


def shown_rule(text: str) -> ShownRule | None:
    """The rule of a schedule; None for one that has no five fields."""
    found = MACROS.get(text, text).split()
    return ShownRule(**dict(zip(LIMITS, found, strict=True))) if len(found) == len(LIMITS) else None


# Making


def objects(cronjob: CronJob, *, namespace: str, registry_domain: str) -> CronJobObjects:
    """The objects of a CronJob that `checks` let through.

    Args:
        cronjob: what was sent.
        namespace: where the objects go.
        registry_domain: where images of source `ecns` are.
    """
    job = cronjob.job
    labels = jobs.shown_labels(job.labels)
    template = batch.JobTemplate(
        metadata=batch.JobTemplateMeta(
            labels={**jobs.own_labels(None), **labels},
            annotations=jobs.kept(job, registry_domain) or None,
        ),
        spec=jobs.spec(job, registry_domain),
    )
    controller = batch.CronJob(
        api_version=batch.CRON_JOB.api_version,
        kind=batch.CRON_JOB.kind,
        metadata=ObjectMeta(
            name=job.name, namespace=namespace, labels={**jobs.own_labels(job.application_name), **labels}
        ),
        spec=batch.CronJobSpec(
            schedule=schedule(cronjob.cron_rule),
            time_zone=cronjob.time_zone or None,
            suspend=cronjob.suspend or None,
            concurrency_policy=cronjob.concurrency_policy or "Allow",
            starting_deadline_seconds=cronjob.starting_deadline_seconds,
            successful_jobs_history_limit=cronjob.successful_jobs_history_limit,
            failed_jobs_history_limit=cronjob.failed_jobs_history_limit,
            job_template=template,
        ),
    )
    return CronJobObjects(controller=controller, claims=jobs.claims(job, namespace))


def run(found: batch.CronJob, whole: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The Job of a run by hand, with all that the CronJob says, as `kubectl create job --from` makes it.

    Args:
        found: the CronJob.
        whole: the same with all fields.
        name: of the Job.
    """
    template = whole["spec"]["jobTemplate"]
    meta = template.get("metadata") or {}
    owner = OwnerReference(
        api_version=batch.CRON_JOB.api_version,
        kind=batch.CRON_JOB.kind,
        name=found.metadata.name,
        uid=found.metadata.uid,
        controller=True,
    )
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": found.metadata.namespace,
        "annotations": {**(meta.get("annotations") or {}), INSTANTIATE: "manual"},
        "ownerReferences": [
            {
                "apiVersion": owner.api_version,
                "kind": owner.kind,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
            }
        ],
    }
    if meta.get("labels"):
        metadata["labels"] = meta["labels"]
    return {
        "apiVersion": batch.JOB.api_version,
        "kind": batch.JOB.kind,
        "metadata": metadata,
        "spec": template["spec"],
    }


# Showing


def status(found: batch.CronJob, owned: Collection[batch.Job], now: datetime) -> CronJobStatus:
    """How a CronJob is; total, whoever made it.

    Args:
        found: the CronJob.
        owned: its Jobs.
        now: the time.
    """
    metadata, spec, state = found.metadata, found.spec, found.status
    known, zone = _schedule(found)
    next_time = due(found, now)
    policy: Any = spec.concurrency_policy or "Allow"
    return CronJobStatus(
        scheduler=spec.schedule,
        scheduler_zh=chinese.describe(known, zone) if known else chinese.UNKNOWN,
        scheduler_en=english.describe(known, zone) if known else english.UNKNOWN,
        name=metadata.name,
        actives=sum(1 for job in owned if not jobs.is_over(job)),
        create_time=metadata.creation_timestamp or "",
        status="Stopped" if spec.suspend else "Running",
        concurrency_policy=policy,
        labels=jobs.shown_labels(metadata.labels),
        images=jobs.images(spec.job_template.spec),
        application_name=marks.part_of(found),
        cron_rule=shown_rule(spec.schedule),
        time_zone=spec.time_zone,
        next_schedule_time=None if next_time is None else stamp(next_time),
        last_schedule_time=state.last_schedule_time,
        last_successful_time=state.last_successful_time,
        starting_deadline_seconds=spec.starting_deadline_seconds,
        successful_jobs_history_limit=spec.successful_jobs_history_limit,
        failed_jobs_history_limit=spec.failed_jobs_history_limit,
        reasons=[marks.INCOMPLETE] if marks.creating(found) else [],
    )


def _schedule(found: batch.CronJob) -> tuple[Schedule | None, str]:
    """What a CronJob's schedule means, if that is understood, and the time zone that is said."""
    known: Schedule | None = None
    with contextlib.suppress(ScheduleError):
        known = schedules.parse(found.spec.schedule)
    return known, found.spec.time_zone or (known.zone if known else "")


def due(found: batch.CronJob, now: datetime) -> datetime | None:
    """When a CronJob is due next; None when it is stopped, or nobody can tell, or never."""
    known, zone = _schedule(found)
    if known is None or found.spec.suspend:
        return None
    if known.times is None:
        return schedules.following(known, now, UTC, since=_since(found) or now)
    return _due(known, zone, int(now.timestamp()) // 60)


@lru_cache(maxsize=4096)
def _due(known: Schedule, zone: str, minute: int) -> datetime | None:
    """The first time after a minute of the Unix clock; many CronJobs have the same."""
    clocks, after = schedules.time_zone(zone), datetime.fromtimestamp(minute * 60, UTC)
    return None if clocks is None else schedules.following(known, after, clocks, since=after)


def _since(found: batch.CronJob) -> datetime | None:
    """The last run, or the beginning."""
    for text in (found.status.last_schedule_time, found.metadata.creation_timestamp):
        with contextlib.suppress(ValueError):
            moment = datetime.fromisoformat(text or "")
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def stamp(moment: datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def template(
    found: batch.CronJob, known: Mapping[str, PersistentVolumeClaim], *, registry_domain: str
) -> Job:
    """What a CronJob makes its Jobs from; total, whoever made it.

    Args:
        found: the CronJob.
        known: claims by name.
        registry_domain: where images of source `ecns` are.
    """
    made = found.spec.job_template
    shown = jobs.of_spec(
        found.metadata.name,
        made.spec,
        made.metadata.labels,
        made.metadata.annotations,
        known,
        registry_domain=registry_domain,
    )
    shown.application_name = marks.part_of(found)
    return shown
