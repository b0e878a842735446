"""What the controllers have in common: the event recorder, and which objects have no controller yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.events import Events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.selectors import Requirement
    from ecns.embedded.kubernetes.store import Record


class Orphans:
    """The objects of one resource that no controller owns, by namespace: what may be adopted."""

    def __init__(self, cluster: Cluster, resource: str) -> None:
        self._cluster = cluster
        self._resource = resource
        self._names: dict[str, set[str]] = {}
        for record in cluster.store.all(resource):
            if not record.owners:
                self._names.setdefault(record.namespace, set()).add(record.name)
        self.stop = cluster.observe(resource, self._changed)

    def _changed(self, _event: str, new: Object | None, old: Object | None) -> None:
        obj = new or old
        if obj is None:
            return
        metadata = obj["metadata"]
        namespace = metadata.get("namespace", "")
        if new is None or objects.controller_of(new) is not None:
            names = self._names.get(namespace)
            if names is not None:
                names.discard(metadata["name"])
                if not names:
                    del self._names[namespace]
        else:
            self._names.setdefault(namespace, set()).add(metadata["name"])

    def records(self, namespace: str) -> Iterator[Record]:
        """Those in a namespace, by name."""
        for name in sorted(self._names.get(namespace, ())):
            record = self._cluster.store.get(self._resource, namespace, name)
            if record is not None:
                yield record


class Shared:
    """Made once for all controllers of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.events = Events(cluster)
        self._orphans: dict[str, Orphans] = {}
        self._stops: list[Callable[[], None]] = []

    def orphans(self, resource: str) -> Orphans:
        """The index of a resource's objects that have no controller."""
        found = self._orphans.get(resource)
        if found is None:
            found = self._orphans[resource] = Orphans(self.cluster, resource)
            self._stops.append(found.stop)
        return found

    def claim(
        self, owner: Object, resource: str, selector: tuple[Requirement, ...], *, finalizer: str = ""
    ) -> list[Object]:
        """The objects of a resource that `owner` controls, after adopting and releasing by its selector.

        `finalizer` comes and goes with the owner. Returns them sorted by name.
        """
        metadata = owner["metadata"]
        namespace, deleting = metadata.get("namespace", ""), bool(metadata.get("deletionTimestamp"))
        mine: list[Object] = []
        for kind, obj in self.cluster.owned(metadata["uid"]):
            if kind != resource or (objects.controller_of(obj) or {}).get("uid") != metadata["uid"]:
                continue
            if objects.selects(selector, obj):
                mine.append(obj)
            elif not deleting and not obj["metadata"].get("deletionTimestamp"):
                self._release(resource, obj, metadata["uid"], finalizer)
        if not deleting:
            mine += [
                self._adopt(resource, record.obj, owner, finalizer)
                for record in list(self.orphans(resource).records(namespace))
                if objects.selects(selector, record.obj)
                and not record.obj["metadata"].get("deletionTimestamp")
            ]
        mine.sort(key=lambda obj: str(obj["metadata"]["name"]))
        return mine

    def _adopt(self, resource: str, obj: Object, owner: Object, finalizer: str) -> Object:
        owners = list(obj["metadata"].get("ownerReferences") or ())
        owners = [item for item in owners if item.get("uid") != owner["metadata"]["uid"]]
        metadata = {**obj["metadata"], "ownerReferences": [*owners, objects.owned_by(owner)]}
        if finalizer:
            others = [item for item in metadata.get("finalizers") or () if item != finalizer]
            metadata["finalizers"] = [*others, finalizer]
        return self.cluster.update(resource, {**obj, "metadata": metadata})

    def _release(self, resource: str, obj: Object, uid: str, finalizer: str) -> None:
        metadata = dict(obj["metadata"])
        metadata["ownerReferences"] = [item for item in metadata["ownerReferences"] if item.get("uid") != uid]
        metadata["finalizers"] = [item for item in metadata.get("finalizers") or () if item != finalizer]
        self.cluster.update(resource, {**obj, "metadata": metadata})

    def stop(self) -> None:
        """Ends the indexes."""
        for stop in self._stops:
            stop()
        self._stops.clear()
        self._orphans.clear()
