"""Labels, of everybody or of a project; `marks.py` puts them on artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import clock
from ecns.embedded.harbor.answers import Answer, created, done, json_of
from ecns.embedded.harbor.errors import (
    bad_request,
    conflict,
    forbidden,
    not_found,
    unauthorized,
)
from ecns.embedded.harbor.query import Column, Listing, keywords, listed
from ecns.embedded.harbor.requests import Shape

if TYPE_CHECKING:
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row, Store

BODY = Shape(
    "Label",
    {
        "id": int,
        "name": str,
        "description": str,
        "color": str,
        "scope": str,
        "project_id": int,
        "creation_time": str,
        "update_time": str,
    },
)
_COLUMNS = {
    "id": Column("label.id", "int"),
    "name": Column("label.name"),
    "scope": Column("label.scope"),
    "project_id": Column("label.project_id", "int"),
    "creation_time": Column("label.created", "time"),
}
GLOBAL, OF_PROJECT = "g", "p"


def _shown(row: Row) -> dict[str, Any]:
    shown = {
        "color": row["color"],
        "creation_time": clock.text(row["created"]),
        "description": row["description"],
        "id": row["id"],
        "name": row["name"],
        "scope": row["scope"],
        "update_time": clock.text(row["updated"]),
    }
    if row["project_id"]:
        shown["project_id"] = row["project_id"]
    return {key: value for key, value in shown.items() if value != ""}


def labels_of(store: Store, artifact_id: int) -> list[dict[str, Any]]:
    """The labels of an artifact, as the API shows them."""
    rows = store.all(
        "SELECT label.* FROM label_artifact JOIN label ON label.id = label_id WHERE artifact_id = ?"
        " ORDER BY label.id",
        artifact_id,
    )
    return [_shown(row) for row in rows]


def _require(call: Call, scope: str, project_id: int, action: str) -> None:
    if scope == GLOBAL:
        if not call.caller.authenticated:
            raise unauthorized()
        if action in {"read", "list"} or call.caller.can_system("label", action):
            return
        raise forbidden(call.caller.name)
    call.require("label", action, reference=str(project_id))


def _found(call: Call, action: str) -> Row:
    identity = call.number_in_path("label_id")
    row = call.harbor.store.one("SELECT * FROM label WHERE id = ?", identity)
    if row is None:
        if not call.caller.authenticated:
            raise unauthorized()
        raise not_found(f"label {identity} not found")
    _require(call, row["scope"], row["project_id"], action)
    return row


async def list_all(call: Call) -> Answer:
    """GET /labels: `scope=g`, or `scope=p` with `project_id`."""
    scope = call.text("scope")
    if scope not in {GLOBAL, OF_PROJECT}:
        raise bad_request(f"invalid scope: {scope}")
    project_id = call.integer("project_id", 0) if scope == OF_PROJECT else 0
    if scope == OF_PROJECT and not project_id:
        raise bad_request("must with project ID when to query project labels")
    _require(call, scope, project_id, "list")
    listing = Listing("label", _COLUMNS, "label.id ASC")
    listing.where("label.scope = ? AND label.project_id = ?", scope, project_id)
    if call.text("name"):
        listing.where("instr(lower(label.name), lower(?))", call.text("name"))
    listing.narrow(keywords(call.text("q")))
    rows, total = listing.page(call.harbor.store, call, "label.*")
    return listed(call, [_shown(row) for row in rows], total)


async def create(call: Call) -> Answer:
    """POST /labels."""
    body = await call.body("label", BODY)
    scope = body.get("scope", "")
    name = body.get("name", "")
    if not name:
        raise bad_request("name can not be empty")
    if scope not in {GLOBAL, OF_PROJECT}:
        raise bad_request(f"invalid scope: {scope}")
    project_id = body.get("project_id", 0) if scope == OF_PROJECT else 0
    if scope == OF_PROJECT and not project_id:
        raise bad_request(f"invalid project ID: {project_id}")
    _require(call, scope, project_id, "create")
    store, now = call.harbor.store, clock.now()
    identity = store.next_id("label")
    if scope == OF_PROJECT and not store.one("SELECT 1 FROM project WHERE id = ?", project_id):
        raise not_found(f"project {project_id} not found")
    if store.one(
        "SELECT 1 FROM label WHERE name = ? AND scope = ? AND project_id = ?", name, scope, project_id
    ):
        raise conflict(f"label {name} already exists")
    store.run(
        "INSERT INTO label VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        identity,
        name,
        body.get("description", ""),
        body.get("color", ""),
        scope,
        project_id,
        now,
        now,
    )
    return created(f"{call.shown_path.rstrip('/')}/{identity}")


async def show(call: Call) -> Answer:
    """GET /labels/{id}."""
    return json_of(_shown(_found(call, "read")))


async def update(call: Call) -> Answer:
    """PUT /labels/{id}."""
    body = await call.body("label", BODY)
    row = _found(call, "update")
    name = body.get("name", row["name"])
    store = call.harbor.store
    if store.one(
        "SELECT 1 FROM label WHERE name = ? AND scope = ? AND project_id = ? AND id != ?",
        name,
        row["scope"],
        row["project_id"],
        row["id"],
    ):
        raise conflict(f"label {name} already exists")
    store.run(
        "UPDATE label SET name = ?, description = ?, color = ?, updated = ? WHERE id = ?",
        name,
        body.get("description", ""),
        body.get("color", ""),
        clock.now(),
        row["id"],
    )
    return done()


async def delete(call: Call) -> Answer:
    """DELETE /labels/{id}, from everything that carries it too."""
    row = _found(call, "delete")
    call.harbor.store.run("DELETE FROM label WHERE id = ?", row["id"])
    return done()
