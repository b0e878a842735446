"""The whole chain in front of the real OpenStack: a workload's access becomes a load balancer of Octavia."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from ecns.api.workloads import types
from ecns.identity.place import PROJECT_LABEL
from tests.api.answers import told
from tests.api.applications.bodies import workload
from tests.gateway import eventually
from tests.real.openstack.launch.common import PASSWORD
from tests.real.openstack.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.gateway import Gateway
    from tests.real.openstack.cloud import Cloud

SPACE = "balanced"
SECONDS = 120.0
ID = "loadbalancer.openstack.org/load-balancer-id"
BALANCERS = "/v2.0/lbaas/loadbalancers"


@pytest.fixture
def member(cloud_gateway: Gateway, real_cloud: Cloud) -> httpx.Client:
    """A developer in a namespace of the real project."""
    base = {"name": SPACE, "cluster_name": "eks", "project_id": real_cloud.caller("developer").project_id}
    made = cloud_gateway.client("admin").post("/namespace/", json={"namespace": {"namespace_base": base}})
    assert made.status_code == 200, made.text
    return cloud_gateway.client("developer", **{"X-Ecns-Cluster": "eks", "X-Ecns-Namespace": SPACE})


@pytest.fixture
def provider(cloud_gateway: Gateway, real_cloud: Cloud, tmp_path: Path) -> Iterator[Process]:
    """The stand-in of OpenStack's cloud provider, between the embedded cluster and the real cloud."""
    admin = real_cloud.caller("admin")
    (tmp_path / "cloud.conf").write_text(
        f"""[Global]
auth-url = {real_cloud.auth_url}
username = admin
password = {PASSWORD}
tenant-id = {admin.project_id}
region = RegionOne
[LoadBalancer]
internal-lb = true
create-monitor = true
"""
    )
    running = Process("provider", "", tmp_path / "provider.log")
    command = [sys.executable, "-m", "ecns.embedded.cloudprovider", "--project-label", PROJECT_LABEL]
    command += ["--cloud-config", str(tmp_path / "cloud.conf")]
    running.run([*command, "--cluster", f"eks={cloud_gateway.facts['kubeconfig']}"], {})
    yield running
    running.stop()


def test_a_workload_is_reached_by_a_load_balancer(
    cloud_gateway: Gateway, real_cloud: Cloud, member: httpx.Client, provider: Process
) -> None:
    developer = real_cloud.caller("developer")
    subnets = developer.call("neutron", "GET", "/v2.0/subnets?name=private-subnet")["subnets"]
    subnet = next(one["id"] for one in subnets if one["project_id"] == developer.project_id)
    external = {
        "loadbalancer": {"name": "front", "vip_subnet_id": subnet},
        "flavor_profile": {"flavor_data": {"loadbalancer_topology": "SINGLE"}},
        "availability_zone_profile": {"availability_zone_data": {"compute_zone": "zone-a"}},
    }
    mode = {"type": "LoadBalancer", "access": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}
    body = workload("front", access_mode=[{**mode, "external": external, "subnet": subnet}])
    answer = member.post("/workloads/", json={"workloads": [body]})
    assert answer.status_code == 200, answer.text

    def access() -> types.AccessMode:
        found = told(member.get("/workloads/workload/front/access/"), types.AccessAnswer).access_mod
        return found[0]

    def active() -> types.AccessMode:
        found = access()
        state = found.external
        assert state is not None
        assert (state.provisioning_status, len(state.listeners or ())) == ("ACTIVE", 2), state
        return found

    shown: Any = eventually(active, seconds=SECONDS)
    state = shown.external
    (real,) = developer.call("octavia", "GET", BALANCERS)["loadbalancers"]
    assert (state.id, state.name) == (real["id"], f"kube_service_eks_{SPACE}_{shown.name}")
    assert (state.availability_zone, state.vip_subnet_id) == ("zone-a", subnet)
    assert (state.flavor_id, state.provider) == (real["flavor_id"], "amphora")
    assert state.flavor_id
    assert (shown.private_ips, shown.public_ips) == ([real["vip_address"]], [])

    def balanced() -> None:
        pools = developer.call("octavia", "GET", "/v2.0/lbaas/pools")["pools"]
        assert sorted(pool["protocol"] for pool in pools) == ["TCP", "UDP"]
        assert all(pool["members"] and pool.get("healthmonitor_id") for pool in pools)

    eventually(lambda: balanced() is None, seconds=SECONDS)

    def told_to_kubernetes() -> bool:
        status = cloud_gateway.kubectl_json("-n", SPACE, "get", "service", shown.name)["status"]
        (entry,) = status["loadBalancer"].get("ingress") or [{}]
        return bool(entry.get("ip") == real["vip_address"])

    eventually(told_to_kubernetes, seconds=SECONDS)

    # Not all providers write down which it is.
    provider.hang()
    cloud_gateway.kubectl("-n", SPACE, "annotate", "service", shown.name, f"{ID}-")
    assert eventually(lambda: access().external, seconds=10).id == real["id"]
    provider.resume()

    going = {"workloads_base": [body["workload_base"]], "delete_service": True}
    gone = member.request("DELETE", "/workloads/", json=going)
    assert gone.status_code == 200, gone.text
    eventually(lambda: developer.call("octavia", "GET", BALANCERS)["loadbalancers"] == [], seconds=SECONDS)
    eventually(
        lambda: cloud_gateway.kubectl("-n", SPACE, "get", "services", "-o", "name") == "", seconds=SECONDS
    )
