"""The HTTP face of chapter 1.8: groups of virtual machines.

They are made as parts of Hybrid applications. Scaling, starting, stopping, making anew and deleting them one
by one is ours on top of the reference.
"""

from __future__ import annotations

from litestar import Response, delete, get, patch, put

from ecns.api.common import batches
from ecns.api.common.answers import answered
from ecns.api.common.lists import ListQuery, listed_plainly
from ecns.api.common.objects import DryRun, Objects
from ecns.api.common.operations import HYBRID, actions, operation
from ecns.api.common.parameters import DryRunFlag
from ecns.api.virtualmachines import checks, types
from ecns.api.virtualmachines.service import Action, VirtualMachines
from ecns.backends.openstack.cloud import OpenStack
from ecns.identity.place import Place, Places

TAGS = ["1.8 Hybrid orchestration"]
ALL = "/virtualmachine"
ONE = f"{ALL}/{{virtualmachine_name:str}}"


def provide_virtual_machines(
    place: Place, places: Places, openstack: OpenStack, *, dry_run: DryRunFlag = False
) -> VirtualMachines:
    """Litestar's dependency `virtual_machines`."""
    return VirtualMachines(Objects(place, places, dry_run=dry_run), openstack)


@get(ALL, opt=operation("vm.list", HYBRID), tags=TAGS)
async def list_virtual_machines(
    virtual_machines: VirtualMachines, listing: ListQuery
) -> Response[list[types.VmStatus]]:
    """The groups of virtual machines of the namespace, newest first; `sort_by` also `status`, `replicas`."""
    found = await virtual_machines.all(fresh=listing.fresh)
    return listed_plainly(
        found,
        listing,
        created=lambda one: one.creation_time,
        sorts={"status": lambda one: one.status, "replicas": lambda one: one.replicas},
    )


@get(ONE, opt=operation("vm.show", HYBRID), tags=TAGS)
async def show_virtual_machine(virtual_machines: VirtualMachines, virtualmachine_name: str) -> types.VmStatus:
    """A group of virtual machines with its machines."""
    return await virtual_machines.show(virtualmachine_name)


@patch(ONE, opt=actions({"scale": "vm.scale"}, HYBRID), tags=TAGS)
async def scale_virtual_machine(
    virtual_machines: VirtualMachines, virtualmachine_name: str, data: types.ScaleVirtualMachine
) -> Response[types.VmStatus | DryRun]:
    """Let a group have more machines, or fewer: the last ones go first, the others are not touched."""
    checks.replicas(data.replicas)
    await virtual_machines.scale(virtualmachine_name, data.replicas)
    return answered(virtual_machines.objects, await virtual_machines.show(virtualmachine_name))


@put(ALL, opt=actions({"start": "vm.start", "stop": "vm.stop", "recreate": "vm.recreate"}, HYBRID), tags=TAGS)
async def act_on_virtual_machines(
    virtual_machines: VirtualMachines, data: types.SomeVirtualMachines, action: Action
) -> Response[batches.Batched]:
    """Start or stop all machines of groups, or make them anew one after another.

    Made anew a machine has a new system disk; its address and data disks stay. Starting a group that failed
    lets Heat try again.
    """
    results = await batches.run(
        data.virtual_machines, lambda one: virtual_machines.act(one.name, action), name=lambda one: one.name
    )
    return answered(virtual_machines.objects, results)


@delete(ALL, opt=operation("vm.delete", HYBRID), tags=TAGS, status_code=200)
async def delete_virtual_machines(
    virtual_machines: VirtualMachines, data: types.SomeVirtualMachines
) -> Response[batches.Batched]:
    """Delete groups with all that was made for them; disks without `cascade_deletion` stay."""
    results = await batches.run(
        data.virtual_machines, lambda one: virtual_machines.delete_named(one.name), name=lambda one: one.name
    )
    return answered(virtual_machines.objects, results)


ROUTES = [
    list_virtual_machines,
    show_virtual_machine,
    scale_virtual_machine,
    act_on_virtual_machines,
    delete_virtual_machines,
]
