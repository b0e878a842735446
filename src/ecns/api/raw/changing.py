"""Objects made, applied and edited as YAML: each document on its own, in the order that they need each other.

An upload is applied on the server (server-side apply), an edit is a patch of what was edited; both as the
caller.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from litestar import Response

from ecns.api.common import batches
from ecns.api.common.contents import check_version
from ecns.api.common.documents import read, written
from ecns.api.common.names import PART_OF
from ecns.api.common.objects import Objects
from ecns.api.raw import manifests
from ecns.api.raw.cluster import Reach
from ecns.api.raw.manifests import Sent, Wrong
from ecns.api.raw.types import Outcome, Results, YamlItem
from ecns.api.secrets.hiding import hiding
from ecns.backends.kubernetes.kinds import APPLICATION
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind
from ecns.backends.kubernetes.served import STORED, catalogue, discover
from ecns.errors import BadRequestError, EcnsError, NotFoundError
from ecns.identity.place import Place

ESTABLISHED_SECONDS = 15.0
"""For the cluster to serve what a CustomResourceDefinition of the same upload defines."""
INTERVAL = 0.1
SMALL = 16 * 1024
"""Characters, or bytes, that are read at once; what is longer is read in a thread."""

Found = tuple[Kind[JsonObject], Place]
Result = YamlItem | EcnsError


class Changing:
    """The changes of one request.

    Args:
        reach: what the caller reaches.
        word: the kind of the path.
        name: the name of the path.
        dry_run: nothing is changed.
    """

    def __init__(self, reach: Reach, word: str, name: str, *, dry_run: bool) -> None:
        self.reach = reach
        self.word = word
        self.name = name
        self.dry_run = dry_run
        self.application = name if word.lower() == manifests.APPLICATION else ""
        self.objects: list[Sent] = []
        """What was sent."""

    def names(self) -> list[str]:
        """What the request is about, such as `Deployment/shop`."""
        return [f"{one.kind}/{one.name}" for one in self.objects]

    async def upload(
        self, text: str | bytes, *, force: bool, make_application: Callable[[Place], Awaitable[None]]
    ) -> Response[Results]:
        """Make what was sent, or let what is there be as was sent.

        Args:
            text: documents.
            force: take over fields that others have set otherwise.
            make_application: makes the application of the path.

        Raises:
            BadRequestError: it cannot be read, or what the path names is not in it.
            EcnsError: nothing was done, all for one reason.
        """
        several = await self._read(text)
        if self.application and not self.dry_run and self.objects:
            place = await self.reach.here()
            if await self._application(place) is None and not any(map(self._is_application, self.objects)):
                await make_application(place)

        async def apply(one: Sent) -> YamlItem:
            kind, place = await self._found(one)
            self.reach.rights.check("create", kind, place)
            whole = manifests.placed(one, place.namespace)
            if self.application and kind.namespaced and not self._is_application(one):
                whole = manifests.member(whole, self.application)
            now = await self.reach.get(kind, one.name, place) if one.name else None
            if now is not None:
                self.reach.rights.check("update", kind, place)
            objects = Objects(place, self.reach.places, dry_run=self.dry_run)
            made = await _applied(objects, kind, whole, now, force=force)
            return await asyncio.to_thread(self._item, one, made, now, objects)  # large ones take a second

        return await self._each(several, apply)

    async def edit(self, text: str | bytes) -> Response[Results]:
        """Let what is there be as was sent, where nobody changed it since its `resourceVersion`.

        Raises:
            BadRequestError: it cannot be read, or what the path names is not in it.
            EcnsError: nothing was done, all for one reason.
        """
        several = await self._read(text)
        if self.application and await self._application(await self.reach.here()) is None:
            raise NotFoundError(f"application {self.application[:253]!r} is not there")

        async def change(one: Sent) -> YamlItem:
            kind, place = await self._found(one)
            self.reach.rights.check("update", kind, place)
            if not one.name:
                raise BadRequestError("metadata.name: is needed", field="metadata.name")
            now = await self.reach.get(kind, one.name, place)
            if now is None:
                raise NotFoundError(f"{one.kind} {one.name!r} is not there")
            if self.application and not self._is_application(one) and not self._is_member(now):
                raise BadRequestError(
                    f"{one.kind} {one.name!r} does not belong to application {self.application!r}"
                )
            whole = manifests.placed(one, place.namespace)
            check_version(now, one.whole["metadata"].get("resourceVersion"))
            objects = Objects(place, self.reach.places, dry_run=self.dry_run)
            with hiding(manifests.secrets(now)):
                made = await objects.patch_whole(kind, now, lambda found: manifests.edited(found, whole))
            return await asyncio.to_thread(self._item, one, made, now, objects)  # large ones take a second

        return await self._each(several, change)

    # What was sent

    async def _read(self, text: str | bytes) -> list[Sent | Wrong]:
        documents = read(text) if len(text) <= SMALL else await asyncio.to_thread(read, text)
        several = manifests.sent(documents)
        self.objects = [one for one in several if isinstance(one, Sent)]
        await self._check_path()
        return several

    async def _check_path(self) -> None:
        """Check that what the path names was sent.

        Raises:
            BadRequestError: it was not.
        """
        if self.application or not self.objects:
            return
        served = (await catalogue(self.reach.cluster)).named(self.word)
        kind = served.kind.kind if served is not None else ""
        of_kind = [one for one in self.objects if one.kind == kind or one.kind.lower() == self.word.lower()]
        if not of_kind:
            raise BadRequestError(
                f"yaml: there is no {self.word[:80]} in it, as the path says, but {_told(self.objects)}",
                field="kind",
            )
        if not any(one.name in {self.name, ""} for one in of_kind):
            raise BadRequestError(
                f"yaml: the path says {self.name[:253]!r}, metadata.name {of_kind[0].name[:253]!r}",
                field="metadata.name",
            )

    async def _found(self, one: Sent) -> Found:
        """The kind of an object and where it is.

        Raises:
            BadRequestError: the cluster does not serve the kind, or stores none of it.
            NotFoundError: its namespace is not there for this caller.
        """
        known = await catalogue(self.reach.cluster)
        served = known.exact(one.api_version, one.kind)
        if served is None:
            known = await self.reach.known()
            served = known.exact(one.api_version, one.kind)
        if served is None:
            versions = known.versions(one.kind)
            here = f"; it is in {', '.join(versions)}" if versions else ""
            soon = ""
            if self.dry_run and any(_defined(other, one) for other in self.objects):
                soon = "; it is defined in this upload, and cannot be tried before"
            raise BadRequestError(
                f"cluster {self.reach.cluster.name} serves no {one.kind[:80]} in {one.api_version[:80]}"
                + here
                + soon,
                field="apiVersion" if versions else "kind",
            )
        if not served.verbs >= STORED:
            raise BadRequestError(
                f"objects of kind {one.kind} are questions, and are not stored", field="kind"
            )
        try:
            return served.kind, await self.reach.place(served.kind, one.namespace)
        except NotFoundError as error:
            if self.dry_run and any(_makes_namespace(other, one.namespace) for other in self.objects):
                error.message += "; it is made by this upload, and nothing can be tried in it before"
            raise

    def _is_application(self, one: Sent) -> bool:
        """Whether an object is the application that the path names."""
        return (one.kind, one.name) == (APPLICATION.kind, self.application) and one.api_version.startswith(
            f"{APPLICATION.group}/"
        )

    def _is_member(self, now: JsonObject) -> bool:
        return bool((now["metadata"].get("labels") or {}).get(PART_OF) == self.application)

    async def _application(self, place: Place) -> JsonObject | None:
        return await self.reach.get(APPLICATION.whole, self.application, place)

    # What becomes of it

    async def _each(
        self, several: Sequence[Sent | Wrong], do: Callable[[Sent], Awaitable[YamlItem]]
    ) -> Response[Results]:
        """Do all, those that others need first, and answer in the order sent."""
        results: dict[int, Result] = {}
        gate = asyncio.Semaphore(batches.PARALLEL)

        async def one(sent: Sent) -> None:
            async with gate:
                results[id(sent)] = await self._done(sent, do)

        for together in manifests.in_order(self.objects):
            if len({(sent.kind, sent.namespace, sent.name) for sent in together}) == len(together):
                await asyncio.gather(*(one(sent) for sent in together))
            else:
                for sent in together:  # of two documents about one thing the second is the last word
                    await one(sent)
            if not self.dry_run:
                done = [sent for sent in together if isinstance(results[id(sent)], YamlItem)]
                await self._established(done)
        answer = Results(succeed=[], failed=[], dry_run=self.dry_run)
        errors: list[EcnsError] = []
        for each in several:
            result = each.error if isinstance(each, Wrong) else results[id(each)]
            if isinstance(result, YamlItem):
                answer.succeed.append(result)
            else:
                errors.append(result)
                answer.failed.append(_failed(each, result))
        answer.diff = "".join(item.diff for item in answer.succeed)
        return batches.concluded(answer, errors, nothing=not answer.succeed)

    async def _done(self, sent: Sent, do: Callable[[Sent], Awaitable[YamlItem]]) -> Result:
        try:
            with hiding(manifests.secrets(sent.whole)):
                return await do(sent)
        except EcnsError as error:
            return error

    def _item(self, sent: Sent, made: JsonObject, now: JsonObject | None, objects: Objects) -> YamlItem:
        outcome: Outcome = "created"
        if now is not None:
            outcome = "unchanged" if manifests.wanted(now) == manifests.wanted(made) else "changed"
        diff = objects.report().diff if self.dry_run else ""
        return YamlItem(
            name=made["metadata"]["name"],
            kind=sent.kind,
            namespace=made["metadata"].get("namespace", ""),
            yaml=written(manifests.shown(made, hidden=True)),
            outcome=outcome,
            line=sent.line,
            diff=diff,
        )

    async def _established(self, made: Sequence[Sent]) -> None:
        """Wait until the cluster serves the new kinds that something of this upload is of."""
        wanted = {
            (f"{group}/{version}", kind)
            for one in made
            if (defined := manifests.defines(one)) is not None
            for group, kind, versions in [defined]
            for version in versions
        } & {(one.api_version, one.kind) for one in self.objects}
        if not wanted:
            return
        deadline = time.monotonic() + ESTABLISHED_SECONDS
        while time.monotonic() < deadline:
            known = await discover(self.reach.cluster)
            if all(known.exact(*one) is not None for one in wanted):
                return
            await asyncio.sleep(INTERVAL)


async def _applied(
    objects: Objects, kind: Kind[JsonObject], whole: JsonObject, now: JsonObject | None, *, force: bool
) -> JsonObject:
    """Apply an object, and where nulls in it are refused, without them."""
    while True:
        try:
            return await objects.apply(kind, whole, now, force=force)
        except BadRequestError as error:
            less = manifests.without_nulls(whole, error.details.get("causes"))
            if less is None or less == whole:
                raise
            whole = less


def _failed(sent: Sent | Wrong, error: EcnsError) -> YamlItem:
    whole = sent.value if isinstance(sent, Wrong) else sent.whole
    return YamlItem(
        name=sent.name,
        kind=sent.kind,
        namespace=sent.namespace if isinstance(sent, Sent) else "",
        yaml=written(manifests.concealed(whole)),
        reason=error.message,
        code=error.status,
        line=sent.line,
        details=error.details or None,
    )


def _told(objects: Sequence[Sent]) -> str:
    names = [f"{one.kind[:80]} {one.name[:253]!r}" for one in objects[:3]]
    return ", ".join(names) + (" …" if len(objects) > len(names) else "")


def _defined(definition: Sent, one: Sent) -> bool:
    defined = manifests.defines(definition)
    return defined is not None and defined[1] == one.kind and one.api_version.startswith(f"{defined[0]}/")


def _makes_namespace(other: Sent, name: str) -> bool:
    return (other.kind, other.name) == ("Namespace", name)
