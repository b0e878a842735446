"""Kubelets: they run the pods that are bound to their nodes, and write what has become of them.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.nodes import inventory
from ecns.embedded.kubernetes.nodes.images import Store
from ecns.embedded.kubernetes.nodes.volumes import Volumes
from ecns.embedded.kubernetes.nodes.worker import Worker

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.controllers.shared import Shared
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Record


class Kubelets(Controller):
    """The kubelets of all nodes that `inventory` made."""

    name = "kubelet"
    resource = "pods"

    def __init__(self, cluster: Cluster, shared: Shared) -> None:
        super().__init__(cluster, shared)
        self.workers: dict[Key, Worker] = {}
        self.images: dict[str, Store] = {node: Store() for node in inventory.NODES}
        self.volumes = Volumes(cluster)
        self._addresses: dict[str, str] = {}
        self._networks = {
            node: ipaddress.IPv4Network(network) for node, network in inventory.POD_NETWORKS.items()
        }
        self._next = dict.fromkeys(inventory.NODES, 2)

    def begin(self) -> None:
        """Watches pods, and what pods wait for."""
        self.watch("pods", self._pod)
        for resource in ("configmaps", "secrets", "persistentvolumeclaims"):
            self.watch(resource, self._arrived)
        self.watch("persistentvolumes", self._volume)

    def _pod(self, event: str, new: Object | None, old: Object | None) -> None:
        pod = new or old
        if pod is None or pod["spec"].get("nodeName") not in inventory.NODES:
            return
        key = pod["metadata"]["namespace"], pod["metadata"]["name"]
        worker = self.workers.get(key)
        if event == "MODIFIED" and worker is not None and worker.writing:
            return
        self.enqueue(key)

    def _arrived(self, event: str, new: Object | None, _old: Object | None) -> None:
        if event == "DELETED" or new is None:
            return
        for key, worker in self.workers.items():
            if worker.lacks and key[0] == new["metadata"]["namespace"]:
                worker.retry()
                self.enqueue(key)

    def _volume(self, event: str, _new: Object | None, old: Object | None) -> None:
        if event == "DELETED" and old is not None:
            self.volumes.release("volume", old["metadata"]["name"])

    def is_settled(self, record: Record) -> bool:
        """Pods that have ended, or that run a server and nothing else, need no worker."""
        pod = record.obj
        node, metadata = pod["spec"].get("nodeName"), pod["metadata"]
        if node not in inventory.NODES:
            return True
        address = pod.get("status", {}).get("podIP")
        if address:
            self._addresses.setdefault(address, metadata["uid"])
        if metadata.get("deletionTimestamp"):
            return False
        return objects.is_finished(pod) or _runs_quietly(pod)

    def sync(self, key: Key) -> None:
        """Works on one pod."""
        pod = self.cluster.find("pods", key[1], key[0])
        worker = self.workers.get(key)
        if worker is not None and (pod is None or pod["metadata"]["uid"] != worker.uid):
            worker.abandon()
            self._release(worker)
            del self.workers[key]
            worker = None
        if pod is None or pod["spec"].get("nodeName") not in inventory.NODES:
            return
        if worker is None:
            if objects.is_finished(pod) and not pod["metadata"].get("deletionTimestamp"):
                return
            worker = self.workers[key] = Worker(self, pod)
        wake = worker.step(pod)
        if worker.finished:
            self._release(worker)
            if self.cluster.find("pods", key[1], key[0]) is None:
                self.workers.pop(key, None)
        elif wake is not None:
            self.after((wake - self.now()).total_seconds(), key)

    def worker_of(self, pod: Object) -> Worker:
        """The worker of a pod; one is made for a pod that ran quietly, or has ended."""
        key = pod["metadata"]["namespace"], pod["metadata"]["name"]
        worker = self.workers.get(key)
        if worker is None or worker.uid != pod["metadata"]["uid"]:
            worker = self.workers[key] = Worker(self, pod)
            if not objects.is_finished(pod):
                self.enqueue(key)
        return worker

    # addresses

    def address(self, node: str, uid: str) -> str:
        """A free address in a node's network."""
        network = self._networks[node]
        size = network.num_addresses - 3
        for _ in range(size):
            self._next[node] = (self._next[node] - 1) % size + 2
            found = str(network[self._next[node]])
            if found not in self._addresses:
                self._addresses[found] = uid
                return found
        return str(network[-2])

    def keep_address(self, address: str, uid: str) -> None:
        """Notes an address that a pod already has."""
        self._addresses[address] = uid

    def _release(self, worker: Worker) -> None:
        self.volumes.release("pod", worker.uid)
        if self._addresses.get(worker.address) == worker.uid:
            del self._addresses[worker.address]

    def say(self, pod: Object, kind: str, reason: str, message: str, field_path: str = "") -> None:
        """Records an event of the pod's kubelet."""
        host = pod["spec"].get("nodeName", "")
        self.shared.events.record(
            pod, kind, reason, message, component="kubelet", host=host, field_path=field_path
        )

    def stop(self) -> None:
        """Ends the processes."""
        super().stop()
        self.workers.clear()


def _runs_quietly(pod: Object) -> bool:
    """Whether a pod is Ready, and its containers are servers without probes that are really run."""
    if not objects.is_ready(pod) or pod["spec"].get("activeDeadlineSeconds"):
        return False
    if any(key.startswith("embedded.ecns.io/") for key in pod["metadata"].get("annotations") or ()):
        return False
    containers = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
    if len(containers) != len(pod["spec"]["containers"]) or pod["spec"].get("ephemeralContainers"):
        return False
    return not any(
        container.get("command") or container.get("args") or _is_probed(container) for container in containers
    )


def _is_probed(container: Object) -> bool:
    probes = (container.get(f"{kind}Probe") or {} for kind in ("readiness", "liveness", "startup"))
    return any("exec" in probe for probe in probes)
