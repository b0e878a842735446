"""A way to a server that fails on demand: a reverse proxy, run in a thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar

import aiohttp
import msgspec
from aiohttp import web
from yarl import URL

if TYPE_CHECKING:
    import ssl
    from concurrent.futures import Future

Failure = Literal["403", "409", "429", "500", "503", "hang", "cut", "lost", "hold"]
"""An answer; none; the connection cut before or (`lost`) after it was done; `hold`: done, not answered."""


class RelayFault(msgspec.Struct, kw_only=True):
    """What goes wrong, and with which request.

    Args:
        failure: how.
        method: of the request.
        skip: so many such requests are let through before; then one fails.
        message: what an answer says.
    """

    failure: Failure
    method: str
    skip: int = 0
    message: str = "this was asked for"
    reached: threading.Event = msgspec.field(default_factory=threading.Event)
    """The request has met its failure."""


F = TypeVar("F", bound=RelayFault)


class Relay(Generic[F]):
    """The proxy; a context that runs it.

    Args:
        server: whose requests go through it.
        tls: for the way to it.
    """

    def __init__(self, server: str, tls: ssl.SSLContext | None = None) -> None:
        self.server = server
        self.faults: list[F] = []
        self.silent = False
        """Nothing is answered, to anybody."""
        self.url = ""
        self.tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open: list[web.Request] = []

    def matches(self, fault: F, request: web.Request, body: bytes) -> bool:
        """Whether a fault is about a request; its method is right already."""
        raise NotImplementedError

    def refusal(self, fault: F) -> web.Response:
        """The answer of a failure that is a status."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._start()).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop()).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def inject(self, fault: F) -> F:
        """Let one request fail."""
        self.faults.append(fault)
        return fault

    def silence(self) -> None:
        """Answer nothing from now on; streams that are open end."""
        self.silent = True
        self._loop.call_soon_threadsafe(self._cut_all)

    def cut(self) -> None:
        """Cut every connection that is open; new ones are served."""
        self._loop.call_soon_threadsafe(self._cut_all)

    def paths(self, end: str) -> list[str]:
        """The paths of open requests that end so."""
        return [one.path for one in list(self._open) if one.path.endswith(end)]

    def heal(self) -> None:
        """Be a good proxy again."""
        self.faults.clear()
        self.silent = False

    def _do(self, work: object) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)  # type: ignore[arg-type]  # coroutines all

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self.tls or True),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        application = web.Application(client_max_size=2**26)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(
            application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        self._cut_all()
        await self._runner.cleanup()
        await self._session.close()

    def _cut_all(self) -> None:
        for request in self._open:
            _cut(request)

    def _fault(self, request: web.Request, body: bytes) -> F | None:
        for fault in self.faults:
            if fault.method == request.method and self.matches(fault, request, body):
                if fault.skip:
                    fault.skip -= 1
                    continue
                self.faults.remove(fault)
                return fault
        return None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._open.append(request)
        try:
            body = await request.read()
            if self.silent:
                await asyncio.sleep(3600)
            fault = self._fault(request, body)
            if fault is None:
                upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
                return await (self._bridged(request) if upgrade else self._passed(request, body))
            if fault.failure in {"lost", "hold"}:
                await self._done(request, body)
            fault.reached.set()
            if fault.failure in {"hang", "hold"}:
                await asyncio.sleep(3600)
            if fault.failure.isdigit():
                return self.refusal(fault)
            _cut(request)
            return web.Response()
        finally:
            self._open.remove(request)

    def _onward(self, request: web.Request, body: bytes) -> aiohttp.client._RequestContextManager:
        own = {"host", "connection", "content-length"}
        headers = [(key, value) for key, value in request.headers.items() if key.lower() not in own]
        url = URL(self.server + request.raw_path, encoded=True)
        return self._session.request(request.method, url, data=body or None, headers=headers)

    async def _done(self, request: web.Request, body: bytes) -> None:
        async with self._onward(request, body) as upstream:
            await upstream.read()
            assert upstream.status < 300, await upstream.text()

    async def _passed(self, request: web.Request, body: bytes) -> web.StreamResponse:
        async with self._onward(request, body) as upstream:
            answer = web.StreamResponse(status=upstream.status)
            for key in ("Content-Type", "Retry-After", "x-openstack-request-id"):
                if key in upstream.headers:
                    answer.headers[key] = upstream.headers[key]
            if "watch" not in request.query and not request.path.endswith("/log"):
                whole = await upstream.read()
                return web.Response(body=whole, status=upstream.status, headers=answer.headers)
            await answer.prepare(request)
            async for piece in upstream.content.iter_any():
                await answer.write(piece)
            return answer

    async def _bridged(self, request: web.Request) -> web.StreamResponse:
        own = ("host", "connection", "upgrade", "sec-websocket")
        headers = [(key, value) for key, value in request.headers.items() if not key.lower().startswith(own)]
        offered = [each.strip() for each in request.headers["Sec-WebSocket-Protocol"].split(",")]
        url = URL(self.server + request.raw_path, encoded=True)
        async with self._session.ws_connect(url, headers=headers, protocols=offered) as upstream:
            answer = web.WebSocketResponse(protocols=[upstream.protocol or ""])
            await answer.prepare(request)

            async def carry(source: Any, target: Any) -> None:
                async for message in source:
                    await target.send_bytes(message.data)
                await target.close()

            ways = ((upstream, answer), (answer, upstream))
            both = [asyncio.create_task(carry(*each)) for each in ways]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            return answer


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
