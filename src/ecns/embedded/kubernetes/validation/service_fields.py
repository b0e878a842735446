"""The fields of a Service that hang together: type, cluster IPs, families, node ports.

Source: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/
and recorded changes of type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

_WITH_IP = frozenset({"ClusterIP", "NodePort", "LoadBalancer"})
_WITH_PORTS = frozenset({"NodePort", "LoadBalancer"})


def needs_cluster_ip(spec: Object) -> bool:
    """Whether a service of this type has an address in the cluster."""
    return spec.get("type") in _WITH_IP


def needs_node_ports(spec: Object) -> bool:
    """Whether its ports are open on the nodes."""
    kind = spec.get("type")
    return kind == "NodePort" or (
        kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    )


def needs_health_check_port(spec: Object) -> bool:
    """Whether the load balancer asks each node for its health."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def is_external(spec: Object) -> bool:
    """Whether it is reached from outside the cluster."""
    return spec.get("type") in _WITH_PORTS or (
        spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs"))
    )


def normalise(new: Object, old: Object | None) -> None:
    """Makes `clusterIP` and `clusterIPs` say the same, following the one that was changed."""
    spec = new["spec"]
    if old is None:
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        return
    before = old["spec"]
    same = spec.get("clusterIPs") == before.get("clusterIPs")
    if before.get("clusterIP") and not spec.get("clusterIP") and same:
        spec.pop("clusterIPs", None)
    elif spec.get("clusterIP") and spec.get("clusterIP") != before.get("clusterIP") and same:
        spec["clusterIPs"] = [spec["clusterIP"]]
    elif (
        before.get("clusterIPs")
        and not spec.get("clusterIPs")
        and spec.get("clusterIP") == before.get("clusterIP")
    ):
        spec.pop("clusterIP", None)


def keep_allocated(new: Object, old: Object) -> None:
    """An update that leaves out what was allocated keeps it."""
    spec, before = new["spec"], old["spec"]
    if needs_cluster_ip(before) and needs_cluster_ip(spec):
        if not spec.get("clusterIP") and before.get("clusterIP"):
            spec["clusterIP"] = before["clusterIP"]
        if not spec.get("clusterIPs") and spec.get("clusterIP") == before.get("clusterIP"):
            spec["clusterIPs"] = list(before.get("clusterIPs", ()))
    if needs_node_ports(before) and needs_node_ports(spec):
        taken = {port["nodePort"] for port in spec.get("ports", ()) if port.get("nodePort")}
        known = {
            (port.get("protocol"), port["port"]): port.get("nodePort") for port in before.get("ports", ())
        }
        for port in spec.get("ports", ()):
            number = known.get((port.get("protocol"), port["port"]))
            if not port.get("nodePort") and number and number not in taken:
                port["nodePort"] = number
                taken.add(number)
    if (
        needs_health_check_port(before)
        and needs_health_check_port(spec)
        and not spec.get("healthCheckNodePort")
        and before.get("healthCheckNodePort")
    ):
        spec["healthCheckNodePort"] = before["healthCheckNodePort"]


def _drop_unchanged(spec: Object, before: Object, *names: str) -> None:
    if all(spec.get(name) == before.get(name) for name in names):
        for name in names:
            spec.pop(name, None)


def drop_by_type(new: Object, old: Object) -> None:
    """A change of type takes what the new type has not, unless the client set it anew."""
    spec, before = new["spec"], old["spec"]
    if needs_cluster_ip(before) and not needs_cluster_ip(spec):
        _drop_unchanged(spec, before, "clusterIP", "clusterIPs")
        _drop_unchanged(spec, before, "ipFamilies")
        _drop_unchanged(spec, before, "ipFamilyPolicy")
        _drop_unchanged(spec, before, "internalTrafficPolicy")
    if needs_node_ports(before) and not needs_node_ports(spec):
        had = {port.get("nodePort") for port in before.get("ports", ())}
        for port in spec.get("ports", ()):
            if port.get("nodePort") in had:
                port.pop("nodePort", None)
    if needs_health_check_port(before) and not needs_health_check_port(spec):
        _drop_unchanged(spec, before, "healthCheckNodePort")
    if before.get("type") == "LoadBalancer" and spec.get("type") != "LoadBalancer":
        _drop_unchanged(spec, before, "allocateLoadBalancerNodePorts")
        _drop_unchanged(spec, before, "loadBalancerClass")
        new["status"] = {**new.get("status", {}), "loadBalancer": {}}
    if is_external(before) and not is_external(spec):
        _drop_unchanged(spec, before, "externalTrafficPolicy")
    if spec.get("type") == "ExternalName":
        for name in ("internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy"):
            if name in before or not needs_cluster_ip(before):
                _drop_unchanged(spec, before, name)


def leads_itself(spec: Object) -> bool:
    """Whether it has neither address nor selector: whoever writes its endpoints chooses their families."""
    return spec.get("clusterIP") == "None" and not spec.get("selector")


def families(obj: Object, old: Object | None = None) -> None:
    """Fills in the address families: those it had, or this cluster's one, or both where it leads itself."""
    spec, before = obj["spec"], old["spec"] if old else {}
    if "ipFamilyPolicy" not in spec and "ipFamilyPolicy" in before and needs_cluster_ip(spec):
        spec["ipFamilyPolicy"] = before["ipFamilyPolicy"]
        spec["ipFamilies"] = spec.get("ipFamilies") or before.get("ipFamilies")
    had, have = before.get("ipFamilies") or [], spec.get("ipFamilies") or []
    if spec.get("ipFamilyPolicy") == "SingleStack" != before.get("ipFamilyPolicy") and had == have:
        spec["ipFamilies"] = have[:1]
    if leads_itself(spec) and "ipFamilyPolicy" not in spec:
        spec["ipFamilyPolicy"] = "RequireDualStack"
        first = (spec.get("ipFamilies") or ["IPv4"])[0]
        spec["ipFamilies"] = [first, "IPv4" if first == "IPv6" else "IPv6"]
    if needs_cluster_ip(spec):
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        if not spec.get("ipFamilies"):
            spec["ipFamilies"] = ["IPv4"]
