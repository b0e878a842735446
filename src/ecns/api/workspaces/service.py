"""What the workspace operations do."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ecns.api.common.bodies import truth
from ecns.api.common.lists import ListQuery, Selection, select
from ecns.api.common.waiting import few_of
from ecns.api.images.login import extend
from ecns.api.images.manifests import image_name, word
from ecns.api.workspaces import manifests, types
from ecns.backends.harbor.types import Owner, Project
from ecns.backends.harbor.types import Workspace as Found
from ecns.backends.kubernetes.kinds.meta import ObjectMeta
from ecns.errors import ConflictError, EcnsError, NotFoundError
from ecns.identity.workspaces import check_name

if TYPE_CHECKING:
    from ecns.api.images.service import Images
    from ecns.api.images.types import ImageBase
    from ecns.backends.harbor.types import Repository
    from ecns.identity.caller import Caller
    from ecns.identity.workspaces import Workspaces

NAMED = 20
"""Images that a refusal to delete a workspace names."""


class WorkspaceService:
    """The workspaces that one caller may see and change, for one request."""

    def __init__(self, workspaces: Workspaces, images: Images, caller: Caller) -> None:
        self.workspaces = workspaces
        self.images = images
        self.caller = caller

    async def page(
        self, query: ListQuery, *, everything: bool | None
    ) -> tuple[Selection, list[types.Workspace]]:
        """The caller's own and public workspaces; all of them for cloud administrators.

        Raises:
            ForbiddenError: everything is for cloud administrators.
        """
        found = await self.workspaces.visible(self.caller, everything=everything)
        selection = select(
            found,
            query,
            metadata=lambda one: ObjectMeta(
                name=one.name, creation_timestamp=one.project.creation_time or None
            ),
            sorts={"image_count": lambda one: one.project.repo_count},
        )
        return selection, [manifests.workspace(one) for one in selection.items]

    async def show(self, name: str, query: ListQuery) -> tuple[types.Workspace, Selection, list[ImageBase]]:
        """A workspace and its images.

        Raises:
            NotFoundError: it is not there for this caller.
        """
        found = await self.workspaces.find(self.caller, name)
        selection, shown = await self.images.of([found], query)
        return manifests.workspace(found), selection, shown

    async def create(self, body: types.CreateWorkspace) -> types.Workspace:
        """Make a workspace of the caller's project.

        Raises:
            BadRequestError: the name or `public` is wrong.
            ConflictError: the name is taken.
        """
        public = truth(body.public, "public")
        name = body.harbor_project_name
        check_name(name, "harbor_project_name")
        if self.images.dry_run:
            if await self.workspaces.harbor.has_project(name):
                raise ConflictError(f"workspace {name!r} exists already")
            metadata = {"public": word(public)}
            owner = Owner(self.caller.project_id, self.caller.project_name, self.caller.project_domain_name)
            return manifests.workspace(Found(Project(0, name, metadata), owner))
        made = await self.workspaces.create(self.caller, name, public=public)
        with contextlib.suppress(EcnsError):  # asking for the login information does it too
            await extend(self.workspaces, self.caller)
        return manifests.workspace(made)

    async def set_access(self, name: str, body: types.SetAccess) -> types.Workspace:
        """Say whether everybody may see a workspace and pull from it.

        Raises:
            BadRequestError: `public` is wrong.
            ForbiddenError: it is another project's.
            NotFoundError: it is not there for this caller.
        """
        public = truth(body.public, "public")
        found = await self.workspaces.own(self.caller, name)
        if not self.images.dry_run:
            await self.workspaces.harbor.set_public(found.id, public=public)
            found = await self.workspaces.own(self.caller, name)
        shown = manifests.workspace(found)
        shown.public = word(public)
        return shown

    async def delete(self, name: str, *, force: bool) -> types.Removed:
        """Delete a workspace; with its images only by force.

        Raises:
            ConflictError: it holds images, or one that cannot be deleted.
            ForbiddenError: it is another project's.
            NotFoundError: it is not there for this caller.
        """
        found = await self.workspaces.own(self.caller, name)
        images: list[Repository] = []
        if found.project.repo_count:
            images = (await self.workspaces.harbor.repositories([found.id])).items
        names = sorted(image_name(one) for one in images)
        if names and not force:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            raise ConflictError(
                f"workspace {name!r} holds {len(names)} image{'s' if len(names) > 1 else ''}: "
                f"{', '.join(names[:NAMED])}{more}; delete them first, or all at once with force=true",
                details={"images": names},
            )
        if not self.images.dry_run:
            await self._empty(name, names)
            await self.workspaces.delete(found)
        return types.Removed(images=names)

    async def _empty(self, name: str, images: list[str]) -> None:
        async def gone(image: str) -> None:
            with contextlib.suppress(NotFoundError):
                await self.workspaces.harbor.delete_repository(name, image)

        await few_of(map(gone, images))
