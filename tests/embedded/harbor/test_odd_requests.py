"""Requests that nobody means: each gets an answer, and none makes the stand-in stumble."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
import yarl
from tests.embedded.harbor.serving import PASSWORD, serving

from ecns.embedded.harbor import api

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

REQUESTS = 1200
PIECES = (
    *("", "x", "1", "0", "-1", "9" * 30, "%00", "%ff", "%2e%2e", "library", "team", "a%252Fb", "%E4%B8%AD"),
    *("sha256:" + "a" * 64, "1.0", "a" * 300, "%zz", "+", "*", "%7B1%202%7D", "'", '"', ";", "name=~x"),
    *("project_id=%7B1%20x%7D", "a=[1~2]", "creation_time=[2020-01-01T00:00:00~]", "tags=nil", "%0d%0a"),
)
FIELDS = (
    *(
        "project_name",
        "metadata",
        "public",
        "storage_limit",
        "name",
        "level",
        "duration",
        "permissions",
        "access",
    ),
    *("kind", "namespace", "resource", "action", "role_id", "member_user", "username", "user_id", "password"),
    *("email", "realname", "hard", "storage", "schedule", "type", "cron", "parameters", "workers", "secret"),
    *(
        "description",
        "scope",
        "project_id",
        "id",
        "tag_selectors",
        "scope_selectors",
        "repository",
        "disable",
    ),
)
VALUES = (
    *(None, True, -1, 0, 1, 1.5, 1e308, 10**30, "", "x", "true", "system", "project", "\ud800", "\x00"),
    *("中", "a" * 1000, [], {}, [1], [[]], [{}], {"x": {"y": [1]}}, "Manual", "p", "g"),
)
PARAMETERS = (
    "q",
    "sort",
    "page",
    "page_size",
    "name",
    "public",
    "with_tag",
    "n",
    "last",
    "mount",
    "from",
    "digest",
)
HEADERS = (
    "Range",
    "Accept",
    "X-Is-Resource-Name",
    "If-None-Match",
    "Content-Range",
    "Cookie",
    "X-Request-Id",
)


def _value(dice: random.Random, depth: int = 0) -> Any:
    if depth < 3 and dice.random() < 0.4:
        return {dice.choice(FIELDS): _value(dice, depth + 1) for _ in range(dice.randint(0, 4))}
    if depth < 3 and dice.random() < 0.2:
        return [_value(dice, depth + 1) for _ in range(dice.randint(0, 3))]
    return dice.choice(VALUES)


def _target(dice: random.Random) -> tuple[str, str]:
    methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
    if dice.random() < 0.3:
        words = (*PIECES, "library", "manifests", "blobs", "uploads", "tags", "list", "referrers")
        pieces = [dice.choice(words) for _ in range(dice.randint(0, 6))]
        return dice.choice(methods), f"/v2/{'/'.join(pieces)}"
    template, served = dice.choice(list(api.ROUTES.items()))
    pieces = [dice.choice(PIECES) if piece.startswith("{") else piece for piece in template.split("/")]
    return dice.choice([*served] * 3 + methods), f"{api.PREFIX}{'/'.join(pieces)}"


async def test_odd_requests(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dice = random.Random(20)  # noqa: S311  the same requests every time
    seen: Counter[int] = Counter()
    jar = aiohttp.DummyCookieJar()
    async with serving(tmp_path, frozen_seconds=0) as (_, url), aiohttp.ClientSession(cookie_jar=jar) as http:
        for _ in range(REQUESTS):
            method, path = _target(dice)
            pairs = [f"{dice.choice(PARAMETERS)}={dice.choice(PIECES)}" for _ in range(dice.randint(0, 3))]
            headers = {"Content-Type": "application/json"} if dice.random() < 0.8 else {}
            if dice.random() < 0.9:
                headers["Authorization"] = aiohttp.encode_basic_auth("admin", PASSWORD)
            if dice.random() < 0.3:
                headers[dice.choice(HEADERS)] = dice.choice(
                    ("bytes=0-", "x", "true", "*/*", "sid=1", "é", "")
                )
            body = dice.choice((None, json.dumps(_value(dice)).encode(), b"{", b"\xff\xfe"))
            target = yarl.URL(f"{url}{path}?{'&'.join(pairs)}", encoded=True)
            async with http.request(
                method, target, data=body, headers=headers, allow_redirects=False
            ) as answer:
                text = await answer.text(errors="replace")
                seen[answer.status] += 1
                assert answer.status != 500 or not text or "internal server error" in text
    assert not [record.getMessage() for record in caplog.records if record.name.startswith("ecns")]
    assert {200, 400, 401, 404, 405, 422} <= set(seen)
