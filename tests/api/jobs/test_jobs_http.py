"""Jobs from beginning to end, as users do it (chapter 1.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.batches import Batch
from ecns.api.common.objects import DryRun
from ecns.api.jobs import types
from tests.api.answers import refused, told
from tests.api.jobs.asking import (
    LIST,
    container,
    create,
    delete,
    job,
    listed,
    one,
    post,
    shown,
    state,
    until,
    unused,
)
from tests.gateway import eventually

if TYPE_CHECKING:
    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "chapters"
CLAIM = {"name": "data", "type": "StorageClass", "storage_class": {"class_name": "standard", "capacity": 1}}
MOUNT = [{"volume_name": "data", "mount_path": "/data"}]


def kubectl(gateway: Gateway, *arguments: str, stdin: str = "") -> str:
    return gateway.kubectl("-n", NAMESPACE, *arguments, stdin=stdin)


def test_a_job_is_made_runs_is_listed_shown_and_deleted(gateway: Gateway, project: Project) -> None:
    name = unused()
    sent = job(name, "echo 你好; exit 0", completions=3, parallelism=2, labels={"tier": "batch"})
    made = create(project.member, sent)
    assert (made.name, made.completions, made.parallelism, made.labels) == (name, 3, 2, {"tier": "batch"})
    assert state(made).status in {"Pending", "Running"}
    detail = until(project.reader, name, "Succeed")
    status = state(detail.job)
    assert status.scale == "3/3"
    assert (status.succeeded, status.active, status.reasons) == (3, 0, [])
    assert status.images == ["busybox:1.35"]
    assert status.start_time
    assert status.completion_time
    assert [pod["status"] for pod in detail.job.pod_status] == ["Succeed"] * 3
    assert "Complete" in [one.type for one in detail.conditions]
    assert {"Completed", "SuccessfulCreate"} <= {event.reason for event in detail.events}
    assert {event.object.split("/")[0] for event in detail.events if event.object} == {"Job", "Pod"}
    row = listed(project.reader, name=name)[name]
    assert row.job_status["status"] == "Succeed"
    assert row == detail.job
    told(delete(project.member, name), Batch[None])
    refused(project.reader.get(one(name)), 404)
    assert name not in listed(project.reader)
    eventually(lambda: not kubectl(gateway, "get", "pods", "-l", f"job-name={name}", "-o", "name"))


@pytest.mark.parametrize(
    ("command", "more", "reason", "said"),
    [
        ("exit 3", {"backoff_limit": 0}, "BackoffLimitExceeded", "backoff_limit (0)"),
        ("sleep 60", {"active_deadline_seconds": 1}, "DeadlineExceeded", "active_deadline_seconds (1)"),
    ],
)
def test_why_a_job_failed_is_said(
    project: Project, command: str, more: dict[str, Any], reason: str, said: str
) -> None:
    name = unused()
    create(project.member, job(name, command, **more))
    detail = until(project.reader, name, "Failed")
    status = eventually(lambda: state(shown(project.reader, name).job))
    assert status.reason == reason
    assert said in status.reasons[0]
    assert status.scale == "0/1"
    if command == "exit 3":
        assert "exit code 3" in status.reasons[1]
    assert reason in [one.reason for one in detail.conditions]
    assert listed(project.reader, status="Failed", name=name)[name].job_status["reason"] == reason
    assert listed(project.reader, status="Succeed", name=name) == {}
    delete(project.member, name)


def test_an_image_that_is_nowhere_is_said_in_words(project: Project) -> None:
    name = unused()
    image = {"image": "registry.invalid/does-not-exist", "image_version": "1"}
    create(project.member, job(name, containers=[container() | {"image": image}]))
    detail = until(project.reader, name, "Failed")
    assert "cannot be pulled" in state(detail.job).reasons[0]
    delete(project.member, name)


def test_a_job_with_everything(project: Project) -> None:
    name = unused()
    more = container(
        env=[{"type": "Normal", "name": "GREETING", "key": "你好"}],
        resources={"requests": {"cpu": 0.1, "memory": 64}},
        volume_mounts=[{"volume_name": "scratch", "mount_path": "/scratch"}],
        health=[{"type": "liveness", "protocol": "cmd", "cmd": "true"}],
        logsidecar_injector=["/scratch/app.log"],
    )
    more["image"]["image_auth"] = True
    volumes = [{"name": "scratch", "type": "EmptyDir", "emptydir": "1"}]
    sent = job(
        name,
        containers=[more, container() | {"name": "prepare", "type": "init"}],
        volumes=volumes,
        restart_policy="OnFailure",
        suspend=True,
        ttl_seconds_after_finished=60,
    )
    create(project.member, sent)
    found = until(project.reader, name, "Stopped").job
    assert [(one.name, one.type) for one in found.containers] == [("main", "worker"), ("prepare", "init")]
    main = found.containers[0]
    assert main.image.image_auth is True
    assert main.env is not None
    assert main.env[0].key == "你好"
    assert main.logsidecar_injector == ["/scratch/app.log"]
    assert main.health is not None
    assert main.health[0].cmd == "true"
    assert (found.restart_policy, found.suspend, found.ttl_seconds_after_finished) == ("OnFailure", True, 60)
    assert found.volumes is not None
    assert found.volumes[0].emptydir == "1"
    delete(project.member, name)


def test_a_job_of_a_claim_is_made_with_it_or_not_at_all(gateway: Gateway, project: Project) -> None:
    name = unused()
    sent = job(name, containers=[container(volume_mounts=MOUNT)], volumes=[CLAIM])
    made = create(project.member, sent)
    assert made.volumes is not None
    assert made.volumes[0].storage_class is not None
    assert made.volumes[0].storage_class.capacity == 1
    claim = gateway.kubectl_json("-n", NAMESPACE, "get", "pvc", f"{name}-data")
    assert [owner["name"] for owner in claim["metadata"]["ownerReferences"]] == [name]
    until(project.reader, name, "Succeed")
    assert state(shown(project.reader, name).job).reasons == []
    told(delete(project.member, name), Batch[None])
    eventually(lambda: f"{name}-data" not in kubectl(gateway, "get", "pvc", "-o", "name"))

    other = unused()
    kubectl(gateway, "create", "-f", "-", stdin=CLAIM_MANIFEST.format(name=f"{other}-data"))
    sent = job(other, containers=[container(volume_mounts=MOUNT)], volumes=[CLAIM])
    refused(post(project.member, sent), 409)
    refused(project.reader.get(one(other)), 404)
    kubectl(gateway, "delete", "pvc", f"{other}-data")


CLAIM_MANIFEST = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: {name}}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
"""


def test_the_same_key_makes_it_once(project: Project) -> None:
    name = unused()
    key = f"key-{name}"
    first = told(post(project.member, job(name), **{"Idempotency-Key": key}), types.CreateJob)
    again = post(project.member, job(name), **{"Idempotency-Key": key})
    assert told(again, types.CreateJob) == first
    refused(post(project.member, job(name)), 409)
    delete(project.member, name)


def test_trying_changes_nothing(project: Project) -> None:
    name = unused()
    params = {"dry_run": "true"}
    volumes = {"containers": [container(volume_mounts=MOUNT)], "volumes": [CLAIM]}
    tried = told(
        project.member.post(LIST, json={"job": job(name, **volumes)}, params=params),
        DryRun,
    )
    assert sorted(one["kind"] for one in tried.objects) == ["Job", "PersistentVolumeClaim"]
    assert name not in listed(project.reader)
    create(project.member, job(name, suspend=True))
    tried = told(project.member.request("DELETE", LIST, json={"jobs": [name]}, params=params), DryRun)
    assert tried.deleted == [f"Job/{name}"]
    assert name in listed(project.reader)
    delete(project.member, name)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "job"),
        ({"job": {"containers": []}}, "job.name"),
        ({"job": job("x", restart_policy="Always")}, "job.restart_policy"),
        ({"job": job("x", completions="many")}, "job.completions"),
        ({"job": job("x" * 64)}, "job.name"),
        ({"job": job("x", containers=[])}, "job.containers"),
        ({"job": job("x", application_name="nowhere")}, "job.application_name"),
    ],
)
def test_bad_bodies(project: Project, sent: Any, field: str) -> None:
    refused(project.member.post(LIST, json=sent), 400, field=field)


def test_who_may_not(gateway: Gateway, project: Project) -> None:
    name = unused()
    create(project.member, job(name, suspend=True))
    refused(gateway.client().get(LIST), 401)
    refused(gateway.client().get(one(name)), 401)
    refused(post(project.reader, job("x")), 403)
    refused(delete(project.reader, name), 403)
    stranger = gateway.client("other", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE})
    refused(stranger.get(one(name)), 404)
    refused(project.client("member", "security").get(LIST), 404)
    refused(project.client("member", "hybrid").get(LIST), 404)
    refused(project.member.put(LIST, json={"jobs": [name], "application_name": "a"}), 400, field="action")
    delete(project.member, name)


def test_a_batch_answers_for_each(project: Project) -> None:
    first, second = unused(), unused()
    for name in (first, second):
        create(project.member, job(name, suspend=True))
    answer = delete(project.member, first, "nothing-here", second)
    batch = told(answer, Batch[None], 207)
    assert [done.name for done in batch.succeed] == [first, second]
    assert [(one.name, one.code) for one in batch.failed] == [("nothing-here", 404)]
    refused(delete(project.member, first, second), 404)
    assert told(delete(project.member), Batch[None]).succeed == []


@pytest.mark.parametrize("policy", ["Orphan", "Foreground"])
def test_what_becomes_of_the_pods(gateway: Gateway, project: Project, policy: str) -> None:
    name = unused()
    create(project.member, job(name))
    until(project.reader, name, "Succeed")
    told(delete(project.member, name, delete_policy=policy), Batch[None])
    eventually(lambda: project.reader.get(one(name)).status_code == 404)
    there = kubectl(gateway, "get", "pods", "-l", f"job-name={name}", "-o", "name").split()
    assert len(there) == (policy == "Orphan")
    kubectl(gateway, "delete", "pods", "-l", f"job-name={name}")


def test_pages_filters_and_order(project: Project) -> None:
    stem = unused()
    names = [f"{stem}-{number}" for number in range(5)]
    for number, name in enumerate(names):
        create(project.member, job(name, suspend=True, labels={"odd": str(number % 2)}))
    query = {"name": stem, "sort_by": "name"}
    answer = project.reader.get(LIST, params={**query, "page": 2, "page_size": 2})
    page = told(answer, types.Jobs)
    assert [row.name for row in page.jobs] == names[2:4]
    assert (answer.headers["X-Total-Count"], answer.json()["total"]) == ("5", 5)
    assert int(answer.headers["X-Resource-Version"])
    assert list(listed(project.reader, **query, order="desc")) == names[::-1]
    assert list(listed(project.reader, **query, label_selector="odd=1")) == [names[1], names[3]]
    assert list(listed(project.reader, **{**query, "sort_by": "status"})) == names
    assert list(listed(project.reader, name=stem, status="Stopped")) != []
    refused(project.reader.get(LIST, params={"sort_by": "nonsense"}), 400, field="sort_by")
    refused(project.reader.get(LIST, params={"status": "Odd"}), 400, field="status")
    delete(project.member, *names)


FOREIGN = """
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec:
  completionMode: Indexed
  completions: 3
  parallelism: 3
  backoffLimit: 6
  podFailurePolicy:
    rules: [{{action: FailJob, onExitCodes: {{operator: In, values: [42]}}}}]
  successPolicy:
    rules: [{{succeededIndexes: "1"}}]
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: c
          image: busybox:1.35
          command: [sh, -c, {command}]
"""


def test_a_job_with_things_that_ecns_has_no_word_for(gateway: Gateway, project: Project) -> None:
    name = unused()
    command = '"if [ $JOB_COMPLETION_INDEX = 1 ]; then exit 0; fi; sleep 60"'
    kubectl(gateway, "create", "-f", "-", stdin=FOREIGN.format(name=name, command=command))
    detail = until(project.reader, name, "Succeed")
    assert state(detail.job).scale == "1/3"
    assert state(detail.job).reason == "SuccessPolicy"
    told(delete(project.member, name), Batch[None])
    name = unused()
    kubectl(gateway, "create", "-f", "-", stdin=FOREIGN.format(name=name, command='"exit 42"'))
    detail = until(project.reader, name, "Failed")
    assert state(detail.job).reason == "PodFailurePolicy"
    assert "exit code 42" in " ".join(state(detail.job).reasons)
    told(delete(project.member, name), Batch[None])


def test_members_of_an_application(project: Project) -> None:
    name, application = unused(), f"app-{unused()}"
    assert project.member.post("/applications/", json={"application": {"name": application}}).is_success
    create(project.member, job(name, suspend=True))

    def act(action: str, to: str, *names: str) -> Any:
        body = {"jobs": list(names), "application_name": to}
        return project.member.put(LIST, params={"action": action}, json=body)

    refused(act("attach", "nowhere", name), 404)
    refused(act("attach", "", name), 400, field="application_name")
    told(act("attach", application, name), Batch[None])
    told(act("attach", application, name), Batch[None])
    assert listed(project.reader, app_selector=application)[name].application_name == application
    told(act("detach", "other", name), Batch[None])
    assert name in listed(project.reader, app_selector=application)
    told(act("detach", application, name), Batch[None])
    assert listed(project.reader, app_selector=application) == {}
    refused(act("attach", application, "nothing-here"), 404)

    member = unused()
    create(project.member, job(member, suspend=True, application_name=application))
    refused(act("attach", "other-app", member), 404)
    body = {"applications": [{"name": application}]}
    params = {"resource": "all"}
    gone = project.member.request("DELETE", "/applications/app/", params=params, json=body)
    assert gone.status_code == 200, gone.text
    eventually(lambda: project.reader.get(one(member)).status_code == 404)
    delete(project.member, name)
