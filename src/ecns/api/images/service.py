"""What the image operations do, uploads aside."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ecns.api.common.lists import ListQuery, Selection, select
from ecns.api.common.waiting import few_of
from ecns.api.images import manifests, names
from ecns.api.images.types import (
    CollectionStatus,
    ImageBase,
    ImageInfo,
    ImageName,
    Space,
    Storage,
    TagInfo,
)
from ecns.backends.harbor.client import IDS
from ecns.backends.harbor.types import Artifact, Repository, Workspace
from ecns.backends.kubernetes.kinds.meta import ObjectMeta
from ecns.errors import BadRequestError, ConflictError, EcnsError, NotFoundError

if TYPE_CHECKING:
    from ecns.backends.harbor.client import Harbor
    from ecns.backends.harbor.registry import Registry
    from ecns.identity.caller import Caller
    from ecns.identity.workspaces import Workspaces

PARALLEL = 16
"""Questions about the rows of one page that are under way at a time."""
LONGEST_DESCRIPTION = 64 * 1024
REMEMBERED = 10_000
"""Images whose builder is remembered: a digest always means the same one."""


class Builders:
    """Which Docker built an image: it stands in the image's configuration alone.

    Args:
        registry: where configurations are.
    """

    def __init__(self, registry: Registry | None) -> None:
        self._registry = registry
        self._known: OrderedDict[str, str] = OrderedDict()

    async def of(self, repository: str, artifact: Artifact) -> str:
        """Docker's version; empty when it is not written down, or cannot be read now."""
        if self._registry is None or artifact.type != "IMAGE":
            return ""
        if (known := self._known.get(artifact.digest)) is not None:
            return known
        try:
            found = (await self._registry.configuration(repository, artifact.digest)).get("docker_version")
        except EcnsError:
            return ""  # what else a list says is worth more
        version = found if isinstance(found, str) else ""
        self._known[artifact.digest] = version
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return version


class Images:
    """The images that one caller may see and change, for one request."""

    def __init__(
        self, workspaces: Workspaces, builders: Builders, caller: Caller, *, dry_run: bool = False
    ) -> None:
        self.workspaces = workspaces
        self.builders = builders
        self.caller = caller
        self.dry_run = dry_run
        """Whether changes are only checked."""

    @property
    def harbor(self) -> Harbor:
        """Harbor, for what was found by `workspaces`."""
        return self.workspaces.harbor

    # Reading

    async def page(self, query: ListQuery, public: bool | None) -> tuple[Selection, list[ImageBase]]:  # noqa: FBT001
        """Images of the workspaces that the caller may see.

        Args:
            query: which part.
            public: of public workspaces, of private ones, or of both.
        """
        found = await self.workspaces.visible(self.caller)
        return await self.of([one for one in found if public in {None, one.public}], query)

    async def of(
        self, workspaces: Sequence[Workspace], query: ListQuery
    ) -> tuple[Selection, list[ImageBase]]:
        """Images of these workspaces, newest first.

        Harbor cuts the page where it can, so that a page costs the page; by our names, which are without the
        workspace, it can neither filter nor sort.
        """
        by_id = {one.id: one for one in workspaces if one.project.repo_count}
        newest = query.sort_by in {"", "creation_time"}
        cut = newest and not query.name and not query.selector and query.page is not None
        if cut and query.page is not None and len(by_id) <= IDS:
            sort = "creation_time" if query.order == "asc" else "-creation_time"
            start = (query.page - 1) * query.page_size
            part = await self.harbor.repositories(by_id, sort=sort, start=start, count=query.page_size)
            # A Harbor that does not know the question answers with all there are.
            selection = Selection([one for one in part.items if one.project_id in by_id], part.total)
        else:
            every = [one for one in (await self.harbor.repositories(by_id)).items if one.project_id in by_id]
            every.sort(key=lambda one: (one.creation_time, one.name), reverse=True)
            selection = select(every, query, metadata=_metadata)
        shown = await few_of((self._shown(one, by_id[one.project_id]) for one in selection.items), PARALLEL)
        return selection, shown

    async def show(self, workspace_name: str, name: str) -> ImageInfo:
        """An image, with what it takes and how often it was pulled.

        Raises:
            NotFoundError: it is not there for this caller.
        """
        workspace = await self.workspaces.find(self.caller, workspace_name)
        repository, artifacts = await asyncio.gather(
            self._repository(workspace_name, name), self.harbor.all_artifacts(workspace_name, name)
        )
        return ImageInfo(
            image_base=await self._shown(repository, workspace),
            size=sum(artifact.size for artifact in artifacts),
            pull_count=repository.pull_count,
        )

    async def tags(self, workspace_name: str, name: str, query: ListQuery) -> tuple[Selection, list[TagInfo]]:
        """The versions of an image, the newest first.

        Raises:
            NotFoundError: it is not there for this caller.
        """
        await self.workspaces.find(self.caller, workspace_name)
        await self._repository(workspace_name, name)
        artifacts = await self.harbor.artifacts(workspace_name, name)
        every = [(tag, artifact) for artifact in artifacts for tag in artifact.tags or ()]
        every.sort(key=lambda one: (manifests.pushed(*one), one[0].name), reverse=True)
        selection = select(
            every,
            query,
            metadata=lambda one: ObjectMeta(name=one[0].name, creation_timestamp=manifests.pushed(*one)),
            sorts={"size": lambda one: one[1].size},
        )
        repository = f"{workspace_name}/{name}"
        chosen = list({artifact.digest: artifact for _, artifact in selection.items}.values())
        versions = await few_of((self.builders.of(repository, one) for one in chosen), PARALLEL)
        by_digest = {artifact.digest: version for artifact, version in zip(chosen, versions, strict=True)}
        return selection, [
            manifests.tag(tag, artifact, repository, self.harbor.domain, by_digest[artifact.digest])
            for tag, artifact in selection.items
        ]

    async def _repository(self, workspace_name: str, name: str) -> Repository:
        try:
            return await self.harbor.repository(workspace_name, name)
        except NotFoundError:
            raise _missing(name) from None

    async def _shown(self, repository: Repository, workspace: Workspace) -> ImageBase:
        tags: list[str] = []
        if repository.artifact_count:
            tags = await self.harbor.tags(workspace.name, manifests.image_name(repository))
        description = await self.harbor.description(repository)
        return manifests.image(repository, workspace, tags=len(tags), description=description)

    # Changing

    async def describe(self, workspace_name: str, name: str, description: str) -> ImageInfo:
        """Set an image's description.

        Raises:
            BadRequestError: Harbor cannot keep it.
            ForbiddenError: the workspace is another project's.
            NotFoundError: it is not there for this caller.
        """
        if "\0" in description:
            raise BadRequestError("description: has a character U+0000", field="description")
        if len(description) > LONGEST_DESCRIPTION:
            raise BadRequestError(
                f"description: is longer than {LONGEST_DESCRIPTION} characters", field="description"
            )
        await self.workspaces.own(self.caller, workspace_name)
        if not self.dry_run:
            await self._repository(workspace_name, name)
            await self.harbor.describe(workspace_name, name, description)
        info = await self.show(workspace_name, name)
        info.image_base.description = description
        return info

    async def delete(self, image: ImageName) -> None:
        """Delete an image with all its versions.

        Raises:
            ConflictError: a version of it is immutable.
            ForbiddenError: the workspace is another project's.
            NotFoundError: it is not there for this caller.
        """
        if not names.is_image(image.image_name):
            raise _missing(image.image_name)
        await self.workspaces.own(self.caller, image.harbor_project_name)
        if self.dry_run:
            await self._repository(image.harbor_project_name, image.image_name)
            return
        try:
            await self.harbor.delete_repository(image.harbor_project_name, image.image_name)
        except NotFoundError:
            raise _missing(image.image_name) from None

    async def delete_tags(
        self, workspace_name: str, name: str, tags: Sequence[str]
    ) -> list[EcnsError | None]:
        """Delete versions of an image; what has no version left goes with its last one.

        Returns:
            For each, None or why it was not deleted.

        Raises:
            ForbiddenError: the workspace is another project's.
            NotFoundError: the image is not there for this caller.
        """
        await self.workspaces.own(self.caller, workspace_name)
        await self._repository(workspace_name, name)

        async def one(tag: str) -> tuple[str, EcnsError | None]:
            """The digest that it named, or why it was not deleted."""
            try:
                artifact = await self._artifact(workspace_name, name, tag)
                if not self.dry_run:
                    await self.harbor.delete_tag(workspace_name, name, tag)
            except EcnsError as error:
                return "", error
            return artifact.digest, None

        once = list(dict.fromkeys(tags))
        results = dict(zip(once, await few_of(map(one, once), PARALLEL), strict=True))
        if not self.dry_run:
            digests = {digest for digest, error in results.values() if error is None}
            await few_of((self._tidy(workspace_name, name, digest) for digest in digests), PARALLEL)
        return [results[tag][1] for tag in tags]

    async def _artifact(self, workspace_name: str, name: str, tag: str) -> Artifact:
        missing = NotFoundError(f"version {tag!r} is not there")
        if not names.is_tag(tag):
            raise missing
        try:
            return await self.harbor.artifact(workspace_name, name, tag)
        except NotFoundError:
            raise missing from None

    async def _tidy(self, workspace_name: str, name: str, digest: str) -> None:
        """Delete an artifact that no tag names any more, unless an index does."""
        try:
            if not (await self.harbor.artifact(workspace_name, name, digest)).tags:
                await self.harbor.delete_artifact(workspace_name, name, digest)
        except (NotFoundError, ConflictError):
            return

    # The system

    async def volumes(self) -> Storage:
        """Harbor's storage."""
        found = await self.harbor.volumes()
        return Storage(Space(free=found.free, total=found.total))

    async def collection(self) -> CollectionStatus:
        """Whether a garbage collection is under way."""
        runs = await self.harbor.collections()
        return CollectionStatus("finished" if all(run.over for run in runs) else "pending")

    async def collect(self) -> CollectionStatus:
        """Begin a garbage collection.

        Raises:
            ConflictError: one is under way.
        """
        if (await self.collection()).job_status == "pending":
            raise ConflictError("a garbage collection is under way")
        if self.dry_run:
            return CollectionStatus("finished")
        await self.harbor.collect()
        return CollectionStatus("pending")

    async def stop_collecting(self) -> CollectionStatus:
        """Stop what is under way, if there is anything."""
        runs = [run for run in await self.harbor.collections() if not run.over]
        if not self.dry_run:
            await few_of(self.harbor.stop_collecting(run.id) for run in runs)
        return await self.collection()


def _missing(name: str) -> NotFoundError:
    return NotFoundError(f"image {name!r} is not there")


def _metadata(repository: Repository) -> ObjectMeta:
    return ObjectMeta(
        name=manifests.image_name(repository), creation_timestamp=repository.creation_time or None
    )
