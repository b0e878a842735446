"""What the names in virtual machines stand for in the cloud, asked with the caller's token.

Everything that is named is looked up before anything is made, so that what is not there is a 400 that names
its field, and a used-up quota a 403 that says which.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

import msgspec

from ecns.api.common.waiting import all_of
from ecns.api.virtualmachines import manifests
from ecns.api.virtualmachines.templates import Resolved
from ecns.api.virtualmachines.types import VirtualMachine, VmNetwork
from ecns.backends.openstack.cinder import VolumeType
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.errors import QUOTA
from ecns.backends.openstack.glance import Image
from ecns.backends.openstack.neutron import SecurityGroup, Subnet
from ecns.backends.openstack.nova import Flavor, Zone
from ecns.errors import BadRequestError, ForbiddenError, NotFoundError
from ecns.identity.caller import Caller

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")

T = TypeVar("T", Image, Flavor, Zone, SecurityGroup, VolumeType)


class _Snapshot(msgspec.Struct):
    """An entry of an image's block device mapping."""

    snapshot_id: str | None = None
    boot_index: int | None = None
    volume_size: int | None = None


class _Found(msgspec.Struct):
    """What all machines of an application are looked up in."""

    subnet: Subnet
    flavors: list[Flavor]
    zones: list[Zone]
    security_groups: list[SecurityGroup]
    volume_types: list[VolumeType]


class References:
    """Looks up names for one caller.

    Args:
        openstack: asked.
        caller: whose token and project.
    """

    def __init__(self, openstack: OpenStack, caller: Caller) -> None:
        self.openstack = openstack
        self.token = caller.token
        self.project_id = caller.project_id

    async def resolve(
        self, machines: Sequence[VirtualMachine], network: VmNetwork, *, quota: bool = True
    ) -> list[Resolved]:
        """What all groups of an application stand for.

        Args:
            machines: checked.
            network: where they are to be.
            quota: see that there is room for them.

        Raises:
            BadRequestError: something is not there, or not once; `field` says which.
            ForbiddenError: a quota does not leave enough.
            NotSupportedError: the cloud lacks a service.
            UpstreamError: a service does not answer.
        """
        openstack, token = self.openstack, self.token
        await openstack.heat.needed(token)
        if any(machine.loadbalancer.access for machine in machines):
            await openstack.octavia.needed(token)
        subnet, flavors, zones, groups, kinds = await all_of(
            self._subnet(network),
            openstack.nova.flavors(token),
            openstack.nova.zones(token),
            openstack.neutron.security_groups(token, self.project_id),
            openstack.cinder.types_of_volumes(token),
        )
        found = _Found(subnet, flavors, zones, groups, kinds)
        resolved = await all_of(
            *(
                self._machine(machine, found, f"virtual_machines[{place}]")
                for place, machine in enumerate(machines)
            )
        )
        if quota:
            await self._room(machines, [_flavor(machine, found, "") for machine in machines])
        return resolved

    async def room(self, machine: VirtualMachine) -> None:
        """See that a quota leaves enough for machines of a flavor that is known.

        Raises:
            ForbiddenError: it does not.
        """
        flavors = await self.openstack.nova.flavors(self.token)
        if found := [one for one in flavors if one.name == machine.flavor_name]:
            await self._room([machine], found[:1])

    async def security_groups(self, called: Mapping[str, Sequence[str]]) -> None:
        """See that the project has the security groups that workloads name, by the field that names them.

        Raises:
            BadRequestError: it has not; `field` says which.
        """
        if not any(called.values()):
            return
        found = await self.openstack.neutron.security_groups(self.token, self.project_id)
        for field, names in called.items():
            for place, name in enumerate(names):
                _one(found, name, f"{field}[{place}]", "security group")

    async def _subnet(self, network: VmNetwork) -> Subnet:
        field = "vm_network.subnet_id"
        try:
            subnet = await self.openstack.neutron.subnet(self.token, network.subnet_id)
        except NotFoundError as error:
            raise BadRequestError(
                f"{field}: there is no subnet {network.subnet_id!r}", field=field
            ) from error
        if subnet.network_id != network.network_id:
            field = "vm_network.network_id"
            raise BadRequestError(
                f"{field}: subnet {subnet.id!r} is of network {subnet.network_id!r}", field=field
            )
        return subnet

    async def _machine(self, machine: VirtualMachine, found: _Found, at: str) -> Resolved:
        flavor = _flavor(machine, found, at)
        zone = _one(
            [zone for zone in found.zones if zone.state.available],
            machine.availability_zone,
            f"{at}.availability_zone",
            "availability zone that takes servers",
            name=lambda one: one.name,
            key=lambda one: one.name,
        )
        groups = [
            _one(found.security_groups, name, f"{at}.security_groups[{place}]", "security group")
            for place, name in enumerate(machine.security_groups)
        ]
        keypair = machine.authentication.keypair
        (source, source_id), known = await asyncio.gather(
            self._source(machine, at),
            self.openstack.nova.has_keypair(self.token, keypair) if keypair else _true(),
        )
        if not known:
            field = f"{at}.authentication.keypair"
            raise BadRequestError(f"{field}: you have no keypair {keypair!r}", field=field)
        return Resolved(
            source=source,
            source_id=source_id,
            zone=zone.name,
            flavor_id=flavor.id,
            flavor=manifests.flavor(flavor.vcpus, flavor.ram, flavor.disk),
            network_id=found.subnet.network_id,
            subnet_id=found.subnet.id,
            ip_version=found.subnet.ip_version,
            security_group_ids=list(dict.fromkeys(group.id for group in groups)),
            volume_types=self._volume_types(machine, found, at),
        )

    def _volume_types(self, machine: VirtualMachine, found: _Found, at: str) -> dict[str, str]:
        types: dict[str, str] = {}
        disks = [(f"{at}.system_disk", machine.system_disk)]
        disks += [(f"{at}.data_disk[{place}]", disk) for place, disk in enumerate(machine.data_disk or ())]
        for where, disk in disks:
            if disk.type is None or disk.type in types:
                continue
            field = f"{where}.type"
            if (called := self.openstack.volume_types.get(disk.type)) is None:
                raise BadRequestError(
                    f"{field}: the configuration does not say which of Cinder's types is {disk.type}"
                    " (openstack.volume_types)",
                    field=field,
                )
            types[disk.type] = _one(found.volume_types, called, field, "volume type").id
        return types

    async def _source(
        self, machine: VirtualMachine, at: str
    ) -> tuple[Literal["image", "snapshot_id", "source_volid"], str]:
        boot, size = machine.boot_manager, machine.system_disk.size
        if boot.type == "volume":
            return "source_volid", await self._volume(
                boot.bootable_volume or "", size, f"{at}.boot_manager.bootable_volume"
            )
        called = (boot.image if boot.type == "image" else boot.snapshot) or ""
        field = f"{at}.boot_manager.{boot.type}"
        images = await self.openstack.glance.images(self.token, name=called)
        if not images and _UUID.fullmatch(called):
            images = await self.openstack.glance.images(self.token, id=f"in:{called}")
        image = _one(images, called, field, boot.type)
        needed = image.min_disk or 0
        found: tuple[Literal["image", "snapshot_id"], str] = ("image", image.id)
        # A snapshot of a server that boots from a volume is an empty image that names snapshots of volumes.
        if (root := _root(image)) is not None:
            needed = max(needed, root.volume_size or 0)
            found = ("snapshot_id", root.snapshot_id or "")
        _enough(size, needed, at, called)
        return found

    async def _volume(self, called: str, size: int, field: str) -> str:
        volumes = await self.openstack.cinder.volumes(self.token, name=called)
        if not volumes and _UUID.fullmatch(called):
            volumes = [one for one in await self.openstack.cinder.volumes(self.token) if one.id == called]
        volumes = [one for one in volumes if one.bootable.lower() == "true"]
        if len(volumes) != 1:
            said = "is there several times: say its id" if volumes else "is not there, or not bootable"
            raise BadRequestError(f"{field}: volume {called!r} {said}", field=field)
        _enough(size, volumes[0].size, field.partition(".")[0], called)
        return volumes[0].id

    async def _room(self, machines: Sequence[VirtualMachine], flavors: Sequence[Flavor]) -> None:
        nova, cinder = await all_of(
            self.openstack.nova.limits(self.token), self.openstack.cinder.limits(self.token)
        )
        servers, cores, ram, volumes, gigabytes = 0, 0, 0, 0, 0
        for machine, flavor in zip(machines, flavors, strict=True):
            disks = [machine.system_disk, *(machine.data_disk or ())]
            servers += machine.replicas
            cores += machine.replicas * flavor.vcpus
            ram += machine.replicas * flavor.ram
            volumes += machine.replicas * sum(disk.amount or 1 for disk in disks)
            gigabytes += machine.replicas * sum(disk.size * (disk.amount or 1) for disk in disks)
        for what, wanted, most, used in (
            ("servers", servers, nova.instances, nova.instances_used),
            ("cores", cores, nova.cores, nova.cores_used),
            ("MiB of memory", ram, nova.ram, nova.ram_used),
            ("volumes", volumes, cinder.volumes, cinder.volumes_used),
            ("GiB of volumes", gigabytes, cinder.gigabytes, cinder.gigabytes_used),
        ):
            if most >= 0 and wanted and used + wanted > most:
                raise ForbiddenError(
                    f"the quota of the project does not leave {wanted} {what}: {used} of {most} are used",
                    details={"reason": QUOTA, "field": "virtual_machines"},
                )


def _flavor(machine: VirtualMachine, found: _Found, at: str) -> Flavor:
    flavors = [flavor for flavor in found.flavors if not flavor.is_disabled]
    return _one(flavors, machine.flavor_name, f"{at}.flavor_name", "flavor")


def _root(image: Image) -> _Snapshot | None:
    try:
        entries = msgspec.json.decode(image.block_device_mapping or "[]", type=list[_Snapshot])
    except msgspec.DecodeError:
        return None
    return next((entry for entry in entries if entry.snapshot_id and entry.boot_index == 0), None)


def _enough(size: int, needed: int, at: str, called: str) -> None:
    if size < needed:
        field = f"{at}.system_disk.size"
        raise BadRequestError(f"{field}: {called!r} needs at least {needed} GiB", field=field)


def _one(
    things: Sequence[T],
    called: str,
    field: str,
    what: str,
    *,
    name: Callable[[T], str | None] = lambda one: one.name,
    key: Callable[[T], str] = lambda one: one.id,
) -> T:
    """The one thing of a name, or else of an id."""
    found = [one for one in things if name(one) == called] or [one for one in things if key(one) == called]
    if len(found) == 1:
        return found[0]
    said = f"there are {len(found)} of this name: say its id" if found else "there is none for this project"
    raise BadRequestError(f"{field}: {what} {called!r}: {said}", field=field)


async def _true() -> bool:
    return True
