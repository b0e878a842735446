"""Octavia's Load Balancer API, as far as ECNS asks it.

Source: https://docs.openstack.org/api-ref/load-balancer/v2/
"""

from __future__ import annotations

import re

import msgspec

from ecns.backends.openstack.service import Service, named

UNLIMITED = -1


class LoadBalancer(msgspec.Struct, frozen=True, kw_only=True):
    """A load balancer; `provisioning_status` is ACTIVE, ERROR or one of PENDING_…."""

    id: str
    name: str = ""
    provisioning_status: str
    operating_status: str
    admin_state_up: bool = True
    description: str | None = None
    vip_address: str | None = None


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

    async def quota(self, token: str, project_id: str) -> Quota:
        """What a project may have."""
        return (await self._get(token, f"/lbaas/quotas/{named(project_id)}", _Quota)).quota
