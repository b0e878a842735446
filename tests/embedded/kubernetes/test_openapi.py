from __future__ import annotations

import json
from typing import Any

import pytest
from tests.embedded.kubernetes.recorded import exchanges

from ecns.embedded.kubernetes.discovery import Response
from ecns.embedded.kubernetes.errors import ApiError
from ecns.embedded.kubernetes.openapi import respond
from ecns.embedded.kubernetes.resources import Resource, Resources


def get(
    path: str, resources: Resources | None = None, accept: str = "application/json", **query: str
) -> Response:
    answer = respond(path, query, accept, resources or Resources())
    assert answer is not None
    return answer


def document(path: str, resources: Resources | None = None) -> Any:
    return json.loads(get(path, resources).body)


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(item) for item in value.values()))
    return set().union(*(references(item) for item in value)) if isinstance(value, list) else set()


def widgets(size: str = "integer") -> Resources:
    resources = Resources()
    preserving = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = {
        "size": {"type": size},
        "free": {**preserving, "properties": {"a": {"type": "string"}}},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
    }
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}}
    resources.add(
        Resource(
            group="example.com",
            versions=("v1",),
            plural="widgets",
            singular="widget",
            kind="Widget",
            namespaced=True,
            storage_version="v1",
            stored_as="widgets.example.com",
            list_kind="WidgetList",
            definition="widgets.example.com",
            schemas={"v1": schema},
        )
    )
    return resources


@pytest.mark.parametrize(
    "exchange", [item for item in exchanges("discovery.jsonl", "discovery-documents") if "29" in str(item.id)]
)
def test_the_index_names_what_is_served(exchange: dict[str, Any]) -> None:
    recorded = json.loads(exchange["response"]["body"])["paths"]
    answer = get("/openapi/v3")
    assert answer.content_type == exchange["response"]["headers"]["content-type"]
    names = set(json.loads(answer.body)["paths"])
    assert names <= set(recorded)
    assert {"api/v1", "apis/apps/v1", "apis/batch", "version"} <= names


def test_every_document_is_whole() -> None:
    for name in document("/openapi/v3")["paths"]:
        made = document(f"/openapi/v3/{name}")
        have = {f"#/components/schemas/{key}" for key in made["components"].get("schemas", ())}
        assert references(made) <= have, name


def test_schemas_are_written_as_openapi() -> None:
    schemas = document("/openapi/v3/apis/apps/v1")["components"]["schemas"]
    deployment = schemas["io.k8s.api.apps.v1.Deployment"]
    assert deployment["type"] == "object"
    assert deployment["x-kubernetes-group-version-kind"] == [
        {"group": "apps", "kind": "Deployment", "version": "v1"}
    ]
    assert "enum" not in deployment["properties"]["kind"]
    spec = deployment["properties"]["spec"]
    assert spec["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}]
    rolling = schemas["io.k8s.api.apps.v1.RollingUpdateDeployment"]["properties"]["maxSurge"]
    assert rolling["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.util.intstr.IntOrString"}
    ]
    either = schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]
    assert either == {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"}


def test_patches_name_the_parameters_that_kubectl_looks_for() -> None:
    paths = document("/openapi/v3/apis/apps/v1")["paths"]
    patch = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"]["kind"] == "Deployment"
    assert {"dryRun", "fieldValidation"} <= {item["name"] for item in patch["parameters"]}


def test_custom_resources_are_described_by_their_own_schemas() -> None:
    made = document("/openapi/v3/apis/example.com/v1", widgets())
    widget = made["components"]["schemas"]["com.example.v1.Widget"]
    assert widget["properties"]["spec"]["properties"]["size"] == {"type": "integer"}
    assert widget["properties"]["kind"]["type"] == "string"
    assert "com.example.v1.WidgetList" in made["components"]["schemas"]


def test_a_changed_schema_has_another_hash() -> None:
    before, after = (
        document("/openapi/v3", resources)["paths"]["apis/example.com/v1"]["serverRelativeURL"]
        for resources in (widgets(), widgets("string"))
    )
    assert before != after
    wanted = before.partition("hash=")[2]
    moved = get("/openapi/v3/apis/example.com/v1", widgets("string"), hash=wanted)
    assert (moved.status, moved.headers["Location"]) == (301, after)
    kept = get("/openapi/v3/apis/example.com/v1", widgets(), hash=wanted)
    assert kept.headers["Cache-Control"] == "public, immutable"


def test_version_two_holds_everything() -> None:
    made = document("/openapi/v2", widgets())
    assert references(made) <= {f"#/definitions/{key}" for key in made["definitions"]}
    assert {"io.k8s.api.core.v1.Pod", "com.example.v1.Widget"} <= set(made["definitions"])
    assert made["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["type"] == "string"


def test_version_two_is_offered_as_protobuf_too() -> None:
    answer = get("/openapi/v2", accept="application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
    assert answer.content_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    assert answer.body.startswith(b"\x0a\x032.0")
    assert b"io.k8s.api.core.v1.Pod" in answer.body
    with pytest.raises(ApiError) as caught:
        get("/openapi/v3", accept="application/com.github.proto-openapi.spec.v3.v1.0+protobuf")
    assert caught.value.code == 406


def test_other_paths_are_left_alone() -> None:
    assert respond("/openapi/v4", {}, "", Resources()) is None
    assert get("/openapi/v3/apis/nosuch/v1").status == 404


def test_version_two_leaves_open_what_it_cannot_say() -> None:
    widget = document("/openapi/v2", widgets())["definitions"]["com.example.v1.Widget"]
    assert widget["properties"]["spec"]["properties"] == {
        "size": {"type": "integer"},
        "free": {"x-kubernetes-preserve-unknown-fields": True},
        "either": {"x-kubernetes-int-or-string": True},
    }
    third = document("/openapi/v3/apis/example.com/v1", widgets())["components"]["schemas"]
    either = third["com.example.v1.Widget"]["properties"]["spec"]["properties"]["either"]
    assert either["anyOf"] == [{"type": "integer"}, {"type": "string"}]
