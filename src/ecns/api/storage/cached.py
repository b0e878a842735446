"""The storage of one cluster, as one caller may see it, and its rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ecns.api.claims.cached import ClaimRows
from ecns.api.claims.types import Whereabouts
from ecns.api.common.kept import KeptRows, Row, kept_rows
from ecns.api.common.lists import merged
from ecns.api.common.objects import Objects
from ecns.api.storage import manifests
from ecns.api.storage.defaults import complete_what_was_cut_off
from ecns.api.storage.types import StorageClass, Volume
from ecns.backends.kubernetes.kinds import storage as k
from ecns.backends.kubernetes.kinds.core import NAMESPACE, PERSISTENT_VOLUME, Namespace, PersistentVolume
from ecns.backends.kubernetes.kinds.storage import STORAGE_CLASS
from ecns.identity.place import Place, Places

if TYPE_CHECKING:
    from ecns.backends.kubernetes.cache import Cache
    from ecns.backends.kubernetes.clusters import Cluster

ROWS = 20_000
"""Volumes of each cluster, about 0.5 KiB each."""


class ClassRows:
    """The storage classes of one cluster as the rows of lists."""

    def __init__(self, cluster: Cluster, classes: Cache[k.StorageClass]) -> None:
        self.cluster = cluster
        self.classes = classes
        self._rows: KeptRows[StorageClass] = kept_rows(cluster, "storage classes", 1000)

    def row(self, found: k.StorageClass) -> Row[StorageClass]:
        """The list's row of a class."""
        where = Whereabouts(self.cluster.name, self.cluster.addr)
        is_default = manifests.default(self.classes) == found.metadata.name
        return self._rows.row(
            found.metadata.uid,
            (found.metadata.resource_version, where, is_default),
            lambda: manifests.shown_class(found, where, is_default=is_default),
        )


class VolumeRows:
    """The volumes of one cluster as the rows of lists."""

    def __init__(
        self,
        cluster: Cluster,
        volumes: Cache[PersistentVolume],
        namespaces: Cache[Namespace],
        places: Places,
    ) -> None:
        self.cluster = cluster
        self.places = places
        self.volumes = volumes
        self.namespaces = namespaces
        self._rows: KeptRows[Volume] = kept_rows(cluster, "volumes", ROWS)

    def row(self, found: PersistentVolume) -> Row[Volume]:
        """The list's row of a volume."""
        claim = found.spec.claim_ref
        domain, project = self.places.whose(self.namespaces.get(claim.namespace) if claim else None)
        where = Whereabouts(self.cluster.name, self.cluster.addr, domain, project)
        return self._rows.row(
            found.metadata.uid,
            (found.metadata.resource_version, where),
            lambda: manifests.shown_volume(found, where),
        )


class Found(NamedTuple):
    """An object of some site."""

    obj: Any
    make: Callable[[Any], Row[Any]]
    """Its row."""

    @property
    def row(self) -> Row[Any]:
        """The list's row of the object."""
        return self.make(self.obj)


class Site:
    """What one caller may see of the storage of one cluster.

    Args:
        place: a namespace, whose claims are seen, or a whole cluster.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.objects = Objects(place, place.places)
        self.namespaces: list[str] = []
        self.whose: Hashable = ()
        """What tells what this caller sees from what others see."""
        self.classes: ClassRows
        self.claims: ClaimRows
        self.volumes: VolumeRows

    async def fill(self, types: Sequence[str], *, fresh: bool) -> None:
        """Make ready what is asked for.

        Args:
            types: of `StorageClass`, `PVC`, `PV`.
            fresh: as the cluster itself has it now.

        Raises:
            UpstreamError: the cluster does not answer.
        """
        place, cluster = self.place, self.place.cluster
        if "StorageClass" in types:
            classes = await self.objects.cache(STORAGE_CLASS, fresh=fresh)
            self.classes = ClassRows(cluster, classes)
            complete_what_was_cut_off(place, classes)
        if "PV" in types:
            volumes, namespaces = await asyncio.gather(
                self.objects.cache(PERSISTENT_VOLUME, fresh=fresh), self.objects.cache(NAMESPACE)
            )
            self.volumes = VolumeRows(cluster, volumes, namespaces, place.places)
        if "PVC" in types:
            self.claims = await ClaimRows.of(self.objects, fresh=fresh)
        seen = [one.metadata.name for one in await place.places.namespaces(place.caller, cluster)]
        self.namespaces = [place.namespace] if place.namespace else seen
        every = place.places.policy.is_cloud_admin(place.caller)
        self.whose = (cluster.addr, every, tuple(seen), tuple(self.namespaces))

    def generation(self, kind: str) -> Hashable:
        """Another value whenever something in the lists of a type has changed."""
        if kind == "StorageClass":
            return self.classes.classes.generation("")
        if kind == "PVC":
            return self.claims.generation(self.namespaces)
        rows = self.volumes
        return self.place.places.known, rows.volumes.generation(""), rows.namespaces.generation("")

    def views(self, kind: str) -> list[Sequence[Found]]:
        """The objects of a type, each view newest first."""
        if kind == "StorageClass":
            return [_View(self.classes.classes.namespace(""), self.classes.row)]
        if kind == "PV":
            volumes = [one for one in self.volumes.volumes.namespace("") if self.may_see(one)]
            return [_View(volumes, self.volumes.row)]
        claims = self.claims.claims
        return [_View(claims.namespace(name), self.claims.row) for name in self.namespaces]

    @property
    def whole(self) -> Place:
        """The site's cluster as a place."""
        return msgspec.structs.replace(self.place, namespace="", actor=None)

    def may_see(self, volume: PersistentVolume) -> bool:
        """Whether a volume is the caller's to see."""
        return self.place.places.may_see_volume(self.place.caller, self.place.cluster, volume)


class _View(Sequence[Found]):
    """Objects with how their rows are made; slicing costs the slice."""

    def __init__(self, objects: Sequence[Any], make: Callable[[Any], Row[Any]]) -> None:
        self._objects, self._make = objects, make

    def __len__(self) -> int:
        return len(self._objects)

    def __getitem__(self, index: Any) -> Any:
        found = self._objects[index]
        if isinstance(index, slice):
            return [Found(one, self._make) for one in found]
        return Found(found, self._make)


def together(sites: Sequence[Site], kind: str) -> Sequence[Found]:
    """The objects of a type over all sites, newest first."""
    views = [view for site in sites for view in site.views(kind)]
    return merged(views, lambda one: one.obj.metadata)
