"""What is in an archive: the images in it, as a registry takes them; and whether all of it is right.

Three kinds of archives are read: OCI layouts (`docker save` of Docker 25 and later, `podman save --format
oci-archive`, `skopeo copy … oci-archive:`), those with `manifest.json` (`docker save` of Docker 1.10 and
later, `podman save`), and those that Docker wrote before. Everything is checked against the digests that
name it. What the archive had packed is pushed as it is, with its digest; what it had not is pushed packed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from ecns.api.images.upload.spool import Stored
from ecns.api.images.upload.tar import refused

LARGEST = 4 * 1024 * 1024
"""Bytes of a manifest or a configuration; registries take no larger manifest."""
LAYERS = 1000
"""Of one image: more than twice as many as any runtime takes."""
IMAGES = 1000
"""Names that images have in one archive."""
TOGETHER = 32 * 1024 * 1024
"""Bytes of all manifests that are made of one archive: they are kept in memory."""

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"
SUFFIX = {DOCKER_LAYER: ".gzip", DOCKER_FOREIGN: ".gzip", OCI_LAYER: "+gzip", OCI_FOREIGN: "+gzip"}
"""What a layer's media type gets when it is packed."""

JsonObject = dict[str, Any]


class Files(Protocol):
    """The files of an archive."""

    def find(self, name: str) -> Stored | None:
        """The file of a name, links followed."""

    def read(self, stored: Stored, limit: int) -> bytes:
        """A small file."""


class Blob(msgspec.Struct, frozen=True):
    """What is pushed as a blob: bytes that lie somewhere."""

    digest: str
    size: int
    path: Path | None = None
    content: bytes = b""
    """Where it lies nowhere."""


class Node(msgspec.Struct, frozen=True):
    """A manifest or an index, with what has to be there before it."""

    media_type: str
    body: bytes
    digest: str
    blobs: tuple[Blob, ...] = ()
    children: tuple[Node, ...] = ()


class Check(msgspec.Struct, frozen=True):
    """A packed layer, and the digest that its content must have; that costs time and is done at the end."""

    stored: Stored
    diff_id: str


class Image(msgspec.Struct, frozen=True):
    """An image of the archive, and the references that it has there."""

    node: Node
    references: tuple[str, ...]


class Contents(msgspec.Struct):
    """What an archive holds."""

    images: list[Image] = msgspec.field(default_factory=list)
    checks: list[Check] = msgspec.field(default_factory=list)
    together: int = 0
    """Bytes of all manifests."""
    names: int = 0

    def keep(self, node: Node) -> Node:
        """Count a manifest.

        Raises:
            BadRequestError: together they are too much.
        """
        self.together += len(node.body)
        if self.together > TOGETHER:
            raise refused("its manifests are too long together")
        return node

    def add(self, image: Image) -> None:
        """Note an image.

        Raises:
            BadRequestError: there are too many.
        """
        self.images.append(image)
        self.names += max(1, len(image.references))
        if self.names > IMAGES:
            raise refused(f"it names more than {IMAGES} images")


def node(media_type: str, body: bytes, *, blobs: Sequence[Blob] = (), children: Sequence[Node] = ()) -> Node:
    """A manifest or an index."""
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    return Node(media_type, body, digest, tuple(blobs), tuple(children))


def parsed(files: Files, stored: Stored) -> JsonObject:
    """A file that is a JSON object.

    Raises:
        BadRequestError: it is none.
    """
    found = decoded(files.read(stored, LARGEST), stored.name)
    if not isinstance(found, dict):
        raise refused(f"{stored.name!r} is not a JSON object")
    return found


def decoded(body: bytes, name: str) -> Any:
    """JSON of any shape.

    Raises:
        BadRequestError: it is none.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refused(f"{name!r} is not JSON") from error


def encoded(value: Any) -> bytes:
    """JSON in the one form that the same value always has."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def listed(value: Any, what: str) -> list[Any]:
    """A list, of a sensible length.

    Raises:
        BadRequestError: it is none.
    """
    if not isinstance(value, list) or len(value) > LAYERS:
        raise refused(f"{what} is not a list, or too long")
    return value


def text(value: Any, what: str) -> str:
    """A string.

    Raises:
        BadRequestError: it is none.
    """
    if not isinstance(value, str):
        raise refused(f"{what} is not a string")
    return value


def hexadecimal(digest: Any, what: str) -> str:
    """The SHA-256 that a digest names.

    Raises:
        BadRequestError: it is not `sha256:` and 64 digits.
    """
    kind, _, value = text(digest, what).partition(":")
    if kind != "sha256" or len(value) != 64 or value.strip("0123456789abcdef"):  # noqa: PLR2004  SHA-256
        raise refused(f"{what}: {digest!r} is not a SHA-256 digest")
    return value


def configuration(config: JsonObject, name: str) -> list[str]:
    """The digests of the content of an image's layers, from the lowest on.

    Raises:
        BadRequestError: it is not the configuration of an image.
    """
    rootfs = config.get("rootfs")
    if not isinstance(rootfs, dict) or rootfs.get("type") != "layers":
        raise refused(f"{name!r} is not the configuration of an image: it has no layers in rootfs")
    for field in ("architecture", "os"):
        if not isinstance(config.get(field, ""), str):
            raise refused(f"{name!r} is not the configuration of an image: {field} is not a string")
    diff_ids = listed(rootfs.get("diff_ids") or [], f"{name!r}: diff_ids")
    return [hexadecimal(one, f"{name!r}: diff_ids") for one in diff_ids]


def made(content: bytes) -> Blob:
    """Bytes of our own as a blob."""
    return Blob(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), content=content)


def as_pushed(stored: Stored) -> Blob:
    """A file as it is pushed: packed, where it was packed on its way here."""
    if stored.packed:
        return Blob(f"sha256:{stored.packed_digest}", stored.packed_size, stored.path)
    return Blob(f"sha256:{stored.digest}", stored.size, stored.path)


def check_layer(stored: Stored, diff_id: str, name: str) -> list[Check]:
    """See that a layer has the content that its image's configuration names, or say what is to be checked.

    Raises:
        BadRequestError: it has another one, or is no layer.
    """
    if stored.packed or not stored.size:
        if stored.digest != diff_id:
            raise refused(f"layer {name!r} has the digest {stored.digest}, its image says {diff_id}")
        return []
    if stored.compression not in {"gzip", "zstd"}:
        raise refused(f"layer {name!r} is no tar archive, nor one that is compressed with gzip or zstd")
    return [Check(stored, diff_id)]


def descriptor(media_type: str, blob: Blob, **more: Any) -> JsonObject:
    """What a manifest says of a blob."""
    return {"mediaType": media_type, "size": blob.size, "digest": blob.digest, **more}


def manifest(
    media_type: str, config: tuple[str, Blob], layers: Sequence[tuple[JsonObject, Blob | None]]
) -> Node:
    """The manifest of an image.

    Args:
        media_type: of the manifest.
        config: the media type and the bytes of the configuration.
        layers: what the manifest says of each, and the bytes that are pushed, if they are.
    """
    body = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor(*config),
        "layers": [said for said, _ in layers],
    }
    blobs = [config[1], *(blob for _, blob in layers if blob is not None)]
    return node(media_type, encoded(body), blobs=blobs)


def without(value: Mapping[str, Any], *keys: str) -> JsonObject:
    """An object without some of its keys."""
    return {key: one for key, one in value.items() if key not in keys}
