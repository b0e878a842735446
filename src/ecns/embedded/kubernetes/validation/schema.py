"""Structural schemas of custom resources: dropping what they do not know, defaults, validation, rules.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/ and
recorded refusals.
"""

from __future__ import annotations

import ipaddress
import re
from copy import deepcopy
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes import quantities, schemas
from ecns.embedded.kubernetes.errors import Cause
from ecns.embedded.kubernetes.validation import expressions
from ecns.embedded.kubernetes.validation.causes import Causes, shown
from ecns.embedded.kubernetes.validation.ruling import Ruling, counterpart, has_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecns.embedded.kubernetes.errors import Object

_ROOT = frozenset({"apiVersion", "kind", "metadata"})
_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_NOTHING: Any = object()
"""An old value that is not there."""
_FREE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_BLOCKING = frozenset(
    {
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    }
)
_UNCHECKED = (
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


# unknown fields


def _walk(schema: Object, value: Any, path: str, *, root: bool, drop: bool) -> Iterator[str]:
    if isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, dict):
            for index, item in enumerate(value):
                yield from _walk(items, item, f"{path}[{index}]", root=False, drop=drop)
        return
    if not isinstance(value, dict):
        return
    known, more = schema.get("properties", {}), schema.get("additionalProperties")
    kept = _ROOT if root or schema.get(_EMBEDDED) else frozenset()
    for key in list(value):
        at = f"{path}.{key}" if path else key
        if key == "metadata" and kept and isinstance(value[key], dict):
            yield from _walk_metadata(value[key], at, drop=drop)
        elif key in known:
            yield from _walk(known[key], value[key], at, root=False, drop=drop)
        elif isinstance(more, dict):
            yield from _walk(more, value[key], at, root=False, drop=drop)
        elif key not in kept and not schema.get(_FREE) and not more:
            yield at
            if drop:
                del value[key]


def _walk_metadata(metadata: Object, path: str, *, drop: bool) -> Iterator[str]:
    """An object's metadata, whose type is Kubernetes' own wherever it stands."""
    unknown: list[str] = []
    schemas.named(_METADATA).decode(metadata if drop else deepcopy(metadata), unknown)
    yield from (f"{path}.{name}" for name in unknown)


def unknown_fields(schema: Object, obj: Object) -> list[str]:
    """The paths of what the schema does not know: `spec.foo`.

    Raises:
        ApiError: 400, when the metadata cannot be decoded.
    """
    try:
        return sorted(_walk(schema, obj, "", root=True, drop=False))
    except schemas.DecodeError as error:
        raise schemas.cannot_handle(obj, str(obj.get("kind")), str(error)) from None


def prune(schema: Object, obj: Object) -> None:
    """Takes out, in place, the fields that the schema does not know."""
    for _ in _walk(schema, obj, "", root=True, drop=True):
        pass


def without_nulls(schema: Any, obj: Any) -> None:
    """Takes out, in place, the nulls that may be none and have no default."""
    if not isinstance(schema, dict):
        return
    if isinstance(obj, list):
        for item in obj:
            without_nulls(schema.get("items"), item)
    if isinstance(obj, dict):
        known, more = schema.get("properties", {}), schema.get("additionalProperties")
        for name, value in list(obj.items()):
            inner = known.get(name, more)
            if value is not None:
                without_nulls(inner, value)
            elif isinstance(inner, dict) and not inner.get("nullable") and inner.get("default") is None:
                del obj[name]


def default(schema: Object, obj: Any) -> None:
    """Fills in the schema's defaults, in place; a null that may not be one gives way to them."""
    if isinstance(obj, list):
        items = schema.get("items")
        if isinstance(items, dict):
            for item in obj:
                default(items, item)
        return
    if not isinstance(obj, dict):
        return
    known, more = schema.get("properties", {}), schema.get("additionalProperties")
    for name, inner in known.items():
        if "default" in inner and (name not in obj or (obj[name] is None and not inner.get("nullable"))):
            obj[name] = deepcopy(inner["default"])
    for name in list(obj):
        inner = known.get(name, more)
        if isinstance(inner, dict):
            default(inner, obj[name])


# validation


_GO_FORMATS = {"integer": "int64", "number": "float64"}
"""How values are called where a format is wanted."""


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _ip(version: int) -> Callable[[str], bool]:
    return lambda text: ipaddress.ip_address(text).version == version


def _cidr(text: str) -> bool:
    return "/" in text and ipaddress.ip_network(text, strict=False) is not None


def _moment(text: str) -> bool:
    return "T" in text.upper() and datetime.fromisoformat(text).tzinfo is not None


_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?)*"
)
_UUID = re.compile(r"(?i)[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
_DURATION = re.compile(r"[+-]?(\d+(\.\d+)?\s*(ns|us|µs|ms|s|m|h|d|w|[a-z]+))+")
_FORMATS: dict[str, Callable[[str], bool]] = {
    "email": lambda text: bool(re.fullmatch(r"[^@\s]+@[^@\s]+", text)),
    "hostname": lambda text: bool(_HOST.fullmatch(text)),
    "ipv4": _ip(4),
    "ipv6": _ip(6),
    "cidr": _cidr,
    "mac": lambda text: bool(re.fullmatch(r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}", text)),
    "uuid": lambda text: bool(_UUID.fullmatch(text)),
    "uri": lambda text: bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|/", text)),
    "date": lambda text: (
        date.fromisoformat(text) is not None and bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text))
    ),
    "date-time": _moment,
    "datetime": _moment,
    "duration": lambda text: bool(_DURATION.fullmatch(text)),
    "byte": lambda text: bool(
        re.fullmatch(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", text)
    ),
}


def _has_format(name: str, text: str) -> bool:
    check = _FORMATS.get(name)
    if check is None:
        return True
    try:
        return check(text)
    except ValueError:
        return False


def _type_fault(causes: Causes, path: str, found: str, wanted: str) -> None:
    message = f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'
    causes.append(Cause("FieldValueTypeInvalid", message, path))


def _check_text(causes: Causes, path: str, schema: Object, value: str) -> None:
    most, least, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")
    if most is not None and len(value) > most:
        causes.too_long(path, most)
    elif least is not None and len(value) < least:
        causes.invalid(path, value, f"{path} in body should be at least {least} chars long")
    elif pattern and not expressions.compiled(pattern).search(value):
        causes.invalid(path, value, f"{path} in body should match '{pattern}'")
    name = schema.get("format")
    if name and not _has_format(name, value):
        message = f"Invalid value: {shown(value)}: {path} in body must be of type {name}: {shown(value)}"
        causes.append(Cause("FieldValueTypeInvalid", message, path))


def _in_range(form: str | None, value: float) -> bool:
    bits = 31 if form == "int32" else 63
    return float(value).is_integer() and -(2**bits) <= value < 2**bits


def _check_number(causes: Causes, path: str, schema: Object, value: float) -> None:
    most, least, step = schema.get("maximum"), schema.get("minimum"), schema.get("multipleOf")
    if schema.get("type") == "integer" and not _in_range(schema.get("format"), value):
        sort = f"with format {schema['format']}" if schema.get("format") else "(default format)"
        causes.invalid("<nil>", "", f"Checked value must be of type integer {sort} in {path}")
    if step and quantities.parse(value).nano % quantities.parse(step).nano:
        causes.invalid(path, value, f"{path} in body should be a multiple of {step}")
    if most is not None:
        if schema.get("exclusiveMaximum") and value >= most:
            causes.invalid(path, value, f"{path} in body should be less than {most}")
        elif value > most:
            causes.invalid(path, value, f"{path} in body should be less than or equal to {most}")
    if least is not None:
        if schema.get("exclusiveMinimum") and value <= least:
            causes.invalid(path, value, f"{path} in body should be greater than {least}")
        elif value < least:
            causes.invalid(path, value, f"{path} in body should be greater than or equal to {least}")


def _too_many(causes: Causes, path: str, count: int, most: int) -> None:
    message = f"Too many: {count}: must have at most {most} items"
    causes.append(Cause("FieldValueTooMany", message, path))


def _check_list(causes: Causes, path: str, schema: Object, value: list[Any], old: Any) -> None:
    items, most, least = schema.get("items"), schema.get("maxItems"), schema.get("minItems")
    if isinstance(items, dict):
        keys = schema.get("x-kubernetes-list-map-keys")
        for index, item in enumerate(value):
            before = counterpart(old, item, keys)
            _check(causes, f"{path}[{index}]", items, item, _NOTHING if before is None else before)
    if most is not None and len(value) > most:
        _too_many(causes, path, len(value), most)
    elif least is not None and len(value) < least:
        causes.invalid(path, len(value), f"{path} in body should have at least {least} items")
    kind, seen = schema.get("x-kubernetes-list-type"), []
    for index, item in enumerate(value):
        key = item
        if kind == "map" and isinstance(item, dict):
            key = {name: item[name] for name in schema.get("x-kubernetes-list-map-keys", ()) if name in item}
        elif kind != "set":
            return
        if key in seen:
            causes.duplicate(f"{path}[{index}]", key)
        seen.append(key)


def _check_object(causes: Causes, path: str, schema: Object, value: Object, old: Any) -> None:
    known, more = schema.get("properties", {}), schema.get("additionalProperties")
    count, most, least = len(value), schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and count > most:
        _too_many(causes, path, count, most)
    elif least is not None and count < least:
        causes.invalid(path, count, f"{path} in body should have at least {least} properties")
    required = schema.get("required", ())
    if path and schema.get(_EMBEDDED):
        required = (*required, *(name for name in ("apiVersion", "kind") if not value.get(name)))
    for name in dict.fromkeys(required):
        if not value.get(name) if name in _ROOT else name not in value:
            causes.required(_below(path, name))
    for name, item in value.items():
        if not path and name in _ROOT:
            continue
        before = old.get(name, _NOTHING) if isinstance(old, dict) else _NOTHING
        if name in known:
            _check(causes, _below(path, name), known[name], item, before)
        elif isinstance(more, dict):
            _check(causes, _below(path, name), more, item, before)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _fits(schema: Object, value: Any) -> bool:
    found = Causes()
    _check(found, "x", schema, value)
    return not found


def _check_combined(causes: Causes, path: str, schema: Object, value: Any) -> None:
    for inner in schema.get("allOf", ()):
        _check(causes, path, inner, value)
    if "anyOf" in schema and not any(_fits(inner, value) for inner in schema["anyOf"]):
        causes.invalid(path, "", f'"{path}" must validate at least one schema (anyOf)')
    if "oneOf" in schema:
        count = sum(_fits(inner, value) for inner in schema["oneOf"])
        if count != 1:
            found = f"Found {count} valid alternatives" if count else "Found none valid"
            causes.invalid(path, "", f'"{path}" must validate one and only one schema (oneOf). {found}')
    if "not" in schema and _fits(schema["not"], value):
        causes.invalid(path, "", f'"{path}" must not validate the schema (not)')


def _check(causes: Causes, path: str, schema: Object, value: Any, old: Any = _NOTHING) -> None:
    """What an update leaves as it was is not held against it."""
    if (value is None and schema.get("nullable")) or value == old:
        return
    found, wanted = _type_name(value), schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        if found not in {"integer", "string"}:
            _type_fault(causes, path, found, "integer,string")
            return
    elif wanted and found != wanted and not (wanted == "number" and found == "integer"):
        form = "" if isinstance(value, str | list) else schema.get("format")
        _type_fault(causes, path, _GO_FORMATS.get(found, "") if form else found, form or wanted)
        if isinstance(value, float):
            _check_number(causes, path, schema, value)
        return
    if isinstance(value, str):
        _check_text(causes, path, schema, value)
    elif isinstance(value, list):
        _check_list(causes, path, schema, value, old)
    elif isinstance(value, dict):
        _check_object(causes, path, schema, value, old)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(causes, path, schema, value)
    choices = schema.get("enum")
    if choices is not None and value not in choices:
        listed = ", ".join(shown(item) for item in choices)
        message = f"Unsupported value: {shown(value)}: supported values: {listed}"
        causes.append(Cause("FieldValueNotSupported", message, path))
    _check_combined(causes, path, schema, value)


def _scale(causes: Causes, path: str, obj: Object, expected: str) -> None:
    """Checks a number or text that the scale subresource reads."""
    value: Any = obj
    for step in path.removeprefix(".").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if value is None:
        return
    if expected == "int64" and type(value) is int:
        if value < 0:
            causes.invalid(path, value, "should be a non-negative integer")
        elif value >= 2**31:
            causes.invalid(path, value, f"should be less than or equal to {2**31 - 1}")
    elif expected == "int64" or not isinstance(value, str):
        kinds = {"boolean": "bool", "number": "float64", "array": "[]interface {}", "integer": "int64"}
        kind = kinds.get(_type_name(value), "string" if isinstance(value, str) else "map[string]interface {}")
        zero = 0 if expected == "int64" else ""
        detail = f"{path} accessor error: {value} is of the type {kind}, expected {expected}"
        causes.invalid(path, zero, detail)


def faults(schema: Object, value: Any) -> list[Cause]:
    """Everything in which a value by itself, such as a default, breaks its schema and the rules in it."""
    causes = Causes()
    _check(causes, "", schema, value)
    if not causes and has_rules(schema):
        Ruling(causes).check("", schema, value, None)
    return causes


def _check_status(causes: Causes, schema: Object, obj: Object, old: Object | None) -> None:
    """Checks the status by itself: its faults are told as of a value of its own."""
    inner, found = schema.get("properties", {}).get("status"), Causes()
    if inner is None or "status" not in obj:
        return
    _check(found, "", inner, obj["status"], (old or {}).get("status", _NOTHING))
    for cause in found:
        at = cause.field if cause.field == "<nil>" else f"status.{cause.field}" if cause.field else "status"
        causes.append(Cause(cause.reason, cause.message, at))


def validate(
    schema: Object,
    obj: Object,
    old: Object | None = None,
    scale: Object | None = None,
    *,
    status: bool = False,
) -> list[Cause]:
    """Everything in which a custom resource breaks its schema; [] when it is fine.

    Args:
        schema: `openAPIV3Schema` of the version.
        obj: the object.
        old: the stored object, for rules about changes.
        scale: the version's `subresources.scale`, with the paths of the numbers that it reads.
        status: whether the status alone is written.
    """
    causes = Causes()
    if status:
        _check_status(causes, schema, obj, old)
    else:
        _check(causes, "", {**schema, "type": "object"}, obj, _NOTHING if old is None else old)
    for name in ("specReplicasPath", "statusReplicasPath"):
        if scale and scale.get(name):
            _scale(causes, scale[name], obj, "int64")
    if scale and scale.get("labelSelectorPath"):
        _scale(causes, scale["labelSelectorPath"], obj, "string")
    if not has_rules(schema):
        return causes
    if any(cause.reason in _BLOCKING for cause in causes):
        causes.append(Cause("FieldValueInvalid", _UNCHECKED, "<nil>"))
    else:
        Ruling(causes).check("", schema, obj, old)
    return causes
