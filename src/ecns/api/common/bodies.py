"""Bodies: as the type that the query parameter `action` asks for, and what is wrong with one."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from ecns.errors import BadRequestError

T = TypeVar("T")

_PLACE = re.compile(r"(.*?)(?: - at `(?:key in )?\$\.?(.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")


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
