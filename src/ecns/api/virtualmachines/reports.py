"""What `dry_run` tells of groups of virtual machines, in the manner of Kubernetes' objects; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ecns.api.virtualmachines.disks import number
from ecns.api.virtualmachines.templates import Definition, Tags, disk_names
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.backends.openstack.nova import Server

KIND = "VirtualMachine"


def called(tags: Tags) -> str:
    """A group among what would be deleted."""
    return f"{KIND}/{tags.name}"


def group(tags: Tags, servers: Sequence[Server]) -> JsonObject:
    """A group as it is."""
    return _object(tags, {one.name: {"id": one.id, "status": one.status} for one in servers})


def new(tags: Tags, kept: Definition) -> JsonObject:
    """A group that would be made; it has nothing secret."""
    made = _object(tags, {})
    made["spec"] |= msgspec.to_builtins(kept)
    return made


def switched(now: JsonObject, servers: Iterable[Server], status: str) -> JsonObject:
    """A group of which some machines would be switched on or off."""
    changed = {one.name: {"id": one.id, "status": status} for one in servers}
    return {**now, "spec": {**now["spec"], "machines": {**now["spec"]["machines"], **changed}}}


def changed(told: Tags, tags: Tags, servers: Sequence[Server]) -> JsonObject:
    """A group after Heat has changed it: machines that are not there yet have no id."""
    kept = {} if told.generation != tags.generation else {one.name: one for one in servers}
    machines = {}
    for place in range(tags.replicas):
        one = kept.get(name := f"{tags.name}-{place}")
        ran = one is not None and one.launched_at
        machines[name] = {"id": one.id, "status": one.status} if one and ran else {"status": "ACTIVE"}
    return _object(tags, machines)


def going(told: Tags, tags: Tags, servers: Sequence[Server], kept: Definition | None) -> list[str]:
    """What would be deleted: machines, and the disks that go with them."""
    anew = told.generation != tags.generation
    leaving = [one for one in servers if anew or number(one.name) >= tags.replicas or not one.launched_at]
    found = [f"Server/{one.name}" for one in leaving]
    disks = disk_names(kept.machine) if kept else []
    for one in leaving:
        stays = anew and number(one.name) < tags.replicas
        found += [
            f"Volume/{one.name}-{name}"
            for name, disk in disks
            if (disk.cascade_deletion or not one.launched_at) and (name == "system" or not stays)
        ]
    return found


def _object(tags: Tags, machines: JsonObject) -> JsonObject:
    spec = {"application": tags.application, "replicas": tags.replicas, "machines": machines}
    return {"kind": KIND, "metadata": {"name": tags.name, "namespace": tags.namespace}, "spec": spec}
