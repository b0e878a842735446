"""Ingresses, IngressClasses, NetworkPolicies.

Source: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/
and recorded refusals.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.validation import meta, names, services

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_OLD_CLASS = "kubernetes.io/ingress.class"
_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_SUFFIXES = ("/..", "/.")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_LONGEST_CONTROLLER = 250
_HTTP_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")


def _host(causes: Causes, path: str, host: str) -> None:
    if not names.ip_address(host):
        causes.invalid(path, host, "must be a DNS name, not an IP address")
    elif "*" in host:
        causes.each(path, host, names.wildcard_subdomain(host))
    else:
        causes.each(path, host, names.dns_subdomain(host))


def _backend(causes: Causes, path: str, found: Object) -> None:
    service, resource = found.get("service"), found.get("resource")
    if service is not None and resource is not None:
        causes.invalid(path, "", "cannot set both resource and service backends")
    elif resource is not None:
        group = resource.get("apiGroup")
        if group:
            causes.each(f"{path}.resource.apiGroup", group, names.dns_subdomain(group))
        for name in ("kind", "name"):
            causes.checked(f"{path}.resource.{name}", resource.get(name), names.path_segment)
    elif service is None:
        causes.invalid(path, "", "resource or service backend is required")
    else:
        name = service.get("name", "")
        if not name:
            causes.required(f"{path}.service.name")
        else:
            causes.each(f"{path}.service.name", name, names.dns_label(name))
        port = service.get("port", {})
        if port.get("name") and port.get("number"):
            causes.invalid(path, "", "cannot set both port name & port number")
        elif port.get("name"):
            causes.each(f"{path}.service.port.name", port["name"], names.port_name(port["name"]))
        elif port.get("number"):
            causes.each(f"{path}.service.port.number", port["number"], names.port_number(port["number"]))
        else:
            causes.required(path, "port name or number is required")


def _path(causes: Causes, at: str, item: Object) -> None:
    kind, path = item.get("pathType"), item.get("path", "")
    if kind is None:
        causes.required(f"{at}.pathType", "pathType must be specified")
        return
    if kind in {"Exact", "Prefix"}:
        if not path.startswith("/"):
            causes.invalid(f"{at}.path", path, "must be an absolute path")
        if path:
            for sequence in _SEQUENCES:
                if sequence in path:
                    causes.invalid(f"{at}.path", path, f"must not contain '{sequence}'")
            for suffix in _SUFFIXES:
                if path.endswith(suffix):
                    causes.invalid(f"{at}.path", path, f"cannot end with '{suffix}'")
    elif kind == "ImplementationSpecific":
        if path and not path.startswith("/"):
            causes.invalid(f"{at}.path", path, "must be an absolute path")
    else:
        causes.unsupported(f"{at}.pathType", kind, PATH_TYPES)
    _backend(causes, f"{at}.backend", item.get("backend", {}))


def _spec(causes: Causes, spec: Object) -> None:
    rules = spec.get("rules", [])
    if "defaultBackend" in spec:
        _backend(causes, "spec.defaultBackend", spec["defaultBackend"])
    elif not rules:
        causes.invalid("spec", None, "either `defaultBackend` or `rules` must be specified")
    for index, tls in enumerate(spec.get("tls", ())):
        at = f"spec.tls[{index}]"
        for number, host in enumerate(tls.get("hosts", ())):
            check = names.wildcard_subdomain if "*" in host else names.dns_subdomain
            causes.each(f"{at}.hosts[{number}]", host, check(host))
        if tls.get("secretName"):
            causes.each(f"{at}.secretName", tls["secretName"], names.dns_subdomain(tls["secretName"]))
    for index, rule in enumerate(rules):
        at = f"spec.rules[{index}]"
        if rule.get("host"):
            _host(causes, f"{at}.host", rule["host"])
        if "http" in rule:
            paths = rule["http"].get("paths") or []
            if not paths:
                causes.required(f"{at}.http.paths")
            for number, item in enumerate(paths):
                _path(causes, f"{at}.http.paths[{number}]", item)
    if spec.get("ingressClassName"):
        causes.each(
            "spec.ingressClassName", spec["ingressClassName"], names.dns_subdomain(spec["ingressClassName"])
        )


def ingress(causes: Causes, obj: Object) -> None:
    """Checks an Ingress."""
    _spec(causes, obj["spec"])
    old = obj.get("metadata", {}).get("annotations", {}).get(_OLD_CLASS)
    name = obj["spec"].get("ingressClassName")
    if old and name is not None and old != name:
        causes.invalid(
            f"annotations.{_OLD_CLASS}", old, "must match `ingressClassName` when both are specified"
        )


def ingress_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks a changed Ingress."""
    del old
    _spec(causes, new["spec"])


def ingress_status(causes: Causes, new: Object, old: Object) -> None:
    """Checks the addresses of an Ingress."""
    del old
    entries = new.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    services.load_balancer(causes, "status.loadBalancer.ingress", entries)


def ingress_class(causes: Causes, obj: Object) -> None:
    """Checks an IngressClass."""
    _controller(causes, obj["spec"].get("controller", ""))
    parameters = obj["spec"].get("parameters")
    if parameters is None:
        return
    group = parameters.get("apiGroup")
    if group:
        causes.each("spec.parameters.apiGroup", group, names.dns_subdomain(group))
    for name in ("kind", "name"):
        causes.checked(f"spec.parameters.{name}", parameters.get(name), names.path_segment)
    scope = parameters.get("scope")
    causes.one_of("spec.parameters.scope", scope, ("Cluster", "Namespace"))
    space = parameters.get("namespace")
    if scope == "Namespace" and space is None:
        causes.required("spec.parameters.namespace", "`parameters.scope` is set to 'Namespace'")
    elif scope == "Namespace":
        causes.each("spec.parameters.namespace", space, names.dns_label(space))
    elif scope == "Cluster" and parameters.get("namespace"):
        causes.forbidden("spec.parameters.namespace", "`parameters.scope` is set to 'Cluster'")


def _controller(causes: Causes, controller: str) -> None:
    at, (host, _, path) = "spec.controller", controller.partition("/")
    if len(controller) > _LONGEST_CONTROLLER:
        causes.too_long(at, _LONGEST_CONTROLLER)
    if not controller:
        causes.required(at)
    elif not host or not path:
        causes.invalid(at, controller, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        causes.each(at, host, names.dns_subdomain(host))
        if not _HTTP_PATH.fullmatch(path):
            shown = f"Invalid path (regex used for validation is '{_HTTP_PATH.pattern}')"
            causes.invalid(at, path, shown)


def ingress_class_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of an IngressClass."""
    causes.immutable("spec.controller", new["spec"].get("controller", ""), old["spec"].get("controller", ""))
    ingress_class(causes, new)


def _block(causes: Causes, path: str, block: Object) -> None:
    value = block.get("cidr", "")
    if not value:
        causes.required(f"{path}.cidr")
        return
    wrong = names.cidr(value)
    causes.each(f"{path}.cidr", value, wrong)
    for index, item in enumerate(block.get("except", ())):
        at = f"{path}.except[{index}]"
        if names.cidr(item):
            causes.each(at, item, names.cidr(item))
        elif not wrong and not _inside(item, value):
            causes.invalid(at, item, "must be a strict subset of `cidr`")


def _inside(inner: str, outer: str) -> bool:
    small, large = ipaddress.ip_network(inner, strict=False), ipaddress.ip_network(outer, strict=False)
    if small.version != large.version or small.prefixlen <= large.prefixlen:
        return False
    return small.network_address in large


def _peer(causes: Causes, path: str, peer: Object) -> None:
    selectors = [name for name in ("podSelector", "namespaceSelector") if name in peer]
    for name in selectors:
        meta.label_selector(causes, f"{path}.{name}", peer[name])
    if "ipBlock" in peer:
        _block(causes, f"{path}.ipBlock", peer["ipBlock"])
        if selectors:
            causes.forbidden(path, "may not specify both ipBlock and another peer")
    elif not selectors:
        causes.required(path, "must specify a peer")


def _policy_port(causes: Causes, path: str, item: Object) -> None:
    protocol, port, end = item.get("protocol"), item.get("port"), item.get("endPort")
    if protocol is not None:
        causes.one_of(f"{path}.protocol", protocol, _PROTOCOLS)
    if port is None:
        if end is not None:
            causes.required(f"{path}.port", "must be specified when `endPort` is set")
        return
    if isinstance(port, str):
        causes.each(f"{path}.port", port, names.port_name(port))
        if end is not None:
            causes.invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric")
        return
    causes.each(f"{path}.port", port, names.port_number(port))
    if end is not None:
        causes.each(f"{path}.endPort", end, names.port_number(end))
        if end < port:
            causes.invalid(f"{path}.endPort", end, "must be greater than or equal to `port`")


def network_policy(causes: Causes, obj: Object) -> None:
    """Checks a NetworkPolicy."""
    spec = obj["spec"]
    meta.label_selector(causes, "spec.podSelector", spec.get("podSelector"))
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction, ())):
            at = f"spec.{direction}[{index}]"
            for number, item in enumerate(rule.get("ports", ())):
                _policy_port(causes, f"{at}.ports[{number}]", item)
            for number, peer in enumerate(rule.get(side, ())):
                _peer(causes, f"{at}.{side}[{number}]", peer)
    kinds = spec.get("policyTypes", [])
    for index, kind in enumerate(kinds):
        causes.one_of(f"spec.policyTypes[{index}]", kind, ("Ingress", "Egress"))


def network_policy_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks a changed NetworkPolicy."""
    del old
    network_policy(causes, new)


_MOST_RANGES = 2


def service_cidr(causes: Causes, obj: Object) -> None:
    """Checks a ServiceCIDR."""
    cidrs = obj["spec"].get("cidrs") or []
    if not cidrs:
        causes.required("spec.cidrs", "at least one CIDR required")
    elif len(cidrs) > _MOST_RANGES:
        causes.invalid("spec.cidrs", _shown_ranges(obj), "may only hold up to 2 values")
        return
    elif (
        not any(map(names.canonical_cidr, cidrs))
        and len(cidrs) == _MOST_RANGES
        and (":" in cidrs[0]) == (":" in cidrs[1])
    ):
        detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        causes.invalid("spec.cidrs", cidrs, detail)
    for index, cidr in enumerate(cidrs):
        causes.each(f"spec.cidrs[{index}]", cidr, names.canonical_cidr(cidr))


def _shown_ranges(obj: Object) -> Object:
    return {"CIDRs": obj["spec"].get("cidrs")}


def service_cidr_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks a changed ServiceCIDR, to which only the range of another family may be added."""
    service_cidr(causes, new)
    cidrs, before = new["spec"].get("cidrs") or [], old["spec"].get("cidrs") or []
    for index, cidr in enumerate(before):
        causes.immutable(f"spec.cidrs[{index}]", cidrs[index] if index < len(cidrs) else "", cidr)


def ip_object(causes: Causes, obj: Object) -> None:
    """Checks an IPAddress."""
    parent = obj["spec"].get("parentRef")
    if not parent:
        causes.required("spec.parentRef")
        return
    group = parent.get("group")
    if group:
        causes.each("spec.parentRef.group", group, names.dns_subdomain(group))
    for name in ("resource", "name"):
        causes.checked(f"spec.parentRef.{name}", parent.get(name), names.path_segment)


def ip_object_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks a changed IPAddress."""
    ip_object(causes, new)
    causes.immutable("spec.parentRef", new["spec"].get("parentRef"), old["spec"].get("parentRef"))
