"""The requests of chapter 1.6."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from ecns.api.secrets.types import SecretDetail, SecretInfo, Secrets
from tests.api.answers import told

if TYPE_CHECKING:
    import httpx

ALL = "/kubernetes/secret/"
_numbers = itertools.count(1)


def unused() -> str:
    """A name that no Secret has."""
    return f"secret-{next(_numbers)}"


def one(name: str, part: str = "") -> str:
    """The path of a Secret, or of a part of it."""
    return f"{ALL}{name}/{part}"


def post(client: httpx.Client, name: str, /, **sent: Any) -> httpx.Response:
    """Ask for a Secret; Opaque without another type."""
    headers, query = sent.pop("headers", None), sent.pop("query", None)
    secret = {"name": name, "type": "Opaque", **sent}
    return client.post(ALL, json={"secret": secret}, headers=headers, params=query)


def create(client: httpx.Client, name: str, /, **sent: Any) -> SecretInfo:
    """Make one, which is made."""
    return told(post(client, name, **sent), SecretInfo)


def patch(client: httpx.Client, name: str, /, **sent: Any) -> httpx.Response:
    """Ask for a change."""
    query = sent.pop("query", None)
    return client.patch(ALL, json={"secret": {"name": name, **sent}}, params=query)


def changed(client: httpx.Client, name: str, /, **sent: Any) -> SecretInfo:
    """Change one, which is done."""
    return told(patch(client, name, **sent), SecretInfo)


def shown(client: httpx.Client, name: str) -> SecretDetail:
    """One with its values."""
    return told(client.get(one(name)), SecretDetail)


def delete(client: httpx.Client, *names: Any, **query: Any) -> httpx.Response:
    """Ask for a deletion, by names or rows."""
    rows = [{"name": name} if isinstance(name, str) else name for name in names]
    return client.request("DELETE", ALL, json={"secrets": rows}, params=query)


def listed(client: httpx.Client, **query: Any) -> dict[str, SecretInfo]:
    """The rows of a list, by name."""
    found = told(client.get(ALL, params=query), Secrets).secrets
    return {row.name: row for row in found}
