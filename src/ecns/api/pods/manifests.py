"""Kubernetes' pods as the reference's (chapter 1.16); total, whoever made them."""

from __future__ import annotations

from ecns.api.pods.types import Pod, PodRow
from ecns.api.workloads.manifests import conditions as shown_conditions
from ecns.api.workloads.manifests import containers, images, status, volumes
from ecns.api.workloads.types import Condition
from ecns.backends.kubernetes.kinds import pods as k


def row(found: k.PodRow, registry_domain: str = "") -> PodRow:
    """A pod as a list shows it."""
    state = status.pod_status(found)
    return PodRow(
        name=state.name,
        creation_time=state.creation_time,
        pod_ip=state.pod_ip,
        host_ip=state.host_ip,
        images=[
            images.shown(one.image, registry_domain)[0]
            for one in [*found.spec.containers, *(found.spec.init_containers or ())]
        ],
        labels=found.metadata.labels or {},
        restart_count=str(state.restart_count),
        status=state.status,
        reason=state.reason,
        node_name=state.node_name,
        ready=state.ready,
    )


def pod(found: k.Pod, registry_domain: str = "") -> Pod:
    """A pod with its containers."""
    spec = found.spec
    shown = [
        containers.shown(one, init=init, pod=spec, registry_domain=registry_domain)
        for init, several in ((False, spec.containers), (True, spec.init_containers or []))
        for one in several
    ]
    for one in shown:
        one.container_statuses = status.container_state(one.name, [found])
    return Pod(
        name=found.metadata.name,
        containers=shown,
        restart_policy=spec.restart_policy or "Always",
        labels=found.metadata.labels or {},
        pod_status=status.pod_status(found),
        volumes=[volumes.shown(one, "", {}, ours=False) for one in spec.volumes or ()],
    )


def conditions(found: k.Pod) -> list[Condition]:
    """A pod's conditions."""
    return shown_conditions(found.status.conditions)
