"""A pod's status as its kubelet writes it: phase, conditions, containers.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.nodes.container import Container

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

_OWN = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def phase_of(pod: Object, containers: list[Container]) -> str:
    """Pending, Running, Succeeded or Failed, from the containers."""
    policy = pod["spec"].get("restartPolicy", "Always")
    for container in containers:
        if container.kind != "init" or container.is_sidecar:
            continue
        ended = container.terminated
        if ended is not None and ended["exitCode"] and policy == "Never":
            return "Failed"
    if not is_initialized(containers):
        return "Pending"
    main = [container for container in containers if container.kind == "main"]
    ended_all = all(container.terminated is not None for container in main)
    if ended_all and (policy != "Always" or pod["metadata"].get("deletionTimestamp")):
        codes = [container.state["terminated"]["exitCode"] for container in main]
        if not any(codes):
            return "Succeeded"
        if policy == "Never" or pod["metadata"].get("deletionTimestamp"):
            return "Failed"
    unstarted = [item for item in main if not item.running and item.terminated is None and not item.last]
    return "Pending" if unstarted else "Running"


def is_initialized(containers: list[Container]) -> bool:
    """Whether the init containers are through, and sidecars have started."""
    return not _uninitialized(containers)


def _uninitialized(containers: list[Container]) -> list[str]:
    waiting: list[str] = []
    for item in containers:
        if item.kind != "init":
            continue
        done = item.started if item.is_sidecar else bool(item.terminated and item.terminated["exitCode"] == 0)
        if not done:
            waiting.append(item.name)
    return waiting


class Conditions:
    """Writes the kubelet's conditions.

    Args:
        pod: what is stored.
        containers: what runs.
        phase: the new phase.
        ended: the phase that it is about to have (a pod whose containers have all ended shows its
            conditions before its phase).
        sandbox: whether its network is there.
        at: now.

    """

    def __init__(
        self, pod: Object, containers: list[Container], *, ended: str, sandbox: bool, at: str
    ) -> None:
        self._pod = pod
        self._containers = containers
        self._ended = ended
        self._sandbox = sandbox
        self._at = at

    def build(self) -> list[Object]:
        """All of them, those of others first."""
        old = {item["type"]: item for item in self._pod.get("status", {}).get("conditions") or ()}
        others = [item for kind, item in old.items() if kind not in _OWN]
        self._others = {item["type"]: item for item in others}
        found = others
        for kind, (status, reason, message) in zip(_OWN, self._values(), strict=True):
            before = old.get(kind)
            condition: Object = {
                "type": kind,
                "observedGeneration": self._pod["metadata"].get("generation", 1),
                "status": status,
                "lastProbeTime": None,
                "lastTransitionTime": before["lastTransitionTime"]
                if before is not None and before["status"] == status
                else self._at,
            }
            if reason:
                condition["reason"] = reason
            if message:
                condition["message"] = message
            found.append(condition)
        return found

    def _values(self) -> list[tuple[str, str, str]]:
        waiting = _uninitialized(self._containers)
        if waiting:
            names = " ".join(waiting)
            message = f"containers with incomplete status: [{names}]"
            initialized = ("False", "ContainersNotInitialized", message)
        else:
            initialized = ("True", "PodCompleted" if self._ended == "Succeeded" else "", "")
        containers = self._containers_ready()
        ready = containers
        if containers[0] == "True":
            gates = self._gates()
            if gates:
                ready = ("False", "ReadinessGatesNotReady", gates)
        sandbox = ("True" if self._sandbox else "False", "", "")
        return [sandbox, initialized, ready, containers, ("True", "", "")]

    def _containers_ready(self) -> tuple[str, str, str]:
        if self._ended in {"Succeeded", "Failed"}:
            return "False", "PodCompleted" if self._ended == "Succeeded" else "PodFailed", ""
        needed = [item for item in self._containers if item.kind == "main" or item.is_sidecar]
        unready = [item.name for item in needed if not item.ready]
        if unready:
            return "False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
        return "True", "", ""

    def _gates(self) -> str:
        missing: list[str] = []
        for gate in self._pod["spec"].get("readinessGates") or ():
            kind = gate["conditionType"]
            condition = self._others.get(kind)
            if condition is None:
                missing.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
            elif condition.get("status") != "True":
                missing.append(
                    f'the status of pod readiness gate "{kind}" is not "True", but {condition.get("status")}'
                )
        return ", ".join(missing)


def resources_of(containers: list[Container]) -> Object:
    """The pod's `allocatedResources` and `resources`, sums over what has been created."""
    main = [item for item in containers if item.kind == "main" and item.created]
    sums: dict[str, dict[str, str]] = {}
    for section in ("limits", "requests"):
        amounts: dict[str, list[object]] = {}
        for item in main:
            for name, amount in ((item.spec.get("resources") or {}).get(section) or {}).items():
                amounts.setdefault(name, []).append(amount)
        if amounts:
            sums[section] = {name: str(quantities.total(*found)) for name, found in amounts.items()}
    found: Object = {"allocatedResources": sums["requests"]} if "requests" in sums else {}
    return {**found, "resources": sums}
