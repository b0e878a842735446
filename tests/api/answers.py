"""What every answer of the gateway promises, checked wherever one is read (reference 1.11)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ecns.server.errors import Envelope

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


def told(answer: httpx.Response, kind: type[T], status: int = 200) -> T:
    """A success, decoded as the reference's type."""
    assert answer.status_code == status, answer.text
    _identified(answer)
    assert answer.headers["content-type"] == "application/json"
    return msgspec.json.decode(answer.content, type=kind)


def refused(answer: httpx.Response, status: int, *, field: str = "") -> str:
    """What an error says, in the reference's envelope; `field` is where the request is wrong."""
    assert answer.status_code == status, answer.text
    _identified(answer)
    envelope = msgspec.json.decode(answer.content, type=Envelope)
    assert envelope.error.code == status
    assert envelope.error.title == HTTPStatus(status).phrase
    assert envelope.error.message
    assert envelope.request_id == answer.headers["RequestId"]
    details: dict[str, Any] = envelope.details or {}
    if field:
        assert details.get("field") == field, answer.text
    if status == HTTPStatus.UNAUTHORIZED:
        assert answer.headers["WWW-Authenticate"].startswith('Keystone uri="http')
    return envelope.error.message


def _identified(answer: httpx.Response) -> None:
    assert answer.headers["RequestId"].startswith("req-")
    assert answer.headers["X-Openstack-Request-Id"] == answer.headers["RequestId"]
