"""That the cloud is a real one: what its users make comes to life, or is refused, as in production."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.gateway import eventually

if TYPE_CHECKING:
    from tests.real.openstack.cloud import Cloud
    from tests.real.openstack.seed import Caller

LOAD_BALANCERS = "/v2.0/lbaas/loadbalancers"
SERVERS = """
heat_template_version: 2021-04-16
parameters:
  count: {type: number, default: 2}
resources:
  group:
    type: OS::Heat::ResourceGroup
    properties:
      count: {get_param: count}
      resource_def:
        type: OS::Nova::Server
        properties:
          flavor: m1.tiny
          image: cirros
          user_data_format: RAW
          networks: [{network: private}]
outputs:
  names: {value: {get_attr: [group, name]}}
"""


@pytest.fixture(scope="module")
def developer(real_cloud: Cloud) -> Caller:
    return real_cloud.caller("developer")


def becomes(caller: Caller, service: str, path: str, kind: str, status: str, *, key: str = "status") -> Any:
    """The thing at a path, once it has a state."""

    def reached() -> Any:
        found = caller.call(service, "GET", path)[kind]
        assert found[key] == status, found
        return found

    return eventually(reached, seconds=60)


def named(caller: Caller, service: str, path: str, kind: str, name: str) -> str:
    return str(next(f["id"] for f in caller.call(service, "GET", path)[kind] if f["name"] == name))


def server(caller: Caller, **fields: Any) -> str:
    wanted = {
        "name": "one",
        "flavorRef": named(caller, "nova", "/flavors", "flavors", "m1.tiny"),
        "imageRef": named(caller, "glance", "/v2/images", "images", "cirros"),
        "networks": [{"uuid": named(caller, "neutron", "/v2.0/networks", "networks", "private")}],
        **fields,
    }
    return str(caller.make("nova", "/servers", "server", **wanted)["id"])


@pytest.mark.parametrize("zone", ["zone-a", "zone-b"])
def test_servers_run_where_they_are_wanted(developer: Caller, zone: str) -> None:
    made = server(developer, availability_zone=zone)
    found = becomes(developer, "nova", f"/servers/{made}", "server", "ACTIVE")
    assert found["OS-EXT-AZ:availability_zone"] == zone
    assert found["addresses"]["private"][0]["addr"].startswith("10.0.0.")
    developer.call("nova", "DELETE", f"/servers/{made}")


def test_a_server_that_fits_nowhere(real_cloud: Cloud, developer: Caller) -> None:
    admin = real_cloud.caller("admin")
    flavor = admin.make("nova", "/flavors", "flavor", name="huge", vcpus=1, ram=1, disk=10**6)
    made = server(developer, flavorRef=flavor["id"])
    assert "message" in (becomes(developer, "nova", f"/servers/{made}", "server", "ERROR")["fault"])
    developer.call("nova", "DELETE", f"/servers/{made}")
    admin.call("nova", "DELETE", f"/flavors/{flavor['id']}")


def test_volumes_are_made_and_attached(developer: Caller) -> None:
    image = named(developer, "glance", "/v2/images", "images", "cirros")
    volume = developer.make("cinder", "/volumes", "volume", size=1, volume_type="ssd", imageRef=image)["id"]
    becomes(developer, "cinder", f"/volumes/{volume}", "volume", "available")
    made = server(developer)
    becomes(developer, "nova", f"/servers/{made}", "server", "ACTIVE")
    attachments = f"/servers/{made}/os-volume_attachments"
    developer.make("nova", attachments, "volumeAttachment", volumeId=volume)
    becomes(developer, "cinder", f"/volumes/{volume}", "volume", "in-use")
    developer.call("nova", "DELETE", f"{attachments}/{volume}")
    becomes(developer, "cinder", f"/volumes/{volume}", "volume", "available")
    developer.call("cinder", "DELETE", f"/volumes/{volume}")
    developer.call("nova", "DELETE", f"/servers/{made}")


def test_load_balancers_come_to_life(real_cloud: Cloud) -> None:
    admin = real_cloud.caller("admin")  # of another project than the seed's, so that its quota is free
    subnet = named(admin, "neutron", "/v2.0/subnets", "subnets", "shared-subnet")
    zone = {"availability_zone": "zone-b"}
    made = admin.make("octavia", LOAD_BALANCERS, "loadbalancer", name="lb", vip_subnet_id=subnet, **zone)
    path = f"{LOAD_BALANCERS}/{made['id']}"
    found = becomes(admin, "octavia", path, "loadbalancer", "ACTIVE", key="provisioning_status")
    assert found["vip_address"].startswith("10.9.0.")
    fields = {"loadbalancer_id": made["id"], "protocol": "TCP", "protocol_port": 80}
    admin.make("octavia", "/v2.0/lbaas/listeners", "listener", name="web", **fields)
    becomes(admin, "octavia", path, "loadbalancer", "ACTIVE", key="provisioning_status")
    admin.call("octavia", "DELETE", f"{path}?cascade=true")
    eventually(lambda: not admin.call("octavia", "GET", LOAD_BALANCERS)["loadbalancers"], seconds=60)


def test_stacks_make_servers_and_scale(developer: Caller) -> None:
    body: dict[str, Any] = {"stack_name": "group", "template": SERVERS, "timeout_mins": 5}
    made = developer.call("heat", "POST", "/stacks", body)["stack"]["id"]
    path = f"/stacks/group/{made}"
    becomes(developer, "heat", path, "stack", "CREATE_COMPLETE", key="stack_status")
    developer.call("heat", "PATCH", path, {"existing": True, "parameters": {"count": 3}})
    found = becomes(developer, "heat", path, "stack", "UPDATE_COMPLETE", key="stack_status")
    assert len(found["outputs"][0]["output_value"]) == 3
    developer.call("heat", "DELETE", path)
    becomes(developer, "heat", path, "stack", "DELETE_COMPLETE", key="stack_status")


def test_a_stack_that_cannot_be_made_says_so(developer: Caller) -> None:
    template = SERVERS.replace("m1.tiny", "no-such-flavor")
    body = {"stack_name": "wrong", "template": template}
    path = f"/stacks/wrong/{developer.call('heat', 'POST', '/stacks', body)['stack']['id']}"
    found = becomes(developer, "heat", path, "stack", "CREATE_FAILED", key="stack_status")
    assert "no-such-flavor" in found["stack_status_reason"]
    developer.call("heat", "DELETE", path)


def test_quotas_refuse(developer: Caller) -> None:
    with pytest.raises(AssertionError, match=r"403 .*Quota exceeded"):
        server(developer, min_count=100)
    with pytest.raises(AssertionError, match=r"413 .*uota"):
        developer.make("cinder", "/volumes", "volume", size=2000)


def test_a_service_hangs_and_goes_and_comes_back(real_cloud: Cloud, developer: Caller) -> None:
    placement = real_cloud.services["placement"]
    placement.hang()
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(placement.url, timeout=0.5)
    placement.resume()
    assert httpx.get(placement.url, timeout=10).status_code == 200
    placement.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(placement.url, timeout=5)
    placement.start()
    placement.ready()
    made = server(developer)
    becomes(developer, "nova", f"/servers/{made}", "server", "ACTIVE")
    developer.call("nova", "DELETE", f"/servers/{made}")


def test_clients_use_what_it_prints(real_cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "clouds.yaml").write_text(real_cloud.clouds_yaml())
    openstack = Path(sys.executable).with_name("openstack")
    done = subprocess.run(
        [openstack, "--os-cloud", "visitor", "image", "list", "--format", "value", "--column", "Name"],
        env={**os.environ, "OS_CLIENT_CONFIG_FILE": str(tmp_path / "clouds.yaml")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cirros" in done.stdout.split(), done.stderr
