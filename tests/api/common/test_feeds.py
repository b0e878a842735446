"""Feeds over caches that change as told: what is told, to whom, and from where on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterator
from typing import Any

import msgspec
import pytest

from ecns.api.common import feeds
from ecns.api.common.feeds import Feed, Filter, Item, versions, watch
from ecns.api.common.streams import Ended, encode
from ecns.backends.kubernetes.cache import Subscription
from ecns.backends.kubernetes.changes import Change, Changes
from ecns.backends.kubernetes.kinds.meta import ObjectMeta, Resource
from ecns.backends.kubernetes.kinds.pods import POD_ROW

WAIT = 5
SCOPE = "scope"


class FakeCache:
    """As much of a watch cache as feeds use."""

    def __init__(self) -> None:
        self.kind = POD_ROW
        self.resource_version = 1
        self.changes: Changes[Resource] = Changes()
        self.objects: dict[str, Resource] = {}
        self.changes.lost(1)

    def subscribe(self, since: int | None = None) -> Subscription[Resource]:
        return self.changes.subscribe(since, self.resource_version)

    def put(self, name: str, version: int, *, quiet: bool = False, **labels: str) -> None:
        metadata = ObjectMeta(name=name, namespace="ns", labels=labels, resource_version=str(version))
        new = name not in self.objects
        self.objects[name] = Resource(metadata=metadata)
        self.resource_version = version
        if not quiet:
            self.changes.tell(Change("ADDED" if new else "MODIFIED", self.objects[name], version))

    def drop(self, name: str, version: int, *, quiet: bool = False) -> None:
        gone = self.objects.pop(name)
        self.resource_version = version
        if not quiet:
            self.changes.tell(Change("DELETED", gone, version))


class FakeSource:
    """Items that show their labels, and those of an object of the same name in a second cache."""

    namespace = "ns"
    own = 1

    def __init__(self) -> None:
        self.items, self.around = FakeCache(), FakeCache()
        self.caches: Any = (self.items, self.around)
        self.made = 0

    def keys(self) -> list[Hashable]:
        return list(self.items.objects)

    def find(self, key: Hashable) -> Resource | None:
        return self.items.objects.get(str(key))

    def item(self, obj: Resource) -> Item:
        self.made += 1
        name, labels = obj.metadata.name, obj.metadata.labels or {}
        beside = self.around.objects.get(name)
        shown = {"name": name, **labels, "around": (beside.metadata.labels or {}) if beside else {}}
        return Item("Thing", obj.metadata, labels.get("status", ""), encode(shown))

    def touched(self, index: int, obj: Resource) -> list[Hashable]:
        del index
        return [obj.metadata.name]


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture(autouse=True)
def interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "INTERVAL", 0.005)


@pytest.fixture
async def feed(source: FakeSource) -> AsyncIterator[Feed]:
    source.items.put("a", 2, quiet=True)
    source.items.put("b", 3, quiet=True)
    made = Feed(source, SCOPE)
    await made.ready
    yield made
    made.close(Ended("stopping", "over"))


class Told:
    """The events that one listener was told, as `name thing`."""

    def __init__(self, feed: Feed, wanted: Filter | None = None, last_id: str = "") -> None:
        self._pieces = watch(feed, wanted or Filter(), last_id)
        self._events: list[tuple[str, Any, str]] = []
        self.last_id = last_id

    async def next(self) -> tuple[str, Any]:
        while not self._events:
            async with asyncio.timeout(WAIT):
                self._events += parsed(await anext(self._pieces))
        name, data, id_ = self._events.pop(0)
        self.last_id = id_ or self.last_id
        return name, data

    async def until(self, *names: str) -> list[str]:
        told = []
        while not told or told[-1].split()[0] not in names:
            name, data = await self.next()
            told.append(f"{name} {data.get('name', '')}".strip())
        return told

    async def few(self, count: int) -> list[str]:
        return [f"{name} {data.get('name', '')}" for name, data in [await self.next() for _ in range(count)]]


def parsed(piece: bytes) -> Iterator[tuple[str, Any, str]]:
    for block in piece.decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        yield fields["event"], msgspec.json.decode(fields["data"]), fields.get("id", "")


async def test_the_present_items_come_first(feed: Feed) -> None:
    told = Told(feed)
    assert await told.until("synced") == ["added a", "added b", "synced"]
    assert told.last_id == feed.id


async def test_what_happens_is_told_in_order(feed: Feed, source: FakeSource) -> None:
    told = Told(feed)
    await told.until("synced")
    source.items.put("c", 4)
    assert await told.few(1) == ["added c"]
    source.items.put("c", 5, tier="front")
    assert await told.next() == ("changed", {"name": "c", "tier": "front", "around": {}})
    source.around.put("a", 9, size="2")
    assert await told.next() == ("changed", {"name": "a", "around": {"size": "2"}})
    source.items.drop("a", 6)
    assert await told.next() == ("removed", {"name": "a", "around": {"size": "2"}})


async def test_a_change_that_nobody_can_see_is_not_told(feed: Feed, source: FakeSource) -> None:
    told = Told(feed)
    await told.until("synced")
    source.items.put("a", 4)
    source.items.put("b", 5, tier="front")
    assert await told.few(1) == ["changed b"]


async def test_many_changes_of_an_item_at_once_are_one(feed: Feed, source: FakeSource) -> None:
    told = Told(feed)
    await told.until("synced")
    before = source.made
    for version in range(10, 60):
        source.items.put("a", version, tier=str(version))
    assert await told.next() == ("changed", {"name": "a", "tier": "59", "around": {}})
    assert source.made == before + 1


async def test_listeners_share_what_is_encoded(feed: Feed, source: FakeSource) -> None:
    several = [Told(feed) for _ in range(20)]
    for told in several:
        await told.until("synced")
    before = source.made
    source.items.put("a", 9, tier="x")
    assert [await told.few(1) for told in several] == [["changed a"]] * 20
    assert source.made == before + 1


async def test_filters_apply_to_what_changes(feed: Feed, source: FakeSource) -> None:
    told = Told(feed, Filter(name="a", tests=(lambda item: item.status == "up",)))
    assert await told.until("synced") == ["synced"]
    source.items.put("a", 10, status="up")
    source.items.put("b", 11, status="up")
    assert await told.few(1) == ["added a"]
    source.items.put("a", 12, status="up", tier="x")
    assert await told.few(1) == ["changed a"]
    source.items.put("a", 13, status="down")
    assert await told.few(1) == ["removed a"]
    source.items.put("a", 14, status="up")
    assert await told.few(1) == ["added a"]
    kinds = Told(feed, Filter(kind="Other"))
    assert await kinds.until("synced") == ["synced"]


async def test_who_comes_back_is_told_what_was_missed(feed: Feed, source: FakeSource) -> None:
    first = Told(feed)
    await first.until("synced")
    source.items.put("a", 10, tier="x")
    await first.few(1)
    await first._pieces.aclose()
    witness = Told(feed)
    await witness.until("synced")
    source.items.put("c", 11)
    source.items.put("d", 12)
    await witness.few(2)
    source.around.put("a", 30, size="2")
    source.items.drop("b", 13)
    source.items.drop("d", 14)
    await witness.few(3)
    again = Told(feed, last_id=first.last_id)
    assert sorted(await again.until("synced")) == ["added c", "changed a", "removed b", "synced"]
    assert again.last_id == witness.last_id
    source.around.drop("a", 31)
    source.around.put("b", 32)
    await witness.few(1)
    assert await Told(feed, last_id=again.last_id).until("synced") == ["changed a", "synced"]
    await feed.reached({"pods": 15}, within=0.02)
    nothing = Told(feed, last_id=feed.id)
    assert await nothing.until("synced") == ["synced"]
    source.items.put("a", 33, tier="y")
    assert await nothing.few(1) == ["changed a"]


async def test_an_id_within_a_round_loses_nothing(feed: Feed, source: FakeSource) -> None:
    told = Told(feed)
    await told.until("synced")
    source.items.put("a", 10, tier="x")
    source.items.put("b", 11, tier="x")
    assert await told.few(1) == ["changed a"]
    again = Told(feed, last_id=told.last_id)
    assert "changed b" in await again.until("synced")


async def test_a_filter_that_no_longer_holds_removes_what_was_missed(feed: Feed, source: FakeSource) -> None:
    source.items.put("a", 10, status="up")
    wanted = Filter(name="a", tests=(lambda item: item.status == "up",))
    first = Told(feed, wanted)
    assert await first.until("added") == ["synced", "added a"]
    witness = Told(feed)
    await witness.until("synced")
    source.items.put("a", 11, status="down")
    source.items.put("b", 12, status="down")
    await witness.few(2)
    again = Told(feed, wanted, last_id=first.last_id)
    assert await again.until("synced") == ["removed a", "synced"]


@pytest.mark.parametrize(
    "last_id", ["nonsense", "other-1-1", "scope-1", "scope-1-z", "scope-0-0", "scope-99999-1"]
)
async def test_an_id_that_says_nothing_begins_anew(feed: Feed, last_id: str) -> None:
    assert await Told(feed, last_id=last_id).until("synced") == ["reset", "added a", "added b", "synced"]


async def test_a_new_feed_begins_where_the_caches_still_know(source: FakeSource) -> None:
    source.items.put("a", 2)
    source.items.put("b", 3)
    source.items.drop("a", 4)
    source.items.put("c", 5)
    feed = Feed(source, SCOPE, (3, 1))
    await feed.ready
    told = await Told(feed, last_id="scope-3-1").until("synced")
    assert sorted(told) == ["added c", "removed a", "synced"]
    feed.close(Ended("stopping", "over"))


async def test_whoever_wrote_finds_what_they_wrote(feed: Feed, source: FakeSource) -> None:
    source.items.put("c", 9)
    source.around.put("elsewhere", 9)
    await feed.reached({"pods": 9}, within=WAIT)
    assert await Told(feed).until("synced") == ["added a", "added b", "added c", "synced"]
    await feed.reached({"pods": 10}, within=0.01)


async def test_changes_of_others_advance_the_id(feed: Feed, source: FakeSource) -> None:
    told = Told(feed)
    await told.until("synced")
    source.namespace = "other"
    source.items.put("a", 20, tier="x")
    await feed.reached({"pods": 20}, within=0.05)
    assert versions(feed.id, SCOPE, 2) == (20, 1)
    assert source.made == 2


async def test_a_cache_that_lists_again_tells_the_difference(feed: Feed, source: FakeSource) -> None:
    told = Told(feed)
    await told.until("synced")
    before = told.last_id
    source.items.drop("a", 50, quiet=True)
    source.items.put("c", 51, quiet=True)
    source.items.changes.lost(51)
    assert sorted(await told.few(2)) == ["added c", "removed a"]
    assert (await Told(feed, last_id=before).until("synced"))[0] == "reset"


async def test_a_cluster_that_was_put_back_is_followed_from_there(feed: Feed, source: FakeSource) -> None:
    source.items.put("a", 500, tier="x")
    told = Told(feed)
    await told.until("synced")
    await feed.reached({"pods": 500}, within=0.05)
    source.items.put("a", 100, quiet=True, tier="old")
    source.items.changes.lost(100)
    assert (await told.until("changed"))[-1] == "changed a"
    source.items.put("a", 101, tier="new")
    assert await told.few(1) == ["changed a"]
    assert versions(told.last_id, SCOPE, 2) == (101, 1)
    assert await Told(feed, last_id=told.last_id).until("synced") == ["synced"]


async def test_a_feed_that_was_too_slow_reads_again(feed: Feed, source: FakeSource) -> None:
    told = Told(feed)
    await told.until("synced")
    for version in range(10, 3000):
        source.items.put("a", version, tier=str(version))
    source.items.drop("b", 3001)
    assert sorted(await told.few(2)) == ["changed a", "removed b"]
    source.items.put("a", 3002, tier="after")
    assert (await told.next())[1]["tier"] == "after"


async def test_a_slow_listener_is_cut_and_told_so(
    feed: Feed, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "QUEUE", 3)
    witness = Told(feed)
    await witness.until("synced")
    with feed.listen(Filter()) as listener:
        for version in range(10, 15):
            source.items.put("a", version, tier=str(version))
            await witness.few(1)
        assert listener not in feed.listeners
        with pytest.raises(Ended) as cut:
            await listener.next()
    assert cut.value.reason == "slow"


async def test_a_fault_ends_the_feed_for_all(
    feed: Feed, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(feed)
    await told.until("synced")
    monkeypatch.setattr(source, "item", lambda _: 1 / 0)
    source.items.put("a", 10)
    with pytest.raises(Ended) as end:
        await told.next()
    assert (end.value.reason, end.value.code) == ("failed", 500)
    assert feed.over is end.value


async def test_a_feed_without_listeners_ends(source: FakeSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "LINGER", 0.02)
    forgotten = asyncio.Event()
    feed = Feed(source, SCOPE, None, forgotten.set)
    with feed.listen(Filter()):
        await asyncio.sleep(0.06)
        assert not feed.over
    async with asyncio.timeout(WAIT):
        await forgotten.wait()
    assert feed.over
    await asyncio.sleep(0)
    assert not source.items.changes.followers
    # Whoever was about to listen hears so, and does not wait for ever.
    with feed.listen(Filter()) as late, pytest.raises(Ended):
        await late.next()


async def test_listeners_end_when_the_cluster_is_not_watched_any_more(feed: Feed, source: FakeSource) -> None:
    told = Told(feed)
    await told.until("synced")
    source.items.changes.close()
    with pytest.raises(Ended) as end:
        await told.next()
    assert end.value.reason == "stopping"
