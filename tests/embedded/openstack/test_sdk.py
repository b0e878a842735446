"""openstacksdk, as programs use it, makes, shows, lists and removes everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from openstack import exceptions
from tests.gateway import eventually

if TYPE_CHECKING:
    from openstack.connection import Connection
    from tests.embedded.openstack.conftest import Cloud

pytestmark = pytest.mark.filterwarnings("ignore:::openstack")
"""What the SDK warns itself of."""


@pytest.fixture
def developer(cloud: Cloud) -> Connection:
    return cloud.connection("developer")


def server_of(developer: Connection, name: str, **fields: Any) -> Any:
    return developer.compute.create_server(
        name=name,
        flavor_id=developer.compute.find_flavor("m1.tiny").id,
        image_id=developer.image.find_image("cirros").id,
        networks=[{"uuid": developer.network.find_network("private").id}],
        **fields,
    )


def test_servers(developer: Connection) -> None:
    made = server_of(developer, "one", metadata={"a": "b"}, availability_zone="zone-b")
    made = developer.compute.wait_for_server(made, wait=10)
    assert (made.status, made.availability_zone, made.metadata) == ("ACTIVE", "zone-b", {"a": "b"})
    assert made.addresses["private"][0]["addr"].startswith("10.0.0.")
    assert [one.name for one in developer.compute.servers()] == ["one"]
    developer.compute.stop_server(made)
    developer.compute.wait_for_server(made, status="SHUTOFF", wait=10)
    developer.compute.start_server(made)
    developer.compute.wait_for_server(made, wait=10)
    developer.compute.reboot_server(made, "HARD")
    developer.compute.wait_for_server(developer.compute.get_server(made), wait=10)
    developer.compute.resize_server(made, developer.compute.find_flavor("m1.small").id)
    developer.compute.wait_for_server(made, status="VERIFY_RESIZE", wait=10)
    developer.compute.confirm_server_resize(made)
    assert developer.compute.get_server(made).flavor.name == "m1.small"
    developer.compute.delete_server(made)
    developer.compute.wait_for_delete(made, wait=10)
    assert not list(developer.network.ports(device_id=made.id))


def test_volumes(developer: Connection) -> None:
    image = developer.image.find_image("cirros")
    disk = developer.block_storage.create_volume(
        name="disk", size=1, image_id=image.id, volume_type="high-performance"
    )
    disk = developer.block_storage.wait_for_status(disk, "available", wait=10)
    assert disk.is_bootable
    server = developer.compute.wait_for_server(server_of(developer, "with-disk"), wait=10)
    developer.compute.create_volume_attachment(server, volume_id=disk.id)
    developer.block_storage.wait_for_status(disk, "in-use", wait=10)
    with pytest.raises(exceptions.BadRequestException, match="must be available"):
        developer.block_storage.delete_volume(disk)
    developer.compute.delete_server(server)
    developer.block_storage.wait_for_status(disk, "available", wait=10)
    # A server that is deleted before it runs lets go of what it was to have, too.
    device = {"uuid": disk.id, "source_type": "volume", "destination_type": "volume", "boot_index": -1}
    local = {"uuid": image.id, "source_type": "image", "destination_type": "local", "boot_index": 0}
    brief = server_of(developer, "brief", block_device_mapping=[local, device])
    developer.compute.delete_server(brief)
    developer.compute.wait_for_delete(brief, wait=10)
    assert developer.block_storage.get_volume(disk).status == "available"
    snapshot = developer.block_storage.create_snapshot(volume_id=disk.id, name="then")
    developer.block_storage.wait_for_status(snapshot, "available", wait=10)
    copy = developer.block_storage.create_volume(snapshot_id=snapshot.id, size=2)
    assert developer.block_storage.wait_for_status(copy, "available", wait=10).is_bootable
    developer.block_storage.extend_volume(copy, 3)
    extending = developer.block_storage.get_volume(copy)
    developer.block_storage.wait_for_status(extending, "available", wait=10)
    assert developer.block_storage.get_volume(copy).size == 3
    developer.block_storage.delete_snapshot(snapshot)
    developer.block_storage.wait_for_delete(snapshot, wait=10)
    for volume in (copy, disk):
        developer.block_storage.delete_volume(volume)
        developer.block_storage.wait_for_delete(volume, wait=10)


def test_networks(developer: Connection) -> None:
    net = developer.network
    network = net.create_network(name="n")
    subnet = net.create_subnet(network_id=network.id, ip_version=4, cidr="10.77.0.0/28")
    router = net.create_router(external_gateway_info={"network_id": net.find_network("public").id})
    net.add_interface_to_router(router, subnet=subnet.id)
    group = net.create_security_group(name="g")
    net.create_security_group_rule(
        security_group_id=group.id, direction="ingress", protocol="tcp", port_range_min=80, port_range_max=80
    )
    port = net.create_port(network_id=network.id, security_groups=[group.id])
    address = net.create_ip(floating_network_id=net.find_network("public").id, port_id=port.id)
    assert address.fixed_ip_address == port.fixed_ips[0]["ip_address"]
    assert len(net.get_security_group(group.id).security_group_rules) == 3
    with pytest.raises(exceptions.ConflictException, match="in use"):
        net.delete_security_group(group)
    net.delete_ip(address)
    net.delete_port(port)
    net.delete_security_group(group)
    net.remove_interface_from_router(router, subnet=subnet.id)
    net.delete_router(router)
    net.delete_network(network)
    assert net.find_network("n") is None


def test_load_balancers(developer: Connection) -> None:
    lb = developer.load_balancer
    made = lb.create_load_balancer(
        name="lb", vip_subnet_id=developer.network.find_subnet("private-subnet").id
    )
    with pytest.raises(exceptions.ConflictException, match="immutable"):
        lb.create_listener(load_balancer_id=made.id, protocol="TCP", protocol_port=80)

    def settled() -> None:
        lb.wait_for_load_balancer(made.id, wait=10)

    settled()
    listener = lb.create_listener(name="web", load_balancer_id=made.id, protocol="TCP", protocol_port=80)
    settled()
    pool = lb.create_pool(listener_id=listener.id, protocol="TCP", lb_algorithm="ROUND_ROBIN")
    settled()
    lb.create_member(pool, address="10.0.0.9", protocol_port=30080)
    settled()
    lb.create_health_monitor(pool_id=pool.id, type="TCP", delay=5, timeout=3, max_retries=3)
    settled()
    assert [member.address for member in lb.members(pool)] == ["10.0.0.9"]
    assert lb.find_load_balancer("lb").operating_status == "ONLINE"
    assert [one.name for one in lb.flavors()] == ["small", "retired"]
    assert [one.name for one in lb.availability_zones()] == ["zone-a", "zone-b"]
    with pytest.raises(exceptions.BadRequestException, match="children"):
        lb.delete_load_balancer(made)
    lb.delete_load_balancer(made, cascade=True)
    eventually(lambda: not list(lb.load_balancers()) and not list(lb.listeners()), seconds=10)


def test_images(developer: Connection) -> None:
    made = developer.image.create_image(
        name="own",
        disk_format="raw",
        container_format="bare",
        data=b"x" * 100,
        visibility="private",
        wait=True,
        k8s_version="1.0",
    )
    found = developer.image.get_image(made.id)
    assert (found.status, found.size, found.properties["k8s_version"]) == ("active", 100, "1.0")
    assert {"own", "cirros"} <= {image.name for image in developer.image.images()}
    developer.image.delete_image(made)
    assert developer.image.find_image("own") is None
