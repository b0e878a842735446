"""A way to one service of the cloud that fails on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from tests.faults.relay import Relay, RelayFault
from tests.real.openstack.launch.common import PATHS, TYPES

if TYPE_CHECKING:
    from tests.real.openstack.cloud import Cloud


class ServiceFault(RelayFault, kw_only=True):
    """What goes wrong, and with which request.

    Args:
        path: a part of the request's.
    """

    path: str


class FaultyService(Relay[ServiceFault]):
    """A proxy that the catalog leads to while the context lasts.

    Args:
        cloud: whose catalog.
        name: of the service, such as `nova`.
    """

    def __init__(self, cloud: Cloud, name: str) -> None:
        super().__init__(cloud.services[name].url)
        self._admin = cloud.caller("admin")
        self._name = name

    def __enter__(self) -> Self:
        super().__enter__()
        self._lead_to(self.url)
        return self

    def __exit__(self, *details: object) -> None:
        self._lead_to(self.server)
        super().__exit__(*details)

    def matches(self, fault: ServiceFault, request: web.Request, body: bytes) -> bool:  # noqa: ARG002  of others
        """Whether it is at such a path."""
        return fault.path in request.path

    def refusal(self, fault: ServiceFault) -> web.Response:
        """As Nova refuses."""
        code = int(fault.failure)
        told: dict[str, Any] = {"fault": {"code": code, "message": fault.message}}
        return web.json_response(told, status=code, headers={"x-openstack-request-id": "req-asked-for"})

    def _lead_to(self, url: str) -> None:
        services = self._admin.call("keystone", "GET", f"/services?type={TYPES[self._name]}")["services"]
        path = f"/endpoints?service_id={services[0]['id']}"
        for endpoint in self._admin.call("keystone", "GET", path)["endpoints"]:
            body = {"endpoint": {"url": url + PATHS.get(self._name, "")}}
            self._admin.call("keystone", "PATCH", f"/endpoints/{endpoint['id']}", body)
