"""Hybrid applications on the embedded default that something outside breaks, or that many change at once."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ecns.backends.openstack.octavia import Octavia
from tests.api import inside
from tests.api.answers import refused
from tests.api.applications.bodies import named
from tests.api.virtualmachines import balancers
from tests.api.virtualmachines.balancers import ACCESS, becomes
from tests.api.virtualmachines.conftest import machine
from tests.gateway import Gateway, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {
    "octavia": "load-balancer",
    "heat": "orchestration",
    "nova": "compute",
    "cinder": "block-storage",
    "neutron": "network",
    "glance": "image",
}


class Project:
    """The project `demo` as its developer sees it: by ECNS, and in the cloud itself."""

    def __init__(self, gateway: Gateway, name: str) -> None:
        self.gateway = gateway
        self.name = name
        self.member = gateway.client("developer", "hybrid")
        self._token = {"X-Auth-Token": gateway.token("developer")}
        catalog = httpx.get(f"{gateway.facts['identity_url']}/auth/catalog", headers=self._token).json()
        self._urls = {one["type"]: one["endpoints"][0]["url"] for one in catalog["catalog"]}

    def call(self, service: str, method: str, path: str, body: Any = None) -> Any:
        url = self._urls[KINDS[service]]
        answer = httpx.request(method, url + path, headers=self._token, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def body(self, **more: Any) -> dict[str, Any]:
        """An application with one group, both of the test's name."""
        subnets = self.gateway.client("developer").get("/ecns/kubernetes/network/subnets/").json()
        found = next(one for one in subnets if one["name"].startswith("private"))
        network = {"network_name": "private", "network_id": found["network_id"]}
        network |= {"subnet_name": found["name"], "subnet_id": found["id"]}
        return {
            "name": self.name,
            "type": "Hybrid",
            "vm_network": network,
            "virtual_machines": [machine(self.name, **more)],
        }

    def create(self, **more: Any) -> httpx.Response:
        return self.member.post("/applications/", json=self.body(**more))

    def delete(self) -> httpx.Response:
        return self.member.request("DELETE", "/applications/app/?resource=all", json=named(self.name))

    def left(self) -> list[str]:
        """What of the group is in the cloud."""
        found: list[Any] = []
        for service, path, key in (
            ("heat", "/stacks", "stacks"),
            ("nova", "/servers/detail", "servers"),
            ("cinder", "/volumes/detail", "volumes"),
            ("neutron", "/v2.0/ports", "ports"),
            ("neutron", "/v2.0/security-groups", "security_groups"),
            ("octavia", "/v2.0/lbaas/loadbalancers", "loadbalancers"),
        ):
            found += self.call(service, "GET", path)[key]
        names = (str(one.get("name") or one.get("stack_name")) for one in found)
        return [one for one in names if self.name in one]


@pytest.fixture
def project(gateway: Gateway) -> Iterator[Project]:
    """With an application of its own, of which nothing is left after the test."""
    made = Project(gateway, f"vm-{secrets.token_hex(4)}")
    yield made
    made.delete()
    eventually(lambda: not made.left())


def test_a_load_balancer_that_somebody_removed(project: Project) -> None:
    assert project.create(loadbalancer=ACCESS, replicas=2).status_code == 200
    balancers.robbed(project.member, project.call, project.name)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what Litestar says of its next version
async def test_octavia_is_gone_while_machines_are_removed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there is still shown, with what is wrong; the same deletion completes it afterwards."""
    assert project.create(loadbalancer=ACCESS).status_code == 200
    becomes(project.member, project.name, "Running")

    async def nowhere(*_: object) -> str:
        return "http://127.0.0.1:1"

    headers = {**project.member.headers, "X-Ecns-Cluster": "eks", "X-Ecns-Namespace": "demo"}
    with monkeypatch.context() as gone:
        gone.setattr(Octavia, "_address", nowhere)
        async with inside.client(project.gateway) as client:
            client.base_url = httpx.URL("http://ecns/api/ecns/hybrid")
            path = "/applications/app/?resource=all"
            answer = await client.request("DELETE", path, json=named(project.name), headers=headers)
            assert "Octavia" in refused(answer, 503)
            assert answer.json()["details"]["upstream"] == "octavia"
    shown = project.member.get(f"/applications/app/{project.name}/").json()["application_info"]
    assert shown["application_status"]["status"] == "Unready"
    assert project.delete().status_code == 200
    refused(project.member.get(f"/applications/app/{project.name}/"), 404)


def test_many_at_once(project: Project) -> None:
    """Of several scalings one counts, the others hear so; deleting wins over all, also twice."""
    assert project.create(replicas=1).status_code == 200
    becomes(project.member, project.name, "Running")

    def scale(replicas: int) -> int:
        path = f"/virtualmachine/{project.name}/?action=scale"
        return project.member.patch(path, json={"replicas": replicas}).status_code

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(scale, (0, 2, 3))) == [200, 409, 409]
    which = {"virtual_machines": [{"name": project.name}]}
    eventually(lambda: project.member.put("/virtualmachine/?action=recreate", json=which).status_code == 200)
    with ThreadPoolExecutor(2) as pool:
        answers = [done.result() for done in [pool.submit(project.delete) for _ in range(2)]]
    assert 200 in {one.status_code for one in answers}
    assert {one.status_code for one in answers} <= {200, 404}
    assert not project.left()
    assert project.create(replicas=0).status_code == 200  # the name is free


@pytest.mark.parametrize("address", ["192.168.1.1", "fd00::1", "10.0.0.1", "10.0.0.255"])
def test_addresses_that_no_load_balancer_can_have(project: Project, address: str) -> None:
    answer = project.create(loadbalancer={**ACCESS, "internal_ip": address})
    refused(answer, 400, field="virtual_machines[0].loadbalancer.internal_ip")


def test_an_address_that_is_taken(project: Project) -> None:
    body = project.body(replicas=0, loadbalancer={**ACCESS, "internal_ip": "10.0.0.203"})
    group = body["virtual_machines"][0]
    twice = {**body, "virtual_machines": [group, {**group, "name": "second"}]}
    field = "loadbalancer.internal_ip"
    refused(project.member.post("/applications/", json=twice), 400, field=f"virtual_machines[1].{field}")
    made = project.member.post("/applications/", json=body)
    assert made.status_code == 200, made.text
    becomes(project.member, project.name, "Stopped")
    other = {**body, "name": f"{project.name}-2", "virtual_machines": [{**group, "name": "second"}]}
    assert "taken" in refused(
        project.member.post("/applications/", json=other), 400, field=f"virtual_machines[0].{field}"
    )


@pytest.fixture
def image(project: Project) -> Iterator[str]:
    """One whose name means something to Glance, and that needs more memory than the smallest flavor has."""
    called = f"ubuntu:22.04-{project.name}"
    body = {"name": called, "disk_format": "raw", "container_format": "bare", "min_ram": 1024}
    made = project.call("glance", "POST", "/v2/images", body)["id"]
    url = f"{project._urls['image']}/v2/images/{made}"
    headers = {**project._token, "Content-Type": "application/octet-stream"}
    assert httpx.put(f"{url}/file", content=b"x", headers=headers).status_code == 204
    yield called
    project.call("glance", "DELETE", f"/v2/images/{made}")


def test_images_by_name(project: Project, image: str) -> None:
    boot = {"type": "image", "image": image}
    unknown = project.create(boot_manager={"type": "image", "image": 'in:"cirros'})
    refused(unknown, 400, field="virtual_machines[0].boot_manager.image")
    small = project.create(replicas=0, boot_manager=boot)
    assert "memory" in refused(small, 400, field="virtual_machines[0].flavor_name")
    answer = project.create(replicas=0, boot_manager=boot, flavor_name="m1.small")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("groups", [{"security_groups": []}, {"security_groups": None}])
def test_machines_without_groups_are_in_the_usual_one(project: Project, groups: dict[str, Any]) -> None:
    assert project.create(**groups).status_code == 200
    becomes(project.member, project.name, "Running")
    ports = project.call("neutron", "GET", f"/v2.0/ports?name={project.name}-0")["ports"]
    usual = project.call("neutron", "GET", "/v2.0/security-groups?name=default")["security_groups"]
    assert ports[0]["security_groups"] == [usual[0]["id"]]
