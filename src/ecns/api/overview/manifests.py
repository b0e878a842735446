"""Which state of the overview something is counted under (reference 1.14)."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import asdict

from ecns.api.overview.types import PodInNamespace
from ecns.api.workloads.manifests import status
from ecns.backends.kubernetes.kinds.core import PersistentVolumeClaim
from ecns.backends.kubernetes.kinds.pods import PodRow

PodState = Literal["running", "failed", "other"]
ClaimState = Literal["available", "mounted", "creating", "error"]
POD_STATES: tuple[PodState, ...] = ("running", "failed", "other")
CLAIM_STATES: tuple[ClaimState, ...] = ("available", "mounted", "creating", "error")
_PODS: dict[str, PodState] = {"Running": "running", "Failed": "failed"}
_CLAIMS: dict[str, ClaimState] = {"": "creating", "Pending": "creating", "Lost": "error"}


def pod_state(found: PodRow) -> PodState:
    """Running and Failed are those that lists call so; failed are also pods whose containers keep failing."""
    return _PODS.get(status.pod_word(found), "other")


def claim_state(found: PersistentVolumeClaim, *, mounted: bool) -> ClaimState:
    """A claim that is being removed counts as what it was."""
    return _CLAIMS.get(found.status.phase) or ("mounted" if mounted else "available")


def pod(found: PodRow) -> PodInNamespace:
    """A pod as the overview shows it."""
    return PodInNamespace(**asdict(status.pod_status(found)), namespace=found.metadata.namespace)
