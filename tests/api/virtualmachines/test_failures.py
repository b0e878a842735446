"""What goes wrong with hybrid applications, at the real OpenStack: what is left of it says why."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from ecns.api.applications import checks, manifests
from ecns.api.applications.types import CreateApplication, OneApplication
from ecns.api.common.objects import DryRun
from ecns.api.virtualmachines.manifests import definitions
from ecns.backends.kubernetes.kinds.extensions import Application
from tests.api.answers import refused, told
from tests.api.applications.bodies import workload
from tests.api.virtualmachines.conftest import NOTHING, SPACE, Hybrid, machine
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.openstack.cloud import Cloud

pytestmark = pytest.mark.usefixtures("clean")


def post(hybrid: Hybrid, name: str, *machines: dict[str, Any], **more: Any) -> httpx.Response:
    return hybrid.member.post("/applications/", json=hybrid.application(name, *machines, **more))


def is_not_there(hybrid: Hybrid, name: str) -> None:
    refused(hybrid.member.get(f"/applications/app/{name}/"), 404)
    assert hybrid.gateway.kubectl(
        "-n", SPACE, "get", "deployments,configmaps,services", "-o", "name"
    ).split() in (
        [],
        ["configmap/kube-root-ca.crt"],
    )


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"boot_manager": {"type": "image", "image": "windows"}}, "boot_manager.image"),
        ({"boot_manager": {"type": "image", "image": "others-own"}}, "boot_manager.image"),
        ({"boot_manager": {"type": "snapshot", "snapshot": "none"}}, "boot_manager.snapshot"),
        ({"boot_manager": {"type": "volume", "bootable_volume": "none"}}, "boot_manager.bootable_volume"),
        ({"flavor_name": "m1.gigantic"}, "flavor_name"),
        ({"availability_zone": "zone-x"}, "availability_zone"),
        ({"security_groups": ["default", "mine"]}, "security_groups[1]"),
        ({"authentication": {"keypair": "none"}}, "authentication.keypair"),
    ],
)
def test_what_is_not_there_names_its_field(hybrid: Hybrid, more: dict[str, Any], field: str) -> None:
    answer = post(hybrid, "wrong", machine("first"), machine("second", **more), workloads=[workload("box")])
    refused(answer, 400, field=f"virtual_machines[1].{field}")
    is_not_there(hybrid, "wrong")


def test_networks_that_are_not_there(hybrid: Hybrid, real_cloud: Cloud) -> None:
    body = hybrid.application("wrong", machine())
    found = real_cloud.caller("other").call("neutron", "GET", "/v2.0/subnets?name=private-subnet")["subnets"]
    for changed, field in (
        ({"subnet_id": "none"}, "subnet_id"),
        ({"subnet_id": found[0]["id"]}, "subnet_id"),
        ({"network_id": "none"}, "network_id"),
    ):
        sent = body | {"vm_network": body["vm_network"] | changed}
        refused(hybrid.member.post("/applications/", json=sent), 400, field=f"vm_network.{field}")
    is_not_there(hybrid, "wrong")


def test_quotas(hybrid: Hybrid) -> None:
    answer = post(hybrid, "large", machine(replicas=50), workloads=[workload("box")])
    assert "does not leave 50 servers" in refused(answer, 403)
    assert answer.json()["details"]["reason"] == "over quota"
    is_not_there(hybrid, "large")


@pytest.mark.parametrize("user", ["visitor", "other", "admin"])
def test_who_may(hybrid: Hybrid, user: str) -> None:
    """A visitor sees, another project's member sees nothing, and nobody makes machines in another project."""
    hybrid.create("mine", machine("vm", replicas=0))
    hybrid.becomes("vm", "Stopped")
    somebody = hybrid.client(user)
    body, named = {"virtual_machines": [{"name": "vm"}]}, {"applications": [{"name": "mine"}]}
    changes = [
        somebody.post("/applications/", json=hybrid.application("theirs", machine("vm2"))),
        somebody.patch("/virtualmachine/vm/?action=scale", json={"replicas": 2}),
        somebody.put("/virtualmachine/?action=start", json=body),
        somebody.request("DELETE", "/virtualmachine/", json=body),
        somebody.request("DELETE", "/applications/app/?resource=all", json=named),
    ]
    reads = [
        somebody.get("/virtualmachine/"),
        somebody.get("/virtualmachine/vm/"),
        somebody.get("/resources/VirtualMachine/vm/"),
    ]
    assert {one.status_code for one in changes} == {404 if user == "other" else 403}
    assert {one.status_code for one in reads} == {{"visitor": 200, "other": 404, "admin": 403}[user]}
    if user == "admin":  # the machines are Unknown to them, with the reason
        found = told(somebody.get("/applications/app/mine/"), OneApplication).application_info
        assert [(one.name, one.status) for one in found.vms_status] == [("vm", "Unknown")]
        assert "token of that project" in str(found.vms_status[0].reason)
    refused(hybrid.client().get("/virtualmachine/"), 401)
    assert hybrid.becomes("vm", "Stopped")["replicas"] == 0
    hybrid.delete("mine")


def test_names_are_taken(hybrid: Hybrid) -> None:
    hybrid.create("first", machine("vm", replicas=0))
    exists = hybrid.member.get("/resources/virtualmachine/vm/")
    assert exists.json() == {"existence": True}
    assert hybrid.member.get("/resources/VirtualMachine/other/").json() == {"existence": False}
    refused(post(hybrid, "second", machine("vm2"), machine("vm")), 409)
    refused(post(hybrid, "first", machine("vm3")), 409)
    normal = hybrid.member.post("/applications/", json={"name": "first", "type": "Normal"})
    assert "unique over both types" in refused(normal, 409)
    refused(hybrid.member.get("/applications/app/second/"), 404)
    hybrid.delete("first")


def test_trying_makes_nothing(hybrid: Hybrid) -> None:
    body = hybrid.application("tried", machine(), workloads=[workload("box")])
    answer = hybrid.member.post("/applications/", params={"dry_run": "true"}, json=body)
    assert answer.status_code == 200, answer.text
    assert "very secret" not in answer.text
    is_not_there(hybrid, "tried")
    assert hybrid.there() == NOTHING


@pytest.fixture
def nowhere(real_cloud: Cloud) -> Iterator[str]:
    """A flavor that no host has room for."""
    admin = real_cloud.caller("admin")
    made = admin.make("nova", "/flavors", "flavor", name="nowhere", vcpus=1, ram=64, disk=1)["id"]
    specs = {"extra_specs": {"trait:CUSTOM_NOWHERE": "required"}}
    admin.call("nova", "POST", f"/flavors/{made}/os-extra_specs", specs)
    yield "nowhere"
    admin.call("nova", "DELETE", f"/flavors/{made}")


def test_no_valid_host(hybrid: Hybrid, nowhere: str) -> None:
    disks = {"system_disk": {"size": 1}, "data_disk": [{"size": 1}]}
    hybrid.create("homeless", machine("vm", flavor_name=nowhere, **disks), workloads=[workload("box")])
    found = hybrid.becomes("vm", "Failed")
    assert "No valid host" in found["reason"]
    whole = hybrid.member.get("/applications/app/homeless/").json()["application_info"]
    assert whole["application_status"]["status"] == "Unready"
    assert "No valid host" in whole["vms_status"][0]["reason"]
    assert hybrid.delete("homeless").status_code == 200  # with its disks: they never held anything
    is_not_there(hybrid, "homeless")


def test_disks_of_machines_that_never_ran_go(hybrid: Hybrid, nowhere: str, real_cloud: Cloud) -> None:
    """What scaling or recreating in vain has made holds nothing; disks of machines that ran stay."""
    admin = real_cloud.caller("admin")
    flavors = admin.call("nova", "GET", "/flavors")["flavors"]
    specs = f"/flavors/{next(one['id'] for one in flavors if one['name'] == nowhere)}/os-extra_specs"
    admin.call("nova", "DELETE", f"{specs}/trait:CUSTOM_NOWHERE")
    kept = {"system_disk": {"size": 1}, "data_disk": [{"size": 1}]}
    hybrid.create("keeper", machine("vm", flavor_name=nowhere, **kept))
    hybrid.becomes("vm", "Running")
    first = hybrid.volumes()
    assert sorted(name for name, _ in first) == ["vm-0-data-0", "vm-0-system"]
    admin.call("nova", "POST", specs, {"extra_specs": {"trait:CUSTOM_NOWHERE": "required"}})

    path = "/virtualmachine/vm/?action=scale"
    tried = hybrid.member.patch(f"{path}&dry_run=true", json={"replicas": 2})
    assert "+    vm-1:" in told(tried, DryRun).diff
    assert hybrid.member.patch(path, json={"replicas": 2}).status_code == 200
    hybrid.becomes("vm", "Failed")
    assert len(hybrid.volumes()) == 4
    hybrid.member.patch(path, json={"replicas": 1})
    hybrid.becomes("vm", "Running")
    eventually(lambda: hybrid.volumes() == first, seconds=30)

    body = {"virtual_machines": [{"name": "vm"}]}
    for _ in range(2):
        assert hybrid.member.put("/virtualmachine/?action=recreate", json=body).status_code == 200
        hybrid.becomes("vm", "Failed")
        eventually(lambda: len(hybrid.volumes()) == 3, seconds=30)
    assert hybrid.delete("keeper").status_code == 200
    eventually(lambda: hybrid.volumes() == first, seconds=30)
    for _, volume in first:
        hybrid.developer.call("cinder", "DELETE", f"/volumes/{volume}")


def test_disks_of_what_is_deleted_while_it_is_made(hybrid: Hybrid) -> None:
    hybrid.create("hasty", machine("vm", replicas=3, system_disk={"size": 1}, data_disk=[{"size": 1}]))
    eventually(hybrid.volumes, seconds=60)
    assert hybrid.delete("hasty").status_code == 200


def test_what_failed_is_repaired(hybrid: Hybrid, nowhere: str, real_cloud: Cloud) -> None:
    hybrid.create("hopeful", machine("vm", flavor_name=nowhere))
    hybrid.becomes("vm", "Failed")
    admin = real_cloud.caller("admin")
    flavors = admin.call("nova", "GET", "/flavors")["flavors"]
    made = next(one["id"] for one in flavors if one["name"] == nowhere)
    admin.call("nova", "DELETE", f"/flavors/{made}/os-extra_specs/trait:CUSTOM_NOWHERE")
    body = {"virtual_machines": [{"name": "vm"}]}
    assert hybrid.member.put("/virtualmachine/?action=start", json=body).status_code == 200
    assert len(hybrid.becomes("vm", "Running")["vm_instances"]) == 1
    hybrid.delete("hopeful")


@pytest.mark.parametrize("service", ["heat", "nova", "glance", "cinder", "neutron"])
def test_services_that_are_gone(hybrid: Hybrid, real_cloud: Cloud, service: str) -> None:
    """Nothing is made; what is asked of others is answered; it goes on when the service is back."""
    gone = real_cloud.services[service]
    body = hybrid.application("unlucky", machine(), workloads=[workload("box")])
    gone.hang()
    try:
        started = time.monotonic()
        answer = hybrid.member.post("/applications/", json=body)
        assert answer.status_code in {503, 504}, answer.text
        assert answer.json()["details"]["upstream"] == service
        assert time.monotonic() - started < 60
        normal = {"name": "lucky", "type": "Normal"}
        started = time.monotonic()
        assert hybrid.member.post("/applications/", json=normal).status_code == 200
        assert hybrid.member.get("/applications/", params={"type": "Normal"}).status_code == 200
        assert time.monotonic() - started < 10
        hybrid.delete("lucky")
    finally:
        gone.resume()
    eventually(lambda: hybrid.member.get("/virtualmachine/").status_code == 200, seconds=60)
    is_not_there(hybrid, "unlucky")


def test_applications_are_shown_without_heat(hybrid: Hybrid, real_cloud: Cloud) -> None:
    hybrid.create("patient", machine("vm", replicas=0), workloads=[workload("box")])
    hybrid.becomes("vm", "Stopped")
    real_cloud.services["heat"].hang()
    try:
        started = time.monotonic()
        answer = hybrid.member.get("/applications/")
        assert time.monotonic() - started < 15
        (found,) = answer.json()["applications_info"]
        assert [one["status"] for one in found["vms_status"]] == ["Unknown"]
        assert found["vms_status"][0]["reason"]
        assert found["workloads_status"][0]["workload_base"]["name"] == "box"
        assert found["application_status"]["status"] == "Unready"
        kept = hybrid.member.request(
            "DELETE", "/applications/app/?resource=all", json={"applications": [{"name": "patient"}]}
        )
        assert kept.status_code in {503, 504}, kept.text
    finally:
        real_cloud.services["heat"].resume()
    eventually(lambda: hybrid.member.get("/virtualmachine/").status_code == 200, seconds=60)
    assert hybrid.member.get("/applications/app/patient/").status_code == 200
    hybrid.delete("patient")


def test_the_same_request_completes_what_was_begun(hybrid: Hybrid) -> None:
    """As after the end of ECNS itself: the application is there, its machines are not."""
    hybrid.create("first", machine("one", replicas=0))  # with which the cluster learns what applications are
    body = hybrid.application("begun", machine("vm", replicas=0), workloads=[workload("box")])
    whole = checks.application(msgspec.convert(body, CreateApplication), "hybrid")
    first = hybrid.gateway.kubectl_json("-n", SPACE, "get", "application", "first")
    known = definitions(msgspec.convert(first, Application))["one"]
    kept = msgspec.structs.replace(known, machine=msgspec.structs.replace(known.machine, name="vm"))
    begun = manifests.application_object(whole, SPACE, [kept])
    hybrid.gateway.kubectl("create", "-f", "-", stdin=json.dumps(begun))

    def state() -> str:
        found = hybrid.member.get("/applications/app/begun/").json()
        return str(found["application_info"]["application_status"]["status"])

    eventually(lambda: state() == "Processing")
    refused(hybrid.member.post("/applications/", json=body | {"workloads": [workload("bag")]}), 409)
    answer = hybrid.member.post("/applications/", json=body)
    assert answer.status_code == 200, answer.text
    assert hybrid.becomes("vm", "Stopped")["application_name"] == "begun"
    eventually(lambda: state() == "Running")
    refused(hybrid.member.post("/applications/", json=body), 409)
    hybrid.delete("begun")
    hybrid.delete("first")
