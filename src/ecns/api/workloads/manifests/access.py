"""Access modes: Services, and Ingresses for their routers, both ways (reference 1.21, access_mode)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from ecns.api.common import names
from ecns.api.common.claims import Claim, Route
from ecns.api.workloads.manifests import routes
from ecns.api.workloads.types import (
    Access,
    AccessMode,
    AvailabilityZoneData,
    AvailabilityZoneProfile,
    External,
    FlavorData,
    FlavorProfile,
    LoadBalancer,
    Router,
)
from ecns.backends.kubernetes.kinds import networking as net
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.core import Node, Service, ServicePort, ServiceSpec
from ecns.backends.kubernetes.kinds.meta import ObjectMeta

CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
EXPOSED = ("NodePort", "LoadBalancer")
"""Types that are reached from outside."""
DEFAULT_PROTOCOL = "TCP"


def pod_selector(controller: Controller) -> dict[str, str]:
    """The labels by which a Service finds the pods of a workload."""
    spec = controller.spec
    labels = spec.template.metadata.labels or {}
    if names.WORKLOAD in labels:
        return {names.WORKLOAD: labels[names.WORKLOAD]}
    return spec.selector.match_labels or labels or {names.WORKLOAD: controller.metadata.name}


def container_ports(controller: Controller) -> dict[str, int]:
    """The ports of a workload's containers that have names."""
    return {
        port.name: port.container_port
        for container in controller.spec.template.spec.containers
        for port in container.ports or ()
        if port.name
    }


def service_names(workload: str, modes: Sequence[AccessMode], taken: Iterable[str] = ()) -> list[str]:
    """The name of each mode's Service: the one sent, else the workload's, then with the type behind it."""
    used = {*taken, *(mode.name for mode in modes if mode.name)}
    chosen: list[str] = []
    for mode in modes:
        name = mode.name or ""
        number = 1
        while not name:
            suffix = f"-{mode.type.lower()}" + (f"-{number - 1}" if number > 2 else "")  # noqa: PLR2004
            candidate = workload if number == 1 else workload[: 63 - len(suffix)].rstrip("-") + suffix
            name = "" if candidate in used else candidate
            number += 1
        used.add(name)
        chosen.append(name)
    return chosen


def service(
    sent: AccessMode, name: str, labels: dict[str, str], selector: dict[str, str], order: int | None
) -> Service:
    """The Service of an access mode.

    Args:
        sent: the mode.
        name: the Service's name.
        labels: the Service's labels.
        selector: the pods it leads to.
        order: its place among several.
    """
    annotations = dict(sent.annotations or {}) | _load_balancer(sent)
    if order is not None:
        annotations[names.ORDER] = str(order)
    spec = ServiceSpec(type=sent.type)
    if sent.type == "ExternalName":
        spec.external_name = sent.external_name or ""
    else:
        spec.selector = selector
    if sent.type == "ClusterIP":
        spec.cluster_ip = sent.cluster_ip or ""
    spec.ports = [_port(access, sent.type) for access in sent.access or () if access.port] or None
    return Service(
        api_version="v1",
        kind="Service",
        metadata=ObjectMeta(name=name, labels=labels, annotations=annotations or None),
        spec=spec,
    )


def ingress(sent: AccessMode, name: str, labels: dict[str, str]) -> net.Ingress | None:
    """The Ingress of an access mode's routers, named after its Service."""
    hosts: dict[str, list[net.IngressPath]] = {}
    for access in sent.access or ():
        for router in access.routers or ():
            backend = net.ServiceBackend(
                name=router.target_service or name,
                port=net.BackendPort(number=router.service_port or access.port or 0),
            )
            path = net.IngressPath(
                path=router.path or routes.ANY_PATH,
                path_type=routes.PATH_TYPE,
                backend=net.IngressBackend(service=backend),
            )
            hosts.setdefault(router.domain or "", []).append(path)
    if not hosts:
        return None
    rules = [net.IngressRule(host=host, http=net.HTTPRule(paths=paths)) for host, paths in hosts.items()]
    return net.Ingress(
        api_version="networking.k8s.io/v1",
        kind="Ingress",
        metadata=ObjectMeta(name=name, labels=labels),
        spec=net.IngressSpec(rules=rules),
    )


def claims(mode: AccessMode, at: str) -> list[Claim]:
    """What an access mode wants to have alone in the cluster.

    Args:
        mode: what was sent.
        at: where in the request it is.
    """
    found = []
    if mode.type == "ClusterIP" and mode.cluster_ip and mode.cluster_ip != "None":
        found.append(Claim(f"{at}.cluster_ip", mode.cluster_ip))
    for index, access in enumerate(mode.access or ()):
        here = f"{at}.access[{index}]"
        if access.node_port and mode.type in EXPOSED:
            found.append(Claim(f"{here}.node_port", access.node_port))
        for number, router in enumerate(access.routers or ()):
            route = Route(router.domain or "", router.path or routes.ANY_PATH, routes.PATH_TYPE)
            found.append(Claim(f"{here}.routers[{number}]", route))
    return found


def shown(
    services: Sequence[Service],
    ingresses: Sequence[net.Ingress],
    controller: Controller | None,
    nodes: Sequence[Node] = (),
) -> list[AccessMode]:
    """The access modes that Services are, in the order they were sent.

    Args:
        services: all of a workload's, or one.
        ingresses: those that lead to them.
        controller: the workload, which knows the numbers of its named ports.
        nodes: the cluster's, for their addresses.
    """
    several = ordered(services)
    ports = container_ports(controller) if controller else {}
    number = routes.numbers({found.metadata.name: found for found in several})
    modes = [_shown(found, ports, nodes) for found in several]
    by_name = {mode.name: mode for mode in modes}
    for entry in ingresses:
        for host, path, backend in routes.of_services(entry):
            mode = by_name.get(entry.metadata.name) or by_name.get(backend.name)
            if mode is None:
                continue
            port = backend.port.number or number(backend.name, backend.port.name)
            place = next((access for access in mode.access or () if access.port == port), None)
            if place is None:
                place = next(iter(mode.access or ()), None)
            if place is not None and place.routers is not None:
                place.routers.append(
                    Router(
                        domain=host or None,
                        path=path.path or routes.ANY_PATH,
                        target_service=backend.name,
                        service_port=port or None,
                    )
                )
    return modes


def ordered(services: Iterable[Service]) -> list[Service]:
    """Services in the order they were sent; those of other tools as they were made."""
    return sorted(services, key=_order)


def _order(found: Service) -> tuple[int, str, str]:
    order = (found.metadata.annotations or {}).get(names.ORDER, "")
    return (
        int(order) if order.isdecimal() else 0,
        found.metadata.creation_timestamp or "",
        found.metadata.name,
    )


def _port(access: Access, kind: str) -> ServicePort:
    protocol = (access.protocol or DEFAULT_PROTOCOL).upper()
    return ServicePort(
        name=access.name or f"{protocol.lower()}-{access.port}",
        protocol=protocol,
        port=access.port or 0,
        target_port=access.target_port,
        node_port=access.node_port if kind in EXPOSED else None,
    )


def _load_balancer(sent: AccessMode) -> dict[str, str]:
    """What the OpenStack cloud provider reads, and the rest of what was sent."""
    if sent.type != "LoadBalancer":
        return {}
    external = sent.external or External()
    balancer = external.loadbalancer or LoadBalancer()
    zone = (external.availability_zone_profile or AvailabilityZoneProfile()).availability_zone_data
    flavor = (external.flavor_profile or FlavorProfile()).flavor_data
    rest = {
        "compute_zone": zone.compute_zone if zone else None,
        "cpu_arch": zone.cpu_arch if zone else None,
        "amp_volume_type": flavor.amp_volume_type if flavor else None,
        "compute_flavor": flavor.compute_flavor if flavor else None,
        "loadbalancer_topology": flavor.loadbalancer_topology if flavor else None,
        "name": balancer.name,
        "subnet": sent.subnet if sent.subnet != balancer.vip_subnet_id and balancer.vip_subnet_id else None,
    }
    said = {key: value for key, value in rest.items() if value}
    found = {
        names.LB_SUBNET: balancer.vip_subnet_id or sent.subnet,
        names.LB_ZONE: external.availability_zone,
        names.LB_FLAVOR: external.flavor_id,
        names.SENT_EXTERNAL: json.dumps(said, ensure_ascii=False, separators=(",", ":")) if said else None,
    }
    return {key: value for key, value in found.items() if isinstance(value, str) and value}


def _shown(found: Service, ports: Mapping[str, int], nodes: Sequence[Node]) -> AccessMode:
    spec = found.spec
    kind = spec.type or "ClusterIP"
    hidden = {names.LAST_APPLIED, names.ORDER, names.REQUEST, names.SENT_EXTERNAL}
    external, subnet = None, None
    public: list[str] = []
    private: list[str] = []
    if kind == "LoadBalancer":
        hidden |= {names.LB_SUBNET, names.LB_ZONE, names.LB_FLAVOR}
        external, subnet = _external(found)
        public = [entry.ip or entry.hostname for entry in found.status.load_balancer.ingress or ()]
    elif kind == "NodePort":
        private = [address for node in nodes for address in addresses(node)]
        public = [address for node in nodes if is_control_plane(node) for address in addresses(node)]
    return AccessMode(
        name=found.metadata.name,
        type=kind,  # type: ignore[arg-type]  # what Kubernetes has
        external_name=spec.external_name or None,
        cluster_ip=spec.cluster_ip or None,
        public_ips=public,
        private_ips=private,
        access=[
            Access(
                name=port.name or None,
                port=port.port,
                protocol=port.protocol or DEFAULT_PROTOCOL,
                node_port=port.node_port or None,
                target_port=_target(port, ports),
                routers=[],
            )
            for port in spec.ports or ()
        ],
        annotations={
            key: value for key, value in (found.metadata.annotations or {}).items() if key not in hidden
        },
        external=external,
        subnet=subnet,
    )


def _target(port: ServicePort, ports: Mapping[str, int]) -> int | None:
    target = port.target_port
    if isinstance(target, str):
        return int(target) if target.isdecimal() else ports.get(target)
    return target or port.port


def is_control_plane(node: Node) -> bool:
    """Whether a node is one of the cluster's masters."""
    return any(role in (node.metadata.labels or {}) for role in CONTROL_PLANE)


def addresses(node: Node) -> list[str]:
    """The addresses of a node within the cloud."""
    return [entry.address for entry in node.status.addresses or () if entry.type == "InternalIP"]


def _external(found: Service) -> tuple[External, str | None]:
    annotations = found.metadata.annotations or {}
    subnet, zone = annotations.get(names.LB_SUBNET), annotations.get(names.LB_ZONE)
    flavor = annotations.get(names.LB_FLAVOR)
    addresses = found.status.load_balancer.ingress or []
    rest = _rest(annotations.get(names.SENT_EXTERNAL))
    zone_data = AvailabilityZoneData(compute_zone=rest.get("compute_zone"), cpu_arch=rest.get("cpu_arch"))
    flavor_data = FlavorData(
        amp_volume_type=rest.get("amp_volume_type"),
        compute_flavor=rest.get("compute_flavor"),
        loadbalancer_topology=rest.get("loadbalancer_topology"),
    )
    balancer = LoadBalancer(name=rest.get("name"), vip_subnet_id=subnet)
    external = External(
        availability_zone_profile=AvailabilityZoneProfile(availability_zone_data=zone_data)
        if zone_data != AvailabilityZoneData()
        else None,
        flavor_profile=FlavorProfile(flavor_data=flavor_data) if flavor_data != FlavorData() else None,
        loadbalancer=balancer if balancer != LoadBalancer() else None,
        availability_zone=zone,
        flavor_id=flavor,
        id=annotations.get(names.LB_ID),
        name=balancer.name,
        vip_address=(addresses[0].ip or addresses[0].hostname) if addresses else None,
        vip_subnet_id=subnet,
    )
    return external, rest.get("subnet") or subnet


def _rest(text: str | None) -> dict[str, str]:
    """What was kept of a load balancer; what someone broke is nothing."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}
