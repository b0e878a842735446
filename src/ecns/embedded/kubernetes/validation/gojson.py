"""What Go's `encoding/json` says of a text that is no JSON.

Source: the messages of recorded refusals.
"""

from __future__ import annotations

import json

_LITERALS = {"t": "true", "f": "false", "n": "null"}


def _sign(text: str) -> str:
    return "'" + ("\\" + text if text in {"'", "\\"} else text) + "'"


def fault(data: bytes) -> str:
    """The message; "" when the text is JSON."""
    text = data.decode(errors="replace")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return _message(text, error)
    return ""


def _message(text: str, error: json.JSONDecodeError) -> str:
    stripped = text.strip()
    if not stripped or error.pos >= len(text.rstrip()):
        return "unexpected end of JSON input"
    at = text[error.pos]
    literal = _LITERALS.get(at)
    if literal and "Expecting value" in error.msg:
        for offset, wanted in enumerate(literal):
            found = text[error.pos + offset : error.pos + offset + 1]
            if not found:
                return "unexpected end of JSON input"
            if found != wanted:
                return f"invalid character {_sign(found)} in literal {literal} (expecting '{wanted}')"
    if "property name" in error.msg:
        return f"invalid character {_sign(at)} looking for beginning of object key string"
    if "Extra data" in error.msg:
        return f"invalid character {_sign(at)} after top-level value"
    if "':' delimiter" in error.msg:
        return f"invalid character {_sign(at)} after object key"
    if "',' delimiter" in error.msg:
        return f"invalid character {_sign(at)} after object key:value pair"
    return f"invalid character {_sign(at)} looking for beginning of value"
