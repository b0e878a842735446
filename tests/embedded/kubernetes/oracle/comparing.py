"""Exchanges, and in what two answers to one differ."""

from __future__ import annotations

from typing import Any

from tests.embedded.kubernetes.oracle import moments
from tests.embedded.oracle import compare


class Exchange:
    """One recorded exchange."""

    def __init__(self, line: dict[str, Any]) -> None:
        self.id: str = line["id"]
        self.note: str = line["note"]
        self.request: dict[str, Any] = line["request"]
        self.response: dict[str, Any] = line["response"]
        self.scene = self.id.partition("/")[0]


class Difference:
    """An answer that is not the recorded one."""

    def __init__(self, exchange: Exchange, expected: Any, got: Any) -> None:
        self.exchange = exchange
        self.expected = expected
        self.got = got

    def lines(self, limit: int = 12) -> list[str]:
        """Where the two differ."""
        theirs, ours = self.expected["body"], self.got["body"]
        if is_history(theirs) and is_history(ours):
            found = moments.history_lines(theirs, ours)
        elif is_events(theirs) and is_events(ours):
            found = moments.event_lines(theirs["items"], ours["items"])
        else:
            found = compare(self.expected, self.got)
        return found[:limit]


def is_history(body: Any) -> bool:
    """Whether a body is the events of a watch."""
    return isinstance(body, list) and all(isinstance(item, dict) and "object" in item for item in body)


def is_table(body: Any) -> bool:
    """Whether a body is a Table."""
    return isinstance(body, dict) and body.get("kind") == "Table"


def is_events(body: Any) -> bool:
    """Whether a body is a list of Events."""
    return isinstance(body, dict) and body.get("kind") == "EventList"


def joined(frames: list[dict[str, Any]]) -> list[Any]:
    """A channel's output in one piece, however it was cut; empty frames and the client's left out."""
    output: dict[int, str] = {}
    closed = []
    for frame in frames:
        if frame.get("from") != "server":
            continue
        if frame["op"] == "close":
            closed.append(frame.get("code"))
        else:
            output[frame["channel"]] = output.get(frame["channel"], "") + frame.get("data", "")
    return [dict(sorted((channel, data) for channel, data in output.items() if data)), closed]
