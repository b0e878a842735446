"""The pure part of chapter 1.23."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.loadbalancing import manifests
from ecns.api.loadbalancing.profiles import balancer_of
from ecns.api.workloads.types import AccessMode, External
from ecns.backends.openstack.neutron import Address, Network, Port, Subnet
from ecns.backends.openstack.nova import Flavor
from ecns.backends.openstack.octavia import LoadBalancer

if TYPE_CHECKING:
    from ecns.api.loadbalancing.types import Subnet as Shown

IDS = st.sampled_from(["a", "b", "c"])
NETWORKS = st.lists(st.builds(Network, IDS, st.booleans(), st.booleans()), max_size=3)


def subnet(name: str, network: str, project: str) -> Subnet:
    return Subnet(
        id=name, name=name, network_id=network, project_id=project, cidr="10.0.0.0/24", ip_version=4
    )


def shown(found: list[Shown]) -> list[str]:
    return [one.name for one in found]


SUBNETS = st.lists(st.builds(subnet, st.text(max_size=3), IDS, IDS), max_size=8)


@given(SUBNETS, NETWORKS, st.sets(st.text(max_size=3)))
def test_filters_divide_what_there_is(
    found: list[Subnet], networks: list[Network], with_router: set[str]
) -> None:
    def chosen(external: bool | None = None, connected: bool | None = None) -> list[str]:  # noqa: FBT001
        return shown(
            manifests.subnets(
                found,
                networks,
                project_id="",
                external=external,
                connected=connected,
                with_router=with_router,
            )
        )

    assert chosen() == sorted(one.name for one in found)
    assert sorted(chosen(external=True) + chosen(external=False)) == chosen()
    assert sorted(chosen(connected=True) + chosen(connected=False)) == chosen()
    assert set(chosen(connected=True)) <= with_router


@given(SUBNETS, NETWORKS)
def test_a_project_sees_its_own_and_what_is_everybodys(found: list[Subnet], networks: list[Network]) -> None:
    seen = manifests.subnets(found, networks, project_id="a", external=None, connected=None, with_router=())
    assert all(one.project_id == "a" or one.is_shared or one.is_router_external for one in seen)
    assert {one.name for one in found if one.project_id == "a"} <= set(shown(seen))


def test_ports_tell_where_routers_are() -> None:
    assert manifests.routed([Port([Address("a"), Address("b")]), Port(), Port([Address("a")])]) == {"a", "b"}


@pytest.mark.parametrize(
    ("limit", "used", "available"), [(10, 0, 10), (10, 3, 7), (10, 12, 0), (0, 0, 0), (-1, 5, -1)]
)
def test_what_is_left_of_a_quota(limit: int, used: int, available: int) -> None:
    told = manifests.license_of(limit, used)
    assert (told.hard_limit, told.delta, told.available) == (limit, used, available)


@pytest.mark.parametrize(
    ("specs", "recommended"),
    [({}, False), ({"ecns:recommend": "true"}, True), ({"ecns:recommend": "False"}, False)],
)
def test_operators_recommend_flavors(specs: dict[str, str], recommended: bool) -> None:  # noqa: FBT001
    found = Flavor(id="1", name="f", vcpus=1, ram=1, disk=1, extra_specs=specs)
    assert manifests.flavor(found).is_recommend == recommended


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["kube_service_eks_shop_front", "kube_service_other_shop_front"], 0),
        (["kube_service_other_shop_front", "kube_service_third_shop_front"], 1),  # by its address
        (["kube_service_kubernetes_shop_front"], 0),
        (["kube_service_eks_shop_front2", "shop_front", "kube_service_eks_x-shop_front"], None),
        ([], None),
    ],
)
def test_the_load_balancer_of_a_service(names: list[str], found: int | None) -> None:
    balancers = [
        LoadBalancer(
            id=name, name=name, provisioning_status="", operating_status="", vip_address=f"10.0.0.{n}"
        )
        for n, name in enumerate(names)
    ]
    mode = AccessMode(name="front", type="LoadBalancer", access=[], external=External(vip_address="10.0.0.1"))
    expected = None if found is None else balancers[found]
    assert balancer_of(mode, "eks", "shop", balancers) == expected
