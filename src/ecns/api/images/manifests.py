"""Harbor's types as the reference's; pure."""

from __future__ import annotations

from ecns.api.images.types import DomainProjectInfo, ImageBase, TagInfo
from ecns.backends.harbor.types import Artifact, Owner, Repository, Tag, Workspace


def word(value: bool) -> str:  # noqa: FBT001  there is nothing else to it
    """A boolean as the reference types it."""
    return "true" if value else "false"


def owner(found: Owner | None) -> DomainProjectInfo:
    """Whose a workspace is; by its id where no name is known."""
    if found is None:
        return DomainProjectInfo("", "")
    return DomainProjectInfo(found.domain_name, found.project_name or found.project_id)


def image_name(repository: Repository) -> str:
    """A repository's name without its project's."""
    return repository.name.partition("/")[2]


def image(repository: Repository, workspace: Workspace, *, tags: int, description: str) -> ImageBase:
    """An image.

    Args:
        repository: as Harbor has it.
        workspace: that it is in.
        tags: how many.
        description: as it was written.
    """
    return ImageBase(
        name=image_name(repository),
        harbor_project_name=workspace.name,
        creation_time=repository.creation_time,
        tags_count=tags,
        domain_project_info=owner(workspace.owner),
        id=str(repository.id),
        description=description,
        public=word(workspace.public),
    )


def architecture(artifact: Artifact) -> str:
    """What an artifact runs on; of an index, what its children do."""
    if artifact.references:
        found = (one.platform.architecture for one in artifact.references if one.platform)
        return ",".join(dict.fromkeys(name for name in found if name and name != "unknown"))
    value = (artifact.extra_attrs or {}).get("architecture")
    return value if isinstance(value, str) else ""


def tag(named: Tag, artifact: Artifact, repository: str, domain: str, docker_version: str) -> TagInfo:
    """A version.

    Args:
        named: its name.
        artifact: what the name stands for.
        repository: with its workspace.
        domain: the registry's name in image references.
        docker_version: that built it.
    """
    return TagInfo(
        tag_name=named.name,
        creation_time=pushed(named, artifact),
        size=artifact.size,
        docker_version=docker_version,
        pull_command=f"docker pull {domain}/{repository}:{named.name}",
        digest=artifact.digest,
        architecture=architecture(artifact),
    )


def pushed(tag: Tag, artifact: Artifact) -> str:
    """When a version got its name."""
    return tag.push_time or artifact.push_time
