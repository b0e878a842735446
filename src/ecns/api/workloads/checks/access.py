"""Access modes and routers: what types cannot say of them.

Sources: reference 1.21 (access_mode) and 1.18;
https://kubernetes.io/docs/reference/kubernetes-api/service-resources/
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Sequence

from ecns.api.common.checks import dns_subdomain
from ecns.api.workloads.checks import simple
from ecns.api.workloads.manifests import access as services
from ecns.api.workloads.types import Access, AccessMode, Router
from ecns.errors import BadRequestError

SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
PROTOCOLS = ("TCP", "UDP", "SCTP")


def check_access_modes(modes: Sequence[AccessMode], *, workload: str = "", at: str = "access_modes") -> None:
    """Check access modes.

    Raises:
        BadRequestError: one of them cannot be, or two have one name or one node port.
    """
    called = services.service_names(workload or "x", modes)
    simple.unique(called, f"{at}[#].name", "Services")
    for place, (mode, name) in enumerate(zip(modes, called, strict=True)):
        here = f"{at}[{place}]"
        if mode.name or workload:
            check_service_name(name, f"{here}.name")
        check_access_mode(mode, at=here)
    node_ports = [
        number
        for mode in modes
        if mode.type in services.EXPOSED
        for number in {access.node_port for access in mode.access or () if access.node_port}
    ]
    simple.unique(node_ports, f"{at}.access.node_port", "node ports")


def check_service_name(name: str, at: str) -> None:
    """Check the name of a Service.

    Raises:
        BadRequestError: it cannot be one.
    """
    if not SERVICE_NAME.fullmatch(name) or len(name) > simple.MAX_LABEL:
        raise BadRequestError(
            f"{at}: a Service's name begins with a letter and has small letters, digits and '-',"
            f" at most 63: {name[:80]!r}",
            field=at,
        )


def check_access_mode(mode: AccessMode, *, at: str) -> None:
    """Check one access mode, save its name.

    Raises:
        BadRequestError: it cannot be.
    """
    simple.check_annotations(mode.annotations, at=f"{at}.annotations")
    if mode.type == "ExternalName":
        if not mode.external_name:
            raise BadRequestError(
                f"{at}.external_name: type ExternalName needs a domain", field=f"{at}.external_name"
            )
        dns_subdomain(mode.external_name.removesuffix("."), f"{at}.external_name")
    elif not mode.access and mode.cluster_ip != "None":
        raise BadRequestError(f"{at}.access: a port is needed", field=f"{at}.access")
    if mode.type == "ClusterIP" and mode.cluster_ip not in {None, "", "None"}:
        simple.address(mode.cluster_ip or "", f"{at}.cluster_ip")
    ports = mode.access or ()
    for index, access in enumerate(ports):
        _access(access, mode, f"{at}.access[{index}]")
    protocols = [(access.protocol or services.DEFAULT_PROTOCOL).upper() for access in ports]
    both = list(zip(ports, protocols, strict=True))
    simple.unique(
        [(one.port, protocol) for one, protocol in both], f"{at}.access[#].port", "ports of a Service"
    )
    called = [one.name or f"{protocol.lower()}-{one.port}" for one, protocol in both]
    simple.unique(called, f"{at}.access[#].name", "ports of a Service")
    if mode.type in services.EXPOSED:
        node_ports = [(one.node_port or -index, protocol) for index, (one, protocol) in enumerate(both, 1)]
        simple.unique(node_ports, f"{at}.access[#].node_port", "node ports")


def _access(access: Access, mode: AccessMode, at: str) -> None:
    if access.port is None:
        raise BadRequestError(f"{at}.port: a port is needed", field=f"{at}.port")
    simple.port(access.port, f"{at}.port")
    if access.name:
        simple.name(access.name, f"{at}.name")
    if access.target_port is not None:
        simple.port(access.target_port, f"{at}.target_port")
    if access.node_port is not None and mode.type in services.EXPOSED:
        simple.port(access.node_port, f"{at}.node_port")
    if access.protocol:
        simple.one_of(access.protocol.upper(), PROTOCOLS, f"{at}.protocol")
    for index, router in enumerate(access.routers or ()):
        check_router(router, f"{at}.routers[{index}]")


def check_router(router: Router, at: str, *, pattern: bool = False) -> None:
    """Check a domain, a path and where they lead.

    Args:
        router: what was sent.
        at: where it is.
        pattern: the path is what its Ingress controller makes of it, such as a regular expression.

    Raises:
        BadRequestError: one of them cannot be.
    """
    if router.domain:
        check_host(router.domain, f"{at}.domain")
    if router.path:
        _path(router.path, f"{at}.path", pattern=pattern)
    if router.service_port is not None:
        simple.port(router.service_port, f"{at}.service_port")
    if router.target_service:
        check_service_name(router.target_service, f"{at}.target_service")


def check_host(host: str, at: str) -> None:
    """Check the host of a route: a domain in small letters, with `*.` before it for all directly below it.

    Raises:
        BadRequestError: it is none.
    """
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        raise BadRequestError(f"{at}: a domain is needed, not an IP address: {host}", field=at)
    dns_subdomain(host.removeprefix("*."), at)


def _path(path: str, at: str, *, pattern: bool) -> None:
    if not path.startswith("/"):
        raise BadRequestError(f"{at}: a path begins with '/'", field=at)
    if pattern:
        return
    for sequence in ("//", "/./", "/../", "%2f", "%2F"):
        if sequence in path:
            raise BadRequestError(f"{at}: a path has no {sequence!r}", field=at)
    if path.endswith(("/.", "/..")):
        raise BadRequestError(f"{at}: a path does not end in '/.' or '/..'", field=at)
