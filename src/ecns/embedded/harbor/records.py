"""The log of a project: who made, pulled and deleted what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.harbor import clock

if TYPE_CHECKING:
    from ecns.embedded.harbor.store import Store

KEPT = 10_000
"""Records that are kept; older ones go."""


def add(store: Store, project_id: int, operation: str, kind: str, resource: str, *, by: str) -> None:
    """Write down what was done."""
    identity = store.next_id("record")
    store.run(
        "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)",
        identity,
        project_id,
        operation,
        resource,
        kind,
        by or "anonymous",
        clock.now(),
    )
    store.run("DELETE FROM record WHERE id <= ?", identity - KEPT)
