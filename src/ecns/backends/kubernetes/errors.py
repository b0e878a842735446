"""What a cluster, or the way to it, answers with when it refuses: one translation into `ecns.errors`.

Source: the Kubernetes API conventions, "Response Status Kind",
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from ecns.backends.common import errors as common
from ecns.backends.common.errors import MESSAGE_LIMIT
from ecns.errors import (
    BadRequestError,
    ConflictError,
    EcnsError,
    ForbiddenError,
    MethodNotAllowedError,
    NotFoundError,
    NotSupportedError,
    PayloadTooLargeError,
    TooManyRequestsError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

CAUSES_LIMIT = 50

_RIGHTS = re.compile(
    r'\bis forbidden: User "|\bcannot (?:get|list|watch|create|update|patch|delete|impersonate)'
)
"""A refusal for want of rights; other 403s (quota, admission) are about what was sent."""
_QUOTED_BODY = re.compile(r", error found in #\d+ byte of .*", re.DOTALL)
_SECRET_VALUE = re.compile(r'Invalid value: (?:"(?:[^"\\]|\\.)*"|\S+)')
_TAKEN = re.compile(r"provided (?:port|IP) is already allocated")
"""A node port or cluster IP that another Service has: wrong today, not as such."""
_TYPED = re.compile(
    r"failed to (?:create typed patch object|convert new typed object) \([^)]*\)(?: to object)?: "
    r"(?:errors:\s*)?(?:(\.\S*?): )?"
)
"""Server-side apply of what is no object of its kind: a 500 of the server, and the sender's mistake."""
_GOT = re.compile(r", got .*", re.DOTALL)


class ExpiredError(UpstreamError):
    """The resourceVersion or continue token is too old (410): list again."""

    status = HTTPStatus.GONE


class NotServedError(NotSupportedError):
    """The cluster does not serve the kind: a CustomResourceDefinition is not installed there."""


class Cause(msgspec.Struct):
    """One of the reasons of a Status."""

    reason: str = ""
    message: str = ""
    field: str = ""


class StatusDetails(msgspec.Struct, rename="camel"):
    """What a Status is about."""

    name: str = ""
    kind: str = ""
    uid: str = ""
    causes: list[Cause] | None = None
    retry_after_seconds: int = 0


class Status(msgspec.Struct):
    """Kubernetes' own answer when there is no object to answer with."""

    kind: str = ""
    status: str = ""
    message: str = ""
    reason: str = ""
    code: int = 0
    details: StatusDetails | None = None


_status = msgspec.json.Decoder(Status)


def status_error(  # noqa: C901, PLR0911, PLR0912  one row for each status
    cluster: str,
    code: int,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    impersonated: bool = False,
) -> EcnsError:
    """The error for a cluster's answer that is no success.

    Args:
        cluster: its name, for the message.
        code: the HTTP status, or the code of a watch's ERROR event.
        body: a Status, or the text that some paths answer with.
        headers: the answer's; `Retry-After` counts.
        impersonated: the request was made as the caller, so that missing rights are the caller's.
    """
    try:
        status = _status.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        status = Status()
    about = status.details or StatusDetails()
    plain = "" if status.kind == "Status" else body[:MESSAGE_LIMIT].decode(errors="replace").strip()
    message = _clean(
        status.message or plain or f"HTTP status {code}", secret=about.kind.lower().startswith("secret")
    )
    where = f"cluster {cluster}"
    details: dict[str, Any] = {"upstream": where}
    if status.reason:
        details["reason"] = status.reason
    causes = [cause for cause in about.causes or () if cause.message or cause.field][:CAUSES_LIMIT]
    if causes:
        secret = "Secret" in message[:20]
        details["causes"] = [
            {"field": cause.field, "reason": cause.reason, "message": _clean(cause.message, secret=secret)}
            for cause in causes
        ]
    said = f"{where}: {message}"
    wait = _retry_after(headers, about)
    match code:
        case 422 if causes and all(_TAKEN.search(cause.message) for cause in causes):
            return ConflictError(said, details=details)
        case 400 | 422:
            field = next((cause.field for cause in causes if cause.field and cause.field != "<nil>"), "")
            return BadRequestError(said, field=field, details=details)
        case 401:
            return UpstreamError(
                f"{where} does not accept ECNS's credentials",
                upstream=where,
                details={"reason": "Unauthorized"},
            )
        case 403 if _RIGHTS.search(message) and (not impersonated or "cannot impersonate" in message):
            return UpstreamError(
                f"{where}: ECNS's own credentials lack the right: {message}", upstream=where, details=details
            )
        case 403:
            return ForbiddenError(said, details=details)
        case 404 if about.name:
            return NotFoundError(said, details=details)
        case 404:
            return NotServedError(said, details=details)
        case 405:
            return MethodNotAllowedError(said, details=details)
        case 409:
            return ConflictError(said, details=details)
        case 410:
            return ExpiredError(said, upstream=where, details=details)
        case 413:
            return PayloadTooLargeError(said, details=details)
        case 429:
            busy = TooManyRequestsError(said, retry_after=wait or 1.0)
            busy.details.update(details)
            return busy
        case 503:
            again = {"Retry-After": str(max(1, round(wait)))} if wait else None
            return UpstreamUnavailableError(said, upstream=where, details=details, headers=again)
        case 504:
            return UpstreamTimeoutError(said, upstream=where, details=details)
        case 500 if typed := _TYPED.search(message):
            if ", Kind=Secret)" in message:
                said = _GOT.sub("", said)
            return BadRequestError(said, field=(typed[1] or "").removeprefix("."), details=details)
        case _ if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return UpstreamError(said, upstream=where, details=details)
        case _:
            return UpstreamInvalidError(f"{said} (HTTP status {code})", upstream=where, details=details)


def transport_error(cluster: str, error: Exception, *, sent: bool = False) -> UpstreamError:
    """The error for a request that got no whole answer; see `ecns.backends.common.errors`."""
    return common.transport_error(f"cluster {cluster}", error, sent=sent)


def _clean(message: str, *, secret: bool) -> str:
    message = _QUOTED_BODY.sub("", message)
    if secret or message.startswith("Secret "):
        message = _SECRET_VALUE.sub("Invalid value", message)
    return common.clean(message)


def _retry_after(headers: Mapping[str, str] | None, about: StatusDetails) -> float:
    """Seconds to wait; 0 when the answer names none."""
    text = (headers or {}).get("Retry-After", "")
    return float(text) if text.isdigit() else float(about.retry_after_seconds)
