"""Rows that show several objects, kept encoded (design, "The read path"); of one object each: see `rows`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import msgspec

Shown = TypeVar("Shown", bound=msgspec.Struct)

_encode = msgspec.json.Encoder().encode


class Row(NamedTuple, Generic[Shown]):
    """A row, as it was when all that it shows had these versions."""

    versions: Hashable
    shown: Shown
    encoded: bytes


class KeptRows(Generic[Shown]):
    """Rows that were made before.

    Args:
        most: so many are kept; the longest unused go first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: OrderedDict[Hashable, Row[Shown]] = OrderedDict()

    def row(self, key: Hashable, versions: Hashable, make: Callable[[], Shown]) -> Row[Shown]:
        """The row of a thing, made anew if something that it shows has another version.

        Args:
            key: which thing, such as its uid.
            versions: of all that it is made of.
            make: makes it.
        """
        known = self._rows.get(key)
        if known is None or known.versions != versions:
            shown = make()
            known = self._rows[key] = Row(versions, shown, _encode(shown))
            if len(self._rows) > self._most:
                self._rows.popitem(last=False)
        self._rows.move_to_end(key)
        return known


_kept: WeakKeyDictionary[Any, dict[str, KeptRows[Any]]] = WeakKeyDictionary()


def kept_rows(owner: Any, name: str, most: int) -> KeptRows[Any]:
    """The rows of a list that belong to something, such as a cluster, and go with it."""
    lists = _kept.setdefault(owner, {})
    if name not in lists:
        lists[name] = KeptRows(most)
    return lists[name]
