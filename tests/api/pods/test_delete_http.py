"""Deleting pods, as users do it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.batches import Batch
from tests.api.answers import refused, told
from tests.api.pods.asking import NAMESPACE, STAY, container, pod
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

SLOW = "trap '' TERM; sleep 1000 & wait"


def delete(client: httpx.Client, body: Any, **query: Any) -> httpx.Response:
    return client.request("DELETE", "/pods/", json=body, params=query)


def gone(gateway: Gateway, name: str) -> bool:
    return "NotFound" in gateway.kubectl("-n", NAMESPACE, "get", "pod", name, ok=False)


def test_a_pod_is_deleted(gateway: Gateway, project: Project) -> None:
    with pod(gateway, container("c", STAY)) as name:
        # The reference sends the whole pod; its name is what counts.
        batch = told(
            delete(project.member, {"pod": {"name": name, "labels": {}, "containers": []}}), Batch[None]
        )
        assert [one.name for one in batch.succeed] == [name]
        assert batch.failed == []
        listed = project.member.get("/pods/", params={"name": name}).json()
        assert [row["status"] for row in listed] in ([], ["Removing"])
        eventually(lambda: gone(gateway, name))
        assert "not found" in refused(delete(project.member, {"pod": {"name": name}}), 404)
        assert project.member.get("/pods/", params={"name": name}).json() == []


@pytest.mark.parametrize(
    ("query", "force"), [({"force": "true"}, None), ({}, "true"), ({}, True), ({"force": "true"}, "false")]
)
def test_force_does_not_wait(gateway: Gateway, project: Project, query: dict[str, str], force: Any) -> None:
    with pod(gateway, container("c", SLOW), terminationGracePeriodSeconds=3600) as name:
        told(delete(project.member, {"pod": {"name": name}}), Batch[None])
        whole = gateway.kubectl_json("-n", NAMESPACE, "get", "pod", name)
        assert whole["metadata"]["deletionGracePeriodSeconds"] == 3600
        told(delete(project.member, {"pod": {"name": name}, "force": force}, **query), Batch[None])
        assert gone(gateway, name)


def test_several_at_once(gateway: Gateway, project: Project) -> None:
    with pod(gateway, container("c", STAY)) as one, pod(gateway, container("c", STAY)) as two:
        body = {"pods": [{"name": one}, {"name": "nothing"}, {"name": two}], "force": "true"}
        batch = told(delete(project.member, body), Batch[None], status=207)
        assert [each.name for each in batch.succeed] == [one, two]
        assert [(each.name, each.code) for each in batch.failed] == [("nothing", 404)]
        assert gone(gateway, one)
        assert gone(gateway, two)


def test_a_trial_deletes_nothing(gateway: Gateway, project: Project) -> None:
    with pod(gateway, container("c", STAY)) as name:
        answer = delete(project.member, {"pod": {"name": name}}, dry_run="true", force="true")
        assert answer.json() == {"objects": [], "diff": "", "deleted": [f"Pod/{name}"]}
        refused(delete(project.member, {"pod": {"name": "nothing"}}, dry_run="true"), 404)
        assert not gone(gateway, name)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "pod"),
        ({"pod": {}}, "pod.name"),
        ({"pod": "web"}, "pod"),
        ({"pod": {"name": 1}}, "pod.name"),
        ({"pods": [{"name": "x"}, {}]}, "pods[1].name"),
        ({"pod": {"name": "x"}, "pods": [{"name": "y"}]}, "pod"),
        ({"pod": {"name": "x"}, "force": "perhaps"}, "force"),
        ({"pod": {"name": "x"}, "force": 3}, "force"),
        ({"pod": {"name": "../x"}}, "name"),
        ([], ""),
    ],
)
def test_wrong_bodies(project: Project, body: Any, field: str) -> None:
    refused(delete(project.member, body), 400, field=field)


def test_who_may_delete(gateway: Gateway, project: Project) -> None:
    with pod(gateway, container("c", STAY)) as name:
        body = {"pod": {"name": name}}
        refused(delete(gateway.client(), body), 401)
        refused(delete(project.reader, body), 403)
        refused(delete(gateway.client("other"), body), 404)
        assert not gone(gateway, name)
    refused(project.member.request("DELETE", "/pods/"), 400)
    system = gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "kube-system"})
    refused(delete(system, {"pod": {"name": "x"}}), 403)


def test_a_pod_that_something_holds_is_being_removed(gateway: Gateway, project: Project) -> None:
    with pod(gateway, container("c", STAY)) as name:
        held = json.dumps({"metadata": {"finalizers": ["example.com/held"]}})
        gateway.kubectl("-n", NAMESPACE, "patch", "pod", name, "--type=merge", "-p", held)
        told(delete(project.member, {"pod": {"name": name}, "force": "true"}), Batch[None])
        rows = project.member.get("/pods/", params={"name": name}).json()
        assert [row["status"] for row in rows] == ["Removing"]
        freed = json.dumps({"metadata": {"finalizers": None}})
        gateway.kubectl("-n", NAMESPACE, "patch", "pod", name, "--type=merge", "-p", freed)
        eventually(lambda: gone(gateway, name))
