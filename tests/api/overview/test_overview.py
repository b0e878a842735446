"""Pods and claims of a cluster by state (chapter 1.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.overview import manifests
from ecns.api.overview.types import ClaimsByState, PodsByState
from ecns.backends.kubernetes.kinds.core import PersistentVolumeClaim, PersistentVolumeClaimStatus
from tests.api import project as projects
from tests.api.answers import refused, told
from tests.api.claims.asking import apply, create, pod_spec, unused
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.api.project import Project
    from tests.gateway import Gateway

NAMESPACE = "overview"
SECOND = "overview-two"
PODS, CLAIMS = "/overview/pods_status/", "/overview/pvc_status/"


@pytest.fixture(scope="module")
def project(gateway: Gateway) -> Project:
    return projects.settled(gateway, NAMESPACE, SECOND)


def pods(client: httpx.Client, **query: Any) -> PodsByState:
    return told(client.get(PODS, params=query), PodsByState)


def by_claims(client: httpx.Client, **query: Any) -> ClaimsByState:
    return told(client.get(CLAIMS, params=query), ClaimsByState)


def pod(name: str, *command: str, claim: str = "") -> dict[str, Any]:
    spec = pod_spec(claim, *command)
    if not claim:
        spec["volumes"] = []
        spec["containers"][0]["volumeMounts"] = []
    spec["restartPolicy"] = "Never"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def counts(found: PodsByState) -> tuple[int, ...]:
    return tuple(overview.count for (overview,) in (found.running, found.failed, found.other))


def test_pods_of_all_namespaces_that_one_may_see(gateway: Gateway, project: Project) -> None:
    assert counts(pods(project.reader)) == (0, 0, 0)
    for namespace in (NAMESPACE, SECOND):
        apply(gateway, namespace, pod("runs"), pod("fails", "false"), pod("succeeds", "true"))
    waits = pod("waits")
    waits["spec"]["nodeSelector"] = {"none": "has-it"}
    apply(gateway, SECOND, waits)
    eventually(lambda: counts(pods(project.reader)) == (2, 2, 3))
    found = pods(project.reader)
    (running,) = found.running
    assert {(one.namespace, one.name, one.status) for one in running.pods} == {
        (NAMESPACE, "runs", "Running"),
        (SECOND, "runs", "Running"),
    }
    assert all(one.pod_ip and one.node_name and one.containers for one in running.pods)
    assert {one.status for one in found.failed[0].pods} == {"Failed"}
    assert {one.status for one in found.other[0].pods} == {"Succeed", "Pending"}
    answer = project.reader.get(PODS)
    assert answer.headers["X-Total-Count"] == "7"
    assert answer.headers["Age"]
    assert project.reader.get(PODS, headers={"Cache-Control": "no-cache"}).json() == answer.json()


def test_lists_are_paged_and_counts_are_of_all(gateway: Gateway, project: Project) -> None:
    apply(gateway, SECOND, *(pod(f"page-{number}") for number in range(3)))
    wanted = {f"page-{number}" for number in range(3)}
    eventually(lambda: wanted <= {one.name for one in pods(project.reader).running[0].pods})
    everything = pods(project.reader)
    names = [(one.namespace, one.name) for one in everything.running[0].pods]
    times = [one.creation_time or "" for one in everything.running[0].pods]
    assert times == sorted(times, reverse=True)
    paged = [
        (one.namespace, one.name)
        for page in (1, 2, 3)
        for one in pods(project.reader, page=page, page_size=2).running[0].pods
    ]
    assert paged == names[:6]
    assert pods(project.reader, page=99).running[0].pods == []
    assert pods(project.reader, page=1, page_size=1).running[0].count == everything.running[0].count
    gateway.kubectl("-n", SECOND, "delete", "pod", *(f"page-{number}" for number in range(3)), "--now")
    eventually(lambda: pods(project.reader).running[0].count == everything.running[0].count - 3)


def test_claims_by_state(gateway: Gateway, project: Project) -> None:
    free, used, waits, lost = (unused("o") for _ in range(4))
    for name in (free, used, lost):
        create(project.member, name)
    apply(
        gateway,
        "default",
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": waits},
            "provisioner": "nobody.example.com",
        },
    )
    create(project.member, waits, storage_class_name=waits)
    eventually(lambda: by_claims(project.reader).available.count == 3)
    apply(gateway, NAMESPACE, pod("mounts", claim=used))
    volume = next(one for one in by_claims(project.reader).available.pvcs if one.name == lost).volume_name
    gateway.kubectl("delete", "pv", volume, "--wait=false")
    gateway.kubectl("patch", "pv", volume, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')

    def settled() -> bool:
        found = by_claims(project.reader)
        states = (found.available, found.mounted, found.creating, found.error)
        return [[one.name for one in state.pvcs] for state in states] == [[free], [used], [waits], [lost]]

    eventually(settled)
    found = by_claims(project.reader)
    assert [found.available.count, found.mounted.count, found.creating.count, found.error.count] == [1] * 4
    assert found.mounted.pvcs[0].attached_workloads[0].name == "mounts"
    none = by_claims(project.reader, page=2, page_size=1)
    assert (none.mounted.count, none.mounted.pvcs) == (1, [])
    assert project.reader.get(CLAIMS).headers["X-Total-Count"] == "4"


def test_of_which_cluster(gateway: Gateway, project: Project) -> None:
    address = next(
        cluster["cluster_addr"]
        for selector in project.reader.get("/namespace/").json()
        for cluster in selector["clusters"]
    )
    for path in (PODS, CLAIMS):
        same = project.reader.get(path, params={"apiserver_host": address})
        assert same.content == project.reader.get(path).content
        refused(project.reader.get(path, params={"apiserver_host": "eos"}), 404)
        refused(project.reader.get(path, params={"apiserver_host": "https://198.51.100.1:6443"}), 404)
        for field, value in (("page", "0"), ("page_size", "501"), ("page", "x")):
            refused(project.reader.get(path, params={field: value}), 400, field=field)
        refused(gateway.client().get(path), 401)
        assert project.client("reader", "image").get(path).status_code == 404
    admin = gateway.client("admin")
    on_eos = told(admin.get(PODS, params={"apiserver_host": "eos"}), PodsByState)
    assert counts(on_eos) == (0, 0, 0)
    everything = told(admin.get(PODS, params={"apiserver_host": "eks"}), PodsByState)
    assert everything.running[0].count >= pods(project.reader).running[0].count
    for client in (gateway.client("other"),):
        names = {
            one.namespace for state in (pods(client).running, pods(client).other) for one in state[0].pods
        }
        assert not names & {NAMESPACE, SECOND}


@pytest.mark.parametrize(
    ("phase", "mounted", "state"),
    [
        ("", 0, "creating"),
        ("Pending", 1, "creating"),
        ("Bound", 0, "available"),
        ("Bound", 1, "mounted"),
        ("Lost", 1, "error"),
        ("Odd", 0, "available"),
    ],
)
def test_each_claim_is_counted_once(phase: str, mounted: int, state: str) -> None:
    claim = PersistentVolumeClaim(status=PersistentVolumeClaimStatus(phase=phase))
    assert manifests.claim_state(claim, mounted=bool(mounted)) == state
