"""get in its shapes, describe, explain, discovery and questions about access."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.embedded.kubernetes.clients.conftest import Kubectl


def test_get_in_every_shape(kubectl: Kubectl) -> None:
    for name in ("a", "b", "c"):
        kubectl("create", "configmap", name, "--from-literal=k=v")
    kubectl("label", "configmap", "a", "x=y")
    listed = kubectl("get", "configmaps", "--no-headers", "-l", "x=y").split()
    assert listed[:2] == ["a", "1"]
    assert kubectl("get", "cm", "a", "b", "-o", "name") == "configmap/a\nconfigmap/b\n"
    assert kubectl("get", "cm", "a", "-o", "jsonpath={.data.k}") == "v"
    assert kubectl("get", "cm", "a", "-o", "go-template={{.metadata.name}}") == "a"
    assert kubectl("get", "cm", "-l", "x", "-o", "custom-columns=N:.metadata.name") == "N\na\n"
    assert "kind: ConfigMap\n" in kubectl("get", "cm", "a", "-o", "yaml")
    assert kubectl("get", "cm", "--field-selector=metadata.name=b", "-o", "name") == "configmap/b\n"
    assert kubectl("get", "cm", "--show-labels", "-l", "x").split()[-1] == "x=y"
    assert kubectl("get", "cm", "-l", "x", "-L", "x").split()[-1] == "y"
    own = (
        "get",
        "cm",
        "--field-selector=metadata.name!=kube-root-ca.crt",
        "--sort-by=.metadata.name",
        "-o",
        "name",
    )
    assert kubectl(*own) == "configmap/a\nconfigmap/b\nconfigmap/c\n"
    assert kubectl(*own, "--chunk-size=1") == "configmap/a\nconfigmap/b\nconfigmap/c\n"
    assert 'configmaps "d" not found' in kubectl.fails("get", "cm", "d")
    assert kubectl("get", "cm", "d", "--ignore-not-found") == ""
    assert "default" in kubectl("get", "namespaces")
    assert kubectl.namespace in kubectl("get", "cm", "-A")


def test_get_with_a_watch_prints_changes(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "a")
    shown = kubectl.run("get", "cm", "a", "--watch", "--request-timeout=1s", "-o", "name")
    assert shown.stdout.startswith("configmap/a")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pods", "Pod is a collection of containers"),
        ("deployment.spec.strategy.rollingUpdate.maxSurge", "maxSurge <IntOrString>"),
        ("deployments.spec.replicas", "replicas <integer>"),
        ("hpa.spec.metrics", "metrics <[]MetricSpec>"),
        (
            "cronjob.spec.jobTemplate.spec.template.spec.containers.resources.limits",
            "limits <map[string]Quantity>",
        ),
        ("pod.spec.restartPolicy", "Restart policy for all containers within the pod."),
        ("ingress.spec.rules.http", "paths <[]HTTPIngressPath> -required-"),
        ("secret.data", "data <map[string]string>"),
        ("configmap.metadata.ownerReferences", "<[]OwnerReference>"),
    ],
)
def test_explain(kubectl: Kubectl, path: str, expected: str) -> None:
    assert expected in kubectl("explain", path).replace("\t", " ")


def test_explain_everything_below(kubectl: Kubectl) -> None:
    shown = kubectl("explain", "deployment", "--recursive")
    assert "readinessProbe" in shown
    assert "VERSION:    v1\n" in kubectl("explain", "hpa", "--api-version=autoscaling/v1")
    assert 'field "nosuch" does not exist' in kubectl.fails("explain", "pod.nosuch")


def test_discovery(kubectl: Kubectl) -> None:
    resources = {line.split()[0] for line in kubectl("api-resources", "--no-headers").splitlines()}
    assert {"pods", "deployments", "horizontalpodautoscalers", "customresourcedefinitions"} <= resources
    assert kubectl("api-resources", "--categories=all", "-o", "name").count("\n") > 8
    assert {"apps/v1", "v1", "batch/v1"} <= set(kubectl("api-versions").split())
    assert kubectl("get", "--raw", "/readyz") == "ok"
    assert kubectl("version", "-o", "json").count("v1.36.2") == 1
    assert "Kubernetes control plane" in kubectl("cluster-info")


def test_questions_about_access(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "delete", "pods") == "yes\n"
    assert "system:masters" in kubectl("auth", "whoami")
    kubectl("create", "role", "r", "--verb=get,list", "--resource=pods")
    kubectl("create", "rolebinding", "r", "--role=r", "--user=jane")
    jane = ("--as=jane", "--as-group=system:authenticated")
    assert kubectl("auth", "can-i", "list", "pods", *jane) == "yes\n"
    assert kubectl.run("auth", "can-i", "delete", "pods", *jane).stdout == "no\n"
    assert kubectl("get", "pods", *jane) == ""
    refused = kubectl.fails("get", "secrets", *jane)
    space = kubectl.namespace
    assert f'User "jane" cannot list resource "secrets" in API group "" in the namespace "{space}"' in refused
    rules = kubectl("auth", "can-i", "--list", *jane)
    assert ["pods", "[]", "[]", "[get", "list]"] in [line.split() for line in rules.splitlines()]


def test_what_is_not_there_is_refused_clearly(kubectl: Kubectl) -> None:
    assert "Metrics API not available" in kubectl.fails("top", "nodes")
    assert "the server doesn't have a resource type" in kubectl.fails("get", "nosuch")
    assert "the server could not find the requested resource" in kubectl.fails(
        "get", "--raw", "/apis/nosuch/v1"
    )


def test_describe(kubectl: Kubectl) -> None:
    kubectl("create", "secret", "generic", "s", "--from-literal=k=value")
    assert "k:  5 bytes" in kubectl("describe", "secret", "s")
    kubectl("create", "quota", "q", "--hard=pods=10")
    assert "Resource Quotas" in kubectl("describe", "namespace", kubectl.namespace)
    kubectl("create", "service", "clusterip", "web", "--tcp=80:8080")
    described = {
        line.partition(":")[0]: line.partition(":")[2].strip()
        for line in kubectl("describe", "service", "web").splitlines()
    }
    assert described["Type"] == "ClusterIP"
    assert described["IP"].startswith("10.")
    kubectl("create", "ingress", "i", "--rule=a.example.com/=web:80")
    assert "a.example.com" in kubectl("describe", "ingress", "i")
    kubectl("create", "role", "r", "--verb=get", "--resource=pods")
    assert "[get]" in kubectl("describe", "role", "r")
