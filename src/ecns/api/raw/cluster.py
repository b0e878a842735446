"""The objects of one cluster, of every kind that it serves, as one caller may reach them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from ecns.api.raw.rights import Rights
from ecns.backends.kubernetes.clusters import Cluster
from ecns.backends.kubernetes.errors import NotServedError
from ecns.backends.kubernetes.kinds.configuration import SECRET
from ecns.backends.kubernetes.kinds.core import NAMESPACE, PERSISTENT_VOLUME
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind
from ecns.backends.kubernetes.rights import SEEN
from ecns.backends.kubernetes.served import STORED, Catalogue, Served, catalogue
from ecns.backends.kubernetes.transport import Actor
from ecns.errors import MethodNotAllowedError, NotFoundError
from ecns.identity.place import Place, Places


class Reach:
    """What a caller reaches of a cluster, for one request.

    Args:
        places: where things are.
        cluster: which.
        here: finds the caller's place; asked only when something is in no other namespace.
        rights: what the caller may do.
    """

    def __init__(
        self, places: Places, cluster: Cluster, here: Callable[[], Awaitable[Place]], rights: Rights
    ) -> None:
        self.places = places
        self.cluster = cluster
        self.rights = rights
        self._find = here
        self._here: Place | None = None
        self._began = time.monotonic()
        self._asking = asyncio.Lock()

    async def here(self) -> Place:
        """The caller's place.

        Raises:
            BadRequestError: there are several and none was chosen.
        """
        if self._here is None:
            self._here = await self._find()
        return self._here

    async def known(self) -> Catalogue:
        """The kinds of the cluster as they are at this request.

        Raises:
            UpstreamError: the cluster does not answer.
        """
        async with self._asking:
            return await catalogue(self.cluster, newer_than=self._began)

    async def kind(self, word: str) -> Served:
        """A kind by a name as kubectl takes it.

        Raises:
            NotFoundError: the cluster serves none of this name, or nothing that is stored.
        """
        found = (await catalogue(self.cluster)).named(word)
        if found is None:
            found = (await self.known()).named(word)
        if found is None:
            raise NotFoundError(f"cluster {self.cluster.name} serves no kind {word[:80]!r}")
        if not found.verbs >= STORED:
            raise NotFoundError(f"objects of kind {found.kind.kind} are not stored, and so not to be seen")
        return found

    async def place(self, kind: Kind[JsonObject], namespace: str) -> Place:
        """Where an object is: the caller's place, another namespace, or none.

        Raises:
            NotFoundError: the namespace is not there for this caller.
        """
        if not kind.namespaced:
            return await self.places.whole(self.rights.caller, self.cluster, as_caller=True)
        if not namespace:
            return await self.here()
        if self._here is not None:
            return await self.places.beside(self._here, namespace)
        return await self.places.resolve(self.rights.caller, cluster=self.cluster.name, namespace=namespace)

    async def get(self, kind: Kind[JsonObject], name: str, place: Place) -> JsonObject | None:
        """An object as it is now, or None.

        Raises:
            ForbiddenError: the cluster does not let the caller see it.
        """
        try:
            actor = await self.reader(kind, place)
            return await self.cluster.client.get(kind, name, place.namespace, actor=actor)
        except (NotFoundError, NotServedError, MethodNotAllowedError):
            return None

    async def reader(self, kind: Kind[JsonObject], place: Place) -> Actor | None:
        """As whom a kind is read: as the caller what other chapters do not show, and what is secret."""
        if (kind.group, kind.plural) in SEEN and (
            kind.resource != SECRET.resource or not self.rights.sees_values()
        ):
            return None
        await self.places.reading(place)
        return place.actor

    def shows(self, kind: Kind[JsonObject], whole: JsonObject) -> bool:
        """Whether the caller may see an object that belongs to no namespace, when that goes by the object."""
        if kind.resource != PERSISTENT_VOLUME.resource:
            return True
        volume = msgspec.convert(whole, PERSISTENT_VOLUME.type)
        return self.places.may_see_volume(self.rights.caller, self.cluster, volume)

    async def ready(self, kind: Kind[JsonObject]) -> None:
        """Wait for what `shows` looks at."""
        if kind.resource == PERSISTENT_VOLUME.resource:
            await self.cluster.cache(NAMESPACE).ready()
