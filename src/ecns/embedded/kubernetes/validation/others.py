"""Namespaces, Nodes, Events, Leases and what else has little to check.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.errors import Cause
from ecns.embedded.kubernetes.validation import containers, meta, names, scheduling
from ecns.embedded.kubernetes.validation.causes import shown

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


def namespace_status(causes: Causes, new: Object, old: Object) -> None:
    """Checks that a Namespace's phase tells whether it is being deleted."""
    del old
    phase, ending = new.get("status", {}).get("phase", ""), "deletionTimestamp" in new["metadata"]
    wanted = "Terminating" if ending else "Active"
    if phase != wanted:
        why = f"may only be '{wanted}' if `deletionTimestamp` is {'not ' if ending else ''}empty"
        causes.invalid("status.Phase", phase, why)


def _taints(causes: Causes, obj: Object) -> None:
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(obj["spec"].get("taints", ())):
        at, key, effect = f"metadata.taints[{index}]", taint.get("key", ""), taint.get("effect", "")
        causes.each(f"{at}.key", key, names.qualified_name(key))
        causes.each(f"{at}.value", taint.get("value", ""), names.label_value(taint.get("value", "")))
        causes.required_one_of(f"{at}.effect", effect, _EFFECTS)
        if (key, effect) in seen:
            told = shown({"Key": key, "Value": taint.get("value", ""), "Effect": effect, "TimeAdded": None})
            why = f"Duplicate value: {told}: taints must be unique by key and effect pair"
            causes.append(Cause("FieldValueDuplicate", why, at))
        seen.add((key, effect))


def _amounts(causes: Causes, obj: Object) -> None:
    for field in ("capacity", "allocatable"):
        for name, amount in (obj.get("status", {}).get(field) or {}).items():
            if quantities.parse(amount).nano < 0:
                causes.invalid(f"status.{field}.{name}", amount, "must be greater than or equal to 0")


def _networks(causes: Causes, found: list[str]) -> None:
    """Checks the networks of a Node's pods: at most one of each family."""
    path = "spec.podCIDRs"
    for index, text in enumerate(found):
        faults = names.cidr(text)
        if not faults and str(ipaddress.ip_network(text, strict=False).network_address) != text.split("/")[0]:
            faults = ["must not have bits set beyond the prefix length"]
        causes.each(f"{path}[{index}]", text, faults)
    families = {":" in text for text in found}
    if len(found) > 1 and (len(families) == 1 or len(found) > 2):  # noqa: PLR2004  one of each
        causes.invalid(path, found, "may specify no more than one CIDR for each IP family")


def node(causes: Causes, obj: Object) -> None:
    """Checks a new Node."""
    _taints(causes, obj)
    _amounts(causes, obj)
    _networks(causes, obj["spec"].get("podCIDRs") or [])


def node_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a Node, and of its status."""
    _amounts(causes, new)
    addresses = new.get("status", {}).get("addresses") or []
    for index, address in enumerate(addresses):
        if address in addresses[:index]:
            told = {"Type": address.get("type", ""), "Address": address.get("address", "")}
            causes.duplicate(f"status.addresses[{index}]", told)
    had, have = old["spec"].get("podCIDRs") or [], new["spec"].get("podCIDRs") or []
    changed = 1 if len(had) != len(have) else sum(one != other for one, other in zip(had, have, strict=True))
    for _ in range(changed if had else 0):
        causes.forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if old["spec"].get("providerID") and new["spec"].get("providerID") != old["spec"]["providerID"]:
        causes.forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')
    _taints(causes, new)
    if new["spec"].get("externalID") != old["spec"].get("externalID"):
        causes.forbidden("spec.externalID", "may not be updated")


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
