"""What the stand-in remembers: documents by kind and id, in memory and written through to SQLite."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

Body = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (kind, id));
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Store:
    """The stand-in's data; one process has it open.

    Args:
        folder: where the file is; both are made when they are not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "openstack.sqlite"
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")  # a power cut may cost the last moment: it is a stand-in
        self._db.executescript(SCHEMA)
        self._kinds: dict[str, dict[str, Body]] = {}
        for kind, identity, body in self._db.execute("SELECT kind, id, body FROM document ORDER BY sequence"):
            self._kinds.setdefault(kind, {})[identity] = json.loads(body)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def all(self, kind: str) -> list[Body]:
        """The documents of a kind in the order of their making; do not change them without `save`."""
        return list(self._kinds.get(kind, {}).values())

    def get(self, kind: str, identity: Any) -> Body | None:
        """A document, or None."""
        return self._kinds.get(kind, {}).get(identity) if isinstance(identity, str) else None

    def save(self, kind: str, body: Body) -> Body:
        """Keep a new document, or one that was changed."""
        self._kinds.setdefault(kind, {})[body["id"]] = body
        self._db.execute(
            "INSERT INTO document (kind, id, body) VALUES (?, ?, ?) "
            "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
            (kind, body["id"], json.dumps(body)),
        )
        return body

    def delete(self, kind: str, identity: str) -> None:
        """Forget a document."""
        self._kinds.get(kind, {}).pop(identity, None)
        self._db.execute("DELETE FROM document WHERE kind = ? AND id = ?", (kind, identity))

    def forget(self, kind: str, most: int) -> None:
        """Keep the newest documents of a kind alone."""
        known = self._kinds.get(kind, {})
        for identity in list(known)[: max(0, len(known) - most)]:
            self.delete(kind, identity)

    def meta(self, key: str) -> str:
        """A value of the stand-in's own, empty when there is none."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else ""

    def set_meta(self, key: str, value: str) -> None:
        """Remember a value of the stand-in's own."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
