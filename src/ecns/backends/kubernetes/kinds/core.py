"""The core group without pods and configuration: services, storage, events, namespaces, nodes, quotas.

Source: https://kubernetes.io/docs/reference/kubernetes-api/ (service, config-and-storage and cluster
resources; common definitions).
"""

from __future__ import annotations

from msgspec import Struct, field

from ecns.backends.kubernetes.kinds.meta import Kind, Part, Resource

IntOrString = int | str
Quantity = str | int | float
"""An amount as Kubernetes writes it; see `quantities`."""


class Status(Struct, rename="camel", omit_defaults=True, kw_only=True, frozen=True):
    """How an object is: read, never written, so an object made here is sent without one."""


class LabelSelectorRequirement(Part):
    """One expression of a label selector, or of a node selector term."""

    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class LabelSelector(Part):
    """Which objects are meant, by their labels; all conditions hold."""

    match_labels: dict[str, str] | None = None
    match_expressions: list[LabelSelectorRequirement] | None = None


class LocalObjectReference(Part):
    """An object of the same namespace, by name."""

    name: str = ""


class Condition(Part):
    """One thing that is, is not or may be so; the fields of all kinds of conditions."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None
    last_update_time: str | None = None
    last_probe_time: str | None = None


# Services


class ServicePort(Part):
    """A port of a Service."""

    name: str = ""
    protocol: str = ""
    port: int = 0
    target_port: IntOrString | None = None
    node_port: int | None = None


class ServiceSpec(Part):
    """Where a Service leads."""

    type: str = ""
    selector: dict[str, str] | None = None
    ports: list[ServicePort] | None = None
    cluster_ip: str = field(default="", name="clusterIP")
    cluster_ips: list[str] | None = field(default=None, name="clusterIPs")
    external_name: str = ""
    external_ips: list[str] | None = field(default=None, name="externalIPs")
    load_balancer_ip: str = field(default="", name="loadBalancerIP")
    load_balancer_source_ranges: list[str] | None = None
    session_affinity: str = ""
    external_traffic_policy: str = ""
    health_check_node_port: int = 0


class PortStatus(Part):
    """A port that a load balancer listens on."""

    port: int = 0


class LoadBalancerIngress(Part):
    """An address of a load balancer."""

    ip: str = ""
    hostname: str = ""
    ports: list[PortStatus] | None = None


class LoadBalancerStatus(Part):
    """The addresses of a load balancer."""

    ingress: list[LoadBalancerIngress] | None = None


class ServiceStatus(Status, frozen=True):
    """How a Service is."""

    load_balancer: LoadBalancerStatus = field(default_factory=LoadBalancerStatus)


class Service(Resource):
    """A Service."""

    spec: ServiceSpec = field(default_factory=ServiceSpec)
    status: ServiceStatus = ServiceStatus()


# Storage


class VolumeResources(Part):
    """How much a claim asks for."""

    requests: dict[str, Quantity] | None = None


class PersistentVolumeClaimSpec(Part):
    """What a claim asks for."""

    access_modes: list[str] | None = None
    storage_class_name: str | None = None
    resources: VolumeResources = field(default_factory=VolumeResources)
    volume_name: str = ""
    volume_mode: str = ""


class PersistentVolumeClaimStatus(Status, frozen=True):
    """What a claim got."""

    phase: str = ""
    access_modes: list[str] | None = None
    capacity: dict[str, Quantity] | None = None
    conditions: list[Condition] | None = None


class PersistentVolumeClaim(Resource):
    """A claim of storage."""

    spec: PersistentVolumeClaimSpec = field(default_factory=PersistentVolumeClaimSpec)
    status: PersistentVolumeClaimStatus = PersistentVolumeClaimStatus()


class ObjectReference(Part):
    """An object of any kind."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    field_path: str = ""


class PersistentVolumeSpec(Part):
    """A piece of storage."""

    capacity: dict[str, Quantity] | None = None
    access_modes: list[str] | None = None
    storage_class_name: str = ""
    claim_ref: ObjectReference | None = None
    persistent_volume_reclaim_policy: str = ""
    volume_mode: str = ""


class PersistentVolumeStatus(Status, frozen=True):
    """How a piece of storage is, and since when."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    last_phase_transition_time: str | None = None


class PersistentVolume(Resource):
    """A piece of storage of the cluster."""

    spec: PersistentVolumeSpec = field(default_factory=PersistentVolumeSpec)
    status: PersistentVolumeStatus = PersistentVolumeStatus()


# Events, namespaces, nodes, quotas


class EventSource(Part):
    """Who tells."""

    component: str = ""
    host: str = ""


class EventSeries(Part):
    """How often, and when last, by writers of the newer API."""

    count: int = 0
    last_observed_time: str | None = None


class Event(Resource):
    """Something that happened to an object."""

    involved_object: ObjectReference = field(default_factory=ObjectReference)
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    series: EventSeries | None = None
    source: EventSource = field(default_factory=EventSource)
    reporting_component: str = ""


class NamespaceStatus(Status, frozen=True):
    """How a namespace is: Active or Terminating."""

    phase: str = ""
    conditions: list[Condition] | None = None


class Namespace(Resource):
    """A namespace."""

    status: NamespaceStatus = NamespaceStatus()


class Taint(Part):
    """What keeps pods away from a node."""

    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(Part):
    """How a node is set."""

    unschedulable: bool = False
    taints: list[Taint] | None = None
    provider_id: str = field(default="", name="providerID")


class NodeAddress(Part):
    """An address of a node: InternalIP, ExternalIP, Hostname."""

    type: str = ""
    address: str = ""


class NodeSystemInfo(Part):
    """What a node runs on."""

    kernel_version: str = ""
    os_image: str = field(default="", name="osImage")
    container_runtime_version: str = ""
    kubelet_version: str = ""
    architecture: str = ""
    operating_system: str = ""


class NodeStatus(Status, frozen=True):
    """How a node is."""

    capacity: dict[str, Quantity] | None = None
    allocatable: dict[str, Quantity] | None = None
    conditions: list[Condition] | None = None
    addresses: list[NodeAddress] | None = None
    node_info: NodeSystemInfo = field(default_factory=NodeSystemInfo)


class Node(Resource):
    """A node."""

    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = NodeStatus()


class ResourceQuotaSpec(Part):
    """The limits of a namespace."""

    hard: dict[str, Quantity] | None = None


class ResourceQuotaStatus(Status, frozen=True):
    """The limits of a namespace and what is used."""

    hard: dict[str, Quantity] | None = None
    used: dict[str, Quantity] | None = None


class ResourceQuota(Resource):
    """What a namespace may use."""

    spec: ResourceQuotaSpec = field(default_factory=ResourceQuotaSpec)
    status: ResourceQuotaStatus = ResourceQuotaStatus()


SERVICE = Kind("", "v1", "services", "Service", Service)
PERSISTENT_VOLUME_CLAIM = Kind(
    "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", PersistentVolumeClaim
)
PERSISTENT_VOLUME = Kind(
    "", "v1", "persistentvolumes", "PersistentVolume", PersistentVolume, namespaced=False
)
EVENT = Kind("", "v1", "events", "Event", Event)
NAMESPACE = Kind("", "v1", "namespaces", "Namespace", Namespace, namespaced=False)
NODE = Kind("", "v1", "nodes", "Node", Node, namespaced=False)
RESOURCE_QUOTA = Kind("", "v1", "resourcequotas", "ResourceQuota", ResourceQuota)
