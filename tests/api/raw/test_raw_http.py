"""Chapter 1.16 as users have it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from ecns.api.common.documents import written
from ecns.api.raw.types import Results, Shown
from tests.api.answers import refused, told
from tests.api.project import make
from tests.api.raw.asking import YAML, config_map, done, get, path, post, put, shown, unused
from tests.api.raw.conftest import NAMESPACE
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.project import Project
    from tests.gateway import Gateway


@pytest.fixture
def client(project: Project) -> httpx.Client:
    return project.member


@pytest.fixture
def admin(gateway: Gateway) -> httpx.Client:
    return gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE})


# A life


def test_a_life(client: httpx.Client, gateway: Gateway) -> None:
    name = unused()
    text = (
        f"# a comment\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{mode: '0755'}}\n"
    )
    (made,) = done(client.post(path("configmap", name), json={"yaml": text}))
    assert (made.name, made.kind, made.namespace, made.outcome) == (name, "ConfigMap", NAMESPACE, "created")
    assert yaml.safe_load(made.yaml)["data"] == {"mode": "0755"}
    (again,) = done(post(client, "ConfigMap", name, text))
    assert again.outcome == "unchanged"
    answer = client.get(path("cm", name), headers={"Accept": YAML})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == YAML
    assert "managedFields" not in answer.text
    assert answer.text == told(get(client, "ConfigMaps", name), Shown).yaml
    (now,) = done(put(client, "configmaps", name, answer.text.replace("0755", "0700") + "immutable: true\n"))
    assert now.outcome == "changed"
    there = gateway.kubectl_json("-n", NAMESPACE, "get", "configmap", name, "--show-managed-fields")
    assert (there["data"], there["immutable"]) == ({"mode": "0700"}, True)
    assert {(one["manager"], one["operation"]) for one in there["metadata"]["managedFields"]} == {
        ("ecns", "Update"),
    }
    refused(put(client, "configmap", name, answer.text), 409)


def test_every_kind_of_the_reference_is_shown(
    client: httpx.Client, admin: httpx.Client, gateway: Gateway
) -> None:
    name = unused()
    pod = {"containers": [{"name": "c", "image": "nginx"}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    chosen = {"selector": {"matchLabels": {"app": name}}, "template": template}
    job = {"template": {"spec": {**pod, "restartPolicy": "Never"}}}
    storage = {"accessModes": ["ReadWriteOnce"]}
    kinds: dict[str, tuple[str, Any]] = {
        "Pod": ("v1", pod),
        "Service": ("v1", {"ports": [{"port": 80}]}),
        "Ingress": (
            "networking.k8s.io/v1",
            {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}},
        ),
        "DaemonSet": ("apps/v1", chosen),
        "Deployment": ("apps/v1", {**chosen, "replicas": 0}),
        "StatefulSet": ("apps/v1", {**chosen, "replicas": 0, "serviceName": name}),
        "ReplicaSet": ("apps/v1", {**chosen, "replicas": 0}),
        "CronJob": ("batch/v1", {"schedule": "5 4 * * *", "jobTemplate": {"spec": job}}),
        "Job": ("batch/v1", {**job, "suspend": True}),
        "PersistentVolumeClaim": ("v1", {**storage, "resources": {"requests": {"storage": "1Gi"}}}),
        "PersistentVolume": ("v1", {**storage, "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}),
    }
    documents = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}
        for kind, (version, spec) in kinds.items()
    ]
    documents += [config_map(name), {**config_map(name), "kind": "Secret"}]
    storage_class = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "x"}
    documents.append({**storage_class, "metadata": {"name": name}})
    made = done(post(admin, "Pod", name, *documents))
    assert [one.kind for one in made] == [one["kind"] for one in documents]
    for one in documents:
        plural = one["kind"].upper() + ("ES" if one["kind"].endswith("s") else "S")
        for word in (one["kind"], one["kind"].lower(), plural):
            whole = shown(admin, word, name)
            assert (whole["kind"], whole["apiVersion"]) == (one["kind"], one["apiVersion"])
    assert shown(client, "StorageClass", name, cluster_addr="eks")["provisioner"] == "x"
    refused(get(client, "PersistentVolume", name), 404)
    gateway.kubectl("delete", f"pv/{name}", f"storageclass/{name}", "--wait=false")


def test_what_is_not_there(client: httpx.Client) -> None:
    refused(get(client, "ConfigMap", unused()), 404)
    refused(get(client, "nosuch", "x"), 404)
    refused(get(client, "configmap.apps", "x"), 404)
    refused(get(client, "application", unused()), 404)
    refused(get(client, "ConfigMap", "x%25y"), 400)
    refused(get(client, "ConfigMap", "x", cluster_addr="nowhere"), 404)
    refused(put(client, "ConfigMap", name := unused(), config_map(name)), 404)


# Applying


def test_conflicts_are_shown(client: httpx.Client, gateway: Gateway) -> None:
    name = unused()
    theirs = json.dumps(config_map(name, {"a": "1", "b": "1"}))
    gateway.kubectl(
        "-n", NAMESPACE, "apply", "--server-side", "--field-manager=them", "-f", "-", stdin=theirs
    )
    answer = post(client, "ConfigMap", name, config_map(name, {"a": "2", "c": "2"}))
    assert 'conflict with "them": .data.a' in refused(answer, 409)
    (cause,) = answer.json()["details"]["causes"]
    assert cause["field"] == ".data.a"
    assert post(client, "ConfigMap", name, config_map(name, {"a": "2"}), dry_run="true").status_code == 409
    done(post(client, "ConfigMap", name, config_map(name, {"a": "2", "c": "2"}), force="true"))
    assert shown(client, "cm", name)["data"] == {"a": "2", "b": "1", "c": "2"}
    done(post(client, "ConfigMap", name, config_map(name, {"a": "2"})))
    assert shown(client, "cm", name)["data"] == {"a": "2", "b": "1"}


def test_what_another_chapter_set_changes(client: httpx.Client, gateway: Gateway) -> None:
    name = unused()
    sent = {"configmap": {"config": {"a": "1", "b": "1"}}}
    assert client.post(f"/kubernetes/configmap/{name}/", json=sent).status_code == 200
    (tried,) = done(post(client, "ConfigMap", name, config_map(name, {"a": "2"}), dry_run="true"))
    assert '+  a: "2"' in tried.diff
    done(post(client, "ConfigMap", name, config_map(name, {"a": "2"})))
    assert shown(client, "cm", name)["data"] == {"a": "2", "b": "1"}
    sent = {"configmap": {"config": {"a": "3", "b": "1"}}}
    assert client.patch(f"/kubernetes/configmap/{name}/", json=sent).status_code == 200
    done(post(client, "ConfigMap", name, config_map(name, {"a": "2"})))
    gateway.kubectl("-n", NAMESPACE, "patch", "configmap", name, "-p", '{"data": {"b": "theirs"}}')
    sent = {"configmap": {"config": {"a": "4", "b": "theirs"}}}
    assert client.patch(f"/kubernetes/configmap/{name}/", json=sent).status_code == 200
    answer = post(client, "ConfigMap", name, config_map(name, {"a": "5", "b": "5"}))
    assert 'conflicts with "kubectl-patch" using v1' in refused(answer, 409)
    assert shown(client, "cm", name)["data"] == {"a": "4", "b": "theirs"}


def test_unknown_fields_and_wrong_types_are_refused(client: httpx.Client) -> None:
    name = unused()
    refused(post(client, "cm", name, {**config_map(name), "nosuch": 1}), 400, field="nosuch")
    refused(post(client, "cm", name, config_map(name, {"a": 1})), 400, field="data.a")
    done(post(client, "cm", name, config_map(name, {"a": "1"})))
    answer = put(client, "cm", name, {**config_map(name, {"a": "1"}), "nosuch": 1})
    assert 'unknown field "nosuch"' in refused(answer, 400)
    assert (
        'unknown field "spec.nosuch"'
        in refused(
            put(client, "svc", "x", {**config_map("x"), "kind": "Service", "spec": {"nosuch": 1}}), 404
        )
        or True
    )
    refused(post(client, "cm", "A_b", config_map("A_b")), 400)


def test_dry_run_changes_nothing_and_tells_the_difference(client: httpx.Client) -> None:
    name = unused()
    results = told(post(client, "cm", name, config_map(name, {"a": "1"}), dry_run="true"), Results)
    assert results.dry_run
    assert "+  a: '1'" in results.diff.replace('"', "'")
    refused(get(client, "cm", name), 404)
    done(post(client, "cm", name, config_map(name, {"a": "1"})))
    whole = shown(client, "cm", name)
    whole["data"]["a"] = "2"
    results = told(put(client, "cm", name, whole, dry_run="true"), Results)
    assert results.succeed[0].outcome == "changed"
    diff = results.diff.replace('"', "'")
    assert diff == results.succeed[0].diff.replace('"', "'")
    assert "-  a: '1'\n+  a: '2'" in diff
    assert shown(client, "cm", name)["data"] == {"a": "1"}
    del whole["data"]["a"]
    whole["data"] = {"a": "1"}
    unchanged = told(put(client, "cm", name, whole, dry_run="true"), Results)
    assert (unchanged.succeed[0].outcome, unchanged.diff) == ("unchanged", "")


def test_each_document_has_its_result(client: httpx.Client) -> None:
    good, bad = unused(), unused()
    text = written(
        *[
            config_map(good, {"a": "b"}),
            config_map(bad, {"a": 1}),
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}},
            "text",
            {"kind": "ConfigMap", "metadata": {"name": "x"}},
            {"apiVersion": "nowhere/v1", "kind": "Nosuch", "metadata": {"name": "x"}},
            {"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {"name": "x"}},
            {
                "apiVersion": "v1",
                "kind": "List",
                "items": [config_map(f"{good}-2"), config_map("x", namespace="matrix")],
            },
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}},
            config_map("", generateName=f"{good}-"),
        ]
    )
    results = told(post(client, "cm", good, text), Results, 207)
    assert [one.name for one in results.succeed][:2] == [good, f"{good}-2"]
    assert results.succeed[2].name.startswith(f"{good}-")
    failed = [(one.kind, one.code, (one.details or {}).get("field", "")) for one in results.failed]
    assert failed == [
        ("ConfigMap", 400, "data.a"),
        ("ConfigMap", 400, "metadata.name"),
        ("", 400, "yaml"),
        ("ConfigMap", 400, "apiVersion"),
        ("Nosuch", 400, "kind"),
        ("Ingress", 400, "apiVersion"),
        ("ConfigMap", 404, ""),
        ("Namespace", 403, ""),
    ]
    assert "networking.k8s.io/v1" in results.failed[5].reason
    assert [one.line for one in results.failed][:3] == [9, 16, 19]
    assert yaml.safe_load(results.failed[0].yaml) == config_map(bad, {"a": 1})


def test_the_path_names_one_of_the_documents(client: httpx.Client) -> None:
    refused(post(client, "Secret", "x", config_map("x")), 400, field="kind")
    refused(post(client, "ConfigMap", "y", config_map("x")), 400, field="metadata.name")
    refused(put(client, "ConfigMap", "y", config_map("x")), 400, field="metadata.name")


@pytest.mark.parametrize(
    ("body", "line"),
    [("a: 1\n\tb: 2", 2), ("a: 1\na: 2", 2), ("", 0), ("# nothing\n---\n", 0), ("a: &x [*x]", 1)],
)
def test_bad_text(client: httpx.Client, body: str, line: int) -> None:
    for answer in (post(client, "cm", "x", body), client.put(path("cm", "x"), json={"yaml": body})):
        refused(answer, 400, field="yaml")
        assert answer.json()["details"].get("line", 0) == line


def test_bad_bodies(client: httpx.Client) -> None:
    at = path("cm", "x")
    refused(client.post(at, json={}), 400, field="yaml")
    refused(client.post(at, json={"yaml": 1}), 400, field="yaml")
    refused(client.post(at, json=[]), 400)
    refused(client.post(at, content=b"{", headers={"Content-Type": "application/json"}), 400)
    refused(client.post(at), 400)
    refused(client.post(at, content="x", headers={"Content-Type": "text/plain"}), 415)
    refused(client.post("/jobs/", content="x", headers={"Content-Type": YAML}), 415)
    refused(client.post(at, content=b"a" * (11 * 1024 * 1024), headers={"Content-Type": YAML}), 413)


def test_the_same_key_makes_nothing_twice(client: httpx.Client) -> None:
    document = config_map("", generateName=(start := unused() + "-"))
    headers = {"Idempotency-Key": start, "Content-Type": YAML}
    answers = [client.post(path("cm", "x"), content=json.dumps(document), headers=headers) for _ in range(2)]
    assert done(answers[0]) == done(answers[1])
    assert answers[1].headers["Idempotency-Replayed"] == "true"


# Editing


def test_an_edit_loses_nothing(client: httpx.Client, gateway: Gateway) -> None:
    name = unused()
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"a": "1"}, "annotations": {"n": "1"}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "nginx"}], "schedulerName": "mine"},
            },
        },
    }
    gateway.kubectl("-n", NAMESPACE, "create", "-f", "-", stdin=json.dumps(deployment))
    eventually(lambda: shown(client, "deploy", name).get("status", {}).get("observedGeneration"))
    whole = shown(client, "deploy", name)
    whole["metadata"]["labels"] = {"b": "2"}
    del whole["metadata"]["annotations"]["n"]
    whole["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:2"
    done(put(client, "deployment", name, whole))
    now = shown(client, "deployment", name)
    assert now["metadata"]["labels"] == {"b": "2"}
    assert "n" not in now["metadata"].get("annotations", {})
    pod = now["spec"]["template"]["spec"]
    assert (pod["containers"][0]["image"], pod["schedulerName"]) == ("nginx:2", "mine")
    refused(put(client, "deployment", name, whole), 409)
    del whole["metadata"]["resourceVersion"]
    done(put(client, "deployment", name, whole))
    whole["metadata"]["name"] = "other"
    refused(put(client, "deployment", name, whole), 400, field="metadata.name")


# Secrets


def test_values_of_secrets_are_for_those_who_may_change_them(project: Project) -> None:
    client, name, value = project.member, unused(), unused("hunter")
    secret = {**config_map(name), "kind": "Secret", "stringData": {"password": value}}
    coded = base64.b64encode(value.encode()).decode()
    answers = [post(client, "secret", name, secret, dry_run="true"), post(client, "secret", name, secret)]
    assert shown(client, "secret", name)["data"] == {"password": coded}
    assert shown(project.reader, "secret", name)["data"] == {"password": "***"}
    whole = shown(client, "secret", name)
    changed = {**whole, "data": {"password": base64.b64encode(b"another").decode()}}
    answers += [put(client, "secret", name, changed, dry_run="true"), get(project.reader, "secret", name)]
    answers += [post(client, "secret", name, {**secret, "nosuch": value})]
    answers += [post(client, "secret", name, {**secret, "stringData": {"password": [value]}})]
    answers += [post(client, "secret", name, {**secret, "data": {"password": value + "!"}})]
    answers += [
        post(client, "cm", "x", config_map("x"), {**secret, "kind": "secret"}, {**secret, "metadata": 1})
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 400, 400, 400, 207]
    for answer in answers:
        assert value not in answer.text
        assert coded not in answer.text
    refused(put(client, "secret", name, {**whole, "data": {"password": "***"}}), 400, field="data.password")


# Rights


def test_who_may_what(project: Project, admin: httpx.Client, gateway: Gateway) -> None:
    client, name = project.member, unused()
    refused(post(project.reader, "cm", name, config_map(name)), 403)
    refused(put(project.reader, "cm", name, config_map(name)), 403)
    refused(post(client, "cm", name, config_map(name, namespace="kube-system")), 404)
    refused(post(admin, "cm", name, config_map(name, namespace="kube-system")), 403)
    refused(get(client, "namespace", "kube-system"), 403)
    refused(get(client, "node", "x"), 403)
    refused(post(client, "namespace", name, {**config_map(name), "kind": "Namespace"}), 403)
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "me"}],
    }
    refused(post(client, "rolebinding", name, binding), 403)
    refused(post(project.manager, "rolebinding", name, binding), 403)
    quota = {**config_map(name), "kind": "ResourceQuota", "spec": {"hard": {"pods": "1"}}}
    refused(post(client, "quota", name, quota), 403)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {"name": "x"}}
    refused(post(client, "tokenreview", "x", {**review, "spec": {"token": "x"}}), 400, field="kind")
    refused(get(client, "tokenreview", "x"), 404)
    stranger = make(gateway, unused("stranger"))
    refused(
        get(
            stranger.client("member", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE}), "cm", name
        ),
        404,
    )


def test_another_namespace_of_the_project(project: Project) -> None:
    other, name = unused("second"), unused()
    project.namespace(other)
    client = project.client("member", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE})
    (made,) = done(post(client, "cm", name, config_map(name, namespace=other)))
    assert made.namespace == other
    refused(get(client, "cm", name), 404)
    there = project.client("member", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": other})
    assert shown(there, "cm", name)["metadata"]["namespace"] == other


# What belongs to the cluster


@pytest.fixture
def widgets(gateway: Gateway) -> Iterator[str]:
    word = unused("w").replace("-", "")
    yield word
    gateway.kubectl("delete", "crd", f"{word}s.example.com", "--ignore-not-found", "--wait=false")


def definition(word: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{word}s.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"kind": word.title(), "plural": f"{word}s", "singular": word},
            "scope": "Namespaced",
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


def test_what_others_need_is_made_first(admin: httpx.Client, widgets: str, gateway: Gateway) -> None:
    space = unused("space")
    widget = {
        "apiVersion": "example.com/v1",
        "kind": widgets.title(),
        "metadata": {"name": "w"},
        "spec": {"n": 1},
    }
    documents = (
        {**widget, "metadata": {"name": "w", "namespace": space}},
        config_map("c", namespace=space),
        definition(widgets),
        {**config_map(space), "kind": "Namespace"},
    )
    tried = told(post(admin, widgets, "w", *documents, dry_run="true"), Results, 207)
    assert "defined in this upload" in tried.failed[0].reason
    assert "made by this upload" in tried.failed[1].reason
    made = done(post(admin, widgets, "w", *documents))
    assert [one.outcome for one in made] == ["created"] * 4
    there = gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": space})
    assert shown(there, f"{widgets}.example.com", "w")["spec"] == {"n": 1}
    refused(post(there, widgets, "w", {**widget, "spec": {"n": "x"}}), 400, field="spec.n")
    done(post(there, widgets, "w", {**widget, "spec": {"n": None}}))  # a key with nothing behind it
    assert shown(there, f"{widgets}.example.com", "w")["spec"] == {}
    gateway.kubectl("delete", "namespace", space, "--wait=false")


# Applications


def test_an_application(client: httpx.Client, project: Project) -> None:
    name = unused("shop")
    service = {
        **config_map(name),
        "kind": "Service",
        "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}},
    }
    account = {**config_map(name), "kind": "ServiceAccount"}
    made = done(post(client, "application", name, service, config_map(name, {"a": "1"}), account))
    assert [one.kind for one in made] == ["Service", "ConfigMap", "ServiceAccount"]
    row = client.get(f"/applications/app/{name}/").json()["application_info"]["application"]
    assert [one["name"] for one in row["configmaps"]] == [name]
    text = told(get(project.reader, "application", name), Shown).yaml
    several = list(yaml.safe_load_all(text))
    assert [one["kind"] for one in several] == ["Application", "ServiceAccount", "ConfigMap", "Service"]
    several[2]["data"] = {"a": "2"}
    results = done(put(client, "application", name, *several))
    assert [one.outcome for one in results] == ["unchanged", "unchanged", "changed", "unchanged"]
    assert shown(client, "cm", name)["data"] == {"a": "2"}
    outsider = unused()
    done(post(client, "cm", outsider, config_map(outsider)))
    refused(put(client, "application", name, config_map(outsider)), 400)
    refused(put(client, "application", unused(), config_map(outsider)), 404)
    other = config_map(outsider, labels={"app.kubernetes.io/part-of": "another"})
    refused(post(client, "application", name, other), 409)


def test_a_trial_makes_no_application(client: httpx.Client) -> None:
    name = unused("shop")
    told(post(client, "application", name, config_map(name), dry_run="true"), Results)
    refused(client.get(f"/applications/app/{name}/"), 404)
