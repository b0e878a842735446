"""What types cannot say of an Ingress; each refusal names its field. Pure.

Source: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/
"""

from __future__ import annotations

from ecns.api.common.checks import dns_subdomain
from ecns.api.ingresses import types
from ecns.api.workloads.checks.access import check_host, check_router, check_service_name
from ecns.api.workloads.checks.simple import check_annotations, check_labels, name, port
from ecns.api.workloads.manifests import routes
from ecns.errors import BadRequestError

AT = "ingress"
"""Where requests have the Ingress."""
PATTERN = "ImplementationSpecific"


def check(sent: types.NewIngress | types.ChangedIngress, shown: types.Ingress | None = None) -> None:
    """Check an Ingress.

    Args:
        sent: what was sent.
        shown: the Ingress that there is; its routers were good enough for Kubernetes.

    Raises:
        BadRequestError: it cannot be.
    """
    dns_subdomain(sent.name, f"{AT}.name")
    check_labels(sent.labels, at=f"{AT}.labels")
    check_annotations(sent.annotations, at=f"{AT}.annotations")
    if sent.ingress_class:
        dns_subdomain(sent.ingress_class, f"{AT}.ingress_class")
    known = shown.routers if shown else []
    for index, one in enumerate(sent.routers or ()):
        if one not in known:
            _route(one, f"{AT}.routers[{index}]")
    _somewhere(sent, shown)
    routers = sent.routers or []
    seen = {_place(one) for one in known if one in routers}
    for index, one in enumerate(routers):
        if one in known:
            continue
        if (place := _place(one)) in seen:
            here = f"{AT}.routers[{index}]"
            raise BadRequestError(f"{here}: two routers are {''.join(place[:2])}", field=here)
        seen.add(place)
    for index, tls in enumerate(sent.tls or ()):
        here = f"{AT}.tls[{index}]"
        for number, host in enumerate(tls.hosts):
            check_host(host, f"{here}.hosts[{number}]")
        if tls.secret_name:
            dns_subdomain(tls.secret_name, f"{here}.secret_name")
    if sent.default_backend is not None and sent.default_backend != types.Backend():
        _target(sent.default_backend, f"{AT}.default_backend")


def _somewhere(sent: types.NewIngress | types.ChangedIngress, shown: types.Ingress | None) -> None:
    named = shown.routers if shown and sent.routers is None else sent.routers
    backend = shown.default_backend if shown and sent.default_backend is None else sent.default_backend
    if not named and (backend is None or backend == types.Backend()):
        raise BadRequestError(
            f"{AT}.routers: where does it lead? A router or a default backend is needed",
            field=f"{AT}.routers",
        )


def _place(one: types.Route) -> tuple[str, str, str]:
    return one.domain or "", one.path or routes.ANY_PATH, one.path_type or routes.PATH_TYPE


def _route(sent: types.Route, at: str) -> None:
    check_router(sent, at, pattern=sent.path_type == PATTERN)
    _target(sent, at)


def _target(sent: types.Route | types.Backend, at: str) -> None:
    if sent.resource is not None:
        if sent.target_service:
            raise BadRequestError(f"{at}.resource: a Service or a resource, not both", field=f"{at}.resource")
        for field in ("kind", "name"):
            if not getattr(sent.resource, field):
                raise BadRequestError(f"{at}.resource.{field}: is needed", field=f"{at}.resource.{field}")
        return
    if not sent.target_service:
        raise BadRequestError(f"{at}.target_service: to which Service?", field=f"{at}.target_service")
    check_service_name(sent.target_service, f"{at}.target_service")
    if sent.service_port is not None:
        port(sent.service_port, f"{at}.service_port")
    elif sent.service_port_name:
        name(sent.service_port_name, f"{at}.service_port_name")
