"""Manifests: what a registry must understand of them, from their text alone.

Sources: https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md and image-index.md,
https://distribution.github.io/distribution/spec/manifest-v2-2/
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from ecns.embedded.harbor.errors import ProblemError
from ecns.embedded.harbor.files import digest_of, is_digest

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
IMAGES = (DOCKER_MANIFEST, OCI_MANIFEST)
INDEXES = (DOCKER_LIST, OCI_INDEX)
IMAGE_CONFIGS = ("application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json")
FOREIGN_LAYERS = (
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
)
"""Layers that are kept elsewhere and need not be here."""
_TYPE = re.compile(r"application/vnd\.[^.]*\.(.*)\.config\.[^.]*\+json")
_TYPES = {
    "application/vnd.cncf.helm.config.v1+json": "CHART",
    "application/vnd.cnab.manifest.v1": "CNAB",
    "application/vnd.wasm.config.v1+json": "WASM",
}
UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Descriptor:
    """What a manifest says of another thing."""

    digest: str
    size: int
    media_type: str
    platform: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    urls: tuple[str, ...] = ()

    @property
    def elsewhere(self) -> bool:
        """Whether it need not be in the registry."""
        return self.media_type in FOREIGN_LAYERS and bool(self.urls)


@dataclass(frozen=True)
class Manifest:
    """A manifest or an index."""

    body: bytes
    digest: str
    media_type: str
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    children: tuple[Descriptor, ...] = ()
    subject: str = ""
    artifact_type: str = ""
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers, in the order they are asked for."""
        return ((self.config,) if self.config else ()) + self.layers

    @property
    def references(self) -> tuple[Descriptor, ...]:
        """Everything that it names."""
        return self.blobs + self.children

    @property
    def kind(self) -> str:
        """The media type of what it is, by which its type is told: the config's, or that of an index."""
        if self.config is None:
            return self.annotations.get("org.opencontainers.artifactType") or self.media_type
        return self.config.media_type

    @property
    def type(self) -> str:
        """What it is called: IMAGE, CHART and so on."""
        if self.kind in INDEXES or self.kind in IMAGE_CONFIGS:
            return "IMAGE"
        if known := _TYPES.get(self.kind):
            return known
        found = _TYPE.fullmatch(self.kind)
        return found[1].upper() if found else UNKNOWN

    @property
    def referrer_type(self) -> str:
        """What a list of referrers calls its type: artifactType, or else the config's media type."""
        return self.artifact_type or (self.config.media_type if self.config else "")


def media_type_of(header: str) -> str:
    """The media type in a Content-Type header."""
    return header.partition(";")[0].strip().lower()


def _wrong(message: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, f"unmarshal manifest failed: {message}", "MANIFEST_INVALID")


def _no_number(text: str) -> float:
    """Raise for what Python takes for a number and JSON does not."""
    raise ValueError(text)


def _document(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise _wrong("unexpected end of JSON input")
    try:
        document = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _wrong(_go_complaint(body.decode("utf-8", "replace"))) from error
    if not isinstance(document, dict):
        raise _wrong("json: cannot unmarshal what is no object into Go value of type struct")
    return document


def _go_complaint(text: str) -> str:
    """What Go says of a text that is no JSON; of the common cases alone, as it does."""
    stripped = text.lstrip()
    for literal in ("null", "true", "false"):
        if stripped[:1] != literal[0]:
            continue
        for found, wanted in zip(stripped[1:], literal[1:], strict=False):
            if found != wanted:
                return f"invalid character '{found}' in literal {literal} (expecting '{wanted}')"
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :].lstrip()
        if not rest or "Unterminated" in error.msg:
            return "unexpected end of JSON input"
        return f"invalid character '{rest[0]}' looking for beginning of value"
    except (ValueError, RecursionError):
        pass
    return "exceeded max depth"


def _descriptor(value: Any) -> Descriptor:
    if not isinstance(value, dict):
        raise _wrong("a descriptor is no object")
    digest, size, media_type = value.get("digest", ""), value.get("size", 0), value.get("mediaType", "")
    if not isinstance(digest, str) or not is_digest(digest):
        raise _wrong(f"invalid checksum digest format: {json.dumps(digest)}")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 2**63:
        raise _wrong(f"the size of {digest} is no size")
    if not isinstance(media_type, str):
        raise _wrong(f"the mediaType of {digest} is no text")
    platform = value.get("platform")
    urls = value.get("urls")
    return Descriptor(
        digest,
        size,
        media_type,
        platform if isinstance(platform, dict) else {},
        _annotations(value.get("annotations")),
        tuple(str(url) for url in urls) if isinstance(urls, list) else (),
    )


def _annotations(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise _wrong("annotations are not texts")
    return value


def _descriptors(value: Any) -> tuple[Descriptor, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _wrong("a list of descriptors is no list")
    return tuple(_descriptor(item) for item in value)


def parse(content_type: str, body: bytes) -> Manifest:
    """A manifest of a media type.

    Raises:
        ProblemError: 400 MANIFEST_INVALID, its type is not known or it is not of that type.
    """
    media_type = media_type_of(content_type)
    if media_type not in IMAGES + INDEXES:
        _document(body)
        raise _wrong(
            "missing signature key"
        )  # what is of no known type is taken for a signed manifest of old
    document = _document(body)
    said = document.get("mediaType")
    if said != media_type and (said or media_type in (DOCKER_MANIFEST, DOCKER_LIST)):
        present = "if present, " if media_type in (OCI_MANIFEST, OCI_INDEX) else ""
        raise _wrong(f"{present}mediaType in manifest should be '{media_type}' not '{said or ''}'")
    subject = document.get("subject")
    artifact_type = document.get("artifactType") or ""
    if not isinstance(artifact_type, str):
        raise _wrong("artifactType is no text")
    index = media_type in INDEXES
    if any(
        document.get(key) is not None
        for key in (("config", "layers") if index else ("manifests", "fsLayers"))
    ):
        raise _wrong("expected index but found image" if index else "expected manifest but found index")
    if not index and document.get("config") is None:
        raise _wrong("a manifest needs a config")
    return Manifest(
        body,
        digest_of(body),
        media_type,
        None if index else _descriptor(document["config"]),
        () if index else _descriptors(document.get("layers")),
        _descriptors(document.get("manifests")) if index else (),
        _descriptor(subject).digest if subject is not None else "",
        artifact_type,
        _annotations(document.get("annotations")),
    )


def shown_platform(platform: dict[str, Any]) -> dict[str, Any] | None:
    """The platform of an index's child as the API shows it."""
    if not platform:
        return None
    shown = {"OsFeatures": platform.get("os.features")}
    shown |= {
        key: platform[key] for key in ("architecture", "os", "os.version", "variant") if platform.get(key)
    }
    return shown


def image_attributes(config: Any) -> dict[str, Any]:
    """What the API tells of an image's config."""
    if not isinstance(config, dict):
        return {}
    inner = config.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    author = config.get("author") or ""
    if not author and isinstance(labels, dict):
        author = labels.get("org.opencontainers.image.authors") or labels.get("maintainer") or ""
    return {
        "architecture": config.get("architecture", ""),
        "author": author,
        "config": inner if isinstance(inner, dict) else {},
        "created": config.get("created"),
        "os": config.get("os", ""),
    }


def named(manifest: Manifest, digest: str) -> Manifest:
    """A manifest under a digest of another algorithm than the usual one."""
    return replace(manifest, digest=digest)
