"""Addresses of Services: cluster IPs from 10.96.0.0/16, node ports from 30000 to 32767.

A node port is one Service's, whatever the protocol; two of its ports may share it.
Sources: https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/ ;
pkg/registry/core/service/storage/alloc.go of Kubernetes.
"""

from __future__ import annotations

import ipaddress
import random
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ecns.embedded.kubernetes.errors import Cause, invalid

if TYPE_CHECKING:
    from collections.abc import Collection

    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object

RANGE = ipaddress.IPv4Network("10.96.0.0/16")
PORTS = range(30000, 32768)
_STATIC_BAND = 256
_EXPOSED = frozenset({"NodePort", "LoadBalancer"})


class _Used:
    """The addresses that the Services of a cluster have."""

    def __init__(self, cluster: Cluster) -> None:
        self.ips: dict[str, str] = {}
        self.ports: dict[int, str] = {}
        for service in cluster.list("services"):
            self._add(service)
        cluster.observe("services", self._changed)

    def _changed(self, _event: str, new: Object | None, old: Object | None) -> None:
        if old is not None:
            uid = old["metadata"]["uid"]
            for ip in _ips(old):
                if self.ips.get(ip) == uid:
                    del self.ips[ip]
            for port in _ports(old):
                if self.ports.get(port) == uid:
                    del self.ports[port]
        if new is not None:
            self._add(new)

    def _add(self, service: Object) -> None:
        uid = service["metadata"]["uid"]
        self.ips.update(dict.fromkeys(_ips(service), uid))
        self.ports.update(dict.fromkeys(_ports(service), uid))


_used: WeakKeyDictionary[Cluster, _Used] = WeakKeyDictionary()


def addresses(service: Object | None) -> dict[str, tuple[str, str]]:
    """The addresses of a Service, with its namespace and name."""
    if service is None:
        return {}
    metadata = service["metadata"]
    return dict.fromkeys(_ips(service), (metadata["namespace"], metadata["name"]))


def _ips(service: Object) -> list[str]:
    spec = service["spec"]
    return [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP", "")] if ip not in {"", "None"}]


def _ports(service: Object) -> set[int]:
    spec = service["spec"]
    found = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    return found | ({spec["healthCheckNodePort"]} if spec.get("healthCheckNodePort") else set())


def allocate(cluster: Cluster, new: Object, old: Object | None) -> None:
    """Gives a Service that is about to be stored the addresses that it lacks; changes `new`.

    Args:
        cluster: whose addresses.
        new: the Service, valid but for what is allocated here.
        old: what is stored, when it is an update.

    Raises:
        ApiError: 422 when an address that it asks for is taken or out of range.

    """
    used = _used.get(cluster)
    if used is None:
        used = _used[cluster] = _Used(cluster)
    spec, uid = new["spec"], new["metadata"].get("uid", "")
    causes: list[Cause] = []
    kind = spec.get("type", "ClusterIP")
    if kind == "ExternalName":
        for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if old is not None and old["spec"].get("type") != "ExternalName":
                spec.pop(key, None)
    else:
        _allocate_ip(used, spec, old, uid, causes)
    if kind in _EXPOSED:
        _allocate_ports(used, spec, old, uid, causes)
    elif old is not None and old["spec"].get("type") in _EXPOSED:
        _drop_ports(spec, old)
    if causes:
        raise invalid("Service", "", new["metadata"].get("name", ""), causes)


def _allocate_ip(used: _Used, spec: Object, old: Object | None, uid: str, causes: list[Cause]) -> None:
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    asked = spec.get("clusterIP", "")
    if asked == "None":
        spec["clusterIPs"] = ["None"]
        return
    if not asked and old is not None and old["spec"].get("clusterIP") not in {None, "", "None"}:
        asked = old["spec"]["clusterIP"]
    if not asked:
        asked = _free_ip(used)
    elif used.ips.get(asked, uid) != uid or not _in_range(asked):
        why = "provided IP is already allocated"
        if not _in_range(asked):
            why = f"the provided IP ({asked}) is not in the valid range. The range of valid IPs is {RANGE}"
        message = f'Invalid value: ["{asked}"]: failed to allocate IP {asked}: {why}'
        causes.append(Cause("FieldValueInvalid", message, "spec.clusterIPs"))
    spec["clusterIP"], spec["clusterIPs"] = asked, [asked]


def _in_range(text: str) -> bool:
    try:
        return ipaddress.ip_address(text) in RANGE
    except ValueError:
        return False


def _free_ip(used: _Used) -> str:
    size = RANGE.num_addresses
    first = random.randrange(_STATIC_BAND, size - 1)  # noqa: S311  an address is no secret
    for step in range(size - 2):
        ip = str(RANGE[1 + (first - 1 + step) % (size - 2)])
        if ip not in used.ips:
            return ip
    message = "Internal error occurred: failed to allocate a serviceIP: range is full"
    raise invalid("Service", "", "", [Cause("InternalError", message, "spec.clusterIPs")])


def _allocate_ports(used: _Used, spec: Object, old: Object | None, uid: str, causes: list[Cause]) -> None:
    ports = spec.get("ports") or []
    shared = spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False
    before = (old or {"spec": {}})["spec"]
    kept = {
        (port.get("name", ""), port["port"], port.get("protocol", "TCP")): port.get("nodePort", 0)
        for port in before.get("ports") or ()
    }
    asked = {port["port"]: port["nodePort"] for port in reversed(ports) if port.get("nodePort")}
    given: dict[int, int] = {}
    for index, port in enumerate(ports):
        wanted = port.get("nodePort", 0)
        if not wanted and shared:
            continue
        if not wanted:
            wanted = kept.get((port.get("name", ""), port["port"], port.get("protocol", "TCP")), 0)
        if not wanted and old is None:
            wanted = given.get(port["port"]) or asked.get(port["port"], 0)
        wanted = wanted or _free_port(used, given.values())
        if why := _refusal(used, wanted, uid, given, port["port"], new=old is None):
            causes.append(
                Cause("FieldValueInvalid", f"Invalid value: {wanted}: {why}", f"spec.ports[{index}].nodePort")
            )
        given.setdefault(port["port"], wanted)
        port["nodePort"] = wanted
    if spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local":
        spec["healthCheckNodePort"] = (
            spec.get("healthCheckNodePort")
            or before.get("healthCheckNodePort", 0)
            or _free_port(used, given.values())
        )


def _refusal(used: _Used, wanted: int, uid: str, given: dict[int, int], port: int, *, new: bool) -> str:
    """Why a Service cannot have a node port; of a new one, only ports of one number share theirs."""
    if wanted not in PORTS:
        return "provided port is not in the valid range. The range of valid ports is 30000-32767"
    twice = new and given.get(port) != wanted and wanted in given.values()
    return "provided port is already allocated" if twice or used.ports.get(wanted, uid) != uid else ""


def _free_port(used: _Used, taken: Collection[int]) -> int:
    first = random.randrange(len(PORTS))  # noqa: S311  a port is no secret
    for step in range(len(PORTS)):
        port = PORTS[(first + step) % len(PORTS)]
        if port not in used.ports and port not in taken:
            return port
    raise invalid(
        "Service", "", "", [Cause("InternalError", "failed to allocate a nodePort: range is full", "")]
    )


def _drop_ports(spec: Object, old: Object) -> None:
    before = {port.get("nodePort") for port in old["spec"].get("ports") or ()}
    for port in spec.get("ports") or ():
        if port.get("nodePort") in before:
            port.pop("nodePort", None)
    for key in ("healthCheckNodePort", "externalTrafficPolicy", "allocateLoadBalancerNodePorts"):
        if spec.get(key) == old["spec"].get(key):
            spec.pop(key, None)
