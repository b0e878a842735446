"""Chapter 1.12 as its users see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.batches import Batch
from ecns.api.namespaces import types
from tests.api.answers import refused, told
from tests.api.project import Project, make
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.gateway import Gateway

ONE = "/namespace/cluster/eks/ns"


@pytest.fixture(scope="module")
def owners(gateway: Gateway) -> Project:
    """A project whose namespaces these tests make and remove."""
    return make(gateway, "owners")


def body(name: str, **more: Any) -> dict[str, Any]:
    base = {"name": name, "cluster_name": "eks", **more.pop("base", {})}
    return {"namespace": {"namespace_base": base, **more}}


def create(client: httpx.Client, name: str, **more: Any) -> types.Namespace:
    return told(client.post("/namespace/", json=body(name, **more)), types.OneNamespace).namespace


def names(client: httpx.Client) -> list[str]:
    listed = told(client.get("/namespace/clustertype/EKS/"), types.Namespaces)
    return [one.namespace_base.name for one in listed.namespaces]


def test_a_namespace_is_made_as_asked_for_shown_and_removed(gateway: Gateway, owners: Project) -> None:
    made = create(
        owners.manager,
        "made",
        base={"business_type": "User", "role": ["Developer"], "cluster_type": "EKS"},
        psp="Limited",
        quota={"pods": 7, "cpu": -1, "memory": 2048},
    )
    assert made.namespace_base.project_id == owners.id
    assert made.namespace_base.project == "owners"
    assert made.namespace_base.role == ["Developer"]
    assert made.psp == "Limited"
    assert made.quota is not None
    assert (made.quota.pods, made.quota.cpu, made.quota.memory) == (7, -1, 2048)
    assert made.namespace_status is not None
    assert made.namespace_status.status == "Active"
    listed = told(owners.manager.get("/namespace/clustertype/EKS/?name=made"), types.Namespaces)
    assert [one.namespace_base.name for one in listed.namespaces] == ["made"]
    assert listed.total == 1
    whole = gateway.kubectl_json("get", "namespace", "made")
    assert whole["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    quota = gateway.kubectl_json("-n", "made", "get", "resourcequota", "ecns")
    assert quota["spec"]["hard"] == {"pods": "7", "limits.memory": "2Gi"}
    told(owners.manager.delete(f"{ONE}/made/"), types.Removed)
    eventually(lambda: "made" not in names(owners.manager))
    refused(owners.manager.get(f"{ONE}/made/quota/"), 404)


def test_a_name_is_taken_once(owners: Project) -> None:
    create(owners.manager, "taken")
    refused(owners.manager.post("/namespace/", json=body("taken")), 409)


@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [
        ({}, 400, "namespace"),
        ({"namespace": None}, 400, "namespace"),
        ({"namespace": {"namespace_base": {"name": "x"}}}, 400, "namespace.namespace_base.cluster_name"),
        (body("Not_a_name"), 400, "namespace.namespace_base.name"),
        (body("x" * 64), 400, "namespace.namespace_base.name"),
        (body("世界"), 400, "namespace.namespace_base.name"),
        (body("x", base={"cluster_type": "EOS"}), 400, "namespace.namespace_base.cluster_type"),
        (body("x", base={"business_type": "x"}), 400, "namespace.namespace_base.business_type"),
        (body("x", base={"role": ["King"]}), 400, "namespace.namespace_base.role[0]"),
        (body("x", base={"user_ids": [{"id": ""}]}), 400, "namespace.namespace_base.user_ids[0].id"),
        (body("x", quota={"pods": -2}), 400, "namespace.quota.pods"),
        (body("x", quota={"memory": 10**30}), 400, "namespace.quota.memory"),
        (body("x", psp="Strict"), 400, "namespace.psp"),
        (body("x", base={"cluster_name": "nowhere"}), 404, ""),
        (body("x", base={"cluster_name": "http://127.0.0.1:1/"}), 404, ""),
        (body("kube-system"), 403, ""),
        (body("kube-mine"), 403, ""),
    ],
)
def test_what_cannot_be_is_refused(owners: Project, sent: dict[str, Any], status: int, field: str) -> None:
    refused(owners.manager.post("/namespace/", json=sent), status, field=field)
    assert "x" not in names(owners.manager)


def test_limits_change_one_by_one_and_show_what_is_used(owners: Project) -> None:
    create(owners.manager, "limits", quota={"pods": 3, "deployments": 5})
    where = f"{ONE}/limits/quota/"
    shown = told(owners.reader.get(where), types.QuotaAnswer).quota
    assert (shown.hard.pods, shown.hard.deployments, shown.hard.cpu) == (3, 5, -1)
    assert shown.used.pods == 0
    changed = told(
        owners.manager.patch(where, json={"quota": {"pods": "1", "deployments": -1}}), types.QuotaAnswer
    )
    assert (changed.quota.hard.pods, changed.quota.hard.deployments) == (1, -1)
    refused(owners.manager.patch(where, json={"quota": {"pods": -2}}), 400, field="quota.pods")
    refused(owners.manager.patch(where, json={"quota": None}), 400, field="quota")
    workload = {
        "workload_base": {"name": "two", "type": "Deployment", "replicas": 2},
        "containers": [{"name": "a", "image": {"image": "nginx"}}],
    }
    headers = {"X-Ecns-Namespace": "limits"}
    made = owners.member.post("/workloads/", json={"workloads": [workload]}, headers=headers)
    assert made.status_code == 200, made.text
    eventually(lambda: told(owners.reader.get(where), types.QuotaAnswer).quota.used.pods == 1)

    def reasons() -> Any:
        detail = owners.reader.get("/workloads/workload/two/", headers=headers).json()
        return detail["workload"]["workload_status"]["reasons"]

    assert "quota" in " ".join(eventually(reasons)).lower()


def test_the_security_policy_is_the_clusters(gateway: Gateway, owners: Project) -> None:
    create(owners.manager, "strict")
    for policy, level in (("Limited", "baseline"), ("Unlimited", "privileged")):
        told(owners.manager.patch(f"{ONE}/strict/psp/", json={"psp": policy}), types.SetSecurityPolicy)
        labels = gateway.kubectl_json("get", "namespace", "strict")["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == level
    refused(owners.manager.patch(f"{ONE}/strict/psp/", json={"psp": "x"}), 400, field="psp")


def test_only_the_users_named_see_a_namespace(owners: Project) -> None:
    create(owners.manager, "hidden")
    where = f"{ONE}/hidden/user_ids/"
    users = [{"id": owners.user_ids["reader"], "name": "某人"}]
    told(owners.manager.patch(where, json={"user_ids": users}), types.SetUsers)
    assert "hidden" not in names(owners.member)
    assert "hidden" in names(owners.reader)
    assert "hidden" in names(owners.manager)
    message = refused(owners.member.get("/workloads/", headers={"X-Ecns-Namespace": "hidden"}), 404)
    assert message == "namespace 'hidden' is not there"
    told(owners.manager.patch(where, json={"user_ids": []}), types.SetUsers)
    assert "hidden" in names(owners.member)
    refused(owners.manager.patch(where, json={"user_ids": [{"id": ""}]}), 400, field="user_ids[0].id")
    refused(owners.manager.patch(where, json={"user_ids": ["x"]}), 400, field="user_ids[0]")


def test_the_tree_has_projects_clusters_namespaces(gateway: Gateway, owners: Project) -> None:
    create(owners.manager, "leaf", base={"business_type": "Controller"})
    tree = told(owners.reader.get("/namespace/"), list[types.ProjectSelector])
    assert [(one.project_id, one.project_name) for one in tree] == [(owners.id, "owners")]
    assert [cluster.cluster_name for cluster in tree[0].clusters] == ["eks"]
    assert "leaf" in tree[0].clusters[0].namespaces
    only = told(owners.reader.get("/namespace/?business_type=Controller"), list[types.ProjectSelector])
    assert only[0].clusters[0].namespaces == ["leaf"]
    every = told(gateway.client("admin").get("/namespace/"), list[types.ProjectSelector])
    assert {"owners", "demo", "other"} <= {one.project_name for one in every}
    refused(owners.reader.get("/namespace/?business_type=x"), 400, field="business_type")


def test_lists_are_by_cluster_type(gateway: Gateway, owners: Project) -> None:
    create(owners.manager, "listed")
    assert "listed" in names(owners.reader)
    own = told(owners.reader.get("/namespace/clustertype/PROJECT_ALL/"), types.Namespaces)
    assert {one.namespace_base.project_id for one in own.namespaces} == {owners.id}
    assert told(owners.reader.get("/namespace/clustertype/EOS/"), types.Namespaces).namespaces == []
    refused(owners.reader.get("/namespace/clustertype/CLOUD_ALL/"), 403)
    refused(owners.reader.get("/namespace/clustertype/X/"), 400, field="cluster_type")
    admin = gateway.client("admin")
    page = admin.get("/namespace/clustertype/CLOUD_ALL/?page=1&page_size=2&sort_by=name")
    found = told(page, types.Namespaces)
    assert (found.page, found.page_size, len(found.namespaces)) == (1, 2, 2)
    assert int(page.headers["X-Total-Count"]) == found.total > 2


def test_a_batch_of_deletions_tells_each(owners: Project) -> None:
    create(owners.manager, "first")
    create(owners.manager, "second")
    sent = [{"name": name, "cluster_name": "eks"} for name in ("first", "demo", "second")]
    answer = owners.manager.request("DELETE", "/namespace/", json={"namespaces": sent})
    batch = told(answer, Batch[types.Removed], 207)
    assert [one.name for one in batch.succeed] == ["first", "second"]
    assert [(one.name, one.code) for one in batch.failed] == [("demo", 404)]
    nothing = [{"name": "nothing", "cluster_name": "eks"}]
    refused(owners.manager.request("DELETE", "/namespace/", json={"namespaces": nothing}), 404)
    refused(owners.manager.request("DELETE", "/namespace/", json={"namespaces": 1}), 400, field="namespaces")


def test_what_belongs_to_no_project_is_left_alone(gateway: Gateway) -> None:
    admin = gateway.client("admin")
    for name in ("kube-system", "default"):
        refused(admin.delete(f"{ONE}/{name}/"), 403)
        refused(admin.patch(f"{ONE}/{name}/psp/", json={"psp": "Unlimited"}), 403)


def test_who_may_do_what(gateway: Gateway, owners: Project) -> None:
    create(owners.manager, "guarded")
    other = gateway.client("other")
    changes: list[tuple[str, str, Any]] = [
        ("POST", "/namespace/", body("mine")),
        ("DELETE", f"{ONE}/guarded/", None),
        ("DELETE", "/namespace/", {"namespaces": [{"name": "guarded", "cluster_name": "eks"}]}),
        ("PATCH", f"{ONE}/guarded/psp/", {"psp": "Unlimited"}),
        ("PATCH", f"{ONE}/guarded/user_ids/", {"user_ids": []}),
        ("PATCH", f"{ONE}/guarded/quota/", {"quota": {"pods": 1}}),
    ]
    for method, path, sent in changes:
        for client in (owners.member, owners.reader, other):
            refused(client.request(method, path, json=sent), 403)
        refused(gateway.client().request(method, path, json=sent), 401)
    reads = [
        f"{ONE}/guarded/quota/",
        f"/namespace/{owners.id}/cluster/eks/ns/guarded/",
    ]
    for path in reads:
        assert owners.reader.get(path).status_code == 200
        assert refused(other.get(path), 404) == "namespace 'guarded' is not there"
        refused(gateway.client().get(path), 401)
    assert "guarded" not in other.get("/namespace/").text + other.get("/namespace/clustertype/EKS/").text
    missing = f"{ONE}/missing"
    for part, sent in (("psp", {"psp": "Limited"}), ("user_ids", {"user_ids": []}), ("quota", {"quota": {}})):
        refused(owners.manager.patch(f"{missing}/{part}/", json=sent), 404)
    refused(owners.manager.get(f"{missing}/quota/"), 404)
    refused(owners.manager.delete(f"{missing}/"), 404)
    refused(owners.manager.get("/namespace/cluster/nowhere/ns/guarded/quota/"), 404)
    assert "guarded" in names(owners.manager)
