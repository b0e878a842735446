"""From the reference's virtual machines to Heat: stack, template, tags and parameters; pure.

A stack has a load balancer with a listener and a pool for each port, the security group that opens these
ports, and equal members: port, system disk, data disks, server and places in the pools. What a scaled group
keeps is not touched: its members are counted from 0, and the last ones go first. `generation` counts how
often a group was made anew: the system disk depends on it, the server on its system disk; address and data
disks stay. Heat's ResourceGroup would do for the members, but it writes what they are given into a template
that everybody in the project can read, and passwords with it.

A disk without `cascade_deletion` has the policy Retain: it outlives its machine.
Source: https://docs.openstack.org/heat/latest/template_guide/hot_spec.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from ecns.api.virtualmachines.types import (
    Disk,
    Flavor,
    VirtualMachine,
    VmAuthentication,
    VmNetwork,
)
from ecns.backends.kubernetes.kinds.meta import JsonObject

VERSION = "2018-03-02"
"""Of the template language: understood by every Heat since Queens."""
MEMBER = "member.yaml"
AMONG = "member_"
"""What members are called in their group, before their number."""
SYSTEM_DISK, DATA_DISK, ATTACHMENT = "system_disk", "data_disk_", "attachment_"
POOL = "pool_"
OWN_GROUP = "security_group"
"""What opens the ports of the load balancer."""
TIMEOUT_MINUTES = 60
PREFIX = "ecns-"
STACK_METADATA = "ecns_stack"
"""Of servers and volumes: the id of the stack that they are of."""
CASCADE_METADATA = "ecns_cascade"
"""Of volumes that go with their stack: `true`."""
MONITOR = {"TCP": "TCP", "UDP": "UDP-CONNECT"}
"""How the health of members is asked, by protocol."""


def mark(stack_id: str) -> str:
    """The description of what is made for a stack and has no metadata: ports, groups, load balancers."""
    return f"{STACK_METADATA}={stack_id}"


def _mark(stack_id: JsonObject) -> JsonObject:
    return {"list_join": ["=", [STACK_METADATA, stack_id]]}


MARK = _mark({"get_param": "OS::stack_id"})


class Definition(msgspec.Struct, kw_only=True):
    """What is remembered of a group, with its application and in its stack; nothing of it is secret."""

    machine: VirtualMachine
    network: VmNetwork
    image: str
    flavor: Flavor


class Resolved(msgspec.Struct, kw_only=True):
    """What the names in a virtual machine stand for in the cloud: ids."""

    source: Literal["image", "snapshot_id", "source_volid"]
    """What a system disk is made of, as Heat calls it."""
    source_id: str
    windows: bool
    """Whether it is said to be Windows."""
    zone: str
    flavor_id: str
    flavor: Flavor
    network_id: str
    subnet_id: str
    ip_version: int
    security_group_ids: list[str]
    volume_types: dict[str, str]
    """By `type` of disks."""


class Tags(msgspec.Struct, kw_only=True):
    """What a stack's tags say."""

    project: str
    place: str
    """Digest of cluster and namespace."""
    namespace: str
    application: str
    """Empty: of none any more."""
    name: str
    replicas: int
    generation: int
    request: str
    """Digest of the request that made it."""


def place(cluster: str, namespace: str) -> str:
    """A word for a cluster and a namespace."""
    return sha256(f"{cluster}\n{namespace}".encode()).hexdigest()[:32]


def stack_name(cluster: str, namespace: str, name: str) -> str:
    """What the stack of a group is called; names of stacks are unique in a project."""
    readable = re.sub(r"[^A-Za-z0-9_-]", "-", cluster)[:100]
    return f"{PREFIX}{readable}.{namespace}.{name}"


def tags(told: Tags) -> str:
    """Tags as Heat takes them."""
    said = msgspec.to_builtins(told)
    return ",".join(
        [PREFIX.rstrip("-"), *(f"{PREFIX}{key}={value}" for key, value in said.items() if value != "")]
    )


def read_tags(found: Sequence[str] | None) -> Tags | None:
    """What tags say; None: they are not of ours."""
    parted = (tag.removeprefix(PREFIX).partition("=") for tag in found or () if tag.startswith(PREFIX))
    said = {key: value for key, _, value in parted}
    try:
        return msgspec.convert({"application": "", "request": "", **said}, Tags, strict=False)
    except msgspec.ValidationError:
        return None


def public(machine: VirtualMachine) -> VirtualMachine:
    """A virtual machine without what may be secret in it."""
    login = VmAuthentication(keypair=machine.authentication.keypair)
    return replace(machine, authentication=login, user_data=None)


def definition(machine: VirtualMachine, network: VmNetwork, resolved: Resolved) -> Definition:
    """What is to be remembered of a group."""
    boot = machine.boot_manager
    image = boot.image if boot.type == "image" else boot.snapshot if boot.type == "snapshot" else None
    return Definition(
        machine=public(machine),
        network=network,
        image=image or boot.bootable_volume or "",
        flavor=resolved.flavor,
    )


def stack(
    name: str, machine: VirtualMachine, kept: Definition, resolved: Resolved, *, user_data: str
) -> dict[str, Any]:
    """What Heat is to make: `template`, `files`, `parameters` of a request.

    Args:
        name: of the stack.
        machine: as it was sent.
        kept: what is remembered of it.
        resolved: what its names stand for.
        user_data: for the machines.
    """
    parameters: dict[str, Any] = {"user_data": user_data}
    if machine.authentication.password:
        parameters["password"] = machine.authentication.password
    return {
        "template": _group(name, machine, kept, resolved),
        "files": {MEMBER: msgspec.json.encode(_member(machine, resolved)).decode()},
        "parameters": parameters,
        "timeout_mins": TIMEOUT_MINUTES,
        "disable_rollback": True,
    }


def _group(name: str, machine: VirtualMachine, kept: Definition, resolved: Resolved) -> JsonObject:
    secret = {"type": "string", "hidden": True, "default": ""}
    resources: JsonObject = {}
    access = machine.loadbalancer.access
    if access:
        resources[OWN_GROUP] = _resource(
            "OS::Neutron::SecurityGroup",
            name=name,
            description=MARK,
            rules=[
                {
                    "direction": "ingress",
                    "ethertype": f"IPv{resolved.ip_version}",
                    "protocol": str(entry.protocol).lower(),
                    "port_range_min": entry.target_port or entry.port,
                    "port_range_max": entry.target_port or entry.port,
                }
                for entry in access
            ],
        )
        resources["load_balancer"] = _resource(
            "OS::Octavia::LoadBalancer",
            name=machine.loadbalancer.name or name,
            description=MARK,
            vip_subnet=resolved.subnet_id,
            vip_address=machine.loadbalancer.internal_ip or None,
        )
    for place, entry in enumerate(access):
        protocol = str(entry.protocol)
        resources[f"listener_{place}"] = _resource(
            "OS::Octavia::Listener",
            loadbalancer={"get_resource": "load_balancer"},
            protocol=protocol,
            protocol_port=entry.port,
        )
        resources[f"{POOL}{place}"] = _resource(
            "OS::Octavia::Pool",
            listener={"get_resource": f"listener_{place}"},
            lb_algorithm="ROUND_ROBIN",
            protocol=protocol,
        )
        resources[f"monitor_{place}"] = _resource(
            "OS::Octavia::HealthMonitor",
            pool={"get_resource": f"{POOL}{place}"},
            type=MONITOR[protocol],
            delay=5,
            timeout=3,
            max_retries=3,
        )
    template = {
        "heat_template_version": VERSION,
        "description": f"Virtual machines {machine.name}, made by ECNS",
        "parameters": {
            "password": secret,
            "user_data": secret,
            "generation": {"type": "number", "default": 0},
            "definition": {"type": "string", "default": msgspec.json.encode(kept).decode()},
        },
        "resources": resources,
    }
    return resized(template, machine.name, machine.replicas)


def resized(template: JsonObject, name: str, replicas: int, *, in_turn: bool = False) -> JsonObject:
    """A group's template with as many members as it is to have.

    Args:
        template: of the group.
        name: of the group.
        replicas: how many.
        in_turn: what changes is changed in one after another.
    """
    kept = {key: one for key, one in template["resources"].items() if not key.startswith(AMONG)}
    given: JsonObject = {
        "stack": {"get_param": "OS::stack_id"},
        **{key: {"get_param": key} for key in ("generation", "password", "user_data")},
        **{key: {"get_resource": key} for key in kept if key == OWN_GROUP or key.startswith(POOL)},
    }
    for number in range(replicas):
        one = _resource(MEMBER, name=f"{name}-{number}", **given)
        before = {"depends_on": f"{AMONG}{number - 1}"} if in_turn and number else {}
        kept[f"{AMONG}{number}"] = {**one, **before}
    return {**template, "resources": kept}


def goes_in_turn(template: JsonObject) -> bool:
    """Whether a group's members are changed one after another."""
    return any("depends_on" in one for key, one in template["resources"].items() if key.startswith(AMONG))


def _member(machine: VirtualMachine, resolved: Resolved) -> JsonObject:
    text = {"type": "string"}
    secret = {"type": "string", "hidden": True, "default": ""}
    metadata = {STACK_METADATA: {"get_param": "stack"}}
    access = machine.loadbalancer.access
    resources: JsonObject = {
        "port": _resource(
            "OS::Neutron::Port",
            name={"get_param": "name"},
            network=resolved.network_id,
            fixed_ips=[{"subnet": resolved.subnet_id}],
            security_groups=[*resolved.security_group_ids, *([{"get_param": OWN_GROUP}] if access else [])],
            value_specs={"description": _mark({"get_param": "stack"})},
        ),
        SYSTEM_DISK: _disk(
            machine.system_disk,
            resolved,
            metadata,
            disk_names(machine)[0][0],
            **{resolved.source: resolved.source_id},
            scheduler_hints={"ecns_generation": {"get_param": "generation"}},
        ),
        "server": _resource(
            "OS::Nova::Server",
            name={"get_param": "name"},
            flavor=resolved.flavor_id,
            availability_zone=resolved.zone,
            key_name=machine.authentication.keypair or None,
            admin_pass={"get_param": "password"} if machine.authentication.password else None,
            user_data_format="RAW",
            user_data={"get_param": "user_data"},
            metadata=metadata,
            networks=[{"port": {"get_resource": "port"}}],
            block_device_mapping_v2=[
                {
                    "volume_id": {"get_resource": SYSTEM_DISK},
                    "boot_index": 0,
                    "delete_on_termination": False,
                }
            ],
        ),
    }
    before: list[str] = []
    for place, (called, disk) in enumerate(disk_names(machine)[1:]):
        resources[f"{DATA_DISK}{place}"] = _disk(disk, resolved, metadata, called)
        attachment = _resource(
            "OS::Cinder::VolumeAttachment",
            instance_uuid={"get_resource": "server"},
            volume_id={"get_resource": f"{DATA_DISK}{place}"},
        )
        # One after another, so that the first disk of the list is the first in the machine.
        resources[f"{ATTACHMENT}{place}"] = {**attachment, "depends_on": before} if before else attachment
        before = [f"{ATTACHMENT}{place}"]
    parameters: JsonObject = {
        "name": text,
        "stack": text,
        "generation": {"type": "number"},
        "password": secret,
        "user_data": secret,
        **({OWN_GROUP: text} if access else {}),
    }
    for place, entry in enumerate(access):
        parameters[f"{POOL}{place}"] = text
        resources[f"pool_member_{place}"] = _resource(
            "OS::Octavia::PoolMember",
            pool={"get_param": f"{POOL}{place}"},
            address={"get_attr": ["port", "fixed_ips", 0, "ip_address"]},
            protocol_port=entry.target_port or entry.port,
            subnet=resolved.subnet_id,
        )
    return {"heat_template_version": VERSION, "parameters": parameters, "resources": resources}


def disk_names(machine: VirtualMachine) -> list[tuple[str, Disk]]:
    """What the disks of a machine are called, after its own name; the system disk first."""
    data = [disk for disk in machine.data_disk or () for _ in range(disk.amount or 1)]
    return [("system", machine.system_disk), *((f"data-{place}", disk) for place, disk in enumerate(data))]


def _disk(disk: Disk, resolved: Resolved, metadata: JsonObject, what: str, **more: Any) -> JsonObject:
    name = {"str_replace": {"template": f"NAME-{what}", "params": {"NAME": {"get_param": "name"}}}}
    made = _resource(
        "OS::Cinder::Volume",
        name=name,
        size=disk.size,
        volume_type=resolved.volume_types[disk.type] if disk.type else None,
        metadata={**metadata, CASCADE_METADATA: "true"} if disk.cascade_deletion else metadata,
        **more,
    )
    return {**made, "deletion_policy": "Delete" if disk.cascade_deletion else "Retain"}


def _resource(kind: str, **properties: Any) -> JsonObject:
    return {
        "type": kind,
        "properties": {key: value for key, value in properties.items() if value is not None},
    }


def recalled(parameters: Mapping[str, Any]) -> Definition | None:
    """What a stack's parameters remember of its group; None: somebody broke it."""
    try:
        return msgspec.json.decode(str(parameters.get("definition", "")), type=Definition)
    except msgspec.DecodeError:
        return None
