"""The HTTP face of chapter 1.21."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from litestar import Response, delete, get, patch, post, put
from litestar.params import Parameter

from ecns.api.common import batches
from ecns.api.common.bodies import decoded
from ecns.api.common.lists import ListQuery, listed
from ecns.api.common.objects import DryRun, Objects
from ecns.api.common.operations import CONTAINERS, actions, operation
from ecns.api.workloads import types
from ecns.api.workloads.service import Workloads
from ecns.api.workloads.types import OneWorkload, Workload, WorkloadBase
from ecns.identity.place import Place, Places

TAGS = ["1.21 Workloads"]

WorkloadType = Annotated[
    Literal["Deployment", "StatefulSet", "DaemonSet"] | None,
    Parameter(description="Without it, the workload of this name over all three types."),
]
DryRunFlag = Annotated[bool, Parameter(description="Change nothing; answer what would be made and changed.")]
Status = Annotated[
    Literal["Running", "Pending", "Failed", "Removing", "Stopped", "Unknown"] | None,
    Parameter(description="Only workloads in this state."),
]


def provide_workloads(
    place: Place, places: Places, registry_domain: str, *, dry_run: DryRunFlag = False
) -> Workloads:
    """Litestar's dependency `workloads`."""
    return Workloads(Objects(place, places, dry_run=dry_run), registry_domain)


@get("/workloads", opt=operation("workload.list", CONTAINERS), tags=TAGS)
async def list_workloads(
    workloads: Workloads,
    listing: ListQuery,
    workload_type: WorkloadType = None,
    status: Status = None,
    application: Annotated[str | None, Parameter(description="Only members of this application.")] = None,
) -> Response[types.Workloads]:
    """The workloads of the namespace, newest first, all three types together."""
    selection, rows = await workloads.page(
        listing, workload_type=workload_type, status=status, application=application
    )
    return listed("workloads", rows, selection, listing, headers=workloads.objects.freshness())


@post("/workloads", opt=operation("workload.create", CONTAINERS), tags=TAGS, status_code=200)
async def create_workloads(
    workloads: Workloads, data: types.CreateWorkloads, product_type: str
) -> Response[types.Workloads] | Response[DryRun]:
    """Make workloads, each with everything that belongs to it, or nothing of it."""
    results = await batches.run(
        list(enumerate(data.workloads)),
        lambda numbered: workloads.create(numbered[1], product_type, at=f"workloads[{numbered[0]}]"),
        name=lambda numbered: numbered[1].workload_base.name,
    )
    if workloads.objects.dry_run:
        return Response(workloads.objects.report())
    made = [done.result for done in results.content.succeed if done.result is not None]
    body = {
        "workloads": made,
        "succeed": [{"name": done.name} for done in results.content.succeed],
        "failed": results.content.failed,
    }
    return Response(body, status_code=results.status_code)


@put(
    "/workloads",
    opt=actions(
        {
            "start": "workload.start_many",
            "stop": "workload.stop_many",
            "recreate": "workload.recreate_many",
        },
        CONTAINERS,
    ),
    tags=TAGS,
)
async def act_on_workloads(
    workloads: Workloads, data: types.WorkloadsBase, action: Literal["start", "stop", "recreate"]
) -> Response[Any]:
    """Start, stop or redeploy several workloads."""
    do: dict[str, Callable[[str, str | None], Awaitable[Workload]]] = {
        "start": workloads.start,
        "stop": workloads.stop,
        "recreate": workloads.recreate,
    }
    results = await batches.run(
        data.workloads_base,
        lambda base: _done(do[action](base.name, base.type)),
        name=_name,
    )
    return Response(workloads.objects.report()) if workloads.objects.dry_run else results


@delete("/workloads", opt=operation("workload.delete", CONTAINERS), tags=TAGS, status_code=200)
async def delete_workloads(workloads: Workloads, data: types.DeleteWorkloads) -> Response[Any]:
    """Delete workloads with what belongs to them; their Services only with `delete_service`."""
    results = await batches.run(
        data.workloads_base,
        lambda base: workloads.delete(
            base,
            policy=data.delete_policy,
            force=bool(data.force_delete),
            with_services=bool(data.delete_service),
        ),
        name=_name,
    )
    return Response(workloads.objects.report()) if workloads.objects.dry_run else results


@get("/workloads/workload/{workload_name:str}", opt=operation("workload.show", CONTAINERS), tags=TAGS)
async def show_workload(
    workloads: Workloads, workload_name: str, workload_type: WorkloadType = None
) -> types.WorkloadDetail:
    """A workload with its conditions, events and revisions, and why it is not ready."""
    return await workloads.show(workload_name, workload_type)


@get(
    "/workloads/workload/{workload_name:str}/containers",
    opt=operation("workload.containers", CONTAINERS),
    tags=TAGS,
)
async def show_containers(
    workloads: Workloads, workload_name: str, workload_type: WorkloadType = None
) -> types.Containers:
    """A workload's containers."""
    shown = await workloads.workload(workload_name, workload_type)
    return types.Containers(containers=shown.containers)


@patch(
    "/workloads/workload/{workload_name:str}",
    opt=actions(
        {
            "scale": "workload.scale",
            "containers": "workload.set_containers",
            "labels": "workload.set_labels",
        },
        CONTAINERS,
    ),
    tags=TAGS,
)
async def change_workload(
    workloads: Workloads,
    workload_name: str,
    action: Literal["scale", "containers", "labels"],
    data: dict[str, Any],
    workload_type: WorkloadType = None,
) -> Response[OneWorkload] | Response[DryRun]:
    """Change one aspect of a workload; the others are left alone."""
    match action:
        case "scale":
            body = decoded(data, types.Scale)
            shown = await workloads.scale(workload_name, workload_type, body.replicas)
        case "containers":
            shown = await workloads.set_containers(
                workload_name, workload_type, decoded(data, types.Containers).containers
            )
        case "labels":
            shown = await workloads.set_labels(
                workload_name, workload_type, decoded(data, types.SetLabels).labels
            )
    if workloads.objects.dry_run:
        return Response(workloads.objects.report())
    return Response(OneWorkload(workload=shown))


@put(
    "/workloads/workload/{workload_name:str}",
    opt=actions(
        {"stop": "workload.stop", "start": "workload.start", "recreate": "workload.recreate"}, CONTAINERS
    ),
    tags=TAGS,
)
async def act_on_workload(
    workloads: Workloads,
    workload_name: str,
    action: Literal["start", "stop", "recreate"],
    workload_type: WorkloadType = None,
) -> Response[OneWorkload] | Response[DryRun]:
    """Start, stop or redeploy a workload; what is so already is left so."""
    do = {"start": workloads.start, "stop": workloads.stop, "recreate": workloads.recreate}
    shown = await do[action](workload_name, workload_type)
    if workloads.objects.dry_run:
        return Response(workloads.objects.report())
    return Response(OneWorkload(workload=shown))


def _name(base: WorkloadBase) -> str:
    return base.name


async def _done(call: Awaitable[Workload]) -> None:
    await call


ROUTES = [
    list_workloads,
    create_workloads,
    act_on_workloads,
    delete_workloads,
    show_workload,
    show_containers,
    change_workload,
    act_on_workload,
]
