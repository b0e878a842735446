"""Refusing what others in the cluster have.

A caller is told that somebody has it, whoever that is; who it is, only where the caller may see them.
Kubernetes sees to node ports and cluster IPs itself; nobody but ECNS sees to routes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from ecns.api.common.claims import Claim, Route, class_of, default_class, is_canary, routes_of
from ecns.api.common.objects import Objects
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.clusters import Cluster
from ecns.backends.kubernetes.kinds.core import SERVICE
from ecns.backends.kubernetes.kinds.meta import ObjectMeta
from ecns.backends.kubernetes.kinds.networking import INGRESS, INGRESS_CLASS, Ingress
from ecns.backends.kubernetes.objects import version_of
from ecns.errors import BadRequestError, ConflictError, EcnsError

_RANGE = re.compile(r"Invalid value: (\d+): .*?valid ports is (\d+)-(\d+)")
"""What a cluster says of a node port that is not in its `--service-node-port-range`."""


class _Holder(msgspec.Struct, frozen=True, eq=False):
    """A request that is writing routes."""

    routes: frozenset[Route]
    ingress_class: str
    namespace: str
    ingresses: frozenset[str]


_writing: WeakKeyDictionary[Cluster, set[_Holder]] = WeakKeyDictionary()
"""The requests of this process that are writing routes just now."""


@contextlib.asynccontextmanager
async def alone(
    objects: Objects,
    claims: Sequence[Claim],
    *,
    services: Collection[str] = (),
    ingresses: Collection[str] = (),
    ingress_class: str | None = None,
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Refuse what others have, and let nobody else have it while it is written within this context.

    Of two Ingresses of one class with the same route only one is served; which, is the controller's whim.
    Routes of all hosts are let be: they are nobody's. Of two requests for a route the second is refused: here
    by its turn, on another replica of ECNS when it has written and calls what it is given here.

    Args:
        objects: the place.
        claims: what is wanted.
        services: the Services of the place that want it, or have it already.
        ingresses: likewise its Ingresses.
        ingress_class: the class of the routes; None is the cluster's default.

    Returns:
        What raises a ConflictError when somebody else had written one of the routes before what was written
        here, which is then to be undone.

    Raises:
        BadRequestError: a node port is none of the cluster.
        ConflictError: something is taken; it says by whom.
    """
    addresses = [claim for claim in claims if not isinstance(claim.value, Route)]
    hosts = [(claim, claim.value) for claim in claims if isinstance(claim.value, Route) and claim.value.host]
    await _refuse_addresses(objects, addresses, services)
    caches = await objects.caches(INGRESS, INGRESS_CLASS) if hosts else []
    mine = default_class(caches[1]) if hosts and ingress_class is None else ingress_class or ""
    for claim, route in hosts:
        for other in _others(objects, caches[0], route, mine, ingresses):
            raise _taken(objects, claim, _named(route), "ingress", other.metadata)

    async def check() -> None:
        if hosts and not objects.dry_run:
            await _refuse_second(objects, caches[0], hosts, mine, ingresses)

    with _turn(objects, hosts, mine, ingresses):
        try:
            yield check
        except ConflictError as error:
            if addresses and error.details.get("reason") == "Invalid":  # the cluster heard of it before us
                with contextlib.suppress(EcnsError):
                    await (await objects.cache(SERVICE)).reload("")
                await _refuse_addresses(objects, addresses, services)
            raise
        except BadRequestError as error:
            raise _out_of_range(error, addresses) or error from None


@contextlib.contextmanager
def _turn(
    objects: Objects, hosts: Sequence[tuple[Claim, Route]], ingress_class: str, ingresses: Collection[str]
) -> Iterator[None]:
    """Be the only request of this process that writes these routes."""
    if not hosts or objects.dry_run:
        yield
        return
    holder = _Holder(
        frozenset(route for _, route in hosts), ingress_class, objects.namespace, frozenset(ingresses)
    )
    writing = _writing.setdefault(objects.place.cluster, set())
    for other in writing:
        same = (other.namespace, other.ingresses) == (holder.namespace, holder.ingresses)
        if same or other.ingress_class != ingress_class:
            continue
        for claim, route in hosts:
            if route in other.routes:
                raise ConflictError(f"{_named(route)} is just being taken", details={"field": claim.field})
    writing.add(holder)
    try:
        yield
    finally:
        writing.discard(holder)


async def _refuse_second(
    objects: Objects,
    cache: Cache[Ingress],
    hosts: Sequence[tuple[Claim, Route]],
    ingress_class: str,
    ingresses: Collection[str],
) -> None:
    """Refuse routes that were written here after another Ingress had them.

    The order is that of the cluster: who was second sees the first when all that was written before is here.
    """
    for claim, route in hosts:
        own = [found for name in ingresses if (found := cache.get(name, objects.namespace)) is not None]
        for written in (one.metadata for one in own if route in routes_of(one)):
            version = version_of(written.resource_version)
            if not await cache.at_least(version, namespace="", all_before=True):
                await cache.reload("")
            for other in (one.metadata for one in _others(objects, cache, route, ingress_class, ingresses)):
                older = (other.creation_timestamp or "") < (written.creation_timestamp or "")
                touched = older and written.generation == 1  # by its controller, after it was made
                if touched or version_of(other.resource_version) < version:
                    raise _taken(objects, claim, _named(route), "ingress", other)


def _others(
    objects: Objects, cache: Cache[Ingress], route: Route, ingress_class: str, ingresses: Collection[str]
) -> list[Ingress]:
    """The Ingresses that have a route, but for some of the place."""
    return [
        other
        for other in sharing(cache, route, ingress_class)
        if other.metadata.namespace != objects.namespace or other.metadata.name not in ingresses
    ]


def _named(route: Route) -> str:
    return f"host {route.host} with path {route.path}"


def _out_of_range(error: BadRequestError, claims: Sequence[Claim]) -> BadRequestError | None:
    """The refusal of a node port in the words of the request."""
    for cause in error.details.get("causes", ()):
        if (found := _RANGE.search(cause["message"])) is None:
            continue
        number, first, last = found.groups()
        for claim in claims:
            if claim.value == int(number):
                return BadRequestError(
                    f"{claim.field}: {number} is none of the node ports of cluster"
                    f" {error.details['upstream'].removeprefix('cluster ')}, {first} to {last}",
                    field=claim.field,
                    details={**error.details, "field": claim.field},
                )
    return None


async def _refuse_addresses(objects: Objects, claims: Sequence[Claim], services: Collection[str]) -> None:
    if not claims:
        return
    cache = await objects.cache(SERVICE)
    for claim in claims:
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
