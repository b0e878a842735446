"""Who has which role where, groups, application credentials and trusts.

Source: https://docs.openstack.org/api-ref/identity/v3/ , OS-TRUST and application credentials included.
"""

from __future__ import annotations

import secrets
import uuid
from http import HTTPStatus
from typing import Any

from aiohttp import web

from ecns.embedded.keystone.errors import ProblemError, forbidden, invalid, not_found
from ecns.embedded.keystone.requests import Api, json_body, seen_of
from ecns.embedded.keystone.resources import filtered
from ecns.embedded.keystone.store import Assignment, Body, DuplicateError
from ecns.embedded.keystone.tokens import SYSTEM, Seen, parse_time, part

NO_CONTENT = HTTPStatus.NO_CONTENT


def _admin(request: web.Request, action: str, *, own: str = "") -> Seen:
    """The caller's token, if it is an administrator's or of the user whose own matter it is."""
    seen = seen_of(request)
    if not seen.has("admin") and (not own or seen.user_id != own):
        raise forbidden(f"identity:{action}")
    return seen


class People:
    """The handlers."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.store = api.store

    def routes(self) -> list[web.RouteDef]:
        """What they answer to, below `/v3`."""
        grant = "/{target_kind:projects|domains}/{target}/{actor_kind:users|groups}/{actor}/roles"
        system = "/system/{actor_kind:users|groups}/{actor}/roles"
        member = "/groups/{group}/users/{user}"
        credentials = "/users/{user}/application_credentials"
        return [
            web.get("/role_assignments", self.assignments),
            *(
                route
                for path in (grant, system)
                for route in (
                    web.get(path, self.granted),
                    web.get(f"{path}/{{role}}", self.has_grant),
                    web.put(f"{path}/{{role}}", self.grant),
                    web.delete(f"{path}/{{role}}", self.take),
                )
            ),
            web.get("/groups/{group}/users", self.members),
            web.get(member, self.is_member),
            web.put(member, self.join),
            web.delete(member, self.leave),
            web.get("/users/{user}/groups", self.groups),
            web.get("/users/{user}/projects", self.projects),
            web.post("/users/{user}/password", self.change_password),
            web.get(credentials, self.credentials),
            web.post(credentials, self.make_credential),
            web.get(f"{credentials}/{{id}}", self.credential),
            web.delete(f"{credentials}/{{id}}", self.delete_credential),
            web.get("/OS-TRUST/trusts", self.trusts),
            web.post("/OS-TRUST/trusts", self.make_trust),
            web.get("/OS-TRUST/trusts/{id}", self.trust),
            web.delete("/OS-TRUST/trusts/{id}", self.delete_trust),
        ]

    # Assignments

    async def assignments(self, request: web.Request) -> web.Response:
        """`GET /role_assignments`: filtered by user, group, role and scope."""
        _admin(request, "list_role_assignments")
        names = _flag(request, "include_names")
        wanted = {key: value for key, value in request.query.items() if "." in key}
        found = []
        given = self.store.assignments()
        if _flag(request, "effective"):
            given = self._effective(given)
        for actor_kind, actor, target_kind, target, role in given:
            facts = {f"{actor_kind[:-1]}.id": actor, "role.id": role}
            if target_kind == SYSTEM:
                facts["scope.system"] = "all"
                scope: Body = {SYSTEM: {"all": True}}
            else:
                facts[f"scope.{target_kind[:-1]}.id"] = target
                scope = {target_kind[:-1]: self._named(target_kind, target, names=names)}
            if any(
                facts.get(key) != (value if key != "scope.system" else "all") for key, value in wanted.items()
            ):
                continue
            found.append(
                {
                    "scope": scope,
                    "role": self._named("roles", role, names=names),
                    actor_kind[:-1]: self._named(actor_kind, actor, names=names),
                    "links": {"assignment": f"{self.api.base}/role_assignments"},
                }
            )
        links = {"self": f"{self.api.base}/role_assignments", "previous": None, "next": None}
        return self.api.json({"role_assignments": found, "links": links})

    def _effective(self, given: list[Assignment]) -> list[Assignment]:
        """What they come to: for each user, by groups too, every role that the given ones imply."""
        return list(
            dict.fromkeys(
                ("users", user, target_kind, target, str(implied["id"]))
                for actor_kind, actor, target_kind, target, role in given
                for user in (self.store.members(actor) if actor_kind == "groups" else [actor])
                for implied in self.api.tokens.effective([role])
            )
        )

    def _named(self, kind: str, identity: str, *, names: bool) -> Body:
        if not names:
            return {"id": identity}
        body = self.store.get(kind, identity) or {}
        named: Body = {"id": identity, "name": body.get("name", "")}
        if domain := self.store.get("domains", body.get("domain_id") or ""):
            named["domain"] = {"id": domain["id"], "name": domain["name"]}
        return named

    def _grant(self, request: web.Request) -> Assignment:
        _admin(request, "manage_grants")
        said = request.match_info
        actor_kind, target_kind = said["actor_kind"], said.get("target_kind", SYSTEM)
        self.api.found(actor_kind, actor_kind[:-1], said["actor"])
        if target_kind != SYSTEM:
            self.api.found(target_kind, target_kind[:-1], said["target"])
        if "role" in said:
            self.api.found("roles", "role", said["role"])
        return actor_kind, said["actor"], target_kind, said.get("target", SYSTEM), said.get("role", "")

    async def granted(self, request: web.Request) -> web.Response:
        """The roles that were given on a target."""
        _, actor, _, target, _ = self._grant(request)
        roles = [
            self.api.found("roles", "role", given[4])
            for given in self.store.assignments()
            if (given[1], given[3]) == (actor, target)
        ]
        return self.api.page(request, "roles", roles)

    async def has_grant(self, request: web.Request) -> web.Response:
        """Whether one role was given."""
        grant = self._grant(request)
        if grant not in self.store.assignments():
            raise not_found("role assignment", grant[4])
        return web.Response(status=NO_CONTENT)

    async def grant(self, request: web.Request) -> web.Response:
        """Give a role."""
        self.store.assign(*self._grant(request))
        return web.Response(status=NO_CONTENT)

    async def take(self, request: web.Request) -> web.Response:
        """Take a role away; application credentials that came with it go too."""
        _, actor, _, target, role = self._grant(request)
        if not self.store.unassign(actor, target, role):
            raise not_found("role assignment", role)
        for credential in self.store.all("application_credentials"):
            if (credential["user_id"], credential["project_id"]) == (actor, target):
                self.store.delete("application_credentials", credential["id"])
        return web.Response(status=NO_CONTENT)

    # Groups and users

    async def members(self, request: web.Request) -> web.Response:
        """A group's users."""
        _admin(request, "list_users_in_group")
        group = self.api.found("groups", "group", request.match_info["group"])
        users = [self.api.found("users", "user", user) for user in self.store.members(group["id"])]
        return self.api.page(request, "users", users)

    def _membership(self, request: web.Request) -> tuple[str, str]:
        _admin(request, "manage_group_membership")
        group, user = request.match_info["group"], request.match_info["user"]
        self.api.found("groups", "group", group)
        self.api.found("users", "user", user)
        return group, user

    async def is_member(self, request: web.Request) -> web.Response:
        """Whether a user is in a group."""
        group, user = self._membership(request)
        if user not in self.store.members(group):
            raise not_found("user", user)
        return web.Response(status=NO_CONTENT)

    async def join(self, request: web.Request) -> web.Response:
        """Put a user into a group."""
        self.store.join(*self._membership(request))
        return web.Response(status=NO_CONTENT)

    async def leave(self, request: web.Request) -> web.Response:
        """Take a user out of a group."""
        group, user = self._membership(request)
        if not self.store.leave(group, user):
            raise not_found("user", user)
        return web.Response(status=NO_CONTENT)

    async def groups(self, request: web.Request) -> web.Response:
        """A user's groups."""
        user = request.match_info["user"]
        _admin(request, "list_groups_for_user", own=user)
        groups = [self.api.found("groups", "group", group) for group in self.store.groups(user)]
        return self.api.page(request, "groups", groups)

    async def projects(self, request: web.Request) -> web.Response:
        """The projects that a user has a role in."""
        user = request.match_info["user"]
        _admin(request, "list_user_projects", own=user)
        return self.api.page(request, "projects", filtered(request, self.targets(user, "projects")))

    def targets(self, user: str, kind: str) -> list[Body]:
        """The enabled projects or domains that a user has a role on."""
        found = (self.store.get(kind, target) for target in self.store.targets(user, kind))
        return [body for body in found if body is not None and body["enabled"]]

    async def change_password(self, request: web.Request) -> web.Response:
        """A user's own change of password; their tokens end."""
        user = request.match_info["user"]
        said = part(await json_body(request), "user")
        if not self.store.matches_secret(user, str(part(said, "original_password"))):
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "The password does not match.")
        self.store.set_secret(user, str(part(said, "password")))
        self.api.tokens.revoke_about(user)
        return web.Response(status=NO_CONTENT)

    # Application credentials

    async def credentials(self, request: web.Request) -> web.Response:
        """A user's application credentials."""
        user = request.match_info["user"]
        _admin(request, "list_application_credentials", own=user)
        found = [body for body in self.store.all("application_credentials") if body["user_id"] == user]
        return self.api.page(request, "application_credentials", filtered(request, found))

    async def make_credential(self, request: web.Request) -> web.Response:
        """A new one, for the project of the token; its secret is shown this once."""
        seen = seen_of(request)
        user = request.match_info["user"]
        if seen.user_id != user or not seen.project_id:
            raise forbidden("identity:create_application_credential")
        if seen.body.get("application_credential", {}).get("restricted"):
            raise forbidden("identity:create_application_credential: the method is not allowed")
        said = part(await json_body(request), "application_credential")
        name = part(said, "name")
        secret = str(said.get("secret") or secrets.token_urlsafe(64))
        if said.get("expires_at"):
            parse_time(said["expires_at"])
        body = {
            "id": uuid.uuid4().hex,
            "name": str(name),
            "description": said.get("description"),
            "user_id": user,
            "project_id": seen.project_id,
            "roles": self._held(seen.body["roles"], said.get("roles")),
            "expires_at": said.get("expires_at"),
            "unrestricted": bool(said.get("unrestricted", False)),
            "system": None,
        }
        if said.get("access_rules"):
            body["access_rules"] = said["access_rules"]
        try:
            self.store.put("application_credentials", body)
        except DuplicateError as error:
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "Conflict occurred attempting to store application_credential - Duplicate entry found with "
                f"name {name}.",
            ) from error
        self.store.set_secret(str(body["id"]), secret)
        answer = self.api.linked(f"users/{user}/application_credentials", body) | {"secret": secret}
        return self.api.json({"application_credential": answer}, HTTPStatus.CREATED)

    def _held(self, held: list[Body], said: object) -> list[Body]:
        """The roles that are handed on: all that are held, or those of them that are named."""
        if not said:
            return held
        if not isinstance(said, list):
            raise invalid("'roles' is a list.")
        chosen = []
        for one in said:
            for role in held:
                if isinstance(one, dict) and (one.get("id") == role["id"] or one.get("name") == role["name"]):
                    chosen.append(role)
                    break
            else:
                raise forbidden("to hand on a role that the token does not have")
        return chosen

    def _own(self, request: web.Request, kind: str, singular: str, *fields: str) -> Body:
        seen = seen_of(request)
        body = self.store.get(kind, request.match_info["id"])
        if body is None or not (seen.has("admin") or seen.user_id in {body[field] for field in fields}):
            raise not_found(singular, request.match_info["id"])
        return body

    async def credential(self, request: web.Request) -> web.Response:
        """One application credential."""
        body = self._own(request, "application_credentials", "application credential", "user_id")
        return self.api.json({"application_credential": body})

    async def delete_credential(self, request: web.Request) -> web.Response:
        """Remove one; its tokens end."""
        body = self._own(request, "application_credentials", "application credential", "user_id")
        self.store.delete("application_credentials", body["id"])
        return web.Response(status=NO_CONTENT)

    # Trusts

    async def trusts(self, request: web.Request) -> web.Response:
        """The trusts that a user gave or got."""
        seen = seen_of(request)
        found = [
            body
            for body in self.store.all("trusts")
            if seen.has("admin") or seen.user_id in {body["trustor_user_id"], body["trustee_user_id"]}
        ]
        return self.api.page(request, "trusts", filtered(request, found))

    async def make_trust(self, request: web.Request) -> web.Response:
        """Let another user act in the caller's project."""
        seen = seen_of(request)
        said: Any = part(await json_body(request), "trust")
        if part(said, "trustor_user_id") != seen.user_id or part(said, "project_id") != seen.project_id:
            raise forbidden("identity:create_trust")
        trustee = self.api.found("users", "user", str(part(said, "trustee_user_id")))
        if said.get("expires_at"):
            parse_time(said["expires_at"])
        body = {
            "id": uuid.uuid4().hex,
            "trustor_user_id": seen.user_id,
            "trustee_user_id": trustee["id"],
            "project_id": seen.project_id,
            "impersonation": bool(part(said, "impersonation")),
            "roles": self._held(seen.body["roles"], part(said, "roles")),
            "expires_at": said.get("expires_at"),
            "deleted_at": None,
            "remaining_uses": None,
            "redelegation_count": 0,
        }
        self.store.put("trusts", body)
        return self.api.json({"trust": body}, HTTPStatus.CREATED)

    async def trust(self, request: web.Request) -> web.Response:
        """One trust."""
        return self.api.json(
            {"trust": self._own(request, "trusts", "trust", "trustor_user_id", "trustee_user_id")}
        )

    async def delete_trust(self, request: web.Request) -> web.Response:
        """Take a trust back; its tokens end."""
        body = self._own(request, "trusts", "trust", "trustor_user_id")
        self.store.delete("trusts", body["id"])
        return web.Response(status=NO_CONTENT)


def _flag(request: web.Request, name: str) -> bool:
    return name in request.query and request.query[name].lower() not in {"false", "0"}
