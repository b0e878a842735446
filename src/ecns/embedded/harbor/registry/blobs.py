"""Blobs: asked for, read whole or in part, taken away."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from ecns.embedded.harbor import clock
from ecns.embedded.harbor.answers import Answer, Part, done
from ecns.embedded.harbor.errors import not_found
from ecns.embedded.harbor.registry.faults import blob_unknown, not_allowed
from ecns.embedded.harbor.registry.gate import VERSION

if TYPE_CHECKING:
    from ecns.embedded.harbor.registry.paths import Target
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Store

BYTES = "application/octet-stream"
_RANGE = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*")


def is_linked(store: Store, repository: str, digest: str) -> bool:
    """Whether a repository has a blob."""
    return (
        store.value(
            "SELECT 1 FROM linked JOIN blob USING (digest) WHERE repository = ? AND digest = ?",
            repository,
            digest,
        )
        is not None
    )


def part_of(header: str, size: int) -> tuple[int, int] | None:
    """First byte and length of what a Range header asks for.

    Several ranges, and what is no range, are not looked at (RFC 9110 14.2 allows that): None, all of it.

    Raises:
        ValueError: it asks for nothing that there is.
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size)
        if not length:
            raise ValueError(header)
        return size - length, length
    first, last = int(found[1]), min(int(found[2] or size), size - 1)
    if found[2] and int(found[2]) < first:
        return None
    if first >= size:
        raise ValueError(header)
    return first, last - first + 1


def blob(call: Call, target: Target) -> Answer:
    """HEAD, GET and DELETE of a blob.

    Raises:
        ProblemError: 404, the repository does not have it.
    """
    store, digest = call.harbor.store, target.reference
    if call.method not in {"GET", "HEAD", "DELETE"}:
        return not_allowed("DELETE, GET, HEAD")
    size = store.value("SELECT size FROM blob WHERE digest = ?", digest)
    if call.method == "HEAD":
        if size is None:
            raise not_found(f"blob {digest} not found")
        # who asks is about to leave out an upload: what they then name must not be collected
        store.run("UPDATE blob SET touched = ? WHERE digest = ?", clock.now(), digest)
    if not is_linked(store, target.repository, digest):
        raise blob_unknown(digest)
    if call.method == "DELETE":
        store.run("DELETE FROM linked WHERE repository = ? AND digest = ?", target.repository, digest)
        return done(HTTPStatus.ACCEPTED, **VERSION)
    return _content(call, digest, int(size))


def _content(call: Call, digest: str, size: int) -> Answer:
    headers = {
        **VERSION,
        "Docker-Content-Digest": digest,
        "Etag": f'"{digest}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "max-age=31536000",
    }
    if call.header("If-None-Match") in {f'"{digest}"', digest}:
        return Answer(HTTPStatus.NOT_MODIFIED, headers=headers)
    wanted = None
    if call.header("If-Range") in {"", f'"{digest}"'}:
        try:
            wanted = part_of(call.header("Range"), size)
        except ValueError:
            headers["Content-Range"] = f"bytes */{size}"
            return Answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
    status = HTTPStatus.OK
    first, length = wanted or (0, size)
    if wanted is not None:
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{size}"
    return Answer(status, None, BYTES, headers, Part(call.harbor.files.blob(digest), first, length))
