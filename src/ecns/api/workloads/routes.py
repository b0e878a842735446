"""The HTTP face of chapter 1.21."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, delete, get, patch, post, put
from litestar.params import Parameter

from ecns.api.common import batches
from ecns.api.common.answers import answered
from ecns.api.common.applications import joined_application
from ecns.api.common.bodies import AnyOf, decoded
from ecns.api.common.lists import ListQuery, listed_page
from ecns.api.common.objects import DryRun, Objects
from ecns.api.common.operations import CONTAINERS, actions, operation
from ecns.api.common.parameters import DryRunFlag, IdempotencyKey, request_key
from ecns.api.common.streams import WatchFlag
from ecns.api.workloads import types
from ecns.api.workloads.changes import Changes
from ecns.api.workloads.live import watch_workloads
from ecns.api.workloads.rollout import watch_rollout
from ecns.api.workloads.service import Workloads
from ecns.api.workloads.types import OneWorkload, Workload, WorkloadBase
from ecns.backends.openstack.cloud import OpenStack
from ecns.errors import BadRequestError
from ecns.identity.place import Place

TAGS = ["1.21 Workloads"]
ONE = "/workloads/workload/{workload_name:str}"

WorkloadType = Annotated[
    Literal["Deployment", "StatefulSet", "DaemonSet"] | None,
    Parameter(description="Without it, the workload of this name over all three types."),
]
Aspect = Literal[
    "scale",
    "access_modes",
    "containers",
    "update_strategy",
    "rollback",
    "scale_strategy",
    "scheduler_strategy",
    "network",
    "labels",
]
Status = Annotated[
    Literal["Running", "Pending", "Failed", "Removing", "Stopped", "Unknown"] | None,
    Parameter(description="Only workloads in this state."),
]


class Created(msgspec.Struct):
    """The answer of "create workloads": those made, and a word for each sent."""

    workloads: list[Workload]
    succeed: list[batches.Succeeded[None]]
    failed: list[batches.Failed]


def provide_workloads(
    place: Place, registry_domain: str, openstack: OpenStack, *, dry_run: DryRunFlag = False
) -> Workloads:
    """Litestar's dependency `workloads`."""
    return Workloads(Objects(place, place.places, dry_run=dry_run), registry_domain, openstack)


@get("/workloads", opt=operation("workload.list", CONTAINERS), tags=TAGS)
async def list_workloads(  # noqa: PLR0917  the query string's parameters, which Litestar passes by name
    request: Request[Any, Any, Any],
    workloads: Workloads,
    listing: ListQuery,
    workload_type: WorkloadType = None,
    status: Status = None,
    application: Annotated[str | None, Parameter(description="Only members of this application.")] = None,
    watch: WatchFlag = False,  # noqa: FBT002  a parameter of the query string
) -> Response[types.Workloads]:
    """The workloads of the namespace, newest first, all three types together."""
    if watch:
        return await watch_workloads(
            request,
            workloads,
            listing,
            workload_type=workload_type,
            status=status,
            application=application,
        )
    page = await workloads.page(listing, workload_type=workload_type, status=status, application=application)
    return listed_page("workloads", page, listing, headers=workloads.objects.freshness())


@post("/workloads", opt=operation("workload.create", CONTAINERS), tags=TAGS, status_code=200)
async def create_workloads(
    workloads: Workloads,
    data: types.CreateWorkloads,
    product_type: str,
    idempotency_key: IdempotencyKey = "",
) -> Response[Created | DryRun]:
    """Make workloads, each with everything that belongs to it, or nothing of it."""
    key = request_key(workloads.objects.place.caller, idempotency_key)
    results = await batches.run(
        list(enumerate(data.workloads)),
        lambda numbered: workloads.create(numbered[1], product_type, at=f"workloads[{numbered[0]}]", key=key),
        name=lambda numbered: numbered[1].workload_base.name,
    )
    made = [done.result for done in results.content.succeed if done.result is not None]
    succeed = [batches.Succeeded[None](name=done.name) for done in results.content.succeed]
    body = Created(workloads=made, succeed=succeed, failed=results.content.failed)
    return answered(workloads.objects, Response(body, status_code=results.status_code))


@put(
    "/workloads",
    opt=actions(
        {
            "start": "workload.start_many",
            "stop": "workload.stop_many",
            "recreate": "workload.recreate_many",
            "attach": "workload.attach",
            "detach": "workload.detach",
        },
        CONTAINERS,
    ),
    tags=TAGS,
)
async def act_on_workloads(
    workloads: Workloads,
    data: types.WorkloadsBase,
    action: Literal["start", "stop", "recreate", "attach", "detach"],
) -> Response[batches.Batched]:
    """Start, stop or redeploy several workloads, or let them join or leave an application."""
    application = ""
    if action in {"attach", "detach"}:
        application = await joined_application(workloads.objects, data.application_name, action)
    do: dict[str, Callable[[WorkloadBase], Awaitable[Workload]]] = {
        "start": lambda base: workloads.start(base.name, base.type),
        "stop": lambda base: workloads.stop(base.name, base.type),
        "recreate": lambda base: workloads.recreate(base.name, base.type),
        "attach": lambda base: workloads.attach(base, application),
        "detach": lambda base: workloads.detach(base, application),
    }
    results = await batches.run(data.workloads_base, lambda base: _done(do[action](base)), name=_name)
    return answered(workloads.objects, results)


@delete("/workloads", opt=operation("workload.delete", CONTAINERS), tags=TAGS, status_code=200)
async def delete_workloads(workloads: Workloads, data: types.DeleteWorkloads) -> Response[batches.Batched]:
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
    return answered(workloads.objects, results)


@get(ONE, opt=operation("workload.show", CONTAINERS), tags=TAGS)
async def show_workload(
    workloads: Workloads, workload_name: str, workload_type: WorkloadType = None
) -> types.WorkloadDetail:
    """A workload with its conditions, events and revisions, and why it is not ready."""
    return await workloads.show(workload_name, workload_type)


@get(
    f"{ONE}/rollout",
    opt=operation("workload.show", CONTAINERS),
    tags=TAGS,
    media_type="text/event-stream",
)
async def follow_rollout(
    request: Request[Any, Any, Any],
    workloads: Workloads,
    workload_name: str,
    workload_type: WorkloadType = None,
) -> Response[Any]:
    """The progress of a rollout as server-sent events, until it is `done` or has `failed`."""
    return await watch_rollout(request, workloads, workload_name, workload_type)


@get(f"{ONE}/access", opt=operation("workload.access", CONTAINERS), tags=TAGS)
async def show_access(
    workloads: Workloads, workload_name: str, workload_type: WorkloadType = None
) -> types.AccessAnswer:
    """How a workload is reached, with the state of its load balancers in OpenStack."""
    shown = await workloads.workload(workload_name, workload_type)
    return types.AccessAnswer(access_mod=await workloads.balancing.shown(shown.access_mode or []))


@get(f"{ONE}/containers", opt=operation("workload.containers", CONTAINERS), tags=TAGS)
async def show_containers(
    workloads: Workloads, workload_name: str, workload_type: WorkloadType = None
) -> types.Containers:
    """A workload's containers."""
    shown = await workloads.workload(workload_name, workload_type)
    return types.Containers(containers=shown.containers)


@get(f"{ONE}/scale_strategy", opt=operation("workload.scale_strategy", CONTAINERS), tags=TAGS)
async def show_scale_strategy(
    workloads: Workloads, workload_name: str, workload_type: WorkloadType = None
) -> types.SetScaleStrategy:
    """A workload's autoscaling; null without."""
    shown = await workloads.workload(workload_name, workload_type)
    return types.SetScaleStrategy(scale_strategy=shown.scale_strategy)


@get(f"{ONE}/scheduler_strategy", opt=operation("workload.scheduler_strategy", CONTAINERS), tags=TAGS)
async def show_scheduler_strategy(
    workloads: Workloads, workload_name: str, workload_type: WorkloadType = None
) -> types.SetSchedulerStrategy:
    """Where a workload's pods may run."""
    shown = await workloads.workload(workload_name, workload_type)
    return types.SetSchedulerStrategy(scheduler_strategy=shown.scheduler_strategy)


@get(f"{ONE}/network", opt=operation("workload.network", CONTAINERS), tags=TAGS)
async def show_network(
    workloads: Workloads, workload_name: str, workload_type: WorkloadType = None
) -> types.SetNetwork:
    """A workload's network settings."""
    shown = await workloads.workload(workload_name, workload_type)
    return types.SetNetwork(network=shown.network)


@patch(
    ONE,
    opt=actions(
        {
            "scale": "workload.scale",
            "access_modes": "workload.set_access",
            "containers": "workload.set_containers",
            "update_strategy": "workload.set_update_strategy",
            "rollback": "workload.rollback",
            "scale_strategy": "workload.set_scale_strategy",
            "scheduler_strategy": "workload.set_scheduler_strategy",
            "network": "workload.set_network",
            "labels": "workload.set_labels",
        },
        CONTAINERS,
    ),
    tags=TAGS,
)
async def change_workload(
    workloads: Workloads,
    workload_name: str,
    action: Aspect,
    data: Annotated[
        dict[str, Any],
        AnyOf(
            types.Scale,
            types.AccessModes,
            types.Containers,
            types.SetUpdateStrategy,
            types.Rollback,
            types.SetScaleStrategy,
            types.SetSchedulerStrategy,
            types.SetNetwork,
            types.SetLabels,
        ),
    ],
    workload_type: WorkloadType = None,
) -> Response[OneWorkload | DryRun]:
    """Change one aspect of a workload; the others are left alone."""
    changes = Changes(workloads, workload_name, workload_type)
    shown = await _change(changes, action, data)
    return answered(workloads.objects, OneWorkload(workload=shown))


async def _change(changes: Changes, action: Aspect, data: dict[str, Any]) -> Workload:
    match action:
        case "scale":
            return await changes.scale(decoded(data, types.Scale).replicas)
        case "access_modes":
            return await changes.access_modes(decoded(data, types.AccessModes).access_modes)
        case "containers":
            return await changes.containers(decoded(data, types.Containers).containers)
        case "update_strategy":
            return await changes.update_strategy(decoded(data, types.SetUpdateStrategy).update_strategy)
        case "rollback":
            return await changes.rollback(str(decoded(data, types.Rollback).target_version))
        case "scale_strategy":
            return await changes.scale_strategy(decoded(data, types.SetScaleStrategy).scale_strategy)
        case "scheduler_strategy":
            sent = decoded(data, types.SetSchedulerStrategy).scheduler_strategy
            several = sent if sent is None or isinstance(sent, list) else [sent]
            return await changes.scheduler_strategy(several)
        case "network":
            return await changes.network(decoded(data, types.SetNetwork).network)
        case "labels":
            return await changes.labels(decoded(data, types.SetLabels).labels)


@get(f"{ONE}/revisions", opt=operation("workload.revisions", CONTAINERS), tags=TAGS)
async def list_revisions(
    workloads: Workloads, workload_name: str, workload_type: WorkloadType = None
) -> types.Revisions:
    """A workload's revisions, newest first."""
    changes = Changes(workloads, workload_name, workload_type)
    return types.Revisions(revisions=await changes.revisions())


@get(
    f"{ONE}/revision/{{version:str}}/yaml",
    opt=operation("workload.revision_yaml", CONTAINERS),
    tags=TAGS,
    media_type="application/yaml",
)
async def show_revision(
    workloads: Workloads, workload_name: str, version: str, workload_type: WorkloadType = None
) -> str:
    """A revision as YAML."""
    return await Changes(workloads, workload_name, workload_type).revision_yaml(version)


@delete(
    f"{ONE}/revisions",
    opt=operation("workload.delete_revisions", CONTAINERS),
    tags=TAGS,
    status_code=200,
)
async def delete_revisions(
    workloads: Workloads,
    workload_name: str,
    history_version: Annotated[str, Parameter(description="One revision; otherwise those of the body.")] = "",
    data: types.DeleteRevisions | None = None,
    workload_type: WorkloadType = None,
) -> Response[batches.Batched]:
    """Forget revisions; the one in use cannot be forgotten."""
    changes = Changes(workloads, workload_name, workload_type)
    if not history_version and data is None:
        raise BadRequestError(
            "name the revisions: history_version, or revisions in the body", field="revisions"
        )
    versions = [history_version] if history_version else [str(one.version) for one in data.revisions]  # type: ignore[union-attr]  # one of the two is there
    results = await batches.run(versions, changes.delete_revision, name=str)
    return answered(workloads.objects, results)


@put(
    ONE,
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
) -> Response[OneWorkload | DryRun]:
    """Start, stop or redeploy a workload; what is so already is left so."""
    do = {"start": workloads.start, "stop": workloads.stop, "recreate": workloads.recreate}
    shown = await do[action](workload_name, workload_type)
    return answered(workloads.objects, OneWorkload(workload=shown))


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
    follow_rollout,
    show_access,
    show_containers,
    show_scale_strategy,
    show_scheduler_strategy,
    show_network,
    change_workload,
    list_revisions,
    show_revision,
    delete_revisions,
    act_on_workload,
]
