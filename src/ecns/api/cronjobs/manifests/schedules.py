"""Schedules by Kubernetes' rules: what they mean, and when they are due next.

Kubernetes reads schedules with robfig/cron, whose rules are those of no other library: `?` is `*`, the week
is 0 to 6, `@every 90m` counts from the last run, a day is due by its date or by its weekday unless one of the
two fields has a bare star, and what the clocks skip is skipped while what they show twice is due twice.

Sources: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax;
https://pkg.go.dev/github.com/robfig/cron/v3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

FieldName = Literal["minute", "hour", "day", "month", "week"]

MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
YEARS: Final = 5
"""What is not due within so many years never is, for Kubernetes."""
MACROS: Final[Mapping[str, str]] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
EVERY: Final = "@every "
LONGEST: Final = 1000
"""Characters of a schedule, of which all numbers there are would need 400."""

_NUMBER = re.compile(r"\+?[0-9]{1,18}")
_DURATION = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|[+-]?0", re.ASCII)
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_LONGEST_SECONDS = 2**63 // 10**9
_ZONE = re.compile(r"(?:CRON_)?TZ=([^ ]*) +(.*)", re.DOTALL)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


class Limits(NamedTuple):
    """What a field can be."""

    least: int
    most: int
    names: Mapping[str, int]


LIMITS: Final[Mapping[FieldName, Limits]] = {
    "minute": Limits(0, 59, {}),
    "hour": Limits(0, 23, {}),
    "day": Limits(1, 31, {}),
    "month": Limits(1, 12, {name: number for number, name in enumerate(MONTHS, 1)}),
    "week": Limits(0, 6, {name: number for number, name in enumerate(WEEKDAYS)}),
}
"""In the order of the fields."""


class ScheduleError(ValueError):
    """Kubernetes would not take a schedule.

    Attributes:
        field: which of its fields is wrong; None for the whole.
    """

    def __init__(self, message: str, field: FieldName | None = None) -> None:
        super().__init__(message)
        self.field = field


class Field(NamedTuple):
    """What a field means."""

    values: frozenset[int]
    star: bool
    """It has a bare star, which tells "any" from "all of them" where days are chosen."""


class Times(NamedTuple):
    """A schedule of five fields."""

    minute: Field
    hour: Field
    day: Field
    month: Field
    week: Field

    @property
    def either(self) -> bool:
        """Whether a day is due by its date or by its weekday, and not only by both."""
        return not (self.day.star or self.week.star)

    def has(self, day: date) -> bool:
        """Whether something is due on a day."""
        if day.month not in self.month.values:
            return False
        by_date = day.day in self.day.values
        by_week = day.isoweekday() % 7 in self.week.values
        return by_date or by_week if self.either else by_date and by_week


class Schedule(NamedTuple):
    """A schedule as Kubernetes understands it: times, or a span of time."""

    times: Times | None
    every: int = 0
    """Seconds, if there are no times."""
    zone: str = ""
    """A time zone that stands in the schedule itself; none can be made so any more."""


def parse_field(name: FieldName, text: str) -> Field:
    """What a field means; nothing at all if it has only commas, which Kubernetes takes.

    Raises:
        ScheduleError: Kubernetes would not take it.
    """
    values: set[int] = set()
    star = False
    for part in filter(None, text.split(",")):
        found = _part(name, part)
        values |= found.values
        star = star or found.star
    return Field(frozenset(values), star)


def _part(name: FieldName, text: str) -> Field:
    limits = LIMITS[name]
    span, slash, step_text = text.partition("/")
    first, dash, last = span.partition("-")
    star = first in {"*", "?"}
    if star:
        # What follows a star and a dash is not looked at.
        start, end = limits.least, limits.most
    else:
        start = _number(name, first, text)
        end = _number(name, last, text) if dash else limits.most if slash else start
    step = _number(name, step_text, text, named=False) if slash else 1
    for value in (start, end):
        if not limits.least <= value <= limits.most:
            raise ScheduleError(f"{value} is not between {limits.least} and {limits.most}", name)
    if start > end:
        raise ScheduleError(f"{text!r}: {start} comes after {end}", name)
    if not step:
        raise ScheduleError(f"{text!r}: a step is at least 1", name)
    return Field(frozenset(range(start, end + 1, step)), star and step == 1)


def _number(name: FieldName, text: str, part: str, *, named: bool = True) -> int:
    if named and (number := LIMITS[name].names.get(text.upper())) is not None:
        return number
    if not _NUMBER.fullmatch(text):
        limits = LIMITS[name]
        raise ScheduleError(
            f"{part!r} is not understood: numbers from {limits.least} to {limits.most}"
            f"{', names such as ' + next(iter(limits.names)) if limits.names else ''},"
            " ranges (1-5), lists (1,3), steps (*/2) or *",
            name,
        )
    return int(text)


@lru_cache(maxsize=4096)
def parse(text: str) -> Schedule:
    """What a schedule means.

    Raises:
        ScheduleError: Kubernetes would not take it, or it is longer than anybody writes.
    """
    if len(text) > LONGEST:
        raise ScheduleError(f"longer than {LONGEST} characters")
    zone = ""
    if match := _ZONE.fullmatch(text):
        zone, text = match[1], match[2].strip()
    if text.startswith("@"):
        if text.startswith(EVERY):
            return Schedule(None, _seconds(text.removeprefix(EVERY)), zone)
        if text not in MACROS:
            raise ScheduleError(f"{text!r} is none of {', '.join(MACROS)} and {EVERY.strip()}")
        text = MACROS[text]
    fields = text.split()
    if len(fields) != len(LIMITS):
        raise ScheduleError(
            f"{text!r} has {len(fields)} fields; minute, hour, day, month and week are needed"
        )
    return Schedule(
        Times(*(parse_field(name, field) for name, field in zip(LIMITS, fields, strict=True))), 0, zone
    )


def _seconds(text: str) -> int:
    """A span of time such as `1h30m` in whole seconds, at least one."""
    if not _DURATION.fullmatch(text):
        raise ScheduleError(f"{text!r} is not a span of time such as 90m or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds > _LONGEST_SECONDS:
        raise ScheduleError(f"{text!r} is longer than 292 years")
    return 1 if text.startswith("-") else max(1, int(seconds))


# When


def time_zone(name: str | None) -> tzinfo | None:
    """A time zone of a CronJob; None for one that nobody knows. Without a name UTC is taken."""
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown, a directory of zones, no name at all
        return None


def following(schedule: Schedule, after: datetime, zone: tzinfo, *, since: datetime) -> datetime | None:
    """When a schedule is due next; None when it is not due within `YEARS`.

    Args:
        schedule: which.
        after: the time after which.
        zone: whose clocks show the schedule's times.
        since: the last run, or the beginning: spans of time are counted from it.
    """
    if schedule.times is not None:
        return _following(schedule.times, after.astimezone(UTC), zone)
    if after < since:
        return since + timedelta(seconds=schedule.every)
    spans = int((after - since).total_seconds()) // schedule.every + 1
    try:
        return since + timedelta(seconds=spans * schedule.every)
    except OverflowError:
        return None


def _following(times: Times, after: datetime, zone: tzinfo) -> datetime | None:
    """The first instant at which the zone's clocks show one of the times.

    From one change of the clocks to the next they go evenly, so that each such stretch is searched by what
    they show; a day at a time is looked at.
    """
    clock = _clock(times.hour.values, times.minute.values)
    moment = after
    last_year = after.year + YEARS
    while True:
        offset = moment.astimezone(zone).utcoffset() or timedelta()
        shown = (moment + offset).replace(tzinfo=None)
        if moment == after or shown.second or shown.microsecond:
            shown = shown.replace(second=0, microsecond=0) + _MINUTE
        if shown.year > last_year:
            return None
        day = shown.date()
        due = _first(clock, shown) if times.has(day) else None
        end = (datetime.combine(day + _DAY, time()) - offset).replace(tzinfo=UTC)
        changed = (end.astimezone(zone).utcoffset() or timedelta()) != offset
        if changed:
            end = _change(moment, end, zone)
        if due is not None and (found := (due - offset).replace(tzinfo=UTC)) < end:
            return found
        if not changed:
            end += _idle(times, day + _DAY, last_year)
        moment = end


@lru_cache(maxsize=256)
def _clock(hours: frozenset[int], minutes: frozenset[int]) -> list[time]:
    return sorted(time(hour, minute) for hour in hours for minute in minutes)


def _first(clock: Sequence[time], shown: datetime) -> datetime | None:
    wanted = shown.time()
    found = next((one for one in clock if one >= wanted), None)
    return None if found is None else datetime.combine(shown.date(), found)


def _change(start: datetime, end: datetime, zone: tzinfo) -> datetime:
    """The instant between two at which the clocks are changed, to the second."""
    offset = start.astimezone(zone).utcoffset()
    low, high = 0, int((end - start).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (start + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return start + timedelta(seconds=high)


def _idle(times: Times, day: date, last_year: int) -> timedelta:
    """How long nothing is due from the beginning of a day, less one day for changes of the clocks."""
    first = day
    while not times.has(day) and day.year <= last_year:
        day += _DAY
    return max(day - first - _DAY, timedelta())


def is_possible(times: Times) -> bool:
    """Whether there are days on which something is due, such as not the 30th of February."""
    if not all((times.minute.values, times.hour.values, times.month.values)):
        return False
    if times.either and times.week.values:
        return True
    leap_year = (date(2024, 1, 1) + _DAY * day for day in range(366))
    return bool(times.week.values or times.either) and any(
        day.month in times.month.values and day.day in times.day.values for day in leap_year
    )
