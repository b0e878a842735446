"""The values that fields of built-in kinds may have, as the OpenAPI documents of Kubernetes list them.

A line of the table is fields (`group.version.Definition.field`), `=` and their values; `''` is the empty
one.

Source: the OpenAPI documents of Kubernetes 1.36.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

_TABLE = """
apiextensions.v1.ValidationRule.reason = FieldValueDuplicate FieldValueForbidden FieldValueInvalid
  FieldValueRequired
apps.v1.DaemonSetUpdateStrategy.type apps.v1.StatefulSetUpdateStrategy.type = OnDelete RollingUpdate
apps.v1.DeploymentStrategy.type = Recreate RollingUpdate
apps.v1.StatefulSetSpec.podManagementPolicy = OrderedReady Parallel
batch.v1.CronJobSpec.concurrencyPolicy = Allow Forbid Replace
batch.v1.JobSpec.completionMode = Indexed NonIndexed
batch.v1.JobSpec.podReplacementPolicy = Failed TerminatingOrFailed
batch.v1.PodFailurePolicyOnExitCodesRequirement.operator = In NotIn
batch.v1.PodFailurePolicyRule.action = Count FailIndex FailJob Ignore
core.v1.AppArmorProfile.type core.v1.SeccompProfile.type = Localhost RuntimeDefault Unconfined
core.v1.AzureDiskVolumeSource.cachingMode = None ReadOnly ReadWrite
core.v1.AzureDiskVolumeSource.kind = Dedicated Managed Shared
core.v1.Container.imagePullPolicy core.v1.EphemeralContainer.imagePullPolicy
  core.v1.ImageVolumeSource.pullPolicy = Always IfNotPresent Never
core.v1.Container.terminationMessagePolicy core.v1.EphemeralContainer.terminationMessagePolicy =
  FallbackToLogsOnError File
core.v1.ContainerPort.protocol core.v1.EndpointPort.protocol core.v1.PortStatus.protocol
  core.v1.ServicePort.protocol discovery.v1.EndpointPort.protocol networking.v1.IngressPortStatus.protocol
  networking.v1.NetworkPolicyPort.protocol = SCTP TCP UDP
core.v1.ContainerStatus.stopSignal core.v1.Lifecycle.stopSignal = SIGABRT SIGALRM SIGBUS SIGCHLD SIGCLD
  SIGCONT SIGFPE SIGHUP SIGILL SIGINT SIGIO SIGIOT SIGKILL SIGPIPE SIGPOLL SIGPROF SIGPWR SIGQUIT SIGRTMAX
  SIGRTMAX-1 SIGRTMAX-10 SIGRTMAX-11 SIGRTMAX-12 SIGRTMAX-13 SIGRTMAX-14 SIGRTMAX-2 SIGRTMAX-3 SIGRTMAX-4
  SIGRTMAX-5 SIGRTMAX-6 SIGRTMAX-7 SIGRTMAX-8 SIGRTMAX-9 SIGRTMIN SIGRTMIN+1 SIGRTMIN+10 SIGRTMIN+11
  SIGRTMIN+12 SIGRTMIN+13 SIGRTMIN+14 SIGRTMIN+15 SIGRTMIN+2 SIGRTMIN+3 SIGRTMIN+4 SIGRTMIN+5 SIGRTMIN+6
  SIGRTMIN+7 SIGRTMIN+8 SIGRTMIN+9 SIGSEGV SIGSTKFLT SIGSTOP SIGSYS SIGTERM SIGTRAP SIGTSTP SIGTTIN
  SIGTTOU SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ
core.v1.HTTPGetAction.scheme = HTTP HTTPS
core.v1.HostPathVolumeSource.type = '' BlockDevice CharDevice Directory DirectoryOrCreate File
  FileOrCreate Socket
core.v1.ModifyVolumeStatus.status = InProgress Infeasible Pending
core.v1.NamespaceStatus.phase = Active Terminating
core.v1.NodeSelectorRequirement.operator = DoesNotExist Exists Gt In Lt NotIn
core.v1.NodeStatus.phase = Pending Running Terminated
core.v1.PersistentVolumeClaimSpec.accessModes core.v1.PersistentVolumeClaimStatus.accessModes
  core.v1.PersistentVolumeSpec.accessModes = ReadOnlyMany ReadWriteMany ReadWriteOnce ReadWriteOncePod
core.v1.PersistentVolumeClaimSpec.volumeMode core.v1.PersistentVolumeSpec.volumeMode = Block Filesystem
core.v1.PersistentVolumeClaimStatus.phase = Bound Lost Pending
core.v1.PersistentVolumeSpec.persistentVolumeReclaimPolicy storage.v1.StorageClass.reclaimPolicy = Delete
  Recycle Retain
core.v1.PersistentVolumeStatus.phase = Available Bound Failed Pending Released
core.v1.PodSecurityContext.fsGroupChangePolicy = Always OnRootMismatch
core.v1.PodSecurityContext.supplementalGroupsPolicy = Merge Strict
core.v1.PodSpec.dnsPolicy = ClusterFirst ClusterFirstWithHostNet Default None
core.v1.PodSpec.preemptionPolicy scheduling.v1.PriorityClass.preemptionPolicy = Never PreemptLowerPriority
core.v1.PodSpec.restartPolicy = Always Never OnFailure
core.v1.PodStatus.phase = Failed Pending Running Succeeded Unknown
core.v1.PodStatus.qosClass = BestEffort Burstable Guaranteed
core.v1.ResourceQuotaSpec.scopes core.v1.ScopedResourceSelectorRequirement.scopeName = BestEffort
  CrossNamespacePodAffinity NotBestEffort NotTerminating PriorityClass Terminating VolumeAttributesClass
core.v1.ScopedResourceSelectorRequirement.operator = DoesNotExist Exists In NotIn
core.v1.SecurityContext.procMount = Default Unmasked
core.v1.ServiceSpec.externalTrafficPolicy core.v1.ServiceSpec.internalTrafficPolicy = Cluster Local
core.v1.ServiceSpec.ipFamilies = '' IPv4 IPv6
core.v1.ServiceSpec.ipFamilyPolicy = PreferDualStack RequireDualStack SingleStack
core.v1.ServiceSpec.sessionAffinity = ClientIP None
core.v1.ServiceSpec.type = ClusterIP ExternalName LoadBalancer NodePort
core.v1.Taint.effect core.v1.Toleration.effect = NoExecute NoSchedule PreferNoSchedule
core.v1.Toleration.operator = Equal Exists Gt Lt
core.v1.TopologySpreadConstraint.nodeAffinityPolicy core.v1.TopologySpreadConstraint.nodeTaintsPolicy =
  Honor Ignore
core.v1.TopologySpreadConstraint.whenUnsatisfiable = DoNotSchedule ScheduleAnyway
core.v1.VolumeMount.mountPropagation = Bidirectional HostToContainer None
discovery.v1.EndpointSlice.addressType = FQDN IPv4 IPv6
networking.v1.HTTPIngressPath.pathType = Exact ImplementationSpecific Prefix
networking.v1.NetworkPolicySpec.policyTypes = Egress Ingress
policy.v1.PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy = AlwaysAllow IfHealthyBudget
storage.v1.StorageClass.volumeBindingMode = Immediate WaitForFirstConsumer
"""
_PREFIXES = ("io.k8s.api.", "io.k8s.apiextensions-apiserver.pkg.apis.")


@cache
def _values() -> dict[str, list[str]]:
    """By field."""
    found: dict[str, list[str]] = {}
    for line in _TABLE.replace("\n  ", " ").split("\n"):
        fields, _, values = line.partition(" = ")
        for field in fields.split():
            found[field] = [value.strip("'") for value in values.split()]
    return found


def with_values(name: str, schema: Object) -> Object:
    """A definition whose fields tell the values that they may have.

    Args:
        name: of the definition, such as `io.k8s.api.core.v1.Container`.
        schema: the definition; it is not changed.
    """
    short = next((name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), "")
    fields = {
        field: _valued(about, _values()[f"{short}.{field}"])
        for field, about in (schema.get("properties") or {}).items()
        if f"{short}.{field}" in _values()
    }
    return {**schema, "properties": {**schema["properties"], **fields}} if fields else schema


def _valued(about: Object, values: list[str]) -> Object:
    if isinstance(about.get("items"), dict):
        return {**about, "items": {**about["items"], "enum": values}}
    listed = "\n".join(f' - `"{value}"`' for value in values)
    told = f"{about.get('description', '')}\n\nPossible enum values:\n{listed}"
    return {**about, "description": told, "enum": values}
