"""CronJobs as requests say them, and the requests of chapter 1.5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.api.cronjobs import types
from tests.api.answers import told
from tests.api.jobs.asking import job

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]

LIST = "/cronjobs/"
NEVER_SOON = {"minute": "10", "hour": "6", "day": "29", "month": "2"}
"""A rule whose time does not come while a test runs."""


def cronjob(name: str, rule: Any = None, command: str = "true", **more: Any) -> Json:
    """A CronJob as it is sent; what is not its own is its job's."""
    own = {"concurrency_policy", "time_zone", "suspend", "starting_deadline_seconds"}
    own |= {"successful_jobs_history_limit", "failed_jobs_history_limit"}
    of_job = {key: value for key, value in more.items() if key not in own}
    return {
        "concurrency_policy": "Allow",
        "cron_rule": NEVER_SOON if rule is None else rule,
        "job": job(name, command, **of_job),
        **{key: value for key, value in more.items() if key in own},
    }


def post(client: httpx.Client, sent: Json, **headers: str) -> httpx.Response:
    """Make a CronJob."""
    return client.post(LIST, json={"cronjob": sent}, headers=headers)


def create(client: httpx.Client, sent: Json) -> types.CronJobStatus:
    """Make a CronJob, which succeeds."""
    return told(post(client, sent), types.CronJobStatus)


def one(name: str, part: str = "") -> str:
    """The path of a CronJob, or of a part of it."""
    return f"/cronjobs/cronjob/{name}/{part}"


def run(client: httpx.Client, name: str, **headers: str) -> types.OneJob:
    """Run a CronJob now."""
    return told(client.post(one(name, "run/"), headers=headers), types.OneJob)


def shown(client: httpx.Client, name: str) -> types.CronJobDetail:
    """A CronJob with all that belongs to it."""
    return told(client.get(one(name)), types.CronJobDetail)


def listed(client: httpx.Client, **query: Any) -> dict[str, types.CronJobStatus]:
    """The CronJobs of a list, by name."""
    found = told(client.get(LIST, params=query), types.CronJobs).cronjobs_status
    return {row.name: row for row in found}


def act(client: httpx.Client, action: str, *names: str, **more: Any) -> httpx.Response:
    """Start, stop, attach or detach."""
    body = {"cronjob_list": [{"name": name} for name in names], **more}
    return client.put(LIST, params={"action": action}, json=body)


def delete(client: httpx.Client, *names: str, **more: Any) -> httpx.Response:
    """Delete CronJobs."""
    return client.request("DELETE", LIST, json={"cronjobs": list(names), **more})
