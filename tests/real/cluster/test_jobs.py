"""What users do with Jobs and CronJobs, with Kubernetes agreeing at every step."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway import eventually
from tests.real.cluster.conftest import IMAGE, SECONDS, Site

pytestmark = pytest.mark.timeout(400)


def job(name: str, command: str, **more: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "type": "worker",
        "image": IMAGE,
        "commands": {"cmd": ["sh", "-c", command]},
        "resources": {"requests": {"cpu": 0.01, "memory": 16}},
    }
    return {"name": name, "restart_policy": "Never", "backoff_limit": 0, "containers": [container], **more}


def create(site: Site, sent: dict[str, Any]) -> None:
    answer = site.client().post("/jobs/", json={"job": sent})
    assert answer.status_code == 200, answer.text


def until(site: Site, name: str, status: str) -> dict[str, Any]:
    """The Job's detail, once it is in a state."""

    def reached() -> dict[str, Any]:
        answer = site.client().get(f"/jobs/job/{name}/")
        assert answer.status_code == 200, answer.text
        detail: dict[str, Any] = answer.json()
        found = detail["job"]["job_status"]
        assert found["status"] == status, found
        return detail

    detail: dict[str, Any] = eventually(reached, seconds=SECONDS)
    return detail


def test_several_pods_at_a_time(site: Site) -> None:
    create(site, job("several", "sleep 1", completions=5, parallelism=2))
    detail = until(site, "several", "Succeed")
    assert detail["job"]["job_status"]["scale"] == "5/5"
    assert len(detail["job"]["pod_status"]) == 5
    status = site.kubectl_json("get", "job", "several")["status"]
    assert status["succeeded"] == 5
    assert detail["job"]["job_status"]["completion_time"] == status["completionTime"]
    answer = site.client().request("DELETE", "/jobs/", json={"jobs": ["several"]})
    assert answer.status_code == 200, answer.text
    eventually(lambda: "several" not in site.kubectl("get", "jobs,pods", "-o", "name"), seconds=SECONDS)


def test_trying_again_and_giving_up(site: Site) -> None:
    create(site, job("hopeless", "echo trying; exit 7", backoff_limit=1))
    detail = until(site, "hopeless", "Failed")
    status = detail["job"]["job_status"]
    assert (status["reason"], status["scale"]) == ("BackoffLimitExceeded", "0/1")
    assert "backoff_limit (1)" in status["reasons"][0]
    assert "exit code 7" in " ".join(status["reasons"])
    assert len(detail["job"]["pod_status"]) == 2
    assert "BackoffLimitExceeded" in {event["reason"] for event in detail["events"]}


def test_a_job_that_takes_too_long(site: Site) -> None:
    create(site, job("slow", "sleep 600", active_deadline_seconds=5))
    status = until(site, "slow", "Failed")["job"]["job_status"]
    assert status["reason"] == "DeadlineExceeded"


def test_a_cronjob_runs_by_itself_and_by_hand(site: Site) -> None:
    client = site.client()
    body = {"cronjob": {"cron_rule": "@every 1s", "concurrency_policy": "Forbid", "job": job("tick", "true")}}
    answer = client.post("/cronjobs/", json=body)
    assert answer.status_code == 200, answer.text

    def ran() -> dict[str, Any]:
        detail: dict[str, Any] = client.get("/cronjobs/cronjob/tick/").json()
        assert detail["status"]["last_schedule_time"], detail["status"]
        assert any(one["job_status"]["status"] == "Succeed" for one in detail["jobs"])
        return detail

    detail = eventually(ran, seconds=SECONDS)
    assert {one["cronjob_name"] for one in detail["jobs"]} == {"tick"}
    names = {"cronjob_list": [{"name": "tick"}]}
    assert client.put("/cronjobs/", params={"action": "stop"}, json=names).status_code == 200
    assert client.put("/cronjobs/", params={"action": "stop"}, json=names).status_code == 409
    assert site.kubectl_json("get", "cronjob", "tick")["spec"]["suspend"] is True
    run = client.post("/cronjobs/cronjob/tick/run/")
    assert run.status_code == 200, run.text
    name = run.json()["job"]["name"]
    until(site, name, "Succeed")
    metadata = site.kubectl_json("get", "job", name)["metadata"]
    assert metadata["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    assert metadata["ownerReferences"][0]["kind"] == "CronJob"
    assert client.request("DELETE", "/cronjobs/", json={"cronjobs": ["tick"]}).status_code == 200
    eventually(lambda: "tick" not in site.kubectl("get", "cronjobs,jobs", "-o", "name"), seconds=SECONDS)


@pytest.mark.parametrize(
    "schedule",
    [
        *("*/5 * * * *", "? ? ? ? ?", "0 0 1,,15 JAN-mar,Dec sun", "+5 06 * * *", "*-x * * * *"),
        *("@hourly", "@every 1h30m", "@every 0", "0 0 31 2 *", ", * * * *", "10/20 1-9/3 */2 * 1"),
        *("60 * * * *", "*/0 * * * *", "* * * * 7", "5-1 * * * *", "1-2-3 * * * *", "* * L * *"),
        *("@reboot", "@every 5", "* * * *", "* * * * * *", "every day"),
    ],
)
def test_kubernetes_takes_what_we_think_it_takes(site: Site, schedule: str) -> None:
    """What is refused by us alone is what would never be done."""
    from ecns.api.cronjobs.manifests import schedules  # noqa: PLC0415

    try:
        schedules.parse(schedule)
        ours = True
    except schedules.ScheduleError:
        ours = False
    said = site.kubectl(
        *("create", "cronjob", "tried", "--dry-run=server", "--image=x", f"--schedule={schedule}"), ok=False
    )
    assert ("created" in said) == ours, said
