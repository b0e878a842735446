"""The functions and methods of CEL in Kubernetes.

Source: https://kubernetes.io/docs/reference/using-api/cel/#cel-community-libraries and the tables below it
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from ecns.embedded.kubernetes.validation import expressions, names
from ecns.embedded.kubernetes.validation.cel import values
from ecns.embedded.kubernetes.validation.cel.syntax import CelError
from ecns.embedded.kubernetes.validation.cel.values import (
    NONE,
    Address,
    Format,
    Network,
    Optional,
    Quantity,
    Semver,
    Type,
    Unsigned,
    Url,
)

Function = Callable[..., Any]
_LONGEST = 100_000


def overload() -> CelError:
    """The error of a function that does not take such values."""
    return CelError("no such overload")


def _parses(parse: Callable[[Any], Any]) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        if not isinstance(value, str):
            raise overload()
        try:
            parse(value)
        except CelError:
            return False
        return True

    return check


def _int(value: Any) -> int:
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise overload()
    found = int(value)
    if not -(2**63) <= found < 2**63:
        raise CelError("integer overflow")
    return found


def _uint(value: Any) -> Unsigned:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise overload()
    if float(value) < 0:
        raise CelError("unsigned integer overflow")
    return Unsigned(int(value))


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise overload()
    return float(value)


def text(value: Any) -> str:
    """A value as `string()` writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return values.json_date(value)
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.9f}".rstrip("0").rstrip(".") + "s"
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)  # noqa: PLR2004  as Go
    if isinstance(value, Network):
        return str(value)
    if isinstance(value, int | str | Address):
        return str(value)
    raise overload()


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in {"true", "True", "TRUE", "t", "1"}:
        return True
    if value in {"false", "False", "FALSE", "f", "0"}:
        return False
    raise CelError(f"type conversion error from string to bool: {value!r}")


def _size(value: Any) -> int:
    if not isinstance(value, str | bytes | list | dict):
        raise overload()
    return len(value)


def _matching(pattern: str, why: str) -> Callable[[str], list[str]]:
    return lambda value: [] if re.fullmatch(pattern, value) else [why]


_UUID = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
_FORMATS: dict[str, Callable[[str], list[str]]] = {
    "dns1123Label": names.dns_label,
    "dns1123Subdomain": names.dns_subdomain,
    "dns1035Label": names.dns_1035_label,
    "dns1123LabelPrefix": lambda value: names.dns_label(value.rstrip("-") or "a"),
    "dns1123SubdomainPrefix": lambda value: names.dns_subdomain(value.rstrip("-") or "a"),
    "dns1035LabelPrefix": lambda value: names.dns_1035_label(value.rstrip("-") or "a"),
    "qualifiedName": names.qualified_name,
    "labelValue": names.label_value,
    "uri": lambda value: [] if _parses(values.url)(value) else ["invalid URI"],
    "uuid": _matching(_UUID, "does not match the UUID format"),
    "byte": _matching(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", "invalid base64"),
    "date": _matching(r"\d{4}-\d\d-\d\d", "invalid date"),
    "datetime": lambda value: [] if _parses(values.timestamp)(value) else ["invalid datetime"],
}


def _range(count: int) -> list[int]:
    if count > _LONGEST:
        raise CelError("lists.range: the list would be too long")
    return list(range(count))


FUNCTIONS: dict[str, Function] = {
    "size": _size,
    "int": _int,
    "uint": _uint,
    "double": _double,
    "string": text,
    "bytes": lambda value: value.encode() if isinstance(value, str) else value,
    "bool": _bool,
    "dyn": lambda value: value,
    "type": lambda value: Type(values.type_name(value)),
    "timestamp": lambda value: value if isinstance(value, datetime) else _moment(value),
    "duration": lambda value: value if isinstance(value, timedelta) else values.duration(value),
    "matches": lambda value, pattern: _search(pattern, value) is not None,
    "quantity": values.quantity,
    "isQuantity": _parses(values.quantity),
    "ip": values.address,
    "isIP": _parses(values.address),
    "cidr": values.network,
    "isCIDR": _parses(values.network),
    "url": values.url,
    "isURL": _parses(values.url),
    "ip.isCanonical": lambda value: str(values.address(value)) == value,
    "optional.of": Optional,
    "optional.none": lambda: NONE,
    "optional.ofNonZeroValue": lambda value: Optional(value) if value else NONE,
    "format.named": lambda name: Optional(Format(name)) if name in _FORMATS else NONE,
    **{f"format.{name}": partial(Format, name) for name in _FORMATS},
    "sets.contains": lambda one, other: all(item in one for item in other),
    "sets.equivalent": lambda one, other: all(x in one for x in other) and all(x in other for x in one),
    "sets.intersects": lambda one, other: any(item in one for item in other),
    "strings.quote": lambda value: '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"',
    "lists.range": _range,
    "semver": values.semver,
    "isSemver": _parses(values.semver),
}
"""By name; `a.b` are functions of a namespace."""


def _moment(value: Any) -> datetime:
    if isinstance(value, int):
        return datetime.fromtimestamp(value, UTC)
    return values.timestamp(value)


def _search(pattern: str, value: str) -> re.Match[str] | None:
    return _compiled(pattern).search(value)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return expressions.compiled(pattern)
    except expressions.ExpressionError as error:
        raise CelError(str(error)) from None


def _find_all(value: str, pattern: str, most: int = -1) -> list[str]:
    found = [item[0] for item in _compiled(pattern).finditer(value)]
    return found if most < 0 else found[:most]


def _at(value: str, at: int) -> str:
    if not 0 <= at <= len(value):
        raise CelError(f"index out of range: {at}")
    return value[at : at + 1]


def _substring(value: str, start: int, end: int | None = None) -> str:
    end = len(value) if end is None else end
    if not 0 <= start <= end <= len(value):
        raise CelError(f"index out of range: {start}")
    return value[start:end]


def _split(value: str, sign: str, most: int = -1) -> list[str]:
    if most in {0, 1}:
        return [value][:most]
    if not sign:
        return list(value)
    return value.split(sign, most - 1 if most > 0 else -1)


def _format(template: str, arguments: list[Any]) -> str:
    parts = iter(arguments)

    def shown(found: re.Match[str]) -> str:
        if found[2] == "%":
            return "%"
        value = next(parts, None)
        if found[2] == "s":
            return _shown(value)
        if found[2] in "dboxX":
            return format(value, found[2])
        return format(value, (found[1] or ".6") + found[2])

    return re.sub(r"%(\.\d+)?([sdfeboxX%])", shown, template)


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_shown(key)}: {_shown(value[key])}" for key in sorted(value)) + "}"
    return text(value)


_STRING: dict[str, Function] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": lambda value, part: part in value,
    "matches": lambda value, pattern: _search(pattern, value) is not None,
    "size": len,
    "lowerAscii": str.lower,
    "upperAscii": str.upper,
    "trim": str.strip,
    "split": _split,
    "replace": lambda value, old, new, most=-1: value.replace(old, new, most),
    "indexOf": str.find,
    "lastIndexOf": lambda value, part, end=None: value.rfind(part, 0, end and end + len(part)),
    "charAt": _at,
    "substring": _substring,
    "find": lambda value, pattern: found[0] if (found := _search(pattern, value)) else "",
    "findAll": _find_all,
    "format": _format,
}


def _validate(name: Format, value: str) -> Any:
    wrong = _FORMATS[name](value)
    return Optional(wrong) if wrong else NONE


def _last(items: list[Any], item: Any) -> int:
    return len(items) - 1 - items[::-1].index(item) if item in items else -1


def _distinct(items: list[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _some(items: list[Any], function: Callable[[list[Any]], Any]) -> Any:
    if not items:
        raise CelError("min called on empty list" if function is min else "max called on empty list")
    return function(items)


def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    found: list[Any] = []
    for item in items:
        found += _flatten(item, depth - 1) if isinstance(item, list) and depth > 0 else [item]
    return found


_LIST: dict[str, Function] = {
    "size": len,
    "sum": lambda items: sum(items[1:], items[0]) if items else 0,
    "min": lambda items: _some(items, min),
    "max": lambda items: _some(items, max),
    "isSorted": lambda items: all(one <= other for one, other in pairwise(items)),
    "indexOf": lambda items, item: items.index(item) if item in items else -1,
    "lastIndexOf": _last,
    "join": lambda items, sign="": sign.join(items),
    "slice": lambda items, start, end: items[start:end],
    "flatten": _flatten,
    "sort": sorted,
    "distinct": _distinct,
    "reverse": lambda items: items[::-1],
    "first": lambda items: Optional(items[0]) if items else NONE,
    "last": lambda items: Optional(items[-1]) if items else NONE,
}


def _value(optional: Optional) -> Any:
    if not optional.present:
        raise CelError("optional.none() dereference")
    return optional.value


_OPTIONAL: dict[str, Function] = {
    "hasValue": lambda optional: optional.present,
    "value": _value,
    "orValue": lambda optional, other: optional.value if optional.present else other,
    "or": lambda optional, other: optional if optional.present else other,
}


def _whole(number: Quantity) -> int:
    if number.denominator != 1 or abs(number) >= 2**63:
        raise CelError("cannot convert value to integer")
    return int(number)


def _number(other: Any) -> Any:
    return other if isinstance(other, Quantity) else int(other)


_QUANTITY: dict[str, Function] = {
    "isInteger": lambda number: number.denominator == 1 and abs(number) < 2**63,
    "asInteger": _whole,
    "asApproximateFloat": float,
    "sign": lambda number: (number > 0) - (number < 0),
    "add": lambda number, other: Quantity(number + _number(other)),
    "sub": lambda number, other: Quantity(number - _number(other)),
    "isGreaterThan": lambda number, other: number > other,
    "isLessThan": lambda number, other: number < other,
    "compareTo": lambda number, other: (number > other) - (number < other),
}
_SEMVER: dict[str, Function] = {
    "major": lambda version: version.numbers[0],
    "minor": lambda version: version.numbers[1],
    "patch": lambda version: version.numbers[2],
    **{name: _QUANTITY[name] for name in ("isGreaterThan", "isLessThan", "compareTo")},
}
_ADDRESS: dict[str, Function] = {
    "family": lambda ip: ip.version,
    "isUnspecified": lambda ip: ip.is_unspecified,
    "isLoopback": lambda ip: ip.is_loopback,
    "isLinkLocalMulticast": lambda ip: ip.is_multicast and ip.packed[0] in {0xE0, 0xFF},
    "isLinkLocalUnicast": lambda ip: ip.is_link_local,
    "isGlobalUnicast": lambda ip: (
        not (
            ip.is_unspecified
            or ip.is_loopback
            or ip.is_multicast
            or ip.is_link_local
            or str(ip) == "255.255.255.255"
        )
    ),
}


def _contains_ip(block: Network, ip: Any) -> bool:
    found = ip if isinstance(ip, Address) else values.address(ip)
    return found.version == block.version and found in block.network


def _contains_block(block: Network, other: Any) -> bool:
    found = other if isinstance(other, Network) else values.network(other)
    if isinstance(found, ipaddress.IPv4Interface) and isinstance(block, ipaddress.IPv4Interface):
        return found.network.subnet_of(block.network)
    if isinstance(found, ipaddress.IPv6Interface) and isinstance(block, ipaddress.IPv6Interface):
        return found.network.subnet_of(block.network)
    return False


_NETWORK: dict[str, Function] = {
    "containsIP": _contains_ip,
    "containsCIDR": _contains_block,
    "ip": lambda block: block.ip,
    "masked": lambda block: ipaddress.ip_interface(block.network),
    "prefixLength": lambda block: block.network.prefixlen,
}
_URL: dict[str, Function] = {
    "getScheme": lambda url: urlsplit(url).scheme,
    "getHost": lambda url: urlsplit(url).netloc.rpartition("@")[2],
    "getHostname": lambda url: urlsplit(url).hostname or "",
    "getPort": lambda url: str(urlsplit(url).port or ""),
    "getEscapedPath": lambda url: quote(urlsplit(url).path, safe="/%:@!$&'()*+,;=~-._"),
    "getQuery": values.query,
}


def _zoned(part: Callable[[datetime], int]) -> Function:
    def get(moment: datetime, zone: str = "UTC") -> int:
        try:
            return part(moment.astimezone(ZoneInfo(zone)))
        except (ValueError, OSError, KeyError):
            raise CelError(f"unknown time zone {zone}") from None

    return get


_MOMENT: dict[str, Function] = {
    "getFullYear": _zoned(lambda when: when.year),
    "getMonth": _zoned(lambda when: when.month - 1),
    "getDate": _zoned(lambda when: when.day),
    "getDayOfMonth": _zoned(lambda when: when.day - 1),
    "getDayOfWeek": _zoned(lambda when: (when.weekday() + 1) % 7),
    "getDayOfYear": _zoned(lambda when: when.timetuple().tm_yday - 1),
    "getHours": _zoned(lambda when: when.hour),
    "getMinutes": _zoned(lambda when: when.minute),
    "getSeconds": _zoned(lambda when: when.second),
    "getMilliseconds": _zoned(lambda when: when.microsecond // 1000),
}
_SPAN: dict[str, Function] = {
    "getHours": lambda span: int(span.total_seconds() // 3600),
    "getMinutes": lambda span: int(span.total_seconds() // 60),
    "getSeconds": lambda span: int(span.total_seconds()),
    "getMilliseconds": lambda span: int(span.microseconds // 1000),
}
METHODS: tuple[tuple[Any, str, dict[str, Function]], ...] = (
    (Format, "format", {"validate": _validate}),
    (Url, "url", _URL),
    (Type, "type", {}),
    (Quantity, "quantity", _QUANTITY),
    (Semver, "semver", _SEMVER),
    (str, "string", _STRING),
    (bytes, "bytes", {"size": len}),
    (list, "list", _LIST),
    (dict, "map", {"size": len}),
    (Optional, "optional", _OPTIONAL),
    (Network, "cidr", _NETWORK),  # which is an address, too
    (Address, "ip", _ADDRESS),
    (datetime, "timestamp", _MOMENT),
    (timedelta, "duration", _SPAN),
)
"""(class, type's name, methods)."""


def call(function: Function, arguments: list[Any]) -> Any:
    """Calls a function; what it cannot take is a CelError."""
    try:
        return function(*arguments)
    except CelError:
        raise
    except (TypeError, AttributeError):
        raise overload() from None
    except (ValueError, IndexError, OverflowError, OSError, re.error, KeyError) as error:
        raise CelError(f"type conversion error: {error}") from None


def method(target: Any, name: str) -> Function:
    """A method of a value.

    Raises:
        CelError: it has no such one.
    """
    for kind, _, methods in METHODS:
        if isinstance(target, kind):
            found = methods.get(name)
            if found is not None:
                return found
            break
    raise CelError(f"no such overload: {name}")
