"""The reference's types of chapter 1.7."""

from __future__ import annotations

from msgspec import Struct

from ecns.api.images.types import DomainProjectInfo, ImageBase


class Workspace(Struct, kw_only=True):
    """harbor_project_base: a workspace, which is a project of Harbor."""

    harbor_project_name: str
    public: str
    """`true`: everybody sees it and pulls from it; `false`: its project alone."""
    creation_time: str
    image_count: int
    domain_project_info: DomainProjectInfo
    """Whose it is."""


class CreateWorkspace(Struct, kw_only=True):
    """The body of "create a workspace"."""

    harbor_project_name: str
    public: str | bool
    """`true` or `false`."""


class SetAccess(Struct):
    """The body of "set a workspace's access"."""

    public: str | bool
    """`true` or `false`."""


class DeleteWorkspaces(Struct):
    """The body of "delete workspaces"."""

    harbor_projects: list[str]


class Removed(Struct):
    """What went with a workspace: the names of its images."""

    images: list[str]


class OneWorkspace(Struct):
    """An answer with one workspace."""

    harbor_project: Workspace


class WorkspaceDetail(Struct, kw_only=True):
    """The answer of "workspace detail"."""

    harbor_project: Workspace
    images: list[ImageBase]
    total: int
    page: int
    page_size: int
    """Of the images."""


class Workspaces(Struct):
    """The answer of "list the workspaces"."""

    harbor_projects: list[Workspace]
