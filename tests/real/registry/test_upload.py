"""ECNS pushes what skopeo writes, to each registry, and skopeo gets back what it wrote."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from ecns.backends.harbor import registry as ours
from tests.api.images.upload import driving
from tests.backends.harbor.servers import client as harbor_client
from tests.real.registry import images
from tests.real.registry.conftest import Registry, need
from tests.real.registry.test_skopeo import Skopeo, run

if TYPE_CHECKING:
    from ecns.api.images.upload.service import Uploads

WRITTEN: dict[str, list[str]] = {
    "docker-archive": [],
    "oci-archive": [],
    "oci-archive-zstd": ["--dest-compress-format", "zstd"],
}


@pytest.fixture
def skopeo(registry: Registry) -> Skopeo:
    need("skopeo", "busybox")
    return Skopeo(registry)


@pytest_asyncio.fixture
async def uploads(registry: Registry, tmp_path: Path) -> AsyncIterator[Uploads]:
    facts = registry.harbor.facts if registry.harbor else {"username": "", "password": ""}
    settings = {"username": facts["username"], "password": facts["password"]}
    async with harbor_client(registry.client.url, tmp_path, **settings) as harbor:
        with driving.uploads(ours.Registry(harbor.transport), tmp_path / "uploads") as shared:
            yield shared


def written(tmp_path: Path, kind: str) -> bytes:
    """An archive as skopeo writes it, of an image of busybox."""
    saved = tmp_path / "saved.tar"
    images.docker_archive(saved, "busybox:1")
    target = tmp_path / f"{kind}.tar"
    transport = kind.removesuffix("-zstd")
    run("copy", *WRITTEN[kind], f"docker-archive:{saved}", f"{transport}:{target}:quay.io/some/app:2")
    return target.read_bytes()


def layer_of(folder: Path) -> tuple[dict[str, Any], bytes]:
    """The manifest of an image in a directory, and its only layer unpacked."""
    manifest = json.loads((folder / "manifest.json").read_text())
    (layer,) = manifest["layers"]
    content = (folder / layer["digest"].removeprefix("sha256:")).read_bytes()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == layer["digest"]
    if content[:2] == b"\x1f\x8b":
        return manifest, gzip.decompress(content)
    from backports import zstd  # noqa: PLC0415  only here

    return manifest, zstd.decompress(content)


@pytest.mark.parametrize("kind", WRITTEN)
async def test_what_skopeo_wrote_comes_back(
    skopeo: Skopeo, uploads: Uploads, tmp_path: Path, kind: str
) -> None:
    archive = written(tmp_path, kind)
    (image,) = (await driving.push(uploads, archive, harbor_project_name="library")).images
    assert (image.image_name, image.tag_name) == ("some/app", "2")
    skopeo.pull("library/some/app:2", f"dir:{tmp_path}/out")
    manifest, content = layer_of(tmp_path / "out")
    assert content == images.layer()
    config = manifest["config"]["digest"].removeprefix("sha256:")
    assert json.loads((tmp_path / "out" / config).read_text()) == json.loads(images.config([content]))
    again = (await driving.push(uploads, archive, harbor_project_name="library")).images[0]
    assert again.digest == image.digest
    assert (again.blobs_pushed, again.blobs_present) == (0, 2)


async def test_compressed_as_a_whole(skopeo: Skopeo, uploads: Uploads, tmp_path: Path) -> None:
    archive = written(tmp_path, "docker-archive")
    plain = (await driving.push(uploads, archive, harbor_project_name="library")).images[0]
    packed = (await driving.push(uploads, gzip.compress(archive), harbor_project_name="library")).images[0]
    assert packed.digest == plain.digest
    assert skopeo.ask("inspect", "library/some/app:2")["Digest"] == plain.digest
