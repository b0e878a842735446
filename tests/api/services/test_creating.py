"""Services that are made: with their workloads, ports and routers, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.common.batches import Batch
from ecns.api.services import types
from tests.api.answers import refused, told
from tests.api.services.asking import (
    MODE,
    create,
    delete,
    kubectl,
    listed,
    modes,
    one,
    service,
    update,
    whole,
)
from tests.api.workloads.asking import unused
from tests.gateway import eventually

if TYPE_CHECKING:
    import httpx

    from tests.gateway import Gateway

Json = dict[str, Any]


def test_a_service_leads_to_its_workload(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    port = {"port": "80", "target_port": 8080, "protocol": "tcp", "name": "web"}
    sent = service(target, port, type="NodePort", workload_type="Deployment", labels={"tier": "front"})
    made = create(client, name, sent)
    assert (made.name, made.target_workload, made.workload_type) == (name, target, "Deployment")
    assert (made.labels, made.access_mode.type) == ({"tier": "front"}, "NodePort")
    assert made.access_mode.access is not None
    access = made.access_mode.access[0]
    assert (access.name, access.port, access.target_port, access.protocol) == ("web", 80, 8080, "TCP")
    there = whole(gateway, name)
    assert there["spec"]["selector"] == {"ecns.easystack.com/workload": target}
    assert there["spec"]["ports"][0]["nodePort"] == access.node_port
    assert there["metadata"]["creationTimestamp"] == made.creation_time
    assert made.access_mode.cluster_ip == there["spec"]["clusterIP"]
    nodes = gateway.kubectl_json("get", "nodes")["items"]
    addresses = {
        entry["address"]
        for node in nodes
        for entry in node["status"]["addresses"]
        if entry["type"] == "InternalIP"
    }
    assert set(made.access_mode.private_ips or []) == addresses
    assert made.access_mode.external is None
    eventually(lambda: listed(client)[name].ready_endpoints == 2)
    assert modes(client, target)[name] == made.access_mode
    refused(client.post(one(name), json={"service": sent}), 409)


def test_routers_are_an_ingress_that_goes_with_the_service(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    host = f"{name}.example.com"
    router = {"domain": host, "path": "/a"}
    made = create(client, name, service(target, {"port": 80, "routers": [router]}))
    assert made.access_mode.access is not None
    shown = (made.access_mode.access[0].routers or [])[0]
    assert (shown.domain, shown.path, shown.target_service, shown.service_port) == (host, "/a", name, 80)
    ingress = whole(gateway, name, "ingress")
    assert ingress["metadata"]["ownerReferences"][0]["kind"] == "Service"
    assert "ecns.easystack.com/creating" not in whole(gateway, name)["metadata"]["labels"]
    now = update(
        client, name, {"access_mode": {"access": [{"port": 80, "routers": [{**router, "path": "/b"}]}]}}
    )
    assert now.access_mode.access is not None
    assert [router.path for router in now.access_mode.access[0].routers or []] == ["/b"]
    assert whole(gateway, name, "ingress")["metadata"]["uid"] == ingress["metadata"]["uid"]
    told(delete(client, name), Batch[None])
    assert name not in kubectl(gateway, "get", "services,ingresses", "-o", "name")


def test_routers_may_come_later_and_go(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    create(client, name, service(target))
    routers = [{"domain": f"{name}.example.com", "path": "/"}]
    update(client, name, {"access_mode": {"access": [{"port": 80, "routers": routers}]}})
    owner = whole(gateway, name, "ingress")["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("Service", name)
    assert update(client, name, {"labels": {"a": "b"}}).access_mode.access[0].routers  # type: ignore[index]  # there is one
    update(client, name, {"access_mode": {"access": [{"port": 80, "routers": []}]}})
    assert f"/{name}\n" not in kubectl(gateway, "get", "ingresses", "-o", "name")


def test_another_port_leaves_the_routes_where_they_are(
    gateway: Gateway, client: httpx.Client, target: str, name: str
) -> None:
    routers = [{"domain": f"{name}.example.com", "path": "/"}]
    create(client, name, service(target, {"port": 80, "name": "web", "routers": routers}))
    kubectl(gateway, "create", "ingress", f"{name}-in", f"--rule=b.{name}.example.com/*={name}:web")
    before = [whole(gateway, each, "ingress")["spec"] for each in (name, f"{name}-in")]
    update(client, name, {"access_mode": {"access": [{"port": 81, "name": "web"}]}})
    assert [whole(gateway, each, "ingress")["spec"] for each in (name, f"{name}-in")] == before
    update(client, name, {"access_mode": {"access": [{"port": 81, "routers": []}]}})
    left = kubectl(gateway, "get", "ingresses", "-o", "name")
    assert f"/{name}" not in left


def test_a_service_without_a_workload(gateway: Gateway, client: httpx.Client, name: str) -> None:
    domain = {"access_mode": {"type": "ExternalName", "external_name": "db.example.com"}}
    made = create(client, name, domain)
    assert (made.target_workload, made.access_mode.external_name) == ("", "db.example.com")
    assert (made.ready_endpoints, made.endpoints) == (None, None)
    other = unused()
    made = create(
        client,
        other,
        {"access_mode": {"type": "ClusterIP", "access": [{"port": 80}]}, "selector": {"a": "b"}},
    )
    assert (made.selector, made.target_workload, made.ready_endpoints) == ({"a": "b"}, "", 0)
    headless = unused()
    made = create(client, headless, service("", 80, mode={"cluster_ip": "None"}, selector={"a": "b"}))
    assert made.access_mode.cluster_ip == "None"
    told(delete(client, name, other, headless), Batch[None])
    assert other not in kubectl(gateway, "get", "services", "-o", "name")


def test_affinity_and_policy(gateway: Gateway, client: httpx.Client, target: str, name: str) -> None:
    sent = service(target, type="NodePort", session_affinity="ClientIP", external_traffic_policy="Local")
    made = create(client, name, sent)
    assert (made.session_affinity, made.external_traffic_policy) == ("ClientIP", "Local")
    assert update(client, name, {"access_mode": {"type": "LoadBalancer"}}).session_affinity == "ClientIP"
    spec = whole(gateway, name)["spec"]
    assert spec["externalTrafficPolicy"] == "Local"
    assert spec["healthCheckNodePort"] in told(client.get("/service/nodeports/"), types.NodePorts).nodeports
    now = update(client, name, {"session_affinity": "None", "external_traffic_policy": "Cluster"})
    assert (now.session_affinity, now.external_traffic_policy) == ("None", "Cluster")


WRONG: list[tuple[str, Json]] = [
    ("service", {}),
    ("service.access_mode", {"service": {"target_workload": "T"}}),
    (f"{MODE}.type", {"service": {"access_mode": {}, "target_workload": "T"}}),
    (f"{MODE}.type", {"service": service("T", type="Ingress")}),
    (f"{MODE}.access", {"service": {"access_mode": {"type": "ClusterIP"}, "target_workload": "T"}}),
    (f"{MODE}.access[0].port", {"service": service("T", {})}),
    *(
        (f"{MODE}.access[0].port", {"service": service("T", {"port": port})})
        for port in (0, -1, 65536, "http", 1.5, True, None, [])
    ),
    (f"{MODE}.access[0].target_port", {"service": service("T", {"port": 80, "target_port": "http"})}),
    (f"{MODE}.access[0].protocol", {"service": service("T", {"port": 80, "protocol": "ICMP"})}),
    (f"{MODE}.access[1].port", {"service": service("T", 80, 80)}),
    (f"{MODE}.access[1].name", {"service": service("T", {"port": 1, "name": "a"}, {"port": 2, "name": "a"})}),
    (f"{MODE}.access[0].name", {"service": service("T", {"port": 1, "name": "Web"})}),
    *(
        (
            f"{MODE}.access[0].node_port",
            {"service": service("T", {"port": 80, "node_port": port}, type="NodePort")},
        )
        for port in (0, 65536, "x")
    ),
    (
        f"{MODE}.access[1].node_port",
        {
            "service": service(
                "T", {"port": 80, "node_port": 30111}, {"port": 81, "node_port": 30111}, type="NodePort"
            )
        },
    ),
    (f"{MODE}.cluster_ip", {"service": service("T", mode={"cluster_ip": "here"})}),
    (f"{MODE}.external_name", {"service": service("T", type="ExternalName")}),
    (f"{MODE}.external_name", {"service": service("T", type="ExternalName", mode={"external_name": "a b"})}),
    (f"{MODE}.name", {"service": service("T", mode={"name": "another"})}),
    (f"{MODE}.annotations", {"service": service("T", mode={"annotations": "no"})}),
    ("service.labels.a", {"service": service("T", labels={"a": "b c"})}),
    ("service.labels", {"service": service("T", labels={"a b": "c"})}),
    (
        "service.labels.app.kubernetes.io/part-of",
        {"service": service("T", labels={"app.kubernetes.io/part-of": "x"})},
    ),
    ("service.selector", {"service": service("T", selector={"a": "b"})}),
    ("service.target_workload", {"service": service("")}),
    ("service.target_workload", {"service": service("nowhere")}),
    ("service.target_workload", {"service": service("T", workload_type="StatefulSet")}),
    ("service.workload_type", {"service": service("T", workload_type="Job")}),
    ("service.session_affinity", {"service": service("T", session_affinity="Cookie")}),
    ("service.external_traffic_policy", {"service": service("T", external_traffic_policy="Local")}),
    *(
        (
            f"{MODE}.access[0].routers[0].domain",
            {"service": service("T", {"port": 80, "routers": [{"domain": host}]})},
        )
        for host in ("*.", "-a.b", "EXAMPLE.com", "a..b", "*.*.a", "*", "10.0.0.1", "a b", "a" * 254)
    ),
    *(
        (
            f"{MODE}.access[0].routers[0].path",
            {"service": service("T", {"port": 80, "routers": [{"path": path}]})},
        )
        for path in ("a", "//", "/a/../b", "/a/..", "/%2f")
    ),
]


@pytest.mark.parametrize(("field", "body"), WRONG)
def test_what_cannot_be_is_refused_before_anything_is_made(
    client: httpx.Client, target: str, name: str, field: str, body: Json
) -> None:
    sent = body.get("service", {})
    if sent.get("target_workload") == "T":
        body = {"service": {**sent, "target_workload": target}}
    refused(client.post(one(name), json=body), 400, field=field)
    assert name not in listed(client)


@pytest.mark.parametrize("bad", ["Web", "1st", "a.b", "a" * 64, "-a", "a_b", "é"])
def test_names_that_cannot_be(client: httpx.Client, target: str, bad: str) -> None:
    refused(client.post(one(bad), json={"service": service(target)}), 400, field="service_name")
    assert client.put(one(bad), json={"service": {"labels": {}}}).status_code == 404


def test_a_service_may_be_called_as_what_is_below_the_list(client: httpx.Client, target: str) -> None:
    create(client, "nodeports", service(target))
    assert update(client, "nodeports", {"labels": {"a": "b"}}).labels == {"a": "b"}
    told(delete(client, "nodeports"), Batch[None])


def test_a_hundred_ports(client: httpx.Client, target: str, name: str) -> None:
    made = create(client, name, service(target, *range(1000, 1100), type="NodePort"))
    assert made.access_mode.access is not None
    ports = [access.node_port for access in made.access_mode.access]
    assert len({*ports}) == 100
    assert {*ports} <= {*told(client.get("/service/nodeports/"), types.NodePorts).nodeports}
    told(delete(client, name), Batch[None])
