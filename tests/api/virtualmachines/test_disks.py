"""Which disks no machine has used, by what Heat and Nova say."""

from __future__ import annotations

import pytest

from ecns.api.virtualmachines import disks
from ecns.backends.openstack.heat import Resource
from ecns.backends.openstack.nova import Server, ServerDisk


def member(number: int, state: str, **ids: str) -> list[Resource]:
    """What Heat has of a member; `ids` of its things, by their names."""
    kinds = {"system_disk": "OS::Cinder::Volume", "data_disk_0": "OS::Cinder::Volume"}
    states = {"server": state, "attachment_0": "INIT_COMPLETE"}
    return [
        Resource(
            resource_name=name,
            resource_type=kinds.get(name, "OS::Nova::Server"),
            resource_status=states.get(name, "CREATE_COMPLETE"),
            physical_resource_id=ids.get(name),
            parent_resource=f"member_{number}",
        )
        for name in ("server", "system_disk", "data_disk_0", "attachment_0")
    ]


def server(name: str, identity: str, *volumes: str, ran: bool) -> Server:
    return Server(
        id=identity,
        name=name,
        status="ACTIVE" if ran else "ERROR",
        launched_at="2026-01-01T00:00:00" if ran else None,
        disks=[ServerDisk(one) for one in volumes],
    )


ALIVE = member(0, "CREATE_COMPLETE", server="s0", system_disk="v0", data_disk_0="d0", attachment_0="d0")
RUNS = server("web-0", "s0", "v0", "d0", ran=True)


@pytest.mark.parametrize("state", ["INIT_COMPLETE", "CREATE_IN_PROGRESS", "CREATE_FAILED"])
def test_a_machine_that_never_ran(state: str) -> None:
    dead = member(1, state, server="s1", system_disk="v1", data_disk_0="d1")
    broken = server("web-1", "s1", "v1", ran=False)
    found = {(one.volume_id, one.member, one.system) for one in disks.unused([*ALIVE, *dead], [RUNS, broken])}
    assert found == {("v1", 1, True), ("d1", 1, False)}
    assert disks.unused(dead, []) == disks.unused(dead, [broken])  # also when Nova has lost it
    assert disks.used([*ALIVE, *dead], [RUNS, broken]) == {"v0", "d0"}


def test_a_machine_that_could_not_be_made_anew() -> None:
    """Heat shows the old one; its disks, and the data disks that the new one was to have, were used."""
    anew = server("web-0", "s9", "v9", ran=False)
    assert [(one.volume_id, one.system) for one in disks.unused(ALIVE, [RUNS, anew])] == [("v9", True)]


def test_a_machine_that_was_replaced_and_failed() -> None:
    """Heat shows the new one: its system disk is new, its data disks are the old one's."""
    ids = {"server": "s9", "system_disk": "v9", "data_disk_0": "d0", "attachment_0": "d0"}
    anew = member(0, "CREATE_FAILED", **ids)
    found = disks.unused(anew, [server("web-0", "s9", "v9", ran=False)])
    assert [one.volume_id for one in found] == ["v9"]


@pytest.mark.parametrize(
    ("resources", "servers"),
    [
        (ALIVE, [RUNS]),
        (ALIVE, []),  # somebody removed it in Nova
        (member(0, "UPDATE_FAILED", server="s0", system_disk="v0"), []),
        (member(0, "CREATE_FAILED", server="s0", system_disk="v0"), [server("web-0", "s0", "v0", ran=True)]),
        ([], []),
    ],
)
def test_disks_of_machines_that_ran(resources: list[Resource], servers: list[Server]) -> None:
    assert disks.unused(resources, servers) == []


@pytest.mark.parametrize(("name", "number"), [("web-12", 12), ("member_3", 3), ("web-x", 0), ("", 0)])
def test_numbers_of_machines(name: str, number: int) -> None:
    assert disks.number(name) == number
