"""Applications without a server before them, on the embedded cluster: for what HTTP cannot bring about."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ecns import config
from ecns.api.applications import installation
from ecns.api.applications.service import Applications
from ecns.api.common.objects import Objects
from ecns.backends.kubernetes.clusters import Cluster, Clusters
from ecns.backends.memory import Local
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.keystone import Keystone
from ecns.identity.place import Place, Places
from ecns.identity.policy import Policy
from tests.identity.callers import caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway import Gateway

SPACE = "apps-direct"


class Direct:
    """The applications of a namespace, made anew for each request as the server does."""

    def __init__(self, kubeconfig: Path, **entry: Any) -> None:
        entries = [config.Cluster(name="eks", kubeconfig=kubeconfig, **entry)]
        self.clusters = Clusters(entries)
        self.cluster: Cluster = self.clusters["eks"]
        self.policy = Policy()
        self.places = Places(self.clusters, Local(), self.policy)
        self.caller = caller()

    def applications(self, *, actor: Any = None) -> Applications:
        """For one request."""
        place = Place(
            caller=self.caller,
            cluster=self.cluster,
            namespace=SPACE,
            actor=actor,
            places=self.places,
            written={},
        )
        openstack = OpenStack(Keystone("http://127.0.0.1"), config.OpenStack())  # asked for nothing
        return Applications(Objects(place, self.places), "", self.policy, openstack)

    async def close(self) -> None:
        """Close all, and wait until the TLS connections have taken leave of their peer."""
        await self.clusters.close()
        loop: Any = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while len(loop._selector.get_map()) > 1:  # noqa: ASYNC110  one is the loop's own
                await asyncio.sleep(0.001)


@pytest.fixture(scope="session")
def space(gateway: Gateway) -> str:
    """A namespace of no project."""
    gateway.kubectl("create", "namespace", SPACE)
    return SPACE


@pytest.fixture
async def direct(gateway: Gateway, space: str) -> AsyncIterator[Direct]:
    """Applications that write as ECNS itself."""
    assert space == SPACE
    made = Direct(config.Path(gateway.kubeconfig), impersonate=False)
    await installation.ensure(made.applications().objects.place)
    yield made
    await made.close()
