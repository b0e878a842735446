"""The stages of a write that look at the object alone, for built-in kinds and custom resources alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes import defaults, validation
from ecns.embedded.kubernetes.validation import schema as structural

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Cause, Object
    from ecns.embedded.kubernetes.resources import Resource


def apply_defaults(kind: Resource, version: str, obj: Object) -> None:
    """Fills in what was left out; of a custom resource also drops what its schema does not know."""
    if not kind.definition:
        defaults.apply_defaults(kind.name, obj)
        return
    schema = _schema(kind, version)
    structural.prune(schema, obj)
    structural.default(schema, obj)


def read(kind: Resource, version: str, obj: Object) -> Object:
    """What was sent as a whole, as it is read: without the nulls that mean nothing."""
    if kind.definition and not kind.preserve_unknown:
        structural.without_nulls(_schema(kind, version), obj)
    return obj


def prepare_for_create(kind: Resource, obj: Object) -> None:
    """Takes away what a creator may not set."""
    if not kind.definition:
        validation.prepare_for_create(kind.name, obj)
        return
    if kind.subresource("status"):
        obj.pop("status", None)
    obj["metadata"]["generation"] = 1


def prepare_for_update(kind: Resource, new: Object, old: Object, subresource: str) -> None:
    """Keeps what this update may not change, and counts generations."""
    if not kind.definition:
        validation.prepare_for_update(kind.name, new, old, subresource)
        return
    if subresource == "status":
        _keep_all_but_status(new, old)
    elif kind.subresource("status"):
        _copy(new, old, "status")
    generation = old["metadata"].get("generation", 0)
    if subresource != "status" and _content(new) != _content(old):
        generation += 1
    new["metadata"]["generation"] = generation


def _keep_all_but_status(new: Object, old: Object) -> None:
    managed = new["metadata"].get("managedFields")
    version = new["metadata"].get("resourceVersion")
    status = new.get("status")
    new.clear()
    new.update({key: value for key, value in old.items() if key != "status"})
    new["metadata"] = dict(old["metadata"])
    if version is not None:
        new["metadata"]["resourceVersion"] = version
    if managed is not None:
        new["metadata"]["managedFields"] = managed
    if status is not None:
        new["status"] = status


def _copy(new: Object, old: Object, key: str) -> None:
    if key in old:
        new[key] = old[key]
    else:
        new.pop(key, None)


def _content(obj: Object) -> dict[str, Any]:
    return {
        key: value for key, value in obj.items() if key not in {"metadata", "status", "kind", "apiVersion"}
    }


def validate_create(kind: Resource, version: str, obj: Object) -> list[Cause]:
    """Everything that is wrong with a new object."""
    causes = validation.validate_create(kind.name, obj)
    if kind.definition:
        causes += structural.validate(_schema(kind, version), obj, scale=_scale(kind, version))
    return causes


def validate_update(kind: Resource, version: str, new: Object, old: Object, subresource: str) -> list[Cause]:
    """Everything that is wrong with a change."""
    causes = validation.validate_update(kind.name, new, old, subresource)
    if kind.definition:
        schema, scale = _schema(kind, version), _scale(kind, version)
        causes += structural.validate(schema, new, old, scale, status=subresource == "status")
    return causes


def _schema(kind: Resource, version: str) -> dict[str, Any]:
    return kind.schemas.get(version or kind.storage_version, {})


def _scale(kind: Resource, version: str) -> dict[str, Any] | None:
    return kind.scales.get(version or kind.storage_version)
