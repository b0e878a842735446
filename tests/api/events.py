"""The events of a stream, read as they come."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 12.0
"""For one event; keep-alives come less often."""


class Events:
    """The events of a stream, one after another."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        self._lines = answer.iter_lines()
        self.last_id = ""

    def next(self) -> tuple[str, Any]:
        fields: dict[str, str] = {}
        for line in self._lines:
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                self.last_id = fields.get("id", self.last_id)
                return fields["event"], json.loads(fields["data"])
        raise AssertionError("the stream has ended")

    def until(self, check: Callable[[str, Any], bool]) -> Any:
        """The first event that is as wanted."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            name, data = self.next()
            if check(name, data):
                return data
        raise AssertionError("it was not told")

    def synced(self) -> list[str]:
        """What comes up to `synced`, as `event name`."""
        told = []
        while True:
            name, data = self.next()
            if name == "synced":
                return told
            told.append(f"{name} {named(data)}".strip())

    def about(self, name: str, event: str) -> Any:
        """The next such event about one item."""
        return self.until(lambda told, data: told == event and named(data) == name)


def named(row: Any) -> str:
    """The name of what a row shows."""
    if "workload_base" in row:
        row = row["workload_base"]
    return str(row.get("name") or row.get("class_name", ""))


@contextlib.contextmanager
def listening(client: httpx.Client, path: str, last_id: str = "") -> Iterator[Events]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with client.stream("GET", path, headers=headers, timeout=SECONDS) as answer:
        yield Events(answer)
