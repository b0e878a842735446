"""How much a project uses, and whether it may use more.

A project uses the size of every blob and manifest that was put into it, each counted once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.harbor import clock
from ecns.embedded.harbor.errors import bad_request, denied

if TYPE_CHECKING:
    from ecns.embedded.harbor.store import Store

UNLIMITED = -1
MOST = 1 << 50
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def used(store: Store, project_id: int) -> int:
    """The bytes that a project uses."""
    return int(
        store.value(
            "SELECT coalesce(sum(blob.size), 0) FROM used JOIN blob USING (digest) WHERE project_id = ?",
            project_id,
        )
    )


def limit(store: Store, project_id: int) -> int:
    """The bytes that a project may use; -1 is no limit."""
    found = store.value("SELECT storage FROM quota WHERE project_id = ?", project_id)
    return UNLIMITED if found is None else int(found)


def has(store: Store, project_id: int, digest: str) -> bool:
    """Whether a blob counts in a project already."""
    return (
        store.value("SELECT 1 FROM used WHERE project_id = ? AND digest = ?", project_id, digest) is not None
    )


def add(store: Store, project_id: int, digest: str) -> None:
    """Count a blob in a project."""
    if store.run("INSERT OR IGNORE INTO used VALUES (?, ?)", project_id, digest):
        changed = 0 if limit(store, project_id) != UNLIMITED else clock.now() // 1000 * 1000
        store.run("UPDATE quota SET updated = ? WHERE project_id = ?", changed, project_id)


def check(store: Store, project_id: int, more: int) -> None:
    """Make sure that a project may use more bytes.

    Raises:
        ProblemError: 403 DENIED, it may not.
    """
    hard = limit(store, project_id)
    if hard == UNLIMITED:
        return
    current = used(store, project_id)
    if current + more > hard:
        verb = "adding" if more > 0 else "subtracting"
        raise denied(
            f"{verb} {shown(more)} of storage resource, which when updated to current usage of"
            f" {shown(current)} will exceed the configured upper limit of {shown(hard)}."
        )


def checked_limit(value: int) -> int:
    """A limit that may be set.

    Raises:
        ProblemError: 400, it is neither -1 nor a number of bytes.
    """
    if value == 0 or value < UNLIMITED:
        raise bad_request(f"invalid non-positive value for quota limit, value={value}")
    if value > MOST:
        raise bad_request(f"1024 TB is the maximum value of the storage quota limit, value={value}")
    return value


def shown(size: int) -> str:
    """A size as a person reads it: `8.1 KiB`."""
    if size < 1024:  # noqa: PLR2004  the unit itself
        return f"{size} B"
    value, unit = size / 1024, 0
    while value >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004  as above
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {_UNITS[unit]}"
