"""Ingress and IngressClass.

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


class ResourceBackend(Part):
    """An object of another kind than Service that answers requests, such as a storage bucket."""

    api_group: str = ""
    kind: str = ""
    name: str = ""


class IngressBackend(Part):
    """Where requests go: one of the two."""

    service: ServiceBackend | None = None
    resource: ResourceBackend | None = None


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


class IngressClassSpec(Part):
    """Who serves the Ingresses of a class."""

    controller: str = ""


class IngressClass(Resource):
    """A way in which Ingresses are served."""

    spec: IngressClassSpec = field(default_factory=IngressClassSpec)


INGRESS = Kind("networking.k8s.io", "v1", "ingresses", "Ingress", Ingress)
INGRESS_CLASS = Kind(
    "networking.k8s.io", "v1", "ingressclasses", "IngressClass", IngressClass, namespaced=False
)
