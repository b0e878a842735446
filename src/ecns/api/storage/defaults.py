"""The default storage class: exactly one, whoever sets which at the same time, and wherever that is cut off.

No single write of Kubernetes moves the mark from one class to another. So a class is first marked as the
default and as `BECOMING` it, in one write; then the marks are taken off all others; then `BECOMING` is taken
off. Of several that are becoming the default the one that was asked for last wins, and whoever sees that does
the rest. There is never none, and while there are two, Kubernetes takes the newer made. Source:
https://kubernetes.io/docs/tasks/administer-cluster/change-default-storage-class/
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import structlog

from ecns.api.common.objects import Objects, Operations
from ecns.api.storage import manifests
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.backends.kubernetes.kinds.storage import STORAGE_CLASS, StorageClass
from ecns.errors import ConflictError, EcnsError, NotFoundError

if TYPE_CHECKING:
    from ecns.identity.place import Place

TRIES = 10
"""Times that it is looked at anew because somebody else changed a class."""
CUT_OFF_SECONDS = 60.0
"""After so long a change of the default that is not over is held for cut off, and completed."""

log = structlog.get_logger(__name__)
_completing: dict[str, asyncio.Task[None]] = {}
"""By cluster."""


async def set_default(objects: Objects, name: str) -> None:
    """Make a class the only default.

    Raises:
        NotFoundError: it is not there.
        ConflictError: somebody else made another one the default meanwhile.
    """
    classes = (await objects.client.list(STORAGE_CLASS)).items
    marked = [one.metadata.name for one in classes if manifests.is_marked(one)]
    if marked == [name] and not any(manifests.becoming(one) for one in classes):
        return
    if objects.dry_run:
        await objects.change(STORAGE_CLASS, name, manifests.is_made_default)
        for other in marked:
            if other != name:
                await objects.change(STORAGE_CLASS, other, manifests.unset_default)
        return
    await _begin(objects, name)
    if (settled := await complete(objects)) != name:
        raise ConflictError(f"somebody else has just made {settled or 'no class'!r} the default")


async def unset_default(objects: Objects, name: str) -> StorageClass:
    """Let a class not be the default.

    Raises:
        NotFoundError: it is not there.
    """
    found = await objects.client.get(STORAGE_CLASS, name)
    if not manifests.is_marked(found) and not manifests.becoming(found):
        return found
    return await _change(objects, found, manifests.unset_default)


async def complete(objects: Objects) -> str | None:
    """Take the mark off all classes but the one that was asked for last; the default's name then.

    Raises:
        ConflictError: others change the classes again and again.
    """
    for _ in range(TRIES):
        classes = (await objects.client.list(STORAGE_CLASS)).items
        chosen = manifests.chosen(classes)
        if chosen is None:
            return manifests.default(classes)
        try:
            for one in classes:
                if one is not chosen and (manifests.is_marked(one) or manifests.becoming(one)):
                    await _change(objects, one, manifests.unset_default)
            await _change(objects, chosen, manifests.is_made_default)
        except (ConflictError, NotFoundError):
            continue
        return chosen.metadata.name
    raise ConflictError("the default storage class is being changed by others; try again")


async def _begin(objects: Objects, name: str) -> None:
    """Mark a class as the default, and as becoming it."""
    for left in reversed(range(TRIES)):
        found = await objects.client.get(STORAGE_CLASS, name)
        now = int(time.time() * 1000)
        try:
            await _change(objects, found, partial(manifests.make_default, since=now))
        except ConflictError:
            if not left:
                raise
        else:
            return


async def _change(
    objects: Objects, seen: StorageClass, build: Callable[[JsonObject], Operations]
) -> StorageClass:
    """Change a class that is still as it was seen: no annotation alone says what it is.

    Raises:
        ConflictError: it is not.
        NotFoundError: it is not there any more.
    """

    def tested(whole: JsonObject) -> Operations:
        version = seen.metadata.resource_version
        return [{"op": "test", "path": "/metadata/resourceVersion", "value": version}, *build(whole)]

    return await objects.change(STORAGE_CLASS, seen.metadata.name, tested)


def complete_what_was_cut_off(place: Place, classes: Iterable[StorageClass]) -> None:
    """Complete a change of the default whose process has ended before it did; in the background."""
    cluster = place.cluster
    long_ago = int((time.time() - CUT_OFF_SECONDS) * 1000)
    if cluster.name in _completing or not any(0 < manifests.becoming(one) < long_ago for one in classes):
        return
    objects = Objects(msgspec.structs.replace(place, namespace="", actor=None), place.places)

    async def completing() -> None:
        try:
            name = await complete(objects)
            log.info("completed a change of the default storage class", cluster=cluster.name, default=name)
        except EcnsError as error:
            log.warning("the default storage class is not settled", cluster=cluster.name, error=error.message)

    task = _completing[cluster.name] = asyncio.create_task(completing())
    task.add_done_callback(lambda _: _completing.pop(cluster.name, None))
