"""DaemonSets: one pod on each node that fits.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.controllers import objects, revisions
from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.errors import ApiError
from ecns.embedded.kubernetes.nodes import affinity

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Record

_GENERATION = "deprecated.daemonset.template.generation"
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_HOST_NETWORK = ("node.kubernetes.io/network-unavailable", "NoSchedule")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


class DaemonSets(Controller):
    """Runs DaemonSets."""

    name = "daemonset-controller"
    resource = "daemonsets.apps"

    def begin(self) -> None:
        """Watches them, their pods and the nodes."""
        self.watch_own(self.resource)
        self.watch_owned("pods", "DaemonSet")
        self.watch("nodes", self._node)
        self.shared.orphans("pods")

    def _node(self, _event: str, new: Object | None, old: Object | None) -> None:
        if new is not None and old is not None:
            same = new["spec"] == old["spec"] and new["metadata"].get("labels") == old["metadata"].get(
                "labels"
            )
            if same:
                return
        for record in self.cluster.store.all(self.resource):
            self.enqueue((record.namespace, record.name))

    def is_settled(self, record: Record) -> bool:
        """Whether its status says that all is done."""
        status = record.obj.get("status", {})
        wanted = status.get("desiredNumberScheduled", 0)
        return bool(
            status.get("observedGeneration") == record.obj["metadata"].get("generation")
            and status.get("currentNumberScheduled") == wanted == status.get("numberAvailable", 0)
            and wanted == status.get("updatedNumberScheduled", 0)
        )

    def sync(self, key: Key) -> None:
        """Works on one."""
        owner = self.cluster.find(self.resource, key[1], key[0])
        if owner is None:
            return
        pods = self.shared.claim(owner, "pods", objects.requirements(owner["spec"].get("selector")))
        if owner["metadata"].get("deletionTimestamp"):
            return
        generation = (owner["metadata"].get("annotations") or {}).get(_GENERATION, "1")
        history = revisions.History(self.cluster, owner, revisions.POD_LABEL, {_GENERATION: generation})
        turn = _Turn(self, owner, pods, history.hash_of(history.update), generation)
        error = turn.run()
        turn.write_status()
        live = {(pod["metadata"].get("labels") or {}).get(revisions.POD_LABEL, "") for pod in pods}
        names = {f"{key[1]}-{item}" for item in live} | {history.update["metadata"]["name"]}
        history.trim(owner["spec"].get("revisionHistoryLimit", 10), names)
        min_ready = owner["spec"].get("minReadySeconds", 0)
        wait = objects.available_in(pods, min_ready, self.now()) if min_ready else None
        if wait is not None:
            self.after(wait, key)
        if error is not None:
            raise error


class _Turn:
    """One look at one DaemonSet."""

    def __init__(
        self, controller: DaemonSets, owner: Object, pods: list[Object], hashed: str, generation: str
    ) -> None:
        self._controller = controller
        self._cluster = controller.cluster
        self._owner = owner
        self._hash = hashed
        self._generation = generation
        self._nodes = self._cluster.list("nodes")
        self._pods: dict[str, list[Object]] = {}
        for pod in pods:
            if not _is_gone(pod):
                self._pods.setdefault(_node_of(pod), []).append(pod)
        self._model = objects.from_template(owner["spec"]["template"], owner)
        tolerations = list(self._model["spec"].get("tolerations") or ())
        known = [*_TOLERATED, *([_HOST_NETWORK] if self._model["spec"].get("hostNetwork") else [])]
        for key, effect in known:
            if not any(item.get("key") == key and item.get("effect") == effect for item in tolerations):
                tolerations.append({"key": key, "operator": "Exists", "effect": effect})
        self._model["spec"]["tolerations"] = tolerations
        self._model["metadata"]["labels"] = {
            **(self._model["metadata"].get("labels") or {}),
            revisions.POD_LABEL: hashed,
            "pod-template-generation": generation,
        }

    def _should_run(self, node: Object) -> bool:
        fits = affinity.fits_node(self._model, node)
        return fits and affinity.untolerated(self._model, node, ("NoSchedule", "NoExecute")) is None

    def _should_stay(self, node: Object) -> bool:
        fits = affinity.fits_node(self._model, node)
        return fits and affinity.untolerated(self._model, node, ("NoExecute",)) is None

    def _is_up(self, pod: Object) -> bool:
        return objects.is_available(
            pod, self._owner["spec"].get("minReadySeconds", 0), self._controller.now()
        )

    def _is_new(self, pod: Object) -> bool:
        labels = pod["metadata"].get("labels") or {}
        return labels.get(revisions.POD_LABEL) == self._hash

    def run(self) -> ApiError | None:
        """Makes and deletes pods; the error that stopped it."""
        create: list[str] = []
        delete: list[Object] = []
        names = {node["metadata"]["name"] for node in self._nodes}
        for node in self._nodes:
            name = node["metadata"]["name"]
            pods = self._pods.get(name, [])
            alive = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
            failed = [pod for pod in alive if objects.is_finished(pod)]
            alive = [pod for pod in alive if not objects.is_finished(pod)]
            delete += failed
            if not self._should_stay(node):
                delete += alive
            elif not pods and self._should_run(node):
                create.append(name)
            elif len(alive) > 1:
                alive.sort(
                    key=lambda pod: (not objects.is_ready(pod), str(pod["metadata"]["creationTimestamp"]))
                )
                delete += alive[1:]
        for name, pods in self._pods.items():
            if name not in names:
                delete += [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
        updating = self._outdated()
        try:
            for pod in [*delete, *(item for item in updating if item not in delete)]:
                self._delete(pod)
            for name in create:
                self._create(name)
        except ApiError as error:
            return error
        return None

    def _outdated(self) -> list[Object]:
        """The pods of the old template that may go now."""
        strategy = self._owner["spec"].get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return []
        wanted = [node["metadata"]["name"] for node in self._nodes if self._should_run(node)]
        rolling = strategy.get("rollingUpdate") or {}
        allowed = max(objects.percentage(rolling.get("maxUnavailable", 1), len(wanted), up=True), 1)
        old: list[Object] = []
        for name in wanted:
            pods = [pod for pod in self._pods.get(name, []) if not pod["metadata"].get("deletionTimestamp")]
            if not pods or not any(map(self._is_up, pods)):
                gone = [pod for pod in pods if not self._is_new(pod)]
                old[:0] = gone
                allowed -= 0 if gone else 1
                continue
            old += [pod for pod in pods if not self._is_new(pod)]
        down = [pod for pod in old if not self._is_up(pod)]
        up = [pod for pod in old if self._is_up(pod)]
        return down + up[: max(allowed - len(down), 0)]

    def _create(self, node: str) -> None:
        owner, model = self._owner, self._model
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
        required = ((model["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
        terms = [{**item, **term} for item in required.get("nodeSelectorTerms") or ()] or [term]
        given = model["spec"].get("affinity") or {}
        node_affinity = {**(given.get("nodeAffinity") or {}), _REQUIRED: {"nodeSelectorTerms": terms}}
        spec = {**model["spec"], "affinity": {**given, "nodeAffinity": node_affinity}}
        try:
            made = self._cluster.create(
                "pods", {**model, "spec": spec}, namespace=owner["metadata"]["namespace"]
            )
        except ApiError as error:
            self._controller.event(owner, "Warning", "FailedCreate", f"Error creating: {error}")
            raise
        message = f"Created pod: {made['metadata']['name']}"
        self._controller.event(owner, "Normal", "SuccessfulCreate", message)

    def _delete(self, pod: Object) -> None:
        metadata = pod["metadata"]
        self._cluster.delete("pods", metadata["name"], metadata["namespace"])
        self._controller.event(self._owner, "Normal", "SuccessfulDelete", f"Deleted pod: {metadata['name']}")

    def write_status(self) -> None:
        """Counts nodes by the pods that are there now."""
        owner = self._owner
        present: dict[str, list[Object]] = {}
        for resource, pod in self._cluster.owned(owner["metadata"]["uid"]):
            if resource == "pods" and not _is_gone(pod):
                present.setdefault(_node_of(pod), []).append(pod)
        counts = dict.fromkeys(("desired", "current", "misscheduled", "ready", "available", "updated"), 0)
        for node in self._nodes:
            pods = present.get(node["metadata"]["name"], [])
            if not self._should_run(node):
                counts["misscheduled"] += bool(pods)
                continue
            counts["desired"] += 1
            if not pods:
                continue
            counts["current"] += 1
            best = min(
                pods, key=lambda pod: (not objects.is_ready(pod), str(pod["metadata"]["creationTimestamp"]))
            )
            counts["ready"] += objects.is_ready(best)
            counts["available"] += self._is_up(best)
            counts["updated"] += self._is_new(best)
        old = owner.get("status", {})
        status: Object = {
            "currentNumberScheduled": counts["current"],
            "numberMisscheduled": counts["misscheduled"],
            "desiredNumberScheduled": counts["desired"],
            "numberReady": counts["ready"],
            "observedGeneration": owner["metadata"].get("generation", 0),
            "updatedNumberScheduled": counts["updated"],
            "numberAvailable": counts["available"],
            "numberUnavailable": counts["desired"] - counts["available"],
            "conditions": old.get("conditions") or [],
        }
        always = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
        status = objects.drop_empty(status, *always)
        if status != old:
            self._cluster.update_status("daemonsets.apps", {**owner, "status": status})


def _is_gone(pod: Object) -> bool:
    """Whether a pod is deleted and has ended: it waits for nothing but its removal."""
    return bool(pod["metadata"].get("deletionTimestamp")) and objects.is_finished(pod)


def _node_of(pod: Object) -> str:
    """The node that a pod is on, or is meant for."""
    if pod["spec"].get("nodeName"):
        found: str = pod["spec"]["nodeName"]
        return found
    required = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == "metadata.name" and field.get("values"):
                meant: str = field["values"][0]
                return meant
    return ""
