"""Errors of the registry behind Harbor: their codes, and the header that all its answers have.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes
"""

from __future__ import annotations

import errno
import sqlite3
from http import HTTPStatus
from typing import Any

from ecns.embedded.harbor.answers import TEXT, Answer
from ecns.embedded.harbor.errors import ErrorBody, ProblemError
from ecns.embedded.harbor.registry.gate import VERSION

_MISSING: Any = object()
_FULL = (errno.ENOSPC, errno.EDQUOT)


def _fault(status: HTTPStatus, code: str, message: str, detail: Any = _MISSING) -> ProblemError:
    body: ErrorBody = {"code": code, "message": message}
    if detail is not _MISSING:
        body["detail"] = detail
    return ProblemError(status, message, headers=dict(VERSION), errors=[body])


def blob_unknown(digest: str) -> ProblemError:
    """The repository has no such blob."""
    return _fault(HTTPStatus.NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry", digest)


def blobs_unknown(digests: list[str]) -> ProblemError:
    """A manifest names what is not there."""
    error = blob_unknown(digests[0])
    error.status = HTTPStatus.BAD_REQUEST
    error.errors = [
        {"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry", "detail": digest}
        for digest in digests
    ]
    return error


def upload_unknown() -> ProblemError:
    """There is no such upload."""
    return _fault(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry", {})


def no_upload() -> ProblemError:
    """The path names no upload."""
    return _fault(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")


def upload_stale() -> ProblemError:
    """The state of an upload is not that of the last answer."""
    return _fault(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_INVALID", "blob upload invalid")


def upload_invalid() -> ProblemError:
    """The state of an upload is none."""
    return _fault(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_INVALID", "blob upload invalid", {})


def digest_invalid(digest: str = "") -> ProblemError:
    """The content has another digest."""
    message = "provided digest did not match uploaded content"
    if not digest:
        return _fault(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID", message)
    return _fault(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID", message, {"Digest": digest, "Reason": {}})


def digest_unparsed() -> ProblemError:
    """What should be a digest is none."""
    message = "provided digest did not match uploaded content"
    return _fault(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID", message, "digest parsing failed")


def manifest_unknown(message: str) -> ProblemError:
    """There is one, but not of a type that the client takes."""
    return _fault(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN", message)


def range_invalid(have: int) -> ProblemError:
    """A chunk does not follow what is there."""
    error = _fault(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "RANGE_INVALID", "invalid content range")
    error.headers["Range"] = f"0-{max(have - 1, 0)}"
    return error


def size_invalid(message: str) -> ProblemError:
    """What was sent has not the size that was said, or is too large."""
    return _fault(HTTPStatus.BAD_REQUEST, "SIZE_INVALID", message)


def of_full_disk(error: OSError | sqlite3.OperationalError) -> ProblemError | None:
    """The answer when the disk is full; None when that is not it."""
    if isinstance(error, sqlite3.OperationalError):
        full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
    else:
        full = error.errno in _FULL
    if not full:
        return None
    return _fault(HTTPStatus.INSUFFICIENT_STORAGE, "UNKNOWN", "no space is left on the registry's disk")


def not_allowed(allowed: str) -> Answer:
    """The path takes other methods."""
    body = b"Method not allowed\n"
    return Answer(HTTPStatus.METHOD_NOT_ALLOWED, body, TEXT, {**VERSION, "Allow": allowed})


def no_page() -> Answer:
    """The registry has no such path."""
    return Answer(HTTPStatus.NOT_FOUND, b"404 page not found\n", TEXT, dict(VERSION))
