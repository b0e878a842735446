"""`/api/v2.0`: which handler a path is of.

Source: https://github.com/goharbor/harbor/blob/v2.9.5/api/v2.0/swagger.yaml
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ecns.embedded.harbor.api import (
    artifacts,
    collections,
    immutable,
    labels,
    marks,
    members,
    projects,
    quotas,
    repositories,
    robots,
    system,
    users,
)
from ecns.embedded.harbor.errors import ProblemError, invalid, not_found
from ecns.embedded.harbor.requests import segments_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ecns.embedded.harbor.answers import Answer
    from ecns.embedded.harbor.requests import Call

    Handler = Callable[[Call], Awaitable[Answer]]

PREFIX = "/api/v2.0"
_PROJECT = "/projects/{project_name_or_id}"
_REPOSITORY = f"{_PROJECT}/repositories/{{repository_name}}"
_ARTIFACT = f"{_REPOSITORY}/artifacts/{{reference}}"
TEXT = "text/plain"

ROUTES: dict[str, dict[str, Handler]] = {
    "/ping": {"GET": system.ping},
    "/health": {"GET": system.health},
    "/systeminfo": {"GET": system.info},
    "/systeminfo/volumes": {"GET": system.volumes},
    "/systeminfo/getcert": {"GET": system.certificate},
    "/statistics": {"GET": system.statistics},
    "/search": {"GET": system.search},
    "/audit-logs": {"GET": system.logs},
    "/users": {"POST": users.create, "GET": users.list_all},
    "/users/search": {"GET": users.search},
    "/users/current": {"GET": users.current},
    "/users/current/permissions": {"GET": users.permissions},
    "/users/{user_id}": {"GET": users.show, "PUT": users.update, "DELETE": users.delete},
    "/users/{user_id}/sysadmin": {"PUT": users.set_admin},
    "/users/{user_id}/password": {"PUT": users.set_password},
    "/projects": {"POST": projects.create, "HEAD": projects.exists, "GET": projects.list_all},
    _PROJECT: {"GET": projects.show, "PUT": projects.update, "DELETE": projects.delete},
    f"{_PROJECT}/_deletable": {"GET": projects.deletable},
    f"{_PROJECT}/summary": {"GET": projects.summary},
    f"{_PROJECT}/logs": {"GET": system.project_logs},
    f"{_PROJECT}/metadatas": {"GET": projects.list_metadata, "POST": projects.put_metadata},
    f"{_PROJECT}/metadatas/{{meta_name}}": {
        "GET": projects.show_metadata,
        "PUT": projects.put_metadata,
        "DELETE": projects.delete_metadata,
    },
    f"{_PROJECT}/members": {"GET": members.list_all, "POST": members.create},
    f"{_PROJECT}/members/{{mid}}": {
        "GET": members.show,
        "PUT": members.update,
        "DELETE": members.delete,
    },
    f"{_PROJECT}/robots": {"GET": robots.list_in_project},
    f"{_PROJECT}/immutabletagrules": {"GET": immutable.list_all, "POST": immutable.create},
    f"{_PROJECT}/immutabletagrules/{{immutable_rule_id}}": {
        "PUT": immutable.update,
        "DELETE": immutable.delete,
    },
    f"{_PROJECT}/repositories": {"GET": repositories.list_in_project},
    _REPOSITORY: {
        "GET": repositories.show,
        "PUT": repositories.update,
        "DELETE": repositories.delete,
    },
    f"{_REPOSITORY}/artifacts": {"GET": artifacts.list_all, "POST": artifacts.copy},
    _ARTIFACT: {"GET": artifacts.show, "DELETE": artifacts.delete},
    f"{_ARTIFACT}/tags": {"GET": artifacts.list_tags, "POST": artifacts.create_tag},
    f"{_ARTIFACT}/tags/{{tag_name}}": {"DELETE": artifacts.delete_tag},
    f"{_ARTIFACT}/labels": {"POST": marks.add},
    f"{_ARTIFACT}/labels/{{label_id}}": {"DELETE": marks.remove},
    f"{_ARTIFACT}/accessories": {"GET": artifacts.list_accessories},
    f"{_ARTIFACT}/additions/vulnerabilities": {"GET": artifacts.vulnerabilities},
    f"{_ARTIFACT}/additions/{{addition}}": {"GET": artifacts.addition},
    "/repositories": {"GET": repositories.list_all},
    "/labels": {"GET": labels.list_all, "POST": labels.create},
    "/labels/{label_id}": {"GET": labels.show, "PUT": labels.update, "DELETE": labels.delete},
    "/quotas": {"GET": quotas.list_all},
    "/quotas/{id}": {"GET": quotas.show, "PUT": quotas.update},
    "/robots": {"GET": robots.list_all, "POST": robots.create},
    "/robots/{robot_id}": {
        "GET": robots.show,
        "PUT": robots.update,
        "PATCH": robots.refresh,
        "DELETE": robots.delete,
    },
    "/system/gc": {"GET": collections.list_all},
    "/system/gc/schedule": {
        "GET": collections.show_schedule,
        "POST": collections.create_schedule,
        "PUT": collections.update_schedule,
    },
    "/system/gc/{gc_id}": {"GET": collections.show, "PUT": collections.stop},
    "/system/gc/{gc_id}/log": {"GET": collections.log},
}
"""Path → method → handler. A plain piece goes before one that stands for anything."""

TEXTS = frozenset({system.ping, collections.log})
"""Handlers that answer text."""
ANYTHING = frozenset({system.certificate})
"""Handlers that answer what no Accept header can refuse."""

_TREE: dict[int, list[tuple[list[str], dict[str, Handler]]]] = {}
for _template, _methods in ROUTES.items():
    _pieces = _template.strip("/").split("/")
    _TREE.setdefault(len(_pieces), []).append((_pieces, _methods))


def _matched(pieces: list[str]) -> tuple[dict[str, Handler], dict[str, str]] | None:
    best: tuple[dict[str, Handler], dict[str, str]] | None = None
    for template, methods in _TREE.get(len(pieces), ()):
        names = {}
        for wanted, given in zip(template, pieces, strict=True):
            if wanted.startswith("{"):
                names[wanted[1:-1]] = given
            elif wanted != given:
                break
        else:
            if best is None or len(names) < len(best[1]):
                best = (methods, names)
    return best


def _check_accept(call: Call, handler: Handler) -> None:
    header = call.header("Accept")
    if not header or handler in ANYTHING:
        return
    media = TEXT if handler in TEXTS else "application/json"
    accepted = {part.partition(";")[0].strip().lower() for part in header.split(",")}
    if accepted.isdisjoint({media, "*/*", f"{media.partition('/')[0]}/*"}):
        error = invalid(f"unsupported media type requested, only [{media}] are available")
        if not call.header("Authorization"):
            error.headers["WWW-Authenticate"] = 'Basic realm="API"'
        raise error


async def dispatch(call: Call, raw: str) -> Answer:
    """The answer to a request of the API.

    Raises:
        ProblemError: whatever is wrong.
    """
    matched = _matched(segments_of(raw[len(PREFIX) :]))
    if matched is None:
        raise not_found(f"path {call.path} was not found")
    methods, call.names = matched
    handler = methods.get(call.method)
    if handler is None:
        known = ",".join(methods)
        message = f"method {call.method} is not allowed, but [{known}] are"
        raise ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, message)
    _check_accept(call, handler)
    return await handler(call)
