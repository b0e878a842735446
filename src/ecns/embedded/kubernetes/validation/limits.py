"""ResourceQuotas, LimitRanges, PodDisruptionBudgets, HorizontalPodAutoscalers, PriorityClasses.

Source: https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/ and recorded refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.validation import containers, meta, names, workloads

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

SCOPES = frozenset(
    {
        "Terminating",
        "NotTerminating",
        "BestEffort",
        "NotBestEffort",
        "PriorityClass",
        "CrossNamespacePodAffinity",
        "VolumeAttributesClass",
    }
)
_QUOTA_NAMES = frozenset(
    {
        "cpu",
        "memory",
        "ephemeral-storage",
        "requests.cpu",
        "requests.memory",
        "requests.storage",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "persistentvolumeclaims",
        "configmaps",
        "services.nodeports",
        "services.loadbalancers",
    }
)
_COUNTED_PODS = frozenset({"pods"})
_OF_PODS = _COUNTED_PODS | {
    "cpu",
    "memory",
    *(f"{a}.{b}" for a in ("requests", "limits") for b in ("cpu", "memory")),
}
_OF_CLAIMS = frozenset({"persistentvolumeclaims", "requests.storage"})
_LIMIT_TYPES = frozenset({"Container", "Pod", "PersistentVolumeClaim"})
_METRIC_TYPES = ("ContainerResource", "External", "Object", "Pods", "Resource")
_METRIC_FIELDS = {
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "External": "external",
}
_WANTED = {
    "Object": "a target value or averageValue",
    "External": "a target value for metric or a per-pod target",
}


def resource_quota(causes: Causes, obj: Object) -> None:
    """Checks a ResourceQuota."""
    spec = obj["spec"]
    for name, amount in spec.get("hard", {}).items():
        path = f"spec.hard[{name}]"
        containers.resource_name(causes, path, name)
        if (
            "/" not in name
            and name not in _QUOTA_NAMES
            and not name.startswith(("hugepages-", "requests.hugepages-"))
        ):
            causes.invalid(path, name, "must be a standard resource for quota")
        containers.quantity(causes, path, name, amount)
    scopes = spec.get("scopes", [])
    for scope in scopes:
        if scope not in SCOPES:
            causes.invalid("spec.scopes", scopes, "unsupported scope")
        for _ in _beyond(scope, spec):
            causes.invalid("spec.scopes", scopes, "unsupported scope applied to resource")
    for first, second in (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")):
        if first in scopes and second in scopes:
            causes.invalid("spec.scopes", scopes, "conflicting scopes")
    for item in spec.get("scopeSelector", {}).get("matchExpressions", ()):
        _scope(causes, "spec.scopeSelector.matchExpressions", item)
        for _ in _beyond(item.get("scopeName", ""), spec):
            causes.invalid(
                "spec.scopeSelector.matchExpressions",
                spec["scopeSelector"],
                "unsupported scope applied to resource",
            )


def _beyond(scope: str, spec: Object) -> list[str]:
    """The resources of a quota that one of its scopes is not for."""
    if scope not in SCOPES:
        return []
    reach = {"BestEffort": _COUNTED_PODS, "VolumeAttributesClass": _OF_CLAIMS}.get(scope, _OF_PODS)
    return sorted(name for name in spec.get("hard", {}) if name in _QUOTA_NAMES and name not in reach)


_EXISTING = frozenset(
    {"Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "CrossNamespacePodAffinity"}
)
_MUST_EXIST = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
    "ResourceQuotaScopeCrossNamespacePodAffinity"
)


def _scope(causes: Causes, path: str, item: Object) -> None:
    scope, operator = item.get("scopeName", ""), item.get("operator", "")
    if scope not in SCOPES:
        causes.invalid(f"{path}.scopeName", scope, "unsupported scope")
    elif scope in _EXISTING and operator != "Exists":
        causes.invalid(f"{path}.operator", operator, _MUST_EXIST)
    if operator in {"In", "NotIn"} and not item.get("values"):
        causes.required(
            f"{path}.values",
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        )
    elif operator in {"Exists", "DoesNotExist"} and item.get("values"):
        causes.invalid(
            f"{path}.values",
            item["values"],
            "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        )
    elif operator not in {"In", "NotIn", "Exists", "DoesNotExist"}:
        causes.invalid(f"{path}.operator", operator, "not a valid selector operator")


def resource_quota_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a ResourceQuota."""
    resource_quota(causes, new)
    if sorted(new["spec"].get("scopes", [])) != sorted(old["spec"].get("scopes", [])):
        causes.invalid("spec.scopes", new["spec"].get("scopes"), "field is immutable")


def limit_range(causes: Causes, obj: Object) -> None:
    """Checks a LimitRange."""
    seen: set[str] = set()
    for index, item in enumerate(obj["spec"].get("limits") or ()):
        path, kind = f"spec.limits[{index}]", item.get("type", "")
        if names.qualified_name(kind):
            causes.each(f"{path}.type", kind, names.qualified_name(kind))
        elif "/" not in kind and kind not in _LIMIT_TYPES:
            causes.invalid(f"{path}.type", kind, "must be a standard limit type or fully qualified")
        if kind in seen:
            causes.duplicate(f"{path}.type", kind)
        seen.add(kind)
        _limit(causes, path, kind, item)


def _limit(causes: Causes, path: str, kind: str, item: Object) -> None:
    if kind == "Pod":
        for name in ("default", "defaultRequest"):
            if item.get(name):
                causes.forbidden(f"{path}.{name}", "may not be specified when `type` is 'Pod'")
    if kind == "PersistentVolumeClaim" and "storage" not in {*item.get("min", {}), *item.get("max", {})}:
        causes.required(
            f"{path}.limits", "either minimum or maximum storage value is required, but neither was provided"
        )
    lists = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
    check = containers.container_resource if kind == "Container" else containers.resource_name
    for field in lists:
        for name in item.get(field, {}):
            check(causes, f"{path}.{field}[{name}]", name)
    for name in sorted({key for field in lists for key in item.get(field, {})}):
        _bounds(causes, path, name, {field: item.get(field, {}).get(name) for field in lists})


def _bounds(causes: Causes, path: str, name: str, amounts: dict[str, str | None]) -> None:
    least, most, default, request = (amounts[key] for key in ("min", "max", "default", "defaultRequest"))

    def above(first: str | None, second: str | None) -> bool:
        return (
            first is not None
            and second is not None
            and quantities.parse(first).nano > quantities.parse(second).nano
        )

    if above(least, most):
        causes.invalid(f"{path}.min[{name}]", least, f"min value {least} is greater than max value {most}")
    at = f"{path}.defaultRequest[{name}]"
    if above(least, request):
        causes.invalid(at, request, f"min value {least} is greater than default request value {request}")
    if above(request, most):
        causes.invalid(at, request, f"default request value {request} is greater than max value {most}")
    if above(request, default):
        causes.invalid(
            at, request, f"default request value {request} is greater than default limit value {default}"
        )
    # Kubernetes shows the smaller amount here, not the one at fault
    at = f"{path}.default[{name}]"
    if above(least, default):
        causes.invalid(at, least, f"min value {least} is greater than default value {default}")
    if above(default, most):
        causes.invalid(at, most, f"default value {default} is greater than max value {most}")
    ratio = amounts["maxLimitRequestRatio"]
    if ratio is not None and quantities.parse(ratio).nano < quantities.NANO:
        causes.invalid(f"{path}.maxLimitRequestRatio[{name}]", ratio, f"ratio {ratio} is less than 1")
    if ratio is not None and least is not None and most is not None and quantities.parse(least).nano:
        widest = quantities.parse(most).nano / quantities.parse(least).nano
        if quantities.parse(ratio).nano > widest * quantities.NANO:
            why = f"ratio {ratio} is greater than max/min = {widest:f}"
            causes.invalid(f"{path}.maxLimitRequestRatio[{name}]", ratio, why)


def limit_range_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks a changed LimitRange."""
    del old
    limit_range(causes, new)


def disruption_budget(causes: Causes, obj: Object) -> None:
    """Checks a PodDisruptionBudget."""
    spec = obj["spec"]
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if least is not None and most is not None:
        shown = {
            "MinAvailable": least,
            "Selector": meta.shown_selector(spec.get("selector")),
            "MaxUnavailable": most,
        }
        shown["UnhealthyPodEvictionPolicy"] = spec.get("unhealthyPodEvictionPolicy")
        causes.invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set")
    for name, value in (("minAvailable", least), ("maxUnavailable", most)):
        workloads.amount_or_percent(causes, f"spec.{name}", value)
        workloads.at_most_hundred(causes, f"spec.{name}", value)
    meta.label_selector(causes, "spec.selector", spec.get("selector"))
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None:
        causes.one_of("spec.unhealthyPodEvictionPolicy", policy, ("AlwaysAllow", "IfHealthyBudget"))


def disruption_budget_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks a changed PodDisruptionBudget."""
    del old
    disruption_budget(causes, new)


_BUDGET_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def disruption_budget_status(causes: Causes, new: Object, old: Object) -> None:
    """Checks the conditions and counts of a PodDisruptionBudget's status."""
    del old
    status = new.get("status", {})
    meta.conditions(causes, "status.conditions", status.get("conditions") or [])
    for name in _BUDGET_COUNTS:
        causes.not_negative(f"status.{name}", status.get(name))


def resource_quota_status(causes: Causes, new: Object, old: Object) -> None:
    """Checks the amounts of a ResourceQuota's status."""
    del old
    for field in ("hard", "used"):
        for name, amount in (new.get("status", {}).get(field) or {}).items():
            containers.quantity(causes, f"status.{field}[{name}]", name, amount)


def _target(causes: Causes, path: str, target: Object, *, grouped: bool) -> None:
    for name in ("kind", "name"):
        value = target.get(name, "")
        if not value:
            causes.required(f"{path}.{name}")
        else:
            causes.each(f"{path}.{name}", value, names.path_segment(value))
    version = target.get("apiVersion", "")
    if version.count("/") > 1:
        causes.invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    elif grouped and not version.partition("/")[1] and target.get("kind") != "ReplicationController":
        causes.invalid(f"{path}.apiVersion", version, "apiVersion must specify API group")


def _metric_target(causes: Causes, path: str, target: Object) -> None:
    kind = target.get("type", "")
    if not kind:
        causes.required(f"{path}.type", "must specify a metric target type")
    if kind not in {"Utilization", "Value", "AverageValue"}:
        causes.invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue")
    for name in ("value", "averageValue"):
        amount = target.get(name)
        if amount is not None and quantities.parse(amount).nano <= 0:
            causes.invalid(f"{path}.{name}", amount, "must be positive")
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        causes.invalid(f"{path}.averageUtilization", share, "must be greater than 0")


def _metric(causes: Causes, path: str, metric: Object) -> None:
    kind = metric.get("type", "")
    given = [field for field in _METRIC_FIELDS.values() if field in metric]
    if not kind:
        causes.required(f"{path}.type", "must specify a metric source type")
    if kind not in _METRIC_TYPES:
        causes.unsupported(f"{path}.type", kind, _METRIC_TYPES)
        causes.unsupported(f"{path}.type", kind, _METRIC_TYPES)
        return
    field = _METRIC_FIELDS[kind]
    for name in given:
        if name != field:
            causes.forbidden(f"{path}.{name}", "must populate the given metric source only")
    if field not in metric:
        causes.required(f"{path}.{field}", "must populate information for the given metric source")
        return
    source, at = metric[field], f"{path}.{field}"
    if kind in {"Resource", "ContainerResource"}:
        _resource_metric(causes, at, kind, source)
    else:
        _other_metric(causes, at, kind, source)


def _resource_metric(causes: Causes, at: str, kind: str, source: Object) -> None:
    if not source.get("name"):
        causes.required(f"{at}.name", "must specify a resource name")
    if kind == "ContainerResource" and not source.get("container"):
        causes.required(f"{at}.container", "must specify a container")
    target = source.get("target", {})
    _metric_target(causes, f"{at}.target", target)
    _raw_or_share(causes, f"{at}.target", target)


def _other_metric(causes: Causes, at: str, kind: str, source: Object) -> None:
    target = source.get("target", {})
    if kind == "Object":
        _target(causes, f"{at}.describedObject", source.get("describedObject", {}), grouped=False)
    name = source.get("metric", {}).get("name", "")
    if not name:
        causes.required(f"{at}.metric.name", "must specify a metric name")
    else:
        causes.each(f"{at}.metric.name", name, names.path_segment(name))
    _metric_target(causes, f"{at}.target", target)
    if kind == "Pods" and "averageValue" not in target:
        causes.required(f"{at}.target.averageValue", "must specify a positive target averageValue")
    elif kind in _WANTED and not {"value", "averageValue"} & set(target):
        causes.required(f"{at}.target.averageValue", f"must set either {_WANTED[kind]}")
    elif kind == "External" and {"value", "averageValue"} <= set(target):
        detail = "may not set both a target value for metric and a per-pod target"
        causes.forbidden(f"{at}.target.value", detail)


def _raw_or_share(causes: Causes, path: str, target: Object) -> None:
    raw, share = target.get("averageValue"), target.get("averageUtilization")
    if raw is None and share is None:
        causes.required(
            f"{path}.averageUtilization", "must set either a target raw value or a target utilization"
        )
    elif raw is not None and share is not None:
        causes.forbidden(
            f"{path}.averageValue", "may not set both a target raw value and a target utilization"
        )


def autoscaler(causes: Causes, obj: Object) -> None:
    """Checks a HorizontalPodAutoscaler (autoscaling/v2)."""
    spec = obj["spec"]
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if least is not None and least < 1:
        causes.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most == 0:
        causes.required("spec.maxReplicas", "must be set and greater than 0")
    elif most < 0:
        causes.invalid("spec.maxReplicas", most, "must be greater than or equal to 1")
    if least is not None and most < least:
        causes.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    _target(causes, "spec.scaleTargetRef", spec.get("scaleTargetRef", {}), grouped=True)
    metrics = spec.get("metrics", [])
    for index, metric in enumerate(metrics):
        _metric(causes, f"spec.metrics[{index}]", metric)
    if least == 0 and not any(metric.get("type") in {"Object", "External"} for metric in metrics):
        causes.forbidden(
            "spec.metrics",
            "must specify at least one Object or External metric to support scaling to zero replicas",
        )
    for direction in ("scaleUp", "scaleDown"):
        if direction in spec.get("behavior", {}):
            _rules(causes, f"spec.behavior.{direction}", spec["behavior"][direction])


def _rules(causes: Causes, path: str, rules: Object) -> None:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None:
        if window < 0:
            detail = "must be greater than or equal to zero"
            causes.invalid(f"{path}.stabilizationWindowSeconds", window, detail)
        if window > 3600:  # noqa: PLR2004  an hour
            causes.invalid(f"{path}.stabilizationWindowSeconds", window, "must be less than or equal to 3600")
    chosen = rules.get("selectPolicy")
    if chosen is not None:
        causes.one_of(f"{path}.selectPolicy", chosen, ("Disabled", "Max", "Min"))
    policies = rules.get("policies", [])
    if not policies:
        causes.required(f"{path}.policies", "must specify at least one Policy")
    for index, policy in enumerate(policies):
        at = f"{path}.policies[{index}]"
        causes.one_of(f"{at}.type", policy.get("type", ""), ("Percent", "Pods"))
        for name in ("value", "periodSeconds"):
            if policy.get(name, 0) <= 0:
                causes.invalid(f"{at}.{name}", policy.get(name, 0), "must be greater than zero")
        if policy.get("periodSeconds", 0) > 1800:  # noqa: PLR2004  half an hour
            causes.invalid(
                f"{at}.periodSeconds", policy["periodSeconds"], "must be less than or equal to 1800"
            )


def autoscaler_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks a changed HorizontalPodAutoscaler."""
    del old
    autoscaler(causes, new)


def priority_class(causes: Causes, obj: Object) -> None:
    """Checks a PriorityClass."""
    name, value = obj["metadata"].get("name", ""), obj.get("value", 0)
    if name.startswith("system-") and name not in {"system-node-critical", "system-cluster-critical"}:
        detail = (
            "priority class names with 'system-' prefix are reserved for system use only. "
            "error: not a known system priority class"
        )
        causes.forbidden("metadata.name", detail)
    elif not name.startswith("system-") and value > 10**9:
        detail = "maximum allowed value of a user defined priority is 1000000000"
        causes.forbidden("value", detail)
    policy: Any = obj.get("preemptionPolicy")
    if policy is not None:
        causes.one_of("preemptionPolicy", policy, ("PreemptLowerPriority", "Never"))


def priority_class_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a PriorityClass."""
    if new.get("value", 0) != old.get("value", 0):
        causes.forbidden("value", "may not be changed in an update.")
    causes.immutable("preemptionPolicy", new.get("preemptionPolicy"), old.get("preemptionPolicy"))
