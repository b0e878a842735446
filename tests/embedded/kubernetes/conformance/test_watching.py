"""What the conformance suite checks of watches and of lists in chunks."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tests.embedded.kubernetes.conformance.streams import events, named

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

MAPS = "/api/v1/namespaces/default/configmaps"


def config_map(name: str, label: str = "", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"watch": label}}, "data": data}


def told(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [
        (item["type"], item["object"]["metadata"]["name"], item["object"].get("data", {}).get("k", ""))
        for item in found
    ]


async def start(api: Client) -> str:
    version: str = (await api.get(MAPS)).json["metadata"]["resourceVersion"]
    return version


async def test_watches_see_what_their_selectors_select(api: Client) -> None:
    since = await start(api)
    await api.post(MAPS, config_map("a", "A"))
    await api.patch(f"{MAPS}/a", {"data": {"k": "1"}})
    await api.post(MAPS, config_map("b", "B"))
    await api.patch(f"{MAPS}/a", {"data": {"k": "2"}})
    await api.delete(f"{MAPS}/a")
    await api.delete(f"{MAPS}/b")
    of_a = [("ADDED", "a", ""), ("MODIFIED", "a", "1"), ("MODIFIED", "a", "2"), ("DELETED", "a", "2")]
    of_b = [("ADDED", "b", ""), ("DELETED", "b", "")]
    for selector, expected in (("watch=A", of_a), ("watch=B", of_b)):
        found = await events(api, MAPS, len(expected), resourceVersion=since, labelSelector=selector)
        assert told(found) == expected
    both = await events(api, MAPS, 6, resourceVersion=since, labelSelector="watch in (A,B)")
    assert sorted(told(both)) == sorted(of_a + of_b)


async def test_what_is_deleted_is_shown_as_it_last_was(api: Client) -> None:
    since = await start(api)
    held = config_map("a", "A")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await api.post(MAPS, held)
    await api.delete(f"{MAPS}/a")
    freed = await api.patch(f"{MAPS}/a", {"metadata": {"finalizers": None}})
    assert "finalizers" not in freed.json["metadata"]
    last = (await events(api, MAPS, 3, resourceVersion=since, labelSelector="watch=A"))[-1]
    assert last["type"] == "DELETED"
    assert last["object"]["metadata"]["finalizers"] == ["example.com/hold"]


async def test_a_watch_starts_where_another_ended(api: Client) -> None:
    since = await start(api)
    await api.post(MAPS, config_map("a", "A"))
    await api.patch(f"{MAPS}/a", {"data": {"k": "1"}})
    first = await events(api, MAPS, 2, resourceVersion=since, labelSelector="watch=A")
    last = first[-1]["object"]["metadata"]["resourceVersion"]
    await api.patch(f"{MAPS}/a", {"data": {"k": "2"}})
    await api.delete(f"{MAPS}/a")
    second = await events(api, MAPS, 2, resourceVersion=last, labelSelector="watch=A")
    assert told(second) == [("MODIFIED", "a", "2"), ("DELETED", "a", "2")]


async def test_leaving_a_selector_is_a_deletion(api: Client) -> None:
    since = await start(api)
    await api.post(MAPS, config_map("a", "A"))
    await api.patch(f"{MAPS}/a", {"data": {"k": "1"}})
    await api.patch(f"{MAPS}/a", {"metadata": {"labels": {"watch": "gone"}}})
    await api.patch(f"{MAPS}/a", {"data": {"k": "2"}})
    await api.patch(f"{MAPS}/a", {"metadata": {"labels": {"watch": "A"}}})
    await api.patch(f"{MAPS}/a", {"data": {"k": "3"}})
    await api.delete(f"{MAPS}/a")
    found = await events(api, MAPS, 6, resourceVersion=since, labelSelector="watch=A")
    assert told(found) == [
        ("ADDED", "a", ""),
        ("MODIFIED", "a", "1"),
        ("DELETED", "a", "1"),
        ("ADDED", "a", "2"),
        ("MODIFIED", "a", "3"),
        ("DELETED", "a", "3"),
    ]


async def test_concurrent_watches_see_one_order(api: Client) -> None:
    since = await start(api)

    async def seen() -> list[str]:
        found = await events(
            api, MAPS, lambda have: named(have[-1:]) == [("ADDED", "last")], resourceVersion=since
        )
        return [item["object"]["metadata"]["resourceVersion"] for item in found]

    watching = [asyncio.create_task(seen()) for _ in range(8)]
    for index in range(40):
        name = f"m{index % 7}"
        reply = await api.post(MAPS, config_map(name))
        if reply.status == 409:
            await (api.delete if index % 3 else api.get)(f"{MAPS}/{name}")
    await api.post(MAPS, config_map("last"))
    orders = await asyncio.gather(*watching)
    assert len(orders[0]) > 10
    assert all(order == orders[0] for order in orders)


async def test_the_initial_list_streams_and_ends_with_a_bookmark(api: Client) -> None:
    for name in ("a", "b"):
        await api.post(MAPS, config_map(name))
    found = await events(
        api,
        MAPS,
        lambda have: have[-1]["type"] == "BOOKMARK",
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
    )
    kinds = [item["type"] for item in found]
    assert kinds[: kinds.index("BOOKMARK")].count("ADDED") >= 2
    mark = found[kinds.index("BOOKMARK")]["object"]["metadata"]
    assert mark["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert mark["resourceVersion"]


async def test_lists_in_chunks_are_of_one_moment(api: Client) -> None:
    for index in range(40):
        await api.post(MAPS, config_map(f"chunk-{index:02}", "chunk"))
    names: list[str] = []
    query = {"limit": "7", "labelSelector": ""}
    moment = ""
    left = None
    while True:
        page = (await api.get(MAPS, **query)).json
        meta = page["metadata"]
        assert not moment or meta["resourceVersion"] == moment
        moment = meta["resourceVersion"]
        names += [item["metadata"]["name"] for item in page["items"]]
        if left is not None:
            assert meta.get("remainingItemCount", 0) == left - len(page["items"])
        left = meta.get("remainingItemCount", 0)
        if not meta.get("continue"):
            break
        query["continue"] = meta["continue"]
        await api.post(MAPS, config_map(f"chunk-{len(names):02}-late"))
    assert [name for name in names if name.startswith("chunk")] == [
        f"chunk-{index:02}" for index in range(40)
    ]


async def test_tables_in_chunks(api: Client) -> None:
    for index in range(5):
        await api.post("/api/v1/namespaces/default/podtemplates", template(index))
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    query = {"limit": "2"}
    rows: list[str] = []
    while True:
        path = "/api/v1/namespaces/default/podtemplates"
        page = (await api.call("GET", path, query=query, headers=headers)).json
        assert page["kind"] == "Table"
        assert page["columnDefinitions"][0]["name"] == "Name"
        rows += [row["cells"][0] for row in page["rows"]]
        if not page["metadata"].get("continue"):
            break
        query["continue"] = page["metadata"]["continue"]
    assert rows == [f"t{index}" for index in range(5)]


def template(index: int) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "x"}]}
    return {"metadata": {"name": f"t{index}"}, "template": {"spec": spec}}


async def test_reviews_have_no_table(api: Client) -> None:
    body = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    refused = await api.call("POST", path, json.dumps(body), headers=headers)
    assert refused.status == 406
    assert refused.json["reason"] == "NotAcceptable"
