"""The clients of the services, in front of a cloud that answers as a test says."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.backends.openstack.server import REQUEST_ID, always, answering

from ecns.backends.openstack import catalog, service, wire
from ecns.errors import (
    NotFoundError,
    NotSupportedError,
    UnauthorizedError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FLAVOR = {"id": "f", "name": "tiny", "vcpus": 1, "ram": 512, "disk": 1, "new": {"since": "later"}}


def numbered(key: str, following: Callable[[str, str], dict[str, Any]], pages: int = 3) -> Any:
    """Pages of one item each; `following` says what stands beside the items of each but the last."""

    async def handler(request: web.BaseRequest) -> web.Response:
        number = int(request.query.get("marker", "0"))
        item = {"id": str(number), "name": f"n{number}", "status": "ACTIVE"}
        item |= {"provisioning_status": "ACTIVE", "operating_status": "ONLINE"}
        item |= {"stack_name": "s", "stack_status": "CREATE_COMPLETE"}
        told = {key: [item]}
        if number < pages - 1:
            href = f"https://elsewhere.example{request.path}?limit=1&marker={number + 1}&kept=yes"
            told |= following(key, href)
        return web.json_response(told)

    return handler


@pytest.mark.parametrize(
    ("key", "following", "ask"),
    [
        (
            "servers",
            lambda key, href: {f"{key}_links": [{"rel": "self"}, {"rel": "next", "href": href}]},
            "servers",
        ),
        ("volume_types", lambda _, href: {"volume_type_links": [{"rel": "next", "href": href}]}, "types"),
        ("images", lambda _, href: {"next": href, "first": "/v2/images"}, "images"),
        ("stacks", lambda _, href: {"links": [{"rel": "next", "href": href}]}, "stacks"),
        ("loadbalancers", lambda key, href: {f"{key}_links": [{"rel": "next", "href": href}]}, "balancers"),
    ],
)
async def test_lists_are_followed_to_their_end(key: str, following: Any, ask: str) -> None:
    async with answering(numbered(key, following)) as cloud:
        asks: dict[str, Callable[[], Any]] = {
            "servers": lambda: cloud.client.nova.servers("t"),
            "types": lambda: cloud.client.cinder.types_of_volumes("t"),
            "images": lambda: cloud.client.glance.images("t"),
            "stacks": lambda: cloud.client.heat.stacks("t", tags="a&b"),
            "balancers": lambda: cloud.client.octavia.load_balancers("t", "p1"),
        }
        found = await asks[ask]()
        assert [item.id for item in found] == ["0", "1", "2"]
        first, second, _ = cloud.asked
        assert first.query["limit"] == str(service.PAGE)
        assert second.query["kept"] == "yes"  # as the service has said
        assert {request.host for request in cloud.asked} == {first.host}  # and not where it has said
        assert {request.headers["X-Auth-Token"] for request in cloud.asked} == {"t"}


async def test_a_list_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LIST_PAGES", 3)
    endless = numbered("images", lambda _, href: {"next": href}, pages=10**6)
    async with answering(endless) as cloud:
        with pytest.raises(UpstreamInvalidError, match="never ends"):
            await cloud.client.glance.images("t")


@pytest.mark.parametrize(
    "answer",
    [
        always(200, text="<html>Welcome"),
        always(200, {}),
        always(200, {"flavors": None}),
        always(200, {"flavors": [{"id": 7}]}),
        always(200, {"flavors": [FLAVOR], "flavors_links": 7}),
        always(204, text=""),
        always(302, text="", Location="http://127.0.0.1:1/"),
    ],
)
async def test_what_is_not_the_api_is_said_so(answer: Any) -> None:
    async with answering(answer) as cloud:
        with pytest.raises(UpstreamInvalidError) as raised:
            await cloud.client.nova.flavors("t")
    assert raised.value.details == {"upstream": "nova", "upstream_request_id": REQUEST_ID}


async def test_where_services_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(always(200, {"subnets": []}), region="two", interface="internal") as cloud:
        await asyncio.gather(*(cloud.client.neutron.subnets("t") for _ in range(5)))
        assert {request.path for request in cloud.asked} == {"/two-internal/network/v2.0/subnets"}
        assert await cloud.client.nova.installed("t")
    async with answering(always(200, {"volume_types": []})) as cloud:
        await cloud.client.cinder.types_of_volumes("t")
        assert cloud.asked[0].path == "/one-public/volume/v3/p1/types"  # an older name, a project in it
        monkeypatch.setattr(catalog, "SECONDS", 0)
    async with answering(always(200), region="three") as cloud:
        assert not await cloud.client.octavia.installed("t")
        with pytest.raises(NotSupportedError, match=r"no Octavia: .* load-balancer in region three"):
            await cloud.client.octavia.quota("t", "p")
        assert not cloud.asked


async def test_a_token_that_is_not_accepted_any_more() -> None:
    async with answering(always(401, {"error": {"message": "no"}})) as cloud:
        with pytest.raises(UnauthorizedError) as raised:
            await cloud.client.heat.stacks("secret-token")
    assert raised.value.headers == {"WWW-Authenticate": f'Keystone uri="{cloud.base}/v3"'}
    assert "secret-token" not in raised.value.message


async def test_names_are_never_paths() -> None:
    async with answering(always(404, {"error": {"message": "none", "type": "EntityNotFound"}})) as cloud:
        with pytest.raises(NotFoundError):
            await cloud.client.heat.stack("t", "../../../secret?x=#", "a/b")
        assert (
            cloud.asked[0].raw_path == "/one-public/heat/v1/p1/stacks/..%2F..%2F..%2Fsecret%3Fx%3D%23/a%2Fb"
        )


async def times(status: int, failing: int, **headers: str) -> tuple[Any, list[str]]:
    """A handler that fails so often, and the methods that it was asked with."""
    asked: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.method)
        if len(asked) > failing:
            return web.json_response({"images": [], "stack": {"id": "s"}})
        if status:
            return web.Response(status=status, headers=headers)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return handler, asked


async def test_what_is_safe_is_tried_again() -> None:
    for status, failing, headers in (
        (0, 1, {}),
        (503, 2, {"Retry-After": "1"}),
        (429, 1, {"Retry-After": "1"}),
    ):
        handler, asked = await times(status, failing, **headers)
        async with answering(handler) as cloud:
            assert await cloud.client.glance.images("t") == []
        assert asked == ["GET"] * (failing + 1)


async def test_what_makes_something_is_not() -> None:
    handler, asked = await times(0, 1)
    async with answering(handler) as cloud:
        with pytest.raises(UpstreamUnavailableError, match="whether it was done is not known"):
            await cloud.client.heat.create("t", "s", {"heat_template_version": "2021-04-16"})
    assert asked == ["POST"]


async def test_who_is_busy_for_long_is_not_waited_for() -> None:
    handler, asked = await times(503, 9, **{"Retry-After": "600"})
    async with answering(handler) as cloud:
        with pytest.raises(UpstreamUnavailableError) as raised:
            await cloud.client.glance.images("t")
    assert raised.value.headers["Retry-After"] == "600"
    assert len(asked) == 1


async def hanging(request: web.BaseRequest) -> web.StreamResponse:
    if "/compute/" in request.path:
        await asyncio.sleep(60)
    return web.json_response({"images": []})


async def test_a_service_that_hangs_holds_no_other_up() -> None:
    async with answering(hanging, timeout=0.3) as cloud:

        async def quickly() -> None:
            async with asyncio.timeout(0.2):
                await cloud.client.glance.images("t")

        await quickly()
        stuck = [asyncio.create_task(cloud.client.nova.servers("t")) for _ in range(3 * wire.CONNECTIONS)]
        await asyncio.sleep(0.05)
        await quickly()
        said = await asyncio.gather(*stuck, return_exceptions=True)
        assert {type(error) for error in said} == {UpstreamTimeoutError}
        assert "Nova did not answer within 0.3 s" in {str(error) for error in said}
        # Now it is known to be down, and who asks hears so at once.
        async with asyncio.timeout(0.1):
            with pytest.raises(UpstreamUnavailableError, match="Nova did not answer") as raised:
                await cloud.client.nova.servers("t")
        assert raised.value.details["upstream"] == "nova"
        await quickly()


async def test_what_heat_is_told() -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        bodies.append(json.loads(await request.read() or b"null"))
        return web.json_response({"stack": {"id": "s1"}, "resources": []})

    bodies: list[Any] = []
    async with answering(handler) as cloud:
        heat = cloud.client.heat
        assert await heat.create("t", "web", {"a": 1}, parameters={"n": 2}, tags="x,y") == "s1"
        await heat.update("t", "web", "s1", parameters={"n": 3})
        assert await heat.resources("t", "web", "s1", depth=2) == []
        await heat.delete("t", "web", "s1")
        base = "/one-public/heat/v1/p1/stacks"
        assert [(request.method, request.path_qs) for request in cloud.asked] == [
            ("POST", base),
            ("PATCH", f"{base}/web/s1"),
            ("GET", f"{base}/web/s1/resources?nested_depth=2"),
            ("DELETE", f"{base}/web/s1"),
        ]
    assert bodies[:2] == [
        {"stack_name": "web", "template": {"a": 1}, "parameters": {"n": 2}, "tags": "x,y"},
        {"parameters": {"n": 3}},
    ]
