"""Blobs and manifests beyond what was recorded: ranges, types, indexes, referrers, limits."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.embedded.harbor.client import (
    CONFIG,
    INDEX,
    LIST,
    MANIFEST,
    OCI,
    config,
    descriptor,
    digest_of,
    manifest,
)

from ecns.embedded.harbor.registry.blobs import part_of

if TYPE_CHECKING:
    from tests.embedded.harbor.conftest import Running

NUMBERS = st.one_of(st.just(""), st.integers(0, 30).map(str))


@given(NUMBERS, NUMBERS, st.integers(0, 20))
def test_a_range_names_bytes_that_are_there(first: str, last: str, size: int) -> None:
    try:
        part = part_of(f"bytes={first}-{last}", size)
    except ValueError:
        assert (first and int(first) >= size) or (not first and (size == 0 or int(last) == 0))
        return
    if part is None:
        assert not (first or last) or (first and last and int(last) < int(first))
        return
    start, length = part
    assert length > 0
    assert start + length <= size
    everything = list(range(size))
    expected = everything[int(first) : int(last) + 1 if last else size] if first else everything[-int(last) :]
    assert everything[start : start + length] == expected


@given(st.text())
def test_no_header_is_too_odd_for_a_range(header: str) -> None:
    try:
        part = part_of(header, 10)
    except ValueError:
        return
    assert part is None or 0 <= part[0] < part[0] + part[1] <= 10


@pytest.mark.parametrize(
    ("header", "status", "content", "shown"),
    [
        ("bytes=0-4", 206, b"hello", "bytes 0-4/11"),
        ("bytes=6-", 206, b"world", "bytes 6-10/11"),
        ("bytes=-5", 206, b"world", "bytes 6-10/11"),
        ("bytes=6-99", 206, b"world", "bytes 6-10/11"),
        ("bytes=11-", 416, b"", "bytes */11"),
        ("bytes=0-1,3-4", 200, b"hello world", None),
        ("lines=0-1", 200, b"hello world", None),
    ],
)
def test_parts_of_a_blob(
    harbor: Running, header: str, status: int, content: bytes, shown: str | None
) -> None:
    digest = harbor.admin.blob("library/parts", b"hello world")
    answer = harbor.admin.request("GET", f"/v2/library/parts/blobs/{digest}", headers={"Range": header})
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers.get("Content-Range") == shown


def test_a_blob_that_the_client_has_is_not_sent_again(harbor: Running) -> None:
    digest = harbor.admin.blob("library/known", b"known")
    path = f"/v2/library/known/blobs/{digest}"
    assert harbor.admin.request("GET", path, headers={"If-None-Match": f'"{digest}"'}).status_code == 304
    stale = {"Range": "bytes=1-2", "If-Range": '"another"'}
    assert harbor.admin.request("GET", path, headers=stale).content == b"known"
    fresh = {"Range": "bytes=1-2", "If-Range": f'"{digest}"'}
    assert harbor.admin.request("GET", path, headers=fresh).content == b"no"


def _index(digests: list[tuple[str, int, str]], media_type: str, **more: Any) -> bytes:
    children = [
        {
            "mediaType": OCI,
            "size": size,
            "digest": digest,
            "platform": {"architecture": architecture, "os": "linux", "os.version": "1", "variant": "v8"},
        }
        for digest, size, architecture in digests
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": children, **more}).encode()


@pytest.mark.parametrize("media_type", [INDEX, LIST])
def test_an_index_and_its_children(harbor: Running, media_type: str) -> None:
    admin, name = harbor.admin, f"index-{uuid.uuid4().hex[:6]}"
    repository = f"library/{name}"
    children = []
    for architecture in ("amd64", "arm64"):
        body, blobs = manifest(architecture, OCI)
        for content in blobs:
            admin.blob(repository, content)
        digest = digest_of(body)
        assert admin.put(repository, digest, body, OCI).status_code == 201
        children.append((digest, len(body), architecture))
    body = _index(children, media_type)
    assert admin.put(repository, "1.0", body, media_type).status_code == 201
    listed = admin.told("GET", f"/projects/library/repositories/{name}/artifacts")
    assert [item["digest"] for item in listed] == [digest_of(body)]
    assert listed[0]["type"] == "IMAGE"
    assert [item["child_digest"] for item in listed[0]["references"]] == [digest for digest, *_ in children]
    assert listed[0]["references"][1]["platform"] == {
        "OsFeatures": None,
        "architecture": "arm64",
        "os": "linux",
        "os.version": "1",
        "variant": "v8",
    }
    assert admin.told("GET", f"/projects/library/repositories/{name}")["artifact_count"] == 1
    refused = admin.api("DELETE", f"/projects/library/repositories/{name}/artifacts/{children[0][0]}")
    assert refused.status_code == 412
    admin.told(
        "POST",
        f"/projects/library/repositories/{name}/artifacts/{children[0][0]}/tags",
        201,
        json={"name": "own"},
    )
    admin.told("DELETE", f"/projects/library/repositories/{name}/artifacts/1.0")
    left = admin.told("GET", f"/projects/library/repositories/{name}/artifacts")
    assert [item["digest"] for item in left] == [children[0][0]], "the child that has a tag of its own stays"


def test_an_index_of_indexes_is_copied_with_all_that_it_needs(harbor: Running) -> None:
    admin = harbor.admin
    body, blobs = manifest("inner", OCI)
    for content in blobs:
        admin.blob("library/outer", content)
    admin.put("library/outer", digest_of(body), body, OCI)
    inner = _index([(digest_of(body), len(body), "amd64")], INDEX)
    admin.put("library/outer", digest_of(inner), inner, INDEX)
    outer = json.dumps(
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(inner, INDEX)]}
    ).encode()
    assert admin.put("library/outer", "1.0", outer, INDEX).status_code == 201
    admin.project("copies")
    admin.told("POST", "/projects/copies/repositories/outer/artifacts?from=library/outer:1.0", 201)
    for digest in (digest_of(outer), digest_of(inner), digest_of(body)):
        assert admin.pull("copies/outer", digest).status_code == 200
    assert admin.request("GET", f"/v2/copies/outer/blobs/{digest_of(blobs[1])}").content == blobs[1]
    used = admin.told("GET", "/projects/copies/summary")["quota"]["used"]["storage"]
    assert used == sum(map(len, (outer, inner, body, *blobs)))


def test_what_refers_to_an_image(harbor: Running) -> None:
    admin, repository = harbor.admin, "library/referred"
    digest = admin.push(repository, "1.0", media_type=OCI)
    subject = {"mediaType": OCI, "size": 1, "digest": digest}
    made = []
    for kind in ("application/example.sbom", "application/example.signature"):
        empty = b"{}"
        admin.blob(repository, empty)
        body = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI,
                "artifactType": kind,
                "config": descriptor(empty, "application/vnd.oci.empty.v1+json"),
                "layers": [descriptor(empty, "application/vnd.oci.empty.v1+json")],
                "subject": subject,
                "annotations": {"kind": kind},
            }
        ).encode()
        answer = admin.put(repository, digest_of(body), body, OCI)
        assert answer.status_code == 201
        assert answer.headers["OCI-Subject"] == digest
        made.append((digest_of(body), len(body), kind))
    answer = admin.request("GET", f"/v2/{repository}/referrers/{digest}")
    found = answer.json()["manifests"]
    assert [(item["digest"], item["size"], item["artifactType"]) for item in found] == made
    assert found[0]["annotations"] == {"kind": made[0][2]}
    filtered = admin.request(
        "GET", f"/v2/{repository}/referrers/{digest}", params={"artifactType": made[1][2]}
    )
    assert [item["digest"] for item in filtered.json()["manifests"]] == [made[1][0]]
    assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
    listed = admin.told("GET", "/projects/library/repositories/referred/artifacts?with_accessory=true")
    assert [item["digest"] for item in listed] == [digest], "what refers to another is no artifact of its own"
    assert [item["digest"] for item in listed[0]["accessories"]] == [digest for digest, *_ in made]
    admin.told("DELETE", "/projects/library/repositories/referred/artifacts/1.0")
    assert admin.pull(repository, made[0][0]).status_code == 404, "it goes with what it refers to"


def test_what_refers_to_an_image_may_come_first(harbor: Running) -> None:
    admin, repository = harbor.admin, "library/early"
    body, blobs = manifest("late", OCI)
    admin.blob(repository, b"{}")
    early = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI,
            "config": descriptor(b"{}", "application/example"),
            "layers": [],
            "subject": {"mediaType": OCI, "size": len(body), "digest": digest_of(body)},
        }
    ).encode()
    answer = admin.put(repository, "early", early, OCI)
    assert answer.headers["OCI-Subject"] == digest_of(body)
    for content in blobs:
        admin.blob(repository, content)
    admin.put(repository, "late", body, OCI)
    found = admin.request("GET", f"/v2/{repository}/referrers/{digest_of(body)}").json()["manifests"]
    assert [item["digest"] for item in found] == [digest_of(early)]
    assert found[0]["artifactType"] == "application/example"


def test_a_manifest_under_a_longer_digest(harbor: Running) -> None:
    body, blobs = manifest("longer")
    for content in blobs:
        harbor.admin.blob("library/longer", content)
    digest = f"sha512:{hashlib.sha512(body).hexdigest()}"
    answer = harbor.admin.put("library/longer", digest, body)
    assert answer.headers["Docker-Content-Digest"] == digest
    assert harbor.admin.pull("library/longer", digest).content == body


def test_layers_that_are_kept_elsewhere_need_not_be_here(harbor: Running) -> None:
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "size": 10_000_000,
        "digest": digest_of(b"elsewhere"),
        "urls": ["https://example.com/layer"],
    }
    body, blobs = manifest("foreign", MANIFEST, layers=[foreign])
    harbor.admin.project("elsewhere", limit=5000)
    harbor.admin.blob("elsewhere/app", blobs[0])
    assert harbor.admin.put("elsewhere/app", "1.0", body).status_code == 201
    used = harbor.admin.told("GET", "/projects/elsewhere/summary")["quota"]["used"]["storage"]
    assert used == len(body) + len(blobs[0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"config": None}, "needs a config"),
        ({"config": {"digest": "sha256:short"}}, "invalid checksum digest format"),
        ({"config": {"digest": 7}}, "invalid checksum digest format"),
        ({"layers": [{"digest": digest_of(b""), "size": -1}]}, "no size"),
        ({"layers": [{"digest": digest_of(b""), "size": 1e300}]}, "no size"),
        ({"layers": "all"}, "no list"),
        ({"layers": [7]}, "no object"),
        ({"mediaType": INDEX}, "mediaType in manifest should be"),
        ({"manifests": []}, "found index"),
        ({"annotations": {"a": 1}}, "annotations"),
        ({"subject": {}}, "invalid checksum digest format"),
        ({"artifactType": 3}, "artifactType"),
    ],
)
def test_what_is_no_manifest(harbor: Running, change: dict[str, Any], says: str) -> None:
    body, _ = manifest("none", MANIFEST)
    answer = harbor.admin.put("library/none", "1.0", json.dumps({**json.loads(body), **change}).encode())
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["code"] == "MANIFEST_INVALID"
    assert says in answer.json()["errors"][0]["message"]
    assert harbor.admin.api("GET", "/projects/library/repositories/none").status_code == 404


def test_a_manifest_may_be_large_but_not_too_large(harbor: Running) -> None:
    body, blobs = manifest("large", OCI, annotations={"a": "x" * 3_000_000})
    for content in blobs:
        harbor.admin.blob("library/large", content)
    assert harbor.admin.put("library/large", "1.0", body, OCI).status_code == 201
    assert harbor.admin.pull("library/large", "1.0").content == body
    body, _ = manifest("large", OCI, annotations={"a": "x" * 5_000_000})
    assert harbor.admin.put("library/large", "2.0", body, OCI).status_code == 413


def test_artifacts_that_are_no_images(harbor: Running) -> None:
    admin = harbor.admin
    chart = json.dumps({"name": "chart", "version": "1.2.3"}).encode()
    admin.blob("library/chart", chart)
    body, blobs = manifest("chart", OCI, config=descriptor(chart, "application/vnd.cncf.helm.config.v1+json"))
    admin.blob("library/chart", blobs[1])
    assert admin.put("library/chart", "1.2.3", body, OCI).status_code == 201
    shown = admin.told("GET", "/projects/library/repositories/chart/artifacts/1.2.3")
    assert shown["type"] == "CHART"
    assert shown["extra_attrs"] == {"name": "chart", "version": "1.2.3"}
    assert "addition_links" not in shown
    refused = admin.api("GET", "/projects/library/repositories/chart/artifacts/1.2.3/additions/build_history")
    assert refused.status_code == 400


def test_a_config_that_is_no_json_makes_an_image_all_the_same(harbor: Running) -> None:
    admin, odd = harbor.admin, b"\xff\xfe not JSON"
    admin.blob("library/odd", odd)
    body, blobs = manifest("odd", MANIFEST, config=descriptor(odd, CONFIG))
    admin.blob("library/odd", blobs[1])
    assert admin.put("library/odd", "1.0", body).status_code == 201
    shown = admin.told("GET", "/projects/library/repositories/odd/artifacts/1.0")
    assert shown["type"] == "IMAGE"
    history = admin.api("GET", "/projects/library/repositories/odd/artifacts/1.0/additions/build_history")
    assert history.json() is None


def test_the_deepest_names(harbor: Running) -> None:
    name = "/".join(["library", *("deep" for _ in range(20)), "a__b--c.d_e"])
    digest = harbor.admin.push(name, "1.0")
    assert harbor.admin.pull(name, "1.0").headers["Docker-Content-Digest"] == digest
    encoded = name.removeprefix("library/").replace("/", "%252F")
    assert harbor.admin.told("GET", f"/projects/library/repositories/{encoded}")["name"] == name
    too_long = f"library/{'a' * 248}"
    assert harbor.admin.request("POST", f"/v2/{too_long}/blobs/uploads/").status_code == 401


def test_config_and_layers_of_another_repository_are_not_enough(harbor: Running) -> None:
    body, blobs = manifest("borrowed")
    for content in blobs:
        harbor.admin.blob("library/lender", content)
    answer = harbor.admin.put("library/borrower", "1.0", body)
    assert [error["code"] for error in answer.json()["errors"]] == ["MANIFEST_BLOB_UNKNOWN"] * 2
    for content in blobs:
        mounted = harbor.admin.request(
            "POST",
            f"/v2/library/borrower/blobs/uploads/?mount={digest_of(content)}&from=library/lender",
        )
        assert mounted.status_code == 201
    assert harbor.admin.put("library/borrower", "1.0", body).status_code == 201


def test_the_config_decides_the_platform(harbor: Running) -> None:
    admin, content = harbor.admin, config("arm", "arm64")
    admin.blob("library/arm", content)
    body, blobs = manifest("arm", OCI, config=descriptor(content, "application/vnd.oci.image.config.v1+json"))
    admin.blob("library/arm", blobs[1])
    admin.put("library/arm", "1.0", body, OCI)
    assert (
        admin.told("GET", "/projects/library/repositories/arm/artifacts/1.0")["extra_attrs"]["architecture"]
        == "arm64"
    )
