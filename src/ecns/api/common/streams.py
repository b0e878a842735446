"""Answers that go on, for as long as their caller may and cares to listen.

What holds for all of them stands here: that they are counted, what keeps a connection alive, and what ends
one: ECNS stops, the caller's token or place is no longer good, or the reader does not read. The last words of
a stream that ECNS ends say why; of server-sent events it is the event `closed`.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Annotated, Any, Protocol
from weakref import WeakSet

import msgspec
import structlog
from anyio import CancelScope
from litestar import Response
from litestar.connection import ASGIConnection
from litestar.params import Parameter
from litestar.response import Stream as Streaming

from ecns.errors import EcnsError, UpstreamError
from ecns.identity.caller import Caller
from ecns.identity.place import Place

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
ENDING = 1.0
"""Seconds that streams have for their last words when ECNS stops."""

log = structlog.get_logger(__name__)
encode = msgspec.json.Encoder().encode
_open: WeakSet[Stream] = WeakSet()


class Ended(Exception):  # noqa: N818  an end, not an error
    """ECNS ends a stream.

    Attributes:
        reason: a word for programs, such as `stopping`, `refused`, `slow` or `failed`.
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


def _closed(end: Ended) -> bytes:
    return event("closed", encode({"reason": end.reason, "message": end.message, "code": end.code}))


class Form(msgspec.Struct, frozen=True):
    """How a stream says what is not its source's."""

    media_type: str = "text/event-stream"
    silence: bytes = COMMENT
    """Sent when there is nothing to send; empty where nothing can be."""
    closed: Callable[[Ended], bytes] = _closed
    """The last words of a stream that ECNS ends."""
    whole: bool = True
    """Those are part of what is sent; otherwise the answer is left incomplete, so that programs notice."""


EVENTS = Form()
"""Server-sent events."""


async def end_all() -> None:
    """End every stream, because ECNS stops; waits a moment until all have said so."""
    for stream in list(_open):
        stream.end(Ended("stopping", "ECNS stops here; connect again", 503))
    carried = [stream.over.wait() for stream in _open if stream.carried]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ENDING):
            await asyncio.gather(*carried)


class Stream:
    """One caller's stream.

    Args:
        caller: who listens.
        still: raises EcnsError when the request would now be refused.
        form: how it says that it goes on, and why it ends.
        deadline: the request's, which cuts a reader who takes nothing.
        cut: has the answer left incomplete.
        check: seconds between two calls of `still`; None is `CHECK`.
        keep_alive: seconds of silence.
    """

    def __init__(
        self,
        caller: Caller,
        still: Callable[[], Awaitable[object]],
        *,
        form: Form = EVENTS,
        deadline: _Deadline | None = None,
        cut: Callable[[], None] = lambda: None,
        check: float | None = None,
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        self.caller = caller
        self.form = form
        self.carried = False
        """Somebody reads it."""
        self.over = asyncio.Event()
        self._still = still
        self._deadline = deadline
        self._cut = cut
        self._check = CHECK if check is None else check
        self._keep_alive = keep_alive
        self._ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        _open.add(self)

    @classmethod
    def of(cls, connection: ASGIConnection[Any, Any, Any, Any], place: Place, form: Form = EVENTS) -> Stream:
        """The stream that a request, or a WebSocket, asks for.

        Raises:
            TooManyRequestsError: the caller has as many as one may have.
        """
        seen = connection.scope["state"]["ecns"]
        seen.count_stream()

        async def still() -> None:
            handler: Any = connection.route_handler
            for guard in handler.resolve_guards():
                await guard(connection, handler)
            cluster = place.places.cluster(seen.caller, place.cluster.name)
            if place.namespace:
                await place.places.namespace(seen.caller, cluster, place.namespace)

        return cls(place.caller, still, form=form, deadline=seen.deadline, cut=seen.cut)

    def answer(
        self, source: AsyncGenerator[bytes], headers: Mapping[str, str] | None = None
    ) -> Response[Any]:
        """The HTTP answer that carries what `source` yields, whole events in each piece."""
        return Streaming(
            self.carry(source), media_type=self.form.media_type, headers={**HEADERS, **(headers or {})}
        )

    def end(self, why: Ended) -> None:
        """End it now; what was not sent yet is not sent any more."""
        if not self._ended.done():
            self._ended.set_result(why)

    async def carry(self, source: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """What `source` yields, comments where it is silent, and why it ended if not of itself."""
        self.carried = True
        self._due(None)
        patience = self._keep_alive if self.form.silence else None
        pending: asyncio.Task[bytes] | None = None
        checking = asyncio.create_task(self._checked())
        try:
            while True:
                if pending is None:
                    pending = asyncio.create_task(_next(source))
                both: set[asyncio.Future[Any]] = {pending, self._ended}
                await asyncio.wait(both, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                end: Ended | None = None
                if self._ended.done():
                    piece, end = b"", self._ended.result()
                elif pending.done():
                    piece, end = _outcome(pending)
                    pending = None
                else:
                    piece = self.form.silence
                last = end is not None or not piece
                if end is not None:
                    piece = self.form.closed(end)
                    if not self.form.whole:
                        self._cut()
                if piece:
                    self._due(STUCK)
                    yield piece
                    self._due(None)
                if last:
                    return
        finally:
            _open.discard(self)
            self.over.set()
            checking.cancel()
            # When the reader has left, Litestar cancels at every step, also what is waited for here.
            with CancelScope(shield=True):
                if pending is not None:
                    pending.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await pending
                await source.aclose()

    def _due(self, seconds: float | None) -> None:
        """Give the reader so long to take what is sent."""
        if self._deadline is not None:
            now = asyncio.get_running_loop().time()
            self._deadline.reschedule(None if seconds is None else now + seconds)

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


def _outcome(done: asyncio.Task[bytes]) -> tuple[bytes, Ended | None]:
    """A piece that came (empty at the end), or why it did not."""
    try:
        return done.result(), None
    except Ended as end:
        return b"", end
    except EcnsError as error:
        return b"", Ended("failed", error.message, error.status)
    except Exception:
        log.exception("a stream has a fault")
        return b"", Ended("failed", "ECNS failed; the reason is in its log", 500)
