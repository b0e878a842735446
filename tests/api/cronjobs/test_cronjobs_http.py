"""CronJobs from beginning to end, as users do it (chapter 1.5)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.batches import Batch
from ecns.api.common.objects import DryRun
from ecns.api.cronjobs import types
from tests.api.answers import refused, told
from tests.api.cronjobs.asking import (
    LIST,
    NEVER_SOON,
    act,
    create,
    cronjob,
    delete,
    listed,
    one,
    post,
    run,
    shown,
)
from tests.api.jobs.asking import container, state, until, unused
from tests.api.jobs.asking import listed as listed_jobs
from tests.gateway import eventually

if TYPE_CHECKING:
    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "chapters"
SOON = "@every 1s"
"""The first run is due at once; the others have the same name until the minute is over, so it stays one."""


def kubectl(gateway: Gateway, *arguments: str, stdin: str = "") -> str:
    return gateway.kubectl("-n", NAMESPACE, *arguments, stdin=stdin)


def test_a_cronjob_is_made_listed_shown_and_deleted(gateway: Gateway, project: Project) -> None:
    name = unused()
    rule = {"minute": "10", "hour": 6, "day of the week": "3,4"}
    made = create(project.member, cronjob(name, rule, labels={"tier": "batch"}, time_zone="Asia/Shanghai"))
    assert made.scheduler == "10 6 * * 3,4"
    assert made.scheduler_zh == "每周三、周四 06:10（Asia/Shanghai时间）"  # noqa: RUF001  Chinese
    assert made.scheduler_en == "Every Wednesday and Thursday at 06:10 (Asia/Shanghai time)"
    assert (made.name, made.status, made.actives) == (name, "Running", 0)
    assert (made.concurrency_policy, made.labels) == ("Allow", {"tier": "batch"})
    assert made.images == ["busybox:1.35"]
    assert made.next_schedule_time is not None
    due = datetime.fromisoformat(made.next_schedule_time)
    assert due > datetime.now(UTC)
    assert (due.hour, due.minute, due.isoweekday()) in {(22, 10, 2), (22, 10, 3)}
    assert listed(project.reader, name=name) == {name: made}
    detail = shown(project.reader, name)
    assert detail.status == made
    assert (detail.jobs, detail.spec.name, detail.spec.restart_policy) == ([], name, "Never")
    whole = gateway.kubectl_json("-n", NAMESPACE, "get", "cronjob", name)
    assert (whole["spec"]["schedule"], whole["spec"]["timeZone"]) == ("10 6 * * 3,4", "Asia/Shanghai")
    told(delete(project.member, name), Batch[None])
    refused(project.reader.get(one(name)), 404)
    assert name not in listed(project.reader)


def test_it_runs_and_its_history_tells(project: Project) -> None:
    name = unused()
    create(project.member, cronjob(name, SOON, "echo done"))

    def done() -> types.CronJobDetail | None:
        detail = shown(project.reader, name)
        succeeded = detail.status.last_successful_time and detail.status.actives == 0
        return detail if succeeded and state(detail.jobs[0]).status == "Succeed" else None

    detail: types.CronJobDetail = eventually(done)
    assert [job.cronjob_name for job in detail.jobs] == [name] * len(detail.jobs)
    assert state(detail.jobs[0]).scale == "1/1"
    assert detail.status.last_schedule_time
    assert {"SuccessfulCreate", "SawCompletedJob"} <= {event.reason for event in detail.events}
    assert {event.object.split("/")[0] for event in detail.events if event.object} == {"CronJob", "Job"}
    told(delete(project.member, name), Batch[None])
    eventually(lambda: not listed_jobs(project.reader, name=name))


def test_start_and_stop(project: Project) -> None:
    name, other = unused(), unused()
    row = create(project.member, cronjob(name))
    create(project.member, cronjob(other, suspend=True))
    assert "running" in refused(act(project.member, "start", name), 409)
    body = {"cronjob_list": [project.reader.get(one(name)).json()["status"]]}
    told(project.member.put(LIST, params={"action": "stop"}, json=body), Batch[None])
    stopped = listed(project.reader, name=name)[name]
    assert (stopped.status, stopped.next_schedule_time) == ("Stopped", None)
    assert row.next_schedule_time is not None
    assert "stopped" in refused(act(project.member, "stop", name, other), 409)
    batch = told(act(project.member, "start", name, "nothing-here"), Batch[None], 207)
    assert [(one.name, one.code) for one in batch.failed] == [("nothing-here", 404)]
    assert listed(project.reader, name=name)[name] == row
    assert list(listed(project.reader, status="Stopped", name=other)) == [other]
    assert list(listed(project.reader, status="Running", name=other)) == []
    tried = told(project.member.put(LIST, params={"action": "stop", "dry_run": "true"}, json=body), DryRun)
    assert "+  suspend: true" in tried.diff
    assert listed(project.reader, name=name)[name].status == "Running"
    delete(project.member, name, other)


def test_run_now(gateway: Gateway, project: Project) -> None:
    name = unused()
    create(project.member, cronjob(name, command="sleep 2", suspend=True, labels={"tier": "batch"}))
    job = run(project.member, name).job
    assert job.cronjob_name == name
    assert job.name.startswith(f"{name}-run-")
    assert job.labels == {"tier": "batch"}
    assert listed(project.reader, name=name)[name].actives == 1
    assert [one.name for one in shown(project.reader, name).jobs] == [job.name]
    whole = gateway.kubectl_json("-n", NAMESPACE, "get", "job", job.name)["metadata"]
    assert whole["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    assert [(owner["kind"], owner["name"], owner["controller"]) for owner in whole["ownerReferences"]] == [
        ("CronJob", name, True)
    ]
    until(project.reader, job.name, "Succeed")
    eventually(lambda: listed(project.reader, name=name)[name].actives == 0)
    again = run(project.member, name).job
    assert again.name != job.name
    tried = told(project.member.post(one(name, "run/"), params={"dry_run": "true"}), DryRun)
    assert [obj["kind"] for obj in tried.objects] == ["Job"]
    assert len(shown(project.reader, name).jobs) == 2
    refused(project.member.post(one("nothing-here", "run/")), 404)
    refused(project.reader.post(one(name, "run/")), 403)
    delete(project.member, name)


def test_the_same_key_runs_it_once(project: Project) -> None:
    name = unused()
    create(project.member, cronjob(name))
    key = f"key-{name}"
    first = run(project.member, name, **{"Idempotency-Key": key}).job
    again = run(project.member, name, **{"Idempotency-Key": key}).job
    other = run(project.member, name, **{"Idempotency-Key": f"other-{name}"}).job
    assert first.name == again.name != other.name
    assert len(shown(project.reader, name).jobs) == 2
    delete(project.member, name)


def test_history_counts_what_was_run_by_hand(project: Project) -> None:
    name = unused()
    create(project.member, cronjob(name, successful_jobs_history_limit=1))
    for _ in range(2):
        run(project.member, name)

    # Which of the two stays is decided by their names when they began in the same second.
    def one_is_left() -> bool:
        return [state(job).status for job in shown(project.reader, name).jobs] == ["Succeed"]

    eventually(one_is_left)
    delete(project.member, name)


CLAIM = {"name": "data", "type": "StorageClass", "storage_class": {"class_name": "standard", "capacity": 1}}


def test_its_jobs_share_its_claims(gateway: Gateway, project: Project) -> None:
    name = unused()
    mounts = [{"volume_name": "data", "mount_path": "/data"}]
    sent = cronjob(name, volumes=[CLAIM], containers=[container(volume_mounts=mounts)])
    create(project.member, sent)
    claim = gateway.kubectl_json("-n", NAMESPACE, "get", "pvc", f"{name}-data")
    assert [owner["kind"] for owner in claim["metadata"]["ownerReferences"]] == ["CronJob"]
    spec = shown(project.reader, name).spec
    job = until(project.reader, run(project.member, name).job.name, "Succeed").job
    assert spec.volumes is not None
    assert spec.volumes == job.volumes
    assert spec.volumes[0].type == "StorageClass"
    delete(project.member, name)
    eventually(lambda: f"{name}-data" not in kubectl(gateway, "get", "pvc", "-o", "name"))


FOREIGN = """
apiVersion: batch/v1
kind: CronJob
metadata: {{name: {name}, labels: {{app: foreign}}}}
spec:
  schedule: "{schedule}"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      completionMode: Indexed
      completions: 2
      template:
        spec:
          restartPolicy: OnFailure
          containers:
            - name: c
              image: busybox:1.35
              command: ["true"]
              envFrom: [{{configMapRef: {{name: x, optional: true}}}}]
"""


@pytest.mark.parametrize(
    ("schedule", "zh", "en"),
    [
        ("@hourly", "每小时整点", "Every hour"),
        ("@every 90m", "每1小时30分钟", "Every 1 hour and 30 minutes"),
        ("0 0 ? JAN MON", "每年1月的每周一 00:00", "Every Monday in January at 00:00"),
        ("5,, 0 1 * *", "每月1日 00:05", "On the 1st of every month at 00:05"),
    ],
)
def test_what_kubectl_made(gateway: Gateway, project: Project, schedule: str, zh: str, en: str) -> None:
    name = unused()
    kubectl(gateway, "create", "-f", "-", stdin=FOREIGN.format(name=name, schedule=schedule))
    row = eventually(lambda: listed(project.reader, name=name).get(name))
    assert (row.scheduler, row.scheduler_zh, row.scheduler_en) == (schedule, zh, en)
    assert (row.labels, row.concurrency_policy) == ({"app": "foreign"}, "Forbid")
    assert row.next_schedule_time
    before = gateway.kubectl_json("-n", NAMESPACE, "get", "cronjob", name)["spec"]
    told(act(project.member, "stop", name), Batch[None])
    told(act(project.member, "start", name), Batch[None])
    assert gateway.kubectl_json("-n", NAMESPACE, "get", "cronjob", name)["spec"] == before
    job = run(project.member, name).job
    assert until(project.reader, job.name, "Succeed").job.completions == 2
    template = gateway.kubectl_json("-n", NAMESPACE, "get", "job", job.name)["spec"]["template"]["spec"]
    assert template["containers"][0]["envFrom"] == [{"configMapRef": {"name": "x", "optional": True}}]
    delete(project.member, name)


def test_the_same_key_makes_it_once(project: Project) -> None:
    name = unused()
    first = told(post(project.member, cronjob(name), **{"Idempotency-Key": name}), types.CronJobStatus)
    again = told(post(project.member, cronjob(name), **{"Idempotency-Key": name}), types.CronJobStatus)
    assert first == again
    refused(post(project.member, cronjob(name)), 409)
    refused(post(project.member, cronjob(name, "@daily"), **{"Idempotency-Key": name}), 409)
    delete(project.member, name)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "cronjob"),
        ({"cronjob": {"cron_rule": NEVER_SOON}}, "cronjob.job"),
        ({"cronjob": cronjob("x") | {"cron_rule": None}}, "cronjob.cron_rule"),
        ({"cronjob": cronjob("x", {"minute": "*/0"})}, "cronjob.cron_rule.minute"),
        ({"cronjob": cronjob("x", {"week": "7"})}, "cronjob.cron_rule.week"),
        ({"cronjob": cronjob("x", {"day": 31, "month": "2"})}, "cronjob.cron_rule.day"),
        ({"cronjob": cronjob("x", "@reboot")}, "cronjob.cron_rule"),
        ({"cronjob": cronjob("x", concurrency_policy="Sometimes")}, "cronjob.concurrency_policy"),
        ({"cronjob": cronjob("x", time_zone="Nowhere")}, "cronjob.time_zone"),
        ({"cronjob": cronjob("c" * 53)}, "cronjob.job.name"),
        ({"cronjob": cronjob("x", application_name="nowhere")}, "cronjob.job.application_name"),
    ],
)
def test_bad_bodies(project: Project, sent: Any, field: str) -> None:
    refused(project.member.post(LIST, json=sent), 400, field=field)


def test_the_longest_name(project: Project) -> None:
    name = f"{unused()}-".ljust(52, "c")
    create(project.member, cronjob(name))
    assert len(run(project.member, name).job.name) == 63
    delete(project.member, name)


def test_trying_changes_nothing(project: Project) -> None:
    name = unused()
    params = {"dry_run": "true"}
    sent = {"cronjob": cronjob(name, volumes=[CLAIM])}
    tried = told(project.member.post(LIST, json=sent, params=params), DryRun)
    assert sorted(obj["kind"] for obj in tried.objects) == ["CronJob", "PersistentVolumeClaim"]
    refused(project.reader.get(one(name)), 404)


def test_who_may_not(gateway: Gateway, project: Project) -> None:
    name = unused()
    create(project.member, cronjob(name))
    refused(gateway.client().get(LIST), 401)
    refused(post(project.reader, cronjob("x")), 403)
    refused(act(project.reader, "stop", name), 403)
    refused(delete(project.reader, name), 403)
    stranger = gateway.client("other", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE})
    refused(stranger.get(one(name)), 404)
    refused(project.client("member", "security").get(LIST), 404)
    refused(act(project.member, "pause", name), 400, field="action")
    delete(project.member, name)


def test_pages(project: Project) -> None:
    stem = unused()
    names = [f"{stem}-{number}" for number in range(5)]
    for name in names:
        create(project.member, cronjob(name))
    params: dict[str, Any] = {"name": stem, "sort_by": "name", "page": 2, "page_size": 2}
    answer = project.reader.get(LIST, params=params)
    assert [row.name for row in told(answer, types.CronJobs).cronjobs_status] == names[2:4]
    assert answer.headers["X-Total-Count"] == "5"
    refused(project.reader.get(LIST, params={"page": 0}), 400)
    delete(project.member, *names)


def test_members_of_an_application(project: Project) -> None:
    name, application = unused(), f"app-{unused()}"
    assert project.member.post("/applications/", json={"application": {"name": application}}).is_success
    create(project.member, cronjob(name, application_name=application))
    assert list(listed(project.reader, app_selector=application)) == [name]
    assert shown(project.reader, name).spec.application_name == application
    told(act(project.member, "detach", name, application_name=application), Batch[None])
    assert listed(project.reader, app_selector=application) == {}
    refused(act(project.member, "attach", name), 400, field="application_name")
    refused(act(project.member, "attach", name, application_name="nowhere"), 404)
    told(act(project.member, "attach", name, application_name=application), Batch[None])
    body = {"applications": [{"name": application}]}
    gone = project.member.request("DELETE", "/applications/app/", params={"resource": "all"}, json=body)
    assert gone.status_code == 200, gone.text
    refused(project.reader.get(one(name)), 404)
