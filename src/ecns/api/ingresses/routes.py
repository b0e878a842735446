"""The HTTP face of chapter 1.18."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, patch, post

from ecns.api.common import batches
from ecns.api.common.answers import answered
from ecns.api.common.lists import ListQuery, listed, listed_page
from ecns.api.common.named import names
from ecns.api.common.objects import DryRun, Objects
from ecns.api.common.operations import CONTAINERS, operation
from ecns.api.common.parameters import DryRunFlag, IdempotencyKey
from ecns.api.common.selectors import AppSelector
from ecns.api.common.streams import WatchFlag, encode
from ecns.api.ingresses import types
from ecns.api.ingresses.cached import ROWS
from ecns.api.ingresses.service import Ingresses
from ecns.identity.place import Place

TAGS = ["1.18 Ingresses"]


def provide_ingresses(place: Place, *, dry_run: DryRunFlag = False) -> Ingresses:
    """Litestar's dependency `ingresses`."""
    return Ingresses(Objects(place, place.places, dry_run=dry_run))


@get("/ingress", opt=operation("ingress.list", CONTAINERS), tags=TAGS)
async def list_ingresses(
    request: Request[Any, Any, Any],
    ingresses: Ingresses,
    listing: ListQuery,
    app_selector: AppSelector = "",
    watch: WatchFlag = False,  # noqa: FBT002  a parameter of the query string
) -> Response[types.Ingresses]:
    """The Ingresses of the namespace, newest first."""
    if watch:
        return await ROWS.watch(request, ingresses.objects, listing, application=app_selector)
    page = await ingresses.page(listing, application=app_selector)
    return listed_page("ingresses", page, listing, headers=ingresses.objects.freshness())


@post("/ingress", opt=operation("ingress.create", CONTAINERS), tags=TAGS, status_code=200)
async def create_ingress(
    ingresses: Ingresses,
    data: types.CreateIngress,
    idempotency_key: IdempotencyKey = "",
) -> Response[types.OneIngress | DryRun]:
    """Make an Ingress.

    Its Services must be there, and no other Ingress of its class may have a host of it with the same path.
    `warnings` say what is missing for it to be served, such as the Secret of a certificate.
    """
    made = await ingresses.create(data.ingress, keyed=bool(idempotency_key))
    return answered(ingresses.objects, made)


@patch("/ingress", opt=operation("ingress.update", CONTAINERS), tags=TAGS)
async def update_ingress(
    ingresses: Ingresses, data: types.UpdateIngress
) -> Response[types.OneIngress | DryRun]:
    """Change what is named of an Ingress; the rest stays. A list or map that is sent replaces the old one."""
    changed = await ingresses.update(data.ingress)
    return answered(ingresses.objects, changed)


@delete("/ingress", opt=operation("ingress.delete", CONTAINERS), tags=TAGS, status_code=200)
async def delete_ingresses(ingresses: Ingresses, data: types.DeleteIngresses) -> Response[batches.Batched]:
    """Delete Ingresses by name."""
    results = await batches.run(names(data.ingress), ingresses.delete, name=str)
    return answered(ingresses.objects, results)


@get("/access", opt=operation("ingress.access", CONTAINERS), tags=TAGS)
async def list_uris(
    ingresses: Ingresses, listing: ListQuery, app_selector: AppSelector = ""
) -> Response[list[str]]:
    """The URIs that the Ingresses of the namespace define, as a root array.

    A route of all hosts is reached by the address of the load balancer, else of a node.
    """
    found = await ingresses.uris(listing, application=app_selector)
    rows = [encode(one) for one in found.items]
    return listed("", rows, found, listing, headers=ingresses.objects.freshness(), root=True)


ROUTES = [list_ingresses, create_ingress, update_ingress, delete_ingresses, list_uris]
