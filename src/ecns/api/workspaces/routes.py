"""The HTTP face of chapter 1.7."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, delete, get, post, put
from litestar.params import Parameter, QueryParameter

from ecns.api.common import batches
from ecns.api.common.bodies import truth
from ecns.api.common.lists import ListQuery, listed
from ecns.api.common.operations import IMAGES, operation
from ecns.api.images.service import Images
from ecns.api.workspaces import types
from ecns.api.workspaces.service import WorkspaceService
from ecns.identity.caller import Caller
from ecns.identity.workspaces import Workspaces

TAGS = ["1.7 Workspaces"]
ONE = "/images/harbor_project/{harbor_project_name:str}"

All = Annotated[
    str,
    QueryParameter(
        name="all",
        description="Cloud administrators see all workspaces; with `false` only what members of their "
        "project see. Nobody else may send `true`.",
    ),
]


def provide_workspace_service(workspaces: Workspaces, images: Images, caller: Caller) -> WorkspaceService:
    """Litestar's dependency `workspace_service`."""
    return WorkspaceService(workspaces, images, caller)


@post("/images/harbor_project", opt=operation("workspace.create", IMAGES), tags=TAGS, status_code=200)
async def create_workspace(
    workspace_service: WorkspaceService, data: types.CreateWorkspace
) -> types.OneWorkspace:
    """Make a workspace; it belongs to the project of the token."""
    return types.OneWorkspace(await workspace_service.create(data))


@get("/images/harbor_projects", opt=operation("workspace.list", IMAGES), tags=TAGS)
async def list_workspaces(
    workspace_service: WorkspaceService, listing: ListQuery, everything: All = ""
) -> Response[types.Workspaces]:
    """The project's own workspaces and the public ones, newest first."""
    wanted = truth(everything, "all") if everything else None
    selection, shown = await workspace_service.page(listing, everything=wanted)
    return listed("harbor_projects", [msgspec.json.encode(one) for one in shown], selection, listing)


@get(ONE, opt=operation("workspace.show", IMAGES), tags=TAGS)
async def show_workspace(
    workspace_service: WorkspaceService, listing: ListQuery, harbor_project_name: str
) -> Response[types.WorkspaceDetail]:
    """A workspace with its images, which page, sort and filter as "list images" does."""
    shown, selection, images = await workspace_service.show(harbor_project_name, listing)
    detail = types.WorkspaceDetail(
        harbor_project=shown,
        images=images,
        total=selection.total,
        page=listing.page or 1,
        page_size=selection.total if listing.page is None else listing.page_size,
    )
    return Response(detail, headers={"X-Total-Count": str(selection.total)})


@put(ONE, opt=operation("workspace.update", IMAGES), tags=TAGS)
async def set_access(
    workspace_service: WorkspaceService, harbor_project_name: str, data: types.SetAccess
) -> types.OneWorkspace:
    """Make a workspace public or private."""
    shown = await workspace_service.set_access(harbor_project_name, data)
    return types.OneWorkspace(shown)


@delete("/images/harbor_project", opt=operation("workspace.delete", IMAGES), tags=TAGS, status_code=200)
async def delete_workspaces(
    workspace_service: WorkspaceService,
    data: types.DeleteWorkspaces,
    force: Annotated[bool, Parameter(description="With all images that are in them.")] = False,  # noqa: FBT002  a parameter of the query string
) -> Response[batches.Batch[types.Removed]]:
    """Delete workspaces; one that holds images is refused and says which, unless `force=true`."""
    return await batches.run(
        data.harbor_projects,
        lambda name: workspace_service.delete(name, force=force),
        name=lambda name: name,
    )


ROUTES = [create_workspace, list_workspaces, show_workspace, set_access, delete_workspaces]
