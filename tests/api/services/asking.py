"""Services and Ingresses as requests say them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.api.services import types
from tests.api.answers import told

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]

LIST = "/service/"


def one(name: str) -> str:
    """The path of a Service."""
    return f"/service/{name}/"


def service(target: str, *ports: Any, type: str = "ClusterIP", mode: Json | None = None, **more: Any) -> Json:  # noqa: A002  as it is sent
    """A Service as it is sent; a port is a number or all of an access."""
    access = [port if isinstance(port, dict) else {"port": port} for port in ports or (80,)]
    return {
        "access_mode": {"type": type, "access": access, **(mode or {})},
        "target_workload": target,
        **more,
    }


def create(client: httpx.Client, name: str, sent: Json) -> types.Service:
    """Make a Service, which succeeds."""
    return told(client.post(one(name), json={"service": sent}), types.OneService).service


def update(client: httpx.Client, name: str, sent: Json) -> types.Service:
    """Change a Service, which succeeds."""
    return told(client.put(one(name), json={"service": sent}), types.OneService).service


def delete(client: httpx.Client, *names: str, **query: Any) -> httpx.Response:
    """Delete Services."""
    return client.request("DELETE", LIST, params=query, json={"service": list(names)})


def listed(client: httpx.Client, **query: Any) -> dict[str, types.Service]:
    """The Services of a list, by name."""
    return {row.name: row for row in told(client.get(LIST, params=query), types.Services).services}
