"""What types cannot say of virtual machines; each refusal names its field. Source: reference chapter 1.8."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from ecns.api.common.checks import dns_label
from ecns.api.virtualmachines import userdata
from ecns.api.virtualmachines.types import VirtualMachine, VmLoadBalancer, VmNetwork
from ecns.api.workloads.types import AccessMode, External, LoadBalancer, Workload
from ecns.errors import BadRequestError

MOST_REPLICAS = 100
"""Machines of one group: Heat makes all of them in one operation, and each is several of its resources."""
MOST_DISKS = 24
"""Data disks of one machine: buses of virtual machines have some 26 places."""
MOST_PASSWORD = 255
MAX_NAME = 63
MOST_NAME = 255
"""Characters of what Octavia calls a load balancer."""
DEFAULT_GROUP = "default"
"""The security group of every project: what a machine is in that names none."""
ENTRY = "-vm"
"""What the Service of a workload's `vm_access` is called, after the workload."""
INTERNAL = "service.beta.kubernetes.io/openstack-internal-load-balancer"
"""Annotation by which OpenStack's cloud provider gives a load balancer no address outside of its network."""
PROTOCOLS = ("TCP", "UDP")
_LAST_PORT = 65535


def virtual_machines(machines: Iterable[VirtualMachine]) -> list[VirtualMachine]:
    """The groups of one application, checked, with their defaults and the protocols in capitals.

    Raises:
        BadRequestError: something in one of them cannot be; `field` says where.
    """
    called: set[str] = set()
    addresses: set[str] = set()
    found: list[VirtualMachine] = []
    for place, machine in enumerate(machines):
        at = f"virtual_machines[{place}]"
        dns_label(machine.name, f"{at}.name")
        if machine.name in called:
            raise BadRequestError(f"{at}.name: {machine.name!r} is there twice", field=f"{at}.name")
        called.add(machine.name)
        replicas(machine.replicas, f"{at}.replicas")
        _boot(machine, at)
        _disks(machine, at)
        _login(machine, at)
        balancer = _load_balancer(machine.loadbalancer, f"{at}.loadbalancer")
        if (address := balancer.access and balancer.internal_ip) and address in addresses:
            field = f"{at}.loadbalancer.internal_ip"
            raise BadRequestError(f"{field}: {address} is there twice", field=field)
        addresses.add(address or "")
        groups = machine.security_groups or [DEFAULT_GROUP]
        found.append(replace(machine, loadbalancer=balancer, security_groups=groups))
    return found


def replicas(number: int, at: str = "replicas") -> None:
    """Check how many machines a group is to have.

    Raises:
        BadRequestError: it cannot have so many.
    """
    if not 0 <= number <= MOST_REPLICAS:
        raise BadRequestError(f"{at}: from 0 to {MOST_REPLICAS}", field=at)


def entry(workload: Workload, network: VmNetwork | None, at: str) -> Workload:
    """A workload with the access mode that its `vm_access` asks for: a load balancer inside the vm_network.

    Args:
        workload: of a Hybrid application.
        network: where the application's virtual machines are.
        at: where in the request it is.

    Raises:
        BadRequestError: it cannot be; `field` says where.
    """
    if not workload.vm_access:
        return workload
    where = f"{at}.vm_access"
    try:
        sent = msgspec.convert(workload.vm_access, VmLoadBalancer, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequestError(f"{where}: {error}", field=where) from error
    if network is None or not sent.access:
        raise BadRequestError(f"{where}: a vm_network and a port are needed", field=where)
    found = _load_balancer(sent, where)
    balancer = LoadBalancer(name=found.name, vip_subnet_id=network.subnet_id)
    mode = AccessMode(
        name=entry_name(workload),
        type="LoadBalancer",
        access=found.access,
        annotations={INTERNAL: "true"},
        external=External(loadbalancer=balancer),
        subnet=network.subnet_id,
    )
    modes = [one for one in workload.access_mode or () if one.name != mode.name]
    return replace(workload, access_mode=[*modes, mode])


def entry_name(workload: Workload) -> str:
    """What the Service of a workload's `vm_access` is called."""
    return f"{workload.workload_base.name[: MAX_NAME - len(ENTRY)]}{ENTRY}"


def _boot(machine: VirtualMachine, at: str) -> None:
    boot = machine.boot_manager
    source = "bootable_volume" if boot.type == "volume" else boot.type
    if not getattr(boot, source):
        raise BadRequestError(
            f"{at}.boot_manager.{source}: type {boot.type} needs it", field=f"{at}.boot_manager.{source}"
        )
    for name in ("availability_zone", "flavor_name"):
        if not getattr(machine, name):
            raise BadRequestError(f"{at}.{name}: which?", field=f"{at}.{name}")


def _disks(machine: VirtualMachine, at: str) -> None:
    disks = [(f"{at}.system_disk", machine.system_disk)]
    disks += [(f"{at}.data_disk[{index}]", disk) for index, disk in enumerate(machine.data_disk or ())]
    for where, disk in disks:
        if disk.size < 1:
            raise BadRequestError(f"{where}.size: at least 1 GiB", field=f"{where}.size")
        if disk.amount is not None and disk.amount < 1:
            raise BadRequestError(f"{where}.amount: at least 1", field=f"{where}.amount")
    if (machine.system_disk.amount or 1) > 1:
        raise BadRequestError(f"{at}.system_disk.amount: a machine has one", field=f"{at}.system_disk.amount")
    if sum(disk.amount or 1 for disk in machine.data_disk or ()) > MOST_DISKS:
        raise BadRequestError(
            f"{at}.data_disk: a machine has at most {MOST_DISKS} of them", field=f"{at}.data_disk"
        )


def _login(machine: VirtualMachine, at: str) -> None:
    login = machine.authentication
    if not (login.keypair or login.password):
        raise BadRequestError(
            f"{at}.authentication: a keypair or a password is needed", field=f"{at}.authentication"
        )
    if len(login.password or "") > MOST_PASSWORD or not (login.password or "x").isprintable():
        raise BadRequestError(
            f"{at}.authentication.password: at most {MOST_PASSWORD} characters, all of them printable",
            field=f"{at}.authentication.password",
        )
    userdata.check(machine.user_data or "", f"{at}.user_data", password=bool(login.password))


def _load_balancer(sent: VmLoadBalancer, at: str) -> VmLoadBalancer:
    if len(sent.name or "") > MOST_NAME:
        raise BadRequestError(f"{at}.name: at most {MOST_NAME} characters", field=f"{at}.name")
    address = None
    if sent.internal_ip:
        try:
            address = str(ipaddress.ip_address(sent.internal_ip))
        except ValueError:
            raise BadRequestError(
                f"{at}.internal_ip: {sent.internal_ip[:80]!r} is no address", field=f"{at}.internal_ip"
            ) from None
    access, taken = [], set()
    for index, entry in enumerate(sent.access):
        where = f"{at}.access[{index}]"
        if entry.port is None or not 1 <= entry.port <= _LAST_PORT:
            raise BadRequestError(
                f"{where}.port: a port from 1 to {_LAST_PORT} is needed", field=f"{where}.port"
            )
        protocol = (entry.protocol or PROTOCOLS[0]).upper()
        if protocol not in PROTOCOLS:
            raise BadRequestError(
                f"{where}.protocol: one of {', '.join(PROTOCOLS)}", field=f"{where}.protocol"
            )
        if (entry.port, protocol) in taken:
            raise BadRequestError(
                f"{where}.port: {entry.port}/{protocol} is there twice", field=f"{where}.port"
            )
        taken.add((entry.port, protocol))
        access.append(replace(entry, protocol=protocol))
    return replace(sent, access=access, internal_ip=address)
