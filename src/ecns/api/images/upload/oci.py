"""OCI layouts: `index.json` and blobs that are named by their digests.

Source: https://github.com/opencontainers/image-spec/blob/main/image-layout.md; the names that containerd and
Docker write: https://github.com/containerd/containerd/blob/main/core/images/annotations.go
"""

from __future__ import annotations

from ecns.api.images.upload.archives import (
    LARGEST,
    OCI_INDEX,
    SUFFIX,
    Blob,
    Contents,
    Files,
    Image,
    JsonObject,
    Node,
    as_pushed,
    check_layer,
    configuration,
    decoded,
    encoded,
    hexadecimal,
    listed,
    parsed,
    text,
)
from ecns.api.images.upload.archives import node as made_node
from ecns.api.images.upload.spool import Stored
from ecns.api.images.upload.tar import refused

NAME = "io.containerd.image.name"
"""A whole reference."""
REFERENCE = "org.opencontainers.image.ref.name"
"""A tag, or a whole reference."""
ATTESTED = "vnd.docker.reference.digest"
"""Of an attestation: the manifest that it is about."""
DEPTH = 3
INDEXES = {OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"}
CONFIGURATIONS = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
}
_LAYERS = {f"{kind}{ending}" for kind in SUFFIX for ending in ("", ".gzip", "+gzip", ".zstd", "+zstd")}


class MissingError(Exception):
    """A blob is not in the archive, which may hold an image for one platform of several."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest)
        self.digest = digest


def read(files: Files, index: Stored) -> Contents:
    """The images that `index.json` lists.

    Raises:
        BadRequestError: something is wrong, or missing of all.
        MissingError: something is missing of an image.
    """
    entries = [_object(one) for one in listed(parsed(files, index).get("manifests") or [], "'index.json'")]
    if not entries:
        raise refused("'index.json' lists no image")
    layout = _Layout(files)
    if len(entries) > 1 and all(entry.get("platform") and not _reference(entry) for entry in entries):
        # One image for several platforms, whose index is the layout's own.
        body = encoded({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
        layout.contents.add(Image(layout.index(OCI_INDEX, body, 0), ()))
        return layout.contents
    references: dict[str, list[str]] = {}
    nodes: dict[str, Node] = {}
    for entry in entries:
        digest = text(entry.get("digest"), "'index.json': digest")
        if digest not in nodes:
            nodes[digest] = layout.node(entry, 0)
        references.setdefault(digest, []).extend(filter(None, [_reference(entry)]))
    for digest, node in nodes.items():
        layout.contents.add(Image(node, tuple(dict.fromkeys(references[digest]))))
    return layout.contents


def _object(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise refused("'index.json' is not a list of objects")
    return value


def _reference(entry: JsonObject) -> str:
    annotations = entry.get("annotations")
    if not isinstance(annotations, dict):
        return ""
    found = annotations.get(NAME) or annotations.get(REFERENCE) or ""
    if not isinstance(found, str):
        return ""
    # A bare word is a tag: of a whole reference it would be the name.
    return found if NAME in annotations or "/" in found or ":" in found else f":{found}"


class _Layout:
    """One layout, as far as it was read."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.contents = Contents()
        self._nodes: dict[str, Node | MissingError] = {}
        """What was read, by digest: indexes may name the same thing again and again."""

    def node(self, entry: JsonObject, depth: int) -> Node:
        """What a descriptor names, with all that belongs to it."""
        digest = str(entry.get("digest"))
        found = self._nodes.get(digest)
        if found is None:
            try:
                found = self._read(entry, depth)
            except MissingError as error:
                found = error
            self._nodes[digest] = found
        if isinstance(found, MissingError):
            raise found
        return found

    def _read(self, entry: JsonObject, depth: int) -> Node:
        stored = self._blob(entry)
        body = self.files.read(stored, LARGEST)
        found = decoded(body, stored.name)
        if not isinstance(found, dict):
            raise refused(f"{stored.name!r} is not a manifest")
        said = entry.get("mediaType")
        media_type = found.get("mediaType") or said
        if not isinstance(media_type, str) or (isinstance(said, str) and said != media_type):
            raise refused(f"{stored.name!r} is of the media type {media_type!r}, and named as {said!r}")
        if "manifests" in found or media_type in INDEXES:
            return self.index(media_type, body, depth)
        if "layers" not in found or "config" not in found:
            raise refused(f"{stored.name!r} is not a manifest")
        return self._manifest(media_type, body, found)

    def index(self, media_type: str, body: bytes, depth: int) -> Node:
        """An index, of those of its manifests that are here; of a single one that is left, that one."""
        if depth >= DEPTH:
            raise refused("its indexes are nested too deeply")
        found = decoded(body, "index")
        entries = [_object(one) for one in listed(found.get("manifests") or [], "an index: manifests")]
        kept: list[tuple[JsonObject, Node]] = []
        became: dict[str, str] = {}
        missing = ""
        for entry in entries:
            try:
                node = self.node(entry, depth + 1)
            except MissingError as error:
                missing = error.digest
                continue
            became[str(entry["digest"])] = node.digest
            kept.append((entry, node))
        kept = [(entry, node) for entry, node in kept if _subject(entry) in {"", *became}]
        if not kept:
            raise MissingError(missing or "of an index")
        if len(kept) == 1 < len(entries):
            return kept[0][1]
        manifests = [_descriptor(entry, node, became) for entry, node in kept]
        if manifests != entries:
            body = encoded({**found, "manifests": manifests})
        return self.contents.keep(made_node(media_type, body, children=[node for _, node in kept]))

    def _manifest(self, media_type: str, body: bytes, found: JsonObject) -> Node:
        config_entry = _object(found["config"])
        config = self._blob(config_entry)
        if config.packed:
            raise refused(f"{config.name!r} is a tar archive, and no configuration")
        entries = [_object(one) for one in listed(found["layers"], "a manifest: layers")]
        diff_ids: list[str] = []
        # What is no image (a signature, an attestation) may have an image's configuration, too.
        filesystem = not entries or any(entry.get("mediaType") in _LAYERS for entry in entries)
        if filesystem and config_entry.get("mediaType") in CONFIGURATIONS:
            diff_ids = configuration(parsed(self.files, config), config.name)
            if len(diff_ids) != len(entries):
                raise refused(
                    f"a manifest lists {len(entries)} layers, the configuration of the image {len(diff_ids)}"
                )
        layers = [self._layer(entry, diff_ids[at] if diff_ids else "") for at, entry in enumerate(entries)]
        said = [one for one, _ in layers]
        if said != entries:
            body = encoded({**found, "mediaType": media_type, "layers": said})
        blobs = [as_pushed(config), *(blob for _, blob in layers if blob is not None)]
        return self.contents.keep(made_node(media_type, body, blobs=blobs))

    def _layer(self, entry: JsonObject, diff_id: str) -> tuple[JsonObject, Blob | None]:
        media_type = text(entry.get("mediaType"), "a layer: mediaType")
        try:
            stored = self._blob(entry)
        except MissingError:
            if entry.get("urls"):
                return entry, None  # it is fetched from its maker
            raise
        if media_type in _LAYERS:
            if diff_id:
                self.contents.checks += check_layer(stored, diff_id, stored.name)
        elif stored.packed:
            raise refused(f"{stored.name!r} is a tar archive, and of the media type {media_type!r}")
        blob = as_pushed(stored)
        if stored.packed:
            plain = next(kind for kind in SUFFIX if media_type.startswith(kind))
            packed = f"{plain}{SUFFIX[plain]}"
            return {**entry, "mediaType": packed, "digest": blob.digest, "size": blob.size}, blob
        return entry, blob

    def _blob(self, entry: JsonObject) -> Stored:
        digest = hexadecimal(entry.get("digest"), "a descriptor: digest")
        stored = self.files.find(f"blobs/sha256/{digest}")
        if stored is None:
            raise MissingError(digest)
        if stored.digest != digest:
            raise refused(f"{stored.name!r} has another digest than its name: {stored.digest}")
        if entry.get("size") != stored.size:
            raise refused(f"{stored.name!r} has {stored.size} bytes, and not {entry.get('size')!r}")
        return stored


def _subject(entry: JsonObject) -> str:
    annotations = entry.get("annotations")
    subject = annotations.get(ATTESTED, "") if isinstance(annotations, dict) else ""
    return subject if isinstance(subject, str) else ""


def _descriptor(entry: JsonObject, node: Node, became: dict[str, str]) -> JsonObject:
    """What an index says of a manifest that may have changed."""
    made = {**entry, "digest": node.digest, "size": len(node.body)}
    if (subject := _subject(entry)) and became[subject] != subject:
        made["annotations"] = {**entry["annotations"], ATTESTED: became[subject]}
    return made
