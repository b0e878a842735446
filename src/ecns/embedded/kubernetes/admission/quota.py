"""ResourceQuotas: what is used, and refusing what goes over. The quota controller counts with `usage` too.

Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.errors import forbidden
from ecns.embedded.kubernetes.quantities import NANO, ZERO, Quantity
from ecns.embedded.kubernetes.validation.qos import qos_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ecns.embedded.kubernetes.admission import Reader, Request
    from ecns.embedded.kubernetes.errors import Object

Amounts = dict[str, Quantity]
_ONE = Quantity(NANO)
_COUNTED = frozenset(
    {
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
    }
)
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_CLASS_MARK = ".storageclass.storage.k8s.io/"
_NOT_QUOTAED = frozenset({"events", "events.events.k8s.io", "namespaces"})
_SERVICE_COUNTS = ("services", "services.nodeports", "services.loadbalancers")


def _total(spec: Object, kind: str) -> Amounts:
    """What a pod's containers need: the sum, or the largest init container, plus its overhead."""
    stated = spec.get("resources", {}).get(kind)
    sums: Amounts = {}
    sidecars: Amounts = {}
    for container in spec.get("containers") or ():
        for name, amount in container.get("resources", {}).get(kind, {}).items():
            sums[name] = sums.get(name, ZERO) + quantities.parse(amount)
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        amounts = container.get("resources", {}).get(kind, {})
        stays = container.get("restartPolicy") == "Always"
        for name, amount in amounts.items():
            needed = sidecars.get(name, ZERO) + quantities.parse(amount)
            peak[name] = max(peak.get(name, ZERO), needed)
            if stays:
                sidecars[name] = needed
    for name, amount_ in sidecars.items():
        sums[name] = sums.get(name, ZERO) + amount_
    for name, amount_ in peak.items():
        sums[name] = max(sums.get(name, ZERO), amount_)
    for name, amount in (stated or {}).items():
        sums[name] = quantities.parse(amount)
    for name, amount in spec.get("overhead", {}).items():
        if kind == "requests" or name in sums:
            sums[name] = sums.get(name, ZERO) + quantities.parse(amount)
    return sums


def _pod(obj: Object) -> Amounts:
    found: Amounts = {"count/pods": _ONE}
    if obj.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
        return found
    found["pods"] = _ONE
    for name, amount in _total(obj["spec"], "requests").items():
        found[f"requests.{name}"] = amount
        if name in _COMPUTE or name.startswith("hugepages-"):
            found[name] = amount
    for name, amount in _total(obj["spec"], "limits").items():
        found[f"limits.{name}"] = amount
    return found


def _service(obj: Object) -> Amounts:
    spec = obj["spec"]
    found: Amounts = {"count/services": _ONE, "services": _ONE}
    kind, ports = spec.get("type"), spec.get("ports", ())
    if kind == "LoadBalancer":
        found["services.loadbalancers"] = _ONE
    if kind == "NodePort" or (
        kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    ):
        found["services.nodeports"] = Quantity(NANO * len(ports))
    return found


def _claim(obj: Object) -> Amounts:
    found: Amounts = {"count/persistentvolumeclaims": _ONE, "persistentvolumeclaims": _ONE}
    size = obj["spec"].get("resources", {}).get("requests", {}).get("storage")
    if size is not None:
        found["requests.storage"] = quantities.parse(size)
    name = obj["spec"].get("storageClassName")
    if name:
        found[f"{name}{_CLASS_MARK}persistentvolumeclaims"] = _ONE
        if size is not None:
            found[f"{name}{_CLASS_MARK}requests.storage"] = quantities.parse(size)
    return found


def usage_of(resource: str, obj: Object) -> Amounts:
    """What one object counts for, by the names that quotas use."""
    if resource == "pods":
        return _pod(obj)
    if resource == "services":
        return _service(obj)
    if resource == "persistentvolumeclaims":
        return _claim(obj)
    found = {f"count/{resource}": _ONE}
    if resource in _COUNTED:
        found[resource] = _ONE
    return found


def _resource_of(name: str) -> str:
    """The resource whose objects count for a name of a quota."""
    if name.startswith("count/"):
        return name.removeprefix("count/")
    if name in _SERVICE_COUNTS:
        return "services"
    if name in _COUNTED:
        return name
    if name == "requests.storage" or _CLASS_MARK in name:
        return "persistentvolumeclaims"
    return "pods"


def in_scope(quota: Object, resource: str, obj: Object) -> bool:
    """Whether an object is one that the quota's scopes speak of."""
    spec = quota["spec"]
    expressions = list(spec.get("scopeSelector", {}).get("matchExpressions", ()))
    expressions += [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes", ())]
    if not expressions:
        return True
    return resource == "pods" and all(_matches(item, obj["spec"]) for item in expressions)


def _matches(item: Object, spec: Object) -> bool:
    scope, operator, values = item["scopeName"], item.get("operator"), item.get("values", ())
    if scope == "Terminating":
        return "activeDeadlineSeconds" in spec
    if scope == "NotTerminating":
        return "activeDeadlineSeconds" not in spec
    if scope == "BestEffort":
        return qos_class(spec) == "BestEffort"
    if scope == "NotBestEffort":
        return qos_class(spec) != "BestEffort"
    if scope == "PriorityClass":
        name = spec.get("priorityClassName", "")
        if operator == "In":
            return name in values
        if operator == "NotIn":
            return name not in values
        return bool(name) == (operator == "Exists")
    return scope == "CrossNamespacePodAffinity" and _is_cross_namespace(spec)


def _is_cross_namespace(spec: Object) -> bool:
    for kind in ("podAffinity", "podAntiAffinity"):
        found = spec.get("affinity", {}).get(kind, {})
        terms = list(found.get("requiredDuringSchedulingIgnoredDuringExecution", ()))
        preferred = found.get("preferredDuringSchedulingIgnoredDuringExecution", ())
        terms += [item.get("podAffinityTerm", {}) for item in preferred]
        if any(term.get("namespaces") or "namespaceSelector" in term for term in terms):
            return True
    return False


def usage(cluster: Reader, quota: Object, names: Iterable[str] | None = None) -> Amounts:
    """What is used of a quota, counted from the objects that there are.

    Args:
        cluster: where the objects are.
        quota: a ResourceQuota.
        names: of the amounts that are wanted; all of `spec.hard` unless told.
    """
    wanted = list(quota["spec"].get("hard", {}) if names is None else names)
    found: Amounts = dict.fromkeys(wanted, ZERO)
    for resource in {_resource_of(name) for name in wanted}:
        for obj in cluster.list(resource, quota["metadata"]["namespace"]):
            if in_scope(quota, resource, obj):
                for name, amount in usage_of(resource, obj).items():
                    if name in found:
                        found[name] += amount
    return found


def status(cluster: Reader, quota: Object) -> Object:
    """The status of a quota: `{"hard": …, "used": …}`, for the controller."""
    hard = quota["spec"].get("hard", {})
    used = usage(cluster, quota)
    return {"hard": dict(hard), "used": {name: str(used[name]) for name in sorted(used)}}


def check(cluster: Reader, request: Request) -> None:
    """Refuses what goes over a quota."""
    if not request.namespace or request.subresource or request.resource in _NOT_QUOTAED:
        return
    quotas = cluster.list("resourcequotas", request.namespace)
    if not quotas:
        return
    added = usage_of(request.resource, request.obj)
    if request.operation == "UPDATE":
        before = usage_of(request.resource, request.old)
        added = {name: amount - before.get(name, ZERO) for name, amount in added.items()}
    for quota in quotas:
        if in_scope(quota, request.resource, request.obj):
            _check(cluster, request, quota, added)


def _check(cluster: Reader, request: Request, quota: Object, added: Amounts) -> None:
    hard, name = quota["spec"].get("hard", {}), quota["metadata"]["name"]
    if request.resource == "pods" and request.operation == "CREATE":
        missing = list(_unsaid(request.obj["spec"], hard))
        if missing:
            raise forbidden("pods", request.name, f"failed quota: {name}: must specify {'; '.join(missing)}")
    asked = {key: amount for key, amount in added.items() if key in hard and amount.nano > 0}
    if not asked:
        return
    used = usage(cluster, quota, asked)
    over = sorted(key for key in asked if quantities.parse(hard[key]).nano < (used[key] + asked[key]).nano)
    if over:
        requested, had, limited = (
            ",".join(f"{key}={amounts[key]}" for key in over) for amounts in (asked, used, hard)
        )
        why = f"exceeded quota: {name}, requested: {requested}, used: {had}, limited: {limited}"
        raise forbidden(request.resource, request.name, why)


def _unsaid(spec: Object, hard: Object) -> Iterator[str]:
    """Amounts that a quota limits and that containers leave open: `requests.cpu for: a,b`."""
    pod = spec.get("resources", {})
    for name in sorted(hard):
        kind, _, resource = name.rpartition(".")
        kind = kind or "requests"
        if resource not in _COMPUTE or kind not in {"requests", "limits"} or resource in pod.get(kind, {}):
            continue
        containers = (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
        silent = [
            item["name"] for item in containers if resource not in item.get("resources", {}).get(kind, {})
        ]
        if silent:
            yield f"{name} for: {','.join(sorted(set(silent)))}"
