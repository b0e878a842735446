"""What a schema of a CustomResourceDefinition may say: the parts of OpenAPI v3 that Kubernetes takes.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ecns.embedded.kubernetes.validation.definitions.structure import EMBEDDED, FREE

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_LIST_TYPES = ("atomic", "set", "map")
_MAP_TYPES = ("atomic", "granular")
_META = frozenset({"metadata", "kind", "apiVersion"})
_LIST_TYPE, _LIST_KEYS, _MAP_TYPE = (
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
)
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")


class _Place(NamedTuple):
    """Where a schema stands."""

    root: bool = False
    no_defaults: str = ""
    """Why there may be no default; "" when there may."""
    in_meta: bool = False
    """Whether it describes apiVersion, kind or metadata of an object."""


def check(causes: Causes, path: str, schema: Object) -> None:
    """Adds what is wrong with the parts of an `openAPIV3Schema` by themselves."""
    _check(causes, path, schema, _Place(root=True))


def _check(causes: Causes, path: str, schema: Object, place: _Place) -> None:
    _allowed(causes, path, schema, place)
    known, more = schema.get("properties") or {}, schema.get("additionalProperties")
    inner = place._replace(root=False)
    if more is not None and more is not True and known:
        why = "additionalProperties and properties are mutual exclusive"
        causes.forbidden(f"{path}.additionalProperties", why)
    if isinstance(more, dict):
        why = "inside additionalProperties applying to object metadata"
        below = inner._replace(no_defaults=why) if place.in_meta else inner
        _check(causes, f"{path}.additionalProperties", more, below)
    for name, part in known.items():
        below = inner
        if name in _META and (place.root or schema.get(EMBEDDED)):
            below = _Place(no_defaults=f"in top-level {name}" if place.root else "", in_meta=True)
        _check(causes, f"{path}.properties[{name}]", part, below)
    if isinstance(schema.get("not"), dict):
        _check(causes, f"{path}.not", schema["not"], inner)
    for name in ("allOf", "oneOf", "anyOf"):
        for index, part in enumerate(schema.get(name) or ()):
            _check(causes, f"{path}.{name}[{index}]", part, inner)
    for name, part in (schema.get("definitions") or {}).items():
        _check(causes, f"{path}.definitions[{name}]", part, inner)
    items = schema.get("items")
    if isinstance(items, dict):
        _check(causes, f"{path}.items", items, inner)
    for index, part in enumerate(items if isinstance(items, list) else ()):
        _check(causes, f"{path}.items[{index}]", part, inner)
    if schema.get(FREE) is False:
        causes.invalid(f"{path}.{FREE}", False, "must be true or undefined")
    _kept_as(causes, path, schema)
    _listed(causes, path, schema)


def _allowed(causes: Causes, path: str, schema: Object, place: _Place) -> None:
    kind = schema.get("type")
    if kind and kind not in _TYPES:
        causes.unsupported(f"{path}.type", kind, _TYPES)
    if schema.get("default") is not None and place.no_defaults:
        causes.forbidden(f"{path}.default", f"must not be set {place.no_defaults}")
    for name in _UNSUPPORTED:
        if schema.get(name):
            causes.forbidden(f"{path}.{name}", f"{name} is not supported")
    if kind == "null":
        causes.forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if isinstance(schema.get("items"), list):
        causes.forbidden(f"{path}.items", "items must be a schema object and not an array")
    if place.in_meta and schema.get(EMBEDDED):
        causes.forbidden(f"{path}.{EMBEDDED}", "must not be used inside of resource meta")
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        causes.forbidden(f"{path}.uniqueItems", why)


def _of_type(causes: Causes, path: str, schema: Object, name: str, wanted: str) -> bool:
    kind = schema.get("type")
    if schema.get(name) is None or kind == wanted:
        return True
    why = f"must be {wanted} if {name} is specified"
    if kind:
        causes.invalid(f"{path}.type", kind, why)
    else:
        causes.required(f"{path}.type", why)
    return False


def _kept_as(causes: Causes, path: str, schema: Object) -> None:
    """Checks `x-kubernetes-map-type` and `x-kubernetes-list-type` by themselves."""
    _of_type(causes, path, schema, _MAP_TYPE, "object")
    if schema.get(_MAP_TYPE) is not None:
        causes.one_of(f"{path}.{_MAP_TYPE}", schema[_MAP_TYPE], _MAP_TYPES)
    kind, items = schema.get(_LIST_TYPE), schema.get("items")
    if _of_type(causes, path, schema, _LIST_TYPE, "array") and kind == "set" and isinstance(items, dict):
        name = _MAP_TYPE if items.get("type") == "object" else _LIST_TYPE
        found = items.get(name)
        loose = name == _LIST_TYPE and (items.get("type") != "array" or found is None)
        if found != "atomic" and not loose:
            why = "must be atomic as item of a list with x-kubernetes-list-type=set"
            causes.invalid(f"{path}.items.{name}", items.get(_LIST_TYPE), why)
    if kind is not None:
        causes.one_of(f"{path}.{_LIST_TYPE}", kind, _LIST_TYPES)


def _listed(causes: Causes, path: str, schema: Object) -> None:
    """Checks `x-kubernetes-list-map-keys` and what the items of a map or set must be."""
    kind, keys, items = schema.get(_LIST_TYPE), schema.get(_LIST_KEYS) or [], schema.get("items")
    if keys and kind != "map":
        why = "must be map if x-kubernetes-list-map-keys is non-empty"
        if kind is None:
            causes.required(f"{path}.{_LIST_TYPE}", why)
        else:
            causes.invalid(f"{path}.{_LIST_TYPE}", kind, why)
    if kind == "map":
        if not keys:
            causes.required(f"{path}.{_LIST_KEYS}", "must not be empty if x-kubernetes-list-type is map")
        if items is None:
            causes.required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
        elif isinstance(items, dict) and items.get("type") != "object":
            why = "must be object if parent array's x-kubernetes-list-type is map"
            causes.invalid(f"{path}.items.type", items.get("type", ""), why)
        elif isinstance(items, dict):
            _keyed(causes, path, items, keys)
    if kind in {"map", "set"} and isinstance(items, dict):
        if items.get("nullable"):
            causes.forbidden(
                f"{path}.items.nullable", f"cannot be nullable when x-kubernetes-list-type is {kind}"
            )
        for key in keys if kind == "map" else ():
            _key(causes, f"{path}.items.properties[{key}]", items, key)


def _keyed(causes: Causes, path: str, items: Object, keys: list[str]) -> None:
    at, known, seen = f"{path}.{_LIST_KEYS}", items.get("properties") or {}, set()
    for key in keys:
        if key not in known:
            causes.invalid(at, keys, "entries must all be names of item properties")
        elif known[key].get("type") in {"array", "object"}:
            why = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            causes.invalid(f"{path}.items.properties[{key}].type", items["type"], why)
        if key in seen:
            causes.invalid(at, keys, "must not contain duplicate entries")
        seen.add(key)


def _key(causes: Causes, at: str, items: Object, key: str) -> None:
    found, told = (
        (items.get("properties") or {}).get(key),
        "this property is in x-kubernetes-list-map-keys, so it",
    )
    if found is None:
        return
    if key not in (items.get("required") or ()) and found.get("default") is None:
        causes.required(f"{at}.default", f"{told} must have a default or be a required property")
    if found.get("nullable"):
        causes.forbidden(f"{at}.nullable", f"{told} cannot be nullable")
