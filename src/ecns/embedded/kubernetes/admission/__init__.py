"""Admission: what is changed or refused because of what else is in the cluster.

The plugins are those that a Kubernetes 1.36 API server runs by default, in its order.

Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from ecns.embedded.kubernetes.admission import (
    accounts,
    limits,
    namespaces,
    quota,
    scheduling,
    security,
    storage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecns.embedded.kubernetes.errors import Object


class Reader(Protocol):
    """What admission needs of a cluster."""

    def find(self, resource: str, name: str, namespace: str = "") -> Object | None:
        """One object, or None."""

    def list(self, resource: str, namespace: str | None = None) -> list[Object]:
        """All objects of a resource, of one namespace or of all."""


class Request(msgspec.Struct):
    """A write that is about to happen.

    `operation` is CREATE, UPDATE or DELETE (of which nothing is checked here), `resource` such as
    `deployments.apps`, `obj` the object to be stored (which `mutate` changes in place), `old` the stored one
    of an update. `warnings` collects what the answer's Warning headers are to say.
    """

    operation: str
    resource: str
    subresource: str
    namespace: str
    name: str
    obj: Any
    old: Any = None
    user: Any = None
    dry_run: bool = False
    warnings: list[str] = msgspec.field(default_factory=list)


_MUTATING: tuple[Callable[[Any, Request], None], ...] = (
    namespaces.check_lifecycle,
    limits.set_defaults,
    accounts.mount_token,
    scheduling.taint_new_node,
    scheduling.set_priority,
    scheduling.tolerate_failures,
    storage.set_class,
    storage.protect,
    scheduling.set_overhead,
    namespaces.set_ingress_class,
)
_CHECKING: tuple[Callable[[Any, Request], None], ...] = (
    scheduling.check_default_class,
    limits.check,
    security.check,
    storage.check_resize,
    quota.check,
)


def mutate(cluster: Reader, request: Request) -> None:
    """Fills in what the cluster's other objects ask for, before the object is validated.

    Raises:
        ApiError: 404 for a namespace that does not exist, 403 for what is forbidden.
    """
    if request.operation == "DELETE":
        return
    for plugin in _MUTATING:
        plugin(cluster, request)


def check(cluster: Reader, request: Request) -> None:
    """Refuses what limits, quotas and policies forbid; the object is valid and final.

    Raises:
        ApiError: 403, or 422 for the labels of a Pod Security level.
    """
    if request.operation == "DELETE":
        return
    for plugin in _CHECKING:
        plugin(cluster, request)
