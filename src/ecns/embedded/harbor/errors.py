"""Errors in Harbor's form: `{"errors": [{"code", "message", "detail"}]}`, its own and the registry's."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

ErrorBody = dict[str, Any]

CODES = {
    HTTPStatus.BAD_REQUEST: "BAD_REQUEST",
    HTTPStatus.UNAUTHORIZED: "UNAUTHORIZED",
    HTTPStatus.FORBIDDEN: "FORBIDDEN",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.METHOD_NOT_ALLOWED: "METHOD_NOT_ALLOWED",
    HTTPStatus.CONFLICT: "CONFLICT",
    HTTPStatus.PRECONDITION_FAILED: "PRECONDITION",
    HTTPStatus.UNPROCESSABLE_ENTITY: "UNPROCESSABLE_ENTITY",
    HTTPStatus.INTERNAL_SERVER_ERROR: "UNKNOWN",
}
"""What Harbor calls each status."""

VALIDATION = "validation failure list:\n"
"""How every 422 begins."""


class ProblemError(Exception):
    """An error to answer with.

    Args:
        status: of the answer.
        message: what a person reads.
        code: what a program reads; the status's own when empty.
        headers: more headers of the answer.
        errors: the whole list, when there are several or they have details.
    """

    def __init__(
        self,
        status: HTTPStatus,
        message: str = "",
        code: str = "",
        headers: dict[str, str] | None = None,
        errors: list[ErrorBody] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.errors = errors or [{"code": code or CODES[status], "message": message}]


def bad_request(message: str) -> ProblemError:
    """What was sent cannot be used."""
    return ProblemError(HTTPStatus.BAD_REQUEST, message)


def invalid(message: str, depth: int = 1) -> ProblemError:
    """What was sent is not of the API's shape; `depth` is how deep in the body."""
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, VALIDATION * depth + message)


def unauthorized() -> ProblemError:
    """An account is needed."""
    return ProblemError(HTTPStatus.UNAUTHORIZED, "unauthorized")


def forbidden(message: str = "forbidden") -> ProblemError:
    """The account's rights do not reach."""
    return ProblemError(HTTPStatus.FORBIDDEN, message)


def not_found(message: str) -> ProblemError:
    """There is no such thing."""
    return ProblemError(HTTPStatus.NOT_FOUND, message)


def conflict(message: str) -> ProblemError:
    """The name is taken."""
    return ProblemError(HTTPStatus.CONFLICT, message)


def precondition(message: str, code: str = "") -> ProblemError:
    """What is there forbids it."""
    return ProblemError(HTTPStatus.PRECONDITION_FAILED, message, code)


def unknown() -> ProblemError:
    """Harbor's own fault, which it makes at some inputs."""
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal server error")


def denied(message: str) -> ProblemError:
    """The storage limit is reached."""
    return ProblemError(HTTPStatus.FORBIDDEN, message, "DENIED")
