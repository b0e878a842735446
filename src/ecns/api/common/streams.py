"""Server-Sent Events: answers that go on, for as long as their caller may and cares to listen.

What holds for all of them stands here: how many a caller may have, the comments that keep a connection alive,
and what ends one: ECNS stops, the caller's token or place is no longer good, or the reader does not read. The
last event of a stream that ECNS ends is `closed`, with the reason in words.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Protocol
from weakref import WeakSet

import msgspec
import structlog
from litestar import Request, Response
from litestar.params import Parameter
from litestar.response import Stream as Streaming

from ecns.errors import EcnsError, TooManyRequestsError, UpstreamError
from ecns.identity.caller import Caller
from ecns.identity.place import Place

PER_CALLER = 128
"""Streams that one user may have open at a time."""
RETRY_AFTER = 5.0
"""Seconds after which a caller who had too many may ask again."""
KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment is sent, so that nobody between cuts the connection."""
CHECK = 30.0
"""Seconds after which it is asked again whether the caller may still see what is sent."""
STUCK = 60.0
"""Seconds after which a reader who takes nothing at all is cut."""

WatchFlag = Annotated[
    bool,
    Parameter(
        description="Server-sent events instead of a list: `added`, `changed` and `removed` rows as they "
        "come, after the present ones and `synced`, or after what `Last-Event-ID` has seen."
    ),
]
COMMENT = b": keep-alive\n\n"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

log = structlog.get_logger(__name__)
encode = msgspec.json.Encoder().encode
_open: WeakSet[Stream] = WeakSet()


class Ended(Exception):  # noqa: N818  an end, not an error
    """ECNS ends a stream.

    Attributes:
        reason: a word for programs: `stopping`, `refused`, `slow` or `failed`.
        message: a sentence for people.
        code: the HTTP status that a new request would get; 0 when it may be tried again at once.
    """

    def __init__(self, reason: str, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.code = code


class _Deadline(Protocol):
    def reschedule(self, when: float | None) -> None: ...


def event(name: str, data: bytes, id_: str = "") -> bytes:
    """One event.

    Args:
        name: its type.
        data: without line breaks, as JSON is here.
        id_: what a client that comes back says it has seen; none leaves the last one.
    """
    tail = b"\nid: " + id_.encode() + b"\n\n" if id_ else b"\n\n"
    return b"event: " + name.encode() + b"\ndata: " + data + tail


def end_all() -> None:
    """End every stream, because ECNS stops."""
    for stream in list(_open):
        stream.end(Ended("stopping", "ECNS stops here; connect again", 503))


class Stream:
    """One caller's stream; it counts from when it is made until it has ended or is forgotten.

    Args:
        caller: who listens.
        still: raises EcnsError when the request would now be refused.
        deadline: the request's, which cuts a reader who takes nothing.
        check: seconds between two calls of `still`; None is `CHECK`.
        keep_alive: seconds of silence.

    Raises:
        TooManyRequestsError: the caller has as many as one may have.
    """

    def __init__(
        self,
        caller: Caller,
        still: Callable[[], Awaitable[object]],
        *,
        deadline: _Deadline | None = None,
        check: float | None = None,
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        self.caller = caller
        if sum(1 for one in _open if one.caller.user_id == caller.user_id) >= PER_CALLER:
            raise TooManyRequestsError(
                f"you have {PER_CALLER} streams open, which is as many as one user may have",
                retry_after=RETRY_AFTER,
            )
        self._still = still
        self._deadline = deadline
        self._check = CHECK if check is None else check
        self._keep_alive = keep_alive
        self._ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        _open.add(self)

    @classmethod
    def of(cls, request: Request[Any, Any, Any], place: Place) -> Stream:
        """The stream that a request asks for.

        Raises:
            TooManyRequestsError: the caller has as many as one may have.
        """
        seen = request.scope["state"]["ecns"]

        async def still() -> None:
            handler: Any = request.route_handler
            for guard in handler.resolve_guards():
                await guard(request, handler)
            cluster = place.places.cluster(seen.caller, place.cluster.name)
            if place.namespace:
                await place.places.namespace(seen.caller, cluster, place.namespace)

        return cls(place.caller, still, deadline=seen.deadline)

    def answer(self, source: AsyncGenerator[bytes]) -> Response[Any]:
        """The HTTP answer that carries what `source` yields, whole events in each piece."""
        return Streaming(self.carry(source), media_type="text/event-stream", headers=HEADERS)

    def end(self, why: Ended) -> None:
        """End it now; what was not sent yet is not sent any more."""
        if not self._ended.done():
            self._ended.set_result(why)

    async def carry(self, source: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
        """What `source` yields, comments where it is silent, and why it ended if not of itself."""
        pending: asyncio.Task[bytes] | None = None
        checking = asyncio.create_task(self._checked())
        try:
            while True:
                if pending is None:
                    pending = asyncio.create_task(_next(source))
                both: set[asyncio.Future[Any]] = {pending, self._ended}
                await asyncio.wait(both, timeout=self._keep_alive, return_when=asyncio.FIRST_COMPLETED)
                if self._ended.done():
                    piece, last = _closed(self._ended.result()), True
                elif pending.done():
                    piece, last = _outcome(pending)
                    pending = None
                else:
                    piece, last = COMMENT, False
                if self._deadline is not None:
                    self._deadline.reschedule(asyncio.get_running_loop().time() + STUCK + self._keep_alive)
                if piece:
                    yield piece
                if last:
                    return
        finally:
            _open.discard(self)
            checking.cancel()
            if pending is not None:
                pending.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await pending
            await source.aclose()

    async def _checked(self) -> None:
        """Ask again and again whether the caller may listen; end the stream when not."""
        while True:
            left = self.caller.expires_at - time.time()
            await asyncio.sleep(max(0.0, min(self._check, left)))
            if time.time() >= self.caller.expires_at:
                self.end(Ended("refused", "the token has expired", 401))
                return
            try:
                await self._still()
            except UpstreamError as error:
                # Nobody said that the token is bad; it ends by itself.
                log.debug("a stream's caller could not be checked", error=error.message)
            except EcnsError as error:
                self.end(Ended("refused", error.message, error.status))
                return


async def _next(source: AsyncGenerator[bytes]) -> bytes:
    """The next piece; empty at the end, because a task cannot end with StopAsyncIteration."""
    return await anext(source, b"")


def _outcome(done: asyncio.Task[bytes]) -> tuple[bytes, bool]:
    """What to send of a piece that came or failed, and whether it is the last."""
    try:
        piece = done.result()
    except Ended as end:
        return _closed(end), True
    except EcnsError as error:
        return _closed(Ended("failed", error.message, error.status)), True
    except Exception:
        log.exception("a stream has a fault")
        return _closed(Ended("failed", "ECNS failed; the reason is in its log", 500)), True
    return piece, not piece


def _closed(end: Ended) -> bytes:
    return event("closed", encode({"reason": end.reason, "message": end.message, "code": end.code}))
