"""What a workload carries of the request that makes it, so that what was cut off is seen and completed.

A workload of several objects has the label `CREATING` from its first object until its last one is there: it
is seen by it, and the same request sent again completes it. The annotation `REQUEST` stays; it tells a
repeat of the very request that made a workload (one with the same `Idempotency-Key`, or one whose answer was
lost) from another request for the same name. The first is a label because Kubernetes copies the annotations
of a Deployment to its ReplicaSets, and `kubectl rollout undo` back from there.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from ecns.api.workloads.manifests.controllers import WorkloadObjects
from ecns.api.workloads.manifests.names import CREATING, REQUEST
from ecns.api.workloads.patching import MISSING, Operations, operations
from ecns.api.workloads.types import Workload
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.meta import JsonObject

LENGTH = 40
"""Characters of a digest; the value of a label has at most 63."""


def digest(workload: Workload, key: str = "") -> str:
    """What tells a request for a workload from others.

    Args:
        workload: what was sent.
        key: whose `Idempotency-Key` came with it, and which.
    """
    return sha256(msgspec.json.encode((key, workload))).hexdigest()[:LENGTH]


def mark(made: WorkloadObjects, workload: Workload, key: str) -> None:
    """Let the controller carry what it is made from."""
    metadata = made.controller.metadata
    metadata.annotations = {**(metadata.annotations or {}), REQUEST: digest(workload, key)}
    if made.dependants:
        metadata.labels = {**(metadata.labels or {}), CREATING: digest(workload)}


def creating(controller: Controller) -> str:
    """The digest of the request that has not made all of a workload; empty when all is made."""
    return (controller.metadata.labels or {}).get(CREATING, "")


def request(controller: Controller) -> str:
    """The digest of the request that made a workload; empty when nobody knows."""
    return (controller.metadata.annotations or {}).get(REQUEST, "")


def finished(whole: JsonObject) -> Operations:
    """Say that all of a workload is made."""
    return operations(whole, {("metadata", "labels", CREATING): MISSING})
