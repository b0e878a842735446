"""The definitions of an OpenAPI v2 document in gnostic's protobuf form.

kubectl reads them in no other form, and needs them to check a `v1` List before it sends its items.

Source: the messages `openapi.v2.Document` and `Schema` of https://github.com/google/gnostic
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecns.embedded.kubernetes.errors import Object

CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
ACCEPTED = {CONTENT_TYPE, CONTENT_TYPE.replace("v2.v1", "v2@v1")}

# The numbers of fields.
_SWAGGER, _INFO, _PATHS, _DEFINITIONS = 1, 2, 8, 9
_TEXTS = {"$ref": 1, "format": 2, "title": 3, "description": 4}
_REQUIRED, _ENUM, _ADDITIONAL, _TYPE, _ITEMS, _PROPERTIES, _EXTENSION = 19, 20, 21, 22, 23, 25, 31
_LOW, _MORE, _LENGTH_DELIMITED = 0x7F, 0x80, 2


def encode(document: Object) -> bytes:
    """A document with its version, info and definitions; paths are left out."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    return b"".join(
        [
            _text(_SWAGGER, document["swagger"]),
            _field(_INFO, info),
            _field(_PATHS, b""),
            _field(_DEFINITIONS, _named(document["definitions"])),
        ]
    )


def _number(value: int) -> bytes:
    made = bytearray()
    while value > _LOW:
        made.append(value & _LOW | _MORE)
        value >>= 7
    made.append(value)
    return bytes(made)


def _field(number: int, content: bytes) -> bytes:
    return _number(number << 3 | _LENGTH_DELIMITED) + _number(len(content)) + content


def _text(number: int, value: str) -> bytes:
    return _field(number, value.encode())


def _any(value: Any) -> bytes:
    """Any value: its YAML, which JSON is."""
    return _field(2, msgspec.json.encode(value))


def _named(schemas: Object) -> bytes:
    return b"".join(
        _field(1, _text(1, name) + _field(2, _schema(schema))) for name, schema in schemas.items()
    )


def _schema(schema: Object) -> bytes:
    parts = [
        _text(number, schema[name]) for name, number in _TEXTS.items() if isinstance(schema.get(name), str)
    ]
    parts += [_text(_REQUIRED, name) for name in _listed(schema.get("required"))]
    parts += [_field(_ENUM, _any(value)) for value in _listed(schema.get("enum"))]
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        parts.append(_field(_ADDITIONAL, _field(1, _schema(additional))))
    if isinstance(schema.get("type"), str):
        parts.append(_field(_TYPE, _text(1, schema["type"])))
    if isinstance(schema.get("items"), dict):
        parts.append(_field(_ITEMS, _field(1, _schema(schema["items"]))))
    if isinstance(schema.get("properties"), dict):
        parts.append(_field(_PROPERTIES, _named(schema["properties"])))
    extensions = (item for item in schema.items() if item[0].startswith("x-"))
    parts += [_field(_EXTENSION, _text(1, name) + _field(2, _any(value))) for name, value in extensions]
    return b"".join(parts)


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()
