"""Cinder's Block Storage API, as far as ECNS asks it.

Source: https://docs.openstack.org/api-ref/block-storage/v3/
"""

from __future__ import annotations

import re

import msgspec

from ecns.backends.openstack.service import Service


class VolumeType(msgspec.Struct, frozen=True):
    """A kind of volumes; Cinder shows most extra specs to administrators alone."""

    id: str
    name: str
    description: str | None = None
    extra_specs: dict[str, str | None] = {}

    @property
    def backend(self) -> str:
        """Where its volumes are, if the token may see that."""
        return self.extra_specs.get("volume_backend_name") or ""


class Cinder(Service):
    """Kinds of volumes."""

    where = "Cinder"
    types = ("block-storage", "volumev3", "block-store")
    version = re.compile(r"/v3(/\w+)?$")
    default_version = "/v3"

    async def types_of_volumes(self, token: str, *, of_all: bool = False) -> list[VolumeType]:
        """The volume types that the token's project may use; `of_all`, for administrators: all there are."""
        query = [("is_public", "None")] if of_all else []
        return await self._pages(token, "/types", "volume_types", list[VolumeType], query=query)
