"""How a workload is reached: access modes."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct


class Router(Struct, kw_only=True):
    """router: a domain and path that lead to a Service; without one, to the access mode's own."""

    domain: str | None = None
    path: str | None = None
    target_service: str | None = None
    service_port: int | None = None


class Access(Struct, kw_only=True):
    """access: a port; without `target_port` the container's port is the Service's.

    `name` is ours: the port's name in Kubernetes, by which Ingresses and service meshes may know it.
    """

    name: str | None = None
    port: int | None = None
    protocol: str | None = None
    node_port: int | None = None
    target_port: int | None = None
    routers: list[Router] | None = None


class AvailabilityZoneData(Struct, kw_only=True):
    """availability_zone_data."""

    compute_zone: str | None = None
    cpu_arch: str | None = None


class AvailabilityZoneProfile(Struct, kw_only=True):
    """availability_zone_profile."""

    availability_zone_data: AvailabilityZoneData | None = None


class FlavorData(Struct, kw_only=True):
    """flavor_data."""

    amp_volume_type: str | None = None
    compute_flavor: str | None = None
    loadbalancer_topology: str | None = None


class FlavorProfile(Struct, kw_only=True):
    """flavor_profile."""

    flavor_data: FlavorData | None = None


class LoadBalancer(Struct, kw_only=True):
    """loadbalancer."""

    name: str | None = None
    vip_subnet_id: str | None = None


class External(Struct, kw_only=True):
    """external-request (the first three) and external-responce (the rest): an Octavia load balancer."""

    availability_zone_profile: AvailabilityZoneProfile | None = None
    flavor_profile: FlavorProfile | None = None
    loadbalancer: LoadBalancer | None = None
    admin_state_up: bool | None = None
    availability_zone: Any = None
    created_at: str | None = None
    description: str | None = None
    flavor_id: str | None = None
    id: str | None = None
    listeners: list[Any] | None = None
    loadbalancers: list[Any] | None = None
    name: str | None = None
    operating_status: str | None = None
    pools: list[Any] | None = None
    project_id: str | None = None
    provider: str | None = None
    provisioning_status: str | None = None
    tags: list[str] | None = None
    updated_at: str | None = None
    vip_address: str | None = None
    vip_network_id: str | None = None
    vip_port_id: str | None = None
    vip_qos_policy_id: str | None = None
    vip_subnet_id: str | None = None


class AccessMode(Struct, kw_only=True):
    """access_mode: one Service; `name` may be sent, otherwise it follows from the workload's."""

    name: str | None = None
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]
    external_name: str | None = None
    cluster_ip: str | None = None
    public_ips: list[str] | None = None
    private_ips: list[str] | None = None
    access: list[Access] | None = None
    annotations: dict[str, str] | None = None
    external: External | None = None
    subnet: str | None = None
