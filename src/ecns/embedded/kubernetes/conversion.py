"""The two kinds that are served in more shapes than they are stored in: events and autoscalers.

Custom resources whose definition names a conversion webhook are served in the version that they are
stored in; in the others they are what they are on a cluster that cannot reach the webhook: an error.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ and
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v1/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ecns.embedded.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.resources import Resource

_AUTOSCALER = "horizontalpodautoscalers.autoscaling"
_EVENT = "events.events.k8s.io"
_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_EVENT_NAMES = (
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
)

_LEFT_OUT = frozenset({"reportingController", "reportingInstance", "action", "note", "reason", "type"})


def is_needed(resource: Resource, version: str) -> bool:
    """Whether a version of a resource differs from what is stored by more than its name."""
    if resource.webhook:
        return version != resource.storage_version
    return resource.name == _EVENT or (resource.name == _AUTOSCALER and version == "v1")


def convert(obj: Object, resource: Resource) -> Object:
    """From what is stored to what the other version shows (see `is_needed`).

    Raises:
        ApiError: 500, only a webhook could do it.

    """
    if resource.webhook:
        raise _uncalled(resource, resource.storage_version)
    if resource.name == _EVENT:
        shown = {**_renamed(obj, dict(_EVENT_NAMES)), "apiVersion": "events.k8s.io/v1"}
        return {key: value for key, value in shown.items() if value != "" or key not in _LEFT_OUT}
    return _autoscaler_v1(obj)


def restore(obj: Object, resource: Resource, version: str) -> Object:
    """From what a client of `version` sent to what is stored.

    Raises:
        ApiError: 500, only a webhook could do it.

    """
    if not is_needed(resource, version):
        return obj
    if resource.webhook:
        raise _uncalled(resource, version)
    if resource.name == _EVENT:
        return {**_renamed(obj, {new: old for old, new in _EVENT_NAMES}), "apiVersion": "v1"}
    return _autoscaler_v2(obj)


def _uncalled(resource: Resource, version: str) -> ApiError:
    kind = f"{resource.api_version(version)}, Kind={resource.kind}"
    why = f'Post "{resource.webhook}?timeout=30s": the embedded Kubernetes calls no webhooks'
    return ApiError(500, "", f"conversion webhook for {kind} failed: {why}")


def _renamed(obj: Object, names: dict[str, str]) -> Object:
    return {names.get(key, key): value for key, value in obj.items()}


def _cpu_target(metric: Any, side: str, key: str) -> int | None:
    resource = metric.get("resource") or {}
    if metric.get("type") != "Resource" or resource.get("name") != "cpu":
        return None
    value = (resource.get(side) or {}).get(key)
    return value if isinstance(value, int) else None


def _metric_v1(metric: Object) -> Object:
    """A metric as the annotations of autoscaling/v1 hold it."""
    kind = metric.get("type", "")
    name = kind[:1].lower() + kind[1:]
    source = metric.get(name) or {}
    target = source.get("target") or {}
    old: Object = {key: source[key] for key in ("name", "container") if key in source}
    if "metric" in source:
        old["metricName"] = source["metric"].get("name", "")
        if "selector" in source["metric"]:
            old["metricSelector" if kind == "External" else "selector"] = source["metric"]["selector"]
    if "describedObject" in source:
        old["target"] = source["describedObject"]
    if "averageUtilization" in target:
        old["targetAverageUtilization"] = target["averageUtilization"]
    if "averageValue" in target:
        old["averageValue" if kind == "Object" else "targetAverageValue"] = target["averageValue"]
    if "value" in target or kind == "Object":
        old["targetValue"] = target.get("value", "0")
    return {"type": kind, name: old}


def _metric_v2(metric: Object) -> Object:
    """The same back."""
    kind = metric.get("type", "")
    name = kind[:1].lower() + kind[1:]
    old = metric.get(name) or {}
    if "target" in old and kind != "Object":
        return metric
    source: Object = {key: old[key] for key in ("name", "container") if key in old}
    if "metricName" in old:
        source["metric"] = {"name": old["metricName"]}
        selector = old.get("metricSelector") or old.get("selector")
        if selector:
            source["metric"]["selector"] = selector
    if kind == "Object":
        source["describedObject"] = old.get("target") or {}
    if "targetAverageUtilization" in old:
        source["target"] = {"type": "Utilization", "averageUtilization": old["targetAverageUtilization"]}
    elif "targetAverageValue" in old or "averageValue" in old:
        value = old.get("targetAverageValue", old.get("averageValue"))
        source["target"] = {"type": "AverageValue", "averageValue": value}
    else:
        source["target"] = {"type": "Value", "value": old.get("targetValue", "0")}
    return {"type": kind, name: source}


def _autoscaler_v1(obj: Object) -> Object:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    metadata = dict(obj["metadata"])
    annotations = dict(metadata.get("annotations") or {})
    rest = []
    for metric in spec.pop("metrics", None) or ():
        target = _cpu_target(metric, "target", "averageUtilization")
        if target is not None and "targetCPUUtilizationPercentage" not in spec:
            spec["targetCPUUtilizationPercentage"] = target
        else:
            rest.append(_metric_v1(metric))
    current = []
    for metric in status.pop("currentMetrics", None) or ():
        now = _cpu_target(metric, "current", "averageUtilization")
        if now is not None and "currentCPUUtilizationPercentage" not in status:
            status["currentCPUUtilizationPercentage"] = now
        else:
            current.append(metric)
    behavior, conditions = spec.pop("behavior", None), status.pop("conditions", None)
    for key, value in (
        (_METRICS, rest),
        (_BEHAVIOR, behavior),
        (_CURRENT, current),
        (_CONDITIONS, conditions),
    ):
        if value:
            annotations[key] = msgspec.json.encode(value).decode()
    if annotations:
        metadata["annotations"] = annotations
    status.setdefault("currentReplicas", 0)
    return {**obj, "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def _autoscaler_v2(obj: Object) -> Object:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    metadata = dict(obj.get("metadata") or {})
    annotations = dict(metadata.get("annotations") or {})
    metrics = [_metric_v2(metric) for metric in _unpack(annotations, _METRICS) or []]
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        aim = {"type": "Utilization", "averageUtilization": target}
        metrics = [*metrics, {"type": "Resource", "resource": {"name": "cpu", "target": aim}}]
    if metrics:
        spec["metrics"] = metrics
    if behavior := _unpack(annotations, _BEHAVIOR):
        spec["behavior"] = behavior
    current = _unpack(annotations, _CURRENT) or []
    now = status.pop("currentCPUUtilizationPercentage", None)
    if now is not None:
        current = [
            {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": now}}},
            *current,
        ]
    if current:
        status["currentMetrics"] = current
    if conditions := _unpack(annotations, _CONDITIONS):
        status["conditions"] = conditions
    if annotations:
        metadata["annotations"] = annotations
    else:
        metadata.pop("annotations", None)
    new = {**obj, "apiVersion": "autoscaling/v2", "metadata": metadata, "spec": spec}
    if status or "status" in obj:
        new["status"] = status
    return new


def _unpack(annotations: dict[str, str], key: str) -> Any:
    text = annotations.pop(key, None)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
