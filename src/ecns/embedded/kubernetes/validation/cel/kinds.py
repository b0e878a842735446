"""The types that expressions have before they run, and those that schemas declare.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
"""

from __future__ import annotations

from typing import Any

import msgspec

from ecns.embedded.kubernetes.validation.cel.values import field_name

REQUEST = 3 * 1024 * 1024
"""The largest request, from which sizes are guessed that a schema does not limit."""
UNKNOWN = 2**64 - 1
_SCALARS = frozenset({"bool", "int", "uint", "double", "null_type", "timestamp", "duration", "type"})
_UNWEIGHED = 0
"""The size that Kubernetes takes for what a schema says of objects, keys, numbers and booleans."""


class Kind(msgspec.Struct, frozen=True):
    """A type: its name, what it holds, and how large its values may be."""

    name: str
    of: Kind | None = None
    """What a list, a map or an optional holds."""
    fields: dict[str, Kind] | None = None
    """By their names in JSON; of objects that a schema describes."""
    size: int = UNKNOWN
    """The most characters, items or entries."""
    smallest: int = 0
    """The fewest bytes of its JSON."""

    @property
    def extent(self) -> int:
        """Its size; of scalars that no schema declares it is one."""
        return 1 if self.size == UNKNOWN and self.name in _SCALARS else self.size

    def field(self, name: str) -> Kind | None:
        """The type of a field, by its name in an expression."""
        if self.fields is None:
            return None
        return self.fields.get(name) or self.fields.get(field_name(name))

    def __str__(self) -> str:
        if self.name == "list":
            return f"list({self.of})"
        if self.name == "map":
            return f"map(string, {self.of})"
        if self.name == "optional":
            return f"optional_type({self.of})"
        long = {
            "timestamp": "google.protobuf.Timestamp",
            "duration": "google.protobuf.Duration",
            "null_type": "null",
        }
        return long.get(self.name, self.name)


DYN = Kind("dyn")
BOOL, INT, STRING, NULL, TYPE = Kind("bool"), Kind("int"), Kind("string"), Kind("null_type"), Kind("type")
KEY = Kind("string", size=_UNWEIGHED)
"""A key of a map."""


def listed(of: Kind, size: int = UNKNOWN) -> Kind:
    """A list."""
    return Kind("list", of, size=size)


def joined(one: Kind, other: Kind) -> Kind:
    """The type of what is one or the other."""
    if one.name == other.name and one.name not in {"list", "map", "optional"}:
        return Kind(one.name, one.of, one.fields, max(one.size, other.size))
    return one if fits(one, other) else DYN


def fits(one: Kind, other: Kind) -> bool:
    """Whether values of two types may be the same."""
    if "dyn" in {one.name, other.name}:
        return True
    if one.name == "null_type" or other.name == "null_type":
        scalar = {"bool", "int", "uint", "double", "string", "bytes", "list", "map"}
        return one.name == other.name or not ({one.name, other.name} & scalar)
    if one.name != other.name:
        return {one.name, other.name} == {"map", "object"}
    return one.of is None or other.of is None or fits(one.of, other.of)


_TEXT = Kind("string", size=REQUEST - 2, smallest=2)
_META = Kind("object", fields={"name": _TEXT, "generateName": _TEXT}, size=_UNWEIGHED, smallest=2)


def _text(schema: dict[str, Any]) -> Kind:
    form, limit, choices = schema.get("format"), schema.get("maxLength"), schema.get("enum")
    match form:
        case "duration":
            return Kind("duration", size=32, smallest=3)
        case "date":
            return Kind("timestamp", size=12, smallest=12)
        case "date-time":
            return Kind("timestamp", size=32, smallest=21)
    size = REQUEST - 2
    if limit is not None:
        size = max(limit, 0) * (1 if form == "byte" else 4)
    elif choices and form != "byte":
        size = max((len(item) for item in choices if isinstance(item, str)), default=0)
    return Kind("bytes" if form == "byte" else "string", size=size, smallest=2)


def declared(schema: Any, *, root: bool = False) -> Kind | None:
    """The type of a structural schema; None of what rules do not see."""
    if not isinstance(schema, dict):
        return None
    if schema.get("x-kubernetes-int-or-string"):
        limit = schema.get("maxLength")
        return Kind("dyn", size=REQUEST - 2 if limit is None else max(limit, 0) * 4, smallest=1)
    match schema.get("type"):
        case "array":
            of = declared(schema.get("items"), root=_embedded(schema.get("items")))
            if of is None:
                return None
            most = schema.get("maxItems")
            return Kind(
                "list", of, size=(REQUEST - 2) // (of.smallest + 1) if most is None else most, smallest=2
            )
        case "object":
            return _object(schema, root=root)
        case "string":
            return _text(schema)
        case "boolean":
            return Kind("bool", size=_UNWEIGHED, smallest=4)
        case "integer":
            return Kind("int", size=_UNWEIGHED, smallest=1)
        case "number":
            return Kind("double", size=_UNWEIGHED, smallest=1)
    return None


def _embedded(schema: Any) -> bool:
    return isinstance(schema, dict) and bool(schema.get("x-kubernetes-embedded-resource"))


def _object(schema: dict[str, Any], *, root: bool) -> Kind | None:
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        of = declared(more, root=_embedded(more))
        if of is None:
            return None
        most = schema.get("maxProperties")
        return Kind("map", of, size=(REQUEST - 2) // (of.smallest + 6) if most is None else most, smallest=2)
    fields, smallest, needed = {}, 2, schema.get("required") or ()
    for name, inner in (schema.get("properties") or {}).items():
        kind = declared(inner, root=_embedded(inner))
        if kind is None:
            continue
        fields[name] = kind
        if name in needed and "default" not in inner:
            smallest += len(name) + kind.smallest + 4
    if root:
        fields |= {"apiVersion": _TEXT, "kind": _TEXT}
        meta = fields.get("metadata")
        fields["metadata"] = Kind(
            "object", fields={**(meta.fields or {} if meta else {}), **(_META.fields or {})}, size=_UNWEIGHED
        )
    return Kind("object", fields=fields, size=_UNWEIGHED, smallest=smallest)
