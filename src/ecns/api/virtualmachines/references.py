"""What the names in virtual machines stand for in the cloud, asked with the caller's token.

Everything that is named is looked up before anything is made, so that what is not there is a 400 that names
its field, and a used-up quota a 403 that says which.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Self, TypeVar

import msgspec

from ecns.api.common.waiting import all_of, few_of
from ecns.api.virtualmachines import entries, manifests
from ecns.api.virtualmachines.checks import entry_name
from ecns.api.virtualmachines.templates import Resolved
from ecns.api.virtualmachines.types import VirtualMachine, VmLoadBalancer, VmNetwork
from ecns.api.workloads.types import Workload
from ecns.backends.openstack.cinder import Volume, VolumeType
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.errors import QUOTA
from ecns.backends.openstack.glance import Image
from ecns.backends.openstack.neutron import SecurityGroup, Subnet
from ecns.backends.openstack.nova import Flavor, Zone
from ecns.errors import BadRequestError, ForbiddenError, NotFoundError
from ecns.identity.caller import Caller

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")

NAMED = 10
"""Things that there are, said when another is asked for."""

T = TypeVar("T", Image, Flavor, Zone, SecurityGroup, VolumeType)


class _Snapshot(msgspec.Struct):
    """An entry of an image's block device mapping."""

    snapshot_id: str | None = None
    boot_index: int | None = None
    volume_size: int | None = None


class _Source(NamedTuple):
    """What a system disk is made of."""

    kind: Literal["image", "snapshot_id", "source_volid"]
    """What Heat calls that."""
    id: str
    windows: bool
    """Whether Windows is on it."""
    ram: int
    """MiB that it needs at least."""


class Wanted(NamedTuple):
    """What machines take of the project's quotas."""

    servers: int
    cores: int
    ram: int
    """MiB."""
    volumes: int
    gigabytes: int

    @classmethod
    def of(cls, machine: VirtualMachine, vcpus: int, ram: int, replicas: int) -> Self:
        """For some machines of a group, of a flavor with so many processors and MiB of memory."""
        disks = [machine.system_disk, *(machine.data_disk or ())]
        volumes = sum(disk.amount or 1 for disk in disks)
        gigabytes = sum(disk.size * (disk.amount or 1) for disk in disks)
        return cls(*(replicas * amount for amount in (1, vcpus, ram, volumes, gigabytes)))


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
            quota: see that there is room for them; nothing of them has been made.

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
        await few_of(
            self._address(machine.loadbalancer, subnet, f"virtual_machines[{place}].loadbalancer", free=quota)
            for place, machine in enumerate(machines)
        )
        resolved = await all_of(
            *(
                self._machine(machine, found, f"virtual_machines[{place}]")
                for place, machine in enumerate(machines)
            )
        )
        if quota:
            flavors = [_flavor(machine, found, "") for machine in machines]
            await self.room(
                [
                    Wanted.of(machine, flavor.vcpus, flavor.ram, machine.replicas)
                    for machine, flavor in zip(machines, flavors, strict=True)
                ]
            )
        return resolved

    async def sources(self, workloads: Sequence[Workload], network: VmNetwork | None) -> dict[str, list[str]]:
        """From where the entries of workloads may be reached, by the names of their Services.

        Args:
            workloads: of one application, checked.
            network: where its machines are.

        Returns:
            Nothing for an entry without security groups: everybody in the network may reach it.

        Raises:
            BadRequestError: a security group is not there, or lets nobody in; `field` says which.
        """
        if not any(one.security_groups for one in workloads):
            return {}
        neutron, token = self.openstack.neutron, self.token
        groups = await neutron.security_groups(token, self.project_id)
        asked: list[tuple[int, Workload, set[str]]] = []
        for place, workload in enumerate(workloads):
            field = f"workloads[{place}].security_groups"
            ids = {
                _one(groups, name, f"{field}[{number}]", "security group").id
                for number, name in enumerate(workload.security_groups or ())
            }
            if ids and workload.vm_access:
                asked.append((place, workload, ids))
        if not asked or network is None:
            return {}
        every = sorted({one for _, _, ids in asked for one in ids})
        subnet, rules = await all_of(self._subnet(network), neutron.rules(token, every))
        remote = sorted({rule.remote_address_group_id for rule in rules if rule.remote_address_group_id})
        blocks = {
            one.id: one.addresses for one in await few_of(neutron.address_group(token, id_) for id_ in remote)
        }
        found: dict[str, list[str]] = {}
        for place, workload, ids in asked:
            name = entry_name(workload)
            mode = next(one for one in workload.access_mode or () if one.name == name)
            mine = [rule for rule in rules if rule.security_group_id in ids]
            at = f"workloads[{place}].vm_access"
            found[name] = entries.sources(mine, blocks, subnet, mode.access or (), at)
        return found

    async def _subnet(self, network: VmNetwork) -> Subnet:
        field = "vm_network.subnet_id"
        try:
            subnet = await self.openstack.neutron.subnet(self.token, network.subnet_id)
        except NotFoundError as error:
            raise BadRequestError(
                f"{field}: there is no subnet {network.subnet_id[:80]!r}", field=field
            ) from error
        if subnet.network_id != network.network_id:
            field = "vm_network.network_id"
            raise BadRequestError(
                f"{field}: subnet {subnet.id!r} is of network {subnet.network_id!r}", field=field
            )
        return subnet

    async def _address(self, sent: VmLoadBalancer, subnet: Subnet, at: str, *, free: bool) -> None:
        """See that a load balancer can have the address that it is to have."""
        if not (sent.access and sent.internal_ip):
            return
        field = f"{at}.internal_ip"
        address = ipaddress.ip_address(sent.internal_ip)
        block = ipaddress.ip_network(subnet.cidr, strict=False)
        ends = {block.network_address, *([block.broadcast_address] if subnet.ip_version == 4 else [])}  # noqa: PLR2004
        if address not in block or address in ends:
            raise BadRequestError(
                f"{field}: {address} is no address of the subnet, which is {subnet.cidr}", field=field
            )
        taken = free and await self.openstack.neutron.ports_at(self.token, subnet.id, str(address))
        if taken or str(address) == subnet.gateway_ip:
            raise BadRequestError(f"{field}: {address} is taken", field=field)

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
            for place, name in enumerate(machine.security_groups or ())
        ]
        keypair = machine.authentication.keypair
        source, known = await asyncio.gather(
            self._source(machine, at),
            self.openstack.nova.has_keypair(self.token, keypair) if keypair else _true(),
        )
        if not known:
            field = f"{at}.authentication.keypair"
            raise BadRequestError(f"{field}: you have no keypair {str(keypair)[:80]!r}", field=field)
        if flavor.ram < source.ram:
            field = f"{at}.flavor_name"
            raise BadRequestError(
                f"{field}: {flavor.name!r} has {flavor.ram} MiB of memory, {source.ram} are needed",
                field=field,
            )
        return Resolved(
            source=source.kind,
            source_id=source.id,
            windows=source.windows,
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

    async def _source(self, machine: VirtualMachine, at: str) -> _Source:
        boot, size = machine.boot_manager, machine.system_disk.size
        if boot.type == "volume":
            field = f"{at}.boot_manager.bootable_volume"
            volume = await self._volume(boot.bootable_volume or "", size, field)
            about = volume.volume_image_metadata
            windows = _windows(about.get("os_type"), about.get("os_distro"))
            ram = about.get("min_ram") or ""
            return _Source("source_volid", volume.id, windows, int(ram) if ram.isdecimal() else 0)
        called = (boot.image if boot.type == "image" else boot.snapshot) or ""
        field = f"{at}.boot_manager.{boot.type}"
        images = await self.openstack.glance.called(self.token, called)
        if not images and _UUID.fullmatch(called):
            images = await self.openstack.glance.images(self.token, id=f"in:{called}")
        image = _one(images, called, field, boot.type)
        needed = image.min_disk or 0
        found = _Source("image", image.id, _windows(image.os_type, image.os_distro), image.min_ram or 0)
        # A snapshot of a server that boots from a volume is an empty image that names snapshots of volumes.
        if (root := _root(image)) is not None:
            needed = max(needed, root.volume_size or 0)
            found = found._replace(kind="snapshot_id", id=root.snapshot_id or "")
        _enough(size, needed, at, called)
        return found

    async def _volume(self, called: str, size: int, field: str) -> Volume:
        volumes = await self.openstack.cinder.volumes(self.token, name=called)
        if not volumes and _UUID.fullmatch(called):
            volumes = [one for one in await self.openstack.cinder.volumes(self.token) if one.id == called]
        volumes = [one for one in volumes if one.bootable.lower() == "true"]
        if len(volumes) != 1:
            said = "is there several times: say its id" if volumes else "is not there, or not bootable"
            raise BadRequestError(f"{field}: volume {called[:80]!r} {said}", field=field)
        _enough(size, volumes[0].size, field.partition(".")[0], called)
        return volumes[0]

    async def room(self, wanted: Sequence[Wanted]) -> None:
        """See that the project's quotas leave what is wanted.

        Raises:
            ForbiddenError: they do not.
        """
        nova, cinder = await all_of(
            self.openstack.nova.limits(self.token), self.openstack.cinder.limits(self.token)
        )
        servers, cores, ram, volumes, gigabytes = (sum(amounts) for amounts in zip(*wanted, strict=True))
        for what, number, most, used in (
            ("servers", servers, nova.instances, nova.instances_used),
            ("cores", cores, nova.cores, nova.cores_used),
            ("MiB of memory", ram, nova.ram, nova.ram_used),
            ("volumes", volumes, cinder.volumes, cinder.volumes_used),
            ("GiB of volumes", gigabytes, cinder.gigabytes, cinder.gigabytes_used),
        ):
            if most >= 0 and number and used + number > most:
                raise ForbiddenError(
                    f"the quota of the project does not leave {number} {what}: {used} of {most} are used",
                    details={"reason": QUOTA, "field": "virtual_machines"},
                )


def _flavor(machine: VirtualMachine, found: _Found, at: str) -> Flavor:
    flavors = [flavor for flavor in found.flavors if not flavor.is_disabled]
    return _one(flavors, machine.flavor_name, f"{at}.flavor_name", "flavor")


def _windows(*said: str | None) -> bool:
    """What the properties `os_type` and `os_distro` of images say."""
    return "windows" in {word.lower() for word in said if word}


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
    if found:
        said = f"there are {len(found)} of this name: say its id"
    else:
        others = sorted({name(one) or key(one) for one in things})
        more = ", …" if len(others) > NAMED else ""
        said = "there is none for this project"
        said += f", but {', '.join(others[:NAMED])}{more}" if others else ""
    raise BadRequestError(f"{field}: {what} {called[:80]!r}: {said}", field=field)


async def _true() -> bool:
    return True
