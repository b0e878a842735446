"""The requests of chapter 1.4."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from ecns.api.configmaps.types import ConfigMap, ConfigMapInfo, ConfigMaps, OneConfigMap
from tests.api.answers import told

if TYPE_CHECKING:
    import httpx

LIST = "/kubernetes/configmaps/"
_numbers = itertools.count(1)


def unused() -> str:
    """A name that no ConfigMap has."""
    return f"config.{next(_numbers)}"


def one(name: str, part: str = "") -> str:
    """The path of a ConfigMap, or of a part of it."""
    return f"/kubernetes/configmap/{name}/{part}"


def post(client: httpx.Client, name: str, /, **sent: Any) -> httpx.Response:
    """Ask for a ConfigMap."""
    headers = sent.pop("headers", None)
    query = sent.pop("query", None)
    return client.post(one(name), json={"configmap": {"name": name, **sent}}, headers=headers, params=query)


def create(client: httpx.Client, name: str, /, **sent: Any) -> ConfigMap:
    """Make one, which is made."""
    return told(post(client, name, **{"config": {}, **sent}), OneConfigMap).configmap


def patch(client: httpx.Client, name: str, /, **sent: Any) -> httpx.Response:
    """Ask for a change."""
    query = sent.pop("query", None)
    return client.patch(one(name), json={"configmap": sent}, params=query)


def changed(client: httpx.Client, name: str, /, **sent: Any) -> ConfigMap:
    """Change one, which is done."""
    return told(patch(client, name, **sent), OneConfigMap).configmap


def shown(client: httpx.Client, name: str) -> ConfigMap:
    """One with its values."""
    return told(client.get(one(name)), OneConfigMap).configmap


def delete(client: httpx.Client, *names: Any, **query: Any) -> httpx.Response:
    """Ask for a deletion."""
    return client.request("DELETE", LIST, json={"configmaps": list(names)}, params=query)


def listed(client: httpx.Client, **query: Any) -> dict[str, ConfigMapInfo]:
    """The rows of a list, by name."""
    found = told(client.get(LIST, params=query), ConfigMaps).configmaps
    return {row.name: row for row in found}
