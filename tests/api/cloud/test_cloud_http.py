"""What OpenStack alone tells, through HTTP, in front of the real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ecns.api.cloud import types
from tests.api.answers import refused, told
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway import Gateway
    from tests.real.openstack.cloud import Cloud

PATHS = ("/container_infra/k8sversions", "/overview/openstack_status", "/volumes")


def test_versions_are_available_where_an_image_is_visible(cloud_gateway: Gateway) -> None:
    for product in ("eks", "hybrid", "security"):
        answer = cloud_gateway.client("visitor", product).get("/container_infra/k8sversions/")
        assert told(answer, types.KubernetesVersions) == types.KubernetesVersions(
            [
                types.KubernetesVersion(
                    "v1.36.1",
                    [
                        types.RuntimeVersion("containerd", available=True),
                        types.RuntimeVersion("docker", available=False),
                    ],
                ),
                types.KubernetesVersion("v1.99.0-es", [types.RuntimeVersion("containerd", available=False)]),
            ]
        )


def test_an_image_makes_its_version_available_to_those_who_see_it(
    cloud_gateway: Gateway, real_cloud: Cloud
) -> None:
    def available(user: str) -> bool:
        answer = cloud_gateway.client(user).get("/container_infra/k8sversions/")
        return told(answer, types.KubernetesVersions).versions[1].runtime_version[0].available

    owner = real_cloud.caller("developer")
    body = {"name": "own", "disk_format": "raw", "container_format": "bare"}
    body |= {"k8s_version": "1.99.0-es", "container_runtime": "containerd"}
    image = owner.call("glance", "POST", "/v2/images", body)["id"]
    assert not available("developer")  # nothing is uploaded yet
    stream = {"Content-Type": "application/octet-stream"}
    owner.call("glance", "PUT", f"/v2/images/{image}/file", b"bytes", stream)
    assert available("developer")
    assert available("visitor")
    assert not available("other")
    owner.call("glance", "DELETE", f"/v2/images/{image}")
    assert not available("developer")


def test_volume_types(cloud_gateway: Gateway) -> None:
    def seen(user: str) -> dict[str, tuple[str, str]]:
        answer = cloud_gateway.client(user).get("/volumes/")
        return {found.name: (found.type, found.description) for found in told(answer, list[types.VolumeType])}

    # ECNS's own account sees the back end that Cinder does not show to members.
    assert seen("visitor").items() >= {"ssd": ("fake", "Flash"), "standard": ("fake", "Disks")}.items()
    assert "others-own" not in seen("visitor")
    assert "others-own" in seen("other")
    assert seen("admin")["ssd"] == ("fake", "Flash")
    page = cloud_gateway.client("visitor", "security").get(
        "/volumes/", params={"page": 1, "page_size": 1, "name": "s"}
    )
    assert [found.name for found in told(page, list[types.VolumeType])] == ["ssd"]
    assert page.headers["X-Total-Count"] == "2"


@pytest.fixture
def two_servers(real_cloud: Cloud) -> Iterator[None]:
    """One that runs, and one that fits nowhere."""
    admin, owner = real_cloud.caller("admin"), real_cloud.caller("developer")
    flavors = {found["name"]: found["id"] for found in owner.call("nova", "GET", "/flavors")["flavors"]}
    huge = admin.make("nova", "/flavors", "flavor", name="huge", vcpus=1, ram=64, disk=10**6)["id"]
    image = owner.call("glance", "GET", "/v2/images?name=cirros")["images"][0]["id"]
    network = owner.call("neutron", "GET", "/v2.0/networks?name=private")["networks"][0]["id"]
    common = {"imageRef": image, "networks": [{"uuid": network}]}
    made = [
        owner.make("nova", "/servers", "server", name=name, flavorRef=flavor, **common)["id"]
        for name, flavor in (("runs", flavors["m1.tiny"]), ("fails", huge))
    ]
    yield
    for server in made:
        owner.call("nova", "DELETE", f"/servers/{server}")
    eventually(lambda: not owner.call("nova", "GET", "/servers")["servers"], seconds=60)
    admin.call("nova", "DELETE", f"/flavors/{huge}")


@pytest.mark.usefixtures("two_servers")
def test_servers_are_counted_by_state(cloud_gateway: Gateway) -> None:
    client = cloud_gateway.client("visitor")

    def counted() -> bool:
        overview = told(client.get("/overview/openstack_status/"), types.OpenStackOverview)
        assert [(found.status, found.names) for found in overview.servers] == [
            ("Active", ["runs"]),
            ("Shutoff", []),
            ("Error", ["fails"]),
            ("Other", []),
        ]
        assert {found.type for found in overview.servers} == {"server"}
        assert {(found.type, found.count) for found in overview.loadbalances} == {("loadbalance", 0)}
        return True

    assert eventually(counted, seconds=60)
    others = told(cloud_gateway.client("other").get("/overview/openstack_status/"), types.OpenStackOverview)
    assert {found.count for found in others.servers} == {0}


def test_the_overview_is_for_those_who_may_use_the_cluster(cloud_gateway: Gateway) -> None:
    client = cloud_gateway.client("visitor")
    assert client.get("/overview/openstack_status/", params={"apiserver_host": "eks"}).status_code == 200
    refused(client.get("/overview/openstack_status/", params={"apiserver_host": "nothing"}), 404)
    refused(
        cloud_gateway.client("visitor", **{"X-Ecns-Cluster": "no"}).get("/overview/openstack_status/"), 404
    )


@pytest.mark.parametrize("path", PATHS)
def test_who_is_answered(cloud_gateway: Gateway, path: str) -> None:
    refused(cloud_gateway.client().get(f"{path}/"), 401)
    refused(cloud_gateway.client(**{"X-Auth-Token": "junk"}).get(f"{path}/"), 401)
    refused(cloud_gateway.client("visitor", "image").get(f"{path}/"), 404)
    foreign = {"X-Project-Id": cloud_gateway.users["other"]["project_id"]}
    refused(cloud_gateway.client("developer", **foreign).get(f"{path}/"), 403)
    assert cloud_gateway.client("visitor").get(path).status_code == 200


def test_check_says_which_services_there_are(
    cloud_gateway: Gateway, real_cloud: Cloud, tmp_path: Path
) -> None:
    """`ecns check` with an account of ECNS's own, and with one that Keystone does not know."""
    own = cloud_gateway.facts["config"]
    (tmp_path / "secret").write_text("wrong")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(Path(own).read_text())
    for config, said in (
        (own, "openstack: ok, Nova, Neutron, Cinder, Glance, Octavia, Heat"),
        (wrong, "openstack: failed: Keystone does not accept"),
    ):
        command = [sys.executable, "-m", "ecns.cli", "check", "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert said in done.stdout, done.stdout + done.stderr
    assert real_cloud.auth_url in Path(own).read_text()
