"""A pod's quality of service class.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import quantities

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

_COUNTED = ("cpu", "memory")


def _amounts(amounts: Object | None) -> dict[str, int]:
    found = {
        name: quantities.parse(amount).nano for name, amount in (amounts or {}).items() if name in _COUNTED
    }
    return {name: nano for name, nano in found.items() if nano > 0}


def qos_class(spec: Object) -> str:
    """`Guaranteed`, `Burstable` or `BestEffort` of a pod's spec."""
    items = [spec["resources"]] if _stated(spec.get("resources")) else []
    if not items:
        containers = (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
        items = [item.get("resources", {}) for item in containers]
    requests = [_amounts(item.get("requests")) for item in items]
    limits = [_amounts(item.get("limits")) for item in items]
    if not any(requests) and not any(limits):
        return "BestEffort"
    for request, limit in zip(requests, limits, strict=True):
        if set(limit) != set(_COUNTED) or {**limit, **request} != limit:
            return "Burstable"
    return "Guaranteed"


def _stated(resources: Object | None) -> bool:
    return bool(resources and (_amounts(resources.get("requests")) or _amounts(resources.get("limits"))))
