"""The HTTP face: discovery, tokens, errors and request ids around the collections.

Source: https://docs.openstack.org/api-ref/identity/v3/
"""

from __future__ import annotations

import logging
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from ecns.embedded.keystone.errors import ProblemError, forbidden
from ecns.embedded.keystone.people import People
from ecns.embedded.keystone.requests import PREFIX, SEEN, Api, json_body, seen_of
from ecns.embedded.keystone.resources import Resources
from ecns.embedded.keystone.tokens import Seen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ecns.embedded.keystone.store import Body, Store
    from ecns.embedded.keystone.tokens import Tokens

log = logging.getLogger(__name__)

BODY_LIMIT = 114688
"""Bytes of a body, as `max_request_body_size` of oslo.middleware."""


class Server:
    """The application over a store."""

    def __init__(self, store: Store, tokens: Tokens) -> None:
        self.api = Api(store, tokens)
        self.store = store
        self.tokens = tokens
        tokens.catalog_of = self.catalog_of
        self.people = People(self.api)

    def app(self) -> web.Application:
        """What aiohttp serves."""
        app = web.Application(middlewares=[self._around], client_max_size=BODY_LIMIT)
        v3 = f"{PREFIX}/v3"
        routes = [
            web.post("/auth/tokens", self.issue),
            web.get("/auth/tokens", self.validate),
            web.delete("/auth/tokens", self.revoke),
            web.get("/auth/catalog", self.catalog),
            web.get("/auth/projects", self.own_projects),
            web.get("/auth/domains", self.own_domains),
            web.get("/auth/system", self.own_system),
            *self.people.routes(),
            *Resources(self.api).routes(),
        ]
        for path in ("/", PREFIX, f"{PREFIX}/"):
            app.router.add_get(path, self.versions)
        for path in (v3, f"{v3}/"):
            app.router.add_get(path, self.version)
        app.router.add_routes([web.RouteDef(r.method, v3 + r.path, r.handler, r.kwargs) for r in routes])
        return app

    @web.middleware
    async def _around(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        response: web.StreamResponse
        try:
            token = request.headers.get("X-Auth-Token", "")
            if token and (seen := self._seen(token)):
                request[SEEN] = seen
            response = await handler(request)
        except ProblemError as error:
            response = self._problem(error.status, error.message)
        except web.HTTPException as error:
            status = HTTPStatus(error.status)
            message = {
                HTTPStatus.NOT_FOUND: "The resource could not be found.",
                HTTPStatus.METHOD_NOT_ALLOWED: "The method is not allowed for the requested URL.",
            }.get(status, error.reason)
            response = self._problem(status, message)
        except Exception:  # a fault of ours is told in Keystone's form too
            log.exception("request failed: %s %s", request.method, request.path)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            response = self._problem(status, "An unexpected error prevented the server from fulfilling it.")
        response.headers["x-openstack-request-id"] = f"req-{uuid.uuid4()}"
        response.headers["Vary"] = "X-Auth-Token"
        return response

    def _seen(self, token: str) -> Seen | None:
        try:
            return self.tokens.look(token, access_rules=True)
        except ProblemError:
            return None

    def _problem(self, status: HTTPStatus, message: str) -> web.Response:
        headers = {}
        if status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = f'Keystone uri="{self.api.base.removesuffix("/v3")}"'
        body = {"error": {"code": int(status), "message": message, "title": status.phrase}}
        return self.api.json(body, status, headers)

    # Discovery

    def _version(self) -> Body:
        return {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{self.api.base}/"}],
            "media-types": [
                {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}
            ],
        }

    async def versions(self, _: web.Request) -> web.Response:
        """The versions that there are."""
        return self.api.json({"versions": {"values": [self._version()]}}, HTTPStatus.MULTIPLE_CHOICES)

    async def version(self, _: web.Request) -> web.Response:
        """Version 3."""
        return self.api.json({"version": self._version()})

    # Tokens

    async def issue(self, request: web.Request) -> web.Response:
        """`POST /auth/tokens`."""
        token, seen = self.tokens.issue(await json_body(request))
        return self._token(request, seen, HTTPStatus.CREATED, token)

    def _subject(self, request: web.Request, action: str) -> tuple[str, Seen]:
        """The token in question, if the caller may ask about it: their own, or they administer."""
        seen = seen_of(request)
        subject = request.headers.get("X-Subject-Token", "")
        found = self.tokens.look(
            subject,
            allow_expired=request.query.get("allow_expired", "").lower() in {"1", "true"},
            access_rules="OpenStack-Identity-Access-Rules" in request.headers,
        )
        # As with Keystone's own rule, a token that impersonates its trustor is not its own subject.
        if found.kept["user"] != seen.user_id and not seen.has("admin") and not seen.has("service"):
            raise forbidden(f"identity:{action}")
        return subject, found

    async def validate(self, request: web.Request) -> web.Response:
        """`GET /auth/tokens`, and HEAD."""
        subject, found = self._subject(request, "validate_token")
        return self._token(request, found, HTTPStatus.OK, subject)

    async def revoke(self, request: web.Request) -> web.Response:
        """`DELETE /auth/tokens`."""
        subject, _ = self._subject(request, "revoke_token")
        self.tokens.revoke(subject)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    def _token(self, request: web.Request, seen: Seen, status: HTTPStatus, token: str) -> web.Response:
        body = seen.body
        if "nocatalog" in request.query:
            body = {key: value for key, value in body.items() if key != "catalog"}
        return self.api.json({"token": body}, status, {"X-Subject-Token": token})

    # What a token may reach

    def catalog_of(self, project_id: str) -> list[Body]:
        """The catalog for a project."""
        endpoints = [endpoint for endpoint in self.store.all("endpoints") if endpoint["enabled"]]
        catalog = []
        for service in self.store.all("services"):
            offered = [
                {
                    "id": endpoint["id"],
                    "interface": endpoint["interface"],
                    "region": endpoint["region_id"],
                    "region_id": endpoint["region_id"],
                    "url": _filled(endpoint["url"], project_id),
                }
                for endpoint in endpoints
                if endpoint["service_id"] == service["id"]
            ]
            if service["enabled"] and offered:
                catalog.append(
                    {
                        "id": service["id"],
                        "type": service["type"],
                        "name": service["name"],
                        "endpoints": offered,
                    }
                )
        return catalog

    async def catalog(self, request: web.Request) -> web.Response:
        """`GET /auth/catalog`."""
        seen = seen_of(request)
        if "catalog" not in seen.body:
            raise forbidden("identity:get_auth_catalog")
        links = {"self": f"{self.api.base}/auth/catalog"}
        return self.api.json({"catalog": seen.body["catalog"], "links": links})

    async def own_projects(self, request: web.Request) -> web.Response:
        """`GET /auth/projects`."""
        return self.api.page(request, "projects", self.people.targets(seen_of(request).user_id, "projects"))

    async def own_domains(self, request: web.Request) -> web.Response:
        """`GET /auth/domains`."""
        return self.api.page(request, "domains", self.people.targets(seen_of(request).user_id, "domains"))

    async def own_system(self, request: web.Request) -> web.Response:
        """`GET /auth/system`."""
        seen = seen_of(request)
        found = [{"all": True}] if self.store.roles(seen.user_id, "system") else []
        return self.api.json({"system": found, "links": {"self": f"{self.api.base}/auth/system"}})


def _filled(url: str, project_id: str) -> str:
    for name in ("project_id", "tenant_id"):
        url = url.replace(f"%({name})s", project_id).replace(f"$({name})s", project_id)
    return url
