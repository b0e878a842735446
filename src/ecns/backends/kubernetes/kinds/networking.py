"""Ingress.

Source: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/
"""

from __future__ import annotations

from msgspec import field

from ecns.backends.kubernetes.kinds.core import LoadBalancerStatus, Status
from ecns.backends.kubernetes.kinds.meta import Kind, Part, Resource


class BackendPort(Part):
    """A port of a Service, by number or name."""

    number: int = 0
    name: str = ""


class ServiceBackend(Part):
    """A Service and its port."""

    name: str = ""
    port: BackendPort = field(default_factory=BackendPort)


class IngressBackend(Part):
    """Where requests go; other backends than Services are left alone."""

    service: ServiceBackend | None = None


class IngressPath(Part):
    """A path and where it leads."""

    path: str = ""
    path_type: str = ""
    backend: IngressBackend = field(default_factory=IngressBackend)


class HTTPRule(Part):
    """The paths of a host."""

    paths: list[IngressPath] = field(default_factory=list)


class IngressRule(Part):
    """A host (empty: any) and its paths."""

    host: str = ""
    http: HTTPRule | None = None


class IngressTLS(Part):
    """Hosts and the Secret with their certificate."""

    hosts: list[str] | None = None
    secret_name: str = ""


class IngressSpec(Part):
    """What an Ingress leads where."""

    ingress_class_name: str | None = None
    default_backend: IngressBackend | None = None
    tls: list[IngressTLS] | None = None
    rules: list[IngressRule] | None = None


class IngressStatus(Status, frozen=True):
    """The addresses an Ingress answers on."""

    load_balancer: LoadBalancerStatus = field(default_factory=LoadBalancerStatus)


class Ingress(Resource):
    """Rules for HTTP from outside."""

    spec: IngressSpec = field(default_factory=IngressSpec)
    status: IngressStatus = IngressStatus()


INGRESS = Kind("networking.k8s.io", "v1", "ingresses", "Ingress", Ingress)
