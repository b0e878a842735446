"""The reference's types of chapter 1.20; `pvc` is that of the claims."""

from __future__ import annotations

from msgspec import Struct, field

from ecns.api.claims.types import Claim


class StorageClass(Struct, kw_only=True):
    """storage_class; from `volume_type` on it is ours on top."""

    class_name: str
    capacity: int = 0
    """0: a class has none."""
    domain: str
    project: str
    """As it was said when the class was made; everybody who may use the cluster may use the class."""
    cluster: str
    cluster_addr: str
    provisioner: str
    is_default: bool
    """The one that claims without a class get; of several that are marked, Kubernetes takes the newest."""
    creation_time: str | None
    access_modes: list[str]
    """What the provisioner is known to do."""
    volume_type: str
    """Cinder's, if it is a class of Cinder."""
    reclaim_policy: str
    volume_binding_mode: str
    allow_volume_expansion: bool


class Volume(Struct, kw_only=True):
    """pv; `reason` and `volume_mode` are ours on top."""

    name: str
    domain: str
    project: str
    """Of its claim's namespace."""
    cluster: str
    cluster_addr: str
    storage_class_name: str
    capacity: str | None
    """GiB, or a Kubernetes quantity if that is not whole."""
    pvc_name: str
    pvc_namespace: str
    access_modes: list[str]
    status: str
    """Pending, Available, Bound, Released, Failed; Removing while it is being deleted."""
    reclaim_policy: str
    creation_time: str | None
    reason: str
    """Why it is Failed, or not gone yet."""
    volume_mode: str


class Storage(Struct, kw_only=True, omit_defaults=True):
    """The answer of "list"; what was not asked for is left out."""

    storage_class: list[StorageClass] | None = None
    pvc: list[Claim] | None = None
    pv: list[Volume] | None = None
    total: int
    """Of all lists together."""
    totals: dict[str, int]
    """By list."""
    page: int
    page_size: int


class WhichCluster(Struct, kw_only=True):
    """The body of "set default", "unset default" and the deletions."""

    domain: str | None = None
    project: str | None = None
    cluster: str | None = None
    """Its name."""
    cluster_addr: str | None = None


class CreateClass(Struct, kw_only=True):
    """The body of "create storage class"."""

    domain: str | None = None
    project: str | None = None
    volume_type: str | None = None
    cluster_addr: str | None = None


class OneClass(Struct):
    """The answer of "create", "set default" and "unset default"."""

    storage_class: StorageClass
    warnings: list[str] = field(default_factory=list)
    """Ours on top: what will keep volumes of the class from being made."""
