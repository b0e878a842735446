"""Registry tokens: what `/service/token` hands out and `/v2` takes, JSON Web Tokens of an hour's half.

Source: https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import time
from typing import Any

SERVICE = "harbor-registry"
ISSUER = "harbor-token-issuer"
SECONDS = 1800
"""How long a token is good for."""

Claims = dict[str, Any]


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Tokens:
    """Signs and checks tokens with a key of the data directory."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, name: str, access: list[Claims] | None, now: int) -> str:
        """A token for an account (empty: anonymous) and its granted actions."""
        claims: Claims = {
            "iss": ISSUER,
            **({"sub": name} if name else {}),
            "aud": SERVICE,
            "exp": now + SECONDS,
            "nbf": now,
            "iat": now,
            "jti": secrets.token_urlsafe(12),
            "access": access,
        }
        head = _encoded(json.dumps({"typ": "JWT", "alg": "HS256"}, separators=(",", ":")).encode())
        signed = f"{head}.{_encoded(json.dumps(claims, separators=(',', ':')).encode())}"
        return f"{signed}.{_encoded(hmac.digest(self._key, signed.encode(), 'sha256'))}"

    def read(self, token: str) -> Claims | None:
        """What a token says; None when it is not ours or over."""
        try:
            signed, _, signature = token.rpartition(".")
            if not hmac.compare_digest(
                hmac.digest(self._key, signed.encode(), "sha256"), _decoded(signature)
            ):
                return None
            claims: Claims = json.loads(_decoded(signed.partition(".")[2]))
        except (ValueError, binascii.Error):
            return None
        return claims if claims["exp"] > time.time() else None
