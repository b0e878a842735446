"""Chapter 1.4 as users have it."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.batches import Batch
from ecns.api.common.contents import Keys
from ecns.api.common.objects import DryRun
from ecns.api.common.references import FEW, NAMED
from ecns.api.configmaps.types import OneConfigMap
from tests.api.answers import refused, told
from tests.api.configmaps.asking import (
    LIST,
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
from tests.api.workloads import asking as workloads
from tests.api.workloads.test_live_http import listening
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "chapters"
MEBIBYTE = 1024 * 1024


@pytest.fixture
def client(project: Project) -> httpx.Client:
    return project.member


def cluster(gateway: Gateway, name: str) -> Any:
    return gateway.kubectl_json("-n", NAMESPACE, "get", "configmap", name)


# A life


def test_a_life(gateway: Gateway, project: Project) -> None:
    client, name = project.member, unused()
    text = 'käse\n"\\\u0000'
    made = create(client, name, config={"a": text, "port": 8080, "on": True}, binary={"logo.png": "AP8="})
    assert made == shown(client, name)
    assert made.config == {"a": text, "port": "8080", "on": "true"}
    assert made.binary == {"logo.png": "AP8="}
    there = cluster(gateway, name)
    assert there["data"] == made.config
    assert there["binaryData"] == made.binary
    assert there["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "ecns"
    row = listed(project.reader, name=name)[name]
    assert row.keys == ["a", "logo.png", "on", "port"]
    assert row.creation_time == there["metadata"]["creationTimestamp"]
    assert not row.immutable
    assert told(project.reader.get(one(name, "keys/")), Keys).keys == row.keys
    assert project.reader.get(one(name)).json() == client.get(one(name)).json()
    now = changed(client, name, name=name, config={"a": "b"})
    assert (now.config, now.binary) == ({"a": "b"}, {"logo.png": "AP8="})
    assert changed(client, name, binary={}).binary == {}
    assert listed(client, name=name)[name].keys == ["a"]
    batch = told(delete(client, name), Batch[None])
    assert [done.name for done in batch.succeed] == [name]
    assert listed(client, name=name) == {}
    refused(client.get(one(name)), 404)
    refused(client.get(one(name, "keys/")), 404)


def test_what_kubectl_made_is_shown_and_keeps_what_ecns_has_no_word_for(
    gateway: Gateway, client: httpx.Client
) -> None:
    name = unused()
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "labels": {"a": "b"},
            "annotations": {"c": "d"},
            "finalizers": ["x.example/y"],
        },
        "data": {"k": "v"},
    }
    gateway.kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert shown(client, name).config == {"k": "v"}
    changed(client, name, config={"k": "w"}, immutable=True)
    metadata = cluster(gateway, name)["metadata"]
    assert metadata["labels"] == {"a": "b"}
    assert metadata["annotations"]["c"] == "d"
    assert metadata["finalizers"] == ["x.example/y"]
    assert delete(client, name).status_code == 200
    gateway.kubectl("-n", NAMESPACE, "patch", "configmap", name, "-p", '{"metadata":{"finalizers":null}}')


def test_keys_are_a_list_as_others(client: httpx.Client) -> None:
    name = unused()
    create(client, name, config=dict.fromkeys(("b", "a.txt", "c.txt"), "1"))
    answer = client.get(f"{one(name)}keys/", params={"page": 1, "page_size": 2})
    assert told(answer, Keys) == Keys(keys=["a.txt", "b"], total=3, page=1, page_size=2)
    assert answer.headers["X-Total-Count"] == "3"
    answer = client.get(f"{one(name)}keys/", params={"name": "txt", "order": "desc", "sort_by": "name"})
    assert told(answer, Keys).keys == ["c.txt", "a.txt"]
    refused(client.get(f"{one(name)}keys/", params={"sort_by": "size"}), 400, field="sort_by")


def test_without_data_there_are_no_keys(gateway: Gateway, client: httpx.Client) -> None:
    name = unused()
    gateway.kubectl("-n", NAMESPACE, "create", "configmap", name)
    found = shown(client, name)
    assert (found.config, found.binary) == ({}, {})
    assert told(client.get(one(name, "keys/")), Keys).keys == []
    assert changed(client, name, config={"a": "b"}).config == {"a": "b"}


# Bad requests


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"config": {"a/b": "x"}}, "configmap.config"),
        ({"config": {"..": "x"}}, "configmap.config"),
        ({"config": {"": "x"}}, "configmap.config"),
        ({"config": {"PORT": 1.5}}, "configmap.config.PORT"),
        ({"config": {"a": None}}, "configmap.config.a"),
        ({"config": {"a": {"b": "c"}}}, "configmap.config.a"),
        ({"config": []}, "configmap.config"),
        ({"config": "text"}, "configmap.config"),
        ({"config": {}, "binary": {"a": "no base64!"}}, "configmap.binary.a"),
        ({"config": {"a": ""}, "binary": {"a": ""}}, "configmap.binary.a"),
        ({"config": {}, "name": "another"}, "configmap.name"),
        ({"config": {}, "name": 5}, "configmap.name"),
        ({"config": {}, "immutable": "perhaps"}, "configmap.immutable"),
        ({"config": {}, "application_name": "not-here"}, "configmap.application_name"),
        ({}, "configmap.config"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(client: httpx.Client, sent: Any, field: str) -> None:
    name = unused()
    refused(post(client, name, **sent), 400, field=field)
    assert listed(client, name=name) == {}
    if sent:
        create(client, name, config={"kept": "1"})
        refused(patch(client, name, **sent), 400, field=field)
        assert shown(client, name).config == {"kept": "1"}


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"configmap": null}', '{"configmap": []}', "{"])
def test_bodies_that_are_none(client: httpx.Client, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    for method, path in (("POST", one("x")), ("PATCH", one("x")), ("DELETE", LIST)):
        refused(client.request(method, path, content=body, headers=headers), 400)
    answer = client.post(one("x"), content=b'{"configmap": {"config": {"a": "\xff"}}}', headers=headers)
    refused(answer, 400)


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a..b", "a" * 254, "k%C3%A4se", "%2e%2e", "a%20b"])
def test_names_that_cannot_be(client: httpx.Client, name: str) -> None:
    refused(client.post(one(name), json={"configmap": {"config": {}}}), 400, field="configmap.name")
    refused(client.patch(one(name), json={"configmap": {"config": {}}}), 400, field="configmap.name")
    assert client.get(one(name)).status_code in {400, 404}
    assert client.get(one(name, "keys/")).status_code in {400, 404}
    assert delete(client, name).status_code in {400, 404}


def test_a_mebibyte_and_a_byte_more(gateway: Gateway, client: httpx.Client) -> None:
    name = unused()
    half = "ä" * (MEBIBYTE // 4)
    rest = base64.b64encode(b"\xff" * (MEBIBYTE // 2)).decode()
    refused(post(client, name, config={"a": half + "x"}, binary={"b": rest}), 400, field="configmap.config")
    create(client, name, config={"a": half}, binary={"b": rest})
    assert shown(client, name).config["a"] == half
    refused(patch(client, name, config={"a": half + "x"}), 400, field="configmap.config")
    assert changed(client, name, config={"a": half[:-1] + "xy"}).config["a"].endswith("xy")
    assert len(cluster(gateway, name)["data"]["a"].encode()) == MEBIBYTE // 2
    assert listed(client, name=name)[name].keys == ["a", "b"]


def test_the_most_that_fits_and_the_most_keys(client: httpx.Client) -> None:
    name = unused()
    many = {f"key-{number}": "v" for number in range(12_000)}
    create(client, name, config=many)
    assert changed(client, name, config=dict.fromkeys(many, "w")).config["key-11999"] == "w"
    large = unused()
    create(client, large, config={"a": "x" * MEBIBYTE})
    assert changed(client, large, config={"a": "y" * MEBIBYTE}).config["a"][0] == "y"


# Conflicts


def test_a_name_is_taken(client: httpx.Client) -> None:
    name = unused()
    create(client, name, config={"a": "1"})
    refused(post(client, name, config={"a": "1"}), 409)
    assert shown(client, name).config == {"a": "1"}


def test_a_change_may_depend_on_what_was_seen(client: httpx.Client) -> None:
    name = unused()
    seen = create(client, name, config={"a": "1"})
    now = changed(client, name, config={"a": "2"}, resource_version=seen.resource_version)
    assert now.resource_version != seen.resource_version
    refused(patch(client, name, config={"a": "3"}, resource_version=seen.resource_version), 409)
    assert shown(client, name).config == {"a": "2"}


def test_of_those_who_change_one_thing_at_once_nobody_is_overwritten(client: httpx.Client) -> None:
    name = unused()
    create(client, name, config={"a": "0"})

    def change(number: int) -> int:
        return patch(client, name, config={"a": str(number)}, query={}).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(change, range(1, 17)))
    assert set(codes) <= {200, 409}
    assert 200 in codes
    assert int(shown(client, name).config["a"]) in {
        number for number, code in enumerate(codes, 1) if code == 200
    }


def test_what_is_immutable_cannot_be_changed_any_more(gateway: Gateway, client: httpx.Client) -> None:
    name = unused()
    create(client, name, config={"a": "1"})
    assert changed(client, name, immutable="true").immutable
    assert cluster(gateway, name)["immutable"] is True
    assert listed(client, name=name)[name].immutable
    for sent in ({"config": {"a": "2"}}, {"binary": {"b": ""}}, {"immutable": False}):
        assert "immutable" in refused(patch(client, name, **sent), 409)
    assert changed(client, name, config={"a": "1"}).config == {"a": "1"}
    assert create(client, unused(), immutable=True).immutable
    assert delete(client, name).status_code == 200


# Applications


def test_members_of_an_application(client: httpx.Client) -> None:
    shop, name, other = f"shop-{workloads.unused()}", unused(), unused()
    assert client.post("/applications/", json={"name": shop}).status_code == 200
    create(client, name, config={"a": "1"}, application_name=shop)
    create(client, other)
    assert set(listed(client, app_selector=shop)) == {name}
    selector = f"app.kubernetes.io/part-of in ({shop})"
    assert set(listed(client, app_selector=selector)) == {name}
    assert set(listed(client, label_selector=f"app.kubernetes.io/part-of={shop}")) == {name}
    assert listed(client, app_selector="nothing") == {}
    assert {name, other} <= set(listed(client, app_selector=""))
    refused(client.get(LIST, params={"app_selector": "a b"}), 400, field="app_selector")
    assert changed(client, other, application_name=shop).application_name == shop
    refused(patch(client, other, application_name="another"), 400, field="configmap.application_name")
    second = f"{shop}-2"
    assert client.post("/applications/", json={"name": second}).status_code == 200
    assert shop in refused(patch(client, other, application_name=second), 409)
    assert changed(client, other, application_name="").application_name is None
    assert set(listed(client, app_selector=shop)) == {name}
    found = client.get(f"/applications/app/{shop}/").json()["application_info"]["application"]
    assert [one["name"] for one in found["configmaps"]] == [name]
    gone = client.request(
        "DELETE", "/applications/app/?resource=all", json={"applications": [{"name": shop}]}
    )
    assert gone.status_code == 200
    assert listed(client, name=name) == {}


# Who uses it


def test_what_is_used_is_kept_unless_it_is_forced(gateway: Gateway, client: httpx.Client) -> None:
    name, used = unused(), workloads.unused()
    create(client, name, config={"a": "1"})
    env = [{"type": "ConfigMap", "name": "A", "key": name, "value": "a"}]
    sent = workloads.workload(used, replicas=0, containers=[workloads.container(env=env)])
    workloads.create(client, sent)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{used}-pod"},
        "spec": {
            "containers": [{"name": "c", "image": "nginx:1", "envFrom": [{"configMapRef": {"name": name}}]}]
        },
    }
    gateway.kubectl("-n", NAMESPACE, "create", "-f", "-", stdin=json.dumps(pod))
    gateway.kubectl(
        "-n", NAMESPACE, "create", "cronjob", f"{used}-c", "--image=nginx:1", "--schedule=@yearly"
    )
    volume = {"name": "v", "projected": {"sources": [{"configMap": {"name": name}}]}}
    spec = {"jobTemplate": {"spec": {"template": {"spec": {"volumes": [volume]}}}}}
    gateway.kubectl("-n", NAMESPACE, "patch", "cronjob", f"{used}-c", "-p", json.dumps({"spec": spec}))
    users = [
        {"kind": "CronJob", "name": f"{used}-c"},
        {"kind": "Deployment", "name": used},
        {"kind": "Pod", "name": f"{used}-pod"},
    ]
    answer = delete(client, name)
    said = refused(answer, 409)
    assert "force=true" in said
    assert f"Deployment {used}" in said
    assert answer.json()["details"]["used_by"] == users
    assert client.get(one(name)).json()["used_by"] == users
    free = unused()
    create(client, free)
    both = told(delete(client, name, free), Batch[None], 207)
    assert [done.name for done in both.succeed] == [free]
    assert [(failed.name, failed.code) for failed in both.failed] == [(name, 409)]
    refused(delete(client, name, dry_run="true"), 409)
    assert told(delete(client, name, force="true", dry_run="true"), DryRun).deleted == [f"ConfigMap/{name}"]
    assert shown(client, name)
    assert delete(client, name, force="true").status_code == 200
    workloads.delete(client, (used, "Deployment"))
    gateway.kubectl(
        "-n",
        NAMESPACE,
        "delete",
        "pod,cronjob",
        f"{used}-pod",
        f"{used}-c",
        "--ignore-not-found",
        "--wait=false",
    )


def test_pods_without_a_controller_count_however_many(gateway: Gateway, client: httpx.Client) -> None:
    name, used = unused(), workloads.unused()
    create(client, name, config={"a": "1"})
    volumes = [{"name": "v", "configMap": {"name": name}}]
    spec = {"containers": [{"name": "c", "image": "nginx:1"}], "volumes": volumes, "nodeName": "nowhere"}
    several = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{used}-{number:02}"}, "spec": spec}
        for number in range(FEW + 5)
    ]
    pods = json.dumps({"apiVersion": "v1", "kind": "List", "items": several})
    gateway.kubectl("-n", NAMESPACE, "create", "-f", "-", stdin=pods)
    answer = delete(client, name)
    assert f"and {FEW + 5 - NAMED} more" in refused(answer, 409)
    assert len(answer.json()["details"]["used_by"]) == FEW + 5
    names = [one["metadata"]["name"] for one in several]
    gateway.kubectl("-n", NAMESPACE, "delete", "pod", "--now", "--wait=false", *names)
    eventually(lambda: delete(client, name).status_code == 200)


def test_what_was_used_may_go(client: httpx.Client) -> None:
    name, used = unused(), workloads.unused()
    create(client, name, config={"a": "1"})
    env = [{"type": "ConfigMap", "name": "A", "key": name, "value": "a"}]
    workloads.create(client, workloads.workload(used, replicas=0, containers=[workloads.container(env=env)]))
    refused(delete(client, name), 409)
    workloads.changed(client, used, "containers", {"containers": [workloads.container()]})
    assert delete(client, name).status_code == 200
    workloads.delete(client, (used, "Deployment"))


def test_a_batch_answers_for_each(client: httpx.Client) -> None:
    name, second = unused(), unused()
    create(client, name)
    create(client, second)
    rows = [{"name": second, "keys": [], "creation_time": None}]
    batch = told(delete(client, name, "missing", *rows), Batch[None], 207)
    assert [done.name for done in batch.succeed] == [name, second]
    assert [(failed.name, failed.code) for failed in batch.failed] == [("missing", 404)]
    refused(delete(client, "missing"), 404)
    assert delete(client).status_code == 200
    refused(delete(client, 5), 400)


# dry_run, repeats


def test_a_trial_changes_nothing(client: httpx.Client) -> None:
    name = unused()
    tried = told(post(client, name, config={"a": "1"}, query={"dry_run": "true"}), DryRun)
    assert tried.objects[0]["data"] == {"a": "1"}
    assert listed(client, name=name) == {}
    create(client, name, config={"a": "1"})
    tried = told(patch(client, name, config={"a": "2"}, query={"dry_run": "true"}), DryRun)
    assert "-  a: '1'\n+  a: '2'\n" in tried.diff.replace('"', "'")
    assert shown(client, name).config == {"a": "1"}
    refused(post(client, name, config={}, query={"dry_run": "true"}), 409)


def test_a_repeat_with_its_key_makes_nothing_twice(client: httpx.Client) -> None:
    name = unused()
    headers = {"Idempotency-Key": name}
    first = post(client, name, config={"a": "1"}, headers=headers)
    again = post(client, name, config={"a": "1"}, headers=headers)
    assert told(first, OneConfigMap) == told(again, OneConfigMap)
    assert again.headers["Idempotency-Replayed"] == "true"
    refused(post(client, name, config={"a": "2"}, headers=headers), 409)
    # One whose first request did it, but whom another replica answers: what is there is what was asked for.
    other = {"Idempotency-Key": f"{name}-other"}
    assert told(post(client, name, config={"a": "1"}, headers=other), OneConfigMap).configmap.config == {
        "a": "1"
    }
    refused(post(client, name, config={"a": "3"}, headers={"Idempotency-Key": f"{name}-third"}), 409)


# Lists


def test_a_list_is_paged_sorted_and_filtered(client: httpx.Client) -> None:
    stem = f"page-{workloads.unused()}."
    names = [f"{stem}{number:02}" for number in range(12)]
    for name in names:
        create(client, name)
    assert list(listed(client, name=stem, sort_by="name", page=2, page_size=5)) == names[5:10]
    assert list(listed(client, name=stem, sort_by="name", order="desc", page=1, page_size=3)) == names[:8:-1]
    answer = client.get(LIST, params={"name": stem, "page": 3, "page_size": 5})
    assert (answer.json()["total"], answer.json()["page"], answer.headers["X-Total-Count"]) == (12, 3, "12")
    assert len(answer.json()["configmaps"]) == 2
    assert int(answer.headers["X-Resource-Version"]) > 0
    assert int(answer.headers["Age"]) >= 0
    assert len(listed(client, name=stem)) == 12
    for query, field in (
        ("page=0", "page"),
        ("sort_by=mood", "sort_by"),
        ("label_selector=(", "label_selector"),
        ("order=up", "order"),
    ):
        refused(client.get(f"{LIST}?{query}"), 400, field=field)
    fresh = client.get(LIST, params={"name": stem}, headers={"Cache-Control": "no-cache"})
    assert len(fresh.json()["configmaps"]) == 12


def test_what_happens_is_told(client: httpx.Client) -> None:
    name = unused()
    with listening(client, f"{LIST}?watch=true&name={name}") as events:
        assert events.synced() == []
        create(client, name, config={"a": "1"})
        assert events.about(name, "added")["keys"] == ["a"]
        changed(client, name, config={"a": "1", "b": "2"})
        assert events.about(name, "changed")["keys"] == ["a", "b"]
        delete(client, name)
        assert events.about(name, "removed")
    with listening(client, f"{LIST}?watch=true&name={name}&app_selector=shop") as events:
        assert events.synced() == []
    refused(client.get(f"{LIST}?watch=true&app_selector=a%20b"), 400, field="app_selector")


# Who may


def test_who_may_see_and_change_what(gateway: Gateway, project: Project) -> None:
    name = unused()
    create(project.member, name, config={"a": "1"})
    paths = (LIST, one(name), one(name, "keys/"))
    other = gateway.client("other")
    for path in paths:
        assert project.reader.get(path).status_code == 200
        refused(gateway.client().get(path), 401)
        refused(other.get(path, headers={"X-Ecns-Namespace": NAMESPACE}), 404)
        refused(project.client("member", "image").get(path), 404)
    refused(patch(project.reader, name, config={}), 403)
    refused(post(project.reader, unused(), config={}), 403)
    refused(delete(project.reader, name), 403)
    refused(other.patch(one(name), json={"configmap": {"config": {}}}), 404)
    assert name not in other.get(LIST).text
    for product in ("hybrid", "security"):
        assert project.client("member", product).get(one(name)).status_code == 200
