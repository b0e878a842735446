"""What a real kubelet refuses or restarts: hooks that fail, closed ports, root, containers that change."""

from __future__ import annotations

from typing import Any

import pytest
from tests.embedded.kubernetes.simulation import World, pod

from ecns.embedded.kubernetes import patches

NO = {"exec": {"command": ["sh", "-c", "exit 4"]}}


def _started(world: World, one: dict[str, Any]) -> None:
    world.namespace("shop")
    world.cluster.create("pods", one, namespace="shop")


def _container(world: World) -> dict[str, Any]:
    status = world.cluster.get("pods", "p", "shop").get("status", {})
    return (status.get("containerStatuses") or [{"state": {}, "lastState": {}}])[0]  # type: ignore[no-any-return]


def _told(world: World) -> list[tuple[str, str]]:
    return [(reason, message) for _, reason, message in world.events("shop")]


def _sleeping(**container: Any) -> dict[str, Any]:
    one = pod("p", "sleep", "1000", image="busybox:1.36")
    one["spec"]["containers"][0] |= container
    return one


def test_a_hook_that_fails_after_the_start_ends_the_container(world: World) -> None:
    _started(world, _sleeping(lifecycle={"postStart": NO}))
    world.until(lambda: _container(world)["lastState"].get("terminated"))
    assert _container(world)["lastState"]["terminated"]["exitCode"] == 137
    assert ("FailedPostStartHook", "PostStartHook failed") in _told(world)
    assert ("Killing", "FailedPostStartHook") in _told(world)


def test_a_hook_that_fails_before_the_stop_is_told_of(world: World) -> None:
    _started(world, _sleeping(lifecycle={"preStop": NO}))
    world.until(lambda: "running" in _container(world)["state"])
    world.cluster.delete("pods", "p", "shop")
    world.until(lambda: world.cluster.find("pods", "p", "shop") is None)
    assert ("FailedPreStopHook", "PreStopHook failed") in _told(world)


@pytest.mark.parametrize(
    ("kind", "handler", "said"),
    [
        (
            "liveness",
            {"httpGet": {"path": "/healthz", "port": 8080}},
            'Get "http://{0}:8080/healthz": dial tcp {0}:8080: connect: connection refused',
        ),
        ("startup", {"tcpSocket": {"port": 8080}}, "dial tcp {0}:8080: connect: connection refused"),
    ],
)
def test_nothing_listens_in_a_plain_system(
    world: World, kind: str, handler: dict[str, Any], said: str
) -> None:
    probe = {**handler, "periodSeconds": 2, "failureThreshold": 2}
    _started(world, _sleeping(**{f"{kind}Probe": probe}))
    world.until(lambda: _container(world).get("restartCount"))
    address = world.cluster.get("pods", "p", "shop")["status"]["podIP"]
    assert ("Unhealthy", f"{kind.capitalize()} probe failed: {said.format(address)}") in _told(world)
    assert ("Killing", f"Container c failed {kind} probe, will be restarted") in _told(world)


def test_a_server_beside_it_listens(world: World) -> None:
    one = _sleeping(readinessProbe={"tcpSocket": {"port": 80}})
    one["spec"]["containers"].append({"name": "web", "image": "nginx:1.27"})
    _started(world, one)
    world.until(lambda: _container(world).get("ready"))


def test_a_probe_whose_program_is_missing_is_no_failure(world: World) -> None:
    probe = {"exec": {"command": ["nosuch"]}, "periodSeconds": 1, "failureThreshold": 1}
    _started(world, _sleeping(livenessProbe=probe))
    world.until(lambda: any("errored and resulted in unknown state" in said for _, said in _told(world)))
    world.pass_time(5)
    assert _container(world)["restartCount"] == 0


def test_a_probe_that_takes_too_long_says_so(world: World) -> None:
    _started(world, _sleeping(readinessProbe={"exec": {"command": ["sleep", "5"]}, "periodSeconds": 2}))
    said = 'Readiness probe failed: command timed out: "sleep 5" timed out after 1s'
    world.until(lambda: ("Unhealthy", said) in _told(world))


@pytest.mark.parametrize(
    ("context", "why"),
    [
        ({"runAsNonRoot": True}, "container has runAsNonRoot and image will run as root"),
        ({"runAsNonRoot": True, "runAsUser": 0}, "container's runAsUser breaks non-root policy"),
    ],
)
def test_root_may_be_forbidden(world: World, context: dict[str, Any], why: str) -> None:
    _started(world, _sleeping(securityContext=context))
    waiting = world.until(lambda: _container(world)["state"].get("waiting", {}).get("message"))
    assert str(waiting).startswith(f'{why} (pod: "p_shop(')
    assert _container(world)["state"]["waiting"]["reason"] == "CreateContainerConfigError"


def test_a_pod_that_a_finalizer_keeps_has_no_time_left(world: World) -> None:
    one = _sleeping()
    one["metadata"]["finalizers"] = ["example.com/hold"]
    _started(world, one)
    world.until(lambda: "running" in _container(world)["state"])
    world.cluster.delete("pods", "p", "shop", grace_seconds=5)
    kept = lambda: world.cluster.get("pods", "p", "shop")["metadata"]["deletionGracePeriodSeconds"]  # noqa: E731
    assert kept() == 5
    world.until(lambda: kept() == 0)


def test_services_are_in_the_environment(world: World) -> None:
    world.namespace("shop")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "my-db"},
        "spec": {"ports": [{"name": "sql", "port": 5432}]},
    }
    address = world.cluster.create("services", service, namespace="shop")["spec"]["clusterIP"]
    world.cluster.create(
        "pods",
        pod("p", "sh", "-c", "echo $MY_DB_PORT_5432_TCP $MY_DB_SERVICE_PORT_SQL > /dev/termination-log"),
        namespace="shop",
    )
    ended = world.until(
        lambda: (_container(world)["lastState"] or _container(world)["state"]).get("terminated")
    )
    assert ended["message"] == f"tcp://{address}:5432 5432\n"


def test_another_image_starts_the_container_anew(world: World) -> None:
    _started(world, _sleeping())
    world.until(lambda: "running" in _container(world)["state"])
    change = {"spec": {"containers": [{"name": "c", "image": "busybox:1.37"}]}}
    world.cluster.patch("pods", "p", "shop", change, patches.STRATEGIC)
    world.until(lambda: _container(world).get("image") == "docker.io/library/busybox:1.37")
    assert _container(world)["restartCount"] == 1
    assert ("Killing", "Container c definition changed, will be restarted") in _told(world)


def test_an_image_that_is_put_right_is_pulled(world: World) -> None:
    one = _sleeping(image="nosuch.invalid/x:1")
    _started(world, one)
    world.until(lambda: _container(world)["state"].get("waiting", {}).get("reason") == "ImagePullBackOff")
    change = {"spec": {"containers": [{"name": "c", "image": "busybox:1.36"}]}}
    world.cluster.patch("pods", "p", "shop", change, patches.STRATEGIC)
    world.until(lambda: "running" in _container(world)["state"])


def test_resources_are_given_while_it_runs(world: World) -> None:
    _started(world, _sleeping(resources={"requests": {"cpu": "50m"}}))
    world.until(lambda: "running" in _container(world)["state"])
    change = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "60m"}}}]}}
    world.cluster.patch("pods", "p", "shop", change, patches.STRATEGIC, subresource="resize")
    world.until(lambda: _container(world)["resources"] == {"requests": {"cpu": "60m"}})
    assert _container(world)["restartCount"] == 0
    told = '{"containers":[{"name":"c","resources":{"requests":{"cpu":"60m"}}}],"generation":2}'
    assert ("ResizeCompleted", f"Pod resize completed: {told}") in _told(world)
