"""Namespaces, Nodes, Events, Leases and what else has little to check.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.validation import containers, meta, names, scheduling

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def nothing(causes: Causes, obj: Object) -> None:
    """For kinds whose metadata is all that is checked."""
    del causes, obj


def namespace(causes: Causes, obj: Object) -> None:
    """Checks the finalizers of a Namespace's spec."""
    for finalizer in obj.get("spec", {}).get("finalizers") or ():
        causes.each("spec.finalizers", finalizer, names.qualified_name(finalizer))
        if "/" not in finalizer and finalizer not in meta.STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            causes.invalid("spec.finalizers", finalizer, detail)


def node(causes: Causes, obj: Object) -> None:
    """Checks a Node's taints."""
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(obj["spec"].get("taints", ())):
        at, key, effect = f"metadata.taints[{index}]", taint.get("key", ""), taint.get("effect", "")
        causes.each(f"{at}.key", key, names.qualified_name(key))
        causes.each(f"{at}.value", taint.get("value", ""), names.label_value(taint.get("value", "")))
        causes.required_one_of(f"{at}.effect", effect, _EFFECTS)
        if (key, effect) in seen:
            causes.duplicate(at, {"key": key, "value": taint.get("value", ""), "effect": effect})
        seen.add((key, effect))


def node_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a Node."""
    node(causes, new)
    if old["spec"].get("podCIDR") and new["spec"].get("podCIDR") != old["spec"]["podCIDR"]:
        causes.forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if old["spec"].get("providerID") and new["spec"].get("providerID") != old["spec"]["providerID"]:
        causes.forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')


def lease(causes: Causes, obj: Object) -> None:
    """Checks a Lease."""
    spec = obj["spec"]
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        causes.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    causes.not_negative("spec.leaseTransitions", transitions)
    holder = spec.get("holderIdentity")
    if holder == "":
        causes.invalid("spec.holderIdentity", holder, "must not be empty")


def runtime_class(causes: Causes, obj: Object) -> None:
    """Checks a RuntimeClass."""
    causes.each("handler", obj.get("handler", ""), names.dns_label(obj.get("handler", "")))
    for name, amount in obj.get("overhead", {}).get("podFixed", {}).items():
        at = f"overhead.limits[{name}]"
        containers.container_resource(causes, at, name)
        containers.quantity(causes, at, name, amount)
    where = obj.get("scheduling", {})
    meta.labels(causes, "scheduling.nodeSelector", where.get("nodeSelector"))
    scheduling.tolerations(causes, "scheduling.tolerations", where.get("tolerations", []))


def runtime_class_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a RuntimeClass."""
    causes.immutable("handler", new.get("handler"), old.get("handler"))
