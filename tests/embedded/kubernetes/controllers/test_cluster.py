from __future__ import annotations

from typing import Any

import pytest
from tests.embedded.kubernetes.simulation import World, deployment

from ecns.embedded.kubernetes.errors import ApiError

SLICES = "endpointslices.discovery.k8s.io"


def _service(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": name},
        "spec": {"ports": [{"port": 80}], "selector": {"app": name}, **spec},
    }


def _config(name: str, *owners: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, **metadata}
    if owners:
        meta["ownerReferences"] = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
            }
            | {"blockOwnerDeletion": True}
            for owner in owners
        ]
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta}


def _names(world: World) -> set[str]:
    return {item["metadata"]["name"] for item in world.cluster.list("configmaps", "shop")} - {
        "kube-root-ca.crt"
    }


def test_services_get_addresses_and_no_two_the_same(world: World) -> None:
    world.namespace("shop")
    plain = world.cluster.create("services", _service("a"), namespace="shop")
    port = world.cluster.create("services", _service("b", type="NodePort"), namespace="shop")
    assert plain["spec"]["clusterIP"].startswith("10.96.")
    assert plain["spec"]["clusterIPs"] == [plain["spec"]["clusterIP"]]
    taken = port["spec"]["ports"][0]["nodePort"]
    assert 30000 <= taken <= 32767
    with pytest.raises(ApiError, match="provided IP is already allocated"):
        world.cluster.create(
            "services", _service("c", clusterIP=plain["spec"]["clusterIP"]), namespace="shop"
        )
    ports = [{"port": 80, "nodePort": taken}]
    with pytest.raises(ApiError, match=f"{taken}: provided port is already allocated"):
        world.cluster.create("services", _service("d", type="NodePort", ports=ports), namespace="shop")
    world.cluster.delete("services", "a", "shop")
    again = world.cluster.create(
        "services", _service("e", clusterIP=plain["spec"]["clusterIP"]), namespace="shop"
    )
    assert again["spec"]["clusterIP"] == plain["spec"]["clusterIP"]


def test_a_node_port_is_one_services_whatever_the_protocol(world: World) -> None:
    world.namespace("shop")

    def create(name: str, *ports: dict[str, Any]) -> list[int]:
        made = world.cluster.create(
            "services", _service(name, type="NodePort", ports=list(ports)), namespace="shop"
        )
        return [port["nodePort"] for port in made["spec"]["ports"]]

    dns = [{"name": kind.lower(), "port": 53, "protocol": kind} for kind in ("TCP", "UDP")]
    both = create("dns", dns[0], {**dns[1], "nodePort": 30053})
    assert both == [30053, 30053]
    for taken in ({"port": 80, "protocol": "UDP", "nodePort": 30053}, {"port": 80, "nodePort": 30053}):
        with pytest.raises(ApiError, match="30053: provided port is already allocated"):
            create("other", taken)
    apart = [{**dns[0], "nodePort": 30054}, {**dns[1], "port": 54, "nodePort": 30054}]
    with pytest.raises(
        ApiError, match=r"ports\[1\].nodePort: Invalid value: 30054: provided port is already"
    ):
        create("apart", *apart)
    world.cluster.delete("services", "dns", "shop")
    assert create("other", {"port": 80, "nodePort": 30053}) == [30053]


def test_endpoints_follow_pods(world: World) -> None:
    world.namespace("shop")
    world.cluster.create("services", _service("web"), namespace="shop")
    world.until(lambda: world.cluster.list(SLICES, "shop"))
    world.cluster.create("deployments.apps", deployment(), namespace="shop")
    ready = lambda: [  # noqa: E731  asked again and again
        item["conditions"]["ready"]
        for one in world.cluster.list(SLICES, "shop")
        for item in one.get("endpoints") or ()
    ]
    world.until(lambda: ready() == [True, True])
    subset = world.cluster.get("endpoints", "web", "shop")["subsets"][0]
    addresses = {pod["status"]["podIP"] for pod in world.cluster.list("pods", "shop")}
    assert {item["ip"] for item in subset["addresses"]} == addresses
    world.cluster.patch("deployments.apps", "web", "shop", {"spec": {"replicas": 0}})
    world.until(lambda: not ready() and "subsets" not in world.cluster.get("endpoints", "web", "shop"))
    world.cluster.delete("services", "web", "shop")
    world.until(
        lambda: not world.cluster.list(SLICES, "shop") and not world.cluster.list("endpoints", "shop")
    )


def test_dependants_go_in_the_background(world: World) -> None:
    world.namespace("shop")
    owner = world.cluster.create("configmaps", _config("owner"), namespace="shop")
    world.cluster.create("configmaps", _config("child", owner), namespace="shop")
    world.cluster.delete("configmaps", "owner", "shop")
    world.until(lambda: not _names(world))


def test_an_owner_waits_for_its_dependants_in_the_foreground(world: World) -> None:
    world.namespace("shop")
    owner = world.cluster.create("configmaps", _config("owner"), namespace="shop")
    world.cluster.create("configmaps", _config("child", owner), namespace="shop")
    held = _config("held", owner, finalizers=["example.com/hold"])
    world.cluster.create("configmaps", held, namespace="shop")
    world.cluster.delete("configmaps", "owner", "shop", propagation="Foreground")
    world.until(lambda: _names(world) == {"owner", "held"})
    world.cluster.patch("configmaps", "held", "shop", {"metadata": {"finalizers": None}})
    world.until(lambda: not _names(world))


def test_orphans_stay_and_one_of_two_owners_is_enough(world: World) -> None:
    world.namespace("shop")
    one = world.cluster.create("configmaps", _config("one"), namespace="shop")
    two = world.cluster.create("configmaps", _config("two"), namespace="shop")
    world.cluster.create("configmaps", _config("both", one, two), namespace="shop")
    world.cluster.delete("configmaps", "one", "shop")
    owners = lambda: world.cluster.get("configmaps", "both", "shop")["metadata"].get("ownerReferences")  # noqa: E731
    world.until(lambda: len(owners()) == 1)
    world.cluster.delete("configmaps", "two", "shop", propagation="Orphan")
    world.until(lambda: _names(world) == {"both"} and not owners())


def test_a_dependant_of_nobody_is_collected(world: World) -> None:
    world.namespace("shop")
    nobody = {"metadata": {"name": "nobody", "uid": "11111111-1111-1111-1111-111111111111"}}
    world.cluster.create("configmaps", _config("lost", nobody), namespace="shop")
    world.until(lambda: not _names(world))


def test_a_namespace_says_what_holds_it_and_goes(world: World) -> None:
    world.namespace("shop")
    world.cluster.create("deployments.apps", deployment(), namespace="shop")
    world.cluster.create("configmaps", _config("held", finalizers=["example.com/hold"]), namespace="shop")
    world.cluster.delete("namespaces", "shop")
    remaining = "Some resources are remaining: configmaps. has 1 resource instances"
    messages = lambda: [  # noqa: E731  asked again and again
        item["message"] for item in world.cluster.get("namespaces", "shop")["status"].get("conditions", ())
    ]
    world.until(lambda: remaining in messages())
    assert (
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
        in messages()
    )
    world.cluster.patch("configmaps", "held", "shop", {"metadata": {"finalizers": None}})
    world.until(lambda: world.cluster.find("namespaces", "shop") is None)


def test_every_namespace_has_its_account_and_certificate(world: World) -> None:
    world.namespace("shop")
    world.cluster.delete("configmaps", "kube-root-ca.crt", "shop")
    found = world.until(lambda: world.cluster.find("configmaps", "kube-root-ca.crt", "shop"))
    assert found["data"] == {"ca.crt": "(certificate)"}


def _claim(name: str, **spec: Any) -> dict[str, Any]:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}, **spec}
    return {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": name}, "spec": wanted}


def test_claims_are_provisioned_and_volumes_go_with_them(world: World) -> None:
    world.namespace("shop")
    world.cluster.create("persistentvolumeclaims", _claim("data"), namespace="shop")
    bound = lambda: world.cluster.get("persistentvolumeclaims", "data", "shop")["status"]["phase"] == "Bound"  # noqa: E731
    world.until(bound)
    (volume,) = world.cluster.list("persistentvolumes")
    assert volume["spec"]["storageClassName"] == "standard"
    world.cluster.delete("persistentvolumeclaims", "data", "shop")
    world.until(lambda: not world.cluster.list("persistentvolumes"))


def test_a_claim_gets_the_smallest_volume_that_is_large_enough(world: World) -> None:
    world.namespace("shop")
    for name, size in (("small", "1Gi"), ("large", "5Gi"), ("huge", "9Gi")):
        spec = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
        spec |= {"storageClassName": "manual", "persistentVolumeReclaimPolicy": "Retain"}
        volume = {"kind": "PersistentVolume", "apiVersion": "v1", "metadata": {"name": name}, "spec": spec}
        world.cluster.create("persistentvolumes", volume)
    world.cluster.create(
        "persistentvolumeclaims", _claim("data", storageClassName="manual"), namespace="shop"
    )
    found = lambda: world.cluster.get("persistentvolumeclaims", "data", "shop")  # noqa: E731  asked again and again
    world.until(lambda: found()["status"]["phase"] == "Bound")
    assert (found()["spec"]["volumeName"], found()["status"]["capacity"]) == ("large", {"storage": "5Gi"})
    world.cluster.delete("persistentvolumeclaims", "data", "shop")
    world.until(lambda: world.cluster.get("persistentvolumes", "large")["status"]["phase"] == "Released")


def test_an_autoscaler_keeps_its_bounds_without_metrics(world: World) -> None:
    world.namespace("shop")
    world.cluster.create("deployments.apps", deployment(replicas=1), namespace="shop")
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "apiVersion": "autoscaling/v2",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"},
            "minReplicas": 2,
            "maxReplicas": 4,
            "metrics": [metric],
        },
    }
    world.cluster.create("horizontalpodautoscalers.autoscaling", scaler, namespace="shop")
    world.until(lambda: world.cluster.get("deployments.apps", "web", "shop")["spec"]["replicas"] == 2)
    status = lambda: world.cluster.get("horizontalpodautoscalers.autoscaling", "web", "shop")["status"]  # noqa: E731
    reasons = lambda: [item["reason"] for item in status().get("conditions", ())]  # noqa: E731  asked again and again
    world.until(lambda: reasons() == ["SucceededGetScale", "FailedGetResourceMetric"])


def test_a_budget_and_a_quota_count_pods(world: World) -> None:
    world.namespace("shop")
    quota = {
        "kind": "ResourceQuota",
        "apiVersion": "v1",
        "metadata": {"name": "q"},
        "spec": {"hard": {"pods": "3"}},
    }
    world.cluster.create("resourcequotas", quota, namespace="shop")
    world.cluster.create("deployments.apps", deployment(replicas=3), namespace="shop")
    budget = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    budget = {
        "kind": "PodDisruptionBudget",
        "apiVersion": "policy/v1",
        "metadata": {"name": "b"},
        "spec": budget,
    }
    world.cluster.create("poddisruptionbudgets.policy", budget, namespace="shop")
    status = lambda: world.cluster.get("poddisruptionbudgets.policy", "b", "shop")["status"]  # noqa: E731
    world.until(lambda: status()["disruptionsAllowed"] == 1)
    assert (status()["currentHealthy"], status()["desiredHealthy"], status()["expectedPods"]) == (3, 2, 3)
    assert world.cluster.get("resourcequotas", "q", "shop")["status"]["used"] == {"pods": "3"}
