"""Where the services answer: the catalog of a token, remembered for a moment.

Source: https://docs.openstack.org/api-ref/identity/v3/#get-service-catalog
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING

from ecns.backends.common.recent import Recent
from ecns.errors import NotSupportedError

if TYPE_CHECKING:
    from ecns.backends.openstack.keystone import Keystone, Service
    from ecns.config import OpenStack

SECONDS = 60.0
"""How long a catalog is believed: services move seldom, and their addresses are no secret."""
REMEMBERED = 2000
"""Catalogs at most, each of some 10 KiB; the longest unused go first."""


class Catalogs:
    """The services that the holder of a token may use.

    Args:
        keystone: asked.
        settings: region and interface.
    """

    def __init__(self, keystone: Keystone, settings: OpenStack) -> None:
        self.challenge = keystone.challenge
        self._keystone = keystone
        self._settings = settings
        self._known: Recent[list[Service]] = Recent(REMEMBERED)
        self._asking: dict[str, asyncio.Task[list[Service]]] = {}

    async def endpoint(self, token: str, where: str, types: tuple[str, ...]) -> str:
        """A service's address, without a slash at its end.

        Args:
            token: of the caller: an address may hold its project.
            where: the service as a person calls it.
            types: what it is called in catalogs, the best first.

        Raises:
            NotSupportedError: the catalog has no such service, or none in this region for this interface.
            UpstreamError: Keystone does not answer.
        """
        services = await self._services(token)
        region, interface = self._settings.region, self._settings.interface
        for kind in types:
            for service in services:
                for endpoint in service.endpoints if service.type == kind else ():
                    if endpoint.interface == interface and region in {"", endpoint.region_id}:
                        return endpoint.url.rstrip("/")
        there = f" in region {region}" if region else ""
        raise NotSupportedError(
            f"this cloud has no {where}: the catalog of the token has no {interface} address of "
            f"{' or '.join(types)}{there}",
            details={"upstream": where.lower()},
        )

    async def _services(self, token: str) -> list[Service]:
        digest = hashlib.sha256(token.encode()).hexdigest()
        if known := self._known.get(digest):
            return known
        asking = self._asking.get(digest)
        if asking is None:
            asking = asyncio.create_task(self._ask(token, digest))
            self._asking[digest] = asking
            asking.add_done_callback(lambda done: self._asked(digest, done))
        # Shielded: a client that goes away must not take the answer from the others who wait for it.
        return await asyncio.shield(asking)

    def _asked(self, digest: str, done: asyncio.Task[list[Service]]) -> None:
        del self._asking[digest]
        if not done.cancelled():
            done.exception()  # seen, also when everybody who waited has gone away

    async def _ask(self, token: str, digest: str) -> list[Service]:
        services = await self._keystone.catalog(token)
        self._known.put(digest, services, time.monotonic() + SECONDS)
        return services
