"""The reference's types of chapter 1.21, its names and spelling kept.

Units: CPU in cores, memory in MiB, storage in GiB, times in seconds. What is optional is null when it is
not known or not set. Keys that are not named here are ignored: portals send back what they were shown.
What types cannot say is in `checks`.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

JsonObject = dict[str, Any]

WorkloadType = Literal["Deployment", "StatefulSet", "DaemonSet"]
ApplicationType = Literal["Normal", "Hybrid"]


class WorkloadBase(Struct, kw_only=True):
    """workload_base: which workload; `replicas` is not sent for DaemonSets."""

    name: str
    type: WorkloadType
    replicas: int | None = None


# How it is reached


class Router(Struct, kw_only=True):
    """router: a domain and path that lead to a Service; without one, to the access mode's own."""

    domain: str | None = None
    path: str | None = None
    target_service: str | None = None
    service_port: int | None = None


class Access(Struct, kw_only=True):
    """access: a port; without `target_port` the container's port is the Service's.

    `name` is ours: the port's name in Kubernetes, by which Ingresses and service meshes may know it.
    """

    name: str | None = None
    port: int | None = None
    protocol: str | None = None
    node_port: int | None = None
    target_port: int | None = None
    routers: list[Router] | None = None


class AvailabilityZoneData(Struct, kw_only=True):
    """availability_zone_data."""

    compute_zone: str | None = None
    cpu_arch: str | None = None


class AvailabilityZoneProfile(Struct, kw_only=True):
    """availability_zone_profile."""

    availability_zone_data: AvailabilityZoneData | None = None


class FlavorData(Struct, kw_only=True):
    """flavor_data."""

    amp_volume_type: str | None = None
    compute_flavor: str | None = None
    loadbalancer_topology: str | None = None


class FlavorProfile(Struct, kw_only=True):
    """flavor_profile."""

    flavor_data: FlavorData | None = None


class LoadBalancer(Struct, kw_only=True):
    """loadbalancer."""

    name: str | None = None
    vip_subnet_id: str | None = None


class External(Struct, kw_only=True):
    """external-request (the first three) and external-responce (the rest): an Octavia load balancer."""

    availability_zone_profile: AvailabilityZoneProfile | None = None
    flavor_profile: FlavorProfile | None = None
    loadbalancer: LoadBalancer | None = None
    admin_state_up: bool | None = None
    availability_zone: Any = None
    created_at: str | None = None
    description: str | None = None
    flavor_id: str | None = None
    id: str | None = None
    listeners: list[Any] | None = None
    loadbalancers: list[Any] | None = None
    name: str | None = None
    operating_status: str | None = None
    pools: list[Any] | None = None
    project_id: str | None = None
    provider: str | None = None
    provisioning_status: str | None = None
    tags: list[str] | None = None
    updated_at: str | None = None
    vip_address: str | None = None
    vip_network_id: str | None = None
    vip_port_id: str | None = None
    vip_qos_policy_id: str | None = None
    vip_subnet_id: str | None = None


class AccessMode(Struct, kw_only=True):
    """access_mode: one Service; `name` may be sent, otherwise it follows from the workload's."""

    name: str | None = None
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]
    external_name: str | None = None
    cluster_ip: str | None = None
    public_ips: list[str] | None = None
    private_ips: list[str] | None = None
    access: list[Access] | None = None
    annotations: dict[str, str] | None = None
    external: External | None = None
    subnet: str | None = None


# Containers


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


# Volumes


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


# Strategies and network


class UpdateStrategy(Struct, kw_only=True):
    """update_strategy: numbers of pods; a percentage such as `25%` where Kubernetes has one."""

    type: Literal["first_up", "first_down", "recreate", "custom", "rolling_update", "on_delete"] | None = None
    batch_size: int | None = None
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None
    period: int | None = None


class ScaleResource(Struct, kw_only=True):
    """resource of a scale_strategy: percent of the requests."""

    cpu: int | None = None
    memory: int | None = None


class ScaleStrategy(Struct, kw_only=True):
    """scale_strategy."""

    min_replicas: int | None = None
    max_replicas: int | None = None
    resource: ScaleResource | None = None


class SchedulerExpression(Struct, kw_only=True):
    """scheduler_expression: `values` a string with commas or a list; `weight` 1 to 100 for preferred ones."""

    key: str
    operator: Literal["In", "NotIn", "Gt", "Lt", "Exists", "DoesNotExist"] = "In"
    values: str | list[str] | None = None
    weight: int | None = None


class RequiredPrefered(Struct, kw_only=True):
    """required_prefered: expressions that hold together."""

    topology_key: str | None = None
    expression: list[SchedulerExpression] | None = None


class SchedulerRule(Struct, kw_only=True):
    """scheduler_rule; `preferred` is taken for `prefered`."""

    required: list[RequiredPrefered] | None = None
    prefered: list[RequiredPrefered] | None = None
    preferred: list[RequiredPrefered] | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        """Keep the reference's spelling."""
        if self.preferred is not UNSET:
            self.prefered = self.prefered or self.preferred
            self.preferred = UNSET


class SchedulerStrategy(Struct, kw_only=True):
    """scheduler_strategy."""

    type: Literal["podAffinity", "podAntiAffinity", "nodeSelector", "nodeSelectorTerms"] | None = None
    node_selector: SchedulerRule | None = None
    pod_affinity: SchedulerRule | None = None
    pod_anti_affinity: SchedulerRule | None = None
    node_terms: SchedulerRule | None = None


class HostAlias(Struct, kw_only=True):
    """A line of the hosts file; `hostnames` a string with commas or a list."""

    ip: str
    hostnames: str | list[str] | None = None


class Network(Struct, kw_only=True):
    """network."""

    host_network: bool | None = None
    dns_policy: str | None = None
    host_aliases: list[HostAlias] | None = None


# How it is


class Condition(Struct, kw_only=True):
    """condition: `update_time` in RFC 3339."""

    status: str
    type: str
    reason: str | None = None
    message: str | None = None
    update_time: str | None = None


class Event(Struct, kw_only=True):
    """event; `count` how often, `object` whom it is about, as `Pod/web-1`."""

    type: str
    reason: str | None = None
    message: str | None = None
    update_time: str | None = None
    count: int = 1
    object: str | None = None


class Revision(Struct, kw_only=True):
    """revision; `current` the one in use, `change_cause` what `kubectl annotate` noted."""

    version: int
    image: list[Image] | None = None
    creation_time: str | None = None
    current: bool | None = None
    change_cause: str | None = None


class ContainerStatus(Struct, kw_only=True):
    """How a container of a pod is: Running, Waiting, Terminated or Error.

    `reason`, `message` and `exit_code` are of its present state or, where that has none, of its last run's
    end; `last_reason` is of that end always, such as `OOMKilled`. `started_at` in RFC 3339.
    """

    name: str
    type: Literal["worker", "init", "ephemeral"]
    status: str
    ready: bool
    restart_count: int
    image: str
    reason: str | None = None
    message: str | None = None
    exit_code: int | None = None
    last_reason: str | None = None
    started_at: str | None = None


class PodStatus(Struct, kw_only=True):
    """pod_status, which the reference names and does not define."""

    name: str
    status: str
    pod_ip: str | None = None
    host_ip: str | None = None
    node_name: str | None = None
    restart_count: int = 0
    ready: bool = False
    reason: str | None = None
    message: str | None = None
    creation_time: str | None = None
    containers: list[ContainerStatus]


class WorkloadStatus(Struct, kw_only=True):
    """workload_status (chapter 1.2); `reasons` says in words why it is not ready."""

    workload_base: WorkloadBase | None = None
    owner: str = ""
    status: str
    images: list[Image]
    access_mode: list[AccessMode]
    ready_replicas: int
    available_replicas: int | None = None
    unavailable_replicas: int
    updated_replicas: int | None = None
    creation_time: str | None = None
    reasons: list[str] = field(default_factory=list)


class Workload(Struct, kw_only=True):
    """workload."""

    application_name: str | None = None
    application_type: ApplicationType | None = None
    workload_base: WorkloadBase
    security_groups: list[str] | None = None
    labels: dict[str, str] | None = None
    access_mode: list[AccessMode] | None = None
    vm_access: JsonObject | None = None
    vm_network: JsonObject | None = None
    runtime_class_name: str | None = None
    containers: list[Container]
    volumes: list[Volume] | None = None
    update_strategy: UpdateStrategy | None = None
    scale_strategy: ScaleStrategy | None = None
    scheduler_strategy: list[SchedulerStrategy] | None = None
    network: Network | None = None
    pods_status: list[Any] | None = field(default=None, name="Pods_status")
    workload_status: Any = None


# Requests


class CreateWorkloads(Struct, kw_only=True):
    """The body of "create workloads"."""

    workloads: list[Workload]


class WorkloadsBase(Struct, kw_only=True):
    """The body of the batches: attach and detach (with `application_name`), start, stop, recreate."""

    workloads_base: list[WorkloadBase]
    application_name: str | None = None


class DeleteWorkloads(Struct, kw_only=True):
    """The body of "delete workloads"."""

    workloads_base: list[WorkloadBase]
    delete_policy: Literal["Foreground", "Background", "Orphan"] | None = None
    force_delete: bool | None = None
    delete_service: bool | None = None


class Scale(Struct, kw_only=True):
    """The body of "scale"."""

    replicas: int


class AccessModes(Struct, kw_only=True):
    """The body of "access modes"."""

    access_modes: list[AccessMode]


class Containers(Struct, kw_only=True):
    """The body of "containers", and the answer to its GET."""

    containers: list[Container]


class SetUpdateStrategy(Struct, kw_only=True):
    """The body of "update strategy"."""

    update_strategy: UpdateStrategy


class SetScaleStrategy(Struct, kw_only=True):
    """The body of "scale strategy", and the answer to its GET; null or empty is none."""

    scale_strategy: ScaleStrategy | None


class SetSchedulerStrategy(Struct, kw_only=True):
    """The body of "scheduler strategy", and the answer to its GET."""

    scheduler_strategy: list[SchedulerStrategy] | SchedulerStrategy | None

    @property
    def strategies(self) -> list[SchedulerStrategy]:
        """All of them, also when one was sent alone."""
        sent = self.scheduler_strategy
        return [] if sent is None else sent if isinstance(sent, list) else [sent]


class SetNetwork(Struct, kw_only=True):
    """The body of "network", and the answer to its GET."""

    network: Network | None


class SetLabels(Struct, kw_only=True):
    """The body of "labels"."""

    labels: dict[str, str] | None


class Rollback(Struct, kw_only=True):
    """The body of "roll back"."""

    target_version: str | int


class DeleteRevisions(Struct, kw_only=True):
    """The body of "delete revisions"."""

    revisions: list[Revision]


# Answers


class Workloads(Struct, kw_only=True):
    """The answer of creating."""

    workloads: list[Workload]


class OneWorkload(Struct, kw_only=True):
    """The answer of a change."""

    workload: Workload


class Revisions(Struct, kw_only=True):
    """The answer of "revisions"."""

    revisions: list[Revision]


class AccessAnswer(Struct, kw_only=True):
    """The answer of "access": the reference calls it access_mod here."""

    access_mod: list[AccessMode]


class WorkloadDetail(Struct, kw_only=True):
    """The answer of "show"."""

    workload: Workload
    conditions: list[Condition]
    events: list[Event]
    revisions: list[Revision]
