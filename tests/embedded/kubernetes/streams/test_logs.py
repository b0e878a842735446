from __future__ import annotations

import re

import pytest
from tests.embedded.kubernetes.streams.conftest import Served

TALK = (
    "echo start; echo oops >&2; for i in 1 2 3; do echo line $i; done; trap 'exit 0' TERM; sleep 1000 & wait"
)
WHOLE = "start\noops\nline 1\nline 2\nline 3\n"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, WHOLE),
        ({"container": "c"}, WHOLE),
        ({"tailLines": "2"}, "line 2\nline 3\n"),
        ({"tailLines": "0"}, ""),
        ({"limitBytes": "10"}, "start\noops"),
        ({"sinceSeconds": "3600"}, WHOLE),
        ({"sinceTime": "2099-01-01T00:00:00Z"}, ""),
    ],
)
async def test_a_log_in_part_or_whole(served: Served, query: dict[str, str], text: str) -> None:
    await served.pod("talk", TALK)
    async with served.get("talk/log", **query) as response:
        assert (response.status, response.content_type) == (200, "text/plain")
        assert await response.text() == text


async def test_timestamps_come_before_each_line(served: Served) -> None:
    await served.pod("talk", TALK)
    async with served.get("talk/log", timestamps="true", tailLines="1") as response:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 3\n", await response.text())


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({"container": "nosuch"}, 400, "container nosuch is not valid for pod talk"),
        ({"previous": "true"}, 400, 'previous terminated container "c" in pod "talk" not found'),
        ({"tailLines": "-1"}, 422, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"stream": "Stdout"},
            422,
            'PodLogOptions "talk" is invalid: stream: Forbidden: may not be specified',
        ),
        ({"sinceTime": "yesterday"}, 400, 'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00"'),
    ],
)
async def test_wrong_questions(served: Served, query: dict[str, str], status: int, message: str) -> None:
    await served.pod("talk", TALK)
    async with served.get("talk/log", **query) as response:
        assert response.status == status
        assert message in (await response.json())["message"]


async def test_following_ends_with_the_container(served: Served) -> None:
    await served.pod("short", "echo one; sleep 0.1; echo two; sleep 0.1; echo three")
    async with served.get("short/log", follow="true") as response:
        assert await response.text() == "one\ntwo\nthree\n"
    await served.until("short", "Succeeded")
    async with served.get("short/log", follow="true", tailLines="1") as response:
        assert await response.text() == "three\n"


async def test_a_container_that_has_not_started_has_no_log(served: Served) -> None:
    await served.pod("noimg", "echo hi", phase="Pending", image="nosuch.invalid/x:1")
    for reason, text in (("ErrImagePull", "image can't be pulled"),):
        statuses = lambda: served.cluster.get("pods", "noimg", "default")["status"].get("containerStatuses")  # noqa: E731
        while (statuses() or [{}])[0].get("state", {}).get("waiting", {}).get("reason") != reason:
            async with served.get("noimg/log") as response:
                assert response.status in {204, 400}
        async with served.get("noimg/log") as response:
            message = f'container "c" in pod "noimg" is waiting to start: {text}'
            assert (response.status, (await response.json())["message"]) == (400, message)
