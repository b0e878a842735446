"""What the operations of chapter 1.20 do.

Classes and volumes are the cluster's, where no role of a project reaches: ECNS changes them under its own
name, as it does namespaces, and its policy alone decides who may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ecns.api.claims.manifests import class_of, some, usable
from ecns.api.claims.types import Whereabouts
from ecns.api.common.checks import dns_subdomain
from ecns.api.common.lists import ListQuery, Page, kept_page, select
from ecns.api.common.making import make_one
from ecns.api.common.objects import Objects
from ecns.api.storage import defaults, manifests
from ecns.api.storage.cached import ClassRows, Found, Site, together
from ecns.api.storage.types import StorageClass
from ecns.backends.kubernetes.kinds import quantities
from ecns.backends.kubernetes.kinds import storage as k
from ecns.backends.kubernetes.kinds.core import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM
from ecns.backends.kubernetes.kinds.storage import STORAGE_CLASS
from ecns.errors import BadRequestError, ConflictError, EcnsError, NotSupportedError, UpstreamError

if TYPE_CHECKING:
    from ecns.backends.openstack.cloud import OpenStack
    from ecns.identity.caller import Caller
    from ecns.identity.place import Places

KEYS = {"StorageClass": "storage_class", "PVC": "pvc", "PV": "pv"}
"""The types, and the reference's names of their lists."""
_BY_LOWER = {name.lower(): name for name in KEYS}
LONGEST_TYPE = 255
"""Characters of the name of a volume type in Cinder."""


def types_of(text: str) -> list[str]:
    """The types that are asked for, such as `StorageClass,PV`, in any case.

    Raises:
        BadRequestError: there are none, or one is unknown.
    """
    named = [part.strip() for part in text.split(",") if part.strip()]
    for part in named:
        if part.lower() not in _BY_LOWER:
            raise BadRequestError(f"type: {part[:80]!r} is none of {', '.join(KEYS)}", field="type")
    if not named:
        raise BadRequestError(f"type: which of {', '.join(KEYS)}?", field="type")
    return [name for name in KEYS if name.lower() in {part.lower() for part in named}]


def _bytes(text: str | None) -> float:
    try:
        return float(quantities.amount(quantities.capacity(text or "0")))
    except ValueError:
        return 0.0


def _attached_time(row: Any) -> str:
    return max((one.attached_time or "" for one in getattr(row, "attached_workloads", ())), default="")


def _text(field: str) -> Callable[[Any], Any]:
    return lambda row: str(getattr(row, field, ""))


SORTS: dict[str, Callable[[Any], Any]] = {
    "attached_time": _attached_time,
    "capacity": lambda row: _bytes(str(row.capacity or "0")),
    "cluster": _text("cluster"),
    "domain": _text("domain"),
    "namespace": _text("namespace"),
    "project": _text("project"),
    "provisioner": _text("provisioner"),
    "status": _text("status"),
    "storage_class_name": _text("storage_class_name"),
}
"""What lists are sorted by beside `creation_time` and `name`, of the rows of all three types."""


class Wanted(msgspec.Struct, frozen=True):
    """Which rows of a list."""

    available: bool = False
    """Of claims, those that another workload could mount."""
    status: str | None = None
    """Claims and volumes in this state."""
    storage_class_name: str | None = None
    """Claims and volumes of this class."""

    def tests(self, kind: str) -> list[Callable[[Any], bool]]:
        """What the rows of a type must pass."""
        tests: list[Callable[[Any], bool]] = []
        if kind == "StorageClass":
            return tests
        if self.available and kind == "PVC":
            tests.append(usable)
        if self.status is not None:
            tests.append(lambda row: row.status == self.status)
        if self.storage_class_name is not None:
            tests.append(lambda row: row.storage_class_name == self.storage_class_name)
        return tests


class Storage:
    """The storage that one caller may see and manage, for one request."""

    def __init__(self, places: Places, caller: Caller, openstack: OpenStack, seen: Any) -> None:
        self.places = places
        self.caller = caller
        self.openstack = openstack
        self.seen = seen
        """What the request's log tells: the cluster."""

    # Reading

    async def current(self, types: Sequence[str], *, cluster: str, namespace: str, fresh: bool) -> Site:
        """Where the caller works: its cluster, and of claims those of its namespace.

        Raises:
            BadRequestError: there are several places and none was chosen.
            NotFoundError: the cluster or namespace is not there for this caller.
            UpstreamError: the cluster does not answer.
        """
        if "PVC" in types or namespace:
            place = await self.places.resolve(self.caller, cluster=cluster, namespace=namespace)
        else:
            found = await self.places.current_cluster(self.caller, cluster)
            place = await self.places.whole(self.caller, found)
        site = Site(place)
        await site.fill(types, fresh=fresh)
        return site

    async def everywhere(self, types: Sequence[str], *, fresh: bool) -> tuple[list[Site], list[str]]:
        """All clusters of the caller, and the names of those that did not answer.

        Raises:
            UpstreamError: none answers.
        """

        async def of(site: Site) -> EcnsError | None:
            try:
                await site.fill(types, fresh=fresh)
            except EcnsError as error:
                return error
            return None

        clusters = self.places.usable(self.caller)
        sites = [Site(await self.places.whole(self.caller, cluster)) for cluster in clusters]
        errors = await asyncio.gather(*(of(site) for site in sites))
        there = [site for site, error in zip(sites, errors, strict=True) if error is None]
        absent = [site.place.cluster.name for site, error in zip(sites, errors, strict=True) if error]
        if absent and not there:
            raise next(error for error in errors if error)
        return there, absent

    def page(self, kind: str, sites: Sequence[Site], query: ListQuery, wanted: Wanted) -> Page:
        """A page of one type over several clusters."""

        def on_row(ask: Callable[[Any], Any]) -> Callable[[Found], Any]:
            return lambda found: ask(found.row.shown)

        def make() -> Page:
            selection = select(
                together(sites, kind),
                query,
                metadata=lambda found: found.obj.metadata,
                sorts={name: on_row(key) for name, key in SORTS.items()},
                filters=[on_row(test) for test in wanted.tests(kind)],
            )
            return Page(b",".join([found.row.encoded for found in selection.items]), selection.total)

        if len(sites) != 1:
            return make()
        (site,) = sites
        key = ("storage", kind, site.whose, wanted, query.key)
        return kept_page(site.place.cluster, key, site.generation(kind), make)

    # Classes and volumes of one cluster

    async def manage(self, *named: str, header: str, dry_run: bool) -> Manage:
        """The cluster that a request is about, to change what belongs to it.

        Args:
            named: its name or address, in each place where the request may say it.
            header: what counts if it says nothing; empty: the current cluster.
            dry_run: changes are only tried.

        Raises:
            BadRequestError: two different ones are named.
            NotFoundError: it is not there for this caller.
        """
        found = [self.places.cluster(self.caller, name) for name in named if name]
        if any(one is not found[0] for one in found):
            raise BadRequestError(
                f"cluster_addr: {found[0].name!r} and {found[-1].name!r} are two clusters",
                field="cluster_addr",
            )
        cluster = found[0] if found else await self.places.current_cluster(self.caller, header)
        self.seen.cluster = cluster.name
        place = await self.places.whole(self.caller, cluster)
        return Manage(Objects(place, self.places, dry_run=dry_run), self.openstack)


class Manage:
    """The classes and volumes of one cluster, for one request that changes them."""

    def __init__(self, objects: Objects, openstack: OpenStack) -> None:
        self.objects = objects
        self.openstack = openstack

    async def create_class(
        self, name: str, *, volume_type: str, domain: str, project: str, keyed: bool = False
    ) -> tuple[StorageClass, list[str]]:
        """Make the class of a Cinder volume type; the class, and what is to be said of it.

        Args:
            name: of the class.
            volume_type: by name; empty: Cinder's default.
            domain: as it is shown; empty: the caller's.
            project: likewise.
            keyed: the request came with an `Idempotency-Key`: a class just like it is answered, not refused.

        Raises:
            BadRequestError: a name cannot be.
            ConflictError: there is one of this name.
        """
        dns_subdomain(name, "storage_name")
        if len(volume_type) > LONGEST_TYPE:
            raise BadRequestError(
                f"volume_type: no name of a volume type is longer than {LONGEST_TYPE}", field="volume_type"
            )
        warnings = await self._warnings(volume_type) if volume_type else []
        caller = self.objects.place.caller
        planned = manifests.class_object(
            name,
            volume_type=volume_type,
            domain=domain or caller.project_domain_name,
            project=project or caller.project_name,
        )
        made = await make_one(self.objects, STORAGE_CLASS, planned, keyed=keyed)
        return await self._shown(made), warnings

    async def set_default(self, name: str) -> StorageClass:
        """Make a class the only default.

        Raises:
            NotFoundError: it is not there.
            ConflictError: somebody else made another one the default meanwhile.
        """
        await defaults.set_default(self.objects, name)
        return await self._shown(await self.objects.client.get(STORAGE_CLASS, name))

    async def unset_default(self, name: str) -> StorageClass:
        """Let a class not be the default; nothing to do when it is not.

        Raises:
            NotFoundError: it is not there.
        """
        return await self._shown(await defaults.unset_default(self.objects, name))

    async def delete_class(self, name: str, *, force: bool = False) -> None:
        """Delete a class.

        Args:
            name: which.
            force: also the default, and one that claims are of: they stay bound, and cannot grow any more.

        Raises:
            NotFoundError: it is not there.
            ConflictError: it is the default, or claims are of it.
        """
        found = await self.objects.client.get(STORAGE_CLASS, name)
        if not force:
            if manifests.is_marked(found):
                raise ConflictError(
                    f"storage class {name!r} is the default: set another one or unset it first;"
                    " force=true deletes it all the same"
                )
            claims = await self.objects.cache(PERSISTENT_VOLUME_CLAIM)
            using = sorted(
                f"{one.metadata.namespace}/{one.metadata.name}" for one in claims if class_of(one) == name
            )
            if using:
                raise ConflictError(
                    f"storage class {name!r} has claims: {some(using)}; without it they stay bound but cannot"
                    " grow; force=true deletes it all the same",
                    details={"used_by": using[:100], "count": len(using)},
                )
        await self.objects.delete(STORAGE_CLASS, name, uid=found.metadata.uid)

    async def delete_volume(self, name: str, *, force: bool = False) -> None:
        """Delete a volume.

        Args:
            name: which.
            force: also one that is bound: it is Removing until its claim is gone.

        Raises:
            NotFoundError: it is not there.
            ConflictError: it is bound.
        """
        found = await self.objects.client.get(PERSISTENT_VOLUME, name)
        claim = found.spec.claim_ref
        if not force and claim is not None and found.status.phase == "Bound":
            raise ConflictError(
                f"volume {name!r} is bound to the claim {claim.namespace}/{claim.name}: delete that first;"
                " force=true lets the volume go when the claim is gone",
                details={"pvc_namespace": claim.namespace, "pvc_name": claim.name},
            )
        await self.objects.delete(PERSISTENT_VOLUME, name, uid=found.metadata.uid)

    async def _warnings(self, volume_type: str) -> list[str]:
        """That Cinder has no such type, by name or id: no volume is made until it has one."""
        place = self.objects.place
        if place.cluster.type == "EHOS":  # somebody else's, and perhaps on another cloud
            return []
        try:
            found = await self.openstack.cinder.types_of_volumes(place.caller.token, of_all=True)
        except (NotSupportedError, UpstreamError):
            return []
        if any(volume_type in {one.name, one.id} for one in found):
            return []
        known = some(sorted(one.name for one in found)) or "none"
        return [f"Cinder has no volume type {volume_type!r}; it has {known}"]

    async def _shown(self, found: k.StorageClass) -> StorageClass:
        cluster = self.objects.place.cluster
        if self.objects.dry_run:
            where = Whereabouts(cluster.name, cluster.addr)
            return manifests.shown_class(found, where, is_default=manifests.is_marked(found))
        return ClassRows(cluster, await self.objects.cache(STORAGE_CLASS)).row(found).shown
