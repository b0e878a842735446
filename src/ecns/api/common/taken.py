"""Refusing what others in the cluster have.

A caller is told that somebody has it, whoever that is; who it is, only where the caller may see them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ecns.api.common.claims import Claim, Route, class_of, default_class, is_canary, routes_of
from ecns.api.common.objects import Objects
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.kinds.core import SERVICE
from ecns.backends.kubernetes.kinds.meta import ObjectMeta
from ecns.backends.kubernetes.kinds.networking import INGRESS, INGRESS_CLASS, Ingress
from ecns.errors import ConflictError


async def refuse_taken(
    objects: Objects,
    claims: Sequence[Claim],
    *,
    services: Collection[str] = (),
    ingresses: Collection[str] = (),
    ingress_class: str | None = None,
) -> None:
    """Refuse what others have.

    Of two Ingresses of one class with the same route only one is served; which, is the controller's whim.
    Routes of all hosts are let be: they are nobody's.

    Args:
        objects: the place.
        claims: what is wanted.
        services: the Services of the place that want it, or have it already.
        ingresses: likewise its Ingresses.
        ingress_class: the class of the routes; None is the cluster's default.

    Raises:
        ConflictError: something is taken; it says by whom.
    """
    for claim in claims:
        if not isinstance(claim.value, Route):
            await _refuse_address(objects, claim, services)
    hosts = [(claim, claim.value) for claim in claims if isinstance(claim.value, Route) and claim.value.host]
    if not hosts:
        return
    cache, classes = await objects.caches(INGRESS, INGRESS_CLASS)
    mine = default_class(classes) if ingress_class is None else ingress_class
    for claim, route in hosts:
        for other in sharing(cache, route, mine):
            if other.metadata.namespace != objects.namespace or other.metadata.name not in ingresses:
                what = f"host {route.host} with path {route.path}"
                raise _taken(objects, claim, what, "ingress", other.metadata)


async def _refuse_address(objects: Objects, claim: Claim, services: Collection[str]) -> None:
    cache = await objects.cache(SERVICE)
    for other in cache.index(indexes.ALLOCATED, claim.value):
        metadata = other.metadata
        if metadata.namespace != objects.namespace or metadata.name not in services:
            what = "node port" if isinstance(claim.value, int) else "cluster IP"
            raise _taken(objects, claim, f"{what} {claim.value}", "service", metadata)


def sharing(cache: Cache[Ingress], route: Route, ingress_class: str) -> list[Ingress]:
    """The Ingresses of a class that have a route and do not mean to share it."""
    return [
        other
        for other in cache.index(indexes.HOST, route.host)
        if class_of(other) == ingress_class and not is_canary(other) and route in routes_of(other)
    ]


def whose(objects: Objects, kind: str, metadata: ObjectMeta) -> str:
    """An object of the cluster in words, as far as the caller may see it."""
    if metadata.namespace == objects.namespace:
        return f"{kind} {metadata.name!r}"
    if objects.places.sees(objects.place, metadata.namespace):
        return f"{kind} {metadata.name!r} of namespace {metadata.namespace!r}"
    return "another project"


def _taken(objects: Objects, claim: Claim, what: str, kind: str, metadata: ObjectMeta) -> ConflictError:
    details: dict[str, Any] = {"field": claim.field}
    if objects.places.sees(objects.place, metadata.namespace):
        details |= {"namespace": metadata.namespace, kind: metadata.name}
    return ConflictError(f"{what} is taken by {whose(objects, kind, metadata)}", details=details)
