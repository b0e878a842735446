"""What every object has in common: metadata, labels, owner references, label selectors.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
and recorded refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.validation import names
from ecns.embedded.kubernetes.validation.causes import Causes, sorted_map

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecns.embedded.kubernetes.errors import Object

ANNOTATIONS_SIZE = 256 * 1024
STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_IMMUTABLE = ("name", "namespace", "uid", "creationTimestamp")
_REFERENCE_ORDER = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")


def labels(causes: Causes, path: str, found: Object | None) -> None:
    """Checks labels, or whatever has their shape (selectors, node selectors)."""
    for key, value in (found or {}).items():
        causes.each(path, key, names.qualified_name(key))
        causes.each(path, value, names.label_value(value))


def check_annotations(causes: Causes, path: str, found: Object | None) -> None:
    """Checks annotations."""
    size = 0
    for key, value in (found or {}).items():
        causes.each(path, key, names.qualified_name(key.lower()))
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_SIZE:
        causes.too_long(path, ANNOTATIONS_SIZE)


def _owners(causes: Causes, path: str, references: list[Object]) -> None:
    controllers = []
    for reference in references:
        version = reference.get("apiVersion", "")
        if not version.rpartition("/")[2] or version.count("/") > 1:
            causes.invalid(f"{path}.apiVersion", version, "version must not be empty")
        if not reference.get("kind"):
            causes.invalid(f"{path}.kind", "", "must not be empty")
        if not reference.get("name"):
            causes.invalid(f"{path}.name", "", "must not be empty")
        if not reference.get("uid"):
            causes.invalid(f"{path}.uid", "", "must not be empty")
        if reference.get("kind") == "Event" and reference.get("apiVersion") == "v1":
            causes.invalid(path, _reference(reference), "/v1, Kind=Event is disallowed from being an owner")
        if reference.get("controller"):
            controllers.append(f"{reference.get('kind')}/{reference.get('name')}")
            if len(controllers) == 2:  # noqa: PLR2004  the second is the one too many
                found = [_reference(item) for item in references]
                detail = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controllers[0]} and {controllers[1]}"
                )
                causes.invalid(path, found, detail)


def _reference(reference: Object) -> Object:
    return {name: reference[name] for name in _REFERENCE_ORDER if name in reference}


def _finalizers(causes: Causes, path: str, found: list[str], *, kube: bool) -> None:
    for finalizer in found:
        causes.each(path, finalizer, names.qualified_name(finalizer))
    for index, finalizer in enumerate(found):
        if kube and "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            causes.invalid(f"{path}[{index}]", finalizer, detail)
    if "orphan" in found and "foregroundDeletion" in found:
        causes.invalid(path, found, "finalizer set orphan and foregroundDeletion cannot be used together")


def conditions(causes: Causes, path: str, found: list[Object]) -> None:
    """Checks conditions of the shape that kinds share."""
    for index, condition in enumerate(found):
        at = f"{path}[{index}]"
        if not condition.get("type"):
            causes.required(f"{at}.type")
        elif condition["type"] in {other.get("type") for other in found[:index]}:
            causes.duplicate(f"{at}.type", condition["type"])
        causes.one_of(f"{at}.status", condition.get("status", ""), ("False", "True", "Unknown"))
        if condition.get("observedGeneration", 0) < 0:
            why = "must be greater than or equal to zero"
            causes.invalid(f"{at}.observedGeneration", condition["observedGeneration"], why)
        for name in ("lastTransitionTime", "reason"):
            if not condition.get(name):
                causes.required(f"{at}.{name}")


def create(
    causes: Causes,
    obj: Object,
    *,
    namespaced: bool,
    check_name: Callable[[str], list[str]],
    kube: bool = True,
) -> None:
    """Checks the metadata of a new object.

    Args:
        causes: what is wrong is added here.
        obj: the object.
        namespaced: whether it must have a namespace.
        check_name: the shape of its name.
        kube: whether the kind is of Kubernetes proper, where finalizers are looked at more closely.
    """
    metadata, path = obj.get("metadata", {}), "metadata"
    generated = metadata.get("generateName")
    if generated:
        causes.each(f"{path}.generateName", generated, check_name(names.generated_base(generated)))
    name = metadata.get("name", "")
    if not name:
        causes.required(f"{path}.name", "name or generateName is required")
    else:
        causes.each(f"{path}.name", name, check_name(name))
    if namespaced:
        if not metadata.get("namespace"):
            causes.required(f"{path}.namespace")
        else:
            causes.each(f"{path}.namespace", metadata["namespace"], names.dns_label(metadata["namespace"]))
    elif metadata.get("namespace"):
        causes.forbidden(f"{path}.namespace", "not allowed on this type")
    common(causes, metadata, kube=kube)


def common(causes: Causes, metadata: Object, *, kube: bool) -> None:
    """Checks labels, annotations, owner references and finalizers."""
    path = "metadata"
    if metadata.get("generation", 0) < 0:
        causes.invalid(f"{path}.generation", metadata["generation"], "must be greater than or equal to 0")
    labels(causes, f"{path}.labels", metadata.get("labels"))
    check_annotations(causes, f"{path}.annotations", metadata.get("annotations"))
    _owners(causes, f"{path}.ownerReferences", metadata.get("ownerReferences", []))
    _finalizers(causes, f"{path}.finalizers", metadata.get("finalizers", []), kube=kube)


def update(causes: Causes, new: Object, old: Object, *, kube: bool) -> None:
    """Checks the metadata of an update: what may not change, then what `common` checks."""
    metadata, before, path = new.get("metadata", {}), old.get("metadata", {}), "metadata"
    if before.get("deletionTimestamp"):
        had = set(before.get("finalizers", ()))
        added = [finalizer for finalizer in metadata.get("finalizers", ()) if finalizer not in had]
        if added:
            listed = ", ".join(f'"{finalizer}"' for finalizer in added)
            detail = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}"
            )
            causes.forbidden(f"{path}.finalizers", detail)
    for name in _IMMUTABLE:
        if metadata.get(name) != before.get(name):
            causes.invalid(f"{path}.{name}", metadata.get(name, ""), "field is immutable")
    common(causes, metadata, kube=kube)


def selector_matches(selector: Object | None, found: Object | None) -> bool:
    """Whether labels satisfy a label selector that is valid; no selector matches nothing."""
    if selector is None:
        return False
    have = found or {}
    if any(have.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_requirement(item, have) for item in selector.get("matchExpressions", ()))


def _requirement(item: Object, have: Object) -> bool:
    key, operator, values = item.get("key", ""), item.get("operator"), item.get("values", ())
    if operator == "In":
        return have.get(key) in values and key in have
    if operator == "NotIn":
        return key not in have or have[key] not in values
    return (key in have) if operator == "Exists" else key not in have


def label_selector(causes: Causes, path: str, selector: Object | None) -> bool:
    """Checks a label selector (`matchLabels`, `matchExpressions`); tells whether it is fine."""
    before = len(causes)
    if selector is None:
        return True
    labels(causes, f"{path}.matchLabels", selector.get("matchLabels"))
    for index, item in enumerate(selector.get("matchExpressions", ())):
        requirement(causes, f"{path}.matchExpressions[{index}]", item)
    return len(causes) == before


def requirement(causes: Causes, path: str, item: Object) -> None:
    """Checks one expression of a label selector."""
    operator, values = item.get("operator", ""), item.get("values", [])
    if operator in {"In", "NotIn"}:
        if not values:
            causes.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            causes.forbidden(
                f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            )
    else:
        causes.invalid(f"{path}.operator", operator, "not a valid selector operator")
    causes.each(f"{path}.key", item.get("key", ""), names.qualified_name(item.get("key", "")))
    for index, value in enumerate(values):
        causes.each(f"{path}.values[{index}]", value, names.label_value(value))


def shown_selector(selector: Object | None) -> Any:
    """A label selector as it stands in messages."""
    if selector is None:
        return None
    found: Object = {}
    if selector.get("matchLabels"):
        found["matchLabels"] = sorted_map(selector["matchLabels"])
    if selector.get("matchExpressions"):
        order = ("key", "operator", "values")
        found["matchExpressions"] = [
            {name: item[name] for name in order if name in item} for item in selector["matchExpressions"]
        ]
    return found
