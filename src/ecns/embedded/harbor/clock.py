"""Times: milliseconds since 1970 in the store, RFC 3339 on the wire."""

from __future__ import annotations

import time
from datetime import UTC, datetime

NEVER = "0001-01-01T00:00:00.000Z"
"""How Harbor writes a time that has not come."""


def now() -> int:
    """The time, in milliseconds."""
    return time.time_ns() // 1_000_000


def text(milliseconds: int) -> str:
    """A time as the API shows it; 0 is never."""
    if not milliseconds:
        return NEVER
    shown = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{shown:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def seconds(milliseconds: int) -> str:
    """A time without fractions, as logs and tokens show it."""
    return f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def milliseconds(shown: str) -> int:
    """A time that a query names, such as `2024-01-02T03:04:05`.

    Raises:
        ValueError: it is none.
    """
    read = datetime.fromisoformat(shown)
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000)
