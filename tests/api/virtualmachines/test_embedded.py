"""Hybrid applications on the embedded default."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ecns.api.applications.types import Applications, OneApplication
from ecns.api.common.batches import Batch
from ecns.api.common.objects import DryRun
from ecns.api.virtualmachines.types import VmStatus
from tests.api.answers import refused, told
from tests.api.applications.bodies import named, workload
from tests.api.virtualmachines.conftest import machine
from tests.gateway import Gateway, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


@pytest.fixture
def member(gateway: Gateway) -> httpx.Client:
    return gateway.client("developer", "hybrid")


@pytest.fixture
def network(gateway: Gateway) -> dict[str, str]:
    subnets = gateway.client("developer").get("/ecns/kubernetes/network/subnets/").json()
    found = next(one for one in subnets if one["name"].startswith("private"))
    return {
        "network_name": "private",
        "network_id": found["network_id"],
        "subnet_name": found["name"],
        "subnet_id": found["id"],
    }


@pytest.fixture
def name(member: httpx.Client) -> Iterator[str]:
    """Of an application and its group, which go after the test."""
    called = f"vm-{secrets.token_hex(4)}"
    yield called
    member.request("DELETE", "/applications/app/?resource=all", json=named(called))
    member.request("DELETE", "/virtualmachine/", json={"virtual_machines": [{"name": called}]})


def body(name: str, network: dict[str, str], **more: Any) -> dict[str, Any]:
    group = machine(name, **more.pop("machine", {}))
    return {"name": name, "type": "Hybrid", "vm_network": network, "virtual_machines": [group], **more}


def becomes(client: httpx.Client, name: str, status: str) -> VmStatus:
    def reached() -> VmStatus:
        found = told(client.get(f"/virtualmachine/{name}/"), VmStatus)
        assert found.status == status, found
        return found

    result: VmStatus = eventually(reached, seconds=60)
    return result


def test_from_beginning_to_end(member: httpx.Client, network: dict[str, str], name: str) -> None:
    access = {"access": [{"port": 80, "protocol": "TCP"}]}
    sent = body(name, network, machine={"replicas": 2, "loadbalancer": access, "data_disk": [{"size": 1}]})
    tried = member.post("/applications/", params={"dry_run": "true"}, json=sent)
    assert tried.status_code == 200, tried.text
    refused(member.get(f"/virtualmachine/{name}/"), 404)

    made = told(member.post("/applications/", json=sent), OneApplication).application_info
    assert made.application_status.status in {"Processing", "Running"}
    group = becomes(member, name, "Running")
    assert [one.name for one in group.vm_instances] == [f"{name}-0", f"{name}-1"]
    assert group.loadbalancer is not None
    assert group.loadbalancer.internal_ip
    assert member.get(f"/resources/virtualmachine/{name}/").json() == {"existence": True}

    answer = member.get("/virtualmachine/", params={"name": name, "page": 1, "page_size": 1})
    assert [one.name for one in told(answer, list[VmStatus])] == [name]
    assert answer.headers["X-Total-Count"] == "1"
    listed = told(member.get("/applications/", params={"name": name}), Applications).applications_info
    assert [one.vms_status[0].name for one in listed] == [name]

    told(member.patch(f"/virtualmachine/{name}/?action=scale", json={"replicas": 1}), VmStatus)
    kept = becomes(member, name, "Running").vm_instances
    assert [one.id for one in kept] == [group.vm_instances[0].id]
    which = {"virtual_machines": [{"name": name}, {"name": "none"}]}
    answer = member.put("/virtualmachine/?action=stop", json=which)
    batch = told(answer, Batch[None], 207)
    assert [one.name for one in batch.succeed] == [name]
    assert [(one.name, one.code) for one in batch.failed] == [("none", 404)]
    becomes(member, name, "Stopped")
    member.put("/virtualmachine/?action=start", json=which)
    becomes(member, name, "Running")
    member.put("/virtualmachine/?action=recreate", json=which)
    anew = becomes(member, name, "Running").vm_instances
    assert anew[0].id != kept[0].id
    assert anew[0].internal_ip == kept[0].internal_ip
    gone = member.request("DELETE", "/applications/app/?resource=workload", json=named(name))
    assert gone.status_code == 200, gone.text
    refused(member.get(f"/virtualmachine/{name}/"), 404)


def test_trying_says_what_would_be_done(member: httpx.Client, network: dict[str, str], name: str) -> None:
    """As the real calls: validated, and nothing is changed."""
    disks = [{"size": 1, "cascade_deletion": True}]
    sent = body(name, network, machine={"data_disk": disks})
    tried = told(member.post("/applications/?dry_run=true", json=sent), DryRun)
    (made,) = [one for one in tried.objects if one["kind"] == "VirtualMachine"]
    assert made["metadata"]["name"] == name
    assert made["spec"]["machine"]["flavor_name"] == "m1.tiny"
    assert "very secret" not in str(tried)
    member.post("/applications/", json=sent)
    before = becomes(member, name, "Running")
    which = {"virtual_machines": [{"name": name}]}

    def put(action: str, sent: Any = which) -> httpx.Response:
        return member.put(f"/virtualmachine/?action={action}&dry_run=true", json=sent)

    def scale(replicas: int) -> httpx.Response:
        path = f"/virtualmachine/{name}/?action=scale&dry_run=true"
        return member.patch(path, json={"replicas": replicas})

    assert "+      status: SHUTOFF" in told(put("stop"), DryRun).diff
    assert told(put("start"), DryRun).diff == ""
    anew = told(put("recreate"), DryRun)
    assert before.vm_instances[0].id in anew.diff
    assert anew.deleted == [f"Server/{name}-0", f"Volume/{name}-0-system"]
    assert f"+    {name}-1:" in told(scale(2), DryRun).diff
    assert set(told(scale(0), DryRun).deleted) == {
        f"Server/{name}-0",
        f"Volume/{name}-0-system",
        f"Volume/{name}-0-data-0",
    }
    gone = member.request("DELETE", "/virtualmachine/?dry_run=true", json=which)
    assert f"VirtualMachine/{name}" in told(gone, DryRun).deleted
    with_it = member.request(
        "DELETE", "/applications/app/?resource=all&dry_run=true", json={"applications": [{"name": name}]}
    )
    assert f"Server/{name}-0" in told(with_it, DryRun).deleted

    refused(put("stop", {"virtual_machines": [{"name": "none"}]}), 404)
    assert scale(100).json()["details"]["reason"] == "over quota"
    refused(member.patch(f"/virtualmachine/{name}/?action=scale", json={"replicas": 100}), 403)
    assert becomes(member, name, "Running") == before
    assert member.patch(f"/virtualmachine/{name}/?action=scale", json={"replicas": 2}).status_code == 200
    refused(scale(1), 409)
    becomes(member, name, "Running")


def test_machines_reach_containers(
    gateway: Gateway, member: httpx.Client, network: dict[str, str], name: str
) -> None:
    box = workload("box-" + name, vm_access={"access": [{"port": "80"}]}, security_groups=["default"])
    sent = body(name, network, machine={"replicas": 0}, workloads=[box])
    made = told(member.post("/applications/", json=sent), OneApplication).application_info
    (shown,) = made.application.workloads or []
    assert shown.security_groups == ["default"]
    assert shown.vm_network == network
    entry = next(one for one in shown.access_mode or () if one.type == "LoadBalancer")
    assert (entry.name, entry.subnet) == (f"box-{name}-vm", network["subnet_id"])
    service = gateway.kubectl_json("-n", "demo", "get", "service", f"box-{name}-vm")
    annotations = service["metadata"]["annotations"]
    assert annotations["service.beta.kubernetes.io/openstack-internal-load-balancer"] == "true"
    assert annotations["loadbalancer.openstack.org/subnet-id"] == network["subnet_id"]
    # Members of `default` may come in, and are in this subnet; a change of the entry leaves that alone.
    assert service["spec"]["loadBalancerSourceRanges"] == ["10.0.0.0/24"]
    modes = msgspec.to_builtins(shown.access_mode)
    for mode in modes:
        mode["annotations"] = {**(mode["annotations"] or {}), "changed": "yes"}
    path = f"/workloads/workload/box-{name}/?action=access_modes"
    changed = member.patch(path, json={"access_modes": modes})
    assert changed.status_code == 200, changed.text
    service = gateway.kubectl_json("-n", "demo", "get", "service", f"box-{name}-vm")
    assert service["metadata"]["annotations"]["changed"] == "yes"
    assert service["spec"]["loadBalancerSourceRanges"] == ["10.0.0.0/24"]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"vm_access": {}}, None),
        ({"vm_access": {"access": []}}, "vm_access"),
        ({"vm_access": {"access": [{"port": 0}]}}, "vm_access.access[0].port"),
        ({"vm_access": {"access": 1}}, "vm_access"),
        ({"security_groups": ["default", "none"]}, "security_groups[1]"),
    ],
)
def test_containers_that_cannot_be_reached_so(
    member: httpx.Client, network: dict[str, str], name: str, more: dict[str, Any], field: str | None
) -> None:
    sent = body(name, network, machine={"replicas": 0}, workloads=[workload("box-" + name, **more)])
    answer = member.post("/applications/", json=sent)
    if field is None:
        assert answer.status_code == 200, answer.text
        return
    refused(answer, 400, field=f"workloads[0].{field}")
    refused(member.get(f"/applications/app/{name}/"), 404)


def test_what_is_asked_in_nonsense(member: httpx.Client, network: dict[str, str], name: str) -> None:
    refused(member.patch(f"/virtualmachine/{name}/?action=scale", json={"replicas": 1}), 404)
    refused(
        member.patch(f"/virtualmachine/{name}/?action=scale", json={"replicas": -1}), 400, field="replicas"
    )
    refused(member.patch(f"/virtualmachine/{name}/?action=scale", json={}), 400)
    refused(member.patch(f"/virtualmachine/{name}/?action=grow", json={"replicas": 1}), 400, field="action")
    refused(member.get("/virtualmachine/", params={"sort_by": "colour"}), 400, field="sort_by")
    refused(member.put("/virtualmachine/?action=start", json={"virtual_machines": [{"name": name}]}), 404)
    wrong = body(name, network, machine={"flavor_name": "none"})
    answer = member.post("/applications/", json=wrong)
    refused(answer, 400, field="virtual_machines[0].flavor_name")
    assert "there is none for this project, but m1.large, m1.medium" in answer.text


def test_who_may(gateway: Gateway) -> None:
    refused(gateway.client(product="hybrid").get("/virtualmachine/"), 401)
    refused(gateway.client("developer", "eks").get("/virtualmachine/"), 404)
    visitor = gateway.client("visitor", "hybrid")
    assert visitor.get("/virtualmachine/").status_code == 200
    which = {"virtual_machines": [{"name": "x"}]}
    refused(visitor.request("DELETE", "/virtualmachine/", json=which), 403)
    refused(visitor.put("/virtualmachine/?action=stop", json=which), 403)
    foreign = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "demo"}
    refused(gateway.client("other", "hybrid", **foreign).get("/virtualmachine/"), 404)
    refused(gateway.client("admin", "hybrid", **foreign).get("/virtualmachine/"), 403)


def test_a_namespace_goes_after_its_machines(gateway: Gateway, network: dict[str, str], name: str) -> None:
    manager = gateway.client("admin", "hybrid")
    project = gateway.users["developer"]["project_id"]
    base = {"name": name, "cluster_name": "eks", "project_id": project}
    made = manager.post("/namespace/", json={"namespace": {"namespace_base": base}})
    assert made.status_code == 200, made.text
    place = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": name}
    inside = gateway.client("developer", "hybrid", **place)
    sent = body(name, network, machine={"replicas": 0})
    assert inside.post("/applications/", json=sent).status_code == 200
    path = f"/namespace/cluster/eks/ns/{name}/"
    assert "delete it first" in refused(manager.delete(path), 409)
    becomes(inside, name, "Stopped")
    gone = inside.request("DELETE", "/applications/app/?resource=all", json=named(name))
    assert gone.status_code == 200, gone.text
    assert manager.delete(path).status_code == 200
