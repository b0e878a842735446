"""Claims, volumes and classes as they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.api.answers import refused
from tests.api.claims.asking import LIST, apply, claims, controller, create, pod_spec, unused
from tests.api.claims.asking import one as claim
from tests.api.events import listening
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "storage"


def watching(kind: str, **query: str) -> str:
    more = "".join(f"&{key}={value}" for key, value in query.items())
    return f"{LIST}?type={kind}&cluster_selector=current&watch=true{more}"


def test_a_claim_from_its_making_to_its_end(gateway: Gateway, project: Project) -> None:
    name = unused("w")
    with listening(project.reader, watching("PVC", name=name)) as events:
        assert events.synced() == []
        create(project.member, name)
        bound = events.until(lambda _, row: row["status"] == "Bound")
        assert (bound["name"], bound["project"]) == (name, NAMESPACE)
        apply(gateway, NAMESPACE, controller("Deployment", name, pod_spec(name), replicas=1))
        events.until(lambda _, row: row["mounted"] and row["attached_workloads"][0]["type"] == "Deployment")
        gateway.kubectl("-n", NAMESPACE, "scale", "deployment", name, "--replicas=0")
        row = events.until(lambda _, row: not row["mounted"])
        assert [one["name"] for one in row["attached_workloads"]] == [name]
        gateway.kubectl("-n", NAMESPACE, "delete", "deployment", name)
        events.until(lambda _, row: not row["attached_workloads"])
        project.member.patch(claim(name), json={"pvc": {"capacity": 2}})
        events.until(lambda _, row: row["capacity"] == "2")
        project.member.delete(claim(name))
        events.about(name, "removed")


def test_who_comes_back_is_told_what_was_missed(project: Project) -> None:
    name = unused("w")
    path = watching("PVC", name=name)
    with listening(project.reader, path) as events:
        events.synced()
        create(project.member, name)
        events.until(lambda _, row: row["status"] == "Bound")
        seen = events.last_id
    project.member.patch(claim(name), json={"pvc": {"capacity": 3}})
    eventually(lambda: claims(project.reader)[name].capacity == "3")
    with listening(project.reader, path, seen) as events:
        told, row = events.next()
        assert (told, row["name"]) == ("changed", name)
        assert row["capacity"] == "3" or events.until(lambda _, row: row.get("capacity") == "3")
    with listening(project.reader, path) as events:
        assert events.synced() == [f"added {name}"]


def test_claims_come_and_go_as_they_pass_the_filters(gateway: Gateway, project: Project) -> None:
    name = unused("w")
    create(project.member, name)
    eventually(lambda: claims(project.reader)[name].status == "Bound")
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod_spec(name)}
    with listening(project.reader, watching("PVC", name=name, filter="available", status="Bound")) as events:
        if not events.synced():  # the feed tells others a moment later than the list
            events.about(name, "added")
        apply(gateway, NAMESPACE, manifest)
        events.about(name, "removed")
        gateway.kubectl("-n", NAMESPACE, "delete", "pod", name, "--now")
        assert events.about(name, "added")["attached_workloads"] == []
    with listening(project.reader, watching("PVC", storage_class_name="other")) as events:
        assert events.synced() == []


def test_volumes_are_told_to_those_who_may_see_them(
    gateway: Gateway, project: Project, admin: httpx.Client
) -> None:
    name = unused("w")
    other = gateway.client("other")
    with (
        listening(project.reader, watching("PV")) as mine,
        listening(other, watching("PV")) as theirs,
        listening(admin, watching("PV")) as all_of_them,
    ):
        told: list[Any] = []
        for events in (mine, theirs, all_of_them):
            events.synced()
        create(project.member, name)
        row = mine.until(lambda _, row: row["pvc_name"] == name and row["status"] == "Bound")
        assert row["project"] == NAMESPACE
        all_of_them.until(lambda _, row: row["pvc_name"] == name)
        project.member.delete(claim(name))
        mine.about(row["name"], "removed")
        created = other.post("/kubernetes/pvc/mine/", json={"pvc": {"capacity": 1}})
        assert created.status_code == 200, created.text
        theirs.until(lambda event, row: told.append((event, row["pvc_name"])) or row["pvc_name"] == "mine")
        assert {pvc for _, pvc in told} == {"mine"}
        other.delete("/kubernetes/pvc/mine/")


def test_classes_say_which_is_the_default(gateway: Gateway, project: Project, admin: httpx.Client) -> None:
    name = unused("w")
    with listening(project.reader, watching("StorageClass")) as events:
        assert "added standard" in events.synced()
        made = admin.post(f"/kubernetes/sc/{name}/", json={"volume_type": "t"})
        assert made.status_code == 200, made.text
        assert not events.about(name, "added")["is_default"]
        for chosen in (name, "standard"):
            done = admin.put(f"/kubernetes/storageclass/{chosen}/default/", params={"action": "set"})
            assert done.status_code == 200, done.text
            row = events.until(
                lambda _, row, chosen=chosen: row["class_name"] == chosen and row["is_default"]
            )  # type: ignore[misc]  # mypy knows no defaults of lambdas
            assert row["cluster"] == "eks"
        gateway.kubectl("annotate", "storageclass", name, "a=b")
        admin.delete(f"/kubernetes/sc/{name}/")
        events.about(name, "removed")


def test_a_watch_follows_one_type_in_one_cluster(gateway: Gateway, project: Project) -> None:
    refused(project.reader.get(watching("PVC,PV")), 400, field="type")
    everywhere = {"type": "PVC", "cluster_selector": "all", "watch": "true"}
    refused(project.reader.get(LIST, params=everywhere), 400, field="cluster_selector")
    refused(gateway.client().get(watching("PVC")), 401)
    hidden = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE}
    refused(gateway.client("other").get(watching("PV"), headers=hidden), 404)


def test_no_namespace_is_needed_to_follow_classes(project: Project) -> None:
    nowhere = project.client("reader")
    with listening(nowhere, watching("StorageClass")) as events:
        assert "added standard" in events.synced()
