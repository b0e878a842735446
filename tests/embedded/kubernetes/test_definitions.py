from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
_LATEST = {"resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
_HEAD = {"apiVersion": "example.com/v1", "kind": "Widget"}


def _definition(**version: Any) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [served]},
    }


async def test_a_definition_is_served_at_once_and_gone_when_deleted(api: Client) -> None:
    assert (await api.get(_WIDGETS)).status == 404
    assert (await api.post(_DEFINITIONS, _definition())).status == 201
    conditions = (await api.get(f"{_DEFINITIONS}/widgets.example.com")).json["status"]["conditions"]
    assert {item["type"]: item["status"] for item in conditions} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    made = await api.post(_WIDGETS, {**_HEAD, "metadata": {"name": "w"}, "spec": {"size": 1}})
    assert (made.status, made.json["apiVersion"], made.json["kind"]) == (201, "example.com/v1", "Widget")
    listed = (await api.get("/apis/example.com/v1/widgets")).json
    assert (listed["kind"], listed["items"][0]["kind"]) == ("WidgetList", "Widget")
    await api.delete(f"{_DEFINITIONS}/widgets.example.com")
    assert (await api.get(_WIDGETS)).status == 404
    assert api.cluster.store.count("widgets.example.com") == 0


async def test_generation_counts_changes_of_the_content(api: Client) -> None:
    await api.post(_DEFINITIONS, _definition(subresources={"status": {}}))
    await api.post(_WIDGETS, {**_HEAD, "metadata": {"name": "w"}, "spec": {"size": 1}, "status": {"x": 1}})
    for patch, generation in (({"spec": {"size": 2}}, 2), ({"metadata": {"labels": {"a": "b"}}}, 2)):
        obj = (await api.patch(f"{_WIDGETS}/w", patch)).json
        assert obj["metadata"]["generation"] == generation
        assert "status" not in obj
    obj = (await api.patch(f"{_WIDGETS}/w/status", {"status": {"x": 2}})).json
    assert (obj["metadata"]["generation"], obj["status"]) == (2, {"x": 2})


async def test_the_scale_of_a_custom_resource(api: Client) -> None:
    paths = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
    await api.post(_DEFINITIONS, _definition(subresources={"status": {}, "scale": paths}))
    await api.post(_WIDGETS, {**_HEAD, "metadata": {"name": "w"}, "spec": {"size": 1}})
    await api.patch(f"{_WIDGETS}/w/scale", {"spec": {"replicas": 4}})
    assert (await api.get(f"{_WIDGETS}/w")).json["spec"]["size"] == 4


async def test_a_conversion_webhook_is_needed_for_other_versions_alone(api: Client) -> None:
    definition = _definition(name="v2")
    old = {**definition["spec"]["versions"][0], "name": "v1", "storage": False}
    service = {"namespace": "default", "name": "hook", "path": "/convert"}
    webhook = {"clientConfig": {"service": service}, "conversionReviewVersions": ["v1"]}
    definition["spec"]["versions"].append(old)
    definition["spec"]["conversion"] = {"strategy": "Webhook"}
    refused = await api.post(_DEFINITIONS, definition)
    assert (refused.status, "required when strategy is set to Webhook" in refused.text) == (422, True)
    definition["spec"]["conversion"]["webhook"] = webhook
    assert (await api.post(_DEFINITIONS, definition)).status == 201
    newer = _WIDGETS.replace("/v1/", "/v2/")
    assert (await api.get(_WIDGETS)).status == 200  # there is nothing to convert
    head = {**_HEAD, "apiVersion": "example.com/v2"}
    assert (await api.post(newer, {**head, "metadata": {"name": "w"}})).status == 201
    why = 'conversion webhook for example.com/v2, Kind=Widget failed: Post "https://hook.default.svc:443/convert'
    for reply in (
        await api.get(_WIDGETS),
        await api.get(f"{_WIDGETS}/w"),
        await api.patch(f"{_WIDGETS}/w", {"spec": {"size": 2}}),
        await api.delete(f"{_WIDGETS}/w"),
    ):
        assert (reply.status, reply.json["message"][: len(why)]) == (500, why)
    made = await api.post(_WIDGETS, {**_HEAD, "metadata": {"name": "x"}})
    assert (made.status, "for example.com/v1, Kind=Widget failed" in made.text) == (500, True)
    (event, *_) = await api.watch(_WIDGETS, timeoutSeconds=1, sendInitialEvents="true", **_LATEST)
    assert (event["type"], event["object"]["code"]) == ("ERROR", 500)
    assert (await api.delete(f"{newer}/w")).status == 200


async def test_a_schema_s_formats_and_numbers(api: Client) -> None:
    properties = {
        "a": {"type": "string", "format": "int64"},
        "b": {"type": "integer", "format": "int64", "minimum": 1.0},
        "c": {"type": "string", "format": "date-time"},
    }
    definition = _definition(schema={"openAPIV3Schema": {"type": "object", "properties": properties}})
    made = await api.post(_DEFINITIONS, definition)
    assert made.headers.getall("Warning") == ['299 - "unrecognized format \\"int64\\""']
    shown = made.json["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["b"]["minimum"]
    assert (shown, type(shown)) == (1, int)


async def test_nulls_that_mean_nothing_are_read_over(api: Client) -> None:
    inner = {"a": {"type": "string"}, "n": {"type": "string", "nullable": True}, "l": {"type": "array"}}
    inner["l"]["items"] = {"type": "object", "properties": {"x": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": inner}}}
    await api.post(_DEFINITIONS, _definition(schema={"openAPIV3Schema": schema}))
    spec = {"a": None, "n": None, "l": [{"x": None}]}
    body = {**_HEAD, "metadata": {"name": "w"}, "spec": spec}
    applied = await api.patch(f"{_WIDGETS}/w", body, "apply-patch+yaml", fieldManager="m")
    assert (applied.status, "must be of type string" in applied.message) == (422, True)
    assert (await api.post(_WIDGETS, body)).json["spec"] == {"n": None, "l": [{}]}


async def test_names_that_are_taken_are_not_accepted(api: Client) -> None:
    await api.post(_DEFINITIONS, _definition())
    other = _definition()
    other["metadata"]["name"] = "gadgets.example.com"
    other["spec"]["names"] |= {"plural": "gadgets", "singular": "gadget"}
    await api.post(_DEFINITIONS, other)
    conditions = (await api.get(f"{_DEFINITIONS}/gadgets.example.com")).json["status"]["conditions"]
    assert {item["type"]: item["status"] for item in conditions}["Established"] == "False"
    assert (await api.get("/apis/example.com/v1/gadgets")).status == 404
