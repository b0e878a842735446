from __future__ import annotations

import json
from typing import Any

import pytest
from tests.embedded.kubernetes.recorded import exchanges

from ecns.embedded.kubernetes.discovery import Response, respond
from ecns.embedded.kubernetes.errors import ApiError
from ecns.embedded.kubernetes.resources import ALL_VERBS, Resource, Resources, Subresource


def ask(path: str, query: dict[str, str] | None = None, accept: str = "application/json") -> Response:
    try:
        answer = respond(path, query or {}, accept, Resources(), address="192.0.2.10:6443")
    except ApiError as error:
        return Response(json.dumps(error.status()).encode(), status=error.code)
    assert answer is not None
    return answer


def widgets() -> Resources:
    resources = Resources()
    resources.add(
        Resource(
            group="example.com",
            versions=("v1",),
            plural="defaultwidgets",
            singular="defaultwidget",
            kind="DefaultWidget",
            namespaced=True,
            storage_version="v1",
            stored_as="defaultwidgets.example.com",
            list_kind="DefaultWidgetList",
            verbs=ALL_VERBS,
            subresources=(Subresource("status", "DefaultWidget"),),
            definition="defaultwidgets.example.com",
        )
    )
    return resources


def known(document: Any) -> Any:
    """What a recorded document says about the groups that are served here."""
    groups = {*Resources().groups(), None}
    if "groups" in document:
        return {**document, "groups": [item for item in document["groups"] if item["name"] in groups]}
    if "items" in document:
        items = [item for item in document["items"] if item["metadata"].get("name") in groups]
        return {**document, "items": items}
    return document


@pytest.mark.parametrize("exchange", exchanges("discovery.jsonl", "discovery-documents", "discovery-health"))
def test_answers_as_recorded(exchange: dict[str, Any]) -> None:
    request, expected = exchange["request"], exchange["response"]
    path = request["path"]
    if path == "/" or path.startswith("/openapi"):
        return
    if path.startswith("/apis/") and path.split("/")[2] not in Resources().groups():
        assert ask(path).status == 404
        return
    answer = ask(path, request["query"], request["headers"]["accept"])
    assert (answer.status, answer.content_type) == (expected["status"], expected["headers"]["content-type"])
    if "json" in answer.content_type:
        assert json.loads(answer.body) == known(expected["body"])
    else:
        assert answer.body.decode() == expected["body"]


def test_unknown_versions_and_groups() -> None:
    assert ask("/apis/nosuch.example.com/v1").body == b"404 page not found\n"
    assert json.loads(ask("/apis/apps/v1beta1").body) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "the server could not find the requested resource",
        "reason": "NotFound",
        "details": {},
        "code": 404,
    }


def test_paths_of_resources_are_left_to_others() -> None:
    for path in ("/api/v1/pods", "/apis/apps/v1/namespaces/default/deployments", "/nosuch", "/openapi/v3"):
        assert respond(path, {}, "", Resources()) is None


def test_custom_resources_come_after_the_built_in_ones() -> None:
    answer = respond("/apis/example.com/v1", {}, "application/json", widgets())
    assert answer is not None
    assert json.loads(answer.body)["resources"] == [
        {
            "name": "defaultwidgets",
            "singularName": "defaultwidget",
            "namespaced": True,
            "kind": "DefaultWidget",
            "verbs": ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
            "storageVersionHash": "IUthWBr6uT0=",
        },
        {
            "name": "defaultwidgets/status",
            "singularName": "",
            "namespaced": True,
            "kind": "DefaultWidget",
            "verbs": ["get", "patch", "update"],
        },
    ]
    answer = respond(
        "/apis", {}, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", widgets()
    )
    assert answer is not None
    group = json.loads(answer.body)["items"][-1]
    assert group["metadata"] == {"name": "example.com"}
    assert group["versions"][0]["resources"][0]["responseKind"] == {
        "group": "example.com",
        "version": "v1",
        "kind": "DefaultWidget",
    }


def test_paths_end_as_the_generated_clients_write_them() -> None:
    for path in ("/version/", "/api/", "/api/v1/", "/apis/", "/apis/apps/", "/apis/apps/v1/"):
        assert ask(path).status == 200
