"""What is of the whole of Harbor: health, facts, volumes, counts, logs, search."""

from __future__ import annotations

import shutil
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import clock
from ecns.embedded.harbor.answers import Answer, json_of
from ecns.embedded.harbor.api.projects import found as found_project
from ecns.embedded.harbor.api.projects import metadata_of, repo_count
from ecns.embedded.harbor.api.repositories import COUNTED
from ecns.embedded.harbor.callers import is_public
from ecns.embedded.harbor.errors import invalid, not_found, unauthorized
from ecns.embedded.harbor.query import Column, Listing, keywords, listed
from ecns.embedded.harbor.registry.gate import base_url

if TYPE_CHECKING:
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row

VERSION = "v2.9.5-ecns"
"""The Harbor whose answers these are, and that it is not one."""
COMPONENTS = ("core", "database", "jobservice", "portal", "redis", "registry", "registryctl")
_LOG_COLUMNS = {
    "id": Column("record.id", "int"),
    "operation": Column("record.operation"),
    "resource": Column("record.resource"),
    "resource_type": Column("record.resource_type"),
    "username": Column("record.username"),
    "op_time": Column("record.time", "time"),
}


async def ping(_call: Call) -> Answer:
    """GET /ping."""
    return Answer(HTTPStatus.OK, b"Pong", "text/plain")


async def health(_call: Call) -> Answer:
    """GET /health."""
    components = [{"name": name, "status": "healthy"} for name in COMPONENTS]
    return json_of({"components": components, "status": "healthy"})


async def info(call: Call) -> Answer:
    """GET /systeminfo: more for those who have an account."""
    shown: dict[str, Any] = {"auth_mode": "db_auth", "banner_message": ""}
    more = call.caller.authenticated
    if more:
        shown |= {"current_time": clock.text(clock.now()), "external_url": base_url(call)}
    shown["harbor_version"] = VERSION
    if more:
        shown |= {"has_ca_root": False, "notification_enable": True}
    shown["primary_auth_mode"] = False
    if more:
        shown |= {
            "project_creation_restriction": "everyone",
            "read_only": False,
            "registry_storage_provider_name": "filesystem",
            "registry_url": base_url(call).partition("://")[2],
        }
    return json_of({**shown, "self_registration": False})


async def volumes(call: Call) -> Answer:
    """GET /systeminfo/volumes: of the disk that the blobs are on."""
    call.require_system("system-volumes", "read")
    usage = shutil.disk_usage(call.harbor.files.root)
    return json_of({"storage": [{"free": usage.free, "total": usage.total}]})


async def certificate(_call: Call) -> Answer:
    """GET /systeminfo/getcert: there is none."""
    raise not_found("resource not found: cert not found in path: /etc/core/ca/ca.crt")


async def statistics(call: Call) -> Answer:
    """GET /statistics: of what the caller may see."""
    if not call.caller.authenticated:
        raise unauthorized()
    store, caller = call.harbor.store, call.caller
    own, values = caller.own_projects()
    everything = [row["id"] for row in store.all("SELECT id FROM project")]
    public = [identity for identity in everything if metadata_of(store, identity).get("public") == "true"]
    mine = store.all(f"SELECT id FROM project WHERE {own}", *values)  # noqa: S608  a condition of ours
    private = [row["id"] for row in mine if row["id"] not in public]
    counts = {
        "private_project_count": len(private),
        "private_repo_count": sum(repo_count(store, identity) for identity in private),
        "public_project_count": len(public),
        "public_repo_count": sum(repo_count(store, identity) for identity in public),
        "total_project_count": 0,
        "total_repo_count": 0,
        "total_storage_consumption": 0,
    }
    if caller.admin:
        counts["total_project_count"] = len(public) + len(private)
        counts["total_repo_count"] = counts["private_repo_count"] + counts["public_repo_count"]
        counts["total_storage_consumption"] = store.value(
            "SELECT coalesce(sum(size), 0) FROM blob WHERE digest IN (SELECT digest FROM used)"
        )
    return json_of(counts)


async def project_logs(call: Call) -> Answer:
    """GET /projects/{project}/logs."""
    project = found_project(call, "log", "list")
    return _logs(call, "record.project_id = ?", project["id"])


async def logs(call: Call) -> Answer:
    """GET /audit-logs: of all projects that the caller is in."""
    if not call.caller.authenticated:
        raise unauthorized()
    own, values = call.caller.own_projects()
    if call.caller.admin:
        return _logs(call, "1")
    theirs = f"record.project_id IN (SELECT id FROM project WHERE {own})"  # noqa: S608  a condition of ours
    return _logs(call, theirs, *values)


def _logs(call: Call, condition: str, *values: int | str) -> Answer:
    listing = Listing("record", _LOG_COLUMNS, "record.time DESC, record.id DESC")
    listing.where(condition, *values)
    listing.narrow(keywords(call.text("q")))
    rows, total = listing.page(call.harbor.store, call, "record.*")
    return listed(call, [_shown_record(row) for row in rows], total)


def _shown_record(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "op_time": clock.text(row["time"]),
        "operation": row["operation"],
        "resource": row["resource"],
        "resource_type": row["resource_type"],
        "username": row["username"],
    }


async def search(call: Call) -> Answer:
    """GET /search: projects and repositories whose names hold a text."""
    if not call.given("q"):
        raise invalid("q in query is required")
    store, wanted = call.harbor.store, call.text("q")
    own, values = call.caller.own_projects()
    seen = (
        f"project.id IN (SELECT project.id FROM project WHERE {own} OR EXISTS (SELECT 1 FROM metadata"  # noqa: S608
        " WHERE metadata.project_id = project.id AND key = 'public' AND value = 'true'))"
    )
    projects = store.all(
        f"SELECT * FROM project WHERE instr(name, ?) AND {seen} ORDER BY name",  # noqa: S608  as above
        wanted,
        *values,
    )
    repositories = store.all(
        f"SELECT {COUNTED}, project.name AS project FROM repository JOIN project ON project.id = project_id"  # noqa: S608
        f" WHERE instr(repository.name, ?) AND {seen} ORDER BY repository.created DESC, repository.id DESC",
        wanted,
        *values,
    )
    return json_of(
        {
            "project": [_found_project(call, row) for row in projects],
            "repository": [_found_repository(call, row) for row in repositories],
        }
    )


def _found_project(call: Call, row: Row) -> dict[str, Any]:
    store = call.harbor.store
    return {
        "creation_time": clock.text(row["created"]),
        "metadata": metadata_of(store, row["id"]),
        "name": row["name"],
        "owner_id": row["owner_id"],
        "project_id": row["id"],
        "repo_count": repo_count(store, row["id"]),
        "update_time": clock.text(row["updated"]),
    }


def _found_repository(call: Call, row: Row) -> dict[str, Any]:
    shown = {"artifact_count": row["artifact_count"], "project_id": row["project_id"]}
    shown["project_name"] = row["project"]
    if is_public(call.harbor.store, row["project_id"]):
        shown["project_public"] = True
    if row["pull_count"]:
        shown["pull_count"] = row["pull_count"]
    return {**shown, "repository_name": row["name"]}
