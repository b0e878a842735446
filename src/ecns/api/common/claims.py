"""What only one in a whole cluster can have: node ports, cluster IPs, and hosts with their paths.

A caller is told that somebody has it, whoever that is; who it is, only where the caller may see them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from ecns.api.common.objects import Objects
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.kinds.core import SERVICE
from ecns.backends.kubernetes.kinds.meta import ObjectMeta
from ecns.backends.kubernetes.kinds.networking import INGRESS, INGRESS_CLASS, Ingress, IngressClass
from ecns.errors import ConflictError

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
CANARY = "nginx.ingress.kubernetes.io/canary"
"""Annotation of an Ingress that means to share its routes with another one."""
ANY_PATH = "/"


class Route(NamedTuple):
    """A path of a host."""

    host: str
    path: str
    path_type: str


class Claim(NamedTuple):
    """What a request wants to have."""

    field: str
    """Where in the request it says so."""
    value: int | str | Route
    """A node port, a cluster IP or a route."""


def default_class(classes: Iterable[IngressClass]) -> str:
    """The class of Ingresses that name none; the newest of several, as Kubernetes has it, or empty."""
    marked = [one for one in classes if (one.metadata.annotations or {}).get(DEFAULT_CLASS) == "true"]
    marked.sort(key=lambda one: one.metadata.name)
    marked.sort(key=lambda one: one.metadata.creation_timestamp or "", reverse=True)
    return marked[0].metadata.name if marked else ""


def class_of(ingress: Ingress) -> str:
    """The class of an Ingress, or empty."""
    annotations = ingress.metadata.annotations or {}
    return ingress.spec.ingress_class_name or annotations.get(CLASS_ANNOTATION, "")


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


def routes_of(ingress: Ingress) -> set[Route]:
    """The routes of an Ingress."""
    return {
        Route(rule.host, path.path or ANY_PATH, path.path_type)
        for rule in ingress.spec.rules or ()
        if rule.http
        for path in rule.http.paths
    }


def is_canary(ingress: Ingress) -> bool:
    """Whether an Ingress means to share its routes."""
    return (ingress.metadata.annotations or {}).get(CANARY) == "true"


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
