"""Hybrid applications in front of the real OpenStack."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.api.conftest import in_front_of
from tests.gateway import Gateway, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.openstack.cloud import Cloud
    from tests.real.openstack.seed import Caller

SPACE = "hybrid"
SECONDS = 240.0
"""For Heat to make something, on a machine that does much else."""


class Hybrid:
    """The namespace of a project, the people around it, and what really is in the cloud."""

    def __init__(self, gateway: Gateway, cloud: Cloud) -> None:
        self.gateway = gateway
        self.cloud = cloud
        self.developer = cloud.caller("developer")
        base = {"name": SPACE, "cluster_name": "eks", "project_id": self.developer.project_id}
        made = self.client("admin").post("/namespace/", json={"namespace": {"namespace_base": base}})
        assert made.status_code == 200, made.text
        self.member = self.client("developer")

    def client(self, user: str = "", **headers: str) -> httpx.Client:
        """A client of somebody who works in the namespace."""
        place = {"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": SPACE}
        client = self.gateway.client(user, "hybrid", **place, **headers)
        client.timeout = httpx.Timeout(90)
        return client

    def network(self, name: str = "private") -> dict[str, str]:
        """The vm_network of a network of the project."""
        found = self._named("/v2.0/networks", "networks", name)
        subnet = self._named("/v2.0/subnets", "subnets", f"{name}-subnet")
        return {
            "network_name": name,
            "network_id": found,
            "subnet_name": f"{name}-subnet",
            "subnet_id": subnet,
        }

    def _named(self, path: str, kind: str, name: str) -> str:
        found = self.developer.call("neutron", "GET", f"{path}?name={name}")[kind]
        own = [one for one in found if one["project_id"] == self.developer.project_id]
        return str(own[0]["id"])

    def application(self, name: str, *machines: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The body of a Hybrid application."""
        return {
            "name": name,
            "type": "Hybrid",
            "vm_network": self.network(),
            "virtual_machines": list(machines),
            **more,
        }

    def create(self, name: str, *machines: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Make a Hybrid application."""
        answer = self.member.post("/applications/", json=self.application(name, *machines, **more))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["application_info"]
        return found

    def becomes(self, name: str, status: str) -> dict[str, Any]:
        """A group, once it has a state."""

        def reached() -> Any:
            answer = self.member.get(f"/virtualmachine/{name}/")
            assert answer.status_code == 200, answer.text
            assert answer.json()["status"] == status, answer.text
            return answer.json()

        found: dict[str, Any] = eventually(reached, seconds=SECONDS)
        return found

    def delete(self, name: str, resource: str = "all") -> httpx.Response:
        """Delete an application; what takes longer than a request is asked for again."""

        def done() -> httpx.Response:
            body = {"applications": [{"name": name}]}
            query = {"resource": resource} if resource else {}
            answer = self.member.request("DELETE", "/applications/app/", json=body, params=query)
            assert answer.status_code != 504, answer.text
            return answer

        answer: httpx.Response = eventually(done, seconds=SECONDS)
        return answer

    def user_data(self, server: str) -> str:
        """What a machine is given; Nova tells it administrators."""
        version = {"OpenStack-API-Version": "compute 2.61"}
        found = self.cloud.caller("admin").call("nova", "GET", f"/servers/{server}", headers=version)
        return base64.b64decode(found["server"]["OS-EXT-SRV-ATTR:user_data"]).decode()

    def seen_of_stacks(self) -> str:
        """All that somebody of the project can read of its stacks, also of those inside of others."""
        call = self.developer.call
        stacks = call("heat", "GET", "/stacks?show_nested=true")["stacks"]
        parts = ("", "/template", "/environment", "/files", "/resources", "/events")
        paths = [f"/stacks/{one['stack_name']}/{one['id']}{part}" for one in stacks for part in parts]
        return "\n".join(str(call("heat", "GET", path)) for path in paths)

    def volumes(self) -> set[tuple[str, str]]:
        """Name and id of each volume of the project."""
        found = self.developer.call("cinder", "GET", "/volumes")["volumes"]
        return {(one["name"], one["id"]) for one in found}

    def there(self) -> dict[str, set[str]]:
        """The names of what the project has in the cloud, by kind."""
        call, project = self.developer.call, f"?project_id={self.developer.project_id}"
        ports = call("neutron", "GET", f"/v2.0/ports{project}")["ports"]
        groups = call("neutron", "GET", f"/v2.0/security-groups{project}")["security_groups"]
        return {
            "stacks": {
                one["stack_name"] for one in call("heat", "GET", "/stacks?show_nested=true")["stacks"]
            },
            "servers": {one["name"] for one in call("nova", "GET", "/servers")["servers"]},
            "volumes": {one["name"] for one in call("cinder", "GET", "/volumes")["volumes"]},
            "balancers": {
                one["name"] for one in call("octavia", "GET", "/v2.0/lbaas/loadbalancers")["loadbalancers"]
            },
            "ports": {one["name"] for one in ports if one["device_owner"].split(":")[0] != "network"},
            "groups": {one["name"] for one in groups},
        }


NOTHING: dict[str, set[str]] = {
    "stacks": set(),
    "servers": set(),
    "volumes": set(),
    "balancers": set(),
    "ports": set(),
    "groups": {"default"},
}
"""Of what a project has in the cloud that makes nothing."""


def machine(name: str = "web", **more: Any) -> dict[str, Any]:
    """A group of machines that this cloud can make; without a load balancer."""
    return {
        "name": name,
        "replicas": 1,
        "availability_zone": "zone-a",
        "boot_manager": {"type": "image", "image": "cirros"},
        "flavor_name": "m1.tiny",
        "system_disk": {"size": 1, "type": "hdd", "cascade_deletion": True},
        "security_groups": ["default"],
        "loadbalancer": {"access": []},
        "authentication": {"password": "very secret"},
        **more,
    }


@pytest.fixture(scope="session")
def hybrid_gateway(real_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that waits for OpenStack as long as by default."""
    with in_front_of(real_cloud, tmp_path_factory.mktemp("hybrid"), seconds=20) as made:
        yield made


@pytest.fixture(scope="session")
def hybrid(hybrid_gateway: Gateway, real_cloud: Cloud) -> Hybrid:
    """The project `demo` with a namespace."""
    return Hybrid(hybrid_gateway, real_cloud)


@pytest.fixture
def clean(hybrid: Hybrid) -> Iterator[None]:
    """See that a test leaves nothing in the cloud."""
    yield
    eventually(lambda: hybrid.there() == NOTHING, seconds=SECONDS)


@pytest.fixture
def other(real_cloud: Cloud) -> Caller:
    """Somebody of another project."""
    return real_cloud.caller("other")
