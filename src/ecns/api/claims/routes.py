"""The HTTP face of chapter 1.15; claims are listed with the other storage (chapter 1.20)."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, delete, patch, post
from litestar.params import Parameter

from ecns.api.claims.service import Claims
from ecns.api.claims.types import CreateClaim, DeleteClaim, GrowClaim, OneClaim
from ecns.api.common import batches
from ecns.api.common.answers import answered
from ecns.api.common.objects import DryRun, Objects
from ecns.api.common.operations import CONTAINERS, operation
from ecns.api.common.parameters import DryRunFlag, IdempotencyKey
from ecns.identity.place import Place

TAGS = ["1.15 Claims"]
ONE = "/kubernetes/pvc/{pvc_name:str}"

Force = Annotated[
    bool,
    Parameter(description="Also while a workload needs it: it is Removing until no pod mounts it any more."),
]


def provide_claims(place: Place, *, dry_run: DryRunFlag = False) -> Claims:
    """Litestar's dependency `claims`."""
    return Claims(Objects(place, place.places, dry_run=dry_run))


@post(ONE, opt=operation("pvc.create", CONTAINERS), tags=TAGS, status_code=200)
async def create_claim(
    claims: Claims, pvc_name: str, data: CreateClaim, idempotency_key: IdempotencyKey = ""
) -> Response[OneClaim | DryRun]:
    """Make a claim in the namespace; without a class it gets the default one."""
    return answered(
        claims.objects, OneClaim(await claims.create(pvc_name, data.pvc, keyed=bool(idempotency_key)))
    )


@patch(ONE, opt=operation("pvc.expand", CONTAINERS), tags=TAGS)
async def grow_claim(claims: Claims, pvc_name: str, data: GrowClaim) -> Response[OneClaim | DryRun]:
    """Expand a claim whose class allows it; `requested` is more than `capacity` until that is done."""
    return answered(claims.objects, OneClaim(await claims.grow(pvc_name, data.pvc.capacity)))


@delete(ONE, opt=operation("pvc.delete", CONTAINERS), tags=TAGS, status_code=200)
async def delete_claim(
    claims: Claims,
    pvc_name: str,
    data: DeleteClaim | None = None,
    force: Force = False,  # noqa: FBT002  a parameter of the query string
) -> Response[batches.Batch[None] | DryRun]:
    """Delete a claim, and with most classes the data on its volume; one that is needed is a 409."""
    project_id = (data.project_id if data else None) or ""
    results = await batches.run(
        [pvc_name], lambda name: claims.delete(name, project_id=project_id, force=force), name=str
    )
    return answered(claims.objects, results)


ROUTES = [create_claim, grow_claim, delete_claim]
