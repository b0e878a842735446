"""The HTTP face of pods, chapter 1.16."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import Parameter

from ecns.api.common.lists import ListQuery, listed_page
from ecns.api.common.objects import Objects
from ecns.api.common.operations import CONTAINERS, operation
from ecns.api.common.streams import WatchFlag
from ecns.api.pods.live import watch_pods
from ecns.api.pods.service import Pods
from ecns.api.pods.types import PodDetail
from ecns.identity.place import Place

TAGS = ["1.16 Pods"]


def provide_pods(place: Place, registry_domain: str) -> Pods:
    """Litestar's dependency `pods`."""
    return Pods(Objects(place, place.places), registry_domain)


@get("/pods", opt=operation("pod.list", CONTAINERS), tags=TAGS)
async def list_pods(
    request: Request[Any, Any, Any],
    pods: Pods,
    listing: ListQuery,
    status: Annotated[
        str | None, Parameter(description="Only pods in this state, such as `Running`.")
    ] = None,
    watch: WatchFlag = False,  # noqa: FBT002  a parameter of the query string
) -> Response[Any]:
    """The pods of the namespace, newest first, as a root array."""
    if watch:
        return await watch_pods(request, pods, listing, status=status)
    page = await pods.page(listing, status=status)
    return listed_page("", page, listing, headers=pods.objects.freshness(), root=True)


@get("/pods/pod/{pod_name:str}", opt=operation("pod.show", CONTAINERS), tags=TAGS)
async def show_pod(pods: Pods, pod_name: str) -> PodDetail:
    """A pod with its conditions and events."""
    return await pods.show(pod_name)


ROUTES = [list_pods, show_pod]
