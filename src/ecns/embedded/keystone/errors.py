"""Errors in Keystone's form: `{"error": {"code", "message", "title"}}`."""

from __future__ import annotations

from http import HTTPStatus


class ProblemError(Exception):
    """An error to answer with."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def unauthorized() -> ProblemError:
    """Who it is cannot be told; Keystone never says why."""
    return ProblemError(HTTPStatus.UNAUTHORIZED, "The request you have made requires authentication.")


def forbidden(action: str) -> ProblemError:
    """The token's roles do not reach."""
    return ProblemError(
        HTTPStatus.FORBIDDEN, f"You are not authorized to perform the requested action: {action}."
    )


def not_found(kind: str, identity: str) -> ProblemError:
    """There is no such thing."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"Could not find {kind}: {identity}.")


def invalid(message: str) -> ProblemError:
    """The body does not say what it must."""
    return ProblemError(HTTPStatus.BAD_REQUEST, message)
