"""Whether a schema is structural: every value has one type, which nothing that only restricts it tells anew.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.validation import expressions
from ecns.embedded.kubernetes.validation.causes import Causes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecns.embedded.kubernetes.errors import Object

EMBEDDED = "x-kubernetes-embedded-resource"
FREE = "x-kubernetes-preserve-unknown-fields"
NUMBER_OR_TEXT = "x-kubernetes-int-or-string"
_COMBINED = ("anyOf", "allOf", "oneOf")
_NUMBER_OR_TEXT = [{"type": "integer"}, {"type": "string"}]
_ROOT, _ITEM, _FIELD = "at the root", "for specified array items", "for specified object fields"
_EMPTY = "must be empty to be structural"
_UNSET = "must be undefined to be structural"
_UNTRUE = "must be false to be structural"
_RESTRICTING_ONLY = {
    "type": _EMPTY,
    "additionalProperties": _UNSET,
    "default": _UNSET,
    "title": _EMPTY,
    "description": _EMPTY,
    "nullable": _UNTRUE,
    FREE: _UNTRUE,
    EMBEDDED: _UNTRUE,
    NUMBER_OR_TEXT: _UNTRUE,
    "x-kubernetes-list-map-keys": _EMPTY,
    "x-kubernetes-list-type": _UNSET,
    "x-kubernetes-map-type": _UNSET,
    "x-kubernetes-validations": _EMPTY,
}
"""What a part of anyOf, allOf, oneOf or not may not say."""
_NO_OTHER_METADATA = (
    "must not specify anything other than name and generateName, but metadata is implicitly specified"
)
_UNSUPPORTED = (
    ("id", "id"),
    ("$schema", "schema"),
    ("$ref", "$ref"),
    ("patternProperties", "patternProperties"),
    ("dependencies", "dependencies"),
    ("additionalItems", "additionalItems"),
    ("definitions", "definitions"),
)


def unsupported(schema: Object) -> str:
    """Why a schema cannot be read as a structural one at all; "" when it can."""
    for name, told in _UNSUPPORTED:
        if schema.get(name):
            return f"OpenAPIV3Schema '{told}' is not supported"
    if isinstance(schema.get("items"), list):
        return "OpenAPIV3Schema 'items' must be a schema, but is an array"
    for inner in _within(schema):
        why = unsupported(inner)
        if why:
            return why
    return ""


def _within(schema: Object) -> Iterator[Object]:
    yield from (schema.get("properties") or {}).values()
    for name in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(name), dict):
            yield schema[name]
    for name in _COMBINED:
        yield from schema.get(name) or ()


def check(causes: Causes, path: str, schema: Object) -> None:
    """Adds, in their order, the reasons why a schema is not structural."""
    found = Causes()
    _structural(found, path, schema, _ROOT)
    _complete(found, path, path, schema, schema)
    causes += sorted(found, key=lambda cause: f"{cause.field}: {cause.message}")


def _structural(causes: Causes, path: str, schema: Object, place: str) -> None:
    kind, items, more = schema.get("type"), schema.get("items"), schema.get("additionalProperties")
    if kind == "array" and items is None:
        causes.required(f"{path}.items", "must be specified")
    if items is not None:
        _structural(causes, f"{path}.items", items, _ITEM)
    for name, inner in (schema.get("properties") or {}).items():
        _structural(causes, f"{path}.properties[{name}]", inner, _FIELD)
    if more is not None:
        if place == _ROOT:
            causes.forbidden(f"{path}.additionalProperties", "must not be used at the root")
        if isinstance(more, dict):
            _structural(causes, f"{path}.additionalProperties", more, _FIELD)
        if schema.get(EMBEDDED):
            why = "must not be used if x-kubernetes-embedded-resource is set"
            causes.forbidden(f"{path}.additionalProperties", why)
    if schema.get(NUMBER_OR_TEXT):
        for name in (FREE, EMBEDDED):
            if schema.get(name):
                why = "must be false if x-kubernetes-int-or-string is true"
                causes.invalid(f"{path}.{name}", True, why)
    _restricting(causes, path, schema, whole=True, open_any=schema.get("anyOf") == _NUMBER_OR_TEXT)
    _typed(causes, path, schema, place)
    if place == _ROOT or schema.get(EMBEDDED):
        _object_like(causes, path, schema, root=place == _ROOT)
    if schema.get(EMBEDDED) and not schema.get(FREE) and not schema.get("properties"):
        causes.required(
            f"{path}.properties",
            "must not be empty if x-kubernetes-embedded-resource is true "
            "without x-kubernetes-preserve-unknown-fields",
        )


def _typed(causes: Causes, path: str, schema: Object, place: str) -> None:
    kind = schema.get("type")
    if schema.get(EMBEDDED) and kind != "object":
        why = "must be object if x-kubernetes-embedded-resource is true"
        if kind:
            causes.invalid(f"{path}.type", kind, why)
        else:
            causes.required(f"{path}.type", why)
    elif not kind and not schema.get(NUMBER_OR_TEXT) and not schema.get(FREE):
        causes.required(f"{path}.type", f"must not be empty {place}")
    if place == _ROOT and kind and kind != "object":
        causes.invalid(f"{path}.type", kind, "must be object at the root")


def _object_like(causes: Causes, path: str, schema: Object, *, root: bool) -> None:
    """Checks what a schema says of apiVersion, kind and metadata."""
    known = schema.get("properties") or {}
    for name in ("kind", "apiVersion"):
        if name in known and known[name].get("type") != "string":
            causes.invalid(f"{path}.properties[{name}].type", known[name].get("type", ""), "must be string")
    metadata, at = known.get("metadata"), f"{path}.properties[metadata]"
    if metadata is None:
        return
    if metadata.get("type") != "object":
        causes.invalid(f"{at}.type", metadata.get("type", ""), "must be object")
    named = set(metadata.get("properties") or {}) <= {"name", "generateName"}
    if root and (not named or set(metadata) - {"type", "default", "properties"}):
        causes.forbidden(at, _NO_OTHER_METADATA)


def _restricting(causes: Causes, path: str, schema: Object, *, whole: bool, open_any: bool) -> None:
    """Checks what only restricts values.

    Args:
        causes: what is wrong is added.
        path: of the schema.
        schema: it.
        whole: whether it is a schema, not a part of one that restricts only.
        open_any: whether its anyOf may say that a value is an integer or a string.
    """
    for name in _COMBINED:
        if name == "anyOf" and open_any:
            continue
        for index, inner in enumerate(schema.get(name) or ()):
            first = whole and name == "allOf" and not index and inner.get("anyOf") == _NUMBER_OR_TEXT
            _part(causes, f"{path}.{name}[{index}]", inner, open_any=first)
    if isinstance(schema.get("not"), dict):
        _part(causes, f"{path}.not", schema["not"])
    if schema.get("pattern"):
        try:
            expressions.compiled(schema["pattern"])
        except expressions.ExpressionError as error:
            why = f"must be a valid regular expression, but isn't: {error}"
            causes.invalid(f"{path}.pattern", schema["pattern"], why)


def _part(causes: Causes, path: str, schema: Object, *, open_any: bool = False) -> None:
    _restricting(causes, path, schema, whole=False, open_any=open_any)
    if isinstance(schema.get("items"), dict):
        _part(causes, f"{path}.items", schema["items"])
    for name, inner in (schema.get("properties") or {}).items():
        _part(causes, f"{path}.properties[{name}]", inner)
    for name, why in _RESTRICTING_ONLY.items():
        if schema.get(name) or (why == _UNSET and schema.get(name) is not None):
            causes.forbidden(f"{path}.{name}", why)
    if "metadata" in (schema.get("properties") or {}):
        causes.forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


def _complete(causes: Causes, path: str, at: str, part: Object, schema: Object | None) -> None:
    """Checks that what is restricted is also described: the schema in which `part` stands has it, too."""
    nested = [(f"{at}.{name}[{i}]", one) for name in _COMBINED for i, one in enumerate(part.get(name) or ())]
    if isinstance(part.get("not"), dict):
        nested.append((f"{at}.not", part["not"]))
    for place, inner in nested:
        _described(causes, path, place, inner, schema)


def _described(causes: Causes, path: str, at: str, part: Object, schema: Object | None) -> None:
    if schema is None:
        causes.required(path, f"because it is defined in {at}")
        return
    _complete(causes, path, at, part, schema)
    if isinstance(part.get("items"), dict):
        _described(causes, f"{path}.items", f"{at}.items", part["items"], schema.get("items"))
    for name, inner in (part.get("properties") or {}).items():
        known = (schema.get("properties") or {}).get(name)
        where = f"properties[{name}]"
        if known is None:
            causes.required(f"{path}.{where}", f"because it is defined in {at}.{where}")
        else:
            _described(causes, f"{path}.{where}", f"{at}.{where}", inner, known)
