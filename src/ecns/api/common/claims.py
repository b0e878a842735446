"""What only one in a whole cluster can have: node ports, cluster IPs, and hosts with their paths; pure.

`taken` refuses what others have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ecns.backends.kubernetes.kinds.networking import Ingress, IngressClass

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
CANARY = "nginx.ingress.kubernetes.io/canary"
"""Annotation of an Ingress that means to share its routes with another one."""
ANY_PATH = "/"


class Route(NamedTuple):
    """A path of a host."""

    host: str
    path: str
    path_type: str


class Claim(NamedTuple):
    """What a request wants to have."""

    field: str
    """Where in the request it says so."""
    value: int | str | Route
    """A node port, a cluster IP or a route."""


def default_class(classes: Iterable[IngressClass]) -> str:
    """The class of Ingresses that name none; the newest of several, as Kubernetes has it, or empty."""
    marked = [one for one in classes if (one.metadata.annotations or {}).get(DEFAULT_CLASS) == "true"]
    marked.sort(key=lambda one: one.metadata.name)
    marked.sort(key=lambda one: one.metadata.creation_timestamp or "", reverse=True)
    return marked[0].metadata.name if marked else ""


def class_of(ingress: Ingress) -> str:
    """The class of an Ingress, or empty."""
    annotations = ingress.metadata.annotations or {}
    return ingress.spec.ingress_class_name or annotations.get(CLASS_ANNOTATION, "")


def routes_of(ingress: Ingress) -> set[Route]:
    """The routes of an Ingress."""
    return {
        Route(rule.host, path.path or ANY_PATH, path.path_type)
        for rule in ingress.spec.rules or ()
        if rule.http
        for path in rule.http.paths
    }


def is_canary(ingress: Ingress) -> bool:
    """Whether an Ingress means to share its routes."""
    return (ingress.metadata.annotations or {}).get(CANARY) == "true"
