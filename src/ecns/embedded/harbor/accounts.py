"""Accounts and their passwords: who an `Authorization` header names."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
from typing import TYPE_CHECKING

from ecns.embedded.harbor import clock
from ecns.embedded.harbor.callers import Caller, Robot, User

if TYPE_CHECKING:
    from ecns.embedded.harbor.store import Row, Store

SCRYPT = {"n": 2**10, "r": 8, "p": 1, "maxmem": 2**22}
"""Cheap (3 ms): it guards a stand-in's passwords on this very machine."""
FROZEN_SECONDS = 1.5
"""How long a failed login takes, and how long nobody gets in by that name meanwhile."""
ROBOT = "robot$"
"""How the names of robots begin."""
PASSWORD = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9]).{8,128}", re.DOTALL)
RULE = (
    "must be 8-128, inclusively, characters long with at least 1 uppercase letter, 1 lowercase letter and "
    "1 number"
)


def hashed(secret: str) -> tuple[bytes, bytes]:
    """A salt, and the hash of a secret with it."""
    salt = os.urandom(16)
    return salt, hashlib.scrypt(secret.encode(), salt=salt, **SCRYPT)


def new_secret() -> str:
    """A secret that keeps the rule for passwords."""
    while not PASSWORD.fullmatch(made := secrets.token_urlsafe(24)):
        pass
    return made


def basic(header: str) -> tuple[str, bytes] | None:
    """Name and password of a Basic header; None when it is none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (name.decode("utf-8", "replace"), password) if colon else None


class Accounts:
    """Users and robots of a store.

    Args:
        store: that has them.
        frozen_seconds: how long a failed login takes.
    """

    def __init__(self, store: Store, frozen_seconds: float = FROZEN_SECONDS) -> None:
        self.store = store
        self.nobody = Caller(store)
        self.frozen_seconds = frozen_seconds
        self._frozen: dict[str, int] = {}
        self._key = os.urandom(16)
        self._verified: dict[bytes, bytes] = {}

    async def login(self, header: str) -> Caller:
        """Who a Basic header names; nobody when it is wrong, which takes a while."""
        given = basic(header)
        if given is None:
            return self.nobody
        name, password = given
        if name.startswith(ROBOT) and (robot := self._robot(name, password)):
            return robot
        if self._frozen.get(name):
            return self.nobody
        row = self.store.one("SELECT * FROM account WHERE username = ?", name)
        if row is not None and self.matches(row, password):
            return User(self.store, name=row["username"], admin=bool(row["sysadmin"]), user_id=row["id"])
        self._frozen[name] = self._frozen.get(name, 0) + 1
        try:
            await asyncio.sleep(self.frozen_seconds)
        finally:
            self._frozen[name] -= 1
            if not self._frozen[name]:
                del self._frozen[name]
        return self.nobody

    def _robot(self, name: str, secret: bytes) -> Robot | None:
        row = self.store.one("SELECT * FROM robot WHERE name = ? AND NOT disabled", name)
        if row is None or not self.matches(row, secret):
            return None
        if row["expires"] != -1 and row["expires"] <= clock.now() // 1000:
            return None
        return Robot.of(self.store, row)

    def matches(self, row: Row, secret: bytes) -> bool:
        """Whether a secret is a row's; the one that was is remembered for as long as its hash stays."""
        mark = hmac.digest(self._key, secret, "sha256")
        known = self._verified.get(row["hash"])
        if known is not None and hmac.compare_digest(known, mark):
            return True
        if not hmac.compare_digest(hashlib.scrypt(secret, salt=row["salt"], **SCRYPT), row["hash"]):
            return False
        if len(self._verified) > 1000:  # noqa: PLR2004  as many as log in; the rest is computed again
            self._verified.clear()
        self._verified[row["hash"]] = mark
        return True
