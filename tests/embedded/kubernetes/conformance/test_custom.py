"""Custom resources, their discovery and documents, and the webhooks that are refused."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.embedded.kubernetes.conformance.streams import events, named

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ROOT = "/apis/stable.example.com/v1"
TABS = f"{ROOT}/namespaces/default/crontabs"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"},
                "image": {"type": "string"},
                "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "number": {"type": "integer"}},
                    },
                },
            },
        },
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
    },
}


def definition(*versions: dict[str, Any]) -> dict[str, Any]:
    first = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": copy.deepcopy(SCHEMA)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "crontabs.stable.example.com"},
        "spec": {
            "group": "stable.example.com",
            "scope": "Namespaced",
            "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "shortNames": ["ct"]},
            "versions": [first, *versions],
        },
    }


def tab(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "stable.example.com/v1",
        "kind": "CronTab",
        "metadata": {"name": name},
        "spec": spec,
    }


async def define(api: Client, *versions: dict[str, Any]) -> None:
    made = await api.post(CRDS, definition(*versions))
    assert made.status == 201, made.text
    await api.until(lambda: api.cluster.resources.by_name("crontabs.stable.example.com") is not None)


async def test_a_definition_is_established_and_goes(api: Client) -> None:
    await define(api)
    found = (await api.get(f"{CRDS}/crontabs.stable.example.com")).json
    assert {item["type"]: item["status"] for item in found["status"]["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    assert found["status"]["storedVersions"] == ["v1"]
    await api.post(TABS, tab("one"))
    await api.delete(f"{CRDS}/crontabs.stable.example.com")
    await api.until(
        lambda: api.cluster.find(CRDS.rpartition("/")[2] + ".apiextensions.k8s.io", "crontabs") is None
    )
    assert (await api.get(TABS)).status == 404


async def test_a_definition_shows_in_discovery(api: Client) -> None:
    await define(api)
    groups = {item["name"]: item for item in (await api.get("/apis")).json["groups"]}
    assert groups["stable.example.com"]["preferredVersion"]["version"] == "v1"
    group = (await api.get("/apis/stable.example.com")).json
    assert group["kind"] == "APIGroup"
    listed = {item["name"]: item for item in (await api.get(ROOT)).json["resources"]}
    assert listed["crontabs"]["shortNames"] == ["ct"]
    assert listed["crontabs/status"]["verbs"] == ["get", "patch", "update"]
    found = {item["name"] for item in (await api.get("/apis/apiextensions.k8s.io/v1")).json["resources"]}
    assert "customresourcedefinitions" in found


async def test_preferred_versions_are_served(api: Client) -> None:
    for group in (await api.get("/apis")).json["groups"]:
        preferred = group["preferredVersion"]
        assert preferred in group["versions"]
        resources = (await api.get(f"/apis/{preferred['groupVersion']}")).json
        assert resources["groupVersion"] == preferred["groupVersion"]
        assert resources["resources"]


async def test_defaults_of_requests_and_of_what_is_stored(api: Client) -> None:
    await define(api)
    made = await api.post(TABS, tab("one", image="a"))
    assert made.json["spec"] == {"image": "a", "replicas": 1}
    patch = [{"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/late"}]
    patch[0]["value"] = {"type": "string", "default": "later"}  # type: ignore[assignment]
    changed = await api.patch(f"{CRDS}/crontabs.stable.example.com", patch, "json-patch+json")
    assert changed.status == 200, changed.text
    assert (await api.get(f"{TABS}/one")).json["spec"]["late"] == "later"
    assert (await api.get(TABS)).json["items"][0]["spec"]["late"] == "later"


async def test_schemas_are_enforced(api: Client) -> None:
    await define(api)
    refused = await api.post(TABS, tab("bad", cronSpec="x", replicas=11))
    assert refused.status == 422
    said = {cause["field"]: cause["message"] for cause in refused.json["details"]["causes"]}
    assert said["spec.replicas"] == (
        "Invalid value: 11: spec.replicas in body should be less than or equal to 10"
    )
    assert "spec.cronSpec in body should match" in said["spec.cronSpec"]
    assert (await api.post(TABS, tab("good", cronSpec="* * * * */5", replicas=5))).status == 201


async def test_unknown_and_duplicate_fields_of_custom_resources(api: Client) -> None:
    await define(api)
    text = json.dumps(tab("one", unknown=1)).replace(
        '"unknown": 1', '"unknown": 1, "image": "a", "image": "b"'
    )
    strict = await api.call("POST", TABS, text, query={"fieldValidation": "Strict"})
    assert strict.status == 400
    assert 'unknown field "spec.unknown"' in strict.message
    assert 'duplicate field "spec.image"' in strict.message
    warned = await api.call("POST", TABS, text, query={"fieldValidation": "Warn"})
    assert warned.status == 201
    assert warned.json["spec"] == {"image": "b", "replicas": 1}
    kept = await api.post(TABS, tab("two", free={"any": {"thing": 1}}), fieldValidation="Strict")
    assert kept.json["spec"]["free"] == {"any": {"thing": 1}}


async def test_custom_resources_are_watched_patched_and_applied(api: Client) -> None:
    await define(api)
    since = (await api.get(TABS)).json["metadata"]["resourceVersion"]
    await api.post(TABS, tab("one", ports=[{"name": "a", "number": 1}]))
    await api.patch(f"{TABS}/one", {"spec": {"image": "x"}})
    refused = await api.patch(f"{TABS}/one", {"spec": {}}, "strategic-merge-patch+json")
    assert refused.status == 415
    mine = tab("one", ports=[{"name": "b", "number": 2}])
    applied = await api.patch(f"{TABS}/one", mine, "apply-patch+yaml", fieldManager="m")
    assert [item["name"] for item in applied.json["spec"]["ports"]] == ["a", "b"]
    await api.delete(f"{TABS}/one")
    found = await events(api, TABS, 4, resourceVersion=since)
    assert named(found) == [(kind, "one") for kind in ("ADDED", "MODIFIED", "MODIFIED", "DELETED")]


async def test_status_is_apart_from_the_rest(api: Client) -> None:
    await define(api)
    made = await api.post(TABS, {**tab("one", image="a"), "status": {"replicas": 5}})
    assert "status" not in made.json
    assert made.json["metadata"]["generation"] == 1
    status = await api.patch(f"{TABS}/one/status", {"status": {"replicas": 2}, "spec": {"image": "b"}})
    assert status.json["status"] == {"replicas": 2}
    assert status.json["spec"]["image"] == "a"
    assert status.json["metadata"]["generation"] == 1
    spec = await api.patch(f"{TABS}/one", {"spec": {"image": "c"}, "status": {"replicas": 9}})
    assert spec.json["status"] == {"replicas": 2}
    assert spec.json["metadata"]["generation"] == 2


async def test_documents_follow_definitions(api: Client) -> None:
    await define(api)
    name = "com.example.stable.v1.CronTab"
    before = (await api.get("/openapi/v2")).json["definitions"]
    assert before[name]["properties"]["spec"]["properties"]["image"] == {"type": "string"}
    second = {
        "name": "v2",
        "served": True,
        "storage": False,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    versions = [*definition()["spec"]["versions"], second]
    await api.patch(f"{CRDS}/crontabs.stable.example.com", {"spec": {"versions": versions}})
    after = (await api.get("/openapi/v2")).json["definitions"]
    assert {name, "com.example.stable.v2.CronTab"} <= set(after)
    assert "apis/stable.example.com/v2" in (await api.get("/openapi/v3")).json["paths"]
    versions[1]["served"] = False
    await api.patch(f"{CRDS}/crontabs.stable.example.com", {"spec": {"versions": versions}})
    last = (await api.get("/openapi/v2")).json["definitions"]
    assert "com.example.stable.v2.CronTab" not in last
    assert (await api.get("/apis/stable.example.com/v2")).status == 404


async def test_one_object_in_two_versions(api: Client) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    await define(api, {"name": "v2", "served": True, "storage": False, "schema": schema})
    await api.post(TABS, tab("one", image="a"))
    other = (await api.get(TABS.replace("/v1/", "/v2/") + "/one")).json
    assert other["apiVersion"] == "stable.example.com/v2"
    assert other["spec"]["image"] == "a"


async def test_webhooks_of_admission_are_refused(api: Client) -> None:
    for kind in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
        missing = await api.post(f"/apis/admissionregistration.k8s.io/v1/{kind}", {"metadata": {"name": "x"}})
        assert missing.status == 404


async def test_rules_in_schemas(api: Client) -> None:
    crd = definition()
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["x-kubernetes-validations"] = [{"rule": "self.replicas <= 3", "message": "too many"}]
    assert (await api.post(CRDS, crd)).status == 201
    assert (await api.post(TABS, tab("few", replicas=2))).status == 201
    refused = await api.post(TABS, tab("many", replicas=4))
    assert refused.status == 422
    assert "too many" in refused.message


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"rule": "self.nosuch == 1"}, "undefined field 'nosuch'"),
        ({"rule": "self = 42"}, "Syntax error"),
        ({"rule": "self.replicas"}, "must evaluate to a bool"),
        ({"rule": "self.names.all(a, self.names.all(b, a == b))"}, "estimated rule cost exceeds budget"),
        ({"rule": "true", "reason": "Odd"}, "Unsupported value"),
        ({"rule": "true", "fieldPath": ".nosuch"}, "must be a valid path"),
        ({"rule": "true", "messageExpression": "1"}, "messageExpression must evaluate to a string"),
        ({"rule": "true", "optionalOldSelf": True}, "may not be set if oldSelf is not used in rule"),
    ],
)
async def test_rules_are_checked_before_they_are_used(api: Client, rule: dict[str, Any], why: str) -> None:
    crd = definition()
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["names"] = {"type": "array", "items": {"type": "string"}}
    spec["x-kubernetes-validations"] = [rule]
    refused = await api.post(CRDS, crd)
    assert refused.status == 422
    assert why in refused.message


async def test_a_rule_that_takes_too_long_is_given_up(api: Client) -> None:
    crd = definition()
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["many"] = {"type": "array", "maxItems": 725, "items": {"type": "integer"}}
    spec["x-kubernetes-validations"] = [{"rule": "self.many.all(x, self.many.all(y, x == y))"}]
    assert (await api.post(CRDS, crd)).status == 201
    refused = await api.post(TABS, tab("many", replicas=1, many=[20] * 725))
    assert "call cost exceeds limit" in refused.message


async def test_selectable_fields(api: Client) -> None:
    crd = definition()
    version = crd["spec"]["versions"][0]
    for path, why in (
        (".spec.nosuch", "does not refer to"),
        (".spec", "must point to"),
        ("spec", "expected ["),
    ):
        version["selectableFields"] = [{"jsonPath": path}]
        refused = await api.post(CRDS, crd)
        assert (refused.status, why in refused.message) == (422, True)
    version["selectableFields"] = [{"jsonPath": ".spec.replicas"}]
    assert (await api.post(CRDS, crd)).status == 201
    for number in (1, 2):
        await api.post(TABS, tab(f"t{number}", replicas=number))
    found = await api.get(TABS, fieldSelector="spec.replicas=2")
    assert [item["metadata"]["name"] for item in found.json["items"]] == ["t2"]
    assert (await api.get(TABS, fieldSelector="spec.image=x")).status == 400
