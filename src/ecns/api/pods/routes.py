"""The HTTP face of pods, chapter 1.16."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import MediaType, Request, Response, WebSocket, delete, get, websocket
from litestar.connection import ASGIConnection
from litestar.openapi import ResponseSpec
from litestar.params import Parameter

from ecns.api.common import batches
from ecns.api.common.answers import answered
from ecns.api.common.bodies import truth
from ecns.api.common.lists import ListQuery, listed_page
from ecns.api.common.named import names
from ecns.api.common.objects import Objects
from ecns.api.common.operations import CONTAINERS, operation
from ecns.api.common.parameters import DryRunFlag
from ecns.api.common.streams import WatchFlag
from ecns.api.pods.logs import LogRequest, answer_logs
from ecns.api.pods.service import Pods
from ecns.api.pods.terminal import check_origin, open_terminal, subprotocol
from ecns.api.pods.types import DeletePods, PodDetail, PodRow
from ecns.config import Terminals
from ecns.errors import BadRequestError, UpgradeRequiredError
from ecns.identity.place import Place, Places

TAGS = ["1.16 Pods"]
TERMINAL = "/pod_exec/{namespace:str}/{pod_name:str}/{container:str}"


def provide_pods(place: Place, registry_domain: str, *, dry_run: DryRunFlag = False) -> Pods:
    """Litestar's dependency `pods`."""
    return Pods(Objects(place, place.places, dry_run=dry_run), registry_domain)


@get("/pods", opt=operation("pod.list", CONTAINERS), tags=TAGS)
async def list_pods(
    request: Request[Any, Any, Any],
    pods: Pods,
    listing: ListQuery,
    status: Annotated[
        str | None, Parameter(description="Only pods in this state, such as `Running`.")
    ] = None,
    watch: WatchFlag = False,  # noqa: FBT002  a parameter of the query string
) -> Response[list[PodRow]]:
    """The pods of the namespace, newest first, as a root array."""
    if watch:
        return await pods.rows.watch(request, pods.objects, listing, status=status)
    page = await pods.rows.page(pods.objects, listing, status=status)
    return listed_page("", page, listing, headers=pods.objects.freshness(), root=True)


@get("/pods/pod/{pod_name:str}", opt=operation("pod.show", CONTAINERS), tags=TAGS)
async def show_pod(pods: Pods, pod_name: str) -> PodDetail:
    """A pod with its containers' states, its conditions and its events."""
    return await pods.show(pod_name)


@delete("/pods", opt=operation("pod.delete", CONTAINERS), tags=TAGS, status_code=200)
async def delete_pods(
    pods: Pods,
    data: DeletePods,
    force: Annotated[
        bool | None, Parameter(description="End them at once, without waiting for their node.")
    ] = None,
) -> Response[batches.Batched]:
    """Delete a pod, or several; their controllers make new ones."""
    if (data.pod is None) == (data.pods is None):
        raise BadRequestError("name one pod in `pod`, or several in `pods`", field="pod")
    sent = data.pods or [] if data.pod is None else [data.pod]
    at_once = truth(data.force, "force") if force is None else force
    results = await batches.run(names(sent), lambda name: pods.delete(name, force=at_once), name=str)
    return answered(pods.objects, results)


@get(
    "/pods/pod/{pod_name:str}/logs",
    opt=operation("pod.logs", CONTAINERS),
    tags=TAGS,
    responses={200: ResponseSpec(str, description="The log", media_type=MediaType.TEXT)},
)
async def show_logs(
    request: Request[Any, Any, Any],
    pods: Pods,
    pod_name: str,
    *,
    container: Annotated[
        str, Parameter(description="Whose log: a container's, an init or an ephemeral one's, too.")
    ] = "",
    all_containers: Annotated[
        bool,
        Parameter(
            description="Of all: by time until now, then as they come; each line begins with whose it is."
        ),
    ] = False,
    follow: Annotated[
        bool, Parameter(description="Go on, also when a container is restarted, until it has ended for good.")
    ] = False,
    previous: Annotated[bool, Parameter(description="Of the run before the last restart.")] = False,
    tail_lines: Annotated[
        int | None, Parameter(ge=0, le=2**31 - 1, description="The last lines only, of each container.")
    ] = None,
    since_seconds: Annotated[
        int | None, Parameter(ge=1, le=2**31 - 1, description="What is not older than this.")
    ] = None,
    since_time: Annotated[
        datetime | None, Parameter(description="What is not older than this time (RFC 3339), by the second.")
    ] = None,
    timestamps: Annotated[bool, Parameter(description="Each line begins with its time.")] = False,
    limit_bytes: Annotated[
        int | None, Parameter(ge=1, le=2**62, description="So much at most; the last line may be cut.")
    ] = None,
    download: Annotated[bool, Parameter(description="As a file: with `Content-Disposition`.")] = False,
) -> Response[Any]:
    """What a pod's containers have said: text, or server-sent events to who accepts `text/event-stream`."""
    since = "" if since_time is None else since_time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = LogRequest(
        container=container,
        all_containers=all_containers,
        follow=follow,
        previous=previous,
        tail_lines=tail_lines,
        since_seconds=since_seconds,
        since_time=since,
        timestamps=timestamps,
        limit_bytes=limit_bytes,
        download=download,
    )
    return await answer_logs(request, pods, pod_name, asked)


@get(TERMINAL, opt=operation("pod.terminal", CONTAINERS), tags=TAGS)
async def show_terminal(
    request: Request[Any, Any, Any],
    places: Places,
    *,
    namespace: str,
    pod_name: str,  # noqa: ARG001  as the WebSocket's path has it
    container: str,  # noqa: ARG001  as above
    cluster: Annotated[str, Parameter(description="As `X-Ecns-Cluster`, which wins.")] = "",
) -> None:
    """Log in to a container: a WebSocket, see docs/live.md; any other request is answered with 426.

    Messages are JSON objects. Send `stdin` with what is typed in `Data`, and `resize` with `Cols` and `Rows`;
    take `stdout` with what is shown, and `exit` with the exit code.
    """
    await places.writing(await _place(request, places, namespace, cluster))
    raise UpgradeRequiredError("a terminal is a WebSocket: ask to upgrade", protocol="websocket")


@websocket(TERMINAL, opt=operation("pod.terminal", CONTAINERS))
async def log_in(
    socket: WebSocket[Any, Any, Any],
    places: Places,
    terminals: Terminals,
    *,
    namespace: str,
    pod_name: str,
    container: str,
    cluster: str = "",
) -> None:
    """A shell in a container."""
    check_origin(socket, terminals)
    protocol = subprotocol(socket)
    place = await _place(socket, places, namespace, cluster)
    await open_terminal(
        socket, place, pod=pod_name, container=container, settings=terminals, protocol=protocol
    )


async def _place(
    connection: ASGIConnection[Any, Any, Any, Any], places: Places, namespace: str, cluster: str
) -> Place:
    seen = connection.scope["state"]["ecns"]
    named = connection.headers.get("x-ecns-cluster", "") or cluster
    place = await places.resolve(seen.caller, cluster=named, namespace=namespace)
    seen.cluster, seen.namespace = place.cluster.name, place.namespace
    return place


ROUTES = [list_pods, show_pod, delete_pods, show_logs, show_terminal, log_in]
WITHOUT_PRODUCT = [show_terminal, log_in]
"""What is there without a product type, too, as decisions have it."""
