"""Pods' priority, tolerations of failing nodes and runtime classes; taints of new nodes.

Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.errors import forbidden

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.admission import Reader, Request
    from ecns.embedded.kubernetes.errors import Object

TOLERATION_SECONDS = 300
_CLASSES = "priorityclasses.scheduling.k8s.io"
_RUNTIMES = "runtimeclasses.node.k8s.io"
_SYSTEM = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_FAILURES = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def _is_new_pod(request: Request) -> bool:
    return request.operation == "CREATE" and request.resource == "pods" and not request.subresource


def taint_new_node(cluster: Reader, request: Request) -> None:
    """A new node takes no pods until it is ready."""
    del cluster
    if request.operation != "CREATE" or request.resource != "nodes":
        return
    taints = request.obj["spec"].setdefault("taints", [])
    if not any(taint.get("key") == _NOT_READY["key"] for taint in taints):
        taints.append(dict(_NOT_READY))


def set_priority(cluster: Reader, request: Request) -> None:
    """Computes a new pod's priority from its class; an update that leaves it out keeps it."""
    if request.operation == "UPDATE" and request.resource == "pods" and not request.subresource:
        for field in ("priority", "preemptionPolicy"):
            if field in request.old["spec"]:
                request.obj["spec"].setdefault(field, request.old["spec"][field])
    if not _is_new_pod(request):
        return
    spec = request.obj["spec"]
    name = spec.get("priorityClassName", "")
    found = _priority_class(cluster, name)
    if name and found is None:
        raise forbidden("pods", request.name, f"no PriorityClass with name {name} was found")
    if found is not None and not name:
        spec["priorityClassName"] = found["metadata"]["name"]
    value = found.get("value", 0) if found else 0
    if spec.get("priority", value) != value:
        why = (
            f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
            f"priority admission controller computed {value} from the given PriorityClass name"
        )
        raise forbidden("pods", request.name, why)
    spec["priority"] = value
    spec.setdefault("preemptionPolicy", (found or {}).get("preemptionPolicy", "PreemptLowerPriority"))


def _priority_class(cluster: Reader, name: str) -> Object | None:
    if name:
        found = cluster.find(_CLASSES, name)
        if found is None and name in _SYSTEM:
            return {"metadata": {"name": name}, "value": _SYSTEM[name]}
        return found
    defaults = [item for item in cluster.list(_CLASSES) if item.get("globalDefault")]
    return min(defaults, key=lambda item: item.get("value", 0)) if defaults else None


def check_default_class(cluster: Reader, request: Request) -> None:
    """One PriorityClass at most is the default."""
    if request.resource != _CLASSES or not request.obj.get("globalDefault"):
        return
    default = _priority_class(cluster, "")
    if default is not None and default["metadata"]["name"] != request.name:
        name = default["metadata"]["name"]
        why = f"PriorityClass {name} is already marked as default. Only one default can exist"
        raise forbidden(_CLASSES, request.name, why)


def tolerate_failures(cluster: Reader, request: Request) -> None:
    """A pod stays five minutes on a node that fails, unless it says otherwise."""
    del cluster
    if request.resource != "pods" or request.subresource or request.operation == "DELETE":
        return
    spec = request.obj["spec"]
    tolerations = spec.get("tolerations", [])
    missing = [key for key in _FAILURES if not any(_tolerates(item, key) for item in tolerations)]
    if missing:
        added = [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_SECONDS}
            for key in missing
        ]
        spec["tolerations"] = [*tolerations, *added]


def _tolerates(item: Object, key: str) -> bool:
    return item.get("key", "") in {key, ""} and item.get("effect", "") in {"NoExecute", ""}


def set_overhead(cluster: Reader, request: Request) -> None:
    """A pod of a runtime class gets the class's overhead and its nodes."""
    if not _is_new_pod(request):
        return
    spec = request.obj["spec"]
    name = spec.get("runtimeClassName")
    if not name:
        return
    found = cluster.find(_RUNTIMES, name)
    if found is None:
        raise forbidden("pods", request.name, f'pod rejected: RuntimeClass "{name}" not found')
    overhead = found.get("overhead", {}).get("podFixed")
    if overhead:
        spec["overhead"] = dict(overhead)
    scheduling = found.get("scheduling", {})
    for key, value in scheduling.get("nodeSelector", {}).items():
        if spec.setdefault("nodeSelector", {}).setdefault(key, value) != value:
            why = (
                f"pod rejected: conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {spec['nodeSelector'][key]}"
            )
            raise forbidden("pods", request.name, why)
    for toleration in scheduling.get("tolerations", ()):
        if toleration not in spec.get("tolerations", []):
            spec["tolerations"] = [*spec.get("tolerations", []), dict(toleration)]
