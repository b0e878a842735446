"""What people do with kubectl all day, and what is refused with a word that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.embedded.kubernetes.clients.conftest import Kubectl


def test_set_changes_what_it_says(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=nginx:1.27", "--port=80")
    kubectl("expose", "deploy/web", "--port=80", "--type=NodePort")
    kubectl("create", "serviceaccount", "robot")
    kubectl("set", "image", "deploy/web", "nginx=nginx:1.28")
    kubectl("set", "env", "deploy/web", "A=B")
    kubectl("set", "resources", "deploy/web", "--limits=cpu=100m,memory=64Mi")
    kubectl("set", "serviceaccount", "deploy/web", "robot")
    kubectl("set", "selector", "service/web", "x=y")
    spec = kubectl.json("get", "deploy/web")["spec"]["template"]["spec"]
    container = spec["containers"][0]
    assert (container["image"], container["env"]) == ("nginx:1.28", [{"name": "A", "value": "B"}])
    assert container["resources"] == {"limits": {"cpu": "100m", "memory": "64Mi"}}
    assert spec["serviceAccountName"] == "robot"
    assert kubectl.json("get", "service/web")["spec"]["selector"] == {"x": "y"}
    kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    assert "Scaled up replica set" in kubectl("events", "--for=deploy/web")


def test_replace_by_force_makes_another(kubectl: Kubectl) -> None:
    kubectl("run", "p", "--image=nginx:1.27")
    before = kubectl.json("get", "pod/p")["metadata"]["uid"]
    manifest = kubectl("get", "pod/p", "-o", "yaml")
    kubectl("replace", "--force", "-f", "-", stdin=manifest)
    assert kubectl.json("get", "pod/p")["metadata"]["uid"] != before


def test_debugging(kubectl: Kubectl) -> None:
    kubectl("run", "p", "--image=nginx:1.27")
    kubectl("wait", "--for=condition=Ready", "pod/p", "--timeout=20s")
    kubectl("debug", "p", "--image=busybox:1.35", "--container=look", "--", "true")
    shown = kubectl.json("get", "pod/p")
    assert [item["name"] for item in shown["spec"]["ephemeralContainers"]] == ["look"]
    kubectl("debug", "p", "--image=busybox:1.35", "--copy-to=q", "--container=c2", "--", "sleep", "60")
    kubectl("wait", "--for=condition=Ready", "pod/q", "--timeout=20s")
    told = kubectl("debug", "node/node-1", "--image=busybox:1.35", "--", "true")
    assert "Creating debugging pod node-debugger-node-1-" in told
    assert (
        kubectl("run", "once", "--image=busybox:1.35", "--restart=Never", "--", "true")
        == "pod/once created\n"
    )


def test_subresources_and_conditions_on_the_command_line(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=nginx:1.27", "--replicas=2")
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=2", "deploy/web", "--timeout=20s")
    kubectl("patch", "deploy/web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":1}}')
    assert kubectl.json("get", "deploy/web", "--subresource=scale")["spec"]["replicas"] == 1
    assert "Expected replicas to be 7" in kubectl.fails(
        "scale", "--replicas=3", "--current-replicas=7", "deploy/web"
    )
    kubectl("delete", "deploy/web", "--cascade=orphan")
    assert kubectl.json("get", "rs", "-l", "app=web")["items"][0]["spec"]["replicas"] == 1


def test_what_is_not_there_says_so(kubectl: Kubectl) -> None:
    assert "Metrics API not available" in kubectl.fails("top", "pods")
    assert "doesn't have a resource type" in kubectl.fails("certificate", "approve", "x")
    assert "doesn't have a resource type" in kubectl.fails("get", "apiservices")
    assert "system:masters" in kubectl("auth", "whoami")
    assert kubectl("get", "--raw", "/livez") == "ok"
