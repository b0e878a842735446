"""Services, Endpoints and EndpointSlices.

Source: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/
and recorded refusals.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.validation import meta, names, service_fields

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

PROTOCOLS = ("SCTP", "TCP", "UDP")
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_DAY = 86400
_POLICIES = ("Cluster", "Local")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")


def _port(causes: Causes, path: str, port: Object, seen: set[str], *, named: bool, headless: bool) -> None:
    name = port.get("name", "")
    if named and not name:
        causes.required(f"{path}.name")
    elif name:
        causes.each(f"{path}.name", name, names.dns_label(name))
        if name in seen:
            causes.duplicate(f"{path}.name", name)
        seen.add(name)
    number = port.get("port", 0)
    causes.each(f"{path}.port", number, names.port_number(number))
    causes.required_one_of(f"{path}.protocol", port.get("protocol"), PROTOCOLS)
    target = port.get("targetPort", 0)
    wrong = names.port_name(target) if isinstance(target, str) else names.port_number(target)
    causes.each(f"{path}.targetPort", target, wrong)
    if port.get("appProtocol") is not None:
        causes.each(f"{path}.appProtocol", port["appProtocol"], names.qualified_name(port["appProtocol"]))
    del headless


def _cluster_ips(causes: Causes, spec: Object) -> None:
    kind, addresses = spec.get("type"), spec.get("clusterIPs", [])
    if kind == "ExternalName":
        if addresses:
            causes.forbidden("spec.clusterIPs", "may not be set for ExternalName services")
        return
    if spec.get("clusterIP") and addresses and spec["clusterIP"] != addresses[0]:
        causes.invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`")
    for index, address in enumerate(addresses):
        at = f"spec.clusterIPs[{index}]"
        if index == 0 and address == "None":
            if len(addresses) > 1:
                causes.invalid(at, address, "'None' must be the first and only value")
            if kind in {"NodePort", "LoadBalancer"}:
                causes.invalid(at, address, f"may not be set to 'None' for {kind} services")
        else:
            causes.each(at, address, names.ip_address(address))


def _families(causes: Causes, spec: Object) -> None:
    policy = spec.get("ipFamilyPolicy")
    if policy == "RequireDualStack" and not service_fields.leads_itself(spec):
        why = "this cluster is not configured for dual-stack services"
        causes.invalid("spec.ipFamilyPolicy", policy, why)
    for index, family in enumerate(spec.get("ipFamilies", ())):
        at = f"spec.ipFamilies[{index}]"
        if family not in {"IPv4", "IPv6"}:
            causes.unsupported(at, family, ("IPv4", "IPv6"))
        elif family in spec["ipFamilies"][:index]:
            causes.duplicate(at, family)
        elif family == "IPv6" and not service_fields.leads_itself(spec):
            causes.invalid(at, family, "not configured on this cluster")
    if policy is not None and policy not in _FAMILY_POLICIES:
        causes.unsupported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES)


def outside_address(causes: Causes, path: str, value: str) -> None:
    """An address outside the node: not loopback, link-local, multicast or unspecified."""
    wrong = names.ip_address(value)
    if wrong:
        causes.each(path, value, wrong)
        return
    address = ipaddress.ip_address(value)
    if address.is_unspecified:
        causes.invalid(path, value, f"may not be unspecified ({value})")
    if address.is_loopback:
        causes.invalid(path, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        causes.invalid(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if address.version == 4 and address.is_multicast and str(address).startswith("224.0.0."):  # noqa: PLR2004  IPv4
        causes.invalid(path, value, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")


def _policies(causes: Causes, spec: Object) -> None:
    policy, path = spec.get("externalTrafficPolicy"), "spec.externalTrafficPolicy"
    if not service_fields.is_external(spec):
        if policy:
            causes.invalid(path, policy, "may only be set for externally-accessible services")
    elif not policy:
        causes.required(path)
    else:
        causes.one_of(path, policy, _POLICIES)
    health, at = spec.get("healthCheckNodePort", 0), "spec.healthCheckNodePort"
    if health < 0:
        causes.invalid(at, health, "must be greater than or equal to 0")
    elif health and not service_fields.needs_health_check_port(spec):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        causes.invalid(at, health, detail)
    inside, at = spec.get("internalTrafficPolicy"), "spec.internalTrafficPolicy"
    if spec.get("type") in {"NodePort", "LoadBalancer", "ClusterIP"}:
        if inside is None:
            causes.required(at)
        else:
            causes.one_of(at, inside, _POLICIES)
    near = spec.get("trafficDistribution")
    if near is not None:
        causes.one_of("spec.trafficDistribution", near, ("PreferClose", "PreferSameNode", "PreferSameZone"))


def _ports(causes: Causes, spec: Object) -> None:
    kind, ports = spec.get("type"), spec.get("ports", [])
    headless = spec.get("clusterIP") == "None"
    if not ports and not headless and kind != "ExternalName":
        causes.required("spec.ports")
    seen: set[str] = set()
    for index, port in enumerate(ports):
        _port(causes, f"spec.ports[{index}]", port, seen, named=len(ports) > 1, headless=headless)


def _node_ports(causes: Causes, spec: Object) -> None:
    kind, ports = spec.get("type"), spec.get("ports", [])
    if kind == "ClusterIP":
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                detail = "may not be used when `type` is 'ClusterIP'"
                causes.forbidden(f"spec.ports[{index}].nodePort", detail)
    taken: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        node_port = port.get("nodePort", 0)
        key = (port.get("protocol", ""), node_port)
        if node_port and key in taken:
            causes.duplicate(f"spec.ports[{index}].nodePort", node_port)
        taken.add(key)
    pairs: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        pair = (port.get("protocol", ""), port.get("port", 0))
        if pair in pairs:
            shown = {"Name": "", "Protocol": pair[0], "AppProtocol": None, "Port": pair[1]}
            causes.duplicate(f"spec.ports[{index}]", {**shown, "TargetPort": 0, "NodePort": 0})
        pairs.add(pair)


def _load_balancer(causes: Causes, spec: Object) -> None:
    kind = spec.get("type")
    ranges = spec.get("loadBalancerSourceRanges", [])
    if ranges and kind != "LoadBalancer":
        causes.forbidden("spec.LoadBalancerSourceRanges", "may only be used when `type` is 'LoadBalancer'")
    else:
        for index, value in enumerate(ranges):
            causes.each(f"spec.LoadBalancerSourceRanges[{index}]", value, names.cidr(value.strip()))
    if "allocateLoadBalancerNodePorts" in spec and kind != "LoadBalancer":
        detail = "may only be used when `type` is 'LoadBalancer'"
        causes.forbidden("spec.allocateLoadBalancerNodePorts", detail)
    name = spec.get("loadBalancerClass")
    if name is not None:
        if kind != "LoadBalancer":
            causes.forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'")
        else:
            causes.each("spec.loadBalancerClass", name, names.qualified_name(name))


def service(causes: Causes, obj: Object) -> None:
    """Checks a Service's spec."""
    spec = obj["spec"]
    kind = spec.get("type", "")
    if kind == "ExternalName":
        name = spec.get("externalName", "").removesuffix(".")
        if name:
            causes.each("spec.externalName", spec["externalName"], names.dns_subdomain(name))
        else:
            causes.required("spec.externalName")
    _ports(causes, spec)
    meta.labels(causes, "spec.selector", spec.get("selector"))
    affinity = spec.get("sessionAffinity", "")
    causes.required_one_of("spec.sessionAffinity", affinity, _AFFINITIES)
    if affinity == "ClientIP":
        seconds = spec.get("sessionAffinityConfig", {}).get("clientIP", {}).get("timeoutSeconds")
        at = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        if seconds is None:
            causes.required("spec.sessionAffinityConfig", "when session affinity type is ClientIP")
        elif not 0 < seconds <= _DAY:
            causes.invalid(at, seconds, f"must be greater than 0 and less than {_DAY}")
    _families(causes, spec)
    _cluster_ips(causes, spec)
    for index, value in enumerate(spec.get("externalIPs", ())):
        outside_address(causes, f"spec.externalIPs[{index}]", value)
    causes.required_one_of("spec.type", kind, TYPES)
    _node_ports(causes, spec)
    _load_balancer(causes, spec)
    _policies(causes, spec)


def service_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a Service."""
    spec, before = new["spec"], old["spec"]
    if service_fields.needs_cluster_ip(spec) and service_fields.needs_cluster_ip(before):
        had, have = before.get("clusterIPs", []), spec.get("clusterIPs", [])
        if had and had[:1] != have[:1]:
            causes.invalid("spec.clusterIPs[0]", have, "may not change once set")
    policy, fewer = spec.get("ipFamilyPolicy"), len(spec.get("ipFamilies") or ()) == 1
    if fewer and len(before.get("ipFamilies") or ()) == 2 and policy != "SingleStack":  # noqa: PLR2004  both
        why = "must be 'SingleStack' to release the secondary IP family"
        causes.invalid("spec.ipFamilyPolicy", policy, why)
    if new["spec"].get("type") == old["spec"].get("type") == "LoadBalancer":
        name = spec.get("loadBalancerClass")
        if name != before.get("loadBalancerClass"):
            causes.invalid("spec.loadBalancerClass", name, "may not change once set")
    if service_fields.needs_health_check_port(spec) and service_fields.needs_health_check_port(before):
        had = before.get("healthCheckNodePort")
        if had and spec.get("healthCheckNodePort") != had:
            causes.forbidden("spec.healthCheckNodePort", "field is immutable")
    service(causes, new)


def service_status(causes: Causes, new: Object, old: Object) -> None:
    """Checks the load balancer's addresses."""
    entries = new.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    path = "status.loadBalancer.ingress"
    if entries and new["spec"].get("type") != "LoadBalancer" and entries != _entries(old):
        causes.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")
        return
    load_balancer(causes, path, entries)


def _entries(obj: Object) -> list[Object]:
    found: list[Object] = obj.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return found


def load_balancer(causes: Causes, path: str, entries: list[Object]) -> None:
    """Checks the addresses of a load balancer or ingress."""
    for index, entry in enumerate(entries):
        if entry.get("ip"):
            causes.each(f"{path}[{index}].ip", entry["ip"], names.ip_address(entry["ip"]))
        if entry.get("hostname"):
            causes.each(
                f"{path}[{index}].hostname", entry["hostname"], names.dns_subdomain(entry["hostname"])
            )


def endpoints(causes: Causes, obj: Object) -> None:
    """Checks Endpoints."""
    for index, subset in enumerate(obj.get("subsets", ())):
        at = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            causes.required(at, "must specify `addresses` or `notReadyAddresses`")
        for kind in ("addresses", "notReadyAddresses"):
            for number, address in enumerate(subset.get(kind, ())):
                outside_address(causes, f"{at}.{kind}[{number}].ip", address.get("ip", ""))
        ports = subset.get("ports", [])
        for number, port in enumerate(ports):
            _endpoint_port(causes, f"{at}.ports[{number}]", port, named=len(ports) > 1)


def _endpoint_port(causes: Causes, path: str, port: Object, *, named: bool) -> None:
    if named and not port.get("name"):
        causes.required(f"{path}.name")
    elif port.get("name"):
        causes.each(f"{path}.name", port["name"], names.dns_label(port["name"]))
    causes.each(f"{path}.port", port.get("port", 0), names.port_number(port.get("port", 0)))
    causes.required_one_of(f"{path}.protocol", port.get("protocol"), PROTOCOLS)


def endpoint_slice(causes: Causes, obj: Object) -> None:
    """Checks an EndpointSlice."""
    kind = obj.get("addressType", "")
    causes.required_one_of("addressType", kind, ("FQDN", "IPv4", "IPv6"))
    for index, endpoint in enumerate(obj.get("endpoints") or ()):
        at = f"endpoints[{index}].addresses"
        addresses = endpoint.get("addresses") or []
        if not addresses:
            causes.required(at, "must contain at least 1 address")
        for number, address in enumerate(addresses):
            if kind in {"IPv4", "IPv6"}:
                outside_address(causes, f"{at}[{number}]", address)
            elif kind == "FQDN":
                causes.each(f"{at}[{number}]", address, names.dns_subdomain(address))
        if endpoint.get("hostname"):
            called = endpoint["hostname"]
            causes.each(f"endpoints[{index}].hostname", called, names.dns_label(called))
    seen: set[str] = set()
    for index, port in enumerate(obj.get("ports") or ()):
        at, name = f"ports[{index}]", port.get("name", "")
        if name:
            causes.each(f"{at}.name", name, names.dns_label(name))
        if name in seen:
            causes.duplicate(f"{at}.name", name)
        seen.add(name)
        if port.get("appProtocol"):
            causes.each(f"{at}.appProtocol", port["appProtocol"], names.qualified_name(port["appProtocol"]))
        causes.required_one_of(f"{at}.protocol", port.get("protocol"), PROTOCOLS)


def endpoint_slice_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of an EndpointSlice."""
    endpoint_slice(causes, new)
    causes.immutable("addressType", new.get("addressType"), old.get("addressType"))
