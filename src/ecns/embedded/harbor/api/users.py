"""Accounts of people."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import accounts, clock, rights
from ecns.embedded.harbor.answers import Answer, created, done, json_of
from ecns.embedded.harbor.callers import Robot
from ecns.embedded.harbor.errors import (
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    precondition,
    unauthorized,
)
from ecns.embedded.harbor.query import Column, Listing, keywords, listed
from ecns.embedded.harbor.requests import Shape

if TYPE_CHECKING:
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row

ADMIN_ID = 1
_CREATE = Shape(
    "UserCreationReq", {"username": str, "password": str, "email": str, "realname": str, "comment": str}
)
_PROFILE = Shape("UserProfile", {"email": str, "realname": str, "comment": str})
_PASSWORD = Shape("PasswordReq", {"old_password": str, "new_password": str})
_FLAG = Shape("UserSysAdminFlag", {"sysadmin_flag": bool})
_COLUMNS = {
    "user_id": Column("account.id", "int"),
    "username": Column("account.username"),
    "email": Column("account.email"),
    "realname": Column("account.realname"),
    "creation_time": Column("account.created", "time"),
}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ILLEGAL = re.compile(r"[,~#$%]")


def _shown(row: Row) -> dict[str, Any]:
    shown: dict[str, Any] = {"admin_role_in_auth": False}
    if row["comment"]:
        shown["comment"] = row["comment"]
    shown["creation_time"] = clock.text(row["created"])
    if row["email"]:
        shown["email"] = row["email"]
    return {
        **shown,
        "realname": row["realname"],
        "sysadmin_flag": bool(row["sysadmin"]),
        "update_time": clock.text(row["updated"]),
        "user_id": row["id"],
        "username": row["username"],
    }


def _row(call: Call, identity: int) -> Row:
    row = call.harbor.store.one("SELECT * FROM account WHERE id = ?", identity)
    if row is None:
        raise not_found(f"user {identity} not found")
    return row


def _self(call: Call) -> Row:
    if not call.caller.authenticated:
        raise unauthorized()
    if isinstance(call.caller, Robot):
        raise precondition("get current user not available for security context: robot")
    return _row(call, call.caller.user_id)


def _found(call: Call, action: str) -> Row:
    """The account that the path names, of an administrator or its owner."""
    identity = call.number_in_path("user_id")
    if not call.caller.authenticated:
        raise unauthorized()
    if call.caller.user_id != identity and not call.caller.can_system("user", action):
        raise forbidden(f"Not authorized to {action} user: {identity}")
    return _row(call, identity)


def _check_profile(body: dict[str, Any]) -> None:
    email, name = body.get("email", ""), body.get("realname", "")
    if not email:
        raise bad_request("email can't be empty")
    if not _EMAIL.fullmatch(email):
        raise bad_request("email is illegal, user's email should be like: xxx@xxx.xxx")
    if _ILLEGAL.search(name):
        raise bad_request("realname contains illegal characters")
    if not name:
        raise bad_request("realname can't be empty")


async def create(call: Call) -> Answer:
    """POST /users."""
    body = await call.body("userReq", _CREATE)
    call.require_system("user", "create")
    name = body.get("username", "")
    _check_password(body.get("password", ""))
    _check_profile(body)
    if not name or _ILLEGAL.search(name) or len(name) > 255:  # noqa: PLR2004  of Harbor's column
        raise bad_request("username contains illegal characters" if name else "username can't be empty")
    store = call.harbor.store
    identity = store.next_id("account")
    if store.one("SELECT 1 FROM account WHERE username = ? OR email = ?", name, body["email"]):
        raise conflict(f"user {name} or email {body['email']} already exists")
    salt, digest = accounts.hashed(body["password"])
    now = clock.now()
    store.run(
        "INSERT INTO account VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
        identity,
        name,
        body["email"],
        body["realname"],
        body.get("comment", ""),
        salt,
        digest,
        now,
        now,
    )
    return created(f"{call.shown_path.rstrip('/')}/{identity}")


def _check_password(password: str) -> None:
    if not accounts.PASSWORD.fullmatch(password):
        raise bad_request(f"the password or secret {accounts.RULE}")


async def list_all(call: Call) -> Answer:
    """GET /users; the first administrator is not listed."""
    call.require_system("user", "list")
    listing = Listing("account", _COLUMNS, "account.username ASC")
    listing.where("account.id != ?", ADMIN_ID)
    listing.narrow(keywords(call.text("q")))
    rows, total = listing.page(call.harbor.store, call, "account.*")
    return listed(call, [_shown(row) for row in rows], total)


async def search(call: Call) -> Answer:
    """GET /users/search: names that hold a text."""
    if not call.given("username"):
        raise invalid("username in query is required")
    if not call.caller.authenticated:
        raise unauthorized()
    listing = Listing("account", _COLUMNS, "account.username ASC")
    listing.where(
        "account.id != ? AND instr(lower(account.username), lower(?))", ADMIN_ID, call.text("username")
    )
    rows, total = listing.page(call.harbor.store, call, "account.*")
    return listed(call, [{"user_id": row["id"], "username": row["username"]} for row in rows], total)


async def current(call: Call) -> Answer:
    """GET /users/current."""
    return json_of(_shown(_self(call)))


async def permissions(call: Call) -> Answer:
    """GET /users/current/permissions: in the project that `scope` names, `/project/{id}`."""
    if not call.caller.authenticated:
        raise unauthorized()
    scope = call.text("scope")
    found = re.fullmatch(r"/project/([0-9]{1,18})", scope.rstrip("/"))
    project = call.harbor.store.one("SELECT * FROM project WHERE id = ?", int(found[1])) if found else None
    held: list[tuple[str, str]] = []
    if project is not None:
        held = list(rights.OF_ROLE[rights.ADMIN]) if call.caller.admin else call.caller.rights(project)
    relative = call.flag("relative")
    shown = []
    for resource, action in held:
        name = (resource or ".") if relative else f"{scope.rstrip('/')}/{resource}".rstrip("/")
        shown.append({"action": action, "resource": name})
    return json_of(shown)


async def show(call: Call) -> Answer:
    """GET /users/{id}."""
    return json_of(_shown(_found(call, "read")))


async def update(call: Call) -> Answer:
    """PUT /users/{id}: the profile."""
    body = await call.body("profile", _PROFILE)
    row = _found(call, "update")
    _check_profile(body)
    store = call.harbor.store
    if store.one("SELECT 1 FROM account WHERE email = ? AND id != ?", body["email"], row["id"]):
        raise conflict(f"user {row['username']} or email {body['email']} already exists")
    store.run(
        "UPDATE account SET email = ?, realname = ?, comment = ?, updated = ? WHERE id = ?",
        body["email"],
        body["realname"],
        body.get("comment", ""),
        clock.now(),
        row["id"],
    )
    return done()


async def set_admin(call: Call) -> Answer:
    """PUT /users/{id}/sysadmin."""
    body = await call.body("sysadminFlag", _FLAG)
    call.require_system("user", "update")
    row = _row(call, call.number_in_path("user_id"))
    if row["id"] == call.caller.user_id and not body.get("sysadmin_flag"):
        raise forbidden(f"User with ID {row['id']} cannot be changed")
    call.harbor.store.run(
        "UPDATE account SET sysadmin = ? WHERE id = ?", bool(body.get("sysadmin_flag")), row["id"]
    )
    return done()


async def set_password(call: Call) -> Answer:
    """PUT /users/{id}/password."""
    body = await call.body("password", _PASSWORD)
    row = _found(call, "update")
    new = body.get("new_password", "")
    _check_password(new)
    if row["id"] == call.caller.user_id and not call.harbor.accounts.matches(
        row, body.get("old_password", "").encode()
    ):
        raise forbidden("Current password is incorrect")
    salt, digest = accounts.hashed(new)
    call.harbor.store.run(
        "UPDATE account SET salt = ?, hash = ?, updated = ? WHERE id = ?",
        salt,
        digest,
        clock.now(),
        row["id"],
    )
    return done(HTTPStatus.OK)


async def delete(call: Call) -> Answer:
    """DELETE /users/{id}: not oneself, and not the first administrator."""
    identity = call.number_in_path("user_id")
    call.require_system("user", "delete")
    if identity in {ADMIN_ID, call.caller.user_id}:
        raise forbidden(f"User with ID {identity} cannot be deleted")
    _row(call, identity)
    call.harbor.store.run("DELETE FROM account WHERE id = ?", identity)
    return done()
