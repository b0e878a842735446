"""What needs controllers, a scheduler and kubelets: rollouts, logs, exec, cp, drain, quotas, events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.embedded.kubernetes.clients.conftest import Kubectl

SAMPLES = Path(__file__).parents[5] / "shared" / "samples"


def pods(kubectl: Kubectl, *arguments: str) -> list[str]:
    return kubectl("get", "pods", "-o", "name", *arguments).split()


def deploy(kubectl: Kubectl, replicas: int = 2) -> None:
    kubectl("create", "deployment", "web", "--image=nginx:1", f"--replicas={replicas}")
    kubectl("rollout", "status", "deployment", "web", "--timeout=20s")


def test_a_rollout_and_its_way_back(kubectl: Kubectl) -> None:
    deploy(kubectl)
    kubectl("annotate", "deployment", "web", "kubernetes.io/change-cause=first")
    kubectl("set", "image", "deployment/web", "nginx=nginx:2")
    kubectl("annotate", "deployment", "web", "kubernetes.io/change-cause=second")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    history = [line.split() for line in kubectl("rollout", "history", "deployment/web").splitlines()]
    assert ["1", "first"] in history
    assert ["2", "second"] in history
    assert "nginx:1" in kubectl("rollout", "history", "deployment/web", "--revision=1")
    assert kubectl("rollout", "undo", "deployment/web") == "deployment.apps/web rolled back\n"
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    image = kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
    assert image == "nginx:1"
    kubectl("rollout", "undo", "deployment/web", "--to-revision=2")
    before = kubectl("get", "replicasets", "-o", "name").split()
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert len(kubectl("get", "replicasets", "-o", "name").split()) == len(before) + 1


def test_a_paused_rollout_waits(kubectl: Kubectl) -> None:
    deploy(kubectl)
    kubectl("rollout", "pause", "deployment/web")
    kubectl("set", "image", "deployment/web", "nginx=nginx:2")
    shown = kubectl.run("rollout", "status", "deployment/web", "--timeout=1s")
    assert "out of 2 new replicas have been updated" in shown.stdout + shown.stderr
    assert "already paused" in kubectl.fails("rollout", "pause", "deployment/web")
    kubectl("rollout", "resume", "deployment/web")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=20s")


def test_daemon_and_stateful_sets_roll_out(kubectl: Kubectl) -> None:
    template = {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": "c", "image": "nginx:1"}]},
    }
    for kind, more in (("DaemonSet", {}), ("StatefulSet", {"serviceName": "x", "replicas": 2})):
        spec = {"selector": {"matchLabels": {"app": "x"}}, "template": template, **more}
        name = kind.lower()
        kubectl.apply({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
        kubectl("rollout", "status", f"{name}/{name}", "--timeout=20s")
        kubectl("set", "image", f"{name}/{name}", "c=nginx:2")
        kubectl("rollout", "status", f"{name}/{name}", "--timeout=20s")
        history = kubectl("rollout", "history", f"{name}/{name}")
        assert history.count("<none>") == 2
        kubectl("rollout", "undo", f"{name}/{name}")
        kubectl("rollout", "status", f"{name}/{name}", "--timeout=20s")
        kubectl("delete", name, name)


def test_scaling_and_waiting(kubectl: Kubectl) -> None:
    deploy(kubectl)
    kubectl("scale", "deployment/web", "--replicas=4")
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=4", "deployment/web", "--timeout=20s")
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=5s")
    kubectl("wait", "--for=condition=Ready", "pod", "-l", "app=web", "--timeout=20s")
    assert len(pods(kubectl)) == 4
    kubectl("scale", "deployment/web", "--replicas=0")
    kubectl("wait", "--for=delete", "pod", "-l", "app=web", "--timeout=20s")


def test_a_job_runs_to_its_end(kubectl: Kubectl) -> None:
    kubectl("create", "job", "j", "--image=busybox:1.35", "--", "sh", "-c", "echo done")
    kubectl("wait", "--for=condition=Complete", "job/j", "--timeout=20s")
    assert kubectl("get", "job", "j", "--no-headers").split()[1:3] == ["Complete", "1/1"]
    assert kubectl("get", "pods", "--no-headers").split()[1:3] == ["0/1", "Completed"]
    assert kubectl("logs", "job/j") == "done\n"


def test_logs_exec_and_cp(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("run", "p", "--image=busybox:1.35", "--", "sh", "-c", "echo hello; sleep 3600")
    kubectl("wait", "--for=condition=Ready", "pod/p", "--timeout=20s")
    assert kubectl("logs", "p") == "hello\n"
    assert kubectl("logs", "p", "--timestamps", "--tail=1").split()[-1] == "hello"
    assert kubectl("exec", "p", "--", "echo", "a b") == "a b\n"
    assert kubectl("exec", "-i", "p", "--", "cat", stdin="typed") == "typed"
    failed = kubectl.run("exec", "p", "--", "sh", "-c", "exit 3")
    assert failed.returncode == 3
    assert "command terminated with exit code 3" in failed.stderr
    source = tmp_path / "a.txt"
    source.write_text("content")
    kubectl("cp", str(source), "p:/home/a.txt")
    assert kubectl("exec", "p", "--", "cat", "/home/a.txt") == "content"
    kubectl("cp", "p:/home/a.txt", str(tmp_path / "b.txt"))
    assert (tmp_path / "b.txt").read_text() == "content"
    assert "container nosuch is not valid for pod p" in kubectl.fails("logs", "p", "-c", "nosuch")


def test_describe_tells_the_story_of_a_pod(kubectl: Kubectl) -> None:
    kubectl("run", "p", "--image=busybox:1.35", "--", "sleep", "3600")
    kubectl("wait", "--for=condition=Ready", "pod/p", "--timeout=20s")
    shown = kubectl("describe", "pod", "p")
    for word in ("Scheduled", "Pulled", "Created", "Started", "Status:           Running", "QoS Class:"):
        assert word in shown
    assert "Scheduled" in kubectl("events", "--for=pod/p")
    assert "pod/p" in kubectl("get", "events", "--field-selector=involvedObject.name=p")


def test_cordon_drain_and_uncordon(kubectl: Kubectl) -> None:
    deploy(kubectl, replicas=3)
    node = kubectl("get", "pods", "-o", "jsonpath={.items[0].spec.nodeName}")
    try:
        assert kubectl("cordon", node) == f"node/{node} cordoned\n"
        assert "SchedulingDisabled" in kubectl("get", "node", node)
        drained = kubectl(
            *("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=30s"),
            "--pod-selector=app=web",
        )
        assert f"node/{node} drained" in drained
        kubectl("rollout", "status", "deployment", "web", "--timeout=20s")
        assert node not in kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}")
    finally:
        kubectl("uncordon", node)


def test_taints(kubectl: Kubectl) -> None:
    node = kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    assert kubectl("taint", "node", node, "k=v:NoSchedule") == f"node/{node} tainted\n"
    assert "k=v:NoSchedule" in kubectl("describe", "node", node)
    kubectl("taint", "node", node, "k-")


def test_deleting_an_owner_takes_its_dependants(kubectl: Kubectl) -> None:
    deploy(kubectl)
    kubectl("delete", "deployment", "web", "--cascade=orphan")
    assert kubectl("get", "replicasets", "-o", "name").count("web") == 1
    kubectl("delete", "replicasets", "--all")
    kubectl("wait", "--for=delete", "pod", "-l", "app=web", "--timeout=20s")
    deploy(kubectl)
    kubectl("delete", "deployment", "web", "--cascade=foreground", "--timeout=20s")
    assert pods(kubectl) == []


def test_a_namespace_goes_with_all_in_it(kubectl: Kubectl) -> None:
    name = f"{kubectl.namespace}-x"
    kubectl("create", "namespace", name)
    kubectl("create", "deployment", "web", "--image=nginx", "-n", name)
    kubectl("delete", "namespace", name, "--timeout=30s")
    assert "not found" in kubectl.fails("get", "namespace", name)


def test_a_quota_stops_what_is_too_much(kubectl: Kubectl) -> None:
    kubectl("create", "quota", "q", "--hard=configmaps=2")
    kubectl("wait", "--for=jsonpath={.status.hard.configmaps}=2", "quota/q", "--timeout=20s")
    kubectl("create", "configmap", "a")
    refused = kubectl.fails("create", "configmap", "b")
    assert "exceeded quota: q, requested: configmaps=1, used: configmaps=2, limited: configmaps=2" in refused


@pytest.mark.parametrize("name", ["guestbook", "cassandra-statefulset", "online-boutique"])
def test_manifests_that_projects_publish(kubectl: Kubectl, name: str) -> None:
    path = SAMPLES / f"{name}.yaml"
    if not path.exists():
        pytest.skip(f"no samples at {SAMPLES}")
    objects = [item for item in yaml.safe_load_all(path.read_text()) if item]
    for way in ([], ["--server-side", "--force-conflicts"]):
        applied = kubectl("apply", *way, "-f", str(path)).splitlines()
        assert len(applied) == len(objects)
    kubectl("apply", "-f", str(path))  # the server writes kubectl's annotation in other words
    again = kubectl("apply", "-f", str(path)).splitlines()
    # Claim templates are an atomic list whose defaults kubectl does not know.
    assert {line.split()[-1] for line in again if not line.startswith("statefulset")} == {"unchanged"}
    assert kubectl("diff", "-f", str(path)) == ""
    # An init container of the samples asks the network, which containers do not have here.
    waited = [
        f"deployment/{item['metadata']['name']}"
        for item in objects
        if item["kind"] == "Deployment" and "initContainers" not in item["spec"]["template"]["spec"]
    ]
    if waited:
        kubectl("wait", "--for=condition=Available", "--timeout=30s", *waited)
    listed = json.loads(kubectl("get", "-f", str(path), "-o", "json"))
    assert len(listed.get("items", [listed])) == len(objects)
    kubectl("delete", "-f", str(path), "--wait=false")
