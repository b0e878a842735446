"""Robot accounts, of a project or of the system."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import accounts, clock
from ecns.embedded.harbor.accounts import ROBOT
from ecns.embedded.harbor.answers import Answer, done, json_of
from ecns.embedded.harbor.errors import bad_request, conflict, forbidden, not_found, unauthorized
from ecns.embedded.harbor.names import PROJECT
from ecns.embedded.harbor.query import Column, Listing, keywords, listed
from ecns.embedded.harbor.requests import Shape

if TYPE_CHECKING:
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row

DAY = 86400
DEFAULT_DAYS = 30
FOREVER = -1
_ACCESS = Shape("Access", {"resource": str, "action": str, "effect": str})
_PERMISSION = Shape("RobotPermission", {"kind": str, "namespace": str, "access": [_ACCESS]})
_FIELDS: dict[str, Any] = {
    "name": str,
    "level": str,
    "duration": int,
    "description": str,
    "disable": bool,
    "secret": str,
    "permissions": [_PERMISSION],
}
_CREATE = Shape("RobotCreate", _FIELDS)
_UPDATE = Shape(
    "Robot",
    {**_FIELDS, "id": int, "expires_at": int, "editable": bool, "creation_time": str, "update_time": str},
)
_SECRET = Shape("RobotSec", {"secret": str})
_COLUMNS = {
    "id": Column("robot.id", "int"),
    "name": Column("robot.name"),
    "description": Column("robot.description"),
    "disabled": Column("robot.disabled", "bool"),
    "creation_time": Column("robot.created", "time"),
}


def _shown(row: Row) -> dict[str, Any]:
    permissions = [
        {
            "access": [dict(sorted(access.items())) for access in permission["access"]],
            "kind": permission["kind"],
            "namespace": permission["namespace"],
        }
        for permission in json.loads(row["permissions"])
    ]
    shown: dict[str, Any] = {"creation_time": clock.text(row["created"])}
    if row["description"]:
        shown["description"] = row["description"]
    return {
        **shown,
        "disable": bool(row["disabled"]),
        "duration": row["duration"],
        "editable": True,
        "expires_at": row["expires"],
        "id": row["id"],
        "level": row["level"],
        "name": row["name"],
        "permissions": permissions,
        "update_time": clock.text(row["updated"]),
    }


def _require(call: Call, project_id: int | None, action: str) -> None:
    """Only who may with a robot of the project, or of the system."""
    if project_id is None:
        call.require_system("robot", action)
        return
    project = call.harbor.store.one("SELECT * FROM project WHERE id = ?", project_id)
    if not call.caller.can(project, "robot", action):
        raise forbidden() if call.caller.authenticated else unauthorized()


def _found(call: Call, action: str) -> Row:
    identity = call.number_in_path("robot_id")
    row = call.harbor.store.one("SELECT * FROM robot WHERE id = ?", identity)
    if row is None:
        if not call.caller.authenticated:
            raise unauthorized()
        raise not_found(f"robot {identity} not found")
    _require(call, row["project_id"], action)
    return row


def _permissions(body: dict[str, Any], level: str) -> list[dict[str, Any]]:
    permissions = body.get("permissions") or []
    if not permissions:
        raise bad_request("bad request empty permission")
    for permission in permissions:
        if not permission.get("access"):
            raise bad_request("bad request empty access")
        if permission.get("kind") not in {"project", "system"} or (
            level == "project" and permission["kind"] != "project"
        ):
            raise bad_request(f"bad request error kind input: {permission.get('kind', '')}")
    if level == "project" and len(permissions) > 1:
        raise bad_request("bad request permission")
    return [
        {
            "kind": permission["kind"],
            "namespace": permission.get("namespace", ""),
            "access": [
                {key: value for key, value in access.items() if value} for access in permission["access"]
            ],
        }
        for permission in permissions
    ]


def _expires(duration: int, created: int) -> int:
    return FOREVER if duration == FOREVER else created // 1000 + duration * DAY


async def create(call: Call) -> Answer:
    """POST /robots: the secret is shown this once."""
    body = await call.body("robot", _CREATE)
    store = call.harbor.store
    level = body.get("level", "")
    name, days = body.get("name", ""), body.get("duration", 0)
    if not PROJECT.fullmatch(name) or len(name) > 255:  # noqa: PLR2004  of Harbor's column
        raise bad_request("robot name is not in lower case or contains illegal characters")
    if level not in {"project", "system"}:
        raise bad_request(f"bad request error level input: {level}")
    permissions = _permissions(body, level)
    if days < FOREVER:
        raise bad_request(f"bad request error duration input: {days}")
    for permission in permissions:
        if permission["kind"] != "project" or (permission["namespace"] == "*" and level == "system"):
            continue
        if not store.one("SELECT 1 FROM project WHERE name = ?", permission["namespace"]):
            if not call.caller.authenticated:
                raise unauthorized()
            raise not_found(f"project {permission['namespace']} not found")
    project: Row | None = None
    if level == "project":
        project = store.one("SELECT * FROM project WHERE name = ?", permissions[0]["namespace"])
    _require(call, project["id"] if project else None, "create")
    full = f"{ROBOT}{project['name']}+{name}" if project else f"{ROBOT}{name}"
    identity = store.next_id("robot")
    if store.one("SELECT 1 FROM robot WHERE name = ?", full):
        shown = f"{project['id']}:{full.removeprefix(ROBOT)}" if project else f"0:{name}"
        raise conflict(f"robot account {shown} already exists")
    secret, now = accounts.new_secret(), clock.now()
    salt, digest = accounts.hashed(secret)
    days = days or DEFAULT_DAYS
    expires = _expires(days, now)
    store.run(
        "INSERT INTO robot VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        identity,
        full,
        level,
        project["id"] if project else None,
        body.get("description", ""),
        days,
        expires,
        bool(body.get("disable")),
        json.dumps(permissions),
        salt,
        digest,
        now,
        now,
    )
    made = {
        "creation_time": clock.text(now),
        "expires_at": expires,
        "id": identity,
        "name": full,
        "secret": secret,
    }
    return json_of(made, HTTPStatus.CREATED, {"Location": f"{call.shown_path.rstrip('/')}/{identity}"})


async def list_all(call: Call) -> Answer:
    """GET /robots: those of the system, or of a project: `q=Level=project,ProjectID=2`."""
    asked = keywords(call.text("q"))
    level = asked.pop("Level", asked.pop("level", "system"))
    project_id = asked.pop("ProjectID", asked.pop("project_id", None))
    if level == "project":
        if not isinstance(project_id, str) or not re.fullmatch(r"[0-9]{1,18}", project_id):
            raise bad_request("must with project ID when to query project robots")
        return _listed(call, int(project_id), asked)
    if level != "system":
        raise bad_request(f"bad request error level input: {level}")
    return _listed(call, None, asked)


async def list_in_project(call: Call) -> Answer:
    """GET /projects/{project}/robots: the older path."""
    project = call.require("robot", "list")
    if project is None:
        raise not_found(f"project {call.names['project_name_or_id']} not found")
    return _listed(call, project["id"], keywords(call.text("q")))


def _listed(call: Call, project_id: int | None, asked: dict[str, Any]) -> Answer:
    _require(call, project_id, "list")
    listing = Listing("robot", _COLUMNS, "robot.name ASC")
    if project_id is None:
        listing.where("robot.project_id IS NULL")
    else:
        listing.where("robot.project_id = ?", project_id)
    listing.narrow(asked)
    rows, total = listing.page(call.harbor.store, call, "robot.*")
    return listed(call, [_shown(row) for row in rows], total)


async def show(call: Call) -> Answer:
    """GET /robots/{id}."""
    return json_of(_shown(_found(call, "read")))


async def update(call: Call) -> Answer:
    """PUT /robots/{id}: all of it, but for its name and level, which stay."""
    body = await call.body("robot", _UPDATE)
    row = _found(call, "update")
    level, days = body.get("level", ""), body.get("duration", row["duration"])
    if level != row["level"] or body.get("name", "") != row["name"]:
        raise bad_request("cannot update the level or name of robot")
    permissions = _permissions(body, level)
    if level == "project" and permissions != json.loads(row["permissions"]):
        project = call.harbor.store.value("SELECT name FROM project WHERE id = ?", row["project_id"])
        if permissions[0]["namespace"] != project:
            raise bad_request("cannot update the project of robot")
    if days < FOREVER:
        raise bad_request(f"bad request error duration input: {days}")
    days = days or DEFAULT_DAYS
    call.harbor.store.run(
        "UPDATE robot SET description = ?, duration = ?, expires = ?, disabled = ?, permissions = ?,"
        " updated = ? WHERE id = ?",
        body.get("description", ""),
        days,
        _expires(days, row["created"]),
        bool(body.get("disable")),
        json.dumps(permissions),
        clock.now(),
        row["id"],
    )
    return done()


async def refresh(call: Call) -> Answer:
    """PATCH /robots/{id}: another secret, of the caller's choice or ours."""
    body = await call.body("robotSec", _SECRET)
    row = _found(call, "update")
    secret = body.get("secret", "")
    if secret and not accounts.PASSWORD.fullmatch(secret):
        raise bad_request(f"the secret {accounts.RULE}")
    made = secret or accounts.new_secret()
    salt, digest = accounts.hashed(made)
    call.harbor.store.run(
        "UPDATE robot SET salt = ?, hash = ?, updated = ? WHERE id = ?", salt, digest, clock.now(), row["id"]
    )
    return json_of({} if secret else {"secret": made})


async def delete(call: Call) -> Answer:
    """DELETE /robots/{id}."""
    row = _found(call, "delete")
    call.harbor.store.run("DELETE FROM robot WHERE id = ?", row["id"])
    return done()
