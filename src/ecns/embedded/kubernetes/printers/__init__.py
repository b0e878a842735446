"""The cells of a table's row for each built-in kind, as `kubectl get` shows them.

Source: the Table answers of Kubernetes 1.36.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.printers import cluster, network, workloads  # noqa: F401  they register themselves
from ecns.embedded.kubernetes.printers.common import PRINTERS

if TYPE_CHECKING:
    from datetime import datetime

    from ecns.embedded.kubernetes.errors import Object


def cells(resource: str, obj: Object, now: datetime) -> list[Any]:
    """The cells of one object of a built-in resource, in the order of its columns."""
    printer = PRINTERS.get(resource)
    if printer is not None:
        return printer(obj, now)
    return [obj["metadata"].get("name", ""), obj["metadata"].get("creationTimestamp")]
