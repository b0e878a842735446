"""Namespaces' life cycle, and the default class of Ingresses.

Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#namespacelifecycle
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.errors import forbidden, not_found

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.admission import Reader, Request
    from ecns.embedded.kubernetes.errors import Object

_CLASSES = "ingressclasses.networking.k8s.io"
_IS_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_OLD_CLASS = "kubernetes.io/ingress.class"
_ALWAYS_ALLOWED = frozenset({"localsubjectaccessreviews.authorization.k8s.io"})


def check_lifecycle(cluster: Reader, request: Request) -> None:
    """Nothing is created in a namespace that is not there or is going."""
    if request.operation != "CREATE" or not request.namespace or request.resource in _ALWAYS_ALLOWED:
        return
    if request.resource == "namespaces":
        return
    namespace = cluster.find("namespaces", request.namespace)
    if namespace is None:
        raise not_found("namespaces", request.namespace)
    if namespace.get("status", {}).get("phase") != "Terminating" and not namespace["metadata"].get(
        "deletionTimestamp"
    ):
        return
    error = forbidden(
        request.resource,
        request.name,
        f"unable to create new content in namespace {request.namespace} because it is being terminated",
    )
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {request.namespace} is being terminated",
        "field": "metadata.namespace",
    }
    error.details = {**(error.details or {}), "causes": [cause]}
    raise error


def newest_default(classes: list[Object], *annotations: str) -> Object | None:
    """The class that is marked as the default; the newest of several, then the first by name."""
    marked = [
        item
        for item in classes
        if any(item["metadata"].get("annotations", {}).get(name) == "true" for name in annotations)
    ]
    marked.sort(key=lambda item: str(item["metadata"].get("name")))
    marked.sort(key=lambda item: str(item["metadata"].get("creationTimestamp", "")), reverse=True)
    return marked[0] if marked else None


def set_ingress_class(cluster: Reader, request: Request) -> None:
    """An Ingress without a class gets the default one."""
    if (
        request.operation != "CREATE"
        or request.resource != "ingresses.networking.k8s.io"
        or request.subresource
    ):
        return
    obj = request.obj
    if "ingressClassName" in obj["spec"] or _OLD_CLASS in obj["metadata"].get("annotations", {}):
        return
    found = newest_default(cluster.list(_CLASSES), _IS_DEFAULT)
    if found is not None:
        obj["spec"]["ingressClassName"] = found["metadata"]["name"]
