"""What the operations of chapter 1.15 do with claims."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from ecns.api.claims import manifests
from ecns.api.claims.cached import ClaimRows
from ecns.api.claims.types import Claim, ClaimToMake
from ecns.api.common.checks import capacity, dns_subdomain
from ecns.api.common.making import make_one
from ecns.api.common.references import User, in_use
from ecns.backends.kubernetes.kinds import quantities
from ecns.backends.kubernetes.kinds.core import (
    NAMESPACE,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.backends.kubernetes.kinds.storage import STORAGE_CLASS
from ecns.errors import BadRequestError, ConflictError, NotFoundError
from ecns.identity.place import PROJECT_LABEL

if TYPE_CHECKING:
    from ecns.api.common.objects import Objects


class Claims:
    """The claims of one place, for one request."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects

    async def create(self, name: str, sent: ClaimToMake, *, keyed: bool = False) -> Claim:
        """Make a claim.

        Args:
            name: of the path.
            sent: of the body.
            keyed: the request came with an `Idempotency-Key`: a claim just like it is answered, not refused.

        Raises:
            BadRequestError: ECNS or Kubernetes finds it wrong, or there is no such storage class.
            ConflictError: there is one of this name.
        """
        dns_subdomain(name, "pvc.name")
        if sent.name not in {"", name}:
            raise BadRequestError(
                f"pvc.name: the path says {name!r} and the body {sent.name[:80]!r}", field="pvc.name"
            )
        self._in_this_cluster(sent)
        _one_of(sent.access_modes or (), manifests.ACCESS_MODES, "pvc.access_modes")
        if manifests.ONE_POD in (modes := set(sent.access_modes or ())) and len(modes) > 1:
            raise BadRequestError(
                f"pvc.access_modes: {manifests.ONE_POD} goes with no other mode", field="pvc.access_modes"
            )
        _one_of([sent.volume_mode] if sent.volume_mode else (), manifests.VOLUME_MODES, "pvc.volume_mode")
        if sent.capacity is None or sent.capacity == "":
            raise BadRequestError("pvc.capacity: a capacity in GiB is needed", field="pvc.capacity")
        size = capacity(sent.capacity, "pvc.capacity")
        if sent.storage_class_name:
            dns_subdomain(sent.storage_class_name, "pvc.storage_class_name")
            await self._class_is_there(sent.storage_class_name)
        planned = msgspec.to_builtins(manifests.claim_object(sent, name, self.objects.namespace, size))
        made = await make_one(self.objects, PERSISTENT_VOLUME_CLAIM, planned, keyed=keyed)
        return await self._shown(made)

    async def grow(self, name: str, wanted: str | float) -> Claim:
        """Let a claim ask for more.

        Raises:
            BadRequestError: the class does not allow it, or it would be less than now.
            ConflictError: the claim is not bound, is being removed, or somebody else changed it.
            NotFoundError: it is not there.
        """
        size = capacity(wanted, "pvc.capacity")
        whole = await self.objects.whole(PERSISTENT_VOLUME_CLAIM, name)
        claim = _typed(whole)
        have = manifests.asked(claim) or 0
        if quantities.amount(size) < quantities.amount(have):
            raise BadRequestError(
                f"pvc.capacity: a claim cannot shrink; {name!r} asks for {manifests.size(have)} now",
                field="pvc.capacity",
            )
        if quantities.amount(size) == quantities.amount(have):
            return await self._shown(claim)
        if (state := manifests.word(claim)) != "Bound":
            raise ConflictError(f"claim {name!r} is {state}; it can grow while it is Bound")
        await self._may_grow(claim)
        changed = await self.objects.patch(
            PERSISTENT_VOLUME_CLAIM, whole, lambda found: manifests.grown(found, size)
        )
        return await self._shown(changed)

    async def delete(self, name: str, *, project_id: str = "", force: bool = False) -> None:
        """Delete a claim; one that is mounted stays until no pod mounts it any more.

        Args:
            name: which.
            project_id: that of the namespace, if the caller says so.
            force: also when something needs it.

        Raises:
            NotFoundError: it is not there, or not in that project.
            ConflictError: something needs it.
        """
        if project_id:
            await self._in_project(project_id)
        claim = await self.objects.client.get(PERSISTENT_VOLUME_CLAIM, name, self.objects.namespace)
        rows = await ClaimRows.of(self.objects)
        if not force and (using := rows.users.of(claim, needing=True)):
            raise in_use(f"claim {name!r}", [User(one.kind, one.name) for one in using])
        await self.objects.delete(PERSISTENT_VOLUME_CLAIM, name, uid=claim.metadata.uid)

    async def _shown(self, claim: PersistentVolumeClaim) -> Claim:
        rows = await ClaimRows.of(self.objects)
        return manifests.shown(claim, rows.around(claim))

    def _in_this_cluster(self, sent: ClaimToMake) -> None:
        """A claim is made in the place; a cluster that the body names is that of the place."""
        place = self.objects.place
        for field in ("cluster", "cluster_addr"):
            if named := getattr(sent, field):
                found = place.places.cluster(place.caller, named)
                if found is not place.cluster:
                    raise BadRequestError(
                        f"pvc.{field}: you work in cluster {place.cluster.name!r}; switch to a namespace"
                        f" of {found.name!r} first",
                        field=f"pvc.{field}",
                    )

    async def _class_is_there(self, name: str) -> None:
        """A class is there, or a volume that says it is of that class though nobody made it."""
        classes, volumes = await self.objects.caches(STORAGE_CLASS, PERSISTENT_VOLUME)
        if classes.get(name) is not None or await classes.refresh(name) is not None:
            return
        if not any(manifests.class_of(volume) == name for volume in volumes):
            raise BadRequestError(
                f"pvc.storage_class_name: there is no storage class {name!r}", field="pvc.storage_class_name"
            )

    async def _may_grow(self, claim: PersistentVolumeClaim) -> None:
        name = manifests.class_of(claim)
        classes = await self.objects.cache(STORAGE_CLASS)
        found = (classes.get(name) or await classes.refresh(name)) if name else None
        if found is None or not found.allow_volume_expansion:
            why = f"its class {name!r} does not allow it" if found else "it has no storage class any more"
            raise BadRequestError(
                f"pvc.capacity: claim {claim.metadata.name!r} cannot grow: {why}", field="pvc.capacity"
            )

    async def _in_project(self, project_id: str) -> None:
        place = self.objects.place
        namespace = place.cluster.cache(NAMESPACE).get(place.namespace)
        if namespace is None or (namespace.metadata.labels or {}).get(PROJECT_LABEL) != project_id:
            raise NotFoundError(f"namespace {place.namespace!r} is not of project {project_id!r}")


def _typed(whole: JsonObject) -> PersistentVolumeClaim:
    return msgspec.convert(whole, PersistentVolumeClaim)


def _one_of(values: Iterable[str], known: Sequence[str], at: str) -> None:
    for value in values:
        if value not in known:
            raise BadRequestError(f"{at}: {value[:80]!r} is none of {', '.join(known)}", field=at)
