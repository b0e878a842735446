"""Pods and what makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.printers.common import (
    NONE,
    age,
    age_of,
    containers,
    duration,
    has_condition,
    labels,
    name_of,
    parse_time,
    prints,
    selector,
    spec_of,
    status_of,
)

if TYPE_CHECKING:
    from datetime import datetime

    from ecns.embedded.kubernetes.errors import Object


class _Restarts:
    """How often containers were started again, and when the last of them ended before."""

    def __init__(self) -> None:
        self.count = 0
        self.last = ""

    def add(self, status: Object) -> None:
        self.count += status.get("restartCount", 0)
        ended = (status.get("lastState") or {}).get("terminated") or {}
        self.last = max(self.last, ended.get("finishedAt") or "")

    def text(self, now: datetime) -> str:
        return f"{self.count} ({age(self.last, now)} ago)" if self.count and self.last else str(self.count)


def _ended(state: Object, prefix: str = "") -> str:
    if state.get("reason"):
        return f"{prefix}{state['reason']}"
    if state.get("signal"):
        return f"{prefix}Signal:{state['signal']}"
    return f"{prefix}ExitCode:{state.get('exitCode', 0)}"


def _sidecars(pod: Object) -> set[str]:
    found = spec_of(pod).get("initContainers") or ()
    return {item["name"] for item in found if item.get("restartPolicy") == "Always"}


def _init(pod: Object, sidecars: set[str]) -> tuple[str, int, _Restarts, _Restarts]:
    """Why init containers are not through ("" if they are), ready sidecars, restarts of all and sidecars."""
    everyone, lasting, ready = _Restarts(), _Restarts(), 0
    total = len(spec_of(pod).get("initContainers") or ())
    for index, status in enumerate(status_of(pod).get("initContainerStatuses") or ()):
        everyone.add(status)
        state = status.get("state") or {}
        if status["name"] in sidecars:
            lasting.add(status)
            if status.get("started"):
                ready += bool(status.get("ready"))
                continue
        ended, waiting = state.get("terminated"), state.get("waiting")
        if ended is not None:
            if ended.get("exitCode", 0) == 0:
                continue
            return _ended(ended, "Init:"), ready, everyone, lasting
        if waiting is not None and waiting.get("reason") not in {None, "", "PodInitializing"}:
            return f"Init:{waiting['reason']}", ready, everyone, lasting
        return f"Init:{index}/{total}", ready, everyone, lasting
    return "", ready, everyone, lasting


def _pod_state(pod: Object) -> tuple[str, int, _Restarts]:
    """A pod's shown status, its ready containers and its restarts."""
    status = status_of(pod)
    reason = status.get("reason") or status.get("phase", "")
    if any(
        item["type"] == "PodScheduled" and item.get("reason") == "SchedulingGated"
        for item in status.get("conditions") or ()
    ):
        reason = "SchedulingGated"
    unready, ready, restarts, lasting = _init(pod, _sidecars(pod))
    reason = unready or reason
    if not unready or has_condition(pod, "Initialized"):
        restarts, running = lasting, False
        for container in reversed(status.get("containerStatuses") or ()):
            restarts.add(container)
            state = container.get("state") or {}
            if (state.get("waiting") or {}).get("reason"):
                reason = state["waiting"]["reason"]
            elif state.get("terminated") is not None:
                reason = _ended(state["terminated"])
            elif container.get("ready") and state.get("running") is not None:
                running = True
                ready += 1
        if reason == "Completed" and running:
            reason = "Running" if has_condition(pod, "Ready") else "NotReady"
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif status.get("phase") not in {"Succeeded", "Failed"}:
            reason = "Terminating"
    return reason, ready, restarts


@prints("pods")
def _pod(pod: Object, now: datetime) -> list[Any]:
    spec, status = spec_of(pod), status_of(pod)
    reason, ready, restarts = _pod_state(pod)
    total = len(spec.get("containers") or ()) + len(_sidecars(pod))
    gates = [item["conditionType"] for item in spec.get("readinessGates") or ()]
    addresses = [item.get("ip", "") for item in status.get("podIPs") or ()] or [status.get("podIP", "")]
    return [
        name_of(pod),
        f"{ready}/{total}",
        reason,
        restarts.text(now),
        age_of(pod, now),
        addresses[0] or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        f"{sum(has_condition(pod, gate) for gate in gates)}/{len(gates)}" if gates else NONE,
    ]


def pod_conditions(pod: Object) -> list[Object]:
    """The conditions of a pod's row: whether it has ended."""
    phase = status_of(pod).get("phase")
    ends = {
        "Succeeded": "The pod has completed successfully.",
        "Failed": "The pod failed.",
    }
    if phase not in ends:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": ends[phase]}]


@prints("podtemplates")
def _pod_template(obj: Object, _: datetime) -> list[Any]:
    template = obj.get("template") or {}
    return [name_of(obj), *containers(template), labels((template.get("metadata") or {}).get("labels"))]


@prints("deployments.apps")
def _deployment(obj: Object, now: datetime) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    return [
        name_of(obj),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age_of(obj, now),
        *containers(spec["template"]),
        selector(spec["selector"]),
    ]


@prints("replicasets.apps", "replicationcontrollers")
def _replica_set(obj: Object, now: datetime) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    chosen = spec.get("selector")
    plain = chosen is None or not {"matchLabels", "matchExpressions"} & set(chosen)
    return [
        name_of(obj),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age_of(obj, now),
        *containers(spec.get("template") or {}),
        labels(chosen) if plain else selector(chosen),
    ]


@prints("statefulsets.apps")
def _stateful_set(obj: Object, now: datetime) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [name_of(obj), ready, age_of(obj, now), *containers(spec["template"])]


@prints("daemonsets.apps")
def _daemon_set(obj: Object, now: datetime) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    numbers = (
        "desiredNumberScheduled currentNumberScheduled numberReady updatedNumberScheduled numberAvailable"
    )
    return [
        name_of(obj),
        *(status.get(number, 0) for number in numbers.split()),
        labels(spec_of(spec["template"]).get("nodeSelector")),
        age_of(obj, now),
        *containers(spec["template"]),
        selector(spec["selector"]),
    ]


@prints("controllerrevisions.apps")
def _controller_revision(obj: Object, now: datetime) -> list[Any]:
    owners = [owner for owner in obj["metadata"].get("ownerReferences") or () if owner.get("controller")]
    controller = NONE
    if owners:
        group = owners[0]["apiVersion"].rpartition("/")[0]
        kind = owners[0]["kind"].lower()
        controller = f"{kind}.{group}/{owners[0]['name']}" if group else f"{kind}/{owners[0]['name']}"
    return [name_of(obj), controller, obj.get("revision", 0), age_of(obj, now)]


@prints("jobs.batch")
def _job(obj: Object, now: datetime) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    done, wanted, parallel = status.get("succeeded", 0), spec.get("completions"), spec.get("parallelism", 0)
    if wanted is not None:
        completions = f"{done}/{wanted}"
    else:
        completions = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    kinds = ["Complete", "Failed", "", "Suspended", "FailureTarget", "SuccessCriteriaMet"]
    shown = "Running"
    for kind in kinds:
        if has_condition(obj, kind) if kind else obj["metadata"].get("deletionTimestamp"):
            shown = kind or "Terminating"
            break
    start, end = status.get("startTime"), status.get("completionTime")
    took = duration((parse_time(end) if end else now) - parse_time(start)) if start else ""
    return [
        name_of(obj),
        shown,
        completions,
        took,
        age_of(obj, now),
        *containers(spec["template"]),
        selector(spec.get("selector")),
    ]


@prints("cronjobs.batch")
def _cron_job(obj: Object, now: datetime) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    job = spec_of(spec["jobTemplate"])
    last = status.get("lastScheduleTime")
    return [
        name_of(obj),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        str(spec["suspend"]) if "suspend" in spec else "<unset>",
        len(status.get("active") or ()),
        age(last, now) if last else NONE,
        age_of(obj, now),
        *containers(job["template"]),
        selector(job.get("selector")),
    ]
