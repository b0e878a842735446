"""A Job's podFailurePolicy: what comes of a pod that failed.

Source: https://kubernetes.io/docs/tasks/job/pod-failure-policy/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object


def decide(policy: Object | None, pod: Object) -> tuple[str, str]:
    """The action of the first rule that matches (Count when none does), and the message of FailJob."""
    for index, rule in enumerate((policy or {}).get("rules") or ()):
        message = _on_exit(rule.get("onExitCodes"), pod) or _on_conditions(rule.get("onPodConditions"), pod)
        if message:
            return rule["action"], f"{message} matching {rule['action']} rule at index {index}"
    return "Count", ""


def _where(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _on_exit(rule: Object | None, pod: Object) -> str:
    if not rule:
        return ""
    status = pod.get("status", {})
    listed = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for item in listed:
        code = item.get("state", {}).get("terminated", {}).get("exitCode", 0)
        if not code or rule.get("containerName", item["name"]) != item["name"]:
            continue
        if (code in rule["values"]) == (rule["operator"] == "In"):
            return f"Container {item['name']} for pod {_where(pod)} failed with exit code {code}"
    return ""


def _on_conditions(patterns: list[Object] | None, pod: Object) -> str:
    for pattern in patterns or ():
        for item in pod.get("status", {}).get("conditions") or ():
            if item["type"] == pattern["type"] and item["status"] == pattern.get("status", "True"):
                return f"Pod {_where(pod)} has condition {item['type']}"
    return ""
