"""ReplicaSets and ReplicationControllers: as many pods as they say.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.selectors import Requirement
    from ecns.embedded.kubernetes.store import Record

_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_BURST = 500


class ReplicaSets(Controller):
    """Makes and deletes the pods of ReplicaSets."""

    name = "replicaset-controller"
    resource = "replicasets.apps"
    kind = "ReplicaSet"

    def begin(self) -> None:
        """Watches them and their pods."""
        self.watch_own(self.resource)
        self.watch_owned("pods", self.kind)
        self.watch("pods", self._orphaned)
        self.shared.orphans("pods")
        for resource in ("serviceaccounts", "resourcequotas", "limitranges"):
            self.watch(resource, self._rules)

    def _rules(self, _event: str, new: Object | None, old: Object | None) -> None:
        """What refused pods may have changed."""
        obj = new or old
        if obj is not None:
            self.retry(obj["metadata"]["namespace"])

    def _orphaned(self, event: str, new: Object | None, old: Object | None) -> None:
        if event == "DELETED" or new is None or objects.controller_of(new) is not None:
            return
        if old is not None and old["metadata"].get("labels") == new["metadata"].get("labels"):
            return
        namespace = new["metadata"]["namespace"]
        for owner in self.cluster.list(self.resource, namespace):
            selector = self.selector(owner)
            if selector and objects.selects(selector, new):
                self.enqueue((namespace, owner["metadata"]["name"]))

    def selector(self, owner: Object) -> tuple[Requirement, ...]:
        """Which pods are its."""
        return objects.requirements(owner["spec"].get("selector"))

    def is_settled(self, record: Record) -> bool:
        """Whether its status agrees with its spec and with the pods that there are."""
        obj = record.obj
        spec, status = obj["spec"], obj.get("status", {})
        wanted = spec.get("replicas", 1)
        return bool(
            status.get("observedGeneration") == obj["metadata"].get("generation")
            and status.get("replicas", 0) == wanted == status.get("availableReplicas", 0)
            and not status.get("terminatingReplicas")
            and len(self.cluster.store.owned(record.uid)) == wanted
        )

    def sync(self, key: Key) -> None:
        """Works on one."""
        owner = self.cluster.find(self.resource, key[1], key[0])
        if owner is None:
            return
        pods = self.shared.claim(owner, "pods", self.selector(owner))
        active = [pod for pod in pods if objects.is_active(pod)]
        going = [
            pod for pod in pods if pod["metadata"].get("deletionTimestamp") and not objects.is_finished(pod)
        ]
        failure: tuple[str, ApiError] | None = None
        if not owner["metadata"].get("deletionTimestamp"):
            failure = self._manage(owner, active)
        self._write_status(owner, active, going, failure)
        min_ready = owner["spec"].get("minReadySeconds", 0)
        wait = objects.available_in(active, min_ready, self.now()) if min_ready else None
        if wait is not None:
            self.after(wait, key)
        if failure is not None:
            raise failure[1]

    def _manage(self, owner: Object, active: list[Object]) -> tuple[str, ApiError] | None:
        missing = owner["spec"].get("replicas", 1) - len(active)
        try:
            for _ in range(min(missing, _BURST)):
                self._create(owner)
        except ApiError as error:
            return "FailedCreate", error
        if missing > _BURST:
            self.after(0, (owner["metadata"]["namespace"], owner["metadata"]["name"]))
        if missing < 0:
            try:
                for pod in self._worst_first(owner, active)[:-missing]:
                    self._delete(owner, pod)
            except ApiError as error:
                return "FailedDelete", error
        return None

    def _create(self, owner: Object) -> None:
        pod = objects.from_template(owner["spec"]["template"], owner)
        try:
            made = self.cluster.create("pods", pod, namespace=owner["metadata"]["namespace"])
        except ApiError as error:
            self.event(owner, "Warning", "FailedCreate", f"Error creating: {error}")
            raise
        self.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")

    def _delete(self, owner: Object, pod: Object) -> None:
        metadata = pod["metadata"]
        self.cluster.delete("pods", metadata["name"], metadata["namespace"])
        self.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {metadata['name']}")

    def _worst_first(self, owner: Object, pods: list[Object]) -> list[Object]:
        nodes: dict[str, int] = {}
        for pod in self._related(owner, pods):
            node = pod["spec"].get("nodeName", "")
            nodes[node] = nodes.get(node, 0) + 1

        def rank(pod: Object) -> tuple[object, ...]:
            spec, status, metadata = pod["spec"], pod.get("status", {}), pod["metadata"]
            ready = objects.condition(pod, "Ready") if objects.is_ready(pod) else None
            cost = (metadata.get("annotations") or {}).get(_COST, "0")
            return (
                bool(spec.get("nodeName")),
                _PHASES.get(status.get("phase", ""), 0),
                ready is not None,
                int(cost) if cost.lstrip("+-").isdigit() else 0,
                -nodes.get(spec.get("nodeName", ""), 0),
                _reverse(ready["lastTransitionTime"] if ready else ""),
                -max(
                    (item.get("restartCount", 0) for item in status.get("containerStatuses") or ()), default=0
                ),
                _reverse(metadata["creationTimestamp"]),
            )

        return sorted(pods, key=rank)

    def _related(self, owner: Object, pods: list[Object]) -> list[Object]:
        parent = objects.controller_of(owner)
        if parent is None:
            return pods
        found: list[Object] = []
        for resource, sibling in self.cluster.owned(parent["uid"]):
            if resource == self.resource:
                owned = self.cluster.owned(sibling["metadata"]["uid"])
                found += [pod for kind, pod in owned if kind == "pods" and objects.is_active(pod)]
        return found

    def _write_status(
        self, owner: Object, active: list[Object], going: list[Object], failure: tuple[str, ApiError] | None
    ) -> None:
        spec, old = owner["spec"], owner.get("status", {})
        labels = (spec["template"].get("metadata") or {}).get("labels") or {}
        ready = [pod for pod in active if objects.is_ready(pod)]
        now = self.now()
        conditions: list[Object] = list(old.get("conditions") or ())
        failed = any(item["type"] == "ReplicaFailure" for item in conditions)
        if failure is not None and not failed:
            conditions.append(
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "lastTransitionTime": clock.stamp(now),
                    "reason": failure[0],
                    "message": str(failure[1]),
                }
            )
        elif failure is None and failed:
            conditions = objects.without_condition(conditions, "ReplicaFailure")
        status: Object = {
            "replicas": len(active),
            "fullyLabeledReplicas": sum(_has(pod, labels) for pod in active),
            "readyReplicas": len(ready),
            "availableReplicas": sum(
                objects.is_available(pod, spec.get("minReadySeconds", 0), now) for pod in ready
            ),
            **self._terminating(going),
            "observedGeneration": owner["metadata"].get("generation", 0),
            "conditions": conditions,
        }
        status = objects.drop_empty(status, "replicas", "terminatingReplicas")
        if status != old:
            self.cluster.update_status(self.resource, {**owner, "status": status})

    def _terminating(self, going: list[Object]) -> Object:
        return {"terminatingReplicas": len(going)}


class ReplicationControllers(ReplicaSets):
    """The same for the older kind."""

    name = "replication-controller"
    resource = "replicationcontrollers"
    kind = "ReplicationController"

    def selector(self, owner: Object) -> tuple[Requirement, ...]:
        """Its selector is a plain map."""
        return objects.requirements({"matchLabels": owner["spec"].get("selector") or {}})

    def _terminating(self, going: list[Object]) -> Object:
        del going
        return {}


def _has(pod: Object, labels: dict[str, str]) -> bool:
    have = pod["metadata"].get("labels") or {}
    return all(have.get(key) == value for key, value in labels.items())


def _reverse(stamp: str) -> float:
    """Later times first: the negated time."""
    return -clock.parse(stamp).timestamp() if stamp else 0.0
