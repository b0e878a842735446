"""The reference's types of chapter 1.10, its names and spelling kept.

Times are RFC 3339 in UTC; what is beyond the reference is said to be so. What types cannot say is in
`checks`.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from ecns.api.common.named import Named
from ecns.api.workloads.types import Condition, Container, Event, Volume

RestartPolicy = Literal["Never", "OnFailure"]
JobWord = Literal["Pending", "Running", "Succeed", "Failed", "Stopped", "Removing", "Unknown"]


class JobStatus(Struct, kw_only=True):
    """job_status; from `start_time` on ours: users ask for it.

    `scale` is "done/wanted": pods that have succeeded, of as many as are to succeed. `reason` is Kubernetes'
    word for the end, such as BackoffLimitExceeded; `reasons` says in words why it failed or does not run.
    """

    status: JobWord
    scale: str
    creation_time: str | None = None
    images: list[str]
    start_time: str | None = None
    completion_time: str | None = None
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    reason: str | None = None
    reasons: list[str] = field(default_factory=list)


class Job(Struct, kw_only=True):
    """job; `application_name` and what follows is ours.

    Without `completions` one pod that succeeds is enough, and the others of `parallelism` may end.
    `active_deadline_seconds` 0 is none. `cronjob_name` is the CronJob that made it; it is not sent.
    `ttl_seconds_after_finished`: so long after its end Kubernetes deletes it. `suspend`: it does not run.
    """

    name: str
    completions: int | None = None
    parallelism: int | None = None
    active_deadline_seconds: int | None = None
    backoff_limit: int | None = None
    restart_policy: RestartPolicy | None = "OnFailure"
    labels: dict[str, str] | None = None
    runtime_class_name: str | None = None
    containers: list[Container]
    volumes: list[Volume] | None = None
    job_status: Any = None
    pod_status: Any = None
    application_name: str | None = None
    ttl_seconds_after_finished: int | None = None
    suspend: bool | None = None
    cronjob_name: str | None = None


class JobDetail(Struct, kw_only=True):
    """The answer of "show"."""

    job: Job
    conditions: list[Condition]
    events: list[Event]


class Jobs(Struct, kw_only=True):
    """The answer of "list"."""

    jobs: list[Job]


class CreateJob(Struct, kw_only=True):
    """The body of "create job"."""

    job: Job


class ActOnJobs(Struct, kw_only=True):
    """The body of attach and detach."""

    jobs: list[str | Named]
    application_name: str


class DeleteJobs(Struct, kw_only=True):
    """The body of "delete jobs"; Kubernetes' propagation policy is ours: what becomes of their pods."""

    jobs: list[str | Named]
    delete_policy: Literal["Foreground", "Background", "Orphan"] | None = None
