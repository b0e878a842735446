"""The pure part of what OpenStack alone tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.cloud import manifests
from ecns.backends.openstack.cinder import VolumeType
from ecns.backends.openstack.glance import Image
from ecns.backends.openstack.nova import Server
from ecns.backends.openstack.octavia import LoadBalancer
from ecns.config import KubernetesVersion

IMAGES = st.lists(
    st.builds(Image, st.text(), st.text(), st.none() | st.text(), st.none() | st.text()), max_size=5
)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("ACTIVE", "Active"),
        ("SHUTOFF", "Shutoff"),
        ("ERROR", "Error"),
        *((status, "Other") for status in ("BUILD", "PAUSED", "SHELVED_OFFLOADED", "new", "")),
    ],
)
def test_states_of_servers(status: str, state: str) -> None:
    assert manifests.server_state(Server(id="i", name="n", status=status)) == state


@pytest.mark.parametrize(
    ("status", "up", "state"),
    [
        ("ACTIVE", True, "Active"),
        ("ACTIVE", False, "Shutoff"),
        ("ERROR", False, "Error"),
        ("PENDING_CREATE", True, "Other"),
        ("PENDING_UPDATE", False, "Other"),
    ],
)
def test_states_of_load_balancers(status: str, up: bool, state: str) -> None:  # noqa: FBT001
    found = LoadBalancer(id="i", provisioning_status=status, operating_status="OFFLINE", admin_state_up=up)
    assert manifests.load_balancer_state(found) == state


@given(st.lists(st.tuples(st.sampled_from(manifests.STATES), st.text())))
def test_each_is_counted_once(found: list[tuple[manifests.State, str]]) -> None:
    told = manifests.by_state("server", found)
    assert [one.status for one in told] == ["Active", "Shutoff", "Error", "Other"]
    assert sum(one.count for one in told) == len(found)
    assert sorted(name for one in told for name in one.names) == sorted(name for _, name in found)


def test_versions_that_are_offered_are_available_where_there_is_an_image() -> None:
    offered = [
        KubernetesVersion(version="v1.36.1", container_runtimes=("containerd", "docker")),
        KubernetesVersion(version="1.16.6-es", container_runtimes=("docker",)),
    ]
    images = [
        Image("1", "a", "1.36.1", "Containerd"),
        Image("2", "b", "v1.16.6-ES", "docker"),
        Image("3", "c", "v1.40.0", "docker"),
        Image("4", "d"),
    ]
    told = manifests.versions(offered, images)
    assert [
        (one.k8s_version, [(r.container_runtime, r.available) for r in one.runtime_version]) for one in told
    ] == [
        ("v1.36.1", [("containerd", True), ("docker", False)]),
        ("1.16.6-es", [("docker", True)]),
    ]


def test_without_an_offer_it_is_what_there_are_images_for() -> None:
    images = [
        Image(str(n), "n", version, "docker") for n, version in enumerate(("1.9.1", "v1.36.0", "1.10.2"))
    ]
    assert [one.k8s_version for one in manifests.versions([], images)] == ["v1.36.0", "v1.10.2", "v1.9.1"]


@given(IMAGES)
def test_whatever_images_say(images: list[Image]) -> None:
    told = manifests.versions([], images)
    assert all(runtime.available for one in told for runtime in one.runtime_version)


def test_the_back_end_is_what_somebody_may_see() -> None:
    seen = VolumeType("1", "ssd", None, {"volume_backend_name": "ceph", "multiattach": None})
    assert manifests.volume_type(seen, "other").type == "ceph"
    hidden = VolumeType("1", "ssd")
    assert [manifests.volume_type(hidden, backend).type for backend in ("ceph", "")] == ["ceph", ""]
