"""What the operations that OpenStack alone answers do; it is asked with the caller's own token."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from ecns.api.cloud import manifests
from ecns.api.cloud.types import KubernetesVersions, OpenStackOverview, VolumeType
from ecns.errors import EcnsError, NotSupportedError, UnauthorizedError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ecns.api.cloud.types import InstanceType, State
    from ecns.backends.openstack.cloud import OpenStack
    from ecns.config import KubernetesVersion
    from ecns.identity.caller import Caller

log = structlog.get_logger(__name__)

Instances = list[tuple["State", str]]


class CloudOfProject:
    """The cloud as one caller sees it; every method raises what the clients of the services do."""

    def __init__(self, openstack: OpenStack, caller: Caller, offered: tuple[KubernetesVersion, ...]) -> None:
        self.openstack = openstack
        self.caller = caller
        self.offered = offered

    async def overview(self) -> tuple[OpenStackOverview, list[str]]:
        """The project's servers and load balancers by state, and the services that did not answer.

        A service that this cloud does not have, or that does not answer, leaves its list empty.

        Raises:
            NotSupportedError: the cloud has neither of the two.
            UpstreamError: neither answers.
        """
        nova, octavia = self.openstack.nova, self.openstack.octavia
        token, project = self.caller.token, self.caller.project_id

        async def servers() -> Instances:
            return [(manifests.server_state(one), one.name) for one in await nova.servers(token)]

        async def load_balancers() -> Instances:
            found = await octavia.load_balancers(token, project)
            return [(manifests.load_balancer_state(one), one.name) for one in found]

        asked: dict[InstanceType, Awaitable[Instances]] = {
            "server": servers(),
            "loadbalance": load_balancers(),
        }
        answers = await asyncio.gather(*asked.values(), return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        missing = []
        for failure in failures:
            if not isinstance(failure, UpstreamError | NotSupportedError) or len(failures) == len(answers):
                raise failure
            if isinstance(failure, UpstreamError):
                missing.append(failure.upstream)
        lists = [
            [] if isinstance(answer, BaseException) else manifests.by_state(kind, answer)
            for kind, answer in zip(asked, answers, strict=True)
        ]
        return OpenStackOverview(*lists), missing

    async def volume_types(self) -> list[VolumeType]:
        """The volume types that the project may use, by name.

        Their back ends Cinder shows to administrators alone, so ECNS's own account is asked for them, if it
        has one.
        """
        found, backends = await asyncio.gather(
            self.openstack.cinder.types_of_volumes(self.caller.token), self._backends()
        )
        shown = [manifests.volume_type(one, backends.get(one.id, "")) for one in found]
        return sorted(shown, key=lambda one: (one.name, one.id))

    async def _backends(self) -> dict[str, str]:
        """The back end of each volume type, as far as ECNS itself may see them."""
        account = self.openstack.account
        if account is None:
            return {}
        try:
            found = await self.openstack.cinder.types_of_volumes(await account.token(), of_all=True)
        except EcnsError as error:
            if isinstance(error, UnauthorizedError):
                account.forget()
            log.warning("ECNS's own account does not see the volume types", reason=str(error))
            return {}
        return {one.id: one.backend for one in found}

    async def kubernetes_versions(self) -> KubernetesVersions:
        """What clusters can be made with; a runtime is available when an image with it is visible."""
        images = await self.openstack.glance.images(self.caller.token)
        return KubernetesVersions(manifests.versions(self.offered, images))
