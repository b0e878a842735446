"""Workloads that kubectl made, with all that ECNS has no word for: seen, changed, and nothing lost."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.batches import Batch
from ecns.api.workloads import types
from tests.api.answers import told
from tests.api.workloads.asking import KINDS, Json, changed, delete, listed, one, revisions, shown, unused
from tests.gateway import eventually

if TYPE_CHECKING:
    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "chapters"
OF_KIND: dict[str, Json] = {
    "Deployment": {"replicas": 2, "revisionHistoryLimit": 7, "progressDeadlineSeconds": 77},
    "StatefulSet": {
        "replicas": 2,
        "serviceName": "elsewhere",
        "ordinals": {"start": 3},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
    },
    "DaemonSet": {"revisionHistoryLimit": 4},
}
MAIN: Json = {
    "name": "main",
    "image": "nginx:1.27",
    "envFrom": [{"configMapRef": {"name": "settings", "optional": True}, "prefix": "P_"}],
    "env": [
        {"name": "PLAIN", "value": "x"},
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "CORES", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
    ],
    "ports": [{"name": "web", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}],
    "resources": {
        "requests": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "1Gi"},
        "limits": {"cpu": "500m", "memory": "128Mi"},
    },
    "volumeMounts": [
        {"name": "token", "mountPath": "/token", "readOnly": True},
        {"name": "e", "mountPath": "/e"},
    ],
    "livenessProbe": {
        "httpGet": {"path": "/h", "port": "web", "httpHeaders": [{"name": "X-A", "value": "b"}]},
        "periodSeconds": 11,
    },
    "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "seLinuxOptions": {"level": "s0:c1"},
        "capabilities": {"add": ["NET_ADMIN"], "drop": ["all"]},
    },
    "terminationMessagePolicy": "FallbackToLogsOnError",
    "workingDir": "/work",
    "stdin": True,
}
POD: Json = {
    "priorityClassName": "system-cluster-critical",
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app": "x"}},
        }
    ],
    "automountServiceAccountToken": False,
    "enableServiceLinks": False,
    "shareProcessNamespace": True,
    "terminationGracePeriodSeconds": 1,
    "tolerations": [{"key": "special", "operator": "Exists"}],
    "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
    "securityContext": {"fsGroup": 2000, "seccompProfile": {"type": "RuntimeDefault"}},
    "initContainers": [{"name": "prepare", "image": "busybox:1", "command": ["sh", "-c", "true"]}],
    "containers": [MAIN, {"name": "side", "image": f"busybox@sha256:{'a' * 64}", "args": ["sleep", "1"]}],
    "volumes": [
        {
            "name": "token",
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}},
                    {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                ]
            },
        },
        {"name": "e", "emptyDir": {"medium": "Memory", "sizeLimit": "10Mi"}},
    ],
    "affinity": {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 3,
                    "preference": {
                        "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]
                    },
                }
            ]
        }
    },
}


class Foreign:
    """A workload of kubectl's; `spec` is what Kubernetes has of it now."""

    def __init__(self, gateway: Gateway, kind: str) -> None:
        self.gateway = gateway
        self.kind = kind
        self.name = unused()
        app = {"app": self.name}
        annotations = {"prometheus.io/scrape": "true"}
        template = {"metadata": {"labels": {**app, "zone": "a"}, "annotations": annotations}, "spec": POD}
        manifest = {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": self.name, "labels": app, "annotations": {"team": "core"}},
            "spec": {**OF_KIND[kind], "selector": {"matchLabels": app}, "template": template},
        }
        gateway.kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=json.dumps(manifest))

    def spec(self) -> Json:
        whole = self.gateway.kubectl_json("-n", NAMESPACE, "get", self.kind, self.name)
        assert whole["metadata"]["annotations"]["team"] == "core"
        spec: Json = whole["spec"]
        return spec


@pytest.fixture(params=KINDS)
def foreign(gateway: Gateway, project: Project, request: pytest.FixtureRequest) -> Any:
    """One of each type."""
    made = Foreign(gateway, request.param)
    eventually(lambda: project.reader.get(one(made.name)).status_code == 200)
    yield made
    delete(project.member, (made.name, made.kind), delete_service=True)


def test_it_is_listed_and_shown(project: Project, foreign: Foreign) -> None:
    row = eventually(lambda: listed(project.reader).get(foreign.name))
    workload = shown(project.reader, foreign.name).workload
    for found in (row, workload):
        assert found.workload_base.type == foreign.kind
        assert [(each.name, each.type) for each in found.containers] == [
            ("main", "worker"),
            ("side", "worker"),
            ("prepare", "init"),
        ]
        assert found.containers[1].image.image_version == f"sha256:{'a' * 64}"
    assert workload.volumes is not None
    assert {volume.name: volume.type for volume in workload.volumes} == {
        "token": "Other",
        "e": "EmptyDir",
    }


def test_what_was_shown_can_be_sent_back_and_changes_nothing(project: Project, foreign: Foreign) -> None:
    before = foreign.spec()
    sent = project.reader.get(one(foreign.name)).json()["workload"]
    for action, field in (
        ("containers", "containers"),
        ("scheduler_strategy", "scheduler_strategy"),
        ("network", "network"),
        ("labels", "labels"),
        ("update_strategy", "update_strategy"),
    ):
        changed(project.member, foreign.name, action, {field: sent[field]})
    changed(project.member, foreign.name, "access_modes", {"access_modes": sent["access_mode"]})
    assert foreign.spec() == before


def test_each_aspect_changes_alone(project: Project, foreign: Foreign) -> None:
    client, name = project.member, foreign.name
    expected = copy.deepcopy(foreign.spec())
    pod = expected["template"]["spec"]

    def change(action: str, **sent: Any) -> None:
        changed(client, name, action, sent)
        assert foreign.spec() == expected, action

    sent = client.get(one(name, "containers")).json()["containers"]
    sent[0]["image"]["image_version"] = "1.28"
    sent[0]["env"].append({"name": "NEW", "key": "v"})
    pod["containers"][0]["image"] = "nginx:1.28"
    pod["containers"][0]["env"].append({"name": "NEW", "value": "v"})
    change("containers", containers=sent)

    if foreign.kind != "DaemonSet":
        expected["replicas"] = 3
        change("scale", replicas=3)

    expected["template"]["metadata"]["labels"]["tier"] = "front"
    change("labels", labels={"app": name, "tier": "front"})
    del expected["template"]["metadata"]["labels"]["tier"]
    change("labels", labels={})

    pod["dnsPolicy"] = "Default"
    pod["hostAliases"] = [{"ip": "10.1.1.1", "hostnames": ["a"]}]
    change(
        "network", network={"dns_policy": "Default", "host_aliases": [{"ip": "10.1.1.1", "hostnames": "a"}]}
    )
    pod["dnsPolicy"] = "ClusterFirst"
    del pod["hostAliases"]
    change("network", network=None)

    rule = {"expression": [{"key": "kubernetes.io/os", "values": "linux"}]}
    strategy = {"type": "nodeSelector", "node_selector": {"required": [rule]}}
    shown_strategy = client.get(one(name, "scheduler_strategy")).json()["scheduler_strategy"]
    pod["nodeSelector"] = {"kubernetes.io/os": "linux"}
    change("scheduler_strategy", scheduler_strategy=[*shown_strategy, strategy])
    del pod["nodeSelector"]
    change("scheduler_strategy", scheduler_strategy=shown_strategy)

    expected["minReadySeconds"] = 3
    change("update_strategy", update_strategy={"period": 3})

    change(
        "access_modes", access_modes=[{"type": "ClusterIP", "access": [{"port": 80, "target_port": 8080}]}]
    )
    access = told(client.get(one(name, "access")), types.AccessAnswer).access_mod
    assert [mode.type for mode in access] == ["ClusterIP"]


def test_it_is_stopped_started_recreated_and_rolled_back(project: Project, foreign: Foreign) -> None:
    client, name = project.member, foreign.name
    before = foreign.spec()
    for action in ("stop", "stop", "start", "start"):
        told(client.put(one(name), params={"action": action}), types.OneWorkload)
    assert foreign.spec() == before
    first = eventually(lambda: revisions(client, name))[-1].version
    told(client.put(one(name), params={"action": "recreate"}), types.OneWorkload)
    annotations = foreign.spec()["template"]["metadata"]["annotations"]
    assert set(annotations) == {"prometheus.io/scrape", "kubectl.kubernetes.io/restartedAt"}
    eventually(lambda: revisions(client, name)[0].version > first)
    changed(client, name, "rollback", {"target_version": first})
    assert foreign.spec() == before


def test_it_is_deleted(gateway: Gateway, project: Project, foreign: Foreign) -> None:
    assert told(delete(project.member, (foreign.name, foreign.kind)), Batch[None]).failed == []
    assert "NotFound" in gateway.kubectl("-n", NAMESPACE, "get", foreign.kind, foreign.name, ok=False)
    assert foreign.name not in listed(project.member)
