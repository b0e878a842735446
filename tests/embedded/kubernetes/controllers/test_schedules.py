"""Schedules as the controller of a real cluster reads them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ecns.embedded.kubernetes.controllers.schedules import Schedule


def due(text: str, after: str, zone: str = "UTC") -> str:
    found = Schedule(text).after(datetime.fromisoformat(after), ZoneInfo(zone))
    return "" if found is None else found.isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("text", "after", "zone", "wanted"),
    [
        ("*/15 * * * *", "2026-03-01T10:00+00:00", "UTC", "2026-03-01T10:15+00:00"),
        # With a bare star the date and the weekday both count, otherwise one of them is enough.
        ("0 0 * * 1", "2026-03-06T00:00+00:00", "UTC", "2026-03-09T00:00+00:00"),
        ("0 0 1 * 1", "2026-03-06T00:00+00:00", "UTC", "2026-03-09T00:00+00:00"),
        ("0 0 */2 * 1", "2026-03-06T00:00+00:00", "UTC", "2026-03-07T00:00+00:00"),
        ("0 0 ? * 1", "2026-03-06T00:00+00:00", "UTC", "2026-03-09T00:00+00:00"),
        # Clocks are put forward over it, and back over it.
        ("30 2 * * *", "2026-03-07T12:00+00:00", "America/New_York", "2026-03-09T02:30-04:00"),
        ("30 1 * * *", "2026-11-01T05:00+00:00", "America/New_York", "2026-11-01T01:30-04:00"),
        ("30 1 * * *", "2026-11-01T05:30+00:00", "America/New_York", "2026-11-01T01:30-05:00"),
        ("0 0 31 2 *", "2026-03-06T00:00+00:00", "UTC", ""),
        (", * * * *", "2026-03-06T00:00+00:00", "UTC", ""),
        ("@every 90m", "2026-03-06T00:00+00:00", "UTC", "2026-03-06T01:30+00:00"),
    ],
)
def test_when_it_is_due(text: str, after: str, zone: str, wanted: str) -> None:
    assert due(text, after, zone) == wanted
