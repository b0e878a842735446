"""Collections: what goes, what stays, while pushes go on."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.embedded.harbor.client import MANIFEST, Client, digest_of, manifest
from tests.embedded.harbor.conftest import running
from tests.embedded.harbor.serving import PASSWORD, serving
from tests.gateway import eventually

from ecns.embedded.harbor import clock, schedules
from ecns.embedded.harbor.errors import ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.embedded.harbor.conftest import Running


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that collects at once."""
    with running(tmp_path_factory.mktemp("harbor"), "--window-hours", "0", "--settle-seconds", "0") as made:
        yield made


def _collect(client: Client, **parameters: Any) -> dict[str, Any]:
    """Run a collection; what it says of itself at its end."""
    body = {"schedule": {"type": "Manual"}, "parameters": parameters}
    answer = client.api("POST", "/system/gc/schedule", json=body)
    path = answer.headers["Location"].removeprefix("/api/v2.0")
    run = eventually(
        lambda: found if (found := client.told("GET", path))["job_status"] != "Running" else None
    )
    assert run["job_status"] == "Success"
    return {**run, **json.loads(run["job_parameters"])}


def _is_there(client: Client, repository: str, content: bytes) -> bool:
    return client.request("GET", f"/v2/{repository}/blobs/{digest_of(content)}").status_code == 200


def test_what_no_artifact_needs_goes_and_the_rest_stays(eager: Running) -> None:
    admin = eager.admin
    kept, kept_blobs = manifest("kept")
    admin.push("library/kept", "1.0", "kept")
    _, gone_blobs = manifest("gone")
    shared = {"layers": json.loads(kept)["layers"]}
    admin.blob("library/gone", kept_blobs[1])
    admin.push("library/gone", "1.0", "gone", **shared)
    admin.blob("library/loose", b"nobody's")
    admin.told("DELETE", "/projects/library/repositories/gone")
    dry = _collect(admin, dry_run=True)
    run = _collect(admin)
    for key in ("freed_space", "purged_blobs", "purged_manifests"):
        assert run[key] == dry[key] > 0
    assert all(_is_there(admin, "library/kept", content) for content in kept_blobs)
    assert admin.pull("library/kept", "1.0").content == kept
    assert not _is_there(admin, "library/gone", gone_blobs[0])
    assert not _is_there(admin, "library/loose", b"nobody's")
    files = [path for path in (eager_folder(eager) / "blobs").rglob("*") if path.is_file()]
    assert {path.name for path in files} == {digest_of(content)[7:] for content in kept_blobs}
    assert _collect(admin)["purged_blobs"] == 0


def eager_folder(harbor: Running) -> Any:
    """Where it keeps its things."""
    from pathlib import Path  # noqa: PLC0415  of this one place

    return Path(harbor.facts["password_file"]).parent


def test_untagged_artifacts_go_when_that_is_asked_for(eager: Running) -> None:
    admin = eager.admin
    admin.project("untagged")
    first = admin.push("untagged/app", "latest", "first")
    second = admin.push("untagged/app", "latest", "second")
    assert first != second
    _collect(admin)
    assert admin.pull("untagged/app", first).status_code == 200
    run = _collect(admin, delete_untagged=True)
    assert run["purged_manifests"] == 1
    assert admin.pull("untagged/app", first).status_code == 404
    assert admin.pull("untagged/app", second).status_code == 200
    log = admin.api("GET", f"/system/gc/{run['id']}/log", headers={"Accept": "text/plain"})
    assert f"untagged/app@{first}" in log.text
    used = admin.told("GET", "/projects/untagged/summary")["quota"]["used"]["storage"]
    body, blobs = manifest("second")
    assert used == len(body) + sum(map(len, blobs))


def test_what_is_fresh_is_left_alone(tmp_path: Path) -> None:
    with running(tmp_path, "--settle-seconds", "0") as harbor:
        harbor.admin.blob("library/fresh", b"pushed a moment ago")
        run = _collect(harbor.admin)
        assert run["time_window"] == 2
        assert run["purged_blobs"] == 0
        assert _is_there(harbor.admin, "library/fresh", b"pushed a moment ago")


async def test_asking_for_a_blob_makes_it_fresh(tmp_path: Path) -> None:
    async with serving(tmp_path, window_hours=1) as (harbor, url):
        client = Client(url, "admin", PASSWORD)
        digest = await asyncio.to_thread(client.blob, "library/old", b"old")
        other = await asyncio.to_thread(client.blob, "library/old", b"older")
        harbor.store.run("UPDATE blob SET touched = 1")
        await asyncio.to_thread(client.request, "HEAD", f"/v2/library/old/blobs/{digest}")
        harbor.collector.settle_seconds = 0
        identity = harbor.collector.begin("MANUAL", {})
        while harbor.store.value("SELECT status FROM collection WHERE id = ?", identity) == "Running":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        left = {row["digest"] for row in harbor.store.all("SELECT digest FROM blob")}
        assert digest in left
        assert other not in left
        client.close()


def test_pushes_and_collections_at_once(eager: Running) -> None:
    """With no window at all a blob may go before its manifest comes; then the push is refused, never half."""
    admin = eager.admin
    admin.project("busy")
    pushed: dict[str, tuple[bytes, list[bytes]]] = {}
    for number in range(40):
        if number % 4 == 0:
            admin.told("POST", "/system/gc/schedule", 201, json={"schedule": {"type": "Manual"}})
        body, blobs = manifest(f"busy-{number}")
        for content in blobs:
            admin.blob("busy/app", content)
        answer = admin.put("busy/app", f"v{number}", body)
        if answer.status_code == 201:
            pushed[f"v{number}"] = (body, blobs)
        else:
            assert answer.json()["errors"][0]["code"] == "MANIFEST_BLOB_UNKNOWN"
    _collect(admin)
    assert len(pushed) > 10
    for tag, (body, blobs) in pushed.items():
        assert admin.pull("busy/app", tag).content == body
        assert all(_is_there(admin, "busy/app", content) for content in blobs)


def test_a_stopped_run_says_so_at_once(tmp_path: Path) -> None:
    with running(tmp_path) as harbor:
        _stop_two(harbor.admin)


def _stop_two(admin: Client) -> None:
    bodies = [{"schedule": {"type": "Manual"}}] * 2
    paths = [
        admin.api("POST", "/system/gc/schedule", json=body).headers["Location"].removeprefix("/api/v2.0")
        for body in bodies
    ]
    assert [admin.told("GET", path)["job_status"] for path in paths] == ["Running", "Running"]
    for path in reversed(paths):
        admin.told("PUT", path)
        assert admin.told("GET", path)["job_status"] == "Stopped"
    assert _collect(admin)["job_status"] == "Success"


async def test_files_that_a_kill_left_go(tmp_path: Path) -> None:
    async with serving(tmp_path) as (harbor, _):
        stray = harbor.files.blob(digest_of(b"stray"))
        stray.parent.mkdir(parents=True)
        stray.write_bytes(b"stray")
        await asyncio.sleep(0.01)
        harbor.collector.settle_seconds = 0
        harbor.collector.begin("MANUAL", {})
        while stray.exists():  # noqa: ASYNC110  as any client would
            await asyncio.sleep(0.01)


async def test_a_run_that_a_kill_cut_off_is_over(tmp_path: Path) -> None:
    async with serving(tmp_path) as (harbor, _):
        now = clock.now()
        harbor.store.run("INSERT INTO collection VALUES (99, 'MANUAL', 'Running', '{}', ?, ?)", now, now)
    async with serving(tmp_path) as (harbor, _):
        assert harbor.store.value("SELECT status FROM collection WHERE id = 99") == "Error"


async def test_a_schedule_comes_and_outlives_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path) as (harbor, _):
        harbor.collector.set_schedule("Custom", "0 0 3 * * *", {"delete_untagged": True})
    due: list[int] = []

    def soon_then_never(_cron: str, after: int) -> int:
        due.append(after + (10**7 if due else 150))
        return due[-1]

    monkeypatch.setattr("ecns.embedded.harbor.collection.next_time", soon_then_never)
    async with serving(tmp_path) as (harbor, _):
        harbor.collector.settle_seconds = 0
        found = None
        while found is None:
            await asyncio.sleep(0.01)
            found = harbor.store.one("SELECT * FROM collection")
        assert found["kind"] == "SCHEDULE"
        assert json.loads(found["parameters"])["delete_untagged"] is True
        assert found["created"] >= due[0]
        await asyncio.sleep(0.1)
        assert harbor.store.value("SELECT count(*) FROM collection") == 1


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 0 0 * * 0", "2026-11-23T09:48:58", "2026-11-29T00:00:00.000Z"),
        ("0 30 1 * * 6", "2026-11-23T09:48:58", "2026-11-28T01:30:00.000Z"),
        ("0 0 * * * *", "2026-11-23T09:48:58", "2026-11-23T10:00:00.000Z"),
        ("0 */5 * ? * ?", "2026-11-23T09:48:58", "2026-11-23T09:50:00.000Z"),
    ],
)
def test_when_a_schedule_comes_next(cron: str, after: str, expected: str) -> None:
    schedules.check(cron)
    assert clock.text(schedules.next_time(cron, clock.milliseconds(after))) == expected


@pytest.mark.parametrize(
    "cron", ["", "0 0 * * 0", "1 0 0 * * *", "0 99 * * * *", "0 a b c d e", "@daily", "0 0 0 31 2 *"]
)
def test_what_is_no_schedule(cron: str) -> None:
    with pytest.raises(ProblemError) as raised:
        schedules.check(cron)
    assert raised.value.status == 400


def test_a_manifest_type_is_kept(eager: Running) -> None:
    digest = eager.admin.push("library/typed", "1.0")
    _collect(eager.admin)
    assert eager.admin.pull("library/typed", digest).headers["Content-Type"] == MANIFEST
