"""Defaults of workloads: Deployments and their like, Jobs, CronJobs, HorizontalPodAutoscalers.

Source: the answers of Kubernetes 1.36 to minimal objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.defaults import pods, storage

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_NO_LIMIT = 2**31 - 1


def deployment(obj: Object) -> None:
    """Defaults of a Deployment."""
    spec = obj["spec"]
    pods.pod_spec(spec["template"]["spec"])
    spec.setdefault("replicas", 1)
    strategy = spec["strategy"]
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)


def replica_set(obj: Object) -> None:
    """Defaults of a ReplicaSet."""
    pods.pod_spec(obj["spec"]["template"]["spec"])
    obj["spec"].setdefault("replicas", 1)


def replication_controller(obj: Object) -> None:
    """Defaults of a ReplicationController: selector and labels are the template's."""
    spec = obj["spec"]
    labels = (spec.get("template") or {}).get("metadata", {}).get("labels")
    if labels:
        spec.setdefault("selector", dict(labels))
        obj["metadata"].setdefault("labels", dict(labels))
    spec.setdefault("replicas", 1)
    if "template" in spec:
        pods.pod_spec(spec["template"]["spec"])


def stateful_set(obj: Object) -> None:
    """Defaults of a StatefulSet and of its claims."""
    spec = obj["spec"]
    pods.pod_spec(spec["template"]["spec"])
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec["updateStrategy"]
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        strategy["rollingUpdate"].setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    for claim in spec.get("volumeClaimTemplates", ()):
        claim["kind"], claim["apiVersion"] = "PersistentVolumeClaim", "v1"
        storage.persistent_volume_claim(claim)


def daemon_set(obj: Object) -> None:
    """Defaults of a DaemonSet."""
    spec = obj["spec"]
    # Kubernetes reads this annotation into a field and writes it back: whoever left it out owns it, too.
    annotations = obj["metadata"].get("annotations") or {}
    obj["metadata"]["annotations"] = {TEMPLATE_GENERATION: "0", **annotations}
    pods.pod_spec(spec["template"]["spec"])
    strategy = spec["updateStrategy"]
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)


def job(obj: Object) -> None:
    """Defaults of a Job."""
    spec = obj["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", _NO_LIMIT if "backoffLimitPerIndex" in spec else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions", ()):
            pattern["status"] = pattern.get("status") or "True"
    labels = spec["template"]["metadata"].get("labels")
    if labels:
        # One map, as in Kubernetes: labels that the template is given are the Job's own, too.
        obj["metadata"].setdefault("labels", labels)
    pods.pod_spec(spec["template"]["spec"])


def cron_job(obj: Object) -> None:
    """Defaults of a CronJob."""
    spec = obj["spec"]
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    pods.pod_spec(spec["jobTemplate"]["spec"]["template"]["spec"])


def _policies(rules: Object, policies: list[tuple[str, int]]) -> None:
    rules.setdefault("selectPolicy", "Max")
    rules.setdefault(
        "policies", [{"type": kind, "value": value, "periodSeconds": 15} for kind, value in policies]
    )


def horizontal_pod_autoscaler(obj: Object) -> None:
    """Defaults of a HorizontalPodAutoscaler, autoscaling/v2 and v1."""
    spec = obj["spec"]
    spec.setdefault("minReplicas", 1)
    if obj.get("apiVersion") == "autoscaling/v1":
        return
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        up = behavior.setdefault("scaleUp", {})
        up.setdefault("stabilizationWindowSeconds", 0)
        _policies(up, [("Pods", 4), ("Percent", 100)])
        _policies(behavior.setdefault("scaleDown", {}), [("Percent", 100)])
