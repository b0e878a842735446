"""From any exception to the reference's error envelope (chapter 1.11); the only place that does it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from litestar import Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
    ValidationException,
)

from ecns.api.common import bodies
from ecns.errors import (
    BY_STATUS,
    BadRequestError,
    EcnsError,
    MethodNotAllowedError,
    NotFoundError,
    PayloadTooLargeError,
)
from ecns.server.requests import context

if TYPE_CHECKING:
    from litestar import Request

log = structlog.get_logger(__name__)

MESSAGE_LIMIT = 2000
"""Characters of a message: an upstream's may be as long as the object that it complains of."""


class ErrorBody(msgspec.Struct):
    """What went wrong: the message is for people, code and title are the HTTP status."""

    message: str
    code: int
    title: str


class Envelope(msgspec.Struct, rename={"request_id": "RequestId"}, omit_defaults=True):
    """The body of every answer that is an error."""

    error: ErrorBody
    request_id: str
    details: dict[str, Any] | None = None
    """Facts for programs: the field, the upstream, Kubernetes' causes."""


def envelope(error: EcnsError, request_id: str) -> Envelope:
    """The body for an error."""
    message = error.message
    if len(message) > MESSAGE_LIMIT:
        message = message[: MESSAGE_LIMIT - 1] + "…"
    return Envelope(
        error=ErrorBody(message=message, code=error.status, title=error.title),
        request_id=request_id,
        details=error.details or None,
    )


def render(error: EcnsError, request_id: str) -> bytes:
    """The body for an error, encoded."""
    return msgspec.json.encode(envelope(error, request_id))


def translate(exception: Exception) -> EcnsError:
    """The ECNS error that an exception stands for; a plain `EcnsError` (500) for a fault of ours."""
    match exception:
        case EcnsError():
            return exception
        case ValidationException() | InternalServerException():
            return _validation(exception)
        case ClientException(__cause__=SerializationException()):
            return BadRequestError(f"the body is not JSON: {_root(exception)}")
        case UnicodeDecodeError():
            return BadRequestError("the body is not UTF-8")
        case NotFoundException():
            return NotFoundError("there is no such path")
        case MethodNotAllowedException():
            return MethodNotAllowedError(
                "this path does not take that method", headers=exception.headers or {}
            )
        case HTTPException(status_code=413):
            return PayloadTooLargeError("the body is larger than this server takes")
        case HTTPException() if exception.status_code in BY_STATUS:
            return BY_STATUS[exception.status_code](exception.detail or exception.args[0])
        case RecursionError():
            return BadRequestError("the body is nested too deeply")
    return _fault()


def _root(exception: BaseException) -> str:
    while exception.__cause__ is not None:
        exception = exception.__cause__
    return str(exception)


def _validation(exception: ValidationException | InternalServerException) -> EcnsError:
    """The error of a parameter or of a field of the body.

    Litestar calls it a fault of ours when the field has the name of a dependency; its path tells it apart.
    """
    message, path = exception.detail, ""
    if isinstance(cause := exception.__cause__, msgspec.ValidationError):
        message, path = bodies.place(cause)
    elif isinstance(exception.extra, list) and exception.extra:
        message, path = exception.extra[0]["message"], exception.extra[0].get("key", "")
    if path == "data" and message == "is needed":
        return BadRequestError("the request needs a JSON body")
    field = path.removeprefix("data").removeprefix(".") if re.match(r"data\b", path) else path
    if isinstance(exception, InternalServerException) and field == path:
        return _fault()
    return bodies.invalid(message, field)


def _fault() -> EcnsError:
    return EcnsError("ECNS failed; the request id leads to the reason in its log")


def handle(request: Request[Any, Any, Any], exception: Exception) -> Response[Envelope]:
    """Answer an exception; faults of ours are logged with their traceback."""
    error = _told(exception, request.scope)
    request_id = context(request.scope).request_id
    return Response(
        envelope(error, request_id),
        status_code=error.status,
        headers=error.headers,
        media_type="application/json",
    )


async def remember(exception: Exception, scope: Any) -> None:
    """Litestar's hook `after_exception`: note why a WebSocket is refused; what is around answers it."""
    if scope["type"] == "websocket":
        routed = scope.get("route_handler") is not None
        context(scope).failure = (
            _told(exception, scope) if routed else NotFoundError("there is no WebSocket at this path")
        )


def _told(exception: Exception, scope: Any) -> EcnsError:
    error = translate(exception)
    if type(error) is EcnsError:
        request_id = context(scope).request_id
        log.error("request failed", request_id=request_id, path=scope["path"], exc_info=exception)
    return error
