"""What of a CustomResourceDefinition hangs together: lists with keys, printed columns, the scale subresource.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
and the refusals of a Kubernetes 1.36.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_LIST_TYPES = ("atomic", "set", "map")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")


def listed(causes: Causes, path: str, schema: Object) -> None:
    """Checks a list's items, `x-kubernetes-list-type` and `x-kubernetes-list-map-keys`."""
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or []
    items = schema.get("items")
    if schema.get("type") == "array" and items is None:
        causes.required(f"{path}.items", "must be specified")
    if kind is not None:
        causes.one_of(f"{path}.x-kubernetes-list-type", kind, _LIST_TYPES)
    if keys and kind != "map":
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        causes.invalid(f"{path}.x-kubernetes-list-type", kind, detail)
    if kind == "map":
        if not isinstance(items, dict):
            causes.required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
        elif not keys:
            detail = "must not be empty if x-kubernetes-list-type is map"
            causes.required(f"{path}.x-kubernetes-list-map-keys", detail)
        else:
            _keyed(causes, path, items, keys)
    elif kind == "set" and isinstance(items, dict) and items.get("type") == "object":
        found = items.get("x-kubernetes-map-type")
        if found != "atomic":
            detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
            causes.invalid(f"{path}.items.x-kubernetes-map-type", found, detail)


def _keyed(causes: Causes, path: str, items: Object, keys: list[str]) -> None:
    at, properties = f"{path}.x-kubernetes-list-map-keys", items.get("properties") or {}
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        causes.invalid(f"{path}.items.type", items.get("type"), detail)
    if len(set(keys)) < len(keys):
        causes.invalid(at, keys, "must not contain duplicate entries")
    if any(key not in properties for key in keys):
        causes.invalid(at, keys, "entries must all be names of item properties")
    for key in sorted(set(keys) & set(properties)):
        where, found = f"{path}.items.properties[{key}]", properties[key]
        if found.get("type") in {"array", "object"}:
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            causes.invalid(f"{where}.type", found["type"], detail)
        if key not in (items.get("required") or ()) and found.get("default") is None:
            detail = (
                "this property is in x-kubernetes-list-map-keys, "
                "so it must have a default or be a required property"
            )
            causes.required(f"{where}.default", detail)


def columns(causes: Causes, path: str, found: list[Object]) -> None:
    """Checks `additionalPrinterColumns`."""
    for index, column in enumerate(found):
        at, kind, shape = f"{path}[{index}]", column.get("type", ""), column.get("format")
        if not column.get("name"):
            causes.required(f"{at}.name")
        if not kind:
            causes.required(f"{at}.type", f"must be one of {','.join(_COLUMN_TYPES)}")
        elif kind not in _COLUMN_TYPES:
            causes.invalid(f"{at}.type", kind, f"must be one of {','.join(_COLUMN_TYPES)}")
        if shape and shape not in _COLUMN_FORMATS:
            causes.invalid(f"{at}.format", shape, f"must be one of {','.join(_COLUMN_FORMATS)}")
        _simple_path(causes, f"{at}.JSONPath", column.get("jsonPath", ""))


def subresources(causes: Causes, path: str, found: Object) -> None:
    """Checks where the scale subresource reads and writes."""
    scale = found.get("scale")
    if scale is None:
        return
    for name, part in (("specReplicasPath", "spec"), ("statusReplicasPath", "status")):
        _under(causes, f"{path}.scale.{name}", scale.get(name, ""), part)
    selected = scale.get("labelSelectorPath")
    if selected:
        _simple_path(causes, f"{path}.scale.labelSelectorPath", selected)


def _simple_path(causes: Causes, path: str, value: str) -> bool:
    if not value:
        causes.required(path)
    elif not value.startswith("."):
        causes.invalid(path, value, "must be a simple json path starting with .")
    else:
        return True
    return False


def _under(causes: Causes, path: str, value: str, part: str) -> None:
    if _simple_path(causes, path, value) and not value.startswith(f".{part}."):
        causes.invalid(path, value, f"should be a json path under .{part}")
