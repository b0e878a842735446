"""Cinder's Block Storage API, as far as ECNS asks it.

Source: https://docs.openstack.org/api-ref/block-storage/v3/
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from ecns.backends.openstack.service import Service, named

ATTACHMENTS_VERSION = {"OpenStack-API-Version": "volume 3.27"}
"""The first with attachments of their own (2017)."""


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


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """That a volume is in a server."""

    attachment_id: str = ""
    server_id: str = ""


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume; `size` in GiB."""

    id: str
    name: str | None = None
    status: str
    size: int
    bootable: str = "false"
    metadata: dict[str, str] = {}
    volume_image_metadata: dict[str, str] = {}
    """Properties of the image that it was made of."""
    attachments: list[Attachment] = []


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a project may have of volumes, and has; -1: any number."""

    volumes: int = msgspec.field(name="maxTotalVolumes", default=-1)
    volumes_used: int = msgspec.field(name="totalVolumesUsed", default=0)
    gigabytes: int = msgspec.field(name="maxTotalVolumeGigabytes", default=-1)
    gigabytes_used: int = msgspec.field(name="totalGigabytesUsed", default=0)


class _Absolute(msgspec.Struct):
    absolute: Limits


class _Limits(msgspec.Struct):
    limits: _Absolute


class Cinder(Service):
    """Volumes and their kinds."""

    where = "Cinder"
    types = ("block-storage", "volumev3", "block-store")
    version = re.compile(r"/v3(/\w+)?$")
    default_version = "/v3"

    async def types_of_volumes(self, token: str, *, of_all: bool = False) -> list[VolumeType]:
        """The volume types that the token's project may use; `of_all`, for administrators: all there are."""
        query = [("is_public", "None")] if of_all else []
        return await self._pages(token, "/types", "volume_types", list[VolumeType], query=query)

    async def limits(self, token: str) -> Limits:
        """What the token's project may have."""
        return (await self._get(token, "/limits", _Limits)).limits.absolute

    async def volumes(self, token: str, **filters: str) -> list[Volume]:
        """The volumes of the token's project; `filters` are Cinder's, such as `name`."""
        return await self._pages(token, "/volumes/detail", "volumes", list[Volume], query=filters.items())

    async def describe_volume(self, token: str, volume_id: str, metadata: Mapping[str, str]) -> None:
        """Let a volume have this metadata, all of it.

        Raises:
            NotFoundError: there is none.
        """
        body = {"volume": {"metadata": metadata}}
        await self._send("PUT", token, f"/volumes/{named(volume_id)}", body=body)

    async def delete_attachment(self, token: str, attachment_id: str) -> None:
        """Let a volume be in a server no more; Cinder sees that the server does not have it.

        Raises:
            NotFoundError: there is no such attachment.
            ConflictError: the server has it.
        """
        path = f"/attachments/{named(attachment_id)}"
        await self._send("DELETE", token, path, headers=ATTACHMENTS_VERSION)

    async def delete_volume(self, token: str, volume_id: str) -> None:
        """Let Cinder remove a volume.

        Raises:
            NotFoundError: there is none.
            BadRequestError: it is in use.
        """
        await self._send("DELETE", token, f"/volumes/{named(volume_id)}")
