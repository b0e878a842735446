# ruff: noqa: RUF001  Chinese has its own punctuation
"""Schedules in Chinese: `每周三、周四 06:10`.

The reference's own words are followed ("每隔5分钟", "每月10,20号的6点10分"), with times as clocks show them
and where a step begins, because `每7分钟` alone is not what `*/7` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from ecns.api.cronjobs.manifests import shapes
from ecns.api.cronjobs.manifests.schedules import LIMITS, Schedule, Times, is_possible
from ecns.api.cronjobs.manifests.shapes import HOURS, MINUTES

_WEEK: Final = "一二三四五六日"
_UNITS: Final = ("小时", "分钟", "秒")
UNKNOWN: Final = "无法识别的定时规则"
NEVER: Final = "不会执行"
_EVERY_DAY: Final = "每天"


def describe(schedule: Schedule, zone: str = "") -> str:
    """A schedule in words; `zone` names the time zone, if one was said."""
    if (times := schedule.times) is None:
        parts = zip(shapes.span(schedule.every), _UNITS, strict=True)
        return "每" + "".join(f"{number}{unit}" for number, unit in parts if number)
    if not shapes.is_said(times):
        return NEVER
    dates, clock = _dates(times), _clock(times)
    if dates == _EVERY_DAY and clock.startswith("每"):
        text = clock
    elif dates == _EVERY_DAY:
        text = dates + clock
    else:
        text = dates + (" " if clock[0].isdecimal() else "，") + clock
    if not is_possible(times):
        text += f"（没有这样的日期，{NEVER}）"
    return text + (f"（{zone}时间）" if zone else "")


def _dates(times: Times) -> str:
    found = shapes.days(times)
    months = _listed(found.months, lambda number: f"{number}月")
    weekdays = _listed(found.weekdays, lambda day: f"周{_WEEK[day]}")
    if not found.dates:
        every = f"每{weekdays}" if weekdays else _EVERY_DAY
        return f"每年{months}的{every}" if months else every
    row = shapes.row(found.dates)
    if row and row.step > 1 and row.fills(LIMITS["day"].most + 1):
        dates = f"从{row.first}日起每{row.step}天"
    else:
        dates = _listed(found.dates, lambda number: f"{number}日")
    of = "" if len(found.months) == 1 else "的"
    dates = f"每年{months}{of}{dates}" if months else f"每月{dates}"
    return dates + (f"以及每{weekdays}" if weekdays else "")


def _clock(times: Times) -> str:
    minutes, hours = times.minute.values, times.hour.values
    if len(hours) == HOURS:
        return _minutes(minutes)
    if told := shapes.clocks(times):
        return "、".join(f"{hour:02}:{minute:02}" for hour, minute in told)
    row = shapes.row(hours)
    if len(minutes) > 1:
        if len(hours) == 1 or (row and row.step == 1):
            return f"{min(hours):02}:00至{max(hours):02}:59，{_minutes(minutes)}"
        return f"{_listed(sorted(hours), str)}时内，{_minutes(minutes)}"
    minute = next(iter(minutes))
    if row is None:
        return f"{_listed(sorted(hours), str)}时{f'{minute}分' if minute else '整'}"
    first, last = f"{row.first:02}:{minute:02}", f"{row.last:02}:{minute:02}"
    often = f"每{row.step}小时" if row.step > 1 else "每小时"
    if row.step > 1 and row.fills(HOURS):
        return f"从{first}起{often}"
    return f"{first}至{last}{often}"


def _minutes(minutes: frozenset[int]) -> str:
    """At which minutes of each hour."""
    if len(minutes) == MINUTES:
        return "每分钟"
    if minutes == {0}:
        return "每小时整点"
    row = shapes.row(minutes)
    if row is None:
        return f"每小时的{_listed(sorted(minutes), lambda minute: f'{minute}分')}"
    often = f"每{row.step}分钟" if row.step > 1 else "每分钟"
    if not row.fills(MINUTES) or row.step == 1:
        return f"每小时{row.first}分至{row.last}分{often}"
    if row.first == 0 and MINUTES % row.step == 0:
        return often
    return f"每小时从{row.first}分起{often}"


def _listed(ordered: Iterable[int], show: Callable[[int], str]) -> str:
    return "、".join(
        show(first) if first == last else f"{show(first)}至{show(last)}"
        for first, last in shapes.runs(ordered)
    )
