"""What cannot be is refused before anything is sent, and the field is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecns.api.cronjobs.checks import check_cronjob
from ecns.api.cronjobs.types import CronJob
from ecns.errors import BadRequestError
from tests.api.cronjobs.asking import cronjob


def checked(name: str = "x", rule: Any = None, **more: Any) -> CronJob:
    return check_cronjob(msgspec.convert(cronjob(name, rule, **more), CronJob))


RULE = "cronjob.cron_rule"


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"minute": "60"}, f"{RULE}.minute"),
        ({"minute": "*/0"}, f"{RULE}.minute"),
        ({"minute": "5 6"}, f"{RULE}.minute"),
        ({"minute": ","}, f"{RULE}.minute"),
        ({"minute": -5}, f"{RULE}.minute"),
        ({"minute": "1,2;3"}, f"{RULE}.minute"),
        ({"minute": "*/5\n"}, None),
        ({"minute": "每5分钟"}, f"{RULE}.minute"),
        ({"minute": "1," * 1000}, f"{RULE}.minute"),
        ({"hour": "24"}, f"{RULE}.hour"),
        ({"day": "0"}, f"{RULE}.day"),
        ({"day": "L"}, f"{RULE}.day"),
        ({"day of the month": "32"}, f"{RULE}.day of the month"),
        ({"month": "0"}, f"{RULE}.month"),
        ({"month": "32"}, f"{RULE}.month"),
        ({"day": "1", "month": "10,20"}, f"{RULE}.month"),
        ({"day": "", "day of the month": "2"}, None),
        ({"week": "7"}, f"{RULE}.week"),
        ({"day of the week": "MONDAY"}, f"{RULE}.day of the week"),
        ({"day": "1", "day of the month": "2"}, f"{RULE}.day"),
        ({"day": "1", "day of the month": " 1"}, None),
        ({"day": "30", "month": "2"}, f"{RULE}.day"),
        ({"day of the month": "31", "month": "4,6"}, f"{RULE}.day of the month"),
        ({"day": "30", "month": "2", "week": "1"}, None),
        ({"day": "29", "month": "2"}, None),
        ({}, RULE),
        ({"minute": "", "hour": "  "}, RULE),
        ({"minutes": "*/5"}, RULE),
        ({"minute": "*"}, None),
        ("", RULE),
        ("@reboot", RULE),
        ("@every 5", RULE),
        ("* * * *", RULE),
        ("* * * * 7", RULE),
        ("0 0 31 2 *", RULE),
        (", * * * *", RULE),
        ("TZ=UTC 0 0 * * *", RULE),
        ("@every 1h30m", None),
        ("0 0 * * MON-FRI", None),
    ],
)
def test_rules(rule: Any, field: str | None) -> None:
    if field is None:
        checked(rule=rule)
        return
    with pytest.raises(BadRequestError) as caught:
        checked(rule=rule)
    assert caught.value.details["field"] == field
    assert caught.value.message.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": "c" * 53}, "cronjob.job.name"),
        ({"name": "C"}, "cronjob.job.name"),
        ({"completions": -1}, "cronjob.job.completions"),
        ({"time_zone": "Asia/Nowhere"}, "cronjob.time_zone"),
        ({"time_zone": "Local"}, "cronjob.time_zone"),
        ({"time_zone": "../UTC"}, "cronjob.time_zone"),
        ({"starting_deadline_seconds": -1}, "cronjob.starting_deadline_seconds"),
        ({"successful_jobs_history_limit": -1}, "cronjob.successful_jobs_history_limit"),
        ({"failed_jobs_history_limit": 2**31}, "cronjob.failed_jobs_history_limit"),
    ],
)
def test_refused(more: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        checked(**more)
    assert caught.value.details["field"] == field


def test_defaults() -> None:
    found = checked("c" * 52, concurrency_policy=None, time_zone="Asia/Shanghai")
    assert found.concurrency_policy == "Allow"
