"""What applications are made of: workloads, from the watch cache, and virtual machines, from OpenStack."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import msgspec
from msgspec.structs import replace

from ecns.api.applications import manifests
from ecns.api.applications.manifests import CONTROLLERS
from ecns.api.applications.types import ApplicationInfo
from ecns.api.common.objects import Objects
from ecns.api.virtualmachines.groups import Seen
from ecns.api.virtualmachines.service import VirtualMachines
from ecns.api.virtualmachines.types import VmStatus
from ecns.api.workloads.cached import Surroundings
from ecns.api.workloads.manifests import PART_OF
from ecns.api.workloads.types import Workload, WorkloadStatus
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.extensions import Application
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.errors import EcnsError, UpstreamTimeoutError

SEEN_SECONDS = 8.0
"""How long an answer about applications waits for what OpenStack says of their virtual machines."""

_INDEX = "part_of"


def _part_of(controller: Controller) -> Iterator[tuple[str, str]]:
    if application := (controller.metadata.labels or {}).get(PART_OF):
        yield controller.metadata.namespace, application


class _Row(msgspec.Struct):
    """What of a workload's encoded row an application shows."""

    workload_status: msgspec.Raw


_row = msgspec.json.Decoder(_Row)


class Members(NamedTuple):
    """The workloads of all applications of a place, from the watch cache, and its virtual machines."""

    caches: list[Cache[Any]]
    around: Surroundings
    namespace: str
    machines: VirtualMachines
    seen: Seen | EcnsError
    """Of the virtual machines; an error: nobody could be asked."""

    def of(self, application: str) -> list[Controller]:
        """Those of one, by name."""
        key = (self.namespace, application)
        found = [one for cache in self.caches for one in cache.index(_INDEX, key)]
        return sorted(found, key=lambda one: one.metadata.name)

    def vms(self, application: Application) -> list[VmStatus]:
        """How the virtual machines of one are."""
        return self.machines.of(application, self.seen)

    def states(self, application: Application) -> list[str]:
        """The states of both in a word."""
        states = [self.around.row(one).status for one in self.of(application.metadata.name)]
        return [*states, *(one.status for one in self.vms(application))]

    def info(self, found: Application, config_maps: Sequence[JsonObject] | None = None) -> ApplicationInfo:
        """What is answered about an application; with ConfigMaps also its members in full."""
        rows = [self.around.row(one) for one in self.of(found.metadata.name)]
        # They are encoded already, and stand as they are in the answer.
        statuses = cast("list[WorkloadStatus]", [_row.decode(row.encoded).workload_status for row in rows])
        vms = self.vms(found)
        shown = manifests.application(found, vms)
        if config_maps is not None:
            shown = replace(
                shown,
                configmaps=[manifests.config_map(one) for one in config_maps],
                workloads=cast("list[Workload]", [msgspec.Raw(row.encoded) for row in rows]),
            )
        states = [*(row.status for row in rows), *(one.status for one in vms)]
        return manifests.info(found, states, statuses, shown, vms)


async def members_of(
    objects: Objects, registry_domain: str, machines: VirtualMachines, *, fresh: bool = False, hybrid: bool
) -> Members:
    """The members of all applications of a place.

    Args:
        objects: the place.
        registry_domain: the registry's name in image references.
        machines: its virtual machines.
        fresh: no older than what the cluster says now.
        hybrid: some may have virtual machines.

    Raises:
        UpstreamError: the cluster does not answer.
    """
    for kind in CONTROLLERS:
        objects.place.cluster.cache(kind, **{_INDEX: _part_of})
    caches, around, seen = await asyncio.gather(
        objects.caches(*CONTROLLERS, fresh=fresh),
        Surroundings.of(objects, registry_domain, fresh=fresh),
        _seen(machines) if hybrid else _nothing(),
    )
    return Members(caches, around, objects.namespace, machines, seen)


async def _seen(machines: VirtualMachines) -> Seen | EcnsError:
    """What OpenStack says; when it cannot be asked, its part of an application is Unknown."""
    try:
        async with asyncio.timeout(SEEN_SECONDS):
            return await machines.seen()
    except TimeoutError:
        return UpstreamTimeoutError(
            f"OpenStack did not answer within {SEEN_SECONDS:g} s", upstream="openstack"
        )
    except EcnsError as error:
        return error


async def _nothing() -> Seen:
    return Seen([], {}, {}, {})
