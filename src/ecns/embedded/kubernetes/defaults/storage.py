"""Defaults of storage, configuration and quota kinds.

Source: the answers of Kubernetes 1.36 to minimal objects.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.defaults import pods

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object


def persistent_volume_claim(obj: Object) -> None:
    """Defaults of a PersistentVolumeClaim."""
    obj["status"].setdefault("phase", "Pending")
    spec = obj["spec"]
    spec.setdefault("volumeMode", "Filesystem")
    pods.resources(spec["resources"])
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source and not reference:
        spec["dataSourceRef"] = dict(source)
    elif reference and not source and not reference.get("namespace"):
        spec["dataSource"] = dict(reference)
    pods.resource_amounts(obj["status"].get("capacity"))


def persistent_volume(obj: Object) -> None:
    """Defaults of a PersistentVolume."""
    obj["status"].setdefault("phase", "Pending")
    spec = obj["spec"]
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    pods.resource_amounts(spec.get("capacity"))
    if "hostPath" in spec:
        spec["hostPath"].setdefault("type", "")
    pods.persistent_source(spec)


def storage_class(obj: Object) -> None:
    """Defaults of a StorageClass."""
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def csi_driver(obj: Object) -> None:
    """Defaults of a CSIDriver."""
    spec = obj["spec"]
    defaults = (
        ("attachRequired", True),
        ("podInfoOnMount", False),
        ("storageCapacity", False),
        ("fsGroupPolicy", "ReadWriteOnceWithFSType"),
        ("volumeLifecycleModes", ["Persistent"]),
        ("requiresRepublish", False),
        ("seLinuxMount", False),
    )
    for name, value in defaults:
        spec.setdefault(name, list(value) if isinstance(value, list) else value)


def secret(obj: Object) -> None:
    """Defaults of a Secret: `stringData` is merged into `data`."""
    obj.setdefault("type", "Opaque")
    texts = obj.pop("stringData", None)
    if texts:
        data = obj.setdefault("data", {})
        for key, text in texts.items():
            data[key] = base64.b64encode(text.encode()).decode()


def resource_quota(obj: Object) -> None:
    """Defaults of a ResourceQuota."""
    pods.resource_amounts(obj["spec"].get("hard"))


def limit_range(obj: Object) -> None:
    """Defaults of a LimitRange: a container's defaults follow from its maximum and minimum."""
    for item in obj["spec"].get("limits") or ():
        for name in ("default", "defaultRequest", "max", "maxLimitRequestRatio", "min"):
            pods.resource_amounts(item.get(name))
        if item.get("type") != "Container":
            continue
        limits = {**item.get("max", {}), **item.get("default", {})}
        requests = {**item.get("min", {}), **limits, **item.get("defaultRequest", {})}
        if limits:
            item["default"] = limits
        if requests:
            item["defaultRequest"] = requests


def namespace(obj: Object) -> None:
    """Defaults of a Namespace: the label with its name."""
    name = obj["metadata"].get("name")
    if name:
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
    obj["status"].setdefault("phase", "Active")


def node(obj: Object) -> None:
    """Defaults of a Node: what it has may all be used; its first network stands twice."""
    status, spec = obj["status"], obj["spec"]
    first, listed = spec.get("podCIDR"), spec.get("podCIDRs")
    if first and (listed or [""])[0] != first:
        spec["podCIDRs"] = [first]
    elif listed and not first:
        spec["podCIDR"] = listed[0]
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])
