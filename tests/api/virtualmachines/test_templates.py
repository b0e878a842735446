"""From virtual machines to Heat, and from what OpenStack says back; both pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.virtualmachines import checks, manifests, templates
from ecns.api.virtualmachines.templates import Definition, Resolved, Tags
from ecns.api.virtualmachines.types import Flavor, VirtualMachine, VmNetwork, VmStatus
from ecns.api.workloads.types import Access
from ecns.backends.kubernetes.kinds.extensions import Application
from ecns.backends.kubernetes.kinds.meta import ObjectMeta
from ecns.backends.openstack.heat import Event, Stack
from ecns.backends.openstack.nova import Address, Fault, Server
from ecns.backends.openstack.octavia import LoadBalancer
from ecns.errors import BadRequestError
from tests.api.virtualmachines.conftest import machine

NETWORK = VmNetwork(network_name="net", network_id="n", subnet_name="sub", subnet_id="s")
FLAVOR = Flavor(cpu="1C", memory="2GiB", disk="3GiB")
RESOLVED = Resolved(
    source="image",
    source_id="i",
    windows=False,
    zone="z",
    flavor_id="f",
    flavor=FLAVOR,
    network_id="n",
    subnet_id="s",
    ip_version=4,
    security_group_ids=["g"],
    volume_types={"hdd": "slow", "high-performance": "fast"},
)
NAMES = st.from_regex(r"\A[a-z]([a-z0-9-]{0,20}[a-z0-9])?\Z")
DISKS = st.fixed_dictionaries(
    {"size": st.integers(1, 500)},
    optional={
        "type": st.sampled_from(["hdd", "high-performance"]),
        "amount": st.integers(1, 3),
        "cascade_deletion": st.booleans(),
    },
)
PORTS = st.lists(
    st.fixed_dictionaries(
        {"port": st.integers(1, 65535)},
        optional={
            "protocol": st.sampled_from(["TCP", "udp", "tcp"]),
            "target_port": st.integers(1, 65535),
        },
    ),
    max_size=4,
    unique_by=lambda one: one["port"],
)
MACHINES = st.builds(
    lambda name, replicas, system, data, access, more: msgspec.convert(
        machine(
            name,
            replicas=replicas,
            system_disk={**system, "amount": 1},
            data_disk=data,
            loadbalancer={"access": access},
            **more,
        ),
        VirtualMachine,
    ),
    NAMES,
    st.integers(0, 100),
    DISKS,
    st.lists(DISKS, max_size=3),
    PORTS,
    st.fixed_dictionaries({}, optional={"user_data": st.text(max_size=20)}),
)
PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126)).map("no word: ".__add__)


def made(one: VirtualMachine) -> tuple[VirtualMachine, dict[str, Any], dict[str, Any]]:
    """What is checked of a machine, its stack, and the template of a member."""
    (one,) = checks.virtual_machines([one])
    kept = templates.definition(one, NETWORK, RESOLVED)
    body = templates.stack("stack", one, kept, RESOLVED, user_data=one.user_data or "")
    return one, body, msgspec.json.decode(body["files"][templates.MEMBER])


def asked(value: Any, function: str) -> set[str]:
    """The names that a template asks a function for."""
    if isinstance(value, list):
        return {name for one in value for name in asked(one, function)}
    if not isinstance(value, dict):
        return set()
    own = {str(value[function])} if isinstance(value.get(function), str) else set()
    return own | {name for one in value.values() for name in asked(one, function)}


@given(MACHINES)
def test_templates_are_whole(sent: VirtualMachine) -> None:
    one, body, member = made(sent)
    group = body["template"]
    for template in (group, member):
        resources = template["resources"]
        assert asked(resources, "get_resource") <= set(resources)
        assert asked(resources, "get_param") <= set(template["parameters"]) | {"OS::stack_id"}
        for resource in resources.values():
            assert set(resource.get("depends_on", [])) <= set(resources)
            assert None not in resource["properties"].values()
    members = [found for found in group["resources"].values() if found["type"] == templates.MEMBER]
    assert [found["properties"]["name"] for found in members] == [
        f"{one.name}-{number}" for number in range(one.replicas)
    ]
    for found in members:
        assert set(found["properties"]) == set(member["parameters"])

    disks = [one.system_disk, *(disk for disk in one.data_disk or () for _ in range(disk.amount or 1))]
    volumes = [found for found in member["resources"].values() if found["type"] == "OS::Cinder::Volume"]
    assert [found["properties"]["size"] for found in volumes] == [disk.size for disk in disks]
    assert [found["deletion_policy"] == "Delete" for found in volumes] == [
        bool(disk.cascade_deletion) for disk in disks
    ]
    kinds = [resource["type"] for resource in group["resources"].values()]
    for kind in ("Listener", "Pool", "HealthMonitor"):
        assert kinds.count(f"OS::Octavia::{kind}") == len(one.loadbalancer.access)
    assert ("OS::Octavia::LoadBalancer" in kinds) == bool(one.loadbalancer.access)


@given(MACHINES, PASSWORDS)
def test_what_is_secret_is_in_hidden_parameters_alone(sent: VirtualMachine, password: str) -> None:
    sent.authentication.password = password
    sent.user_data = f"#cloud-config {password}"
    _, body, member = made(sent)
    said = body.pop("parameters")
    assert said == {"password": password, "user_data": sent.user_data}
    for hidden in said:
        assert body["template"]["parameters"][hidden]["hidden"]
        assert member["parameters"][hidden]["hidden"]
    assert msgspec.json.encode(password) not in msgspec.json.encode(body)
    assert password not in str(templates.public(sent))


@given(MACHINES, st.integers(0, 5), st.booleans())
def test_groups_are_resized(sent: VirtualMachine, replicas: int, in_turn: bool) -> None:  # noqa: FBT001
    one, body, _ = made(sent)
    now = templates.resized(body["template"], one.name, replicas, in_turn=in_turn)
    one.replicas = replicas
    again = made(one)[1]["template"]
    assert templates.goes_in_turn(now) == (in_turn and replicas > 1)
    if not in_turn:
        assert now["resources"] == again["resources"]
    assert templates.resized(now, one.name, replicas)["resources"] == again["resources"]


@given(MACHINES)
def test_groups_are_remembered(sent: VirtualMachine) -> None:
    one, body, _ = made(sent)
    kept = templates.definition(one, NETWORK, RESOLVED)
    application = Application(metadata=ObjectMeta(annotations=manifests.remembered([kept])))
    assert manifests.definitions(application) == {one.name: kept}
    assert templates.recalled({"definition": body["template"]["parameters"]["definition"]["default"]}) == kept


@pytest.mark.parametrize("text", ["", "[", "null", "{}", '[{"machine": 1}]', "[]", "[[]]"])
def test_what_somebody_broke_is_nothing(text: str) -> None:
    metadata = ObjectMeta(annotations={manifests.VIRTUAL_MACHINES: text})
    assert manifests.definitions(Application(metadata=metadata)) == {}
    assert templates.recalled({"definition": text}) is None


TAGS = st.builds(
    Tags,
    project=st.from_regex(r"\A[0-9a-f]{32}\Z"),
    place=st.builds(templates.place, st.text(), NAMES),
    namespace=NAMES,
    application=NAMES | st.just(""),
    name=NAMES,
    replicas=st.integers(0, 100),
    generation=st.integers(0, 1000),
    request=st.from_regex(r"\A[0-9a-f]{40}\Z"),
)


@given(TAGS)
def test_tags_say_what_they_are_given(said: Tags) -> None:
    text = templates.tags(said)
    assert all(len(tag) <= 80 for tag in text.split(","))  # so many characters Heat takes
    assert templates.read_tags(text.split(",")) == said


@given(st.lists(st.text()) | st.none())
def test_tags_of_others_are_nothing(found: list[str] | None) -> None:
    assert templates.read_tags(found) is None


def test_the_longest_names_fit() -> None:
    name = "n" * 63
    said = Tags(
        project="p" * 32,
        place=templates.place("c", "n"),
        namespace=name,
        application=name,
        name=name,
        replicas=100,
        generation=10**6,
        request="r" * 40,
    )
    assert all(len(tag) <= 80 for tag in templates.tags(said).split(","))
    called = templates.stack_name("cluster of ünïts" * 50, name, name)
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.-]{0,254}", called)


# Showing


def stack(status: str, **more: Any) -> Stack:
    return Stack(
        id="id", stack_name="stack", stack_status=status, creation_time="2026-01-02T03:04:05", **more
    )


def server(status: str, number: int = 0, **more: Any) -> Server:
    return Server(id=str(number), name=f"web-{number}", status=status, **more)


def shown(found: Stack, servers: list[Server], replicas: int, **more: Any) -> VmStatus:
    said = Tags(
        project="p",
        place="p",
        namespace="n",
        application="shop",
        name="web",
        replicas=replicas,
        generation=0,
        request="",
    )
    says = more.get("octavia_says", False)
    return manifests.group(said, found, more.get("kept"), servers, more.get("balancer"), octavia_says=says)


@pytest.mark.parametrize(
    ("status", "machines", "replicas", "word"),
    [
        ("CREATE_IN_PROGRESS", [], 2, "Pending"),
        ("CREATE_COMPLETE", ["ACTIVE", "ACTIVE"], 2, "Running"),
        ("CREATE_COMPLETE", ["ACTIVE", "BUILD"], 2, "Pending"),
        ("CREATE_COMPLETE", ["ACTIVE", "REBOOT"], 2, "Pending"),
        ("CREATE_COMPLETE", ["SHUTOFF", "SUSPENDED"], 2, "Stopped"),
        ("CREATE_COMPLETE", ["SHUTOFF", "ACTIVE"], 2, "Failed"),
        ("CREATE_COMPLETE", ["ERROR", "ACTIVE"], 2, "Failed"),
        ("CREATE_COMPLETE", ["ACTIVE"], 2, "Failed"),
        ("CREATE_COMPLETE", ["ACTIVE", "SOFT_DELETED"], 2, "Failed"),
        ("CREATE_COMPLETE", [], 0, "Stopped"),
        ("CREATE_FAILED", ["ACTIVE"], 1, "Failed"),
        ("UPDATE_IN_PROGRESS", ["ACTIVE"], 1, "Pending"),
        ("UPDATE_FAILED", ["ACTIVE"], 1, "Failed"),
        ("ROLLBACK_COMPLETE", ["ACTIVE"], 1, "Running"),
        ("DELETE_IN_PROGRESS", ["ACTIVE"], 1, "Removing"),
        ("DELETE_FAILED", [], 1, "Failed"),
        ("NONSENSE", [], 1, "Pending"),
    ],
)
def test_states(status: str, machines: list[str], replicas: int, word: str) -> None:
    found = shown(
        stack(status, stack_status_reason="because"),
        [server(one, number) for number, one in enumerate(machines)],
        replicas,
    )
    assert found.status == word
    assert bool(found.reason) == (word == "Failed")
    assert found.creation_time == "2026-01-02T03:04:05Z"


def test_a_group_as_it_is_shown() -> None:
    one = msgspec.convert(machine(loadbalancer={"access": [{"port": 80, "protocol": "TCP"}]}), VirtualMachine)
    kept = Definition(machine=one, network=NETWORK, image="cirros", flavor=FLAVOR)
    addresses = {"net": [Address("10.0.0.7"), Address("172.24.4.9", "floating")]}
    found = shown(
        stack("CREATE_COMPLETE"),
        [
            server("ERROR", 10, fault=Fault("No valid host was found.")),
            server("ACTIVE", 2, addresses=addresses, created="2026-01-01T00:00:00Z"),
        ],
        2,
        kept=kept,
        balancer=LoadBalancer(
            id="l",
            name="front",
            provisioning_status="ACTIVE",
            operating_status="ONLINE",
            vip_address="10.0.0.9",
        ),
    )
    assert [instance.name for instance in found.vm_instances] == ["web-2", "web-10"]
    assert found.vm_instances[0].internal_ip == "10.0.0.7"
    assert found.reason == found.vm_instances[1].reason == "No valid host was found."
    assert found.loadbalancer is not None
    assert (found.loadbalancer.name, found.loadbalancer.internal_ip) == ("front", "10.0.0.9")
    assert found.loadbalancer.access == [Access(port=80, protocol="TCP")]


@pytest.mark.parametrize(
    ("balancer", "octavia_says", "word"),
    [
        ("ACTIVE", True, "Running"),
        ("ERROR", True, "Failed"),
        (None, True, "Failed"),
        (None, False, "Running"),
    ],
)
def test_a_group_whose_load_balancer_is_not_well(
    balancer: str | None,
    octavia_says: bool,  # noqa: FBT001
    word: str,
) -> None:
    one = msgspec.convert(machine(loadbalancer={"access": [{"port": 80}]}), VirtualMachine)
    found = shown(
        stack("CREATE_COMPLETE"),
        [server("ACTIVE")],
        1,
        kept=Definition(machine=one, network=NETWORK, image="cirros", flavor=FLAVOR),
        balancer=balancer and LoadBalancer(id="l", provisioning_status=balancer, operating_status="ONLINE"),
        octavia_says=octavia_says,
    )
    assert found.status == word
    assert ("load balancer" in (found.reason or "")) == (word == "Failed")


@given(
    st.text(), st.lists(st.builds(Server, id=st.text(), name=st.text(), status=st.text())), st.integers(0, 9)
)
def test_whatever_the_cloud_says_is_shown(status: str, servers: list[Server], replicas: int) -> None:
    found = shown(stack(status), servers, replicas)
    assert msgspec.json.decode(msgspec.json.encode(found), type=VmStatus) == found


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05.678901+02:00", "2026-01-02T01:04:05Z"),
        ("soon", "soon"),
        (None, ""),
    ],
)
def test_times(said: str | None, expected: str) -> None:
    assert manifests.time(said) == expected


@pytest.mark.parametrize(("ram", "memory"), [(512, "512MiB"), (2048, "2GiB"), (1536, "1536MiB"), (0, "0MiB")])
def test_memory_in_whole_gibibytes(ram: int, memory: str) -> None:
    assert manifests.flavor(4, ram, 20) == Flavor(cpu="4C", memory=memory, disk="20GiB")


# Checking


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"replicas": -1}, "replicas"),
        ({"replicas": 101}, "replicas"),
        ({"availability_zone": ""}, "availability_zone"),
        ({"flavor_name": ""}, "flavor_name"),
        ({"boot_manager": {"type": "snapshot", "image": "i"}}, "boot_manager.snapshot"),
        ({"system_disk": {"size": 0}}, "system_disk.size"),
        ({"system_disk": {"size": 1, "amount": 2}}, "system_disk.amount"),
        ({"data_disk": [{"size": 1, "amount": 25}]}, "data_disk"),
        ({"loadbalancer": {"access": [{"port": 0}]}}, "loadbalancer.access[0].port"),
        ({"loadbalancer": {"access": [{"port": 1, "protocol": "SCTP"}]}}, "loadbalancer.access[0].protocol"),
        ({"loadbalancer": {"access": [{"port": 1}, {"port": 1}]}}, "loadbalancer.access[1].port"),
        ({"loadbalancer": {"access": [], "internal_ip": "10.0.0"}}, "loadbalancer.internal_ip"),
        ({"loadbalancer": {"access": [], "name": "n" * 256}}, "loadbalancer.name"),
        ({"authentication": {}}, "authentication"),
        ({"authentication": {"password": "a\nb"}}, "authentication.password"),
        ({"user_data": "x" * 50000}, "user_data"),
    ],
)
def test_what_cannot_be_names_its_field(more: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequestError) as refusal:
        checks.virtual_machines([msgspec.convert(machine(**more), VirtualMachine)])
    assert refusal.value.field == f"virtual_machines[0].{field}"


@pytest.mark.parametrize(
    ("status", "last", "said"),
    [
        ("CREATE_IN_PROGRESS", "2026-01-01T10:05:00Z", ""),
        (
            "CREATE_IN_PROGRESS",
            None,
            "nothing of its create since 2026-01-01T10:00:00Z; .* start lets another",
        ),
        (
            "DELETE_IN_PROGRESS",
            "2026-01-01T10:04:00Z",
            r"since 2026-01-01T10:04:00Z \(disk: .* delete it again",
        ),
        ("CREATE_COMPLETE", None, ""),
    ],
)
def test_what_heat_left_in_the_middle(status: str, last: str | None, said: str) -> None:
    stack = Stack(id="i", stack_name="s", stack_status=status, creation_time="2026-01-01T10:00:00Z")
    event = (
        Event(event_time=last, resource_name="disk", resource_status="DELETE_IN_PROGRESS") if last else None
    )
    found = manifests.stalled(stack, event, datetime(2026, 1, 1, 10, 6, 30, tzinfo=UTC))
    assert re.search(said, found)
    assert bool(found) == bool(said)
