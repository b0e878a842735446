"""Services and Ingresses as requests say them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.api.services import types
from tests.api.answers import told
from tests.api.workloads import asking

if TYPE_CHECKING:
    import httpx

    from tests.gateway import Gateway

Json = dict[str, Any]

LIST = "/service/"
NAMESPACE, SECOND = "services", "services-two"
MODE = "service.access_mode"


def there(namespace: str) -> dict[str, str]:
    """Headers that name a place."""
    return {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": namespace}


def kubectl(gateway: Gateway, *arguments: str, stdin: str = "") -> str:
    """What kubectl prints, in the namespace."""
    return gateway.kubectl("-n", NAMESPACE, *arguments, stdin=stdin)


def whole(gateway: Gateway, name: str, kind: str = "service") -> Json:
    """An object with all of its fields."""
    found: Json = gateway.kubectl_json("-n", NAMESPACE, "get", kind, name)
    return found


def modes(client: httpx.Client, workload: str) -> dict[str, Any]:
    """The access modes of a workload, by name."""
    return {mode.name or "": mode for mode in asking.shown(client, workload).workload.access_mode or []}


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
