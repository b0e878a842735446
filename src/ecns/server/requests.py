"""What every request passes through before it is routed.

Request id, HEAD, deadline, size and content type of the body, access log and metrics; as one plain ASGI
wrapper, so that it holds for paths that no route answers too. Source: reference chapter 1.11.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import msgspec
import structlog

from ecns.api.common.operations import JSON, MULTIPART, YAML, YAML_TYPES
from ecns.api.common.told import TOLD
from ecns.errors import (
    DeadlineError,
    EcnsError,
    PayloadTooLargeError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from ecns.identity.caller import Caller
from ecns.server import metrics
from ecns.server.audit import BODY_BYTES, Audit, Event

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]
"""ASGI 3, as https://asgi.readthedocs.io/ has it; Litestar's own types leave out the lifespan."""
log = structlog.get_logger("ecns.access")

BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PEEK_SECONDS = 0.1
"""How long a refusal may wait for the rest of a small body."""
BODY_TYPES = frozenset({JSON, MULTIPART, *YAML_TYPES})


class Context(msgspec.Struct):
    """What is known of a request while it is answered."""

    request_id: str
    started: float
    operation: str = ""
    product_type: str = ""
    caller: Caller | None = None
    cluster: str = ""
    namespace: str = ""
    deadline: asyncio.Timeout | None = None
    name: str = ""
    """What the path names."""
    at_end: list[Callable[[], None]] = msgspec.field(default_factory=list)
    """To be called when the answer has ended."""
    open_stream: Callable[[], Callable[[], None]] | None = None
    """Counts a stream of the caller until what it returns is called; None when it is counted."""
    incomplete: bool = False
    """The answer is not to look as if it were whole."""
    failure: EcnsError | None = None
    """Why a WebSocket is refused."""
    body: list[bytes] = msgspec.field(default_factory=list)
    """What has been read of it, for the audit log."""
    body_bytes: int = 0
    has_body: bool = False
    body_type: str = JSON
    body_limit: int | None = None
    """Bytes of the body; None where the operation sees to that itself."""
    idempotency: str = ""
    """Under which name the answer is to be kept."""
    idempotency_request: str = ""
    """A digest of the request that the answer is for."""

    def take_body(self, kind: str) -> None:
        """Let a body of this content type through, if there is one.

        Raises:
            UnsupportedMediaTypeError: it is of another one.
        """
        if kind == YAML and self.body_type in {JSON, *YAML_TYPES}:
            return
        if self.body_type != kind and (self.has_body or kind == MULTIPART):
            raise UnsupportedMediaTypeError(f"content type {self.body_type!r} is not taken; send {kind}")
        if kind == MULTIPART:
            self.body_limit = None

    def count_stream(self) -> None:
        """Count the answer as a stream of the caller, until it has ended.

        Raises:
            TooManyRequestsError: the caller has as many as one may have.
        """
        if self.open_stream is not None:
            self.at_end.append(self.open_stream())
            self.open_stream = None

    def cut(self) -> None:
        """Leave the answer incomplete: the connection closes before its end, as when an upstream breaks."""
        self.incomplete = True

    def over_now(self) -> None:
        """Wait no longer for the application, which may wait for the client to leave."""
        if self.deadline is not None:
            self.deadline.reschedule(asyncio.get_running_loop().time())

    def over(self) -> None:
        """Let go of what was held for the answer."""
        while self.at_end:
            self.at_end.pop()()


def context(scope: Any) -> Context:
    """The context of the request that `scope` is of."""
    found: Context = scope["state"]["ecns"]
    return found


class Requests:
    """The wrapper around the routed application.

    Args:
        app: the application within.
        body_limit: bytes of a body.
        timeout: seconds for an answer to begin and end, streams excepted.
        render: makes the body of an error that no route could answer.
        keep: told of each answer that is to be kept, or of status 0 when there was none.
        audit: records what is changed.
    """

    def __init__(
        self,
        app: Application,
        *,
        body_limit: int,
        timeout: float,
        render: Callable[[EcnsError, str], bytes],
        keep: Callable[[Context, int, bytes], Awaitable[None]] | None = None,
        audit: Audit | None = None,
    ) -> None:
        self.app = app
        self.body_limit = body_limit
        self.timeout = timeout
        self.render = render
        self.keep = keep
        self.audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (or pass on what is none)."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        seen = Context(request_id=f"req-{uuid.uuid4()}", started=time.monotonic())
        seen.body_limit = self.body_limit
        scope.setdefault("state", {})["ecns"] = seen
        scope["path"] = _path(scope)
        scope["query_string"] = _query(scope)
        head = scope["method"] == "HEAD"
        if head:
            # A copy: the server beneath goes by its own, and knows by it that no body follows.
            scope = {**scope, "method": "GET"}
            receive, send = _without_body(send)
        status = 0
        pieces: list[bytes] = []

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status == HTTPStatus.FORBIDDEN and not seen.body_bytes:
                    await self._peek(scope, seen, receive)
                message["headers"] = [*message.get("headers", ()), *_ids(seen)]
            elif message["type"] == "http.response.body":
                if seen.idempotency and self.keep is not None:
                    pieces.append(message.get("body", b""))
                    if not message.get("more_body", False):
                        # Before it is sent: who has the answer may repeat the request at once.
                        await self.keep(seen, status, b"".join(pieces))
                if seen.incomplete and not message.get("more_body", False):
                    seen.over_now()
                    return
            await send(message)

        try:
            if (refusal := self._refusal(scope, seen)) is not None:
                await self._fail(refusal, seen, answer)
                return
            async with asyncio.timeout(self.timeout) as seen.deadline:
                await self.app(scope, self._bounded(seen, receive), answer)
        except (TimeoutError, asyncio.CancelledError) as error:
            if status == 0:
                await self._fail(_given_up(error), seen, answer)
        finally:
            seen.over()
            if seen.idempotency and self.keep is not None:
                await self.keep(seen, 0, b"")
            self._report(scope, seen, status, method="HEAD" if head else scope["method"])

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a WebSocket (an accepted one counts as status 101), or the lifespan.

        One that is refused is answered over HTTP, with the error's own status and the usual envelope.
        """
        if scope["type"] != "websocket":

            async def told(message: Message) -> None:
                # Before it is told: after that the server waits for nothing any more.
                if message["type"].startswith("lifespan.shutdown.") and self.audit is not None:
                    await asyncio.to_thread(self.audit.close)
                await send(message)

            await self.app(scope, receive, told)
            return
        seen = Context(f"req-{uuid.uuid4()}", time.monotonic())
        scope.setdefault("state", {})["ecns"] = seen
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if status and status != HTTPStatus.SWITCHING_PROTOCOLS:
                return
            if message["type"] == "websocket.accept":
                status = HTTPStatus.SWITCHING_PROTOCOLS
                message = {**message, "headers": [*message.get("headers", ()), *_ids(seen)]}
                if seen.deadline is not None:
                    seen.deadline.reschedule(None)
                self._record(scope, seen, status, method="GET", begun=True)
            elif message["type"] == "websocket.close" and not status:
                error = seen.failure or EcnsError(
                    "ECNS failed; the request id leads to the reason in its log"
                )
                status = error.status
                await self._fail(error, seen, send, over="websocket.http.response")
                return
            await send(message)

        try:
            async with asyncio.timeout(self.timeout) as seen.deadline:
                await self.app(scope, receive, answer)
        except TimeoutError:
            if not status:
                status = HTTPStatus.GATEWAY_TIMEOUT
                error = DeadlineError("ECNS did not finish this in time")
                await self._fail(error, seen, send, over="websocket.http.response")
        finally:
            seen.over()
            self._report(scope, seen, status, method="GET")

    def _refusal(self, scope: Scope, seen: Context) -> EcnsError | None:
        """Why a request is not even routed, by its headers."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        sent = headers.get(b"content-type", b"application/json").decode("latin-1")
        seen.body_type = sent.split(";")[0].strip().lower()
        seen.has_body = length not in {b"", b"0"} or b"transfer-encoding" in headers
        if not seen.has_body or scope["method"] not in BODY_METHODS:
            return None
        if seen.body_type not in BODY_TYPES:
            return UnsupportedMediaTypeError(f"content type {seen.body_type!r} is not taken; send {JSON}")
        if seen.body_type == MULTIPART:
            return None  # the guard knows whether the operation takes it, and who asks
        if length.isdigit() and int(length) > self.body_limit:
            return self._too_large()
        return None

    def _too_large(self) -> EcnsError:
        return PayloadTooLargeError(f"the body is over the limit of {self.body_limit} bytes")

    async def _peek(self, scope: Scope, seen: Context, receive: Receive) -> None:
        """Read the small body of a refused change, if it is here: the audit log names what was meant."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        if self.audit is None or b"expect" in headers or not length.isdigit() or int(length) > BODY_BYTES:
            return
        bounded = self._bounded(seen, receive)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PEEK_SECONDS):
                while seen.body_bytes < int(length) and (await bounded())["type"] == "http.request":
                    pass

    def _bounded(self, seen: Context, receive: Receive) -> Receive:
        """`receive` that raises when a body without a length grows over the limit."""

        async def bounded() -> Message:
            message = await receive()
            if message["type"] == "http.request" and (piece := message.get("body", b"")):
                seen.body_bytes += len(piece)
                if seen.body_limit is not None and seen.body_bytes > seen.body_limit:
                    raise self._too_large()
                if self.audit is not None and seen.body_bytes <= BODY_BYTES and seen.body_type == JSON:
                    seen.body.append(piece)
            return message

        return bounded

    async def _fail(self, error: EcnsError, seen: Context, send: Send, over: str = "http.response") -> None:
        body = self.render(error, seen.request_id)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *((name.lower().encode(), value.encode()) for name, value in error.headers.items()),
        ]
        if over != "http.response":
            headers += _ids(seen)
        await send({"type": f"{over}.start", "status": int(error.status), "headers": headers})
        await send({"type": f"{over}.body", "body": body, "more_body": False})

    def _report(self, scope: Scope, seen: Context, status: int, *, method: str) -> None:
        seconds = time.monotonic() - seen.started
        metrics.observe(seen.operation or "none", status, seconds)
        self._record(scope, seen, status, method=method)
        log.info(
            "request",
            request_id=seen.request_id,
            method=method,
            path=scope["path"],
            status=int(status),
            milliseconds=round(seconds * 1000, 1),
            operation=seen.operation,
            user=seen.caller.user_id if seen.caller else "",
            project=seen.caller.project_id if seen.caller else "",
            client=_address(scope),
        )

    def _record(self, scope: Scope, seen: Context, status: int, *, method: str, begun: bool = False) -> None:
        """Have a line of the audit log written, where one is wanted; of a session also when it has begun."""
        if self.audit is None or not self.audit.wants(seen.operation, method):
            return
        told = scope["state"].get(TOLD, {})
        self.audit.record(
            Event(
                request_id=seen.request_id,
                operation=seen.operation,
                product_type=seen.product_type,
                method=method,
                path=scope["path"],
                caller=seen.caller,
                address=_address(scope),
                cluster=told.get("cluster", seen.cluster),
                namespace=told.get("namespace", seen.namespace),
                name=seen.name,
                names=told.get("names", []),
                body=b"".join(seen.body) if seen.body_bytes <= BODY_BYTES else b"",
                status=told.get("status", int(status)),
                finished=time.time(),
                seconds=time.monotonic() - seen.started,
                begun=begun,
            )
        )


def _given_up(error: BaseException) -> EcnsError:
    """Why there is no answer: it took too long, or the server stops and has waited long enough for it."""
    if isinstance(error, TimeoutError):
        return DeadlineError("ECNS did not finish this in time")
    return UnavailableError("ECNS stops here; send it again")


def _ids(seen: Context) -> list[tuple[bytes, bytes]]:
    """The headers that name a request."""
    return [(name, seen.request_id.encode()) for name in (b"requestid", b"x-openstack-request-id")]


def _without_body(send: Send) -> tuple[Receive, Send]:
    """What a HEAD goes by: the headers are all that is sent; then it is as if the client had left."""
    told = asyncio.Event()

    async def headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            told.set()

    async def left() -> Message:
        await told.wait()
        return {"type": "http.disconnect"}

    return left, headers


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _path(scope: Scope) -> str:
    """The path, in which a slash that was sent as `%2F` is one of a name, and parts nothing."""
    raw: bytes = scope.get("raw_path") or b""
    path: str = scope["path"]
    if b"%2f" not in raw.lower():
        return path
    return "/".join(unquote(part).replace("/", "%2F") for part in raw.decode("latin-1").split("/"))


def _query(scope: Scope) -> bytes:
    """The query without what says nothing: pages with a form send parameters without a value, too.

    But for `dry_run`, which is refused: who sent it did not mean to change anything.
    """
    raw: bytes = scope.get("query_string") or b""
    pieces = [one for one in raw.split(b"&") if one]
    return b"&".join(one for one in pieces if one == b"dry_run=" or one.partition(b"=")[1:] != (b"=", b""))
