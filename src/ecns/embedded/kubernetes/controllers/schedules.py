"""Cron schedules.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax and the rules of
robfig/cron, which Kubernetes uses.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)  # noqa: SIM905  a table
}
_DAYS = {name: number for number, name in enumerate("sun mon tue wed thu fri sat".split())}  # noqa: SIM905  a table
_RANGES: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_EVERY = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
_STARS = frozenset({"*", "?", "*/1", "?/1"})
_UNITS = {"h": 3600, "m": 60, "s": 1}
_FIELDS, _HORIZON, _SUNDAY = 5, 366 * 5, 7


class Schedule:
    """When something is due.

    Args:
        text: five fields, or a macro such as `@hourly` or `@every 90m`.

    Raises:
        ValueError: the text is no schedule.

    """

    def __init__(self, text: str) -> None:
        self._every: timedelta | None = None
        if text.startswith("@every "):
            parts = _EVERY.findall(text)
            if not parts:
                raise ValueError(text)
            seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
            self._every = timedelta(seconds=max(1, int(seconds)))
            return
        fields = _MACROS.get(text, text).split()
        if len(fields) != _FIELDS:
            raise ValueError(text)
        parsed = [
            _field(field, low, high, names) for field, (low, high, names) in zip(fields, _RANGES, strict=True)
        ]
        self._minutes, self._hours, self._days, self._months, self._weekdays = parsed
        # With a step a star is a list: then the date or the weekday is enough.
        self._both = any(part in _STARS for field in (fields[2], fields[4]) for part in field.split(","))

    def after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """The first time after a moment (aware), in a time zone; None when there is none in five years.

        What the clocks skip is not due, and what they show twice is due twice.
        """
        if self._every is not None:
            return (moment + self._every).replace(microsecond=0)
        day = moment.astimezone(zone).date()
        for _ in range(_HORIZON):
            if self._takes_day(day):
                due = [one for one in self._in_day(day, zone) if one > moment]
                if due:
                    return min(due).astimezone(zone)
            day += timedelta(days=1)
        return None

    def _takes_day(self, day: date) -> bool:
        if day.month not in self._months:
            return False
        by_day, by_weekday = day.day in self._days, day.isoweekday() % _SUNDAY in self._weekdays
        return by_day and by_weekday if self._both else by_day or by_weekday

    def _in_day(self, day: date, zone: tzinfo) -> Iterator[datetime]:
        for hour in self._hours:
            for minute in self._minutes:
                for fold in (0, 1):
                    shown = datetime.combine(day, time(hour, minute, fold=fold), zone)
                    instant = shown.astimezone(UTC)
                    if instant.astimezone(zone).replace(tzinfo=None) == shown.replace(tzinfo=None):
                        yield instant


def _field(text: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for part in filter(None, text.lower().split(",")):
        base, _, step = part.partition("/")
        first, dash, last = base.partition("-")
        if first in {"*", "?"}:
            start, end = low, high
        else:
            start = names[first] if first in names else int(first)
            end = (names[last] if last in names else int(last)) if dash else high if step else start
        width = int(step) if step else 1
        if not low <= start <= end <= high or width < 1:
            raise ValueError(text)
        found.update(range(start, end + 1, width))
    return found
