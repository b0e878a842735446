"""Groups of virtual machines that something has broken, at the real OpenStack.

Services die in the middle of their work, there is what Heat does not know, and somebody removes things past
it: the groups go on, and nothing of them stays.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.answers import refused
from tests.api.virtualmachines import balancers
from tests.api.virtualmachines.balancers import ACCESS
from tests.api.virtualmachines.conftest import SECONDS, Hybrid, machine
from tests.gateway import eventually

if TYPE_CHECKING:
    from tests.real.openstack.cloud import Cloud

pytestmark = pytest.mark.usefixtures("clean")
NAMED = {"virtual_machines": [{"name": "vm"}]}


def dies(cloud: Cloud, service: str) -> None:
    """Kill a service, and let another one of it begin."""
    dying = cloud.services[service]
    dying.kill()
    dying.start()
    dying.ready()


def stack(hybrid: Hybrid) -> str:
    """The id of the group's."""
    (found,) = hybrid.developer.call("heat", "GET", "/stacks")["stacks"]
    return str(found["id"])


def goes_on(hybrid: Hybrid) -> dict[str, Any]:
    """The group, once `start` has let Heat go on with it, as often as it failed."""

    def settled() -> str:
        status = str(hybrid.member.get("/virtualmachine/vm/").json().get("status"))
        assert status in {"Running", "Failed"}
        return status

    def running() -> dict[str, Any]:
        answer = hybrid.member.put("/virtualmachine/?action=start", json=NAMED)
        assert answer.status_code == 200, answer.text
        assert eventually(settled, seconds=60) == "Running"
        found: dict[str, Any] = hybrid.member.get("/virtualmachine/vm/").json()
        return found

    found: dict[str, Any] = eventually(running, seconds=SECONDS)
    return found


@pytest.mark.parametrize("service", ["heat", "nova"])
def test_in_the_middle_of_making(hybrid: Hybrid, real_cloud: Cloud, service: str) -> None:
    hybrid.create("halfway", machine("vm", replicas=2))
    eventually(lambda: hybrid.there()["volumes"], seconds=60)
    dies(real_cloud, service)
    assert len(goes_on(hybrid)["vm_instances"]) == 2
    assert hybrid.delete("halfway").status_code == 200


def test_in_the_middle_of_removing(hybrid: Hybrid, real_cloud: Cloud) -> None:
    hybrid.create("going", machine("vm", loadbalancer=ACCESS))
    eventually(lambda: hybrid.there()["balancers"], seconds=60)
    dies(real_cloud, "heat")  # deleting is the first that is asked of what was left in the middle
    first = threading.Thread(
        target=hybrid.member.request, args=("DELETE", "/virtualmachine/"), kwargs={"json": NAMED}
    )
    first.start()

    def removing() -> bool:
        (found,) = hybrid.developer.call("heat", "GET", "/stacks")["stacks"]
        return bool(found["stack_status"].startswith("DELETE"))

    eventually(removing, seconds=60)
    dies(real_cloud, "heat")
    first.join()
    assert hybrid.delete("going").status_code == 200


def test_what_heat_does_not_know_is_in_nobodys_way(hybrid: Hybrid) -> None:
    """As an engine leaves it that dies after a service has answered, before that is written down."""
    hybrid.create("messy", machine("vm", loadbalancer=ACCESS))
    hybrid.becomes("vm", "Running")
    made = stack(hybrid)
    make = hybrid.developer.make
    mark, metadata = {"description": f"ecns_stack={made}"}, {"ecns_stack": made}
    network = hybrid.network()
    port = make("neutron", "/v2.0/ports", "port", network_id=network["network_id"], name="lost", **mark)
    make("neutron", "/v2.0/security-groups", "security_group", name="lost", **mark)
    make("cinder", "/volumes", "volume", name="lost", size=1, metadata=metadata | {"ecns_cascade": "true"})
    (flavor,) = (
        one["id"]
        for one in hybrid.developer.call("nova", "GET", "/flavors")["flavors"]
        if one["name"] == "m1.tiny"
    )
    image = hybrid.developer.call("glance", "GET", "/v2/images?name=cirros")["images"][0]["id"]
    server = {
        "flavorRef": flavor,
        "imageRef": image,
        "networks": [{"port": port["id"]}],
        "metadata": metadata,
    }
    make("nova", "/servers", "server", name="lost", **server)
    many = hybrid.becomes("vm", "Failed")
    assert many["reason"] == "2 machines are there, 1 is to be"
    kept = next(one["id"] for one in many["vm_instances"] if one["name"] == "vm-0")

    assert hybrid.member.put("/virtualmachine/?action=start", json=NAMED).status_code == 200
    assert [one["id"] for one in hybrid.becomes("vm", "Running")["vm_instances"]] == [kept]
    assert "lost" in hybrid.there()["volumes"]  # in nobody's way
    started = time.monotonic()
    assert hybrid.delete("messy").status_code == 200
    assert time.monotonic() - started < 60


def test_what_somebody_removed_is_made_anew(hybrid: Hybrid) -> None:
    hybrid.create("robbed", machine("vm", replicas=2, data_disk=[{"size": 1, "cascade_deletion": True}]))
    before = {one["name"]: one["id"] for one in hybrid.becomes("vm", "Running")["vm_instances"]}
    hybrid.developer.call("nova", "DELETE", f"/servers/{before['vm-1']}")
    assert hybrid.becomes("vm", "Failed")["reason"] == "1 of 2 machines are there"
    port = hybrid.developer.call("neutron", "GET", "/v2.0/ports?name=vm-1")["ports"][0]["id"]
    hybrid.developer.call("neutron", "DELETE", f"/v2.0/ports/{port}")
    after = {one["name"]: one["id"] for one in goes_on(hybrid)["vm_instances"]}
    assert set(after) == {"vm-0", "vm-1"}
    assert after["vm-0"] == before["vm-0"]
    assert after["vm-1"] != before["vm-1"]
    # What is removed before a deletion does not disturb it.
    hybrid.developer.call("nova", "DELETE", f"/servers/{after['vm-0']}")
    assert hybrid.delete("robbed").status_code == 200


def test_a_load_balancer_that_somebody_removed(hybrid: Hybrid) -> None:
    hybrid.create("unbalanced", machine("vm", loadbalancer=balancers.ACCESS))
    hybrid.becomes("vm", "Running")
    balancers.robbed(hybrid.member, hybrid.developer.call, "vm")
    assert hybrid.delete("unbalanced").status_code == 200


@pytest.mark.parametrize("service", ["cinder", "octavia"])
def test_a_service_is_gone_while_machines_are_removed(
    hybrid: Hybrid, real_cloud: Cloud, service: str
) -> None:
    """Cinder: Nova removes the machine, and leaves its disk in it."""
    hybrid.create("held", machine("vm", loadbalancer=ACCESS if service == "octavia" else {"access": []}))
    hybrid.becomes("vm", "Running")
    gone = real_cloud.services[service]
    gone.kill()
    try:
        for _ in range(2):
            answer = hybrid.delete("held")
            assert service.title() in refused(answer, 503)
            assert answer.json()["details"]["upstream"] == service
            shown = hybrid.member.get("/applications/app/held/").json()["application_info"]
            assert shown["application_status"]["status"] == "Unready"
            assert [(one["status"], bool(one["reason"])) for one in shown["vms_status"]] == [("Failed", True)]
    finally:
        gone.start()
        gone.ready()
    assert hybrid.delete("held").status_code == 200
    assert hybrid.member.get("/applications/app/held/").status_code == 404
