"""Listing and showing pods (chapter 1.16), as users do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.pods.types import PodDetail, PodRow
from tests.api.answers import refused, told
from tests.api.workloads.asking import container, create, delete, unused, workload
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.project import Project
    from tests.gateway import Gateway

LIST = "/pods/"
NAMESPACE = "chapters"


@pytest.fixture(scope="module")
def name(project: Project) -> Iterator[str]:
    """A Deployment with three running pods."""
    made = f"pods-{unused()}"
    sent = workload(
        made,
        replicas=3,
        labels={"stem": made},
        containers=[container(), container("init", type="init", commands={"cmd": ["true"]})],
    )
    create(project.member, sent)
    eventually(lambda: len(rows(project, name=made, status="Running")) == 3)
    yield made
    delete(project.member, (made, "Deployment"))


def rows(project: Project, **query: Any) -> list[PodRow]:
    return told(project.reader.get(LIST, params=query), list[PodRow])


def test_a_list_is_a_root_array_of_pods(gateway: Gateway, project: Project, name: str) -> None:
    found = rows(project, name=name)
    assert len(found) == 3
    there = {
        item["metadata"]["name"]: item
        for item in gateway.kubectl_json("-n", NAMESPACE, "get", "pods", "-l", f"stem={name}")["items"]
    }
    for row in found:
        whole = there[row.name]
        assert row.pod_ip == whole["status"]["podIP"]
        assert row.host_ip == whole["status"]["hostIP"]
        assert row.node_name == whole["spec"]["nodeName"]
        assert row.creation_time == whole["metadata"]["creationTimestamp"]
        assert row.labels["stem"] == name
        assert [image.image for image in row.images] == ["nginx", "nginx"]
        assert (row.status, row.restart_count, row.ready) == ("Running", "0", True)


def test_a_list_is_paged_sorted_and_filtered(project: Project, name: str) -> None:
    names = sorted(row.name for row in rows(project, name=name))
    assert [row.name for row in rows(project, name=name, sort_by="name")] == names
    assert [row.name for row in rows(project, name=name, sort_by="name", order="desc")] == names[::-1]
    assert [row.name for row in rows(project, name=name, sort_by="name", page=2, page_size=2)] == names[2:]
    assert {row.name for row in rows(project, label_selector=f"stem={name}")} == set(names)
    assert rows(project, label_selector=f"stem!={name},stem={name}") == []
    assert rows(project, name=name, status="Failed") == []
    nodes = [row.node_name or "" for row in rows(project, name=name, sort_by="node")]
    assert nodes == sorted(nodes)
    answer = project.reader.get(LIST, params={"name": name, "page": 1, "page_size": 1})
    assert (len(answer.json()), answer.headers["X-Total-Count"]) == (1, "3")
    for query, field in (
        ("page=0", "page"),
        ("page_size=501", "page_size"),
        ("sort_by=mood", "sort_by"),
        ("label_selector=(", "label_selector"),
    ):
        refused(project.reader.get(f"{LIST}?{query}"), 400, field=field)


def test_a_pod_shows_its_containers_conditions_and_events(project: Project, name: str) -> None:
    row = rows(project, name=name)[0]
    detail = told(project.reader.get(f"/pods/pod/{row.name}/"), PodDetail)
    assert detail.pod.name == row.name
    assert [(one.name, one.type) for one in detail.pod.containers] == [("main", "worker"), ("init", "init")]
    assert detail.pod.containers[0].container_statuses == "Running"
    assert detail.pod.restart_policy == "Always"
    assert (detail.pod.pod_status.status, detail.pod.pod_status.pod_ip) == ("Running", row.pod_ip)
    assert {"Ready", "PodScheduled"} <= {one.type for one in detail.conditions if one.status == "True"}
    assert {"Scheduled", "Started"} <= {event.reason for event in detail.events}


POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: chapters}}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: {image}
    command: {command}
    ports: [{{containerPort: 80}}]
    envFrom: [{{configMapRef: {{name: none, optional: true}}}}]
    volumeMounts: [{{name: all, mountPath: /all}}]
  volumes:
  - name: all
    projected:
      sources: [{{downwardAPI: {{items: [{{path: name, fieldRef: {{fieldPath: metadata.name}}}}]}}}}]
"""


@pytest.mark.parametrize(
    ("image", "command", "status"),
    [
        ("busybox:1", '["sh", "-c", "exit 3"]', "Failed"),
        ("busybox:1", '["sh", "-c", "exit 0"]', "Succeed"),
        ("registry.invalid/no/such:1", '["sleep", "1"]', "Pending"),
    ],
)
def test_a_pod_that_kubectl_made_says_how_it_went(
    gateway: Gateway, project: Project, image: str, command: str, status: str
) -> None:
    name = unused()
    gateway.kubectl("apply", "-f", "-", stdin=POD.format(name=name, image=image, command=command))
    eventually(lambda: [row.status for row in rows(project, name=name)] == [status])
    detail = told(project.reader.get(f"/pods/pod/{name}/"), PodDetail)
    assert detail.pod.pod_status.status == status
    assert [volume.type for volume in detail.pod.volumes if volume.name == "all"] == ["Other"]
    gateway.kubectl("-n", NAMESPACE, "delete", "pod", name, "--now", "--wait=false")


def test_who_may_see_what(gateway: Gateway, project: Project, name: str) -> None:
    pod = rows(project, name=name)[0].name
    path = f"/pods/pod/{pod}/"
    for where in (LIST, path):
        refused(gateway.client().get(where), 401)
    other = gateway.client("other")
    assert name not in other.get(LIST).text
    refused(other.get(path), 404)
    for where in (LIST, path):
        message = refused(other.get(where, headers={"X-Ecns-Namespace": NAMESPACE}), 404)
        assert message == f"namespace '{NAMESPACE}' is not there"
    for missing in ("nothing", "No", "a" * 300, "%2e%2e"):
        answer = project.reader.get(f"/pods/pod/{missing}/")
        refused(answer, 404 if missing in {"nothing", "No"} else 400)
