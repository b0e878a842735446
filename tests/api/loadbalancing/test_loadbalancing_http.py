"""Chapter 1.23 through HTTP, in front of the real OpenStack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.loadbalancing import types
from tests.api.answers import refused, told
from tests.conftest import start, stop
from tests.gateway import eventually
from tests.real.openstack.seed import FLAVORS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway import Gateway
    from tests.real.openstack.cloud import Cloud

ROOT = "/ecns/kubernetes"
PATHS = (
    "server/availabilityzones",
    "server/flavors",
    "network/subnets",
    "lbaas/flavorprofile_replicas_limit",
    "lb/type",
    "lb/license_usage",
)


def test_zones(cloud_gateway: Gateway) -> None:
    answer = cloud_gateway.client("visitor").get(f"{ROOT}/server/availabilityzones/")
    zones = told(answer, list[types.Zone])
    assert zones == [types.Zone(name, types.ZoneState(available=True)) for name in ("zone-a", "zone-b")]
    assert answer.headers["X-Total-Count"] == "2"


@pytest.fixture
def special_flavors(real_cloud: Cloud) -> Iterator[None]:
    """One that is recommended and described, one that is another project's."""
    admin = real_cloud.caller("admin")
    version = {"OpenStack-API-Version": "compute 2.61"}
    sizes = {"vcpus": 1, "ram": 64, "disk": 1}
    body = {"flavor": {"name": "special", "description": "the best", **sizes}}
    special = admin.call("nova", "POST", "/flavors", body, version)["flavor"]["id"]
    admin.call(
        "nova", "POST", f"/flavors/{special}/os-extra_specs", {"extra_specs": {"ecns:recommend": "true"}}
    )
    private = admin.make(
        "nova", "/flavors", "flavor", name="secret", **sizes, **{"os-flavor-access:is_public": False}
    )["id"]
    yield
    for made in (special, private):
        admin.call("nova", "DELETE", f"/flavors/{made}")


@pytest.mark.usefixtures("special_flavors")
def test_flavors(cloud_gateway: Gateway) -> None:
    client = cloud_gateway.client("developer")
    flavors = told(client.get(f"{ROOT}/server/flavors/"), list[types.Flavor])
    assert [flavor.name for flavor in flavors] == ["special", *FLAVORS]
    best, tiny = flavors[0], flavors[1]
    assert (best.description, best.is_recommend, best.is_public, best.is_disabled) == (
        "the best",
        True,
        True,
        False,
    )
    assert (tiny.vcpus, tiny.ram, tiny.disk, tiny.description, tiny.is_recommend) == (1, 512, 1, "", False)


def test_lists_are_paged_sorted_and_searched(cloud_gateway: Gateway) -> None:
    client = cloud_gateway.client("visitor")
    asked = {"page": 2, "page_size": 1, "sort_by": "ram", "order": "desc", "name": "m1."}
    answer = client.get(f"{ROOT}/server/flavors/", params=asked)
    assert [flavor.name for flavor in told(answer, list[types.Flavor])] == ["m1.medium"]
    assert answer.headers["X-Total-Count"] == str(len(FLAVORS))
    assert told(client.get(f"{ROOT}/server/flavors/", params={"page": 9}), list[types.Flavor]) == []
    for wrong, field in (
        ({"sort_by": "colour"}, "sort_by"),
        ({"page": 0}, "page"),
        ({"page_size": 501}, "page_size"),
    ):
        refused(client.get(f"{ROOT}/server/flavors/", params=wrong), 400, field=field)


def subnets(gateway: Gateway, user: str, **query: Any) -> list[types.Subnet]:
    return told(gateway.client(user).get(f"{ROOT}/network/subnets/", params=query), list[types.Subnet])


def names(gateway: Gateway, user: str, **query: Any) -> set[str]:
    found = [subnet.name.removesuffix("-subnet") for subnet in subnets(gateway, user, **query)]
    assert found == sorted(found)
    return set(found)


def test_subnets_are_the_projects_and_everybodys(cloud_gateway: Gateway) -> None:
    assert names(cloud_gateway, "developer") == {"private", "isolated", "shared", "public"}
    assert names(cloud_gateway, "other") == {"private", "shared", "public"}
    assert names(cloud_gateway, "admin") == {"shared", "public"}
    (found,) = subnets(cloud_gateway, "developer", name="private")
    assert found.cidr == "10.0.0.0/24"
    assert found.project_id == cloud_gateway.users["developer"]["project_id"]
    assert found.allocation_pools == [types.AllocationPool("10.0.0.2", "10.0.0.254")]
    assert (found.ip_version, found.gateway_ip, found.is_dhcp_enabled) == (4, "10.0.0.1", True)
    assert found.created_at
    assert found.network_id


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"is_router_external": "true"}, {"public"}),
        ({"is_router_external": "False"}, {"private", "isolated", "shared"}),
        ({"is_connect_router": "true"}, {"private"}),
        ({"is_connect_router": "false"}, {"isolated", "shared", "public"}),
        ({"is_router_external": "false", "is_connect_router": "true"}, {"private"}),
        ({"is_router_external": "true", "is_connect_router": "true"}, set()),
        ({"all_projects": "false"}, {"private", "isolated", "shared", "public"}),
    ],
)
def test_subnets_are_filtered(cloud_gateway: Gateway, query: dict[str, str], expected: set[str]) -> None:
    assert names(cloud_gateway, "visitor", **query) == expected


def test_all_projects_are_for_cloud_administrators(cloud_gateway: Gateway) -> None:
    # The reference's own example.
    asked = {"is_router_external": "false", "is_connect_router": "true", "all_projects": "true"}
    found = subnets(cloud_gateway, "admin", **asked)
    owners = {cloud_gateway.users[user]["project_id"] for user in ("developer", "other")}
    assert {subnet.project_id for subnet in found} == owners
    for user in ("developer", "visitor", "other"):
        refused(cloud_gateway.client(user).get(f"{ROOT}/network/subnets/", params=asked), 403)


@pytest.mark.parametrize("field", ["is_router_external", "is_connect_router", "all_projects"])
def test_subnets_asked_for_in_nonsense(cloud_gateway: Gateway, field: str) -> None:
    client = cloud_gateway.client("visitor")
    refused(client.get(f"{ROOT}/network/subnets/", params={field: "maybe"}), 400, field=field)


def test_octavia_is_installed(cloud_gateway: Gateway) -> None:
    client = cloud_gateway.client("visitor")
    assert told(client.get(f"{ROOT}/lb/type/"), types.LoadBalancing).octavia.is_installed
    limit = client.get(f"{ROOT}/lbaas/flavorprofile_replicas_limit/")
    assert told(limit, types.ReplicasLimit).REPLCAS_LIMIT == 2
    assert limit.json() == {"REPLCAS_LIMIT": 2}


def test_the_licence_follows_what_is_made(cloud_gateway: Gateway, real_cloud: Cloud) -> None:
    client = cloud_gateway.client("visitor")

    def usage() -> types.License:
        return told(client.get(f"{ROOT}/lb/license_usage/"), types.License)

    assert usage() == types.License("loadbalancer", hard_limit=10, delta=0, available=10)
    developer = real_cloud.caller("developer")
    subnet = developer.call("neutron", "GET", "/v2.0/subnets?name=private-subnet")["subnets"][0]["id"]
    collection = "/v2.0/lbaas/loadbalancers"
    made = developer.make("octavia", collection, "loadbalancer", name="counted", vip_subnet_id=subnet)
    assert usage() == types.License("loadbalancer", hard_limit=10, delta=1, available=9)
    path = f"{collection}/{made['id']}"

    def active() -> bool:
        status: str = developer.call("octavia", "GET", path)["loadbalancer"]["provisioning_status"]
        return status == "ACTIVE"

    eventually(active, seconds=60)
    developer.call("octavia", "DELETE", f"{path}?cascade=true")
    eventually(lambda: usage().delta == 0, seconds=60)
    everybody = told(cloud_gateway.client("other").get(f"{ROOT}/lb/license_usage/"), types.License)
    assert everybody == types.License("loadbalancer", hard_limit=-1, delta=0, available=-1)


@pytest.mark.parametrize("path", PATHS)
def test_who_is_answered(cloud_gateway: Gateway, path: str) -> None:
    refused(cloud_gateway.client().get(f"{ROOT}/{path}/"), 401)
    refused(cloud_gateway.client(**{"X-Auth-Token": "junk"}).get(f"{ROOT}/{path}/"), 401)
    refused(cloud_gateway.client("visitor", "hybrid").get(f"{ROOT}/{path}/"), 404)
    foreign = {"X-Project-Id": cloud_gateway.users["other"]["project_id"]}
    refused(cloud_gateway.client("developer", **foreign).get(f"{ROOT}/{path}/"), 403)
    assert cloud_gateway.client("visitor").get(f"{ROOT}/{path}").status_code == 200


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose region has no services."""
    directory = tmp_path_factory.mktemp("elsewhere")
    (directory / "ecns.toml").write_text('[openstack]\nregion = "elsewhere"\n')
    process, made = start(directory / "data", "--config", str(directory / "ecns.toml"))
    yield made
    made.close()
    assert stop(process) == 0


@pytest.mark.parametrize("path", PATHS)
def test_a_cloud_without_the_services(elsewhere: Gateway, path: str) -> None:
    answer = elsewhere.client("visitor").get(f"{ROOT}/{path}/")
    if path == "lb/type":
        assert not told(answer, types.LoadBalancing).octavia.is_installed
    else:
        said = refused(answer, 501)
        service = {"server": "Nova", "network": "Neutron"}.get(path.partition("/")[0], "Octavia")
        assert f"this cloud has no {service}" in said
        assert "elsewhere" in said
