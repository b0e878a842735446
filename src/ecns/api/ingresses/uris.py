"""The URIs that Ingresses define (reference 1.18, "access"); pure.

A host is reached by its name. A route of all hosts is reached by the address of the load balancer, else of
the Service of the Ingress controller, else of a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from ecns.api.workloads.manifests import access, routes
from ecns.backends.kubernetes.kinds.core import Node, Service
from ecns.backends.kubernetes.kinds.networking import Ingress, IngressClass

HTTP, HTTPS = 80, 443
HTTP_NAMES, HTTPS_NAMES = ("http", "web"), ("https", "websecure")
"""What the ports of Ingress controllers are called."""
SAME = ("app.kubernetes.io/name", "app.kubernetes.io/instance")
"""Labels that an IngressClass and the Service of its controller share when they were installed together."""


class Entrance(Struct, kw_only=True):
    """Where requests that name no host go."""

    addresses: Sequence[str] = ()
    http: int = HTTP
    https: int = HTTPS


def uris(found: Ingress, entrance: Entrance) -> list[str]:
    """The URIs of one Ingress, in the order of its rules."""
    return list(dict.fromkeys(_uris(found, entrance)))


def _uris(found: Ingress, entrance: Entrance) -> Iterable[str]:
    for host, path in _routes(found):
        secure = under_tls(found, host)
        scheme = "https" if secure else "http"
        if host:
            yield f"{scheme}://{host}{path}"
            continue
        port, usual = (entrance.https, HTTPS) if secure else (entrance.http, HTTP)
        for address in entrance.addresses:
            shown = f"[{address}]" if ":" in address else address
            yield f"{scheme}://{shown}{'' if port == usual else f':{port}'}{path}"


def _routes(found: Ingress) -> Iterable[tuple[str, str]]:
    """Host and path of each route; of an Ingress that has only a default backend, its one."""
    for rule in found.spec.rules or ():
        for path in rule.http.paths if rule.http else ():
            yield rule.host, path.path or routes.ANY_PATH
        if rule.http is None or not rule.http.paths:
            yield rule.host, routes.ANY_PATH
    if not found.spec.rules and found.spec.default_backend is not None:
        yield "", routes.ANY_PATH


def under_tls(found: Ingress, host: str) -> bool:
    """Whether a host has a certificate; one for no host in particular is for all."""
    for tls in found.spec.tls or ():
        if not tls.hosts:
            return True
        wild = f"*.{host.partition('.')[2]}"
        if host and (host in tls.hosts or wild in tls.hosts):
            return True
    return False


def entrance(
    found: Ingress,
    controllers: Mapping[str, Service],
    ingress_class: str,
    node: Sequence[str],
) -> Entrance:
    """Where an Ingress is entered without a host.

    Args:
        found: the Ingress.
        controllers: the Services of Ingress controllers, by class.
        ingress_class: the class of the Ingress.
        node: the addresses of a node.
    """
    entries = found.status.load_balancer.ingress or []
    if entries:
        ports = [port.port for entry in entries for port in entry.ports or () if port.port]
        addresses = [entry.ip or entry.hostname for entry in entries]
        return Entrance(
            addresses=list(dict.fromkeys(address for address in addresses if address)),
            http=HTTP if HTTP in ports or not ports else ports[0],
            https=HTTPS if HTTPS in ports or not ports else ports[-1],
        )
    service = controllers.get(ingress_class)
    if service is None:
        return Entrance(addresses=node)
    balancers = [entry.ip or entry.hostname for entry in service.status.load_balancer.ingress or ()]
    http, https = (_port(service, HTTP_NAMES, HTTP), _port(service, HTTPS_NAMES, HTTPS))
    if balancers:
        return Entrance(addresses=balancers, http=http[0], https=https[0])
    return Entrance(addresses=node, http=http[1] or HTTP, https=https[1] or HTTPS)


def _port(service: Service, called: Sequence[str], usual: int) -> tuple[int, int]:
    """The port of a Service for one scheme, and its node port."""
    ports = service.spec.ports or []
    for one in (*(one for one in ports if one.name in called), *(one for one in ports if one.port == usual)):
        return one.port, one.node_port or 0
    return usual, 0


def controllers(classes: Iterable[IngressClass], services: Iterable[Service]) -> dict[str, Service]:
    """By class, the Service by which its controller is reached from outside."""
    exposed: dict[tuple[str, ...], Service] = {}
    for one in services:
        if one.spec.type in access.EXPOSED and (key := _installed(one.metadata.labels)):
            exposed[key] = one
    found = {}
    for each in classes:
        key = _installed(each.metadata.labels)
        if key in exposed:
            found[each.metadata.name] = exposed[key]
    return found


def _installed(labels: Mapping[str, str] | None) -> tuple[str, ...]:
    """What tells what was installed together; empty when nothing does."""
    values = tuple((labels or {}).get(key, "") for key in SAME)
    return values if all(values) else ()


def node_address(nodes: Sequence[Node]) -> list[str]:
    """An address of one node: of one that is ready, if there is one."""

    def ready(node: Node) -> bool:
        return any(one.type == "Ready" and one.status == "True" for one in node.status.conditions or ())

    for node in sorted(nodes, key=lambda node: (not ready(node), node.metadata.name)):
        if found := access.addresses(node):
            return found[:1]
    return []
