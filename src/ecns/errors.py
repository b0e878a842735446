"""Every error ECNS answers with: one hierarchy, the HTTP status on the class.

Raise the class that fits; `ecns.server` turns it into the reference's envelope (chapter 1.11)::

    {"error": {"message": "...", "code": 404, "title": "Not Found"}}

Messages are for the caller: they name the field, the thing or the upstream, never a secret.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar


class EcnsError(Exception):
    """An error with an HTTP status.

    Attributes:
        status: the HTTP status answered.
        message: one sentence for the caller.
        details: facts for programs, in the envelope as `details` beside `error`.
        headers: response headers that belong to the error, such as `Retry-After`.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(
        self, message: str, *, details: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}
        self.headers = headers or {}

    @property
    def title(self) -> str:
        """The status in words, such as `Not Found`."""
        return self.status.phrase


class BadRequestError(EcnsError):
    """The request cannot be understood or names impossible values; `field` says where."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, message: str, *, field: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message, details={**({"field": field} if field else {}), **(details or {})})
        self.field = field


class UnauthorizedError(EcnsError):
    """No token, or none that Keystone accepts."""

    status = HTTPStatus.UNAUTHORIZED


class ForbiddenError(EcnsError):
    """The caller is known and may not do this."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(EcnsError):
    """There is no such thing, or none that the caller may see."""

    status = HTTPStatus.NOT_FOUND


class MethodNotAllowedError(EcnsError):
    """The path exists, the method does not."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class NotAcceptableError(EcnsError):
    """Nothing that the `Accept` header names can be made."""

    status = HTTPStatus.NOT_ACCEPTABLE


class ConflictError(EcnsError):
    """The thing exists already, or has changed since it was read."""

    status = HTTPStatus.CONFLICT


class PayloadTooLargeError(EcnsError):
    """The body is over the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class RequestTimeoutError(EcnsError):
    """The client stopped sending what it had begun."""

    status = HTTPStatus.REQUEST_TIMEOUT


class UnsupportedMediaTypeError(EcnsError):
    """The body's content type is not one the operation takes."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class UpgradeRequiredError(EcnsError):
    """What was asked for speaks another protocol than HTTP."""

    status = HTTPStatus.UPGRADE_REQUIRED

    def __init__(self, message: str, *, protocol: str) -> None:
        super().__init__(message, headers={"Upgrade": protocol})


class TooManyRequestsError(EcnsError):
    """The caller, or ECNS towards an upstream, is over a limit of requests."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message, headers={"Retry-After": str(max(1, round(retry_after)))})
        self.retry_after = retry_after


class UnavailableError(EcnsError):
    """ECNS itself cannot do it now: what it needs here, such as disk space, is not there."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class NotSupportedError(EcnsError):
    """The reference has it, this installation does not."""

    status = HTTPStatus.NOT_IMPLEMENTED


class DeadlineError(EcnsError):
    """ECNS itself did not finish in time."""

    status = HTTPStatus.GATEWAY_TIMEOUT


class UpstreamError(EcnsError):
    """An upstream (a cluster, Keystone, Harbor, …) did not do its part; `upstream` names it."""

    status = HTTPStatus.BAD_GATEWAY

    def __init__(
        self,
        message: str,
        *,
        upstream: str,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message, details={"upstream": upstream, **(details or {})}, headers=headers)
        self.upstream = upstream


class UpstreamInvalidError(UpstreamError):
    """The upstream answered nonsense."""


class UpstreamUnavailableError(UpstreamError):
    """The upstream cannot be reached or says it is not available."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class UpstreamTimeoutError(UpstreamError):
    """The upstream did not answer in time."""

    status = HTTPStatus.GATEWAY_TIMEOUT


BY_STATUS: dict[int, type[EcnsError]] = {
    cls.status: cls
    for cls in (
        BadRequestError,
        UnauthorizedError,
        ForbiddenError,
        NotFoundError,
        MethodNotAllowedError,
        NotAcceptableError,
        ConflictError,
        PayloadTooLargeError,
        UnsupportedMediaTypeError,
        NotSupportedError,
    )
}
