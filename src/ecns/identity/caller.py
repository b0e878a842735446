"""Who is calling: a Keystone token's user, project and roles, as one value."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec


class Caller(msgspec.Struct, frozen=True, kw_only=True, eq=False, weakref=True, dict=True):
    """The holder of a project-scoped token that Keystone accepted.

    Each check of a token that asks Keystone makes a new one; callers compare by identity.
    """

    user_id: str
    user_name: str
    user_domain_id: str
    user_domain_name: str
    project_id: str
    project_name: str
    project_domain_id: str
    project_domain_name: str
    roles: tuple[str, ...]
    """Names, lower case: Keystone compares them without regard to case."""
    token: str
    """For calls of other OpenStack services in the caller's name; never logged, never a key."""
    token_digest: str
    """SHA-256 of the token in hexadecimal: what the token is known by inside ECNS."""
    expires_at: float
    """Unix time at which the token ends."""

    @cached_property
    def credentials(self) -> dict[str, Any]:
        """What rules of oslo.policy may ask for; the names are those of oslo.context."""
        return {
            "user_id": self.user_id,
            "user_domain_id": self.user_domain_id,
            "project_id": self.project_id,
            "project_domain_id": self.project_domain_id,
            "roles": list(self.roles),
        }

    def __repr__(self) -> str:
        return (
            f"Caller(user={self.user_name}@{self.user_domain_name} {self.user_id}, "
            f"project={self.project_name}@{self.project_domain_name} {self.project_id}, roles={self.roles})"
        )
