"""Login information: one robot account of Harbor for each project, that may push to its workspaces.

Nothing is kept here. The account is named `ecns.login.<project id>`; its secret stands in its own
description, which only Harbor's administrators can read, encrypted with a key that is made of ECNS's password
in Harbor. So everybody of a project is told the same, by every replica, until the account ends. If the
password has changed, or somebody has set another secret, the account gets a new one.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ecns.api.images.types import LoginInfo
from ecns.backends.harbor.types import Access, Permission, Robot
from ecns.errors import ConflictError, ForbiddenError, NotFoundError

if TYPE_CHECKING:
    from ecns.backends.harbor.client import Harbor
    from ecns.identity.caller import Caller
    from ecns.identity.workspaces import Workspaces

NAME = "ecns.login."
ACCESS = [Access("repository", "pull"), Access("repository", "push")]
ATTEMPTS = 3
"""Several replicas may make the account at the same time."""


class _Note(msgspec.Struct):
    """The description of such an account."""

    project_name: str
    secret: str
    """Encrypted."""
    note: str = "made by ECNS for its login information"


async def login(workspaces: Workspaces, caller: Caller) -> LoginInfo:
    """The account of the caller's project, able to push to all its workspaces of now.

    Raises:
        ConflictError: the project has no workspace that it could push to.
        ForbiddenError: an administrator of Harbor has disabled the account.
        UpstreamError: Harbor does not answer.
    """
    owned = await workspaces.owned(caller)
    if not owned:
        raise ConflictError("your project has no workspace to push to; make one first")
    harbor = workspaces.harbor
    permissions = [Permission(one.name, ACCESS) for one in owned]
    for _ in range(ATTEMPTS):
        robot, made = await _robot(harbor, caller, permissions)
        if robot is not None:
            if robot.disable:
                raise ForbiddenError(f"an administrator of Harbor has disabled {robot.name}")
            secret = await _secret(harbor, caller, robot, permissions, made=made)
            return _told(harbor, robot, secret)
    raise ConflictError("the account of your project is being made; ask again")


async def extend(workspaces: Workspaces, caller: Caller) -> None:
    """Let the account of the caller's project, if there is one, push to all its workspaces of now.

    Raises:
        UpstreamError: Harbor does not answer.
    """
    harbor = workspaces.harbor
    robot = await _find(harbor, _name(caller.project_id))
    if robot is not None:
        permissions = [Permission(one.name, ACCESS) for one in await workspaces.owned(caller)]
        if permissions and _rights(robot.permissions) != _rights(permissions):
            await harbor.update_robot(robot, description=robot.description, permissions=permissions)


async def _find(harbor: Harbor, name: str) -> Robot | None:
    """The robot of a name; before it stands a prefix that Harbor's administrators choose."""
    for robot in await harbor.robots():
        prefix = robot.name.removesuffix(name)
        if prefix != robot.name and not re.search(r"[a-z0-9._-]$", prefix):
            return robot
    return None


async def _robot(harbor: Harbor, caller: Caller, permissions: list[Permission]) -> tuple[Robot | None, bool]:
    """The account and whether it was made now, for want of one that lives.

    None when another replica was faster.
    """
    name = _name(caller.project_id)
    if (robot := await _find(harbor, name)) is not None:
        if robot.expires_at < 0 or robot.expires_at > time.time():
            return robot, False
        try:
            await harbor.delete_robot(robot.id)
        except NotFoundError:
            return None, False
    days = harbor.settings.login_days or -1
    try:
        await harbor.create_robot(name, _note(harbor, caller, _new_secret()), permissions, days=days)
    except ConflictError:
        return None, False
    return await _find(harbor, name), True


async def _secret(
    harbor: Harbor, caller: Caller, robot: Robot, permissions: list[Permission], *, made: bool
) -> str:
    """The account's secret, which works when this returns."""
    description, secret = robot.description, _read(harbor, robot.description)
    if secret is None:
        secret, made = _new_secret(), True
        description = _note(harbor, caller, secret)
    if description != robot.description or _rights(robot.permissions) != _rights(permissions):
        await harbor.update_robot(robot, description=description, permissions=permissions)
    if made or not await harbor.accepts(robot.name, secret):
        await harbor.set_secret(robot.id, secret)
    return secret


def _told(harbor: Harbor, robot: Robot, secret: str) -> LoginInfo:
    ends = "" if robot.expires_at < 0 else datetime.fromtimestamp(robot.expires_at, UTC).isoformat()
    return LoginInfo(
        username=robot.name,
        password=secret,
        harbor_domain=harbor.domain,
        public_vip=harbor.settings.public_vip or urlsplit(harbor.settings.url).hostname or "",
        expires_at=ends.replace("+00:00", "Z"),
    )


def _name(project_id: str) -> str:
    """The account's name; Harbor takes lower case alone, and so are Keystone's ids nearly always."""
    if not re.fullmatch(r"[a-z0-9]+(?:[_-][a-z0-9]+)*", project_id):
        project_id = hashlib.sha256(project_id.encode()).hexdigest()
    return f"{NAME}{project_id}"


def _new_secret() -> str:
    """One that Harbor takes: upper and lower case and a digit are in it."""
    return f"{secrets.token_urlsafe(32)}aA1"


def _rights(permissions: list[Permission] | None) -> set[tuple[str, str, str]]:
    return {
        (one.namespace, access.resource, access.action) for one in permissions or () for access in one.access
    }


def _note(harbor: Harbor, caller: Caller, secret: str) -> str:
    note = _Note(caller.project_name[:100], _cipher(harbor).encrypt(secret.encode()).decode())
    return msgspec.json.encode(note).decode()


def _read(harbor: Harbor, description: str) -> str | None:
    """The secret in a description; None when it is not ours to read."""
    try:
        note = msgspec.json.decode(description, type=_Note)
        return _cipher(harbor).decrypt(note.secret).decode()
    except (msgspec.DecodeError, InvalidToken, UnicodeDecodeError):
        return None


def _cipher(harbor: Harbor) -> Fernet:
    account = harbor.transport.account
    password = account.password if account is not None else ""
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ecns login information")
    return Fernet(base64.urlsafe_b64encode(key.derive(password.encode())))
