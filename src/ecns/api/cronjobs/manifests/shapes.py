"""What a schedule looks like to who puts it into words, in whatever language.

Words are made from what a schedule means, not from how it is written, so that `?`, names and odd lists say
what they do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from ecns.api.cronjobs.manifests.schedules import LIMITS, Times

HOURS: Final = 24
MINUTES: Final = 60
CLOCKS: Final = 6
"""So many times of a day are told one by one."""
SEVERAL: Final = 3
"""From so many on, numbers are told as a range or by their step."""
_UNITS: Final = (3600, 60, 1)


class Row(NamedTuple):
    """Numbers at even distances."""

    first: int
    last: int
    step: int

    def fills(self, end: int) -> bool:
        """Whether the next number would be at or beyond `end`."""
        return self.last + self.step >= end


def row(values: Collection[int]) -> Row | None:
    """Numbers at even distances, if there are several."""
    if len(values) < SEVERAL:
        return None
    ordered = sorted(values)
    step = ordered[1] - ordered[0]
    even = ordered == list(range(ordered[0], ordered[-1] + 1, step))
    return Row(ordered[0], ordered[-1], step) if even else None


def runs(ordered: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of numbers that follow one another; fewer than `SEVERAL` stand alone."""
    found: list[list[int]] = []
    for number in ordered:
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    pieces: list[tuple[int, int]] = []
    for run in found:
        pieces += [(run[0], run[-1])] if len(run) >= SEVERAL else [(one, one) for one in run]
    return pieces


class Days(NamedTuple):
    """On which days; empty is all."""

    months: list[int]
    dates: list[int]
    weekdays: list[int]
    """0 is Monday. With dates too, one of the two is to be met."""


def days(times: Times) -> Days:
    """On which days something is due."""
    months, dates, week = times.month.values, times.day.values, times.week.values
    every_date, every_weekday = len(dates) == LIMITS["day"].most, len(week) == LIMITS["week"].most + 1
    if times.either and (every_date or every_weekday):
        every_date = every_weekday = True
    return Days(
        [] if len(months) == LIMITS["month"].most else sorted(months),
        [] if every_date else sorted(dates),
        [] if every_weekday else sorted((day - 1) % 7 for day in week),
    )


def is_said(times: Times) -> bool:
    """Whether no field is empty, so that there is something to say."""
    dates, week = times.day.values, times.week.values
    some = dates or week if times.either else dates and week
    return bool(times.minute.values and times.hour.values and times.month.values and some)


def clocks(times: Times) -> list[tuple[int, int]]:
    """Hour and minute of what is due on a day; nothing when that is too much to tell one by one."""
    hours, minutes = times.hour.values, times.minute.values
    if len(hours) * len(minutes) > CLOCKS:
        return []
    return [(hour, minute) for hour in sorted(hours) for minute in sorted(minutes)]


def span(seconds: int) -> list[int]:
    """Hours, minutes and seconds."""
    found = []
    for size in _UNITS:
        number, seconds = divmod(seconds, size)
        found.append(number)
    return found
