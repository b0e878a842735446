"""What ECNS reads of Harbor's API 2.0: the fields it uses, by Harbor's names.

Harbor leaves out what is empty or false and says null for empty lists, so every field but the ids has a
default. Times are RFC 3339 in UTC. Source: api/v2.0/swagger.yaml of https://github.com/goharbor/harbor.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

NEVER = "0001-01-01T00:00:00.000Z"
"""Harbor's time of what has not happened."""


class Project(Struct, frozen=True):
    """A project; ids are never used again."""

    project_id: int
    name: str
    metadata: dict[str, str] | None = None
    creation_time: str = ""
    owner_name: str = ""
    repo_count: int = 0

    @property
    def public(self) -> bool:
        """Whether everybody may pull from it; Harbor takes any spelling in an update."""
        return (self.metadata or {}).get("public", "").lower() in {"true", "1"}


class Repository(Struct, frozen=True):
    """A repository; `name` begins with the project's."""

    id: int
    name: str
    project_id: int
    creation_time: str = ""
    update_time: str = ""
    description: str = ""
    artifact_count: int = 0
    """Of an index it counts the index alone; those without a tag count."""
    pull_count: int = 0


class Tag(Struct, frozen=True):
    """A name of an artifact."""

    id: int
    name: str
    push_time: str = ""
    immutable: bool = False


class Platform(Struct, frozen=True):
    """What a child of an index runs on."""

    architecture: str = ""
    os: str = ""


class Reference(Struct, frozen=True):
    """A child of an index."""

    child_digest: str = ""
    platform: Platform | None = None


class Artifact(Struct, frozen=True):
    """A manifest or an index; `size` is in bytes and includes what it names."""

    digest: str
    size: int = 0
    type: str = ""
    push_time: str = ""
    manifest_media_type: str = ""
    extra_attrs: dict[str, Any] | None = None
    references: list[Reference] | None = None
    tags: list[Tag] | None = None


class Access(Struct, frozen=True):
    """What a robot may do to what."""

    resource: str
    action: str


class Permission(Struct, frozen=True):
    """What a robot may do in a project; `namespace` is its name, and the permission goes when it does."""

    namespace: str
    access: list[Access]
    kind: str = "project"


class Robot(Struct, frozen=True):
    """A robot account; `name` carries Harbor's prefix (`robot$`)."""

    id: int
    name: str
    description: str = ""
    level: str = ""
    duration: int = -1
    """Days that it lives; -1: for ever."""
    expires_at: int = -1
    """Unix time; -1: never."""
    disable: bool = False
    creation_time: str = ""
    permissions: list[Permission] | None = None


class MadeRobot(Struct, frozen=True):
    """What Harbor says of a robot that it has made; the secret is shown this once."""

    id: int
    name: str
    secret: str
    expires_at: int = -1


class User(Struct, frozen=True):
    """The account that a request was made with."""

    username: str
    sysadmin_flag: bool = False


class Volume(Struct, frozen=True):
    """Bytes of a storage."""

    total: int = 0
    free: int = 0


class Volumes(Struct, frozen=True):
    """Harbor's storages: a list in 2.x."""

    storage: list[Volume] | None = None


class SystemInfo(Struct, frozen=True):
    """What Harbor is; the version is told to accounts alone."""

    harbor_version: str = ""
    read_only: bool = False


class Collection(Struct, frozen=True):
    """A run of the garbage collection; its parameters hold addresses and are not read."""

    id: int
    job_status: str = ""
    creation_time: str = ""
    update_time: str = ""

    @property
    def over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.job_status.lower() not in {"pending", "running", "scheduled"}


class Owner(Struct, frozen=True):
    """The project of Keystone that a project of Harbor belongs to; names are as they were at the making."""

    project_id: str
    project_name: str = ""
    domain_name: str = ""


class Workspace(Struct, frozen=True):
    """A project of Harbor and whose it is; nobody's when it was made in Harbor itself."""

    project: Project
    owner: Owner | None

    @property
    def name(self) -> str:
        """Its name."""
        return self.project.name

    @property
    def id(self) -> int:
        """Harbor's id of it."""
        return self.project.project_id

    @property
    def public(self) -> bool:
        """Whether everybody may see it."""
        return self.project.public
