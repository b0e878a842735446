"""Between the reference's claims and Kubernetes' PersistentVolumeClaims; total, whoever made them.

Sources: reference 1.20 (pvc); https://kubernetes.io/docs/concepts/storage/persistent-volumes/.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ecns.api.claims.types import AttachedWorkload, Claim, ClaimToMake, Surroundings
from ecns.api.common.names import MANAGED_BY, MANAGER
from ecns.api.common.patching import Operations, operations
from ecns.backends.kubernetes.kinds import quantities
from ecns.backends.kubernetes.kinds.core import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    VolumeResources,
)
from ecns.backends.kubernetes.kinds.meta import JsonObject, ObjectMeta

ONE_POD = "ReadWriteOncePod"
"""Kubernetes' alone: one pod, and not only one node."""
ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", ONE_POD)
VOLUME_MODES = ("Filesystem", "Block")
SHARED = "ReadWriteMany"
WAITS = "WaitForFirstConsumer"
REMOVING = "Removing"
_OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
MANY = 5
"""Names that a sentence lists."""


def claim_object(sent: ClaimToMake, name: str, namespace: str, capacity: str) -> PersistentVolumeClaim:
    """The claim to make.

    Args:
        sent: what was sent.
        name: of the path.
        namespace: where.
        capacity: as a quantity.
    """
    return PersistentVolumeClaim(
        api_version=PERSISTENT_VOLUME_CLAIM.api_version,
        kind=PERSISTENT_VOLUME_CLAIM.kind,
        metadata=ObjectMeta(name=name, namespace=namespace, labels={MANAGED_BY: MANAGER}),
        spec=PersistentVolumeClaimSpec(
            access_modes=list(dict.fromkeys(sent.access_modes or ["ReadWriteOnce"])),
            storage_class_name=sent.storage_class_name or None,
            resources=VolumeResources(requests={"storage": capacity}),
            volume_mode=sent.volume_mode or "",
        ),
    )


def grown(whole: JsonObject, capacity: str) -> Operations:
    """The JSON Patch that lets a claim ask for more, if nobody else has changed that."""
    return operations(whole, {("spec", "resources", "requests", "storage"): capacity})


def class_of(found: PersistentVolumeClaim | PersistentVolume) -> str:
    """The storage class of a claim or volume, which old ones have in an annotation; empty without."""
    old = (found.metadata.annotations or {}).get(_OLD_CLASS)
    return old if old is not None else found.spec.storage_class_name or ""


def asked(found: PersistentVolumeClaim) -> Any:
    """The quantity that a claim asks for, if any."""
    return (found.spec.resources.requests or {}).get("storage")


def word(found: PersistentVolumeClaim) -> str:
    """Pending, Bound or Lost, as Kubernetes says; Removing while it is being deleted."""
    return REMOVING if found.metadata.deletion_timestamp else found.status.phase or "Pending"


def usable(row: Claim) -> bool:
    """Whether another workload could mount a claim (decisions, "Other chapters")."""
    return row.status in {"Pending", "Bound"} and (SHARED in row.access_modes or not row.mounted)


def shown(found: PersistentVolumeClaim, around: Surroundings) -> Claim:
    """The list's row of a claim."""
    where, requested = around.where, size(asked(found))
    return Claim(
        name=found.metadata.name,
        domain=where.domain,
        project=where.project,
        cluster=where.cluster,
        cluster_addr=where.cluster_addr,
        storage_class_name=class_of(found),
        capacity=size((found.status.capacity or {}).get("storage")) or requested,
        access_modes=found.status.access_modes or found.spec.access_modes or [],
        attached_workloads=[
            AttachedWorkload(name=name, type=kind, attached_time=time) for kind, name, time in around.attached
        ],
        status=word(found),
        creation_time=found.metadata.creation_timestamp,
        namespace=found.metadata.namespace,
        volume_name=found.spec.volume_name,
        volume_mode=found.spec.volume_mode or VOLUME_MODES[0],
        mounted=bool(around.pods),
        requested=requested,
        reasons=reasons(found, around),
    )


def reasons(found: PersistentVolumeClaim, around: Surroundings) -> list[str]:
    """Why a claim is not bound, not grown or not gone yet; waiting for a pod is no error."""
    state, name = word(found), class_of(found)
    told = []
    if state == REMOVING and around.pods:
        named = some(around.pod_names, around.pods)
        told.append(f"kept until no pod mounts it any more: {named}")
    elif state == "Pending":
        if found.spec.volume_name:
            told.append(
                f"it asks for volume {found.spec.volume_name!r}, and waits until that is there and fits"
            )
        elif not name:
            told.append("it names no storage class, and there is no default: it waits for a volume without")
        elif around.class_mode is None:
            told.append(f"there is no storage class {name!r}: it waits for a volume of that class")
        elif around.class_mode == WAITS and _SELECTED_NODE not in (found.metadata.annotations or {}):
            told.append("it is bound when the first pod that mounts it comes")
    elif state == "Lost":
        told.append(f"its volume {found.spec.volume_name!r} is gone, and the data on it")
    conditions = (one for one in found.status.conditions or () if one.status == "True")
    told += [text for one in conditions if (text := one.message or one.reason or one.type)]
    return told


def some(names: Sequence[str], number: int | None = None) -> str:
    """Names for a sentence, of which there may be many; `number` if these are not all."""
    more = (number or len(names)) - min(len(names), MANY)
    return ", ".join(names[:MANY]) + (f" and {more} more" if more > 0 else "")


def size(quantity: Any) -> str | None:
    """A quantity as it is shown; what is none as it is."""
    if quantity is None:
        return None
    try:
        return quantities.shown_capacity(quantity)
    except ValueError:
        return str(quantity)
