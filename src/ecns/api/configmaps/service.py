"""What the operations of chapter 1.4 do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response

from ecns.api.common import batches, marks
from ecns.api.common.applications import need_application
from ecns.api.common.making import make_one
from ecns.api.common.objects import Objects
from ecns.api.common.references import Reference, in_use, users_of
from ecns.api.common.rows import rows
from ecns.api.configmaps import checks, manifests
from ecns.api.configmaps.types import ConfigMap, OneConfigMap, SentConfigMap
from ecns.backends.kubernetes.kinds.configuration import CONFIG_MAP

ROWS = rows(CONFIG_MAP, manifests.info)


class ConfigMaps:
    """The ConfigMaps of one place, for one request."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects

    async def keys(self, name: str) -> list[str]:
        """The keys of one.

        Raises:
            NotFoundError: it is not there.
        """
        return list((await self.objects.find(CONFIG_MAP, name)).keys)

    async def show(self, name: str) -> OneConfigMap:
        """One with its values and who uses it.

        Raises:
            NotFoundError: it is not there.
        """
        whole = await self.objects.whole(CONFIG_MAP, name)
        reference = Reference("ConfigMap", name)
        using = await users_of(self.objects, [reference])
        return OneConfigMap(configmap=manifests.shown(whole), used_by=using.get(reference, []))

    async def create(self, sent: SentConfigMap, name: str, *, keyed: bool) -> ConfigMap:
        """Make one.

        Args:
            sent: what was sent.
            name: of the path.
            keyed: the request came with an `Idempotency-Key`.

        Raises:
            BadRequestError: something in it cannot be, or its application is not there.
            ConflictError: one of this name exists.
        """
        checked = checks.new(sent, name)
        planned = manifests.config_map(checked, self.objects.namespace)
        await need_application(self.objects, checked.application, f"{checks.AT}.application_name")
        made = await make_one(self.objects, CONFIG_MAP, planned, keyed=keyed)
        return manifests.shown({**planned, "metadata": msgspec.to_builtins(made.metadata)})

    async def update(self, sent: SentConfigMap, name: str) -> ConfigMap:
        """Make of one what was sent; what was not sent stays.

        Raises:
            BadRequestError: something in it cannot be, or its application is not there.
            NotFoundError: it is not there.
            ConflictError: it is immutable, or somebody else changed it meanwhile.
        """
        checked = checks.config_map(sent, name)
        whole = await self.objects.whole(CONFIG_MAP, name)
        if checked.application != marks.member_of(whole):
            await need_application(self.objects, checked.application, f"{checks.AT}.application_name")
        changed = await self.objects.patch_whole(
            CONFIG_MAP, whole, lambda now: manifests.change(now, checked)
        )
        return manifests.shown(changed)

    async def delete(self, names: Sequence[str], *, force: bool) -> Response[Any]:
        """Delete several; one that is used only with `force`.

        Raises:
            EcnsError: none was deleted, all for one reason.
        """
        wanted = [Reference("ConfigMap", name) for name in names]
        using = {} if force else await users_of(self.objects, wanted)

        async def one(reference: Reference) -> None:
            found = await self.objects.find(CONFIG_MAP, reference.name)
            if who := using.get(reference):
                raise in_use(f"configmap {reference.name!r}", who)
            await self.objects.delete(CONFIG_MAP, reference.name, uid=found.metadata.uid)

        return await batches.run(wanted, one, name=lambda reference: reference.name)
