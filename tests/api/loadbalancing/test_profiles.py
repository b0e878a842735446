"""The load balancers that Services ask for, on the embedded default: flavor, zone, and what is not there."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ecns.api.workloads import types
from tests.api.answers import refused, told
from tests.api.applications.bodies import workload
from tests.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable

ZONE = {"availability_zone_data": {"compute_zone": "zone-a", "cpu_arch": "x86_64"}}


@pytest.fixture
def member(gateway: Gateway) -> httpx.Client:
    return gateway.client("developer")


@pytest.fixture
def octavia(gateway: Gateway) -> Callable[[str], Any]:
    """What an administrator sees in Octavia."""
    token = gateway.token("admin")
    answer = httpx.get(f"{gateway.facts['identity_url']}/auth/catalog", headers={"X-Auth-Token": token})
    catalog = {one["type"]: one["endpoints"][0]["url"] for one in answer.json()["catalog"]}

    def ask(path: str) -> Any:
        url = f"{catalog['load-balancer']}/v2/lbaas/{path}"
        return httpx.get(url, headers={"X-Auth-Token": token}).json()

    return ask


def asking(flavor: dict[str, str], **zone: Any) -> dict[str, Any]:
    external = {
        "loadbalancer": {"name": "front", "vip_subnet_id": "s-1"},
        "flavor_profile": {"flavor_data": flavor},
        **zone,
    }
    mode = {"type": "LoadBalancer", "access": [{"port": 80}], "external": external}
    return workload(f"lb-{secrets.token_hex(4)}", access_mode=[mode])


def made(client: httpx.Client, body: dict[str, Any]) -> types.External:
    answer = client.post("/workloads/", json={"workloads": [body]})
    assert answer.status_code == 200, answer.text
    name = body["workload_base"]["name"]
    found = told(client.get(f"/workloads/workload/{name}/access/"), types.AccessAnswer).access_mod[0].external
    client.request("DELETE", "/workloads/", json={"workloads_base": [body["workload_base"]]})
    assert found is not None
    return found


def test_what_fits_is_found(member: httpx.Client, octavia: Callable[[str], Any]) -> None:
    before = octavia("flavors")["flavors"]
    external = made(member, asking({"loadbalancer_topology": "SINGLE"}, availability_zone_profile=ZONE))
    assert external.availability_zone == "zone-a"
    flavor = next(one for one in before if one["id"] == external.flavor_id)
    assert flavor["enabled"]
    assert octavia("flavors")["flavors"] == before
    assert external.flavor_profile is not None
    assert external.flavor_profile.flavor_data == types.FlavorData(loadbalancer_topology="SINGLE")
    assert external.availability_zone_profile is not None
    assert external.availability_zone_profile.availability_zone_data is not None
    assert external.availability_zone_profile.availability_zone_data.cpu_arch == "x86_64"


def test_what_is_missing_is_made_once(member: httpx.Client, octavia: Callable[[str], Any]) -> None:
    wanted = {
        "loadbalancer_topology": "ACTIVE_STANDBY",
        "compute_flavor": "m1.small",
        "amp_volume_type": "hdd",
    }
    first = made(member, asking(wanted))
    flavors = octavia("flavors")["flavors"]
    assert made(member, asking(wanted)).flavor_id == first.flavor_id
    assert octavia("flavors")["flavors"] == flavors
    profile = next(one["flavor_profile_id"] for one in flavors if one["id"] == first.flavor_id)
    profiles = {one["id"]: one for one in octavia("flavorprofiles")["flavorprofiles"]}
    data = json.loads(profiles[profile]["flavor_data"])
    assert data.pop("compute_flavor") != "m1.small"  # Octavia knows ids alone
    assert data == {"loadbalancer_topology": "ACTIVE_STANDBY", "amp_volume_type": "hdd"}


def test_many_at_once_make_one(member: httpx.Client, octavia: Callable[[str], Any]) -> None:
    """As several replicas of ECNS would: who is late takes what is there, and leaves nothing."""
    zone = {"availability_zone_profile": {"availability_zone_data": {"compute_zone": "zone-b"}}}
    wanted = {"loadbalancer_topology": "ACTIVE_STANDBY", "compute_flavor": "m1.medium"}
    before = {one["id"] for one in octavia("flavorprofiles")["flavorprofiles"]}
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: made(member, asking(wanted, **zone)), range(6)))
    assert len({(one.flavor_id, one.availability_zone) for one in found}) == 1
    assert len({one["id"] for one in octavia("flavorprofiles")["flavorprofiles"]} - before) == 1


def test_what_cannot_be_names_its_field(member: httpx.Client) -> None:
    body = asking({"loadbalancer_topology": "SINGLE", "compute_flavor": "none"})
    answer = member.post("/workloads/", json={"workloads": [body]})
    at = "workloads[0].access_mode[0].external.flavor_profile.flavor_data.compute_flavor"
    refused(answer, 400, field=at)
    refused(member.get(f"/workloads/workload/{body['workload_base']['name']}/"), 404)


def test_without_profiles_nothing_is_chosen(member: httpx.Client) -> None:
    external = made(member, asking({}))
    assert (external.flavor_id, external.availability_zone) == (None, None)
    assert external.vip_subnet_id == "s-1"
