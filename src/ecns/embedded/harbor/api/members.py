"""Members of a project."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor.answers import Answer, created, done, json_of
from ecns.embedded.harbor.api.projects import found
from ecns.embedded.harbor.errors import bad_request, conflict, not_found, unknown
from ecns.embedded.harbor.query import Listing, listed
from ecns.embedded.harbor.requests import Shape
from ecns.embedded.harbor.rights import ROLES

if TYPE_CHECKING:
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row

_BODY = Shape(
    "ProjectMember",
    {
        "role_id": int,
        "member_user": Shape("UserEntity", {"username": str, "user_id": int}),
        "member_group": dict,
    },
)
_ROLE = Shape("RoleRequest", {"role_id": int})
_TABLE = "member JOIN account ON account.id = user_id"
_KNOWN = f"role_id IN ({','.join(map(str, ROLES))})"


def _shown(row: Row) -> dict[str, Any]:
    return {
        "entity_id": row["user_id"],
        "entity_name": row["username"],
        "entity_type": "u",
        "id": row["id"],
        "project_id": row["project_id"],
        "role_id": row["role_id"],
        "role_name": ROLES[row["role_id"]],
    }


async def list_all(call: Call) -> Answer:
    """GET /projects/{project}/members; the total counts all of them, whatever name is asked for."""
    project = found(call, "member", "list")
    store = call.harbor.store
    everyone = Listing(_TABLE, {}, "account.username ASC")
    everyone.where(f"project_id = ? AND {_KNOWN}", project["id"])
    _, total = everyone.page(store, call, "member.id")
    if call.text("entityname"):
        everyone.where("instr(account.username, ?)", call.text("entityname"))
    rows, _ = everyone.page(store, call, "member.*, account.username")
    return listed(call, [_shown(row) for row in rows], total)


async def create(call: Call) -> Answer:
    """POST /projects/{project}/members."""
    body = await call.body("projectMember", _BODY)
    project = found(call, "member", "create")
    store = call.harbor.store
    user = body.get("member_user") or {}
    if not user.get("username") and not user.get("user_id"):
        raise unknown()
    if user.get("user_id"):
        row = store.one("SELECT * FROM account WHERE id = ?", user["user_id"])
        named = str(user["user_id"])
    else:
        row = store.one("SELECT * FROM account WHERE username = ?", user["username"])
        named = user["username"]
    if row is None:
        raise not_found(f"user {named} is not found")
    if store.one("SELECT 1 FROM member WHERE project_id = ? AND user_id = ?", project["id"], row["id"]):
        raise conflict("The project member specified already exist")
    role = body.get("role_id", 0)
    if role not in ROLES:
        raise bad_request("Failed to update project member, role is not in 1,2,3")
    identity = store.next_id("member")
    store.run("INSERT INTO member VALUES (?, ?, ?, ?)", identity, project["id"], row["id"], role)
    return created(f"{call.shown_path.rstrip('/')}/{identity}")


async def show(call: Call) -> Answer:
    """GET /projects/{project}/members/{id}."""
    project = found(call, "member", "read")
    identity = call.number_in_path("mid")
    row = call.harbor.store.one(
        f"SELECT member.*, username FROM {_TABLE} WHERE member.id = ? AND project_id = ? AND {_KNOWN}",  # noqa: S608
        identity,
        project["id"],
    )
    if row is None:
        raise not_found(f"the project member is not found, project id {project['id']}, member id {identity}")
    return json_of(_shown(row))


async def update(call: Call) -> Answer:
    """PUT /projects/{project}/members/{id}: any role is taken; one that there is not hides the member."""
    identity = call.number_in_path("mid")
    body = await call.body("role", _ROLE)
    project = found(call, "member", "update")
    call.harbor.store.run(
        "UPDATE member SET role_id = ? WHERE id = ? AND project_id = ?",
        body.get("role_id", 0),
        identity,
        project["id"],
    )
    return done(HTTPStatus.OK)


async def delete(call: Call) -> Answer:
    """DELETE /projects/{project}/members/{id}."""
    identity = call.number_in_path("mid")
    project = found(call, "member", "delete")
    call.harbor.store.run("DELETE FROM member WHERE id = ? AND project_id = ?", identity, project["id"])
    return done()
