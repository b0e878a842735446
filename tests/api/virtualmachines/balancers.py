"""What happens to the load balancer of a group past ECNS, for every OpenStack there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.api.virtualmachines.types import VmStatus
from tests.api.answers import told
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    Call = Callable[..., Any]
    """Service, method and path of a call of somebody of the project."""

ACCESS = {"access": [{"port": 80, "protocol": "TCP"}]}
LB = "/v2.0/lbaas"
SECONDS = 120.0


def becomes(client: httpx.Client, name: str, status: str, seconds: float = SECONDS) -> VmStatus:
    """A group, once it has a state."""

    def reached() -> VmStatus:
        found = told(client.get(f"/virtualmachine/{name}/"), VmStatus)
        assert found.status == status, found
        return found

    result: VmStatus = eventually(reached, seconds=seconds)
    return result


def is_whole(client: httpx.Client, call: Call, name: str) -> str:
    """See that a group has a load balancer with all of its parts; the load balancer's id."""
    group = becomes(client, name, "Running")
    assert group.loadbalancer is not None
    assert group.loadbalancer.status == "ACTIVE"
    found = [
        one
        for one in call("octavia", "GET", f"{LB}/loadbalancers")["loadbalancers"]
        if one["name"] == group.loadbalancer.name
    ]
    (balancer,) = found
    pool = _pool(call, balancer["id"])
    assert pool["healthmonitor_id"]
    (listener,) = balancer["listeners"]
    assert pool["listeners"] == [listener]
    members = call("octavia", "GET", f"{LB}/pools/{pool['id']}/members")["members"]
    assert {one["address"] for one in members} == {one.internal_ip for one in group.vm_instances}
    return str(balancer["id"])


def robbed(client: httpx.Client, call: Call, name: str) -> None:
    """Somebody removes the load balancer of a group by hand, then a part of it: starting it mends both."""
    which = {"virtual_machines": [{"name": name}]}
    machines = [one.id for one in becomes(client, name, "Running").vm_instances]

    def mend() -> None:
        answer = client.put("/virtualmachine/?action=start", json=which)
        assert answer.status_code == 200, answer.text

    first = is_whole(client, call, name)
    call("octavia", "DELETE", f"{LB}/loadbalancers/{first}?cascade=true")
    lost = becomes(client, name, "Failed")
    assert "load balancer" in str(lost.reason)
    tried = client.put("/virtualmachine/?action=start&dry_run=true", json=which)
    assert tried.status_code == 200, tried.text
    mend()
    second = is_whole(client, call, name)
    assert second != first

    call("octavia", "DELETE", f"{LB}/healthmonitors/{_pool(call, second)['healthmonitor_id']}")
    eventually(lambda: not _pool(call, second).get("healthmonitor_id"), seconds=SECONDS)
    mend()
    assert is_whole(client, call, name) == second
    assert [one.id for one in becomes(client, name, "Running").vm_instances] == machines
    mend()  # there is nothing to mend
    assert told(client.get(f"/virtualmachine/{name}/"), VmStatus).status == "Running"


def _pool(call: Call, balancer: str) -> dict[str, Any]:
    """The one of a load balancer."""
    (one,) = call("octavia", "GET", f"{LB}/loadbalancers/{balancer}")["loadbalancer"]["pools"]
    found: dict[str, Any] = call("octavia", "GET", f"{LB}/pools/{one['id']}")["pool"]
    return found
