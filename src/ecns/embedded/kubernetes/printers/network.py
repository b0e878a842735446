"""Services, endpoints, ingresses and policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.printers.common import (
    MOST,
    NONE,
    age_of,
    labels,
    name_of,
    prints,
    selector,
    shortened,
    spec_of,
    status_of,
)

if TYPE_CHECKING:
    from datetime import datetime

    from ecns.embedded.kubernetes.errors import Object


def _balanced(obj: Object) -> str:
    found = (status_of(obj).get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(sorted({item.get("ip") or item.get("hostname") or "" for item in found} - {""}))


def _external_address(obj: Object) -> str:
    spec = spec_of(obj)
    kind, addresses = spec.get("type"), list(spec.get("externalIPs") or ())
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind == "LoadBalancer":
        balanced = _balanced(obj)
        return ",".join([*(balanced.split(",") if balanced else ()), *addresses]) or "<pending>"
    return ",".join(addresses) or NONE


@prints("services")
def _service(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    ports = []
    for port in spec.get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        ports.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    address = (spec.get("clusterIPs") or [spec.get("clusterIP")])[0]
    return [
        name_of(obj),
        spec.get("type", ""),
        address or NONE,
        _external_address(obj),
        ",".join(ports) or NONE,
        age_of(obj, now),
        labels(spec.get("selector")),
    ]


def _reached(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@prints("endpoints")
def _endpoints(obj: Object, now: datetime) -> list[Any]:
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [item["ip"] for item in subset.get("addresses") or ()]
        ports = [port["port"] for port in subset.get("ports") or ()]
        found += [_reached(address, port) for port in ports for address in addresses] if ports else addresses
    return [name_of(obj), shortened(found, NONE if not obj.get("subsets") else ""), age_of(obj, now)]


@prints("endpointslices.discovery.k8s.io")
def _endpoint_slice(obj: Object, now: datetime) -> list[Any]:
    ports = [str(port.get("port") or port.get("name") or "*") for port in obj.get("ports") or ()]
    addresses = [item for endpoint in obj.get("endpoints") or () for item in endpoint.get("addresses") or ()]
    return [
        name_of(obj),
        obj.get("addressType", ""),
        shortened(ports, "<unset>"),
        shortened(addresses, "<unset>"),
        age_of(obj, now),
    ]


@prints("ingresses.networking.k8s.io")
def _ingress(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    rules = spec.get("rules") or ()
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    shown = ",".join(hosts[:MOST]) or "*"
    if len(hosts) >= MOST and len(rules) > MOST:
        shown += f" + {len(rules) - MOST} more..."
    ports = "80, 443" if spec.get("tls") else "80"
    return [
        name_of(obj),
        spec.get("ingressClassName") or NONE,
        shown,
        _balanced(obj),
        ports,
        age_of(obj, now),
    ]


@prints("ingressclasses.networking.k8s.io")
def _ingress_class(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    given = spec.get("parameters")
    shown = NONE
    if given:
        group = f".{given['apiGroup']}" if given.get("apiGroup") else ""
        shown = f"{given['kind']}{group}/{given['name']}"
    return [name_of(obj), spec.get("controller", ""), shown, age_of(obj, now)]


@prints("networkpolicies.networking.k8s.io")
def _network_policy(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), selector(spec_of(obj).get("podSelector")), age_of(obj, now)]


@prints("servicecidrs.networking.k8s.io")
def _service_cidr(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), ",".join(spec_of(obj).get("cidrs") or ()), age_of(obj, now)]


@prints("ipaddresses.networking.k8s.io")
def _ip_address(obj: Object, now: datetime) -> list[Any]:
    del now
    parent = spec_of(obj).get("parentRef") or {}
    places = (parent.get("group"), parent.get("resource"), parent.get("namespace"), parent.get("name"))
    kind = ".".join(item for item in (places[1], places[0]) if item)
    return [name_of(obj), "/".join(item for item in (kind, *places[2:]) if item)]
