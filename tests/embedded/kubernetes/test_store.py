from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from ecns.embedded.kubernetes.cluster import Cluster
from ecns.embedded.kubernetes.disk import DiskError
from ecns.embedded.kubernetes.errors import ApiError
from ecns.embedded.kubernetes.resources import Resources
from ecns.embedded.kubernetes.store import HISTORY, Expired, Store

if TYPE_CHECKING:
    from pathlib import Path


def _config(name: str, **more: object) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "n", "uid": f"uid-{name}", **more}, "data": {"a": name}}


@pytest.fixture
def store() -> Store:
    return Store(None, Resources())


def _put(store: Store, name: str, **more: object) -> int:
    return store.put("configmaps", "n", name, _config(name, **more)).rv


def test_objects_come_back_with_kind_and_version_and_in_order(store: Store) -> None:
    for name in ("b", "a", "c"):
        _put(store, name)
    found = store.all("configmaps")
    assert [record.name for record in found] == ["a", "b", "c"]
    found[0].forget()
    assert found[0].obj["kind"] == "ConfigMap"
    assert found[0].obj["metadata"]["resourceVersion"] == str(found[0].rv)
    assert b'"kind"' not in found[0].data


def test_namespaces_sort_as_keys_do(store: Store) -> None:
    for namespace in ("a-b", "a"):
        store.put("configmaps", namespace, "x", _config("x"))
    assert [record.namespace for record in store.all("configmaps")] == ["a-b", "a"]


def test_a_snapshot_of_the_past_has_what_was_deleted_and_not_what_came_later(store: Store) -> None:
    _put(store, "a")
    then = _put(store, "b")
    store.remove("configmaps", "n", "a", _config("a"))
    _put(store, "b", labels={"x": "y"})
    _put(store, "c")
    past = store.at("configmaps", "n", then)
    assert [record.name for record in past] == ["a", "b"]
    assert past[1].labels == {}
    assert [record.name for record in store.at("configmaps", None, store.revision)] == ["b", "c"]


def test_history_that_is_forgotten_is_expired(store: Store) -> None:
    first = _put(store, "a")
    for _ in range(HISTORY + 1):
        _put(store, "a")
    with pytest.raises(Expired):
        store.changes("configmaps", first - 1)
    assert store.changes("configmaps", store.revision) == []


def test_dependants_are_found_by_their_owner(store: Store) -> None:
    _put(store, "child", ownerReferences=[{"uid": "owner"}])
    assert [record.name for record in store.owned("owner")] == ["child"]
    _put(store, "child")
    assert store.owned("owner") == []


def test_everything_is_there_after_a_restart_and_revisions_go_on(tmp_path: Path) -> None:
    path = tmp_path / "objects.sqlite"
    first = Store(path, Resources())
    for name in ("a", "b"):
        first.put("configmaps", "n", name, _config(name))
    first.remove("configmaps", "n", "a", _config("a"))
    last = first.revision
    first.close()
    second = Store(path, Resources())
    assert [record.name for record in second.all("configmaps")] == ["b"]
    assert second.revision == last
    with pytest.raises(Expired):
        second.changes("configmaps", last - 1)
    second.close()


async def test_what_is_durable_is_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "objects.sqlite"
    store = Store(path, Resources())
    store.put("configmaps", "n", "a", _config("a"))
    await store.durable()
    shutil.copytree(tmp_path, tmp_path / "copy")
    copy = Store(tmp_path / "copy" / path.name, Resources())
    assert [record.name for record in copy.all("configmaps")] == ["a"]
    copy.close()
    store.close()


def test_bulk_loading_tells_old_watches_to_begin_again(store: Store) -> None:
    before = _put(store, "a")
    assert store.load([("configmaps", _config("z"))]) == 1
    assert store.get("configmaps", "n", "z") is not None
    with pytest.raises(Expired):
        store.changes("configmaps", before)


_WRITER = """
import asyncio, sys
from pathlib import Path
from ecns.embedded.kubernetes.resources import Resources
from ecns.embedded.kubernetes.store import Store

async def main():
    store = Store(Path(sys.argv[1]), Resources())
    for number in range(10**6):
        name = f"c{number}"
        metadata = {"name": name, "namespace": "n", "uid": name}
        store.put("configmaps", "n", name, {"metadata": metadata})
        if number % 3 == 0:
            await store.durable()
            print(number, flush=True)

asyncio.run(main())
"""


async def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "objects.sqlite"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    last = 0
    while last < 60:
        last = json.loads(await process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    rest = await process.stdout.read()
    await process.wait()
    acknowledged = int(rest.split()[-1]) if rest.split() else last
    store = Store(path, Resources())
    kept = {record.name for record in store.all("configmaps")}
    assert {f"c{number}" for number in range(acknowledged + 1)} <= kept
    assert store.revision > max(record.rv for record in store.all("configmaps"))
    store.close()


async def test_a_full_disk_refuses_and_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecns.embedded.kubernetes.disk._AGAIN", 0.01)
    cluster = Cluster(tmp_path / "objects.sqlite")
    disk = cluster.store._disk
    assert disk is not None
    await cluster.store.durable()
    pages = disk._db.execute("PRAGMA page_count").fetchone()[0]
    disk._db.execute(f"PRAGMA max_page_count={pages + 1}")
    large = {"metadata": {"name": "large"}, "data": {"a": "x" * 20_000}}
    cluster.create("namespaces", {"metadata": {"name": "n"}})
    cluster.create("configmaps", large, namespace="n")
    with pytest.raises(DiskError, match="full"):
        await cluster.store.durable()
    with pytest.raises(ApiError, match="full") as refused:
        cluster.create("configmaps", {"metadata": {"name": "next"}}, namespace="n")
    assert refused.value.code == 500
    disk._db.execute("PRAGMA max_page_count=100000")
    with contextlib.suppress(DiskError):  # a try that had begun
        await cluster.store.durable()
    await cluster.store.durable()
    cluster.close()
    again = Cluster(tmp_path / "objects.sqlite")
    assert again.find("configmaps", "large", "n") is not None
    assert again.find("configmaps", "next", "n") is None
    again.close()


def test_a_broken_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "objects.sqlite").write_bytes(b"nothing of the sort" * 1000)
    with pytest.raises(DiskError, match=r"objects\.sqlite: file is not a database"):
        Store(tmp_path / "objects.sqlite", Resources())
