"""An object, or an application with all that belongs to it, as YAML."""

from __future__ import annotations

import asyncio

from ecns.api.common import batches
from ecns.api.common.documents import written
from ecns.api.common.names import PART_OF
from ecns.api.raw import manifests
from ecns.api.raw.cluster import Reach
from ecns.api.raw.types import Shown
from ecns.backends.kubernetes.kinds import APPLICATION
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.backends.kubernetes.rights import SEEN
from ecns.backends.kubernetes.served import Served
from ecns.errors import ForbiddenError, MethodNotAllowedError, NotFoundError, NotSupportedError
from ecns.identity.place import Place

_DERIVED = frozenset(
    {
        "controllerrevisions.apps",
        "endpoints",
        "endpointslices.discovery.k8s.io",
        "events",
        "events.events.k8s.io",
        "leases.coordination.k8s.io",
    }
)
"""What Kubernetes makes by itself."""


async def show(reach: Reach, word: str, name: str) -> Shown:
    """An object, or an application with what belongs to it.

    Args:
        reach: what the caller reaches.
        word: its kind, as kubectl takes it.
        name: its name.

    Raises:
        NotFoundError: it is not there for this caller, or there is no such kind.
        ForbiddenError: the caller may not see it.
    """
    if word.lower() == manifests.APPLICATION:
        several = await application(reach, await reach.here(), name)
        text = await asyncio.to_thread(written, *(_shown(reach, whole) for whole in several))
        return Shown(name=name, kind=word, yaml=text)
    kind = (await reach.kind(word)).kind
    reach.rights.check("show", kind)
    await reach.ready(kind)
    whole = await reach.get(kind, name, await reach.place(kind, ""))
    if whole is None or not reach.shows(kind, whole):
        raise NotFoundError(f"{kind.kind} {name[:253]!r} is not there")
    return Shown(name=name, kind=kind.kind, yaml=await asyncio.to_thread(written, _shown(reach, whole)))


def _shown(reach: Reach, whole: JsonObject) -> JsonObject:
    return manifests.shown(whole, hidden=not reach.rights.sees_values())


async def application(reach: Reach, place: Place, name: str) -> list[JsonObject]:
    """An application, then all objects that carry its label, but for what their controllers make.

    Raises:
        NotFoundError: it is not there.
    """
    reach.rights.check("show", APPLICATION.whole)
    known = await reach.known()
    found = await reach.get(APPLICATION.whole, name, place)
    if found is None:
        raise NotFoundError(f"application {name[:253]!r} is not there")
    gate = asyncio.Semaphore(batches.PARALLEL)

    async def members(one: Served) -> list[JsonObject]:
        async with gate:
            try:
                reach.rights.check("show", one.kind)
                actor = await reach.reader(one.kind, place)
                listing = await reach.cluster.client.list(
                    one.kind, place.namespace, labels=f"{PART_OF}={name}", actor=actor
                )
            except (ForbiddenError, MethodNotAllowedError, NotFoundError, NotSupportedError):
                return []  # what the caller may not see, or what is gone since
        return [whole for whole in listing.items if not _controlled(whole)]

    kinds = [
        one
        for one in known.preferred()
        if one.kind.namespaced
        and one.verbs >= {"list", "get"}
        and one.kind.resource not in _DERIVED
        and (place.actor is not None or (one.kind.group, one.kind.plural) in SEEN)
    ]
    several = await asyncio.gather(*(members(one) for one in kinds))
    uid = found["metadata"]["uid"]
    wholes = {whole["metadata"]["uid"]: whole for part in several for whole in part}
    wholes.pop(uid, None)
    return [
        found,
        *sorted(
            wholes.values(),
            key=lambda one: (manifests.rank(one["kind"]), one["kind"], one["metadata"]["name"]),
        ),
    ]


def _controlled(whole: JsonObject) -> bool:
    return any(owner.get("controller") for owner in whole["metadata"].get("ownerReferences") or ())
