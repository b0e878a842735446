"""A way to Kubernetes that fails on demand: a reverse proxy before the API server, run in a thread."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import ssl
import threading
from typing import TYPE_CHECKING, Literal, Self

import aiohttp
import msgspec
import yaml
from aiohttp import web
from yarl import URL

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

Failure = Literal["403", "409", "429", "500", "503", "hang", "cut", "lost", "hold"]
"""An answer; none; the connection cut before or (`lost`) after it was done; `hold`: done, not answered."""
REASONS = {
    "403": "Forbidden",
    "409": "Conflict",
    "429": "TooManyRequests",
    "500": "InternalError",
    "503": "ServiceUnavailable",
}
_NAMED = re.compile(r"/namespaces/(?P<space>[^/]+)/(?P<plural>[a-z]+)(/(?P<name>[^/]+))?")


class Fault(msgspec.Struct, kw_only=True):
    """What goes wrong, and with which request.

    Args:
        failure: how.
        method: of the request.
        plural: of the objects.
        name: how the object's name begins.
        space: the object's namespace; any if empty.
        dry: a trial, or no trial.
        skip: so many such requests are let through before; then one fails.
        message: what an answer says.
    """

    failure: Failure
    method: str
    plural: str
    name: str = ""
    space: str = ""
    dry: bool = False
    skip: int = 0
    message: str = "this was asked for"
    reached: threading.Event = msgspec.field(default_factory=threading.Event)
    """The request has met its failure."""


class Proxy:
    """The proxy; a context that runs it.

    Args:
        kubeconfig: the real API server's.
    """

    def __init__(self, kubeconfig: Path) -> None:
        found = yaml.safe_load(kubeconfig.read_text())
        cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
        self.server: str = cluster["server"]
        authority = cluster["certificate-authority-data"]
        self.token: str = user["token"]
        self.faults: list[Fault] = []
        self.silent = False
        """Nothing is answered, to anybody."""
        self.url = ""
        self.tls = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open: list[web.Request] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._start()).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop()).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def kubeconfig(self) -> str:
        """A kubeconfig that leads here."""
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "faulty",
                "clusters": [{"name": "faulty", "cluster": {"server": self.url}}],
                "users": [{"name": "faulty", "user": {"token": self.token}}],
                "contexts": [{"name": "faulty", "context": {"cluster": "faulty", "user": "faulty"}}],
            }
        )

    def inject(self, fault: Fault) -> Fault:
        """Let one request fail."""
        self.faults.append(fault)
        return fault

    def silence(self) -> None:
        """Answer nothing from now on; streams that are open end."""
        self.silent = True
        self._loop.call_soon_threadsafe(self._cut_all)

    def heal(self) -> None:
        """Be a good proxy again."""
        self.faults.clear()
        self.silent = False

    def _do(self, work: object) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)  # type: ignore[arg-type]  # coroutines all

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self.tls),
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

    def _fault(self, request: web.Request, body: bytes) -> Fault | None:
        found = _NAMED.search(request.path)
        if found is None:
            return None
        name = found["name"]
        if name is None and body:
            name = json.loads(body)["metadata"]["name"]
        for fault in self.faults:
            asked = (fault.method, fault.plural, fault.dry)
            if asked == (request.method, found["plural"], "dryRun" in request.query):
                if not (name or "").startswith(fault.name) or fault.space not in {"", found["space"]}:
                    continue
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
                return await self._passed(request, body)
            if fault.failure in {"lost", "hold"}:
                await self._done(request, body)
            fault.reached.set()
            if fault.failure in {"hang", "hold"}:
                await asyncio.sleep(3600)
            if fault.failure in REASONS:
                return _refusal(fault.failure, fault.message)
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
            for key in ("Content-Type", "Retry-After"):
                if key in upstream.headers:
                    answer.headers[key] = upstream.headers[key]
            if "watch" not in request.query:
                whole = await upstream.read()
                return web.Response(body=whole, status=upstream.status, headers=answer.headers)
            await answer.prepare(request)
            async for piece in upstream.content.iter_any():
                await answer.write(piece)
            return answer


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _refusal(code: str, message: str) -> web.Response:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": REASONS[code],
        "code": int(code),
    }
    headers = {"Retry-After": "3"} if code == "429" else {}
    return web.json_response(status, status=int(code), headers=headers)
