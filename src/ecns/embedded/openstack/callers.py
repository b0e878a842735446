"""Who calls: tokens are asked of Keystone, and believed for a moment.

Source: https://docs.openstack.org/api-ref/identity/v3/#validate-and-show-information-for-token
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from ecns.embedded.openstack import http
from ecns.embedded.openstack.errors import ProblemError

SECONDS = 5.0
"""How long a token is believed without asking again: so long may a revoked one live."""
REMEMBERED = 1000


@dataclass(frozen=True)
class Caller:
    """The holder of a token.

    Args:
        user_id: of Keystone.
        user: the user's name.
        project_id: what the token is for.
        roles: names, with those that they imply.
    """

    user_id: str
    user: str
    project_id: str
    project: str = ""
    roles: frozenset[str] = frozenset()
    domain_id: str = "default"

    @property
    def admin(self) -> bool:
        """Whether everything is theirs."""
        return "admin" in self.roles

    def sees(self, body: dict[str, Any]) -> bool:
        """Whether a document is of their project, or they administer."""
        return self.admin or body.get("project_id") == self.project_id


@dataclass
class Tokens:
    """Believes what a Keystone says.

    Args:
        url: its v3 address.
    """

    url: str
    _known: dict[str, tuple[float, Caller | None]] = field(default_factory=dict)

    async def caller(self, token: str) -> Caller:
        """The holder of a token.

        Raises:
            ProblemError: 401, it is not valid, or without a project; 503, Keystone does not answer.
        """
        digest = hashlib.sha256(token.encode()).hexdigest()
        until, caller = self._known.get(digest, (0.0, None))
        if time.monotonic() >= until:
            caller, seconds = await self._ask(token)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[digest] = (time.monotonic() + seconds, caller)
        if caller is None:
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED, "The request you have made requires authentication.", "token"
            )
        return caller

    async def _ask(self, token: str) -> tuple[Caller | None, float]:
        if not token or not token.isascii() or not token.isprintable():
            return None, SECONDS
        address = urlsplit(self.url)
        headers = {"X-Auth-Token": token, "X-Subject-Token": token, "Accept": http.JSON}
        try:
            async with asyncio.timeout(5):
                status, body = await http.get(
                    address.hostname or "127.0.0.1",
                    address.port or 80,
                    f"{address.path}/auth/tokens?nocatalog",
                    headers,
                )
        except (OSError, TimeoutError) as error:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"The Keystone service is temporarily unavailable: {error}",
                "token",
            ) from error
        if status != HTTPStatus.OK:
            return None, SECONDS
        said = json.loads(body)["token"]
        project = said.get("project")
        if project is None:
            return None, SECONDS
        ends = datetime.fromisoformat(said["expires_at"]).timestamp() - time.time()
        caller = Caller(
            user_id=said["user"]["id"],
            user=said["user"]["name"],
            project_id=project["id"],
            project=project["name"],
            roles=frozenset(role["name"] for role in said.get("roles", ())),
            domain_id=project["domain"]["id"],
        )
        return caller, max(0.0, min(SECONDS, ends))
