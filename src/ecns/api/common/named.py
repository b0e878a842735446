"""Things that a request names: by name, or by the row of the list that showed them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct


class Named(Struct, kw_only=True):
    """A row of a list that is sent back: its name is what matters."""

    name: str


def names(sent: Iterable[str | Named]) -> list[str]:
    """The names of what was sent."""
    return [one if isinstance(one, str) else one.name for one in sent]
