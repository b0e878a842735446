"""kubectl's generators: most of them send protobuf."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.embedded.kubernetes.clients.conftest import Kubectl

# command → what the object holds then
GENERATED = [
    ("create configmap c --from-literal=a=b", {"data": {"a": "b"}}),
    ("create secret generic c --from-literal=a=b", {"type": "Opaque", "data": {"a": "Yg=="}}),
    (
        "create secret docker-registry c --docker-server=r --docker-username=u --docker-password=p",
        {"type": "kubernetes.io/dockerconfigjson"},
    ),
    ("create serviceaccount c", {}),
    ("create quota c --hard=pods=3,limits.cpu=2", {"spec": {"hard": {"pods": "3", "limits.cpu": "2"}}}),
    (
        "create role c --verb=get,list --resource=pods,deployments.apps",
        {
            "rules": [
                {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]},
                {"verbs": ["get", "list"], "apiGroups": ["apps"], "resources": ["deployments"]},
            ]
        },
    ),
    (
        "create rolebinding c --clusterrole=view --user=jane --serviceaccount=default:default",
        {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"},
                {"kind": "ServiceAccount", "name": "default", "namespace": "default"},
            ],
        },
    ),
    ("create deployment c --image=nginx --replicas=0 --port=80", {"spec": {"replicas": 0}}),
    ("create job c --image=busybox -- sh -c true", {"spec": {"backoffLimit": 6, "completions": 1}}),
    (
        "create cronjob c --image=busybox --schedule='0 3 * * *' -- true",
        {"spec": {"schedule": "0 3 * * *", "concurrencyPolicy": "Allow"}},
    ),
    (
        "create ingress c --class=nginx --rule=a.example.com/path*=svc:80,tls=cert",
        {"spec": {"ingressClassName": "nginx", "tls": [{"hosts": ["a.example.com"], "secretName": "cert"}]}},
    ),
    (
        "create poddisruptionbudget c --selector=app=x --min-available=50%",
        {"spec": {"minAvailable": "50%", "selector": {"matchLabels": {"app": "x"}}}},
    ),
    ("create service clusterip c --tcp=80:8080", {"spec": {"type": "ClusterIP"}}),
    ("create service nodeport c --tcp=80:8080", {"spec": {"type": "NodePort"}}),
    ("create service loadbalancer c --tcp=80:8080", {"spec": {"type": "LoadBalancer"}}),
    (
        "create service externalname c --external-name=db.example.com",
        {"spec": {"type": "ExternalName", "externalName": "db.example.com"}},
    ),
    ("run c --image=nginx --env=A=B --labels=x=y --restart=Never", {"metadata": {"labels": {"x": "y"}}}),
]


def holds(found: Any, expected: Any) -> bool:
    """Whether an object has all that is expected of it; objects within may have more."""
    if isinstance(expected, dict):
        return all(key in found and holds(found[key], value) for key, value in expected.items())
    return bool(found == expected)


@pytest.mark.parametrize(
    ("command", "expected"), GENERATED, ids=[item[0].split(" -")[0] for item in GENERATED]
)
def test_generators(kubectl: Kubectl, command: str, expected: dict[str, Any]) -> None:
    made = kubectl.json(*shlex.split(command))
    assert made["metadata"]["name"] == "c"
    assert made["metadata"]["uid"]
    assert holds(made, expected), made


def test_cluster_wide_generators(kubectl: Kubectl) -> None:
    name = kubectl.namespace
    kubectl("create", "clusterrole", name, "--verb=get", "--resource=nodes")
    kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", "--group=devs")
    kubectl("create", "priorityclass", name, "--value=7", "--description=x")
    assert kubectl.json("get", "priorityclass", name)["value"] == 7
    for kind in ("clusterrole", "clusterrolebinding", "priorityclass"):
        kubectl("delete", kind, name)


def test_a_job_from_a_cronjob_carries_its_whole_template(kubectl: Kubectl) -> None:
    kubectl("create", "cronjob", "c", "--image=busybox", "--schedule=0 0 1 1 *", "--", "sleep", "1")
    patch = (
        '{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"volumes":[{"name":"v","emptyDir":{"sizeLimit":"1Mi"}}],'
        '"tolerations":[{"key":"k","operator":"Exists"}],"containers":[{"name":"c","env":[{"name":"N","valueFrom":'
        '{"fieldRef":{"fieldPath":"metadata.name"}}}],"livenessProbe":{"exec":{"command":["true"]}},'
        '"volumeMounts":[{"name":"v","mountPath":"/v"}],"resources":{"limits":{"cpu":"1500m"}}}]}}}}}}'
    )
    kubectl("patch", "cronjob", "c", "-p", patch)
    template = kubectl.json("get", "cronjob", "c")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    job = kubectl.json("create", "job", "j", "--from=cronjob/c")
    assert job["spec"]["template"]["spec"] == template
    assert job["metadata"]["ownerReferences"][0]["kind"] == "CronJob"


def test_a_token_of_a_service_account_works(kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "robot")
    token = kubectl("create", "token", "robot", "--duration=15m").strip()
    config = Path(kubectl.kubeconfig)
    mine = config.with_name("robot")
    lines = config.read_text().splitlines()
    mine.write_text("\n".join(f"    token: {token}" if "token:" in line else line for line in lines))
    refused = kubectl.fails("get", "pods", f"--kubeconfig={mine}")
    assert f"system:serviceaccount:{kubectl.namespace}:robot" in refused


def test_expose_and_autoscale_follow_what_they_are_made_for(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=nginx", "--port=80")
    service = kubectl.json("expose", "deployment", "web", "--target-port=8080")
    assert service["spec"]["selector"] == {"app": "web"}
    assert service["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 8080}]
    scaler = kubectl.json("autoscale", "deployment", "web", "--min=1", "--max=3", "--cpu=80%")
    assert scaler["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    assert scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 80


def test_what_is_there_already_is_said(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "c")
    assert 'configmaps "c" already exists' in kubectl.fails("create", "configmap", "c")
