"""Images of one static busybox, made by hand, as archives of both kinds."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def hexadecimal(content: bytes) -> str:
    """The SHA-256 of a content."""
    return hashlib.sha256(content).hexdigest()


def _entry(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def layer() -> bytes:
    """A layer with busybox and two of its names."""
    program = shutil.which("busybox")
    assert program is not None, "its test is skipped when it is not there"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        _entry(archive, "bin/busybox", Path(program).read_bytes(), 0o755)
        for name in ("sh", "ls"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return packed.getvalue()


def config(layers: list[bytes], architecture: str = "amd64") -> bytes:
    """The config of an image."""
    return json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hexadecimal(item)}" for item in layers]},
            "history": [{"created_by": "by hand"}],
        }
    ).encode()


def docker_archive(path: Path, tag: str) -> None:
    """What `docker save` writes."""
    content = layer()
    settings = config([content])
    listed = {
        "Config": f"{hexadecimal(settings)}.json",
        "RepoTags": [tag],
        "Layers": [f"{hexadecimal(content)}/layer.tar"],
    }
    with tarfile.open(path, "w") as archive:
        _entry(archive, listed["Config"], settings)
        _entry(archive, listed["Layers"][0], content)
        _entry(archive, "manifest.json", json.dumps([listed]).encode())


def _descriptor(content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{hexadecimal(content)}", "size": len(content), **more}


def oci_archive(path: Path, tag: str, architectures: tuple[str, ...] = ("amd64",)) -> str:
    """An OCI layout in an archive; the digest of what the tag names: a manifest, or an index of several."""
    raw = layer()
    packed = gzip.compress(raw, mtime=0)
    blobs = {hexadecimal(packed): packed}
    manifests = []
    for architecture in architectures:
        settings = config([raw], architecture)
        body = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _descriptor(settings, CONFIG),
                "layers": [_descriptor(packed, LAYER)],
            }
        ).encode()
        blobs |= {hexadecimal(settings): settings, hexadecimal(body): body}
        manifests.append(_descriptor(body, MANIFEST, platform={"architecture": architecture, "os": "linux"}))
    named = manifests[0]
    if len(architectures) > 1:
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
        blobs[hexadecimal(index)] = index
        named = _descriptor(index, INDEX)
    top = {**named, "annotations": {"org.opencontainers.image.ref.name": tag}}
    with tarfile.open(path, "w") as archive:
        _entry(archive, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        _entry(archive, "index.json", json.dumps({"schemaVersion": 2, "manifests": [top]}).encode())
        for name, content in blobs.items():
            _entry(archive, f"blobs/sha256/{name}", content)
    return str(named["digest"])
