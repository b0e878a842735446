"""Kubernetes' types, read from the JSON schemas of PyPI `kubernetes-validate`, and decoding into them.

An API server decodes a request into structs and encodes the structs again. `Type.decode` does the same to
a dict, in place: fields it does not know are taken out and named, values of a wrong type are refused with
the decoder's own words, quantities and times get their canonical spelling, what is empty is left out and
what is always shown is put in (see `wire`).

The schemas are read on first use (about 10 ms) and a type is built when it is first asked for.
"""

from __future__ import annotations

import base64
import binascii
import importlib.util
import re
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.errors import ApiError, Object, bad_request
from ecns.embedded.kubernetes.resources import Resource, Resources
from ecns.embedded.kubernetes.wire import FACTS

VERSION = "v1.36"
_CORE = "io.k8s.api."
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis."
_STANDARD_OBJECTS = frozenset({"metadata", "spec", "status", "template"})
_INT32 = 2**31
_INT64 = 2**63
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class DecodeError(Exception):
    """A value that does not fit its field; `str()` gives the decoder's text.

    `struct` and `path` (inner to outer) say where, for texts that name the place.
    """

    def __init__(self, text: str = "", *, found: str = "", wanted: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.found = found
        self.wanted = wanted
        self.struct = ""
        self.path: list[str] = []

    def __str__(self) -> str:
        if self.text:
            return self.text
        place = ".".join([self.struct, *reversed(self.path)])
        return f"json: cannot unmarshal {self.found} into Go struct field {place} of type {self.wanted}"


def _sort_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


class Type:
    """The type of a value; this base takes anything as it is."""

    go = "interface {}"
    zero: Any = None
    is_object = False

    def decode(self, value: Any, unknown: list[str]) -> Any:
        """The value as the server keeps it.

        Args:
            value: JSON; objects and lists are changed in place.
            unknown: paths of fields that are not known are added, relative to the value.

        Raises:
            DecodeError: the value does not fit.
        """
        del unknown
        return value

    def __getitem__(self, name: str) -> Type:
        """The type of a field, or of a list's or a map's items."""
        raise KeyError(name)


class _Text(Type):
    zero = ""

    def __init__(self, go: str = "string") -> None:
        self.go = go

    def decode(self, value: Any, unknown: list[str]) -> Any:  # noqa: ARG002  of the interface
        if type(value) is not str:
            raise DecodeError(found=_sort_of(value), wanted=self.go)
        return value


class _Truth(Type):
    go = "bool"
    zero = False

    def decode(self, value: Any, unknown: list[str]) -> Any:  # noqa: ARG002  of the interface
        if type(value) is not bool:
            raise DecodeError(found=_sort_of(value), wanted=self.go)
        return value


class _Number(Type):
    zero = 0

    def __init__(self, go: str) -> None:
        self.go = go
        self._limit = _INT32 if go == "int32" else _INT64

    def decode(self, value: Any, unknown: list[str]) -> Any:  # noqa: ARG002  of the interface
        if type(value) is int and -self._limit <= value < self._limit:
            return value
        if type(value) is int or (type(value) is float and self.go != "float64"):
            raise DecodeError(found=f"number {value}", wanted=self.go)
        if type(value) is not float:
            raise DecodeError(found=_sort_of(value), wanted=self.go)
        return value


class _Quantity(Type):
    go = "resource.Quantity"
    zero = "0"

    def decode(self, value: Any, unknown: list[str]) -> Any:  # noqa: ARG002  of the interface
        try:
            return quantities.canonical(value)
        except ValueError as error:
            raise DecodeError(str(error)) from None


class _IntOrText(Type):
    go = "intstr.IntOrString"
    zero = 0

    def decode(self, value: Any, unknown: list[str]) -> Any:  # noqa: ARG002  of the interface
        if type(value) is str or (type(value) is int and -_INT32 <= value < _INT32):
            return value
        sort = _sort_of(value)
        found = f"number {value}" if sort == "number" else sort
        raise DecodeError(f"json: cannot unmarshal {found} into Go value of type int32")


class _Time(Type):
    go = "v1.Time"

    def __init__(self, *, micro: bool) -> None:
        self._micro = micro

    def decode(self, value: Any, unknown: list[str]) -> Any:  # noqa: ARG002  of the interface
        if type(value) is not str:
            raise DecodeError(f"json: cannot unmarshal {_sort_of(value)} into Go value of type string")
        layout = "2006-01-02T15:04:05.000000Z07:00" if self._micro else "2006-01-02T15:04:05Z07:00"
        try:
            when = datetime.fromisoformat(value)
        except ValueError:
            when = None
        if when is None and _TIME.fullmatch(value):
            parts = zip(("month", "day", "hour", "minute", "second"), (12, 31, 23, 59, 59), strict=True)
            numbers = [int(number) for number in re.findall(r"\d+", value)[1:6]]
            wrong = next((name for (name, most), n in zip(parts, numbers, strict=True) if n > most), "day")
            raise DecodeError(f'parsing time "{value}": {wrong} out of range')
        if when is None or when.tzinfo is None or "T" not in value:
            raise DecodeError(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"')
        when = when.astimezone(UTC)
        return f"{when:%Y-%m-%dT%H:%M:%S}" + (f".{when.microsecond:06d}Z" if self._micro else "Z")


class _Bytes(Type):
    go = "[]uint8"
    zero = ""

    def decode(self, value: Any, unknown: list[str]) -> Any:  # noqa: ARG002  of the interface
        if type(value) is not str:
            raise DecodeError(found=_sort_of(value), wanted=self.go)
        text = value.replace("\n", "").replace("\r", "")
        try:
            base64.b64decode(text, validate=True)
        except binascii.Error:
            found = _BASE64.match(value)
            at = found.end() if found else 0
            if at == len(value):  # what lacks is told by where its group of four begins
                at -= at % 4
            raise DecodeError(f"illegal base64 data at input byte {at}") from None
        return text


class ListType(Type):
    """A list; `item` is the type of its items."""

    def __init__(self, item: Type) -> None:
        self.item = item
        self.go = "[]v1.JSON" if item is ANY else f"[]{item.go}"

    def decode(self, value: Any, unknown: list[str]) -> Any:
        """See `Type.decode`."""
        if type(value) is not list:
            raise DecodeError(found=_sort_of(value), wanted=self.go)
        item = self.item
        for index, element in enumerate(value):
            before = len(unknown)
            if element is None:
                value[index] = item.decode({}, unknown) if item.is_object else item.zero
            else:
                value[index] = item.decode(element, unknown)
            if len(unknown) > before:
                unknown[before:] = [_join(f"[{index}]", path) for path in unknown[before:]]
        return value

    def __getitem__(self, name: str) -> Type:
        return self.item


class MapType(Type):
    """A map from strings; `item` is the type of its values."""

    def __init__(self, item: Type) -> None:
        self.item = item
        self.go = "map[string]" + item.go

    def decode(self, value: Any, unknown: list[str]) -> Any:
        """See `Type.decode`."""
        if type(value) is not dict:
            raise DecodeError(found=_sort_of(value), wanted=self.go)
        item = self.item
        for key, element in value.items():
            before = len(unknown)
            if element is None:
                value[key] = item.decode({}, unknown) if item.is_object else item.zero
            else:
                value[key] = item.decode(element, unknown)
            if len(unknown) > before:
                unknown[before:] = [_join(key, path) for path in unknown[before:]]
        return value

    def __getitem__(self, name: str) -> Type:
        return self.item


def _join(head: str, path: str) -> str:
    return head + path if path.startswith("[") else f"{head}.{path}"


class Field:
    """A field of an object type."""

    __slots__ = ("keep", "merge_key", "name", "schema", "shown", "strategy", "type")

    def __init__(self, name: str, schema: Object, kind: Type, *, keep: bool, shown: bool) -> None:
        self.name = name
        self.type = kind
        self.keep = keep
        """Whether an empty value that was sent is kept."""
        self.shown = shown
        """Whether it is shown although it was not sent."""
        self.merge_key: str = schema.get("x-kubernetes-patch-merge-key", "")
        self.strategy: str = schema.get("x-kubernetes-patch-strategy", "")
        self.schema = schema


class ObjectType(Type):
    """A definition with fields, which are built on first use (types refer to one another)."""

    is_object = True

    def __init__(self, definition: str) -> None:
        self.definition = definition
        *_, version, self.name = definition.split(".")
        self.go = f"{version}.{self.name}"
        self._fields: dict[str, Field] | None = None
        self._shown: tuple[Field, ...] = ()

    @property
    def fields(self) -> dict[str, Field]:
        """By name."""
        if self._fields is None:
            self._fields = _fields(self.definition)
            self._shown = tuple(field for field in self._fields.values() if field.shown)
        return self._fields

    def decode(self, value: Any, unknown: list[str]) -> Any:
        """See `Type.decode`."""
        if type(value) is not dict:
            raise DecodeError(found=_sort_of(value), wanted=self.go)
        fields = self._fields or self.fields
        gone: list[str] = []
        for name, element in value.items():
            field = fields.get(name)
            if field is None:
                gone.append(name)
                unknown.append(name)
                continue
            if element is None:
                gone.append(name)
                continue
            before = len(unknown)
            try:
                decoded = field.type.decode(element, unknown)
            except DecodeError as error:
                error.struct = error.struct or self.name
                error.path.append(name)
                raise
            if len(unknown) > before:
                unknown[before:] = [_join(name, path) for path in unknown[before:]]
            if decoded or field.keep:
                value[name] = decoded
            else:
                gone.append(name)
        for name in gone:
            del value[name]
        for field in self._shown:
            if field.name not in value:
                value[field.name] = (
                    field.type.decode({}, unknown) if field.type.is_object else field.type.zero
                )
        return value

    def __getitem__(self, name: str) -> Type:
        return self.fields[name].type


class _SchemaOr(Type):
    """A schema inside a schema, or what may stand in its place (a list of schemas, true or false)."""

    go = "apiextensions.JSONSchemaProps"

    def decode(self, value: Any, unknown: list[str]) -> Any:
        inner = named(f"{_EXTENSIONS}apiextensions.v1.JSONSchemaProps")
        if isinstance(value, dict):
            return inner.decode(value, unknown)
        if isinstance(value, list):
            return [inner.decode(item, unknown) for item in value]
        return value


ANY = Type()
_TEXT, _TRUTH, _BYTES, _QUANTITY, _INT_OR_TEXT = _Text(), _Truth(), _Bytes(), _Quantity(), _IntOrText()
_NAMED = {
    field: _Text(f"v1.{go}")
    for field, go in (
        ("completionMode", "CompletionMode"),
        ("concurrencyPolicy", "ConcurrencyPolicy"),
        ("dnsPolicy", "DNSPolicy"),
        ("externalTrafficPolicy", "ServiceExternalTrafficPolicy"),
        ("imagePullPolicy", "PullPolicy"),
        ("pathType", "PathType"),
        ("persistentVolumeReclaimPolicy", "PersistentVolumeReclaimPolicy"),
        ("podManagementPolicy", "PodManagementPolicyType"),
        ("preemptionPolicy", "PreemptionPolicy"),
        ("protocol", "Protocol"),
        ("sessionAffinity", "ServiceAffinity"),
        ("terminationMessagePolicy", "TerminationMessagePolicy"),
        ("volumeBindingMode", "VolumeBindingMode"),
        ("volumeMode", "PersistentVolumeMode"),
    )
}
"""Texts that Go gives a type of their own, which its decoder names."""
NAMED = frozenset(kind.go for kind in _NAMED.values())
_NUMBERS = {go: _Number(go) for go in ("int32", "int64", "float64")}
_SPECIAL: dict[str, Type] = {
    "Quantity": _QUANTITY,
    "IntOrString": _INT_OR_TEXT,
    "Time": _Time(micro=False),
    "MicroTime": _Time(micro=True),
    **dict.fromkeys(("JSON", "JSONSchemaPropsOrStringArray"), ANY),
    **dict.fromkeys(("JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool"), _SchemaOr()),
    **dict.fromkeys(("FieldsV1", "Patch", "RawExtension"), ANY),
}


@lru_cache(maxsize=1)
def directory() -> Path:
    """Where the schemas of our version of Kubernetes lie."""
    found = importlib.util.find_spec("kubernetes_validate")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("kubernetes_validate")
    root = Path(found.submodule_search_locations[0]) / "kubernetes-json-schema"
    return max(path for path in root.glob(f"{VERSION}.*-local") if path.is_dir())


@lru_cache(maxsize=1)
def definitions() -> dict[str, Object]:
    """All definitions, by their full names (`io.k8s.api.apps.v1.Deployment`); not to be changed."""
    document: Object = msgspec.json.decode((directory() / "_definitions.json").read_bytes())
    found: dict[str, Object] = document["$defs"]
    return found


@lru_cache(maxsize=1)
def _facts() -> dict[str, dict[str, str]]:
    """Definition → field → its mark (see `wire`)."""
    found: dict[str, dict[str, str]] = {}
    marks: dict[str, str] = {}
    for word in FACTS.split():
        if word[0] == "*":
            marks[word[1:]] = "*"
        elif word[-1] in "!?-":
            marks[word[:-1]] = word[-1]
        elif word.endswith("{}"):
            marks[word[:-2]] = "{}"
        else:
            group = word.partition(".")[0]
            prefix = {"meta": _META[: -len("meta.v1.")], "apiextensions": _EXTENSIONS}.get(group, _CORE)
            marks = found.setdefault(prefix + word, {})
    return found


def _fields(definition: str) -> dict[str, Field]:
    schema = definitions()[definition]
    marks = _facts().get(definition, {})
    required = schema.get("required", ())
    properties: dict[str, Object] = schema.get("properties", {})
    has_metadata = properties.get("metadata", {}).get("$ref", "").endswith(".ObjectMeta")
    fields = {}
    for name, about in properties.items():
        kind, mark = _type_of(about), marks.get(name, "")
        if kind is _TEXT:
            kind = _NAMED.get(name, _TEXT)
        scalar = not kind.is_object and not isinstance(kind, ListType | MapType) and kind is not ANY
        if has_metadata and name in _STANDARD_OBJECTS and kind.is_object:
            mark = "{}"
        shown = mark in {"!", "{}", "-"} or (scalar and name in required and mark not in {"?", "*"})
        keep = shown or mark == "*" or kind.is_object or kind is ANY
        if mark == "-" and isinstance(kind, ListType | MapType):
            kind = _Nullable(kind)
        fields[name] = Field(name, about, kind, keep=keep, shown=shown)
    return fields


class _Nullable(Type):
    """A list or map that is null when it is empty."""

    def __init__(self, inner: Type) -> None:
        self._inner = inner
        self.go = inner.go

    def decode(self, value: Any, unknown: list[str]) -> Any:
        return self._inner.decode(value, unknown) or None

    def __getitem__(self, name: str) -> Type:
        return self._inner[name]


def _type_of(schema: Object) -> Type:
    if "$ref" in schema:
        return named(schema["$ref"].rpartition("/")[2])
    declared = schema.get("type")
    sort = declared[0] if isinstance(declared, list) else declared
    if sort == "array":
        return ListType(_type_of(schema["items"]))
    if sort == "object":
        inner = schema.get("additionalProperties")
        return MapType(_type_of(inner)) if isinstance(inner, dict) else ANY
    if sort == "string":
        return _BYTES if schema.get("format") == "byte" else _TEXT
    if sort == "integer":
        return _NUMBERS[schema.get("format", "int64")]
    return _TRUTH if sort == "boolean" else _NUMBERS["float64"] if sort == "number" else ANY


@cache
def named(definition: str) -> Type:
    """The type of a definition's full name.

    Raises:
        KeyError: there is no such definition.
    """
    special = _SPECIAL.get(definition.rpartition(".")[2])
    if special is not None:
        return special
    if definition not in definitions():
        raise KeyError(definition)
    return ObjectType(definition)


@lru_cache(maxsize=1)
def _by_kind() -> dict[tuple[str, str], str]:
    found = {}
    for name, schema in definitions().items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            group = kind["group"]
            api_version = f"{group}/{kind['version']}" if group else kind["version"]
            if name.endswith(f".{kind['version']}.{kind['kind']}"):
                found[api_version, kind["kind"]] = name
    return found


def of_kind(api_version: str, kind: str) -> Type | None:
    """The type of `apps/v1`, `Deployment`; None for a kind that is not built in."""
    name = _by_kind().get((api_version, kind))
    return named(name) if name else None


@lru_cache(maxsize=1)
def _builtins() -> dict[str, Resource]:
    return {resource.name: resource for resource in Resources()}


def builtin(resource: str) -> Resource | None:
    """The entry of a built-in resource; None for custom ones."""
    return _builtins().get(resource)


def of_object(resource: str, obj: Object) -> Type | None:
    """The type of an object by its own `apiVersion` and `kind`, else by the name of its resource."""
    entry = builtin(resource)
    if entry is None:
        return None
    return of_kind(str(obj.get("apiVersion", "")), str(obj.get("kind", ""))) or of_kind(
        entry.api_version(), entry.kind
    )


def decode(resource: str, obj: Object) -> list[str]:
    """Decodes a built-in object in place; objects of custom resources are left alone.

    Returns:
        The paths of the fields that were not known, which are gone, in the body's order.

    Raises:
        DecodeError: a value does not fit its field.
    """
    found = of_object(resource, obj)
    unknown: list[str] = []
    if found is not None:
        found.decode(obj, unknown)
    return unknown


def cannot_handle(obj: Object, resource_kind: str, why: str) -> ApiError:
    """400 for a body that cannot be decoded; `resource_kind` is the kind that the path asks for."""
    version = str(obj.get("apiVersion", "")).rpartition("/")[2] or "v1"
    kind = obj.get("kind") or resource_kind
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {resource_kind}: {why}')
