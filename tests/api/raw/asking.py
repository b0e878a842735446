"""How the tests ask for raw YAML."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import yaml

from ecns.api.common.documents import written
from ecns.api.raw.types import Results, Shown, YamlItem
from tests.api.answers import told

YAML = "application/yaml"


def unused(word: str = "raw") -> str:
    return f"{word}-{secrets.token_hex(4)}"


def path(kind: str, name: str) -> str:
    return f"/_raw/{kind}/name/{name}/"


def get(client: httpx.Client, kind: str, name: str, **params: str) -> httpx.Response:
    return client.get(path(kind, name), params=params)


def send(
    client: httpx.Client, method: str, kind: str, name: str, *documents: Any, **params: str
) -> httpx.Response:
    text = documents[0] if isinstance(documents[0], str) else written(*documents)
    return client.request(
        method, path(kind, name), content=text, params=params, headers={"Content-Type": YAML}
    )


def post(client: httpx.Client, kind: str, name: str, *documents: Any, **params: str) -> httpx.Response:
    return send(client, "POST", kind, name, *documents, **params)


def put(client: httpx.Client, kind: str, name: str, *documents: Any, **params: str) -> httpx.Response:
    return send(client, "PUT", kind, name, *documents, **params)


def done(answer: httpx.Response) -> list[YamlItem]:
    """All of a request that was done altogether."""
    results = told(answer, Results)
    assert results.failed == []
    return results.succeed


def shown(client: httpx.Client, kind: str, name: str, **params: str) -> Any:
    """An object as it is shown."""
    answer = told(get(client, kind, name, **params), Shown)
    assert answer.name == name
    return yaml.safe_load(answer.yaml)


def config_map(name: str, data: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    return whole if data is None else {**whole, "data": data}
