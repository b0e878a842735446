"""Server-side apply and field validation, as the conformance suite has them."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client, Reply

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "nginx"}},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "nginx"}},
        "template": {
            "metadata": {"labels": {"app": "nginx"}},
            "spec": {"containers": [{"name": "nginx", "image": "nginx:latest"}]},
        },
    },
}


async def apply(
    api: Client, obj: Any, manager: str = "first", path: str = DEPLOYMENTS, **query: str
) -> Reply:
    where = f"{path}/{obj['metadata']['name']}"
    return await api.patch(where, obj, "apply-patch+yaml", fieldManager=manager, **query)


def changed(**spec: Any) -> dict[str, Any]:
    obj = copy.deepcopy(WEB)
    obj["spec"].update(spec)
    return obj


async def test_an_applied_object_is_made_when_it_is_not_there(api: Client) -> None:
    first = await apply(api, WEB)
    assert first.status == 201, first.text
    again = await apply(api, WEB)
    assert again.status == 200
    assert again.json["metadata"]["resourceVersion"] == first.json["metadata"]["resourceVersion"]


async def test_status_is_applied_by_itself(api: Client) -> None:
    await apply(api, WEB)
    status = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 9},
        "status": {"conditions": [{"type": "Extra", "status": "True", "reason": "R", "message": "m"}]},
    }
    await api.patch(
        f"{DEPLOYMENTS}/web/status", status, "apply-patch+yaml", fieldManager="status", force="true"
    )
    found = (await api.get(f"{DEPLOYMENTS}/web")).json
    assert found["status"]["conditions"][0]["type"] == "Extra"
    assert found["spec"]["replicas"] == 3


async def test_what_is_no_longer_applied_is_removed(api: Client) -> None:
    await apply(api, changed(minReadySeconds=10))
    assert (await apply(api, WEB)).json["spec"].get("minReadySeconds", 0) == 0


async def test_what_another_owns_too_stays(api: Client) -> None:
    await apply(api, WEB)
    await apply(api, WEB, "second")
    less = copy.deepcopy(WEB)
    del less["metadata"]["labels"]
    found = (await apply(api, less)).json
    assert found["metadata"]["labels"] == {"app": "nginx"}
    found = (await apply(api, less, "second")).json
    assert "labels" not in found["metadata"]


async def test_conflicts_name_the_other_and_force_wins(api: Client) -> None:
    await apply(api, WEB)
    refused = await apply(api, changed(replicas=5), "second")
    assert (refused.status, refused.json["reason"]) == (409, "Conflict")
    assert refused.json["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "first"', "field": ".spec.replicas"}
    ]
    won = await apply(api, changed(replicas=5), "second", force="true")
    assert won.json["spec"]["replicas"] == 5
    managed = {item["manager"]: item["fieldsV1"] for item in won.json["metadata"]["managedFields"]}
    assert "f:replicas" in managed["second"]["f:spec"]
    assert "f:replicas" not in managed["first"]["f:spec"]


async def test_an_update_takes_ownership(api: Client) -> None:
    await apply(api, WEB)
    await api.patch(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 7}}, fieldManager="scaler")
    refused = await apply(api, WEB)
    assert 'conflict with "scaler"' in refused.message
    quiet = copy.deepcopy(WEB)
    del quiet["spec"]["replicas"]
    assert (await apply(api, quiet)).json["spec"]["replicas"] == 7


async def test_lists_are_merged_by_their_keys(api: Client) -> None:
    await apply(api, WEB)
    side = {"name": "side", "image": "busybox"}
    mine = changed(
        template={"metadata": {"labels": {"app": "nginx"}}, "spec": {"containers": [side]}},
    )
    found = (await apply(api, mine, "second")).json
    assert [item["name"] for item in found["spec"]["template"]["spec"]["containers"]] == ["nginx", "side"]
    del mine["spec"]["template"]
    found = (await apply(api, {**mine, "spec": {}}, "second")).json
    assert [item["name"] for item in found["spec"]["template"]["spec"]["containers"]] == ["nginx"]


async def test_managed_fields_may_be_cleared(api: Client) -> None:
    await apply(api, WEB)
    cleared = await api.patch(f"{DEPLOYMENTS}/web", {"metadata": {"managedFields": [{}]}})
    assert cleared.status == 200, cleared.text
    assert "managedFields" not in cleared.json["metadata"]


@pytest.mark.parametrize("method", ["POST", "PATCH", "APPLY"])
async def test_unknown_and_duplicate_fields(api: Client, method: str) -> None:
    text = json.dumps(WEB).replace('"replicas": 3', '"replicas": 3, "replicas": 4, "unknown": 1')
    text = text.replace('"name": "web"', '"name": "web", "unknownMeta": "x"')
    wrong = ('unknown field "spec.unknown"', 'unknown field "metadata.unknownMeta"')
    if method == "PATCH":
        await api.post(DEPLOYMENTS, WEB)

    async def send(validation: str) -> Reply:
        query = {"fieldValidation": validation}
        if method == "POST":
            return await api.call("POST", DEPLOYMENTS, text, query=query)
        kind = "apply-patch+yaml" if method == "APPLY" else "merge-patch+json"
        headers = {"Content-Type": f"application/{kind}"}
        query |= {"fieldManager": "m"}
        return await api.call("PATCH", f"{DEPLOYMENTS}/web", text, query=query, headers=headers)

    strict = await send("Strict")
    if method == "APPLY":
        assert strict.status == 500
        assert ".metadata.unknownMeta: field not declared in schema" in strict.message
        return
    assert strict.status == 400 if method == "POST" else strict.status in {400, 422}, strict.text
    assert all(word in strict.message for word in wrong)
    assert 'duplicate field "spec.replicas"' in strict.message
    warned = await send("Warn")
    assert warned.status in {200, 201}, warned.text
    warnings = " ".join(warned.headers.getall("Warning"))
    assert all(word.replace('"', '\\"') in warnings for word in wrong)
    ignored = await send("Ignore")
    assert ignored.status in {200, 409}
    assert "Warning" not in ignored.headers
