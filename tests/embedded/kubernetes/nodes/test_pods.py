from __future__ import annotations

from typing import Any

import pytest
from tests.embedded.kubernetes.simulation import World, pod


def _status(world: World, name: str = "p") -> dict[str, Any]:
    return world.cluster.get("pods", name, "shop").get("status", {})


def _container(world: World, key: str = "containerStatuses") -> dict[str, Any]:
    found: dict[str, Any] = _status(world)[key][0]
    return found


def _waits(world: World, reason: str, key: str = "containerStatuses") -> dict[str, Any]:
    def holds() -> dict[str, Any] | None:
        statuses = _status(world).get(key) or [{}]
        waiting = statuses[0].get("state", {}).get("waiting", {})
        return waiting if waiting.get("reason") == reason else None

    return world.until(holds)  # type: ignore[no-any-return]


def _run(world: World, *command: str, **spec: Any) -> None:
    world.namespace("shop")
    world.cluster.create("pods", pod("p", *command, **spec), namespace="shop")


def _reasons(world: World) -> list[str]:
    return [reason for _, reason, _ in world.events("shop")]


def test_a_pod_runs_and_says_so(world: World) -> None:
    _run(world, "sleep", "1000")
    world.until(lambda: _status(world).get("phase") == "Running")
    status = _status(world)
    assert [item["type"] for item in status["conditions"] if item["status"] == "True"] == [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    assert status["podIP"].startswith("10.244.")
    assert _container(world)["image"] == "docker.io/library/busybox:1.35"
    assert _reasons(world) == ["Scheduled", "Pulled", "Created", "Started"]


def test_another_image_is_pulled_once(world: World) -> None:
    _run(world, image="registry.example.com/shop/web:2")
    world.until(lambda: _status(world).get("phase") == "Running")
    assert _reasons(world) == ["Scheduled", "Pulling", "Pulled", "Created", "Started"]


@pytest.mark.parametrize(
    ("script", "phase", "reason", "message"),
    [
        ("echo bye > /dev/termination-log", "Succeeded", "Completed", "bye\n"),
        ("echo last words; exit 3", "Failed", "Error", "last words\n"),
    ],
)
def test_a_pod_that_is_not_restarted_ends(
    world: World, script: str, phase: str, reason: str, message: str
) -> None:
    one = pod("p", "sh", "-c", script, restartPolicy="Never")
    one["spec"]["containers"][0]["terminationMessagePolicy"] = "FallbackToLogsOnError"
    world.namespace("shop")
    history = world.record("pods")
    world.cluster.create("pods", one, namespace="shop")
    world.until(lambda: _status(world).get("phase") == phase)
    ended = _container(world)["state"]["terminated"]
    assert (ended["reason"], ended["message"]) == (reason, message)
    assert [obj["status"]["phase"] for _, obj in history][-3:] == ["Running", "Running", phase]


def test_a_crash_is_backed_off_from_longer_each_time(world: World) -> None:
    _run(world, "sh", "-c", "echo dying; exit 1")
    waiting = _waits(world, "CrashLoopBackOff")
    assert waiting["message"].startswith("back-off 10s restarting failed container=c pod=p_shop(")
    assert _container(world)["restartCount"] == 1
    world.until(lambda: _container(world)["restartCount"] == 2)
    assert "back-off 20s" in _waits(world, "CrashLoopBackOff")["message"]
    assert _container(world)["lastState"]["terminated"]["exitCode"] == 1
    world.pass_time(1000)
    assert "back-off 5m0s" in _waits(world, "CrashLoopBackOff")["message"]


@pytest.mark.parametrize(
    ("image", "policy", "reason", "message"),
    [
        ("nosuch.invalid/x:1", "IfNotPresent", "ErrImagePull", 'resolve reference "nosuch.invalid/x:1"'),
        ("shop/does-not-exist:1", "IfNotPresent", "ImagePullBackOff", "pull access denied"),
        (
            "web:9",
            "Never",
            "ErrImageNeverPull",
            'Container image "web:9" is not present with pull policy of Never',
        ),
        ("Bad Image!", "IfNotPresent", "InvalidImageName", "must be lowercase"),
    ],
)
def test_an_image_that_is_not_there(world: World, image: str, policy: str, reason: str, message: str) -> None:
    world.namespace("shop")
    one = pod("p", image=image)
    one["spec"]["containers"][0]["imagePullPolicy"] = policy
    world.cluster.create("pods", one, namespace="shop")
    assert message in _waits(world, reason)["message"]
    assert _status(world)["phase"] == "Pending"


def test_what_a_container_needs_is_waited_for(world: World) -> None:
    world.namespace("shop")
    one = pod("p", "sh", "-c", "echo $COLOR $(cat /conf/color); sleep 100")
    source = {"configMapKeyRef": {"name": "conf", "key": "color"}}
    one["spec"]["containers"][0]["env"] = [{"name": "COLOR", "valueFrom": source}]
    one["spec"]["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": "/conf"}]
    one["spec"]["volumes"] = [{"name": "v", "configMap": {"name": "conf"}}]
    world.cluster.create("pods", one, namespace="shop")
    world.until(lambda: "FailedMount" in _reasons(world))
    assert _container(world)["state"] == {"waiting": {"reason": "ContainerCreating"}}
    conf = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "conf"}, "data": {"size": "1"}}
    world.cluster.create("configmaps", conf, namespace="shop")
    assert (
        _waits(world, "CreateContainerConfigError")["message"]
        == "couldn't find key color in ConfigMap shop/conf"
    )
    world.cluster.patch("configmaps", "conf", "shop", {"data": {"color": "blue"}})
    world.until(lambda: _status(world)["phase"] == "Running")


def test_a_command_that_does_not_exist(world: World) -> None:
    _run(world, "nosuch")
    waiting = _waits(world, "RunContainerError")
    assert waiting["message"].endswith('exec: "nosuch": executable file not found in $PATH: unknown')
    assert _container(world)["lastState"]["terminated"]["exitCode"] == 128


def test_too_much_memory_ends_in_oom(world: World) -> None:
    one = pod(
        "p", "sh", "-c", "head -c 60000000 /dev/zero | tail -c 60000000 >/dev/null", restartPolicy="Never"
    )
    one["spec"]["containers"][0]["resources"] = {"limits": {"memory": "16Mi"}}
    world.namespace("shop")
    world.cluster.create("pods", one, namespace="shop")
    world.until(lambda: _status(world).get("phase") == "Failed")
    ended = _container(world)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


def test_init_containers_run_first_and_sidecars_beside(world: World) -> None:
    init = [
        {"name": "one", "image": "busybox:1.35", "command": ["sleep", "1"]},
        {"name": "side", "image": "busybox:1.35", "command": ["sleep", "1000"], "restartPolicy": "Always"},
    ]
    _run(world, "sleep", "1000", initContainers=init)
    world.until(lambda: _status(world).get("initContainerStatuses", [{}])[0].get("state", {}).get("running"))
    assert _container(world)["state"] == {"waiting": {"reason": "PodInitializing"}}
    world.until(lambda: _status(world)["phase"] == "Running")
    first, side = _status(world)["initContainerStatuses"]
    assert first["state"]["terminated"]["exitCode"] == 0
    assert (side["ready"], side["started"]) == (True, True)


def test_a_failing_init_container_is_tried_again(world: World) -> None:
    init = [{"name": "one", "image": "busybox:1.35", "command": ["false"]}]
    _run(world, "sleep", "1000", initContainers=init)
    _waits(world, "CrashLoopBackOff", "initContainerStatuses")
    assert _status(world)["phase"] == "Pending"


def test_probes_run_in_the_container(world: World) -> None:
    one = pod("p", "sh", "-c", "sleep 3; touch /ready; sleep 1000")
    one["spec"]["containers"][0]["readinessProbe"] = {
        "exec": {"command": ["test", "-f", "/ready"]},
        "periodSeconds": 1,
    }
    world.namespace("shop")
    world.cluster.create("pods", one, namespace="shop")
    world.until(lambda: _status(world).get("phase") == "Running")
    assert not _container(world)["ready"]
    world.until(lambda: _container(world)["ready"])
    assert 3 < world.loop.time() < 7
    assert "Unhealthy" in _reasons(world)


def test_a_failing_liveness_probe_restarts(world: World) -> None:
    one = pod("p", "sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait")
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    one["spec"]["containers"][0]["livenessProbe"] = probe
    world.namespace("shop")
    world.cluster.create("pods", one, namespace="shop")
    world.until(lambda: _status(world).get("containerStatuses", [{}])[0].get("restartCount", 0) >= 2)
    assert "Killing" in _reasons(world)


@pytest.mark.parametrize(
    ("behaviour", "holds"),
    [
        ("crash", lambda item: item["restartCount"] > 1),
        ("exit:5@2", lambda item: item["lastState"].get("terminated", {}).get("exitCode") == 5),
        ("pull-fail", lambda item: item["state"].get("waiting", {}).get("reason") == "ImagePullBackOff"),
        ("oom", lambda item: item["lastState"].get("terminated", {}).get("reason") == "OOMKilled"),
        ("liveness-fail", lambda item: item["restartCount"] > 0),
        ("never-ready", lambda item: "running" in item["state"] and not item["ready"]),
    ],
)
def test_annotations_make_containers_fail(world: World, behaviour: str, holds: Any) -> None:
    world.namespace("shop")
    one = pod("p", image="nginx:1.27")
    one["metadata"]["annotations"] = {"embedded.ecns.io/behaviour.c": behaviour}
    world.cluster.create("pods", one, namespace="shop")
    world.until(
        lambda: holds(
            (_status(world).get("containerStatuses") or [{"state": {}, "lastState": {}, "restartCount": 0}])[
                0
            ]
        )
    )


def test_a_deleted_pod_ends_its_processes_first(world: World) -> None:
    _run(world, "sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait")
    world.until(lambda: _status(world).get("phase") == "Running")
    history = world.record("pods")
    world.cluster.delete("pods", "p", "shop")
    world.until(lambda: world.cluster.find("pods", "p", "shop") is None)
    assert [(event, obj["status"]["phase"]) for event, obj in history][-2:] == [
        ("MODIFIED", "Succeeded"),
        ("DELETED", "Succeeded"),
    ]
    assert "Killing" in _reasons(world)


def test_a_deaf_process_is_killed_and_a_finalizer_keeps_the_object(world: World) -> None:
    world.namespace("shop")
    one = pod("p", "sleep", "3600")
    one["metadata"]["finalizers"] = ["example.com/hold"]
    world.cluster.create("pods", one, namespace="shop")
    world.until(lambda: _status(world).get("phase") == "Running")
    world.cluster.delete("pods", "p", "shop")
    world.until(lambda: _status(world)["phase"] == "Failed")
    assert _container(world)["state"]["terminated"]["exitCode"] == 137
    world.cluster.patch("pods", "p", "shop", {"metadata": {"finalizers": None}})
    world.until(lambda: world.cluster.find("pods", "p", "shop") is None)


def test_the_active_deadline_ends_a_pod(world: World) -> None:
    _run(world, "sleep", "1000", activeDeadlineSeconds=2, restartPolicy="Never")
    world.until(lambda: _status(world).get("phase") == "Failed")
    assert _status(world)["reason"] == "DeadlineExceeded"


def test_a_readiness_gate_is_waited_for(world: World) -> None:
    _run(world, "sleep", "1000", readinessGates=[{"conditionType": "example.com/open"}])
    world.until(lambda: _status(world).get("phase") == "Running")
    ready = lambda: next(item for item in _status(world)["conditions"] if item["type"] == "Ready")  # noqa: E731
    assert ready()["reason"] == "ReadinessGatesNotReady"
    found = world.cluster.get("pods", "p", "shop")
    gate = {"type": "example.com/open", "status": "True"}
    status = {**found["status"], "conditions": [*found["status"]["conditions"], gate]}
    world.cluster.update_status("pods", {**found, "status": status})
    world.until(lambda: ready()["status"] == "True")


def test_a_volume_is_shared_and_goes_with_its_pod(world: World) -> None:
    world.namespace("shop")
    made = pod("p", "sh", "-c", "echo kept > /data/f; sleep 1000")
    spec = made["spec"]
    spec["volumes"] = [{"name": "v", "emptyDir": {}}]
    first = spec["containers"][0]
    first["volumeMounts"] = [{"name": "v", "mountPath": "/data"}]
    other = {**first, "name": "other", "command": ["sh", "-c", "while ! cat /in/sub/../f; do sleep 1; done"]}
    other["volumeMounts"] = [{"name": "v", "mountPath": "/in", "readOnly": True}]
    spec["containers"].append(other)
    spec["restartPolicy"] = "Never"
    world.cluster.create("pods", made, namespace="shop")

    def ended() -> bool:
        return any("terminated" in item["state"] for item in _status(world).get("containerStatuses", ()))

    world.until(ended)
    states = {item["name"]: item["state"] for item in _status(world)["containerStatuses"]}
    assert states["other"]["terminated"]["exitCode"] == 0
