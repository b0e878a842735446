"""Bodies: as the type that the query parameter `action` asks for, and what is wrong with one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from litestar.openapi.spec import Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition

from ecns.errors import BadRequestError

if TYPE_CHECKING:
    from litestar._openapi.schema_generation.schema import SchemaCreator

T = TypeVar("T")

_PLACE = re.compile(r"(.*?)(?: - at `(?:key in )?\$\.?(.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")


class AnyOf:
    """For `Annotated`: the types of which a body has one, for the OpenAPI document; see `decoded`."""

    def __init__(self, *types: type) -> None:
        self.types = types


class BodySchemas(OpenAPISchemaPlugin):
    """Litestar's plugin that shows the types of `AnyOf`."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Whether a body has them."""
        return any(isinstance(one, AnyOf) for one in field_definition.metadata)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        """All of them."""
        (some,) = (one for one in field_definition.metadata if isinstance(one, AnyOf))
        fields = map(FieldDefinition.from_annotation, some.types)
        return Schema(any_of=[schema_creator.for_field_definition(field) for field in fields])


def decoded(body: dict[str, Any], kind: type[T]) -> T:
    """A body as the type that its action needs; numbers and booleans may be strings.

    Raises:
        BadRequestError: it is not of that type; `field` says where.
    """
    try:
        return msgspec.convert(body, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(*place(error)) from error


def truth(sent: object, field: str) -> bool:
    """A boolean, or one that the reference types as `str`; nothing is false.

    Raises:
        BadRequestError: it is another word.
    """
    if isinstance(sent, str):
        known = {"true": True, "false": False, "": False}.get(sent.lower())
        if known is None:
            raise invalid(f'{sent!r} is not "true" or "false"', field)
        return known
    return bool(sent)


def place(error: msgspec.ValidationError) -> tuple[str, str]:
    """What msgspec complains of and at which field, such as `workloads[0].containers`; "" is the whole."""
    match = _PLACE.fullmatch(str(error))
    message, field = (match[1], match[2] or "") if match else (str(error), "")
    if missing := _MISSING.fullmatch(message):
        return "is needed", f"{field}.{missing[1]}".removeprefix(".")
    return message, field


def invalid(message: str, field: str) -> BadRequestError:
    """The error of a value that cannot be."""
    return BadRequestError(f"{field}: {message}" if field else message, field=field)
