from __future__ import annotations

from typing import Any

import pytest
from tests.embedded.kubernetes.simulation import World, pod

HELPLESS = (
    "no new claims to deallocate, preemption: "
    "0/3 nodes are available: 3 Preemption is not helpful for scheduling."
)


def _pending(world: World, one: dict[str, Any]) -> str:
    world.namespace("shop")
    world.cluster.create("pods", one, namespace="shop")

    def holds() -> str | None:
        conditions = (
            world.cluster.get("pods", one["metadata"]["name"], "shop")["status"].get("conditions") or ()
        )
        return next((item["message"] for item in conditions if item.get("reason") == "Unschedulable"), None)

    return str(world.until(holds))


def _node(world: World, name: str = "p") -> Any:
    return world.until(lambda: world.cluster.get("pods", name, "shop")["spec"].get("nodeName"))


def test_pods_spread_over_the_nodes(world: World) -> None:
    world.namespace("shop")
    for number in range(3):
        world.cluster.create("pods", pod(f"p{number}", image="nginx:1.27"), namespace="shop")
    assert {_node(world, f"p{number}") for number in range(3)} == {"node-1", "node-2", "node-3"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"nodeSelector": {"disk": "ssd"}},
            f"0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. {HELPLESS}",
        ),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "nosuch"}}]},
            '0/3 nodes are available: persistentvolumeclaim "nosuch" not found. not found',
        ),
    ],
)
def test_a_pod_that_fits_nowhere_says_why(world: World, spec: dict[str, Any], message: str) -> None:
    assert _pending(world, pod("p", image="nginx:1.27", **spec)) == message
    assert ("p", "FailedScheduling", message) in world.events("shop")


def test_too_large_a_request_is_insufficient(world: World) -> None:
    one = pod("p", image="nginx:1.27")
    one["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1000"}}
    assert _pending(world, one) == f"0/3 nodes are available: 3 Insufficient cpu. {HELPLESS}"


def test_a_cordon_keeps_pods_away_until_it_is_lifted(world: World) -> None:
    for name in ("node-1", "node-2", "node-3"):
        world.cluster.patch("nodes", name, "", {"spec": {"unschedulable": True}})
    taint = "node.kubernetes.io/unschedulable"
    world.until(lambda: world.cluster.get("nodes", "node-1")["spec"]["taints"][0]["key"] == taint)
    expected = f"0/3 nodes are available: 3 node(s) were unschedulable. {HELPLESS}"
    assert _pending(world, pod("p", image="nginx:1.27")) == expected
    world.cluster.patch("nodes", "node-2", "", {"spec": {"unschedulable": None}})
    assert _node(world) == "node-2"
    world.until(lambda: "taints" not in world.cluster.get("nodes", "node-2")["spec"])


def test_a_taint_evicts_what_does_not_tolerate_it(world: World) -> None:
    world.namespace("shop")
    world.cluster.create("pods", pod("p", image="nginx:1.27"), namespace="shop")
    tolerant = pod("q", image="nginx:1.27", tolerations=[{"key": "out", "operator": "Exists"}])
    world.cluster.create("pods", tolerant, namespace="shop")
    for name in {_node(world), _node(world, "q")}:
        world.cluster.patch("nodes", name, "", {"spec": {"taints": [{"key": "out", "effect": "NoExecute"}]}})
    world.until(lambda: world.cluster.find("pods", "p", "shop") is None)
    assert world.cluster.find("pods", "q", "shop") is not None


def test_anti_affinity_puts_pods_on_different_nodes(world: World) -> None:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "db"}}}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    world.namespace("shop")
    for number in range(4):
        one = pod(f"p{number}", image="nginx:1.27", affinity=affinity)
        one["metadata"]["labels"] = {"app": "db"}
        world.cluster.create("pods", one, namespace="shop")
    assert len({_node(world, f"p{number}") for number in range(3)}) == 3
    world.pass_time(5)
    last = world.cluster.get("pods", "p3", "shop")
    assert "nodeName" not in last["spec"]
    world.cluster.delete("pods", "p0", "shop")
    _node(world, "p3")


def test_a_claim_of_a_waiting_class_is_bound_when_its_pod_is_scheduled(world: World) -> None:
    kind = dict(world.cluster.get("storageclasses.storage.k8s.io", "standard"))
    kind["metadata"] = {"name": "late"}
    world.cluster.create(
        "storageclasses.storage.k8s.io", {**kind, "volumeBindingMode": "WaitForFirstConsumer"}
    )
    world.namespace("shop")
    wanted = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "late",
    }
    claim = {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "metadata": {"name": "data"},
        "spec": wanted,
    }
    world.cluster.create("persistentvolumeclaims", claim, namespace="shop")
    world.pass_time(2)
    assert world.cluster.get("persistentvolumeclaims", "data", "shop")["status"]["phase"] == "Pending"
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}
    world.cluster.create("pods", pod("p", image="nginx:1.27", volumes=[volume]), namespace="shop")
    _node(world)
    assert world.cluster.get("persistentvolumeclaims", "data", "shop")["status"]["phase"] == "Bound"
