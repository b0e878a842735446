"""Uploads of blobs: begin, mount, chunks, the end."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ecns.embedded.harbor import clock, quotas
from ecns.embedded.harbor.answers import Answer, done
from ecns.embedded.harbor.errors import ProblemError, bad_request
from ecns.embedded.harbor.files import is_digest
from ecns.embedded.harbor.registry import faults
from ecns.embedded.harbor.registry.blobs import is_linked
from ecns.embedded.harbor.registry.gate import VERSION, base_url, mounted_from
from ecns.embedded.harbor.uploads import GoneError, StaleError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ecns.embedded.harbor.registry.paths import Target
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row
    from ecns.embedded.harbor.uploads import Upload

_CONTENT_RANGE = re.compile(r"(?:bytes[= ])?(\d+)-(\d+)(?:/(?:\d+|\*))?")
PIECE = 1 << 18
"""Bytes that are taken from the connection at a time."""


def _location(call: Call, upload: Upload, status: HTTPStatus) -> Answer:
    state = call.harbor.uploads.state(upload)
    return Answer(
        status,
        headers={
            **VERSION,
            "Location": f"{base_url(call)}/v2/{upload.repository}/blobs/uploads/{upload.id}?_state={state}",
            "Range": f"0-{max(upload.size - 1, 0)}",
            "Docker-Upload-Uuid": upload.id,
        },
    )


def _there(call: Call, repository: str, digest: str) -> Answer:
    location = f"{base_url(call)}/v2/{repository}/blobs/{digest}"
    return Answer(
        HTTPStatus.CREATED, headers={**VERSION, "Location": location, "Docker-Content-Digest": digest}
    )


def _content(call: Call) -> AsyncIterator[bytes]:
    return call.request.content.iter_chunked(PIECE)


async def begin(call: Call, target: Target, project: Row) -> Answer:
    """POST: begin an upload, or mount a blob of another repository.

    Raises:
        ProblemError: 403, the project is at its limit; 404, any other method.
    """
    if call.method != "POST":
        raise faults.no_upload()
    if not call.path.endswith("/"):
        query = f"?{call.request.rel_url.raw_query_string}" if call.query else ""
        return done(HTTPStatus.MOVED_PERMANENTLY, **VERSION, Location=f"{call.shown_path}/{query}")
    store, repository = call.harbor.store, target.repository
    digest, source = call.text("mount"), mounted_from(call, target)
    if not digest:
        quotas.check(store, project["id"], 0)
    elif (size := store.value("SELECT size FROM blob WHERE digest = ?", digest)) is not None:
        if not quotas.has(store, project["id"], digest):
            quotas.check(store, project["id"], size)
        if source and is_linked(store, source, digest):
            _count(call, project, repository, digest, size)
            return _there(call, repository, digest)
    upload = call.harbor.uploads.begin(repository)
    if call.harbor.oci and (digest := call.text("digest")):
        return await _whole(call, project, upload, digest)
    return _location(call, upload, HTTPStatus.ACCEPTED)


def _count(call: Call, project: Row, repository: str, digest: str, size: int) -> None:
    """Give a blob that is on the disk to a repository, and count it in its project.

    Raises:
        ProblemError: 403, the project is at its limit, perhaps since a moment ago.
    """
    store = call.harbor.store
    with store.transaction():
        if not quotas.has(store, project["id"], digest):
            quotas.check(store, project["id"], size)
        store.run(
            "INSERT INTO blob VALUES (?, ?, 'application/octet-stream', ?)"
            " ON CONFLICT DO UPDATE SET touched = excluded.touched",
            digest,
            size,
            clock.now(),
        )
        store.run("INSERT OR IGNORE INTO linked VALUES (?, ?)", repository, digest)
        quotas.add(store, project["id"], digest)


async def _whole(call: Call, project: Row, upload: Upload, digest: str) -> Answer:
    """The whole content in the POST, which the specification allows and Harbor does not take."""
    uploads = call.harbor.uploads
    try:
        async with uploads.going_on(upload.id, upload.repository, uploads.state(upload)):
            return await _finish(call, project, upload, digest)
    finally:
        uploads.drop(upload.id)


async def session(call: Call, target: Target, project: Row) -> Answer:
    """GET, PATCH, PUT and DELETE of an upload.

    Raises:
        ProblemError: 404, there is none or the state is an old one; 400, the digest is another; 403, the
            project is at its limit; 507, the disk is full.
    """
    handler: Any = {
        "GET": _status,
        "HEAD": _status,
        "PATCH": _append,
        "PUT": _finish,
        "DELETE": _cancel,
    }.get(call.method)
    if handler is None:
        return faults.not_allowed("DELETE, GET, HEAD, PATCH, PUT")
    digest = call.text("digest")
    if call.method == "PUT" and not digest:
        raise bad_request("exist blob require digest")
    state = call.text("_state")
    if not state:
        raise faults.upload_invalid()
    uploads = call.harbor.uploads
    try:
        async with uploads.going_on(
            target.reference, target.repository, state, any_moment=handler is _status
        ) as upload:
            answer: Answer = await handler(call, project, upload, digest)
            return answer
    except StaleError as error:
        raise (faults.upload_invalid() if error.args else faults.upload_stale()) from error
    except GoneError as error:
        raise faults.upload_unknown() from error


async def _status(call: Call, _project: Row, upload: Upload, _digest: str) -> Answer:
    return _location(call, upload, HTTPStatus.NO_CONTENT)


async def _append(call: Call, _project: Row, upload: Upload, _digest: str) -> Answer:
    before = upload.size
    length = _check_range(call, upload)
    await call.harbor.uploads.append(upload, _content(call))
    if length is not None and upload.size - before != length:
        raise faults.size_invalid("the chunk has not the size of its Content-Range")
    return _location(call, upload, HTTPStatus.ACCEPTED)


def _check_range(call: Call, upload: Upload) -> int | None:
    """What a Content-Range says of the chunk's size; Harbor's registry does not look at it.

    Raises:
        ProblemError: 416, the chunk does not follow what is there.
    """
    header = call.header("Content-Range")
    if not header or not call.harbor.oci:
        return None
    found = _CONTENT_RANGE.fullmatch(header.strip())
    if found is None or int(found[1]) != upload.size or int(found[2]) < int(found[1]):
        raise faults.range_invalid(upload.size)
    return int(found[2]) - int(found[1]) + 1


async def _finish(call: Call, project: Row, upload: Upload, digest: str) -> Answer:
    harbor, repository = call.harbor, upload.repository
    if not is_digest(digest):
        raise faults.digest_unparsed()
    counted = quotas.has(harbor.store, project["id"], digest)
    if not counted:
        quotas.check(harbor.store, project["id"], upload.size + (call.request.content_length or 0))
    size, hasher = upload.size, upload.hasher
    _check_range(call, upload)
    await harbor.uploads.append(upload, _content(call))
    if await harbor.uploads.digest(upload, digest.partition(":")[0]) != digest:
        harbor.uploads.rewind(upload, size, hasher)
        raise faults.digest_invalid(digest)
    if not counted:
        try:
            quotas.check(harbor.store, project["id"], upload.size)
        except ProblemError:
            harbor.uploads.rewind(upload, size, hasher)
            raise
    await harbor.uploads.finish(upload, digest)
    harbor.uploads.drop(upload.id)
    _count(call, project, repository, digest, upload.size)
    return _there(call, repository, digest)


async def _cancel(call: Call, _project: Row, upload: Upload, _digest: str) -> Answer:
    call.harbor.uploads.drop(upload.id)
    return Answer(HTTPStatus.NO_CONTENT, headers={**VERSION, "Docker-Upload-Uuid": upload.id})


def link(path: str, **parameters: str) -> str:
    """A Link header to the next page; parameters come in the order of their names."""
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in sorted(parameters.items()))
    return f'<{path}?{query}>; rel="next"'
