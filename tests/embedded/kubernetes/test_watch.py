from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes import negotiation, options
from ecns.embedded.kubernetes.resources import Resources
from ecns.embedded.kubernetes.selectors import Selection
from ecns.embedded.kubernetes.store import Store
from ecns.embedded.kubernetes.views import View
from ecns.embedded.kubernetes.watch import BACKLOG, Watch

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

_MAPS = "/api/v1/namespaces/default/configmaps"


def _map(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}


async def _version(api: Client) -> str:
    version: str = (await api.get(_MAPS)).json["metadata"]["resourceVersion"]
    return version


async def _events(api: Client, **query: str) -> list[tuple[str, str]]:
    events = await api.watch(_MAPS, timeoutSeconds="1", **query)
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


async def test_changes_come_in_order_from_a_version_on(api: Client) -> None:
    start = await _version(api)
    await api.post(_MAPS, _map("a"))
    await api.patch(f"{_MAPS}/a", {"data": {"x": "y"}})
    await api.delete(f"{_MAPS}/a")
    assert await _events(api, resourceVersion=start) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


async def test_leaving_a_selection_is_a_deletion(api: Client) -> None:
    start = await _version(api)
    await api.post(_MAPS, _map("a", on="yes"))
    await api.patch(f"{_MAPS}/a", {"metadata": {"labels": {"on": None}}})
    events = await api.watch(_MAPS, timeoutSeconds="1", resourceVersion=start, labelSelector="on=yes")
    assert [event["type"] for event in events] == ["ADDED", "DELETED"]
    assert events[1]["object"]["metadata"]["labels"] == {"on": "yes"}
    assert int(events[1]["object"]["metadata"]["resourceVersion"]) > int(
        events[0]["object"]["metadata"]["resourceVersion"]
    )


async def test_a_watch_list_ends_its_beginning_with_a_bookmark(api: Client) -> None:
    await api.post(_MAPS, _map("a"))
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    events = await api.watch(_MAPS, timeoutSeconds="1", **query)
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_version_that_is_too_old_is_one_error_event(api: Client) -> None:
    start = await _version(api)
    await api.post(_MAPS, _map("a"))
    api.cluster.store.compact("configmaps")
    events = await api.watch(_MAPS, timeoutSeconds="5", resourceVersion=start)
    assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]


async def test_pages_show_the_state_of_the_first(api: Client) -> None:
    for name in "abcd":
        await api.post(_MAPS, _map(name))
    first = (await api.get(_MAPS, limit="2")).json
    assert first["metadata"]["remainingItemCount"] == 2
    await api.post(_MAPS, _map("bb"))
    await api.delete(f"{_MAPS}/d")
    second = (await api.get(_MAPS, limit="2", **{"continue": first["metadata"]["continue"]})).json
    assert [item["metadata"]["name"] for item in second["items"]] == ["c", "d"]
    assert "continue" not in second["metadata"]
    api.cluster.store.compact("configmaps")
    late = await api.get(_MAPS, limit="2", **{"continue": first["metadata"]["continue"]})
    assert late.status == 410
    rest = (await api.get(_MAPS, **{"continue": late.json["metadata"]["continue"]})).json
    assert [item["metadata"]["name"] for item in rest["items"]] == ["bb", "c"]


async def test_a_version_of_the_future_is_refused(api: Client) -> None:
    reply = await api.get(_MAPS, resourceVersion="999999999")
    assert (reply.status, reply.headers["Retry-After"]) == (504, "1")


async def test_who_does_not_read_is_cut_off_and_keeps_nothing() -> None:
    resources = Resources()
    store = Store(None, resources)
    view = View(resources["configmaps"], "v1", negotiation.Representation())
    asked = options.list_options({"watch": "1", "resourceVersion": str(store.revision)}, watch=True)
    cuts: list[int] = []
    watch = Watch(store, view, None, Selection("configmaps", (), ()), asked)
    frames = watch.frames(asyncio.Event(), lambda: cuts.append(store.revision))
    first = asyncio.ensure_future(anext(frames))
    await asyncio.sleep(0)
    begun = store.revision
    for number in range(BACKLOG + 5):
        store.put("configmaps", "n", "a", {"metadata": {"name": "a", "namespace": "n", "uid": "u"}})
        if number == 0:  # the client's first frame, which it does not take
            assert b"ADDED" in await first
    assert cuts == [begun + BACKLOG + 2]
    await frames.aclose()
