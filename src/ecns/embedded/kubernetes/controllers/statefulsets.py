"""StatefulSets: pods with ordinals, made, updated and deleted in order.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.controllers import objects, revisions
from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Record

_CLAIMS = "persistentvolumeclaims"
_LABEL = "controller.kubernetes.io/hash"
_POD_NAME, _POD_INDEX = "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"


class StatefulSets(Controller):
    """Runs StatefulSets."""

    name = "statefulset-controller"
    resource = "statefulsets.apps"

    def begin(self) -> None:
        """Watches them and their pods."""
        self.watch_own(self.resource)
        self.watch_owned("pods", "StatefulSet")
        self.shared.orphans("pods")

    def is_settled(self, record: Record) -> bool:
        """Whether its status says that all is done."""
        obj = record.obj
        status, wanted = obj.get("status", {}), obj["spec"].get("replicas", 1)
        return bool(
            status.get("observedGeneration") == obj["metadata"].get("generation")
            and status.get("replicas", 0) == wanted == status.get("availableReplicas", 0)
            and status.get("currentRevision") == status.get("updateRevision")
        )

    def sync(self, key: Key) -> None:
        """Works on one."""
        owner = self.cluster.find(self.resource, key[1], key[0])
        if owner is None:
            return
        selector = objects.requirements(owner["spec"].get("selector"))
        pods = self.shared.claim(owner, "pods", selector)
        turn = _Turn(self, owner, pods)
        if not owner["metadata"].get("deletionTimestamp"):
            turn.keep_claims()
        error = None
        try:
            turn.run()
        except ApiError as failure:
            error = failure
        turn.write_status()
        min_ready = owner["spec"].get("minReadySeconds", 0)
        wait = objects.available_in(pods, min_ready, self.now()) if min_ready else None
        if wait is not None:
            self.after(wait, key)
        if error is not None:
            raise error


class _Turn:
    """One look at one StatefulSet."""

    def __init__(self, controller: StatefulSets, owner: Object, pods: list[Object]) -> None:
        self._controller = controller
        self._cluster = controller.cluster
        self._owner = owner
        self._spec = owner["spec"]
        self._name: str = owner["metadata"]["name"]
        self._namespace: str = owner["metadata"]["namespace"]
        self._pods = {ordinal: pod for pod in pods if (ordinal := self._ordinal(pod)) is not None}
        self._history = revisions.History(self._cluster, owner, _LABEL)
        self._update = self._history.update["metadata"]["name"]
        status = owner.get("status", {})
        names = {item["metadata"]["name"] for item in self._history.revisions}
        current = status.get("currentRevision")
        self._current: str = current if current in names else self._update
        self._before = list(self._pods.values())
        self._deleted: set[str] = set()

    def _ordinal(self, pod: Object) -> int | None:
        base, _, number = pod["metadata"]["name"].rpartition("-")
        return int(number) if base == self._name and number.isdigit() else None

    @property
    def _start(self) -> int:
        return int((self._spec.get("ordinals") or {}).get("start", 0))

    @property
    def _wanted(self) -> range:
        return range(self._start, self._start + self._spec.get("replicas", 1))

    @property
    def _partition(self) -> int:
        rolling = (self._spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
        return int(rolling.get("partition", 0))

    @property
    def _parallel(self) -> bool:
        return bool(self._spec.get("podManagementPolicy") == "Parallel")

    def _on_delete(self) -> bool:
        return bool((self._spec.get("updateStrategy") or {}).get("type") == "OnDelete")

    def _is_up(self, pod: Object) -> bool:
        ready = objects.is_available(pod, self._spec.get("minReadySeconds", 0), self._controller.now())
        return ready and not pod["metadata"].get("deletionTimestamp")

    def run(self) -> None:
        """Makes, replaces or deletes what it is the turn of."""
        if self._owner["metadata"].get("deletionTimestamp"):
            return
        if not self._fill():
            return
        if not self._shrink():
            return
        if not self._on_delete():
            self._roll()

    def _fill(self) -> bool:
        """Makes missing pods in order; whether the turn goes on."""
        for ordinal in self._wanted:
            pod = self._pods.get(ordinal)
            if pod is not None and objects.is_finished(pod) and not pod["metadata"].get("deletionTimestamp"):
                self._remove(pod)
                if not self._parallel:
                    return False
                continue
            if pod is None:
                self._create(ordinal)
                if not self._parallel:
                    return False
                continue
            self._own_identity(pod)
            if not self._parallel and not self._is_up(pod):
                return False
        return True

    def _shrink(self) -> bool:
        """Deletes pods beyond the wanted, the highest first; whether the turn goes on."""
        extra = sorted((ordinal for ordinal in self._pods if ordinal not in self._wanted), reverse=True)
        for ordinal in extra:
            pod = self._pods[ordinal]
            if pod["metadata"].get("deletionTimestamp"):
                if not self._parallel:
                    return False
                continue
            self._remove(pod)
            if not self._parallel:
                return False
        return not extra

    def _roll(self) -> None:
        """Deletes the highest pod that is not of the update revision, when those above are up."""
        for ordinal in sorted(self._wanted, reverse=True):
            if ordinal < self._partition:
                return
            pod = self._pods.get(ordinal)
            if pod is None:
                return
            old = self._revision(pod) != self._update
            if old and not pod["metadata"].get("deletionTimestamp"):
                self._remove(pod)
                return
            if not self._is_up(pod):
                return

    def _revision(self, pod: Object) -> str:
        found: str = (pod["metadata"].get("labels") or {}).get(revisions.POD_LABEL, "")
        return found

    def _remove(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        self._cluster.delete("pods", name, self._namespace)
        self._deleted.add(name)
        message = f"Delete Pod {name} in StatefulSet {self._name} successful"
        self._controller.event(self._owner, "Normal", "SuccessfulDelete", message)

    def _template_for(self, ordinal: int) -> tuple[Object, str]:
        """The template that a new pod gets, and its revision's name."""
        if self._current != self._update and not self._on_delete() and ordinal < self._partition:
            for item in self._history.revisions:
                if item["metadata"]["name"] == self._current:
                    return revisions.template_in(item), self._current
        return self._spec["template"], self._update

    def _create(self, ordinal: int) -> None:
        template, revision = self._template_for(ordinal)
        name = f"{self._name}-{ordinal}"
        pod = objects.from_template(template, self._owner, name=name)
        pod["metadata"]["generateName"] = f"{self._name}-"
        pod["metadata"]["labels"] = {
            **pod["metadata"].get("labels", {}),
            _POD_INDEX: str(ordinal),
            revisions.POD_LABEL: revision,
            _POD_NAME: name,
        }
        claims = self._claims(ordinal)
        spec = {**pod["spec"], "hostname": name}
        if self._spec.get("serviceName"):
            spec["subdomain"] = self._spec["serviceName"]
        own = [
            {
                "name": template["metadata"]["name"],
                "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]},
            }
            for template, claim in claims
        ]
        kept = [
            item for item in spec.get("volumes") or () if item["name"] not in {one["name"] for one in own}
        ]
        if own or kept:
            spec["volumes"] = own + kept
        pod["spec"] = spec
        for _, claim in claims:
            self._ensure_claim(claim, name)
        try:
            made = self._cluster.create("pods", pod, namespace=self._namespace)
        except ApiError as error:
            message = f"create Pod {name} in StatefulSet {self._name} failed error: {error}"
            self._controller.event(self._owner, "Warning", "FailedCreate", message)
            raise
        self._pods[ordinal] = made
        message = f"Create Pod {name} in StatefulSet {self._name} successful"
        self._controller.event(self._owner, "Normal", "SuccessfulCreate", message)

    def _own_identity(self, pod: Object) -> None:
        for _, claim in self._claims(self._ordinal(pod) or 0):
            if self._cluster.find(_CLAIMS, claim["metadata"]["name"], self._namespace) is None:
                self._ensure_claim(claim, pod["metadata"]["name"])

    # claims

    def _claims(self, ordinal: int) -> list[tuple[Object, Object]]:
        """(template, claim) for each volumeClaimTemplate."""
        found: list[tuple[Object, Object]] = []
        labels = (self._spec.get("selector") or {}).get("matchLabels") or {}
        for template in self._spec.get("volumeClaimTemplates") or ():
            meta = template["metadata"]
            claim = {
                "kind": "PersistentVolumeClaim",
                "apiVersion": "v1",
                "metadata": {
                    "name": f"{meta['name']}-{self._name}-{ordinal}",
                    "namespace": self._namespace,
                    "labels": {**(meta.get("labels") or {}), **labels},
                    **({"annotations": meta["annotations"]} if meta.get("annotations") else {}),
                },
                "spec": template["spec"],
            }
            found.append((template, claim))
        return found

    def _ensure_claim(self, claim: Object, pod: str) -> None:
        name = claim["metadata"]["name"]
        if self._cluster.find(_CLAIMS, name, self._namespace) is not None:
            return
        self._cluster.create(_CLAIMS, claim, namespace=self._namespace)
        message = f"Create Claim {name} Pod {pod} in StatefulSet {self._name} success"
        self._controller.event(self._owner, "Normal", "SuccessfulCreate", message)

    def keep_claims(self) -> None:
        """Gives claims the owners that persistentVolumeClaimRetentionPolicy asks for."""
        if not self._spec.get("volumeClaimTemplates"):
            return
        policy = self._spec.get("persistentVolumeClaimRetentionPolicy") or {}
        whole, scaled = policy.get("whenDeleted") == "Delete", policy.get("whenScaled") == "Delete"
        for ordinal, pod in self._pods.items():
            changed = False
            for _, claim in self._claims(ordinal):
                found = self._cluster.find(_CLAIMS, claim["metadata"]["name"], self._namespace)
                if found is None:
                    continue
                owners = [
                    item
                    for item in found["metadata"].get("ownerReferences") or ()
                    if item["uid"] not in {self._owner["metadata"]["uid"], pod["metadata"]["uid"]}
                ]
                if scaled and ordinal not in self._wanted:
                    owners.append(objects.owned_by(pod))
                elif whole:
                    owners.append(objects.owned_by(self._owner))
                if owners != (found["metadata"].get("ownerReferences") or []):
                    metadata = {
                        key: item for key, item in found["metadata"].items() if key != "ownerReferences"
                    }
                    if owners:
                        metadata["ownerReferences"] = owners
                    self._cluster.update(_CLAIMS, {**found, "metadata": metadata})
                    changed = True
            if changed:
                message = f"Update Pod {pod['metadata']['name']} in StatefulSet {self._name} successful"
                self._controller.event(self._owner, "Normal", "SuccessfulUpdate", message)

    # status

    def write_status(self) -> None:
        """Counts the pods as they were, without those deleted in this turn."""
        old = self._owner.get("status", {})
        now, min_ready = self._controller.now(), self._spec.get("minReadySeconds", 0)
        ready = [pod for pod in self._before if objects.is_ready(pod)]
        up = [pod for pod in ready if objects.is_available(pod, min_ready, now)]
        staying = [
            pod
            for pod in self._before
            if not pod["metadata"].get("deletionTimestamp") and pod["metadata"]["name"] not in self._deleted
        ]
        current = sum(self._revision(pod) == self._current for pod in staying)
        updated = sum(self._revision(pod) == self._update for pod in staying)
        if not self._before and self._current != self._update:
            self._current = self._update
        status: Object = {
            "observedGeneration": self._owner["metadata"].get("generation", 0),
            "replicas": len(self._before),
            "readyReplicas": len(ready),
            "currentReplicas": current,
            "updatedReplicas": updated,
            "currentRevision": self._current,
            "updateRevision": self._update,
            "collisionCount": old.get("collisionCount", 0),
            "availableReplicas": len(up),
            "conditions": old.get("conditions") or [],
        }
        wanted = len(self._wanted)
        if updated == wanted == len(ready) == len(self._before) and not self._on_delete():
            status["currentRevision"], status["currentReplicas"] = self._update, updated
        status = objects.drop_empty(status, "replicas", "availableReplicas", "collisionCount")
        if status != old:
            self._cluster.update_status("statefulsets.apps", {**self._owner, "status": status})
        limit = self._spec.get("revisionHistoryLimit", 10)
        live = {self._current, self._update, *(self._revision(pod) for pod in self._before)}
        self._history.trim(limit, live)
