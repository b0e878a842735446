"""Namespaces: what each gets, and how one that is deleted is emptied.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Record

_RESOURCE = "namespaces"
_SECOND_LOOK = 0.1
_ROOT_CA = "kube-root-ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such "
    "as the internal service IP or kubernetes.default.svc. "
    "No other usage is guaranteed across distributions of Kubernetes clusters."
)


def _is_going(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


class _Essentials(Controller):
    """Keeps one object in every namespace."""

    resource = _RESOURCE
    kept = ""
    kept_name = ""

    def begin(self) -> None:
        """Watches namespaces and the object."""

        def changed(_event: str, new: Object | None, _old: Object | None) -> None:
            if new is not None:
                self.enqueue(("", new["metadata"]["name"]))

        def lost(event: str, new: Object | None, old: Object | None) -> None:
            obj = new or old
            if obj is not None and obj["metadata"]["name"] == self.kept_name and (event != "ADDED"):
                self.enqueue(("", obj["metadata"]["namespace"]))

        self.watch(_RESOURCE, changed)
        self.watch(self.kept, lost)

    def is_settled(self, record: Record) -> bool:
        """Whether the object is there."""
        return self.cluster.store.get(self.kept, record.name, self.kept_name) is not None

    def body(self) -> Object:
        """The object without its namespace."""
        raise NotImplementedError

    def sync(self, key: Key) -> None:
        """Makes it where it is missing."""
        namespace = self.cluster.find(_RESOURCE, key[1])
        if namespace is None or _is_going(namespace):
            return
        current, body = self.cluster.find(self.kept, self.kept_name, key[1]), self.body()
        if current is None:
            self.cluster.create(self.kept, body, namespace=key[1])
        elif "data" in body and current.get("data") != body["data"]:
            self.cluster.update(self.kept, {**current, "data": body["data"]})


class RootCertificates(_Essentials):
    """The ConfigMap with the certificate that clients in pods trust."""

    name = "root-ca-certificate-publisher-controller"
    kept = "configmaps"
    kept_name = _ROOT_CA

    def body(self) -> Object:
        """As Kubernetes writes it."""
        return {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": _ROOT_CA, "annotations": {"kubernetes.io/description": _DESCRIPTION}},
            "data": {"ca.crt": self.cluster.authority},
        }


class ServiceAccounts(_Essentials):
    """The ServiceAccount `default`."""

    name = "serviceaccount-controller"
    kept = "serviceaccounts"
    kept_name = "default"

    def body(self) -> Object:
        """Nothing but its name."""
        return {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default"}}


class NamespaceDeletion(Controller):
    """Deletes what is in a namespace that is being deleted, then the namespace."""

    name = "namespace-controller"
    resource = _RESOURCE

    def begin(self) -> None:
        """Watches namespaces; what is left in one is looked at again when it changes."""

        def changed(_event: str, new: Object | None, _old: Object | None) -> None:
            if new is not None and _is_going(new):
                self.enqueue(("", new["metadata"]["name"]))

        self.watch(_RESOURCE, changed)
        self._waiting: dict[str, set[str]] = {}
        self._watched: set[str] = set()

    def is_settled(self, record: Record) -> bool:
        """One that stays."""
        return not _is_going(record.obj)

    def sync(self, key: Key) -> None:
        """Empties one a bit more."""
        name = key[1]
        namespace = self.cluster.find(_RESOURCE, name)
        if namespace is None or not _is_going(namespace):
            self._waiting.pop(name, None)
            return
        failures = self._delete_content(name)
        left: dict[str, list[Object]] = {}
        for resource in self.cluster.resources:
            if resource.namespaced and resource.stored_as == resource.name:
                found = self.cluster.list(resource.name, name)
                if found:
                    left[resource.name] = found
        # A first look tells what it deletes as removed; only the next one tells what has stayed.
        first = not namespace.get("status", {}).get("conditions")
        self._write_conditions(namespace, {} if first else left, failures)
        if left or failures:
            self._wait(name, set(left))
            if failures or first:
                self.after(1.0 if failures else _SECOND_LOOK, key)
            return
        self._waiting.pop(name, None)
        current = self.cluster.find(_RESOURCE, name)
        if current is not None:
            self._finalize(current)

    def _finalize(self, namespace: Object) -> None:
        kept = [item for item in namespace["spec"].get("finalizers") or () if item != "kubernetes"]
        spec = {key: value for key, value in namespace["spec"].items() if key != "finalizers"}
        if kept:
            spec["finalizers"] = kept
        self.cluster.update(_RESOURCE, {**namespace, "spec": spec}, subresource="finalize")

    def _wait(self, name: str, resources: set[str]) -> None:
        self._waiting[name] = resources
        for resource in resources - self._watched:
            self._watched.add(resource)

            def gone(event: str, _new: Object | None, old: Object | None) -> None:
                if event == "DELETED" and old is not None and old["metadata"]["namespace"] in self._waiting:
                    self.enqueue(("", old["metadata"]["namespace"]))

            self.watch(resource, gone)

    def _delete_content(self, name: str) -> list[str]:
        failures: list[str] = []
        for resource in list(self.cluster.resources):
            if (
                not resource.namespaced
                or resource.stored_as != resource.name
                or "delete" not in resource.verbs
            ):
                continue
            for obj in self.cluster.list(resource.name, name):
                if _is_going(obj):
                    continue
                try:
                    self.cluster.delete(
                        resource.name, obj["metadata"]["name"], name, propagation="Background"
                    )
                except ApiError as error:
                    if error.reason != "NotFound":
                        failures.append(str(error))
        return failures

    def _write_conditions(
        self, namespace: Object, left: dict[str, list[Object]], failures: list[str]
    ) -> None:
        held: dict[str, int] = {}
        for objects in left.values():
            for obj in objects:
                for finalizer in obj["metadata"].get("finalizers") or ():
                    held[finalizer] = held.get(finalizer, 0) + 1
        counts = ", ".join(
            f"{resource if '.' in resource else resource + '.'} has {len(found)} resource instances"
            for resource, found in sorted(left.items())
        )
        holders = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(held.items()))
        wanted = (
            (
                "NamespaceDeletionDiscoveryFailure",
                "",
                "ResourcesDiscovered",
                "All resources successfully discovered",
            ),
            (
                "NamespaceDeletionGroupVersionParsingFailure",
                "",
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
            (
                "NamespaceDeletionContentFailure",
                "; ".join(failures),
                "ContentDeletionFailed" if failures else "ContentDeleted",
                f"Failed to delete all resource types, {len(failures)} remaining: {'; '.join(failures)}"
                if failures
                else "All content successfully deleted, may be waiting on finalization",
            ),
            (
                "NamespaceContentRemaining",
                counts,
                "SomeResourcesRemain" if left else "ContentRemoved",
                f"Some resources are remaining: {counts}" if left else "All content successfully removed",
            ),
            (
                "NamespaceFinalizersRemaining",
                holders,
                "SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
                f"Some content in the namespace has finalizers remaining: {holders}"
                if held
                else "All content-preserving finalizers finished",
            ),
        )
        before = {item["type"]: item for item in namespace.get("status", {}).get("conditions") or ()}
        conditions: list[Object] = []
        at = clock.stamp(self.now())
        for kind, problem, reason, message in wanted:
            status = "True" if problem else "False"
            old = before.get(kind)
            changed = at if old is None or old["status"] != status else old["lastTransitionTime"]
            conditions.append(
                {
                    "type": kind,
                    "status": status,
                    "lastTransitionTime": changed,
                    "reason": reason,
                    "message": message,
                }
            )
        if conditions != namespace.get("status", {}).get("conditions"):
            status_now = {**namespace.get("status", {}), "conditions": conditions}
            self.cluster.update_status(_RESOURCE, {**namespace, "status": status_now})
