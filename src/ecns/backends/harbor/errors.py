"""What Harbor, its registry, or the way to them answers with when it refuses: one translation.

Source: the `Errors` of Harbor's API, https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml;
the error codes of the registry, https://github.com/opencontainers/distribution-spec/blob/main/spec.md.
"""

from __future__ import annotations

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
    PayloadTooLargeError,
    TooManyRequestsError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

HARBOR = "Harbor"
"""As a person calls it."""
UPSTREAM = "harbor"
"""As programs do."""


class _Problem(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Problems(msgspec.Struct):
    errors: list[_Problem] | None = None


def problem(body: bytes) -> tuple[str, str]:
    """The code and the words of an answer that is an error; "" where it has none."""
    try:
        found = msgspec.json.decode(body, type=_Problems).errors or []
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = []
    if not found:
        return "", ""
    text = "; ".join(dict.fromkeys(one.message for one in found if one.message))
    return found[0].code, clean(text).strip()


def status_error(  # noqa: PLR0911  one row for each status
    status: int, body: bytes, headers: Mapping[str, str] | None = None
) -> EcnsError:
    """The error for an answer that is no success.

    Args:
        status: the HTTP status.
        body: Harbor's errors, or what a proxy before it says.
        headers: the answer's; `Retry-After` counts.
    """
    code, message = problem(body)
    said = f"Harbor: {message}" if message else f"Harbor answered with HTTP status {status}"
    details: dict[str, Any] = {"upstream": UPSTREAM}
    if code:
        details["reason"] = code
    match status:
        case 401:
            return UpstreamError("Harbor does not accept ECNS's account", upstream=UPSTREAM, details=details)
        case 403 if code == "DENIED":  # a storage limit, a read-only Harbor
            return ForbiddenError(said, details=details)
        case 403:
            return UpstreamError(
                f"ECNS's account in Harbor lacks the right ({message or 'forbidden'}); it needs that of an "
                "administrator",
                upstream=UPSTREAM,
                details=details,
            )
        case 400 | 422:
            return BadRequestError(said, details=details)
        case 404:
            return NotFoundError(said, details=details)
        case 409 | 412:
            return ConflictError(said, details=details)
        case 413:
            return PayloadTooLargeError(said, details=details)
        case 429:
            after = (headers or {}).get("Retry-After", "")
            busy = TooManyRequestsError(said, retry_after=float(after) if after.isdigit() else 1.0)
            busy.details.update(details)
            return busy
        case 502 | 503:
            return UpstreamUnavailableError(
                f"Harbor is not available (HTTP status {status})", upstream=UPSTREAM, details=details
            )
        case 504:
            return UpstreamTimeoutError("Harbor did not answer in time", upstream=UPSTREAM, details=details)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return UpstreamError(said, upstream=UPSTREAM, details=details)
        case _:
            return UpstreamInvalidError(f"{said} (HTTP status {status})", upstream=UPSTREAM, details=details)


def invalid(error: Exception) -> UpstreamError:
    """The error for an answer whose body is something else than Harbor's API promises."""
    return UpstreamInvalidError(
        f"Harbor's answer is not what its API 2.0 promises: {error}", upstream=UPSTREAM
    )
