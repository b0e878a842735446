"""The HTTP face of chapter 1.19."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request, Response, delete, get, post, put
from litestar.params import Parameter

from ecns.api.common import batches
from ecns.api.common.answers import answered
from ecns.api.common.lists import ListQuery, listed_page
from ecns.api.common.named import names
from ecns.api.common.objects import DryRun, Objects
from ecns.api.common.operations import CONTAINERS, operation
from ecns.api.common.parameters import DryRunFlag, IdempotencyKey, request_key
from ecns.api.common.selectors import AppSelector
from ecns.api.common.streams import WatchFlag
from ecns.api.services import types
from ecns.api.services.cached import ROWS
from ecns.api.services.service import Services
from ecns.backends.openstack.cloud import OpenStack
from ecns.identity.place import Place

TAGS = ["1.19 Services"]
NODE_PORTS = "nodeports"
ONE = ["/service/{service_name:str}", f"/service/{NODE_PORTS}"]
"""A Service may have the name of what is below the list, too."""

ForceFlag = Annotated[
    bool, Parameter(description="Also those that Ingresses lead to, which then lead nowhere.")
]
ServiceType = Annotated[
    Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] | None,
    Parameter(description="Only Services of this type."),
]


def provide_services(place: Place, openstack: OpenStack, *, dry_run: DryRunFlag = False) -> Services:
    """Litestar's dependency `services`."""
    return Services(Objects(place, place.places, dry_run=dry_run), openstack)


@get("/service", opt=operation("service.list", CONTAINERS), tags=TAGS)
async def list_services(  # noqa: PLR0917  the query string's parameters, which Litestar passes by name
    request: Request[Any, Any, Any],
    services: Services,
    listing: ListQuery,
    app_selector: AppSelector = "",
    type: ServiceType = None,  # noqa: A002  a parameter of the query string
    watch: WatchFlag = False,  # noqa: FBT002  a parameter of the query string
) -> Response[types.Services]:
    """The Services of the namespace, newest first, with how many of their endpoints are ready."""
    if watch:
        return await ROWS.watch(request, services.objects, listing, word=type, application=app_selector)
    page = await services.page(listing, kind=type, application=app_selector)
    return listed_page("services", page, listing, headers=services.objects.freshness())


@get(f"/service/{NODE_PORTS}", opt=operation("service.nodeports", CONTAINERS), tags=TAGS)
async def list_node_ports(services: Services, listing: ListQuery) -> Response[types.NodePorts]:
    """The node ports in use in the whole cluster, in order.

    `used_by` tells who has them, of the Services that the caller may see.
    """
    found = await services.node_ports(listing)
    headers = {"X-Total-Count": str(found.total), **services.objects.freshness()}
    return Response(found, headers=headers)


@post(ONE, opt=operation("service.create", CONTAINERS), tags=TAGS, status_code=200)
async def create_service(
    services: Services,
    data: types.CreateService,
    service_name: str = NODE_PORTS,
    idempotency_key: IdempotencyKey = "",
) -> Response[types.OneService | DryRun]:
    """Make a Service that leads to the pods of a workload, with an Ingress for its routers."""
    key = request_key(services.objects.place.caller, idempotency_key)
    made = await services.create(service_name, data.service, key=key)
    return answered(services.objects, types.OneService(service=made))


@put(ONE, opt=operation("service.update", CONTAINERS), tags=TAGS)
async def update_service(
    services: Services, data: types.UpdateService, service_name: str = NODE_PORTS
) -> Response[types.OneService | DryRun]:
    """Change what is named of a Service; the rest stays. A list or map that is sent replaces the old one."""
    changed = await services.update(service_name, data.service)
    return answered(services.objects, types.OneService(service=changed))


@delete("/service", opt=operation("service.delete", CONTAINERS), tags=TAGS, status_code=200)
async def delete_services(
    services: Services,
    data: types.DeleteServices,
    force: ForceFlag = False,  # noqa: FBT002  a parameter of the query string
) -> Response[batches.Batched]:
    """Delete Services by name."""
    results = await batches.run(
        names(data.service), lambda name: services.delete(name, force=force), name=str
    )
    return answered(services.objects, results)


ROUTES = [list_services, list_node_ports, create_service, update_service, delete_services]
