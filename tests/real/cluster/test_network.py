"""Services and Ingresses, with Kubernetes agreeing at every step."""

from __future__ import annotations

import concurrent.futures
import json
import secrets
from typing import Any

import pytest

from tests.gateway import eventually
from tests.real.cluster.conftest import IMAGE, SECONDS, Site

pytestmark = pytest.mark.timeout(400)
Json = dict[str, Any]


@pytest.fixture(scope="module")
def target(site: Site) -> str:
    """A workload with two pods that are ready."""
    name = "target"
    container = {"name": "web", "image": IMAGE, "resources": {"requests": {"cpu": 0.01, "memory": 16}}}
    base = {"name": name, "type": "Deployment", "replicas": 2}
    body = {"workloads": [{"workload_base": base, "containers": [container]}]}
    answer = site.client().post("/workloads/", json=body)
    assert answer.status_code == 200, answer.text
    site.until(name, "Running")
    return name


def sent(target: str, *ports: Json, kind: str = "ClusterIP", **more: Any) -> Json:
    access = list(ports) or [{"port": 80, "target_port": 80}]
    return {"service": {"access_mode": {"type": kind, "access": access}, "target_workload": target, **more}}


def ask(site: Site, method: str, path: str, body: Json | None = None, status: int = 200, **query: Any) -> Any:
    answer = site.client().request(method, path, json=body, params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


def listed(site: Site, name: str) -> Json:
    """A row of the list, empty while it is not there."""
    rows = ask(site, "GET", "/service/")["services"]
    return next((one for one in rows if one["name"] == name), {})


def test_a_service_from_type_to_type(site: Site, target: str) -> None:
    name = "there-and-back"
    made = ask(site, "POST", f"/service/{name}/", sent(target, kind="NodePort"))["service"]
    assert (made["target_workload"], made["workload_type"]) == (target, "Deployment")
    eventually(lambda: listed(site, name)["ready_endpoints"] == 2, seconds=SECONDS)
    address = made["access_mode"]["cluster_ip"]
    number = made["access_mode"]["access"][0]["node_port"]
    assert number in ask(site, "GET", "/service/nodeports/")["nodeports"]
    for kind in ("LoadBalancer", "ClusterIP", "NodePort", "ClusterIP"):
        change = {"service": {"access_mode": {"type": kind}}}
        now = ask(site, "PUT", f"/service/{name}/", change)["service"]
        spec = site.kubectl_json("get", "service", name)["spec"]
        assert (spec["type"], spec["clusterIP"]) == (kind, address)
        assert now["access_mode"]["type"] == kind
        assert bool(spec["ports"][0].get("nodePort")) == (kind != "ClusterIP")
    domain = {"service": {"access_mode": {"type": "ExternalName", "external_name": "db.example.com"}}}
    ask(site, "PUT", f"/service/{name}/", domain)
    spec = site.kubectl_json("get", "service", name)["spec"]
    assert (spec["type"], spec["externalName"]) == ("ExternalName", "db.example.com")
    assert not {"clusterIP", "selector"} & spec.keys()
    ask(site, "PUT", f"/service/{name}/", {"service": {"access_mode": {"type": "ClusterIP"}}})
    assert site.kubectl_json("get", "service", name)["spec"]["selector"] == made["selector"]
    eventually(lambda: listed(site, name)["ready_endpoints"] == 2, seconds=SECONDS)
    ask(site, "DELETE", "/service/", {"service": [name]})
    # what a provider made of it goes first
    eventually(lambda: name not in site.kubectl("get", "services", "-o", "name"), seconds=SECONDS)


def test_what_kubectl_made_comes_back_as_it_was(site: Site, target: str) -> None:
    name = "foreign"
    spec = {
        "type": "NodePort",
        "selector": {"ecns.easystack.com/workload": target},
        "sessionAffinity": "ClientIP",
        "externalTrafficPolicy": "Local",
        "publishNotReadyAddresses": True,
        "ports": [
            {"name": "web", "port": 80, "targetPort": "nowhere", "appProtocol": "http"},
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        ],
    }
    whole = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    site.kubectl("apply", "-f", "-", stdin=json.dumps(whole))
    shown = eventually(lambda: listed(site, name), seconds=SECONDS)
    assert shown["target_workload"] == target
    before = site.kubectl_json("get", "service", name)
    ask(site, "PUT", f"/service/{name}/", {"service": shown})
    assert site.kubectl_json("get", "service", name) == before
    ports = [{"port": 53, "protocol": "UDP"}, {"port": 8080}]
    ask(site, "PUT", f"/service/{name}/", {"service": {"access_mode": {"access": ports}}})
    after = site.kubectl_json("get", "service", name)["spec"]
    assert after["ports"][0] == before["spec"]["ports"][1]
    assert {key: value for key, value in after.items() if key != "ports"} == {
        key: value for key, value in before["spec"].items() if key != "ports"
    }


def test_what_is_taken_is_taken(site: Site, target: str) -> None:
    made = ask(site, "POST", "/service/first/", sent(target, kind="NodePort"))["service"]
    number = made["access_mode"]["access"][0]["node_port"]
    for protocol in ("TCP", "UDP"):
        port = {"port": 81, "protocol": protocol, "node_port": number}
        answer = ask(site, "POST", "/service/second/", sent(target, port, kind="NodePort"), 409)
        assert answer["error"]["message"] == f"node port {number} is taken by service 'first'"
    taken = site.kubectl_json("-n", "default", "get", "service", "kubernetes")["spec"]["clusterIP"]
    body = sent(target)
    body["service"]["access_mode"]["cluster_ip"] = taken
    assert taken in ask(site, "POST", "/service/second/", body, 409)["error"]["message"]
    out = sent(target, {"port": 80, "node_port": 30000 - 1}, kind="NodePort")
    ask(site, "POST", "/service/second/", out, 400)
    assert "second" not in site.kubectl("get", "services", "-o", "name")


def test_two_at_once(site: Site, target: str) -> None:
    name = "shared-service"
    ask(site, "POST", f"/service/{name}/", sent(target))

    def change(number: int) -> int:
        body = {"service": {"access_mode": {"access": [{"port": 80}, {"port": 8000 + number}]}}}
        return site.client().put(f"/service/{name}/", json=body).status_code

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(change, range(16)))
    assert set(statuses) <= {200, 409}
    assert 200 in statuses
    ports = site.kubectl_json("get", "service", name)["spec"]["ports"]
    assert ports[0]["port"] == 80
    assert len(ports) == 2


def test_an_ingress(site: Site, target: str) -> None:
    host = f"{secrets.token_hex(4)}.example.com"
    ask(site, "POST", "/service/front/", sent(target))
    routers = [{"domain": host, "path": "/", "target_service": "front"}]
    body = {"name": "front", "routers": routers, "tls": [{"hosts": [host], "secret_name": "none"}]}
    made = ask(site, "POST", "/ingress/", {"ingress": body})
    assert made["ingress"]["routers"][0]["service_port"] == 80
    assert any("secret 'none' is not there" in one for one in made["warnings"])
    spec = site.kubectl_json("get", "ingress", "front")["spec"]
    assert spec["rules"][0]["http"]["paths"][0]["backend"] == {
        "service": {"name": "front", "port": {"number": 80}}
    }
    assert f"https://{host}/" in ask(site, "GET", "/access/")
    again = {**body, "name": "another"}
    assert "'front'" in ask(site, "POST", "/ingress/", {"ingress": again}, 409)["error"]["message"]
    more = [*made["ingress"]["routers"], {"domain": host, "path": "/more", "target_service": "front"}]
    ask(site, "PATCH", "/ingress/", {"ingress": {"name": "front", "routers": more, "tls": []}})
    spec = site.kubectl_json("get", "ingress", "front")["spec"]
    assert [path["path"] for path in spec["rules"][0]["http"]["paths"]] == ["/", "/more"]
    assert "tls" not in spec
    assert f"http://{host}/more" in ask(site, "GET", "/access/")
    ask(site, "DELETE", "/service/", {"service": ["front"]}, 409)
    ask(site, "DELETE", "/ingress/", {"ingress": ["front"]})
    ask(site, "DELETE", "/service/", {"service": ["front"]})


def test_routers_go_with_their_service(site: Site, target: str) -> None:
    routers = [{"domain": f"{secrets.token_hex(4)}.example.com", "path": "/"}]
    ask(site, "POST", "/service/routed/", sent(target, {"port": 80, "routers": routers}))
    assert site.kubectl_json("get", "ingress", "routed")["metadata"]["ownerReferences"][0]["name"] == "routed"
    site.kubectl("delete", "service", "routed")
    eventually(lambda: "routed" not in site.kubectl("get", "ingresses", "-o", "name"), seconds=SECONDS)
