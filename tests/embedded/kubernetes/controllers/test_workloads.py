from __future__ import annotations

from typing import Any

from tests.embedded.kubernetes.simulation import World


def _template(name: str, *command: str, image: str = "nginx:1.27", **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "c", "image": image}
    if command:
        container |= {"image": "busybox:1.35", "command": list(command)}
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **spec}}


def _set(kind: str, name: str = "db", **spec: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "apiVersion": "apps/v1",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": _template(name), **spec},
    }


def _job(name: str, *command: str, policy: str = "Never", **spec: Any) -> dict[str, Any]:
    template = {"spec": _template(name, *command, restartPolicy=policy)["spec"]}
    return {
        "kind": "Job",
        "apiVersion": "batch/v1",
        "metadata": {"name": name},
        "spec": {"template": template, **spec},
    }


def _reasons(obj: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["type"], item["reason"]) for item in obj.get("status", {}).get("conditions", ())]


def test_stateful_pods_come_and_go_in_order(world: World) -> None:
    world.namespace("shop")
    pods = world.record("pods")
    world.cluster.create(
        "statefulsets.apps", _set("StatefulSet", replicas=3, serviceName="db"), namespace="shop"
    )
    world.until(
        lambda: world.cluster.get("statefulsets.apps", "db", "shop")["status"].get("availableReplicas") == 3
    )
    names = [obj["metadata"]["name"] for event, obj in pods if event == "ADDED"]
    assert names == ["db-0", "db-1", "db-2"]
    for ordinal in (1, 2):
        made = next(
            at
            for at, (event, obj) in enumerate(pods)
            if event == "ADDED" and obj["metadata"]["name"] == f"db-{ordinal}"
        )
        before = [obj for _, obj in pods[:made] if obj["metadata"]["name"] == f"db-{ordinal - 1}"]
        assert any(
            item["type"] == "Ready" and item["status"] == "True"
            for item in before[-1]["status"]["conditions"]
        )
    first = world.cluster.get("pods", "db-0", "shop")
    assert (first["spec"]["hostname"], first["spec"]["subdomain"]) == ("db-0", "db")
    world.cluster.patch("statefulsets.apps", "db", "shop", {"spec": {"replicas": 1}})
    world.until(lambda: len(world.cluster.list("pods", "shop")) == 1)
    assert [obj["metadata"]["name"] for event, obj in pods if event == "DELETED"] == ["db-2", "db-1"]


def test_a_partition_holds_lower_ordinals_back(world: World) -> None:
    world.namespace("shop")
    partition = {"rollingUpdate": {"partition": 1}}
    database = _set("StatefulSet", replicas=2, updateStrategy=partition)
    database["metadata"]["annotations"] = {"why": "kept"}
    world.cluster.create("statefulsets.apps", database, namespace="shop")
    world.until(
        lambda: world.cluster.get("statefulsets.apps", "db", "shop")["status"].get("availableReplicas") == 2
    )
    change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.28"}]}}}}
    world.cluster.patch("statefulsets.apps", "db", "shop", change)
    status = lambda: world.cluster.get("statefulsets.apps", "db", "shop")["status"]  # noqa: E731  asked again and again
    world.until(lambda: status().get("updatedReplicas") == 1 and status().get("readyReplicas") == 2)
    images = [pod["spec"]["containers"][0]["image"] for pod in world.cluster.list("pods", "shop")]
    assert images == ["nginx:1.27", "nginx:1.28"]
    change = {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}}
    world.cluster.patch("statefulsets.apps", "db", "shop", change)
    world.until(lambda: status()["currentRevision"] == status()["updateRevision"])
    revisions = world.cluster.list("controllerrevisions.apps", "shop")
    assert sorted(item["revision"] for item in revisions) == [1, 2]
    assert all(item["metadata"]["annotations"] == {"why": "kept"} for item in revisions)


def test_claims_of_a_stateful_set_stay_when_it_shrinks(world: World) -> None:
    world.namespace("shop")
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    world.cluster.create(
        "statefulsets.apps", _set("StatefulSet", replicas=2, volumeClaimTemplates=[claim]), namespace="shop"
    )
    world.until(
        lambda: world.cluster.get("statefulsets.apps", "db", "shop")["status"].get("availableReplicas") == 2
    )
    world.cluster.patch("statefulsets.apps", "db", "shop", {"spec": {"replicas": 1}})
    world.until(lambda: len(world.cluster.list("pods", "shop")) == 1)
    claims = world.cluster.list("persistentvolumeclaims", "shop")
    assert [(item["metadata"]["name"], item["status"]["phase"]) for item in claims] == [
        ("data-db-0", "Bound"),
        ("data-db-1", "Bound"),
    ]


def _class(name: str, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "cinder.csi.openstack.org",
        **more,
    }


def _claim(name: str, **spec: Any) -> dict[str, Any]:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": asked}


def test_a_claim_gets_the_default_class_that_comes_later(world: World) -> None:
    world.namespace("shop")
    for record in world.cluster.list("storageclasses.storage.k8s.io"):
        world.cluster.delete("storageclasses.storage.k8s.io", record["metadata"]["name"])
    world.cluster.create("persistentvolumeclaims", _claim("plain"), namespace="shop")
    world.cluster.create("persistentvolumeclaims", _claim("none", storageClassName=""), namespace="shop")
    made = _class("later")
    made["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    world.pass_time(5)
    assert "storageClassName" not in world.cluster.get("persistentvolumeclaims", "plain", "shop")["spec"]
    world.cluster.create("storageclasses.storage.k8s.io", made)
    claim = ("persistentvolumeclaims", "plain", "shop")
    world.until(lambda: world.cluster.get(*claim)["status"]["phase"] == "Bound")
    assert world.cluster.get(*claim)["spec"]["storageClassName"] == "later"
    none = world.cluster.get("persistentvolumeclaims", "none", "shop")
    assert (none["spec"]["storageClassName"], none["status"]["phase"]) == ("", "Pending")


def test_the_driver_of_openstack_makes_volumes_and_lets_them_grow(world: World) -> None:
    world.namespace("shop")
    world.cluster.create("storageclasses.storage.k8s.io", _class("ssd", allowVolumeExpansion=True))
    world.cluster.create("persistentvolumeclaims", _claim("data", storageClassName="ssd"), namespace="shop")
    claim = ("persistentvolumeclaims", "data", "shop")
    world.until(lambda: world.cluster.get(*claim)["status"]["phase"] == "Bound")
    (volume,) = world.cluster.list("persistentvolumes")
    assert volume["spec"]["csi"]["driver"] == "cinder.csi.openstack.org"
    world.cluster.patch(*claim, {"spec": {"resources": {"requests": {"storage": "2Gi"}}}})
    world.until(lambda: world.cluster.get(*claim)["status"]["capacity"]["storage"] == "2Gi")
    world.cluster.delete(*claim)
    world.until(lambda: world.cluster.list("persistentvolumes") == [])


def test_a_daemon_set_runs_on_each_node_and_follows_labels(world: World) -> None:
    world.namespace("shop")
    world.cluster.create("daemonsets.apps", _set("DaemonSet", "agent"), namespace="shop")
    status = lambda: world.cluster.get("daemonsets.apps", "agent", "shop")["status"]  # noqa: E731  asked again and again
    world.until(lambda: status().get("numberAvailable") == 3)
    nodes = {pod["spec"]["nodeName"] for pod in world.cluster.list("pods", "shop")}
    assert nodes == {"node-1", "node-2", "node-3"}
    world.cluster.patch(
        "daemonsets.apps", "agent", "shop", {"spec": {"template": {"spec": {"nodeSelector": {"gpu": "yes"}}}}}
    )
    world.until(lambda: status()["desiredNumberScheduled"] == 0 and not world.cluster.list("pods", "shop"))
    world.cluster.patch("nodes", "node-2", "", {"metadata": {"labels": {"gpu": "yes"}}})
    world.until(lambda: status().get("numberAvailable") == 1)


def test_a_job_completes_with_its_conditions_in_order(world: World) -> None:
    world.namespace("shop")
    history = world.record("jobs.batch")
    job = _job("task", "sh", "-c", "echo done; sleep 1", completions=3, parallelism=2)
    world.cluster.create("jobs.batch", job, namespace="shop")
    world.until(lambda: ("Complete", "CompletionsReached") in _reasons(history[-1][1]))
    assert [_reasons(obj) for _, obj in history][-2:] == [
        [("SuccessCriteriaMet", "CompletionsReached")],
        [("SuccessCriteriaMet", "CompletionsReached"), ("Complete", "CompletionsReached")],
    ]
    assert history[-1][1]["status"]["succeeded"] == 3
    assert max(obj["status"].get("active", 0) for _, obj in history) == 2
    assert all("finalizers" not in pod["metadata"] for pod in world.cluster.list("pods", "shop"))


def test_a_job_gives_up_after_its_backoff_limit(world: World) -> None:
    world.namespace("shop")
    world.cluster.create("jobs.batch", _job("bad", "sh", "-c", "exit 7", backoffLimit=1), namespace="shop")
    world.until(
        lambda: ("Failed", "BackoffLimitExceeded") in _reasons(world.cluster.get("jobs.batch", "bad", "shop"))
    )
    assert world.cluster.get("jobs.batch", "bad", "shop")["status"]["failed"] == 2
    assert world.loop.time() > 10


def test_an_indexed_job_tells_each_pod_its_index(world: World) -> None:
    world.namespace("shop")
    job = _job("many", "sh", "-c", "exit $((JOB_COMPLETION_INDEX * 0))", completions=3, parallelism=3)
    job["spec"]["completionMode"] = "Indexed"
    world.cluster.create("jobs.batch", job, namespace="shop")
    world.until(
        lambda: (
            ("Complete", "CompletionsReached") in _reasons(world.cluster.get("jobs.batch", "many", "shop"))
        )
    )
    assert world.cluster.get("jobs.batch", "many", "shop")["status"]["completedIndexes"] == "0-2"
    assert {pod["spec"]["hostname"] for pod in world.cluster.list("pods", "shop")} == {
        "many-0",
        "many-1",
        "many-2",
    }


def test_a_job_is_done_when_its_success_policy_says_so(world: World) -> None:
    world.namespace("shop")
    script = "if [ $JOB_COMPLETION_INDEX = 1 ]; then exit 0; fi; sleep 500"
    job = _job("first", "sh", "-c", script, completions=3, parallelism=3, completionMode="Indexed")
    job["spec"]["successPolicy"] = {"rules": [{"succeededIndexes": "2"}, {"succeededIndexes": "1"}]}
    world.cluster.create("jobs.batch", job, namespace="shop")
    found = lambda: world.cluster.get("jobs.batch", "first", "shop")  # noqa: E731  asked again and again
    world.until(lambda: ("Complete", "SuccessPolicy") in _reasons(found()))
    assert found()["status"]["conditions"][0]["message"] == "Matched rules at index 1"
    assert found()["status"]["succeeded"] == 1
    assert not found()["status"].get("failed"), "what is stopped for a success has not failed"


def test_an_index_fails_at_once_when_policy_says_so(world: World) -> None:
    world.namespace("shop")
    script = "exit $((JOB_COMPLETION_INDEX * 7))"
    job = _job("some", "sh", "-c", script, completions=2, parallelism=2, completionMode="Indexed")
    rule = {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [7]}}
    job["spec"] |= {"backoffLimitPerIndex": 3, "podFailurePolicy": {"rules": [rule]}}
    world.cluster.create("jobs.batch", job, namespace="shop")
    found = lambda: world.cluster.get("jobs.batch", "some", "shop")  # noqa: E731  asked again and again
    world.until(lambda: ("Failed", "FailedIndexes") in _reasons(found()))
    assert (found()["status"]["failed"], found()["status"]["failedIndexes"]) == (1, "1")
    for pod in world.cluster.list("pods", "shop"):
        assert pod["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"] == "0"


def test_a_job_is_suspended_resumed_and_cleaned_up(world: World) -> None:
    world.namespace("shop")
    job = _job("task", "sleep", "5", suspend=True, ttlSecondsAfterFinished=3)
    world.cluster.create("jobs.batch", job, namespace="shop")
    suspended = ("Suspended", "JobSuspended")
    world.until(lambda: suspended in _reasons(world.cluster.get("jobs.batch", "task", "shop")))
    assert not world.cluster.list("pods", "shop")
    world.cluster.patch("jobs.batch", "task", "shop", {"spec": {"suspend": False}})
    world.until(lambda: world.cluster.get("jobs.batch", "task", "shop")["status"].get("ready"))
    world.until(lambda: world.cluster.find("jobs.batch", "task", "shop") is None)
    assert not world.cluster.list("pods", "shop")


def test_a_cron_job_starts_jobs_by_its_schedule_and_keeps_few(world: World) -> None:
    world.namespace("shop")
    cron = {
        "kind": "CronJob",
        "apiVersion": "batch/v1",
        "metadata": {"name": "tick"},
        "spec": {
            "schedule": "*/2 * * * *",
            "successfulJobsHistoryLimit": 1,
            "jobTemplate": {"spec": _job("tick", "true")["spec"]},
        },
    }
    jobs = world.record("jobs.batch")
    world.cluster.create("cronjobs.batch", cron, namespace="shop")
    world.pass_time(370)
    started = [obj["metadata"]["name"] for event, obj in jobs if event == "ADDED"]
    assert started == ["tick-29923802", "tick-29923804", "tick-29923806"]
    assert [job["metadata"]["name"] for job in world.cluster.list("jobs.batch", "shop")] == ["tick-29923806"]
    status = world.cluster.get("cronjobs.batch", "tick", "shop")["status"]
    assert status["lastScheduleTime"] == "2026-11-23T10:06:00Z"
    assert "active" not in status


def test_a_schedule_that_never_comes_is_told(world: World) -> None:
    world.namespace("shop")
    spec = {"schedule": "59 23 31 2 *", "jobTemplate": {"spec": _job("never", "true")["spec"]}}
    world.cluster.create("cronjobs.batch", {"metadata": {"name": "never"}, "spec": spec}, namespace="shop")
    world.until(lambda: world.events("shop"))
    name, reason, message = world.events("shop")[0]
    assert (name, reason) == ("never", "InvalidSchedule")
    assert message.startswith("invalid schedule: 59 23 31 2 * : time difference")
