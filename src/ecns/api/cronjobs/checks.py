"""What types cannot say of a CronJob: checked before anything is sent, each refusal naming its field.

Source: reference 1.5; https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/cron-job-v1/.
"""

from __future__ import annotations

from msgspec.structs import astuple, replace

from ecns.api.common.checks import between
from ecns.api.cronjobs.manifests import schedules
from ecns.api.cronjobs.manifests.cronjobs import fields
from ecns.api.cronjobs.manifests.schedules import (
    LIMITS,
    LONGEST,
    FieldName,
    ScheduleError,
    Times,
    is_possible,
)
from ecns.api.cronjobs.types import CronJob, CronRule
from ecns.api.jobs.checks import MAX_INT32, check_job
from ecns.errors import BadRequestError

MAX_NAME = 52
"""Kubernetes adds the minute to it in the names of its Jobs."""
LONG_NAMES = {"day": "day of the month", "week": "day of the week"}


def check_cronjob(cronjob: CronJob, *, at: str = "cronjob") -> CronJob:
    """Check a whole CronJob.

    Args:
        cronjob: what was sent.
        at: its path in the request, for messages.

    Returns:
        The CronJob with the defaults filled in.

    Raises:
        BadRequestError: something in it cannot be; `field` says where.
    """
    job = check_job(cronjob.job, at=f"{at}.job", longest_name=MAX_NAME)
    check_rule(cronjob.cron_rule, at=f"{at}.cron_rule")
    if cronjob.time_zone:
        _time_zone(cronjob.time_zone, f"{at}.time_zone")
    for name in (
        "starting_deadline_seconds",
        "successful_jobs_history_limit",
        "failed_jobs_history_limit",
    ):
        if (value := getattr(cronjob, name)) is not None:
            between(value, 0, MAX_INT32, f"{at}.{name}")
    return replace(cronjob, job=job, concurrency_policy=cronjob.concurrency_policy or "Allow")


def check_rule(rule: CronRule | str, *, at: str = "cron_rule") -> None:
    """Check when something is to be done.

    Raises:
        BadRequestError: Kubernetes would not take it, or it would never be done; `field` names the part.
    """
    if isinstance(rule, str):
        _schedule(rule.strip(), at)
        return
    if not any(str(value).strip() for value in astuple(rule) if value is not None):
        raise BadRequestError(
            f"{at}: says no time; one of {', '.join(LIMITS)} is needed ('*' is every one)", field=at
        )
    for name, long_name in LONG_NAMES.items():
        said = (getattr(rule, name), getattr(rule, long_name.replace(" ", "_")))
        if len({text for one in said if one is not None and (text := str(one).strip())}) > 1:
            raise BadRequestError(f"{at}.{name}: {long_name!r} says another thing", field=f"{at}.{name}")
    places = {name: f"{at}.{_sent_name(rule, name)}" for name in LIMITS}
    parsed = {name: _field(name, text, places[name]) for name, text in fields(rule).items()}
    _possible(Times(**parsed), places["day"])


def _sent_name(rule: CronRule, name: FieldName) -> str:
    """The name by which a part was sent."""
    long = LONG_NAMES.get(name, "")
    sent = long and getattr(rule, name) is None and getattr(rule, long.replace(" ", "_")) is not None
    return long if sent else name


def _field(name: FieldName, text: str, at: str) -> schedules.Field:
    if len(text) > LONGEST:
        raise BadRequestError(f"{at}: longer than {LONGEST} characters", field=at)
    if len(text.split()) > 1:
        raise BadRequestError(f"{at}: {text!r} has spaces; a list has commas", field=at)
    try:
        found = schedules.parse_field(name, text)
    except ScheduleError as error:
        raise BadRequestError(f"{at}: {error}", field=at) from error
    if not found.values:
        raise BadRequestError(f"{at}: {text!r} says no {name}", field=at)
    return found


def _schedule(text: str, at: str) -> None:
    try:
        known = schedules.parse(text)
    except ScheduleError as error:
        part = f"{error.field}: " if error.field else ""
        raise BadRequestError(f"{at}: {part}{error}", field=at) from error
    if known.zone:
        raise BadRequestError(f"{at}: a time zone stands in time_zone, not in the schedule", field=at)
    if known.times is not None:
        _possible(known.times, at)


def _possible(times: Times, at: str) -> None:
    if not is_possible(times):
        raise BadRequestError(f"{at}: there is no such date, so it would never be done", field=at)


def _time_zone(name: str, at: str) -> None:
    if name.lower() == "local" or schedules.time_zone(name) is None:
        raise BadRequestError(f"{at}: {name!r} is no time zone, such as Asia/Shanghai", field=at)
