"""What befalls nodes and the pods on them: cordons become taints, taints evict, lost nodes' pods go.

Source: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.nodes import affinity, inventory

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Record

_NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
_CORDON = {"key": affinity.UNSCHEDULABLE, "effect": "NoSchedule"}


class NodeLifecycle(Controller):
    """Keeps the taints of nodes that are cordoned or not ready."""

    name = "node-controller"
    resource = "nodes"

    def begin(self) -> None:
        """Watches nodes; a new cluster's are told of."""
        self.watch_own("nodes")
        self.watch("nodes", self._cordoned)
        for node in self.cluster.list("nodes") if not self.cluster.store.count("events") else ():
            if node["metadata"]["name"] in inventory.NODES:
                self._tell_start(node)

    def _tell_start(self, node: Object) -> None:
        name = node["metadata"]["name"]
        self._say_kubelet(name, "Starting", "Starting kubelet.")
        for state in ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"):
            self._say_kubelet(name, state)
        self._say_kubelet(name, "NodeAllocatableEnforced", "Updated Node Allocatable limit across pods")
        self._say_kubelet(name, "NodeReady")
        where = {**node, "metadata": {key: node["metadata"][key] for key in ("name", "uid")}}
        self.event(
            where, "Normal", "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller"
        )

    def _cordoned(self, _event: str, new: Object | None, old: Object | None) -> None:
        if new is None or old is None:
            return
        closed = bool(new["spec"].get("unschedulable"))
        if closed != bool(old["spec"].get("unschedulable")):
            state = "NodeNotSchedulable" if closed else "NodeSchedulable"
            self._say_kubelet(new["metadata"]["name"], state)

    def _say_kubelet(self, name: str, reason: str, message: str = "") -> None:
        node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name}}
        said = message or f"Node {name} status is now: {reason}"
        self.shared.events.record(node, "Normal", reason, said, component="kubelet", host=name)

    def sync(self, key: Key) -> None:
        """Works on one node."""
        node = self.cluster.find("nodes", key[1])
        if node is None:
            return
        spec = node["spec"]
        before = list(spec.get("taints") or ())
        taints = before
        ready = objects.condition(node, "Ready")
        unready = ready is not None and ready.get("status") != "True"
        for taint, wanted in (
            (_CORDON, bool(spec.get("unschedulable"))),
            (_NOT_READY, unready or ready is None),
        ):
            has = any(item["key"] == taint["key"] and item["effect"] == taint["effect"] for item in taints)
            if wanted and not has:
                taints = [*taints, {**taint, "timeAdded": clock.stamp(self.now())}]
            elif has and not wanted:
                taints = [
                    item
                    for item in taints
                    if item["key"] != taint["key"] or item["effect"] != taint["effect"]
                ]
        if taints == before:
            return
        rest = {name: value for name, value in spec.items() if name != "taints"}
        self.cluster.update("nodes", {**node, "spec": {**rest, "taints": taints} if taints else rest})


class TaintEviction(Controller):
    """Deletes pods that do not tolerate a NoExecute taint of their node."""

    name = "taint-eviction-controller"

    def begin(self) -> None:
        """Watches nodes and pods."""
        self.watch("nodes", self._node)
        self.watch("pods", self._pod)

    def _node(self, _event: str, new: Object | None, old: Object | None) -> None:
        if new is None or (old is not None and old["spec"].get("taints") == new["spec"].get("taints")):
            return
        if not _evicting(new):
            return
        for record in self.cluster.store.all("pods"):
            if record.obj["spec"].get("nodeName") == new["metadata"]["name"]:
                self.enqueue((record.namespace, record.name))

    def _pod(self, event: str, new: Object | None, old: Object | None) -> None:
        if event == "DELETED" or new is None or not new["spec"].get("nodeName"):
            return
        if old is not None and old["spec"] == new["spec"]:
            return
        node = self.cluster.find("nodes", new["spec"]["nodeName"])
        if node is not None and _evicting(node):
            self.enqueue((new["metadata"]["namespace"], new["metadata"]["name"]))

    def sync(self, key: Key) -> None:
        """Works on one pod."""
        pod = self.cluster.find("pods", key[1], key[0])
        node = self.cluster.find("nodes", pod["spec"].get("nodeName", "")) if pod else None
        if pod is None or node is None or not objects.is_active(pod):
            return
        pause: float | None = None
        for taint in _evicting(node):
            toleration = affinity.tolerates(pod["spec"].get("tolerations") or (), taint)
            if toleration is None:
                self._evict(pod)
                return
            if "tolerationSeconds" in toleration:
                added = clock.parse(taint["timeAdded"]) if taint.get("timeAdded") else self.now()
                left = toleration["tolerationSeconds"] - (self.now() - added).total_seconds()
                pause = left if pause is None else min(pause, left)
        if pause is not None and pause <= 0:
            self._evict(pod)
        elif pause is not None:
            self.after(pause, key)

    def _evict(self, pod: Object) -> None:
        metadata, status = pod["metadata"], pod.get("status", {})
        named = {key: metadata[key] for key in ("name", "namespace")}
        self.event(
            {**pod, "metadata": named},
            "Normal",
            "TaintManagerEviction",
            f"Marking for deletion Pod {metadata['namespace']}/{metadata['name']}",
        )
        condition = {
            "type": "DisruptionTarget",
            "observedGeneration": metadata.get("generation", 1),
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": clock.stamp(self.now()),
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
        }
        conditions = objects.set_condition(list(status.get("conditions") or ()), condition)
        self.cluster.update_status("pods", {**pod, "status": {**status, "conditions": conditions}})
        self.cluster.delete("pods", metadata["name"], metadata["namespace"])


def _evicting(node: Object) -> list[Object]:
    return [taint for taint in node["spec"].get("taints") or () if taint.get("effect") == "NoExecute"]


class PodCollector(Controller):
    """Deletes the pods of nodes that are gone."""

    name = "pod-garbage-collector-controller"
    resource = "pods"

    def begin(self) -> None:
        """Watches nodes that go."""
        self.watch("nodes", self._node)

    def _node(self, event: str, _new: Object | None, old: Object | None) -> None:
        if event == "DELETED" and old is not None:
            for record in self.cluster.store.all("pods"):
                if record.obj["spec"].get("nodeName") == old["metadata"]["name"]:
                    self.enqueue((record.namespace, record.name))

    def is_settled(self, record: Record) -> bool:
        """Those whose node is there."""
        node = record.obj["spec"].get("nodeName", "")
        return not node or self.cluster.store.get("nodes", "", node) is not None

    def sync(self, key: Key) -> None:
        """Works on one pod."""
        pod = self.cluster.find("pods", key[1], key[0])
        if pod is None or self.cluster.find("nodes", pod["spec"].get("nodeName", "")) is not None:
            return
        self.cluster.delete("pods", key[1], key[0], grace_seconds=0)
