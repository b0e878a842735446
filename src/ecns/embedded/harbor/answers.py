"""Answers: JSON as Harbor writes it, text, and nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from ecns.embedded.harbor.errors import ProblemError

JSON = "application/json"
JSON_UTF8 = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


@dataclass
class Answer:
    """A whole answer; None for a body is none at all."""

    status: int = HTTPStatus.OK
    body: bytes | None = None
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    part: Part | None = None
    """A piece of a file to send as the body."""


@dataclass(frozen=True)
class Part:
    """A piece of a file."""

    path: Path
    first: int
    size: int


def encoded(value: Any) -> bytes:
    """JSON in one line, which two line separators are kept out of."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    safe = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return safe.encode("utf-8", "replace") + b"\n"


def json_of(value: Any, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Answer:
    """An answer of the API."""
    return Answer(status, encoded(value), JSON, headers or {})


def done(status: int = HTTPStatus.OK, **headers: str) -> Answer:
    """An answer without a body; names of headers are given with underscores."""
    return Answer(status, headers={name.replace("_", "-"): value for name, value in headers.items()})


def created(location: str) -> Answer:
    """201 and where it is."""
    return Answer(HTTPStatus.CREATED, headers={"Location": location})


def problem(error: ProblemError) -> Answer:
    """The answer of an error."""
    return Answer(error.status, encoded({"errors": error.errors}), JSON_UTF8, error.headers)
