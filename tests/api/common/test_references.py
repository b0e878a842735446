"""Who uses what: the fields that name something, and who counts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecns.api.common.references import Reference, User, references, templated, user, users
from ecns.backends.kubernetes.kinds import BY_NAME
from ecns.backends.kubernetes.kinds.apps import StatefulSet
from ecns.backends.kubernetes.kinds.meta import Resource
from tests.api.workloads.recorded import recorded, samples

SPEC = {
    "imagePullSecrets": [{"name": "pull"}],
    "containers": [
        {
            "name": "c",
            "env": [
                {"name": "A", "value": "plain"},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "cm-env", "key": "k"}}},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s-env", "key": "k"}}},
                {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
            "envFrom": [
                {"configMapRef": {"name": "cm-all"}},
                {"prefix": "X", "secretRef": {"name": "s-all"}},
            ],
        }
    ],
    "initContainers": [{"name": "i", "envFrom": [{"configMapRef": {"name": "cm-init"}}]}],
    "volumes": [
        {"name": "v1", "configMap": {"name": "cm-volume"}},
        {"name": "v2", "secret": {"secretName": "s-volume"}},
        {"name": "v3", "persistentVolumeClaim": {"claimName": "claim"}},
        {
            "name": "v4",
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"path": "token"}},
                    {"configMap": {"name": "cm-projected"}},
                    {"secret": {"name": "s-projected"}},
                ]
            },
        },
        {"name": "v5", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "s-csi"}}},
        {"name": "v6", "azureFile": {"secretName": "s-azure", "shareName": "x"}},
        {"name": "v7", "iscsi": {"secretRef": {"name": "s-iscsi"}}},
        {"name": "v8", "emptyDir": {}},
        {"name": "v9", "projected": {"sources": None}},
    ],
}
ALL = {
    *(Reference("ConfigMap", f"cm-{name}") for name in ("env", "all", "init", "volume", "projected")),
    *(Reference("Secret", f"s-{name}") for name in ("env", "all", "volume", "projected", "csi", "azure")),
    Reference("Secret", "s-iscsi"),
    Reference("Secret", "pull"),
    Reference("PersistentVolumeClaim", "claim"),
}
PLAIN = {
    "Pod": SPEC,
    **{
        kind: {"template": {"spec": SPEC}}
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
    },
    "Job": {"template": {"spec": SPEC}},
    "CronJob": {"jobTemplate": {"spec": {"template": {"spec": SPEC}}}},
}


def made(kind: str, spec: Any = None, name: str = "x", status: Any = None, **metadata: Any) -> Resource:
    whole = {"metadata": {"name": name, "namespace": "n", **metadata}, "spec": spec or PLAIN[kind]}
    found: Resource = msgspec.convert(whole | ({"status": status} if status else {}), BY_NAME[kind].type)
    return found


def owned(kind: str, name: str = "owner") -> list[dict[str, Any]]:
    return [{"apiVersion": "v1", "kind": kind, "name": name, "uid": "u", "controller": True}]


@pytest.mark.parametrize("kind", sorted(PLAIN))
def test_all_that_a_pod_template_names(kind: str) -> None:
    assert references(made(kind)) == ALL
    assert user(made(kind)) == User(kind, "x")


def test_an_ingress_names_the_secrets_of_its_certificates() -> None:
    tls = [{"hosts": ["a"], "secretName": "cert"}, {"hosts": ["b"]}]
    assert references(made("Ingress", {"tls": tls})) == {Reference("Secret", "cert")}
    assert references(made("Service", {"type": "ClusterIP"})) == set()


def test_an_account_names_the_secrets_that_its_pods_pull_images_with() -> None:
    account = {"metadata": {"name": "default"}, "imagePullSecrets": [{"name": "pull"}, {}], "secrets": [{}]}
    found = msgspec.convert(account, BY_NAME["ServiceAccount"].type)
    assert users([found]) == {Reference("Secret", "pull"): {User("ServiceAccount", "default")}}


@pytest.mark.parametrize(
    "obj",
    [
        made("Deployment", deletionTimestamp="2026-01-01T00:00:00Z"),
        made("ReplicaSet", {"replicas": 0, **PLAIN["ReplicaSet"]}, ownerReferences=owned("Deployment")),
        made("Job", status={"conditions": [{"type": "Complete", "status": "True"}]}),
        made("Job", status={"conditions": [{"type": "Failed", "status": "True"}]}),
        made("Pod", status={"phase": "Succeeded"}),
        made("Pod", status={"phase": "Failed"}),
        made("Pod", status={"phase": "Running"}, ownerReferences=owned("ReplicaSet")),
    ],
)
def test_what_is_over_uses_nothing(obj: Resource) -> None:
    assert user(obj) is None
    assert users([obj]) == {}


@pytest.mark.parametrize(
    ("obj", "who"),
    [
        (made("Deployment", {"replicas": 0, **PLAIN["Deployment"]}), User("Deployment", "x")),
        (
            made("ReplicaSet", {"replicas": 1, **PLAIN["ReplicaSet"]}, ownerReferences=owned("Deployment")),
            User("Deployment", "owner"),
        ),
        (made("ReplicaSet", ownerReferences=owned("Rollout")), User("ReplicaSet", "x")),
        (made("Job", status={"conditions": [{"type": "Suspended", "status": "True"}]}), User("Job", "x")),
        (made("Job", ownerReferences=owned("CronJob")), User("Job", "x")),
        (made("Pod", ownerReferences=owned("CloneSet")), User("Pod", "x")),
        (made("Pod", ownerReferences=owned("Node")), User("Pod", "x")),
    ],
)
def test_who_uses_what_it_names(obj: Resource, who: User) -> None:
    assert users([obj])[Reference("ConfigMap", "cm-env")] == {who}


def test_the_claims_of_a_stateful_set() -> None:
    templates = [{"metadata": {"name": "data"}}]
    several = made(
        "StatefulSet", {"replicas": 2, "volumeClaimTemplates": templates, "template": {"spec": {}}}
    )
    assert isinstance(several, StatefulSet)
    assert [name for number in range(4) if templated(several, name := f"data-x-{number}")] == [
        "data-x-0",
        "data-x-1",
    ]
    for other in ("data-x", "data-x-", "data-x--1", "data-x-²", "log-x-0", "data-y-0", "x", ""):
        assert not templated(several, other)


def test_real_objects_name_things_that_have_names() -> None:
    objects = [*recorded(*PLAIN, "Ingress"), *(one for one in samples() if one["kind"] in PLAIN)]
    found = [references(msgspec.convert(one, BY_NAME[one["kind"]].type)) for one in objects]
    assert len(found) > 100
    assert any(found)
    assert all(one.name for several in found for one in several)
