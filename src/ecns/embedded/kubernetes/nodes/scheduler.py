"""The scheduler: it binds pods to nodes that can take them, and says why when none can.

Source: https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.metadata import clone
from ecns.embedded.kubernetes.nodes import affinity
from ecns.embedded.kubernetes.quantities import parse

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.controllers.shared import Shared
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Record

_HELPLESS = "Preemption is not helpful for scheduling"
_SHORT = ("Insufficient", "Too many")
_NEVER = ""
"""Beside what is short on a node: it has not as much even when it is empty, so nobody's going helps."""
_NO_VICTIMS = "No preemption victims found for incoming pod"
_WAITS = ("nodes", "persistentvolumeclaims", "persistentvolumes")
_UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"


class Scheduler(Controller):
    """Binds pods of `default-scheduler`."""

    name = "default-scheduler"
    resource = "pods"

    def __init__(self, cluster: Cluster, shared: Shared) -> None:
        super().__init__(cluster, shared)
        self._used: dict[str, dict[str, int]] = {}
        self._counted: dict[str, tuple[str, dict[str, int]]] = {}
        self._waiting: set[Key] = set()
        self._particular: set[Key] = set()

    def begin(self) -> None:
        """Watches pods, and what pods wait for."""
        self.watch("pods", self._pod)
        for resource in _WAITS:
            self.watch(resource, self._changed)

    def _pod(self, event: str, new: Object | None, old: Object | None) -> None:
        pod = new or old
        if pod is None:
            return
        key = pod["metadata"]["namespace"], pod["metadata"]["name"]
        uid = pod["metadata"]["uid"]
        gone = event == "DELETED" or objects.is_finished(pod)
        if gone or not pod["spec"].get("nodeName"):
            freed = self._forget(uid)
            if gone:
                self._waiting.discard(key)
                self._particular.discard(key)
                if freed:
                    self._retry()
        else:
            self._count(pod)
        if (
            not gone
            and not pod["spec"].get("nodeName")
            and (event == "ADDED" or old is None or old["spec"] != pod["spec"])
        ):
            self.enqueue(key)

    def _changed(self, _event: str, new: Object | None, old: Object | None) -> None:
        if new is not None and old is not None and _heart(new) == _heart(old):
            return
        self._retry()

    def _retry(self) -> None:
        for key in sorted(self._waiting):
            self.enqueue(key)

    def _count(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid in self._counted:
            return
        node, wants = pod["spec"]["nodeName"], requests_of(pod)
        self._counted[uid] = node, wants
        used = self._used.setdefault(node, {})
        for name, amount in wants.items():
            used[name] = used.get(name, 0) + amount
        if affinity.has_pod_affinity(pod):
            self._particular.add((pod["metadata"]["namespace"], pod["metadata"]["name"]))

    def _forget(self, uid: str) -> bool:
        found = self._counted.pop(uid, None)
        if found is None:
            return False
        used = self._used[found[0]]
        for name, amount in found[1].items():
            used[name] -= amount
        return True

    def is_settled(self, record: Record) -> bool:
        """Those that are bound; they are counted here."""
        pod = record.obj
        if pod["spec"].get("nodeName"):
            if not objects.is_finished(pod):
                self._count(pod)
            return True
        return objects.is_finished(pod)

    def sync(self, key: Key) -> None:
        """Tries to bind one pod."""
        pod = self.cluster.find("pods", key[1], key[0])
        if pod is None or pod["spec"].get("nodeName") or pod["metadata"].get("deletionTimestamp"):
            self._waiting.discard(key)
            return
        if pod["spec"].get("schedulerName", "default-scheduler") != self.name:
            return
        if pod["spec"].get("schedulingGates"):
            return
        nodes = self.cluster.list("nodes")
        volume, waits = self._volumes(pod)
        reasons: dict[str, int] = {}
        curable = 0
        fitting: list[Object] = []
        if not volume:
            placed = self._placed(pod)
            for node in nodes:
                why = self._refuses(pod, node, placed)
                curable += bool(why) and _NEVER not in why and why[0].startswith(_SHORT)
                for reason in set(why) - {_NEVER}:
                    reasons[reason] = reasons.get(reason, 0) + 1
                if not why:
                    fitting.append(node)
        if not fitting:
            self._fail(pod, len(nodes), volume, reasons, curable)
            return
        best = min(fitting, key=lambda node: self._load(pod, node))
        if waits:
            self._select(waits, best["metadata"]["name"])
            self._waiting.add(key)
            return
        self._bind(pod, best["metadata"]["name"])

    def _load(self, pod: Object, node: Object) -> tuple[int, int, str]:
        name = node["metadata"]["name"]
        return -affinity.preference(pod, node), self._used.get(name, {}).get("pods", 0), name

    def _placed(self, pod: Object) -> list[tuple[Object, Object]]:
        if not affinity.has_pod_affinity(pod) and not self._particular:
            return []
        nodes = {node["metadata"]["name"]: node for node in self.cluster.list("nodes")}
        return [
            (other, nodes[other["spec"]["nodeName"]])
            for other in self.cluster.list("pods")
            if other["spec"].get("nodeName") in nodes and not objects.is_finished(other)
        ]

    def _refuses(self, pod: Object, node: Object, placed: list[tuple[Object, Object]]) -> list[str]:
        tolerations = pod["spec"].get("tolerations") or ()
        cordon = {"key": affinity.UNSCHEDULABLE, "effect": "NoSchedule"}
        if node["spec"].get("unschedulable") and affinity.tolerates(tolerations, cordon) is None:
            return ["node(s) were unschedulable"]
        if affinity.untolerated(pod, node, ("NoSchedule", "NoExecute")) is not None:
            return ["node(s) had untolerated taint(s)"]
        if not affinity.fits_node(pod, node):
            return ["node(s) didn't match Pod's node affinity/selector"]
        short = self._short_of(pod, node)
        if short:
            return short
        why = affinity.fits_pods(pod, node, placed) if placed or affinity.has_pod_affinity(pod) else ""
        return [why] if why else []

    def _short_of(self, pod: Object, node: Object) -> list[str]:
        allocatable = node.get("status", {}).get("allocatable") or {}
        used = self._used.get(node["metadata"]["name"], {})
        found: list[str] = []
        for name, amount in requests_of(pod).items():
            total = parse(allocatable.get(name, "0"))
            room = (total.milli if name == "cpu" else total.value) - used.get(name, 0)
            if amount > room and amount:
                found.append("Too many pods" if name == "pods" else f"Insufficient {name}")
                if amount > room + used.get(name, 0):
                    found.append(_NEVER)
        return found

    def _volumes(self, pod: Object) -> tuple[str, list[Object]]:
        """Why the pod's claims keep it from any node, and those that wait to be told a node."""
        waits: list[Object] = []
        for volume in pod["spec"].get("volumes") or ():
            if "ephemeral" in volume:
                name = f"{pod['metadata']['name']}-{volume['name']}"
            elif "persistentVolumeClaim" in volume:
                name = volume["persistentVolumeClaim"]["claimName"]
            else:
                continue
            claim = self.cluster.find("persistentvolumeclaims", name, pod["metadata"]["namespace"])
            if claim is None:
                return f'persistentvolumeclaim "{name}" not found', []
            if claim["metadata"].get("deletionTimestamp"):
                return f'persistentvolumeclaim "{name}" is being deleted', []
            if claim["spec"].get("volumeName"):
                continue
            kind = self.cluster.find(
                "storageclasses.storage.k8s.io", claim["spec"].get("storageClassName", "")
            )
            if kind is None or kind.get("volumeBindingMode") != "WaitForFirstConsumer":
                return _UNBOUND, []
            waits.append(claim)
        return "", waits

    def _select(self, claims: list[Object], node: str) -> None:
        for claim in claims:
            annotations = claim["metadata"].get("annotations") or {}
            if annotations.get(_SELECTED_NODE) == node:
                continue
            metadata = {**claim["metadata"], "annotations": {**annotations, _SELECTED_NODE: node}}
            self.cluster.update("persistentvolumeclaims", {**claim, "metadata": metadata})

    def _fail(self, pod: Object, count: int, volume: str, reasons: dict[str, int], curable: int) -> None:
        key = pod["metadata"]["namespace"], pod["metadata"]["name"]
        self._waiting.add(key)
        start = f"0/{count} nodes are available: "
        if not count:
            message = "no nodes available to schedule pods"
        elif volume:
            message = f"{start}{volume}. not found"
        else:
            listed = ", ".join(sorted(f"{number} {reason}" for reason, number in reasons.items()))
            helps = [f"{count - curable} {_HELPLESS}"] if count > curable else []
            helps += [f"{curable} {_NO_VICTIMS}"] if curable else []
            preemption = f"{start}{', '.join(sorted(helps))}."
            message = f"{start}{listed}. no new claims to deallocate, preemption: {preemption}"
        condition = {
            "type": "PodScheduled",
            "observedGeneration": pod["metadata"].get("generation", 1),
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": clock.stamp(self.now()),
            "reason": "Unschedulable",
            "message": message,
        }
        before = objects.condition(pod, "PodScheduled")
        if before is not None and before["status"] == "False":
            if before.get("message") == message:
                return
            condition["lastTransitionTime"] = before["lastTransitionTime"]
        self.shared.events.record(
            pod, "Warning", "FailedScheduling", message, component=self.name, action="Scheduling"
        )
        self._put_condition(pod, condition)

    def _put_condition(self, pod: Object, condition: Object) -> None:
        status = pod.get("status", {})
        others = [item for item in status.get("conditions") or () if item["type"] != "PodScheduled"]
        self.cluster.update_status("pods", {**pod, "status": {**status, "conditions": [*others, condition]}})

    def _bind(self, pod: Object, node: str) -> None:
        metadata = pod["metadata"]
        self._waiting.discard((metadata["namespace"], metadata["name"]))
        self.cluster.assign(clone(pod), node, {})
        message = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {node}"
        self.shared.events.record(pod, "Normal", "Scheduled", message, component=self.name, action="Binding")


def requests_of(pod: Object) -> dict[str, int]:
    """What a pod asks of a node: millicores, bytes, and one of its pods."""
    found = {"pods": 1}
    spec = pod["spec"]
    for container in spec["containers"]:
        _add(found, container)
    peak: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            _add(found, container)
            continue
        alone: dict[str, int] = {}
        _add(alone, container)
        for name, amount in alone.items():
            peak[name] = max(peak.get(name, 0), amount)
    for name, amount in peak.items():
        found[name] = max(found.get(name, 0), amount)
    return found


def _add(found: dict[str, int], container: Object) -> None:
    for name, amount in ((container.get("resources") or {}).get("requests") or {}).items():
        quantity = parse(amount)
        found[name] = found.get(name, 0) + (quantity.milli if name == "cpu" else quantity.value)


def _heart(obj: Object) -> tuple[object, ...]:
    """What matters to pods that wait."""
    status, metadata = obj.get("status", {}), obj["metadata"]
    phase, room = status.get("phase"), status.get("allocatable")
    return metadata.get("labels"), obj.get("spec"), phase, room, bool(metadata.get("deletionTimestamp"))
