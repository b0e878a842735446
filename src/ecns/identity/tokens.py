"""From a token to its caller: asked of Keystone, remembered for a short time.

What is promised: no token passes that Keystone would not accept, but for the seconds of the cache, counted
from when Keystone was asked; none passes after it expired. While Keystone does not answer, tokens that it has
accepted are believed for longer, so that what needs nothing of OpenStack goes on without waiting for it.
Tokens are known by their SHA-256 only.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from ecns.backends.common.recent import Recent
from ecns.errors import EcnsError, ForbiddenError, UnauthorizedError, UpstreamError
from ecns.identity.caller import Caller

if TYPE_CHECKING:
    from ecns.backends.openstack.keystone import Keystone, Token

POSSIBLE = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")
"""What Fernet, JWS and UUID tokens are made of, and longer than any of them; the rest is not asked about."""
REFUSED_SECONDS = 2.0
"""A refusal is remembered for a moment, so that a client that repeats itself does not load Keystone."""
REMEMBERED = 10_000
"""Callers at most, and refusals at most, each about 1 KiB; the longest unused go first."""
PATIENCE_SECONDS = 0.5
"""How long who was accepted before waits for a Keystone that may not answer."""


class _Accepted(NamedTuple):
    """Who Keystone has said that a token stands for."""

    caller: Caller
    until: float
    """Monotonic time from which it is asked again."""


class TokenChecker:
    """Finds the caller of each token; one for each Keystone and event loop.

    Args:
        keystone: asked about tokens that are not remembered.
        cache_seconds: how long an accepted token is believed.
        outage_seconds: how much longer while Keystone does not answer.
    """

    def __init__(
        self, keystone: Keystone, *, cache_seconds: float = 30.0, outage_seconds: float = 0.0
    ) -> None:
        self._keystone = keystone
        self._cache_seconds = cache_seconds
        self._outage_seconds = outage_seconds
        self._silent = False
        """Whether Keystone has not answered when it was asked last."""
        self._accepted: Recent[_Accepted] = Recent(REMEMBERED)
        self._refusals: Recent[EcnsError] = Recent(REMEMBERED)
        self._asking: dict[str, asyncio.Task[Caller]] = {}

    async def check(self, token: str) -> Caller:
        """The caller who holds a token; of many that ask about one token at a time, one asks Keystone.

        Raises:
            UnauthorizedError: no token, or one that Keystone does not accept (any more).
            ForbiddenError: the token is good and has no project.
            UpstreamError: Keystone is down, slow or not a Keystone, and the token is not remembered.
        """
        if not token:
            raise self._unauthorized("a token is needed: send X-Auth-Token")
        if not POSSIBLE.fullmatch(token):
            raise self._unauthorized("X-Auth-Token is not a token")
        digest = hashlib.sha256(token.encode()).hexdigest()
        if accepted := self._accepted.get(digest):
            if time.time() >= accepted.caller.expires_at:
                self._accepted.drop(digest)
                raise self._unauthorized("the token has expired")
            if time.monotonic() < accepted.until:
                return accepted.caller
        if refusal := self._refusals.get(digest):
            raise type(refusal)(refusal.message, details=refusal.details, headers=refusal.headers)
        asking = self._asking.get(digest)
        if asking is None:
            asking = asyncio.create_task(self._ask(token, digest))
            self._asking[digest] = asking
            asking.add_done_callback(lambda done: self._asked(digest, done))
        if accepted:
            return await self._believed(accepted.caller, asking)
        # Shielded: a client that goes away must not take the answer from the others who wait for it.
        return await asyncio.shield(asking)

    async def _believed(self, caller: Caller, asking: asyncio.Task[Caller]) -> Caller:
        """What Keystone says now, or what it has said when it says nothing."""
        if not self._silent:
            await asyncio.wait({asking}, timeout=PATIENCE_SECONDS)
        if not asking.done():
            self._silent = True
            return caller
        try:
            return asking.result()
        except UpstreamError:
            return caller

    def _asked(self, digest: str, done: asyncio.Task[Caller]) -> None:
        del self._asking[digest]
        if not done.cancelled():
            done.exception()  # seen, also when everybody who waited has gone away

    async def _ask(self, token: str, digest: str) -> Caller:
        asked = time.monotonic()
        try:
            caller = self._caller(await self._keystone.validate(token), token, digest)
        except (UnauthorizedError, ForbiddenError) as error:
            self._silent = False
            self._accepted.drop(digest)
            self._refusals.put(digest, error, asked + REFUSED_SECONDS)
            raise
        except UpstreamError:
            self._silent = True
            raise
        self._silent = False
        until = asked + self._cache_seconds
        self._accepted.put(digest, _Accepted(caller, until), until + self._outage_seconds)
        return caller

    def _caller(self, body: Token, token: str, digest: str) -> Caller:
        expires_at = body.expires_at.timestamp()
        if expires_at <= time.time():
            raise self._unauthorized("the token has expired")
        if body.project is None:
            scope = "a domain" if body.domain else "the system" if body.system else "nothing"
            raise ForbiddenError(
                f"the token is scoped to {scope}; this API needs a token that is scoped to a project"
            )
        return Caller(
            user_id=body.user.id,
            user_name=body.user.name,
            user_domain_id=body.user.domain.id,
            user_domain_name=body.user.domain.name,
            project_id=body.project.id,
            project_name=body.project.name,
            project_domain_id=body.project.domain.id,
            project_domain_name=body.project.domain.name,
            roles=tuple(role.name.lower() for role in body.roles),
            token=token,
            token_digest=digest,
            expires_at=expires_at,
        )

    def _unauthorized(self, message: str) -> UnauthorizedError:
        return UnauthorizedError(message, headers=self._keystone.challenge)
