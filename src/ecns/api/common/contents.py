"""What is stored under keys, in ConfigMaps and Secrets: texts as they are, other bytes as base64.

No message here has a value in it. Source: https://kubernetes.io/docs/concepts/configuration/configmap/ and
…/secret/ (keys, 1 MiB), `ValidateConfigMap`, `ValidateSecret` and `IsConfigMapKey` of Kubernetes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from msgspec import Struct

from ecns.api.common.patching import MISSING, Operations, Path, operations
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.errors import BadRequestError, ConflictError

MOST_BYTES = 1024 * 1024
"""Of all values of one object together."""
MANY = 1000
"""Changed keys of one patch; Kubernetes takes 10,000 operations."""
TESTED = 256 * 1024
"""Characters of old values that a patch tests; Kubernetes takes 3 MiB in all."""

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_SPACE = re.compile(r"[ \t\r\n]+")
_SHOWN = 60
"""Characters of a key that a message quotes."""


class Keys(Struct, kw_only=True):
    """The answer of "list the keys" (reference chapters 1.4 and 1.6)."""

    keys: list[str]
    total: int
    page: int
    page_size: int


def texts(sent: Mapping[str, Any], at: str) -> dict[str, str]:
    """Values as they are stored: what is not text is taken as JSON writes it.

    Args:
        sent: by key.
        at: where, for messages.

    Raises:
        BadRequestError: a key cannot be, or a value is no text, integer or boolean; `field` names it.
    """
    return {key: _text(value, f"{at}.{_checked(key, at)}") for key, value in sent.items()}


def _text(value: Any, at: str) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
    what = "null" if value is None else {float: "a fraction", list: "a list"}.get(type(value), "an object")
    raise BadRequestError(f"{at}: {what} is not a text; write it in quotes", field=at)


def binaries(sent: Mapping[str, Any], at: str) -> dict[str, bytes]:
    """What base64 texts stand for.

    Args:
        sent: by key; white space in it does not matter.
        at: where, for messages.

    Raises:
        BadRequestError: a key cannot be, or a value is no base64; `field` names it.
    """
    return {key: _binary(value, f"{at}.{_checked(key, at)}") for key, value in sent.items()}


def _binary(value: Any, at: str) -> bytes:
    if isinstance(value, str):
        try:
            return base64.b64decode(_SPACE.sub("", value), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise BadRequestError(f"{at}: this is not base64 (A-Z, a-z, 0-9, + and /, with = at the end)", field=at)


def _checked(key: str, at: str) -> str:
    if not _KEY.fullmatch(key) or key == "." or key.startswith(".."):
        said = key if len(key) <= _SHOWN else key[:_SHOWN] + "…"
        raise BadRequestError(
            f"{at}: {said!r} is not a key (at most 253 of A-Z, a-z, 0-9, -, _ and .; not '.' alone, nor with"
            " '..' at the beginning)",
            field=at,
        )
    return key


def check_apart(one: Collection[str], other: Collection[str], at: str) -> None:
    """Check that no key is in both.

    Raises:
        BadRequestError: one is.
    """
    if both := sorted(set(one) & set(other)):
        raise BadRequestError(f"{at}: {both[0]!r} is there as text, too", field=f"{at}.{both[0]}")


def check_size(sizes: Iterable[int], at: str) -> None:
    """Check the bytes of all values.

    Raises:
        BadRequestError: they are too many.
    """
    if (size := sum(sizes)) > MOST_BYTES:
        raise BadRequestError(
            f"{at}: the values have {size} bytes together; {MOST_BYTES} (1 MiB) are possible", field=at
        )


def changes(whole: JsonObject, field: str, new: Mapping[str, str]) -> dict[Path, Any]:
    """What changes of the values of an object, for `guarded`: key by key, or all when they are many.

    Args:
        whole: the object as it was read.
        field: `data` or `binaryData`.
        new: the values as they are to be.
    """
    old = whole.get(field) or {}
    differing = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if len(differing) > MANY:
        return {(field,): dict(new)}
    return {(field, key): new.get(key, MISSING) for key in sorted(differing)}


def guarded(whole: JsonObject, changed: Mapping[Path, Any]) -> Operations:
    """The JSON Patch that makes changes where the old values are still what was read.

    Large ones are not sent over for that; the object must be what was read then.
    """
    made = operations(whole, changed)
    if sum(_length(one["value"]) for one in made if one["op"] == "test") <= TESTED:
        return made
    return [unchanged(whole), *(one for one in made if one["op"] != "test")]


def unchanged(whole: JsonObject) -> JsonObject:
    """The operation that tests that an object is what was read."""
    return {"op": "test", "path": "/metadata/resourceVersion", "value": whole["metadata"]["resourceVersion"]}


def check_version(whole: JsonObject, version: str | None) -> Operations:
    """What makes a change depend on the state that the caller has seen; nothing if they do not say which.

    Raises:
        ConflictError: it is another one already.
    """
    if not version:
        return []
    metadata = whole["metadata"]
    if metadata["resourceVersion"] != version:
        raise ConflictError(
            f"{metadata['name']!r} was changed since resource_version {version}; read it again"
        )
    return [unchanged(whole)]


def check_mutable(whole: JsonObject, changed: Collection[Path], *, immutable: bool | None) -> None:
    """Check that nothing of an immutable object is to change that may not.

    Raises:
        ConflictError: something is.
    """
    if whole.get("immutable") and (changed or immutable is False):
        raise ConflictError(
            f"{whole['metadata']['name']!r} is immutable for good; make another, or delete and remake it"
        )


def _length(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_length(one) for one in value.values())
    return len(value) if isinstance(value, str) else 0


def base64_text(value: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(value).decode()


def base64_size(value: str | None) -> int:
    """The bytes that a base64 text of Kubernetes stands for."""
    return len(value) * 3 // 4 - value[-2:].count("=") if value else 0
