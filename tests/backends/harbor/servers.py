"""Harbors for the client's tests: one that answers what a real one was recorded to answer, and one that tests
make misbehave.

`ECNS_SHARED/oracle/README-harbor.md` says what the recordings are.
"""

from __future__ import annotations

import base64
import functools
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import pytest
from aiohttp import web

from ecns.backends.harbor.client import Harbor
from ecns.backends.harbor.registry import Registry
from ecns.config import Harbor as Settings
from tests.conftest import SHARED

if TYPE_CHECKING:
    from pathlib import Path

ORACLE = SHARED / "oracle"
NEUTRAL = {"page", "page_size", "sort", "with_detail", "with_tag"}
"""Parameters that say how much is told, and not of what."""
FILES = ("harbor.jsonl", "harbor-registry.jsonl")
PASSWORD = "Right1-password"
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


@functools.cache
def exchanges() -> dict[str, dict[str, Any]]:
    """By id, what was recorded."""
    if not all((ORACLE / name).is_file() for name in FILES):
        pytest.skip(f"no recordings at {ORACLE}: set ECNS_SHARED")
    lines = [line for name in FILES for line in (ORACLE / name).read_text().split("\n") if line]
    return {exchange["id"]: exchange for exchange in map(json.loads, lines)}


class Recorded:
    """Answers one exchange after another, and wants each request to be the recorded one."""

    def __init__(self) -> None:
        self.url = ""
        self.expected: deque[dict[str, Any]] = deque()
        self.problems: list[str] = []

    def expect(self, *ids: str) -> None:
        """The exchanges that come next."""
        self.expected += [exchanges()[one] for one in ids]

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        sent = f"{request.method} {request.raw_path}"
        if not self.expected:
            self.problems.append(f"{sent}: nothing was expected any more")
            return web.Response(status=599)
        exchange = self.expected.popleft()
        wanted = exchange["request"]
        path, _, query = request.raw_path.partition("?")
        same = (request.method, unquote(path)) == (wanted["method"], unquote(wanted["path"]))
        same = same and _asked(parse_qsl(query)) == _asked(_query(wanted["query"]))
        if not path.startswith(
            "/v2/"
        ):  # there the client begins without an account, to be told what is wanted
            same = same and ("Authorization" in request.headers) == (wanted["auth"] != "none")
        agent = wanted["headers"].get("user-agent")
        same = same and agent in {None, request.headers["User-Agent"]}
        same = same and "Cookie" not in request.headers
        body = await request.read()
        if isinstance(wanted["body"], dict) and "base64" not in wanted["body"]:
            same = same and json.loads(body) == wanted["body"]
        if not same:
            self.problems.append(f"{exchange['id']}: sent {sent} {body[:200]!r}, recorded {wanted}")
        return self._answer(exchange["response"])

    def _answer(self, recorded: dict[str, Any]) -> web.Response:
        headers = {
            key: value.replace("http://harbor.test", self.url) for key, value in recorded["headers"].items()
        }
        headers.pop("content-length", None)
        body = recorded["body"]
        if isinstance(body, dict) and set(body) == {"base64"}:
            content = base64.b64decode(body["base64"])
        elif body is None:
            content = b""
        elif isinstance(body, str):
            content = body.encode()
        else:
            content = json.dumps(body).replace("http://harbor.test", self.url).encode()
        return web.Response(status=recorded["status"], headers=headers, body=content)


def _asked(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted((key, "" if key == "_state" else value) for key, value in pairs if key not in NEUTRAL)


def _query(recorded: Any) -> list[tuple[str, str]]:
    if isinstance(recorded, str):
        return sorted(parse_qsl(recorded))
    pairs = []
    for key, value in recorded.items():
        pairs += [(key, str(one)) for one in (value if isinstance(value, list) else [value])]
    return sorted(pairs)


@asynccontextmanager
async def serving(handle: Handle) -> AsyncIterator[str]:
    """A server on loopback; its address."""
    server = web.Server(handle)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client(
    url: str, tmp_path: Path, *, username: str = "admin", password: str = PASSWORD, **settings: Any
) -> AsyncIterator[Harbor]:
    """A client of a Harbor."""
    file = tmp_path / "password"
    file.write_text(f"{password}\n")
    harbor = Harbor(Settings(url=url, username=username, password_file=file, **settings))
    try:
        yield harbor
    finally:
        await harbor.close()


@asynccontextmanager
async def registry(url: str, tmp_path: Path, **settings: Any) -> AsyncIterator[Registry]:
    """A client of a registry."""
    async with client(url, tmp_path, **settings) as harbor:
        yield Registry(harbor.transport)
