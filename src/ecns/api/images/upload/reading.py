"""From the files of an archive to what is pushed, and under which names."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import msgspec

from ecns.api.common.waiting import all_of
from ecns.api.images import names
from ecns.api.images.upload import docker, oci
from ecns.api.images.upload.archives import Check, Contents, Files, Node
from ecns.api.images.upload.tar import refused
from ecns.api.images.upload.unpacking import PIECE, Budget, Unpacker
from ecns.errors import BadRequestError

if TYPE_CHECKING:
    from ecns.api.images.upload.intake import Fields
    from ecns.api.images.upload.spool import Stored


class Target(msgspec.Struct, frozen=True):
    """An image and a name that it gets."""

    image_name: str
    tag_name: str
    node: Node


def contents(files: Files) -> Contents:
    """What an archive holds.

    Raises:
        BadRequestError: it is no archive of images, or something in it is missing or wrong.
    """
    listing, index, old = (files.find(name) for name in ("manifest.json", "index.json", "repositories"))
    if index is not None:
        try:
            found = oci.read(files, index)
        except oci.MissingError as error:
            if listing is None:
                raise refused(f"blob {error.digest} is missing") from error
        else:
            if listing is None or any(image.references for image in found.images):
                return found
    if listing is not None:
        return docker.read(files, listing)
    if old is not None:
        return docker.read_old(files, old)
    raise refused(
        "it is no archive of images, which has manifest.json (docker save, podman save) or index.json (OCI)"
    )


async def verify(checks: Iterable[Check], budget: Budget, pool: Executor) -> None:
    """See that packed layers have the content that their images name; each is unpacked once.

    Raises:
        BadRequestError: one has another content, or is broken.
        PayloadTooLargeError: they unpack to more than allowed.
    """
    wanted: dict[str, set[str]] = {}
    layers: dict[str, Stored] = {}
    for check in checks:
        wanted.setdefault(check.stored.digest, set()).add(check.diff_id)
        layers[check.stored.digest] = check.stored
    loop = asyncio.get_running_loop()
    found = [loop.run_in_executor(pool, _content, stored, budget) for stored in layers.values()]
    for stored, content in zip(layers.values(), await all_of(*found), strict=True):
        for diff_id in wanted[stored.digest] - {content}:
            raise refused(f"layer {stored.name!r} unpacks to the digest {content}, its image says {diff_id}")


def _content(stored: Stored, budget: Budget) -> str:
    assert stored.compression is not None, "such a layer is checked"  # noqa: S101  a fault of ours
    digest = hashlib.sha256()
    unpacker = Unpacker(stored.compression, budget)
    with stored.path.open("rb", buffering=0) as file:
        while piece := file.read(PIECE):
            for content in unpacker.feed(memoryview(piece)):
                digest.update(content)
    unpacker.finish()
    return digest.hexdigest()


def targets(found: Contents, fields: Fields) -> list[Target]:
    """Under which names the images of an archive are pushed.

    Names that are sent win over those of the archive; of those the registry's host is left out, and the
    workspace if it stands first. What has no tag is `latest`.

    Raises:
        BadRequestError: a name is missing or cannot be, or two images would get the same one.
    """
    workspace = fields.harbor_project_name
    given: dict[tuple[str, str], Node] = {}
    for image in found.images:
        for reference in image.references or ("",):
            name, tag = names.split(reference)
            name = fields.image_name or name.removeprefix(f"{workspace}/")
            if not name:
                raise BadRequestError("image_name: is needed, the archive names no image", field="image_name")
            tag = fields.tag_name or tag or "latest"
            names.check_image(name, workspace, "image_name")
            names.check_tag(tag, "tag_name")
            if given.setdefault((name, tag), image.node).digest != image.node.digest:
                field = "tag_name" if fields.tag_name else "image_name"
                raise BadRequestError(
                    f"{field}: the archive holds several images, which would all be {name}:{tag}",
                    field=field,
                )
    return [Target(name, tag, node) for (name, tag), node in given.items()]
