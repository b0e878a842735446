"""The columns of the tables in which each built-in kind is shown.

Source: the Table answers of Kubernetes 1.36; a description that is a field's own is taken from the schemas.
"""

from __future__ import annotations

from functools import cache

from ecns.embedded.kubernetes.errors import Object
from ecns.embedded.kubernetes.schemas import definitions

_SHARED = {
    "Name": "Name|string:name||@meta.ObjectMeta.name",
    "Age": "Age|||@meta.ObjectMeta.creationTimestamp",
    "Created At": "Created At|date||@meta.ObjectMeta.creationTimestamp",
    "Containers": "Containers||1|Names of each container in the template.",
    "Images": "Images||1|Images referenced by each container in the template.",
}
# = resource, then a column a line: name|type[:format]|priority|description (or @definition.field that has it)
_TABLE = """
= default
Name
Created At
= pods
Name
Ready|||The aggregate readiness state of this pod for accepting traffic.
Status|||The aggregate status of the containers in this pod.
Restarts|||The number of times the containers in this pod have been restarted and when the last container in \
this pod has restarted.
Age
IP||1|@core.PodStatus.podIP
Node||1|@core.PodSpec.nodeName
Nominated Node||1|@core.PodStatus.nominatedNodeName
Readiness Gates||1|@core.PodSpec.readinessGates
= podtemplates
Name
Containers|||Names of each container in the template.
Images|||Images referenced by each container in the template.
Pod Labels|||The labels for the pod template.
= replicationcontrollers
Name
Desired|integer||@core.ReplicationControllerSpec.replicas
Current|integer||@core.ReplicationControllerStatus.replicas
Ready|integer||@core.ReplicationControllerStatus.readyReplicas
Age
Containers
Images
Selector||1|@core.ReplicationControllerSpec.selector
= deployments.apps
Name
Ready|||Number of the pod with ready state
Up-to-date|||@apps.DeploymentStatus.updatedReplicas
Available|||@apps.DeploymentStatus.availableReplicas
Age
Containers
Images
Selector||1|@apps.DeploymentSpec.selector
= replicasets.apps
Name
Desired|integer||@apps.ReplicaSetSpec.replicas
Current|integer||@apps.ReplicaSetStatus.replicas
Ready|integer||@apps.ReplicaSetStatus.readyReplicas
Age
Containers
Images
Selector||1|@apps.ReplicaSetSpec.selector
= statefulsets.apps
Name
Ready|||Number of the pod with ready state
Age
Containers
Images
= daemonsets.apps
Name
Desired|integer||@apps.DaemonSetStatus.desiredNumberScheduled
Current|integer||@apps.DaemonSetStatus.currentNumberScheduled
Ready|integer||@apps.DaemonSetStatus.numberReady
Up-to-date|integer||@apps.DaemonSetStatus.updatedNumberScheduled
Available|integer||@apps.DaemonSetStatus.numberAvailable
Node Selector|||@core.PodSpec.nodeSelector
Age
Containers
Images
Selector||1|@apps.DaemonSetSpec.selector
= controllerrevisions.apps
Name
Controller|||Controller of the object
Revision|||@apps.ControllerRevision.revision
Age
= jobs.batch
Name
Status|||Status of the job.
Completions|||@batch.JobStatus.succeeded
Duration|||Time required to complete the job.
Age
Containers
Images
Selector||1|@batch.JobSpec.selector
= cronjobs.batch
Name
Schedule|||@batch.CronJobSpec.schedule
Timezone|||@batch.CronJobSpec.timeZone
Suspend|boolean||@batch.CronJobSpec.suspend
Active|integer||@batch.CronJobStatus.active
Last Schedule|||@batch.CronJobStatus.lastScheduleTime
Age
Containers
Images
Selector||1|@batch.JobSpec.selector
= services
Name
Type|||@core.ServiceSpec.type
Cluster-IP|||@core.ServiceSpec.clusterIP
External-IP|||@core.ServiceSpec.externalIPs
Port(s)|||@core.ServiceSpec.ports
Age
Selector||1|@core.ServiceSpec.selector
= endpoints
Name
Endpoints|||@core.Endpoints.subsets
Age
= endpointslices.discovery.k8s.io
Name
AddressType|||@discovery.EndpointSlice.addressType
Ports|||@discovery.EndpointSlice.ports
Endpoints|||@discovery.EndpointSlice.endpoints
Age
= configmaps
Name
Data|||@core.ConfigMap.data
Age
= secrets
Name
Type|||@core.Secret.type
Data|||@core.Secret.data
Age
= serviceaccounts
Name
Age
= persistentvolumeclaims
Name
Status|||@core.PersistentVolumeClaimStatus.phase
Volume|||@core.PersistentVolumeClaimSpec.volumeName
Capacity|||@core.PersistentVolumeClaimStatus.capacity
Access Modes|||@core.PersistentVolumeClaimStatus.accessModes
StorageClass|||StorageClass of the pvc
VolumeAttributesClass|||VolumeAttributesClass of the pvc
Age
VolumeMode||1|@core.PersistentVolumeClaimSpec.volumeMode
= persistentvolumes
Name
Capacity|||@core.PersistentVolumeSpec.capacity
Access Modes|||@core.PersistentVolumeSpec.accessModes
Reclaim Policy|||@core.PersistentVolumeSpec.persistentVolumeReclaimPolicy
Status|||@core.PersistentVolumeStatus.phase
Claim|||@core.PersistentVolumeSpec.claimRef
StorageClass|||StorageClass of the pv
VolumeAttributesClass|||VolumeAttributesClass of the pv
Reason|||@core.PersistentVolumeStatus.reason
Age
VolumeMode||1|@core.PersistentVolumeSpec.volumeMode
= storageclasses.storage.k8s.io
Name
Provisioner|||@storage.StorageClass.provisioner
ReclaimPolicy|||@storage.StorageClass.reclaimPolicy
VolumeBindingMode|||@storage.StorageClass.volumeBindingMode
AllowVolumeExpansion|||@storage.StorageClass.allowVolumeExpansion
Age
= volumeattributesclasses.storage.k8s.io
Name
DriverName|||@storage.VolumeAttributesClass.driverName
Age
= csidrivers.storage.k8s.io
Name
AttachRequired|boolean||@storage.CSIDriverSpec.attachRequired
PodInfoOnMount|boolean||@storage.CSIDriverSpec.podInfoOnMount
StorageCapacity|boolean||@storage.CSIDriverSpec.storageCapacity
TokenRequests|||@storage.CSIDriverSpec.tokenRequests
RequiresRepublish|boolean||@storage.CSIDriverSpec.requiresRepublish
Modes|||@storage.CSIDriverSpec.volumeLifecycleModes
Age
= csinodes.storage.k8s.io
Name
Drivers|integer||@storage.CSINodeSpec.drivers
Age
= volumeattachments.storage.k8s.io
Name
Attacher|string:name||@storage.VolumeAttachmentSpec.attacher
PV|||@storage.VolumeAttachmentSource.persistentVolumeName
Node|||@storage.VolumeAttachmentSpec.nodeName
Attached|boolean||@storage.VolumeAttachmentStatus.attached
Age
= ingresses.networking.k8s.io
Name
Class|||The name of the IngressClass resource that should be used for additional configuration
Hosts|||Hosts that incoming requests are matched against before the ingress rule
Address|||Address is a list containing ingress points for the load-balancer
Ports|||Ports of TLS configurations that open
Age
= ingressclasses.networking.k8s.io
Name
Controller|||Controller that is responsible for handling this class
Parameters|||A reference to a resource with additional parameters
Age
= networkpolicies.networking.k8s.io
Name
Pod-Selector|||@networking.NetworkPolicySpec.podSelector
Age
= servicecidrs.networking.k8s.io
Name
CIDRs|||@networking.ServiceCIDRSpec.cidrs
Age
= ipaddresses.networking.k8s.io
Name
ParentRef|||@networking.IPAddressSpec.parentRef
= poddisruptionbudgets.policy
Name
Min Available|||The minimum number of pods that must be available.
Max Unavailable|||The maximum number of pods that may be unavailable.
Allowed Disruptions|integer||Calculated number of pods that may be disrupted at this time.
Age
= horizontalpodautoscalers.autoscaling
Name
Reference|||@autoscaling.HorizontalPodAutoscalerSpec.scaleTargetRef
Targets|||@autoscaling.HorizontalPodAutoscalerSpec.metrics
MinPods|||@autoscaling.HorizontalPodAutoscalerSpec.minReplicas
MaxPods|||@autoscaling.HorizontalPodAutoscalerSpec.maxReplicas
Replicas|||@autoscaling.HorizontalPodAutoscalerStatus.currentReplicas
Age
= resourcequotas
Name
Request|||Request represents a minimum amount of cpu/memory that a container may consume.
Limit|||Limits control the maximum amount of cpu/memory that a container may use independent of contention \
on the node.
Age
= rolebindings.rbac.authorization.k8s.io
Name
Role|||RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If \
the RoleRef cannot be resolved, the Authorizer must return an error.
Age
Users||1|Users in the roleBinding
Groups||1|Groups in the roleBinding
ServiceAccounts||1|ServiceAccounts in the roleBinding
= clusterrolebindings.rbac.authorization.k8s.io
Name
Role|||RoleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be resolved, \
the Authorizer must return an error.
Age
Users||1|Users in the clusterRoleBinding
Groups||1|Groups in the clusterRoleBinding
ServiceAccounts||1|ServiceAccounts in the clusterRoleBinding
= events
Last Seen|||@core.Event.lastTimestamp
Type|||@core.Event.type
Reason|||@core.Event.reason
Object|||@core.Event.involvedObject
Subobject||1|@core.ObjectReference.fieldPath
Source||1|@core.Event.source
Message|||@core.Event.message
First Seen||1|@core.Event.firstTimestamp
Count||1|@core.Event.count
Name|string:name|1|@meta.ObjectMeta.name
= nodes
Name
Status|||The status of the node
Roles|||The roles of the node
Age
Version|||@core.NodeSystemInfo.kubeletVersion
Internal-IP||1|@core.NodeStatus.addresses
External-IP||1|@core.NodeStatus.addresses
OS-Image||1|@core.NodeSystemInfo.osImage
Kernel-Version||1|@core.NodeSystemInfo.kernelVersion
Container-Runtime||1|@core.NodeSystemInfo.containerRuntimeVersion
= namespaces
Name
Status|||The status of the namespace
Age
= componentstatuses
Name
Status|||Status of the component conditions
Message|||Message of the component conditions
Error|||Error of the component conditions
= priorityclasses.scheduling.k8s.io
Name
Value|integer||@scheduling.PriorityClass.value
Global-Default|boolean||@scheduling.PriorityClass.globalDefault
Age
PreemptionPolicy|||@scheduling.PriorityClass.preemptionPolicy
= leases.coordination.k8s.io
Name
Holder|||@coordination.LeaseSpec.holderIdentity
Age
= runtimeclasses.node.k8s.io
Name
Handler|||@node.RuntimeClass.handler
Age
"""


@cache
def columns(resource: str) -> list[Object]:
    """The column definitions of a built-in resource such as `deployments.apps`; shared, not to be changed."""
    lines: list[str] = []
    for block in _TABLE.split("\n= ")[1:]:
        head, *listed = block.strip().splitlines()
        if head == resource:
            return [_column(line) for line in listed]
        if head == "default":
            lines = listed
    return [_column(line) for line in lines]


def _column(line: str) -> Object:
    name, kind, priority, description = _SHARED.get(line, line).split("|")
    kind, _, form = kind.partition(":")
    return {
        "name": name,
        "type": kind or "string",
        "format": form,
        "description": field_description(description[1:]) if description.startswith("@") else description,
        "priority": int(priority or "0"),
    }


def field_description(path: str) -> str:
    """The text that the schemas have for `group.Kind.field`, such as `apps.DeploymentSpec.replicas`."""
    group, kind, field = path.split(".")
    version = "v2" if group == "autoscaling" else "v1"
    package = "io.k8s.apimachinery.pkg.apis" if group == "meta" else "io.k8s.api"
    text: str = definitions()[f"{package}.{group}.{version}.{kind}"]["properties"][field].get(
        "description", ""
    )
    return text
