"""Requests with Harbor's session cookie: reads hand out a token, writes need it, whoever asks.

Whoever keeps the cookie `sid` from an answer gets 403 for every write that does not also carry the cookie
`_gorilla_csrf` and, in `X-Harbor-CSRF-Token`, a token made with it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from email.utils import formatdate
from http.cookies import CookieError, SimpleCookie
from time import time

from ecns.embedded.harbor.errors import ProblemError, forbidden

SESSION = "sid"
COOKIE = "_gorilla_csrf"
HEADER = "X-Harbor-CSRF-Token"
SECONDS = 43200
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_LENGTH = 32


def cookies_of(header: str) -> dict[str, str]:
    """The cookies of a request; what is no cookie is none."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


class Guard:
    """Makes and checks the tokens.

    Args:
        key: signs the cookie.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _signature(self, real: bytes) -> bytes:
        return hmac.digest(self._key, b"csrf" + real, "sha256")

    def headers(
        self, method: str, cookies: dict[str, str], sent: str
    ) -> tuple[list[tuple[str, str]], ProblemError | None]:
        """The headers that an answer gets, and the refusal if the request is to be refused."""
        kept = _decoded(cookies.get(COOKIE, ""))
        real, signature = kept[:_LENGTH], kept[_LENGTH:]
        fresh = len(real) != _LENGTH or not hmac.compare_digest(signature, self._signature(real))
        if fresh:
            real = secrets.token_bytes(_LENGTH)
        pad = secrets.token_bytes(_LENGTH)
        token = pad + _mixed(pad, real)
        headers = [(HEADER, base64.b64encode(token).decode())]
        if fresh:
            value = base64.urlsafe_b64encode(real + self._signature(real)).decode()
            expires = formatdate(time() + SECONDS, usegmt=True)
            lasting = f"Path=/; Expires={expires}; Max-Age={SECONDS}; HttpOnly; SameSite=Strict"
            headers.append(("Set-Cookie", f"{COOKIE}={value}; {lasting}"))
        given = base64.b64decode(sent) if _is_base64(sent) else b""
        matches = len(given) == 2 * _LENGTH and hmac.compare_digest(
            _mixed(given[:_LENGTH], given[_LENGTH:]), real
        )
        if method in SAFE or (matches and not fresh):
            return headers, None
        return headers, forbidden("CSRF token invalid")


def _mixed(left: bytes, right: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(left, right, strict=True))


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
