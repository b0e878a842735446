"""Between the reference's Jobs and Kubernetes' (chapter 1.10); total in the direction of showing.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/. Containers and volumes are those of
workloads, chapter 1.21.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from ecns.api.common import marks, names
from ecns.api.jobs.types import Job, JobStatus, JobWord
from ecns.api.workloads.manifests import reasons, sent, status, templates, volumes
from ecns.backends.kubernetes.kinds import batch, core
from ecns.backends.kubernetes.kinds import pods as k
from ecns.backends.kubernetes.kinds.core import PERSISTENT_VOLUME_CLAIM, PersistentVolumeClaim
from ecns.backends.kubernetes.kinds.meta import Kind, ObjectMeta, Resource

GENERATED_LABELS = frozenset(
    {
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
        "controller-uid",
        "job-name",
    }
)
"""Labels that Kubernetes gives Jobs and their pods, and takes from nobody."""
FAILED = ("Failed", "FailureTarget")
"""Conditions that say so; the second while pods are still to end, or to be counted."""
SUCCEEDED = ("Complete", "SuccessCriteriaMet")
ENDED_PODS = frozenset({"Succeeded", "Failed"})


class JobObjects(Struct, kw_only=True):
    """The Kubernetes objects of one Job."""

    kind: Kind[Any] = batch.JOB
    controller: batch.Job
    claims: list[PersistentVolumeClaim] = field(default_factory=list)

    @property
    def dependants(self) -> list[tuple[Kind[Any], Resource]]:
        """What goes with the Job."""
        return [(PERSISTENT_VOLUME_CLAIM, claim) for claim in self.claims]


# Making


def objects(job: Job, *, namespace: str, registry_domain: str) -> JobObjects:
    """The objects of a Job that `checks` let through.

    Args:
        job: what was sent.
        namespace: where the objects go.
        registry_domain: where images of source `ecns` are.
    """
    metadata = ObjectMeta(
        name=job.name,
        namespace=namespace,
        labels={**own_labels(job.application_name), **shown_labels(job.labels)},
        annotations=kept(job, registry_domain) or None,
    )
    controller = batch.Job(
        api_version=batch.JOB.api_version,
        kind=batch.JOB.kind,
        metadata=metadata,
        spec=spec(job, registry_domain),
    )
    return JobObjects(controller=controller, claims=claims(job, namespace))


def spec(job: Job, registry_domain: str) -> batch.JobSpec:
    """What is to be done."""
    template = templates.template(
        job.containers,
        job.volumes or [],
        name=job.name,
        registry_domain=registry_domain,
        labels=shown_labels(job.labels),
        runtime_class_name=job.runtime_class_name,
    )
    template.spec.restart_policy = job.restart_policy or "OnFailure"
    return batch.JobSpec(
        completions=job.completions,
        parallelism=job.parallelism,
        active_deadline_seconds=job.active_deadline_seconds or None,
        backoff_limit=job.backoff_limit,
        ttl_seconds_after_finished=job.ttl_seconds_after_finished,
        suspend=job.suspend or None,
        template=template,
    )


def claims(job: Job, namespace: str) -> list[PersistentVolumeClaim]:
    """The claims of a Job's StorageClass volumes."""
    made = volumes.claims(job.volumes or (), job.name, own_labels(job.application_name))
    for claim in made:
        claim.metadata.namespace = namespace
    return made


def kept(job: Job, registry_domain: str) -> dict[str, str]:
    """The annotations for what the objects of a Job do not say; see `workloads.manifests.sent`."""
    return sent.kept(_said(job, registry_domain), job)


def own_labels(application: str | None) -> dict[str, str]:
    """The labels of what ECNS makes."""
    labels = {names.MANAGED_BY: names.MANAGER}
    return {**labels, names.PART_OF: application} if application else labels


def shown_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    """The labels that are the user's."""
    shown = names.shown_labels(labels)
    return {key: value for key, value in shown.items() if key not in GENERATED_LABELS}


# Showing


def job(
    found: batch.Job,
    pods: Sequence[k.PodRow] = (),
    known: Mapping[str, PersistentVolumeClaim] | None = None,
    events: Sequence[core.Event] = (),
    *,
    registry_domain: str = "",
) -> Job:
    """The Job that a Kubernetes Job and what is around it are; total, whoever made it.

    Args:
        found: the Job.
        pods: its pods.
        known: claims by name.
        events: of the Job and its pods, if they were asked for.
        registry_domain: where images of source `ecns` are.
    """
    metadata, owner = found.metadata, cronjob_of(found)
    shown = of_spec(
        owner or metadata.name,
        found.spec,
        metadata.labels,
        metadata.annotations,
        known or {},
        registry_domain=registry_domain,
    )
    shown.name = metadata.name
    shown.cronjob_name = owner
    for container in shown.containers:
        container.container_statuses = status.container_state(container.name, pods)
    ordered = sorted(pods, key=lambda pod: (pod.metadata.creation_timestamp or "", pod.metadata.name))
    shown.pod_status = [status.pod_status(pod) for pod in ordered]
    shown.job_status = job_status(found, ordered, events)
    return shown


def of_spec(
    name: str,
    found: batch.JobSpec,
    labels: Mapping[str, str] | None,
    annotations: Mapping[str, str] | None,
    known: Mapping[str, PersistentVolumeClaim],
    *,
    registry_domain: str,
) -> Job:
    """A Job without its state, of itself or of what a CronJob makes its Jobs from.

    Args:
        name: what its claims are named after.
        found: what is to be done.
        labels: of the Job.
        annotations: of the Job.
        known: claims by name.
        registry_domain: where images of source `ecns` are.
    """

    def again(candidate: Job) -> Job:
        made = {claim.metadata.name: claim for claim in claims(candidate, "") if claim.metadata.name in known}
        shown = spec(candidate, registry_domain)
        return _shown(name, shown, own_labels(None), made, registry_domain=registry_domain)

    shown = _shown(name, found, labels, known, registry_domain=registry_domain)
    return sent.recalled(shown, annotations, again)


def _said(job: Job, registry_domain: str) -> Job:
    """What the objects alone would say of a Job that was sent."""
    made = {claim.metadata.name: claim for claim in claims(job, "")}
    labels = {**own_labels(job.application_name), **shown_labels(job.labels)}
    return _shown(job.name, spec(job, registry_domain), labels, made, registry_domain=registry_domain)


def _shown(
    name: str,
    found: batch.JobSpec,
    labels: Mapping[str, str] | None,
    known: Mapping[str, PersistentVolumeClaim],
    *,
    registry_domain: str,
) -> Job:
    pod = found.template.spec
    ours = (labels or {}).get(names.MANAGED_BY) == names.MANAGER
    policy: Any = pod.restart_policy if pod.restart_policy in {"Never", "OnFailure"} else "OnFailure"
    return Job(
        name=name,
        completions=found.completions,
        parallelism=found.parallelism,
        active_deadline_seconds=found.active_deadline_seconds,
        backoff_limit=found.backoff_limit,
        restart_policy=policy,
        labels=shown_labels(labels),
        runtime_class_name=pod.runtime_class_name or None,
        containers=templates.shown_containers(found.template, registry_domain),
        volumes=[volumes.shown(one, name, known, ours=ours) for one in pod.volumes or ()],
        application_name=(labels or {}).get(names.PART_OF),
        ttl_seconds_after_finished=found.ttl_seconds_after_finished,
        suspend=bool(found.suspend),
    )


def cronjob_of(found: Resource) -> str | None:
    """The CronJob that made a Job."""
    owners = (one for one in found.metadata.owner_references or () if one.kind == batch.CRON_JOB.kind)
    return next((one.name for one in owners), None)


def claim_names(found: batch.JobSpec) -> list[str]:
    """The claims that a Job's pods mount."""
    mounted = (one.persistent_volume_claim for one in found.template.spec.volumes or ())
    return [one.claim_name for one in mounted if one is not None]


def images(found: batch.JobSpec) -> list[str]:
    """The images of a Job's containers."""
    pod = found.template.spec
    return [one.image for one in [*pod.containers, *(pod.init_containers or ())]]


# How it is


def is_over(found: batch.Job) -> bool:
    """Whether nothing more comes of a Job."""
    return _is(found, "Complete", "Failed")


def _is(found: batch.Job, *kinds: str) -> bool:
    return _end(found, kinds) is not None


def _end(found: batch.Job, kinds: Sequence[str]) -> core.Condition | None:
    """The condition that says how a Job ends, the final one first."""
    conditions = found.status.conditions or ()
    true = [one for one in conditions if one.status == "True" and one.type in kinds]
    return min(true, key=lambda one: kinds.index(one.type), default=None)


def job_word(found: batch.Job, pods: Sequence[k.PodRow] = ()) -> JobWord:
    """Pending, Running, Succeed, Failed, Stopped (suspended), Removing or Unknown.

    Failed also while its pods keep failing, as with workloads, although Kubernetes still tries.
    """
    if found.metadata.deletion_timestamp:
        return "Removing"
    if _is(found, "Failed"):
        return "Failed"
    if _is(found, "Complete"):
        return "Succeed"
    if _end(found, FAILED) or _end(found, SUCCEEDED):
        return "Running"
    if found.spec.suspend:
        return "Stopped"
    words = {status.pod_word(pod) for pod in pods if pod.status.phase not in ENDED_PODS}
    if "Failed" in words:
        return "Failed"
    if "Running" in words or found.status.ready:
        return "Running"
    return "Unknown" if "Unknown" in words else "Pending"


def job_status(
    found: batch.Job, pods: Sequence[k.PodRow] = (), events: Sequence[core.Event] = ()
) -> JobStatus:
    """How a Job is.

    Args:
        found: the Job.
        pods: its pods.
        events: of the Job and its pods, if they were asked for.
    """
    end = _end(found, FAILED) or _end(found, SUCCEEDED)
    state, wanted = found.status, found.spec.completions
    if wanted is None:
        wanted = max(1, found.spec.parallelism or 1)
    return JobStatus(
        status=job_word(found, pods),
        scale=f"{state.succeeded}/{wanted}",
        creation_time=found.metadata.creation_timestamp,
        images=images(found.spec),
        start_time=state.start_time,
        completion_time=state.completion_time,
        active=state.active,
        succeeded=state.succeeded,
        failed=state.failed,
        reason=end.reason or None if end else None,
        reasons=why_not_done(found, pods, events),
    )


def why_not_done(found: batch.Job, pods: Sequence[k.PodRow], events: Sequence[core.Event] = ()) -> list[str]:
    """Why a Job failed, or does not get on, in words; none for one that succeeded or is suspended."""
    begun = [marks.INCOMPLETE] if marks.creating(found) else []
    failed = _end(found, FAILED)
    if not failed and (_end(found, SUCCEEDED) or found.spec.suspend):
        return begun
    recent = sorted(events, key=status.event_time, reverse=True)
    told: list[reasons.Reason] = []
    if failed:
        told.append((0, _why_failed(found, failed), ""))
    elif not pods:
        told += _refused(recent)
    for pod in pods:
        if pod.status.phase != "Succeeded" and not pod.metadata.deletion_timestamp:
            mine = [one for one in recent if one.involved_object.uid == pod.metadata.uid]
            told += reasons.of_pod(pod, mine)
    return begun + reasons.told(told)


def _why_failed(found: batch.Job, condition: core.Condition) -> str:
    match condition.reason:
        case "BackoffLimitExceeded":
            limit = found.spec.backoff_limit
            return f"Its pods failed more often than backoff_limit ({limit}) allows: {condition.message}"
        case "DeadlineExceeded":
            seconds = found.spec.active_deadline_seconds
            return (
                f"It was active longer than active_deadline_seconds ({seconds}) allows: {condition.message}"
            )
        case _:
            return f"It failed: {condition.message or condition.reason or 'Kubernetes does not say why'}"


def _refused(events: Sequence[core.Event]) -> Iterator[reasons.Reason]:
    """Why its pods cannot be made: the newest refusal."""
    message = reasons.refusal(events)
    if message is None:
        return
    if "exceeded quota" in message:
        yield 0, f"The quota of the namespace does not allow more: {message}", ""
    else:
        yield 1, f"Pods cannot be made: {message}", ""
