"""What the stand-in remembers: one SQLite file, manifests in it; blobs are files beside it (`files.py`)."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sequence (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS account (
    id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, email TEXT UNIQUE, realname TEXT NOT NULL,
    comment TEXT NOT NULL, sysadmin INTEGER NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL,
    created INTEGER NOT NULL, updated INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS project (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, owner_id INTEGER NOT NULL,
    allowlist_id INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS metadata (
    project_id INTEGER NOT NULL REFERENCES project ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (project_id, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS member (
    id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES project ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE, role_id INTEGER NOT NULL,
    UNIQUE (project_id, user_id));
CREATE TABLE IF NOT EXISTS quota (
    id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL UNIQUE REFERENCES project ON DELETE CASCADE,
    storage INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS robot (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, level TEXT NOT NULL,
    project_id INTEGER REFERENCES project ON DELETE CASCADE, description TEXT NOT NULL,
    duration INTEGER NOT NULL, expires INTEGER NOT NULL, disabled INTEGER NOT NULL, permissions TEXT NOT NULL,
    salt BLOB NOT NULL, hash BLOB NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS repository (
    id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES project, name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL, pull_count INTEGER NOT NULL, created INTEGER NOT NULL,
    updated INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS repository_project ON repository (project_id);
CREATE TABLE IF NOT EXISTS manifest (
    digest TEXT PRIMARY KEY, media_type TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS artifact (
    id INTEGER PRIMARY KEY, repository_id INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
    digest TEXT NOT NULL, manifest_media_type TEXT NOT NULL, media_type TEXT NOT NULL,
    artifact_type TEXT NOT NULL, type TEXT NOT NULL, size INTEGER NOT NULL, subject TEXT NOT NULL,
    extra_attrs TEXT NOT NULL, annotations TEXT NOT NULL, pushed INTEGER NOT NULL, pulled INTEGER NOT NULL,
    UNIQUE (repository_id, digest));
CREATE INDEX IF NOT EXISTS artifact_subject ON artifact (repository_id, subject) WHERE subject != '';
CREATE INDEX IF NOT EXISTS artifact_digest ON artifact (digest);
CREATE TABLE IF NOT EXISTS child (
    parent_id INTEGER NOT NULL REFERENCES artifact ON DELETE CASCADE, place INTEGER NOT NULL,
    child_id INTEGER NOT NULL REFERENCES artifact, digest TEXT NOT NULL, platform TEXT NOT NULL,
    annotations TEXT NOT NULL, urls TEXT NOT NULL, PRIMARY KEY (parent_id, place)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS child_artifact ON child (child_id);
CREATE TABLE IF NOT EXISTS tag (
    id INTEGER PRIMARY KEY, repository_id INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
    artifact_id INTEGER NOT NULL REFERENCES artifact ON DELETE CASCADE, name TEXT NOT NULL,
    pushed INTEGER NOT NULL, pulled INTEGER NOT NULL, UNIQUE (repository_id, name));
CREATE INDEX IF NOT EXISTS tag_artifact ON tag (artifact_id);
CREATE TABLE IF NOT EXISTS label (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, color TEXT NOT NULL,
    scope TEXT NOT NULL, project_id INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    UNIQUE (name, scope, project_id));
CREATE TABLE IF NOT EXISTS label_artifact (
    label_id INTEGER NOT NULL REFERENCES label ON DELETE CASCADE,
    artifact_id INTEGER NOT NULL REFERENCES artifact ON DELETE CASCADE,
    PRIMARY KEY (label_id, artifact_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rule (
    id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES project ON DELETE CASCADE,
    body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS blob (
    digest TEXT PRIMARY KEY, size INTEGER NOT NULL, media_type TEXT NOT NULL,
    touched INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS linked (
    repository TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (repository, digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS linked_digest ON linked (digest);
CREATE TABLE IF NOT EXISTS used (
    project_id INTEGER NOT NULL REFERENCES project ON DELETE CASCADE, digest TEXT NOT NULL,
    PRIMARY KEY (project_id, digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS used_digest ON used (digest);
CREATE TABLE IF NOT EXISTS part (
    manifest TEXT NOT NULL, blob TEXT NOT NULL, PRIMARY KEY (manifest, blob)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS part_blob ON part (blob);
CREATE TABLE IF NOT EXISTS trash (
    id INTEGER PRIMARY KEY, repository TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL,
    manifest_media_type TEXT NOT NULL, created INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS upload (
    id TEXT PRIMARY KEY, repository TEXT NOT NULL, size INTEGER NOT NULL,
    started INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS collection (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, status TEXT NOT NULL, parameters TEXT NOT NULL,
    created INTEGER NOT NULL, updated INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS said (
    id INTEGER PRIMARY KEY, collection_id INTEGER NOT NULL REFERENCES collection ON DELETE CASCADE,
    text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS said_collection ON said (collection_id);
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL, operation TEXT NOT NULL, resource TEXT NOT NULL,
    resource_type TEXT NOT NULL, username TEXT NOT NULL, time INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS record_project ON record (project_id);
"""

Row = sqlite3.Row
Value = str | int | bytes | float | None


class Store:
    """The stand-in's data; one process has it open, one statement runs at a time."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last moment, never the file
        self.db.execute("PRAGMA foreign_keys = ON")
        self.db.executescript(SCHEMA)
        self._sequences: dict[str, int] = dict(self.db.execute("SELECT name, value FROM sequence").fetchall())
        self._depth = 0

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def all(self, sql: str, *values: Value) -> list[Row]:
        """The rows of a query."""
        return self.db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Value) -> Row | None:
        """The first row of a query, or None."""
        found: Row | None = self.db.execute(sql, values).fetchone()
        return found

    def value(self, sql: str, *values: Value) -> Any:
        """The first column of the first row, or None."""
        found = self.one(sql, *values)
        return None if found is None else found[0]

    def run(self, sql: str, *values: Value) -> int:
        """Run a statement; how many rows it touched."""
        return self.db.execute(sql, values).rowcount

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing; one inside another belongs to the outer."""
        if self._depth:
            yield
            return
        self._depth += 1
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        else:
            self.db.execute("COMMIT")
        finally:
            self._depth -= 1

    def next_id(self, name: str, start: int = 1) -> int:
        """The next id of a kind; one that was refused is not given again, as in PostgreSQL."""
        value = self._sequences.get(name, start - 1) + 1
        self._sequences[name] = value
        self.db.execute("INSERT OR REPLACE INTO sequence VALUES (?, ?)", (name, value))
        return value

    def meta(self, key: str) -> str:
        """A value of the stand-in's own, empty when there is none."""
        return str(self.value("SELECT value FROM meta WHERE key = ?", key) or "")

    def set_meta(self, key: str, value: str) -> None:
        """Remember a value of the stand-in's own."""
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
