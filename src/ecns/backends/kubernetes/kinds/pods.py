"""Pods and their template.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

from msgspec import field

from ecns.backends.kubernetes.kinds.core import (
    Condition,
    IntOrString,
    LabelSelector,
    LabelSelectorRequirement,
    LocalObjectReference,
    Quantity,
    Status,
)
from ecns.backends.kubernetes.kinds.meta import Kind, Part, Resource

# Containers


class KeySelector(Part):
    """A key of a ConfigMap or Secret."""

    name: str = ""
    key: str = ""
    optional: bool | None = None


class EnvVarSource(Part):
    """Where the value of a variable comes from; other sources than these two are left out."""

    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None


class EnvVar(Part):
    """An environment variable."""

    name: str = ""
    value: str = ""
    value_from: EnvVarSource | None = None


class EnvFromSource(Part):
    """A ConfigMap or Secret all keys of which are variables."""

    config_map_ref: LocalObjectReference | None = None
    secret_ref: LocalObjectReference | None = None


class ContainerPort(Part):
    """A port a container says it listens on."""

    name: str = ""
    container_port: int = 0
    host_port: int | None = None
    protocol: str = ""


class ResourceRequirements(Part):
    """What a container asks for and is held to."""

    requests: dict[str, Quantity] | None = None
    limits: dict[str, Quantity] | None = None


class VolumeMount(Part):
    """A volume in a container."""

    name: str = ""
    mount_path: str = ""
    read_only: bool = False
    sub_path: str = ""


class ExecAction(Part):
    """A command in the container."""

    command: list[str] | None = None


class HTTPGetAction(Part):
    """A request to the container."""

    path: str = ""
    port: IntOrString = 0
    host: str = ""
    scheme: str = ""


class TCPSocketAction(Part):
    """A connection to the container."""

    port: IntOrString = 0
    host: str = ""


class GRPCAction(Part):
    """A call of the gRPC health service."""

    port: int = 0
    service: str | None = None


class Probe(Part):
    """A health check; times in seconds."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None
    initial_delay_seconds: int | None = None
    timeout_seconds: int | None = None
    period_seconds: int | None = None
    success_threshold: int | None = None
    failure_threshold: int | None = None


class LifecycleHandler(Part):
    """What a hook does; only commands have a word in ECNS."""

    exec: ExecAction | None = None


class Lifecycle(Part):
    """Hooks around a container's life."""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None


class Capabilities(Part):
    """Capabilities of the Linux kernel given and taken."""

    add: list[str] | None = None
    drop: list[str] | None = None


class SecurityContext(Part):
    """What a container may do."""

    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    privileged: bool | None = None
    capabilities: Capabilities | None = None


class Container(Part):
    """A container of a pod template."""

    name: str = ""
    image: str = ""
    image_pull_policy: str = ""
    command: list[str] | None = None
    args: list[str] | None = None
    ports: list[ContainerPort] | None = None
    env: list[EnvVar] | None = None
    env_from: list[EnvFromSource] | None = None
    resources: ResourceRequirements | None = None
    volume_mounts: list[VolumeMount] | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    security_context: SecurityContext | None = None


# Volumes


class KeyToPath(Part):
    """A key of a ConfigMap or Secret as a file."""

    key: str = ""
    path: str = ""


class ConfigMapVolume(Part):
    """A ConfigMap as files."""

    name: str = ""
    items: list[KeyToPath] | None = None


class SecretVolume(Part):
    """A Secret as files."""

    secret_name: str = ""
    items: list[KeyToPath] | None = None


class EmptyDirVolume(Part):
    """Space that goes with the pod."""

    medium: str = ""
    size_limit: Quantity | None = None


class HostPathVolume(Part):
    """A path of the node."""

    path: str = ""


class ClaimVolume(Part):
    """A PersistentVolumeClaim."""

    claim_name: str = ""
    read_only: bool = False


class VolumeProjection(Part):
    """One of several sources of files."""

    config_map: LocalObjectReference | None = None
    secret: LocalObjectReference | None = None


class ProjectedVolume(Part):
    """Several sources as files."""

    sources: list[VolumeProjection] | None = None


class DriverVolume(Part):
    """A volume of some driver; of it only the Secret that it needs."""

    secret_ref: LocalObjectReference | None = None
    node_publish_secret_ref: LocalObjectReference | None = None
    secret_name: str = ""


class Volume(Part):
    """A volume of a pod; one of the sources, or one that ECNS has no word for and leaves alone."""

    name: str = ""
    persistent_volume_claim: ClaimVolume | None = None
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    empty_dir: EmptyDirVolume | None = None
    host_path: HostPathVolume | None = None
    projected: ProjectedVolume | None = None
    azure_file: DriverVolume | None = None
    cephfs: DriverVolume | None = None
    csi: DriverVolume | None = None
    flex_volume: DriverVolume | None = None
    iscsi: DriverVolume | None = None
    rbd: DriverVolume | None = None
    scale_io: DriverVolume | None = field(default=None, name="scaleIO")
    storageos: DriverVolume | None = None


# Scheduling


class NodeSelectorTerm(Part):
    """Expressions that all hold for a node's labels."""

    match_expressions: list[LabelSelectorRequirement] | None = None


class NodeSelector(Part):
    """Terms of which one must hold."""

    node_selector_terms: list[NodeSelectorTerm] | None = None


class PreferredSchedulingTerm(Part):
    """A term that is worth `weight` (1 to 100)."""

    weight: int = 0
    preference: NodeSelectorTerm = field(default_factory=NodeSelectorTerm)


class NodeAffinity(Part):
    """Which nodes a pod needs or likes."""

    required: NodeSelector | None = field(default=None, name="requiredDuringSchedulingIgnoredDuringExecution")
    preferred: list[PreferredSchedulingTerm] | None = field(
        default=None, name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class PodAffinityTerm(Part):
    """Pods, and the label of nodes that says what "beside them" is."""

    topology_key: str = ""
    label_selector: LabelSelector | None = None


class WeightedPodAffinityTerm(Part):
    """A term that is worth `weight` (1 to 100)."""

    weight: int = 0
    pod_affinity_term: PodAffinityTerm = field(default_factory=PodAffinityTerm)


class PodAffinity(Part):
    """Which pods a pod needs or likes beside it, or away from it."""

    required: list[PodAffinityTerm] | None = field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )
    preferred: list[WeightedPodAffinityTerm] | None = field(
        default=None, name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class Affinity(Part):
    """All of a pod's affinities."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class HostAlias(Part):
    """A line of the pod's hosts file."""

    ip: str = ""
    hostnames: list[str] | None = None


# Pods


class PodSpec(Part):
    """What a pod is made of."""

    containers: list[Container] = field(default_factory=list)
    init_containers: list[Container] | None = None
    ephemeral_containers: list[Container] | None = None
    volumes: list[Volume] | None = None
    image_pull_secrets: list[LocalObjectReference] | None = None
    restart_policy: str = ""
    node_name: str = ""
    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None
    runtime_class_name: str = ""
    host_network: bool = False
    host_pid: bool = field(default=False, name="hostPID")
    host_ipc: bool = field(default=False, name="hostIPC")
    dns_policy: str = ""
    host_aliases: list[HostAlias] | None = None
    active_deadline_seconds: int | None = None


class TemplateMeta(Part):
    """The metadata that a template gives its pods."""

    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class PodTemplateSpec(Part):
    """What a controller makes its pods from."""

    metadata: TemplateMeta = field(default_factory=TemplateMeta)
    spec: PodSpec = field(default_factory=PodSpec)


class ContainerStateWaiting(Part):
    """A container that does not run yet."""

    reason: str = ""
    message: str = ""


class ContainerStateRunning(Part):
    """A container that runs."""

    started_at: str | None = None


class ContainerStateTerminated(Part):
    """A container that has ended."""

    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class ContainerState(Part):
    """One of the three, or none: not known."""

    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(Part):
    """How a container is."""

    name: str = ""
    image: str = ""
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    state: ContainerState = field(default_factory=ContainerState)
    last_state: ContainerState = field(default_factory=ContainerState)


class PodStatus(Status, frozen=True):
    """How a pod is."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = field(default="", name="podIP")
    host_ip: str = field(default="", name="hostIP")
    start_time: str | None = None
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    ephemeral_container_statuses: list[ContainerStatus] | None = None


class Pod(Resource):
    """A pod with all of its template."""

    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = PodStatus()


class ContainerRow(Part):
    """A container's name and image."""

    name: str = ""
    image: str = ""


class VolumeRow(Part):
    """A volume's claim, if it is one."""

    persistent_volume_claim: ClaimVolume | None = None


class PodRowSpec(Part):
    """What lists of pods need of a pod's making."""

    node_name: str = ""
    containers: list[ContainerRow] = field(default_factory=list)
    init_containers: list[ContainerRow] | None = None
    ephemeral_containers: list[ContainerRow] | None = None
    volumes: list[VolumeRow] | None = None


class PodRow(Resource):
    """A pod as the watch cache keeps it: what lists and states need, and no more."""

    spec: PodRowSpec = field(default_factory=PodRowSpec)
    status: PodStatus = PodStatus()


POD = Kind("", "v1", "pods", "Pod", Pod)
POD_ROW = Kind("", "v1", "pods", "Pod", PodRow)
