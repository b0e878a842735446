"""The SQLite file that objects last in, and the thread that writes it.

Whatever has gathered since the last commit goes into the next one, so that the more write at once, the less
each pays for the disk. A statement takes many rows: after each the thread needs the interpreter's lock, for
which it waits up to `sys.getswitchinterval()` while others compute.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_CEILING = 100_000
_AT_ONCE = 256
"""Rows of one INSERT."""
_AGAIN = 1.0
"""Seconds between two tries to write to a disk that is full."""
_WAIT = 15.0
"""Seconds that another process, which is just ending, may still hold the file."""

Key = tuple[str, str, str]
"""Resource, namespace and name."""


class DiskError(Exception):
    """The file cannot be read or written; the message says which and why."""


class Row(NamedTuple):
    """The last state of one object; `data` is None when it is gone."""

    revision: int
    data: bytes | None


class Disk:
    """A file of objects.

    `meta.revision` in it is, while it is open, a ceiling that no revision has reached: after a crash counting
    goes on from there, so that a revision that some watcher saw is never given twice.

    Args:
        path: the file, made when it is absent. One process at a time has it.

    Raises:
        DiskError: it is another's, or broken.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ceiling = 0
        try:
            self._db = sqlite3.connect(path, timeout=_WAIT, check_same_thread=False, isolation_level=None)
            self._db.executescript(
                "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                "PRAGMA wal_autocheckpoint=4000;"
                "CREATE TABLE IF NOT EXISTS objects (resource TEXT, namespace TEXT, name TEXT,"
                " revision INTEGER, data BLOB, PRIMARY KEY (resource, namespace, name));"
                "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
            )
            row = self._db.execute("SELECT value FROM meta WHERE key = 'revision'").fetchone()
            self.revision: int = row[0] if row else 1
            self._raise_ceiling(self.revision)
        except sqlite3.Error as error:
            raise self._told(error) from error
        self._rows: dict[Key, Row] = {}
        self._added = self._written = 0
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._wake = threading.Condition()
        self._idle = self._closing = False
        self.failure: DiskError | None = None
        """Why nothing is written at the moment; what gathered is tried again until it is."""
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def _told(self, error: sqlite3.Error) -> DiskError:
        return DiskError(f"{self._path}: {error}")

    def _raise_ceiling(self, revision: int) -> None:
        self._ceiling = revision + _CEILING
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('revision', ?)", (self._ceiling,))

    def read(self) -> list[tuple[str, str, str, int, bytes]]:
        """Everything.

        Raises:
            DiskError: it cannot be read.
        """
        try:
            return self._db.execute(
                "SELECT resource, namespace, name, revision, data FROM objects"
            ).fetchall()
        except sqlite3.Error as error:
            raise self._told(error) from error

    def add(self, key: Key, row: Row) -> None:
        """Has a row written soon."""
        with self._wake:
            self._rows[key] = row
            self._added += 1
            if self._idle:
                self._idle = False
                self._wake.notify()

    async def wait(self) -> None:
        """Returns when everything that was added so far is on disk.

        Raises:
            DiskError: it could not be written.
        """
        with self._wake:
            if self._written >= self._added:
                return
            future = asyncio.get_running_loop().create_future()
            self._waiters.append((self._added, future))
        await future
        if self.failure is not None:
            raise self.failure

    def close(self, revision: int) -> None:
        """Writes what is left and ends the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        with contextlib.suppress(sqlite3.Error):
            if self.failure is None:
                self._db.execute("INSERT OR REPLACE INTO meta VALUES ('revision', ?)", (revision,))
            self._db.close()

    def _run(self) -> None:
        while True:
            with self._wake:
                if self.failure is not None and not self._closing:
                    self._wake.wait(_AGAIN)
                while not self._rows and not self._closing:
                    self._idle = True
                    self._wake.wait()
                if not self._rows:
                    return
                self._idle = False
                rows, self._rows = self._rows, {}
                added = self._added
            try:
                self._commit(rows)
            except sqlite3.Error as error:
                with self._wake:
                    self.failure = self._told(error)
                    self._rows = rows | self._rows
                    if self._closing:
                        return
            else:
                self.failure = None
            self._release(added)

    def _release(self, added: int) -> None:
        """Tells those who wait for the first `added` rows."""
        futures = []
        with self._wake:
            if self.failure is None:
                self._written = added
            while self._waiters and self._waiters[0][0] <= added:
                futures.append(self._waiters.popleft()[1])
        if futures:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                futures[0].get_loop().call_soon_threadsafe(_resolve, futures)

    def _commit(self, rows: dict[Key, Row]) -> None:
        last = max(row.revision for row in rows.values())
        kept = [(*key, *row) for key, row in rows.items() if row.data is not None]
        gone = [key for key, row in rows.items() if row.data is None]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if last >= self._ceiling:
                self._raise_ceiling(last)
            for start in range(0, len(gone), _AT_ONCE):
                some = gone[start : start + _AT_ONCE]
                self._db.execute(_delete(len(some)), [value for key in some for value in key])
            for start in range(0, len(kept), _AT_ONCE):
                more = kept[start : start + _AT_ONCE]
                self._db.execute(_upsert(len(more)), [value for row in more for value in row])
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._ceiling = 0  # whether it was raised is not known any more
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise


def _upsert(count: int) -> str:
    return (
        f"INSERT INTO objects VALUES {','.join(['(?,?,?,?,?)'] * count)} "  # noqa: S608  question marks alone
        "ON CONFLICT DO UPDATE SET revision = excluded.revision, data = excluded.data"
    )


def _delete(count: int) -> str:
    return (
        "DELETE FROM objects WHERE rowid IN (SELECT o.rowid FROM "  # noqa: S608  the same
        f"(VALUES {','.join(['(?,?,?)'] * count)}) AS v CROSS JOIN objects AS o "
        "ON (o.resource, o.namespace, o.name) = (v.column1, v.column2, v.column3))"
    )


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
