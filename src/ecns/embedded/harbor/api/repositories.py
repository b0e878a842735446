"""Repositories: listed, shown, described, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from ecns.embedded.harbor import clock
from ecns.embedded.harbor.answers import Answer, done, json_of
from ecns.embedded.harbor.errors import not_found
from ecns.embedded.harbor.query import Column, Listing, keywords, listed
from ecns.embedded.harbor.requests import Shape

if TYPE_CHECKING:
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row

_BODY = Shape(
    "Repository",
    {
        "id": int,
        "project_id": int,
        "name": str,
        "description": str,
        "artifact_count": int,
        "pull_count": int,
        "creation_time": str,
        "update_time": str,
    },
)
COLUMNS = {
    "repository_id": Column("repository.id", "int"),
    "id": Column("repository.id", "int"),
    "name": Column("repository.name"),
    "project_id": Column("repository.project_id", "int"),
    "description": Column("repository.description"),
    "pull_count": Column("repository.pull_count", "int"),
    "creation_time": Column("repository.created", "time"),
    "update_time": Column("repository.updated", "time"),
}
COUNTED = (
    "repository.*, (SELECT count(*) FROM artifact WHERE repository_id = repository.id AND NOT EXISTS"
    " (SELECT 1 FROM child WHERE child_id = artifact.id)) AS artifact_count"
)
"""A repository with the number of its artifacts, children of indexes not among them."""


def name_of(call: Call) -> str:
    """The full name of the repository that a path names, whose slashes are encoded once or twice."""
    return f"{call.names['project_name_or_id']}/{unquoted(call.names['repository_name'])}"


def unquoted(text: str) -> str:
    """A text decoded once more, if it can be."""
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        return text


def found(call: Call, resource: str, action: str) -> Row:
    """The repository that the path names, of a caller who may.

    Raises:
        ProblemError: 401 or 403, they may not; 404, there is none.
    """
    call.require(resource, action, by_name=True)
    return call.harbor.artifacts.repository(name_of(call))


def _shown(row: Row) -> dict[str, Any]:
    shown = {"artifact_count": row["artifact_count"], "creation_time": clock.text(row["created"])}
    if row["description"]:
        shown["description"] = row["description"]
    return {
        **shown,
        "id": row["id"],
        "name": row["name"],
        "project_id": row["project_id"],
        "pull_count": row["pull_count"],
        "update_time": clock.text(row["updated"]),
    }


def _listed(call: Call, listing: Listing) -> Answer:
    listing.narrow(keywords(call.text("q")))
    rows, total = listing.page(call.harbor.store, call, COUNTED)
    return listed(call, [_shown(row) for row in rows], total)


def _listing() -> Listing:
    return Listing("repository", COLUMNS, "repository.created DESC, repository.id DESC")


async def list_all(call: Call) -> Answer:
    """GET /repositories: of all projects that the caller may see."""
    listing = _listing()
    if not call.caller.admin:
        own, values = call.caller.own_projects()
        listing.where(
            "project_id IN (SELECT project.id FROM project WHERE EXISTS (SELECT 1 FROM metadata"  # noqa: S608
            f" WHERE metadata.project_id = project.id AND key = 'public' AND value = 'true') OR {own})",
            *values,
        )
    return _listed(call, listing)


async def list_in_project(call: Call) -> Answer:
    """GET /projects/{project}/repositories; what names the project is always its name."""
    project = call.require("repository", "list", by_name=True)
    if project is None:
        raise not_found(f"project {call.names['project_name_or_id']} not found")
    listing = _listing()
    listing.where("repository.project_id = ?", project["id"])
    return _listed(call, listing)


async def show(call: Call) -> Answer:
    """GET /projects/{project}/repositories/{repository}: public or not, of members alone."""
    row = found(call, "repository", "read")
    counted = call.harbor.store.one(f"SELECT {COUNTED} FROM repository WHERE id = ?", row["id"])  # noqa: S608
    assert counted is not None, "it was there a moment ago"  # noqa: S101  a fault of ours
    return json_of(_shown(counted))


async def update(call: Call) -> Answer:
    """PUT /projects/{project}/repositories/{repository}: its description, which is emptied when left out."""
    body = await call.body("repository", _BODY)
    row = found(call, "repository", "update")
    call.harbor.store.run(
        "UPDATE repository SET description = ?, updated = ? WHERE id = ?",
        body.get("description", ""),
        clock.now(),
        row["id"],
    )
    return done()


async def delete(call: Call) -> Answer:
    """DELETE /projects/{project}/repositories/{repository}, with everything in it."""
    row = found(call, "repository", "delete")
    call.harbor.artifacts.delete_repository(row, call.caller.name)
    return done()
