"""Archives as the tools write them, made of a few bytes; and broken ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Content = Mapping[str, bytes]


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest(content: bytes) -> str:
    return f"sha256:{sha(content)}"


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def layer(**files: bytes) -> bytes:
    """A layer: a tar archive of some files."""
    return tar(files)


def tar(
    files: Mapping[str, bytes | tarfile.TarInfo], kind: int = tarfile.PAX_FORMAT, *, plain: bool = True
) -> bytes:
    """A tar archive; a TarInfo is a member without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue() if plain else gzip.compress(buffer.getvalue())


def link(name: str, target: str, *, hard: bool = False) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
    info.linkname = target
    return info


def config(layers: Sequence[bytes], **more: Any) -> bytes:
    """The configuration of an image with these layers, which are not compressed."""
    return dumped(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2024-01-02T03:04:05Z",
            "docker_version": "24.0.7",
            "config": {"Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in layers]},
            **more,
        }
    )


LAYERS = (layer(**{"bin/sh": b"#!" * 5000}), layer(**{"etc/hosts": b"127.0.0.1 localhost\n"}))
CONFIG = config(LAYERS)


def saved(
    layers: Sequence[bytes] = LAYERS, tags: Sequence[str] | None = ("app:1",), **more: Any
) -> dict[str, Any]:
    """What `docker save` of Docker 1.10 to 24 wrote."""
    image = config(layers, **more)
    files: dict[str, Any] = {}
    names = []
    for at, one in enumerate(layers):
        folder = sha(f"{at} {sha(one)}".encode())
        files |= {f"{folder}/VERSION": b"1.0", f"{folder}/json": dumped({"id": folder})}
        files[f"{folder}/layer.tar"] = one
        names.append(f"{folder}/layer.tar")
    files[f"{sha(image)}.json"] = image
    entry = {"Config": f"{sha(image)}.json", "RepoTags": list(tags) if tags else None, "Layers": names}
    files["manifest.json"] = dumped([entry])
    return files


def podman(layers: Sequence[bytes] = LAYERS, tags: Sequence[str] = ("localhost/app:1",)) -> dict[str, Any]:
    """What `podman save` and `skopeo copy … docker-archive:` write: links beside the layers."""
    image = config(layers)
    files: dict[str, Any] = {}
    for at, one in enumerate(layers):
        files[f"{sha(one)}.tar"] = one
        folder = sha(f"{at}".encode())
        files[f"{folder}/layer.tar"] = link(f"{folder}/layer.tar", f"../{sha(one)}.tar")
    names = [f"{sha(one)}.tar" for one in layers]
    files[f"{sha(image)}.json"] = image
    files["manifest.json"] = dumped(
        [{"Config": f"{sha(image)}.json", "RepoTags": list(tags), "Layers": names}]
    )
    return files


def old(layers: Sequence[bytes] = LAYERS, name: str = "app", tag: str = "1") -> dict[str, Any]:
    """What Docker wrote before 1.10: no manifest.json, and each layer an image of its own."""
    files: dict[str, Any] = {}
    parent = ""
    for at, one in enumerate(layers):
        id_ = sha(f"{at}".encode())
        said: dict[str, Any] = {
            "id": id_,
            "created": "2015-01-02T03:04:05Z",
            "container_config": {"Cmd": ["/bin/sh", "-c", f"#(nop) {at}"]},
            "docker_version": "1.7.1",
            "architecture": "amd64",
            "os": "linux",
            "Size": len(one),
        }
        if parent:
            said["parent"] = parent
        files |= {f"{id_}/VERSION": b"1.0", f"{id_}/json": dumped(said), f"{id_}/layer.tar": one}
        parent = id_
    files["repositories"] = dumped({name: {tag: parent}})
    return files


OCI = "application/vnd.oci.image"


def described(content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content), **more}


class Layout:
    """An OCI layout in the making."""

    def __init__(self) -> None:
        self.files: dict[str, Any] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def blob(self, content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        self.files[f"blobs/sha256/{sha(content)}"] = content
        return described(content, media_type, **more)

    def image(
        self, layers: Sequence[bytes] = LAYERS, *, pack: str = "", platform: str = "amd64", **more: Any
    ) -> dict[str, Any]:
        """An image; `pack` is gzip, zstd or empty."""
        packed = [_packed(one, pack) for one in layers]
        ending = f"+{pack}" if pack else ""
        body = dumped(
            {
                "schemaVersion": 2,
                "mediaType": f"{OCI}.manifest.v1+json",
                "config": self.blob(config(layers, architecture=platform), f"{OCI}.config.v1+json"),
                "layers": [self.blob(one, f"{OCI}.layer.v1.tar{ending}") for one in packed],
                "annotations": {"kept": "as it was"},
            }
        )
        return self.blob(
            body,
            f"{OCI}.manifest.v1+json",
            platform={"architecture": platform, "os": "linux"},
            **more,
        )

    def index(self, entries: Iterable[dict[str, Any]], **more: Any) -> dict[str, Any]:
        body = dumped({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": list(entries)})
        return self.blob(body, f"{OCI}.index.v1+json", **more)

    def done(self, *entries: dict[str, Any]) -> dict[str, Any]:
        self.files["index.json"] = dumped({"schemaVersion": 2, "manifests": list(entries)})
        return self.files


def _packed(content: bytes, pack: str) -> bytes:
    if pack == "gzip":
        return gzip.compress(content, mtime=7)
    if pack == "zstd":
        from backports import zstd  # noqa: PLC0415  only here

        return zstd.compress(content)
    return content


def named(reference: str) -> dict[str, Any]:
    """The annotations that Docker and containerd write."""
    tag = reference.rpartition(":")[2]
    return {
        "annotations": {
            "io.containerd.image.name": reference,
            "org.opencontainers.image.ref.name": tag,
        }
    }


def docker25(layers: Sequence[bytes] = LAYERS, reference: str = "docker.io/library/app:1") -> dict[str, Any]:
    """What `docker save` of Docker 25 and later writes: a layout with manifest.json beside it."""
    layout = Layout()
    entry = layout.image(layers, **named(reference))
    files = layout.done(entry)
    image = config(layers)
    files["manifest.json"] = dumped(
        [
            {
                "Config": f"blobs/sha256/{sha(image)}",
                "RepoTags": [reference.removeprefix("docker.io/library/")],
                "Layers": [f"blobs/sha256/{sha(one)}" for one in layers],
            }
        ]
    )
    return files
