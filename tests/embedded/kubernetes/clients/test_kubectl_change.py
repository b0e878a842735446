"""apply of both kinds, diff, edit, patch, label, annotate, scale, set, replace, delete, wait."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.embedded.kubernetes.clients.conftest import Kubectl

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"tier": "front"}},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {"name": "web", "image": "nginx:1", "ports": [{"containerPort": 80}]},
                    {"name": "side", "image": "busybox:1", "env": [{"name": "A", "value": "1"}]},
                ]
            },
        },
    },
}
CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "spec": {
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"},
                },
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "description": "What is wanted.",
                                "required": ["size"],
                                "properties": {
                                    "size": {"type": "integer", "minimum": 1, "description": "How big."},
                                    "color": {"type": "string", "default": "red"},
                                },
                            },
                            "status": {"type": "object", "properties": {"size": {"type": "integer"}}},
                        },
                    }
                },
            }
        ],
    },
}


def changed(**spec: Any) -> dict[str, Any]:
    manifest = copy.deepcopy(DEPLOYMENT)
    manifest["spec"].update(spec)
    return manifest


def containers(kubectl: Kubectl) -> dict[str, Any]:
    found = kubectl.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item for item in found}


def test_client_side_apply_merges_three_ways(kubectl: Kubectl) -> None:
    assert kubectl.apply(DEPLOYMENT) == "deployment.apps/web created\n"
    assert kubectl.apply(DEPLOYMENT) == "deployment.apps/web unchanged\n"
    kubectl("set", "env", "deployment/web", "-c", "side", "B=2")
    kubectl("annotate", "deployment", "web", "note=mine")
    manifest = copy.deepcopy(DEPLOYMENT)
    del manifest["metadata"]["labels"]
    manifest["spec"]["template"]["spec"]["containers"][1]["env"] = []
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:2"
    assert kubectl.apply(manifest) == "deployment.apps/web configured\n"
    found = kubectl.json("get", "deployment", "web")
    assert "labels" not in found["metadata"]
    assert found["metadata"]["annotations"]["note"] == "mine"
    assert containers(kubectl)["side"]["env"] == [{"name": "B", "value": "2"}]
    assert containers(kubectl)["web"]["image"] == "nginx:2"
    assert "nginx:2" in kubectl("apply", "view-last-applied", "deployment", "web")


def test_server_side_apply_knows_owners(kubectl: Kubectl) -> None:
    assert "serverside-applied" in kubectl.apply(DEPLOYMENT, "--server-side")
    other = changed(replicas=3)
    refused = kubectl.run(
        "apply", "--server-side", "--field-manager=other", "-f", "-", stdin=json.dumps(other)
    ).stderr
    assert 'conflict with "kubectl": .spec.replicas' in refused
    kubectl.apply(other, "--server-side", "--field-manager=other", "--force-conflicts")
    found = kubectl.json("get", "deployment", "web", "--show-managed-fields")
    assert found["spec"]["replicas"] == 3
    managers = {item["manager"]: item["operation"] for item in found["metadata"]["managedFields"]}
    assert managers["other"] == "Apply"
    less = copy.deepcopy(DEPLOYMENT)
    del less["metadata"]["labels"]
    del less["spec"]["replicas"]
    kubectl.apply(less, "--server-side")
    found = kubectl.json("get", "deployment", "web")
    assert found["spec"]["replicas"] == 3
    assert found["metadata"]["labels"] == {"tier": "front"}


def test_diff_shows_what_an_apply_would_do(kubectl: Kubectl) -> None:
    kubectl.apply(DEPLOYMENT)
    assert kubectl("diff", "-f", "-", stdin=json.dumps(DEPLOYMENT)) == ""
    for more in ([], ["--server-side", "--force-conflicts"]):
        shown = kubectl.run("diff", *more, "-f", "-", stdin=json.dumps(changed(replicas=5)))
        assert shown.returncode == 1, shown.stderr
        assert "-  replicas: 1" in shown.stdout
        assert "+  replicas: 5" in shown.stdout
    assert kubectl.json("get", "deployment", "web")["spec"]["replicas"] == 1


def test_unknown_fields_are_refused_unless_told_otherwise(kubectl: Kubectl) -> None:
    wrong = changed(replica=2)
    assert 'unknown field "spec.replica"' in kubectl.fails("apply", "-f", "-", stdin=json.dumps(wrong))
    warned = kubectl.run("apply", "--validate=warn", "-f", "-", stdin=json.dumps(wrong))
    assert warned.returncode == 0
    assert 'Warning: unknown field "spec.replica"' in warned.stderr
    assert kubectl("apply", "--validate=false", "-f", "-", stdin=json.dumps(wrong)).startswith("deployment")


def test_a_dry_run_keeps_nothing(kubectl: Kubectl) -> None:
    assert kubectl.apply(DEPLOYMENT, "--dry-run=server") == "deployment.apps/web created (server dry run)\n"
    assert "not found" in kubectl.fails("get", "deployment", "web")


def test_patches(kubectl: Kubectl) -> None:
    kubectl.apply(DEPLOYMENT)
    kubectl(
        "patch",
        "deployment",
        "web",
        "-p",
        '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"b:2"}]}}}}',
    )
    assert {name: item["image"] for name, item in containers(kubectl).items()} == {
        "web": "nginx:1",
        "side": "b:2",
    }
    kubectl(
        "patch", "deployment", "web", "--type=merge", "-p", '{"metadata":{"labels":{"tier":null,"x":"y"}}}'
    )
    assert kubectl.json("get", "deployment", "web")["metadata"]["labels"] == {"x": "y"}
    kubectl(
        "patch",
        "deployment",
        "web",
        "--type=json",
        "-p",
        '[{"op":"replace","path":"/spec/replicas","value":0}]',
    )
    kubectl(
        "patch", "deployment", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":2}}'
    )
    assert kubectl.json("get", "deployment", "web")["spec"]["replicas"] == 2


def test_edit_sends_what_the_editor_left(kubectl: Kubectl) -> None:
    kubectl.apply(DEPLOYMENT)
    assert (
        kubectl("edit", "deployment", "web", EDITOR="sed -i s/nginx:1/nginx:9/")
        == "deployment.apps/web edited\n"
    )
    assert containers(kubectl)["web"]["image"] == "nginx:9"
    assert "Edit cancelled, no changes made" in kubectl.run("edit", "deployment", "web", EDITOR="true").stderr


def test_labels_annotations_scale_and_set(kubectl: Kubectl) -> None:
    kubectl.apply(DEPLOYMENT)
    kubectl("label", "deployment", "web", "a=b", "tier-")
    kubectl("annotate", "deployment", "web", "n=m")
    assert "'a' already has a value (b)" in kubectl.fails("label", "deployment", "web", "a=c")
    kubectl("scale", "deployment", "web", "--current-replicas=1", "--replicas=4")
    assert "Expected replicas to be 1, was 4" in kubectl.fails(
        "scale", "deployment", "web", "--current-replicas=1", "--replicas=2"
    )
    kubectl("set", "image", "deployment/web", "web=nginx:3")
    kubectl("set", "resources", "deployment", "web", "-c=web", "--limits=cpu=200m,memory=512Mi")
    kubectl("set", "serviceaccount", "deployment", "web", "default")
    found = kubectl.json("get", "deployment", "web")
    assert found["metadata"]["labels"] == {"a": "b"}
    assert found["metadata"]["annotations"]["n"] == "m"
    assert found["spec"]["replicas"] == 4
    assert found["spec"]["template"]["spec"]["serviceAccountName"] == "default"
    assert containers(kubectl)["web"]["resources"] == {"limits": {"cpu": "200m", "memory": "512Mi"}}


def test_replace_refuses_an_old_object(kubectl: Kubectl) -> None:
    kubectl.apply(DEPLOYMENT)
    old = kubectl.json("get", "deployment", "web")
    kubectl("annotate", "deployment", "web", "n=m")
    refused = kubectl.fails("replace", "-f", "-", stdin=json.dumps(old))
    assert "the object has been modified; please apply your changes to the latest version" in refused
    assert kubectl("replace", "-f", "-", stdin=json.dumps(DEPLOYMENT)) == "deployment.apps/web replaced\n"


def test_delete_and_wait(kubectl: Kubectl) -> None:
    for name in ("a", "b", "c"):
        kubectl("create", "configmap", name)
    kubectl("label", "configmap", "a", "b", "x=y")
    assert kubectl("delete", "configmap", "-l", "x=y").count("deleted") == 2
    assert kubectl("delete", "configmap", "a", "--ignore-not-found") == ""
    assert kubectl("wait", "--for=create", "configmap/c", "--timeout=5s") == "configmap/c condition met\n"
    kubectl("patch", "configmap", "c", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    kubectl("delete", "configmap", "c", "--wait=false")
    assert "timed out" in kubectl.fails("wait", "--for=delete", "configmap/c", "--timeout=1s")
    kubectl("patch", "configmap", "c", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    kubectl("wait", "--for=delete", "configmap/c", "--timeout=5s")
    kubectl("delete", "configmap", "--all")


def test_prune_removes_what_left_the_set(kubectl: Kubectl) -> None:
    def maps(*names: str) -> str:
        made = [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": n, "labels": {"set": "s"}}}
            for n in names
        ]
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": made})

    kubectl("apply", "-f", "-", "-l", "set=s", stdin=maps("a", "b"))
    allowed = ("--prune", "--prune-allowlist=core/v1/ConfigMap")
    pruned = kubectl("apply", "-f", "-", "-l", "set=s", *allowed, stdin=maps("b"))
    assert "configmap/a pruned" in pruned
    assert "configmap/b unchanged" in pruned


def test_custom_resources(kubectl: Kubectl) -> None:
    plural = f"things{kubectl.namespace.partition('-')[0]}"
    kind = plural.capitalize()
    crd = copy.deepcopy(CRD)
    crd["metadata"] = {"name": f"{plural}.example.com"}
    crd["spec"] |= {"group": "example.com", "names": {"plural": plural, "kind": kind, "shortNames": ["th"]}}
    kubectl.apply(crd)
    kubectl("wait", "--for=condition=Established", f"crd/{plural}.example.com", "--timeout=5s")
    try:
        thing = {"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": "t"}, "spec": {"size": 2}}
        assert kubectl.apply(thing) == f"{kind.lower()}.example.com/t created\n"
        assert kubectl("get", plural).split() == ["NAME", "SIZE", "t", "2"]
        assert kubectl.json("get", plural, "t")["spec"] == {"size": 2, "color": "red"}
        thing["spec"]["size"] = 3
        assert kubectl.apply(thing) == f"{kind.lower()}.example.com/t configured\n"
        assert "How big." in kubectl("explain", f"{plural}.spec.size")
        kubectl("scale", plural, "t", "--replicas=5")
        assert kubectl.json("get", plural, "t")["spec"]["size"] == 5
        thing["spec"]["size"] = 0
        refused = kubectl.fails("apply", "-f", "-", stdin=json.dumps(thing))
        assert (
            "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1" in refused
        )
        thing["spec"]["sizes"] = 1
        assert 'unknown field "spec.sizes"' in kubectl.fails("apply", "-f", "-", stdin=json.dumps(thing))
        kubectl("patch", plural, "t", "--subresource=status", "--type=merge", "-p", '{"status":{"size":5}}')
        assert kubectl.json("get", plural, "t")["status"] == {"size": 5}
    finally:
        kubectl("delete", "crd", f"{plural}.example.com")
    gone = kubectl.fails("get", plural)  # kubectl may remember what it discovered
    assert "could not find the requested resource" in gone or "doesn't have a resource type" in gone
