from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from ecns.backends.kubernetes.client import Bearer, Client, Impersonation, Patch
from ecns.backends.kubernetes.credentials import Credentials
from ecns.backends.kubernetes.errors import ExpiredError
from ecns.errors import (
    BadRequestError,
    ConflictError,
    EcnsError,
    ForbiddenError,
    NotFoundError,
    TooManyRequestsError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from tests.backends.kubernetes.server import (
    CONFIG,
    THING,
    Api,
    Thing,
    connected,
    kubeconfig,
    listing,
    recorded,
    reset,
    status,
    thing,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    served = Api()
    async with served.serving():
        yield served


@pytest.fixture
async def client(api: Api, tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(tmp_path, api.url, seconds=3) as made:
        yield made


async def test_reads_an_object_in_its_struct_or_whole(api: Api, client: Client) -> None:
    api.say(
        web.json_response(
            {"apiVersion": "apps/v1", "kind": "Deployment", **thing("a", 3), "status": {"x": 1}}
        )
    )
    found = await client.get(THING, "a", "default")
    assert isinstance(found, Thing)
    assert found.spec.replicas == 1
    whole = await client.get(THING.whole, "a", "default", subresource="status")
    assert whole["status"] == {"x": 1}
    assert [request.path for request in api.requests] == [
        "/apis/apps/v1/namespaces/default/deployments/a",
        "/apis/apps/v1/namespaces/default/deployments/a/status",
    ]


async def test_lists_all_pages_as_a_real_server_sends_them(api: Api, client: Client) -> None:
    exchanges = recorded("watch.jsonl")
    pages = [
        exchange["response"]["body"]
        for key, exchange in exchanges.items()
        if key.startswith("list-paging") and exchange["request"]["query"].get("limit") == "2"
    ][:3]
    assert pages[0]["metadata"]["continue"]
    api.say(*(web.json_response(page) for page in pages))
    found = await client.list(CONFIG.whole, "list-paging", labels="a=b,c in (d)", page_size=2)
    assert len(found.items) == sum(len(page["items"]) for page in pages)
    assert found.items[0]["kind"] == "ConfigMap"
    assert found.items[0]["apiVersion"] == "v1"
    assert found.resource_version == pages[0]["metadata"]["resourceVersion"]
    assert api.requests[0].query["labelSelector"] == "a=b,c in (d)"
    assert api.requests[1].query["continue"] == pages[0]["metadata"]["continue"]


async def test_pages_that_expire_are_read_again_at_once(api: Api, client: Client) -> None:
    expired = status(410, "Expired", "The provided continue parameter is too old")
    api.say(
        listing(thing("a", 1), version=2, token="x"),
        expired,
        listing(thing("a", 1), thing("b", 2), version=3),
    )
    found = await client.list(THING)
    assert [item.metadata.name for item in found.items] == ["a", "b"]
    assert "limit" not in api.requests[2].query
    api.say(expired)
    with pytest.raises(ExpiredError):
        await client.list(THING)


async def test_an_item_that_makes_no_sense_is_left_out(api: Api, client: Client) -> None:
    api.say(listing(thing("a", 1), {"metadata": []}, version=2))
    assert [item.metadata.name for item in (await client.list(THING)).items] == ["a"]
    api.say(web.json_response({"metadata": {}, "items": None}))
    assert (await client.list(THING)).items == []


async def test_writes_say_who_and_how(api: Api, client: Client) -> None:
    api.say(web.json_response(thing("a", 3), status=201))
    actor = Impersonation(
        "ecns:user:Jos\u00e9", ("ecns:project:1:member", "system:authenticated"), (("Some/Key", "v"),)
    )
    await client.create(THING, thing("a", 0), dry_run=True, actor=actor)
    request, body = api.requests[0], json.loads(api.bodies[0])
    assert (request.method, request.path) == ("POST", "/apis/apps/v1/namespaces/default/deployments")
    assert dict(request.query) == {"fieldManager": "ecns", "fieldValidation": "Strict", "dryRun": "All"}
    assert (body["apiVersion"], body["kind"]) == ("apps/v1", "Deployment")
    assert request.headers["Impersonate-User"] == "ecns:user:Jos\u00e9"
    assert request.headers.getall("Impersonate-Group") == ["ecns:project:1:member", "system:authenticated"]
    assert request.headers["Impersonate-Extra-Some%2FKey"] == "v"
    await client.create(THING, Thing())
    assert json.loads(api.bodies[1]) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {},
        "spec": {},
    } or json.loads(api.bodies[1]) == {"apiVersion": "apps/v1", "kind": "Deployment"}
    await client.replace(THING, thing("a", 3))
    assert (api.requests[2].method, api.requests[2].path.rsplit("/", 1)[1]) == ("PUT", "a")


@pytest.mark.parametrize(
    ("patch", "content_type", "body"),
    [
        (
            Patch.json([{"op": "remove", "path": "/a"}]),
            "application/json-patch+json",
            [{"op": "remove", "path": "/a"}],
        ),
        (Patch.merge({"a": None}), "application/merge-patch+json", {"a": None}),
        (Patch.strategic({"a": 1}), "application/strategic-merge-patch+json", {"a": 1}),
        (Patch.apply({"a": 1}, force=True), "application/apply-patch+yaml", {"a": 1}),
    ],
)
async def test_patches(api: Api, client: Client, patch: Patch, content_type: str, body: object) -> None:
    api.say(web.json_response(thing("a", 3)))
    changed = await client.patch(THING, "a", "default", patch, subresource="scale")
    assert changed.metadata.resource_version == "3"
    request = api.requests[0]
    assert (request.method, request.content_type) == ("PATCH", content_type)
    assert json.loads(api.bodies[0]) == body
    assert request.query.get("force") == ("true" if patch.force else None)
    assert request.query["fieldManager"] == "ecns"


async def test_deleting(api: Api, client: Client) -> None:
    gone = {"kind": "Status", "status": "Success", "details": {"name": "a", "uid": "u"}}
    api.say(web.json_response(gone))
    assert await client.delete(THING, "a", "default") is None
    assert api.bodies[0] == b""
    going = thing("a", 9)
    going["metadata"]["deletionTimestamp"] = "2026-11-23T10:00:00Z"
    api.say(web.json_response({"kind": "Deployment", **going}))
    left = await client.delete(
        THING,
        "a",
        "default",
        propagation="Foreground",
        grace_seconds=0,
        uid="u",
        resource_version="8",
        dry_run=True,
    )
    assert left
    assert left.metadata.deletion_timestamp
    assert json.loads(api.bodies[1]) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Foreground",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u", "resourceVersion": "8"},
        "dryRun": ["All"],
    }
    api.say(
        web.json_response({"kind": "Service", **thing("a", 9)})
    )  # a Service is gone and sent all the same
    assert await client.delete(THING, "a", "default") is None
    api.say(web.json_response(gone))
    await client.delete_collection(THING, "default", labels="a=b", propagation="Background")
    assert api.requests[-1].path.endswith("/deployments")
    assert api.requests[-1].query["labelSelector"] == "a=b"


@pytest.mark.parametrize("name", ["", ".", "..", "x" * 254])
async def test_names_that_would_be_another_path(api: Api, client: Client, name: str) -> None:
    with pytest.raises(BadRequestError):
        await client.delete(THING, name, "default")
    with pytest.raises(BadRequestError):
        await client.get(THING, "a", name or "..")
    assert not api.requests


async def test_names_are_one_segment_whatever_is_in_them(api: Api, client: Client) -> None:
    api.say(status(404, "NotFound", "no", name="x"))
    with pytest.raises(NotFoundError):
        await client.get(THING, "..?x=1#y ä", "default")
    assert api.requests[0].rel_url.raw_path == (
        "/apis/apps/v1/namespaces/default/deployments/..%3Fx%3D1%23y%20%C3%A4"
    )
    for name in ("../../secrets/s", "a/status", "a%2Fstatus"):
        with pytest.raises(BadRequestError):
            await client.get(THING, name, "default")
    assert len(api.requests) == 1


async def test_header_injection_is_refused(api: Api, client: Client) -> None:
    with pytest.raises(BadRequestError):
        await client.get(THING, "a", "default", actor=Impersonation("x\r\nImpersonate-Group: system:masters"))
    assert not api.requests


async def test_a_read_is_tried_again_when_the_connection_breaks(api: Api, client: Client) -> None:
    api.say(reset, web.json_response(thing("a", 3)))
    assert (await client.get(THING, "a", "default")).metadata.name == "a"


async def test_a_write_is_not(api: Api, client: Client) -> None:
    api.say(reset, web.json_response(thing("a", 3)))
    with pytest.raises(UpstreamUnavailableError, match="whether it was done is not known"):
        await client.create(THING, thing("a", 0))
    assert len(api.requests) == 1


async def test_a_write_that_surely_did_not_arrive_is(
    api: Api, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.say(web.json_response(thing("a", 3)))
    connect, failures = aiohttp.TCPConnector.connect, [OSError(111, "refused")]

    async def refused(self: Any, request: Any, **options: Any) -> Any:
        if failures:
            raise aiohttp.ClientConnectorError(request.connection_key, failures.pop())
        return await connect(self, request, **options)

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", refused)
    await client.create(THING, thing("a", 0))
    assert len(api.requests) == 1


async def test_busy_servers_are_asked_again_when_they_say(api: Api, client: Client) -> None:
    busy = status(429, "TooManyRequests", "too many", headers={"Retry-After": "1"})
    api.say(busy, web.json_response(thing("a", 3)))
    began = time.monotonic()
    await client.get(THING, "a", "default")
    assert time.monotonic() - began >= 0.9
    api.say(busy)
    with pytest.raises(TooManyRequestsError):
        await client.create(THING, thing("a", 0))
    api.say(status(429, "TooManyRequests", "too many", headers={"Retry-After": "60"}))
    with pytest.raises(TooManyRequestsError) as caught:
        await client.get(THING, "a", "default")
    assert caught.value.headers["Retry-After"] == "60"


async def test_time_is_limited(api: Api, tmp_path: Path) -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    api.say(hang)
    async with connected(tmp_path, api.url, seconds=0.05) as client:
        with pytest.raises(UpstreamTimeoutError, match="cluster east did not answer in time"):
            await client.get(THING, "a", "default")


async def test_few_at_a_time(api: Api, tmp_path: Path) -> None:
    at_once = most = 0

    async def count(_: web.Request) -> web.StreamResponse:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return web.json_response(thing("a", 1))

    api.say(count)
    credentials = Credentials("east", kubeconfig(tmp_path / "k", api.url))
    client = Client("east", credentials, concurrency=3)
    await asyncio.gather(*(client.get(THING, "a", "default") for _ in range(12)))
    await client.close()
    assert most == 3


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(text="<html>hello</html>"),
        web.json_response([1]),
        web.Response(body=b'\xff"'),
        web.Response(status=302, headers={"Location": "http://other/"}),
    ],
    ids=["html", "list", "bytes", "redirect"],
)
async def test_nonsense(api: Api, client: Client, answer: web.Response) -> None:
    api.say(answer)
    with pytest.raises(UpstreamInvalidError, match="cluster east"):
        await client.get(THING, "a", "default")
    assert len(api.requests) == 1


async def test_what_is_no_http(tmp_path: Path) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with (
        server,
        connected(tmp_path, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client,
    ):
        with pytest.raises(UpstreamError, match="cluster east"):
            await client.get(THING, "a", "default")


async def test_a_cluster_that_is_down_is_said_to_be_at_once(tmp_path: Path) -> None:
    api = Api()
    api.say(web.json_response(thing("a", 1)))
    async with api.serving() as url:
        port = int(url.rsplit(":", 1)[1])
    async with connected(tmp_path, url) as client:
        for _ in range(2):
            with pytest.raises(UpstreamUnavailableError, match="cluster east cannot be reached"):
                await client.get(THING, "a", "default")
        assert not client.breaker.state.up
        async with api.serving(port=port):
            with pytest.raises(UpstreamUnavailableError) as caught:
                await client.get(THING, "a", "default")
            assert caught.value.headers["Retry-After"]
            assert not api.requests
            client.breaker._next_try = time.monotonic()  # a moment later
            results = await asyncio.gather(
                *(client.get(THING, "a", "default") for _ in range(5)), return_exceptions=True
            )
            assert all(isinstance(result, Thing) for result in results), "what comes together tries together"
            assert client.breaker.state.up
            await client.get(THING, "a", "default")


async def test_streams(api: Api, client: Client) -> None:
    async def talk(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\n")
        await asyncio.sleep(0.01)
        await response.write(b"two\n")
        if "cut" in request.query:
            assert request.transport
            request.transport.abort()
        if "silent" in request.query:
            await asyncio.sleep(60)
        return response

    api.say(talk)
    async with client.stream("GET", "/logs") as stream:
        assert b"".join([piece async for piece in stream]) == b"one\ntwo\n"
    with pytest.raises(UpstreamUnavailableError, match="connection broke"):
        async with client.stream("GET", "/logs", query=[("cut", "1")]) as stream:
            assert [piece async for piece in stream]
    with pytest.raises(UpstreamTimeoutError):
        async with client.stream("GET", "/logs", query=[("silent", "1")], silence=0.05) as stream:
            assert [piece async for piece in stream]
    api.say(status(400, "BadRequest", "container is waiting to start"))
    with pytest.raises(BadRequestError, match="waiting to start"):
        async with client.stream("GET", "/logs"):
            pass


async def test_a_callers_own_token_goes_alone(api: Api, tmp_path: Path) -> None:
    own = {"token": "ecns-own", "as": "somebody"}
    async with connected(tmp_path, api.url, user=own) as client:
        api.say(web.json_response(thing("a", 3), status=201))
        await client.create(THING, thing("a", 0), actor=Bearer("callers"))
        sent = api.requests[0].headers
        assert sent.getall("Authorization") == ["Bearer callers"]
        assert not [name for name in sent if name.startswith("Impersonate")]
        api.say(status(401, "Unauthorized", "Unauthorized"))
        with pytest.raises(ForbiddenError, match="does not accept the token of this request"):
            await client.create(THING, thing("a", 0), actor=Bearer("callers"))
        assert len(api.requests) == 2
        assert "callers" not in repr(Bearer("callers"))
        api.say(web.json_response(thing("a", 3)))
        await client.get(THING, "a", "default")
        assert api.requests[2].headers["Authorization"] == "Bearer ecns-own"


async def test_websockets(api: Api, client: Client) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data)
        return socket

    api.say(echo)
    actor = Impersonation("u", ("g",))
    async with client.websocket("/exec", query=[("command", "ls"), ("command", "-l")], actor=actor) as socket:
        assert socket.protocol == "v4.channel.k8s.io"
        await socket.send_bytes(b"\x00hi")
        assert (await socket.receive()).data == b"\x00hi"
    assert api.requests[0].query.getall("command") == ["ls", "-l"]
    assert api.requests[0].headers["Impersonate-User"] == "u"
    api.say(status(404, "NotFound", 'pods "x" not found', name="x"))
    with pytest.raises(NotFoundError, match='pods "x" not found'):
        async with client.websocket("/exec"):
            pass
    api.say(web.Response(status=500, text='container not found ("c")'))
    with pytest.raises(UpstreamError, match="container not found"):
        async with client.websocket("/exec"):
            pass


async def test_a_cancelled_call_frees_its_place(api: Api, tmp_path: Path) -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    api.say(hang, web.json_response(thing("a", 1)))
    client = Client("east", Credentials("east", kubeconfig(tmp_path / "k", api.url)), concurrency=1)
    call = asyncio.create_task(client.get(THING, "a", "default"))
    await until(lambda: api.requests)
    call.cancel()
    assert (await client.get(THING, "a", "default")).metadata.name == "a"
    await client.close()


async def test_conflicts(api: Api, client: Client) -> None:
    api.say(status(409, "Conflict", "the object has been modified", name="a"))
    with pytest.raises(ConflictError) as caught:
        await client.patch(THING, "a", "default", Patch.merge({}))
    assert isinstance(caught.value, EcnsError)
    assert caught.value.details["reason"] == "Conflict"


async def test_pages_of_what_may_be_large_grow_while_it_is_not(api: Api, client: Client) -> None:
    small, large = thing("a", 1), {**thing("b", 2), "spec": {"x": "y" * 1_100_000}}
    kind = msgspec.structs.replace(THING, page_size=50)
    api.say(
        listing(small, version=3, token="x"),
        listing(small, version=3, token="x"),
        listing(large, version=3, token="x"),
        listing(small, version=3),
    )
    await client.list(kind)
    assert [request.query["limit"] for request in api.requests] == ["50", "100", "200", "50"]
    api.say(*(listing(small, version=3, token="x") for _ in range(5)), listing(small, version=3))
    await client.list(kind)
    assert [request.query["limit"] for request in api.requests[4:]] == [
        "50",
        "100",
        "200",
        "400",
        "500",
        "500",
    ]
