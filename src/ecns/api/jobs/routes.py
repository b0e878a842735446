"""The HTTP face of chapter 1.10."""

from __future__ import annotations

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
from ecns.api.jobs import types
from ecns.api.jobs.service import Jobs
from ecns.identity.place import Place

TAGS = ["1.10 Jobs"]

Status = Annotated[types.JobWord | None, Parameter(description="Only Jobs in this state.")]


def provide_jobs(place: Place, registry_domain: str, *, dry_run: DryRunFlag = False) -> Jobs:
    """Litestar's dependency `jobs`."""
    return Jobs(Objects(place, place.places, dry_run=dry_run), registry_domain)


@get("/jobs", opt=operation("job.list", EKS), tags=TAGS)
async def list_jobs(  # noqa: PLR0917  the query string's parameters, which Litestar passes by name
    request: Request[Any, Any, Any],
    jobs: Jobs,
    listing: ListQuery,
    status: Status = None,
    app_selector: AppSelector = "",
    watch: WatchFlag = False,  # noqa: FBT002  a parameter of the query string
) -> Response[types.Jobs]:
    """The Jobs of the namespace, newest first, those of CronJobs too."""
    if watch:
        return await jobs.rows.watch(request, jobs.objects, listing, status=status, application=app_selector)
    page = await jobs.page(listing, status=status, application=app_selector)
    return listed_page("jobs", page, listing, headers=jobs.objects.freshness())


@post("/jobs", opt=operation("job.create", EKS), tags=TAGS, status_code=200)
async def create_job(
    jobs: Jobs, data: types.CreateJob, idempotency_key: IdempotencyKey = ""
) -> Response[types.CreateJob | DryRun]:
    """Make a Job with the claims of its volumes, or nothing."""
    shown = await jobs.create(data.job, key=request_key(jobs.objects.place.caller, idempotency_key))
    return answered(jobs.objects, types.CreateJob(job=shown))


@put("/jobs", opt=actions({"attach": "job.attach", "detach": "job.detach"}, EKS), tags=TAGS)
async def act_on_jobs(
    jobs: Jobs, data: types.ActOnJobs, action: Literal["attach", "detach"]
) -> Response[batches.Batched]:
    """Let several Jobs join or leave an application."""
    application = await joined_application(jobs.objects, data.application_name, action)
    do = {"attach": jobs.attach, "detach": jobs.detach}[action]
    results = await batches.run(names(data.jobs), lambda name: do(name, application), name=str)
    return answered(jobs.objects, results)


@delete("/jobs", opt=operation("job.delete", EKS), tags=TAGS, status_code=200)
async def delete_jobs(jobs: Jobs, data: types.DeleteJobs) -> Response[batches.Batched]:
    """Delete Jobs with their pods."""
    results = await batches.run(
        names(data.jobs), lambda name: jobs.delete(name, data.delete_policy), name=str
    )
    return answered(jobs.objects, results)


@get("/jobs/job/{job_name:str}", opt=operation("job.show", EKS), tags=TAGS)
async def show_job(jobs: Jobs, job_name: str) -> types.JobDetail:
    """A Job with its pods, conditions and events, and why it failed or does not get on."""
    return await jobs.show(job_name)


ROUTES = [list_jobs, create_job, act_on_jobs, delete_jobs, show_job]
