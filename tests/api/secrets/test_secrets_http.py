"""Chapter 1.6 as users have it."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.batches import Batch
from ecns.api.common.contents import Keys
from ecns.api.common.objects import DryRun
from ecns.api.secrets.types import DockerConfigJson, SecretInfo, Tls
from tests.api.answers import refused, told
from tests.api.secrets.asking import (
    ALL,
    changed,
    create,
    delete,
    listed,
    one,
    patch,
    post,
    shown,
    unused,
)
from tests.api.secrets.pems import EC, EXPIRES, OTHER, PAST, certificate, private
from tests.api.workloads import asking as workloads
from tests.api.workloads.test_live_http import listening

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "chapters"
MEBIBYTE = 1024 * 1024
CERT, KEY, CA = certificate(EC), private(EC), certificate(OTHER, "ca.example")
REGISTRY = {"URI": "registry.example:5000", "username": "u", "password": "hunter2", "mail": "u@x.example"}


@pytest.fixture
def client(project: Project) -> httpx.Client:
    return project.member


def cluster(gateway: Gateway, name: str) -> Any:
    return gateway.kubectl_json("-n", NAMESPACE, "get", "secret", name)


def kubectl(gateway: Gateway, *arguments: str, stdin: str = "") -> str:
    return gateway.kubectl("-n", NAMESPACE, *arguments, stdin=stdin)


def decoded(there: Any) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in there["data"].items()}


# A life, by type


def test_a_life(gateway: Gateway, project: Project) -> None:
    client, name = project.member, unused()
    text = 'käse\n"\\\u0000'
    made = create(client, name, opaque={"a": text, "port": 8080, "on": True}, binary={"key": "AP8="})
    assert (made.name, made.type, made.keys) == (name, "Opaque", ["a", "key", "on", "port"])
    there = cluster(gateway, name)
    assert there["type"] == "Opaque"
    assert decoded(there) == {"a": text.encode(), "key": b"\x00\xff", "on": b"true", "port": b"8080"}
    assert there["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "ecns"
    assert made.creation_time == there["metadata"]["creationTimestamp"]
    assert listed(project.reader, name=name)[name] == made
    assert told(project.reader.get(one(name, "keys/")), Keys).keys == made.keys
    detail = shown(client, name)
    assert detail.secret_info == made
    assert detail.secret.opaque == {"a": text, "port": "8080", "on": "true"}
    assert detail.secret.binary == {"key": "AP8="}
    assert changed(client, name, type="Opaque", opaque={"a": "b"}).keys == ["a", "key"]
    assert changed(client, name, binary={}).keys == ["a"]
    batch = told(delete(client, {"name": name, "type": "Opaque", "keys": []}), Batch[None])
    assert [done.name for done in batch.succeed] == [name]
    assert listed(client, name=name) == {}
    refused(client.get(one(name)), 404)
    refused(client.get(one(name, "keys/")), 404)
    refused(patch(client, name, opaque={}), 404)


def test_a_certificate(gateway: Gateway, client: httpx.Client) -> None:
    name = unused()
    made = create(client, name, type="Tls", tls={"cert": CERT, "key": KEY, "ca": CA})
    assert (made.type, made.keys, made.expires) == ("Tls", ["ca.crt", "tls.crt", "tls.key"], EXPIRES)
    there = cluster(gateway, name)
    assert there["type"] == "kubernetes.io/tls"
    assert decoded(there) == {"ca.crt": CA.encode(), "tls.crt": CERT.encode(), "tls.key": KEY.encode()}
    assert shown(client, name).secret.tls == Tls(cert=CERT, key=KEY, ca=CA)
    past = certificate(EC, ends=PAST)
    now = changed(client, name, type="Tls", tls={"cert": past, "key": KEY})
    assert now.expires == "2021-01-01T00:00:00Z"
    assert shown(client, name).secret.tls == Tls(cert=past, key=KEY, ca=CA)
    soon = unused()
    create(client, soon, type="Tls", tls={"cert": CERT + CA, "key": KEY})
    rows = listed(client, type="Tls", name="secret-", sort_by="expires")
    assert list(rows)[:1] == [name]
    assert rows[soon].expires == EXPIRES
    refused(patch(client, name, tls={"cert": CERT, "key": private(OTHER)}), 400, field="secret.tls.key")
    refused(patch(client, name, tls={"cert": CERT}), 400, field="secret.tls.key")
    assert shown(client, name).secret.tls == Tls(cert=past, key=KEY, ca=CA)


def test_a_registry(gateway: Gateway, client: httpx.Client) -> None:
    name = unused()
    made = create(client, name, type="Dockerconfigjson", dockerconfigjson=REGISTRY)
    assert (made.type, made.keys) == ("Dockerconfigjson", [".dockerconfigjson"])
    there = cluster(gateway, name)
    assert there["type"] == "kubernetes.io/dockerconfigjson"
    kubectl(
        gateway,
        "create",
        "secret",
        "docker-registry",
        f"{name}-k",
        f"--docker-server={REGISTRY['URI']}",
        "--docker-username=u",
        "--docker-password=hunter2",
        f"--docker-email={REGISTRY['mail']}",
    )
    theirs = cluster(gateway, f"{name}-k")
    key = ".dockerconfigjson"
    assert json.loads(decoded(there)[key]) == json.loads(decoded(theirs)[key])
    for each in (name, f"{name}-k"):
        secret = shown(client, each).secret
        assert secret.dockerconfigjson == DockerConfigJson(**REGISTRY)
        assert (secret.opaque, secret.binary, secret.registries) == (None, None, None)
    second = {"URI": "https://index.docker.io/v1/", "username": "v", "password": "p"}
    changed(client, name, registries=[REGISTRY, second])
    secret = shown(client, name).secret
    assert secret.registries == [DockerConfigJson(**REGISTRY), DockerConfigJson(**second)]
    assert secret.dockerconfigjson == DockerConfigJson(**REGISTRY)
    changed(client, name, dockerconfigjson={**REGISTRY, "password": "new"})
    assert [each.password for each in shown(client, name).secret.registries or ()] == ["new", "p"]


def test_types_without_a_word_are_listed_shown_and_changed(gateway: Gateway, client: httpx.Client) -> None:
    kinds = {
        "kubernetes.io/service-account-token": {
            "annotations": {"kubernetes.io/service-account.name": "default"}
        },
        "bootstrap.kubernetes.io/token": {},
        "kubernetes.io/basic-auth": {},
        "helm.sh/release.v1": {},
        "custom": {},
    }
    stem = unused()
    for number, (kind, metadata) in enumerate(kinds.items()):
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"{stem}.{number}", **metadata},
            "type": kind,
            "data": {"username": "dQ==", "raw": "/w=="},
        }
        kubectl(gateway, "create", "-f", "-", stdin=json.dumps(manifest))
    rows = listed(client, name=f"{stem}.")
    assert {row.type for row in rows.values()} == set(kinds)
    for name, row in rows.items():
        secret = shown(client, name).secret
        assert (secret.type, (secret.opaque or {})["username"]) == (row.type, "u")
        assert (secret.binary or {})["raw"] == "/w=="
        assert "raw" in changed(client, name, type=row.type, opaque={"username": "v"}).keys
        assert decoded(cluster(gateway, name))["username"] == b"v"
        if "/" in row.type:
            assert set(listed(client, type=row.type, name=stem)) == {name}
    assert listed(client, type="Opaque", name=f"{stem}.") == {}
    assert delete(client, *rows).status_code == 200


def test_what_kubectl_made_keeps_what_ecns_has_no_word_for(gateway: Gateway, client: httpx.Client) -> None:
    name = unused()
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"a": "b"}, "annotations": {"c": "d"}},
        "stringData": {"k": "v"},
    }
    kubectl(gateway, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert shown(client, name).secret.opaque == {"k": "v"}
    changed(client, name, opaque={"k": "w"}, immutable=True)
    metadata = cluster(gateway, name)["metadata"]
    assert (metadata["labels"], metadata["annotations"]["c"]) == ({"a": "b"}, "d")


# Bad requests


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"opaque": {"a/b": "hunter2"}}, "secret.opaque"),
        ({"opaque": {"..": "hunter2"}}, "secret.opaque"),
        ({"opaque": {"a": 1.5}}, "secret.opaque.a"),
        ({"opaque": {"a": None}}, "secret.opaque.a"),
        ({"opaque": {"a": ["hunter2"]}}, "secret.opaque.a"),
        ({"opaque": "hunter2"}, "secret.opaque"),
        ({"opaque": {}, "binary": {"a": "hunter2"}}, "secret.binary.a"),
        ({"opaque": {"a": ""}, "binary": {"a": ""}}, "secret.binary.a"),
        ({"type": "hunter2", "opaque": {}}, "secret.type"),
        ({"type": "Tls", "opaque": {"a": "hunter2"}}, "secret.tls"),
        ({"type": "Tls", "tls": {"cert": CERT}}, "secret.tls.key"),
        ({"type": "Tls", "tls": {"cert": CERT, "key": "hunter2"}}, "secret.tls.key"),
        ({"type": "Tls", "tls": {"cert": "hunter2", "key": KEY}}, "secret.tls.cert"),
        ({"type": "Tls", "tls": {"cert": CERT, "key": private(OTHER)}}, "secret.tls.key"),
        ({"type": "Tls", "tls": {"cert": CERT, "key": KEY, "ca": "hunter2"}}, "secret.tls.ca"),
        ({"opaque": {}, "tls": {"cert": CERT, "key": KEY}}, "secret.tls"),
        ({"opaque": {}, "dockerconfigjson": REGISTRY}, "secret.dockerconfigjson"),
        ({"type": "Dockerconfigjson"}, "secret.dockerconfigjson"),
        (
            {"type": "Dockerconfigjson", "dockerconfigjson": {**REGISTRY, "URI": ""}},
            "secret.dockerconfigjson.URI",
        ),
        (
            {"type": "Dockerconfigjson", "dockerconfigjson": {**REGISTRY, "password": 5}},
            "secret.dockerconfigjson.password",
        ),
        ({"opaque": {}, "immutable": "perhaps"}, "secret.immutable"),
        ({"opaque": {}, "application_name": "not-here"}, "secret.application_name"),
        ({}, "secret.opaque"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(client: httpx.Client, sent: Any, field: str) -> None:
    name = unused()
    answer = post(client, name, **sent)
    refused(answer, 400, field=field)
    assert "hunter2" not in answer.text
    assert listed(client, name=name) == {}


@pytest.mark.parametrize(
    "body", ["", "null", "[]", "{}", '{"secret": null}', '{"secret": []}', "{", "hunter2"]
)
def test_bodies_that_are_none(client: httpx.Client, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    for method in ("POST", "PATCH", "DELETE"):
        answer = client.request(method, ALL, content=body, headers=headers)
        refused(answer, 400)
        assert "hunter2" not in answer.text
    refused(client.post(ALL, content=b'{"secret": {"name": "\xff"}}', headers=headers), 400)


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a..b", "a" * 254, "käse", "..", "a b", "a/b"])
def test_names_that_cannot_be(client: httpx.Client, name: str) -> None:
    refused(post(client, name, opaque={}), 400, field="secret.name")
    refused(patch(client, name, opaque={}), 400, field="secret.name")
    assert delete(client, name).status_code in {400, 404}


def test_a_mebibyte_and_a_byte_more(gateway: Gateway, client: httpx.Client) -> None:
    name = unused()
    most, more = (base64.b64encode(b"\xff" * (MEBIBYTE + extra)).decode() for extra in (0, 1))
    refused(post(client, name, binary={"a": more}), 400, field="secret")
    create(client, name, binary={"a": most})
    refused(patch(client, name, binary={"a": more}), 400, field="secret")
    assert changed(client, name, binary={}, opaque={"b": "x" * MEBIBYTE}).keys == ["b"]
    assert len(decoded(cluster(gateway, name))["b"]) == MEBIBYTE


# Conflicts


def test_a_name_is_taken(client: httpx.Client) -> None:
    name = unused()
    create(client, name, opaque={"a": "1"})
    refused(post(client, name, opaque={"a": "1"}), 409)


def test_types_are_kept(client: httpx.Client) -> None:
    name = unused()
    create(client, name, opaque={"a": "1"})
    sent = {"type": "Tls", "tls": {"cert": CERT, "key": KEY}}
    refused(patch(client, name, **sent), 400, field="secret.type")
    refused(patch(client, name, tls=sent["tls"]), 400, field="secret.tls")
    assert "Opaque" in refused(delete(client, {"name": name, "type": "Tls"}), 409)
    assert shown(client, name).secret.opaque == {"a": "1"}


def test_a_change_may_depend_on_what_was_seen(client: httpx.Client) -> None:
    name = unused()
    create(client, name, opaque={"a": "1"})
    seen = shown(client, name).secret.resource_version
    changed(client, name, opaque={"a": "2"}, resource_version=seen)
    refused(patch(client, name, opaque={"a": "3"}, resource_version=seen), 409)
    assert shown(client, name).secret.opaque == {"a": "2"}


def test_what_is_immutable_cannot_be_changed_any_more(gateway: Gateway, client: httpx.Client) -> None:
    name = unused()
    create(client, name, opaque={"a": "1"}, immutable="true")
    assert cluster(gateway, name)["immutable"] is True
    assert listed(client, name=name)[name].immutable
    for sent in ({"opaque": {"a": "2"}}, {"binary": {"b": ""}}, {"immutable": False}):
        assert "immutable" in refused(patch(client, name, **sent), 409)
    assert changed(client, name, opaque={"a": "1"}).immutable


# Who uses it


def test_what_is_used_is_kept_unless_it_is_forced(gateway: Gateway, client: httpx.Client) -> None:
    name, used = unused(), workloads.unused()
    create(client, name, type="Tls", tls={"cert": CERT, "key": KEY})
    volume = {"name": "v", "type": "Secret", "secret": {"type": "Secret", "name": name}}
    workloads.create(client, workloads.workload(used, replicas=0, volumes=[volume]))
    kubectl(gateway, "create", "ingress", used, f"--rule=a.example/*=none:80,tls={name}")
    kubectl(gateway, "create", "deployment", f"{used}-pull", "--image=nginx:1", "--replicas=0")
    pull = {"spec": {"template": {"spec": {"imagePullSecrets": [{"name": name}]}}}}
    kubectl(gateway, "patch", "deployment", f"{used}-pull", "-p", json.dumps(pull))
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": used}}
    account |= {"imagePullSecrets": [{"name": name}]}
    kubectl(gateway, "create", "-f", "-", stdin=json.dumps(account))
    users = [
        {"kind": "Deployment", "name": used},
        {"kind": "Deployment", "name": f"{used}-pull"},
        {"kind": "Ingress", "name": used},
        {"kind": "ServiceAccount", "name": used},
    ]
    answer = delete(client, name)
    assert "force=true" in refused(answer, 409)
    assert answer.json()["details"]["used_by"] == users
    assert client.get(one(name)).json()["used_by"] == users
    assert told(delete(client, name, force="true", dry_run="true"), DryRun).deleted == [f"Secret/{name}"]
    assert delete(client, name, force="true").status_code == 200
    kubectl(
        gateway, "delete", "ingress,deploy,sa", used, f"{used}-pull", "--ignore-not-found", "--wait=false"
    )


def test_a_batch_answers_for_each(client: httpx.Client) -> None:
    name, second = unused(), unused()
    create(client, name, opaque={})
    row = create(client, second, opaque={})
    rows = [name, "missing", json.loads(json.dumps({"name": row.name, "type": row.type, "keys": row.keys}))]
    batch = told(delete(client, *rows), Batch[None], 207)
    assert [done.name for done in batch.succeed] == [name, second]
    assert [(failed.name, failed.code) for failed in batch.failed] == [("missing", 404)]
    assert client.request("DELETE", ALL, json={"secrets": ["missing"]}).status_code == 404


# dry_run, repeats, applications


def test_a_trial_changes_nothing_and_shows_no_values(client: httpx.Client) -> None:
    name, query = unused(), {"dry_run": "true"}
    answer = post(client, name, opaque={"a": "hunter2"}, query=query)
    assert told(answer, DryRun).objects[0]["data"] == {"a": "***"}
    assert listed(client, name=name) == {}
    create(client, name, opaque={"a": "hunter2", "b": "hunter3"})
    answer = patch(client, name, opaque={"a": "hunter4", "b": "hunter3"}, query=query)
    assert "-  a: '*** (before)'\n+  a: '*** (after)'\n   b: '***'\n" in told(answer, DryRun).diff
    assert shown(client, name).secret.opaque == {"a": "hunter2", "b": "hunter3"}


def test_a_repeat_with_its_key_makes_nothing_twice(client: httpx.Client) -> None:
    name = unused()
    headers = {"Idempotency-Key": name}
    first = post(client, name, opaque={"a": "1"}, headers=headers)
    again = post(client, name, opaque={"a": "1"}, headers=headers)
    assert told(first, SecretInfo) == told(again, SecretInfo)
    assert again.headers["Idempotency-Replayed"] == "true"
    other = {"Idempotency-Key": f"{name}-other"}
    assert told(post(client, name, opaque={"a": "1"}, headers=other), SecretInfo).name == name
    refused(post(client, name, opaque={"a": "2"}, headers={"Idempotency-Key": f"{name}-third"}), 409)


def test_members_of_an_application(client: httpx.Client) -> None:
    shop, name, other = f"shop-{workloads.unused()}", unused(), unused()
    assert client.post("/applications/", json={"name": shop}).status_code == 200
    assert create(client, name, opaque={}, application_name=shop).application_name == shop
    create(client, other, opaque={})
    assert set(listed(client, app_selector=shop)) == {name}
    assert changed(client, other, application_name=shop).application_name == shop
    assert set(listed(client, app_selector=shop, type="Opaque")) == {name, other}
    assert changed(client, other, application_name="").application_name is None
    gone = client.request(
        "DELETE", "/applications/app/?resource=all", json={"applications": [{"name": shop}]}
    )
    assert gone.status_code == 200
    assert listed(client, name=name) == {}


# Lists


def test_a_list_is_paged_sorted_and_filtered(client: httpx.Client) -> None:
    stem = f"page-{workloads.unused()}."
    names = [f"{stem}{number:02}" for number in range(7)]
    for name in names:
        create(client, name, opaque={})
    create(client, f"{stem}tls", type="Tls", tls={"cert": CERT, "key": KEY})
    assert list(listed(client, name=stem, sort_by="name", page=2, page_size=3)) == names[3:6]
    by_type = [row.type for row in listed(client, name=stem, sort_by="type").values()]
    assert by_type == ["Opaque"] * 7 + ["Tls"]
    for kind in ("Tls", "kubernetes.io/tls"):
        assert list(listed(client, name=stem, type=kind)) == [f"{stem}tls"]
    assert listed(client, name=stem, type="Dockerconfigjson") == {}
    assert len(listed(client, name=stem, type="")) == 8
    answer = client.get(ALL, params={"name": stem, "page": 1, "page_size": 5})
    assert (answer.json()["total"], answer.headers["X-Total-Count"]) == (8, "8")
    for query, field in (
        ("type=Secret", "type"),
        ("sort_by=mood", "sort_by"),
        ("app_selector==", "app_selector"),
    ):
        refused(client.get(f"{ALL}?{query}"), 400, field=field)


def test_what_happens_is_told_without_values(client: httpx.Client) -> None:
    name = unused()
    with listening(client, f"{ALL}?watch=true&name={name}&type=Opaque") as events:
        assert events.synced() == []
        create(client, name, opaque={"a": "hunter2"})
        row = events.about(name, "added")
        assert (row["keys"], row["type"]) == (["a"], "Opaque")
        assert "hunter2" not in json.dumps(row)
        changed(client, name, opaque={"b": "hunter3"})
        assert events.about(name, "changed")["keys"] == ["b"]
        delete(client, name)
        assert events.about(name, "removed")


# Who may


def test_a_visitor_sees_keys_and_no_values(project: Project) -> None:
    kinds: list[dict[str, Any]] = [
        {"opaque": {"a": "hunter2"}, "binary": {"b": "/w=="}},
        {"type": "Tls", "tls": {"cert": CERT, "key": KEY}},
        {"type": "Dockerconfigjson", "dockerconfigjson": REGISTRY},
    ]
    for sent in kinds:
        name = unused()
        row = create(project.member, name, **sent)
        for path in (ALL, one(name), one(name, "keys/"), f"{ALL}?watch=true"):
            if "watch" in path:
                with listening(project.reader, path) as events:
                    text = "\n".join(events.synced())
            else:
                text = project.reader.get(path).text
            assert "hunter2" not in text
            assert base64.b64encode(b"hunter2").decode() not in text
            assert "PRIVATE" not in text
        detail = shown(project.reader, name)
        assert detail.secret_info == row
        secret = detail.secret
        values = (secret.opaque, secret.binary, secret.tls, secret.dockerconfigjson, secret.registries)
        assert values == (None,) * 5
        for role in (project.member, project.manager):
            assert any(
                (
                    shown(role, name).secret.opaque,
                    shown(role, name).secret.tls,
                    shown(role, name).secret.dockerconfigjson,
                )
            )
        refused(patch(project.reader, name, opaque={}), 403)
        refused(delete(project.reader, name), 403)
    refused(post(project.reader, unused(), opaque={}), 403)


def test_who_may_see_what(gateway: Gateway, project: Project) -> None:
    name = unused()
    create(project.member, name, opaque={"a": "hunter2"})
    other = gateway.client("other")
    for path in (ALL, one(name), one(name, "keys/")):
        refused(gateway.client().get(path), 401)
        refused(other.get(path, headers={"X-Ecns-Namespace": NAMESPACE}), 404)
        refused(project.client("member", "image").get(path), 404)
        assert project.client("member", "security").get(path).status_code == 200
    assert name not in other.get(ALL).text


def test_values_are_read_by_the_callers_own_right(gateway: Gateway) -> None:
    """The cluster's RBAC stands behind ECNS: who may not read there sees nothing here."""
    gateway.kubectl("-n", "kube-system", "create", "secret", "generic", "hidden", "--from-literal=a=hunter2")
    admin = gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "kube-system"})
    assert told(admin.get(one("hidden", "keys/")), Keys).keys == ["a"]
    answer = admin.get(one("hidden"))
    refused(answer, 403)
    assert "hunter2" not in answer.text
    gateway.kubectl("-n", "kube-system", "delete", "secret", "hidden")


def test_times_are_of_today(client: httpx.Client) -> None:
    made = create(client, unused(), opaque={}).creation_time
    assert made is not None
    assert abs((dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(made)).total_seconds()) < 600
