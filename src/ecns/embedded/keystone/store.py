"""What the stand-in remembers: one SQLite file, written through at once.

Domains, projects, users and the like are JSON documents by kind and id; a name is unique for its owner (the
domain, or the user of an application credential).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

Body = dict[str, Any]
Assignment = tuple[str, str, str, str, str]
"""Actor's kind and id, target's kind and id, role's id."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS resource (
    kind TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL, name TEXT, body TEXT NOT NULL,
    PRIMARY KEY (kind, id));
CREATE UNIQUE INDEX IF NOT EXISTS resource_name ON resource (kind, owner, name);
CREATE TABLE IF NOT EXISTS assignment (
    actor_kind TEXT NOT NULL, actor TEXT NOT NULL, target_kind TEXT NOT NULL, target TEXT NOT NULL,
    role TEXT NOT NULL, PRIMARY KEY (actor, target, role));
CREATE TABLE IF NOT EXISTS membership (
    group_id TEXT NOT NULL, user_id TEXT NOT NULL, PRIMARY KEY (group_id, user_id));
CREATE TABLE IF NOT EXISTS secret (id TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS token (
    digest TEXT PRIMARY KEY, user_id TEXT NOT NULL, expires REAL NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

SCRYPT = {"n": 2**10, "r": 8, "p": 1, "maxmem": 2**22}
"""Cheap (3 ms): it guards a stand-in's random passwords on this very machine, and tests log in a lot."""

UNNAMED = ("endpoints", "regions", "trusts")
FREELY_NAMED = ("services",)


class DuplicateError(Exception):
    """The name is taken."""


class Store:
    """The stand-in's data; one process has it open."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last moment, never the file
        self.db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def get(self, kind: str, identity: str) -> Body | None:
        """A document, or None."""
        row = self.db.execute(
            "SELECT body FROM resource WHERE kind = ? AND id = ?", (kind, identity)
        ).fetchone()
        return _loaded(row[0]) if row else None

    def named(self, kind: str, name: str, owner: str = "") -> Body | None:
        """The document that has a name, or None."""
        row = self.db.execute(
            "SELECT body FROM resource WHERE kind = ? AND owner = ? AND name = ?", (kind, owner, name)
        ).fetchone()
        return _loaded(row[0]) if row else None

    def all(self, kind: str) -> list[Body]:
        """Every document of a kind, in the order of their making."""
        rows = self.db.execute("SELECT body FROM resource WHERE kind = ? ORDER BY rowid", (kind,))
        return [_loaded(row[0]) for row in rows]

    def put(self, kind: str, body: Body) -> None:
        """Make or replace a document.

        Raises:
            DuplicateError: another one has its name.
        """
        name = None if kind in UNNAMED or kind in FREELY_NAMED else body.get("name")
        owner = body["user_id"] if kind == "application_credentials" else body.get("domain_id") or ""
        try:
            self.db.execute(
                "INSERT INTO resource VALUES (:kind, :id, :owner, :name, :body) ON CONFLICT (kind, id) "
                "DO UPDATE SET owner = :owner, name = :name, body = :body",
                {"kind": kind, "id": body["id"], "owner": owner, "name": name, "body": json.dumps(body)},
            )
        except sqlite3.IntegrityError as error:
            raise DuplicateError from error

    def delete(self, kind: str, identity: str) -> None:
        """Remove a document and everything that refers to it."""
        with self.db:
            self.db.execute("BEGIN")
            self.db.execute("DELETE FROM resource WHERE kind = ? AND id = ?", (kind, identity))
            self.db.execute(
                "DELETE FROM assignment WHERE actor = :id OR target = :id OR role = :id", {"id": identity}
            )
            self.db.execute("DELETE FROM membership WHERE group_id = :id OR user_id = :id", {"id": identity})
            self.db.execute("DELETE FROM secret WHERE id = ?", (identity,))
            self.db.execute("DELETE FROM token WHERE user_id = ?", (identity,))

    def set_secret(self, identity: str, secret: str) -> None:
        """Remember the hash of a password or of an application credential's secret."""
        salt = os.urandom(16)
        hashed = hashlib.scrypt(secret.encode(), salt=salt, **SCRYPT)
        self.db.execute("INSERT OR REPLACE INTO secret VALUES (?, ?, ?)", (identity, salt, hashed))

    def matches_secret(self, identity: str, secret: str) -> bool:
        """Whether a secret is the one; an unknown identity takes as long."""
        row = self.db.execute("SELECT salt, hash FROM secret WHERE id = ?", (identity,)).fetchone()
        salt, wanted = row or (b"none", b"")
        return hmac.compare_digest(hashlib.scrypt(secret.encode(), salt=salt, **SCRYPT), wanted)

    def assign(self, actor_kind: str, actor: str, target_kind: str, target: str, role: str) -> None:
        """Give a user or group a role on a project, a domain or the system."""
        self.db.execute(
            "INSERT OR IGNORE INTO assignment VALUES (?, ?, ?, ?, ?)",
            (actor_kind, actor, target_kind, target, role),
        )

    def unassign(self, actor: str, target: str, role: str) -> bool:
        """Take a role away; False when it was not there."""
        done = self.db.execute(
            "DELETE FROM assignment WHERE actor = ? AND target = ? AND role = ?", (actor, target, role)
        )
        return done.rowcount > 0

    def assignments(self) -> list[Assignment]:
        """All assignments."""
        return self.db.execute("SELECT * FROM assignment ORDER BY rowid").fetchall()

    def roles(self, user_id: str, target: str) -> list[str]:
        """Ids of the roles that a user has on a target, by themselves or by a group."""
        rows = self.db.execute(
            "SELECT DISTINCT role FROM assignment WHERE target = ? AND (actor = ? OR actor IN "
            "(SELECT group_id FROM membership WHERE user_id = ?))",
            (target, user_id, user_id),
        )
        return [row[0] for row in rows]

    def targets(self, user_id: str, target_kind: str) -> list[str]:
        """Ids of the projects or domains that a user has a role on."""
        rows = self.db.execute(
            "SELECT DISTINCT target FROM assignment WHERE target_kind = ? AND (actor = ? OR actor IN "
            "(SELECT group_id FROM membership WHERE user_id = ?))",
            (target_kind, user_id, user_id),
        )
        return [row[0] for row in rows]

    def members(self, group_id: str) -> list[str]:
        """Ids of a group's users."""
        rows = self.db.execute("SELECT user_id FROM membership WHERE group_id = ?", (group_id,))
        return [row[0] for row in rows]

    def groups(self, user_id: str) -> list[str]:
        """Ids of a user's groups."""
        rows = self.db.execute("SELECT group_id FROM membership WHERE user_id = ?", (user_id,))
        return [row[0] for row in rows]

    def join(self, group_id: str, user_id: str) -> None:
        """Put a user into a group."""
        self.db.execute("INSERT OR IGNORE INTO membership VALUES (?, ?)", (group_id, user_id))

    def leave(self, group_id: str, user_id: str) -> bool:
        """Take a user out of a group; False when they were not in it."""
        done = self.db.execute(
            "DELETE FROM membership WHERE group_id = ? AND user_id = ?", (group_id, user_id)
        )
        return done.rowcount > 0

    def meta(self, key: str) -> str:
        """A value of the stand-in's own, empty when there is none."""
        row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else ""

    def set_meta(self, key: str, value: str) -> None:
        """Remember a value of the stand-in's own."""
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _loaded(text: str) -> Body:
    body: Body = json.loads(text)
    return body
