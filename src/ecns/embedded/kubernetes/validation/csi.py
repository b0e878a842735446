"""What describes storage drivers: CSIDrivers, CSINodes, capacities, attachments, classes of attributes.

Source: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.validation import meta, names

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 2**32
_SHORTEST_PERIOD = 10
_LONGEST_NODE_ID = 256
_MOST_PARAMETERS, _MOST_PARAMETER_BYTES = 512, 256 * 1024
_ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def driver(causes: Causes, obj: Object) -> None:
    """Checks a CSIDriver."""
    spec = obj["spec"]
    policy = spec.get("fsGroupPolicy")
    if policy is not None:
        causes.one_of("spec.fsGroupPolicy", policy, _POLICIES)
    seen: set[str] = set()
    for index, token in enumerate(spec.get("tokenRequests") or ()):
        at, audience = f"spec.tokenRequests[{index}]", token.get("audience", "")
        if audience in seen:
            causes.duplicate(f"{at}.audience", audience)
            continue
        seen.add(audience)
        _lifetime(causes, f"{at}.expirationSeconds", token.get("expirationSeconds"))
    for mode in spec.get("volumeLifecycleModes") or ():
        causes.one_of("spec.volumeLifecycleModes", mode, ("Persistent", "Ephemeral"))
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < _SHORTEST_PERIOD:
        causes.invalid(
            "spec.nodeAllocatableUpdatePeriodSeconds", period, "must be greater than or equal to 10 seconds"
        )


def _lifetime(causes: Causes, path: str, seconds: int | None) -> None:
    if seconds is None:
        return
    if seconds < _SHORTEST_TOKEN:
        causes.invalid(path, seconds, "may not specify a duration less than 10 minutes")
    if seconds > _LONGEST_TOKEN:
        causes.invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")


def driver_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a CSIDriver."""
    driver(causes, new)
    for key, shown in (
        ("attachRequired", "attachedRequired"),
        ("volumeLifecycleModes", "volumeLifecycleModes"),
    ):
        causes.immutable(f"spec.{shown}", new["spec"].get(key), old["spec"].get(key))


def _driver_name(causes: Causes, path: str, name: str) -> None:
    if not name:
        causes.required(path)
        return
    if len(name) > names.LABEL_LENGTH:
        causes.too_long(path, names.LABEL_LENGTH)
    causes.each(path, name, names.dns_subdomain(name.lower()))


def node(causes: Causes, obj: Object) -> None:
    """Checks a CSINode."""
    seen: set[str] = set()
    for index, item in enumerate(obj["spec"].get("drivers") or ()):
        at, name, node_id = f"spec.drivers[{index}]", item.get("name", ""), item.get("nodeID", "")
        _driver_name(causes, f"{at}.name", name)
        if not node_id:
            causes.required(f"{at}.nodeID")
        if len(node_id) > _LONGEST_NODE_ID:
            causes.invalid(f"{at}.nodeID", node_id, f"must be {_LONGEST_NODE_ID} characters or less")
        causes.not_negative(f"{at}.allocatable.count", (item.get("allocatable") or {}).get("count"))
        if name in seen:
            causes.duplicate(f"{at}.name", name)
        seen.add(name)
        keys: set[str] = set()
        for key in item.get("topologyKeys") or ():
            if not key:
                causes.required(at)
            if key in keys:
                causes.duplicate(at, key)
            keys.add(key)
            causes.each(at, key, names.qualified_name(key))


def node_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a CSINode: how many volumes a driver allows."""
    node(causes, new)
    kept = {item.get("name"): item for item in old["spec"].get("drivers") or ()}
    for item in new["spec"].get("drivers") or ():
        if item.get("name") in kept:
            causes.immutable("spec.drivers", _driver(item), _driver(kept[item["name"]]))


def _driver(item: Object) -> Object:
    keys = item.get("topologyKeys")
    return {"Name": item.get("name"), "NodeID": item.get("nodeID"), "TopologyKeys": keys, "Allocatable": None}


def capacity(causes: Causes, obj: Object) -> None:
    """Checks a CSIStorageCapacity."""
    meta.label_selector(causes, "nodeTopology", obj.get("nodeTopology"))
    name, amount = obj.get("storageClassName", ""), obj.get("capacity")
    causes.each("storageClassName", name, names.dns_subdomain(name))
    if amount is not None and quantities.parse(amount).nano < 0:
        causes.invalid("capacity", amount, "must be greater than or equal to 0")


def capacity_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a CSIStorageCapacity: how much there is."""
    shown = [meta.shown_selector(obj.get("nodeTopology")) for obj in (new, old)]
    causes.immutable("nodeTopology", *shown)
    causes.immutable("storageClassName", new.get("storageClassName"), old.get("storageClassName"))


def attributes_class(causes: Causes, obj: Object) -> None:
    """Checks a VolumeAttributesClass."""
    name = obj.get("driverName", "")
    if not name:
        causes.required("driverName")
    else:
        causes.each("driverName", name, names.qualified_name(name.lower()))
    parameters(causes, obj)
    if not obj.get("parameters"):
        causes.required("parameters", "must contain at least one key/value pair")


def parameters(causes: Causes, obj: Object) -> None:
    """Checks what a class tells its driver."""
    found = obj.get("parameters") or {}
    if len(found) > _MOST_PARAMETERS:
        causes.too_long("parameters", _MOST_PARAMETERS)
        return
    for key in found:
        if not key:
            causes.invalid("parameters", key, "field can not be empty.")
    if sum(len(key.encode()) + len(value.encode()) for key, value in found.items()) > _MOST_PARAMETER_BYTES:
        causes.too_long("parameters", _MOST_PARAMETER_BYTES)


def attributes_class_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a VolumeAttributesClass: nothing."""
    for key in ("driverName", "parameters"):
        if new.get(key) != old.get(key):
            causes.forbidden(key, f"updates to {key} are forbidden.")
    attributes_class(causes, new)


def attachment(causes: Causes, obj: Object) -> None:
    """Checks a VolumeAttachment."""
    spec = obj.get("spec") or {}
    source, node_name = spec.get("source") or {}, spec.get("nodeName", "")
    volume, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    _driver_name(causes, "spec.attacher", spec.get("attacher", ""))
    if volume is None and inline is None:
        causes.required("spec.source", _ONE_SOURCE)
    elif volume is not None and inline is not None:
        causes.forbidden("spec.source", _ONE_SOURCE)
    elif volume == "":
        causes.required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName")
    causes.each("spec.nodeName", node_name, names.dns_subdomain(node_name))
    if volume:
        causes.each("spec.source.persistentVolumeName", volume, names.dns_subdomain(volume))


def attachment_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a VolumeAttachment: nothing of its spec."""
    causes.immutable("spec", _attachment(new), _attachment(old))


def _attachment(obj: Object) -> Any:
    spec = obj.get("spec") or {}
    source = spec.get("source") or {}
    return {
        "Attacher": spec.get("attacher", ""),
        "Source": {
            "PersistentVolumeName": source.get("persistentVolumeName"),
            "InlineVolumeSpec": source.get("inlineVolumeSpec"),
        },
        "NodeName": spec.get("nodeName", ""),
    }
