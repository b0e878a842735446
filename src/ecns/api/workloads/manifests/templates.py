"""Pod templates, both ways: what containers and volumes are in Kubernetes, whatever runs them.

Source: reference 1.21 (container, volume); decisions, "Workloads".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress

from ecns.api.common import names
from ecns.api.workloads.manifests import containers, volumes
from ecns.api.workloads.types import Container, Volume, VolumeMount
from ecns.backends.kubernetes.kinds import pods as k
from ecns.backends.kubernetes.kinds.core import LocalObjectReference


def template(
    several: Sequence[Container],
    mounted: Sequence[Volume],
    *,
    name: str,
    registry_domain: str,
    labels: Mapping[str, str] | None = None,
    runtime_class_name: str | None = None,
    claimed: bool = False,
) -> k.PodTemplateSpec:
    """A pod template.

    Args:
        several: the containers.
        mounted: the volumes.
        name: of what runs the pods; it begins the names of its claims.
        registry_domain: where images of source `ecns` are.
        labels: of the pods.
        runtime_class_name: of the pods.
        claimed: StorageClass volumes are made elsewhere, by a StatefulSet's templates of claims.
    """
    mounts = volumes.own_mounts(mounted, several)
    pod = k.PodSpec(
        volumes=[
            found
            for one in mounted
            if not (claimed and one.type == "StorageClass") and (found := volumes.volume(one, name))
        ]
        or None,
        runtime_class_name=runtime_class_name or "",
        host_pid=any(one.security and one.security.host_pid for one in several),
        host_ipc=any(one.security and one.security.host_ipc for one in several),
    )
    made: dict[str, list[k.Container]] = {"worker": [], "init": []}
    for one in several:
        extra = mounts if one.type == "worker" else []
        made[one.type].append(containers.container(one, registry_domain, extra))
    pod.containers, pod.init_containers = made["worker"], made["init"] or None
    secrets = dict.fromkeys(one.image.image_secret for one in several if one.image.image_secret)
    pod.image_pull_secrets = [LocalObjectReference(name=name) for name in secrets] or None
    annotations = _log_annotation(several, mounts)
    return k.PodTemplateSpec(
        metadata=k.TemplateMeta(labels=dict(labels) if labels else None, annotations=annotations), spec=pod
    )


def shown_containers(found: k.PodTemplateSpec, registry_domain: str) -> list[Container]:
    """The containers of a template, workers first."""
    pod, logs = found.spec, _logs(found)
    return [
        containers.shown(
            one, init=init, pod=pod, registry_domain=registry_domain, logs=logs.get(one.name, [])
        )
        for init, several in ((False, pod.containers), (True, pod.init_containers or []))
        for one in several
    ]


# Log side-car


def log_place(path: str, mounts: Sequence[VolumeMount]) -> tuple[str, str] | None:
    """The volume and the path in it of an absolute path in a container; None if no mount holds it."""
    held = [(mount, rest) for mount in mounts if (rest := _under(path, mount.mount_path)) is not None]
    if not held:
        return None
    mount, rest = max(held, key=lambda pair: len(pair[0].mount_path))
    return mount.volume_name, "/".join(part for part in ((mount.sub_path or "").strip("/"), rest) if part)


def _under(path: str, directory: str) -> str | None:
    """The path relative to a directory it is in."""
    base = directory.rstrip("/") + "/"
    return path[len(base) :] if path.startswith(base) and len(path) > len(base) else None


def _log_annotation(several: Sequence[Container], own: Sequence[VolumeMount]) -> dict[str, str] | None:
    configs: dict[str, dict[str, list[str]]] = {}
    for one in several:
        mounts = [*(one.volume_mounts or ()), *(own if one.type == "worker" else ())]
        for path in one.logsidecar_injector or ():
            if place := log_place(path, mounts):
                configs.setdefault(one.name, {}).setdefault(place[0], []).append(place[1])
    if not configs:
        return None
    return {names.LOG_SIDECAR: json.dumps({"containerLogConfigs": configs}, separators=(",", ":"))}


def _logs(found: k.PodTemplateSpec) -> dict[str, list[str]]:
    """The absolute paths that the log side-car follows, by container."""
    text = (found.metadata.annotations or {}).get(names.LOG_SIDECAR)
    several = {one.name: one for one in [*found.spec.containers, *(found.spec.init_containers or ())]}
    shown: dict[str, list[str]] = {}
    with suppress(ValueError, TypeError, AttributeError):
        for name, places in json.loads(text or "{}").get("containerLogConfigs", {}).items():
            for volume, paths in places.items():
                shown.setdefault(name, [])
                shown[name] += [_absolute(several.get(name), volume, path) for path in paths]
    return shown


def _absolute(container: k.Container | None, volume: str, path: str) -> str:
    for mount in (container.volume_mounts if container else None) or ():
        rest = path if not mount.sub_path else _under(path, mount.sub_path)
        if mount.name == volume and rest is not None:
            return f"{mount.mount_path.rstrip('/')}/{rest}"
    return f"/{path}"
