"""What is read from the archives that the tools write, and what is refused."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ecns.api.images.upload import reading
from ecns.api.images.upload.archives import DOCKER_MANIFEST, Contents, Node
from ecns.api.images.upload.intake import Archive, Fields
from ecns.api.images.upload.pushing import blobs_of, manifests_of
from ecns.api.images.upload.spool import Spool
from ecns.api.images.upload.unpacking import Budget
from ecns.errors import BadRequestError, PayloadTooLargeError
from tests.api.images.upload import making
from tests.api.images.upload.making import CONFIG, LAYERS, Layout, digest, dumped, named, sha

Read = Callable[..., Contents]


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    """Reads an archive; its layers are checked too."""
    with ThreadPoolExecutor(2) as pool:
        made: list[Spool] = []

        def take(files: dict[str, Any], limit: int = 1 << 30) -> Contents:
            folder = tmp_path / str(len(made))
            folder.mkdir()
            budget = Budget(limit)
            made.append(Spool(folder, pool, 2))
            archive = Archive(made[-1], budget)
            archive.feed(memoryview(making.tar(files)))
            archive.finish()
            found = reading.contents(made[-1])
            asyncio.run(reading.verify(found.checks, budget, pool))
            return found

        yield take
        for spool in made:
            spool.close()


def blob(node: Node, wanted: str) -> bytes:
    found = blobs_of([node])[wanted]
    content = found.content or (found.path.read_bytes() if found.path else b"")
    assert digest(content) == wanted
    assert len(content) == found.size
    return content


def check_image(node: Node, layers: list[bytes], *, same: bool = False) -> dict[str, Any]:
    """That a manifest names these layers, each with its content, and a configuration that fits."""
    body: dict[str, Any] = json.loads(node.body)
    config = json.loads(blob(node, body["config"]["digest"]))
    assert config["rootfs"]["diff_ids"] == [digest(one) for one in layers]
    assert len(body["layers"]) == len(layers)
    for said, layer in zip(body["layers"], layers, strict=True):
        content = blob(node, said["digest"])
        assert len(content) == said["size"]
        if not same:
            assert gzip.decompress(content) == layer
            assert said["mediaType"].endswith("gzip")
    return body


@pytest.mark.parametrize(
    ("files", "references"),
    [
        (making.saved(), ("app:1",)),
        (making.saved(tags=["a:1", "b/c:2"]), ("a:1", "b/c:2")),
        (making.saved(tags=None), ()),
        (making.podman(), ("localhost/app:1",)),
        (making.old(), ("app:1",)),
        (making.docker25(), ("docker.io/library/app:1",)),
    ],
    ids=["docker", "two tags", "by id", "podman", "before 1.10", "docker 25"],
)
def test_what_the_tools_write(read: Read, files: dict[str, Any], references: tuple[str, ...]) -> None:
    (image,) = read(files).images
    assert image.references == references
    check_image(image.node, list(LAYERS))


def test_a_configuration_is_kept_as_it_is(read: Read) -> None:
    (image,) = read(making.saved()).images
    body = json.loads(image.node.body)
    assert body["config"]["digest"] == digest(CONFIG), "the id of the image stays"
    assert image.node.media_type == body["mediaType"] == DOCKER_MANIFEST


def test_the_same_archive_gives_the_same_digests(read: Read) -> None:
    first, second = (read(making.saved()).images[0].node for _ in range(2))
    assert first.digest == second.digest
    assert read(making.podman()).images[0].node.digest == first.digest, "whoever wrote it"


def test_an_old_archives_images_are_put_together(read: Read) -> None:
    (image,) = read(making.old()).images
    config = json.loads(blob(image.node, json.loads(image.node.body)["config"]["digest"]))
    assert "parent" not in config
    assert config["docker_version"] == "1.7.1"
    assert [one["created_by"] for one in config["history"]] == ["/bin/sh -c #(nop) 0", "/bin/sh -c #(nop) 1"]


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_a_packed_layout_is_pushed_byte_for_byte(read: Read, pack: str) -> None:
    layout = Layout()
    entry = layout.image(pack=pack, **named("quay.io/some/app:1"))
    files = layout.done(entry)
    (image,) = read(files).images
    assert image.node.digest == entry["digest"]
    assert image.node.body == files[f"blobs/sha256/{entry['digest'].partition(':')[2]}"]
    assert all(digest(blob(image.node, one)) == one for one in blobs_of([image.node]))


def test_an_unpacked_layout_is_packed_and_keeps_the_rest(read: Read) -> None:
    layout = Layout()
    (image,) = read(layout.done(layout.image(**named("app:1")))).images
    body = check_image(image.node, list(LAYERS))
    assert body["annotations"] == {"kept": "as it was"}
    assert {one["mediaType"] for one in body["layers"]} == {f"{making.OCI}.layer.v1.tar+gzip"}


def test_packed_layers_of_a_docker_archive_stay(read: Read) -> None:
    """As Jib and Bazel write them."""
    files = making.saved()
    packed = {name: gzip.compress(one) if name.endswith("layer.tar") else one for name, one in files.items()}
    (image,) = read(packed).images
    check_image(image.node, list(LAYERS))
    said = [one["digest"] for one in json.loads(image.node.body)["layers"]]
    assert said == [digest(one) for name, one in packed.items() if name.endswith("layer.tar")]


def test_several_platforms(read: Read) -> None:
    layout = Layout()
    arm = [making.layer(b=b"arm")]
    index = layout.index(
        [layout.image(pack="gzip"), layout.image(arm, platform="arm64", pack="gzip")], **named("m:1")
    )
    files = layout.done(index)
    (image,) = read(files).images
    assert image.node.digest == index["digest"]
    assert [len(one.children) for one in manifests_of(image.node)] == [0, 0, 2]
    layout = Layout()
    index = layout.index([layout.image(), layout.image(arm, platform="arm64")], **named("m:1"))
    (image,) = read(layout.done(index)).images
    assert image.node.digest != index["digest"], "its layers were packed, so all that names them changed"
    said = json.loads(image.node.body)["manifests"]
    assert [one["digest"] for one in said] == [one.digest for one in image.node.children]
    assert [one["platform"]["architecture"] for one in said] == ["amd64", "arm64"]
    for child, layers in zip(image.node.children, (list(LAYERS), arm), strict=True):
        check_image(child, layers)


def test_platforms_that_lie_in_the_layouts_own_index(read: Read) -> None:
    layout = Layout()
    one, two = layout.image(pack="gzip"), layout.image([making.layer(b=b"x")], platform="arm64", pack="gzip")
    (image,) = read(layout.done(one, two)).images
    assert [child.digest for child in image.node.children] == [one["digest"], two["digest"]]


def _attested(layout: Layout, subject: dict[str, Any]) -> dict[str, Any]:
    statement = b'{"_type":"https://in-toto.io/Statement/v0.1"}'
    kind = "application/vnd.in-toto+json"
    config = dumped(
        {
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(statement)]},
        }
    )
    body = dumped(
        {
            "schemaVersion": 2,
            "mediaType": f"{making.OCI}.manifest.v1+json",
            "config": layout.blob(config, f"{making.OCI}.config.v1+json"),
            "layers": [layout.blob(statement, kind)],
        }
    )
    about = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": subject["digest"],
    }
    return layout.blob(body, f"{making.OCI}.manifest.v1+json", annotations=about)


@pytest.mark.parametrize("pack", ["", "gzip"])
def test_attestations_go_along_and_name_what_is_pushed(read: Read, pack: str) -> None:
    layout = Layout()
    subject = layout.image(pack=pack)
    index = layout.index([subject, _attested(layout, subject)], **named("a:1"))
    (image,) = read(layout.done(index)).images
    said = json.loads(image.node.body)["manifests"]
    assert said[1]["annotations"]["vnd.docker.reference.digest"] == said[0]["digest"]
    assert (image.node.digest == index["digest"]) is (pack == "gzip")


def test_a_signature_with_the_configuration_of_an_image_is_no_image(read: Read) -> None:
    layout = Layout()
    body = {
        "schemaVersion": 2,
        "mediaType": f"{making.OCI}.manifest.v1+json",
        "config": layout.blob(making.config([]), f"{making.OCI}.config.v1+json"),
        "layers": [layout.blob(b"signed", "application/vnd.dev.cosign.simplesigning.v1+json")],
    }
    entry = layout.blob(dumped(body), f"{making.OCI}.manifest.v1+json", **named("a:sha256-1.sig"))
    (image,) = read(layout.done(entry)).images
    assert image.node.digest == entry["digest"]


def test_platforms_that_are_missing_are_left_out(read: Read) -> None:
    """`docker save` of an image that was pulled for one platform: the index names all."""
    layout = Layout()
    here = layout.image(pack="gzip")
    gone = Layout().image([making.layer(z=b"gone")], platform="s390x", pack="gzip")
    index = layout.index([gone, here, _attested(layout, gone)], **named("app:1"))
    (image,) = read(layout.done(index)).images
    assert image.node.digest == here["digest"]
    assert image.references == ("app:1",)
    layout = Layout()
    here, too = layout.image(pack="gzip"), layout.image([making.layer(y=b"y")], platform="arm64", pack="gzip")
    index = layout.index([gone, here, too], **named("app:1"))
    (image,) = read(layout.done(index)).images
    assert [one["digest"] for one in json.loads(image.node.body)["manifests"]] == [
        here["digest"],
        too["digest"],
    ]


def test_a_layout_that_is_not_whole_is_read_by_its_docker_listing(read: Read) -> None:
    files = making.docker25()
    entry = json.loads(files["index.json"])["manifests"][0]
    del files[f"blobs/sha256/{entry['digest'].partition(':')[2]}"]
    (image,) = read(files).images
    assert image.node.media_type == DOCKER_MANIFEST
    check_image(image.node, list(LAYERS))


def test_several_images_in_one_file(read: Read) -> None:
    one, two = making.saved(), making.saved([making.layer(c=b"c")], tags=["other/thing:2"])
    files = {**one, **two}
    files["manifest.json"] = dumped([*json.loads(one["manifest.json"]), *json.loads(two["manifest.json"])])
    found = read(files)
    assert [image.references for image in found.images] == [("app:1",), ("other/thing:2",)]
    layout = Layout()
    entries = [layout.image(**named("a:1")), layout.image([LAYERS[0]], **named("b:2"))]
    again = {**entries[0], **named("a:latest")}
    found = read(layout.done(*entries, again))
    assert [image.references for image in found.images] == [("a:1", "a:latest"), ("b:2",)]


def test_windows_layers_that_stay_with_their_maker(read: Read) -> None:
    files = making.saved()
    entry = json.loads(files["manifest.json"])[0]
    first = f"sha256:{sha(LAYERS[0])}"
    source = {"digest": digest(b"packed"), "size": 7, "urls": ["https://mcr.example/layer"]}
    entry["LayerSources"] = {first: source}
    del files[entry["Layers"][0]]
    files["manifest.json"] = dumped([entry])
    (image,) = read(files).images
    said = json.loads(image.node.body)["layers"][0]
    assert said["urls"] == source["urls"]
    assert said["mediaType"].startswith("application/vnd.docker.image.rootfs.foreign")
    assert said["digest"] not in blobs_of([image.node])


# What is refused


def changed(files: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An archive whose `manifest.json` says something else."""
    entry = {**json.loads(files["manifest.json"])[0], **more}
    return {**files, "manifest.json": dumped([entry])}


def other_config(**more: Any) -> dict[str, Any]:
    """An archive with another configuration, named rightly."""
    config = dumped({**json.loads(CONFIG), **more})
    files = {name: one for name, one in making.saved().items() if name != f"{sha(CONFIG)}.json"}
    return changed({**files, f"{sha(config)}.json": config}, Config=f"{sha(config)}.json")


def swapped() -> dict[str, Any]:
    """An archive one of whose layers is another one."""
    files = making.saved()
    name = next(one for one in files if one.endswith("layer.tar"))
    return {**files, name: making.layer(evil=b"other")}


def layout_with(change: Callable[[Layout, dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    layout = Layout()
    return layout.done(change(layout, layout.image(pack="gzip", **named("a:1"))))


def broken_blob() -> dict[str, Any]:
    layout = Layout()
    files = layout.done(layout.image(pack="gzip", **named("a:1")))
    name = next(one for one in files if one.startswith("blobs/") and files[one][:2] == b"\x1f\x8b")
    return {**files, name: files[name] + b"\0"}


def wrong_content() -> dict[str, Any]:
    """A packed layer that is what its name says, and not what its image says."""
    layout = Layout()
    other = gzip.compress(making.layer(evil=b"x"))
    body = dumped(
        {
            "schemaVersion": 2,
            "mediaType": f"{making.OCI}.manifest.v1+json",
            "config": layout.blob(making.config([LAYERS[0]]), f"{making.OCI}.config.v1+json"),
            "layers": [layout.blob(other, f"{making.OCI}.layer.v1.tar+gzip")],
        }
    )
    return layout.done(layout.blob(body, f"{making.OCI}.manifest.v1+json", **named("a:1")))


def nested(depth: int) -> dict[str, Any]:
    layout = Layout()
    entry = layout.image(pack="gzip")
    for _ in range(depth):
        entry = layout.index([entry, entry])
    return layout.done({**entry, **named("a:1")})


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"readme": b"hello"}, "no archive of images"),
        ({"manifest.json": b"[]"}, "lists no image"),
        ({"manifest.json": b"{}"}, "docker-archive or oci-archive"),
        ({"manifest.json": b"[1]"}, "not a list of objects"),
        ({"manifest.json": b"["}, "not JSON"),
        ({"manifest.json": b"\xff\xfe"}, "not JSON"),
        ({"manifest.json": b"[" * 100_000}, "not JSON|not a list"),
        ({"manifest.json": dumped([{}] * 2000)}, "too long"),
        ({"manifest.json": b" " * 5_000_000 + b"[]"}, "too large"),
        ({"manifest.json": LAYERS[0]}, "too large"),
        (changed(making.saved(), Config="gone.json"), "'gone.json' is missing"),
        (changed(making.saved(), Config="../../etc/passwd"), "leads out"),
        (changed(making.saved(), Config="/etc/passwd"), "absolute"),
        (changed(making.saved(), Config=7), "Config is not a string"),
        (changed(making.saved(), Layers=["../x/layer.tar"] * 2), "leads out"),
        (changed(making.saved(), Layers=["gone"] * 2), "'gone' is missing"),
        (changed(making.saved(), Layers=[]), "lists 0 layers, the configuration of the image 2"),
        (changed(making.saved(), Layers=["manifest.json"] * 2), "no tar archive"),
        (changed(making.saved(), Layers="x"), "not a list"),
        (changed(making.saved(), RepoTags=[7]), "RepoTags is not a string"),
        (swapped(), "has the digest"),
        ({**making.saved(), f"{sha(CONFIG)}.json": CONFIG + b" "}, "another digest than its name"),
        (other_config(rootfs={}), "not the configuration of an image"),
        (other_config(rootfs={"type": "layers", "diff_ids": ["md5:abc"] * 2}), "not a SHA-256"),
        (other_config(rootfs={"type": "layers", "diff_ids": ["sha256:" + "A" * 64] * 2}), "not a SHA-256"),
        (other_config(rootfs={"type": "layers", "diff_ids": "abc"}), "not a list"),
        (other_config(architecture=["amd64"]), "architecture is not a string"),
        ({"repositories": b"{}"}, "names no image"),
        ({"repositories": dumped({"a": {"1": "gone"}})}, "layer 'gone' is missing"),
        ({"repositories": dumped({"a": []})}, "not of Docker's form"),
        ({**making.old(), "repositories": dumped({"a": {"1": "../x"}})}, "leads out"),
        ({"index.json": b"{}"}, "lists no image"),
        ({"index.json": b"[]"}, "not a JSON object"),
        ({"index.json": dumped({"manifests": [7]})}, "not a list of objects"),
        ({"index.json": dumped({"manifests": [{"digest": "sha256:" + "0" * 64}]})}, "is missing"),
        ({"index.json": dumped({"manifests": [{"digest": "sha256:../../x"}]})}, "not a SHA-256"),
        (layout_with(lambda _, entry: {**entry, "size": 1}), "bytes, and not 1"),
        (layout_with(lambda _, entry: {**entry, "mediaType": "text/plain"}), "media type"),
        (layout_with(lambda layout, _: layout.blob(b'{"a":1}', "x", **named("a:1"))), "not a manifest"),
        (layout_with(lambda layout, _: layout.blob(b"[]", "x", **named("a:1"))), "not a manifest"),
        (layout_with(lambda layout, _: layout.blob(LAYERS[0], "x", **named("a:1"))), "too large"),
        (broken_blob(), "another digest than its name"),
        (wrong_content(), "unpacks to the digest"),
        (nested(4), "nested too deeply"),
    ],
)
def test_what_is_wrong_is_said(read: Read, files: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequestError, match=says) as caught:
        read(files)
    assert caught.value.field == "image"


def test_an_old_image_that_is_its_own_parent(read: Read) -> None:
    files = making.old()
    top = next(iter(json.loads(files["repositories"])["app"].values()))
    files[f"{top}/json"] = dumped({"id": top, "parent": top})
    with pytest.raises(BadRequestError, match="its own parent"):
        read(files)


def test_indexes_that_name_the_same_a_million_times_cost_nothing(read: Read) -> None:
    layout = Layout()
    entry = layout.image(pack="gzip")
    for _ in range(2):
        entry = layout.index([entry] * 1000)
    (image,) = read(layout.done({**entry, **named("a:1")})).images
    assert len(list(manifests_of(image.node))) == 3


def test_manifests_that_would_fill_the_memory(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = dumped([{"Config": "c", "Layers": ["l"] * 500}] * 500)
    files = {"l": LAYERS[0], "c": making.config([LAYERS[0]] * 500), "manifest.json": listing}
    with pytest.raises(BadRequestError, match="too long together"):
        read(files)
    entry = json.loads(making.saved()["manifest.json"])[0]
    twice = dumped([{**entry, "RepoTags": ["a:1"] * 600}] * 2)
    with pytest.raises(BadRequestError, match="more than 1000 images"):
        read({**making.saved(), "manifest.json": twice})
    monkeypatch.setattr("ecns.api.images.upload.archives.TOGETHER", 1000)
    layout = Layout()
    entries = [
        layout.image([making.layer(a=bytes([at]))], pack="gzip", **named(f"a:{at}")) for at in range(9)
    ]
    with pytest.raises(BadRequestError, match="too long together"):
        read(layout.done(*entries))


def test_a_layer_that_unpacks_to_too_much(read: Read) -> None:
    big = making.layer(zeros=bytes(3_000_000))
    layout = Layout()
    files = layout.done(layout.image([big], pack="gzip", **named("a:1")))
    with pytest.raises(PayloadTooLargeError, match="unpacks to more"):
        read(files, limit=1_000_000)


# Names


def named_as(read: Read, files: dict[str, Any], **fields: str) -> list[str]:
    found = reading.targets(read(files), Fields(harbor_project_name="team", **fields))
    return [f"{one.image_name}:{one.tag_name}" for one in found]


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("app:1", "app:1"),
        ("app", "app:latest"),
        ("docker.io/library/app:1", "app:1"),
        ("docker.io/some/app:1", "some/app:1"),
        ("quay.io/coreos/etcd:v3.5", "coreos/etcd:v3.5"),
        ("localhost/app:1", "app:1"),
        ("localhost:5000/app", "app:latest"),
        ("harbor.example:8443/team/app:1", "app:1"),
        ("[::1]:5000/a/b:c", "a/b:c"),
        ("team/app:1", "app:1"),
        ("other/app:1", "other/app:1"),
        ("app:1@sha256:" + "0" * 64, "app:1"),
    ],
)
def test_names_of_the_archive(read: Read, reference: str, name: str) -> None:
    assert named_as(read, making.saved(tags=[reference])) == [name]


def test_names_that_are_sent_win(read: Read) -> None:
    two = making.saved(tags=["a:1", "b:2"])
    assert named_as(read, two) == ["a:1", "b:2"]
    assert named_as(read, two, image_name="x/y") == ["x/y:1", "x/y:2"]
    assert named_as(read, two, tag_name="z") == ["a:z", "b:z"]
    assert named_as(read, two, image_name="x", tag_name="z") == ["x:z"]
    assert named_as(read, making.saved(tags=None), image_name="x") == ["x:latest"]


@pytest.mark.parametrize(
    ("tags", "fields", "field"),
    [
        (None, {}, "image_name"),
        (None, {"tag_name": "1"}, "image_name"),
        (["a:1"], {"image_name": "Upper"}, "image_name"),
        (["a:1"], {"image_name": "a:1"}, "image_name"),
        (["a:1"], {"image_name": "/a"}, "image_name"),
        (["a:1"], {"image_name": "a/../b"}, "image_name"),
        (["a:1"], {"image_name": "x" * 251}, "image_name"),
        (["a:1"], {"tag_name": "-a"}, "tag_name"),
        (["a:1"], {"tag_name": "a b"}, "tag_name"),
        (["a:1"], {"tag_name": "x" * 129}, "tag_name"),
        (["BAD:1"], {}, "image_name"),
    ],
)
def test_names_that_cannot_be(read: Read, tags: list[str] | None, fields: dict[str, str], field: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        named_as(read, making.saved(tags=tags), **fields)
    assert caught.value.field == field


def test_several_images_that_would_be_one(read: Read) -> None:
    one, two = making.saved(), making.saved([LAYERS[0]], tags=["other:1"])
    files = {**one, **two}
    files["manifest.json"] = dumped([*json.loads(one["manifest.json"]), *json.loads(two["manifest.json"])])
    assert named_as(read, files) == ["app:1", "other:1"]
    with pytest.raises(BadRequestError, match="several images") as caught:
        named_as(read, files, image_name="x")
    assert caught.value.field == "image_name"
    with pytest.raises(BadRequestError, match="several images") as caught:
        named_as(read, files, image_name="x", tag_name="y")
    assert caught.value.field == "tag_name"
    assert named_as(read, files, tag_name="y") == ["app:y", "other:y"]
