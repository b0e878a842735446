"""Jobs and CronJobs as they change, read as server-sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api import project as projects
from tests.api.cronjobs import asking as cronjobs
from tests.api.jobs.asking import create, delete, job, unused
from tests.api.workloads.test_live_http import listening

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "live-jobs"


@pytest.fixture(scope="module")
def project(gateway: Gateway) -> Project:
    return projects.settled(gateway, NAMESPACE)


@pytest.fixture
def client(project: Project) -> httpx.Client:
    return project.member


def test_what_happens_to_a_job_is_told(client: httpx.Client) -> None:
    name = unused()
    with listening(client, f"/jobs/?watch=true&name={name}") as events:
        assert events.synced() == []
        create(client, job(name, "sleep 1"))
        assert events.about(name, "added")["completions"] == 1
        events.until(lambda told, row: told == "changed" and row["job_status"]["status"] == "Running")
        done = events.until(lambda told, row: told == "changed" and row["job_status"]["status"] == "Succeed")
        assert done["job_status"]["scale"] == "1/1"
        assert [pod["status"] for pod in done["pod_status"]] == ["Succeed"]
        delete(client, name)
        events.about(name, "removed")


def test_a_watch_of_one_state_only(client: httpx.Client) -> None:
    name = unused()
    with listening(client, f"/jobs/?watch=true&name={name}&status=Failed") as events:
        assert events.synced() == []
        create(client, job(name, "exit 1"))
        row = events.about(name, "added")
        assert row["job_status"]["reason"] == "BackoffLimitExceeded"
    delete(client, name)


def test_what_happens_to_a_cronjob_is_told(client: httpx.Client) -> None:
    name = unused()
    with listening(client, f"/cronjobs/?watch=true&name={name}") as events:
        assert events.synced() == []
        cronjobs.create(client, cronjobs.cronjob(name, command="sleep 1"))
        assert events.about(name, "added")["status"] == "Running"
        cronjobs.run(client, name)
        events.until(lambda told, row: told == "changed" and row["actives"] == 1)
        events.until(lambda told, row: told == "changed" and row["actives"] == 0)
        cronjobs.act(client, "stop", name)
        stopped = events.until(lambda told, row: told == "changed" and row["status"] == "Stopped")
        assert stopped["next_schedule_time"] is None
        cronjobs.delete(client, name)
        events.about(name, "removed")


def test_who_comes_back_is_told_what_was_missed(client: httpx.Client) -> None:
    name = unused()
    path = f"/cronjobs/?watch=true&name={name}"
    cronjobs.create(client, cronjobs.cronjob(name))
    with listening(client, path) as events:
        assert events.synced() == [f"added {name}"]
        seen = events.last_id
    cronjobs.act(client, "stop", name)
    with listening(client, path, seen) as events:
        assert events.synced() == [f"changed {name}"]
    cronjobs.delete(client, name)
