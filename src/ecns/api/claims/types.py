"""The reference's types of chapter 1.15; `pvc` and `attached_workload` are defined in 1.20."""

from __future__ import annotations

from msgspec import Struct


class AttachedWorkload(Struct, kw_only=True):
    """attached_workload: who mounts a claim, or would if it had pods.

    `type` is Kubernetes' kind: Deployment, StatefulSet, DaemonSet, Job, CronJob, Pod, or that of a custom
    controller.
    """

    name: str
    type: str
    attached_time: str | None
    """Since when both are there."""


class Claim(Struct, kw_only=True):
    """pvc, as it is shown; from `namespace` on it is ours on top."""

    name: str
    domain: str
    project: str
    cluster: str
    cluster_addr: str
    storage_class_name: str
    capacity: str | None
    """What it has, else what it asks for: GiB, or a Kubernetes quantity if that is not whole."""
    access_modes: list[str]
    attached_workloads: list[AttachedWorkload]
    status: str
    """Pending, Bound, Lost; Removing while it is being deleted."""
    creation_time: str | None
    namespace: str
    volume_name: str
    volume_mode: str
    mounted: bool
    """Whether a pod mounts it, or is to when it begins."""
    requested: str | None
    """What it asks for, which is more than `capacity` while it grows."""
    reasons: list[str]
    """Why it is not bound, not grown or not gone yet."""


class ClaimToMake(Struct, kw_only=True):
    """pvc, as it is sent: what is not here need not be filled in."""

    name: str = ""
    storage_class_name: str | None = None
    """Empty: the default class."""
    capacity: str | int | float | None = None
    """GiB, or a Kubernetes quantity such as `500Mi`."""
    access_modes: list[str] | None = None
    """ReadWriteOnce if not sent."""
    volume_mode: str | None = None
    """Filesystem if not sent, or Block; ours on top."""
    cluster: str | None = None
    cluster_addr: str | None = None


class CreateClaim(Struct):
    """The body of "create"."""

    pvc: ClaimToMake


class ClaimToGrow(Struct, kw_only=True):
    """pvc, of which only the capacity is changed."""

    capacity: str | int | float
    """GiB, or a Kubernetes quantity; not less than now."""


class GrowClaim(Struct):
    """The body of "expand"."""

    pvc: ClaimToGrow


class OneClaim(Struct):
    """The answer of "create" and "expand"."""

    pvc: Claim


class DeleteClaim(Struct, kw_only=True):
    """The body of "delete"; a cloud administrator may name the project that the claim is to belong to."""

    project_id: str | None = None


class Whereabouts(Struct, frozen=True):
    """Where something is, as rows say it."""

    cluster: str = ""
    cluster_addr: str = ""
    domain: str = ""
    project: str = ""


class Surroundings(Struct, frozen=True):
    """What stands around a claim."""

    where: Whereabouts = Whereabouts()
    attached: tuple[tuple[str, str, str | None], ...] = ()
    """Type, name and time of the workloads."""
    pods: int = 0
    """That mount it."""
    pod_names: tuple[str, ...] = ()
    """Of some of them."""
    class_mode: str | None = None
    """The `volumeBindingMode` of its class; None when there is no such class."""
