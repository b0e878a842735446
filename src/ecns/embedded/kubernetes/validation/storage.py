"""PersistentVolumes, PersistentVolumeClaims, StorageClasses, CSI kinds.

Source: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/
and recorded refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.validation import claims, containers, csi, internal, names, scheduling, volumes
from ecns.embedded.kubernetes.validation.causes import sorted_map

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_CLAIM_FIXED = (
    "spec is immutable after creation "
    "except resources.requests and volumeAttributesClassName for bound claims"
)
_BINDING = ("Immediate", "WaitForFirstConsumer")
_NOT_SOURCES = frozenset(
    {
        "capacity",
        "accessModes",
        "claimRef",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "mountOptions",
        "volumeMode",
        "nodeAffinity",
        "volumeAttributesClassName",
    }
)


def claim(causes: Causes, obj: Object) -> None:
    """Checks a PersistentVolumeClaim."""
    claims.spec(causes, "spec", obj["spec"])


def claim_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a PersistentVolumeClaim."""
    claims.spec(causes, "spec", new["spec"])
    spec, before = new["spec"], old["spec"]
    requests = spec.get("resources", {}).get("requests", {})
    had = before.get("resources", {}).get("requests", {})
    munged = {**spec}
    if not before.get("volumeName") and spec.get("volumeName"):
        munged["volumeName"] = spec["volumeName"]
        before = {**before, "volumeName": spec["volumeName"]}
    if "storageClassName" not in before and not before.get("volumeName") and "storageClassName" in spec:
        before = {**before, "storageClassName": spec["storageClassName"]}
    bound = old.get("status", {}).get("phase") == "Bound"
    if bound:
        munged["resources"] = {**spec.get("resources", {}), "requests": had}
        munged["volumeAttributesClassName"] = before.get("volumeAttributesClassName")
        if munged["volumeAttributesClassName"] is None:
            del munged["volumeAttributesClassName"]
    if munged != before:
        difference = internal.difference("PersistentVolumeClaimSpec", before, munged)
        causes.forbidden("spec", f"{_CLAIM_FIXED}\n{difference}")
        return
    if bound and "storage" in requests and "storage" in had:
        wanted, capacity = (
            quantities.parse(requests["storage"]),
            old["status"].get("capacity", {}).get("storage"),
        )
        if (
            wanted < quantities.parse(had["storage"])
            and capacity is not None
            and wanted <= quantities.parse(capacity)
        ):
            causes.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")


def volume(causes: Causes, obj: Object) -> None:
    """Checks a PersistentVolume."""
    spec = obj["spec"]
    modes, capacity = spec.get("accessModes", []), spec.get("capacity", {})
    if not modes:
        causes.required("spec.accessModes")
    claims.access_modes(causes, "spec.accessModes", modes)
    if not capacity:
        causes.required("spec.capacity")
    if set(capacity) != {"storage"}:
        causes.unsupported("spec.capacity", sorted_map(capacity), ("storage",))
    for name, amount in capacity.items():
        containers.quantity(causes, f"spec.capacity[{name}]", name, amount)
        if quantities.parse(amount).nano == 0:
            causes.invalid(f"spec.capacity[{name}]", amount, "must be greater than zero")
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy:
        causes.one_of("spec.persistentVolumeReclaimPolicy", policy, ("Delete", "Recycle", "Retain"))
    if "nodeAffinity" in spec:
        required = spec["nodeAffinity"].get("required")
        if required is None:
            causes.required("spec.nodeAffinity.required", "must specify required node constraints")
        else:
            scheduling.node_selector(causes, "spec.nodeAffinity.required", required)
    elif "local" in spec:
        causes.required("spec.nodeAffinity", "Local volume requires node affinity")
    volumes.sources(causes, "spec", {name: value for name, value in spec.items() if name not in _NOT_SOURCES})
    if "csi" in spec and not spec["csi"].get("volumeHandle"):
        causes.required("spec.csi.volumeHandle")
    if spec.get("hostPath", {}).get("path") == "/" and policy == "Recycle":
        causes.forbidden(
            "spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"
        )
    if spec.get("storageClassName"):
        causes.each(
            "spec.storageClassName", spec["storageClassName"], names.dns_subdomain(spec["storageClassName"])
        )
    mode = spec.get("volumeMode")
    if mode is not None:
        causes.one_of("spec.volumeMode", mode, claims.VOLUME_MODES)


def volume_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a PersistentVolume; what it holds is looked at twice, as upstream does."""
    volume(causes, new)
    volume(causes, new)
    source = {name: value for name, value in new["spec"].items() if name not in _NOT_SOURCES}
    before = {name: value for name, value in old["spec"].items() if name not in _NOT_SOURCES}
    if source != before:
        difference = internal.difference("PersistentVolumeSource", before, source)
        text = f"spec.persistentvolumesource is immutable after creation\n{difference}"
        causes.forbidden("spec.persistentvolumesource", text)
    causes.immutable("volumeMode", new["spec"].get("volumeMode"), old["spec"].get("volumeMode"))
    affinity, had = new["spec"].get("nodeAffinity"), old["spec"].get("nodeAffinity")
    if had is not None and affinity != had:
        shown = internal.value("VolumeNodeAffinity", affinity)
        why = "field is immutable, except for updating from beta label to GA"
        causes.invalid("nodeAffinity", shown, why)


def storage_class(causes: Causes, obj: Object) -> None:
    """Checks a StorageClass."""
    provisioner = obj.get("provisioner", "")
    if not provisioner:
        causes.required("provisioner")
    else:
        causes.each("provisioner", provisioner.lower(), names.qualified_name(provisioner.lower()))
    csi.parameters(causes, obj)
    _topologies(causes, obj)
    policy = obj.get("reclaimPolicy")
    if policy:
        causes.one_of("reclaimPolicy", policy, ("Delete", "Retain"))
    mode = obj.get("volumeBindingMode")
    if mode is None:
        causes.required("volumeBindingMode")
    else:
        causes.one_of("volumeBindingMode", mode, _BINDING)


def _topologies(causes: Causes, obj: Object) -> None:
    for index, term in enumerate(obj.get("allowedTopologies") or ()):
        at, keys = f"allowedTopologies[{index}].matchLabelExpressions", set[str]()
        for number, item in enumerate(term.get("matchLabelExpressions") or ()):
            key, values = item.get("key", ""), item.get("values") or []
            if not values:
                causes.required(f"{at}[{number}].values")
            for position, value in enumerate(values):
                if value in values[:position]:
                    causes.duplicate(f"{at}[{number}].values[{position}]", value)
            causes.each(f"{at}[{number}].key", key, names.qualified_name(key))
            if key in keys:
                causes.duplicate(f"{at}[{number}].key", key)
            keys.add(key)


def storage_class_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a StorageClass."""
    if new.get("parameters", {}) != old.get("parameters", {}):
        causes.invalid("parameters", sorted_map(new.get("parameters")), "field is immutable")
    for name in ("provisioner", "reclaimPolicy", "volumeBindingMode"):
        causes.immutable(name, new.get(name), old.get(name))
