"""Jobs as requests say them, and the requests of chapter 1.10."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from ecns.api.jobs import types
from tests.api.answers import told
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]

LIST = "/jobs/"
_numbers = itertools.count(1)


def unused() -> str:
    """A name that no Job has."""
    return f"j{next(_numbers)}"


def container(command: str = "true", **more: Any) -> Json:
    """A container that runs a shell line."""
    image = {"image": "busybox", "image_version": "1.35"}
    return {"name": "main", "image": image, "commands": {"cmd": ["sh", "-c", command]}, **more}


def job(name: str, command: str = "true", **more: Any) -> Json:
    """A Job as it is sent."""
    return {
        "name": name,
        "completions": 1,
        "parallelism": 1,
        "active_deadline_seconds": 600,
        "backoff_limit": 0,
        "restart_policy": "Never",
        "containers": [container(command)],
        **more,
    }


def post(client: httpx.Client, sent: Json, **headers: str) -> httpx.Response:
    """Make a Job."""
    return client.post(LIST, json={"job": sent}, headers=headers)


def create(client: httpx.Client, sent: Json) -> types.Job:
    """Make a Job, which succeeds."""
    return told(post(client, sent), types.CreateJob).job


def one(name: str) -> str:
    """The path of a Job."""
    return f"/jobs/job/{name}/"


def state(found: types.Job) -> types.JobStatus:
    """How a Job is."""
    return msgspec.convert(found.job_status, types.JobStatus)


def shown(client: httpx.Client, name: str) -> types.JobDetail:
    """A Job with all that belongs to it."""
    return told(client.get(one(name)), types.JobDetail)


def until(client: httpx.Client, name: str, status: str, *, seconds: float = 20.0) -> types.JobDetail:
    """A Job's detail, once it is in a state."""

    def reached() -> types.JobDetail:
        detail = shown(client, name)
        assert state(detail.job).status == status, state(detail.job)
        return detail

    detail: types.JobDetail = eventually(reached, seconds=seconds)
    return detail


def listed(client: httpx.Client, **query: Any) -> dict[str, types.Job]:
    """The Jobs of a list, by name."""
    return {row.name: row for row in told(client.get(LIST, params=query), types.Jobs).jobs}


def delete(client: httpx.Client, *names: str, **more: Any) -> httpx.Response:
    """Delete Jobs."""
    return client.request("DELETE", LIST, json={"jobs": list(names), **more})
