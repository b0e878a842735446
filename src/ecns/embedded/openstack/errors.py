"""Refusals, before each service puts them into its own shape."""

from __future__ import annotations

from http import HTTPStatus


class ProblemError(Exception):
    """A request is refused.

    Args:
        status: of HTTP.
        message: for the client.
        kind: what the service calls such an error, where it has names for them.
    """

    def __init__(self, status: int, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind


def bad(message: str, kind: str = "") -> ProblemError:
    """The request is wrong."""
    return ProblemError(HTTPStatus.BAD_REQUEST, message, kind)


def forbidden(message: str, kind: str = "") -> ProblemError:
    """The caller may not, or a quota is used up."""
    return ProblemError(HTTPStatus.FORBIDDEN, message, kind)


def missing(message: str, kind: str = "") -> ProblemError:
    """There is no such thing, or not for the caller."""
    return ProblemError(HTTPStatus.NOT_FOUND, message, kind)


def conflict(message: str, kind: str = "") -> ProblemError:
    """The state of things does not allow it."""
    return ProblemError(HTTPStatus.CONFLICT, message, kind)
