"""Tokens: issued for what a body proves, and looked at against the people and projects as they are now.

A token stands for a user, a scope and how it was got; its roles, its names and whether it still holds are
worked out at each look, so a disabled user or a role taken away shows at once, as with Keystone's own.

Source: https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple

from ecns.embedded.keystone.errors import ProblemError, invalid, not_found, unauthorized
from ecns.embedded.keystone.store import Body, Store

IMPLIED = {"admin": "manager", "manager": "member", "member": "reader"}
"""A role has the next one with it, as Keystone's bootstrap sets up."""
EXPIRED_WINDOW = 48 * 3600
"""Seconds for which an expired token is still shown to `allow_expired`."""
TOKEN_BYTES = 135
"""As long as a Fernet token of Keystone (180 characters and a prefix)."""
SYSTEM = "system"


class Seen(NamedTuple):
    """A token that holds: what it remembers, and what Keystone answers about it."""

    kept: Body
    body: Body

    @property
    def user_id(self) -> str:
        """Whose it is."""
        return str(self.body["user"]["id"])

    @property
    def project_id(self) -> str:
        """The project it is scoped to, if it is."""
        return str(self.body.get("project", {}).get("id", ""))

    def has(self, role: str) -> bool:
        """Whether one of its roles has this name."""
        return any(known["name"].lower() == role for known in self.body.get("roles", ()))


def stamp(moment: float) -> str:
    """A time as Keystone writes it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: object) -> float:
    """The time that a client wrote."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise invalid(f"'{text}' is not a time.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def part(body: object, *names: str) -> Any:
    """What stands in a body under these names; anything but an object on the way is the client's fault."""
    for name in names:
        if not isinstance(body, dict):
            raise invalid(f"An object is needed where '{name}' stands.")
        if name not in body:
            raise invalid(f"'{name}' is a required property.")
        body = body[name]
    return body


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class Tokens:
    """Issues, shows and revokes.

    Args:
        store: people, projects and tokens.
        lifetime: seconds that a token is good for.
    """

    def __init__(self, store: Store, lifetime: float) -> None:
        self.store = store
        self.lifetime = lifetime
        self.catalog_of: Any = lambda _project_id: []

    # Issuing

    def issue(self, body: Any) -> tuple[str, Seen]:
        """A token for what a request proves (`POST /auth/tokens`).

        Raises:
            ProblemError: 400, the body does not say what it must; 401, it proves nothing; 404, by what is
                not there.
        """
        identity = part(body, "auth", "identity")
        methods = part(identity, "methods")
        if not isinstance(methods, list):
            raise invalid("'methods' is a list.")
        if not methods:
            raise unauthorized()
        kept: Body = {"methods": [], "expires": time.time() + self.lifetime, "parent": None}
        for method in methods:
            prove = {
                "password": self._password,
                "token": self._token,
                "application_credential": self._application_credential,
            }.get(str(method))
            if prove is None:
                raise unauthorized()
            user_id = prove(part(identity, str(method)), kept)
            if kept.setdefault("user", user_id) != user_id:
                raise unauthorized()
            kept["methods"].append(method)
        kept["methods"] = sorted({*kept["methods"], *kept.pop("before", [])})
        kept |= self._scope(kept, body["auth"].get("scope"))
        parent = kept.pop("parent")
        audit_id = base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()
        kept |= {"issued": time.time(), "audit_ids": [audit_id, *([parent] if parent else [])]}
        try:
            seen = Seen(kept, self._body(kept))
        except ProblemError as error:
            raise unauthorized() from error
        token = "gAAAAA" + base64.urlsafe_b64encode(os.urandom(TOKEN_BYTES)).decode()
        db = self.store.db
        db.execute("DELETE FROM token WHERE expires < ?", (time.time() - EXPIRED_WINDOW,))
        db.execute(
            "INSERT INTO token VALUES (?, ?, ?, ?)",
            (_digest(token), kept["user"], kept["expires"], json.dumps(kept)),
        )
        return token, seen

    def find_user(self, said: object) -> Body:
        """The user that a request names, by id or by name and domain."""
        if not isinstance(said, dict):
            raise invalid("A user is an object.")
        if "id" in said:
            user = self.store.get("users", str(said["id"]))
        else:
            domain = self._find_domain(said.get("domain", {}))
            user = self.store.named("users", str(part(said, "name")), domain["id"]) if domain else None
        if user is None:
            raise unauthorized()
        return user

    def _password(self, said: object, _: Body) -> str:
        given = part(said, "user")
        password = part(given, "password")
        try:
            user = self.find_user(given)
        except ProblemError as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                self.store.matches_secret("", str(password))  # takes as long as for a user that is there
            raise
        if not isinstance(password, str) or not self.store.matches_secret(user["id"], password):
            raise unauthorized()
        return str(user["id"])

    def _token(self, said: object, kept: Body) -> str:
        seen = self.look(str(part(said, "id")))
        if "application_credential" in seen.kept or "trust" in seen.kept:
            raise ProblemError(HTTPStatus.FORBIDDEN, "This token cannot be used to get another.")
        kept["expires"] = seen.kept["expires"]
        kept["parent"] = seen.kept["audit_ids"][-1]
        kept["before"] = seen.kept["methods"]
        return seen.user_id

    def _application_credential(self, said: Any, kept: Body) -> str:
        secret = part(said, "secret")
        if isinstance(said, dict) and "id" in said:
            found = self.store.get("application_credentials", str(said["id"]))
        else:
            user = self.find_user(part(said, "user"))
            found = self.store.named("application_credentials", str(part(said, "name")), user["id"])
        if found is None:
            raise not_found("Application Credential", str(said.get("id", "")))
        if not self.store.matches_secret(found["id"], str(secret)):
            raise unauthorized()
        kept["application_credential"] = found["id"]
        return str(found["user_id"])

    def _scope(self, kept: Body, said: object) -> Body:
        if "application_credential" in kept:
            if said is not None:
                raise unauthorized()
            found = self.store.get("application_credentials", kept["application_credential"])
            return {"project": (found or {}).get("project_id")}
        if said is None:
            user = self.store.get("users", kept["user"]) or {}
            wanted = user.get("default_project_id")
            return {"project": wanted} if wanted and self.store.roles(kept["user"], wanted) else {}
        if said == "unscoped" or (isinstance(said, dict) and "unscoped" in said):
            return {}
        if not isinstance(said, dict):
            raise invalid("'scope' is an object.")
        if "project" in said:
            return {"project": self._find_project(said["project"])["id"]}
        if "domain" in said:
            domain = self._find_domain(said["domain"])
            if domain is None:
                raise unauthorized()
            return {"domain": domain["id"]}
        if SYSTEM in said:
            return {SYSTEM: True}
        if "OS-TRUST:trust" in said:
            trust = self.store.get("trusts", str(part(said, "OS-TRUST:trust", "id")))
            if trust is None or trust["trustee_user_id"] != kept["user"]:
                raise unauthorized()
            return {"trust": trust["id"], "project": trust["project_id"]}
        raise invalid("'scope' names a project, a domain, the system or a trust.")

    def _find_domain(self, said: object) -> Body | None:
        if not isinstance(said, dict) or not ({"id", "name"} & said.keys()):
            raise invalid("A domain is named by its id or its name.")
        if "id" in said:
            return self.store.get("domains", str(said["id"]))
        return self.store.named("domains", str(said["name"]))

    def _find_project(self, said: object) -> Body:
        if isinstance(said, dict) and "id" in said:
            project = self.store.get("projects", str(said["id"]))
        else:
            domain = self._find_domain(part(said, "domain"))
            project = self.store.named("projects", str(part(said, "name")), domain["id"]) if domain else None
        if project is None:
            raise unauthorized()
        return project

    # Looking

    def look(self, token: str, *, allow_expired: bool = False, access_rules: bool = False) -> Seen:
        """What a token stands for now.

        Args:
            token: as a client sent it.
            allow_expired: one that expired within `EXPIRED_WINDOW` seconds is shown as well.
            access_rules: the asker minds an application credential's access rules.

        Raises:
            ProblemError: 404, there is none that holds.
        """
        row = self.store.db.execute("SELECT body FROM token WHERE digest = ?", (_digest(token),)).fetchone()
        if row is None:
            raise not_found("token", "it was not issued here or does not hold any more")
        kept: Body = json.loads(row[0])
        if kept["expires"] + (EXPIRED_WINDOW if allow_expired else 0) <= time.time():
            raise not_found("token", "it has expired")
        credential = self.store.get("application_credentials", kept.get("application_credential", ""))
        if credential and credential.get("access_rules") and not access_rules:
            raise not_found("token", "it has access rules")
        return Seen(kept, self._body(kept))

    def revoke(self, token: str) -> None:
        """Make a token hold no more."""
        self.store.db.execute("DELETE FROM token WHERE digest = ?", (_digest(token),))

    def revoke_about(self, identity: str) -> None:
        """Make all tokens of a user, or for a project or domain, hold no more."""
        self.store.db.execute(
            "DELETE FROM token WHERE user_id = :id OR json_extract(body, '$.project') = :id "
            "OR json_extract(body, '$.domain') = :id",
            {"id": identity},
        )

    def _body(self, kept: Body) -> Body:
        """Keystone's answer about a token; 404 when user, project, domain or the last role is gone."""
        user = self._enabled("users", kept["user"])
        body: Body = {"methods": kept["methods"]}
        held: set[str] | None = None
        if trust_id := kept.get("trust"):
            trust = self._enabled("trusts", trust_id)
            if trust["expires_at"] and parse_time(trust["expires_at"]) <= time.time():
                raise not_found("trust", trust_id)
            trustor = self._enabled("users", trust["trustor_user_id"])
            body["OS-TRUST:trust"] = {
                "id": trust_id,
                "impersonation": trust["impersonation"],
                "trustor_user": {"id": trustor["id"]},
                "trustee_user": {"id": user["id"]},
            }
            held = {role["id"] for role in trust["roles"]}
            giver, user = trustor, trustor if trust["impersonation"] else user
        else:
            giver = user
        if credential_id := kept.get("application_credential"):
            credential = self._enabled("application_credentials", credential_id)
            if credential["expires_at"] and parse_time(credential["expires_at"]) <= time.time():
                raise not_found("application credential", credential_id)
            body["application_credential"] = {
                "id": credential_id,
                "name": credential["name"],
                "restricted": not credential["unrestricted"],
            }
            held = {role["id"] for role in credential["roles"]}
        body["user"] = {
            "domain": self._ref("domains", user["domain_id"]),
            "id": user["id"],
            "name": user["name"],
            "password_expires_at": None,
        }
        if target := kept.get("project"):
            project = self._enabled("projects", target)
            body["project"] = {
                "domain": self._ref("domains", project["domain_id"]),
                "id": project["id"],
                "name": project["name"],
            }
            body["is_domain"] = False
        elif target := kept.get("domain"):
            body["domain"] = self._ref("domains", target)
        elif kept.get(SYSTEM):
            target = SYSTEM
            body[SYSTEM] = {"all": True}
        if target:
            roles = self.effective(self.store.roles(giver["id"], target))
            body["roles"] = [role for role in roles if held is None or role["id"] in held]
            if not body["roles"]:
                raise not_found("token", "its user has no role there any more")
            body["catalog"] = self.catalog_of(kept.get("project", ""))
        return body | {
            "audit_ids": kept["audit_ids"],
            "issued_at": stamp(kept["issued"]),
            "expires_at": stamp(kept["expires"]),
        }

    def effective(self, role_ids: list[str]) -> list[Body]:
        """Roles with those that they imply, as id and name."""
        found: dict[str, Body] = {}
        for role_id in role_ids:
            role = self.store.get("roles", role_id)
            while role is not None and role["id"] not in found:
                found[role["id"]] = {"id": role["id"], "name": role["name"]}
                role = self.store.named("roles", IMPLIED.get(role["name"], ""))
        return list(found.values())

    def _enabled(self, kind: str, identity: str) -> Body:
        found = self.store.get(kind, identity)
        if found is None or not found.get("enabled", True):
            raise not_found(kind.removesuffix("s"), identity)
        if kind in {"users", "projects"}:
            self._enabled("domains", found["domain_id"])
        return found

    def _ref(self, kind: str, identity: str) -> Body:
        found = self._enabled(kind, identity)
        return {"id": found["id"], "name": found["name"]}
