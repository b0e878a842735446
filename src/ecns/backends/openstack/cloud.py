"""All services of one cloud beside Keystone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from ecns.backends.openstack.account import Account
from ecns.backends.openstack.catalog import Catalogs
from ecns.backends.openstack.cinder import Cinder
from ecns.backends.openstack.glance import Glance
from ecns.backends.openstack.heat import Heat
from ecns.backends.openstack.keystone import Keystone
from ecns.backends.openstack.neutron import Neutron
from ecns.backends.openstack.nova import Nova
from ecns.backends.openstack.octavia import Octavia
from ecns.backends.openstack.service import Service
from ecns.backends.openstack.wire import trust
from ecns.config import OpenStack as Settings


class OpenStack:
    """The clients of the services; each has connections and a breaker of its own.

    Args:
        keystone: whose catalogs say where they are.
        settings: of the configuration.
        ca_file: PEM of the authorities to trust in place of the system's.

    Raises:
        ConfigError: `ca_file` cannot be read or holds no certificate.
    """

    def __init__(self, keystone: Keystone, settings: Settings, *, ca_file: Path | None = None) -> None:
        self.replicas_limit = settings.replicas_limit
        """How many replicas a load balancer of this cloud has at most."""
        self.load_balancer_provider = settings.load_balancer_provider
        """Of the flavors and zones that ECNS makes."""
        self.volume_types = settings.volume_types
        """Names of Cinder's types, by the reference's words for disks."""
        self.account: Account | None = None
        """ECNS's own, if it has one."""
        if settings.application_credential_secret_file is not None:
            self.account = Account(
                keystone, settings.application_credential_id, settings.application_credential_secret_file
            )
        catalogs = Catalogs(keystone, settings)
        common: dict[str, Any] = {"timeout": settings.timeout, "tls": trust(ca_file)}
        self.nova = Nova(catalogs, **common)
        self.neutron = Neutron(catalogs, **common)
        self.cinder = Cinder(catalogs, **common)
        self.glance = Glance(catalogs, **common)
        self.octavia = Octavia(catalogs, **common)
        self.heat = Heat(catalogs, **common)

    @property
    def services(self) -> tuple[Service, ...]:
        """All of them."""
        return (self.nova, self.neutron, self.cinder, self.glance, self.octavia, self.heat)

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(service.close() for service in self.services))
