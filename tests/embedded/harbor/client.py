"""What a client of the stand-in does, in a few words."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

import httpx

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest_of(content: bytes) -> str:
    """The digest of a content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def layer(name: str) -> bytes:
    """A layer of one small file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(name)
        archive.addfile(entry, io.BytesIO(name.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


def config(name: str, architecture: str = "amd64") -> bytes:
    """A config."""
    return json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "created": "2024-01-02T03:04:05Z",
            "config": {"Cmd": [name]},
            "history": [{"created_by": f"ADD {name} /"}],
        }
    ).encode()


def descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    """What a manifest says of a content."""
    return {"mediaType": media_type, "size": len(content), "digest": digest_of(content)}


def manifest(name: str, media_type: str = MANIFEST, **more: Any) -> tuple[bytes, list[bytes]]:
    """A manifest of an image, and its blobs."""
    blobs = [config(name), layer(name)]
    body = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor(blobs[0], CONFIG),
        "layers": [descriptor(blobs[1], LAYER)],
        **more,
    }
    return json.dumps(body).encode(), blobs


class Client:
    """An account's client of one Harbor."""

    def __init__(self, url: str, name: str = "", password: str = "") -> None:
        self.url = url
        self.authorization = f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"
        auth = (name, password) if name else None
        self.http = httpx.Client(base_url=url, auth=auth, timeout=30)

    def close(self) -> None:
        """Close its connections."""
        self.http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request, without the cookies of the answers before."""
        self.http.cookies.clear()
        return self.http.request(method, path, **options)

    def head_of(self, method: str, location: str, *, length: int) -> bytes:
        """The beginning of a request on a bare connection."""
        host, path = self.url.removeprefix("http://"), location.removeprefix(self.url)
        return (
            f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {self.authorization}\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()

    def api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request of the API."""
        return self.request(method, f"/api/v2.0{path}", **options)

    def told(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """The body of an answer of the API that must have a status."""
        answer = self.api(method, path, **options)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def project(self, name: str, *, public: bool = False, limit: int = -1) -> None:
        """Make a project."""
        body = {"project_name": name, "metadata": {"public": str(public).lower()}, "storage_limit": limit}
        self.told("POST", "/projects", 201, json=body)

    def begin(self, repository: str) -> str:
        """Begin an upload; where it is."""
        answer = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        assert answer.status_code == 202, answer.text
        return answer.headers["Location"]

    def blob(self, repository: str, content: bytes) -> str:
        """Push a blob; its digest."""
        digest = digest_of(content)
        answer = self.finish(self.begin(repository), digest, content)
        assert answer.status_code == 201, answer.text
        return digest

    def finish(self, location: str, digest: str, content: bytes = b"") -> httpx.Response:
        """Finish an upload, perhaps with its last chunk."""
        separator = "&" if "?" in location else "?"
        return self.request("PUT", f"{location}{separator}digest={digest}", content=content)

    def put(self, repository: str, reference: str, body: bytes, media_type: str = MANIFEST) -> httpx.Response:
        """Put a manifest."""
        return self.request(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            content=body,
            headers={"Content-Type": media_type},
        )

    def push(
        self, repository: str, reference: str, name: str = "", media_type: str = MANIFEST, **more: Any
    ) -> str:
        """Push an image; its digest."""
        body, blobs = manifest(name or reference, media_type, **more)
        for content in blobs:
            self.blob(repository, content)
        answer = self.put(repository, reference, body, media_type)
        assert answer.status_code == 201, answer.text
        return answer.headers["Docker-Content-Digest"]

    def pull(self, repository: str, reference: str) -> httpx.Response:
        """Get a manifest, of whatever type it is."""
        accept = f"{MANIFEST}, {OCI}, {INDEX}, {LIST}"
        return self.request("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": accept})
