from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecns.api.applications import checks
from ecns.api.applications.types import Application, CreateApplication, DescribeApplication
from ecns.errors import BadRequestError
from tests.api.applications.bodies import VM_NETWORK, application, virtual_machine, workload


def checked(body: dict[str, Any], product_type: str = "eks") -> Application:
    return checks.application(msgspec.convert(body, CreateApplication), product_type)


def machine(**more: Any) -> dict[str, Any]:
    return application("a", vm_network=VM_NETWORK, virtual_machines=[virtual_machine() | more])


def test_an_application_may_stand_alone_or_under_its_name() -> None:
    body = application("a", workload("web"), description="d", configmaps=[{"name": "c", "config": {}}])
    assert checked(body) == checked({"application": body})
    assert checked(body).type == "Normal"


def test_workloads_know_their_application() -> None:
    members = checked(application("a", workload("web"), workload("db", application_name="a"))).workloads or []
    assert [(one.application_name, one.application_type) for one in members] == [("a", "Normal")] * 2


def test_the_product_type_gives_the_type() -> None:
    assert checked(application("a", vm_network=VM_NETWORK), "hybrid").type == "Hybrid"
    assert checked(application("a", type="Normal"), "hybrid").type == "Normal"
    assert checked(application("a", type="Hybrid", vm_network=VM_NETWORK), "eks").type == "Hybrid"


def test_a_hybrid_application_with_machines_can_be() -> None:
    assert checked(machine() | {"type": "Hybrid"}).virtual_machines


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        (application("Shop"), "name"),
        (application("a" * 64), "name"),
        (application("a.b"), "name"),
        (application("a", type="Hybrid"), "vm_network"),
        (application("a", virtual_machines=[virtual_machine()]), "virtual_machines"),
        (application("a", workload("web", application_name="b")), "workloads[0].application_name"),
        (
            application("a", workload("web"), workload("web", type="StatefulSet")),
            "workloads[1].workload_base.name",
        ),
        (application("a", configmaps=[{"name": "Ä", "config": {}}]), "configmaps[0].name"),
        (application("a", configmaps=[{"name": "c", "config": {"a b": ""}}]), "configmaps[0].config"),
        (application("a", configmaps=[{"name": "c", "config": {}}] * 2), "configmaps[1].name"),
    ],
)
def test_what_cannot_be_names_its_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequestError) as refusal:
        checked(body)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": "A"}, "name"),
        ({"replicas": -1}, "replicas"),
        ({"boot_manager": {"type": "image"}}, "boot_manager.image"),
        ({"boot_manager": {"type": "volume", "image": "x"}}, "boot_manager.bootable_volume"),
        ({"system_disk": {"size": 0}}, "system_disk.size"),
        ({"data_disk": [{"size": 1}, {"size": 1, "amount": 0}]}, "data_disk[1].amount"),
        ({"loadbalancer": {"access": [{"protocol": "TCP"}]}}, "loadbalancer.access[0].port"),
        ({"authentication": {}}, "authentication"),
    ],
)
def test_machines_are_whole(more: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequestError) as refusal:
        checked(machine(**more), "hybrid")
    assert refusal.value.field == f"virtual_machines[0].{field}"


DEFAULTED = {"type", "security_groups"}


@pytest.mark.parametrize("missing", [key for key in virtual_machine() if key not in DEFAULTED])
def test_the_reference_says_what_a_machine_needs(missing: str) -> None:
    body = machine()
    del body["virtual_machines"][0][missing]
    with pytest.raises(msgspec.ValidationError, match=missing):
        checked(body, "hybrid")


@pytest.mark.parametrize("missing", VM_NETWORK)
def test_the_reference_says_what_a_network_needs(missing: str) -> None:
    network = {key: value for key, value in VM_NETWORK.items() if key != missing}
    with pytest.raises(msgspec.ValidationError, match=missing):
        checked(application("a", vm_network=network))


def test_a_description_is_for_the_application_of_the_path() -> None:
    def described(body: dict[str, Any]) -> Any:
        return checks.description(msgspec.convert(body, DescribeApplication), "a").description

    assert described({"name": "a", "description": "d"}) == "d"
    assert described({"application": {"name": "a", "description": "d"}}) == "d"
    assert described({"description": None}) is None
    assert described({}) is msgspec.UNSET
    with pytest.raises(BadRequestError, match="keeps its name"):
        described({"name": "b", "description": "d"})


@pytest.mark.parametrize(
    ("resource", "wanted"),
    [
        ([], set()),
        ([""], set()),
        (["workload"], {"workload"}),
        (["service, workload"], {"workload", "service"}),
        (["workload", "service"], {"workload", "service"}),
        (["all"], {"all"}),
    ],
)
def test_what_goes_with_an_application(resource: list[str], wanted: set[str]) -> None:
    assert checks.parts(resource) == wanted


@pytest.mark.parametrize("resource", ["service", "workloads", "workload,pvc", "all;workload"])
def test_what_cannot_go_with_an_application(resource: str) -> None:
    with pytest.raises(BadRequestError) as refusal:
        checks.parts([resource])
    assert refusal.value.field == "resource"
