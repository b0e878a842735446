"""Cron schedules.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    (0, 7, _DAYS),
)
_EVERY = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
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
            self._every = timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
            return
        fields = _MACROS.get(text, text).split()
        if len(fields) != _FIELDS:
            raise ValueError(text)
        parsed = [
            _field(field, low, high, names) for field, (low, high, names) in zip(fields, _RANGES, strict=True)
        ]
        self._minutes, self._hours, self._days, self._months, weekdays = parsed
        self._weekdays = {day % _SUNDAY for day in weekdays}
        self._any_day, self._any_weekday = fields[2].startswith(("*", "?")), fields[4].startswith(("*", "?"))

    def after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """The first time after a moment (aware), in a time zone; None when there is none in five years."""
        if self._every is not None:
            return moment + self._every
        local = moment.astimezone(zone).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day = local
        for _ in range(_HORIZON):
            if self._takes_day(day):
                found = self._in_day(day)
                if found is not None:
                    return found
            day = (day + timedelta(days=1)).replace(hour=0, minute=0)
        return None

    def _takes_day(self, day: datetime) -> bool:
        if day.month not in self._months:
            return False
        by_day, by_weekday = day.day in self._days, day.isoweekday() % _SUNDAY in self._weekdays
        if self._any_day or self._any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday

    def _in_day(self, start: datetime) -> datetime | None:
        for hour in sorted(self._hours):
            if hour < start.hour:
                continue
            for minute in sorted(self._minutes):
                if hour > start.hour or minute >= start.minute:
                    return start.replace(hour=hour, minute=minute)
        return None


def _field(text: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
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
