"""Why a workload is not ready, in words that its user understands, from what Kubernetes says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ecns.api.workloads.manifests import status
from ecns.backends.kubernetes.kinds import apps, core
from ecns.backends.kubernetes.kinds import pods as k

LIMIT = 10
"""More reasons than this help nobody."""
_COMBINED = "(combined from similar events): "
"""What Kubernetes puts before the message of an event that stands for several."""
IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})

Reason = tuple[int, str, str]
"""How telling it is (the lowest first), the words, and the pod or nothing."""


def why_not_ready(
    controller: apps.Controller, pods: Sequence[k.PodRow | k.Pod], events: Sequence[core.Event] = ()
) -> list[str]:
    """Reasons, the most telling first; none for a workload that is ready or stopped.

    Args:
        controller: the workload's controller.
        pods: its pods.
        events: events of the controller, its ReplicaSets and its pods, in any order.
    """
    if status.is_stopped(controller) or status.is_complete(controller):
        return []
    recent = sorted(events, key=status.event_time, reverse=True)
    found = [*_of_controller(controller, recent)]
    for pod in pods:
        if not pod.metadata.deletion_timestamp:
            mine = [one for one in recent if one.involved_object.uid == pod.metadata.uid]
            found += of_pod(pod, mine)
    return told(found)


def told(found: Iterable[Reason]) -> list[str]:
    """Reasons that several pods share are told once."""
    pods: dict[tuple[int, str], list[str]] = {}
    for rank, words, pod in found:
        named = pods.setdefault((rank, words), [])
        if pod and pod not in named:
            named.append(pod)
    sentences = []
    for (_, words), named in sorted(pods.items(), key=lambda item: item[0][0])[:LIMIT]:
        more = f" and {len(named) - 1} more" if len(named) > 1 else ""
        sentences.append(f"{words} (pod {named[0]}{more})" if named else words)
    return sentences


def refusal(events: Sequence[core.Event]) -> str | None:
    """Why Kubernetes could not make a pod, as the newest event says; None if none says so."""
    failed = (one for one in events if one.reason == "FailedCreate" and one.type == "Warning")
    return next((one.message.removeprefix(_COMBINED) for one in failed), None)


def _of_controller(controller: apps.Controller, events: Sequence[core.Event]) -> Iterator[Reason]:
    refused = [
        one.message
        for one in controller.status.conditions or ()
        if one.type == "ReplicaFailure" and one.status == "True"
    ]
    if not refused and status.wanted(controller) > controller.status.replicas:
        refused = [said] if (said := refusal(events)) is not None else []
    for message in refused:
        if "exceeded quota" in message:
            yield 0, f"The quota of the namespace does not allow more: {message}", ""
        else:
            yield 1, f"Pods cannot be made: {message}", ""
    for one in controller.status.conditions or ():
        if one.type == "Progressing" and one.status == "False":
            yield 9, f"The update made no progress within its deadline: {one.message}", ""


def of_pod(pod: k.PodRow | k.Pod, events: Sequence[core.Event]) -> Iterator[Reason]:
    """Why a pod is not ready; `events` are its own, newest first."""
    name = pod.metadata.name
    for one in pod.status.conditions or ():
        if one.type == "PodScheduled" and one.status == "False":
            yield 2, f"No node can take the pod: {one.message or one.reason}", name
    images = {one.name: one.image for one in [*(pod.spec.init_containers or ()), *pod.spec.containers]}
    found = [*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())]
    if pod.status.phase == "Failed":
        why = pod.status.message or pod.status.reason
        if why or not any(one.state.terminated and one.state.terminated.exit_code for one in found):
            yield 5, f"The pod failed: {why or 'its containers ended'}", name
    waits = False
    for one in found:
        waits = waits or status.container_word(one) == "Waiting"
        yield from _of_container(one, name, images.get(one.name, one.image), events)
    if waits:
        mount = next((one for one in events if one.reason in {"FailedMount", "FailedAttachVolume"}), None)
        if mount:
            yield 4, f"A volume cannot be mounted: {mount.message}", name


def _of_container(
    found: k.ContainerStatus, pod: str, image: str, events: Sequence[core.Event]
) -> Iterator[Reason]:
    state, name = found.state, found.name
    if state.waiting and state.waiting.reason in IMAGE_REASONS:
        yield 3, f"The image {image} of container {name} cannot be pulled: {_detail(state.waiting)}", pod
    elif state.waiting and state.waiting.reason == "CrashLoopBackOff":
        yield 5, f"Container {name} keeps crashing: {_ended(found, pod)}", pod
    elif state.waiting and state.waiting.reason not in status.STARTING:
        yield 4, f"Container {name} cannot be started: {_detail(state.waiting)}", pod
    elif state.terminated and state.terminated.exit_code:
        yield 5, f"Container {name} ended: {_ended(found, pod)}", pod
    elif state.running and not found.ready:
        yield 6, f"Container {name} runs and is not ready: {_probe(name, events)}", pod


def _detail(waiting: k.ContainerStateWaiting) -> str:
    return f"{waiting.reason}: {waiting.message}" if waiting.message else waiting.reason


def _ended(found: k.ContainerStatus, pod: str) -> str:
    ended = found.state.terminated or found.last_state.terminated
    code = f"exit code {ended.exit_code}" if ended else "exit code unknown"
    why = f" ({ended.reason})" if ended and ended.reason not in {"", "Error"} else ""
    times = f", started again {found.restart_count} times" if found.restart_count else ""
    previous = "" if found.state.terminated else "&previous=true"
    return f"{code}{why}{times}; its last words: GET /pods/pod/{pod}/logs/?container={found.name}{previous}"


def _probe(container: str, events: Sequence[core.Event]) -> str:
    for one in events:
        path = one.involved_object.field_path
        if one.reason == "Unhealthy" and (not path or path.endswith(f"{{{container}}}")):
            return one.message
    return "it has not passed its readiness check yet"
