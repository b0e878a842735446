"""The HTTP face of chapter 1.2; of 1.8 what it says of applications."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import Response, delete, get, post, put
from litestar.params import Parameter

from ecns.api.applications import checks, types
from ecns.api.applications.service import Action, Applications
from ecns.api.applications.types import OneApplication
from ecns.api.common import batches
from ecns.api.common.answers import answered
from ecns.api.common.lists import ListQuery, listed
from ecns.api.common.objects import DryRun, Objects
from ecns.api.common.operations import APPLICATIONS, actions, operation
from ecns.api.common.parameters import DryRunFlag, IdempotencyKey, request_key
from ecns.backends.openstack.cloud import OpenStack
from ecns.identity.place import Place, Places
from ecns.identity.policy import Policy

TAGS = ["1.2 Applications"]
ALL = "/applications/app"

ApplicationType = Annotated[
    Literal["Normal", "Hybrid"] | None,
    Parameter(description="Normal or Hybrid."),
]
Status = Annotated[
    Literal["No workload", "Stopped", "Unready", "Running", "Processing"] | None,
    Parameter(description="Only applications in this state."),
]


def provide_applications(
    place: Place,
    places: Places,
    registry_domain: str,
    policy: Policy,
    openstack: OpenStack,
    *,
    dry_run: DryRunFlag = False,
) -> Applications:
    """Litestar's dependency `applications`."""
    return Applications(Objects(place, places, dry_run=dry_run), registry_domain, policy, openstack)


@get("/applications", opt=operation("app.list", APPLICATIONS), tags=TAGS)
async def list_applications(
    applications: Applications,
    listing: ListQuery,
    product_type: str,
    type: ApplicationType = None,  # noqa: A002  so is the query parameter called
    status: Status = None,
) -> Response[types.Applications]:
    """The applications of the namespace, newest first; without a type those of the product type.

    Workloads stand in `workloads_status`; in full they are shown one application at a time.
    """
    default: Literal["Normal", "Hybrid"] = "Hybrid" if product_type == "hybrid" else "Normal"
    selection, rows = await applications.page(listing, type or default, status)
    headers = applications.objects.freshness()
    return listed("applications_info", rows, selection, listing, headers=headers)


@post("/applications", opt=operation("app.create", APPLICATIONS), tags=TAGS, status_code=200)
async def create_application(
    applications: Applications,
    data: types.CreateApplication,
    product_type: str,
    idempotency_key: IdempotencyKey = "",
) -> Response[OneApplication | DryRun]:
    """Make an application with its ConfigMaps, workloads and virtual machines, or nothing of it.

    The answer comes when Heat has taken the virtual machines on; `vms_status` says how far they are, and
    why what failed did.
    """
    key = request_key(applications.objects.place.caller, idempotency_key)
    shown = await applications.create(data, product_type, key=key)
    if shown is None:
        return Response(applications.objects.report())
    return Response(OneApplication(application_info=shown))


@put("/applications/{application_name:str}", opt=operation("app.describe", APPLICATIONS), tags=TAGS)
async def describe_application(
    applications: Applications, application_name: str, data: types.DescribeApplication
) -> Response[OneApplication | DryRun]:
    """Change what people read about an application."""
    sent = checks.description(data, application_name)
    shown = await applications.describe(application_name, sent)
    return answered(applications.objects, OneApplication(application_info=shown))


@get(f"{ALL}/{{application_name:str}}", opt=operation("app.show", APPLICATIONS), tags=TAGS)
async def show_application(
    applications: Applications,
    application_name: str,
    type: ApplicationType = None,  # noqa: A002  so is the query parameter called
) -> OneApplication:
    """An application with its workloads and ConfigMaps; with a type only if it is of that."""
    shown = await applications.show(application_name, type)
    return OneApplication(application_info=shown)


@put(
    ALL,
    opt=actions({"start": "app.start", "stop": "app.start", "recreate": "app.recreate"}, APPLICATIONS),
    tags=TAGS,
)
async def act_on_applications(
    applications: Applications, data: types.SomeApplications, action: Action
) -> Response[batches.Batched]:
    """Start, stop or redeploy all workloads of applications."""
    results = await batches.run(
        data.applications, lambda one: applications.act(one.name, action), name=lambda one: one.name
    )
    return answered(applications.objects, results)


@delete(ALL, opt=operation("app.delete", APPLICATIONS), tags=TAGS, status_code=200)
async def delete_applications(
    applications: Applications,
    data: types.SomeApplications,
    resource: Annotated[
        list[str] | None,
        Parameter(
            description="What goes with them: `workload`, `workload,service` or `all`."
            " Without it their members stay."
        ),
    ] = None,
) -> Response[batches.Batched]:
    """Delete applications."""
    parts = checks.parts(resource or ())
    results = await batches.run(
        data.applications, lambda one: applications.delete(one.name, parts), name=lambda one: one.name
    )
    return answered(applications.objects, results)


ROUTES = [
    list_applications,
    create_application,
    describe_application,
    show_application,
    act_on_applications,
    delete_applications,
]
