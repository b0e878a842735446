"""PodDisruptionBudgets: how many pods may go now.

Source: https://kubernetes.io/docs/tasks/run-application/configure-pdb/
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.base import Controller, Key

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

_BUDGETS = "poddisruptionbudgets.policy"
_EXPIRY = timedelta(minutes=2)
_SCALED = {
    "ReplicaSet": "replicasets.apps",
    "Deployment": "deployments.apps",
    "StatefulSet": "statefulsets.apps",
    "ReplicationController": "replicationcontrollers",
}


class Budgets(Controller):
    """Keeps the status of budgets."""

    name = "disruption-controller"
    resource = _BUDGETS

    def begin(self) -> None:
        """Watches budgets and pods."""
        self.watch_own(_BUDGETS)
        self.watch("pods", self._pod)
        for resource in _SCALED.values():
            self.watch(resource, self._scaled)

    def _pod(self, _event: str, new: Object | None, old: Object | None) -> None:
        pods = [pod for pod in (new, old) if pod is not None]
        namespace = pods[0]["metadata"]["namespace"]
        for record in self.cluster.store.all(_BUDGETS, namespace):
            selector = record.obj["spec"].get("selector")
            terms = objects.requirements(selector)
            if selector is not None and any(objects.selects(terms, pod) for pod in pods):
                self.enqueue((namespace, record.name))

    def _scaled(self, _event: str, new: Object | None, old: Object | None) -> None:
        if new is not None and old is not None and new["spec"].get("replicas") != old["spec"].get("replicas"):
            for record in self.cluster.store.all(_BUDGETS, new["metadata"]["namespace"]):
                self.enqueue((record.namespace, record.name))

    def sync(self, key: Key) -> None:
        """Works on one."""
        budget = self.cluster.find(_BUDGETS, key[1], key[0])
        if budget is None:
            return
        spec, old, now = budget["spec"], budget.get("status", {}), self.now()
        terms = objects.requirements(spec.get("selector"))
        pods = [
            pod
            for pod in self.cluster.list("pods", key[0])
            if "selector" in spec and objects.selects(terms, pod) and not objects.is_finished(pod)
        ]
        if not pods:
            told = self.shared.events.record
            told(budget, "Normal", "NoPods", "No matching pods found", component="controllermanager")
        expected, desired = self._counts(spec, pods)
        disrupted = self._disrupted(old.get("disruptedPods") or {}, pods, key)
        healthy = sum(
            objects.is_ready(pod)
            and not pod["metadata"].get("deletionTimestamp")
            and pod["metadata"]["name"] not in disrupted
            for pod in pods
        )
        allowed = max(healthy - desired, 0) if expected else 0
        status: Object = {
            "observedGeneration": budget["metadata"].get("generation", 0),
            **({"disruptedPods": disrupted} if disrupted else {}),
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        }
        condition = {
            "type": "DisruptionAllowed",
            "status": "True" if allowed else "False",
            "observedGeneration": status["observedGeneration"],
            "lastTransitionTime": clock.stamp(now),
            "reason": "SufficientPods" if allowed else "InsufficientPods",
            "message": "",
        }
        before = objects.condition(budget, "DisruptionAllowed")
        if before is not None and before["status"] == condition["status"]:
            condition["lastTransitionTime"] = before["lastTransitionTime"]
        status["conditions"] = [condition]
        if status != old:
            self.cluster.update_status(_BUDGETS, {**budget, "status": status})

    def _disrupted(self, known: dict[str, str], pods: list[Object], key: Key) -> dict[str, str]:
        going = {pod["metadata"]["name"] for pod in pods if not pod["metadata"].get("deletionTimestamp")}
        found: dict[str, str] = {}
        for name, at in known.items():
            left = clock.parse(at) + _EXPIRY - self.now()
            if name in going and left > timedelta():
                found[name] = at
                self.after(left.total_seconds(), key)
        return found

    def _counts(self, spec: Object, pods: list[Object]) -> tuple[int, int]:
        """Expected and desired healthy pods."""
        if "maxUnavailable" in spec:
            expected = self._scale(pods)
            share = objects.percentage(spec["maxUnavailable"], expected, up=True)
            return expected, max(expected - share, 0)
        least = spec.get("minAvailable", 1)
        if isinstance(least, str):
            expected = self._scale(pods)
            return expected, objects.percentage(least, expected, up=True)
        return len(pods), int(least)

    def _scale(self, pods: list[Object]) -> int:
        """The sum of the replicas of all controllers of the pods."""
        found: dict[str, int] = {}
        for pod in pods:
            namespace = pod["metadata"]["namespace"]
            reference, owner = objects.controller_of(pod), None
            while reference is not None and reference["kind"] in _SCALED:
                owner = self.cluster.find(_SCALED[reference["kind"]], reference["name"], namespace)
                reference = objects.controller_of(owner) if owner else None
            if owner is not None:
                found[owner["metadata"]["uid"]] = owner["spec"].get("replicas", 1)
        return sum(found.values())
