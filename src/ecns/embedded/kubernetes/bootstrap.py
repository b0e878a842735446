"""What a new cluster holds: namespaces, the API's own Service, priority classes, roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import roles
from ecns.embedded.kubernetes.errors import ApiError
from ecns.embedded.kubernetes.ownership import Manager

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_SYSTEM = {"component": "apiserver", "provider": "kubernetes"}
_OBJECTS: tuple[tuple[str, Object], ...] = (
    (
        "priorityclasses.scheduling.k8s.io",
        {
            "metadata": {"name": "system-cluster-critical"},
            "value": 2000000000,
            "description": (
                "Used for system critical pods that must run in the cluster, but can be moved to "
                "another node if necessary."
            ),
        },
    ),
    (
        "priorityclasses.scheduling.k8s.io",
        {
            "metadata": {"name": "system-node-critical"},
            "value": 2000001000,
            "description": "Used for system critical pods that must not be moved from their current node.",
        },
    ),
    (
        "services",
        {
            "metadata": {"name": "kubernetes", "namespace": "default", "labels": _SYSTEM},
            "spec": {
                "clusterIP": "10.96.0.1",
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            },
        },
    ),
)


def ensure(cluster: Cluster, authority: str = "") -> None:
    """Makes what is missing, and the API's own Service again whenever it is deleted.

    Args:
        cluster: the cluster.
        authority: the CA certificate (PEM) that clients of the cluster trust.
    """
    cluster.authority = authority
    for name in _NAMESPACES:
        _make(cluster, "namespaces", {"metadata": {"name": name}})
    for resource, obj in (*_OBJECTS, *roles.defaults()):
        _make(cluster, resource, obj)
    cluster.store.begin()
    cluster.observe("services", lambda event, _new, old: _restore(cluster, event, old))


def _restore(cluster: Cluster, event: str, old: Object | None) -> None:
    if event != "DELETED" or old is None:
        return
    gone = old["metadata"]
    for resource, obj in _OBJECTS:
        own = obj["metadata"]
        if resource == "services" and (gone["namespace"], gone["name"]) == (own["namespace"], own["name"]):
            _make(cluster, resource, obj)


def _make(cluster: Cluster, resource: str, obj: Object) -> None:
    kind = cluster.resources[resource]
    metadata = obj["metadata"]
    namespace = metadata.get("namespace", "")
    if cluster.find(resource, metadata["name"], namespace) is not None:
        return
    head = {"kind": kind.kind, "apiVersion": kind.api_version()}
    try:
        manager = Manager("kube-apiserver", kind.storage_version)
        cluster.create(resource, {**head, **obj}, namespace=namespace, manager=manager)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
