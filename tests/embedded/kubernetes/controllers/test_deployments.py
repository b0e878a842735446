from __future__ import annotations

from typing import Any

from tests.embedded.kubernetes.simulation import World, deployment

RESOURCE = "deployments.apps"


def _ready(world: World, name: str = "web", replicas: int = 2) -> dict[str, Any]:
    def holds() -> dict[str, Any] | None:
        found = world.cluster.get(RESOURCE, name, "shop")
        status = found.get("status", {})
        progress = [item for item in status.get("conditions", ()) if item["type"] == "Progressing"]
        done = status.get("observedGeneration") == found["metadata"]["generation"]
        done = done and status.get("updatedReplicas", 0) == status.get("availableReplicas", 0) == replicas
        done = done and status.get("replicas", 0) == replicas and not status.get("terminatingReplicas")
        return found if done and progress[0]["reason"] == "NewReplicaSetAvailable" else None

    return world.until(holds)  # type: ignore[no-any-return]


def _make(world: World, **spec: Any) -> dict[str, Any]:
    world.namespace("shop")
    world.cluster.create(RESOURCE, deployment(**spec), namespace="shop")
    return _ready(world, replicas=spec.get("replicas", 2))


def _conditions(obj: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (item["type"], item["status"], item["reason"]) for item in obj.get("status", {}).get("conditions", ())
    ]


def test_a_new_deployment_goes_through_the_states_of_a_real_cluster(world: World) -> None:
    history = world.record(RESOURCE)
    _make(world)
    states = [
        (
            obj["status"].get("replicas", 0),
            obj["status"].get("readyReplicas", 0),
            obj["status"].get("unavailableReplicas", 0),
            _conditions(obj),
        )
        for _, obj in history[1:]
    ]
    created = ("Progressing", "True", "NewReplicaSetCreated")
    lacking = ("Available", "False", "MinimumReplicasUnavailable")
    updated = ("Progressing", "True", "ReplicaSetUpdated")
    assert states == [
        (0, 0, 0, [created]),
        (0, 0, 2, [created, lacking]),
        (2, 0, 2, [lacking, updated]),
        (2, 1, 1, [lacking, updated]),
        (
            2,
            2,
            0,
            [
                ("Available", "True", "MinimumReplicasAvailable"),
                ("Progressing", "True", "NewReplicaSetAvailable"),
            ],
        ),
    ]


def test_pods_are_ready_well_under_a_second(world: World) -> None:
    began = world.loop.time()
    _make(world)
    assert world.loop.time() - began < 0.5


def test_a_rolling_update_keeps_enough_pods_and_counts_revisions(world: World) -> None:
    _make(world, replicas=4, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}})
    history = world.record(RESOURCE)
    sizes_wanted: list[int] = []

    def count(*_: Any) -> None:
        sizes_wanted.append(
            sum(rs["spec"]["replicas"] for rs in world.cluster.list("replicasets.apps", "shop"))
        )

    world.cluster.observe("replicasets.apps", count)
    template = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.28"}]}}}}
    world.cluster.patch(RESOURCE, "web", "shop", template)
    found = _ready(world, replicas=4)
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    assert all(obj["status"].get("availableReplicas", 0) >= 3 for _, obj in history)
    assert max(sizes_wanted) == 5
    sizes = {
        rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: rs["spec"]["replicas"]
        for rs in world.cluster.list("replicasets.apps", "shop")
    }
    assert sizes == {"1": 0, "2": 4}


def test_the_first_template_put_back_uses_its_replica_set_again(world: World) -> None:
    _make(world)
    for image in ("nginx:1.28", "nginx:1.27"):
        template = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
        world.cluster.patch(RESOURCE, "web", "shop", template)
        _ready(world)
    sets = world.cluster.list("replicasets.apps", "shop")
    assert len(sets) == 2
    used = next(rs for rs in sets if rs["spec"]["replicas"])
    annotations = used["metadata"]["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "3"
    assert annotations["deployment.kubernetes.io/revision-history"] == "1"


def test_recreate_stops_the_old_pods_first(world: World) -> None:
    _make(world, strategy={"type": "Recreate"})
    running: list[int] = []

    def look(event: str, *_: Any) -> None:
        if event == "ADDED":
            running.append(
                sum(pod["status"]["phase"] == "Running" for pod in world.cluster.list("pods", "shop"))
            )

    world.cluster.observe("pods", look)
    template = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.28"}]}}}}
    world.cluster.patch(RESOURCE, "web", "shop", template)
    _ready(world)
    assert running == [0, 0]


def test_a_paused_deployment_scales_but_does_not_roll_out(world: World) -> None:
    _make(world)
    world.cluster.patch(RESOURCE, "web", "shop", {"spec": {"paused": True}})
    template = {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.28"}]}}}
    world.cluster.patch(RESOURCE, "web", "shop", {"spec": {**template, "replicas": 3}})
    world.until(lambda: world.cluster.get(RESOURCE, "web", "shop")["status"].get("readyReplicas") == 3)
    found = world.cluster.get(RESOURCE, "web", "shop")
    assert len(world.cluster.list("replicasets.apps", "shop")) == 1
    assert ("Progressing", "Unknown", "DeploymentPaused") in _conditions(found)
    world.cluster.patch(RESOURCE, "web", "shop", {"spec": {"paused": None}})
    _ready(world, replicas=3)
    assert len(world.cluster.list("replicasets.apps", "shop")) == 2


def test_the_progress_deadline_passes_while_a_pod_finds_no_node(world: World) -> None:
    world.namespace("shop")
    stuck = deployment(progressDeadlineSeconds=30)
    stuck["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    world.cluster.create(RESOURCE, stuck, namespace="shop")
    failed = ("Progressing", "False", "ProgressDeadlineExceeded")
    world.until(lambda: failed in _conditions(world.cluster.get(RESOURCE, "web", "shop")), 40)
    for node in world.cluster.list("nodes"):
        world.cluster.patch("nodes", node["metadata"]["name"], "", {"metadata": {"labels": {"disk": "ssd"}}})
    _ready(world)


def test_refused_pods_show_as_replica_failure(world: World) -> None:
    world.namespace("shop")
    refused = deployment()
    refused["spec"]["template"]["spec"]["serviceAccountName"] = "nobody"
    world.cluster.create(RESOURCE, refused, namespace="shop")
    failure = ("ReplicaFailure", "True", "FailedCreate")
    world.until(lambda: failure in _conditions(world.cluster.get(RESOURCE, "web", "shop")))
    account = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "nobody"}}
    world.cluster.create("serviceaccounts", account, namespace="shop")
    assert failure not in _conditions(_ready(world))


def test_old_replica_sets_beyond_the_history_limit_go(world: World) -> None:
    _make(world, revisionHistoryLimit=1)
    for image in ("nginx:1.28", "nginx:1.29", "nginx:1.30"):
        template = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
        world.cluster.patch(RESOURCE, "web", "shop", template)
        _ready(world)
    world.until(lambda: len(world.cluster.list("replicasets.apps", "shop")) == 2)


def test_scaling_down_keeps_the_oldest_pod(world: World) -> None:
    _make(world, replicas=1)
    (oldest,) = world.cluster.list("pods", "shop")
    world.pass_time(2)
    world.cluster.patch(RESOURCE, "web", "shop", {"spec": {"replicas": 3}})
    _ready(world, replicas=3)
    world.cluster.patch(RESOURCE, "web", "shop", {"spec": {"replicas": 1}})
    names = lambda: [pod["metadata"]["name"] for pod in world.cluster.list("pods", "shop")]  # noqa: E731  asked again
    world.until(lambda: names() == [oldest["metadata"]["name"]])


def test_a_deleted_pod_is_replaced_and_an_orphan_is_adopted(world: World) -> None:
    _make(world)
    pod = world.cluster.list("pods", "shop")[0]
    labels = {"metadata": {"labels": {"app": "debug"}}}
    released = world.cluster.patch("pods", pod["metadata"]["name"], "shop", labels)
    world.until(lambda: len(world.cluster.list("pods", "shop")) == 3)
    free = world.cluster.get("pods", released["metadata"]["name"], "shop")
    assert "ownerReferences" not in free["metadata"]
    world.cluster.patch("pods", pod["metadata"]["name"], "shop", {"metadata": {"labels": {"app": "web"}}})
    world.until(lambda: len(world.cluster.list("pods", "shop")) == 2)
