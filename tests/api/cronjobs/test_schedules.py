"""Schedules mean what they mean to Kubernetes, and are due when it would run them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ecns.api.cronjobs.manifests import schedules
from ecns.api.cronjobs.manifests.schedules import LIMITS, Schedule, ScheduleError, Times, parse
from tests.api.cronjobs.rules import SCHEDULES

ZONES = (
    "UTC",
    "Asia/Shanghai",
    "America/New_York",
    "Africa/Cairo",  # changes its clocks at midnight
    "Australia/Lord_Howe",  # by half an hour
    "Asia/Kathmandu",
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31))  # noqa: DTZ001  of no zone yet
CHANGES = (
    ("America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 4, 23, 20, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 10, 29, 19, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 13, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 14, tzinfo=UTC)),
)
"""Some hours before clocks are changed."""


def times(text: str) -> Times:
    found = parse(text).times
    assert found is not None
    return found


def due(text: str, after: str, zone: str = "UTC", count: int = 1) -> list[str | None]:
    """The next times by the zone's clocks."""
    found: list[str | None] = []
    moment = datetime.fromisoformat(after)
    for _ in range(count):
        following = schedules.following(parse(text), moment, ZoneInfo(zone), since=moment)
        if following is None:
            return [*found, None]
        moment = following
        found.append(moment.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes"))
    return found


# What they mean


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("60 * * * *", "minute", "60 is not between 0 and 59"),
        ("* 24 * * *", "hour", "24 is not between 0 and 23"),
        ("* * 0 * *", "day", "0 is not between 1 and 31"),
        ("* * 32 * *", "day", "not between"),
        ("* * * 13 *", "month", "not between"),
        ("* * * * 7", "week", "7 is not between 0 and 6"),
        ("*/0 * * * *", "minute", "at least 1"),
        ("5-1 * * * *", "minute", "5 comes after 1"),
        ("* * * * FRI-MON", "week", "comes after"),
        ("-5 * * * *", "minute", "not understood"),
        ("1-2-3 * * * *", "minute", "not understood"),
        ("1/2/3 * * * *", "minute", "not understood"),
        ("*/ * * * *", "minute", "not understood"),
        ("1.5 * * * *", "minute", "not understood"),
        ("１ * * * *", "minute", "not understood"),  # noqa: RUF001  a digit that is none to Kubernetes
        ("9999999999999999999999 * * * *", "minute", "not understood"),
        ("* * L * *", "day", "not understood"),
        ("* * 15W * *", "day", "not understood"),
        ("* * * * 5#2", "week", "not understood"),
        ("* * * JANUARY *", "month", "not understood"),
        ("H * * * *", "minute", "not understood"),
        ("* * * *", None, "4 fields"),
        ("* * * * * *", None, "6 fields"),
        ("", None, "0 fields"),
        ("@reboot", None, "@reboot"),
        ("@Daily", None, "@Daily"),
        ("@every", None, "@every"),
        ("@every 5", None, "not a span"),
        ("@every 5d", None, "not a span"),
        ("@every 1h30", None, "not a span"),
        ("@every 99999999h", None, "longer than"),
        ("*" * 2000, None, "longer than"),
    ],
)
def test_what_kubernetes_does_not_take(text: str, field: str | None, said: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text)
    assert caught.value.field == field
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("? ? ? ? ?", "* * * * *"),
        ("*/1 * * * *", "* * * * *"),
        ("05 +6 * * *", "5 6 * * *"),
        ("0 0 * jan-mar,Dec sun", "0 0 * 1-3,12 0"),
        ("10/20 * * * *", "10,30,50 * * * *"),
        ("10-20/5 * * * *", "10,15,20 * * * *"),
        ("1,,2, * * * *", "1,2 * * * *"),
        ("*-whatever * * * *", "* * * * *"),
        ("0 0 * * * ", "@daily"),
        ("  0\t0 * * *", "@midnight"),
        ("0 * * * *", "@hourly"),
        ("0 0 * * 0", "@weekly"),
        ("0 0 1 * *", "@monthly"),
        ("0 0 1 1 *", "@annually"),
        ("@yearly", "@annually"),
        ("@every 90m", "@every 1h30m"),
        ("@every 1.5h", "@every 5400s"),
        ("@every 10ms", "@every 1s"),
        ("@every -1h", "@every 1s"),
        ("@every 0", "@every 1s"),
    ],
)
def test_two_ways_to_say_one_thing(text: str, same: str) -> None:
    assert parse(text) == parse(same)


def test_a_time_zone_in_the_schedule_of_old_clusters() -> None:
    assert parse("TZ=Asia/Shanghai 0 6 * * *") == parse("CRON_TZ=Asia/Shanghai  0 6 * * *")
    assert parse("TZ=Asia/Shanghai @daily") == Schedule(times("@daily"), 0, "Asia/Shanghai")


def test_time_zones() -> None:
    assert schedules.time_zone(None) is UTC
    assert schedules.time_zone("Asia/Shanghai") == ZoneInfo("Asia/Shanghai")
    for unknown in (
        "Asia/Nowhere",
        "America",
        "../../etc/passwd",
        "/etc/localtime",
        "a\0b",
        "世界",
        "x" * 5000,
    ):
        assert schedules.time_zone(unknown) is None


# When they are due


def test_a_date_or_a_weekday_is_enough_unless_there_is_a_bare_star() -> None:
    monday_or_odd = due("0 0 */2 * 1", "2026-03-06T00:00Z", count=4)
    assert monday_or_odd == [f"2026-03-{day:02}T00:00+00:00" for day in (7, 9, 11, 13)]
    assert due("0 0 1 * 1", "2026-03-06T00:00Z", count=5)[-1] == "2026-04-01T00:00+00:00"
    assert due("0 0 1-31 * 1", "2026-03-06T00:00Z") == ["2026-03-07T00:00+00:00"]
    assert due("0 0 * * 1", "2026-03-06T00:00Z") == ["2026-03-09T00:00+00:00"]
    assert due("0 0 */1 * 1", "2026-03-06T00:00Z") == ["2026-03-09T00:00+00:00"]
    assert due("0 0 ? * 1", "2026-03-06T00:00Z") == ["2026-03-09T00:00+00:00"]


def test_what_the_clocks_skip_is_skipped_and_what_they_show_twice_is_due_twice() -> None:
    assert due("30 2 * * *", "2026-03-07T12:00Z", "America/New_York") == ["2026-03-09T02:30-04:00"]
    assert due("30 1 * * *", "2026-10-31T12:00Z", "America/New_York", 3) == [
        "2026-11-01T01:30-04:00",
        "2026-11-01T01:30-05:00",
        "2026-11-02T01:30-05:00",
    ]
    assert due("0 0 * * *", "2026-04-23T12:00Z", "Africa/Cairo") == ["2026-04-25T00:00+03:00"]
    assert due("45 * * * *", "2026-04-04T14:30Z", "Australia/Lord_Howe", 2) == [
        "2026-04-05T01:45+11:00",
        "2026-04-05T01:45+10:30",
    ]


def test_days_that_are_rare_or_never() -> None:
    assert due("0 0 29 2 *", "2026-03-01T00:00Z", count=2) == [
        "2028-02-29T00:00+00:00",
        "2032-02-29T00:00+00:00",
    ]
    for never in ("0 0 30 2 *", "0 0 31 2,4,6,9,11 *", ", * * * *", "0 0 , * *", "0 0 1 * ,", "0 0 * , *"):
        assert due(never, "2026-03-01T00:00Z") == (
            [None] if never != "0 0 1 * ," else ["2026-04-01T00:00+00:00"]
        )
        assert schedules.is_possible(times(never)) == (never == "0 0 1 * ,")
    assert due("0 0 29 2 *", "2096-03-01T00:00Z") == [None]


def test_spans_are_counted_from_the_last_run() -> None:
    every = parse("@every 90m")
    since = datetime(2026, 3, 1, 0, 0, 30, tzinfo=UTC)
    for minutes, wanted in ((0, 90), (89, 90), (90, 180), (1000, 1080)):
        after = since + timedelta(minutes=minutes)
        found = schedules.following(every, after, UTC, since=since)
        assert found == since + timedelta(minutes=wanted)
    ahead = since - timedelta(hours=5)
    assert schedules.following(every, ahead, UTC, since=since) == since + timedelta(minutes=90)
    forever = schedules.following(
        parse("@every 2562047h"), datetime.max.replace(tzinfo=UTC), UTC, since=since
    )
    assert forever is None


@settings(max_examples=60)
@given(
    SCHEDULES,
    st.one_of(st.sampled_from(CHANGES), st.tuples(st.sampled_from(ZONES), MOMENTS)),
    st.integers(0, 600),
)
def test_it_is_due_at_the_first_minute_that_the_clocks_show(
    text: str, where: tuple[str, datetime], minutes: int
) -> None:
    """Against the plainest way to find out: minute by minute, by the rules of robfig/cron."""
    zone = ZoneInfo(where[0])
    after = where[1].replace(tzinfo=UTC) + timedelta(minutes=minutes, seconds=minutes % 60)
    found = schedules.following(parse(text), after, zone, since=after)
    known = times(text)
    moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for _ in range(2 * 24 * 60):
        shown = moment.astimezone(zone)
        by_date, by_week = shown.day in known.day.values, shown.isoweekday() % 7 in known.week.values
        day = by_date and by_week if known.day.star or known.week.star else by_date or by_week
        month = shown.month in known.month.values
        if month and day and shown.hour in known.hour.values and shown.minute in known.minute.values:
            assert found == moment
            return
        moment += timedelta(minutes=1)
    assert found is None or found >= moment


@settings(max_examples=100)
@given(SCHEDULES, MOMENTS)
@example("0 0 29 2 *", datetime(2027, 1, 1))  # noqa: DTZ001
def test_another_library_agrees_where_its_rules_are_the_same(text: str, moment: datetime) -> None:
    """croniter has other rules for days that are told by both date and weekday, and for changed clocks."""
    known = times(text)
    plain = " ".join(",".join(map(str, sorted(field.values))) for field in known)
    fields = plain.split()
    for place, name in enumerate(LIMITS):
        if len(fields[place].split(",")) == LIMITS[name].most - LIMITS[name].least + 1:
            fields[place] = "*"
    assume("*" in {fields[2], fields[4]} and not known.either)
    after = moment.replace(tzinfo=UTC)
    found = schedules.following(parse(text), after, UTC, since=after)
    if found is None:
        assert not schedules.is_possible(known)
        return
    assert croniter(" ".join(fields), after).get_next(datetime) == found
