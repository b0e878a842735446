"""Listing classes, claims and volumes, and changing what belongs to no namespace (chapter 1.20)."""

from __future__ import annotations

import concurrent.futures
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.batches import Batch
from ecns.api.common.objects import DryRun
from ecns.api.storage import manifests
from ecns.api.storage.types import OneClass, StorageClass, Volume
from ecns.config import Cluster
from tests.api import inside
from tests.api.answers import refused, told
from tests.api.claims.asking import (
    LIST,
    apply,
    claims,
    controller,
    create,
    pod_spec,
    storage,
    unused,
)
from tests.api.claims.asking import one as claim
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "storage"
SECOND = "storage-two"


def classes(client: httpx.Client, **query: Any) -> dict[str, StorageClass]:
    return {row.class_name: row for row in storage(client, "StorageClass", **query).storage_class or []}


def volumes(client: httpx.Client, selector: str = "current", **query: Any) -> dict[str, Volume]:
    return {row.name: row for row in storage(client, "PV", selector, **query).pv or []}


def volume_of(client: httpx.Client, name: str) -> Volume:
    """The volume that a claim gets."""
    bound = eventually(lambda: (row := claims(client)[name]).status == "Bound" and row)
    return volumes(client)[bound.volume_name]


def default(name: str) -> str:
    return f"/kubernetes/storageclass/{name}/default/"


def made_class(name: str, **annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": annotations},
        "provisioner": "embedded.ecns.io/local",
    }


@pytest.fixture
def kept_default(admin: httpx.Client) -> Iterator[None]:
    """The default class is afterwards what it was."""
    yield
    told(admin.put(default("standard"), params={"action": "set"}), OneClass)


# Listing


def test_all_three_lists_in_one_answer(gateway: Gateway, project: Project) -> None:
    name = unused()
    create(project.member, name)
    volume = volume_of(project.member, name)
    listed = storage(project.reader, "StorageClass,PVC,PV")
    assert listed.storage_class
    assert listed.pvc
    assert listed.pv
    assert listed.totals == {
        "storage_class": len(listed.storage_class),
        "pvc": len(listed.pvc),
        "pv": len(listed.pv),
    }
    assert listed.total == sum(listed.totals.values())
    row = next(one for one in listed.pv if one.name == volume.name)
    whole = gateway.kubectl_json("get", "pv", volume.name)
    assert (row.pvc_name, row.pvc_namespace, row.project) == (name, NAMESPACE, NAMESPACE)
    assert (row.status, row.reclaim_policy, row.capacity) == ("Bound", "Delete", "1")
    assert row.creation_time == whole["metadata"]["creationTimestamp"]
    standard = next(one for one in listed.storage_class if one.class_name == "standard")
    assert (standard.capacity, standard.cluster, standard.is_default) == (0, "eks", True)
    assert (standard.provisioner, standard.access_modes) == ("embedded.ecns.io/local", ["ReadWriteOnce"])


def test_only_what_is_asked_for_is_answered(project: Project) -> None:
    for kind, keys in (("pvc", {"pvc"}), ("pv,storageclass", {"pv", "storage_class"}), ("PV,,PV", {"pv"})):
        answer = project.reader.get(LIST, params={"type": kind, "cluster_selector": "current"})
        assert answer.json().keys() - {"total", "totals", "page", "page_size"} == keys
    refused(project.reader.get(LIST), 400, field="type")
    refused(project.reader.get(LIST, params={"type": ","}), 400, field="type")
    refused(project.reader.get(LIST, params={"type": "PVC,Disk"}), 400, field="type")
    bad = (("cluster_selector", "some"), ("filter", "free"), ("page", "0"), ("sort_by", "mood"))
    for field, value in (*bad, ("label_selector", "(")):
        refused(project.reader.get(LIST, params={"type": "PVC", field: value}), 400, field=field)
    for product, status in (("hybrid", 200), ("security", 200), ("image", 404)):
        client = project.client("reader", product, **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE})
        assert client.get(LIST, params={"type": "PVC"}).status_code == status


def test_a_list_is_paged_sorted_and_filtered(project: Project) -> None:
    stem = unused("page")
    for number, size in enumerate((3, 1, 2)):
        create(project.member, f"{stem}-{number}", capacity=size)
    for number in range(3):
        volume_of(project.member, f"{stem}-{number}")

    def names(**query: Any) -> list[str]:
        listed = storage(project.reader, "PVC", name=stem, **query)
        assert listed.total == 3
        return [row.name[-1] for row in listed.pvc or []]

    assert names(sort_by="name") == ["0", "1", "2"]
    assert names(sort_by="name", order="desc") == ["2", "1", "0"]
    assert names(sort_by="capacity") == ["1", "2", "0"]
    assert names(sort_by="capacity", order="desc", page=1, page_size=2) == ["0", "2"]
    assert names(sort_by="name", page=2, page_size=2) == ["2"]
    assert names(status="Bound", storage_class_name="standard", sort_by="name") == ["0", "1", "2"]
    assert storage(project.reader, "PVC", name=stem, status="Lost").pvc == []
    assert storage(project.reader, "PVC", name=stem, storage_class_name="x").pvc == []
    assert storage(project.reader, "PVC", label_selector="nobody=has").pvc == []
    by_size = storage(project.reader, "PV", sort_by="capacity", page=1, page_size=1, order="desc")
    assert by_size.pv
    assert by_size.pv[0].capacity == "3"
    answer = project.reader.get(LIST, params={"type": "PVC", "name": stem, "page": 1, "page_size": 1})
    assert (answer.headers["X-Total-Count"], answer.json()["page_size"]) == ("3", 1)
    assert answer.headers["Age"]
    fresh = project.reader.get(
        LIST, params={"type": "PVC,PV", "name": stem}, headers={"Cache-Control": "no-cache"}
    )
    assert len(fresh.json()["pvc"]) == 3


def test_current_is_the_namespace_and_all_is_everything(project: Project) -> None:
    here, there = unused(), unused()
    create(project.member, here)
    second = project.client("member", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": SECOND})
    create(second, there)
    assert here in claims(project.reader)
    assert there not in claims(project.reader)
    listed = claims(project.reader, "all")
    assert (listed[here].namespace, listed[there].namespace) == (NAMESPACE, SECOND)
    volume = eventually(lambda: claims(second)[there].volume_name)
    assert volume in volumes(project.reader), "a cluster's volumes are of all the project's namespaces"
    nowhere = project.client("reader")
    assert here in claims(nowhere, "all"), "no namespace needs to be chosen"
    assert "standard" in classes(nowhere)
    refused(nowhere.get(LIST, params={"type": "PVC"}), 400)
    fresh = {"Cache-Control": "no-cache"}
    answer = nowhere.get(LIST, params={"type": "PVC,PV", "cluster_selector": "all"}, headers=fresh)
    assert {here, there} <= {row["name"] for row in answer.json()["pvc"]}


def test_volumes_are_their_projects_alone(gateway: Gateway, project: Project, admin: httpx.Client) -> None:
    name = unused()
    create(project.member, name)
    volume = volume_of(project.member, name).name
    free = unused("free")
    apply(gateway, "default", volume_object(free))
    other = gateway.client("other")
    assert volume in volumes(project.reader, "all")
    assert {volume, free} <= volumes(admin).keys()
    for client in (other, project.reader):
        assert free not in volumes(client, "all"), "a volume that is nobody's is the administrators'"
    assert volume not in volumes(other, "all")
    assert name not in claims(other, "all")
    for kind in ("PV", "PVC", "StorageClass"):
        hidden = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": NAMESPACE}
        refused(other.get(LIST, params={"type": kind}, headers=hidden), 404)
        refused(gateway.client().get(LIST, params={"type": kind}), 401)
    gateway.kubectl("delete", "pv", free)


def volume_object(name: str, **more: Any) -> dict[str, Any]:
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": name,
        "hostPath": {"path": "/x"},
        **more,
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def test_a_released_volume_is_still_the_projects_but_not_the_next_ones(
    gateway: Gateway, project: Project, admin: httpx.Client
) -> None:
    name, space = unused("kept"), unused("again")
    project.namespace(space)
    client = project.client("member", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": space})
    apply(gateway, "default", volume_object(name))
    eventually(lambda: name in volumes(admin))
    create(client, name, storage_class_name=name, access_modes=["ReadWriteMany"])
    assert volume_of(client, name).status == "Bound"
    told(client.delete(claim(name)), Batch[None])
    eventually(lambda: volumes(client)[name].status == "Released")
    assert (volumes(client)[name].pvc_name, volumes(client)[name].pvc_namespace) == (name, space)
    gateway.kubectl("delete", "namespace", space)
    assert name not in volumes(project.reader, "all")
    eventually(lambda: volumes(admin)[name].status == "Released")
    created = gateway.kubectl_json("get", "pv", name)["status"]["lastPhaseTransitionTime"]

    def later() -> bool:  # of another second than the volume's release
        other = gateway.client("other")
        base = {"name": space, "cluster_name": "eks", "project_id": gateway.users["other"]["project_id"]}
        answer = gateway.client("admin").post("/namespace/", json={"namespace": {"namespace_base": base}})
        assert answer.status_code == 200, answer.text
        found = gateway.kubectl_json("get", "namespace", space)["metadata"]["creationTimestamp"]
        if found > created:
            assert name not in volumes(other, "all"), "who has a namespace of that name now had nothing in it"
        gateway.kubectl("delete", "namespace", space)
        return bool(found > created)

    eventually(later)
    gateway.kubectl("delete", "pv", name)


def pod(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


ATTACHED = [
    ("Deployment", 1, True),
    ("Deployment", 0, False),
    ("DaemonSet", None, True),
    ("Pod", None, True),
    ("Job", None, True),
    ("CronJob", None, False),
]


@pytest.mark.parametrize(("kind", "replicas", "mounted"), ATTACHED)
def test_a_claim_shows_the_workloads_that_it_is_attached_to(
    gateway: Gateway, project: Project, kind: str, replicas: int | None, *, mounted: bool
) -> None:
    name = unused("at")
    create(project.member, name)
    spec = pod_spec(name)
    match kind:
        case "Pod":
            made = pod(name, spec)
        case "Job" | "CronJob":
            template = {"template": {"spec": {**spec, "restartPolicy": "Never"}}}
            job = template if kind == "Job" else {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": template}}
            made = {"apiVersion": "batch/v1", "kind": kind, "metadata": {"name": name}, "spec": job}
        case _:
            made = controller(kind, name, spec, replicas=replicas)
    apply(gateway, NAMESPACE, made)
    row = eventually(
        lambda: (row := claims(project.reader)[name]).attached_workloads and row.mounted == mounted and row
    )
    (attached,) = row.attached_workloads
    assert (attached.type, attached.name) == (kind, name)
    assert attached.attached_time >= row.creation_time
    assert (name in claims(project.reader, filter="available")) == (not mounted)
    assert claims(project.reader, sort_by="attached_time")[name]
    gateway.kubectl("-n", NAMESPACE, "delete", kind, name)
    eventually(lambda: not claims(project.reader)[name].attached_workloads)
    assert name in claims(project.reader, filter="available")


def test_pods_that_have_ended_and_volumes_of_a_pod_of_its_own(gateway: Gateway, project: Project) -> None:
    done, name = unused("done"), unused("own")
    create(project.member, done)
    ended = {**pod_spec(done, "true"), "restartPolicy": "Never"}
    source = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    own = pod_spec("none")
    own["volumes"] = [{"name": "v", "ephemeral": {"volumeClaimTemplate": source}}]
    apply(gateway, NAMESPACE, pod(done, ended), pod(name, own))

    def users() -> Any:
        found = claims(project.reader).get(f"{name}-v")
        return found and found.attached_workloads

    (attached,) = eventually(users)
    assert (attached.type, attached.name) == ("Pod", name)
    phase = ("-n", NAMESPACE, "get", "pod", done)
    eventually(lambda: gateway.kubectl_json(*phase)["status"]["phase"] == "Succeeded")
    eventually(lambda: not claims(project.reader)[done].mounted)
    assert claims(project.reader)[done].attached_workloads == []
    gateway.kubectl("-n", NAMESPACE, "delete", "pod", done, name, "--now")
    eventually(lambda: f"{name}-v" not in claims(project.reader))


def test_a_lost_claim_says_so(gateway: Gateway, project: Project) -> None:
    name = unused("lost")
    create(project.member, name)
    volume = volume_of(project.member, name).name
    gateway.kubectl("delete", "pv", volume, "--wait=false")
    assert volumes(project.reader)[volume].status in {"Removing", "Bound"}
    gateway.kubectl("patch", "pv", volume, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    row = eventually(lambda: (row := claims(project.reader)[name]).status == "Lost" and row)
    assert row.reasons == [f"its volume {volume!r} is gone, and the data on it"]
    assert name not in claims(project.reader, filter="available")
    told(project.member.delete(claim(name)), Batch[None])


# Clusters


@pytest.fixture
def clusters(gateway: Gateway, tmp_path: Path) -> Iterator[tuple[Cluster, ...]]:
    """One that is there, one that refuses, and one that says nothing."""
    text = Path(gateway.kubeconfig).read_text()
    server = gateway.kubectl_json("config", "view")["clusters"][0]["cluster"]["server"]
    found = [Cluster(name="eks", kubeconfig=Path(gateway.kubeconfig))]
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silence:
        for name, port in (("dead", 1), ("silent", silence.getsockname()[1])):
            (tmp_path / name).write_text(text.replace(server, f"https://127.0.0.1:{port}"))
            found.append(Cluster(name=name, kubeconfig=tmp_path / name, timeout=1.0))
        yield tuple(found)


def test_the_administrator_lists_both_clusters(gateway: Gateway, admin: httpx.Client) -> None:
    listed = storage(admin, "StorageClass", "all").storage_class or []
    assert {"eks", "eos"} <= {row.cluster for row in listed if row.class_name == "standard"}
    one_by_one = storage(admin, "StorageClass", "all", sort_by="cluster", page=1, page_size=1)
    assert one_by_one.storage_class
    assert one_by_one.storage_class[0].cluster == "eks"
    there = gateway.client("admin", **{"X-Ecns-Cluster": "eos", "X-Ecns-Namespace": "platform"})
    assert {row.cluster for row in storage(there, "StorageClass").storage_class or []} == {"eos"}
    name = unused("both")
    on_eos = there.post(f"/kubernetes/sc/{name}/", params={"cluster_addr": "eos"}, json={"volume_type": "t"})
    assert told(on_eos, OneClass).storage_class.cluster == "eos"
    assert name not in classes(admin)
    told(admin.delete(f"/kubernetes/sc/{name}/", params={"cluster_addr": "eos"}), Batch[None])
    refused(admin.delete(f"/kubernetes/sc/{name}/", params={"cluster_addr": "https://198.51.100.1"}), 404)
    two = {"cluster_addr": "eos"}
    refused(admin.request("DELETE", f"/kubernetes/sc/{name}/", params=two, json={"cluster": "eks"}), 400)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what Litestar says of its next version
async def test_a_cluster_that_is_down_is_named_and_waited_for_no_longer(
    project: Project, clusters: tuple[Cluster, ...]
) -> None:
    gateway = project.gateway
    headers = {"X-Auth-Token": gateway.token(f"{NAMESPACE}-reader")}
    params = {"type": "StorageClass,PVC,PV", "cluster_selector": "all"}
    async with inside.client(gateway, clusters) as client:
        began = time.monotonic()
        answer = await client.get(LIST, params=params, headers=headers)
        assert time.monotonic() - began < 10
        assert answer.headers["X-Ecns-Unavailable"] == "dead, silent"
        listed = answer.json()
        assert {row["cluster"] for row in listed["storage_class"]} == {"eks"}
        for path, alone in (("/overview/pods_status/", {"apiserver_host": "dead"}), (LIST, {"type": "PV"})):
            answer = await client.get(path, params=alone, headers={**headers, "X-Ecns-Cluster": "dead"})
            assert "dead" in refused(answer, 503)
    async with inside.client(gateway, clusters[1:]) as client:
        refused(await client.get(LIST, params=params, headers=headers), 503)


# Classes


@pytest.mark.usefixtures("kept_default")
def test_a_class_of_a_volume_type(gateway: Gateway, project: Project, admin: httpx.Client) -> None:
    name = unused("ssd")
    address = classes(admin)["standard"].cluster_addr
    tried = admin.post(f"/kubernetes/sc/{name}/", params={"dry_run": "true"}, json={"volume_type": "ssd"})
    assert told(tried, DryRun).objects[0]["provisioner"] == "cinder.csi.openstack.org"
    sent = {"domain": "Default", "project": "demo", "volume_type": "ssd", "cluster_addr": address}
    # With the doubled ampersand that the reference has.
    answer = admin.post(f"/kubernetes/sc/{name}/?volume_type=ssd&&cluster_addr={address}", json=sent)
    (warning,) = told(answer, OneClass).warnings
    assert warning.startswith("Cinder has no volume type 'ssd'; it has ")
    made = told(answer, OneClass).storage_class
    assert (made.class_name, made.volume_type, made.capacity) == (name, "ssd", 0)
    assert (made.domain, made.project, made.is_default) == ("Default", "demo", False)
    whole = gateway.kubectl_json("get", "storageclass", name)
    assert whole["parameters"] == {"type": "ssd"}
    assert (whole["reclaimPolicy"], whole["allowVolumeExpansion"]) == ("Delete", True)
    assert classes(project.reader)[name] == made
    refused(admin.post(f"/kubernetes/sc/{name}/", json=sent), 409)
    create(project.member, name, storage_class_name=name)
    volume = volume_of(project.member, name)
    assert volume.storage_class_name == name
    message = refused(admin.delete(f"/kubernetes/sc/{name}/"), 409)
    assert f"{NAMESPACE}/{name}" in message
    told(project.member.delete(claim(name)), Batch[None])
    eventually(lambda: admin.delete(f"/kubernetes/sc/{name}/").is_success)
    refused(admin.delete(f"/kubernetes/sc/{name}/"), 404)
    assert name not in classes(project.reader)


def test_what_no_class_can_be(project: Project, admin: httpx.Client) -> None:
    refused(admin.post("/kubernetes/sc/No_Name/", json={}), 400, field="storage_name")
    long = {"volume_type": "t" * 256}
    refused(admin.post("/kubernetes/sc/n/", json=long), 400, field="volume_type")
    refused(admin.post("/kubernetes/sc/n/", params={"volume_type": "a"}, json={"volume_type": "b"}), 400)
    refused(admin.post("/kubernetes/sc/n/", params={"cluster_addr": "https://198.51.100.1"}), 404)
    refused(admin.post("/kubernetes/sc/n/", json=[]), 400)
    for method, path in (
        ("POST", "/kubernetes/sc/n/"),
        ("DELETE", "/kubernetes/sc/standard/"),
        ("PUT", f"{default('standard')}?action=unset"),
        ("DELETE", "/kubernetes/storage/n/?type=PV"),
    ):
        refused(project.manager.request(method, path), 403)
    assert classes(admin)["standard"].is_default


@pytest.mark.usefixtures("kept_default")
def test_one_class_is_the_default(gateway: Gateway, project: Project, admin: httpx.Client) -> None:
    first, second = unused("def"), unused("def")
    apply(gateway, "default", made_class(first), made_class(second, **{manifests.OLD_DEFAULT: "true"}))

    def marked() -> list[str]:
        items = gateway.kubectl_json("get", "storageclass")["items"]
        keys = (manifests.DEFAULT, manifests.OLD_DEFAULT)
        return [
            item["metadata"]["name"]
            for item in items
            if "true" in {item["metadata"].get("annotations", {}).get(key) for key in keys}
        ]

    eventually(lambda: classes(project.reader)[second].is_default)
    assert [name for name, row in classes(project.reader).items() if row.is_default] == [second]
    tried = admin.put(default(first), params={"action": "set", "dry_run": "true"})
    assert f"StorageClass/{second}" in told(tried, DryRun).diff
    assert set(marked()) == {"standard", second}
    sent = {"domain": "Default", "project": "demo", "cluster": "eks", "cluster_addr": "eks"}
    answer = told(admin.put(default(first), params={"action": "set"}, json=sent), OneClass)
    assert (answer.storage_class.class_name, answer.storage_class.is_default) == (first, True)
    assert marked() == [first]
    annotations = gateway.kubectl_json("get", "storageclass", first)["metadata"]["annotations"]
    assert manifests.BECOMING not in annotations
    assert create(project.member, unused()).storage_class_name == first
    message = refused(admin.delete(f"/kubernetes/sc/{first}/"), 409)
    assert "is the default" in message
    for name in (second, first):
        answer = told(admin.put(default(name), params={"action": "unset"}), OneClass)
        assert not answer.storage_class.is_default
    assert marked() == []
    waiting = create(project.member, unused())
    assert (waiting.storage_class_name, len(waiting.reasons)) == ("", 1)
    for action, status in (("set", 404), ("unset", 404), ("keep", 400), ("", 400)):
        refused(admin.put(default("nothing"), params={"action": action}), status)
    told(admin.put(default("standard"), params={"action": "set"}), OneClass)
    eventually(lambda: claims(project.reader)[waiting.name].storage_class_name == "standard")
    for name in (first, second):
        told(admin.delete(f"/kubernetes/sc/{name}/", params={"force": "true"}), Batch[None])


@pytest.mark.usefixtures("kept_default")
def test_several_administrators_at_once_leave_one_default(gateway: Gateway, admin: httpx.Client) -> None:
    names = [unused("race") for _ in range(3)]
    apply(gateway, "default", *(made_class(name) for name in names))
    clients = [gateway.client("admin", **{"X-Ecns-Cluster": "eks"}) for _ in range(6)]

    def put(number: int) -> int:
        return clients[number].put(default(names[number % 3]), params={"action": "set"}).status_code

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            statuses = list(pool.map(put, range(6)))
            (left,) = [name for name, row in classes(admin).items() if row.is_default]
            assert set(statuses) <= {200, 409}
            assert 200 in {statuses[number] for number in range(6) if names[number % 3] == left}
    told(admin.put(default("standard"), params={"action": "set"}), OneClass)
    gateway.kubectl("delete", "storageclass", *names)


# Volumes


def test_a_volume_that_is_bound_stays(project: Project, admin: httpx.Client) -> None:
    name = unused()
    create(project.member, name)
    volume = volume_of(project.member, name).name
    path = f"/kubernetes/storage/{volume}/"
    answer = admin.delete(path, params={"type": "PV"})
    assert f"bound to the claim {NAMESPACE}/{name}" in refused(answer, 409)
    assert answer.json()["details"]["pvc_name"] == name
    tried = admin.delete(path, params={"type": "PV", "dry_run": "true", "force": "true"})
    assert told(tried, DryRun).deleted == [f"PersistentVolume/{volume}"]
    told(admin.delete(path, params={"type": "PV", "cluster": "eks", "force": "true"}), Batch[None])
    row = volumes(project.reader)[volume]
    assert (row.status, row.reason) == ("Removing", "kept until its claim is gone")
    assert volume in volumes(admin, status="Removing")
    told(project.member.delete(claim(name)), Batch[None])
    eventually(lambda: volume not in volumes(admin))
    refused(admin.delete(path, params={"type": "PV"}), 404)


def test_a_volume_that_is_free_goes(gateway: Gateway, admin: httpx.Client) -> None:
    name = unused("free")
    apply(gateway, "default", volume_object(name))
    eventually(lambda: volumes(admin).get(name) and volumes(admin)[name].status == "Available")
    row = volumes(admin)[name]
    assert (row.reclaim_policy, row.access_modes, row.pvc_name) == ("Retain", ["ReadWriteMany"], "")
    for kind in ("PVC", "StorageClass", "Disk"):
        refused(admin.delete(f"/kubernetes/storage/{name}/", params={"type": kind}), 400, field="type")
    done = told(admin.request("DELETE", f"/kubernetes/storage/{name}/", json={"cluster": "eks"}), Batch[None])
    assert [item.name for item in done.succeed] == [name]
    eventually(lambda: name not in volumes(admin))
