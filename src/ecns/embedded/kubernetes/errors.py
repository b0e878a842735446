"""Kubernetes' own errors: a `Status` object with the reason, the message and the causes.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

from __future__ import annotations

from typing import Any

import msgspec

Object = dict[str, Any]
"""A Kubernetes object as JSON."""


class Cause(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with an object, as in `status.details.causes`.

    `message` is the text after the field's path, such as `Required value` or
    `Invalid value: "a_b": must consist of …`.
    """

    reason: str
    message: str
    field: str = ""

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class MalformedError(ValueError):
    """A body that cannot be decoded; `str()` gives the decoder's text."""


class ApiError(Exception):
    """An answer of the API server that is not a success."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Object | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers or {}

    def status(self) -> Object:
        """The error as a `v1.Status` object."""
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


def _details(resource: str, name: str) -> Object:
    plural, _, group = resource.partition(".")
    details: Object = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    details["kind"] = plural
    return details


def not_written(why: Exception) -> ApiError:
    """500, for what cannot be kept: the disk is full or failing."""
    return ApiError(
        500, "InternalError", f"Internal error occurred: {why}", details={"causes": [{"message": str(why)}]}
    )


def not_found(resource: str, name: str) -> ApiError:
    """404; `resource` is `pods` or `deployments.apps`."""
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', details=_details(resource, name))


def already_exists(resource: str, name: str) -> ApiError:
    """409 for a create whose name is taken."""
    return ApiError(
        409, "AlreadyExists", f'{resource} "{name}" already exists', details=_details(resource, name)
    )


def conflict(resource: str, name: str, why: str) -> ApiError:
    """409 for a change to an object that has changed, or may not be changed so."""
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(resource, name))


def bad_request(message: str) -> ApiError:
    """400 for a request that cannot be understood."""
    return ApiError(400, "BadRequest", message)


def forbidden(resource: str, name: str, why: str) -> ApiError:
    """403 by admission or RBAC."""
    subject = f'{resource} "{name}"' if name else resource
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details=_details(resource, name))


def invalid(kind: str, group: str, name: str, causes: list[Cause]) -> ApiError:
    """422 with every cause; `kind` is the object's kind."""
    texts = list(dict.fromkeys(str(cause) for cause in causes))
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    qualified = f"{kind}.{group}" if group else kind
    named = {"name": name, "group": group, "kind": kind}
    details: Object = {key: value for key, value in named.items() if value}
    details["causes"] = [msgspec.to_builtins(cause) for cause in causes]
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {joined}', details=details)
