"""Hybrid applications in front of the real OpenStack, from their making to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ecns.api.applications.types import Applications, OneApplication
from ecns.api.virtualmachines.types import VmStatus
from tests.api.answers import told
from tests.api.applications.bodies import workload
from tests.api.virtualmachines.conftest import SPACE, Hybrid, machine
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHZm0YyVGBbBhzLxC4sSHqKpBH8TqGOjHfQ5iYGdF0Bk nobody's"
STACK = f"ecns-eks.{SPACE}"
ACCESS = {"access": [{"port": 80, "protocol": "tcp"}, {"port": 53, "protocol": "UDP", "target_port": 5353}]}


def body(*names: str) -> dict[str, Any]:
    return {"virtual_machines": [{"name": name} for name in names]}


def act(client: httpx.Client, action: str, name: str) -> None:
    answer = client.put("/virtualmachine/", params={"action": action}, json=body(name))
    assert answer.status_code == 200, answer.text


@pytest.mark.usefixtures("clean")
def test_a_whole_application(hybrid: Hybrid) -> None:
    web = machine(
        replicas=2,
        loadbalancer=ACCESS,
        data_disk=[{"size": 1, "type": "high-performance", "amount": 2, "cascade_deletion": True}],
    )
    config = {"name": "settings", "config": {"a": "b"}}
    made = hybrid.create("shop", web, workloads=[workload("front")], configmaps=[config])
    assert made["application_status"]["status"] == "Processing"
    assert "very secret" not in str(made)

    group = msgspec.convert(hybrid.becomes("web", "Running"), VmStatus)
    assert (group.application_name, group.replicas, group.image) == ("shop", 2, "cirros")
    assert [one.name for one in group.vm_instances] == ["web-0", "web-1"]
    assert all(one.internal_ip.startswith("10.0.0.") for one in group.vm_instances)
    assert (group.flavor.cpu, group.flavor.memory, group.flavor.disk) == ("1C", "512MiB", "1GiB")
    balancer = group.loadbalancer
    assert balancer is not None
    assert (balancer.name, balancer.status) == (f"{STACK}.web", "ACTIVE")
    assert str(balancer.internal_ip).startswith("10.0.0.")

    # What is really there
    there = hybrid.there()
    assert there["servers"] == {"web-0", "web-1"}
    assert there["volumes"] == {
        f"web-{number}-{disk}" for number in (0, 1) for disk in ("system", "data-0", "data-1")
    }
    volumes = hybrid.developer.call("cinder", "GET", "/volumes/detail")["volumes"]
    assert {one["volume_type"] for one in volumes if one["name"].endswith("system")} == {"standard"}
    assert {one["volume_type"] for one in volumes if "data" in one["name"]} == {"ssd"}
    pools = hybrid.developer.call("octavia", "GET", "/v2.0/lbaas/pools")["pools"]
    assert sorted((pool["protocol"], len(pool["members"])) for pool in pools) == [("TCP", 2), ("UDP", 2)]
    groups = hybrid.developer.call("neutron", "GET", f"/v2.0/security-groups?name={STACK}.web")
    rules = groups["security_groups"][0]["security_group_rules"]
    opened = {(rule["protocol"], rule["port_range_min"]) for rule in rules if rule["direction"] == "ingress"}
    assert opened == {("tcp", 80), ("udp", 5353)}

    shown = told(hybrid.client("visitor").get("/applications/app/shop/"), OneApplication).application_info
    assert shown.application_status.status == "Running"
    assert [one.name for one in shown.vms_status] == ["web"]
    assert shown.application.virtual_machines is not None
    assert shown.application.virtual_machines[0].authentication.password is None
    listed = told(hybrid.member.get("/applications/", params={"status": "Running"}), Applications)
    assert [one.application.name for one in listed.applications_info] == ["shop"]

    kept = {one.id for one in group.vm_instances}
    told(hybrid.member.patch("/virtualmachine/web/?action=scale", json={"replicas": 3}), VmStatus)
    more = hybrid.becomes("web", "Running")
    assert len(more["vm_instances"]) == 3
    assert {one["id"] for one in more["vm_instances"]} > kept
    told(hybrid.member.patch("/virtualmachine/web/?action=scale", json={"replicas": "1"}), VmStatus)
    one = hybrid.becomes("web", "Running")
    assert [instance["name"] for instance in one["vm_instances"]] == ["web-0"]
    assert one["vm_instances"][0]["id"] in kept
    eventually(lambda: hybrid.there()["volumes"] == {"web-0-system", "web-0-data-0", "web-0-data-1"})

    address = one["vm_instances"][0]["internal_ip"]
    act(hybrid.member, "recreate", "web")
    anew = hybrid.becomes("web", "Running")["vm_instances"]
    assert anew[0]["id"] not in kept
    assert anew[0]["internal_ip"] == address

    assert hybrid.delete("shop").status_code == 200
    assert hybrid.member.get("/virtualmachine/web/").status_code == 404


@pytest.mark.usefixtures("clean")
def test_passwords_reach_machines_and_nobody_else(hybrid: Hybrid) -> None:
    hybrid.create("quiet", machine("vm", user_data="#!/bin/sh\necho hello\n"))
    hybrid.becomes("vm", "Running")

    def given() -> tuple[str, str]:
        (one,) = hybrid.becomes("vm", "Running")["vm_instances"]
        return one["id"], hybrid.user_data(one["id"])

    first, text = given()
    assert [line for line in text.splitlines() if line.startswith("#")] == ["#cloud-config", "#!/bin/sh"]
    assert '"password": "$6$' in text
    seen = hybrid.seen_of_stacks()
    assert "member_0" in seen
    assert not {word for word in ("very secret", "$6$", "echo hello") if word in seen}
    act(hybrid.member, "recreate", "vm")
    second, kept = given()
    assert second != first
    assert kept == text
    hybrid.delete("quiet")


@pytest.mark.usefixtures("clean")
def test_machines_stop_and_start_with_their_application(hybrid: Hybrid) -> None:
    hybrid.create("onoff", machine("vm"), workloads=[workload("box")])
    hybrid.becomes("vm", "Running")
    named = {"applications": [{"name": "onoff"}]}

    def state() -> str:
        found = hybrid.member.get("/applications/app/onoff/").json()["application_info"]
        return str(found["application_status"]["status"])

    for action, group, whole in (("stop", "Stopped", "Stopped"), ("start", "Running", "Running")):
        answer = hybrid.member.put("/applications/app/", params={"action": action}, json=named)
        assert answer.status_code == 200, answer.text
        hybrid.becomes("vm", group)
        eventually(lambda wanted=whole: state() == wanted)
    act(hybrid.member, "stop", "vm")
    assert hybrid.becomes("vm", "Stopped")["vm_instances"][0]["status"] == "SHUTOFF"
    assert state() == "Running"  # what is not stopped runs
    hybrid.delete("onoff", "workload,service")
    assert hybrid.member.get("/applications/app/onoff/").status_code == 404


def test_machines_may_outlive_their_application(hybrid: Hybrid) -> None:
    hybrid.create("short", machine("long"))
    hybrid.becomes("long", "Running")
    assert hybrid.delete("short", "").status_code == 200
    left = hybrid.becomes("long", "Running")
    assert (left["application_name"], left["image"], len(left["vm_instances"])) == ("", "cirros", 1)
    taken = hybrid.member.post("/applications/", json=hybrid.application("short", machine("long")))
    assert taken.status_code == 409, taken.text
    gone = hybrid.member.request("DELETE", "/virtualmachine/", json=body("long"))
    assert gone.status_code == 200, gone.text
    assert hybrid.member.get("/virtualmachine/").json() == []


def test_disks_stay_unless_they_are_to_go(hybrid: Hybrid) -> None:
    disks = [{"size": 1, "type": "hdd"}, {"size": 1, "type": "hdd", "cascade_deletion": True}]
    hybrid.create("disks", machine("vm", system_disk={"size": 1}, data_disk=disks))
    hybrid.becomes("vm", "Running")
    hybrid.delete("disks")
    volumes = hybrid.developer.call("cinder", "GET", "/volumes/detail")["volumes"]
    assert {(one["name"], one["status"]) for one in volumes} == {
        ("vm-0-system", "available"),
        ("vm-0-data-0", "available"),
    }
    for one in volumes:
        hybrid.developer.call("cinder", "DELETE", f"/volumes/{one['id']}")
    eventually(lambda: not hybrid.there()["volumes"])


@pytest.fixture
def keypair(hybrid: Hybrid) -> Iterator[str]:
    made = hybrid.developer.make("nova", "/os-keypairs", "keypair", name="mine", public_key=PUBLIC_KEY)
    yield str(made["name"])
    hybrid.developer.call("nova", "DELETE", "/os-keypairs/mine")


@pytest.mark.usefixtures("clean")
def test_machines_begin_with_what_others_were(hybrid: Hybrid, keypair: str) -> None:
    """From a snapshot of a machine that boots from a volume, and from a bootable volume."""
    developer = hybrid.developer
    disk = {"size": 1, "type": "hdd", "cascade_deletion": True}
    hybrid.create("first", machine("old", system_disk=disk))
    server = hybrid.becomes("old", "Running")["vm_instances"][0]["id"]
    developer.call("nova", "POST", f"/servers/{server}/action", {"createImage": {"name": "kept"}})

    def image() -> dict[str, Any]:
        (found,) = developer.call("glance", "GET", "/v2/images?name=kept")["images"]
        assert found["status"] == "active"
        assert "snapshot_id" in found["block_device_mapping"]
        return dict(found)

    kept = eventually(image, seconds=60)
    volume = developer.call("cinder", "GET", "/volumes?name=old-0-system")["volumes"][0]["id"]
    snapshot = {"type": "snapshot", "snapshot": "kept"}
    bootable = {"type": "volume", "bootable_volume": volume}
    hybrid.create(
        "second",
        machine("again", boot_manager=snapshot, system_disk={**disk, "size": 2}),
        machine("copied", boot_manager=bootable, system_disk=disk, authentication={"keypair": keypair}),
    )
    for name, source in (("again", "kept"), ("copied", volume)):
        group = hybrid.becomes(name, "Running")
        assert group["image"] == source
        (one,) = developer.call("cinder", "GET", f"/volumes/detail?name={name}-0-system")["volumes"]
        assert (one["bootable"], one["status"]) == ("true", "in-use")
        assert one["id"] != volume
        came_from = {"again": "snapshot_id", "copied": "source_volid"}[name]
        assert one[came_from] == (volume if name == "copied" else one["snapshot_id"])
        assert one[came_from]
        if name == "copied":
            shown = developer.call("nova", "GET", f"/servers/{group['vm_instances'][0]['id']}")["server"]
            assert shown["key_name"] == keypair
    hybrid.delete("second")
    developer.call("glance", "DELETE", f"/v2/images/{kept['id']}")
    for one in developer.call("cinder", "GET", "/snapshots")["snapshots"]:
        developer.call("cinder", "DELETE", f"/snapshots/{one['id']}")
    eventually(lambda: not developer.call("cinder", "GET", "/snapshots")["snapshots"], seconds=60)
    hybrid.delete("first")
