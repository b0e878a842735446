"""Bodies whose type depends on the query parameter `action`."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from ecns.errors import BadRequestError

T = TypeVar("T")

_PATH = re.compile(r"(.*) - at `\$\.?(.*)`")


def decoded(body: dict[str, Any], kind: type[T]) -> T:
    """A body as the type that its action needs; numbers and booleans may be strings.

    Raises:
        BadRequestError: it is not of that type; `field` says where.
    """
    try:
        return msgspec.convert(body, kind, strict=False)
    except msgspec.ValidationError as error:
        if match := _PATH.fullmatch(str(error)):
            message, field = match.groups()
            raise BadRequestError(f"{field}: {message}", field=field) from error
        raise BadRequestError(str(error)) from error
