"""Who owns which fields in the odd cases, as the API server's own integration tests of apply have them."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.embedded.kubernetes.conformance.test_apply import DEPLOYMENTS, WEB, apply

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

MAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/api/v1/namespaces/default/services"
LAST = "kubectl.kubernetes.io/last-applied-configuration"


def config(name: str = "c", **data: str) -> dict[str, Any]:
    labels = {"app": "web"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels},
        "data": data,
    }


def service(**labels: str) -> dict[str, Any]:
    metadata = {"name": "s", **({"labels": labels} if labels else {})}
    spec = {} if labels else {"spec": {"ports": [{"port": 80}]}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, **spec}


def owners(obj: Any) -> list[tuple[str, str, str]]:
    listed = obj["metadata"].get("managedFields", ())
    return [(item["manager"], item["operation"], item.get("subresource", "")) for item in listed]


def fields(obj: Any, manager: str) -> Any:
    return next(item["fieldsV1"] for item in obj["metadata"]["managedFields"] if item["manager"] == manager)


@pytest.mark.parametrize("sent", [[], [{}]])
@pytest.mark.parametrize("how", ["put", "merge-patch+json", "strategic-merge-patch+json", "json-patch+json"])
async def test_managers_are_cleared_for_good(api: Client, how: str, sent: list[Any]) -> None:
    await apply(api, config(a="1"), path=MAPS)
    if how == "put":
        obj = config(a="1")
        obj["metadata"]["managedFields"] = sent
        cleared = await api.put(f"{MAPS}/c", obj)
    elif how == "json-patch+json":
        operation = {"op": "replace", "path": "/metadata/managedFields", "value": sent}
        cleared = await api.patch(f"{MAPS}/c", [operation], how)
    else:
        cleared = await api.patch(f"{MAPS}/c", {"metadata": {"managedFields": sent}}, how)
    assert owners(cleared.json) == []
    changed = await api.patch(f"{MAPS}/c", {"data": {"a": "2"}})
    assert owners(changed.json) == []
    applied = await apply(api, config(b="1"), path=MAPS)
    assert owners(applied.json) == [("first", "Apply", ""), ("before-first-apply", "Update", "")]


async def test_managers_that_cannot_be_read_are_not_taken(api: Client) -> None:
    obj = config(a="1")
    entry = {"manager": "x", "operation": "Apply", "apiVersion": "v1", "fieldsType": "", "fieldsV1": {}}
    obj["metadata"]["managedFields"] = [entry]
    created = await api.post(MAPS, obj, fieldManager="maker")
    assert owners(created.json) == [("maker", "Update", "")]
    again = await api.put(f"{MAPS}/c", obj, fieldManager="other")
    assert owners(again.json) == [("maker", "Update", "")]


async def test_renamed_managers_become_one(api: Client) -> None:
    await apply(api, service(), path=SERVICES)
    obj = (await apply(api, service(b="2"), "two", SERVICES)).json
    for entry in obj["metadata"]["managedFields"]:
        entry["manager"] = "one"
    renamed = await api.put(f"{SERVICES}/s", obj)
    assert owners(renamed.json) == [("one", "Apply", "")]
    assert fields(renamed.json, "one") == {"f:metadata": {"f:labels": {"f:b": {}}}}


async def test_what_exists_is_applied_without_its_name(api: Client) -> None:
    await apply(api, service(), path=SERVICES)
    labels = {"apiVersion": "v1", "kind": "Service", "metadata": {"labels": {"a": "1"}}}
    for path in (f"{SERVICES}/s", f"{SERVICES}/s/status"):
        applied = await api.patch(path, labels, "apply-patch+yaml", fieldManager="labels")
        assert applied.status == 200, applied.text
    assert owners(applied.json)[-1] == ("labels", "Apply", "status")


async def test_kubectl_takes_over_what_it_applied_before(api: Client) -> None:
    obj = copy.deepcopy(WEB)
    obj["metadata"]["annotations"] = {LAST: json.dumps(WEB)}
    obj["spec"]["replicas"] = 100
    await api.post(DEPLOYMENTS, obj)
    mine = copy.deepcopy(WEB)
    mine["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:<new>"
    refused = await apply(api, mine, "kubectl")
    assert [cause["field"] for cause in refused.json["details"]["causes"]] == [".spec.replicas"]
    del mine["spec"]["replicas"]
    assert (await apply(api, mine, "somebody")).status == 409
    taken = await apply(api, mine, "kubectl")
    assert (taken.status, taken.json["spec"]["replicas"]) == (200, 100)
    kept = taken.json["metadata"]["annotations"][LAST]
    assert (
        kept
        == json.dumps(mine, sort_keys=True, separators=(",", ":")).replace("<new>", "\\u003cnew\\u003e")
        + "\n"
    )


def ports(*pairs: tuple[str, int]) -> dict[str, Any]:
    listed = [{"name": name, "containerPort": port} for name, port in pairs]
    containers = [{"name": "nginx", "image": "nginx:latest", "ports": listed}]
    return {"metadata": {"labels": {"app": "nginx"}}, "spec": {"containers": containers}}


async def test_items_of_one_key_are_owned_together(api: Client) -> None:
    obj = {**copy.deepcopy(WEB)}
    obj["spec"]["template"] = ports(("one", 1), ("a", 80), ("b", 80))
    made = await api.post(DEPLOYMENTS, obj, fieldManager="maker")

    def owned(reply: Any, manager: str) -> Any:
        template = fields(reply.json, manager)["f:spec"]["f:template"]["f:spec"]["f:containers"]
        return template['k:{"name":"nginx"}']["f:ports"]

    assert owned(made, "maker")['k:{"containerPort":80,"protocol":"TCP"}'] == {}
    obj["spec"]["template"] = ports(("three", 443))
    more = await apply(api, obj, "second")
    listed = more.json["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert [item["name"] for item in listed] == ["one", "a", "b", "three"]
    obj["spec"]["template"] = ports(("http", 80))
    less = await apply(api, obj, "second", force="true")
    listed = less.json["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert [item["name"] for item in listed] == ["one", "http"]
    assert 'k:{"containerPort":80,"protocol":"TCP"}' not in owned(less, "maker")


async def test_a_repeated_apply_that_defaults_undo_writes_nothing(api: Client) -> None:
    obj = copy.deepcopy(WEB)
    obj["spec"]["template"]["metadata"]["annotations"] = {}
    first = await apply(api, obj)
    later = api.cluster.now() + timedelta(minutes=1)
    api.cluster.now = lambda: later
    again = await apply(api, obj)
    assert again.json["metadata"] == first.json["metadata"]


async def test_large_objects_go_without_managers_and_too_large_ones_not_at_all(api: Client) -> None:
    data = {f"{'a-long-key-' * 7}{number}": "A" for number in range(9999)}
    created = await api.post(MAPS, config(**data))
    assert (created.status, owners(created.json)) == (201, [])
    refused = await apply(api, config(), path=MAPS)
    assert (refused.status, refused.message) == (500, "etcdserver: request is too large")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"])
async def test_a_scale_is_owned_like_the_rest(api: Client, kind: str) -> None:
    root = "/api/v1" if kind == "ReplicationController" else "/apis/apps/v1"
    version = root.removeprefix("/apis/").removeprefix("/api/")
    path = f"{root}/namespaces/default/{kind.lower()}s"
    labels = {"app": "nginx"}
    selector = labels if version == "v1" else {"matchLabels": labels}
    spec = {"replicas": 1, "selector": selector, "template": WEB["spec"]["template"]}
    obj = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    assert (await apply(api, obj, path=path)).status == 201

    async def scaled() -> tuple[int, set[str]]:
        found = (await api.get(f"{path}/x")).json
        listed = found["metadata"]["managedFields"]
        owning = {item["manager"] for item in listed if "f:replicas" in item["fieldsV1"].get("f:spec", {})}
        return found["spec"]["replicas"], owning

    await api.patch(f"{path}/x/scale", {"spec": {"replicas": 5}}, fieldManager="patcher")
    assert await scaled() == (5, {"patcher"})
    assert (await apply(api, obj, path=path)).status == 409
    assert (await apply(api, obj, path=path, force="true")).status == 200
    scale: dict[str, Any] = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "x"}}
    scale["spec"] = {"replicas": 7}
    kind_of_patch = "apply-patch+yaml"
    refused = await api.patch(f"{path}/x/scale", scale, kind_of_patch, fieldManager="applier")
    assert (refused.status, 'conflict with "first"' in refused.message) == (409, True)
    await api.patch(f"{path}/x/scale", scale, kind_of_patch, fieldManager="applier", force="true")
    assert await scaled() == (7, {"applier"})
    await api.put(f"{path}/x/scale", {**scale, "spec": {"replicas": 8}}, fieldManager="putter")
    scale["spec"]["replicas"] = 8
    await api.patch(f"{path}/x/scale", scale, kind_of_patch, fieldManager="applier")
    assert await scaled() == (8, {"putter", "applier"})
