"""The HTTP server: who asks, what for, and the answer."""

from __future__ import annotations

import logging
import re
import secrets
import sqlite3
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote

from aiohttp import web

from ecns.embedded.harbor import api, csrf
from ecns.embedded.harbor.answers import TEXT, Answer, problem
from ecns.embedded.harbor.errors import ProblemError, bad_request, unknown
from ecns.embedded.harbor.registry import dispatch, faults, gate, paths, service
from ecns.embedded.harbor.requests import Call, query_of

if TYPE_CHECKING:
    import socket

    from ecns.embedded.harbor.answers import Part
    from ecns.embedded.harbor.callers import Caller
    from ecns.embedded.harbor.harbor import Harbor

_log = logging.getLogger(__name__)
_wire_log = logging.getLogger(f"{__name__}.wire")
_wire_log.setLevel(logging.CRITICAL)  # what is no HTTP is the client's fault, and answered
PIECE = 1 << 18
"""Bytes of a blob that are sent at a time."""
_REQUEST_ID = "X-Request-Id"
_PLAIN = re.compile(r"[\x21-\x7e]{1,128}")
"""A request id that we take from the client."""
_OUTSIDE = ("/v2", "/api", "/service")


class Server:
    """Serves a Harbor.

    Args:
        harbor: what is served.
        key: signs cookies.
    """

    def __init__(self, harbor: Harbor, key: bytes) -> None:
        self._harbor = harbor
        self._guard = csrf.Guard(key)
        self._runner: web.ServerRunner | None = None

    async def start(self, sock: socket.socket) -> None:
        """Serve on a socket."""
        server = web.Server(self._handle, access_log=None, auto_decompress=False, logger=_wire_log)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.SockSite(self._runner, sock).start()

    async def stop(self) -> None:
        """End connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._respond(request)
        except ConnectionError:  # the client left, or what it was sent is not whole: nothing more to say
            if request.transport is not None:
                request.transport.abort()
            return web.Response()

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # nothing of the answer itself is sent yet
        given = request.headers.get(_REQUEST_ID, "")
        headers = [(_REQUEST_ID, given if _PLAIN.fullmatch(given) else str(uuid.uuid4()))]
        try:
            answer = await self._answered(request, headers)
        except ProblemError as error:
            answer = problem(error)
        except ConnectionError:
            raise
        except (OSError, sqlite3.OperationalError) as error:
            answer = self._of_disk(request, error)
        except Exception:  # noqa: BLE001  whatever went wrong, the client is answered
            _log.exception("%s %s failed", request.method, request.path)
            answer = problem(unknown())
        return await self._sent(request, answer, headers)

    @staticmethod
    def _of_disk(request: web.BaseRequest, error: OSError | sqlite3.OperationalError) -> Answer:
        found = faults.of_full_disk(error)
        if found is None:
            _log.exception("%s %s failed", request.method, request.path)
        return problem(found or unknown())

    async def _answered(self, request: web.BaseRequest, headers: list[tuple[str, str]]) -> Answer:
        """The answer; more headers of it are added to those."""
        raw, _, raw_query = request.raw_path.partition("?")
        raw = re.sub("/{2,}", "/", raw) if raw.startswith("/api/") else raw
        query = query_of(raw_query)
        path = unquote(raw, errors="replace")
        target = paths.parse(path)
        if target is not None and target.repository and "/" not in target.repository:
            raise bad_request(f"bad request: invalid repository name: {target.repository}")
        cookies = csrf.cookies_of(request.headers.get("Cookie", ""))
        call = Call(self._harbor, request, request.method, path, raw, query, self._harbor.accounts.nobody)
        if target is not None and call.method == "POST":
            gate.mounted_from(call, target)
        carried = csrf.SESSION in cookies
        refusal = None
        if carried or not path.startswith(tuple(f"{prefix}/" for prefix in _OUTSIDE)):
            sent = request.headers.get(csrf.HEADER, "")
            added, refusal = self._guard.headers(request.method, cookies, sent)
            headers += added
        if not carried:
            headers.append(("Set-Cookie", f"{csrf.SESSION}={secrets.token_hex(16)}; Path=/; HttpOnly"))
        if refusal is not None:
            raise refusal
        call.caller = await self._caller(request, path)
        if path == "/v2" or path.startswith("/v2/"):
            return await dispatch(call, target)
        if path == "/service/token":
            return service.token(call)
        if path == "/api/version":
            return Answer(HTTPStatus.OK, b'{"version":"v2.0"}\n', TEXT)
        if path == api.PREFIX or path.startswith(f"{api.PREFIX}/"):
            return await api.dispatch(call, raw)
        return Answer(HTTPStatus.NOT_FOUND, _PAGE, "text/html; charset=utf-8")

    async def _caller(self, request: web.BaseRequest, path: str) -> Caller:
        header = request.headers.get("Authorization", "")
        scheme = header.partition(" ")[0].lower()
        if scheme == "bearer" and path.startswith("/v2/"):
            return service.bearer(self._harbor, header) or self._harbor.accounts.nobody
        return await self._harbor.accounts.login(header)

    async def _sent(
        self, request: web.BaseRequest, answer: Answer, more: list[tuple[str, str]]
    ) -> web.StreamResponse:
        response: web.StreamResponse
        if answer.part is None:
            response = web.Response(status=answer.status, body=answer.body)
        else:
            response = web.StreamResponse(status=answer.status)
            response.content_length = answer.part.size
        for name, value in (*answer.headers.items(), *more):
            response.headers.add(name, value)
        if answer.content_type:
            response.headers["Content-Type"] = answer.content_type
        if answer.part is not None:
            await response.prepare(request)
            if request.method != "HEAD":
                await self._stream(response, answer.part)
            await response.write_eof()
        return response

    @staticmethod
    async def _stream(response: web.StreamResponse, part: Part) -> None:
        with part.path.open("rb", buffering=0) as file:
            file.seek(part.first)
            left = part.size
            while left:
                piece = file.read(min(PIECE, left))
                if not piece:
                    raise ConnectionAbortedError("the blob is shorter than it was")
                left -= len(piece)
                await response.write(piece)


_PAGE = b"<!DOCTYPE html>\n<title>404 - Page Not Found</title>\n<p>404 Page Not Found</p>\n"
