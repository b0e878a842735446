"""What the cloud holds when it is new: the people of the embedded Keystone, and something of everything."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import httpx

from tests.real.openstack.launch.common import (
    HEAT_ADMIN,
    HEAT_DOMAIN,
    PASSWORD,
    PATHS,
    REGION,
    SERVICE_PROJECT,
    SERVICE_USER,
    TYPES,
    ZONES,
)

USERS = {
    "admin": ("admin", "admin"),
    "developer": ("demo", "member"),
    "visitor": ("demo", "reader"),
    "other": ("other", "member"),
}
"""User → project, role."""
HEAT_ROLE = "heat_stack_user"
BALANCING_ROLE = "load-balancer_member"
"""Who may make load balancers; of all members `developer` alone may."""


class Caller:
    """Somebody with a token who calls the services.

    Args:
        ports: where they listen.
        user: a name in the domain `Default`.
        project: a name there, too.
    """

    def __init__(self, ports: dict[str, int], user: str = "admin", project: str = "admin") -> None:
        self.ports = ports
        self.http = httpx.Client(timeout=60)
        scope = {"project": {"name": project, "domain": {"id": "default"}}}
        who = {"name": user, "domain": {"id": "default"}, "password": PASSWORD}
        identity = {"methods": ["password"], "password": {"user": who}}
        answer = self.http.post(
            f"http://127.0.0.1:{ports['keystone']}/v3/auth/tokens",
            json={"auth": {"identity": identity, "scope": scope}},
        )
        assert answer.status_code == 201, answer.text
        self.token: str = answer.headers["X-Subject-Token"]
        self.project_id: str = answer.json()["token"]["project"]["id"]
        self.http.headers["X-Auth-Token"] = self.token

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def call(
        self, service: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        """A call of a service; the path follows its address in the catalog."""
        base = f"http://127.0.0.1:{self.ports[service]}{PATHS.get(service, '')}"
        base = base.replace("$(project_id)s", self.project_id)
        answer = self.http.request(
            method,
            base + path,
            headers=headers,
            **({"content": body} if isinstance(body, bytes) else {"json": body}),
        )
        assert answer.is_success, f"{method} {service}{path}: {answer.status_code} {answer.text}"
        told = answer.content and "json" in answer.headers.get("Content-Type", "")
        return answer.json() if told else None

    def make(self, service: str, path: str, kind: str, /, **fields: Any) -> dict[str, Any]:
        """A new thing: POST of `{kind: fields}`, answered as such."""
        made: dict[str, Any] = self.call(service, "POST", path, {kind: fields})[kind]
        return made


def identity(ports: dict[str, int]) -> None:
    """People, projects, roles and the catalog: what the other services need before they can start."""
    with Caller(ports) as admin:
        _people(admin)
        _catalog(admin)


def _people(admin: Caller) -> None:
    roles = {role["name"]: role["id"] for role in admin.call("keystone", "GET", "/roles")["roles"]}
    for name in (HEAT_ROLE, BALANCING_ROLE):
        roles[name] = admin.make("keystone", "/roles", "role", name=name)["id"]
    projects = {"admin": admin.project_id}
    for name in ("demo", "other", SERVICE_PROJECT):
        projects[name] = admin.make("keystone", "/projects", "project", name=name, domain_id="default")["id"]

    def person(name: str, project: str, *given: str) -> None:
        user = admin.make("keystone", "/users", "user", name=name, domain_id="default", password=PASSWORD)
        for role in given:
            path = f"/projects/{projects[project]}/users/{user['id']}/roles/{roles[role]}"
            admin.call("keystone", "PUT", path)

    for name, (project, role) in USERS.items():
        if name != "admin":
            person(name, project, role, *([BALANCING_ROLE] if name == "developer" else []))
    person(SERVICE_USER, SERVICE_PROJECT, "admin", "service")
    heat = admin.make("keystone", "/domains", "domain", name=HEAT_DOMAIN)
    keeper = admin.make(
        "keystone", "/users", "user", name=HEAT_ADMIN, domain_id=heat["id"], password=PASSWORD
    )
    admin.call("keystone", "PUT", f"/domains/{heat['id']}/users/{keeper['id']}/roles/{roles['admin']}")


def _catalog(admin: Caller) -> None:
    for name, port in admin.ports.items():
        if name == "keystone":
            continue
        service = admin.make("keystone", "/services", "service", name=name, type=TYPES[name])
        for interface in ("public", "internal", "admin"):
            admin.make(
                "keystone",
                "/endpoints",
                "endpoint",
                service_id=service["id"],
                interface=interface,
                region_id=REGION,
                url=f"http://127.0.0.1:{port}{PATHS.get(name, '')}",
            )


def contents(ports: dict[str, int]) -> None:
    """Something of everything, by all services at a time."""
    with (
        Caller(ports) as admin,
        Caller(ports, "developer", "demo") as developer,
        Caller(ports, "other", "other") as other,
        ThreadPoolExecutor() as pool,
    ):
        steps = [
            pool.submit(_compute, admin),
            pool.submit(_images, admin, other),
            pool.submit(_networks, admin, developer, other),
            pool.submit(_volumes, admin, other),
            pool.submit(_balancing, admin, developer),
        ]
        for step in steps:
            step.result()


FLAVORS = {
    "m1.tiny": (1, 512, 1),
    "m1.small": (1, 2048, 20),
    "m1.medium": (2, 4096, 40),
    "m1.large": (4, 8192, 80),
}
"""Name → processors, MiB of memory, GiB of disk."""


def _compute(admin: Caller) -> None:
    for name, (vcpus, ram, disk) in FLAVORS.items():
        admin.make("nova", "/flavors", "flavor", name=name, vcpus=vcpus, ram=ram, disk=disk)
    for zone, hosts in ZONES.items():
        made = admin.make("nova", "/os-aggregates", "aggregate", name=zone, availability_zone=zone)
        for host in hosts:
            admin.call("nova", "POST", f"/os-aggregates/{made['id']}/action", {"add_host": {"host": host}})


def _images(admin: Caller, other: Caller) -> None:
    def image(caller: Caller, name: str, **properties: str) -> None:
        body = {"name": name, "disk_format": "raw", "container_format": "bare", **properties}
        made = caller.call("glance", "POST", "/v2/images", body)
        data, kind = bytes(2**16), {"Content-Type": "application/octet-stream"}
        caller.call("glance", "PUT", f"/v2/images/{made['id']}/file", data, kind)

    image(admin, "cirros", visibility="public")
    for version, runtime in (("1.36.1", "containerd"), ("1.35.3", "containerd"), ("1.35.3", "docker")):
        image(
            admin,
            f"kubernetes-{version}-{runtime}",
            visibility="public",
            k8s_version=version,
            container_runtime=runtime,
        )
    image(other, "others-own", k8s_version="1.34.9", container_runtime="containerd")


def _networks(admin: Caller, developer: Caller, other: Caller) -> None:
    for ethertype in ("IPv4", "IPv6"):
        rule = {"ethertype": ethertype, "used_in_default_sg": True}
        kind, path = "default_security_group_rule", "/v2.0/default-security-group-rules"
        admin.make("neutron", path, kind, direction="egress", used_in_non_default_sg=True, **rule)
        admin.make(
            "neutron",
            path,
            kind,
            direction="ingress",
            remote_group_id="PARENT",
            used_in_non_default_sg=False,
            **rule,
        )

    def network(caller: Caller, name: str, cidr: str, **fields: Any) -> tuple[str, str]:
        dhcp = fields.pop("enable_dhcp", True)
        made = caller.make("neutron", "/v2.0/networks", "network", name=name, **fields)
        subnet = caller.make(
            "neutron",
            "/v2.0/subnets",
            "subnet",
            network_id=made["id"],
            name=f"{name}-subnet",
            ip_version=4,
            cidr=cidr,
            enable_dhcp=dhcp,
        )
        return made["id"], subnet["id"]

    outside = {
        "router:external": True,
        "provider:network_type": "flat",
        "provider:physical_network": "public",
    }
    public, _ = network(admin, "public", "172.24.4.0/24", enable_dhcp=False, **outside)
    network(admin, "shared", "10.9.0.0/24", shared=True)
    for caller, second in ((developer, 0), (other, 1)):
        _, subnet = network(caller, "private", f"10.{second}.0.0/24")
        gateway = {"network_id": public}
        router = caller.make(
            "neutron", "/v2.0/routers", "router", name="router", external_gateway_info=gateway
        )
        path = f"/v2.0/routers/{router['id']}/add_router_interface"
        caller.call("neutron", "PUT", path, {"subnet_id": subnet})
    network(developer, "isolated", "10.200.0.0/24")


def _volumes(admin: Caller, other: Caller) -> None:
    for name, description in (("standard", "Disks"), ("ssd", "Flash")):
        backend = {"volume_backend_name": "fake"}
        admin.make("cinder", "/types", "volume_type", name=name, description=description, extra_specs=backend)
    fields = {"name": "others-own", "os-volume-type-access:is_public": False}
    private = admin.make("cinder", "/types", "volume_type", **fields)
    access = {"addProjectAccess": {"project": other.project_id}}
    admin.call("cinder", "POST", f"/types/{private['id']}/action", access)


def _balancing(admin: Caller, developer: Caller) -> None:
    profiles, flavors = "/v2.0/lbaas/flavorprofiles", "/v2.0/lbaas/flavors"
    data = json.dumps({"loadbalancer_topology": "SINGLE"})
    profile = admin.make(
        "octavia", profiles, "flavorprofile", name="single", provider_name="amphora", flavor_data=data
    )
    for name, enabled in (("small", True), ("retired", False)):
        admin.make(
            "octavia",
            flavors,
            "flavor",
            name=name,
            flavor_profile_id=profile["id"],
            enabled=enabled,
            description=f"{name}, one amphora",
        )
    profiles, zones = "/v2.0/lbaas/availabilityzoneprofiles", "/v2.0/lbaas/availabilityzones"
    for zone in ZONES:
        data = json.dumps({"compute_zone": zone})
        made = admin.make(
            "octavia",
            profiles,
            "availability_zone_profile",
            name=zone,
            provider_name="amphora",
            availability_zone_data=data,
        )
        admin.make(
            "octavia",
            zones,
            "availability_zone",
            name=zone,
            availability_zone_profile_id=made["id"],
            enabled=True,
        )
    quota = {"load_balancer": 10, "listener": 50, "pool": 50, "health_monitor": 50, "member": 200}
    admin.call("octavia", "PUT", f"/v2.0/lbaas/quotas/{developer.project_id}", {"quota": quota})
