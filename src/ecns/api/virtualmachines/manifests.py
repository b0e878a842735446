"""What OpenStack says of a group, as the reference shows it; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from ecns.api.virtualmachines.templates import Definition, Tags
from ecns.api.virtualmachines.types import (
    Flavor,
    GroupWord,
    VirtualMachine,
    VmInstance,
    VmLoadBalancer,
    VmNetwork,
    VmStatus,
)
from ecns.backends.kubernetes.kinds.extensions import Application
from ecns.backends.openstack.heat import Event, Stack
from ecns.backends.openstack.nova import Server
from ecns.backends.openstack.octavia import LoadBalancer

OFF = frozenset({"SHUTOFF", "PAUSED", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED"})
GOING = frozenset({"DELETED", "SOFT_DELETED"})
UNKNOWN_FLAVOR = Flavor(cpu="0C", memory="0MiB", disk="0GiB")
NO_NETWORK = VmNetwork(network_name="", network_id="", subnet_name="", subnet_id="")
VIRTUAL_MACHINES = "ecns.easystack.com/virtual-machines"
"""Annotation of an application: what is remembered of its groups, as JSON."""
STALLED = timedelta(minutes=2)
"""How long Heat may do nothing that it tells before that is said."""
_GIB = 1024
_TIME = "%Y-%m-%dT%H:%M:%SZ"

_definitions = msgspec.json.Decoder(list[Definition])


def remembered(kept: Sequence[Definition]) -> dict[str, str]:
    """What an application remembers of its groups."""
    return {VIRTUAL_MACHINES: msgspec.json.encode(kept).decode()} if kept else {}


def definitions(application: Application) -> dict[str, Definition]:
    """The same, by name of the group; what somebody broke is nothing."""
    try:
        kept = _definitions.decode((application.metadata.annotations or {}).get(VIRTUAL_MACHINES) or "[]")
    except msgspec.DecodeError:
        return {}
    return {one.machine.name: one for one in kept}


def flavor(vcpus: int, ram: int, disk: int) -> Flavor:
    """A flavor with its units; memory in GiB when it is whole ones.

    Args:
        vcpus: processors.
        ram: MiB.
        disk: GiB.
    """
    memory = f"{ram // _GIB}GiB" if ram and ram % _GIB == 0 else f"{ram}MiB"
    return Flavor(cpu=f"{vcpus}C", memory=memory, disk=f"{disk}GiB")


def amounts(shown: Flavor) -> tuple[int, int]:
    """Processors and MiB of memory of a flavor that `flavor` has shown."""
    memory = shown.memory
    number = int(memory.rstrip("GMiB"))
    return int(shown.cpu.rstrip("C")), number * _GIB if memory.endswith("GiB") else number


def group(
    tags: Tags,
    found: Stack,
    kept: Definition | None,
    servers: Sequence[Server],
    balancer: LoadBalancer | None,
    *,
    stalled: str = "",
    octavia_says: bool = False,
) -> VmStatus:
    """How a group is.

    Args:
        tags: of its stack.
        found: the stack.
        kept: what is remembered of it, if that is still there.
        servers: its machines.
        balancer: its load balancer, if it could be seen.
        stalled: as of `stalled`.
        octavia_says: without `balancer` there is none.
    """
    image = kept.image if kept else ""
    there = sorted((one for one in servers if one.status not in GOING), key=_place)
    word, reason = _word(found, tags.replicas, there)
    if word in {"Running", "Stopped"} and kept and kept.machine.loadbalancer.access:
        if octavia_says and balancer is None:
            word, reason = "Failed", "its load balancer is not there any more; start makes it anew"
        elif balancer and balancer.provisioning_status == "ERROR":
            word, reason = "Failed", f"its load balancer {balancer.id} is in ERROR"
    common = kept.flavor if kept else UNKNOWN_FLAVOR
    return VmStatus(
        name=tags.name,
        replicas=tags.replicas,
        status=word,
        application_name=tags.application,
        image=image,
        flavor=common,
        vm_instances=[_instance(one, image, common) for one in there],
        vm_network=kept.network if kept else NO_NETWORK,
        loadbalancer=_balancer(kept, balancer),
        creation_time=time(found.creation_time),
        reason=reason or stalled or None,
    )


def stalled(found: Stack, last: Event | None, now: datetime) -> str:
    """What is said of a stack that Heat may have left in the middle; empty: nothing.

    Heat does not tell whether an engine is at work with a stack: one that ended leaves it as it was.

    Args:
        found: the stack.
        last: what happened last to it, as far as that is known.
        now: the time.
    """
    action, _, how = found.stack_status.partition("_")
    times = (found.creation_time, found.updated_time, last.event_time if last else None)
    moment = max(time(said) for said in times)
    since = (now - STALLED).strftime(_TIME)
    if how != "IN_PROGRESS" or not moment or moment > since:
        return ""
    what = f" ({last.resource_name}: {last.resource_status})" if last else ""
    further = "delete it again" if action == "DELETE" else "start lets another one go on, or delete it"
    return (
        f"Heat has done nothing of its {action.lower()} since {moment}{what};"
        f" the engine that was at work may have ended: {further}"
    )


def unseen(name: str, application: str, created: str, kept: Definition, reason: str) -> VmStatus:
    """A group that nobody can say anything of but what is remembered; `reason` says why."""
    return VmStatus(
        name=name,
        replicas=kept.machine.replicas,
        status="Unknown",
        application_name=application,
        image=kept.image,
        flavor=kept.flavor,
        vm_instances=[],
        vm_network=kept.network,
        loadbalancer=_balancer(kept, None),
        creation_time=created,
        reason=reason,
    )


def missing(name: str, application: str, created: str, kept: Definition) -> VmStatus:
    """A group whose stack is not there: it was never made, or somebody removed it."""
    shown = unseen(name, application, created, kept, "Heat has no stack of it")
    shown.status = "Failed"
    return shown


def machine(kept: Definition, status: VmStatus | None) -> VirtualMachine:
    """A group as it was sent, without what is secret, and as many machines as it has to have now."""
    return replace(kept.machine, replicas=status.replicas) if status else kept.machine


def _word(found: Stack, replicas: int, servers: Sequence[Server]) -> tuple[GroupWord, str]:
    """The state of a group, and why it is that."""
    action, _, how = found.stack_status.partition("_")
    if how == "FAILED":
        return "Failed", found.stack_status_reason
    if action == "DELETE":
        return "Removing", ""
    if how != "COMPLETE":
        return "Pending", ""
    states = {one.status for one in servers}
    if "ERROR" in states:
        return "Failed", next((one.fault.message for one in servers if one.fault), "a machine is in ERROR")
    if len(servers) < replicas:
        return "Failed", f"{len(servers)} of {replicas} machines are there"
    if len(servers) > replicas:
        are, is_ = len(servers), replicas
        return "Failed", f"{are} machines are there, {is_} {'is' if is_ == 1 else 'are'} to be"
    if not servers or states <= OFF:
        return "Stopped", ""
    if states == {"ACTIVE"}:
        return "Running", ""
    if states <= OFF | {"ACTIVE"}:
        running = sum(one.status == "ACTIVE" for one in servers)
        return "Failed", f"{running} of {len(servers)} machines run"
    return "Pending", ""


def _instance(found: Server, image: str, common: Flavor) -> VmInstance:
    own = found.flavor
    addresses = [one for network in found.addresses.values() for one in network]
    fixed = next((one.addr for one in addresses if one.kind == "fixed"), "")
    return VmInstance(
        name=found.name,
        id=found.id,
        status=found.status,
        image=image,
        internal_ip=fixed,
        flavor=flavor(own.vcpus, own.ram, own.disk) if own else common,
        creation_time=time(found.created),
        reason=(found.fault.message if found.fault else None) or None,
    )


def _balancer(kept: Definition | None, found: LoadBalancer | None) -> VmLoadBalancer | None:
    sent = kept.machine.loadbalancer if kept else None
    if sent is None or not sent.access:
        return None
    return VmLoadBalancer(
        name=found.name if found else sent.name,
        internal_ip=(found.vip_address if found else sent.internal_ip) or None,
        status=found.provisioning_status if found else None,
        access=sent.access,
    )


def _place(found: Server) -> tuple[int, str]:
    """Machines by their numbers."""
    number = found.name.rpartition("-")[2]
    return (int(number) if number.isdecimal() else 0, found.name)


def time(said: str | None) -> str:
    """A time of OpenStack's, as RFC 3339 in UTC; Heat leaves the zone out."""
    if not said:
        return ""
    try:
        read = datetime.fromisoformat(said)
    except ValueError:
        return said
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    return read.astimezone(UTC).strftime(_TIME)


def balancers(found: Sequence[LoadBalancer]) -> Mapping[str, LoadBalancer]:
    """Load balancers by their description: of which stack they are stands there."""
    return {one.description: one for one in found if one.description}
