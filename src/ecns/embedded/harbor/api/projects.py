"""Projects: made, listed, shown, changed, removed, with their metadata."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import clock, quotas, records, rights
from ecns.embedded.harbor.answers import Answer, created, done, json_of
from ecns.embedded.harbor.errors import (
    ProblemError,
    bad_request,
    forbidden,
    invalid,
    not_found,
    precondition,
    unauthorized,
)
from ecns.embedded.harbor.names import MOST_OF_NAME, PROJECT
from ecns.embedded.harbor.projects import create_project
from ecns.embedded.harbor.query import Column, Listing, keywords, listed
from ecns.embedded.harbor.requests import Shape

if TYPE_CHECKING:
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row, Store

KEYS = (
    "public",
    "auto_scan",
    "enable_content_trust",
    "enable_content_trust_cosign",
    "prevent_vul",
    "reuse_sys_cve_allowlist",
    "severity",
    "retention_id",
    "proxy_speed_kb",
)
"""Metadata that a project can have; other keys are left out."""
_BODY = Shape(
    "ProjectReq",
    {
        "project_name": str,
        "public": bool,
        "metadata": Shape("ProjectMetadata", dict.fromkeys(KEYS, str)),
        "cve_allowlist": dict,
        "storage_limit": int,
        "registry_id": int,
    },
)
_PUBLIC = "EXISTS (SELECT 1 FROM metadata WHERE project_id = project.id AND key = 'public' AND value = ?)"
_COLUMNS = {
    "project_id": Column("project.id", "int"),
    "id": Column("project.id", "int"),
    "name": Column("project.name"),
    "owner_id": Column("project.owner_id", "int"),
    "creation_time": Column("project.created", "time"),
    "update_time": Column("project.updated", "time"),
    "public": Column("(SELECT value FROM metadata WHERE project_id = project.id AND key = 'public')"),
}


def found(call: Call, resource: str, action: str) -> Row:
    """The project that the path names, of a caller who may.

    Raises:
        ProblemError: 401 or 403, they may not; 404, there is none (told to administrators alone).
    """
    project = call.require(resource, action)
    if project is None:
        raise not_found(f"project {call.names['project_name_or_id']} not found")
    return project


def metadata_of(store: Store, project_id: int) -> dict[str, str]:
    """The metadata of a project."""
    rows = store.all("SELECT key, value FROM metadata WHERE project_id = ? ORDER BY key", project_id)
    return {row["key"]: row["value"] for row in rows}


def _shown(call: Call, row: Row, *, detail: bool = True) -> dict[str, Any]:
    store = call.harbor.store
    roles = call.caller.roles(row["id"])
    shown: dict[str, Any] = {"creation_time": clock.text(row["created"])}
    if roles:
        shown["current_user_role_id"] = roles[0]
    shown["current_user_role_ids"] = roles or None
    allowlist: dict[str, Any] = {"creation_time": clock.NEVER}
    if detail:
        allowlist |= {"id": row["allowlist_id"], "items": [], "project_id": row["id"]}
    else:
        allowlist["items"] = None
    shown["cve_allowlist"] = {**allowlist, "update_time": clock.NEVER}
    if detail:
        shown["metadata"] = metadata_of(store, row["id"])
    shown |= {"name": row["name"], "owner_id": row["owner_id"]}
    if detail:
        owner = store.value("SELECT username FROM account WHERE id = ?", row["owner_id"])
        shown["owner_name"] = owner or ""
    shown |= {
        "project_id": row["id"],
        "repo_count": repo_count(store, row["id"]),
        "update_time": clock.text(row["updated"]),
    }
    return shown


def repo_count(store: Store, project_id: int) -> int:
    """How many repositories a project has."""
    return int(store.value("SELECT count(*) FROM repository WHERE project_id = ?", project_id))


async def create(call: Call) -> Answer:
    """POST /projects."""
    if not call.caller.authenticated:
        raise unauthorized()
    body = await call.body("project", _BODY)
    name = body.get("project_name", "")
    if len(name) > MOST_OF_NAME:
        raise invalid(f"project_name in body should be at most {MOST_OF_NAME} chars long", 2)
    if not call.caller.user_id and not call.caller.can_system("project", "create"):
        raise forbidden(call.caller.name)
    if not name:
        raise bad_request("Project name  is illegal in length. (greater than 255 or less than 1)")
    if not PROJECT.fullmatch(name):
        raise bad_request("project name is not in lower case or contains illegal characters")
    if body.get("registry_id"):
        raise not_found(f"registry {body['registry_id']} not found")
    metadata = {key: value for key, value in (body.get("metadata") or {}).items() if key in KEYS}
    metadata.setdefault("public", "true" if body.get("public") else "false")
    if metadata["public"] not in {"true", "false"}:
        raise bad_request(
            f"metadata.public should only be 'true' or 'false', but got: '{metadata['public']}'"
        )
    limit = quotas.UNLIMITED
    if call.caller.admin and body.get("storage_limit") is not None:
        limit = _limit(body["storage_limit"])
    owner = call.caller.user_id or 1  # what a robot makes is the administrator's
    identity = create_project(call.harbor.store, name, owner, metadata, limit)
    records.add(call.harbor.store, identity, "create", "project", name, by=call.caller.name)
    by_name = call.header("X-Resource-Name-In-Location").lower() in {"true", "1", "t"}
    return created(f"{call.shown_path.rstrip('/')}/{name if by_name else identity}")


def _limit(value: int) -> int:
    try:
        return quotas.checked_limit(value)
    except ProblemError as error:
        raise bad_request(f"bad request: {error.message}") from error


async def list_all(call: Call) -> Answer:
    """GET /projects: those that the caller may see."""
    store = call.harbor.store
    listing = Listing("project", _COLUMNS, "project.name ASC")
    if not call.caller.admin:
        own, values = call.caller.own_projects()
        listing.where(f"{_PUBLIC} OR {own}", "true", *values)
    if call.text("name"):
        listing.where("instr(project.name, ?)", call.text("name"))
    if call.given("public"):
        listing.where(_PUBLIC, "true" if call.text("public").lower() == "true" else "false")
    if call.text("owner"):
        owner = store.value("SELECT id FROM account WHERE username = ?", call.text("owner"))
        listing.where("project.owner_id = ?", owner or 0)
    listing.narrow(keywords(call.text("q")))
    detail = call.flag("with_detail", default=True)
    rows, total = listing.page(store, call, "project.*")
    return listed(call, [_shown(call, row, detail=detail) for row in rows], total)


async def exists(call: Call) -> Answer:
    """HEAD /projects."""
    if not call.given("project_name"):
        raise invalid("project_name in query is required")
    if not call.caller.authenticated:
        raise unauthorized()
    name = call.text("project_name")
    if call.project(name, by_name=True) is None:
        raise not_found(f"project {name} not found")
    return done()


async def show(call: Call) -> Answer:
    """GET /projects/{project}."""
    return json_of(_shown(call, found(call, "", "read")))


async def update(call: Call) -> Answer:
    """PUT /projects/{project}: its metadata; other keys stay, and what else is sent is left alone."""
    body = await call.body("project", _BODY)
    project = found(call, "", "update")
    store = call.harbor.store
    with store.transaction():
        for key, value in (body.get("metadata") or {}).items():
            store.run("INSERT OR REPLACE INTO metadata VALUES (?, ?, ?)", project["id"], key, value)
    return done()


async def delete(call: Call) -> Answer:
    """DELETE /projects/{project}: an empty one."""
    project = found(call, "", "delete")
    store = call.harbor.store
    if repo_count(store, project["id"]):
        raise precondition(f"precondition failed: {_NOT_EMPTY}")
    with store.transaction():
        store.run("DELETE FROM project WHERE id = ?", project["id"])
        store.run("DELETE FROM label WHERE scope = 'p' AND project_id = ?", project["id"])
        _take_from_robots(store, project["name"])
    records.add(store, project["id"], "delete", "project", project["name"], by=call.caller.name)
    return done()


def _take_from_robots(store: Store, name: str) -> None:
    """A robot's permissions are for a project, not for whatever gets its name after it."""
    for robot in store.all("SELECT id, permissions FROM robot"):
        held = json.loads(robot["permissions"])
        kept = [one for one in held if (one["kind"], one["namespace"]) != ("project", name)]
        if len(kept) < len(held):
            store.run("UPDATE robot SET permissions = ? WHERE id = ?", json.dumps(kept), robot["id"])


_NOT_EMPTY = "the project contains repositories, can not be deleted"


async def deletable(call: Call) -> Answer:
    """GET /projects/{project}/_deletable."""
    project = found(call, "", "delete")
    if repo_count(call.harbor.store, project["id"]):
        return json_of({"message": _NOT_EMPTY})
    return json_of({"deletable": True})


async def summary(call: Call) -> Answer:
    """GET /projects/{project}/summary."""
    project = found(call, "", "read")
    store, caller = call.harbor.store, call.caller
    shown: dict[str, Any] = {}
    if caller.can(project, "member", "list"):
        names = {
            rights.DEVELOPER: "developer_count",
            rights.GUEST: "guest_count",
            rights.LIMITED_GUEST: "limited_guest_count",
            rights.MAINTAINER: "maintainer_count",
            rights.ADMIN: "project_admin_count",
        }
        counts = dict(
            tuple(row)
            for row in store.all(
                "SELECT role_id, count(*) FROM member WHERE project_id = ? GROUP BY role_id", project["id"]
            )
        )
        shown |= {name: counts[role] for role, name in names.items() if counts.get(role)}
    if caller.can(project, "quota", "read"):
        shown["quota"] = {
            "hard": {"storage": quotas.limit(store, project["id"])},
            "used": {"storage": quotas.used(store, project["id"])},
        }
    shown["repo_count"] = repo_count(store, project["id"])
    return json_of(shown)


# Metadata

_KEY = Shape("ProjectMetadata", dict.fromkeys(KEYS, str))


async def list_metadata(call: Call) -> Answer:
    """GET /projects/{project}/metadatas/."""
    project = found(call, "metadata", "read")
    return json_of(metadata_of(call.harbor.store, project["id"]))


async def show_metadata(call: Call) -> Answer:
    """GET /projects/{project}/metadatas/{key}: an object with the one key, empty when it is not there."""
    project = found(call, "metadata", "read")
    key = call.names["meta_name"]
    value = metadata_of(call.harbor.store, project["id"]).get(key)
    return json_of({} if value is None else {key: value})


async def put_metadata(call: Call) -> Answer:
    """PUT /projects/{project}/metadatas/{key}, and POST to all of them."""
    one = call.names.get("meta_name")
    body = await call.body("metadata", _KEY)
    project = found(call, "metadata", "update" if one else "create")
    if not body:
        raise bad_request("the metadata should only contains one item")
    if one is not None and set(body) != {one}:
        raise bad_request(f"must have the key {one} in the metadata")
    for key, value in body.items():
        if key == "public" and value.lower() not in {"true", "false", "1", "0", "t", "f"}:
            raise bad_request(f"invalid value: {value}")
        call.harbor.store.run("INSERT OR REPLACE INTO metadata VALUES (?, ?, ?)", project["id"], key, value)
    return done(HTTPStatus.OK if one else HTTPStatus.CREATED)


async def delete_metadata(call: Call) -> Answer:
    """DELETE /projects/{project}/metadatas/{key}."""
    project = found(call, "metadata", "delete")
    call.harbor.store.run(
        "DELETE FROM metadata WHERE project_id = ? AND key = ?", project["id"], call.names["meta_name"]
    )
    return done()
