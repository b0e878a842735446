"""Harbor's projects as the reference's workspaces; pure."""

from __future__ import annotations

from ecns.api.images.manifests import owner, word
from ecns.api.workspaces import types
from ecns.backends.harbor.types import Workspace


def workspace(found: Workspace) -> types.Workspace:
    """A workspace."""
    return types.Workspace(
        harbor_project_name=found.name,
        public=word(found.public),
        creation_time=found.project.creation_time,
        image_count=found.project.repo_count,
        domain_project_info=owner(found.owner),
    )
