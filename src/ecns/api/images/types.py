"""The reference's types of chapter 1.9. Sizes are bytes, times RFC 3339 in UTC."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class DomainProjectInfo(Struct):
    """domain_project_info: whose a workspace is; empty for one that was made in Harbor itself."""

    domain_name: str
    openstack_project_name: str


class ImageBase(Struct, kw_only=True):
    """image_base: an image, which is a repository of a workspace."""

    name: str
    """Without the workspace; with slashes where the repository's has them."""
    harbor_project_name: str
    creation_time: str
    tags_count: int
    domain_project_info: DomainProjectInfo
    id: str
    description: str
    """Markdown, as it was written."""
    public: str
    """`true` or `false`: that of the workspace."""


class ImageInfo(Struct, kw_only=True):
    """image_info."""

    image_base: ImageBase
    size: int
    """What its versions take together, layers that they share counted for each."""
    pull_count: int


class TagInfo(Struct, kw_only=True):
    """tag_info: a version of an image."""

    tag_name: str
    creation_time: str
    """When it was pushed."""
    size: int
    docker_version: str
    """That built it; newer builders do not say."""
    pull_command: str
    digest: str
    architecture: str
    """`amd64`; several, with commas, of an image for several platforms."""


class Describe(Struct):
    """The body of "edit an image"."""

    description: str


class ImageName(Struct):
    """An image in a batch."""

    harbor_project_name: str
    image_name: str


class DeleteImages(Struct):
    """The body of "delete images"."""

    images: list[ImageName]


class DeleteTags(Struct):
    """The body of "delete an image's versions"."""

    tags: list[str]


class Space(Struct):
    """Bytes of a storage; both 0 where Harbor keeps images in an object store."""

    free: int
    total: int


class Storage(Struct):
    """The answer of "image storage space"."""

    storage: Space


class Collect(Struct):
    """The body of "garbage collection"."""

    type: Literal["Manual", "None"]
    """Manual begins one; None stops what runs, and leaves Harbor's own schedule alone."""


class CollectionStatus(Struct):
    """The answer of "garbage collection status"."""

    job_status: Literal["finished", "pending"]


class LoginInfo(Struct, kw_only=True):
    """The answer of "push": an account of the project for `docker login`."""

    username: str
    password: str
    harbor_domain: str
    public_vip: str
    expires_at: str
    """When the account ends and this operation gives a new one; empty: never."""


class Pushed(Struct, kw_only=True):
    """An image of an upload that is in Harbor now."""

    harbor_project_name: str
    image_name: str
    tag_name: str
    digest: str
    size: int
    """Bytes of its layers and configurations, as they are kept."""
    blobs_pushed: int
    """Layers and configurations that were pushed."""
    blobs_present: int
    """Those that Harbor had already."""


class Uploaded(Struct, kw_only=True):
    """The answer of "upload an image"."""

    images: list[Pushed]


class Images(Struct):
    """The answer of "list the images"."""

    images: list[ImageBase]


class Tags(Struct):
    """The answer of "list an image's versions"."""

    tags: list[TagInfo]
