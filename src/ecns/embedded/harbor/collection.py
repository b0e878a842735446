"""Garbage collection: marks what no artifact needs and sweeps it, while pushes go on.

A blob is garbage when no artifact names it, and nobody has pushed, mounted or asked for it for a while (the
window): whoever is about to name it in a manifest has done one of these just before. Each blob is looked at
again in the moment it goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import clock
from ecns.embedded.harbor.schedules import Schedule, next_time

if TYPE_CHECKING:
    from ecns.embedded.harbor.harbor import Harbor
    from ecns.embedded.harbor.store import Row

_log = logging.getLogger(__name__)
RUNNING, SUCCESS, STOPPED, ERROR = "Running", "Success", "Stopped", "Error"
MANUAL, SCHEDULED = "MANUAL", "SCHEDULE"
FIRST_ID = 3
"""Harbor's own jobs have had the ids before."""
BATCH = 100
"""Blobs that go before others get their turn."""
KEPT = 200
"""Runs that are remembered."""
_NEEDED = "SELECT part.blob FROM part JOIN artifact ON artifact.digest = part.manifest"
_USELESS = f"touched <= ? AND digest NOT IN ({_NEEDED})"


_LONELY = """
    NOT EXISTS (SELECT 1 FROM tag WHERE artifact_id = artifact.id)
    AND NOT EXISTS (SELECT 1 FROM child WHERE child_id = artifact.id)
    AND NOT EXISTS (SELECT 1 FROM artifact AS other
        WHERE other.repository_id = artifact.repository_id AND other.digest = artifact.subject)
"""
"""Of artifacts that have no tag, are of no index and refer to nothing that is there."""


class _StoppedError(Exception):
    """Somebody stopped the run."""


class Collector:
    """Runs collections one after another, when asked and by schedule.

    Args:
        harbor: what is collected.
        window_hours: how long what is fresh cannot be collected.
        settle_seconds: how long a run says that it is running at least, so that it can be seen.
    """

    def __init__(self, harbor: Harbor, window_hours: float, settle_seconds: float = 1.0) -> None:
        self._harbor = harbor
        self.window_hours = window_hours
        self.settle_seconds = settle_seconds
        self._waiting: asyncio.Queue[int] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = asyncio.Event()
        """Set when somebody stopped a run."""

    def start(self) -> None:
        """Begin to work: what a kill cut off is over, the schedule goes on."""
        store = self._harbor.store
        store.run(
            "UPDATE collection SET status = ?, updated = ? WHERE status = ?",
            ERROR,
            clock.now() // 1000 * 1000,
            RUNNING,
        )
        self._worker = asyncio.create_task(self._work())
        self._plan()

    async def close(self) -> None:
        """Stop working."""
        if self._timer is not None:
            self._timer.cancel()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    # What is asked for

    def begin(self, kind: str, parameters: dict[str, Any]) -> int:
        """Let a run begin when those before it are over; its id."""
        store = self._harbor.store
        identity = store.next_id("collection", FIRST_ID)
        now = clock.now()
        workers = parameters.get("workers")
        kept = {
            "delete_untagged": parameters.get("delete_untagged") is True,
            "dry_run": parameters.get("dry_run") is True,
            "redis_url_reg": "",
            "time_window": _plain(self.window_hours),
            "workers": workers if isinstance(workers, int) and not isinstance(workers, bool) else 0,
        }
        store.run(
            "INSERT INTO collection VALUES (?, ?, ?, ?, ?, ?)",
            identity,
            kind,
            RUNNING,
            json.dumps(kept),
            now,
            now,
        )
        store.run("DELETE FROM collection WHERE id <= ?", identity - KEPT)
        self._waiting.put_nowait(identity)
        return identity

    def stop(self, row: Row) -> None:
        """Stop a run; one that is over stays as it is."""
        self._harbor.store.run(
            "UPDATE collection SET status = ?, updated = ? WHERE id = ? AND status = ?",
            STOPPED,
            clock.now() // 1000 * 1000,
            row["id"],
            RUNNING,
        )
        self._stopped.set()

    def log_of(self, identity: int) -> str:
        """What a run said so far."""
        rows = self._harbor.store.all("SELECT text FROM said WHERE collection_id = ? ORDER BY id", identity)
        return "".join(row["text"] for row in rows)

    def schedule(self) -> Schedule | None:
        """The schedule, if there is one."""
        return Schedule.read(self._harbor.store.meta("schedule"))

    def set_schedule(self, kind: str, cron: str, parameters: dict[str, Any]) -> None:
        """Replace the schedule."""
        store = self._harbor.store
        store.next_id("collection", FIRST_ID)  # as Harbor, which counts the schedule among the runs
        identity = store.next_id("schedule", FIRST_ID)
        store.set_meta("schedule", Schedule(identity, kind, cron, parameters, clock.now()).written())
        self._plan()

    def drop_schedule(self) -> None:
        """Take the schedule away."""
        self._harbor.store.set_meta("schedule", "")
        self._plan()

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        schedule = self.schedule()
        if schedule is None:
            return
        due = next_time(schedule.cron, clock.now())
        delay = min(max(due - clock.now(), 0) / 1000, 3600.0)  # the clock may be set meanwhile
        self._timer = asyncio.get_running_loop().call_later(delay, self._due, due, schedule)

    def _due(self, due: int, schedule: Schedule) -> None:
        if clock.now() >= due:
            self.begin(SCHEDULED, schedule.parameters)
        self._plan()

    # A run

    async def _work(self) -> None:
        while True:
            identity = await self._waiting.get()
            try:
                await self._run(identity)
            except _StoppedError:
                self._say(identity, "received the stop signal, quit.")
            except Exception as error:  # noqa: BLE001  the next one may do better
                _log.exception("collection %d failed", identity)
                self._say(identity, f"failed: {error}")
                self._end(identity, ERROR, {})

    async def _run(self, identity: int) -> None:
        store = self._harbor.store
        row = store.one("SELECT * FROM collection WHERE id = ?", identity)
        if row is None or row["status"] != RUNNING:
            return
        began = asyncio.get_running_loop().time()
        parameters = json.loads(row["parameters"])
        dry = parameters["dry_run"]
        cutoff = clock.now() - int(self.window_hours * 3_600_000)
        shown = ", ".join(
            f"{key}: {json.dumps(parameters[key])}"
            for key in ("delete_untagged", "dry_run", "time_window", "workers")
        )
        self._say(identity, f"Garbage Collection parameters: [{shown}]", "start to run gc in job.")
        untagged: list[Row] = []
        if parameters["delete_untagged"]:
            untagged = await self._untagged(identity, cutoff, dry=dry)
        candidates = self._candidates(cutoff)
        if dry:
            candidates += self._parts(untagged)
        lines = [f"blob eligible for deletion: {item['digest']}" for item in candidates]
        manifests = sum(item["is_manifest"] for item in candidates)
        lines.append(f"{len(candidates) - manifests} blobs and {manifests} manifests eligible for deletion")
        self._say(identity, *lines)
        if dry:
            counts = _counted(candidates)
        else:
            counts = _counted(await self._sweep(identity, candidates, cutoff))
            await self._sweep_files(cutoff)
            blobs, purged = counts["purged_blobs"], counts["purged_manifests"]
            self._say(identity, f"{blobs} blobs and {purged} manifests are actually deleted")
        self._say(identity, "success to run gc in job.")
        await self._settle(identity, began + self.settle_seconds)
        self._end(identity, SUCCESS, parameters | counts)

    async def _settle(self, identity: int, until: float) -> None:
        """Wait until a run may be over."""
        loop = asyncio.get_running_loop()
        while (left := until - loop.time()) > 0:
            self._stopped.clear()
            self._check(identity)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), left)

    def _end(self, identity: int, status: str, parameters: dict[str, Any]) -> None:
        kept = json.dumps(dict(sorted(parameters.items()))) if parameters else None
        self._harbor.store.run(
            "UPDATE collection SET status = ?, parameters = coalesce(?, parameters), updated = ?"
            " WHERE id = ? AND status = ?",
            status,
            kept,
            clock.now() // 1000 * 1000,
            identity,
            RUNNING,
        )

    def _say(self, identity: int, *lines: str) -> None:
        stamp = clock.seconds(clock.now())
        text = "".join(f"{stamp} [INFO] [gc]: {line}\n" for line in lines)
        self._harbor.store.run("INSERT INTO said (collection_id, text) VALUES (?, ?)", identity, text)

    def _check(self, identity: int) -> None:
        if self._harbor.store.value("SELECT status FROM collection WHERE id = ?", identity) != RUNNING:
            raise _StoppedError

    async def _untagged(self, identity: int, cutoff: int, *, dry: bool) -> list[Row]:
        """Remove artifacts that have no tag, are of no index and refer to nothing that is there."""
        harbor = self._harbor
        rows = harbor.store.all(
            "SELECT artifact.*, repository.name FROM artifact"  # noqa: S608  ours alone
            f" JOIN repository ON repository.id = repository_id WHERE pushed <= ? AND {_LONELY}",
            cutoff,
        )
        self._say(identity, "start to delete untagged artifact")
        for place, row in enumerate(rows):
            if place % BATCH == BATCH - 1:
                await asyncio.sleep(0)
            self._check(identity)
            self._say(identity, f"delete the untagged artifact: {row['name']}@{row['digest']}")
            if dry:
                continue
            with harbor.store.transaction():
                unchanged = harbor.store.one(
                    f"SELECT * FROM artifact WHERE id = ? AND {_LONELY}",  # noqa: S608  as above
                    row["id"],
                )
                if unchanged is not None:
                    harbor.artifacts.remove(unchanged)
        self._say(identity, "end to delete untagged artifact")
        return rows

    def _candidates(self, cutoff: int) -> list[Row]:
        """What could go."""
        return self._harbor.store.all(
            "SELECT digest, size, digest IN (SELECT digest FROM manifest) AS is_manifest FROM blob"  # noqa: S608
            f" WHERE {_USELESS} ORDER BY digest",
            cutoff,
        )

    def _parts(self, artifacts: list[Row]) -> list[Row]:
        """What artifacts are made of; as Harbor, a dry run counts it although others may need it too."""
        digests = json.dumps([row["digest"] for row in artifacts])
        return self._harbor.store.all(
            "SELECT DISTINCT digest, size, digest IN (SELECT digest FROM manifest) AS is_manifest FROM part"
            " JOIN blob ON blob.digest = part.blob WHERE manifest IN (SELECT value FROM json_each(?))",
            digests,
        )

    async def _sweep(self, identity: int, candidates: list[Row], cutoff: int) -> list[Row]:
        gone = []
        for first in range(0, len(candidates), BATCH):
            await asyncio.sleep(0)
            self._check(identity)
            batch = candidates[first : first + BATCH]
            swept = [item for item in batch if self._drop(item["digest"], cutoff)]
            self._say(identity, *(f"delete blob from storage: {item['digest']}" for item in swept))
            gone += swept
        return gone

    def _drop(self, digest: str, cutoff: int) -> bool:
        """Remove one blob, if it is garbage still; its row first, so that a kill leaves a file of no row."""
        store = self._harbor.store
        with store.transaction():
            if not store.run(f"DELETE FROM blob WHERE digest = ? AND {_USELESS}", digest, cutoff):  # noqa: S608
                return False
            store.run("DELETE FROM linked WHERE digest = ?", digest)
            store.run("DELETE FROM used WHERE digest = ?", digest)
            store.run("DELETE FROM part WHERE manifest = ?", digest)
            store.run("DELETE FROM manifest WHERE digest = ?", digest)
            store.run("DELETE FROM trash WHERE digest = ?", digest)
        self._harbor.files.drop(digest)
        return True

    async def _sweep_files(self, cutoff: int) -> None:
        """Remove files that no blob is of: a kill left them between the rename and the row."""
        files = self._harbor.files
        old = await asyncio.to_thread(
            lambda: [item for item in files.blobs() if item[1].stat().st_ctime * 1000 < cutoff]
        )
        for digest, path in old:
            if self._harbor.store.one("SELECT 1 FROM blob WHERE digest = ?", digest) is None:
                path.unlink(missing_ok=True)


def _counted(rows: list[Row]) -> dict[str, int]:
    manifests = sum(row["is_manifest"] for row in rows)
    return {
        "freed_space": sum(row["size"] for row in rows),
        "purged_blobs": len(rows) - manifests,
        "purged_manifests": manifests,
    }


def _plain(hours: float) -> float:
    return int(hours) if hours == int(hours) else hours
