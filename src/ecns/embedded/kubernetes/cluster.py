"""The API server's inside: every read and write of objects, for HTTP and for the controllers alike.

Each write runs through defaults, admission, the kind's strategy and validation, then into the store;
observers are told after that, in order.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import logging
import random
import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from ecns.embedded.kubernetes import (
    admission,
    applying,
    clock,
    conversion,
    deletion,
    ownership,
    patches,
    pipeline,
    preconditions,
    rbac,
)
from ecns.embedded.kubernetes import metadata as meta
from ecns.embedded.kubernetes.auth import SYSTEM, User
from ecns.embedded.kubernetes.controllers import services
from ecns.embedded.kubernetes.definitions import Definitions
from ecns.embedded.kubernetes.errors import (
    ApiError,
    Cause,
    Object,
    already_exists,
    invalid,
    not_found,
    not_written,
)
from ecns.embedded.kubernetes.metadata import clone, suffix
from ecns.embedded.kubernetes.observers import Observers
from ecns.embedded.kubernetes.ownership import Manager
from ecns.embedded.kubernetes.resources import Resource, Resources
from ecns.embedded.kubernetes.store import Record, Store, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

_log = logging.getLogger(__name__)

_LONGEST_BASE, _TRIES = 58, 8
_Owned = list[tuple[str, Object]]


class Cluster:
    """One cluster's objects.

    Args:
        path: the SQLite file; None keeps everything in memory only.
        now: the clock.

    """

    def __init__(self, path: Path | None = None, *, now: Callable[[], datetime] = clock.now) -> None:
        self.resources = Resources()
        self.now = now
        self.authority = ""
        self.warnings: list[str] = []
        self._observers = Observers()
        self.observe = self._observers.add
        """Tells a callback of each write of a resource (`Observers.add`)."""
        self.store = Store(path, self.resources)
        self.rbac = rbac.Authorizer(self)
        self.definitions = Definitions(self)

    # reading

    def get(self, resource: str, name: str, namespace: str = "") -> Object:
        """One object; do not change it.

        Raises:
            ApiError: 404 when it does not exist.

        """
        return self.record(resource, name, namespace).obj

    def record(self, resource: str, name: str, namespace: str = "") -> Record:
        """The same with its bytes."""
        stored = self.resources[resource].stored_as
        found = self.store.get(stored, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def find(self, resource: str, name: str, namespace: str = "") -> Object | None:
        """One object, or None."""
        found = self.store.get(resource, namespace, name)
        return found.obj if found else None

    def list(self, resource: str, namespace: str | None = None) -> list[Object]:
        """All objects of a resource, of one namespace or of all (None), by namespace and name."""
        return [record.obj for record in self.store.all(resource, namespace)]

    def owned(self, uid: str) -> _Owned:
        """(resource, object) of all that name `uid` among their ownerReferences."""
        return [(record.resource, record.obj) for record in self.store.owned(uid)]

    # writing

    def create(
        self,
        resource: str,
        obj: Object,
        *,
        namespace: str = "",
        user: User = SYSTEM,
        dry_run: bool = False,
        manager: Manager | None = None,
        version: str = "",
        track: Callable[[Object | None, Object], None] | None = None,
    ) -> Object:
        """Makes an object.

        Args:
            resource: `pods`.
            obj: the object as sent; it is not changed.
            namespace: the request's, for namespaced resources.
            user: who asks, for admission.
            dry_run: everything but the store.
            manager: owner of the fields, for managedFields.
            version: the API version that `obj` is in; only custom resources differ by it.
            track: writes managedFields in another way than a create does (server-side apply).

        Raises:
            ApiError: as Kubernetes would answer.

        """
        kind = self.resources[resource]
        new = clone(obj)
        metadata = meta.of(new)
        meta.place(kind, metadata, namespace)
        if metadata.get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        generated = not metadata.get("name") and metadata.get("generateName")
        if generated:
            metadata["name"] = self._generate(kind, metadata)
        pipeline.apply_defaults(kind, version, new)
        request = admission.Request(
            operation="CREATE",
            resource=resource,
            subresource="",
            namespace=metadata.get("namespace", ""),
            name=metadata["generateName"] if generated else metadata.get("name", ""),
            obj=new,
            old=None,
            user=user,
            dry_run=dry_run,
            warnings=self.warnings,
        )
        admission.mutate(self, request)
        metadata = new["metadata"]
        meta.dedupe_owners(metadata, self.warnings)
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(key, None)
        metadata["uid"] = str(uuid.UUID(int=random.getrandbits(128), version=4))  # a name, not a secret
        metadata["creationTimestamp"] = clock.stamp(self.now())
        if track is not None:
            track(None, new)
        else:
            ownership.update(kind, None, new, manager, "", self.now())
        pipeline.prepare_for_create(kind, new)
        causes = pipeline.validate_create(_spoken(kind, manager), version, new)
        if causes:
            raise invalid(kind.kind, kind.group, metadata.get("name", ""), causes)
        self._allocate(resource, new, None, dry_run=dry_run)
        self.rbac.check_escalation(resource, new, None, user)
        request.name = metadata["name"]
        admission.check(self, request)
        present = self.store.get(resource, metadata.get("namespace", ""), metadata["name"])
        if present is not None:
            taken = already_exists(resource, metadata["name"])
            if present.obj["metadata"].get("deletionTimestamp"):
                taken.message = f"object is being deleted: {taken.message}"
            raise taken
        put = self._put_lean if track is None else self._put
        return put(kind, new, dry_run=dry_run)

    def _allocate(self, resource: str, new: Object, old: Object | None, *, dry_run: bool) -> None:
        if resource != "services":
            return
        try:
            services.allocate(self, new, old)
        except ApiError as error:
            # A real server does not look whether a dry run's addresses are free.
            if not dry_run or ("provided IP" in error.message and "valid range" in error.message):
                raise

    def _generate(self, kind: Resource, metadata: Object) -> str:
        base, namespace = metadata["generateName"][:_LONGEST_BASE], metadata.get("namespace", "")
        name: str = base + suffix()
        for _ in range(_TRIES):
            if self.store.get(kind.name, namespace, name) is None:
                break
            name = base + suffix()
        return name

    def update(
        self,
        resource: str,
        obj: Object,
        *,
        subresource: str = "",
        user: User = SYSTEM,
        dry_run: bool = False,
        manager: Manager | None = None,
        version: str = "",
    ) -> Object:
        """Replaces an object, or the part of it that a subresource is about; `obj` is not changed.

        Raises:
            ApiError: 404, 409 on a stale resourceVersion (when it is set), 422, 403.

        """
        kind = self.resources[resource]
        new = clone(obj)
        metadata = meta.of(new)
        namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
        record = self.store.get(resource, namespace, name)
        if record is None:
            if resource in preconditions.MADE_BY_UPDATE and not subresource:
                metadata.pop("resourceVersion", None)
                return self.create(
                    resource,
                    new,
                    namespace=namespace,
                    user=user,
                    dry_run=dry_run,
                    manager=manager,
                    version=version,
                )
            raise not_found(resource, name)
        return self.replace(
            kind,
            record,
            new,
            subresource=subresource,
            user=user,
            dry_run=dry_run,
            manager=manager,
            version=version,
        )

    def replace(
        self,
        kind: Resource,
        record: Record,
        new: Object,
        *,
        subresource: str = "",
        user: User = SYSTEM,
        dry_run: bool = False,
        manager: Manager | None = None,
        version: str = "",
        track: Callable[[Object | None, Object], None] | None = None,
    ) -> Object:
        """Puts `new`, which becomes the store's, in the place of a record (as `update`).

        `track` writes managedFields in another way than an update does (server-side apply).
        """
        resource, old = kind.name, record.obj
        metadata = meta.of(new)
        preconditions.check(kind, record, metadata)
        for key in (
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
        ):
            if key in old["metadata"]:
                metadata[key] = old["metadata"][key]
            else:
                metadata.pop(key, None)
        meta.dedupe_owners(metadata, self.warnings)
        metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
        metadata.pop("selfLink", None)
        pipeline.apply_defaults(kind, version, new)
        request = admission.Request(
            operation="UPDATE",
            resource=resource,
            subresource=subresource,
            namespace=record.namespace,
            name=record.name,
            obj=new,
            old=old,
            user=user,
            dry_run=dry_run,
            warnings=self.warnings,
        )
        admission.mutate(self, request)
        pipeline.prepare_for_update(kind, new, old, subresource)
        causes = pipeline.validate_update(_spoken(kind, manager), version, new, old, subresource)
        if causes:
            raise invalid(kind.kind, kind.group, record.name, causes)
        if not subresource:
            self._allocate(resource, new, old, dry_run=dry_run)
        self.rbac.check_escalation(resource, new, old, user)
        admission.check(self, request)
        if track is not None:
            track(old, new)
        else:
            ownership.update(kind, old, new, manager, subresource, self.now())
        if meta.same(old, new):
            return old
        if deletion.is_finished(resource, new, old):
            if not dry_run:
                self._remove(kind, clone(old))  # watchers see it as it was before its last change
            return new
        put = self._put_lean if track is None else self._put
        return put(kind, new, dry_run=dry_run)

    def update_status(self, resource: str, obj: Object) -> Object:
        """`update` of the status subresource."""
        return self.update(resource, obj, subresource="status")

    def patch(
        self,
        resource: str,
        name: str,
        namespace: str,
        patch: Any,
        content_type: str = patches.MERGE,
        *,
        subresource: str = "",
        user: User = SYSTEM,
        dry_run: bool = False,
        manager: Manager | None = None,
        version: str = "",
        check: Callable[[Object], None] | None = None,
    ) -> Object:
        """Changes an object by a JSON, merge or strategic merge patch, or applies it.

        `resource` may be one that shows another's objects (`events.events.k8s.io`): the patch is of what it
        shows. `check` looks at the patched object before it is taken (strict decoding).

        Raises:
            ApiError: as `update`, and 400 or 422 for a patch that cannot be applied.

        """
        shown = self.resources[resource]
        kind = self.resources[shown.stored_as]
        version = version or shown.storage_version
        if content_type == patches.APPLY:
            return applying.apply(
                self,
                shown,
                name,
                namespace,
                patch,
                subresource=subresource,
                user=user,
                dry_run=dry_run,
                manager=manager,
                version=version,
                check=check,
            )
        record = self.record(kind.name, name, namespace)
        base = (
            clone(conversion.convert(record.obj, shown))
            if conversion.is_needed(shown, version)
            else clone(record.obj)
        )
        base["apiVersion"] = shown.api_version(version)
        before = {**base, "metadata": dict(base["metadata"])}  # a JSON Patch changes the base itself
        new = patches.apply(base, patch, content_type, shown, version)
        if check is not None:
            check(new)
        meta.check_identity(new, before)
        new = conversion.restore(pipeline.read(shown, version, new), shown, version)
        uid = meta.of(new).get("uid", "")
        if uid and uid != record.uid:
            cause = Cause("FieldValueInvalid", f'Invalid value: "{uid}": field is immutable', "metadata.uid")
            problem = invalid(kind.kind, kind.group, name, [cause])
            problem.details = {**(problem.details or {}), "causes": [msgspec.to_builtins(cause)] * 2}
            raise problem
        return self.replace(
            kind,
            record,
            new,
            subresource=subresource,
            user=user,
            dry_run=dry_run,
            manager=manager,
            version=version,
        )

    def delete(
        self,
        resource: str,
        name: str,
        namespace: str = "",
        *,
        propagation: str | None = None,
        grace_seconds: int | None = None,
        preconditions: Object | None = None,
        user: User = SYSTEM,  # noqa: ARG002  every write says who asks
        dry_run: bool = False,
    ) -> Object:
        """Deletes an object, or marks it when finalizers or a grace period stand before that.

        Returns its last state; it is gone when `find` says so.

        Raises:
            ApiError: 404, 409 for preconditions, 403.

        """
        kind = self.resources[resource]
        record = self.record(resource, name, namespace)
        deletion.check(kind, record, preconditions)
        plan = deletion.plan(kind, clone(record.obj), propagation, grace_seconds, self.now())
        if plan.changed and not dry_run:
            self._put(kind, plan.obj)
        if plan.remove:
            return plan.obj if dry_run else self._remove(kind, clone(plan.obj))
        return plan.obj

    def assign(self, pod: Object, node: str, annotations: dict[str, str], *, dry_run: bool = False) -> Object:
        """Gives a pod (a copy, which becomes the store's) its node, as a binding does."""
        pod["spec"]["nodeName"] = node
        if annotations:
            pod["metadata"]["annotations"] = {**(pod["metadata"].get("annotations") or {}), **annotations}
        status = pod.setdefault("status", {})
        scheduled = {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": clock.stamp(self.now()),
        }
        others = [item for item in status.get("conditions") or () if item["type"] != "PodScheduled"]
        status["conditions"] = [*others, scheduled]
        return self._put(self.resources["pods"], pod, dry_run=dry_run)

    def _put(self, kind: Resource, new: Object, *, dry_run: bool = False) -> Object:
        new["kind"], new["apiVersion"] = self.store.head(kind.name)
        new["metadata"] = meta.in_order(new["metadata"])
        if not dry_run:
            self._check_disk()
            metadata = new["metadata"]
            self._observers.tell(
                self.store.put(kind.name, metadata.get("namespace", ""), metadata["name"], new)
            )
        return new

    def _put_lean(self, kind: Resource, new: Object, *, dry_run: bool) -> Object:
        """The same; an object that is too large only with its managedFields goes without them."""
        try:
            return self._put(kind, new, dry_run=dry_run)
        except TooLargeError:
            new["metadata"].pop("managedFields", None)
            return self._put(kind, new, dry_run=dry_run)

    def _check_disk(self) -> None:
        if self.store.failure is not None:  # what is in memory only shall not become more
            raise not_written(self.store.failure)

    def _remove(self, kind: Resource, last: Object) -> Object:
        self._check_disk()
        metadata = last["metadata"]
        self._observers.tell(
            self.store.remove(kind.name, metadata.get("namespace", ""), metadata["name"], last)
        )
        return last

    def close(self) -> None:
        """Writes what is left to disk."""
        self.store.close()


def _spoken(kind: Resource, manager: Manager | None) -> Resource:
    """What the writer speaks of: an event is checked more strictly through events.k8s.io."""
    return (manager.shown if manager else None) or kind
