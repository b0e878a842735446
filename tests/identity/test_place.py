"""Where a request acts: chosen by header, by switching, or because there is one place only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecns.api.namespaces.types import CurrentNamespace
from ecns.api.workloads.types import Workloads
from tests.api.answers import refused, told
from tests.api.project import Project, make
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.gateway import Gateway

LIST = "/workloads/"


@pytest.fixture(scope="module")
def places(gateway: Gateway) -> Project:
    """A project with the namespaces left and right, and a workload of the side's name in each."""
    made = make(gateway, "places")
    for side in ("left", "right"):
        made.namespace(side)
        workload = {
            "workload_base": {"name": f"in-{side}", "type": "Deployment", "replicas": 0},
            "containers": [{"name": "a", "image": {"image": "nginx"}}],
        }
        headers = {"X-Ecns-Namespace": side}
        told(made.member.post(LIST, json={"workloads": [workload]}, headers=headers), Workloads)
    return made


def seen(client: httpx.Client, **headers: str) -> list[str]:
    """The names of the workloads where a request with these headers acts."""
    listed = told(client.get(LIST, headers=headers), Workloads)
    return [one.workload_base.name for one in listed.workloads]


def test_the_only_place_needs_no_choice(gateway: Gateway) -> None:
    alone = make(gateway, "alone")
    assert "ask an administrator" in refused(alone.reader.get(LIST), 400)
    alone.namespace("only")
    assert seen(alone.reader) == []


def test_of_several_places_one_must_be_chosen(places: Project) -> None:
    message = refused(places.reader.get(LIST), 400, field="X-Ecns-Namespace")
    assert "X-Ecns-Cluster" in message
    assert "/namespace/<project_id>/cluster/" in message


def test_headers_choose_for_one_request(places: Project) -> None:
    assert seen(places.reader, **{"X-Ecns-Namespace": "left"}) == ["in-left"]
    assert seen(places.reader, **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "right"}) == ["in-right"]
    refused(places.reader.get(LIST), 400)


def test_a_switch_lasts_as_long_as_the_token(places: Project) -> None:
    stays = places.client("member")
    answer = stays.get(f"/namespace/{places.id}/cluster/eks/ns/left/")
    current = told(answer, CurrentNamespace)
    assert current.ecns_current_ns == ["left"]
    assert (current.ecns_cluster_name, current.ecns_cluster_type) == ("eks", "EKS")
    assert current.ecns_project_id == places.id
    assert seen(stays) == ["in-left"]
    assert seen(stays, **{"X-Ecns-Namespace": "right"}) == ["in-right"]
    assert seen(stays) == ["in-left"]
    refused(places.reader.get(LIST), 400)
    told(stays.get(f"/namespace/{places.id}/cluster/eks/ns/right/"), CurrentNamespace)
    assert seen(stays) == ["in-right"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Ecns-Namespace": "nowhere"},
        {"X-Ecns-Namespace": "demo"},
        {"X-Ecns-Namespace": "kube-system"},
        {"X-Ecns-Namespace": "default"},
        {"X-Ecns-Namespace": "LEFT"},
        {"X-Ecns-Namespace": "../left"},
        {"X-Ecns-Cluster": "nowhere"},
        {"X-Ecns-Cluster": "nowhere", "X-Ecns-Namespace": "left"},
        {"X-Ecns-Cluster": "http://127.0.0.1:1", "X-Ecns-Namespace": "left"},
    ],
)
def test_a_place_that_is_not_the_callers_is_not_there(places: Project, headers: dict[str, str]) -> None:
    for client in (places.reader, places.manager):
        assert "is not there" in refused(client.get(LIST, headers=headers), 404)


def test_a_switch_to_a_place_that_is_not_the_callers_changes_nothing(places: Project) -> None:
    told(places.manager.get(f"/namespace/{places.id}/cluster/eks/ns/left/"), CurrentNamespace)
    for path in (
        f"/namespace/{places.id}/cluster/eks/ns/nowhere/",
        f"/namespace/{places.id}/cluster/eks/ns/demo/",
        f"/namespace/{places.id}/cluster/nowhere/ns/left/",
        "/namespace/another/cluster/eks/ns/left/",
    ):
        refused(places.manager.get(path), 404)
    assert seen(places.manager) == ["in-left"]


def test_a_cluster_is_known_by_its_address_too(places: Project) -> None:
    tree = places.reader.get("/namespace/").json()
    address = tree[0]["clusters"][0]["cluster_addr"]
    assert seen(places.reader, **{"X-Ecns-Cluster": address, "X-Ecns-Namespace": "left"}) == ["in-left"]


def test_an_administrator_of_the_cloud_is_let_into_every_place(places: Project) -> None:
    assert seen(places.gateway.client("admin"), **{"X-Ecns-Namespace": "left"}) == ["in-left"]


def test_a_role_may_be_kept_out_of_a_namespace(places: Project) -> None:
    base = {"name": "developers", "cluster_name": "eks", "role": ["Developer"]}
    made = places.manager.post("/namespace/", json={"namespace": {"namespace_base": base}})
    assert made.status_code == 200, made.text
    here = {"X-Ecns-Namespace": "developers"}
    assert seen(places.member, **here) == []
    refused(places.reader.get(LIST, headers=here), 404)


def test_what_goes_away_is_not_there_any_more(places: Project) -> None:
    places.namespace("brief")
    told(places.manager.get(f"/namespace/{places.id}/cluster/eks/ns/brief/"), CurrentNamespace)
    assert seen(places.manager) == []
    assert places.manager.delete("/namespace/cluster/eks/ns/brief/").status_code == 200
    eventually(lambda: places.manager.get(LIST).status_code == 404)
    assert refused(places.manager.get(LIST), 404) == "namespace 'brief' is not there"


def test_what_is_going_away_is_shown_and_not_changed(places: Project) -> None:
    places.namespace("ending")
    here = {"X-Ecns-Namespace": "ending"}
    path, body = "/kubernetes/configmap/held/", {"configmap": {"config": {"a": "b"}}}
    assert places.member.post(path, json=body, headers=here).status_code == 200
    kubectl, patch = places.gateway.kubectl, ("patch", "configmap", "held", "--type=merge", "-p")
    kubectl("-n", "ending", *patch, '{"metadata": {"finalizers": ["example.com/held"]}}')
    assert places.manager.delete("/namespace/cluster/eks/ns/ending/").status_code == 200
    late = "/kubernetes/configmap/late/?dry_run=true"
    message = eventually(lambda: refused(places.member.post(late, json=body, headers=here), 409))
    assert message == "namespace 'ending' is being deleted"
    assert places.reader.get(path, headers=here).status_code == 200
    kubectl("-n", "ending", *patch, '{"metadata": {"finalizers": null}}')
    eventually(lambda: places.reader.get(path, headers=here).status_code == 404)
