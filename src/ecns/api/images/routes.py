"""The HTTP face of chapter 1.9, uploads aside."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, delete, get, post, put
from litestar.params import Parameter

from ecns.api.common import batches
from ecns.api.common.bodies import truth
from ecns.api.common.lists import ListQuery, listed
from ecns.api.common.operations import IMAGES, operation
from ecns.api.images import types
from ecns.api.images.login import login
from ecns.api.images.names import from_path
from ecns.api.images.service import Builders, Images
from ecns.identity.caller import Caller
from ecns.identity.workspaces import Workspaces

TAGS = ["1.9 Images"]
ONE = "/images/repositories/{harbor_project_name:str}/{image_name:str}"

DryRunFlag = Annotated[bool, Parameter(description="Change nothing; answer what would be.")]


def provide_images(
    workspaces: Workspaces, builders: Builders, caller: Caller, *, dry_run: DryRunFlag = False
) -> Images:
    """Litestar's dependency `images`."""
    return Images(workspaces, builders, caller, dry_run=dry_run)


@get("/images/repositories", opt=operation("image.list", IMAGES), tags=TAGS)
async def list_images(
    images: Images,
    listing: ListQuery,
    public: Annotated[
        str,
        Parameter(
            description="`true`: images of public workspaces; `false`: of the project's own private ones; "
            "`all`, as without it: both, and everybody's for cloud administrators."
        ),
    ] = "all",
) -> Response[types.Images]:
    """Images of all workspaces that the caller may see, newest first."""
    wanted = None if public.lower() in {"all", ""} else truth(public, "public")
    selection, shown = await images.page(listing, wanted)
    return listed("images", [msgspec.json.encode(one) for one in shown], selection, listing)


@get(f"{ONE}/tags", opt=operation("image.tags", IMAGES), tags=TAGS)
async def list_tags(
    images: Images, listing: ListQuery, harbor_project_name: str, image_name: str
) -> Response[types.Tags]:
    """The versions of an image, the newest first; a name's slashes are sent as `%2F`."""
    selection, shown = await images.tags(harbor_project_name, from_path(image_name), listing)
    return listed("tags", [msgspec.json.encode(one) for one in shown], selection, listing)


@get(ONE, opt=operation("image.show", IMAGES), tags=TAGS)
async def show_image(images: Images, harbor_project_name: str, image_name: str) -> types.ImageInfo:
    """An image, what it takes and how often it was pulled; a name's slashes are sent as `%2F`."""
    return await images.show(harbor_project_name, from_path(image_name))


@put(ONE, opt=operation("image.describe", IMAGES), tags=TAGS)
async def describe_image(
    images: Images, harbor_project_name: str, image_name: str, data: types.Describe
) -> types.ImageInfo:
    """Set an image's description, in Markdown."""
    return await images.describe(harbor_project_name, from_path(image_name), data.description)


@delete("/images/repositories", opt=operation("image.delete", IMAGES), tags=TAGS, status_code=200)
async def delete_images(images: Images, data: types.DeleteImages) -> Response[batches.Batch[None]]:
    """Delete images with all their versions."""
    return await batches.run(
        data.images, images.delete, name=lambda image: f"{image.harbor_project_name}/{image.image_name}"
    )


@delete(f"{ONE}/tags", opt=operation("image.delete_tags", IMAGES), tags=TAGS, status_code=200)
async def delete_tags(
    images: Images, harbor_project_name: str, image_name: str, data: types.DeleteTags
) -> Response[batches.Batch[None]]:
    """Delete versions of an image; what has no version left goes with its last one."""
    results = await images.delete_tags(harbor_project_name, from_path(image_name), data.tags)
    return batches.answer(data.tags, results)


@get("/images/systeminfo/volumes", opt=operation("image.volumes", IMAGES), tags=TAGS)
async def show_volumes(images: Images) -> types.Storage:
    """How large Harbor's storage is, and how much of it is free."""
    return await images.volumes()


@get("/images/system/gc/schedule", opt=operation("image.gc_status", IMAGES), tags=TAGS)
async def collection_status(images: Images) -> types.CollectionStatus:
    """Whether a garbage collection is under way; Harbor tells of the end of one up to 30 s late."""
    return await images.collection()


@post("/images/system/gc/schedule", opt=operation("image.gc_start_stop", IMAGES), tags=TAGS, status_code=200)
async def collect(images: Images, data: types.Collect) -> types.CollectionStatus:
    """Begin a garbage collection, or stop the one that is under way."""
    return await (images.collect() if data.type == "Manual" else images.stop_collecting())


@get("/images/loginfo", opt=operation("image.loginfo", IMAGES), tags=TAGS)
async def login_information(workspaces: Workspaces, caller: Caller) -> types.LoginInfo:
    """An account for `docker login` that may push to all workspaces of the project, and to no other."""
    return await login(workspaces, caller)


ROUTES = [
    list_images,
    list_tags,
    show_image,
    describe_image,
    delete_images,
    delete_tags,
    show_volumes,
    collection_status,
    collect,
    login_information,
]
