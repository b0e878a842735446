"""Time as Kubernetes writes it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """`metav1.Time`: RFC 3339 in whole seconds."""
    return f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}Z"


def micro_stamp(moment: datetime) -> str:
    """`metav1.MicroTime`: RFC 3339 with microseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime:
    """Either of the two, back."""
    return datetime.fromisoformat(text)
