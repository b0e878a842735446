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


class Glance(Service):
    """Images."""

    where = "Glance"
    types = ("image",)
    version = re.compile(r"/v2(\.\d+)?$")
    default_version = "/v2"

    async def images(self, token: str) -> list[Image]:
        """The images that the token's project sees and that are complete."""
        return await self._pages(token, "/images", "images", list[Image], query=[("status", "active")])
