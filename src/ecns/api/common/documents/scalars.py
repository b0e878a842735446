"""What a plain word of YAML stands for, as kubectl has it: YAML 1.1 with Go's numbers.

`on` and `y` are true, `012` and `0o12` are ten, `1e3` is a thousand, `08` is eight; dates and times of day
are texts. Source: `resolve.go` of https://github.com/yaml/go-yaml (v2), which sigs.k8s.io/yaml builds on.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from typing import Any, Final

TAGS: Final = "tag:yaml.org,2002:"
MERGE: Final = "<<"

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_FIRST = frozenset("yYnNtTfFoO~.+-0123456789")
_INTEGER = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]([0-7]+)|0[bB]([01]+)|0([0-7]+)|(0|[1-9][0-9]*))", re.ASCII
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_BASES = (16, 8, 2, 8, 10)
_LONGEST = 80
"""Characters of an integer that fits 64 bits, in any base."""
_LEAST, _MOST = -(2**63), 2**64 - 1
_EXACT = 1e21
"""From here on Go writes a float with an exponent, below as an integer if it is one."""


def plain(text: str) -> Any:
    """What a word without quotes and tag stands for."""
    if not text or text[0] in _FIRST:
        if text in _WORDS:
            return _WORDS[text]
        return _number(text)
    return _WORDS.get(text, text)


def tagged(text: str, tag: str) -> Any:
    """What a scalar with a tag stands for; tags that YAML does not know make a text.

    Raises:
        ValueError: it is not of that type.
    """
    kind = tag.removeprefix(TAGS) if tag.startswith(TAGS) else ""
    if kind == "binary":
        return _binary(text)
    if kind not in {"int", "float", "bool", "null"}:
        return text
    value = plain(text)
    if kind == "float" and type(value) in {int, float}:
        return value
    if kind == "int" and type(value) is int and not _is_float(text):
        return value
    if (kind == "bool" and isinstance(value, bool)) or (kind == "null" and value is None):
        return value
    raise ValueError(f"{text[:40]!r} is not a !!{kind}")


def number(value: float) -> int | float:
    """A float as JSON has it: an integer if it is one.

    Raises:
        ValueError: it is infinite, or no number.
    """
    if not math.isfinite(value):
        raise ValueError("JSON has no word for what is infinite or no number")
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def key(value: Any) -> str:
    """What a key becomes in JSON.

    Raises:
        ValueError: it is null, a list or an object.
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _short(value)
    raise ValueError("null, a list or an object cannot be a key")


def _number(text: str) -> Any:
    digits = text.replace("_", "") if text[0] != "." else text
    if len(digits) <= _LONGEST and (match := _INTEGER.fullmatch(digits)):
        sign, *bases = match.groups()
        value = next(int(part, base) for part, base in zip(bases, _BASES, strict=True) if part is not None)
        value = -value if sign == "-" else value
        # Go reads a sign as that of 64 bits.
        if _LEAST <= value <= (_MOST if not sign else -_LEAST - 1):
            return value
    if _FLOAT.fullmatch(digits):
        fraction = float(digits)
        if math.isfinite(fraction):
            return fraction
    return text


def _is_float(text: str) -> bool:
    digits = text.replace("_", "")
    return not _INTEGER.fullmatch(digits) if len(digits) <= _LONGEST else True


def _binary(text: str) -> str:
    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("this !!binary is no base64 of a text in UTF-8") from error


def _short(value: float) -> str:
    """A float of 32 bits as Go's `%g` writes it: what sigs.k8s.io/yaml makes of keys."""
    single = _single(value)
    if not math.isfinite(single):
        return ".nan" if math.isnan(single) else ".inf" if single > 0 else "-.inf"
    places = next(places for places in range(10) if _single(float(f"{single:.{places}e}")) == single)
    text = f"{single:.{places}e}"
    exponent = text.partition("e")[2]
    return text if not -4 <= int(exponent) < 6 else f"{single:.{max(0, places - int(exponent))}f}"  # noqa: PLR2004  as Go has it


def _single(value: float) -> float:
    """The nearest float of 32 bits."""
    try:
        single: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return single
