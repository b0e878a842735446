"""The progress of a rollout, until it is done or has failed.

What counts is what Kubernetes says: the controller's status, as `kubectl rollout status` reads it, its
progress deadline, and beyond that pods of the new template that keep failing, for which Kubernetes itself
would wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Literal, cast

import msgspec
from litestar import Request, Response

from ecns.api.common.feeds import Feed, Filter
from ecns.api.common.streams import Stream, encode, event
from ecns.api.workloads import manifests
from ecns.api.workloads.live import WorkloadSource, followed
from ecns.api.workloads.service import Workloads
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.kinds.apps import Controller, DaemonSet, Deployment, ReplicaSet, StatefulSet
from ecns.backends.kubernetes.kinds.core import EVENT, Event
from ecns.backends.kubernetes.kinds.pods import PodRow
from ecns.errors import UpstreamError

POLL = 1.0
"""Seconds after which it is looked at again though nothing has changed: failing counts by time."""
EVENTS = 5.0
"""Seconds between two looks at Kubernetes' events, which are not in the watch cache."""
PATIENCE = 5.0
"""Seconds that a pod may keep failing: what it waits for may be about to come."""
RESTARTS = 2
"""Times that a container which crashes is started again before that counts."""

HOPELESS = "InvalidImageName"
"""The reason of waiting that no patience helps."""

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"

Outcome = Literal["", "done", "failed"]


class Rollout(msgspec.Struct, kw_only=True):
    """How far a rollout is; numbers of pods."""

    name: str
    type: str
    status: str
    """The workload's: Running, Pending, Failed, Removing, Stopped, Unknown."""
    wanted: int
    updated: int
    ready: int
    available: int
    message: str
    reasons: list[str]
    """Why pods are not ready, the most telling first."""


def progress(controller: Controller, pods: Sequence[PodRow], events: Sequence[Event] = ()) -> Rollout:
    """How far the rollout of a workload is.

    Args:
        controller: the workload's controller.
        pods: its pods of the new template.
        events: Kubernetes' events, at least those of the workload and its pods.
    """
    shown = manifests.workload_status(controller, [], [], pods)
    rollout = Rollout(
        name=controller.metadata.name,
        type=type(controller).__name__,
        status=shown.status or "",
        wanted=manifests.wanted(controller),
        updated=shown.updated_replicas or 0,
        ready=shown.ready_replicas or 0,
        available=shown.available_replicas or 0,
        message="",
        reasons=manifests.why_not_ready(controller, pods, events),
    )
    rollout.message = _message(controller, rollout)
    return rollout


def _message(controller: Controller, now: Rollout) -> str:
    """What is waited for, in the order in which it comes."""
    if controller.metadata.deletion_timestamp:
        return "the workload is being deleted"
    if not observed(controller):
        return "the cluster has not taken up the change yet"
    if is_done(controller):
        return "all pods are of the newest template and available"
    if controller.spec.paused:
        return "the rollout is paused"
    if now.updated < now.wanted:
        return f"{now.updated} of {now.wanted} pods are of the newest template"
    if isinstance(controller, Deployment) and (old := controller.status.replicas - now.updated) > 0:
        return f"{old} old pods are still to end"
    return f"{now.available} of {now.wanted} pods are available"


def observed(controller: Controller) -> bool:
    """Whether the status is about what is wanted now."""
    return controller.status.observed_generation >= controller.metadata.generation


def is_done(controller: Controller) -> bool:
    """Whether nothing is left to do."""
    status = controller.status
    daemon = isinstance(controller, DaemonSet)
    available = status.number_available if daemon else status.available_replicas
    return manifests.is_complete(controller) and available >= manifests.wanted(controller)


def missed_deadline(controller: Controller) -> bool:
    """Whether Kubernetes says that the rollout does not get on."""
    return observed(controller) and any(
        one.type == "Progressing" and one.status == "False" for one in controller.status.conditions or ()
    )


def of_new_template(controller: Controller, pod: PodRow, owners: Sequence[ReplicaSet]) -> bool:
    """Whether a pod was made from the newest template that the controller has taken up.

    Args:
        controller: the workload's controller.
        pod: one of its pods.
        owners: a Deployment's ReplicaSets.
    """
    labels = pod.metadata.labels or {}
    match controller:
        case Deployment():
            current = manifests.current_revision(controller, owners)
            uids = {one.metadata.uid for one in owners if manifests.revision_of(one) == current}
            return any(owner.uid in uids for owner in pod.metadata.owner_references or ())
        case StatefulSet():
            revision = controller.status.update_revision
            return labels.get("controller-revision-hash", revision) == revision
        case _:
            generation = (controller.metadata.annotations or {}).get(TEMPLATE_GENERATION, "")
            return not generation or labels.get("pod-template-generation", generation) == generation


def keeps_failing(pod: PodRow) -> bool:
    """Whether trying again has not helped a pod; a crash alone says little."""
    shown = manifests.pod_status(pod)
    if shown.status != "Failed":
        return False
    crashing = [one for one in shown.containers or () if one.reason == "CrashLoopBackOff"]
    others = [one for one in shown.containers or () if one.status == "Error" and one not in crashing]
    return not crashing or bool(others) or any(one.restart_count >= RESTARTS for one in crashing)


def hopeless(pod: PodRow) -> bool:
    """Whether a pod can only be replaced."""
    return any(one.reason == HOPELESS for one in manifests.pod_status(pod).containers or ())


class _Following:
    """One stream's view of a rollout."""

    def __init__(
        self, workloads: Workloads, feed: Feed, source: WorkloadSource, key: tuple[str, str]
    ) -> None:
        self.objects = workloads.objects
        self.feed = feed
        self.source = source
        self.key = key
        self._events: list[Event] = []
        self._events_at = float("-inf")
        self._failing_since: float | None = None

    async def pieces(self) -> AsyncGenerator[bytes]:
        """`progress` each time that something has changed, then `done` or `failed`."""
        told: Rollout | None = None
        with self.feed.listen(Filter(), self.key) as listener:
            while True:
                controller = self.source.find(self.key)
                if controller is None:
                    message = {
                        "message": "the workload was deleted",
                        "reasons": ["The workload was deleted."],
                    }
                    gone = {**msgspec.to_builtins(told), **message} if told else message
                    yield event("failed", encode(gone))
                    return
                now, outcome = await self._look(controller)
                if now != told:
                    yield event("progress", encode(now))
                    told = now
                if outcome:
                    yield event(outcome, encode(now))
                    return
                try:
                    async with asyncio.timeout(POLL):
                        await listener.next()
                except TimeoutError:
                    pass

    async def _look(self, controller: Controller) -> tuple[Rollout, Outcome]:
        around = self.source.around
        owners = list(around.replica_sets.index(indexes.OWNER, controller.metadata.uid))
        pods = [pod for pod in around.pods_of(controller) if of_new_template(controller, pod, owners)]
        done = is_done(controller)
        if not done:
            await self._look_at_events()
        now = progress(controller, pods, self._events)
        if done:
            return now, "done"
        if missed_deadline(controller):
            return now, "failed"
        if observed(controller) and self._failed(pods):
            now.message = "pods of the newest template keep failing"
            return now, "failed"
        return now, ""

    def _failed(self, pods: Sequence[PodRow]) -> bool:
        """Whether some have failed for long enough, or for good."""
        if not any(map(keeps_failing, pods)):
            self._failing_since = None
            return False
        if self._failing_since is None:
            self._failing_since = time.monotonic()
        return time.monotonic() - self._failing_since >= PATIENCE or any(map(hopeless, pods))

    async def _look_at_events(self) -> None:
        """Read Kubernetes' events again, which say more than the objects; without them we go on."""
        if time.monotonic() - self._events_at < EVENTS:
            return
        self._events_at = time.monotonic()
        try:
            listed = await self.objects.client.list(EVENT, self.objects.namespace)
        except UpstreamError:
            return
        self._events = list(listed.items)


async def watch_rollout(
    request: Request[Any, Any, Any], workloads: Workloads, name: str, workload_type: str | None
) -> Response[Any]:
    """The progress of a workload's rollout.

    Raises:
        NotFoundError: there is no such workload.
        TooManyRequestsError: the caller listens to too many streams.
    """
    stream = Stream.of(request, workloads.objects.place)
    kind, controller = await workloads.find(name, workload_type)
    feed = await followed(workloads, filled=False)
    workloads.objects.place.cluster.cache(kind).fold(controller)
    source = cast("WorkloadSource", feed.source)
    return stream.answer(_Following(workloads, feed, source, (kind.kind, name)).pieces())
