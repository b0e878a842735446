"""Finding the container that a request is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.controllers.running import kubelets_of
from ecns.embedded.kubernetes.errors import ApiError, bad_request

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.nodes.kubelet import Kubelets
    from ecns.embedded.kubernetes.nodes.worker import Worker


def kubelets(cluster: Cluster) -> Kubelets:
    """The kubelets.

    Raises:
        ApiError: 503 when they have not been started.

    """
    found = kubelets_of(cluster)
    if found is None:
        raise ApiError(503, "ServiceUnavailable", "the kubelets have not been started")
    return found


def worker(cluster: Cluster, pod: Object) -> Worker:
    """The worker of a pod that has a node of this cluster's inventory."""
    return kubelets(cluster).worker_of(pod)


def choose(pod: Object, asked: str) -> str:
    """The name of the container that is meant.

    Raises:
        ApiError: 400 when there is no such container, or several and none is named.

    """
    spec, name = pod["spec"], pod["metadata"]["name"]
    listed = {
        key: [item["name"] for item in spec.get(key) or ()]
        for key in ("containers", "initContainers", "ephemeralContainers")
    }
    if asked:
        if not any(asked in names for names in listed.values()):
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(listed["containers"]) == 1:
        only: str = listed["containers"][0]
        return only
    main = " ".join(listed["containers"])
    message = f"a container name must be specified for pod {name}, choose one of: [{main}]"
    for key, text in (("initContainers", "init containers"), ("ephemeralContainers", "ephemeral containers")):
        if listed[key]:
            message += f" or one of the {text}: [{' '.join(listed[key])}]"
    raise bad_request(message)


def status_of(pod: Object, container: str) -> Object:
    """The container's entry in the pod's status, {} when there is none yet."""
    status = pod.get("status", {})
    for key in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for item in status.get(key) or ():
            if item["name"] == container:
                found: Object = item
                return found
    return {}
