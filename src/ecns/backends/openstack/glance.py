"""Glance's Image API, as far as ECNS asks it.

Source: https://docs.openstack.org/api-ref/image/v2/
"""

from __future__ import annotations

import re

import msgspec

from ecns.backends.openstack.service import Service


class Image(msgspec.Struct, frozen=True):
    """An image; what it can boot is told by properties that operators set."""

    id: str
    name: str | None = None
    k8s_version: str | None = None
    container_runtime: str | None = None
    os_type: str | None = None
    """`linux` or `windows`, if somebody has said so."""
    os_distro: str | None = None
    min_disk: int | None = 0
    """GiB."""
    min_ram: int | None = 0
    """MiB."""
    block_device_mapping: str | None = None
    """Of a snapshot of a server that boots from a volume: JSON, with the snapshots of its volumes."""


class Glance(Service):
    """Images."""

    where = "Glance"
    types = ("image",)
    version = re.compile(r"/v2(\.\d+)?$")
    default_version = "/v2"

    async def images(self, token: str, **filters: str) -> list[Image]:
        """The images that the token's project sees and that are complete; `filters` are Glance's."""
        query = [("status", "active"), *filters.items()]
        return await self._pages(token, "/images", "images", list[Image], query=query)

    async def called(self, token: str, name: str) -> list[Image]:
        """Those of a name; what is before a colon in it Glance would take for an operator."""
        return await self.images(token, name=f"eq:{name}")
