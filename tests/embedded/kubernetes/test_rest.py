from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

_MAPS = "/api/v1/namespaces/default/configmaps"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def _map(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **more}}


def _deployment(name: str = "d", replicas: int = 1) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"containers": [{"name": "c", "image": "nginx:1.27"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


async def test_an_object_is_made_read_changed_and_deleted(api: Client) -> None:
    made = await api.post(_MAPS, {**_map("a"), "data": {"k": "1"}})
    assert made.status == 201
    obj = made.json
    obj["data"] = {"k": "2"}
    changed = await api.put(f"{_MAPS}/a", obj)
    assert changed.json["data"] == {"k": "2"}
    stale = await api.put(f"{_MAPS}/a", obj)
    assert (stale.status, stale.json["reason"]) == (409, "Conflict")
    gone = await api.delete(f"{_MAPS}/a")
    assert gone.json["details"]["uid"] == obj["metadata"]["uid"]
    assert (await api.get(f"{_MAPS}/a")).message == 'configmaps "a" not found'


async def test_a_change_of_nothing_keeps_the_version(api: Client) -> None:
    made = (await api.post(_MAPS, _map("a"))).json
    same = await api.put(f"{_MAPS}/a", made)
    assert same.json["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_a_dry_run_stores_nothing(api: Client) -> None:
    assert (await api.post(_MAPS, _map("a"), dryRun="All")).status == 201
    assert (await api.get(f"{_MAPS}/a")).status == 404


async def test_names_are_generated(api: Client) -> None:
    reply = await api.post(_MAPS, {"metadata": {"generateName": "x-"}})
    assert reply.json["metadata"]["name"].startswith("x-")
    assert len(reply.json["metadata"]["name"]) == 7


async def test_unknown_fields_warn_or_are_refused(api: Client) -> None:
    body = {**_map("a"), "typo": 1}
    warned = await api.post(_MAPS, body)
    assert warned.headers["Warning"] == '299 - "unknown field \\"typo\\""'
    strict = await api.post(_MAPS, body, fieldValidation="Strict")
    assert strict.status == 400
    assert 'strict decoding error: unknown field "typo"' in strict.message


async def test_a_finalizer_holds_an_object_until_it_is_taken_away(api: Client) -> None:
    await api.post(_MAPS, _map("a", finalizers=["example.com/x"]))
    held = await api.delete(f"{_MAPS}/a")
    assert held.json["metadata"]["deletionTimestamp"]
    assert (await api.get(f"{_MAPS}/a")).status == 200
    await api.patch(f"{_MAPS}/a", {"metadata": {"finalizers": None}})
    assert (await api.get(f"{_MAPS}/a")).status == 404


async def test_propagation_is_marked_by_finalizers(api: Client) -> None:
    for propagation, finalizer in (("Foreground", "foregroundDeletion"), ("Orphan", "orphan")):
        await api.post(_DEPLOYMENTS, _deployment(finalizer.lower()))
        reply = await api.delete(f"{_DEPLOYMENTS}/{finalizer.lower()}", propagationPolicy=propagation)
        assert reply.json["metadata"]["finalizers"] == [finalizer]


async def test_preconditions_are_kept(api: Client) -> None:
    await api.post(_MAPS, _map("a"))
    reply = await api.delete(f"{_MAPS}/a", {"preconditions": {"uid": "another"}})
    assert reply.status == 409
    assert (await api.get(f"{_MAPS}/a")).status == 200


async def test_a_collection_is_deleted_by_its_labels(api: Client) -> None:
    for name, label in (("a", "x"), ("b", "y")):
        await api.post(_MAPS, _map(name, labels={"l": label}))
    await api.delete(_MAPS, labelSelector="l=x")
    left = [item["metadata"]["name"] for item in (await api.get(_MAPS, labelSelector="l")).json["items"]]
    assert left == ["b"]


async def test_the_scale_is_read_and_written(api: Client) -> None:
    await api.post(_DEPLOYMENTS, _deployment())
    scale = (await api.get(f"{_DEPLOYMENTS}/d/scale")).json
    assert (scale["spec"], scale["status"]["selector"]) == ({"replicas": 1}, "app=d")
    await api.patch(f"{_DEPLOYMENTS}/d/scale", {"spec": {"replicas": 5}})
    assert (await api.get(f"{_DEPLOYMENTS}/d")).json["spec"]["replicas"] == 5


async def test_status_and_spec_are_written_by_their_own_paths(api: Client) -> None:
    await api.post(_DEPLOYMENTS, _deployment())
    await api.patch(f"{_DEPLOYMENTS}/d/status", {"status": {"replicas": 3}, "spec": {"replicas": 7}})
    obj = (await api.get(f"{_DEPLOYMENTS}/d")).json
    assert (obj["status"]["replicas"], obj["spec"]["replicas"]) == (3, 1)


async def test_autoscalers_are_served_in_both_versions(api: Client) -> None:
    spec = {
        "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
        "maxReplicas": 3,
        "targetCPUUtilizationPercentage": 70,
    }
    body = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": spec,
    }
    path = "namespaces/default/horizontalpodautoscalers"
    first = await api.post(f"/apis/autoscaling/v1/{path}", body)
    assert first.json["spec"]["targetCPUUtilizationPercentage"] == 70
    second = (await api.get(f"/apis/autoscaling/v2/{path}/h")).json
    assert second["apiVersion"] == "autoscaling/v2"
    assert second["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70


async def test_partial_metadata_and_yaml(api: Client) -> None:
    await api.post(_MAPS, {**_map("a"), "data": {"k": "1"}})
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    listed = (await api.call("GET", _MAPS, headers=accept)).json
    assert listed["kind"] == "PartialObjectMetadataList"
    assert "data" not in listed["items"][0]
    text = await api.call("GET", f"{_MAPS}/a", headers={"Accept": "application/yaml"})
    assert text.text.startswith('apiVersion: v1\ndata:\n  k: "1"\nkind: ConfigMap\n')


async def test_pods_are_bound_once(api: Client) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    await api.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    assert (await api.post("/api/v1/namespaces/default/pods", pod)).status == 201
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    assert (await api.post("/api/v1/namespaces/default/pods/p/binding", binding)).status == 201
    assert (await api.get("/api/v1/namespaces/default/pods/p")).json["spec"]["nodeName"] == "n"
    assert (await api.post("/api/v1/namespaces/default/pods/p/binding", binding)).status == 409
