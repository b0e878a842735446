from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from ecns.backends.openstack import keystone as module
from ecns.backends.openstack.keystone import Keystone
from ecns.config import ConfigError
from ecns.errors import (
    EcnsError,
    ForbiddenError,
    NotFoundError,
    UnauthorizedError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

REQUEST_ID = "req-11111111-2222-3333-4444-555555555555"
TOKEN = {
    "token": {
        "methods": ["password"],
        "user": {"id": "u1", "name": "ann", "domain": {"id": "default", "name": "Default"}},
        "project": {"id": "p1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
        "roles": [{"id": "r1", "name": "member"}],
        "expires_at": "2030-01-02T03:04:05.000000Z",
        "issued_at": "2030-01-02T02:04:05.000000Z",
        "audit_ids": ["x"],
        "is_domain": False,
    }
}


@contextlib.asynccontextmanager
async def answering(handler: Any, **options: Any) -> AsyncIterator[Keystone]:
    """A client of a server that answers everything with `handler`."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.01)
    await runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, sock).start()
    client = Keystone(f"http://127.0.0.1:{sock.getsockname()[1]}/identity", **options)
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


def always(status: int, body: Any = None, *, text: str | None = None, **headers: str) -> Any:
    async def handler(_: web.BaseRequest) -> web.Response:
        sent = {"x-openstack-request-id": REQUEST_ID, **headers}
        if text is not None:
            return web.Response(status=status, text=text, headers=sent)
        return web.json_response(body, status=status, headers=sent)

    return handler


async def test_what_is_asked_and_what_is_understood() -> None:
    asked: list[web.BaseRequest] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        asked.append(request)
        return web.json_response(TOKEN)

    async with answering(handler) as keystone:
        token = await keystone.validate("abc")
    assert (token.user.name, token.project and token.project.id) == ("ann", "p1")
    assert [role.name for role in token.roles] == ["member"]
    assert token.expires_at.isoformat() == "2030-01-02T03:04:05+00:00"
    (request,) = asked
    assert request.path_qs == "/identity/v3/auth/tokens?nocatalog"
    assert request.headers["X-Auth-Token"] == request.headers["X-Subject-Token"] == "abc"


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (always(401, {"error": {"message": "no", "code": 401}}), UnauthorizedError),
        (always(404, {"error": {"message": "Could not find token", "code": 404}}), UnauthorizedError),
        (always(403, {"error": {"message": "not allowed", "code": 403}}), ForbiddenError),
        (always(500, text="Internal Server Error"), UpstreamUnavailableError),
        (always(502, text="<html>Bad Gateway"), UpstreamUnavailableError),
        (always(503, text="starting"), UpstreamUnavailableError),
        (always(504, text="slow"), UpstreamTimeoutError),
        (always(429, {"error": {"message": "slow down"}}), UpstreamUnavailableError),
        (always(200, text="<html>Welcome to nginx"), UpstreamInvalidError),
        (always(200, text=""), UpstreamInvalidError),
        (always(200, {"token": {"user": "ann"}}), UpstreamInvalidError),
        (always(200, {"token": None}), UpstreamInvalidError),
        (always(200, {}), UpstreamInvalidError),
        (always(204, text=""), UpstreamInvalidError),
        (always(302, text="", Location="http://127.0.0.1:1/"), UpstreamInvalidError),
        (always(400, {"error": {"message": "bad"}}), UpstreamInvalidError),
        (always(418, text="teapot"), UpstreamInvalidError),
    ],
)
async def test_each_answer_is_an_error_of_its_kind(handler: Any, error: type[EcnsError]) -> None:
    async with answering(handler) as keystone:
        with pytest.raises(error) as raised:
            await keystone.validate("secret-token")
    assert "secret-token" not in raised.value.message
    if issubclass(error, UpstreamUnavailableError | UpstreamInvalidError | UpstreamTimeoutError):
        assert raised.value.details == {"upstream": "keystone", "upstream_request_id": REQUEST_ID}
        assert "Keystone" in raised.value.message


async def test_when_to_come_back_is_passed_on() -> None:
    handler = always(503, text="", **{"Retry-After": "17"})
    async with answering(handler) as keystone:
        with pytest.raises(UpstreamUnavailableError) as raised:
            await keystone.validate("t")
    assert raised.value.headers == {"Retry-After": "17"}


async def test_a_refusal_says_where_tokens_are_made() -> None:
    async with answering(always(401)) as keystone:
        with pytest.raises(UnauthorizedError) as raised:
            await keystone.validate("t")
        assert raised.value.headers == {"WWW-Authenticate": f'Keystone uri="{keystone.auth_url}"'}
        assert keystone.auth_url.endswith("/identity/v3")


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    keystone = Keystone(f"http://127.0.0.1:{port}/v3")
    with pytest.raises(UpstreamUnavailableError, match="cannot be reached"):
        await keystone.ping()
    await keystone.close()


async def test_a_name_that_is_not_there() -> None:
    keystone = Keystone("http://keystone.invalid/v3")
    with pytest.raises(UpstreamUnavailableError):
        await keystone.ping()
    await keystone.close()


async def test_it_is_slow() -> None:
    async def handler(_: web.BaseRequest) -> web.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async with answering(handler, timeout=0.05) as keystone:
        with pytest.raises(UpstreamTimeoutError, match=r"within 0\.05 s"):
            await keystone.validate("t")


async def test_a_body_that_does_not_end_is_slow() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"token": ')
        await asyncio.sleep(60)
        return response

    async with answering(handler, timeout=0.05) as keystone:
        with pytest.raises(UpstreamTimeoutError):
            await keystone.validate("t")


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", UpstreamUnavailableError),
        (b"SSH-2.0-OpenSSH\r\n", UpstreamInvalidError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{", UpstreamUnavailableError),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\njunk", UpstreamInvalidError),
    ],
)
async def test_what_is_not_http(sent: bytes, error: type[EcnsError]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    keystone = Keystone(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v3")
    async with server:
        with pytest.raises(error):
            await keystone.validate("t")
        await keystone.close()


async def test_plain_http_where_tls_is_wanted() -> None:
    async with answering(always(200, TOKEN)) as plain:
        keystone = Keystone(plain.auth_url.replace("http:", "https:"))
        with pytest.raises(UpstreamUnavailableError):
            await keystone.validate("t")
        await keystone.close()


def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    for text in (None, "nonsense"):
        if text:
            file.write_text(text)
        with pytest.raises(ConfigError, match=r"identity\.ca_file: "):
            Keystone("https://127.0.0.1:1/v3", ca_file=file)


async def test_lists_are_followed_page_by_page() -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        marker = request.query.get("marker", "")
        number = int(marker or 0)
        assert request.query.get("limit", "2") == "2"
        projects = [{"id": str(n), "name": f"p{n}", "domain_id": "d"} for n in (number + 1, number + 2)]
        following = (
            f"http://elsewhere.invalid/v3/projects?limit=2&marker={number + 2}" if number < 6 else None
        )
        return web.json_response({"projects": projects, "links": {"next": following, "self": ""}})

    async with answering(handler) as keystone:
        assert [project.id for project in await keystone.projects("t")] == [str(n) for n in range(1, 9)]


async def test_a_list_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIST_PAGES", 5)
    page = {"users": [{"id": "u", "name": "u", "domain_id": "d"}], "links": {"next": "?marker=u"}}
    async with answering(always(200, page)) as keystone:
        with pytest.raises(UpstreamInvalidError, match="never ends"):
            await keystone.users("t")


@pytest.mark.parametrize("page", [{}, {"projects": None}, {"projects": [{"id": 1}]}, [], {"domains": []}])
async def test_lists_of_something_else(page: Any) -> None:
    async with answering(always(200, page)) as keystone:
        with pytest.raises(UpstreamInvalidError):
            await keystone.projects("t")


async def test_catalog_and_projects_of_a_token() -> None:
    endpoint = {"id": "e", "interface": "public", "region": None, "region_id": None, "url": "http://nova"}
    catalog = [{"id": "s", "type": "compute", "name": "nova", "endpoints": [endpoint]}, {"type": "bare"}]
    async with answering(always(200, {"catalog": catalog, "links": {}})) as keystone:
        compute, bare = await keystone.catalog("t")
        assert (compute.type, compute.endpoints[0].url, bare.endpoints) == ("compute", "http://nova", ())
    projects = {"projects": [{"id": "p", "name": "demo", "domain_id": None, "description": None}]}
    async with answering(always(200, projects)) as keystone:
        assert [project.name for project in await keystone.own_projects("t")] == ["demo"]


@pytest.mark.parametrize("identity", ["", "..", "a/b", "a?b", "a b", "x" * 65, "ä"])
async def test_an_id_is_never_a_path(identity: str) -> None:
    async def handler(_: web.BaseRequest) -> web.Response:
        raise AssertionError("it was asked")

    async with answering(handler) as keystone:
        with pytest.raises(NotFoundError):
            await keystone.project("t", identity)
