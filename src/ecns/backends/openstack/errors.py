"""What OpenStack services refuse with: their many shapes of an error, one translation into `ecns.errors`.

Sources: https://specs.openstack.org/openstack/api-sig/guidelines/errors.html, and what the services really
answer: Nova and Cinder `{"itemNotFound": {"message", "code"}}`, Neutron `{"NeutronError": {"type",
"message"}}`, Octavia `{"faultstring"}`, Heat `{"error": {"message", "type"}, "explanation"}`, Keystone
`{"error": {"message"}}`, Placement `{"errors": [{"detail"}]}`, Glance and whatever stands before them HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from ecns.backends.common.errors import clean
from ecns.errors import (
    BadRequestError,
    ConflictError,
    EcnsError,
    ForbiddenError,
    NotFoundError,
    NotSupportedError,
    PayloadTooLargeError,
    TooManyRequestsError,
    UnauthorizedError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

QUOTA = "over quota"
"""The `reason` of whatever a service refuses because a quota is used up."""

_ABOUT = re.compile(r"<(head|script|style)\b.*?</\1>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]+>")
_OVER_QUOTA = re.compile(r"\bquota\b.*\b(exceed|met|reached)|exceed\w*\b.*\bquota\b|OverQuota", re.IGNORECASE)
_MESSAGES = ("message", "detail", "faultstring", "explanation", "description")


def request_id(headers: Mapping[str, str]) -> str:
    """The service's own name for a request, which its log has too."""
    return headers.get("x-openstack-request-id") or headers.get("x-compute-request-id") or ""


def about(upstream: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """The details of every error: who answered, and where in its log."""
    found = request_id(headers)
    return {"upstream": upstream, **({"upstream_request_id": found} if found else {})}


def refusal(where: str, upstream: str, status: int, headers: Mapping[str, str], body: bytes) -> EcnsError:  # noqa: PLR0911  one row for each status
    """The error for an answer that is no success.

    Args:
        where: the service as a person calls it.
        upstream: its name for programs.
        status: of HTTP.
        headers: the answer's.
        body: whatever it is.
    """
    message, kind = described(body)
    message = message or f"HTTP status {status}"
    details = about(upstream, headers) | ({"reason": kind} if kind else {})
    said = f"{where}: {message}"
    wait = headers.get("Retry-After", "")
    if status in {403, 409, 413} and _OVER_QUOTA.search(f"{kind} {message}"):
        return ForbiddenError(said, details={**details, "reason": QUOTA})
    match status:
        case 400 | 422:
            return BadRequestError(said, details=details)
        case 401:
            return UnauthorizedError(f"{where} does not accept the token", details=details)
        case 403:
            return ForbiddenError(said, details=details)
        case 404:
            return NotFoundError(said, details=details)
        case 406 | 501:
            return NotSupportedError(said, details=details)
        case 409:
            return ConflictError(said, details=details)
        case 413 if not wait.strip("0"):
            return PayloadTooLargeError(said, details=details)
        case 413 | 429:
            busy = TooManyRequestsError(said, retry_after=float(wait) if wait.isdigit() else 1.0)
            busy.details.update(details)
            return busy
        case 502 | 503:
            again = {"Retry-After": wait} if wait.isdigit() else None
            return UpstreamUnavailableError(said, upstream=upstream, details=details, headers=again)
        case 504:
            return UpstreamTimeoutError(said, upstream=upstream, details=details)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return UpstreamError(said, upstream=upstream, details=details)
        case _:
            return UpstreamInvalidError(f"{said} (HTTP status {status})", upstream=upstream, details=details)


def described(body: bytes) -> tuple[str, str]:
    """The message of an error in any shape, and the service's name for its kind; both may be empty."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _plain(body.decode(errors="replace")), ""
    return _found(told)


def _found(told: Any, name: str = "") -> tuple[str, str]:
    if isinstance(told, str):
        return _plain(told), name
    if isinstance(told, list):
        return next((found for entry in told if (found := _found(entry, name))[0]), ("", ""))
    if not isinstance(told, dict):
        return "", ""
    inner = {key: value for key, value in told.items() if isinstance(value, dict | list)}
    for key, value in inner.items():
        found = _found(value, key)
        if found[0]:
            return found
    kind = told.get("type")
    kind = kind if isinstance(kind, str) else name
    for key in _MESSAGES:
        if isinstance(message := told.get(key), str) and message.strip():
            return _plain(message), "" if kind in {"error", "errors"} else kind
    return next(
        ((_plain(value), name) for value in told.values() if isinstance(value, str) and value.strip()),
        ("", ""),
    )


def _plain(text: str) -> str:
    """Text of what may be HTML, as one line."""
    if "<" in text:
        text = html.unescape(_TAG.sub(" ", _ABOUT.sub(" ", text)))
    return clean(" ".join(text.split()))
