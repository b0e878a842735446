"""The URIs that Ingresses define."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecns.api.ingresses.uris import Entrance, controllers, entrance, node_address, uris
from ecns.backends.kubernetes.kinds import INGRESS, INGRESS_CLASS, NODE, SERVICE
from tests.api.ingresses.test_manifests import path

Json = dict[str, Any]

HERE = Entrance(addresses=["192.0.2.1"])


def ingress(*rules: Json, status: Json | None = None, **spec: Any) -> Any:
    whole = {"metadata": {"name": "x"}, "spec": {"rules": list(rules), **spec}, "status": status or {}}
    return msgspec.convert(whole, INGRESS.type)


def rule(host: str, *paths: str) -> Json:
    return {"host": host, "http": {"paths": [path(one) for one in paths]}}


def node(name: str, address: str, ready: str = "True") -> Any:
    status = {
        "addresses": [{"type": "InternalIP", "address": address}],
        "conditions": [{"type": "Ready", "status": ready}],
    }
    return msgspec.convert({"metadata": {"name": name}, "status": status}, NODE.type)


def test_hosts_and_paths() -> None:
    found = ingress(rule("a.x", "/", "/b"), rule("*.x", ""), rule("a.x", "/b"), {"host": "bare.x"})
    assert uris(found, HERE) == ["http://a.x/", "http://a.x/b", "http://*.x/", "http://bare.x/"]


def test_https_where_the_host_is_under_tls() -> None:
    rules = [rule(host, "/") for host in ("a.x", "b.x", "c.b.x", "x", "*.b.x")]
    found = ingress(*rules, tls=[{"hosts": ["a.x", "*.b.x"], "secretName": "s"}])
    assert uris(found, HERE) == [
        "https://a.x/",
        "http://b.x/",
        "https://c.b.x/",
        "http://x/",
        "https://*.b.x/",
    ]
    found = ingress(rule("a.x", "/"), rule("", "/"), tls=[{"secretName": "s"}])
    assert uris(found, HERE) == ["https://a.x/", "https://192.0.2.1/"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Entrance(addresses=["192.0.2.1", "192.0.2.2"]), ["http://192.0.2.1/p", "http://192.0.2.2/p"]),
        (Entrance(addresses=["192.0.2.1"], http=30080), ["http://192.0.2.1:30080/p"]),
        (Entrance(addresses=["lb.example.com"], https=8443), ["http://lb.example.com/p"]),
        (Entrance(addresses=["fd00::1"], http=8080), ["http://[fd00::1]:8080/p"]),
        (Entrance(), []),
    ],
)
def test_without_a_host_there_is_an_address(where: Entrance, expected: list[str]) -> None:
    assert uris(ingress(rule("", "/p")), where) == expected


def test_a_default_backend_alone() -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    assert uris(ingress(defaultBackend=backend), HERE) == ["http://192.0.2.1/"]
    assert uris(ingress(rule("a.x", "/p"), defaultBackend=backend), HERE) == ["http://a.x/p"]
    assert uris(ingress(), HERE) == []


NODES = [node("c", "192.0.2.3"), node("b", "192.0.2.2"), node("a", "192.0.2.1", "False")]


def where(found: Any, service: Json | None = None) -> tuple[list[str], int, int]:
    labels = {"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/instance": "mine"}
    classes = [
        msgspec.convert({"metadata": {"name": "nginx", "labels": labels}}, INGRESS_CLASS.type),
        msgspec.convert({"metadata": {"name": "other"}}, INGRESS_CLASS.type),
    ]
    services = []
    if service is not None:
        services.append(
            msgspec.convert({"metadata": {"name": "c", "labels": labels}, **service}, SERVICE.type)
        )
    place = entrance(found, controllers(classes, services), "nginx", node_address(NODES))
    return list(place.addresses), place.http, place.https


def test_the_load_balancer_else_the_controller_else_a_node_that_is_ready() -> None:
    found = ingress(rule("", "/"))
    assert where(found) == (["192.0.2.2"], 80, 443)
    ports = [
        {"name": "http", "port": 80, "nodePort": 30080},
        {"name": "https", "port": 443, "nodePort": 30443},
    ]
    assert where(found, {"spec": {"type": "NodePort", "ports": ports}}) == (["192.0.2.2"], 30080, 30443)
    assert where(found, {"spec": {"type": "ClusterIP", "ports": ports}}) == (["192.0.2.2"], 80, 443)
    ports = [{"name": "web", "port": 8080}, {"name": "websecure", "port": 8443}]
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}
    balanced = {"spec": {"type": "LoadBalancer", "ports": ports}, "status": status}
    assert where(found, balanced) == (["203.0.113.7"], 8080, 8443)
    own = {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}, {"hostname": "lb"}, {"ip": "203.0.113.9"}]}}
    assert where(ingress(rule("", "/"), status=own), balanced) == (["203.0.113.9", "lb"], 80, 443)
    own = {"loadBalancer": {"ingress": [{"ip": "203.0.113.9", "ports": [{"port": 8080}, {"port": 8443}]}]}}
    assert where(ingress(rule("", "/"), status=own)) == (["203.0.113.9"], 8080, 8443)


def test_no_nodes_no_address() -> None:
    assert list(entrance(ingress(rule("", "/")), {}, "", node_address([])).addresses) == []
