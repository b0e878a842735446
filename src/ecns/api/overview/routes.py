"""The HTTP face of chapter 1.14."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import HeaderParameter, Parameter

from ecns.api.common.lists import Page
from ecns.api.common.operations import CONTAINERS, operation
from ecns.api.overview.service import Overview, Span
from ecns.api.overview.types import ClaimsByState, PodsByState
from ecns.identity.caller import Caller
from ecns.identity.place import Places

TAGS = ["1.14 Overview"]
LARGEST = 500

Host = Annotated[str, Parameter(description="Name or API server address; without it the current cluster.")]
Cluster = Annotated[str, HeaderParameter(name="X-Ecns-Cluster", required=False)]
Number = Annotated[int, Parameter(ge=1, description="Page of each list, from 1.")]
Size = Annotated[
    int,
    Parameter(ge=1, le=LARGEST, description="Items of each list on a page; `count` is always that of all."),
]


async def provide_overview(
    places: Places, caller: Caller, apiserver_host: Host = "", cluster: Cluster = ""
) -> Overview:
    """Litestar's dependency `overview`."""
    found = await places.current_cluster(caller, apiserver_host or cluster)
    return await Overview.of(await places.whole(caller, found))


@get("/overview/pods_status", opt=operation("overview.pods", CONTAINERS), tags=TAGS)
async def pods_by_state(
    request: Request[Any, Any, Any], overview: Overview, page: Number = 1, page_size: Size = LARGEST
) -> Response[PodsByState]:
    """The pods of a cluster that the caller may see, by state, newest first.

    Unlike other lists these hold a page also when none is asked for: a cluster has tens of thousands of pods.
    """
    found = await overview.pods(Span(page, page_size), fresh=_fresh(request))
    return _answer(overview, found, b'"%b":[{"count":%d,"pods":[%b]}]')


@get("/overview/pvc_status", opt=operation("overview.pvcs", CONTAINERS), tags=TAGS)
async def claims_by_state(
    request: Request[Any, Any, Any], overview: Overview, page: Number = 1, page_size: Size = LARGEST
) -> Response[ClaimsByState]:
    """The claims of a cluster that the caller may see, by state, newest first; paged as the pods are."""
    found = await overview.claims(Span(page, page_size), fresh=_fresh(request))
    return _answer(overview, found, b'"%b":{"count":%d,"pvcs":[%b]}')


def _fresh(request: Request[Any, Any, Any]) -> bool:
    return "no-cache" in request.headers.get("cache-control", "")


def _answer(overview: Overview, pages: Mapping[Any, Page], form: bytes) -> Response[Any]:
    parts = [form % (state.encode(), page.total, page.rows) for state, page in pages.items()]
    total = sum(page.total for page in pages.values())
    headers = {"X-Total-Count": str(total), **overview.objects.freshness()}
    return Response(b"{" + b",".join(parts) + b"}", media_type="application/json", headers=headers)


ROUTES = [pods_by_state, claims_by_state]
