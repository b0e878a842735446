"""The token service, `/service/token`: what an account may do, signed.

Source: https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import clock
from ecns.embedded.harbor.answers import JSON_UTF8, TEXT, Answer, encoded
from ecns.embedded.harbor.callers import Bearer
from ecns.embedded.harbor.names import split
from ecns.embedded.harbor.tokens import SECONDS, SERVICE

if TYPE_CHECKING:
    from ecns.embedded.harbor.harbor import Harbor
    from ecns.embedded.harbor.requests import Call

_ACTIONS = ("pull", "push", "delete")


def _granted(call: Call, scope: str) -> dict[str, Any]:
    """What a scope gets the caller: all that they may, whatever of it they ask for."""
    kind, _, rest = scope.partition(":")
    name, _, asked = rest.rpartition(":") if ":" in rest else (rest, "", "")
    actions: list[str] = []
    if kind == "registry" and name == "catalog" and call.caller.can_system("catalog", "read"):
        actions = asked.split(",")
    elif kind == "repository" and "/" in name:
        project = call.project(split(name)[0], by_name=True)
        if project is not None:
            actions = [action for action in _ACTIONS if call.caller.can(project, "repository", action)]
    return {"type": kind, "name": name, "actions": actions}


def token(call: Call) -> Answer:
    """A token for the scopes that are asked for."""
    if call.method not in {"GET", "HEAD"}:
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, b"Method Not Allowed\n", TEXT)
    service = call.text("service")
    if service != SERVICE:
        return Answer(HTTPStatus.BAD_REQUEST, f"Unable to handle service: {service}".encode(), TEXT)
    scopes = [scope for key, value in call.query if key == "scope" for scope in value.split(" ") if scope]
    if not scopes and not call.caller.authenticated:
        return Answer(HTTPStatus.UNAUTHORIZED)
    access = [_granted(call, scope) for scope in scopes] or None
    now = int(time.time())
    body = {
        "token": call.harbor.tokens.issue(call.caller.name, access, now),
        "access_token": "",
        "expires_in": SECONDS,
        "issued_at": clock.seconds(now * 1000),
    }
    return Answer(HTTPStatus.OK, encoded(body), JSON_UTF8)


def bearer(harbor: Harbor, header: str) -> Bearer | None:
    """Who comes with a registry token; None when it is none of ours, or over."""
    claims = harbor.tokens.read(header.partition(" ")[2].strip())
    if claims is None:
        return None
    actions: dict[str, set[str]] = {}
    for access in claims.get("access") or ():
        if access["type"] == "repository":
            actions[split(access["name"])[0]] = set(access["actions"])
    name = claims.get("sub", "")
    return Bearer(harbor.store, name=name, authenticated=bool(name), actions=actions)
