"""Who may come in to `/v2`: the rights that a request needs, and the challenge to who has them not."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from ecns.embedded.harbor.errors import ProblemError, bad_request
from ecns.embedded.harbor.names import split
from ecns.embedded.harbor.registry import paths
from ecns.embedded.harbor.tokens import SERVICE

if TYPE_CHECKING:
    from ecns.embedded.harbor.registry.paths import Target
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row

VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
ACTIONS = {
    "POST": "push",
    "PATCH": "push",
    "PUT": "push",
    "GET": "pull",
    "HEAD": "pull",
    "DELETE": "delete",
}
_SCOPES = {"pull": "pull", "push": "pull,push", "delete": "delete"}
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
_BASIC = 'Basic realm="harbor"'


def _refused(message: str, challenge: str) -> ProblemError:
    headers = {**VERSION, "WWW-Authenticate": challenge}
    return ProblemError(HTTPStatus.UNAUTHORIZED, f"{message}: {message}", headers=headers)


def _challenge(call: Call, needs: list[tuple[str, str]]) -> str:
    if call.header("Authorization"):
        return _BASIC
    challenge = f'Bearer realm="{base_url(call)}/service/token",service="{SERVICE}"'
    if scope := " ".join(f"repository:{name}:{_SCOPES[action]}" for name, action in needs):
        challenge += f',scope="{scope}"'
    return challenge


def base_url(call: Call) -> str:
    """The address that the client reached us by."""
    scheme = "https" if call.header("X-Forwarded-Proto").lower() == "https" else "http"
    host = call.header("X-Forwarded-Host") or call.header("Host")
    return f"{scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"


def mounted_from(call: Call, target: Target) -> str:
    """The repository that a blob is to be mounted from, empty when none is.

    Raises:
        ProblemError: 400, it is no name of a repository.
    """
    source = call.text("from") if target.kind == paths.BEGIN else ""
    if source and "/" not in source:
        raise bad_request(f"bad request: invalid repository name: {source}")
    return source


def enter(call: Call, target: Target | None) -> Row | None:
    """The project of a request that is let in, None for what is of no project.

    Raises:
        ProblemError: 401, the caller may not, or the project is not there.
    """
    action = ACTIONS.get(call.method, "")
    if target is None or (target.repository and not action):
        raise _refused(f"un-recognized request: {call.method} {call.path}", "")
    if target.kind == paths.BASE:
        if not call.caller.authenticated:
            raise _refused("unauthorized", _challenge(call, []))
        return None
    if target.kind == paths.CATALOG:
        if not call.caller.can_system("catalog", "read"):
            raise _refused("unauthorized to list catalog", _BASIC)
        return None
    needs = [(target.repository, action)]
    if call.method == "POST" and (source := mounted_from(call, target)):
        needs.append((source, "pull"))
    found: Row | None = None
    for name, needed in needs:
        if not call.header("Authorization") and call.method in {"GET", "HEAD"}:
            message = "authorize header needed to send HEAD to repository"
            raise _refused(message, _challenge(call, needs))
        project_name = split(name)[0]
        project = call.project(project_name, by_name=True)
        if project is None:
            raise _refused(f"project {project_name} not found", "")
        if not call.caller.can(project, "repository", needed):
            raise _refused(
                f"unauthorized to access repository: {name}, action: {needed}", _challenge(call, needs)
            )
        found = found or project
    return found
