"""What the comparisons of the stand-ins with recorded answers of real servers have in common."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("ECNS_ORACLE", Path(__file__).resolve().parents[3] / "shared" / "oracle"))
"""Where the recorded exchanges lie: beside the repository, or where `ECNS_ORACLE` says."""
SHOWN = 700
"""Characters of a value that a report shows."""


class Known:
    """The differences of one stand-in that are kept, each with its reason: a file `differences.toml`.

    Those of an entry with `varies` differ in some runs only: the moment decides.
    """

    def __init__(self, path: Path) -> None:
        entries = tomllib.loads(path.read_text()).get("difference", ())
        self.reasons: dict[str, str] = {key: entry["reason"] for entry in entries for key in entry["ids"]}
        self._varying = {key for entry in entries if entry.get("varies") for key in entry["ids"]}

    def gone(self, differing: Collection[str], compared: Iterable[str]) -> list[str]:
        """Of the exchanges that were compared, those that are kept and differ no more."""
        return [
            key
            for key in compared
            if key in self.reasons and key not in differing and key not in self._varying
        ]

    def judge(self, differing: Mapping[str, list[str]], compared: Iterable[str]) -> None:
        """See that everything is as recorded but for what is kept, and that what is kept is still so."""
        news = [f"{key}: {'; '.join(lines)}" for key, lines in differing.items() if key not in self.reasons]
        assert not news, "\n".join(news)
        gone = self.gone(differing.keys(), compared)
        assert not gone, f"these do not differ any more: {gone}"


def compare(expected: Any, got: Any, path: str = "", *, ordered: bool = False) -> list[str]:
    """Where two JSON values differ, a line for each place.

    Args:
        expected: what was recorded.
        got: ours.
        path: of both in what they are parts of.
        ordered: whether the order of an object's keys counts.
    """
    found: list[str] = []
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in [*expected, *(key for key in got if key not in expected)]:
            where = f"{path}.{key}" if path else key
            if key not in got:
                found.append(f"- {where}: {short(expected[key])}")
            elif key not in expected:
                found.append(f"+ {where}: {short(got[key])}")
            else:
                found += compare(expected[key], got[key], where, ordered=ordered)
        if ordered and not found and list(expected) != list(got):
            found.append(f"! {path}: the order of keys is {list(expected)}, ours {list(got)}")
    elif isinstance(expected, list) and isinstance(got, list):
        if len(expected) != len(got):
            found.append(f"! {path}: {len(expected)} items, we have {len(got)}")
        for index, (left, right) in enumerate(zip(expected, got, strict=False)):
            found += compare(left, right, f"{path}[{index}]", ordered=ordered)
    elif expected != got:
        found.append(f"! {path}: {short(expected)}  |  ours: {short(got)}")
    return found


def short(value: Any) -> str:
    """A value as a report shows it."""
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 3]}..."
