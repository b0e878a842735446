"""Harbor's projects as the reference's workspaces; pure."""

from __future__ import annotations

from ecns.api.images.manifests import owner, word
from ecns.api.workspaces import types
from ecns.backends.harbor.types import Workspace
from ecns.errors import BadRequestError


def workspace(found: Workspace) -> types.Workspace:
    """A workspace."""
    return types.Workspace(
        harbor_project_name=found.name,
        public=word(found.public),
        creation_time=found.project.creation_time,
        image_count=found.project.repo_count,
        domain_project_info=owner(found.owner),
    )


def boolean(value: str | bool, field: str) -> bool:  # noqa: FBT001  that is what it is about
    """A boolean that the reference types as a string.

    Raises:
        BadRequestError: it is neither `true` nor `false`; `field` says where it stands.
    """
    if isinstance(value, bool):
        return value
    if (lower := value.lower()) in {"true", "false"}:
        return lower == "true"
    raise BadRequestError(f"{field}: {value!r} is neither true nor false", field=field)
