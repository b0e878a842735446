"""The values of CEL that are more than JSON: unsigned numbers, optionals, quantities, addresses, URLs.

Source: https://kubernetes.io/docs/reference/using-api/cel/
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import total_ordering
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.validation.cel.syntax import CelError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Interface | ipaddress.IPv6Interface
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"([0-9]*\.?[0-9]+)(ms|us|µs|ns|h|m|s)")
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
)
_RESERVED = re.compile(
    "__(in|true|false|null|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return"
    "|var|void|while)__"
)
_UNESCAPED = {"__dot__": ".", "__dash__": "-", "__slash__": "/"}


def field_name(name: str) -> str:
    """The field that an identifier of a rule means: `x__dash__y` is `x-y`."""
    found = _RESERVED.fullmatch(name)
    if found:
        return found[1]
    parts = name.split("__underscores__")
    for mark, sign in _UNESCAPED.items():
        parts = [part.replace(mark, sign) for part in parts]
    return "__".join(parts)


class Unsigned(int):
    """A `uint`."""


class Optional:
    """A value that may be absent (`present` is then false)."""

    def __init__(self, value: Any = None, *, present: bool = True) -> None:
        self.value = value
        self.present = present

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Optional):
            return NotImplemented
        return self.present == other.present and (not self.present or self.value == other.value)

    __hash__ = None  # type: ignore[assignment]  # it holds what may change


NONE = Optional(present=False)


class Quantity(Fraction):
    """A Kubernetes quantity as an exact number."""


@total_ordering
class Semver:
    """A semantic version; build metadata does not count."""

    def __init__(self, numbers: tuple[int, ...], early: tuple[tuple[bool, int, str], ...]) -> None:
        self.numbers = numbers
        self._order = (numbers, not early, early)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and self._order == other._order

    def __lt__(self, other: Semver) -> bool:
        return self._order < other._order

    def __hash__(self) -> int:
        return hash(self._order)


class Url(str):
    """An absolute URL or path that was looked at."""

    __slots__ = ()


class Type(str):
    """The name of a type, as `type(x)` gives it."""

    __slots__ = ()


class Format(str):
    """One of the named formats of `format.named`."""

    __slots__ = ()


def quantity(text: Any) -> Quantity:
    """A quantity out of its text."""
    try:
        return Quantity(quantities.parse(text).nano, quantities.NANO)
    except ValueError as error:
        raise CelError(str(error)) from None


def semver(text: str) -> Semver:
    """A semantic version out of its text."""
    found = _SEMVER.fullmatch(text)
    if found is None:
        raise CelError(f"{text!r} is no semantic version")
    parts = found[4].split(".") if found[4] else ()
    early = tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)
    return Semver(tuple(int(number) for number in found.groups()[:3]), early)


def duration(text: str) -> timedelta:
    """A duration as Go writes it: `1h30m`."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return timedelta()
    if not rest or _DURATION.sub("", rest):
        raise CelError(f'time: invalid duration "{text}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(rest))
    return sign * timedelta(seconds=seconds)


def timestamp(text: str) -> datetime:
    """A moment out of RFC 3339, or a date."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise CelError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse') from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def address(text: str) -> Address:
    """An IP address, as strict as Kubernetes: no zones, no IPv4 inside of IPv6."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise CelError(f"IP Address {text!r} parse error during conversion from string") from None
    if "%" in text or (isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None):
        raise CelError(f"IP address {text!r} is not allowed")
    return found


def network(text: str) -> Network:
    """A block of addresses."""
    why = "network address parse error during conversion from string"
    if not text.rpartition("/")[2].isdigit() or "/" not in text:
        raise CelError(why)
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        raise CelError(why) from None


def url(text: str) -> Url:
    """An absolute URL, or a path that begins with a slash."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  says whether it is one
    except ValueError:
        raise CelError(f"URL parse error during conversion from string: parse {text!r}") from None
    if not (parts.scheme or text.startswith("/")) or " " in text:
        raise CelError(
            f"URL parse error during conversion from string: parse {text!r}: invalid URI for request"
        )
    return Url(text)


def query(text: Url) -> dict[str, list[str]]:
    """The parameters of a URL."""
    return parse_qs(urlsplit(text).query, keep_blank_values=True)


def type_name(value: Any) -> str:
    """The name of a value's type."""
    if value is None:
        return "null_type"
    for kind, name in (
        (bool, "bool"),
        (Unsigned, "uint"),
        (Quantity, "kubernetes.Quantity"),
        (Semver, "kubernetes.Semver"),
        (Url, "kubernetes.URL"),
        (Type, "type"),
        (int, "int"),
        (float, "double"),
        (str, "string"),
        (bytes, "bytes"),
        (list, "list"),
        (dict, "map"),
        (datetime, "google.protobuf.Timestamp"),
        (timedelta, "google.protobuf.Duration"),
        (Optional, "optional_type"),
        (Network, "net.CIDR"),
        (Address, "net.IP"),
    ):
        if isinstance(value, kind):
            return name
    return "dyn"


def _special(schema: Any) -> bool:
    if isinstance(schema, dict):
        if schema.get("type") == "string" and schema.get("format") in {
            "date",
            "date-time",
            "duration",
            "byte",
        }:
            return True
        return any(_special(inner) for key, inner in schema.items() if key not in {"enum", "default"})
    return isinstance(schema, list) and any(map(_special, schema))


def typed(schema: dict[str, Any], value: Any) -> Any:
    """A JSON value as CEL sees it: texts of some formats are moments, durations or bytes."""
    return _typed(schema, value) if _special(schema) else value


def _typed(schema: dict[str, Any], value: Any) -> Any:
    if isinstance(value, dict):
        known, more = schema.get("properties") or {}, schema.get("additionalProperties")
        found = {}
        for key, item in value.items():
            inner = known.get(key, more)
            found[key] = _typed(inner, item) if isinstance(inner, dict) else item
        return found
    if isinstance(value, list):
        inner = schema.get("items")
        return [_typed(inner, item) for item in value] if isinstance(inner, dict) else value
    if not isinstance(value, str) or schema.get("type") != "string":
        return value
    match schema.get("format"):
        case "date" | "date-time":
            return timestamp(value)
        case "duration":
            return duration(value)
        case "byte":
            import base64  # noqa: PLC0415  seldom used

            return base64.b64decode(value)
    return value


def json_date(value: date) -> str:
    """A moment as text."""
    return value.isoformat().replace("+00:00", "Z")
