"""Counts of pulls: kept in memory and written now and then, as Harbor does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ecns.embedded.harbor import clock

if TYPE_CHECKING:
    from ecns.embedded.harbor.store import Store


class Pulls:
    """Pulls that are not written yet.

    Args:
        store: where they are written to.
        seconds: how often.
    """

    def __init__(self, store: Store, seconds: float) -> None:
        self.store = store
        self._seconds = seconds
        self._counts: dict[int, int] = {}
        self._times: dict[tuple[int, str], int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Write every so often from now on."""
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._tick)

    def _tick(self) -> None:
        self.write()
        self.start()

    def add(self, repository_id: int, artifact_id: int, tag: str) -> None:
        """Count one pull of an artifact, by a tag or not."""
        self._counts[repository_id] = self._counts.get(repository_id, 0) + 1
        self._times[artifact_id, tag] = clock.now()

    def write(self) -> None:
        """Write what was counted."""
        if not self._counts:
            return
        with self.store.transaction():
            now = clock.now()
            for repository_id, count in self._counts.items():
                self.store.run(
                    "UPDATE repository SET pull_count = pull_count + ?, updated = ? WHERE id = ?",
                    count,
                    now,
                    repository_id,
                )
            for (artifact_id, tag), time in self._times.items():
                self.store.run("UPDATE artifact SET pulled = ? WHERE id = ?", time, artifact_id)
                self.store.run(
                    "UPDATE tag SET pulled = ? WHERE artifact_id = ? AND name = ?", time, artifact_id, tag
                )
        self._counts.clear()
        self._times.clear()

    def close(self) -> None:
        """Write what is left and stop."""
        if self._timer is not None:
            self._timer.cancel()
        self.write()
