"""Making something of several objects: all of it or nothing, and a repeat of the request makes nothing twice.

What belongs to an object is tried by Kubernetes first (`dryRun=All`), then all is made, and what was made is
removed again when one fails (design, "The write path"). `marks` says what tells one request from another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import msgspec

from ecns.api.common import marks
from ecns.api.common.objects import Objects
from ecns.api.common.waiting import all_of
from ecns.backends.kubernetes.clusters import Cluster
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind, Resource
from ecns.errors import ConflictError, EcnsError, NotFoundError, TooManyRequestsError, UpstreamError

R_co = TypeVar("R_co", bound=Resource, covariant=True)
R = TypeVar("R", bound=Resource)
T = TypeVar("T")
Create = Callable[[Kind[Any], Any], Awaitable[Any]]

GOING_SECONDS = 5.0
"""So long is waited for what Kubernetes removes with its owner."""
_under_way: WeakKeyDictionary[Cluster, set[str]] = WeakKeyDictionary()
"""Names, with their namespaces, of what this process makes just now."""


class Bundle(Protocol[R_co]):
    """An object and what goes with it."""

    @property
    def kind(self) -> Kind[Any]:
        """The object's kind."""

    @property
    def controller(self) -> R_co:
        """The object, which is made first and owns the others."""

    @property
    def dependants(self) -> Sequence[tuple[Kind[Any], Resource]]:
        """What goes with it, in the order of making."""


class Making:
    """Makes things in one place, for one request.

    Args:
        objects: the place.
        what: the things' name, for messages; names are unique among things of one name.
        check: raises when what was made may not stay; then it is removed again.
    """

    def __init__(
        self, objects: Objects, what: str, check: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.objects = objects
        self.what = what
        self.check = check

    async def make(
        self,
        planned: Bundle[R],
        sent: msgspec.Struct,
        show: Callable[[R], Awaitable[T]],
        *,
        key: str = "",
    ) -> T:
        """Make an object with what goes with it, or nothing, and answer what `show` says of it.

        Something of which a request like this one has made a part is completed.

        Args:
            planned: what is to be made; it is marked here.
            sent: what it is made from.
            show: the answer; when that fails it is in doubt whether the caller knows what was made.
            key: whose `Idempotency-Key` came with the request, and which: what was made with it is answered,
                not refused.

        Raises:
            BadRequestError: Kubernetes finds it wrong.
            ConflictError: one of this name exists, or one of its objects does.
        """
        if self.objects.dry_run:
            tried: R = await self.objects.create(planned.kind, planned.controller)
            await complete(planned, tried, self.objects.create)
            return await show(tried)
        marks.mark(planned.controller.metadata, sent, key, alone=not planned.dependants)
        place, request = self.objects.place, marks.request(planned.controller)
        under_way = _under_way.setdefault(place.cluster, set())
        called = planned.controller.metadata.name
        name = f"{self.what} {self.objects.namespace}/{called}"
        if name in under_way:
            raise ConflictError(f"{self.what} {called!r} is just being made")
        under_way.add(name)
        try:
            answer = await show(await self._make(planned, keyed=bool(key)))
            await place.places.doubted(place, request)
        except (UpstreamError, TooManyRequestsError):
            await place.places.doubt(place, request)
            raise
        finally:
            under_way.discard(name)
        return answer

    async def _make(self, planned: Bundle[R], *, keyed: bool) -> R:
        try:
            # The controller need not be tried: it is made first, and when that fails nothing is there.
            trial = self.objects.trying()
            await all_of(*(trial.create(kind, dependant) for kind, dependant in planned.dependants))
            controller: R = await self.objects.create(planned.kind, planned.controller)
        except ConflictError:
            if (begun := await self._begun(planned, keyed=keyed)) is None:
                raise
            return await self._finish(planned, begun)
        if not planned.dependants:
            return controller
        try:
            made = await self._finish(planned, controller)
            if self.check is not None:
                await self.check()
        except EcnsError as error:
            try:
                await self._remove(planned, controller)
            except EcnsError:
                error.message += (
                    "; what was made before could not be removed again:"
                    f" send the same request again to complete it, or delete the {self.what}"
                )
            raise
        return made

    async def _begun(self, planned: Bundle[R], *, keyed: bool) -> R | None:
        """What a request like this one, or this very one, has made before, perhaps in part.

        Raises:
            ConflictError: there is another one, which is the reason, whatever else is taken.
        """
        place, request = self.objects.place, marks.request(planned.controller)
        with contextlib.suppress(NotFoundError):
            name = planned.controller.metadata.name
            found: R = await self.objects.client.get(planned.kind, name, self.objects.namespace)
            if found.metadata.deletion_timestamp is not None:
                return None
            if creating := marks.creating(found):
                return found if creating == marks.creating(planned.controller) else None
            if marks.request(found) == request and (keyed or await place.places.doubted(place, request)):
                return found
            raise ConflictError(f"{self.what} {name!r} already exists", details={"reason": "AlreadyExists"})
        return None

    async def _finish(self, planned: Bundle[R], controller: R) -> R:
        """Make what an object is without that is there, and say that it is whole."""
        if not marks.creating(controller):
            return controller

        async def create(kind: Kind[Any], obj: Any) -> Any:
            try:
                return await self.objects.create(kind, obj)
            except ConflictError:
                with contextlib.suppress(NotFoundError):
                    there = await self.objects.client.get(kind, obj.metadata.name, self.objects.namespace)
                    if marks.owned_by(there, controller.metadata.uid):
                        return there
                raise

        await complete(planned, controller, create)
        try:
            whole: R = await self.objects.patch(planned.kind, msgspec.to_builtins(controller), marks.finished)
        except ConflictError:
            name = controller.metadata.name
            whole = await self.objects.client.get(planned.kind, name, self.objects.namespace)
            if marks.creating(whole):
                raise
        return whole

    async def _remove(self, planned: Bundle[R], controller: R) -> None:
        """Remove what was made, and wait until Kubernetes has: a repeat finds nothing then."""
        uid = controller.metadata.uid
        with contextlib.suppress(NotFoundError):
            await self.objects.delete(planned.kind, controller.metadata.name, uid=uid)

        async def gone(kind: Kind[Any], name: str) -> None:
            with contextlib.suppress(NotFoundError):
                while marks.owned_by(  # noqa: ASYNC110  Kubernetes is asked, nobody here could tell
                    await self.objects.client.get(kind, name, self.objects.namespace), uid
                ):
                    await asyncio.sleep(GOING_SECONDS / 100)

        with contextlib.suppress(TimeoutError, EcnsError):  # its owner is gone, it will follow
            async with asyncio.timeout(GOING_SECONDS):
                await all_of(*(gone(kind, one.metadata.name) for kind, one in planned.dependants))


async def complete(planned: Bundle[R], controller: R, create: Create) -> None:
    """Make what goes with an object that is there, by means of `create`."""
    owner = marks.owner_reference(controller, planned.kind)
    for _, dependant in planned.dependants:
        dependant.metadata.owner_references = [owner]
    await all_of(*(create(kind, dependant) for kind, dependant in planned.dependants))


async def make_one(objects: Objects, kind: Kind[R], obj: JsonObject, *, keyed: bool) -> R:
    """Make an object that carries nothing of its request: a digest would tell of what is secret in it.

    A repeat is answered instead of refused when what is there is what it would make.

    Args:
        objects: where.
        kind: of what.
        obj: with all fields.
        keyed: the request came with an `Idempotency-Key`.

    Raises:
        BadRequestError: Kubernetes finds it wrong.
        ConflictError: one of this name exists.
    """
    name = obj["metadata"]["name"]
    place, request = objects.place, f"{kind.resource} {name}"
    try:
        made = await objects.create(kind, obj)
    except ConflictError:
        # Asked in any case: asking settles it.
        if not (await place.places.doubted(place, request) or keyed) or objects.dry_run:
            raise
        with contextlib.suppress(NotFoundError):
            if within(obj, there := await objects.whole(kind, name)):
                return msgspec.convert(there, kind.type)
        raise
    except (UpstreamError, TooManyRequestsError):
        if not objects.dry_run:
            await place.places.doubt(place, request)
        raise
    return made


def within(sent: Any, there: Any) -> bool:
    """Whether all that was sent is there; what else is there was added by Kubernetes, or by others."""
    if isinstance(sent, dict) and isinstance(there, dict):
        return all(key in there and within(value, there[key]) for key, value in sent.items())
    return bool(sent == there)
