"""The reference's types of chapter 1.14."""

from __future__ import annotations

from msgspec import Struct

from ecns.api.claims.types import Claim
from ecns.api.workloads.types import PodStatus


class PodInNamespace(PodStatus, kw_only=True):
    """pod_status; the namespace is ours on top, as these are of a whole cluster."""

    namespace: str


class PodOverview(Struct, kw_only=True):
    """pod_overview."""

    count: int
    """Of all pods in this state."""
    pods: list[PodInNamespace]
    """A page of them, newest first."""


class PodsByState(Struct, kw_only=True):
    """The answer of "pods by state"; each list holds one entry for all that the caller may see."""

    running: list[PodOverview]
    failed: list[PodOverview]
    other: list[PodOverview]
    """Pending, Succeed, Unknown, Removing."""


class ClaimOverview(Struct, kw_only=True):
    """pvc_overview."""

    count: int
    """Of all claims in this state."""
    pvcs: list[Claim]
    """A page of them, newest first."""


class ClaimsByState(Struct, kw_only=True):
    """The answer of "claims by state"."""

    available: ClaimOverview
    """Bound, and no pod mounts it."""
    mounted: ClaimOverview
    """Bound, and mounted."""
    creating: ClaimOverview
    """Pending."""
    error: ClaimOverview
    """Lost."""
