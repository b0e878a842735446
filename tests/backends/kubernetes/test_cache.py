from __future__ import annotations

import asyncio
import itertools
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from ecns.backends.kubernetes.cache import Cache, Timing
from ecns.backends.kubernetes.errors import NotServedError
from ecns.backends.kubernetes.objects import owners
from ecns.errors import UpstreamError, UpstreamInvalidError, UpstreamTimeoutError, UpstreamUnavailableError
from tests.backends.kubernetes.server import (
    CONFIG,
    EXPIRED,
    THING,
    Thing,
    Watches,
    bookmark,
    connected,
    event,
    lines,
    recorded,
    reset,
    status,
    thing,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

QUICK = Timing(
    watch=60, silence=30, brief=0.2, pause=0.01, longest_pause=0.05, jitter=0.01, answer_failed=0.02
)


@asynccontextmanager
async def caching(
    directory: Path, api: Watches, timing: Timing = QUICK, kind: Any = THING, page_size: int = 500
) -> AsyncIterator[Cache[Thing]]:
    async with api.serving() as url, connected(directory, url) as client:
        cache: Cache[Thing] = Cache(
            client, kind, indexes={"owner": owners}, timing=timing, page_size=page_size
        )
        try:
            yield cache
        finally:
            await cache.close()


def names(cache: Cache[Any], namespace: str = "default") -> list[str]:
    return [obj.metadata.name for obj in cache.namespace(namespace)]


async def test_fills_in_pages_and_then_follows_the_watch(tmp_path: Path) -> None:
    api = Watches()
    api.page, api.version = 2, 50
    api.items = [thing(f"t{n}", n + 1, at=f"2026-11-23T10:00:0{n}Z") for n in range(5)]
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        assert api.lists == 3
        assert names(cache) == ["t4", "t3", "t2", "t1", "t0"]
        await api.tell(
            event("MODIFIED", thing("t2", 51, at="2026-11-23T10:00:02Z", replicas=7)),
            event("DELETED", thing("t4", 52)),
            event("ADDED", thing("new", 53, at="2026-11-23T11:00:00Z")),
        )
        await until(lambda: cache.resource_version == 53)
        assert names(cache) == ["new", "t3", "t2", "t1", "t0"]
        found = cache.get("t2", "default")
        assert found
        assert found.spec.replicas == 7
        assert (found.kind, found.api_version) == ("Deployment", "apps/v1")
        assert api.watched == [50]
        assert cache.age() < 1
        assert len(cache) == 5
        assert cache.namespace("elsewhere") == ()


async def test_what_a_real_server_sent(tmp_path: Path) -> None:
    exchanges = recorded("watch.jsonl")
    listed = exchanges["watch-basic/01"]["response"]["body"]
    events = exchanges["watch-basic/07"]["response"]["body"] + exchanges["watch-basic/17"]["response"]["body"]
    stream = b"".join(json.dumps(each).encode() + b"\n" for each in events)
    api = Watches()
    api.items, api.version = listed["items"], int(listed["metadata"]["resourceVersion"])
    async with caching(tmp_path, api, kind=CONFIG) as cache:
        await cache.ready()
        assert names(cache, "watch-basic") == ["kube-root-ca.crt"]
        # Cut anywhere, as TCP does.
        await api.tell(*lines(stream, itertools.cycle((1, 2, 700, 3, 50))))
        await until(lambda: cache.resource_version == 4219)
        assert sorted(names(cache, "watch-basic")) == ["b", "kube-root-ca.crt", "meanwhile"]
        assert len(api.watched) == 1
        await api.tell(None)
        await until(lambda: api.watched == [4181, 4219])


async def test_the_recorded_410_lists_again(tmp_path: Path) -> None:
    old = recorded("watch.jsonl")["watch-basic/19"]["response"]["body"][0]
    assert old["object"]["code"] == 410
    api = Watches()
    api.items, api.version = [thing("a", 5)], 5
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        api.items, api.version = [thing("b", 90)], 99
        await api.tell(json.dumps(old).encode() + b"\n")
        await until(lambda: cache.resource_version == 99)
        assert names(cache) == ["b"]
        await until(lambda: api.watched == [5, 99])


async def test_410_as_a_status_lists_again(tmp_path: Path) -> None:
    api = Watches()
    api.items, api.version = [thing("a", 5)], 5
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        api.items, api.version = [thing("a", 70)], 70
        api.refusals = [status(410, "Expired", "too old resource version: 5 (60)")]
        await api.tell(None)
        await until(lambda: cache.resource_version == 70)
        assert cache.lists == 2


async def test_an_expired_page_is_followed_by_one_list_of_everything(tmp_path: Path) -> None:
    expired = recorded("watch.jsonl")["list-expired/02"]["response"]
    api = Watches()
    api.page, api.version = 2, 9
    api.items = [thing(f"t{n}", n + 1) for n in range(4)]
    answered = api.kubernetes
    expire = [True]

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query.get("continue") and expire.pop():
            return web.json_response(expired["body"], status=expired["status"])
        return await answered(request)

    api.answer = answer
    async with caching(tmp_path, api, page_size=2) as cache:
        await cache.ready()
        assert len(cache) == 4
        assert [request.query.get("limit") for request in api.requests[:3]] == ["2", "2", None]


async def test_a_cut_stream_is_taken_up_where_it_was(tmp_path: Path) -> None:
    api = Watches()
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        await api.tell(event("ADDED", thing("a", 7)), event("ADDED", thing("half", 8))[:40], b"cut")
        await until(lambda: api.watched == [1, 7])
        await api.tell(event("ADDED", thing("half", 8)))
        await until(lambda: names(cache) == ["a", "half"])
        assert api.lists == 1


async def test_a_silent_stream_is_taken_up_where_it_was(tmp_path: Path) -> None:
    api = Watches()
    timing = Timing(silence=0.1, brief=0.01, pause=0.01, longest_pause=0.02)
    async with caching(tmp_path, api, timing) as cache:
        await cache.ready()
        await api.tell(bookmark(12))
        await until(lambda: len(api.watched) >= 2)
        assert api.watched[:2] == [1, 12]
        assert api.lists == 1


async def test_bookmarks_move_the_version_and_keep_the_stream_alive(tmp_path: Path) -> None:
    api = Watches()
    async with caching(tmp_path, api, Timing(silence=0.25, brief=0.01, pause=0.01)) as cache:
        await cache.ready()
        for version in range(10, 18):
            await api.tell(bookmark(version))
            await asyncio.sleep(0.05)
        assert cache.resource_version == 17
        assert api.watched == [1]


@pytest.mark.parametrize(
    "refusal",
    [
        status(500, "InternalError", "etcd is ill"),
        status(503, "ServiceUnavailable", "starting"),
        reset,
        web.Response(text="<html>load balancer</html>", content_type="text/html", status=502),
    ],
    ids=["500", "503", "reset", "502"],
)
async def test_a_refused_watch_is_tried_again_with_pauses(tmp_path: Path, refusal: Any) -> None:
    api = Watches()
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        await until(lambda: api.open)
        asked = len(api.requests)
        api.refusals = [refusal] * 4
        began = time.monotonic()
        await api.tell(None)
        await until(lambda: len(api.watched) == 2)
        assert time.monotonic() - began >= 0.04
        assert len(api.requests) == asked + 5
        assert api.lists == 1


async def test_retry_after_is_obeyed(tmp_path: Path) -> None:
    api = Watches()
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        await until(lambda: api.open)
        api.refusals = [status(429, "TooManyRequests", "busy", headers={"Retry-After": "1"})]
        began = time.monotonic()
        await api.tell(None)
        await until(lambda: len(api.watched) == 2)
        assert time.monotonic() - began >= 0.9


async def test_readers_hear_at_once_why_there_is_no_list(tmp_path: Path) -> None:
    api = Watches()
    api.refusals = [
        status(403, "Forbidden", 'deployments.apps is forbidden: User "ecns" cannot list resource')
    ]
    timing = Timing(pause=30, longest_pause=30, answer_failed=0.2)
    async with caching(tmp_path, api, timing) as cache:
        for _ in range(2):
            with pytest.raises(UpstreamError, match="ECNS's own credentials lack the right"):
                await cache.ready()
        assert len(api.requests) == 1
        # Who comes later does not wait for the end of the pause.
        await asyncio.sleep(0.2)
        await cache.ready()
        assert cache.resource_version == 1


async def test_a_kind_that_is_not_served_until_somebody_installs_it(tmp_path: Path) -> None:
    api = Watches()
    missing = status(404, "NotFound", "the server could not find the requested resource")
    api.refusals = [missing]
    async with caching(tmp_path, api, Timing(pause=30, longest_pause=30, answer_failed=30)) as cache:
        with pytest.raises(NotServedError, match="cluster east"):
            await cache.ready()
        api.items, api.version = [thing("a", 5)], 5
        await cache.ready()
        assert names(cache) == ["a"]


async def test_a_kind_that_is_taken_away(tmp_path: Path) -> None:
    api = Watches()
    api.items, api.version = [thing("a", 5)], 5
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        await until(lambda: api.open)
        missing = status(404, "NotFound", "the server could not find the requested resource")
        api.refusals = [missing] * 1000
        await api.tell(None)
        await until(lambda: not len(cache))
        with pytest.raises(NotServedError):
            await cache.ready()
        api.refusals.clear()
        await cache.ready()
        assert names(cache) == ["a"]


async def test_a_list_that_hangs(tmp_path: Path) -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    api = Watches()
    api.refusals = [hang]
    async with caching(tmp_path, api) as cache:
        with pytest.raises(
            UpstreamTimeoutError, match=r"cluster east did not list its deployments in 0\.05 s"
        ):
            await cache.ready(within=0.05)


async def test_one_bad_object_stops_nothing(tmp_path: Path) -> None:
    api = Watches()
    bad = thing("bad", 3) | {"spec": {"replicas": "many"}}
    api.items, api.version = [thing("a", 2), bad, thing("c", 4)], 5
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        assert names(cache) == ["a", "c"]
        await api.tell(
            event("MODIFIED", thing("c", 6) | {"spec": {"replicas": []}}),
            event("ADDED", {"nothing": "sensible"}),
            event("ADDED", thing("d", 7)),
        )
        await until(lambda: cache.resource_version == 7)
        assert names(cache) == ["a", "d"]
        assert api.watched == [5]


async def test_nonsense_on_the_stream_is_followed_by_a_list_in_the_end(tmp_path: Path) -> None:
    api = Watches()
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        for count in (1, 2, 3):
            await until(lambda count=count: len(api.watched) == count and api.open)
            await api.tell(b"<html>\n")
        await until(lambda: api.lists == 2)
        await api.tell(event("ADDED", thing("a", 5)))
        await until(lambda: names(cache) == ["a"])


async def test_events_of_more_than_a_megabyte(tmp_path: Path) -> None:
    api = Watches()
    big = thing("big", 9)
    big["metadata"]["annotations"] = {"much": "x" * 3_000_000}
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        began = time.process_time()
        await api.tell(*lines(event("ADDED", big), itertools.repeat(4096)))
        await until(lambda: names(cache) == ["big"])
        assert time.process_time() - began < 1


async def test_a_server_put_back_to_an_older_state(tmp_path: Path) -> None:
    api = Watches()
    api.items, api.version = [thing("a", 900)], 900
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        api.items, api.version = [thing("a", 20, replicas=3)], 30
        await api.tell(EXPIRED)
        await until(lambda: cache.resource_version == 30)
        found = cache.get("a", "default")
        assert found
        assert found.spec.replicas == 3


async def test_watches_that_never_say_anything_are_distrusted(tmp_path: Path) -> None:
    # A server that was put back serves a watch from its future, and is silent for ever.
    api = Watches()
    api.version = 900
    async with caching(tmp_path, api, Timing(brief=0.01, pause=0.01)) as cache:
        await cache.ready()
        api.items, api.version = [thing("a", 20)], 30
        for count in (1, 2, 3):
            await until(lambda count=count: len(api.watched) == count and api.open)
            await asyncio.sleep(0.02)
            await api.tell(None)
        await until(lambda: cache.resource_version == 30)
        assert names(cache) == ["a"]


async def test_a_write_is_read_at_once_and_not_undone_by_older_news(tmp_path: Path) -> None:
    api = Watches()
    api.items, api.version = [thing("a", 5)], 5
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        cache.fold(thing("a", 9, replicas=4))
        await api.tell(event("MODIFIED", thing("a", 7, replicas=2)), bookmark(8))
        await until(lambda: cache.resource_version == 8)
        found = cache.get("a", "default")
        assert found
        assert found.spec.replicas == 4
        assert await cache.at_least(9)  # ours
        assert not await cache.at_least(10, within=0.01)  # somebody else's
        # Nor by a list that began before the write.
        api.version = 8
        await api.tell(EXPIRED)
        await until(lambda: api.lists == 2)
        found = cache.get("a", "default")
        assert found
        assert found.spec.replicas == 4


async def test_what_is_deleted_stays_deleted(tmp_path: Path) -> None:
    api = Watches()
    api.items, api.version = [thing("a", 5)], 5
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        gone = cache.get("a", "default")
        assert gone
        cache.fold(gone, deleted=True)
        assert cache.get("a", "default") is None
        await api.tell(event("MODIFIED", thing("a", 6)), event("DELETED", thing("a", 7)))
        await until(lambda: cache.resource_version == 7)
        assert cache.get("a", "default") is None
        cache.fold(thing("a", 6))  # a slow answer to an earlier write
        assert cache.get("a", "default") is None
        await api.tell(
            event("ADDED", thing("a", 8, uid="another")), event("DELETED", thing("a", 7)), bookmark(9)
        )
        await until(lambda: cache.resource_version == 9)
        assert names(cache) == ["a"]


async def test_waiting_for_another_replicas_write(tmp_path: Path) -> None:
    api = Watches()
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        waiting = asyncio.create_task(cache.at_least(6, within=5))
        await api.tell(event("ADDED", thing("a", 6)))
        assert await waiting
        assert cache.get("a", "default")


async def test_reading_through(tmp_path: Path) -> None:
    api = Watches()
    api.items, api.version = [thing("a", 5), thing("b", 4)], 5
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        await until(lambda: api.open)
        api.refusals = [
            web.json_response(thing("a", 8, replicas=5)),
            status(404, "NotFound", "gone", name="b"),
        ]
        fresh = await cache.refresh("a", "default")
        assert fresh
        assert fresh.spec.replicas == 5
        assert await cache.refresh("b", "default") is None
        assert names(cache) == ["a"]
        api.items, api.version = [thing("c", 11)], 12
        await cache.reload("default")
        assert names(cache) == ["c"]
        assert await cache.at_least(12, namespace="default")
        assert not await cache.at_least(12, namespace="elsewhere", within=0.01)


async def test_reading_through_all_namespaces(tmp_path: Path) -> None:
    api = Watches()
    api.items, api.version = [thing("a", 5), thing("b", 4)], 5
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        await until(lambda: api.open)
        elsewhere = thing("a", 11)
        elsewhere["metadata"]["namespace"] = "elsewhere"
        elsewhere["metadata"]["uid"] = "another"
        api.items, api.version = [thing("b", 4), elsewhere], 12
        await cache.reload("")
        assert names(cache) == ["b"]
        assert names(cache, "elsewhere") == ["a"]
        assert await cache.at_least(12, namespace="default")
        assert await cache.at_least(12, namespace="elsewhere")


async def test_many_who_read_through_share_the_answers(tmp_path: Path) -> None:
    api = Watches()
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        await until(lambda: api.open)
        first = asyncio.create_task(cache.reload("default"))
        await until(lambda: len(api.requests) == 3)
        api.items, api.version = [thing("a", 5)], 5  # after the first was asked
        await asyncio.gather(first, *(cache.reload("default") for _ in range(50)))
        assert names(cache) == ["a"]
        assert api.lists == 3
        api.refusals = [status(500, "InternalError", "ill")]
        with pytest.raises(UpstreamError, match="ill"):
            await cache.reload("default")
        await cache.reload("default")


async def test_by_owner(tmp_path: Path) -> None:
    api = Watches()
    owned = thing("a", 5)
    owned["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "X", "name": "o", "uid": "owner-1"}]
    api.items, api.version = [owned, thing("b", 4)], 5
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        assert [obj.metadata.name for obj in cache.index("owner", "owner-1")] == ["a"]
        cache.add_index("replicas", lambda obj: [obj.spec.replicas])
        assert len(cache.index("replicas", 1)) == 2
        await api.tell(event("MODIFIED", thing("a", 6, replicas=2)))
        await until(lambda: cache.resource_version == 6)
        assert not cache.index("owner", "owner-1")
        assert [obj.metadata.name for obj in cache.index("replicas", 2)] == ["a"]


async def test_following_changes(tmp_path: Path) -> None:
    api = Watches()
    async with caching(tmp_path, api) as cache:
        await cache.ready()
        with cache.subscribe() as changes:
            await api.tell(event("ADDED", thing("a", 6)), event("DELETED", thing("a", 7)))
            first, second = await anext(changes), await anext(changes)
            assert (first.type, first.resource_version, second.type) == ("ADDED", 6, "DELETED")
            with cache.subscribe(since=6) as later:
                assert await anext(later) == second
            api.items, api.version = [thing("z", 90)], 90
            await api.tell(EXPIRED)
            assert (await anext(changes)).type == "LOST"
            with cache.subscribe(since=6) as later:
                assert (await anext(later)).type == "LOST"
        changes = cache.subscribe()
        await cache.close()
        assert [change async for change in changes] == []


async def test_closing_lets_waiting_readers_go(tmp_path: Path) -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    api = Watches()
    api.refusals = [hang]
    async with caching(tmp_path, api) as cache:
        waiting = asyncio.create_task(cache.ready())
        await until(lambda: api.requests)
        await cache.close()
        with pytest.raises(UpstreamUnavailableError, match="no longer watched"):
            await waiting


async def test_a_list_without_a_version_is_nonsense(tmp_path: Path) -> None:
    api = Watches()
    api.refusals = [web.json_response({"items": []})]
    async with caching(tmp_path, api) as cache:
        with pytest.raises(UpstreamInvalidError, match="without a resourceVersion"):
            await cache.ready()


async def test_a_hundred_readers_list_once(tmp_path: Path) -> None:
    api = Watches()
    async with caching(tmp_path, api) as cache:
        await asyncio.gather(*(cache.ready() for _ in range(100)))
        assert api.lists == 1
