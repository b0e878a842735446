"""What a DELETE means for an object: finalizers, grace periods and propagation.

Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/ and
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.errors import Object, conflict, forbidden

if TYPE_CHECKING:
    from datetime import datetime

    from ecns.embedded.kubernetes.resources import Resource
    from ecns.embedded.kubernetes.store import Record

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
DEFINITION_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_ORPHANING = frozenset({"jobs.batch", "replicationcontrollers"})
"""Kinds whose dependants stay unless a propagation policy is given."""
_IMMORTAL = frozenset({"default", "kube-public", "kube-system"})
_UNCOLLECTED = frozenset({"events"})


class Plan(NamedTuple):
    """What to do: store `obj` if `changed`, then take it out if `remove`."""

    obj: Object
    changed: bool
    remove: bool


def check(kind: Resource, record: Record, preconditions: Object | None) -> None:
    """Compares uid and resourceVersion, and keeps the namespaces that a cluster cannot do without.

    Raises:
        ApiError: 409 when one of them is another, 403 for such a namespace.

    """
    if kind.name == "namespaces" and record.name in _IMMORTAL:
        raise forbidden(kind.name, record.name, "this namespace may not be deleted")
    wanted = preconditions or {}
    uid, version = wanted.get("uid"), wanted.get("resourceVersion")
    full = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    if uid is not None and uid != record.uid:
        why = (
            f"the UID in the precondition ({uid}) does not match the UID in record ({record.uid}). "
            "The object might have been deleted and then recreated"
        )
        raise conflict(full, record.name, why)
    if version is not None and version != str(record.rv):
        why = (
            f"the ResourceVersion in the precondition ({version}) does not match the "
            "ResourceVersion in record "
            f"({record.rv}). The object might have been modified"
        )
        raise conflict(full, record.name, why)


def is_finished(resource: str, new: Object, old: Object) -> bool:
    """Whether an update of an object that is being deleted takes away what it waited for."""
    metadata = old["metadata"]
    if not metadata.get("deletionTimestamp") or new["metadata"].get("finalizers"):
        return False
    if resource == "namespaces" and new.get("spec", {}).get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds")


def plan(kind: Resource, obj: Object, propagation: str | None, grace: int | None, now: datetime) -> Plan:
    """The effect of a DELETE on `obj`, a copy that is changed."""
    metadata = obj["metadata"]
    deleting = bool(metadata.get("deletionTimestamp"))
    changed = not _is_pending(kind.name, metadata, grace) and _mark_propagation(
        kind.name, metadata, propagation
    )
    waits = bool(metadata.get("finalizers"))
    if kind.name == "namespaces":
        return _plan_namespace(obj, now, changed=changed, waits=waits)
    if kind.name == "customresourcedefinitions.apiextensions.k8s.io":
        return _plan_definition(obj, now, deleting=deleting)
    if kind.name == "pods":
        return _plan_pod(obj, grace, now, changed=changed, waits=waits)
    if not waits:
        return Plan(obj, changed=False, remove=True)
    if not deleting:
        _mark(metadata, now, 0)
        changed = True
    return Plan(obj, changed=changed, remove=False)


def _is_pending(resource: str, metadata: Object, grace: int | None) -> bool:
    """Whether a pod is being deleted already and not sooner now: its finalizers stay as they are then."""
    before = metadata.get("deletionGracePeriodSeconds")
    return resource == "pods" and before is not None and (grace is None or grace >= before)


def _mark(metadata: Object, now: datetime, grace: int) -> None:
    metadata["deletionTimestamp"] = clock.stamp(now + timedelta(seconds=grace))
    metadata["deletionGracePeriodSeconds"] = grace
    if metadata.get("generation"):
        metadata["generation"] += 1


def _plan_definition(obj: Object, now: datetime, *, deleting: bool) -> Plan:
    if deleting:
        return Plan(obj, changed=False, remove=not obj["metadata"].get("finalizers"))
    metadata = obj["metadata"]
    metadata["deletionTimestamp"] = clock.stamp(now)
    metadata["finalizers"] = [*(metadata.get("finalizers") or []), DEFINITION_FINALIZER]
    terminating = {
        "type": "Terminating",
        "status": "True",
        "lastTransitionTime": clock.stamp(now),
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    }
    status = obj.setdefault("status", {})
    status["conditions"] = [*(status.get("conditions") or []), terminating]
    return Plan(obj, changed=True, remove=False)


def _plan_namespace(obj: Object, now: datetime, *, changed: bool, waits: bool) -> Plan:
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp"):
        metadata["deletionTimestamp"] = clock.stamp(now)
        obj.setdefault("status", {})["phase"] = "Terminating"
        changed = True
    remove = not waits and not obj.get("spec", {}).get("finalizers")
    return Plan(obj, changed=changed and not remove, remove=remove)


def _plan_pod(obj: Object, grace: int | None, now: datetime, *, changed: bool, waits: bool) -> Plan:
    metadata, spec = obj["metadata"], obj.get("spec", {})
    if metadata.get("deletionTimestamp"):
        before = metadata.get("deletionGracePeriodSeconds")
        if before is None or grace is None or grace >= before:
            return Plan(obj, changed=changed, remove=not waits and not before)
        at = clock.parse(metadata["deletionTimestamp"]) + timedelta(seconds=grace - before)
        metadata["deletionTimestamp"], metadata["deletionGracePeriodSeconds"] = clock.stamp(at), grace
        return Plan(obj, changed=True, remove=not waits and grace == 0)
    seconds = grace if grace is not None else spec.get("terminationGracePeriodSeconds") or 0
    if not spec.get("nodeName") or obj.get("status", {}).get("phase") in {"Failed", "Succeeded"}:
        seconds = 0
    if seconds < 0:
        seconds = 1
    _mark(metadata, now, seconds)
    return Plan(obj, changed=True, remove=not waits and seconds == 0)


def _mark_propagation(resource: str, metadata: Object, propagation: str | None) -> bool:
    finalizers: list[str] = metadata.get("finalizers") or []
    if resource in _UNCOLLECTED:
        return False
    if propagation is not None:
        orphan, foreground = propagation == "Orphan", propagation == "Foreground"
    elif ORPHAN in finalizers or FOREGROUND in finalizers:
        orphan, foreground = ORPHAN in finalizers, FOREGROUND in finalizers and ORPHAN not in finalizers
    else:
        orphan, foreground = resource in _ORPHANING, False
    wanted = [item for item in finalizers if item not in {ORPHAN, FOREGROUND}]
    wanted += [ORPHAN] if orphan else []
    wanted += [FOREGROUND] if foreground else []
    if set(wanted) == set(finalizers):
        return False
    if wanted:
        metadata["finalizers"] = wanted
    else:
        metadata.pop("finalizers", None)
    return True
