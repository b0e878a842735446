"""What every request passes through, around an application that does as it is told."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from ecns.server.errors import render
from ecns.server.requests import Requests

LIMIT = 1000


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/slow":
        await asyncio.sleep(30)
    if scope["path"] == "/stream":
        scope["state"]["ecns"].deadline.reschedule(None)
        await asyncio.sleep(0.3)
    if scope["path"] in {"/endless", "/cut"}:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        scope["state"]["ecns"].cut()
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        if scope["path"] == "/cut":
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    body = b""
    more = scope["method"] != "GET"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
async def client() -> Any:
    wrapped = Requests(application, body_limit=LIMIT, timeout=0.2, render=render)
    transport = httpx.ASGITransport(wrapped)  # type: ignore[arg-type]  # the two ASGI typings differ
    async with httpx.AsyncClient(transport=transport, base_url="http://ecns") as opened:
        yield opened


async def test_every_answer_has_an_id_of_its_own(client: httpx.AsyncClient) -> None:
    first, second = await client.get("/"), await client.get("/")
    assert first.headers["RequestId"].startswith("req-")
    assert first.headers["RequestId"] == first.headers["X-Openstack-Request-Id"]
    assert first.headers["RequestId"] != second.headers["RequestId"]


async def test_head_is_get_without_the_body(client: httpx.AsyncClient) -> None:
    answer = await client.head("/")
    assert answer.status_code == 200
    assert answer.headers["content-length"] == "5"
    assert answer.content == b""


async def test_head_of_an_answer_without_end_is_over_at_once(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(0.15):  # sooner than its deadline
        answer = await client.head("/endless")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_an_answer_that_is_cut_has_no_end() -> None:
    wrapped = Requests(application, body_limit=LIMIT, timeout=60, render=render)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/cut", "headers": [], "query_string": b""}
    async with asyncio.timeout(5):  # though the client has not left
        await wrapped(scope, asyncio.Event().wait, send)  # type: ignore[arg-type]  # never answered
    assert [message.get("body") for message in sent] == [None, b"half"]


async def test_a_request_that_takes_too_long_is_504(client: httpx.AsyncClient) -> None:
    answer = await client.get("/slow")
    assert answer.status_code == 504
    assert answer.json()["error"]["title"] == "Gateway Timeout"
    assert answer.json()["RequestId"] == answer.headers["RequestId"]


async def test_a_request_that_is_given_up_when_ecns_stops_is_503() -> None:
    wrapped = Requests(application, body_limit=LIMIT, timeout=60, render=render)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/slow", "headers": [], "query_string": b""}
    request = asyncio.create_task(wrapped(scope, asyncio.Event().wait, send))  # type: ignore[arg-type]  # never answered
    await asyncio.sleep(0)
    request.cancel()
    await request
    assert sent[0]["status"] == 503
    assert b"send it again" in sent[1]["body"]


async def test_a_stream_has_no_deadline(client: httpx.AsyncClient) -> None:
    assert (await client.get("/stream")).status_code == 200


async def test_a_body_over_the_limit_is_413(client: httpx.AsyncClient) -> None:
    answer = await client.post("/", content=b"x" * (LIMIT + 1))
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == 413


async def test_a_content_type_that_is_not_taken_is_415(client: httpx.AsyncClient) -> None:
    answer = await client.post("/", content=b"<a/>", headers={"content-type": "application/xml"})
    assert answer.status_code == 415
    assert "application/xml" in answer.json()["error"]["message"]
