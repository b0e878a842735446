"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/controller-revision-v1/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.hashing import data_hash

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object

RESOURCE = "controllerrevisions.apps"
POD_LABEL = "controller-revision-hash"


def data_of(owner: Object) -> Object:
    """A revision's `data`: a patch that puts the template back."""
    return {"spec": {"template": {"$patch": "replace", **owner["spec"]["template"]}}}


def owned(cluster: Cluster, owner: Object) -> list[Object]:
    """The revisions of an owner, oldest first."""
    found = [obj for resource, obj in cluster.owned(owner["metadata"]["uid"]) if resource == RESOURCE]
    return sorted(found, key=lambda obj: (obj["revision"], obj["metadata"]["name"]))


class History:
    """An owner's revisions, brought up to date with its template.

    Args:
        cluster: where they are.
        owner: the StatefulSet or DaemonSet.
        label: the label of a revision that holds its hash.
        annotations: of a new revision, with those of its owner.

    """

    def __init__(
        self, cluster: Cluster, owner: Object, label: str, annotations: dict[str, str] | None = None
    ) -> None:
        self._cluster = cluster
        self._owner = owner
        self._label = label
        self._annotations = {**(owner["metadata"].get("annotations") or {}), **(annotations or {})}
        self.revisions = owned(cluster, owner)
        self.update = self._present()

    def _present(self) -> Object:
        data = data_of(self._owner)
        found = next((item for item in self.revisions if item["data"] == data), None)
        highest = max((item["revision"] for item in self.revisions), default=0)
        if found is not None:
            if found["revision"] < highest:
                found = self._cluster.update(RESOURCE, {**found, "revision": highest + 1})
                self.revisions = owned(self._cluster, self._owner)
            return found
        metadata = self._owner["metadata"]
        hashed = data_hash(data)
        collisions = 0
        while self._cluster.find(RESOURCE, f"{metadata['name']}-{hashed}", metadata["namespace"]) is not None:
            collisions += 1
            hashed = data_hash(data, collisions)
        labels = {**(self._owner["spec"]["template"]["metadata"].get("labels") or {}), self._label: hashed}
        meta: Object = {
            "name": f"{metadata['name']}-{hashed}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [objects.owned_by(self._owner)],
        }
        if self._annotations:
            meta["annotations"] = self._annotations
        made = self._cluster.create(
            RESOURCE,
            {
                "kind": "ControllerRevision",
                "apiVersion": "apps/v1",
                "metadata": meta,
                "data": data,
                "revision": highest + 1,
            },
            namespace=metadata["namespace"],
        )
        self.revisions.append(made)
        return made

    def hash_of(self, revision: Object) -> str:
        """The hash in its label."""
        found: str = (revision["metadata"].get("labels") or {}).get(self._label, "")
        return found

    def trim(self, limit: int, live: set[str]) -> None:
        """Deletes the oldest beyond `limit` of those that are not live (by name)."""
        old = [item for item in self.revisions if item["metadata"]["name"] not in live]
        for item in old[: max(len(old) - limit, 0)]:
            self._cluster.delete(RESOURCE, item["metadata"]["name"], item["metadata"]["namespace"])


def template_in(revision: Object) -> Object:
    """The pod template that a revision holds."""
    return {key: value for key, value in revision["data"]["spec"]["template"].items() if key != "$patch"}
