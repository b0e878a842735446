"""Between the reference's classes and volumes and Kubernetes'; total, whoever made them.

Sources: reference 1.20; https://kubernetes.io/docs/concepts/storage/storage-classes/ and
https://kubernetes.io/docs/tasks/administer-cluster/change-default-storage-class/; of Cinder's driver,
https://github.com/kubernetes/cloud-provider-openstack/blob/master/docs/cinder-csi-plugin/using-cinder-csi-plugin.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecns.api.claims.manifests import REMOVING, VOLUME_MODES, class_of, size
from ecns.api.claims.types import Whereabouts
from ecns.api.common.names import MANAGED_BY, MANAGER
from ecns.api.common.patching import MISSING, Operations, Path, find, operations
from ecns.api.storage.types import StorageClass, Volume
from ecns.backends.kubernetes.kinds import storage as k
from ecns.backends.kubernetes.kinds.core import PersistentVolume
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.backends.kubernetes.objects import version_of
from ecns.identity.place import DOMAIN_NAME_ANNOTATION, PROJECT_NAME_ANNOTATION

CINDER = "cinder.csi.openstack.org"
DEFAULT = "storageclass.kubernetes.io/is-default-class"
OLD_DEFAULT = "storageclass.beta.kubernetes.io/is-default-class"
BECOMING = "ecns.easystack.com/becoming-default"
"""On a class that is being made the default: when, in milliseconds since 1970. Taken off when no other is."""

_ONE_NODE = ["ReadWriteOnce"]
_MANY_READ = ["ReadWriteOnce", "ReadOnlyMany"]
_MANY_WRITE = [*_MANY_READ, "ReadWriteMany"]
_MODES = {
    "rbd.csi.ceph.com": _MANY_READ,
    "cephfs.csi.ceph.com": _MANY_WRITE,
    "cephfs.manila.csi.openstack.org": _MANY_WRITE,
    "nfs.manila.csi.openstack.org": _MANY_WRITE,
    "nfs.csi.k8s.io": _MANY_WRITE,
    "nfs-subdir-external-provisioner": _MANY_WRITE,
    "efs.csi.aws.com": _MANY_WRITE,
    "file.csi.azure.com": _MANY_WRITE,
    "filestore.csi.storage.gke.io": _MANY_WRITE,
}
"""By the end of a provisioner's name; every other can do the first."""
_ANNOTATIONS: Path = ("metadata", "annotations")


# Classes


def class_object(name: str, *, volume_type: str, domain: str, project: str) -> JsonObject:
    """The class of a Cinder volume type as the driver's own chart has it; empty is Cinder's default type."""
    return {
        "apiVersion": k.STORAGE_CLASS.api_version,
        "kind": k.STORAGE_CLASS.kind,
        "metadata": {
            "name": name,
            "labels": {MANAGED_BY: MANAGER},
            "annotations": {DOMAIN_NAME_ANNOTATION: domain, PROJECT_NAME_ANNOTATION: project},
        },
        "provisioner": CINDER,
        "parameters": {"type": volume_type} if volume_type else {},
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": True,
    }


def shown_class(found: k.StorageClass, where: Whereabouts, *, is_default: bool) -> StorageClass:
    """The list's row of a class; `is_default` is `default` of all classes."""
    annotations = found.metadata.annotations or {}
    return StorageClass(
        class_name=found.metadata.name,
        domain=annotations.get(DOMAIN_NAME_ANNOTATION, ""),
        project=annotations.get(PROJECT_NAME_ANNOTATION, ""),
        cluster=where.cluster,
        cluster_addr=where.cluster_addr,
        provisioner=found.provisioner,
        is_default=is_default,
        creation_time=found.metadata.creation_timestamp,
        access_modes=modes(found.provisioner),
        volume_type=(found.parameters or {}).get("type", "") if found.provisioner == CINDER else "",
        reclaim_policy=found.reclaim_policy or "Delete",
        volume_binding_mode=found.volume_binding_mode or "Immediate",
        allow_volume_expansion=bool(found.allow_volume_expansion),
    )


def modes(provisioner: str) -> list[str]:
    """The access modes that a provisioner is known to offer."""
    return next((able for name, able in _MODES.items() if provisioner.endswith(name)), _ONE_NODE)


# The default class


def is_marked(found: k.StorageClass) -> bool:
    """Whether a class says that it is the default, in the annotation of either generation."""
    annotations = found.metadata.annotations or {}
    return "true" in {annotations.get(DEFAULT), annotations.get(OLD_DEFAULT)}


def default(classes: Iterable[k.StorageClass]) -> str | None:
    """The name of the class that claims without one get: of those that are marked, the newest made."""
    marked = sorted((one for one in classes if is_marked(one)), key=lambda one: one.metadata.name)
    newest = max(marked, key=lambda one: one.metadata.creation_timestamp or "", default=None)
    return newest.metadata.name if newest else None


def becoming(found: k.StorageClass) -> int:
    """Since when a class is being made the default; 0 when it is not."""
    text = (found.metadata.annotations or {}).get(BECOMING, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0  # noqa: PLR2004  64 bits


def chosen(classes: Iterable[k.StorageClass]) -> k.StorageClass | None:
    """Of the classes that are being made the default the one that was asked for last; None without any.

    Last is who has written last, by the cluster's own count: clocks of several replicas may differ.
    """
    several = [one for one in classes if becoming(one)]
    return max(several, key=lambda one: version_of(one.metadata.resource_version), default=None)


def make_default(whole: JsonObject, since: int) -> Operations:
    """The JSON Patch by which a class begins to be the default."""
    return _annotated(whole, {DEFAULT: "true", BECOMING: str(since)})


def is_made_default(whole: JsonObject) -> Operations:
    """The JSON Patch that says that no other class is the default any more."""
    return _annotated(whole, {DEFAULT: "true", BECOMING: MISSING})


def unset_default(whole: JsonObject) -> Operations:
    """The JSON Patch after which a class is not the default."""
    changes: dict[str, object] = {DEFAULT: "false", BECOMING: MISSING}
    if find(whole, (*_ANNOTATIONS, OLD_DEFAULT)) is not MISSING:
        changes[OLD_DEFAULT] = "false"
    return _annotated(whole, changes)


def _annotated(whole: JsonObject, annotations: dict[str, object]) -> Operations:
    return operations(whole, {(*_ANNOTATIONS, key): value for key, value in annotations.items()})


# Volumes


def word(found: PersistentVolume) -> str:
    """A volume's state, as Kubernetes says; Removing while it is being deleted."""
    return REMOVING if found.metadata.deletion_timestamp else found.status.phase or "Pending"


def shown_volume(found: PersistentVolume, where: Whereabouts) -> Volume:
    """The list's row of a volume."""
    spec, status, claim = found.spec, found.status, found.spec.claim_ref
    reason = ": ".join(filter(None, (status.reason, status.message)))
    if word(found) == REMOVING and status.phase == "Bound":
        reason = reason or "kept until its claim is gone"
    return Volume(
        name=found.metadata.name,
        domain=where.domain,
        project=where.project,
        cluster=where.cluster,
        cluster_addr=where.cluster_addr,
        storage_class_name=class_of(found),
        capacity=size((spec.capacity or {}).get("storage")),
        pvc_name=claim.name if claim else "",
        pvc_namespace=claim.namespace if claim else "",
        access_modes=spec.access_modes or [],
        status=word(found),
        reclaim_policy=spec.persistent_volume_reclaim_policy or "Retain",
        creation_time=found.metadata.creation_timestamp,
        reason=reason,
        volume_mode=spec.volume_mode or VOLUME_MODES[0],
    )
