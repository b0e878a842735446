"""The rows of recorded tables, from the same objects made here."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.embedded.kubernetes.conformance.test_lifecycles import ready, until
from tests.embedded.kubernetes.recorded import exchanges

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client, Reply

CORE, PLACE = "/api/v1", "/namespaces/default"
MATCH = {"matchLabels": {"app": "web"}}
SLEEP = ["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]
RECORDED = [item for item in exchanges("watch.jsonl", "tables") if item.values[0]]
# Tables of what a cluster has of its own, or of times alone.
LEFT_OUT = {
    "nodes",
    "namespaces",
    "events",
    "controllerrevisions",
    "customresourcedefinitions",
    "limitranges",
    "roles",
}


def template(app: str, command: list[str] | None = None, **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "busybox:1.35", "command": command or SLEEP}
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container], **spec}}


def service(**spec: Any) -> dict[str, Any]:
    return {"spec": {"ports": [{"port": 80}], **spec}}


NEED = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
WIDGETS = {
    "group": "example.com",
    "scope": "Namespaced",
    "names": {"plural": "tablewidgets", "kind": "TableWidget"},
    "versions": [
        {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            "additionalPrinterColumns": [
                {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "description": "how big"},
                {"name": "When", "type": "date", "jsonPath": ".spec.when", "priority": 1},
                {"name": "None", "type": "string", "jsonPath": ".spec.nosuch"},
            ],
        }
    ],
}
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
RULE = {"host": "a.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]}}
# (path, name, object) in the order in which they are made
SCENE: list[tuple[str, str, dict[str, Any]]] = [
    (f"{CORE}{PLACE}/configmaps", "conf", {"data": {"a": "1", "b": "2"}}),
    (f"{CORE}{PLACE}/secrets", "sec", {"data": {"a": "MQ=="}}),
    (f"{CORE}{PLACE}/services", "web", service(selector={"app": "web"})),
    (f"{CORE}{PLACE}/services", "lb", service(selector={"app": "web"}, type="LoadBalancer")),
    (f"{CORE}{PLACE}/services", "headless", service(clusterIP="None")),
    (f"{CORE}{PLACE}/services", "ext", {"spec": {"type": "ExternalName", "externalName": "db.example.com"}}),
    (
        f"{CORE}{PLACE}/services",
        "node",
        service(
            type="NodePort",
            selector={"app": "web"},
            ports=[{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}],
        ),
    ),
    (
        f"/apis/apps/v1{PLACE}/deployments",
        "web",
        {"spec": {"replicas": 2, "selector": MATCH, "template": template("web")}},
    ),
    (
        f"/apis/apps/v1{PLACE}/statefulsets",
        "db",
        {
            "spec": {
                "serviceName": "db",
                "selector": {"matchLabels": {"app": "db"}},
                "template": template("db"),
            }
        },
    ),
    (
        f"/apis/apps/v1{PLACE}/daemonsets",
        "ds",
        {
            "spec": {
                "selector": {"matchLabels": {"app": "ds"}},
                "template": template("ds", nodeSelector={"kubernetes.io/os": "linux"}),
            }
        },
    ),
    (
        f"/apis/batch/v1{PLACE}/jobs",
        "ok",
        {"spec": {"completions": 2, "template": template("ok", ["true"], restartPolicy="Never")}},
    ),
    (
        f"/apis/batch/v1{PLACE}/cronjobs",
        "cj",
        {
            "spec": {
                "schedule": "0 3 * * *",
                "suspend": True,
                "jobTemplate": {"spec": {"template": template("cj", ["true"], restartPolicy="Never")}},
            }
        },
    ),
    (f"{CORE}{PLACE}/pods", "pending", {"spec": template("p", nodeSelector={"no": "such"})["spec"]}),
    (f"{CORE}{PLACE}/pods", "failed", {"spec": template("f", ["false"], restartPolicy="Never")["spec"]}),
    (f"{CORE}{PLACE}/persistentvolumeclaims", "claim", {"spec": {**NEED, "storageClassName": "tables"}}),
    (
        f"/apis/networking.k8s.io/v1{PLACE}/ingresses",
        "ing",
        {"spec": {"ingressClassName": "nginx", "rules": [RULE]}},
    ),
    (f"/apis/networking.k8s.io/v1{PLACE}/networkpolicies", "np", {"spec": {"podSelector": MATCH}}),
    (f"/apis/policy/v1{PLACE}/poddisruptionbudgets", "pdb", {"spec": {"minAvailable": 1, "selector": MATCH}}),
    (
        f"/apis/autoscaling/v2{PLACE}/horizontalpodautoscalers",
        "hpa",
        {"spec": {"scaleTargetRef": TARGET, "minReplicas": 2, "maxReplicas": 3, "metrics": [CPU]}},
    ),
    (
        f"/apis/rbac.authorization.k8s.io/v1{PLACE}/rolebindings",
        "rb",
        {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "role"},
            "subjects": [
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"},
                {"kind": "ServiceAccount", "name": "default", "namespace": "tables"},
            ],
        },
    ),
    (
        f"{CORE}/persistentvolumes",
        "tables-pv",
        {
            "spec": {
                "capacity": {"storage": "2Gi"},
                "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
                "storageClassName": "tables-other",
                "hostPath": {"path": "/x"},
            }
        },
    ),
    (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "tablewidgets.example.com",
        {"spec": WIDGETS},
    ),
    (f"{CORE}{PLACE}/resourcequotas", "quota", {"spec": {"hard": {"pods": "50", "count/secrets": "5"}}}),
]


def plain(cell: Any) -> Any:
    """A cell without what differs from run to run."""
    if not isinstance(cell, str):
        return cell
    cell = re.sub(r"^(\d+[smhdy])+$", "<age>", cell)
    cell = re.sub(r"\b10\.\d+\.\d+\.\d+", "<ip>", cell)
    cell = re.sub(r"\b3[0-2]\d{3}\b", "<port>", cell)
    cell = re.sub(r"controller-uid=[0-9a-f-]+", "controller-uid=<uid>", cell)
    cell = re.sub(r"pod-template-hash=\w+", "pod-template-hash=<hash>", cell)
    cell = re.sub(
        r"^(web|ok|ds|lb|node)(-[a-z0-9]{8,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}$", r"\1-<generated>", cell
    )
    return re.sub(r"^(web)-[a-z0-9]{8,10}$", r"\1-<hash>", re.sub(r"^(real|hollow|node)-\d$", "<node>", cell))


def rows(table: dict[str, Any]) -> list[list[Any]]:
    """Sorted; without the cluster's own Service, ports ordered by hash, and what a scaler has seen so far."""
    found = [[plain(cell) for cell in row["cells"]] for row in table["rows"]]
    for row in found:
        row[:] = ["<ports>" if "more..." in str(cell) else cell for cell in row]
        if row[0] == "hpa":
            row[5] = "<seen>"
    return sorted((row for row in found if row[0] != "kubernetes"), key=str)


async def make(api: Client) -> None:
    await ready(api)
    for path, name, obj in SCENE:
        made = await api.post(path, {"metadata": {"name": name}, **obj})
        assert made.status == 201, made.text
    await until(api, "/apis/example.com/v1/tablewidgets", lambda reply: reply.status == 200)
    widget = {"spec": {"size": 3, "when": "2026-01-01T00:00:00Z"}}
    body = {"apiVersion": "example.com/v1", "kind": "TableWidget", "metadata": {"name": "w"}, **widget}
    assert (await api.post(f"/apis/example.com/v1{PLACE}/tablewidgets", body)).status == 201

    def settled(reply: Reply) -> bool:
        phases = [item["status"]["phase"] for item in reply.json["items"]]
        return sorted(phases) == ["Failed", "Pending", *["Running"] * 6, *["Succeeded"] * 2]

    await until(api, f"{CORE}{PLACE}/pods", settled)
    quota = f"{CORE}{PLACE}/resourcequotas/quota"
    await until(api, quota, lambda reply: reply.json["status"].get("used", {}).get("pods") == "7")
    budget = f"/apis/policy/v1{PLACE}/poddisruptionbudgets/pdb"
    await until(api, budget, lambda reply: reply.json["status"].get("disruptionsAllowed") == 1)


@pytest.mark.skipif(not RECORDED, reason="no recordings beside the repository")
async def test_rows_are_as_recorded(kubernetes: Client) -> None:
    await make(kubernetes)
    different = {}
    for exchange in (item.values[0] for item in RECORDED):
        path, query = exchange["request"]["path"], exchange["request"]["query"]
        expected = exchange["response"]["body"]
        if expected["kind"] != "Table" or "limit" in query or path.split("/")[-1] in LEFT_OUT:
            continue
        headers = exchange["request"]["headers"]
        path = path.replace("/tables/", "/default/")
        async with asyncio.timeout(5):
            while True:
                reply = await kubernetes.call("GET", path, query=query, headers=headers)
                ours, theirs = rows(reply.json), rows(expected)
                if path.endswith(("persistentvolumes", "storageclasses")):
                    ours = [row for row in ours if row[0].startswith("tables")]
                    theirs = [row for row in theirs if row[0] == "tables-pv"]
                if ours == theirs or reply.status != 200 or "jobs" not in path:
                    break
                await asyncio.sleep(0.02)
        if ours != theirs:
            different[exchange["id"]] = (ours, theirs)
    assert different == {}
