"""The reference's types of chapter 1.18; what they have beyond it is ours, as each says."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from ecns.api.common.named import Named
from ecns.api.workloads.types import Router

PathType = Literal["Prefix", "Exact", "ImplementationSpecific"]


class ResourceBackend(Struct, kw_only=True):
    """An object that is no Service and answers requests, where the Ingress controller knows its kind."""

    kind: str
    name: str
    api_group: str | None = None


class Route(Router, kw_only=True):
    """router: a domain and path and the Service that they lead to.

    Ours are `path_type` (without it `Prefix`, or what it was), `service_port_name` for a port known by its
    name, and `resource` in place of a Service. Without a port the Service's only one is meant.
    """

    path_type: PathType | None = None
    service_port_name: str | None = None
    resource: ResourceBackend | None = None


class Backend(Struct, kw_only=True):
    """What answers for everything that no router says; empty for nothing."""

    target_service: str | None = None
    service_port: int | None = None
    service_port_name: str | None = None
    resource: ResourceBackend | None = None


class Tls(Struct, kw_only=True):
    """Hosts and the Secret of type `kubernetes.io/tls` with their certificate; without hosts all."""

    hosts: list[str] = field(default_factory=list)
    secret_name: str | None = None


class Ingress(Struct, kw_only=True):
    """ingress: an Ingress as it is shown; all fields after `creation_time` are ours."""

    name: str
    routers: list[Route]
    annotations: dict[str, str]
    labels: dict[str, str]
    creation_time: str | None
    ingress_class: str | None
    """Who serves it."""
    tls: list[Tls]
    default_backend: Backend | None
    addresses: list[str]
    """Where it answers, as its controller says."""


class NewIngress(Struct, kw_only=True):
    """ingress: an Ingress as it is sent to be made."""

    name: str
    routers: list[Route]
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    ingress_class: str | None = None
    tls: list[Tls] | None = None
    default_backend: Backend | None = None


class ChangedIngress(Struct, kw_only=True):
    """ingress as an update sends it: what is not named stays. A list or map that is sent replaces the old.

    An empty `ingress_class` or `default_backend` takes it away.
    """

    name: str
    routers: list[Route] | None = None
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    ingress_class: str | None = None
    tls: list[Tls] | None = None
    default_backend: Backend | None = None


class CreateIngress(Struct, kw_only=True):
    """The body of "create"."""

    ingress: NewIngress


class UpdateIngress(Struct, kw_only=True):
    """The body of "update"."""

    ingress: ChangedIngress


class DeleteIngresses(Struct, kw_only=True):
    """The body of "delete": names."""

    ingress: list[str | Named]


class OneIngress(Struct, kw_only=True):
    """The answer of "create" and "update"; `warnings` say why it may not be served as meant."""

    ingress: Ingress
    warnings: list[str] = field(default_factory=list)


class Ingresses(Struct, kw_only=True):
    """The answer of "list"."""

    ingresses: list[Ingress]
