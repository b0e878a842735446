"""How a workload and its pods are: states, conditions, events, revisions (reference 1.21, 1.16 and 1.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from ecns.api.common import names
from ecns.api.workloads.manifests import images
from ecns.api.workloads.types import (
    AccessMode,
    Condition,
    Container,
    ContainerStatus,
    Event,
    Image,
    PodStatus,
    Revision,
    WorkloadBase,
    WorkloadStatus,
)
from ecns.backends.kubernetes.kinds import apps, core
from ecns.backends.kubernetes.kinds import pods as k

STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Reasons of waiting that pass by themselves."""
KEEPS_FAILING = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
    }
)
"""Reasons of waiting that say that trying again has not helped."""
PHASES = {"Succeeded": "Succeed", "": "Pending"}
_WORST = ("Error", "Waiting", "Terminated", "Running")

# Pods


def pod_status(pod: k.PodRow | k.Pod) -> PodStatus:
    """How a pod is, container by container."""
    status, metadata = pod.status, pod.metadata
    found = [
        *_containers(pod.spec.init_containers or (), status.init_container_statuses or (), "init"),
        *_containers(pod.spec.containers, status.container_statuses or (), "worker"),
    ]
    trouble = next((one for one in found if one.status == "Error"), None)
    unmet = next((one for one in status.conditions or () if one.status == "False" and one.message), None)
    return PodStatus(
        name=metadata.name,
        status=pod_word(pod),
        pod_ip=status.pod_ip or None,
        host_ip=status.host_ip or None,
        node_name=pod.spec.node_name or None,
        restart_count=restarts(pod),
        ready=is_ready(pod),
        reason=status.reason or (trouble.reason if trouble else None) or (unmet.reason if unmet else None),
        message=status.message
        or (trouble.message if trouble else None)
        or (unmet.message if unmet else None),
        creation_time=metadata.creation_timestamp,
        containers=[
            *found,
            *_containers(
                pod.spec.ephemeral_containers or (), status.ephemeral_container_statuses or (), "ephemeral"
            ),
        ],
    )


def pod_word(pod: k.PodRow | k.Pod) -> str:
    """Running, Pending, Succeed, Failed, Unknown or Removing; Failed also when containers keep failing."""
    if pod.metadata.deletion_timestamp:
        return "Removing"
    phase = PHASES.get(pod.status.phase, pod.status.phase)
    return "Failed" if phase in {"Running", "Pending"} and _keeps_failing(pod) else phase


def restarts(pod: k.PodRow | k.Pod) -> int:
    """How often containers of a pod were started again."""
    return sum(one.restart_count for one in _statuses(pod))


def is_ready(pod: k.PodRow | k.Pod) -> bool:
    """Whether a pod gets traffic."""
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions or ())


def container_state(name: str, pods: Iterable[k.PodRow | k.Pod]) -> str | None:
    """The worst state of a container over pods: Error, Waiting, Terminated, Running; None without pods."""
    states = {
        container_word(next((one for one in _statuses(pod) if one.name == name), k.ContainerStatus()))
        for pod in pods
    }
    return next((word for word in _WORST if word in states), None)


def container_word(status: k.ContainerStatus) -> str:
    """Running, Waiting, Terminated or Error."""
    state = status.state
    if state.running:
        return "Running"
    if state.terminated:
        return "Error" if state.terminated.exit_code else "Terminated"
    return "Waiting" if state.waiting is None or state.waiting.reason in STARTING else "Error"


def _statuses(pod: k.PodRow | k.Pod) -> list[k.ContainerStatus]:
    return [*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())]


def _keeps_failing(pod: k.PodRow | k.Pod) -> bool:
    waiting = (one.state.waiting for one in _statuses(pod))
    return any(one.reason in KEEPS_FAILING for one in waiting if one)


def _containers(
    several: Iterable[k.ContainerRow | k.Container],
    statuses: Iterable[k.ContainerStatus],
    kind: Literal["worker", "init", "ephemeral"],
) -> Iterable[ContainerStatus]:
    known = {status.name: status for status in statuses}
    for one in several:
        status = known.get(one.name, k.ContainerStatus())
        state, last = status.state, status.last_state.terminated
        ended = state.terminated or last
        why = state.waiting or state.terminated
        yield ContainerStatus(
            name=one.name,
            type=kind,
            status=container_word(status),
            ready=status.ready,
            restart_count=status.restart_count,
            image=one.image,
            reason=(why.reason or None) if why else None,
            message=(why.message or None) if why else None,
            exit_code=ended.exit_code if ended else None,
            last_reason=(last.reason or None) if last else None,
            started_at=began.started_at if (began := state.running or state.terminated) else None,
        )


# Workloads


def wanted(controller: apps.Controller) -> int:
    """How many pods a controller is to have."""
    if isinstance(controller, apps.DaemonSet):
        return controller.status.desired_number_scheduled
    return 1 if controller.spec.replicas is None else controller.spec.replicas


def is_stopped(controller: apps.Controller) -> bool:
    """Whether somebody wants no pods of it."""
    if isinstance(controller, apps.DaemonSet):
        return names.STOPPED_NODE in (controller.spec.template.spec.node_selector or {})
    return controller.spec.replicas == 0


def is_complete(controller: apps.Controller) -> bool:
    """Whether every pod is of the newest template and ready, and no other pod is left."""
    spec, status, total = controller.spec, controller.status, wanted(controller)
    if status.observed_generation < controller.metadata.generation:
        return False
    if isinstance(controller, apps.DaemonSet):
        manual = spec.update_strategy is not None and spec.update_strategy.type == "OnDelete"
        return status.number_ready >= total and (manual or status.updated_number_scheduled >= total)
    if isinstance(controller, apps.StatefulSet):
        strategy = spec.update_strategy or apps.UpdateStrategy()
        rolling = strategy.rolling_update or apps.RollingUpdate()
        manual = strategy.type == "OnDelete" or bool(rolling.partition)
        return status.ready_replicas >= total and (
            manual or status.current_revision == status.update_revision
        )
    return status.ready_replicas >= total and status.updated_replicas >= total and status.replicas <= total


def workload_word(controller: apps.Controller, pods: Sequence[k.PodRow | k.Pod] = ()) -> str:
    """Running, Pending, Failed, Removing, Stopped or Unknown (decisions, "Workloads")."""
    if controller.metadata.deletion_timestamp:
        return "Removing"
    if is_stopped(controller):
        return "Stopped"
    if is_complete(controller):
        return "Running"
    failed = {("Progressing", "False"), ("ReplicaFailure", "True")}
    if any((one.type, one.status) in failed for one in controller.status.conditions or ()):
        return "Failed"
    if any(pod_word(pod) == "Failed" for pod in pods):
        return "Failed"
    return "Unknown" if any(pod.status.phase == "Unknown" for pod in pods) else "Pending"


def workload_status(
    controller: apps.Controller,
    containers: Sequence[Container],
    access: Sequence[AccessMode],
    pods: Sequence[k.PodRow | k.Pod] = (),
    reasons: Sequence[str] = (),
) -> WorkloadStatus:
    """How a workload is, beside what is shown of it."""
    status, total = controller.status, wanted(controller)
    daemon = isinstance(controller, apps.DaemonSet)
    available = status.number_available if daemon else status.available_replicas
    return WorkloadStatus(
        workload_base=WorkloadBase(
            name=controller.metadata.name,
            type=type(controller).__name__,  # type: ignore[arg-type]  # one of the three
            replicas=total,
        ),
        owner=(controller.metadata.labels or {}).get(names.PART_OF, ""),
        status=workload_word(controller, pods),
        images=[one.image for one in containers],
        access_mode=list(access),
        ready_replicas=status.number_ready if daemon else status.ready_replicas,
        available_replicas=available,
        unavailable_replicas=max(total - available, 0),
        updated_replicas=status.updated_number_scheduled if daemon else status.updated_replicas,
        creation_time=controller.metadata.creation_timestamp,
        reasons=list(reasons),
    )


# Conditions and events


def conditions(found: Iterable[core.Condition] | None) -> list[Condition]:
    """The conditions of anything."""
    return [
        Condition(
            status=one.status,
            type=one.type,
            reason=one.reason or None,
            message=one.message or None,
            update_time=one.last_update_time or one.last_transition_time,
        )
        for one in found or ()
    ]


def event_time(found: core.Event) -> str:
    """When an event was seen last."""
    series = found.series.last_observed_time if found.series else None
    times = (series, found.last_timestamp, found.event_time, found.first_timestamp)
    return next((time for time in times if time), found.metadata.creation_timestamp or "")


def events(found: Iterable[core.Event]) -> list[Event]:
    """Events, newest first."""
    return [
        Event(
            type=one.type or "Normal",
            reason=one.reason or None,
            message=one.message or None,
            update_time=event_time(one) or None,
            count=(one.series.count if one.series else one.count) or 1,
            object=f"{one.involved_object.kind}/{one.involved_object.name}",
        )
        for one in sorted(found, key=event_time, reverse=True)
    ]


# Revisions

Recorded = apps.ReplicaSet | apps.ControllerRevision


def revision_of(recorded: Recorded) -> int:
    """The number of a revision; 0 for a ReplicaSet that has none."""
    if isinstance(recorded, apps.ControllerRevision):
        return recorded.revision
    number = (recorded.metadata.annotations or {}).get(names.DEPLOYMENT_REVISION, "")
    return int(number) if number.isdecimal() else 0


def current_revision(controller: apps.Controller, history: Sequence[Recorded]) -> int:
    """The revision in use; 0 when there is none."""
    if isinstance(controller, apps.Deployment):
        number = (controller.metadata.annotations or {}).get(names.DEPLOYMENT_REVISION, "")
        return int(number) if number.isdecimal() else 0
    for one in history:
        if controller.status.update_revision and one.metadata.name == controller.status.update_revision:
            return revision_of(one)
    return max(map(revision_of, history), default=0)


def revisions(
    controller: apps.Controller, history: Sequence[Recorded], *, registry_domain: str = ""
) -> list[Revision]:
    """The revisions of a controller, newest first."""
    current = current_revision(controller, history)
    return [
        Revision(
            version=revision_of(one),
            image=_images(one, registry_domain),
            creation_time=one.metadata.creation_timestamp,
            current=revision_of(one) == current,
            change_cause=(one.metadata.annotations or {}).get(names.CHANGE_CAUSE),
        )
        for one in sorted(history, key=revision_of, reverse=True)
        if revision_of(one)
    ]


def _images(recorded: Recorded, registry_domain: str) -> list[Image]:
    if isinstance(recorded, apps.ControllerRevision):
        data: Any = recorded.data
        try:
            template = msgspec.convert(data["spec"]["template"], k.PodTemplateSpec)
        except (msgspec.ValidationError, KeyError, TypeError):
            return []
    else:
        template = recorded.spec.template
    pod = template.spec
    return [
        images.shown(one.image, registry_domain)[0] for one in [*pod.containers, *(pod.init_containers or ())]
    ]
