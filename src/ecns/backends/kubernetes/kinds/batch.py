"""Jobs and CronJobs.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/ and …/cron-job-v1/
"""

from __future__ import annotations

from msgspec import field

from ecns.backends.kubernetes.kinds.core import Condition, LabelSelector, ObjectReference, Status
from ecns.backends.kubernetes.kinds.meta import Kind, Part, Resource
from ecns.backends.kubernetes.kinds.pods import PodTemplateSpec


class JobSpec(Part):
    """Work to be done."""

    completions: int | None = None
    parallelism: int | None = None
    active_deadline_seconds: int | None = None
    backoff_limit: int | None = None
    ttl_seconds_after_finished: int | None = None
    suspend: bool | None = None
    selector: LabelSelector | None = None
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)


class JobStatus(Status, frozen=True):
    """How far the work is."""

    active: int = 0
    ready: int | None = None
    succeeded: int = 0
    failed: int = 0
    start_time: str | None = None
    completion_time: str | None = None
    conditions: list[Condition] | None = None


class Job(Resource):
    """A Job."""

    spec: JobSpec = field(default_factory=JobSpec)
    status: JobStatus = JobStatus()


class JobTemplateMeta(Part):
    """The metadata that a CronJob gives its Jobs."""

    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class JobTemplate(Part):
    """What a CronJob makes its Jobs from."""

    metadata: JobTemplateMeta = field(default_factory=JobTemplateMeta)
    spec: JobSpec = field(default_factory=JobSpec)


class CronJobSpec(Part):
    """When which work is done."""

    schedule: str = ""
    time_zone: str | None = None
    suspend: bool | None = None
    concurrency_policy: str = ""
    starting_deadline_seconds: int | None = None
    successful_jobs_history_limit: int | None = None
    failed_jobs_history_limit: int | None = None
    job_template: JobTemplate = field(default_factory=JobTemplate)


class CronJobStatus(Status, frozen=True):
    """When it was done last, and what runs."""

    active: list[ObjectReference] | None = None
    last_schedule_time: str | None = None
    last_successful_time: str | None = None


class CronJob(Resource):
    """A CronJob."""

    spec: CronJobSpec = field(default_factory=CronJobSpec)
    status: CronJobStatus = CronJobStatus()


JOB = Kind("batch", "v1", "jobs", "Job", Job)
CRON_JOB = Kind("batch", "v1", "cronjobs", "CronJob", CronJob)
