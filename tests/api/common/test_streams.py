"""What holds for every stream, without a server around it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import anyio

from ecns.api.common import streams
from ecns.api.common.streams import COMMENT, Ended, Form, Stream, end_all, event
from ecns.errors import NotFoundError, UnauthorizedError, UpstreamTimeoutError
from tests.identity.callers import caller

WAIT = 5


async def allowed() -> None:
    """Nothing has changed."""


async def pieces(*several: bytes, then: Exception | None = None) -> AsyncGenerator[bytes]:
    for piece in several:
        yield piece
    if then is not None:
        raise then


async def silence() -> AsyncGenerator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def read(carried: AsyncIterator[bytes]) -> list[bytes]:
    async with asyncio.timeout(WAIT):
        return [piece async for piece in carried]


def last(piece: bytes) -> dict[str, Any]:
    assert piece.startswith(b"event: closed\ndata: ")
    told: dict[str, Any] = json.loads(piece.split(b"data: ")[1])
    return told


def test_an_event_is_as_the_standard_has_it() -> None:
    assert event("added", b"{}") == b"event: added\ndata: {}\n\n"
    assert event("added", b"{}", "1-2") == b"event: added\ndata: {}\nid: 1-2\n\n"


async def test_what_a_source_yields_is_carried_and_its_end_is_the_end() -> None:
    assert await read(Stream(caller(), allowed).carry(pieces(b"a", b"b"))) == [b"a", b"b"]


async def test_silence_is_filled_with_comments() -> None:
    stream = Stream(caller(), allowed, keep_alive=0.01)
    carried = stream.carry(silence())
    async with asyncio.timeout(WAIT):
        assert [await anext(carried), await anext(carried)] == [COMMENT, COMMENT]
    stream.end(Ended("slow", "x"))
    assert last((await read(carried))[-1])["reason"] == "slow"


async def test_what_goes_wrong_is_the_last_event() -> None:
    async def told(error: Exception) -> dict[str, Any]:
        carried = await read(Stream(caller(), allowed).carry(pieces(b"a", then=error)))
        assert carried[0] == b"a"
        return last(carried[1])

    slow = await told(Ended("slow", "too slow"))
    assert (slow["reason"], slow["message"]) == ("slow", "too slow")
    assert (await told(NotFoundError("gone")))["code"] == 404
    fault = await told(ZeroDivisionError("secret"))
    assert fault["code"] == 500
    assert "secret" not in fault["message"]


async def test_a_stream_ends_when_its_token_expires() -> None:
    (piece,) = await read(Stream(caller(expires_at=time.time() + 0.05), allowed).carry(silence()))
    assert last(piece) == {"reason": "refused", "message": "the token has expired", "code": 401}


async def test_a_stream_ends_when_its_request_would_be_refused() -> None:
    async def revoked() -> None:
        raise UnauthorizedError("the token was revoked")

    (piece,) = await read(Stream(caller(), revoked, check=0.01).carry(silence()))
    assert last(piece) == {"reason": "refused", "message": "the token was revoked", "code": 401}


async def test_a_stream_goes_on_while_nobody_can_say_whether_its_token_is_good() -> None:
    asked = asyncio.Event()

    async def unsure() -> None:
        if asked.is_set():
            raise NotFoundError("namespace 'x' is not there")
        asked.set()
        raise UpstreamTimeoutError("Keystone is slow", upstream="Keystone")

    (piece,) = await read(Stream(caller(), unsure, check=0.01).carry(silence()))
    assert asked.is_set()
    assert last(piece)["code"] == 404


async def test_a_form_without_a_word_for_silence_is_silent_and_cuts_what_is_not_whole() -> None:
    cuts: list[bool] = []
    form = Form("text/plain", silence=b"", closed=lambda end: end.message.encode(), whole=False)

    def stream() -> Stream:
        return Stream(caller(), allowed, form=form, keep_alive=0.001, cut=lambda: cuts.append(True))

    assert await read(stream().carry(pieces(b"a"))) == [b"a"]
    assert not cuts
    quiet = stream()
    reading = asyncio.create_task(read(quiet.carry(silence())))
    await asyncio.sleep(0.01)
    quiet.end(Ended("stopping", "over"))
    assert await reading == [b"over"]
    assert cuts


async def test_all_end_at_once_when_ecns_stops() -> None:
    several = [Stream(caller(user_id=f"u{n}"), allowed) for n in range(3)]
    reading = [asyncio.create_task(read(stream.carry(silence()))) for stream in several]
    await asyncio.sleep(0)
    await end_all()
    assert [last(piece)["reason"] for (piece,) in await asyncio.gather(*reading)] == ["stopping"] * 3


async def test_a_reader_who_takes_nothing_has_a_deadline() -> None:
    class Deadline:
        when: float | None = None

        def reschedule(self, when: float | None) -> None:
            self.when = when

    deadline = Deadline()
    carried = Stream(caller(), allowed, deadline=deadline).carry(pieces(b"a"))
    before = asyncio.get_running_loop().time()
    assert await anext(carried) == b"a"
    assert deadline.when is not None
    assert deadline.when >= before + streams.STUCK
    assert await read(carried) == []
    assert deadline.when is None


async def test_a_source_is_closed_when_its_reader_leaves() -> None:
    closed = asyncio.Event()

    async def source() -> AsyncGenerator[bytes]:
        try:
            yield b"a"
            await asyncio.Event().wait()
        finally:
            closed.set()

    carried = Stream(caller(), allowed).carry(source())
    assert await anext(carried) == b"a"
    reading = asyncio.create_task(read(carried))
    await asyncio.sleep(0.01)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert closed.is_set()


async def test_a_source_closes_in_peace_when_the_server_cancels_again_and_again() -> None:
    closed = []

    async def source() -> AsyncGenerator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            for _ in range(3):
                await asyncio.sleep(0.01)
            closed.append("files")

    async with anyio.create_task_group() as group:
        came = asyncio.Event()

        async def carry() -> None:
            async for _ in Stream(caller(), allowed).carry(source()):
                came.set()

        group.start_soon(carry)
        await came.wait()
        group.cancel_scope.cancel()
    assert closed == ["files"]
