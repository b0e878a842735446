"""The reference's types of chapter 1.5, its names and spelling kept.

Times are RFC 3339 in UTC; what is beyond the reference is said to be so. What types cannot say is in
`checks`.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from ecns.api.common.named import Named
from ecns.api.jobs.types import Job
from ecns.api.workloads.types import Event

ConcurrencyPolicy = Literal["Forbid", "Replace", "Allow"]
CronJobWord = Literal["Running", "Stopped"]


class CronRule(Struct, kw_only=True):
    """cron_rule: when, each part as in a crontab: numbers, ranges `1-5`, lists `3,4`, steps `*/2`, `*`.

    What is not said is `*`. `week` is 0 (Sunday) to 6. The reference's long names for days are taken too,
    and, as in its fourth example, days (`10,20`) as `month` when no day is said and there is no such month.
    """

    minute: str | int | None = None
    hour: str | int | None = None
    day: str | int | None = None
    month: str | int | None = None
    week: str | int | None = None
    day_of_the_month: str | int | None = field(default=None, name="day of the month")
    day_of_the_week: str | int | None = field(default=None, name="day of the week")


class ShownRule(Struct, kw_only=True):
    """cron_rule as it is shown."""

    minute: str
    hour: str
    day: str
    month: str
    week: str


class CronJob(Struct, kw_only=True):
    """cronjob; what follows `job` is ours, by Kubernetes' names.

    `cron_rule` is a rule or the schedule itself, such as `@every 90m`. The CronJob's name is its job's.
    `time_zone` such as Asia/Shanghai; without one the schedule is read by the clock of the cluster's
    controller, which is UTC unless its operator has set another. `suspend`: it begins stopped.
    """

    concurrency_policy: ConcurrencyPolicy | None = "Allow"
    cron_rule: CronRule | str
    job: Job
    time_zone: str | None = None
    suspend: bool | None = None
    starting_deadline_seconds: int | None = None
    successful_jobs_history_limit: int | None = None
    failed_jobs_history_limit: int | None = None


class CronJobStatus(Struct, kw_only=True):
    """cronjob_status; what follows `images` is ours.

    `actives`: its Jobs that are not over, those that were run by hand too. `cron_rule` is null for what has
    no five fields, such as `@every 90m`. `next_schedule_time`: null when it is stopped or never due.
    """

    scheduler: str
    scheduler_zh: str
    scheduler_en: str
    name: str
    actives: int
    create_time: str
    status: CronJobWord
    concurrency_policy: ConcurrencyPolicy
    labels: dict[str, str]
    images: list[str]
    application_name: str | None = None
    cron_rule: ShownRule | None = None
    time_zone: str | None = None
    next_schedule_time: str | None = None
    last_schedule_time: str | None = None
    last_successful_time: str | None = None
    starting_deadline_seconds: int | None = None
    successful_jobs_history_limit: int | None = None
    failed_jobs_history_limit: int | None = None
    reasons: list[str] = field(default_factory=list)


class CronJobs(Struct, kw_only=True):
    """The answer of "list"."""

    cronjobs_status: list[CronJobStatus]


class CronJobDetail(Struct, kw_only=True):
    """The answer of "show": its Jobs newest first, and what they are made from."""

    jobs: list[Job]
    events: list[Event]
    spec: Job
    status: CronJobStatus


class CreateCronJob(Struct, kw_only=True):
    """The body of "create cronjob"."""

    cronjob: CronJob


class ActOnCronJobs(Struct, kw_only=True):
    """The body of start and stop, and (with `application_name`) of attach and detach."""

    cronjob_list: list[str | Named]
    application_name: str | None = None


class DeleteCronJobs(Struct, kw_only=True):
    """The body of "delete cronjobs"; Kubernetes' propagation policy is ours: what becomes of their Jobs."""

    cronjobs: list[str | Named]
    delete_policy: Literal["Foreground", "Background", "Orphan"] | None = None


class OneJob(Struct, kw_only=True):
    """The answer of "run"."""

    job: Job
