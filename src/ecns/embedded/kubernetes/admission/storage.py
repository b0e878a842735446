"""Claims' default class, protection of what is in use, and growing.

Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#defaultstorageclass
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.admission.namespaces import newest_default
from ecns.embedded.kubernetes.errors import forbidden

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.admission import Reader, Request
    from ecns.embedded.kubernetes.errors import Object

CLASSES = "storageclasses.storage.k8s.io"
IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"
OLD_DEFAULT = "storageclass.beta.kubernetes.io/is-default-class"
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
_FINALIZERS = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
}


def set_class(cluster: Reader, request: Request) -> None:
    """A claim that names no class gets the default one."""
    if request.operation != "CREATE" or request.resource != "persistentvolumeclaims" or request.subresource:
        return
    obj = request.obj
    if "storageClassName" in obj["spec"] or OLD_CLASS in obj["metadata"].get("annotations", {}):
        return
    found = newest_default(cluster.list(CLASSES), IS_DEFAULT, OLD_DEFAULT)
    if found is not None:
        obj["spec"]["storageClassName"] = found["metadata"]["name"]


def protect(cluster: Reader, request: Request) -> None:
    """A claim or volume that is in use stays until it is not."""
    del cluster
    finalizer = _FINALIZERS.get(request.resource)
    if request.operation != "CREATE" or finalizer is None or request.subresource:
        return
    finalizers = request.obj["metadata"].get("finalizers", [])
    if finalizer not in finalizers:
        request.obj["metadata"]["finalizers"] = [*finalizers, finalizer]


def _size(obj: Object) -> quantities.Quantity:
    return quantities.parse(obj["spec"].get("resources", {}).get("requests", {}).get("storage", "0"))


def check_resize(cluster: Reader, request: Request) -> None:
    """A claim grows only when its class allows it."""
    if request.operation != "UPDATE" or request.resource != "persistentvolumeclaims" or request.subresource:
        return
    if _size(request.obj) <= _size(request.old):
        return
    name = request.obj["spec"].get("storageClassName") or ""
    found = cluster.find(CLASSES, name) if name else None
    if found is None or not found.get("allowVolumeExpansion"):
        why = (
            "only dynamically provisioned pvc can be resized and "
            "the storageclass that provisions the pvc must support resize"
        )
        raise forbidden("persistentvolumeclaims", request.name, why)
