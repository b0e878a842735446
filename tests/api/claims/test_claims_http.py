"""Making, growing and deleting claims (chapter 1.15), as users do it, and as kubectl sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.claims.types import OneClaim
from ecns.api.common.batches import Batch
from ecns.api.common.objects import DryRun
from tests.api import project as projects
from tests.api.answers import refused, told
from tests.api.claims.asking import apply, claims, controller, create, one, pod_spec, unused
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "claims"


@pytest.fixture(scope="module")
def project(gateway: Gateway) -> Project:
    return projects.settled(gateway, NAMESPACE)


@pytest.fixture
def client(project: Project) -> httpx.Client:
    return project.member


@pytest.fixture(scope="module")
def rigid(gateway: Gateway) -> str:
    """A class whose claims cannot grow, and that waits for the first pod."""
    name = "rigid"
    apply(
        gateway,
        "default",
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name},
            "provisioner": "embedded.ecns.io/local",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    return name


def kubectl(project: Project, *arguments: str) -> Any:
    return project.gateway.kubectl_json("-n", NAMESPACE, *arguments)


def bound(client: httpx.Client, name: str) -> None:
    eventually(lambda: claims(client)[name].status == "Bound")


# Making


def test_a_claim_is_made_as_kubernetes_has_it(project: Project, client: httpx.Client) -> None:
    name = unused()
    sent = {
        "name": name,
        "storage_class_name": "standard",
        "capacity": "1.5",
        "access_modes": ["ReadWriteOnce", "ReadOnlyMany"],
        "cluster": "eks",
        "attached_workloads": [],
        "status": "",
    }
    made = told(client.post(one(name), json={"pvc": sent}), OneClaim).pvc
    assert (made.name, made.namespace, made.cluster, made.project) == (name, NAMESPACE, "eks", NAMESPACE)
    assert (made.storage_class_name, made.capacity, made.requested) == ("standard", "1536Mi", "1536Mi")
    assert made.access_modes == ["ReadWriteOnce", "ReadOnlyMany"]
    assert (made.status, made.attached_workloads, made.mounted) == ("Pending", [], False)
    assert claims(client)[name].creation_time == made.creation_time, "who wrote it reads it"
    whole = kubectl(project, "get", "pvc", name)
    assert whole["spec"]["resources"]["requests"]["storage"] == "1536Mi"
    assert whole["spec"]["accessModes"] == ["ReadWriteOnce", "ReadOnlyMany"]
    assert whole["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "ecns"}
    bound(client, name)
    row = claims(client)[name]
    assert row.volume_name == kubectl(project, "get", "pvc", name)["spec"]["volumeName"]
    message = refused(client.post(one(name), json={"pvc": sent}), 409)
    assert "already exists" in message


def test_a_claim_without_a_class_gets_the_default_one(client: httpx.Client) -> None:
    for named in ({}, {"storage_class_name": ""}, {"storage_class_name": None}):
        assert create(client, unused(), **named).storage_class_name == "standard"


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        *(
            ({"capacity": size}, "pvc.capacity")
            for size in ("0", "-1", "10 GiB", "", None, True, [], 0, 1e300)
        ),
        ({}, "pvc.capacity"),
        ({"capacity": 1, "storage_class_name": "nothing"}, "pvc.storage_class_name"),
        ({"capacity": 1, "storage_class_name": "No Name"}, "pvc.storage_class_name"),
        ({"capacity": 1, "access_modes": ["RWO"]}, "pvc.access_modes"),
        ({"capacity": 1, "access_modes": "ReadWriteOnce"}, "pvc.access_modes"),
        ({"capacity": 1, "access_modes": ["ReadWriteOncePod", "ReadWriteMany"]}, "pvc.access_modes"),
        ({"capacity": 1, "volume_mode": "Raw"}, "pvc.volume_mode"),
        ({"capacity": 1, "name": "another"}, "pvc.name"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    client: httpx.Client, sent: dict[str, Any], field: str
) -> None:
    name = unused()
    refused(client.post(one(name), json={"pvc": sent}), 400, field=field)
    assert name not in claims(client)


def test_bodies_and_names_that_cannot_be(client: httpx.Client) -> None:
    refused(client.post(one("Not_A_Name"), json={"pvc": {"capacity": 1}}), 400, field="pvc.name")
    refused(client.post(one("a" * 254), json={"pvc": {"capacity": 1}}), 400, field="pvc.name")
    for body in ({}, {"pvc": None}, {"pvc": []}):
        refused(client.post(one(unused()), json=body), 400, field="pvc")
    refused(client.post(one(unused())), 400)
    refused(client.post(one(unused()), content=b"{"), 400)
    for cluster in ("https://198.51.100.1:6443", "eos", "nowhere"):
        sent = {"pvc": {"capacity": 1, "cluster_addr": cluster}}
        refused(client.post(one(unused()), json=sent), 404)


def test_a_class_that_only_volumes_have_will_do(project: Project, client: httpx.Client) -> None:
    """Volumes and claims are matched by a class that nobody made, as Kubernetes' own guide does it."""
    volume, name = unused("v"), unused()
    spec = {
        "capacity": {"storage": "2Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "by-hand",
        "hostPath": {"path": "/x"},
    }
    apply(
        project.gateway,
        NAMESPACE,
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": spec},
    )
    eventually(
        lambda: (
            client.post(one(name), json={"pvc": {"capacity": 1, "storage_class_name": "by-hand"}}).is_success
        )
    )
    bound(client, name)
    row = claims(client)[name]
    assert (row.volume_name, row.capacity, row.requested) == (volume, "2", "1")
    project.gateway.kubectl("-n", NAMESPACE, "delete", "pvc", name)
    project.gateway.kubectl("delete", "pv", volume)


def test_a_trial_makes_nothing(client: httpx.Client) -> None:
    name = unused()
    tried = told(client.post(one(name), params={"dry_run": "true"}, json={"pvc": {"capacity": 1}}), DryRun)
    assert [obj["metadata"]["name"] for obj in tried.objects] == [name]
    assert name not in claims(client)
    create(client, name)
    bound(client, name)
    grown = client.patch(one(name), params={"dry_run": "true"}, json={"pvc": {"capacity": 2}})
    assert "+      storage: 2Gi" in told(grown, DryRun).diff
    deleted = told(client.delete(one(name), params={"dry_run": "true"}), DryRun)
    assert deleted.deleted == [f"PersistentVolumeClaim/{name}"]
    assert (claims(client)[name].status, claims(client)[name].requested) == ("Bound", "1")


def test_a_repeated_request_makes_one_claim(client: httpx.Client) -> None:
    name, key = unused(), {"Idempotency-Key": unused("key")}
    first = client.post(one(name), json={"pvc": {"capacity": 1}}, headers=key)
    again = client.post(one(name), json={"pvc": {"capacity": 1}}, headers=key)
    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    refused(client.post(one(name), json={"pvc": {"capacity": 2}}, headers=key), 409)


# Growing


def test_a_claim_grows_when_its_class_allows_it(project: Project, client: httpx.Client) -> None:
    name = unused()
    create(client, name)
    bound(client, name)
    project.gateway.kubectl("-n", NAMESPACE, "annotate", "pvc", name, "mine=kept")
    for size, requested in ((2, "2"), ("3Gi", "3"), ("3", "3")):
        answer = told(client.patch(one(name), json={"pvc": {"capacity": size}}), OneClaim)
        assert answer.pvc.requested == requested
    eventually(lambda: claims(client)[name].capacity == "3")
    whole = kubectl(project, "get", "pvc", name)
    assert whole["spec"]["resources"]["requests"] == {"storage": "3Gi"}
    assert whole["metadata"]["annotations"]["mine"] == "kept"
    for size in (1, "2Gi", "0", "-1", "x"):
        refused(client.patch(one(name), json={"pvc": {"capacity": size}}), 400, field="pvc.capacity")
    refused(client.patch(one(name), json={"pvc": {}}), 400, field="pvc.capacity")
    refused(client.patch(one("nothing"), json={"pvc": {"capacity": 1}}), 404)
    assert claims(client)[name].requested == "3"


def test_a_claim_does_not_grow_otherwise(project: Project, client: httpx.Client, rigid: str) -> None:
    name = unused()
    made = create(client, name, storage_class_name=rigid)
    assert made.reasons == ["it is bound when the first pod that mounts it comes"]
    message = refused(client.patch(one(name), json={"pvc": {"capacity": 2}}), 409)
    assert "is Pending" in message
    apply(
        project.gateway,
        NAMESPACE,
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod_spec(name)},
    )
    bound(client, name)
    assert claims(client)[name].reasons == []
    message = refused(client.patch(one(name), json={"pvc": {"capacity": 2}}), 400, field="pvc.capacity")
    assert f"class '{rigid}' does not allow it" in message
    project.gateway.kubectl("-n", NAMESPACE, "delete", "pod", name, "--now")
    told(client.delete(one(name)), Batch[None])


# Deleting


def test_a_claim_goes_and_is_no_longer_there(project: Project, client: httpx.Client) -> None:
    name = unused()
    create(client, name)
    done = told(client.delete(one(name)), Batch[None])
    assert ([item.name for item in done.succeed], done.failed) == ([name], [])
    eventually(lambda: name not in claims(client))
    refused(client.delete(one(name)), 404)
    assert "NotFound" in project.gateway.kubectl("-n", NAMESPACE, "get", "pvc", name, ok=False)


def test_a_claim_that_pods_mount_stays(project: Project, client: httpx.Client) -> None:
    name = unused()
    create(client, name)
    apply(project.gateway, NAMESPACE, controller("Deployment", name, pod_spec(name), replicas=2))
    eventually(lambda: claims(client)[name].mounted)
    answer = client.delete(one(name))
    assert f"is used by Deployment {name};" in refused(answer, 409)
    assert answer.json()["details"]["used_by"] == [{"kind": "Deployment", "name": name}]
    assert claims(client)[name].status == "Bound"
    told(client.request("DELETE", one(name), params={"force": "true"}, json={}), Batch[None])
    row = claims(client)[name]
    assert row.status == "Removing"
    assert row.reasons[0].startswith("kept until no pod mounts it any more: ")
    assert name not in claims(client, filter="available")
    project.gateway.kubectl("-n", NAMESPACE, "delete", "deployment", name)
    eventually(lambda: name not in claims(client))


def test_a_claim_that_a_stopped_workload_needs_stays_too(project: Project, client: httpx.Client) -> None:
    name = unused()
    create(client, name)
    apply(project.gateway, NAMESPACE, controller("Deployment", name, pod_spec(name), replicas=0))
    eventually(lambda: claims(client)[name].attached_workloads)
    assert not claims(client)[name].mounted
    refused(client.delete(one(name)), 409)
    project.gateway.kubectl("-n", NAMESPACE, "delete", "deployment", name)
    eventually(lambda: client.delete(one(name)).is_success)


def test_claims_of_replicas_that_are_no_more_can_go(project: Project, client: httpx.Client) -> None:
    name = unused("s")
    template = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    spec = pod_spec("none")
    del spec["volumes"]
    spec["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/d"}]
    more = {"serviceName": name, "volumeClaimTemplates": [template]}
    apply(project.gateway, NAMESPACE, controller("StatefulSet", name, spec, replicas=2, **more))
    first, second = f"data-{name}-0", f"data-{name}-1"
    eventually(lambda: second in claims(client) and claims(client)[second].mounted)
    refused(client.delete(one(first)), 409)
    project.gateway.kubectl("-n", NAMESPACE, "scale", "statefulset", name, "--replicas=1")
    eventually(lambda: not claims(client)[second].mounted)
    attached = claims(client)[second].attached_workloads
    assert [(one_.type, one_.name) for one_ in attached] == [("StatefulSet", name)]
    told(client.delete(one(second)), Batch[None])
    refused(client.delete(one(first)), 409)
    project.gateway.kubectl("-n", NAMESPACE, "delete", "statefulset", name)


def test_a_cloud_administrator_says_whose_claim_is_meant(gateway: Gateway, project: Project) -> None:
    name = unused()
    create(project.member, name)
    admin = gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE})
    other = gateway.users["other"]["project_id"]
    refused(admin.request("DELETE", one(name), json={"project_id": other}), 404)
    refused(project.member.request("DELETE", one(name), json={"project_id": other}), 404)
    told(admin.request("DELETE", one(name), json={"project_id": project.id}), Batch[None])


def test_who_may_what(gateway: Gateway, project: Project) -> None:
    name = unused()
    create(project.member, name)
    body = {"pvc": {"capacity": 1}}
    for method, sent in (("POST", body), ("PATCH", body), ("DELETE", None)):
        refused(gateway.client().request(method, one(name), json=sent), 401)
        refused(project.reader.request(method, one(name), json=sent), 403)
        there = gateway.client("other", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE})
        refused(there.request(method, one(name), json=sent), 404)
    system = gateway.client("admin", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "kube-system"})
    refused(system.post(one(name), json=body), 403)
    told(project.member.delete(one(name)), Batch[None])
