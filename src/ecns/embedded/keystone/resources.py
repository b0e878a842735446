"""Domains, projects, users, groups, roles, services, endpoints, regions: make, list, show, change, delete.

Source: https://docs.openstack.org/api-ref/identity/v3/
"""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import web

from ecns.embedded.keystone.errors import ProblemError, forbidden, invalid
from ecns.embedded.keystone.requests import Api, json_body, seen_of
from ecns.embedded.keystone.store import Body, DuplicateError
from ecns.embedded.keystone.tokens import part

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecns.embedded.keystone.tokens import Seen


class Collection(NamedTuple):
    """One kind of document and what a new one has when the client does not say."""

    plural: str
    singular: str
    needed: tuple[str, ...]
    defaults: Body
    owned: bool = False
    """It belongs to a domain: the token's, when the client names none."""


COLLECTIONS = [
    Collection(
        "domains", "domain", ("name",), {"description": "", "enabled": True, "options": {}, "tags": []}
    ),
    Collection(
        "projects",
        "project",
        ("name",),
        {"description": "", "enabled": True, "is_domain": False, "options": {}, "tags": []},
        owned=True,
    ),
    Collection(
        "users", "user", ("name",), {"enabled": True, "options": {}, "password_expires_at": None}, owned=True
    ),
    Collection("groups", "group", ("name",), {"description": ""}, owned=True),
    Collection("roles", "role", ("name",), {"description": None, "domain_id": None, "options": {}}),
    Collection("services", "service", ("type",), {"name": "", "description": "", "enabled": True}),
    Collection(
        "endpoints", "endpoint", ("service_id", "interface", "url"), {"enabled": True, "region_id": None}
    ),
    Collection("regions", "region", (), {"description": "", "parent_region_id": None}),
]

BODY: web.RequestKey[Body] = web.RequestKey("body", dict)
"""The document that a client sent."""

TEXTS = {"name", "type", "url", "interface", "service_id", "domain_id", "region_id", "parent_id", "email"} | {
    "description",
    "default_project_id",
}
WITHOUT_VALUE = {"limit", "marker", "sort_key", "sort_dir", "include_names", "effective", "include_subtree"}
"""Query parameters that do not compare a field."""


class Resources:
    """The handlers of every collection."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.store = api.store

    def routes(self) -> list[web.RouteDef]:
        """What they answer to, below `/v3`."""
        routes: list[web.RouteDef] = []
        for kind in COLLECTIONS:
            one = f"/{kind.plural}/{{id}}"
            routes += [
                web.get(f"/{kind.plural}", self._handler(kind, self._list)),
                web.post(f"/{kind.plural}", self._handler(kind, self._create)),
                web.get(one, self._handler(kind, self._show)),
                web.patch(one, self._handler(kind, self._update)),
                web.delete(one, self._handler(kind, self._delete)),
            ]
        return routes

    def _handler(
        self, kind: Collection, handle: Callable[[Collection, web.Request, Seen], Any]
    ) -> Callable[[web.Request], Any]:
        async def handler(request: web.Request) -> web.Response:
            seen = seen_of(request)
            if request.method in {"POST", "PATCH"}:
                self._administers(seen, kind, request.method)
                request[BODY] = part(await json_body(request), kind.singular)
                if not isinstance(request[BODY], dict):
                    raise invalid(f"'{kind.singular}' is an object.")
            answer: web.Response = handle(kind, request, seen)
            return answer

        return handler

    @staticmethod
    def _administers(seen: Seen, kind: Collection, method: str) -> None:
        verb = {"POST": "create", "PATCH": "update", "DELETE": "delete", "GET": "get"}[method]
        if not seen.has("admin"):
            raise forbidden(f"identity:{verb}_{kind.singular}")

    def _list(self, kind: Collection, request: web.Request, seen: Seen) -> web.Response:
        if not seen.has("admin") and kind.plural not in {"regions", "services", "endpoints"}:
            raise forbidden(f"identity:list_{kind.plural}")
        return self.api.page(request, kind.plural, filtered(request, self.store.all(kind.plural)))

    def _show(self, kind: Collection, request: web.Request, seen: Seen) -> web.Response:
        identity = request.match_info["id"]
        own = {seen.user_id, seen.project_id, seen.body["user"]["domain"]["id"]}
        if identity not in own and kind.plural not in {"regions", "services", "endpoints"}:
            self._administers(seen, kind, "GET")
        return self._answer(kind, self.api.found(kind.plural, kind.singular, identity))

    def _create(self, kind: Collection, request: web.Request, seen: Seen) -> web.Response:
        said = request[BODY]
        for field in kind.needed:
            part(said, field)
        identity = str(said["id"]) if kind.plural == "regions" and said.get("id") else uuid.uuid4().hex
        body = {**kind.defaults, **said, "id": identity}
        if kind.owned:
            body["domain_id"] = said.get("domain_id") or seen.body["user"]["domain"]["id"]
            self.api.found("domains", "domain", str(body["domain_id"]))
        if kind.plural == "projects":
            body["parent_id"] = said.get("parent_id") or body["domain_id"]
        if kind.plural == "endpoints":
            self.api.found("services", "service", str(body["service_id"]))
            body["region"] = body["region_id"]
        password = body.pop("password", None)
        self._put(kind, body)
        if password is not None:
            self.store.set_secret(identity, str(password))
        return self._answer(kind, body, HTTPStatus.CREATED)

    def _update(self, kind: Collection, request: web.Request, _: Seen) -> web.Response:
        identity = request.match_info["id"]
        before = self.api.found(kind.plural, kind.singular, identity)
        said = request[BODY]
        for fixed in ("id", "domain_id"):
            if fixed in said and said[fixed] != before.get(fixed):
                raise invalid(f"'{fixed}' cannot be changed.")
        body = before | said
        password = body.pop("password", None)
        self._put(kind, body)
        if password is not None:
            self.store.set_secret(identity, str(password))
        if password is not None or not body.get("enabled", True):
            self.api.tokens.revoke_about(identity)
        return self._answer(kind, body)

    def _delete(self, kind: Collection, request: web.Request, seen: Seen) -> web.Response:
        self._administers(seen, kind, "DELETE")
        identity = request.match_info["id"]
        body = self.api.found(kind.plural, kind.singular, identity)
        if kind.plural == "domains":
            if body["enabled"]:
                raise forbidden("cannot delete a domain that is enabled, please disable it first")
            for owned in (other for other in COLLECTIONS if other.owned):
                for inside in self.store.all(owned.plural):
                    if inside["domain_id"] == identity:
                        self.store.delete(owned.plural, inside["id"])
        if kind.plural == "services":
            for endpoint in self.store.all("endpoints"):
                if endpoint["service_id"] == identity:
                    self.store.delete("endpoints", endpoint["id"])
        for credential in self.store.all("application_credentials"):
            if identity in {credential["user_id"], credential["project_id"]}:
                self.store.delete("application_credentials", credential["id"])
        self.store.delete(kind.plural, identity)
        self.api.tokens.revoke_about(identity)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    def _put(self, kind: Collection, body: Body) -> None:
        if "enabled" in body and not isinstance(body["enabled"], bool):
            raise invalid("'enabled' is true or false.")
        for field in TEXTS & body.keys():
            if not isinstance(body[field], str | None):
                raise invalid(f"'{field}' is a text.")
        for field in kind.needed:
            if not (body[field] or "").strip():
                raise invalid(f"'{field}' is a text that is not empty.")
        try:
            self.store.put(kind.plural, body)
        except DuplicateError as error:
            raise ProblemError(
                HTTPStatus.CONFLICT,
                f"Conflict occurred attempting to store {kind.singular} - "
                f"Duplicate entry found with name {body['name']}.",
            ) from error

    def _answer(self, kind: Collection, body: Body, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
        return self.api.json({kind.singular: self.api.linked(kind.plural, body)}, status)


def filtered(request: web.Request, bodies: list[Body]) -> list[Body]:
    """Those that the query fits: equal, `__contains`, `__startswith`; booleans in any spelling."""
    for key, value in request.query.items():
        if key in WITHOUT_VALUE:
            continue
        field, _, how = key.partition("__")
        bodies = [body for body in bodies if _fits(body.get(field), how, value)]
    return bodies


def _fits(actual: object, how: str, wanted: str) -> bool:
    if isinstance(actual, bool):
        return actual == (wanted.lower() not in {"false", "0"})
    text = "" if actual is None else str(actual)
    if how.endswith("contains"):
        return wanted.lower() in text.lower()
    if how.endswith("startswith"):
        return text.startswith(wanted)
    return text == wanted
