"""The Kubernetes objects of a place: read from the cache, changed as the caller.

The one place where chapters wait for Kubernetes, so that a caller always reads what they wrote.
"""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from ecns.api.common.documents import written
from ecns.api.common.names import LAST_APPLIED
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.client import FIELD_MANAGER, Patch, Propagation
from ecns.backends.kubernetes.errors import CAUSES_LIMIT
from ecns.backends.kubernetes.indexes import INDEXES
from ecns.backends.kubernetes.kinds import BY_NAME
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind, Resource
from ecns.errors import BadRequestError, ConflictError, NotFoundError
from ecns.identity.place import Place, Places

R = TypeVar("R", bound=Resource)

Operations = list[dict[str, Any]]
"""The operations of a JSON Patch."""


_OURS = re.compile(rf'conflict with "{FIELD_MANAGER}" using ')
"""In Kubernetes' words; the manager of another subresource, such as the status, has that in between."""


class DryRun(msgspec.Struct):
    """The answer to a change with `dry_run=true`: what would be made, changed and deleted."""

    objects: list[JsonObject]
    """Whole, as Kubernetes would make them, without the values of Secrets; virtual machines as sent."""
    diff: str
    """Unified, of the YAML of the objects that would change."""
    deleted: list[str]
    """`kind/name` of each."""


class Objects:
    """Reads and changes in one place.

    Args:
        place: cluster, namespace and caller.
        places: remembers what the caller wrote.
        dry_run: changes are tried by Kubernetes and not made.
    """

    def __init__(self, place: Place, places: Places, *, dry_run: bool = False) -> None:
        self.place = place
        self.places = places
        self.dry_run = dry_run
        self.client = place.cluster.client
        self.namespace = place.namespace
        self._read: list[Cache[Any]] = []
        self._made: list[JsonObject] = []
        self._changed: list[tuple[JsonObject | None, JsonObject]] = []
        self._deleted: list[str] = []

    def trying(self) -> Objects:
        """The same place, where changes are only tried."""
        return Objects(self.place, self.places, dry_run=True)

    def freshness(self) -> dict[str, str]:
        """Headers that say how new an answer from the cache is."""
        caches = self._read
        if not caches:
            return {}
        return {
            "X-Resource-Version": str(min(cache.resource_version for cache in caches)),
            "Age": str(int(max(cache.age() for cache in caches))),
        }

    def report(self) -> DryRun:
        """What was tried here."""
        diff = "".join(_diff(old, new) for old, new in self._changed)
        return DryRun(objects=self._made, diff=diff, deleted=list(dict.fromkeys(self._deleted)))

    def outside(
        self,
        *,
        made: Iterable[JsonObject] = (),
        changed: Iterable[tuple[JsonObject, JsonObject]] = (),
        deleted: Iterable[str] = (),
    ) -> None:
        """Report what would be made, changed and deleted outside of Kubernetes.

        Args:
            made: each with a kind, a name and nothing secret.
            changed: such things as they are and as they would be.
            deleted: `kind/name` of each.
        """
        self._made += made
        self._changed += changed
        self._deleted += deleted

    async def cache(self, kind: Kind[R], *, fresh: bool = False) -> Cache[R]:
        """The cache of a kind, filled, and no older than what the caller wrote.

        Args:
            kind: what to read.
            fresh: no older than the cluster's own answer at this moment.

        Raises:
            UpstreamError: the cluster does not answer.
        """
        cache = self._cache(kind)
        await cache.ready()
        written = self.place.written.get(kind.resource, 0)
        if fresh or not await cache.at_least(written, namespace=self.namespace):
            await cache.reload(self.namespace if kind.namespaced else "")
        self._read.append(cache)
        return cache

    async def caches(self, *kinds: Kind[Any], fresh: bool = False) -> list[Cache[Any]]:
        """As `cache`, for several kinds at once."""
        if all(self._cache(kind).filled for kind in kinds):
            return [await self.cache(kind, fresh=fresh) for kind in kinds]  # nothing to wait for together
        return list(await asyncio.gather(*(self.cache(kind, fresh=fresh) for kind in kinds)))

    async def find(self, kind: Kind[R], name: str) -> R:
        """An object from the cache, or from the cluster when it is not there yet.

        Raises:
            NotFoundError: it is not there.
        """
        cache = await self.cache(kind)
        found = cache.get(name, self.namespace) or await cache.refresh(name, self.namespace)
        if found is None:
            raise NotFoundError(f"{kind.kind} {name!r} is not there")
        return found

    async def whole(self, kind: Kind[Any], name: str, *, as_caller: bool = False) -> JsonObject:
        """An object with all of its fields, as the cluster has it now.

        Args:
            kind: of which kind.
            name: which.
            as_caller: by the caller's own rights, and in the cluster's audit log under their name.

        Raises:
            NotFoundError: it is not there.
            ForbiddenError: the cluster does not let the caller read it.
        """
        if not as_caller:
            return await self.client.get(kind.whole, name, self.namespace)
        await self.places.writing(self.place)
        return await self.client.get(kind.whole, name, self.namespace, actor=self.place.actor)

    async def create(self, kind: Kind[R], obj: R | JsonObject) -> R:
        """Make an object, given in its kind's Struct or with all fields.

        Raises:
            ConflictError: there is one of this name.
            BadRequestError: Kubernetes finds it wrong.
        """
        await self.places.writing(self.place)
        if self.dry_run:
            whole = await self.client.create(
                kind.whole, msgspec.to_builtins(obj), self.namespace, dry_run=True, actor=self.place.actor
            )
            self._made.append(_concealed(whole))
            return msgspec.convert(whole, kind.type)
        made = await self.client.create(kind, obj, self.namespace, actor=self.place.actor)
        await self._wrote(kind, made)
        return made

    async def change(self, kind: Kind[R], name: str, build: Callable[[JsonObject], Operations]) -> R:
        """Change one aspect of an object: patch what `build` says of its present state.

        Each patch tests what it replaces, so that somebody else's change to the same aspect is not
        overwritten.

        Raises:
            NotFoundError: it is not there.
            ConflictError: the aspect was changed by somebody else meanwhile.
        """
        return await self.patch(kind, await self.whole(kind, name), build)

    async def patch(self, kind: Kind[R], whole: JsonObject, build: Callable[[JsonObject], Operations]) -> R:
        """As `change`, of an object that was read already."""
        return msgspec.convert(await self.patch_whole(kind, whole, build), kind.type)

    async def patch_whole(
        self, kind: Kind[Any], whole: JsonObject, build: Callable[[JsonObject], Operations]
    ) -> JsonObject:
        """As `patch`; the object with all of its fields."""
        operations = build(whole)
        if not operations:
            return whole
        await self.places.writing(self.place)
        name = whole["metadata"]["name"]
        try:
            changed = await self.client.patch(
                kind.whole,
                name,
                self.namespace,
                Patch.json(operations),
                dry_run=self.dry_run,
                actor=self.place.actor,
            )
        except BadRequestError as error:
            # A failed test and a wrong value are both 422; only the value has causes.
            if error.details.get("reason") == "Invalid" and "causes" not in error.details:
                raise ConflictError(f"{kind.kind} {name!r} was changed by somebody else; try again") from None
            raise
        await self.changed(kind, whole, changed)
        return changed

    async def apply(
        self, kind: Kind[Any], obj: JsonObject, now: JsonObject | None, *, force: bool = False
    ) -> JsonObject:
        """Make of an object what is said of it, or make it; what others have said stays (server-side apply).

        ECNS is one manager of fields: what its chapters have set gives way. Kubernetes tells the two apart,
        since the chapters patch and do not apply.

        Args:
            kind: of which kind; any that the cluster serves.
            obj: what is said; without a name it is made under one that Kubernetes finds.
            now: what is there, or None.
            force: take over what others have said otherwise.

        Returns:
            The object with all of its fields.

        Raises:
            BadRequestError: Kubernetes finds it wrong, or does not know a field.
            ConflictError: others have said otherwise; the causes in `details` name them and the fields.
        """
        await self.places.writing(self.place)
        name = obj["metadata"].get("name")
        if name:

            async def patch(patch: Patch) -> JsonObject:
                return await self.client.patch(
                    kind.whole, name, self.namespace, patch, dry_run=self.dry_run, actor=self.place.actor
                )

            try:
                made = await patch(Patch.apply(obj, force=force))
            except ConflictError as error:
                if now is None or not _only_ours(error):
                    raise
                unchanged = {"resourceVersion": now["metadata"]["resourceVersion"]}
                made = await patch(Patch.apply({**obj, "metadata": obj["metadata"] | unchanged}, force=True))
        else:
            made = await self.client.create(
                kind.whole, obj, self.namespace, dry_run=self.dry_run, actor=self.place.actor
            )
        await self.changed(kind, now, made)
        return made

    async def changed(self, kind: Kind[Any], now: JsonObject | None, made: JsonObject) -> None:
        """Report a change of an object of any kind, or let the caller see it from now on."""
        if self.dry_run:
            before = _concealed(now, made) if now is not None else None
            self._changed.append((before, _concealed(made, now, when="after" if now else "new")))
            return
        known = BY_NAME.get(kind.kind) if kind.type is dict else kind
        if known is not None and known.resource == kind.resource and known.version == kind.version:
            await self._wrote(known, msgspec.convert(made, known.type))
        else:
            await self.places.wrote(self.place, kind.resource, made["metadata"].get("resourceVersion", ""))

    async def delete(
        self,
        kind: Kind[R],
        name: str,
        *,
        uid: str = "",
        propagation: Propagation = "Background",
        force: bool = False,
        as_ecns: bool = False,
    ) -> None:
        """Delete an object.

        Args:
            kind: of which kind.
            name: which.
            uid: only if it is this one still.
            propagation: what becomes of the objects that it owns.
            force: do not wait for it to end.
            as_ecns: in ECNS's own name, where none of Kubernetes' roles for people has the right.

        Raises:
            NotFoundError: it is not there.
        """
        await self.places.writing(self.place)
        await self.client.delete(
            kind,
            name,
            self.namespace,
            propagation=propagation,
            grace_seconds=0 if force else None,
            uid=uid or None,
            dry_run=self.dry_run,
            actor=None if as_ecns else self.place.actor,
        )
        if self.dry_run:
            self._deleted.append(f"{kind.kind}/{name}")
            return
        await self._cache(kind).refresh(name, self.namespace)

    async def _wrote(self, kind: Kind[R], obj: R) -> None:
        self._cache(kind).fold(obj)
        await self.places.wrote(self.place, kind.resource, obj.metadata.resource_version)

    def _cache(self, kind: Kind[R]) -> Cache[R]:
        return self.place.cluster.cache(kind, **INDEXES.get(kind, {}))


def _only_ours(error: ConflictError) -> bool:
    """Whether an apply was refused only for fields that ECNS itself has set by other means."""
    causes = error.details.get("causes", ())
    return 0 < len(causes) < CAUSES_LIMIT and all(_OURS.match(cause["message"]) for cause in causes)


def _concealed(whole: JsonObject, other: JsonObject | None = None, *, when: str = "before") -> JsonObject:
    """An object to be shown of which somebody may not see everything: a Secret's values are hidden.

    Args:
        whole: the object.
        other: another state of it; values that differ are hidden so that it can be seen, as kubectl does it.
        when: a word for this state.
    """
    if whole.get("kind") != "Secret":
        return whole
    metadata = dict(whole["metadata"])
    if annotations := metadata.get("annotations"):
        metadata["annotations"] = {
            key: "***" if key == LAST_APPLIED else value for key, value in annotations.items()
        }
    data, others = whole.get("data") or {}, (other or {}).get("data") or {}
    hidden = {
        key: "***" if others.get(key, value) == value else f"*** ({when})" for key, value in data.items()
    }
    return {**whole, "metadata": metadata, **({"data": hidden} if data else {})}


def _diff(old: JsonObject | None, new: JsonObject) -> str:
    """A unified diff of two states as YAML, without what the server keeps for itself.

    Args:
        old: None when nothing is there.
        new: the other.
    """

    def lines(obj: JsonObject | None) -> list[str]:
        if obj is None:
            return []
        shown = {key: value for key, value in obj.items() if key != "status"}
        hidden = ("managedFields", "resourceVersion", "generation")
        shown["metadata"] = {key: value for key, value in obj["metadata"].items() if key not in hidden}
        return written(shown, sort_keys=True).splitlines(keepends=True)

    name = f"{new['kind']}/{new['metadata']['name']}"
    return "".join(difflib.unified_diff(lines(old), lines(new), f"{name} now", f"{name} then"))
