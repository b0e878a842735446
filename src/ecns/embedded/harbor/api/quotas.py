"""Storage limits of projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import clock, quotas
from ecns.embedded.harbor.answers import Answer, done, json_of
from ecns.embedded.harbor.errors import bad_request, not_found
from ecns.embedded.harbor.query import Column, Listing, listed
from ecns.embedded.harbor.requests import Shape

if TYPE_CHECKING:
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row

_BODY = Shape("QuotaUpdateReq", {"hard": dict})
_TABLE = "quota JOIN project ON project.id = quota.project_id LEFT JOIN account ON account.id = owner_id"
_SELECTED = "quota.*, project.name, owner_id, account.username"
_COLUMNS = {
    "id": Column("quota.id", "int"),
    "creation_time": Column("quota.created", "time"),
    "update_time": Column("quota.updated", "time"),
}
_ADMIN_ID = 1


def _shown(call: Call, row: Row) -> dict[str, Any]:
    # the name of an owner that is the first administrator is left empty, as recorded
    owner = "" if row["owner_id"] == _ADMIN_ID else row["username"] or ""
    return {
        "creation_time": clock.text(row["created"]),
        "hard": {"storage": row["storage"]},
        "id": row["id"],
        "ref": {"id": row["project_id"], "name": row["name"], "owner_name": owner},
        "update_time": clock.text(row["updated"]),
        "used": {"storage": quotas.used(call.harbor.store, row["project_id"])},
    }


async def list_all(call: Call) -> Answer:
    """GET /quotas."""
    call.require_system("quota", "list")
    listing = Listing(_TABLE, _COLUMNS, "quota.created DESC, quota.id DESC")
    if call.text("reference") not in {"", "project"}:
        listing.where("0")
    if call.text("reference_id"):
        listing.where("CAST(quota.project_id AS TEXT) = ?", call.text("reference_id"))
    rows, total = listing.page(call.harbor.store, call, _SELECTED)
    return listed(call, [_shown(call, row) for row in rows], total)


def _found(call: Call) -> Row:
    identity = call.number_in_path("id")
    row = call.harbor.store.one(f"SELECT {_SELECTED} FROM {_TABLE} WHERE quota.id = ?", identity)  # noqa: S608
    if row is None:
        raise not_found(f"quota {identity} not found")
    return row


async def show(call: Call) -> Answer:
    """GET /quotas/{id}."""
    call.require_system("quota", "read")
    return json_of(_shown(call, _found(call)))


async def update(call: Call) -> Answer:
    """PUT /quotas/{id}: a limit, also one below what is used."""
    body = await call.body("hard", _BODY)
    call.require_system("quota", "update")
    row = _found(call)
    hard = body.get("hard")
    if not hard:
        raise bad_request("hard required in body")
    for resource in hard:
        if resource != "storage":
            raise bad_request(f"resource {resource} not support")
    value = hard["storage"]
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_request("the storage limit is no number")
    call.harbor.store.run("UPDATE quota SET storage = ? WHERE id = ?", quotas.checked_limit(value), row["id"])
    return done()
