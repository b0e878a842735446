"""What a new cloud holds: something of everything, so that all of ECNS can be tried."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.callers import Caller
from ecns.embedded.openstack.cinder import types as volume_types
from ecns.embedded.openstack.neutron.kinds import KINDS
from ecns.embedded.openstack.neutron.routers import Routers
from ecns.embedded.openstack.nova import flavors
from ecns.embedded.openstack.nova.hosts import ZONES
from ecns.embedded.openstack.octavia.flavors import PROVIDER
from ecns.embedded.openstack.service import new_id

if TYPE_CHECKING:
    from ecns.embedded.openstack.cloud import Cloud
    from ecns.embedded.openstack.store import Body

FLAVORS = {
    "m1.tiny": (1, 512, 1),
    "m1.small": (1, 2048, 20),
    "m1.medium": (2, 4096, 40),
    "m1.large": (4, 8192, 80),
}
"""Name → processors, MiB of memory, GiB of disk."""
TYPES = {
    "hdd": ("Disks", "hdd-pool"),
    "high-performance": ("Flash", "ssd-pool"),
}
"""Name → description, back end."""
IMAGES: dict[str, dict[str, str]] = {
    "cirros": {},
    "kubernetes-1.36.1-containerd": {"k8s_version": "1.36.1", "container_runtime": "containerd"},
    "kubernetes-1.35.3-containerd": {"k8s_version": "1.35.3", "container_runtime": "containerd"},
    "kubernetes-1.35.3-docker": {"k8s_version": "1.35.3", "container_runtime": "docker"},
}
_EVERYBODY = frozenset({"admin", "member", "reader"})
BALANCERS = 10
"""Load balancers that a project may have."""


def first(cloud: Cloud, operator: str) -> None:
    """Fill an empty cloud; what is everybody's belongs to the project `operator`."""
    store = cloud.store
    if store.meta("seeded"):
        return
    for name, (vcpus, ram, disk) in FLAVORS.items():
        store.save("flavors", flavors.new(name, vcpus, ram, disk))
    for name, (description, backend) in TYPES.items():
        store.save("volume-types", volume_types.new(name, description, backend))
    for name, properties in IMAGES.items():
        about = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        cloud.glance.make(operator, about | properties, bytes(2**10))
    _balancing(cloud)
    admin = Caller("", "", operator, roles=_EVERYBODY)
    public = _network(
        cloud,
        admin,
        "public",
        "172.24.4.0/24",
        dhcp=False,
        **{
            "router:external": True,
            "provider:network_type": "flat",
            "provider:physical_network": "public",
            "is_default": True,
        },
    )[0]
    _network(cloud, admin, "shared", "10.9.0.0/24", shared=True)
    store.set_meta("public", public["id"])
    store.set_meta("seeded", "1")


def _balancing(cloud: Cloud) -> None:
    save = cloud.store.save
    data = json.dumps({"loadbalancer_topology": "SINGLE"})
    profile = {"id": new_id(), "name": "single", "provider_name": PROVIDER, "flavor_data": data}
    save("balancer-flavorprofiles", profile)
    for name, enabled in (("small", True), ("retired", False)):
        flavor = {"id": new_id(), "name": name, "description": f"{name}, one amphora", "enabled": enabled}
        save("balancer-flavors", flavor | {"flavor_profile_id": profile["id"]})
    for name in ZONES:
        data = json.dumps({"compute_zone": name})
        zone = {"id": new_id(), "name": name, "provider_name": PROVIDER, "availability_zone_data": data}
        save("balancer-availabilityzoneprofiles", zone)
        about = {"id": new_id(), "name": name, "description": "", "enabled": True}
        save("balancer-availabilityzones", about | {"availability_zone_profile_id": zone["id"]})


def _network(
    cloud: Cloud, owner: Caller, name: str, cidr: str, *, dhcp: bool = True, **fields: Any
) -> tuple[Body, Body]:
    network = cloud.neutron.make(owner, KINDS["networks"], {"network": {"name": name, **fields}})
    about = {
        "network_id": network["id"],
        "name": f"{name}-subnet",
        "ip_version": 4,
        "cidr": cidr,
        "enable_dhcp": dhcp,
    }
    return network, cloud.neutron.make(owner, KINDS["subnets"], {"subnet": about})


def project(cloud: Cloud, identity: str) -> None:
    """Give a project a network with a way out, and one without, when it has not been given them before."""
    store = cloud.store
    known = store.meta("projects").split()
    if identity in known:
        return
    owner = Caller("", "", identity, roles=_EVERYBODY - {"admin"})
    _, subnet = _network(cloud, owner, "private", f"10.{len(known)}.0.0/24")
    _network(cloud, owner, "isolated", f"10.{200 + len(known)}.0.0/24")
    about = {"name": "router", "external_gateway_info": {"network_id": store.meta("public")}}
    router = cloud.neutron.make(owner, KINDS["routers"], {"router": about})
    part = cloud.neutron.parts["routers"]
    assert isinstance(part, Routers)  # noqa: S101  a fault of ours
    part.attach(owner, router, subnet)
    limits = {"load_balancer": BALANCERS, "listener": 50, "pool": 50, "health_monitor": 50, "member": 200}
    store.save("balancer-quotas", {"id": identity, "limits": limits})
    store.set_meta("projects", " ".join([*known, identity]))
