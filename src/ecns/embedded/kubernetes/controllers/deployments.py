"""Deployments: ReplicaSets of each template, rolled over as the strategy says.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.controllers import objects, rollout
from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.controllers.hashing import HASH_LABEL, template_hash
from ecns.embedded.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Record

_SETS = "replicasets.apps"
_CONFLICT = 409
_AVAILABLE, _TIMED_OUT = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"


class Deployments(Controller):
    """Rolls Deployments out."""

    name = "deployment-controller"
    resource = "deployments.apps"

    def begin(self) -> None:
        """Watches them, their ReplicaSets, and pods that go."""
        self.watch_own(self.resource)
        self.watch_owned(_SETS, "Deployment")
        self.watch("pods", self._pod)
        self.shared.orphans(_SETS)

    def _pod(self, event: str, _new: Object | None, old: Object | None) -> None:
        if event != "DELETED" or old is None:
            return
        owner = objects.controller_of(old)
        if owner is None or owner["kind"] != "ReplicaSet":
            return
        namespace = old["metadata"]["namespace"]
        parent = self.cluster.find(_SETS, owner["name"], namespace)
        grand = objects.controller_of(parent) if parent else None
        if grand is None:
            return
        deployment = self.cluster.find(self.resource, grand["name"], namespace)
        if deployment is not None and not rollout.is_rolling(deployment):
            self.enqueue((namespace, grand["name"]))

    def is_settled(self, record: Record) -> bool:
        """Whether it is rolled out, as far as its own status says."""
        obj = record.obj
        progress = objects.condition(obj, "Progressing")
        return (
            rollout.is_complete(obj, obj.get("status", {}))
            and not obj["status"].get("terminatingReplicas")
            and (progress is None or progress.get("reason") == _AVAILABLE)
        )

    def sync(self, key: Key) -> None:
        """Works on one."""
        deployment = self.cluster.find(self.resource, key[1], key[0])
        if deployment is None:
            return
        _Rollout(self, deployment).run()
        self._watch_deadline(key)

    def _watch_deadline(self, key: Key) -> None:
        deployment = self.cluster.find(self.resource, key[1], key[0])
        if deployment is None or not rollout.has_deadline(deployment) or deployment["spec"].get("paused"):
            return
        condition = objects.condition(deployment, "Progressing")
        if condition is None or condition.get("reason") in {_TIMED_OUT, _AVAILABLE}:
            return
        if rollout.is_complete(deployment, deployment.get("status", {})):
            return
        passed = self.now() - clock.parse(condition["lastUpdateTime"])
        self.after(deployment["spec"]["progressDeadlineSeconds"] + 1 - passed.total_seconds(), key)


class _Rollout:
    """One look at one Deployment."""

    def __init__(self, controller: Deployments, deployment: Object) -> None:
        self._controller = controller
        self._cluster = controller.cluster
        self.deployment = deployment
        self._namespace: str = deployment["metadata"]["namespace"]
        self._sets: list[Object] = []

    def run(self) -> None:
        """What the controller does each time."""
        selector = objects.requirements(self.deployment["spec"].get("selector"))
        if not selector:
            message = "This deployment is selecting all pods. A non-empty selector is required."
            self._event("Warning", "SelectingAll", message)
            return
        self._sets = self._controller.shared.claim(self.deployment, _SETS, selector)
        if self.deployment["metadata"].get("deletionTimestamp"):
            self._write_status(self._status(self._new(create=False)))
            return
        self._check_paused()
        if self.deployment["spec"].get("paused") or self._is_scaling():
            self._scale_only()
        elif rollout.is_rolling(self.deployment):
            self._roll()
        else:
            self._recreate()

    # ReplicaSets

    def _old(self, new: Object | None) -> list[Object]:
        name = new["metadata"]["name"] if new else ""
        return [rs for rs in self._sets if rs["metadata"]["name"] != name]

    def _put(self, rs: Object) -> Object:
        made = self._cluster.update(_SETS, rs)
        self._sets = [
            made if item["metadata"]["name"] == made["metadata"]["name"] else item for item in self._sets
        ]
        return made

    def _new(self, *, create: bool) -> Object | None:
        new = rollout.new_of(self.deployment, self._sets)
        revision = max((rollout.revision_of(rs) for rs in self._old(new)), default=0) + 1
        if new is None:
            return self._create(revision) if create else None
        before = new["metadata"].get("annotations") or {}
        annotations = rollout.annotate(self.deployment, before, revision, exists=True)
        min_ready = self.deployment["spec"].get("minReadySeconds", 0)
        if annotations != before or new["spec"].get("minReadySeconds", 0) != min_ready:
            spec = {**new["spec"], "minReadySeconds": min_ready}
            if not min_ready:
                del spec["minReadySeconds"]
            return self._put(
                {**new, "metadata": {**new["metadata"], "annotations": annotations}, "spec": spec}
            )
        progress = objects.condition(self.deployment, "Progressing")
        found = None
        if rollout.has_deadline(self.deployment) and progress is None:
            message = f'Found new replica set "{new["metadata"]["name"]}"'
            found = self._condition("Progressing", "True", "FoundNewReplicaSet", message)
        self._set_revision(annotations[rollout.REVISION], found)
        return new

    def _create(self, revision: int) -> Object:
        deployment = self.deployment
        spec, metadata = deployment["spec"], deployment["metadata"]
        collisions = deployment.get("status", {}).get("collisionCount", 0)
        hashed = template_hash(spec["template"], collisions)
        meta = dict(spec["template"].get("metadata") or {})
        meta["labels"] = {**(meta.get("labels") or {}), HASH_LABEL: hashed}
        selector = dict(spec["selector"])
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: hashed}
        rs: Object = {
            "kind": "ReplicaSet",
            "apiVersion": "apps/v1",
            "metadata": {
                "name": f"{metadata['name']}-{hashed}",
                "namespace": self._namespace,
                "labels": meta["labels"],
                "annotations": rollout.annotate(deployment, {}, revision, exists=False),
                "ownerReferences": [objects.owned_by(deployment)],
            },
            "spec": {
                "replicas": 0,
                **({"minReadySeconds": spec["minReadySeconds"]} if spec.get("minReadySeconds") else {}),
                "selector": selector,
                "template": {**spec["template"], "metadata": meta},
            },
        }
        size = rollout.new_size(deployment, [*self._sets, rs], rs)
        rs["spec"]["replicas"] = size
        try:
            made = self._cluster.create(_SETS, rs, namespace=self._namespace)
        except ApiError as error:
            self._creation_failed(rs, error, collisions)
            raise
        self._sets.append(made)
        name = made["metadata"]["name"]
        if size > 0:
            self._event("Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {size}")
        condition = None
        if rollout.has_deadline(deployment):
            message = f'Created new replica set "{name}"'
            condition = self._condition("Progressing", "True", "NewReplicaSetCreated", message)
        self._set_revision(str(revision), condition)
        return made

    def _creation_failed(self, rs: Object, error: ApiError, collisions: int) -> None:
        if error.code == _CONFLICT:
            status = {**self.deployment.get("status", {}), "collisionCount": collisions + 1}
            self._write_status(status)
        elif rollout.has_deadline(self.deployment):
            message = f'Failed to create new replica set "{rs["metadata"]["name"]}": {error}'
            self._set_condition(self._condition("Progressing", "False", "ReplicaSetCreateError", message))

    def _set_revision(self, revision: str, condition: Object | None) -> None:
        metadata = self.deployment["metadata"]
        annotations = metadata.get("annotations") or {}
        status = self.deployment.get("status", {})
        conditions = list(status.get("conditions") or ())
        wanted = objects.set_condition(conditions, condition) if condition else conditions
        if annotations.get(rollout.REVISION) == revision and wanted == conditions:
            return
        changed = {
            **self.deployment,
            "metadata": {**metadata, "annotations": {**annotations, rollout.REVISION: revision}},
        }
        changed["status"] = {**status, "conditions": wanted} if wanted else status
        self.deployment = self._cluster.update_status("deployments.apps", changed)

    def _scale(self, rs: Object, size: int, direction: str = "") -> bool:
        before = rollout.replicas(rs)
        annotations = rs["metadata"].get("annotations") or {}
        sized = {**annotations, **rollout.size_annotations(self.deployment)}
        if size == before and sized == annotations:
            return False
        self._put(
            {
                **rs,
                "metadata": {**rs["metadata"], "annotations": sized},
                "spec": {**rs["spec"], "replicas": size},
            }
        )
        if size == before:
            return False
        direction = direction or ("up" if size > before else "down")
        name = rs["metadata"]["name"]
        self._event(
            "Normal", "ScalingReplicaSet", f"Scaled {direction} replica set {name} from {before} to {size}"
        )
        return True

    def _present(self, rs: Object) -> Object:
        name = rs["metadata"]["name"]
        return next((item for item in self._sets if item["metadata"]["name"] == name), rs)

    # ways

    def _check_paused(self) -> None:
        if not rollout.has_deadline(self.deployment):
            return
        condition = objects.condition(self.deployment, "Progressing")
        reason = condition.get("reason") if condition else None
        if reason == _TIMED_OUT:
            return
        paused = bool(self.deployment["spec"].get("paused"))
        if paused and reason != "DeploymentPaused":
            self._set_condition(
                self._condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
            )
        elif not paused and reason == "DeploymentPaused":
            self._set_condition(
                self._condition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
            )

    def _is_scaling(self) -> bool:
        self._new(create=False)
        wanted = rollout.replicas(self.deployment)
        sized = [rollout.desired_of(rs) for rs in rollout.active(self._sets)]
        return any(size is not None and size != wanted for size in sized)

    def _scale_only(self) -> None:
        new = self._new(create=False)
        self._resize(new)
        new = self._present(new) if new else None
        if self.deployment["spec"].get("paused"):
            self._clean_up(self._old(new))
        self._write_status(self._status(new))

    def _resize(self, new: Object | None) -> None:
        wanted, old = rollout.replicas(self.deployment), self._old(new)
        active = rollout.active(self._sets)
        only = None
        if len(active) == 1:
            only = active[0]
        elif not active:
            only = new or (rollout.by_age(old)[-1] if old else None)
        if only is not None:
            if rollout.replicas(only) != wanted:
                self._scale(only, wanted)
            return
        if new is not None and self._is_saturated(new):
            for rs in rollout.active(old):
                self._scale(rs, 0)
        elif rollout.is_rolling(self.deployment):
            room = wanted + rollout.max_surge(self.deployment) if wanted else 0
            direction = "up" if room > sum(map(rollout.replicas, active)) else "down"
            for rs, size in rollout.proportional(self.deployment, active):
                self._scale(rs, size, direction)

    def _is_saturated(self, new: Object) -> bool:
        wanted = rollout.replicas(self.deployment)
        return (
            rollout.replicas(new) == wanted
            and rollout.desired_of(new) == wanted
            and rollout.available(new) == wanted
        )

    def _roll(self) -> None:
        new = self._new(create=True)
        if new is None:
            return
        wanted = rollout.replicas(self.deployment)
        size = rollout.replicas(new)
        if size != wanted:
            size = wanted if size > wanted else rollout.new_size(self.deployment, self._sets, new)
        if not self._scale_unless(new, size):
            new = self._present(new)
            steps = rollout.cleanup_sizes(self.deployment, rollout.active(self._old(new)), new)
            for rs, down in steps:
                self._scale(self._present(rs), down)
            if not steps and rollout.is_complete(self.deployment, self.deployment.get("status", {})):
                self._clean_up(self._old(new))
        self._write_progress(self._present(new))

    def _scale_unless(self, rs: Object, size: int) -> bool:
        return size != rollout.replicas(rs) and self._scale(rs, size)

    def _recreate(self) -> None:
        new = self._new(create=False)
        old = self._old(new)
        scaled = [self._scale(rs, 0) for rs in rollout.active(old)]
        if any(scaled) or self._runs(old):
            self._write_progress(new)
            return
        new = new or self._new(create=True)
        if new is None:
            return
        self._scale_unless(new, rollout.replicas(self.deployment))
        if rollout.is_complete(self.deployment, self.deployment.get("status", {})):
            self._clean_up(old)
        self._write_progress(self._present(new))

    def _runs(self, sets: list[Object]) -> bool:
        for rs in sets:
            if rs.get("status", {}).get("replicas"):
                return True
            owned = self._cluster.owned(rs["metadata"]["uid"])
            if any(kind == "pods" and not objects.is_finished(pod) for kind, pod in owned):
                return True
        return False

    def _clean_up(self, old: list[Object]) -> None:
        limit = self.deployment["spec"].get("revisionHistoryLimit")
        if limit is None:
            return
        alive = [rs for rs in old if not rs["metadata"].get("deletionTimestamp")]
        alive.sort(key=lambda rs: (rollout.revision_of(rs), rs["metadata"]["creationTimestamp"]))
        for rs in alive[: max(len(alive) - limit, 0)]:
            status, metadata = rs.get("status", {}), rs["metadata"]
            seen = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
            if not status.get("replicas") and not rollout.replicas(rs) and seen:
                self._cluster.delete(_SETS, metadata["name"], metadata["namespace"])
                self._sets = [item for item in self._sets if item is not rs]

    # status

    def _at(self) -> str:
        return clock.stamp(self._controller.now())

    def _condition(self, kind: str, status: str, reason: str, message: str) -> Object:
        at = self._at()
        return {
            "type": kind,
            "status": status,
            "lastUpdateTime": at,
            "lastTransitionTime": at,
            "reason": reason,
            "message": message,
        }

    def _set_condition(self, condition: Object) -> None:
        status = self.deployment.get("status", {})
        conditions = objects.set_condition(list(status.get("conditions") or ()), condition)
        self._write_status({**status, "conditions": conditions})

    def _status(self, new: Object | None) -> Object:
        return rollout.status_of(self.deployment, self._sets, new, self._at())

    def _write_progress(self, new: Object | None) -> None:
        deployment = self.deployment
        status, current = self._status(new), objects.condition(deployment, "Progressing")
        conditions: list[Object] = status["conditions"]
        who = (
            f'ReplicaSet "{new["metadata"]["name"]}"'
            if new
            else f'Deployment "{deployment["metadata"]["name"]}"'
        )
        done = current is not None and current.get("reason") == _AVAILABLE
        if not rollout.has_deadline(deployment):
            conditions = objects.without_condition(conditions, "Progressing")
        elif not (done and status["replicas"] == status["updatedReplicas"]):
            if rollout.is_complete(deployment, status):
                message = f"{who} has successfully progressed."
                conditions = objects.set_condition(
                    conditions, self._condition("Progressing", "True", _AVAILABLE, message)
                )
            elif rollout.is_progressing(deployment.get("status", {}), status):
                condition = self._condition(
                    "Progressing", "True", "ReplicaSetUpdated", f"{who} is progressing."
                )
                if current is not None and current["status"] == "True":
                    condition["lastTransitionTime"] = current["lastTransitionTime"]
                conditions = [*objects.without_condition(conditions, "Progressing"), condition]
            elif self._is_late(current):
                message = f"{who} has timed out progressing."
                conditions = objects.set_condition(
                    conditions, self._condition("Progressing", "False", _TIMED_OUT, message)
                )
        failure = self._failure(new)
        if failure is None:
            conditions = objects.without_condition(conditions, "ReplicaFailure")
        else:
            conditions = objects.set_condition(conditions, failure)
        self._write_status({**status, "conditions": conditions})

    def _is_late(self, condition: Object | None) -> bool:
        if condition is None or condition.get("reason") == _AVAILABLE:
            return False
        if condition.get("reason") == _TIMED_OUT:
            return True
        deadline = timedelta(seconds=self.deployment["spec"]["progressDeadlineSeconds"])
        return clock.parse(condition["lastUpdateTime"]) + deadline < self._controller.now()

    def _failure(self, new: Object | None) -> Object | None:
        ordered = ([new] if new else []) + self._old(new)
        for rs in ordered:
            found = objects.condition(rs, "ReplicaFailure")
            if found is not None:
                condition = self._condition(
                    "ReplicaFailure", found["status"], found["reason"], found["message"]
                )
                condition["lastTransitionTime"] = found["lastTransitionTime"]
                return condition
        return None

    def _write_status(self, status: Object) -> None:
        status = objects.drop_empty(status, "terminatingReplicas", "collisionCount")
        if status != self.deployment.get("status", {}):
            changed = {**self.deployment, "status": status}
            self.deployment = self._cluster.update_status("deployments.apps", changed)

    def _event(self, kind: str, reason: str, message: str) -> None:
        self._controller.event(self.deployment, kind, reason, message)
