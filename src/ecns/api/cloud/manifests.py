"""From OpenStack's things to the reference's."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from ecns.api.cloud.types import (
    InstanceStatus,
    InstanceType,
    KubernetesVersion,
    RuntimeVersion,
    State,
    VolumeType,
)
from ecns.backends.openstack.cinder import VolumeType as CinderType
from ecns.backends.openstack.glance import Image
from ecns.backends.openstack.nova import Server
from ecns.backends.openstack.octavia import LoadBalancer
from ecns.config import KubernetesVersion as Offered

STATES: tuple[State, ...] = ("Active", "Shutoff", "Error", "Other")
_SERVERS: Mapping[str, State] = {"ACTIVE": "Active", "SHUTOFF": "Shutoff", "ERROR": "Error"}
_LOAD_BALANCERS: Mapping[str, State] = {"ACTIVE": "Active", "ERROR": "Error"}


def server_state(server: Server) -> State:
    """A server's state; what is on its way from one to another is Other."""
    return _SERVERS.get(server.status.upper(), "Other")


def load_balancer_state(found: LoadBalancer) -> State:
    """A load balancer's state; one that is switched off is Shutoff."""
    state = _LOAD_BALANCERS.get(found.provisioning_status.upper(), "Other")
    return "Shutoff" if state == "Active" and not found.admin_state_up else state


def by_state(kind: InstanceType, found: Iterable[tuple[State, str]]) -> list[InstanceStatus]:
    """All four states, each with the names of what is in it."""
    names: dict[State, list[str]] = {state: [] for state in STATES}
    for state, name in found:
        names[state].append(name)
    return [InstanceStatus(kind, state, len(names[state]), sorted(names[state])) for state in STATES]


def volume_type(found: CinderType, backend: str = "") -> VolumeType:
    """A volume type as it is shown, with its back end as the caller sees it, else as ECNS does."""
    return VolumeType(found.id, found.name, found.backend or backend, found.description or "")


def versions(offered: Iterable[Offered], images: Iterable[Image]) -> list[KubernetesVersion]:
    """What clusters can be made with: what is offered, else what there are images for, the newest first."""
    there: dict[str, set[str]] = defaultdict(set)
    for image in images:
        if image.k8s_version and image.container_runtime:
            there[_bare(image.k8s_version)].add(image.container_runtime.lower())
    wanted = [(one.version, one.container_runtimes) for one in offered]
    if not wanted:
        wanted = [(f"v{version}", tuple(sorted(there[version]))) for version in _newest_first(there)]
    return [
        KubernetesVersion(
            version,
            [
                RuntimeVersion(runtime, runtime.lower() in there.get(_bare(version), ()))
                for runtime in runtimes
            ],
        )
        for version, runtimes in wanted
    ]


def _bare(version: str) -> str:
    """A version without the `v` that some write before it."""
    return version.strip().lower().removeprefix("v")


def _newest_first(found: Iterable[str]) -> list[str]:
    def key(version: str) -> tuple[list[int], str]:
        return [int(number) for number in re.findall(r"\d{1,9}", version)[:3]], version

    return sorted(found, key=key, reverse=True)
