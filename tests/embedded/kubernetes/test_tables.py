from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.embedded.kubernetes.recorded import exchanges

from ecns.embedded.kubernetes.errors import Object
from ecns.embedded.kubernetes.printers.common import duration, selector
from ecns.embedded.kubernetes.resources import Resource, Resources
from ecns.embedded.kubernetes.tables import table

NOW = datetime(2026, 11, 23, 10, 0, 7, tzinfo=UTC)
CREATED = "2026-11-23T10:00:00Z"


def meta(name: str, **more: Any) -> Object:
    return {"name": name, "namespace": "ns", "creationTimestamp": CREATED, **more}


def row(resource: str, obj: Object) -> list[Any]:
    """The cells of one object, checked to be as many as the columns."""
    found = table(Resources()[resource], [obj], {}, now=NOW, include="None")
    cells: list[Any] = found["rows"][0]["cells"]
    assert len(cells) == len(found["columnDefinitions"])
    return cells


def pod(**status: Any) -> Object:
    containers = [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]
    return {"metadata": meta("p"), "spec": {"containers": containers}, "status": status}


def container(name: str, state: Object, **more: Any) -> Object:
    return {"name": name, "ready": "running" in state, "restartCount": 0, "state": state, **more}


TEMPLATE = {"spec": {"containers": [{"name": "c", "image": "busybox:1.35"}]}}
JOB = {"spec": {"template": TEMPLATE}}
WIDGETS = Resource(
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
    columns={
        "v1": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "description": "how big"},
            {"name": "When", "type": "date", "jsonPath": ".spec.when", "priority": 1},
            {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
            {"name": "Parts", "type": "string", "jsonPath": ".spec.parts"},
            {"name": "None", "type": "string", "jsonPath": ".spec.nosuch"},
        ]
    },
)


@pytest.mark.parametrize("exchange", exchanges("watch.jsonl", "tables"))
def test_columns_are_as_recorded(exchange: dict[str, Any]) -> None:
    body, path = exchange["response"]["body"], exchange["request"]["path"].split("/")
    if body["kind"] != "Table" or "example.com" in path:
        return
    group = path[2] if path[1] == "apis" else ""
    plural = "pods" if "pods" in path else path[-1]
    resource = Resources().by_path(group, path[3] if group else "v1", plural)
    assert resource is not None
    assert table(resource, [], {}, now=NOW)["columnDefinitions"] == body["columnDefinitions"]


@pytest.mark.parametrize(
    ("status", "cells"),
    [
        ({"phase": "Pending"}, ["0/2", "Pending", "0"]),
        (
            {
                "phase": "Running",
                "containerStatuses": [
                    container("a", {"running": {}}),
                    container("b", {"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=3)
                    | {"lastState": {"terminated": {"finishedAt": "2026-11-23T09:58:00Z"}}},
                ],
            },
            ["1/2", "CrashLoopBackOff", "3 (2m7s ago)"],
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [container("i", {"terminated": {"exitCode": 3}}, restartCount=1)],
            },
            ["0/2", "Init:ExitCode:3", "1"],
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [container("a", {"terminated": {"exitCode": 1, "reason": "Error"}})],
            },
            ["0/2", "Error", "0"],
        ),
        ({"phase": "Failed", "reason": "Evicted"}, ["0/2", "Evicted", "0"]),
    ],
)
def test_the_status_of_a_pod(status: Object, cells: list[Any]) -> None:
    assert row("pods", pod(**status))[1:4] == cells


def test_a_pod_that_is_being_deleted() -> None:
    obj = pod(phase="Running")
    obj["metadata"]["deletionTimestamp"] = CREATED
    assert row("pods", obj)[2] == "Terminating"


def test_an_ended_pod_has_a_condition() -> None:
    found = table(Resources()["pods"], [pod(phase="Succeeded")], {}, now=NOW)
    assert found["rows"][0]["conditions"][0]["reason"] == "Succeeded"
    assert found["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


@pytest.mark.parametrize(
    ("resource", "obj", "cells"),
    [
        (
            "deployments.apps",
            {
                "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE},
                "status": {"readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2},
            },
            ["n", "2/2", 2, 2, "7s", "c", "busybox:1.35", "app=web"],
        ),
        (
            "cronjobs.batch",
            {
                "spec": {
                    "schedule": "0 3 * * *",
                    "suspend": True,
                    "jobTemplate": {"spec": {"template": TEMPLATE}},
                }
            },
            ["n", "0 3 * * *", "<none>", "True", 0, "<none>", "7s", "c", "busybox:1.35", "<none>"],
        ),
        (
            "services",
            {
                "spec": {
                    "type": "LoadBalancer",
                    "clusterIP": "10.96.153.178",
                    "clusterIPs": ["10.96.153.178"],
                    "ports": [{"port": 80, "nodePort": 30552, "protocol": "TCP"}],
                    "selector": {"app": "web"},
                }
            },
            ["n", "LoadBalancer", "10.96.153.178", "<pending>", "80:30552/TCP", "7s", "app=web"],
        ),
        (
            "services",
            {"spec": {"type": "ExternalName", "externalName": "db.example.com"}},
            ["n", "ExternalName", "<none>", "db.example.com", "<none>", "7s", "<none>"],
        ),
        (
            "endpoints",
            {
                "subsets": [
                    {
                        "addresses": [{"ip": "10.245.0.18"}, {"ip": "10.245.0.20"}],
                        "ports": [{"port": 53}, {"port": 80}],
                    }
                ]
            },
            ["n", "10.245.0.18:53,10.245.0.20:53,10.245.0.18:80 + 1 more...", "7s"],
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            {
                "spec": {
                    "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                    "minReplicas": 2,
                    "maxReplicas": 3,
                    "metrics": [
                        {
                            "type": "Resource",
                            "resource": {
                                "name": "cpu",
                                "target": {"type": "Utilization", "averageUtilization": 80},
                            },
                        }
                    ],
                }
            },
            ["n", "Deployment/web", "cpu: <unknown>/80%", "2", 3, 0, "7s"],
        ),
        (
            "resourcequotas",
            {"status": {"hard": {"pods": "50", "limits.cpu": "2"}, "used": {"pods": "7", "limits.cpu": "0"}}},
            ["n", "pods: 7/50", "limits.cpu: 0/2", "7s"],
        ),
        (
            "persistentvolumes",
            {
                "spec": {
                    "capacity": {"storage": "2Gi"},
                    "accessModes": ["ReadOnlyMany", "ReadWriteOnce"],
                    "persistentVolumeReclaimPolicy": "Retain",
                    "storageClassName": "other",
                    "volumeMode": "Filesystem",
                },
                "status": {"phase": "Available"},
            },
            ["n", "2Gi", "RWO,ROX", "Retain", "Available", "", "other", "<unset>", "", "7s", "Filesystem"],
        ),
        (
            "rolebindings.rbac.authorization.k8s.io",
            {
                "roleRef": {"kind": "Role", "name": "role"},
                "subjects": [
                    {"kind": "User", "name": "jane"},
                    {"kind": "ServiceAccount", "namespace": "ns", "name": "default"},
                ],
            },
            ["n", "Role/role", "7s", "jane", "", "ns/default"],
        ),
        (
            "ingresses.networking.k8s.io",
            {"spec": {"ingressClassName": "nginx", "rules": [{"host": "a.example.com"}], "tls": [{}]}},
            ["n", "nginx", "a.example.com", "", "80, 443", "7s"],
        ),
        ("leases.coordination.k8s.io", {"spec": {"holderIdentity": "me"}}, ["n", "me", "7s"]),
        ("limitranges", {}, ["n", CREATED]),
    ],
)
def test_the_cells_of_kinds(resource: str, obj: Object, cells: list[Any]) -> None:
    assert row(resource, {"metadata": meta("n"), **obj}) == cells


def test_custom_resources_show_what_their_paths_find() -> None:
    widget = {
        "metadata": meta("w"),
        "spec": {"size": 3, "when": "2026-11-23T09:59:00Z", "parts": {"b": [1], "a": True}},
        "status": {"conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]},
    }
    found = table(WIDGETS, [widget], {"resourceVersion": "4"}, now=NOW, version="v1")
    assert found["rows"][0]["cells"] == ["w", 3, "67s", "True", "map[a:true b:[1]]", None]
    assert found["columnDefinitions"][2] == {
        "name": "When",
        "type": "date",
        "format": "",
        "description": "Custom resource definition column (in JSONPath format): .spec.when",
        "priority": 1,
    }


def test_later_events_of_a_watch_have_no_columns() -> None:
    assert table(WIDGETS, [], {}, now=NOW, headers=False)["columnDefinitions"] is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (158, "2m38s"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (5 * 3600 + 60, "5h1m"),
        (47 * 3600, "47h"),
        (50 * 3600, "2d2h"),
        (326 * 86400, "326d"),
        (800 * 86400, "2y70d"),
        (4000 * 86400, "10y"),
    ],
)
def test_ages(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


def test_selectors_are_shown_in_order() -> None:
    found = {
        "matchLabels": {"b": "1"},
        "matchExpressions": [
            {"key": "a", "operator": "NotIn", "values": ["y", "x"]},
            {"key": "c", "operator": "DoesNotExist"},
        ],
    }
    assert selector(found) == "a notin (x,y),b=1,!c"
