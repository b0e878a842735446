"""What a Service asks for, read from it: pure.

Source: https://github.com/kubernetes/cloud-provider-openstack/blob/master/docs/openstack-cloud-controller-manager/
expose-applications-using-loadbalancer-type-service.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
PREFIX = "loadbalancer.openstack.org/"
INTERNAL = "service.beta.kubernetes.io/openstack-internal-load-balancer"
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
ID = f"{PREFIX}load-balancer-id"
ADDRESS = f"{PREFIX}load-balancer-address"
_EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
_TIMEOUTS = ("timeout-client-data", "timeout-member-connect", "timeout-member-data", "timeout-tcp-inspect")
_MOST_OF_NAME = 255


@dataclass(frozen=True)
class Member:
    """A node behind a load balancer."""

    name: str
    address: str


def wanted(service: Object) -> bool:
    """Whether a Service is to have a load balancer that is ours to make."""
    spec = service["spec"]
    return (
        spec.get("type") == "LoadBalancer"
        and not spec.get("loadBalancerClass")
        and not service["metadata"].get("deletionTimestamp")
    )


def annotation(service: Object, name: str, usual: str = "") -> str:
    """The value of one of our annotations."""
    found: str = (service["metadata"].get("annotations") or {}).get(PREFIX + name, usual)
    return found


def name_of(cluster: str, service: Object) -> str:
    """What the load balancer is called."""
    meta = service["metadata"]
    return f"kube_service_{cluster}_{meta['namespace']}_{meta['name']}"[:_MOST_OF_NAME]


def internal(service: Object, *, usual: bool) -> bool:
    """Whether a Service gets no public address."""
    said = (service["metadata"].get("annotations") or {}).get(INTERNAL, "").lower()
    return said == "true" or (usual and said != "false" and not annotation(service, "floating-network-id"))


def balancer(service: Object, cluster: str, subnet_id: str, project_id: str) -> Object:
    """The body of a new load balancer."""
    meta, spec = service["metadata"], service["spec"]
    about = f"Kubernetes external service {meta['namespace']}/{meta['name']} from cluster {cluster}"
    name = name_of(cluster, service)
    body: Object = {
        "name": name,
        "description": about[:_MOST_OF_NAME],
        "tags": [name],
        "project_id": project_id,
    }
    for key, field in (
        ("flavor-id", "flavor_id"),
        ("availability-zone", "availability_zone"),
        ("port-id", "vip_port_id"),
    ):
        if value := annotation(service, key):
            body[field] = value
    if "vip_port_id" not in body:
        network = annotation(service, "network-id")
        body |= {"vip_subnet_id": subnet_id} if subnet_id or not network else {"vip_network_id": network}
        if spec.get("loadBalancerIP") and annotation(service, "subnet-id"):
            body["vip_address"] = spec["loadBalancerIP"]
    return body


def protocol_of(service: Object, port: Object) -> str:
    """What a listener speaks."""
    protocol: str = port.get("protocol", "TCP")
    forwarded = annotation(service, "x-forwarded-for") == "true"
    return "HTTP" if forwarded and protocol == "TCP" else protocol


def listener(service: Object, port: Object) -> Object:
    """The fields of a listener that may change."""
    body: Object = {"connection_limit": _number(annotation(service, "connection-limit"), -1)}
    for name in _TIMEOUTS:
        if value := annotation(service, name):
            body[name.replace("-", "_")] = _number(value, 0)
    if protocol_of(service, port) == "HTTP":
        body["insert_headers"] = {"X-Forwarded-For": "true"}
    if ranges := service["spec"].get("loadBalancerSourceRanges"):
        body["allowed_cidrs"] = sorted(ranges)
    return body


def pool(service: Object, port: Object) -> Object:
    """The fields of a pool."""
    protocol = protocol_of(service, port)
    if annotation(service, "proxy-protocol") == "true" and protocol == "TCP":
        protocol = "PROXY"
    sticky = service["spec"].get("sessionAffinity") == "ClientIP"
    return {
        "protocol": protocol,
        "lb_algorithm": "ROUND_ROBIN",
        "session_persistence": {"type": "SOURCE_IP"} if sticky else None,
    }


def monitored(service: Object, *, usual: bool) -> bool:
    """Whether members are looked after."""
    local = service["spec"].get("externalTrafficPolicy") == "Local"
    said = annotation(service, "enable-health-monitor").lower()
    return said == "true" or (said != "false" and (usual or local))


def members(nodes: list[Object]) -> list[Member]:
    """The nodes that take traffic: those that are ready, and not excluded."""
    found = []
    for node in nodes:
        labels, status = node["metadata"].get("labels") or {}, node.get("status") or {}
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())
        if _EXCLUDED in labels or not ready or node["metadata"].get("deletionTimestamp"):
            continue
        for kind in ("InternalIP", "ExternalIP"):
            address = next((a["address"] for a in status.get("addresses") or () if a["type"] == kind), None)
            if address:
                found.append(Member(node["metadata"]["name"], address))
                break
    return found


def _number(text: str, usual: int) -> int:
    return int(text) if text.lstrip("-").isdigit() else usual
