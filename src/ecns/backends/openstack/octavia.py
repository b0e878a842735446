"""Octavia's Load Balancer API, as far as ECNS asks it.

Source: https://docs.openstack.org/api-ref/load-balancer/v2/
"""

from __future__ import annotations

import contextlib
import re

import msgspec

from ecns.backends.openstack.service import Service, named
from ecns.errors import EcnsError

UNLIMITED = -1


class Reference(msgspec.Struct, frozen=True):
    """An id of something else."""

    id: str


class Flavor(msgspec.Struct, frozen=True):
    """What load balancers are made of; the profile says what that is."""

    id: str
    name: str
    flavor_profile_id: str
    enabled: bool = True


class FlavorProfile(msgspec.Struct, frozen=True):
    """What a flavor means to a provider; `flavor_data` is JSON."""

    id: str
    provider_name: str
    flavor_data: str


class Zone(msgspec.Struct, frozen=True):
    """Where load balancers are made; the profile says what that is. Zones have no ids."""

    name: str
    availability_zone_profile_id: str
    enabled: bool = True


class ZoneProfile(msgspec.Struct, frozen=True):
    """What a zone means to a provider; `availability_zone_data` is JSON."""

    id: str
    provider_name: str
    availability_zone_data: str


class _LoadBalancer(msgspec.Struct):
    loadbalancer: LoadBalancer


class _Flavor(msgspec.Struct):
    flavor: Flavor


class _FlavorProfile(msgspec.Struct):
    flavorprofile: FlavorProfile


class _Zone(msgspec.Struct):
    availability_zone: Zone


class _ZoneProfile(msgspec.Struct):
    availability_zone_profile: ZoneProfile


class LoadBalancer(msgspec.Struct, frozen=True, kw_only=True):
    """A load balancer; `provisioning_status` is ACTIVE, ERROR or one of PENDING_…."""

    id: str
    name: str = ""
    provisioning_status: str
    operating_status: str
    admin_state_up: bool = True
    description: str | None = None
    vip_address: str | None = None
    availability_zone: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    flavor_id: str | None = None
    listeners: list[Reference] = []
    pools: list[Reference] = []
    project_id: str | None = None
    provider: str | None = None
    tags: list[str] = []
    vip_network_id: str | None = None
    vip_port_id: str | None = None
    vip_qos_policy_id: str | None = None
    vip_subnet_id: str | None = None


class Part(msgspec.Struct, frozen=True):
    """A listener, pool, member or health monitor, and what is below it."""

    id: str
    name: str = ""
    listeners: list[Part] = []
    pools: list[Part] = []
    members: list[Part] = []
    health_monitor: Part | None = None


class _Tree(msgspec.Struct):
    loadbalancer: Part


class _Statuses(msgspec.Struct):
    statuses: _Tree


class Quota(msgspec.Struct, frozen=True):
    """How many of each a project may have; -1: any number."""

    load_balancer: int = UNLIMITED


class _Quota(msgspec.Struct):
    quota: Quota


class Octavia(Service):
    """Load balancers."""

    where = "Octavia"
    types = ("load-balancer",)
    version = re.compile(r"/v2(\.0)?$")
    default_version = "/v2"

    async def load_balancers(self, token: str, project_id: str) -> list[LoadBalancer]:
        """The load balancers of a project."""
        return await self._pages(
            token,
            "/lbaas/loadbalancers",
            "loadbalancers",
            list[LoadBalancer],
            query=[("project_id", project_id)],
        )

    async def load_balancer(self, token: str, balancer_id: str) -> LoadBalancer:
        """One load balancer.

        Raises:
            NotFoundError: there is none.
        """
        path = f"/lbaas/loadbalancers/{named(balancer_id)}"
        return (await self._get(token, path, _LoadBalancer)).loadbalancer

    async def delete_load_balancer(self, token: str, balancer_id: str) -> None:
        """Let Octavia remove a load balancer with all of its parts; it answers before that is done.

        Raises:
            NotFoundError: there is none.
            ConflictError: something is being done with it.
        """
        await self._send(
            "DELETE", token, f"/lbaas/loadbalancers/{named(balancer_id)}", query=[("cascade", "true")]
        )

    async def parts(self, token: str, balancer_id: str) -> dict[str, str]:
        """What a load balancer consists of: by id, the path that names it in `delete_part`.

        Raises:
            NotFoundError: there is none.
        """
        path = f"/lbaas/loadbalancers/{named(balancer_id)}/status"
        return _paths((await self._get(token, path, _Statuses)).statuses.loadbalancer)

    async def delete_part(self, token: str, path: str) -> None:
        """Let Octavia remove a part of a load balancer, by its path; as `delete_load_balancer`."""
        await self._send("DELETE", token, f"/lbaas{path}")

    async def flavors(self, token: str) -> list[Flavor]:
        """The flavors of load balancers."""
        return await self._pages(token, "/lbaas/flavors", "flavors", list[Flavor])

    async def flavor_profiles(self, token: str) -> list[FlavorProfile]:
        """What flavors mean; for administrators."""
        return await self._pages(token, "/lbaas/flavorprofiles", "flavorprofiles", list[FlavorProfile])

    async def create_flavor(self, token: str, name: str, provider: str, data: str) -> Flavor:
        """Make a flavor with a profile of its own; for administrators.

        Raises:
            BadRequestError: the provider does not take the data.
            ConflictError: there is one of this name.
        """
        body: dict[str, object] = {"name": name, "provider_name": provider, "flavor_data": data}
        answer = await self._send("POST", token, "/lbaas/flavorprofiles", body={"flavorprofile": body})
        profile = self._wire.decoded(answer, _FlavorProfile).flavorprofile.id
        body = {"name": name, "flavor_profile_id": profile, "enabled": True}
        try:
            answer = await self._send("POST", token, "/lbaas/flavors", body={"flavor": body})
        except EcnsError:
            await self._unused(token, f"/lbaas/flavorprofiles/{named(profile)}")
            raise
        return self._wire.decoded(answer, _Flavor).flavor

    async def zones(self, token: str) -> list[Zone]:
        """The availability zones of load balancers."""
        return await self._pages(token, "/lbaas/availabilityzones", "availability_zones", list[Zone])

    async def zone_profiles(self, token: str) -> list[ZoneProfile]:
        """What zones mean; for administrators."""
        key = "availability_zone_profiles"
        return await self._pages(token, "/lbaas/availabilityzoneprofiles", key, list[ZoneProfile])

    async def create_zone(self, token: str, name: str, provider: str, data: str) -> Zone:
        """Make a zone with a profile of its own; as `create_flavor`."""
        path = "/lbaas/availabilityzoneprofiles"
        body: dict[str, object] = {"name": name, "provider_name": provider, "availability_zone_data": data}
        answer = await self._send("POST", token, path, body={"availability_zone_profile": body})
        profile = self._wire.decoded(answer, _ZoneProfile).availability_zone_profile.id
        body = {"name": name, "availability_zone_profile_id": profile, "enabled": True}
        try:
            answer = await self._send(
                "POST", token, "/lbaas/availabilityzones", body={"availability_zone": body}
            )
        except EcnsError:
            await self._unused(token, f"{path}/{named(profile)}")
            raise
        return self._wire.decoded(answer, _Zone).availability_zone

    async def _unused(self, token: str, path: str) -> None:
        """Remove a profile of which nothing was made; Octavia keeps it if something was."""
        with contextlib.suppress(EcnsError):
            await self._send("DELETE", token, path)

    async def quota(self, token: str, project_id: str) -> Quota:
        """What a project may have."""
        return (await self._get(token, f"/lbaas/quotas/{named(project_id)}", _Quota)).quota


def _paths(above: Part, pool: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for word, parts in (("listeners", above.listeners), ("pools", above.pools), ("members", above.members)):
        for part in parts:
            path = f"{pool if word == 'members' else ''}/{word}/{named(part.id)}"
            found |= {part.id: path} | _paths(part, path)
    if above.health_monitor is not None:
        found[above.health_monitor.id] = f"/healthmonitors/{named(above.health_monitor.id)}"
    return found
