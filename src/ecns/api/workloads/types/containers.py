"""Containers and their volumes."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Image(Struct, kw_only=True):
    """image: a version that begins with `sha256:` is a digest."""

    harbor_project_name: str | None = None
    image: str
    image_version: str | None = None
    image_auth: bool | None = None
    image_secret: str | None = None
    image_pull_policy: str | None = None


class Resource(Struct, kw_only=True):
    """resource of a container: cores and MiB."""

    cpu: float | None = None
    memory: int | None = None


class Resources(Struct, kw_only=True):
    """resources."""

    requests: Resource | None = None
    limits: Resource | None = None


class Env(Struct, kw_only=True):
    """env: Normal has its value in `key`; otherwise `key` is the object's name and `value` the key in it."""

    type: Literal["Normal", "ConfigMap", "Secret"] = "Normal"
    name: str
    value: str | None = None
    key: str | None = None


class VolumeMount(Struct, kw_only=True):
    """volume_mount."""

    volume_name: str
    mount_path: str
    read_only: bool | None = None
    sub_path: str | None = None


class Health(Struct, kw_only=True):
    """health: a probe. `grpc` is ours beside the reference's protocols: gRPC's own health service."""

    type: Literal["liveness", "readiness", "startup"]
    protocol: Literal["http", "https", "tcp", "cmd", "grpc"]
    host: str | None = None
    path: str | None = None
    cmd: str | None = None
    port: int | None = None
    initial_delay: int | None = None
    period: int | None = None
    timeout: int | None = None
    success_threshold: int | None = None
    failure_threshold: int | None = None


class Capability(Struct, kw_only=True):
    """capabilities: kernel capabilities, with or without `CAP_`, to add or drop."""

    action: Literal["add", "drop"]
    caps: list[str]


class Security(Struct, kw_only=True):
    """security: `host_pid` and `host_ipc` hold for the whole pod as soon as one container has them."""

    run_as_nonroot: bool | None = None
    rootfs_readonly: bool | None = None
    host_pid: bool | None = None
    host_ipc: bool | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    privileged: bool | None = None
    capabilities: Capability | list[Capability] | None = None


class Command(Struct, kw_only=True):
    """command: instead of the image's own."""

    cmd: list[str] | None = None
    args: list[str] | None = None


class Hook(Struct, kw_only=True):
    """hook: a command after the start or before the stop."""

    type: Literal["PreStop", "PostStart"]
    cmd: list[str] | None = None


class Container(Struct, kw_only=True):
    """container."""

    name: str
    type: Literal["worker", "init"] = "worker"
    image: Image
    image_source: Literal["ecns", "third_party"] | None = None
    resources: Resources | None = None
    env: list[Env] | None = None
    volume_mounts: list[VolumeMount] | None = None
    logsidecar_injector: list[str] | None = None
    health: list[Health] | None = None
    security: Security | None = None
    commands: Command | None = None
    hooks: list[Hook] | None = None
    container_statuses: str | None = None


class StorageClassVolume(Struct, kw_only=True):
    """storage_class of a volume: `capacity` is GiB or a Kubernetes quantity."""

    class_name: str
    capacity: str | int | None = None
    access_modes: list[str] | None = None


class ClaimVolume(Struct, kw_only=True):
    """pvc of a volume: an existing claim."""

    name: str
    storage_class_name: str | None = None
    capacity: str | int | None = None
    access_modes: list[str] | None = None
    status: str | None = None


class Item(Struct, kw_only=True):
    """item: a key as a file."""

    key: str
    path: str


class Config(Struct, kw_only=True):
    """config: a ConfigMap or Secret as files; `path` mounts it when no volume_mount names its volume."""

    type: Literal["ConfigMap", "Secret"] | None = None
    name: str
    path: str | None = None
    items: list[Item] | None = None


class Volume(Struct, kw_only=True):
    """volume.

    `type` is StorageClass, PVC, LocalStorage, EmptyDir, ConfigMap or Secret; a volume that was made
    elsewhere, of a source that the reference has no word for, is shown as Other.
    """

    name: str
    type: str
    storage_class: StorageClassVolume | None = None
    pvc: ClaimVolume | None = None
    local_storage: str | None = None
    emptydir: str | None = None
    configmap: Config | None = None
    secret: Config | None = None
