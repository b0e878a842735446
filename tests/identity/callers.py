"""Callers for tests that need no Keystone."""

from __future__ import annotations

from typing import Any

from ecns.identity.caller import Caller

ANYBODY: dict[str, Any] = {
    "user_id": "u1",
    "user_name": "ann",
    "user_domain_id": "default",
    "user_domain_name": "Default",
    "project_id": "p1",
    "project_name": "demo",
    "project_domain_id": "default",
    "project_domain_name": "Default",
    "token": "t",
    "token_digest": "d",
    "expires_at": 1e10,
}


def caller(*roles: str, **other: Any) -> Caller:
    """A member of a project, or who has other roles; his token lives for three hundred years."""
    return Caller(**{**ANYBODY, "roles": roles or ("member",), **other})
