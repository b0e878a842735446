"""Schedules in English: `Every Wednesday and Thursday at 06:10`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from ecns.api.cronjobs.manifests import shapes
from ecns.api.cronjobs.manifests.schedules import LIMITS, Schedule, Times, is_possible
from ecns.api.cronjobs.manifests.shapes import HOURS, MINUTES

_WEEK: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_UNITS: Final = ("hour", "minute", "second")
UNKNOWN: Final = "A schedule that is not understood"
NEVER: Final = "Never"
_EVERY_DAY: Final = "every day"


def describe(schedule: Schedule, zone: str = "") -> str:
    """A schedule in words; `zone` names the time zone, if one was said."""
    if (times := schedule.times) is None:
        parts = zip(shapes.span(schedule.every), _UNITS, strict=True)
        told = [f"{number} {unit}{'s' * (number > 1)}" for number, unit in parts if number]
        return "Every " + (told[0].removeprefix("1 ") if len(told) == 1 else _and(told))
    if not shapes.is_said(times):
        return NEVER
    dates, clock = _dates(times), _clock(times)
    if dates == _EVERY_DAY and (clock.startswith("every ") or len(times.hour.values) == HOURS):
        text = clock
    else:
        text = dates + (" " if clock.startswith("at ") else ", ") + clock
    if not is_possible(times):
        text += " (never: there is no such date)"
    return text[0].upper() + text[1:] + (f" ({zone} time)" if zone else "")


def _dates(times: Times) -> str:
    found = shapes.days(times)
    weekdays = f"every {_listed(found.weekdays, lambda day: _WEEK[day])}" if found.weekdays else ""
    months = _listed(found.months, lambda month: _MONTHS[month - 1])
    season = ""
    if months:
        season = f" {'from' if _is_range(found.months) else 'in'} {months}"
    if not found.dates:
        return (weekdays or _EVERY_DAY) + season
    row = shapes.row(found.dates)
    if row and row.step > 1 and row.fills(LIMITS["day"].most + 1):
        dates = f"every {row.step} days from the {_ordinal(row.first)}"
    else:
        begin = "from" if _is_range(found.dates) else "on"
        dates = f"{begin} the {_listed(found.dates, _ordinal, to=' to the ')}"
    dates += f" of {months or 'every month'}"
    return f"{dates} and {weekdays}{season}" if weekdays else dates


def _clock(times: Times) -> str:
    minutes, hours = times.minute.values, times.hour.values
    if len(hours) == HOURS:
        return _minutes(minutes)
    if told := shapes.clocks(times):
        return "at " + _and([f"{hour:02}:{minute:02}" for hour, minute in told])
    row = shapes.row(hours)
    if len(minutes) > 1:
        if len(hours) == 1 or (row and row.step == 1):
            return f"{_minutes(minutes)}, from {min(hours):02}:00 to {max(hours):02}:59"
        return f"{_minutes(minutes)}, in the hours {_listed(sorted(hours), str)}"
    minute = next(iter(minutes))
    if row is None:
        return f"at {_count(minute, 'minute')} past the hours {_listed(sorted(hours), str)}"
    first, last = f"{row.first:02}:{minute:02}", f"{row.last:02}:{minute:02}"
    often = f"every {row.step} hours" if row.step > 1 else "every hour"
    if row.step > 1 and row.fills(HOURS):
        return f"{often} from {first}"
    return f"{often} from {first} to {last}"


def _minutes(minutes: frozenset[int]) -> str:
    """At which minutes of each hour."""
    if len(minutes) == MINUTES:
        return "every minute"
    if minutes == {0}:
        return "every hour"
    row = shapes.row(minutes)
    if row is None:
        if len(minutes) == 1:
            return f"at {_count(next(iter(minutes)), 'minute')} past every hour"
        return f"at {_listed(sorted(minutes), str)} minutes past every hour"
    often = f"every {row.step} minutes" if row.step > 1 else "every minute"
    if not row.fills(MINUTES) or row.step == 1:
        return f"{often} from {row.first} to {row.last} minutes past every hour"
    if row.first == 0 and MINUTES % row.step == 0:
        return often
    return f"{often} from {_count(row.first, 'minute')} past every hour"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _ordinal(number: int) -> str:
    teen = number // 10 == 1
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _is_range(ordered: list[int]) -> bool:
    return len(ordered) > 1 and len(shapes.runs(ordered)) == 1


def _listed(ordered: Iterable[int], show: Callable[[int], str], *, to: str = " to ") -> str:
    return _and(
        [
            show(first) if first == last else f"{show(first)}{to}{show(last)}"
            for first, last in shapes.runs(ordered)
        ]
    )


def _and(several: list[str]) -> str:
    *others, last = several or [""]
    return f"{', '.join(others)} and {last}" if others else last
