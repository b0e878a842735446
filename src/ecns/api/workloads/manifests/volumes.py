"""Volumes and the claims behind them, both ways (reference 1.21, volume; decisions, "Workloads")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from ecns.api.workloads.types import (
    ClaimVolume,
    Config,
    Container,
    Item,
    StorageClassVolume,
    Volume,
    VolumeMount,
)
from ecns.backends.kubernetes.kinds import pods as k
from ecns.backends.kubernetes.kinds import quantities
from ecns.backends.kubernetes.kinds.core import (
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    VolumeResources,
)
from ecns.backends.kubernetes.kinds.meta import ObjectMeta

MEMORY = "Memory"
DEFAULT_CAPACITY = "1Gi"


def claim_name(workload: str, volume: str) -> str:
    """The claim of a StorageClass volume of a Deployment or DaemonSet."""
    return f"{workload}-{volume}"


def claim(name: str, sent: StorageClassVolume, labels: dict[str, str] | None) -> PersistentVolumeClaim:
    """The claim of a StorageClass volume; without access modes for one node at a time."""
    capacity = DEFAULT_CAPACITY if sent.capacity in {None, ""} else quantities.capacity(sent.capacity or 0)
    return PersistentVolumeClaim(
        api_version="v1",
        kind="PersistentVolumeClaim",
        metadata=ObjectMeta(name=name, labels=labels),
        spec=PersistentVolumeClaimSpec(
            access_modes=sent.access_modes or ["ReadWriteOnce"],
            storage_class_name=sent.class_name or None,
            resources=VolumeResources(requests={"storage": capacity}),
        ),
    )


def claims(several: Sequence[Volume], workload: str, labels: dict[str, str]) -> list[PersistentVolumeClaim]:
    """The claims to make for the StorageClass volumes of a workload that has no templates of claims."""
    return [
        claim(claim_name(workload, one.name), one.storage_class, labels)
        for one in several
        if one.type == "StorageClass" and one.storage_class
    ]


def volume(sent: Volume, workload: str) -> k.Volume | None:
    """A volume of the pod template; None for one that ECNS has no word for."""
    found = k.Volume(name=sent.name)
    match sent.type:
        case "StorageClass":
            found.persistent_volume_claim = k.ClaimVolume(claim_name=claim_name(workload, sent.name))
        case "PVC" if sent.pvc:
            found.persistent_volume_claim = k.ClaimVolume(claim_name=sent.pvc.name)
        case "LocalStorage":
            found.host_path = k.HostPathVolume(path=sent.local_storage or "")
        case "EmptyDir":
            found.empty_dir = _empty_dir(sent.emptydir or "")
        case "ConfigMap" if sent.configmap:
            found.config_map = k.ConfigMapVolume(name=sent.configmap.name, items=_items(sent.configmap))
        case "Secret" if sent.secret:
            found.secret = k.SecretVolume(secret_name=sent.secret.name, items=_items(sent.secret))
        case _:
            return None
    return found


def own_mounts(volumes: Sequence[Volume], containers: Sequence[Container]) -> list[VolumeMount]:
    """The mounts of configurations that have a `path` and that no container mounts by itself."""
    mounted = {mount.volume_name for container in containers for mount in container.volume_mounts or ()}
    return [
        VolumeMount(volume_name=sent.name, mount_path=config.path, read_only=True)
        for sent in volumes
        if sent.name not in mounted and (config := sent.configmap or sent.secret) and config.path
    ]


def shown(
    found: k.Volume, workload: str, claims: Mapping[str, PersistentVolumeClaim], *, ours: bool
) -> Volume:
    """A volume of the reference.

    Args:
        found: the volume.
        workload: the name of the workload.
        claims: the claims that are known, by name.
        ours: ECNS made the workload, so a claim named after it is its own.
    """
    name = found.name
    if source := found.persistent_volume_claim:
        if ours and source.claim_name == claim_name(workload, name):
            storage = shown_storage(claims.get(source.claim_name))
            return Volume(name=name, type="StorageClass", storage_class=storage)
        return Volume(name=name, type="PVC", pvc=_shown_claim(source.claim_name, claims))
    if found.host_path:
        return Volume(name=name, type="LocalStorage", local_storage=found.host_path.path)
    if found.empty_dir is not None:
        return Volume(name=name, type="EmptyDir", emptydir=_shown_empty_dir(found.empty_dir))
    if found.config_map:
        config = Config(
            type="ConfigMap", name=found.config_map.name, items=_shown_items(found.config_map.items)
        )
        return Volume(name=name, type="ConfigMap", configmap=config)
    if found.secret:
        config = Config(type="Secret", name=found.secret.secret_name, items=_shown_items(found.secret.items))
        return Volume(name=name, type="Secret", secret=config)
    return Volume(name=name, type="Other")


def shown_storage(found: PersistentVolumeClaim | None) -> StorageClassVolume:
    """What a claim, or a template of claims, asks for."""
    if found is None:
        return StorageClassVolume(class_name="")
    return StorageClassVolume(
        class_name=found.spec.storage_class_name or "",
        capacity=_shown_size(found),
        access_modes=found.spec.access_modes,
    )


def _shown_claim(name: str, claims: Mapping[str, PersistentVolumeClaim]) -> ClaimVolume:
    found = claims.get(name)
    if found is None:
        return ClaimVolume(name=name)
    return ClaimVolume(
        name=name,
        storage_class_name=found.spec.storage_class_name,
        capacity=_shown_size(found),
        access_modes=found.spec.access_modes,
        status=found.status.phase or None,
    )


def _shown_size(found: PersistentVolumeClaim) -> str | None:
    size = (found.spec.resources.requests or {}).get("storage")
    return None if size is None else quantities.shown_capacity(size)


def _empty_dir(sent: str) -> k.EmptyDirVolume:
    if sent.strip().lower() == MEMORY.lower():
        return k.EmptyDirVolume(medium=MEMORY)
    with suppress(ValueError):
        return k.EmptyDirVolume(size_limit=quantities.capacity(sent))
    return k.EmptyDirVolume()


def _shown_empty_dir(found: k.EmptyDirVolume) -> str:
    if found.medium:
        return found.medium
    return "" if found.size_limit is None else quantities.shown_capacity(found.size_limit)


def _items(sent: Config) -> list[k.KeyToPath] | None:
    return [k.KeyToPath(key=item.key, path=item.path) for item in sent.items or ()] or None


def _shown_items(found: Sequence[k.KeyToPath] | None) -> list[Item]:
    return [Item(key=item.key, path=item.path) for item in found or ()]
