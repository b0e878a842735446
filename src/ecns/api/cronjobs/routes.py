"""The HTTP face of chapter 1.5, and of running a CronJob now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from litestar import Request, Response, delete, get, post, put
from litestar.params import Parameter

from ecns.api.common import batches
from ecns.api.common.answers import answered
from ecns.api.common.applications import joined_application
from ecns.api.common.lists import ListQuery, listed_page
from ecns.api.common.named import names
from ecns.api.common.objects import DryRun, Objects
from ecns.api.common.operations import EKS, actions, operation
from ecns.api.common.parameters import DryRunFlag, IdempotencyKey, request_key
from ecns.api.common.selectors import AppSelector
from ecns.api.common.streams import WatchFlag
from ecns.api.cronjobs import types
from ecns.api.cronjobs.cached import ROWS
from ecns.api.cronjobs.service import CronJobs
from ecns.identity.place import Place

TAGS = ["1.5 CronJobs"]
ONE = "/cronjobs/cronjob/{cronjob_name:str}"

Status = Annotated[types.CronJobWord | None, Parameter(description="Only CronJobs in this state.")]
Action = Literal["start", "stop", "attach", "detach"]


def provide_cronjobs(place: Place, registry_domain: str, *, dry_run: DryRunFlag = False) -> CronJobs:
    """Litestar's dependency `cronjobs`."""
    return CronJobs(Objects(place, place.places, dry_run=dry_run), registry_domain)


@get("/cronjobs", opt=operation("cronjob.list", EKS), tags=TAGS)
async def list_cronjobs(  # noqa: PLR0917  the query string's parameters, which Litestar passes by name
    request: Request[Any, Any, Any],
    cronjobs: CronJobs,
    listing: ListQuery,
    status: Status = None,
    app_selector: AppSelector = "",
    watch: WatchFlag = False,  # noqa: FBT002  a parameter of the query string
) -> Response[types.CronJobs]:
    """The CronJobs of the namespace, newest first, with what their schedules mean in words."""
    if watch:
        return await ROWS.watch(request, cronjobs.objects, listing, status=status, application=app_selector)
    page = await cronjobs.page(listing, status=status, application=app_selector)
    return listed_page("cronjobs_status", page, listing, headers=cronjobs.objects.freshness())


@post("/cronjobs", opt=operation("cronjob.create", EKS), tags=TAGS, status_code=200)
async def create_cronjob(
    cronjobs: CronJobs, data: types.CreateCronJob, idempotency_key: IdempotencyKey = ""
) -> Response[types.CronJobStatus | DryRun]:
    """Make a CronJob, named as its job, with the claims that its Jobs share, or nothing."""
    key = request_key(cronjobs.objects.place.caller, idempotency_key)
    shown = await cronjobs.create(data.cronjob, key=key)
    return answered(cronjobs.objects, shown)


@put(
    "/cronjobs",
    opt=actions(
        {
            "start": "cronjob.start_stop",
            "stop": "cronjob.start_stop",
            "attach": "cronjob.attach",
            "detach": "cronjob.detach",
        },
        EKS,
    ),
    tags=TAGS,
)
async def act_on_cronjobs(
    cronjobs: CronJobs, data: types.ActOnCronJobs, action: Action
) -> Response[batches.Batched]:
    """Start stopped or stop running CronJobs, or let them join or leave an application."""
    application = ""
    if action in {"attach", "detach"}:
        application = await joined_application(cronjobs.objects, data.application_name, action)
    do: dict[str, Callable[[str], Awaitable[None]]] = {
        "start": cronjobs.start,
        "stop": cronjobs.stop,
        "attach": lambda name: cronjobs.attach(name, application),
        "detach": lambda name: cronjobs.detach(name, application),
    }
    results = await batches.run(names(data.cronjob_list), do[action], name=str)
    return answered(cronjobs.objects, results)


@delete("/cronjobs", opt=operation("cronjob.delete", EKS), tags=TAGS, status_code=200)
async def delete_cronjobs(cronjobs: CronJobs, data: types.DeleteCronJobs) -> Response[batches.Batched]:
    """Delete CronJobs with their Jobs."""
    results = await batches.run(
        names(data.cronjobs), lambda name: cronjobs.delete(name, data.delete_policy), name=str
    )
    return answered(cronjobs.objects, results)


@get(ONE, opt=operation("cronjob.show", EKS), tags=TAGS)
async def show_cronjob(cronjobs: CronJobs, cronjob_name: str) -> types.CronJobDetail:
    """A CronJob with its Jobs, newest first, and events."""
    return await cronjobs.show(cronjob_name)


@post(f"{ONE}/run", opt=operation("cronjob.run", EKS), tags=TAGS, status_code=200)
async def run_cronjob(
    cronjobs: CronJobs, cronjob_name: str, idempotency_key: IdempotencyKey = ""
) -> Response[types.OneJob | DryRun]:
    """Run a CronJob now, also a stopped one; answers the Job."""
    key = request_key(cronjobs.objects.place.caller, idempotency_key)
    shown = await cronjobs.run(cronjob_name, key=key)
    return answered(cronjobs.objects, types.OneJob(job=shown))


ROUTES = [
    list_cronjobs,
    create_cronjob,
    act_on_cronjobs,
    delete_cronjobs,
    show_cronjob,
    run_cronjob,
]
