"""Role-based access control."""
from __future__ import annotations
from typing import Any
import msgspec
from ecns.embedded.kubernetes.errors import ApiError


class Attributes(msgspec.Struct, frozen=True):
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


def refused(user: Any, attributes: Attributes) -> ApiError:
    return ApiError(403, "Forbidden", "forbidden")


def defaults() -> Any:
    return ()


def rules_status(*a: Any) -> Any:
    return {}


class Authorizer:
    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    def decide(self, user: Any, attributes: Any) -> Any:
        return user.is_master, ""

    def check_impersonation(self, *a: Any) -> None:
        return None

    def check_escalation(self, resource: str, new: Any, old: Any, user: Any) -> None:
        return None
