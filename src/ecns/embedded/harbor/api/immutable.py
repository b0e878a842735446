"""Rules for immutable tags of a project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor.answers import Answer, created, done
from ecns.embedded.harbor.api.projects import found
from ecns.embedded.harbor.errors import bad_request, conflict, not_found
from ecns.embedded.harbor.query import listed
from ecns.embedded.harbor.requests import Shape

if TYPE_CHECKING:
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row

_SELECTOR = Shape("ImmutableSelector", {"kind": str, "decoration": str, "pattern": str, "extras": str})
_BODY = Shape(
    "ImmutableRule",
    {
        "id": int,
        "disabled": bool,
        "priority": int,
        "action": str,
        "template": str,
        "params": dict,
        "tag_selectors": [_SELECTOR],
        "scope_selectors": dict,
    },
)


def _checked(body: dict[str, Any]) -> str:
    """The rule as it is kept."""
    scopes = body.get("scope_selectors") or {}
    selectors = scopes.get("repository") if isinstance(scopes, dict) else None
    if not isinstance(selectors, list) or not all(isinstance(item, dict) for item in selectors):
        raise bad_request("scope_selectors needs a list of selectors of repositories")
    if not body.get("tag_selectors"):
        raise bad_request("tag_selectors is needed")
    return json.dumps({key: value for key, value in body.items() if key != "id"})


def _shown(row: Row) -> dict[str, Any]:
    return {"id": row["id"], **json.loads(row["body"])}


async def list_all(call: Call) -> Answer:
    """GET /projects/{project}/immutabletagrules."""
    project = found(call, "immutable-tag", "list")
    rows = call.harbor.store.all("SELECT * FROM rule WHERE project_id = ? ORDER BY id", project["id"])
    return listed(call, [_shown(row) for row in rows], len(rows))


async def create(call: Call) -> Answer:
    """POST /projects/{project}/immutabletagrules."""
    body = await call.body("immutableRule", _BODY)
    project = found(call, "immutable-tag", "create")
    kept, store = _checked(body), call.harbor.store
    if store.one("SELECT 1 FROM rule WHERE project_id = ? AND body = ?", project["id"], kept):
        raise conflict("the immutable rule already exists")
    identity = store.next_id("rule")
    store.run("INSERT INTO rule VALUES (?, ?, ?)", identity, project["id"], kept)
    return created(f"{call.shown_path.rstrip('/')}/{identity}")


async def update(call: Call) -> Answer:
    """PUT /projects/{project}/immutabletagrules/{id}."""
    identity = call.number_in_path("immutable_rule_id")
    body = await call.body("immutableRule", _BODY)
    project = found(call, "immutable-tag", "update")
    if not call.harbor.store.run(
        "UPDATE rule SET body = ? WHERE id = ? AND project_id = ?", _checked(body), identity, project["id"]
    ):
        raise not_found(f"immutable tag rule {identity} not found")
    return done()


async def delete(call: Call) -> Answer:
    """DELETE /projects/{project}/immutabletagrules/{id}."""
    identity = call.number_in_path("immutable_rule_id")
    project = found(call, "immutable-tag", "delete")
    if not call.harbor.store.run("DELETE FROM rule WHERE id = ? AND project_id = ?", identity, project["id"]):
        raise not_found(f"immutable tag rule {identity} not found")
    return done()
