"""Garbage collection: dependants go when their owners are gone, in the background, the foreground, or stay.

Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.deletion import FOREGROUND, ORPHAN

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.controllers.shared import Shared
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Change

_PAUSE = 0.05
"""Seconds until a change is acted on: others see an owner that is going before it is gone."""


class Collector(Controller):
    """Follows ownerReferences. Its keys are (resource, namespace, name) and ("owner", uid)."""

    name = "garbage-collector-controller"

    def __init__(self, cluster: Cluster, shared: Shared) -> None:
        super().__init__(cluster, shared)
        self._listening: set[str] = set()
        self._foreground: dict[str, Key] = {}

    def begin(self) -> None:
        """Listens to every resource, custom ones as they come."""
        for resource in self.cluster.resources:
            self._listen(resource.name)

        def defined(_event: str, _new: Object | None, _old: Object | None) -> None:
            for resource in self.cluster.resources:
                self._listen(resource.name)

        self.watch("customresourcedefinitions.apiextensions.k8s.io", defined)

    def start(self) -> None:
        """Looks once through everything that has an owner."""
        super().start()
        uids = {
            record.uid
            for resource in self.cluster.store.resources()
            for record in self.cluster.store.all(resource)
        }
        for resource in self.cluster.store.resources():
            for record in self.cluster.store.all(resource):
                lost = any(uid not in uids for uid in record.owners)
                if lost or (b'"deletionTimestamp"' in record.data[:2000] and b'"finalizers"' in record.data):
                    self.enqueue((resource, record.namespace, record.name))

    def _listen(self, resource: str) -> None:
        if resource in self._listening or resource == "events":
            return
        self._listening.add(resource)
        self._subscriptions.append(self.cluster.store.subscribe(resource, self._changed))

    def _changed(self, change: Change) -> None:
        record = change.new
        if change.type == "DELETED":
            if self.cluster.store.owned(record.uid):
                self.after(_PAUSE, ("owner", record.uid))
            for uid in record.owners:
                self._owner_waits(uid)
            return
        if record.owners and (change.old is None or change.old.owners != record.owners):
            self.after(_PAUSE, (record.resource, record.namespace, record.name))
            for uid in change.old.owners if change.old else ():
                self._owner_waits(uid)
        metadata = record.obj["metadata"]
        if metadata.get("deletionTimestamp") and {ORPHAN, FOREGROUND} & set(metadata.get("finalizers") or ()):
            self.after(_PAUSE, (record.resource, record.namespace, record.name))

    def _owner_waits(self, uid: str) -> None:
        waiting = self._foreground.get(uid)
        if waiting is not None:
            self.enqueue(waiting)

    def sync(self, key: Key) -> None:
        """Works on one object, or on all dependants of an owner that is gone."""
        if key[0] == "owner":
            self._foreground.pop(key[1], None)
            for resource, dependant in self.cluster.owned(key[1]):
                metadata = dependant["metadata"]
                self.enqueue((resource, metadata.get("namespace", ""), metadata["name"]))
            return
        resource, namespace, name = key
        obj = self.cluster.find(resource, name, namespace)
        if obj is None:
            return
        metadata = obj["metadata"]
        if metadata.get("deletionTimestamp"):
            finalizers = metadata.get("finalizers") or ()
            if ORPHAN in finalizers:
                self._orphan(resource, obj)
            elif FOREGROUND in finalizers:
                self._collect_first(resource, obj, key)
            return
        if metadata.get("ownerReferences"):
            self._attend(resource, obj)

    def _attend(self, resource: str, obj: Object) -> None:
        """Decides about an object that has owners."""
        metadata = obj["metadata"]
        solid: list[Object] = []
        waiting: list[Object] = []
        for reference in metadata["ownerReferences"]:
            owner = self._owner(reference, metadata.get("namespace", ""))
            if owner is None:
                continue
            (waiting if _waits(owner) else solid).append(reference)
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if solid:
            if len(solid) != len(metadata["ownerReferences"]):
                changed = {**obj, "metadata": {**metadata, "ownerReferences": solid}}
                self.cluster.update(resource, changed)
            return
        preconditions = {"uid": metadata["uid"]}
        if waiting:
            dependants = self.cluster.owned(metadata["uid"])
            if any(_waits(item) for _, item in dependants):
                self._unblock(resource, obj)
            policy = "Foreground" if dependants else "Background"
            self.cluster.delete(resource, name, namespace, propagation=policy, preconditions=preconditions)
            return
        finalizers = metadata.get("finalizers") or ()
        policy = (
            "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background"
        )
        self.cluster.delete(resource, name, namespace, propagation=policy, preconditions=preconditions)

    def _owner(self, reference: Object, namespace: str) -> Object | None:
        kind = self.cluster.resources.by_kind(reference.get("apiVersion", ""), reference.get("kind", ""))
        if kind is None:
            return {"metadata": {}}
        owner = self.cluster.find(
            kind.stored_as, reference.get("name", ""), namespace if kind.namespaced else ""
        )
        if owner is None or owner["metadata"].get("uid") != reference.get("uid"):
            return None
        return owner

    def _unblock(self, resource: str, obj: Object) -> None:
        """Breaks a circle of owners that wait for one another: nobody waits for this one any more."""
        metadata = obj["metadata"]
        references = [
            {**reference, "blockOwnerDeletion": False} if reference.get("blockOwnerDeletion") else reference
            for reference in metadata["ownerReferences"]
        ]
        if references != metadata["ownerReferences"]:
            self.cluster.update(resource, {**obj, "metadata": {**metadata, "ownerReferences": references}})
            for reference in references:
                self._owner_waits(reference.get("uid", ""))

    def _orphan(self, resource: str, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        for kind, obj in self.cluster.owned(uid):
            kept = [item for item in obj["metadata"]["ownerReferences"] if item.get("uid") != uid]
            metadata = {key: value for key, value in obj["metadata"].items() if key != "ownerReferences"}
            self.cluster.update(
                kind, {**obj, "metadata": {**metadata, "ownerReferences": kept} if kept else metadata}
            )
        self._drop_finalizer(resource, owner, ORPHAN)

    def _collect_first(self, resource: str, owner: Object, key: Key) -> None:
        uid = owner["metadata"]["uid"]
        blocking = False
        for kind, obj in self.cluster.owned(uid):
            metadata = obj["metadata"]
            reference = next(item for item in metadata["ownerReferences"] if item.get("uid") == uid)
            blocking = blocking or bool(reference.get("blockOwnerDeletion"))
            if not metadata.get("deletionTimestamp"):
                self.enqueue((kind, metadata.get("namespace", ""), metadata["name"]))
        if blocking:
            self._foreground[uid] = key
        else:
            self._foreground.pop(uid, None)
            self._drop_finalizer(resource, owner, FOREGROUND)

    def _drop_finalizer(self, resource: str, obj: Object, finalizer: str) -> None:
        metadata = obj["metadata"]
        current = self.cluster.find(resource, metadata["name"], metadata.get("namespace", ""))
        if current is None or current["metadata"].get("uid") != metadata["uid"]:
            return
        kept = [item for item in current["metadata"].get("finalizers") or () if item != finalizer]
        rest = {key: value for key, value in current["metadata"].items() if key != "finalizers"}
        self.cluster.update(resource, {**current, "metadata": {**rest, "finalizers": kept} if kept else rest})


def _waits(obj: Object) -> bool:
    """Whether an object is being deleted in the foreground: it waits for its dependants."""
    metadata = obj["metadata"]
    return bool(metadata.get("deletionTimestamp")) and FOREGROUND in (metadata.get("finalizers") or ())
