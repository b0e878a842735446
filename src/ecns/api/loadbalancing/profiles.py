"""The load balancers of Services in OpenStack: flavor and zone before they are made, state afterwards.

What is asked for of a load balancer (`flavor_profile`, `availability_zone_profile`) is for Octavia a flavor
and a zone that an administrator has made. The fitting ones are found by ECNS's own account, since profiles
are for administrators, or made by it where it may. Source: reference 1.21 (external-request,
external-responce); https://docs.openstack.org/octavia/latest/admin/flavors.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeVar

from msgspec.structs import replace

from ecns.api.common import names
from ecns.api.common.waiting import all_of
from ecns.api.workloads.types import AccessMode, External
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.octavia import Flavor, LoadBalancer, Zone
from ecns.errors import (
    BadRequestError,
    ConflictError,
    EcnsError,
    ForbiddenError,
    NotSupportedError,
    UnauthorizedError,
)
from ecns.identity.place import Place

FLAVOR_KEYS = ("amp_volume_type", "compute_flavor", "loadbalancer_topology")
ZONE_KEYS = ("compute_zone",)
"""`cpu_arch` is nothing that Octavia knows."""
ASKED_MOST = 20
"""Load balancers of one answer that are asked for, each by itself."""
SHOWN_SECONDS = 5.0
"""How long an answer about a workload waits for the state of its load balancers."""

PROVIDERS = "kube_service_"
"""How the names begin that OpenStack's cloud provider gives: then cluster, namespace and Service."""

Made = TypeVar("Made", Flavor, Zone)


class Balancing:
    """Load balancers of Services, for one caller.

    Args:
        openstack: where they are.
        place: of the Services; its caller asks.
    """

    def __init__(self, openstack: OpenStack, place: Place) -> None:
        self.openstack = openstack
        self.place = place
        self.caller = place.caller

    async def chosen(
        self, modes: Sequence[AccessMode], at: str, known: Sequence[AccessMode] = ()
    ) -> list[AccessMode]:
        """Access modes whose load balancers say which of Octavia's flavors and zones they are of.

        Args:
            modes: checked.
            at: where in the request they are; `#` stands for their number.
            known: those that are there: what they ask for has been found before.

        Raises:
            BadRequestError: there is none that fits; `field` says for what.
            NotSupportedError: there is no account that may look.
            UpstreamError: Octavia does not answer.
        """
        there = {mode.name: mode.external for mode in known}
        return await all_of(
            *(
                self._mode(mode, there.get(mode.name), f"{at.replace('#', str(place))}.external")
                for place, mode in enumerate(modes)
            )
        )

    async def _mode(self, mode: AccessMode, known: External | None, at: str) -> AccessMode:
        external = mode.external
        if external and known and _asked(external) == _asked(known):
            same = replace(external, flavor_id=known.flavor_id, availability_zone=known.availability_zone)
            return replace(mode, external=same)
        if mode.type != "LoadBalancer" or external is None:
            return mode
        flavor = external.flavor_profile and external.flavor_profile.flavor_data
        zone = (
            external.availability_zone_profile and external.availability_zone_profile.availability_zone_data
        )
        wanted = {key: getattr(flavor, key) for key in FLAVOR_KEYS if getattr(flavor, key, None)}
        where = {key: getattr(zone, key) for key in ZONE_KEYS if getattr(zone, key, None)}
        if not (wanted or where) or not await self.openstack.octavia.installed(self.caller.token):
            return mode  # somebody else's load balancers, who reads other annotations
        if "compute_flavor" in wanted:
            field = f"{at}.flavor_profile.flavor_data.compute_flavor"
            wanted["compute_flavor"] = await self._compute_flavor(wanted["compute_flavor"], field)
        if wanted:
            found = await self._flavor(wanted, f"{at}.flavor_profile.flavor_data")
            external = replace(external, flavor_id=found.id)
        if where:
            zone_found = await self._zone(where, f"{at}.availability_zone_profile.availability_zone_data")
            external = replace(external, availability_zone=zone_found.name)
        return replace(mode, external=external)

    async def _compute_flavor(self, called: str, field: str) -> str:
        """Profiles name Nova's flavors by id."""
        flavors = await self.openstack.nova.flavors(self.caller.token)
        found = [one.id for one in flavors if called in {one.name, one.id}]
        if len(found) != 1:
            raise BadRequestError(f"{field}: there is no flavor {called!r}", field=field)
        return found[0]

    async def _flavor(self, wanted: Mapping[str, str], field: str) -> Flavor:
        octavia = self.openstack.octavia

        async def find(token: str) -> list[Flavor]:
            flavors, profiles = await all_of(octavia.flavors(token), octavia.flavor_profiles(token))
            fit = {one.id for one in profiles if _says(one.flavor_data, wanted, FLAVOR_KEYS)}
            return [one for one in flavors if one.enabled and one.flavor_profile_id in fit]

        return await self._found(find, octavia.create_flavor, wanted, field)

    async def _zone(self, wanted: Mapping[str, str], field: str) -> Zone:
        octavia = self.openstack.octavia

        async def find(token: str) -> list[Zone]:
            zones, profiles = await all_of(octavia.zones(token), octavia.zone_profiles(token))
            fit = {one.id for one in profiles if _says(one.availability_zone_data, wanted, ZONE_KEYS)}
            return [one for one in zones if one.enabled and one.availability_zone_profile_id in fit]

        return await self._found(find, octavia.create_zone, wanted, field)

    async def _found(
        self,
        find: Callable[[str], Awaitable[list[Made]]],
        create: Callable[[str, str, str, str], Awaitable[Made]],
        wanted: Mapping[str, str],
        field: str,
    ) -> Made:
        account = self.openstack.account
        if account is None:
            raise NotSupportedError(
                f"{field}: only administrators see which of Octavia's flavors and zones fit, and ECNS has no"
                " account of its own (openstack.application_credential_id)",
                details={"field": field},
            )
        try:
            token = await account.token()
            found = await find(token)
            if not found:
                data = json.dumps(wanted, sort_keys=True)
                called = f"ecns-{sha256(data.encode()).hexdigest()[:12]}"
                try:
                    return await create(token, called, self.openstack.load_balancer_provider, data)
                except ConflictError:
                    found = await find(token)  # made by another request meanwhile
        except UnauthorizedError:
            account.forget()
            raise NotSupportedError(f"{field}: the cloud does not accept ECNS's own account") from None
        except ForbiddenError as error:
            raise BadRequestError(
                f"{field}: nothing that fits is there, and ECNS's own account may not look or make it:"
                f" {error.message}",
                field=field,
            ) from error
        except BadRequestError as error:
            raise BadRequestError(f"{field}: {error.message}", field=field) from error
        if not found:
            raise BadRequestError(f"{field}: what fits is switched off", field=field)
        return found[0]

    async def shown(self, modes: Sequence[AccessMode]) -> list[AccessMode]:
        """Access modes with what Octavia says of their load balancers; as they are when it says nothing."""
        waiting = [mode for mode in modes if mode.type == "LoadBalancer"][:ASKED_MOST]
        if not waiting:
            return list(modes)
        octavia, token = self.openstack.octavia, self.caller.token
        called = {mode.name: _balancer_id(mode) for mode in waiting}

        async def ask(balancer_id: str) -> LoadBalancer | None:
            with contextlib.suppress(EcnsError):
                return await octavia.load_balancer(token, balancer_id)
            return None

        async def every() -> Sequence[LoadBalancer]:
            with contextlib.suppress(EcnsError):
                return await octavia.load_balancers(token, self.place.places.project(self.place))
            return ()

        wanted = sorted({one for one in called.values() if one})
        try:
            async with asyncio.timeout(SHOWN_SECONDS):
                some, others = await all_of(
                    all_of(*(ask(one) for one in wanted)), every() if "" in called.values() else _none()
                )
        except TimeoutError:
            return list(modes)
        known = {one.id: one for one in some if one}
        found = {
            mode.name: known.get(balancer_id) if balancer_id else self._named(mode, others)
            for mode in waiting
            for balancer_id in (called[mode.name],)
        }
        return [_with(mode, balancer) if (balancer := found.get(mode.name)) else mode for mode in modes]

    def _named(self, mode: AccessMode, balancers: Sequence[LoadBalancer]) -> LoadBalancer | None:
        return balancer_of(mode, self.place.cluster.name, self.place.namespace, balancers)


def balancer_of(
    mode: AccessMode, cluster: str, namespace: str, balancers: Sequence[LoadBalancer]
) -> LoadBalancer | None:
    """The load balancer of a Service that does not say which it has.

    The provider names them after its own name of the cluster, which need not be ours.

    Args:
        mode: of the Service.
        cluster: ours.
        namespace: of the Service.
        balancers: of the project.
    """
    address = mode.external.vip_address if mode.external else None
    whose = f"_{namespace}_{mode.name}"
    own = [one for one in balancers if one.name.startswith(PROVIDERS) and one.name.endswith(whose)]
    for choice in (
        [one for one in own if one.name == f"{PROVIDERS}{cluster}{whose}"],
        [one for one in own if one.vip_address == address],
        own,
    ):
        if len(choice) == 1:
            return choice[0]
    return None


async def _none() -> Sequence[LoadBalancer]:
    return ()


def _asked(external: External) -> tuple[Any, Any]:
    return external.flavor_profile, external.availability_zone_profile


def _balancer_id(mode: AccessMode) -> str:
    return (mode.annotations or {}).get(names.LB_ID) or (mode.external.id if mode.external else "") or ""


def _with(mode: AccessMode, found: LoadBalancer) -> AccessMode:
    external = replace(
        mode.external or External(),
        id=found.id,
        name=found.name,
        description=found.description,
        admin_state_up=found.admin_state_up,
        availability_zone=found.availability_zone,
        created_at=found.created_at,
        updated_at=found.updated_at,
        flavor_id=found.flavor_id,
        listeners=[one.id for one in found.listeners],
        pools=[one.id for one in found.pools],
        operating_status=found.operating_status,
        provisioning_status=found.provisioning_status,
        project_id=found.project_id,
        provider=found.provider,
        tags=found.tags,
        vip_address=found.vip_address,
        vip_network_id=found.vip_network_id,
        vip_port_id=found.vip_port_id,
        vip_qos_policy_id=found.vip_qos_policy_id,
        vip_subnet_id=found.vip_subnet_id,
    )
    public = [one for one in mode.public_ips or () if one != found.vip_address]
    private = [found.vip_address] if found.vip_address else []
    return replace(mode, external=external, public_ips=public, private_ips=private)


def _says(text: str, wanted: Mapping[str, str], keys: Sequence[str]) -> bool:
    """Whether a profile says just this."""
    try:
        data: Any = json.loads(text)
    except ValueError:
        return False
    return isinstance(data, dict) and all(data.get(key) == wanted.get(key) for key in keys)
