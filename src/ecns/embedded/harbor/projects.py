"""Making projects; everything else of them is in `api/projects.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.harbor import clock, rights
from ecns.embedded.harbor.errors import conflict

if TYPE_CHECKING:
    from ecns.embedded.harbor.store import Store


def create_project(
    store: Store, name: str, owner_id: int, metadata: dict[str, str], storage_limit: int
) -> int:
    """Make a project of which its owner is the administrator; its id.

    Raises:
        ProblemError: 409, there is one of this name.
    """
    identity = store.next_id("project")
    if store.one("SELECT 1 FROM project WHERE name = ?", name):
        raise conflict(f"The project named {name} already exists")
    now = clock.now()
    with store.transaction():
        store.run(
            "INSERT INTO project VALUES (?, ?, ?, ?, ?, ?)",
            identity,
            name,
            owner_id,
            store.next_id("allowlist"),
            now,
            now,
        )
        for key, value in metadata.items():
            store.run("INSERT INTO metadata VALUES (?, ?, ?)", identity, key, value)
        store.run(
            "INSERT INTO member VALUES (?, ?, ?, ?)",
            store.next_id("member"),
            identity,
            owner_id,
            rights.ADMIN,
        )
        store.run(
            "INSERT INTO quota VALUES (?, ?, ?, ?, ?)",
            store.next_id("quota"),
            identity,
            storage_limit,
            now,
            now,
        )
    return identity
