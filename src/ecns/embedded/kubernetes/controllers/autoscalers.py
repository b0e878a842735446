"""HorizontalPodAutoscalers of a cluster without a metrics API: bounds are kept, conditions say why no more.

Source: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

_RESOURCE = "horizontalpodautoscalers.autoscaling"
_TARGETS = ("deployments.apps", "statefulsets.apps", "replicasets.apps", "replicationcontrollers")
_PERIOD, _MOMENT = 15.0, 0.5
_NO_METRICS = (
    "unable to fetch metrics from resource metrics API: the server could not find the requested resource "
    "(get pods.metrics.k8s.io)"
)
_NO_CUSTOM = "unable to fetch metrics from custom metrics API: no known available metric versions found"
_NO_EXTERNAL = "unable to fetch metrics from external metrics API: no known available metric versions found"


class Autoscalers(Controller):
    """Looks at each autoscaler every fifteen seconds."""

    name = "horizontal-pod-autoscaler"
    resource = _RESOURCE

    def begin(self) -> None:
        """Watches autoscalers."""

        def changed(event: str, new: Object | None, old: Object | None) -> None:
            if new is not None and event != "DELETED" and (old is None or old["spec"] != new["spec"]):
                self.enqueue((new["metadata"]["namespace"], new["metadata"]["name"]))

        self.watch(_RESOURCE, changed)
        for resource in _TARGETS:
            self.watch(resource, self._scaled)

    def _scaled(self, _event: str, new: Object | None, old: Object | None) -> None:
        """A target that is scaled by others is looked at before its turn."""
        if new is None or (old is not None and old["spec"].get("replicas") == new["spec"].get("replicas")):
            return
        for record in self.cluster.store.all(_RESOURCE, new["metadata"]["namespace"]):
            reference = record.obj["spec"]["scaleTargetRef"]
            if (reference["kind"], reference["name"]) == (new["kind"], new["metadata"]["name"]):
                self.after(_MOMENT, (record.namespace, record.name))

    def sync(self, key: Key) -> None:
        """Works on one."""
        scaler = self.cluster.find(_RESOURCE, key[1], key[0])
        if scaler is None:
            return
        self.after(_PERIOD, key)
        status = dict(scaler.get("status", {}))
        self._conditions: list[Object] = list(status.get("conditions") or ())
        self._decide(scaler, status)
        status["conditions"] = self._conditions
        kept = {
            name: value
            for name, value in status.items()
            if value or name in {"desiredReplicas", "currentMetrics"}
        }
        if kept != scaler.get("status", {}):
            self.cluster.update_status(_RESOURCE, {**scaler, "status": kept})

    def _decide(self, scaler: Object, status: Object) -> None:
        spec = scaler["spec"]
        try:
            resource, target = self._target(scaler)
        except ApiError as error:
            self.event(scaler, "Warning", "FailedGetScale", str(error))
            message = f"the HPA controller was unable to get the target's current scale: {error}"
            self._set("AbleToScale", "False", "FailedGetScale", message)
            return
        self._set(
            "AbleToScale",
            "True",
            "SucceededGetScale",
            "the HPA controller was able to get the target's current scale",
        )
        current = target["spec"].get("replicas", 1)
        least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
        if current == 0 and least != 0:
            message = "scaling is disabled since the replica count of the target is zero"
            self._set("ScalingActive", "False", "ScalingDisabled", message)
            status |= {"currentReplicas": 0, "desiredReplicas": 0, "currentMetrics": None}
            return
        if current > most or current < least:
            above = current > most
            size = most if above else least
            bound = "above Spec.MaxReplicas" if above else "below Spec.MinReplicas"
            why = f"Current number of replicas {bound}"
            self.cluster.update(resource, {**target, "spec": {**target["spec"], "replicas": size}})
            self.event(scaler, "Normal", "SuccessfulRescale", f"New size: {size}; reason: {why}")
            message = f"the HPA controller was able to update the target scale to {size}"
            self._set("AbleToScale", "True", "SucceededRescale", message)
            status |= {
                "lastScaleTime": clock.stamp(self.now()),
                "currentReplicas": current,
                "desiredReplicas": size,
                "currentMetrics": None,
            }
            return
        self._measure(scaler, status, current)

    def _measure(self, scaler: Object, status: Object, current: int) -> None:
        metrics = scaler["spec"].get("metrics") or []
        reason, why, named = (
            _failure(metrics[0]) if metrics else ("InvalidMetricSourceType", "no metrics", "")
        )
        self.event(scaler, "Warning", reason, why)
        self._set("ScalingActive", "False", reason, f"the HPA was unable to compute the replica count: {why}")
        message = (
            f"invalid metrics ({len(metrics)} invalid out of {len(metrics)}), first error is: {named}{why}"
        )
        self.event(scaler, "Warning", "FailedComputeMetricsReplicas", message)
        status |= {
            "currentReplicas": current,
            "desiredReplicas": status.get("desiredReplicas", 0),
            "currentMetrics": [{"type": ""} for _ in metrics],
        }

    def _target(self, scaler: Object) -> tuple[str, Object]:
        reference = scaler["spec"]["scaleTargetRef"]
        kind = self.cluster.resources.by_kind(reference.get("apiVersion", ""), reference["kind"])
        if kind is None or kind.subresource("scale") is None:
            group = reference.get("apiVersion", "").rpartition("/")[0]
            raise ApiError(404, "NotFound", f'no matches for kind "{reference["kind"]}" in group "{group}"')
        return kind.name, self.cluster.get(kind.name, reference["name"], scaler["metadata"]["namespace"])

    def _set(self, kind: str, status: str, reason: str, message: str) -> None:
        before = next((item for item in self._conditions if item["type"] == kind), None)
        same = before is not None and before["status"] == status
        condition = {
            "type": kind,
            "status": status,
            "lastTransitionTime": before["lastTransitionTime"]
            if before and same
            else clock.stamp(self.now()),
            "reason": reason,
            "message": message,
        }
        if before is None:
            self._conditions = [*self._conditions, condition]
        else:
            self._conditions = [condition if item is before else item for item in self._conditions]


def _failure(metric: Object) -> tuple[str, str, str]:
    """Reason, message, and what FailedComputeMetricsReplicas puts before it."""
    kind = metric.get("type", "")
    if kind in {"Resource", "ContainerResource"}:
        source = metric.get("resource") or metric.get("containerResource") or {}
        name = source.get("name", "")
        what = "utilization" if source.get("target", {}).get("type") == "Utilization" else "usage"
        reason = "FailedGetResourceMetric" if kind == "Resource" else "FailedGetContainerResourceMetric"
        why = f"failed to get {name} {what}: unable to get metrics for resource {name}: {_NO_METRICS}"
        return reason, why, f"failed to get {name} resource metric value: "
    if kind == "External":
        return "FailedGetExternalMetric", _NO_EXTERNAL, "failed to get external metric: "
    reason = "FailedGetPodsMetric" if kind == "Pods" else "FailedGetObjectMetric"
    return reason, _NO_CUSTOM, f"failed to get {kind.lower()} metric value: "
