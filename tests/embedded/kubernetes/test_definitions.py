from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
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


async def test_names_that_are_taken_are_not_accepted(api: Client) -> None:
    await api.post(_DEFINITIONS, _definition())
    other = _definition()
    other["metadata"]["name"] = "gadgets.example.com"
    other["spec"]["names"] |= {"plural": "gadgets", "singular": "gadget"}
    await api.post(_DEFINITIONS, other)
    conditions = (await api.get(f"{_DEFINITIONS}/gadgets.example.com")).json["status"]["conditions"]
    assert {item["type"]: item["status"] for item in conditions}["Established"] == "False"
    assert (await api.get("/apis/example.com/v1/gadgets")).status == 404
