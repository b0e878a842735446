"""What is there on the first start: one domain, three projects, four users, the standard roles."""

from __future__ import annotations

import os
import secrets
import uuid
from pathlib import Path

from ecns.embedded.keystone.resources import COLLECTIONS
from ecns.embedded.keystone.store import Body, Store

PASSWORD_VARIABLE = "ECNS_EMBEDDED_PASSWORD"  # noqa: S105  a variable's name
DOMAIN = {"id": "default", "name": "Default"}
REGION = "RegionOne"
ROLES = ("admin", "manager", "member", "reader", "service")
USERS = {
    "admin": ("admin", "admin"),
    "developer": ("demo", "member"),
    "visitor": ("demo", "reader"),
    "other": ("other", "member"),
}
"""User → project, role."""
ACCOUNT = "ecns"
"""Name of the application credential, and of the file of its secret."""
INTERFACES = ("public", "internal", "admin")

_DEFAULTS = {kind.plural: kind.defaults for kind in COLLECTIONS}
_NAMESPACE = uuid.UUID("5b0ff2c3-2f1c-4b0b-9f5d-6a7a1df2a0d5")


def _id(*names: str) -> str:
    """The same id in every process for what is made anew at each start."""
    return uuid.uuid5(_NAMESPACE, "/".join(names)).hex


def people(store: Store, data_dir: Path) -> list[Body]:
    """Make the people on the first start, and give them the password of this one; who they are."""
    if not store.meta("seeded"):
        _first(store)
    password = _password(data_dir)
    told = []
    for name, (project_name, role) in USERS.items():
        user = store.named("users", name, DOMAIN["id"])
        project = store.named("projects", project_name, DOMAIN["id"])
        if user is None or project is None:
            continue
        if not store.matches_secret(user["id"], password):
            store.set_secret(user["id"], password)
        told.append(
            {
                "username": name,
                "password": password,
                "project": project_name,
                "project_id": project["id"],
                "domain": DOMAIN["name"],
                "roles": [role],
            }
        )
    return told


def account(store: Store, data_dir: Path) -> Body:
    """An application credential of the administrator for ECNS itself: its id, and the file of its secret."""
    user, project = (
        store.named("users", "admin", DOMAIN["id"]),
        store.named("projects", "admin", DOMAIN["id"]),
    )
    if user is None or project is None:
        return {}
    roles = [role for name in ROLES[:4] if (role := store.named("roles", name))]  # what `admin` implies
    found = store.named("application_credentials", ACCOUNT, user["id"])
    if found is None:
        found = {
            "id": uuid.uuid4().hex,
            "name": ACCOUNT,
            "description": "ECNS's own",
            "user_id": user["id"],
            "project_id": project["id"],
            "roles": [{"id": role["id"], "name": role["name"]} for role in roles],
            "expires_at": None,
            "unrestricted": False,
            "system": None,
        }
        store.put("application_credentials", found)
    secret = _secret(data_dir / ACCOUNT)
    if not store.matches_secret(found["id"], secret):
        store.set_secret(found["id"], secret)
    return {"id": found["id"], "secret_file": str(data_dir / ACCOUNT)}


def _password(data_dir: Path) -> str:
    return os.environ.get(PASSWORD_VARIABLE) or _secret(data_dir / "password")


def _secret(kept: Path) -> str:
    """What a file keeps, made on the first start."""
    if not kept.exists():
        with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(18))
    return kept.read_text().strip()


def _first(store: Store) -> None:
    with store.db:
        store.db.execute("BEGIN")
        store.put("domains", _DEFAULTS["domains"] | DOMAIN | {"description": "The default domain"})
        store.put("regions", _DEFAULTS["regions"] | {"id": REGION})
        for role in ROLES:
            store.put("roles", _DEFAULTS["roles"] | {"id": uuid.uuid4().hex, "name": role})
        for name, (project_name, role) in USERS.items():
            project = store.named("projects", project_name, DOMAIN["id"])
            if project is None:
                project = _DEFAULTS["projects"] | {
                    "id": uuid.uuid4().hex,
                    "name": project_name,
                    "domain_id": DOMAIN["id"],
                    "parent_id": DOMAIN["id"],
                }
                store.put("projects", project)
            user = _DEFAULTS["users"] | {"id": uuid.uuid4().hex, "name": name, "domain_id": DOMAIN["id"]}
            store.put("users", user)
            given = store.named("roles", role)
            assert given is not None, "made above"  # noqa: S101  a fault of ours
            store.assign("users", user["id"], "projects", project["id"], given["id"])
            if role == "admin":
                store.assign("users", user["id"], "domains", DOMAIN["id"], given["id"])
                store.assign("users", user["id"], "system", "system", given["id"])
        store.set_meta("seeded", "1")


def services(store: Store, offered: dict[str, tuple[str, str]]) -> None:
    """Put the services of this start into the catalog, in place of those of the last one.

    Args:
        store: where the catalog is kept.
        offered: type → name and URL.
    """
    with store.db:
        store.db.execute("BEGIN")
        for identity in store.meta("services").split():
            store.db.execute("DELETE FROM resource WHERE id = ?", (identity,))
        made = []
        for kind, (name, url) in offered.items():
            service = _DEFAULTS["services"] | {"id": _id(kind), "type": kind, "name": name}
            store.put("services", service)
            made.append(service["id"])
            for interface in INTERFACES:
                endpoint = _DEFAULTS["endpoints"] | {
                    "id": _id(kind, interface),
                    "service_id": service["id"],
                    "interface": interface,
                    "url": url,
                    "region": REGION,
                    "region_id": REGION,
                }
                store.put("endpoints", endpoint)
                made.append(endpoint["id"])
        store.set_meta("services", " ".join(made))
