"""The distribution specification, point by point, against each registry.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md. Where Debian's registry (2.8)
and Harbor 2.9, which has the same one behind it, do otherwise, a test says so: the stand-in does as they do,
and as the specification asks when started with `--oci`.
"""

from __future__ import annotations

import json
import os
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest

from tests.embedded.harbor.client import INDEX, MANIFEST, OCI, descriptor, digest_of, manifest

if TYPE_CHECKING:
    import httpx

    from tests.embedded.harbor.client import Client
    from tests.real.registry.conftest import Registry

MISSING = digest_of(b"missing")


@pytest.fixture
def client(registry: Registry) -> Client:
    """Who may do everything."""
    return registry.client


@pytest.fixture
def name() -> str:
    """A repository of its own for each test."""
    return f"library/wire/{uuid.uuid4().hex[:12]}"


def _location(client: Client, answer: httpx.Response) -> str:
    """Where an answer points to, which may be relative."""
    return urljoin(client.url, answer.headers["Location"])


def _start(client: Client, name: str) -> str:
    answer = client.request("POST", f"/v2/{name}/blobs/uploads/")
    assert answer.status_code == 202
    return _location(client, answer)


def _code(answer: httpx.Response) -> str:
    return str(answer.json()["errors"][0]["code"])


# Pull


def test_the_base(client: Client) -> None:
    assert client.request("GET", "/v2/").status_code == 200


def test_a_manifest_by_tag_and_by_digest(client: Client, name: str) -> None:
    digest = client.push(name, "1.0")
    body, _ = manifest("1.0")
    for reference in ("1.0", digest):
        answer = client.pull(name, reference)
        assert answer.status_code == 200
        assert answer.content == body
        assert answer.headers["Content-Type"] == MANIFEST
        assert answer.headers["Docker-Content-Digest"] == digest
        head = client.request("HEAD", f"/v2/{name}/manifests/{reference}", headers={"Accept": MANIFEST})
        assert head.status_code == 200
        assert int(head.headers["Content-Length"]) == len(body)
        assert head.headers["Docker-Content-Digest"] == digest
        assert head.content == b""


def test_a_manifest_that_is_not_there(client: Client, name: str) -> None:
    client.push(name, "1.0")
    for reference in ("2.0", MISSING):
        assert client.pull(name, reference).status_code == 404
        assert client.request("HEAD", f"/v2/{name}/manifests/{reference}").status_code == 404
    assert client.pull(f"{name}/none", "1.0").status_code == 404


def test_a_blob(registry: Registry, client: Client, name: str) -> None:
    content = os.urandom(10_000)
    digest = client.blob(name, content)
    answer = client.request("GET", f"/v2/{name}/blobs/{digest}")
    assert answer.content == content
    assert answer.headers["Docker-Content-Digest"] == digest
    head = client.request("HEAD", f"/v2/{name}/blobs/{digest}")
    assert head.status_code == 200
    assert int(head.headers["Content-Length"]) == len(content)
    part = client.request("GET", f"/v2/{name}/blobs/{digest}", headers={"Range": "bytes=100-299"})
    assert part.status_code == 206
    assert part.content == content[100:300]
    assert part.headers["Content-Range"] == "bytes 100-299/10000"
    if registry.is_real:
        return  # which says that the answer to what is beyond has a body, and sends none
    beyond = client.request("GET", f"/v2/{name}/blobs/{digest}", headers={"Range": "bytes=10000-"})
    assert beyond.status_code == 416


def test_a_blob_that_is_not_there(client: Client, name: str) -> None:
    client.blob(name, b"something")
    answer = client.request("GET", f"/v2/{name}/blobs/{MISSING}")
    assert answer.status_code == 404
    assert _code(answer) == "BLOB_UNKNOWN"
    assert client.request("HEAD", f"/v2/{name}/blobs/{MISSING}").status_code == 404


def test_a_blob_is_of_its_repository(client: Client, name: str) -> None:
    digest = client.blob(name, b"of one repository")
    assert client.request("HEAD", f"/v2/{name}/other/blobs/{digest}").status_code == 404


# Push


def test_post_then_put(client: Client, name: str) -> None:
    content = b"in one piece"
    answer = client.finish(_start(client, name), digest_of(content), content)
    assert answer.status_code == 201
    assert client.request("GET", _location(client, answer)).content == content


def test_the_whole_content_in_the_post(registry: Registry, client: Client, name: str) -> None:
    content = b"all at once"
    answer = client.request("POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(content)}", content=content)
    if registry.by_the_book:
        assert answer.status_code == 201
    else:
        assert answer.status_code == 202, "the specification lets a registry refuse it so"
        assert client.finish(_location(client, answer), digest_of(content), content).status_code == 201
    assert client.request("GET", f"/v2/{name}/blobs/{digest_of(content)}").content == content


def test_the_post_with_another_digest(registry: Registry, client: Client, name: str) -> None:
    if not registry.by_the_book:
        pytest.skip("it takes no content in the POST")
    answer = client.request("POST", f"/v2/{name}/blobs/uploads/?digest={MISSING}", content=b"other")
    assert answer.status_code == 400
    assert _code(answer) == "DIGEST_INVALID"


def test_chunks(client: Client, name: str) -> None:
    content = os.urandom(300)
    location = _start(client, name)
    for start in (0, 100, 200):
        headers = {"Content-Range": f"{start}-{start + 99}", "Content-Type": "application/octet-stream"}
        answer = client.request("PATCH", location, content=content[start : start + 100], headers=headers)
        assert answer.status_code == 202
        assert answer.headers["Range"] == f"0-{start + 99}"
        location = _location(client, answer)
        status = client.request("GET", location)
        assert status.status_code == 204
        assert status.headers["Range"] == f"0-{start + 99}"
    assert client.finish(location, digest_of(content)).status_code == 201
    assert client.request("GET", f"/v2/{name}/blobs/{digest_of(content)}").content == content


def test_the_last_chunk_in_the_put(client: Client, name: str) -> None:
    answer = client.request("PATCH", _start(client, name), content=b"first, ")
    location = _location(client, answer)
    assert client.finish(location, digest_of(b"first, last"), b"last").status_code == 201


def test_chunks_out_of_order(registry: Registry, client: Client, name: str) -> None:
    location = _start(client, name)
    headers = {"Content-Range": "10-19"}
    answer = client.request("PATCH", location, content=b"0123456789", headers=headers)
    if not registry.by_the_book:
        assert answer.status_code == 202, "distribution 2.8 does not look at Content-Range"
        return
    assert answer.status_code == 416
    assert client.request("GET", location).headers["Range"] == "0-0"
    headers = {"Content-Range": "0-9"}
    answer = client.request("PATCH", location, content=b"0123456789", headers=headers)
    assert answer.headers["Range"] == "0-9"
    again = client.request("PATCH", _location(client, answer), content=b"x" * 10, headers=headers)
    assert again.status_code == 416
    for odd in ("10-5", "ten-20", "-3"):
        answer = client.request("PATCH", location, content=b"x", headers={"Content-Range": odd})
        assert answer.status_code in {404, 416}


def test_another_digest(client: Client, name: str) -> None:
    answer = client.finish(_start(client, name), MISSING, b"other")
    assert answer.status_code == 400
    assert _code(answer) == "DIGEST_INVALID"
    assert client.request("HEAD", f"/v2/{name}/blobs/{MISSING}").status_code == 404


def test_an_upload_that_is_given_up(client: Client, name: str) -> None:
    location = _start(client, name)
    assert client.request("DELETE", location).status_code == 204
    answer = client.request("PATCH", location, content=b"late")
    assert answer.status_code == 404
    assert _code(answer) == "BLOB_UPLOAD_UNKNOWN"


def test_a_mount(client: Client, name: str) -> None:
    digest = client.blob(name, b"to be mounted")
    other = f"{name}/other"
    answer = client.request("POST", f"/v2/{other}/blobs/uploads/?mount={digest}&from={name}")
    assert answer.status_code == 201
    assert client.request("GET", _location(client, answer)).content == b"to be mounted"
    missing = client.request("POST", f"/v2/{other}/blobs/uploads/?mount={MISSING}&from={name}")
    assert missing.status_code == 202
    assert client.finish(_location(client, missing), MISSING, b"missing").status_code == 201


def test_a_manifest_is_put(client: Client, name: str) -> None:
    body, blobs = manifest("put", OCI)
    for content in blobs:
        client.blob(name, content)
    answer = client.put(name, "1.0", body, OCI)
    assert answer.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == digest_of(body)
    assert client.request("GET", _location(client, answer), headers={"Accept": OCI}).content == body


def test_a_manifest_that_names_what_is_not_there(client: Client, name: str) -> None:
    body, blobs = manifest("lost", OCI)
    client.blob(name, blobs[0])
    answer = client.put(name, "1.0", body, OCI)
    assert answer.status_code == 400
    assert _code(answer) == "MANIFEST_BLOB_UNKNOWN"
    assert client.pull(name, "1.0").status_code == 404


def test_what_is_no_manifest(client: Client, name: str) -> None:
    answer = client.put(name, "1.0", b"{", OCI)
    assert answer.status_code == 400
    assert _code(answer) == "MANIFEST_INVALID"
    assert client.put(name, "-bad", *_pushed(client, name)).status_code in {400, 404}


def _pushed(client: Client, name: str) -> tuple[bytes, str]:
    body, blobs = manifest("pushed", OCI)
    for content in blobs:
        client.blob(name, content)
    return body, OCI


def test_a_manifest_under_another_digest(client: Client, name: str) -> None:
    body, media_type = _pushed(client, name)
    answer = client.put(name, MISSING, body, media_type)
    assert answer.status_code == 400
    assert _code(answer) == "DIGEST_INVALID"


def test_an_index(client: Client, name: str) -> None:
    body, media_type = _pushed(client, name)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(body, media_type)]}
    text = json.dumps(index).encode()
    assert client.put(name, "1.0", text, INDEX).status_code == 400
    client.put(name, digest_of(body), body, media_type)
    assert client.put(name, "1.0", text, INDEX).status_code == 201
    assert client.pull(name, "1.0").content == text


def test_without_the_right_accept(registry: Registry, client: Client, name: str) -> None:
    body, media_type = _pushed(client, name)
    client.put(name, "1.0", body, media_type)
    answer = client.request("GET", f"/v2/{name}/manifests/1.0", headers={"Accept": MANIFEST})
    if registry.by_the_book:
        assert answer.status_code == 200
        assert answer.content == body
    else:
        assert answer.status_code == 404, "distribution 2.8 gives OCI manifests to those who ask for them"


# Content discovery


def test_tags(client: Client, name: str) -> None:
    for tag in ("c", "a", "b", "A", "1"):
        client.push(name, tag, "same")
    answer = client.request("GET", f"/v2/{name}/tags/list")
    assert answer.json()["name"] == name
    assert sorted(answer.json()["tags"]) == ["1", "A", "a", "b", "c"]


def test_pages_of_tags(registry: Registry, client: Client, name: str) -> None:
    for tag in ("c", "a", "b", "A", "1"):
        client.push(name, tag, "same")
    if registry.is_real:
        pytest.skip("distribution 2.8 gives all of them at once")
    found: list[str] = []
    path = f"/v2/{name}/tags/list?n=2"
    while path:
        answer = client.request("GET", path)
        found += answer.json()["tags"]
        link = answer.headers.get("Link", "")
        assert not link or link.endswith('>; rel="next"')
        path = link.partition(">")[0].removeprefix("<")
    assert found == ["1", "A", "a", "b", "c"]
    assert client.request("GET", f"/v2/{name}/tags/list?last=a").json()["tags"] == ["b", "c"]
    assert client.request("GET", f"/v2/{name}/tags/list?n=0").json()["tags"] == []


def test_tags_of_nothing(client: Client, name: str) -> None:
    assert client.request("GET", f"/v2/{name}/tags/list").status_code == 404


def test_the_catalog(client: Client, name: str) -> None:
    client.push(name, "1.0")
    found: list[str] = []
    path = "/v2/_catalog?n=3"
    while path:
        answer = client.request("GET", path)
        found += answer.json()["repositories"]
        path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert name in found
    assert found == sorted(found)


def test_referrers(registry: Registry, client: Client, name: str) -> None:
    body, media_type = _pushed(client, name)
    client.put(name, "1.0", body, media_type)
    client.blob(name, b"{}")
    empty = descriptor(b"{}", "application/vnd.oci.empty.v1+json")
    referrer = {
        "schemaVersion": 2,
        "mediaType": OCI,
        "artifactType": "application/example",
        "config": empty,
        "layers": [empty],
        "subject": descriptor(body, media_type),
        "annotations": {"a": "b"},
    }
    text = json.dumps(referrer).encode()
    answer = client.put(name, digest_of(text), text, OCI)
    assert answer.status_code == 201
    path = f"/v2/{name}/referrers/{digest_of(body)}"
    if registry.is_real:
        assert "OCI-Subject" not in answer.headers
        assert client.request("GET", path).status_code == 404, "distribution 2.8 has no referrers"
        return
    assert answer.headers["OCI-Subject"] == digest_of(body)
    listed = client.request("GET", path)
    assert listed.status_code == 200
    expected = {
        "mediaType": OCI,
        "digest": digest_of(text),
        "size": len(text),
        "artifactType": "application/example",
        "annotations": {"a": "b"},
    }
    assert listed.json()["manifests"] == [expected]
    none = client.request("GET", f"{path}?artifactType=application/other")
    assert none.json()["manifests"] == []
    assert none.headers["OCI-Filters-Applied"] == "artifactType"
    missing = client.request("GET", f"/v2/{name}/referrers/{MISSING}")
    assert missing.status_code == 200
    if registry.by_the_book:
        assert listed.headers["Content-Type"] == INDEX
        assert missing.json()["manifests"] == []
    assert client.request("GET", f"/v2/{name}/referrers/none").status_code == 400


# Content management


def test_a_manifest_is_deleted(client: Client, name: str) -> None:
    digest = client.push(name, "1.0")
    client.push(name, "2.0", "1.0")
    assert client.request("DELETE", f"/v2/{name}/manifests/{digest}").status_code == 202
    for reference in ("1.0", "2.0", digest):
        assert client.pull(name, reference).status_code == 404
    assert client.request("DELETE", f"/v2/{name}/manifests/{digest}").status_code == 404
    assert client.push(name, "1.0") == digest, "it can come again"


def test_a_tag_is_deleted(registry: Registry, client: Client, name: str) -> None:
    digest = client.push(name, "1.0")
    client.push(name, "2.0", "1.0")
    answer = client.request("DELETE", f"/v2/{name}/manifests/1.0")
    if not registry.by_the_book:
        assert answer.status_code in {400, 404, 405}, "Harbor takes digests alone"
        return
    assert answer.status_code == 202
    assert client.pull(name, "1.0").status_code == 404
    assert client.pull(name, "2.0").headers["Docker-Content-Digest"] == digest
    assert client.request("DELETE", f"/v2/{name}/manifests/1.0").status_code == 404


def test_a_blob_is_deleted(client: Client, name: str) -> None:
    digest = client.blob(name, b"to be deleted")
    assert client.request("DELETE", f"/v2/{name}/blobs/{digest}").status_code == 202
    assert client.request("GET", f"/v2/{name}/blobs/{digest}").status_code == 404
    assert client.request("DELETE", f"/v2/{name}/blobs/{digest}").status_code == 404


def test_methods_that_there_are_not(client: Client, name: str) -> None:
    client.push(name, "1.0")
    for method, path, allowed in (
        ("POST", "manifests/1.0", "DELETE, GET, HEAD, PUT"),
        ("PATCH", f"blobs/{MISSING}", "DELETE, GET, HEAD"),
        ("PUT", "tags/list", "GET"),
    ):
        answer = client.request(method, f"/v2/{name}/{path}")
        assert answer.status_code == 405
        assert answer.headers["Allow"] == allowed
        assert answer.text == "Method not allowed\n"
    for method in ("PUT", "PATCH", "GET"):
        answer = client.request(method, f"/v2/{name}/blobs/uploads/")
        assert answer.status_code == 404
        assert answer.json()["errors"] == [
            {"code": "BLOB_UPLOAD_UNKNOWN", "message": "blob upload unknown to registry"}
        ]
