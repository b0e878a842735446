"""The whole chain: a Service of the embedded cluster becomes a load balancer in Octavia, and goes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from kubernetes import client, config
from tests.gateway import Gateway, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBNET = "loadbalancer.openstack.org/subnet-id"
INTERNAL = "service.beta.kubernetes.io/openstack-internal-load-balancer"


class Chain:
    """One end and the other."""

    def __init__(self, gateway: Gateway) -> None:
        token = gateway.token("developer")
        url = gateway.facts["identity_url"]
        catalog = httpx.get(f"{url}/auth/catalog", headers={"X-Auth-Token": token}).json()["catalog"]
        self.urls = {service["type"]: service["endpoints"][0]["url"] for service in catalog}
        self.cloud = httpx.Client(headers={"X-Auth-Token": token}, timeout=10)
        self.core = client.CoreV1Api(config.new_client_from_config(gateway.facts["kubeconfig"]))

    def octavia(self, kind: str) -> list[dict[str, Any]]:
        answer = self.cloud.get(f"{self.urls['load-balancer']}/v2/lbaas/{kind}")
        found: list[dict[str, Any]] = answer.raise_for_status().json()[kind.rsplit("/", maxsplit=1)[-1]]
        return found

    def neutron(self, kind: str, **query: str) -> list[dict[str, Any]]:
        answer = self.cloud.get(f"{self.urls['network']}/v2.0/{kind}", params=query)
        found: list[dict[str, Any]] = answer.raise_for_status().json()[kind]
        return found

    def create(self, name: str, annotations: dict[str, str], *ports: int) -> None:
        spec = {"type": "LoadBalancer", "selector": {"app": "x"}}
        listed = [{"name": f"p{port}", "port": port} for port in ports]
        meta = {"name": name, "annotations": annotations}
        self.core.create_namespaced_service("demo", {"metadata": meta, "spec": {**spec, "ports": listed}})

    def address(self, name: str) -> str:
        def told() -> str:
            ingress = self.core.read_namespaced_service(name, "demo").status.load_balancer.ingress
            assert ingress
            return str(ingress[0].ip)

        return str(eventually(told, seconds=30))

    def balancer(self, name: str) -> dict[str, Any] | None:
        return next(
            (lb for lb in self.octavia("loadbalancers") if lb["name"] == f"kube_service_eks_demo_{name}"),
            None,
        )


@pytest.fixture
def chain(gateway: Gateway) -> Iterator[Chain]:
    made = Chain(gateway)
    yield made
    made.cloud.close()
    made.core.api_client.close()


@pytest.fixture
def name(chain: Chain) -> Iterator[str]:
    made = f"lb-{uuid.uuid4().hex[:8]}"
    yield made
    for service in chain.core.list_namespaced_service("demo").items:
        if service.metadata.name == made:
            chain.core.delete_namespaced_service(made, "demo")
    eventually(lambda: chain.balancer(made) is None, seconds=30)


def test_a_service_becomes_a_load_balancer_and_goes(chain: Chain, name: str) -> None:
    subnet = chain.neutron("subnets", name="private-subnet")[0]["id"]
    chain.create(name, {SUBNET: subnet}, 80, 443)
    address = chain.address(name)
    balancer = chain.balancer(name)
    assert balancer is not None
    assert (balancer["vip_address"], balancer["vip_subnet_id"]) == (address, subnet)
    service = chain.core.read_namespaced_service(name, "demo")
    assert service.metadata.annotations["loadbalancer.openstack.org/load-balancer-id"] == balancer["id"]
    assert service.metadata.finalizers == ["service.kubernetes.io/load-balancer-cleanup"]
    listeners = [one for one in chain.octavia("listeners") if one["loadbalancers"][0]["id"] == balancer["id"]]
    assert {one["protocol_port"] for one in listeners} == {80, 443}
    nodes = {
        address.address
        for node in chain.core.list_node().items
        for address in node.status.addresses
        if address.type == "InternalIP"
    }
    ports = {port.port: port.node_port for port in service.spec.ports}
    for listener in listeners:
        members = chain.octavia(f"pools/{listener['default_pool_id']}/members")
        assert {member["address"] for member in members} == nodes
        assert {member["protocol_port"] for member in members} == {ports[listener["protocol_port"]]}
    chain.core.delete_namespaced_service(name, "demo")
    eventually(lambda: chain.balancer(name) is None, seconds=30)

    def gone() -> bool:
        return all(one.metadata.name != name for one in chain.core.list_namespaced_service("demo").items)

    eventually(gone, seconds=30)
    assert chain.neutron("ports", name=f"octavia-lb-{balancer['id']}") == []


def test_ports_come_and_go(chain: Chain, name: str) -> None:
    chain.create(name, {}, 80)
    chain.address(name)
    chain.core.patch_namespaced_service(name, "demo", {"spec": {"ports": [{"name": "q", "port": 8080}]}})

    def the_new_one() -> bool:
        balancer = chain.balancer(name)
        assert balancer is not None
        mine = [one for one in chain.octavia("listeners") if one["loadbalancers"][0]["id"] == balancer["id"]]
        return 8080 in {one["protocol_port"] for one in mine}

    eventually(the_new_one, seconds=30)


def test_a_public_address_if_it_is_asked_for(chain: Chain, name: str) -> None:
    chain.create(name, {INTERNAL: "false"}, 80)
    address = chain.address(name)
    assert address.startswith("172.24.4.")
    balancer = chain.balancer(name)
    assert balancer is not None
    floating = chain.neutron("floatingips", floating_ip_address=address)[0]
    assert floating["port_id"] == balancer["vip_port_id"]
    chain.core.delete_namespaced_service(name, "demo")
    eventually(lambda: chain.neutron("floatingips", floating_ip_address=address) == [], seconds=30)


def test_another_type_lets_it_go(chain: Chain, name: str) -> None:
    chain.create(name, {}, 80)
    chain.address(name)
    chain.core.patch_namespaced_service(name, "demo", {"spec": {"type": "ClusterIP"}})
    eventually(lambda: chain.balancer(name) is None, seconds=30)

    def settled() -> bool:
        service = chain.core.read_namespaced_service(name, "demo")
        return not service.metadata.finalizers and not service.status.load_balancer.ingress

    eventually(settled, seconds=30)


def test_what_the_cloud_refuses_is_told(chain: Chain, name: str) -> None:
    chain.create(name, {SUBNET: str(uuid.uuid4())}, 80)

    def told() -> bool:
        events = chain.core.list_namespaced_event("demo", field_selector=f"involvedObject.name={name}").items
        found = [event.message for event in events if event.reason == "SyncLoadBalancerFailed"]
        return any("not found" in message for message in found)

    eventually(told, seconds=30)
