"""Specs as Kubernetes shows them inside messages: its own structs, every field, in their order.

A line of `_STRUCTS` is a struct and its fields: `json>Go` where the Go name is not just the capitalised one,
`:Struct` for a pointer to or a list of structs, `=Struct` for one that is always there, and what an absent
field shows: `''` the empty string, `#` 0, `?` false, `0` a quantity, else null.

Source: the messages of recorded refusals, and the declarations of the types (k8s.io/api v0.36).
"""

from __future__ import annotations

import difflib
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

_STRUCTS = """
PodSpec volumes:Volume initContainers:Container containers:Container ephemeralContainers:EphemeralContainer
  restartPolicy'' terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy>DNSPolicy'' nodeSelector
  serviceAccountName'' automountServiceAccountToken nodeName'' securityContext:PodSecurityContext
  imagePullSecrets:LocalObjectReference hostname'' subdomain'' setHostnameAsFQDN affinity:Affinity
  schedulerName'' tolerations:Toleration hostAliases:HostAlias priorityClassName'' priority preemptionPolicy
  dnsConfig>DNSConfig:PodDNSConfig readinessGates:PodReadinessGate runtimeClassName overhead
  enableServiceLinks topologySpreadConstraints:TopologySpreadConstraint os>OS:PodOS
  schedulingGates:PodSchedulingGate resourceClaims:PodResourceClaim resources:ResourceRequirements
  hostnameOverride schedulingGroup:PodSchedulingGroup
PersistentVolumeClaimSpec accessModes selector resources=VolumeResourceRequirements volumeName''
  storageClassName volumeMode dataSource:TypedLocalObjectReference dataSourceRef:TypedObjectReference
  volumeAttributesClassName
VolumeNodeAffinity required:NodeSelector
PersistentVolumeSource gcePersistentDisk>GCEPersistentDisk awsElasticBlockStore>AWSElasticBlockStore
  hostPath:HostPathVolumeSource glusterfs nfs>NFS:NFSVolumeSource rbd>RBD iscsi>ISCSI cinder cephfs>CephFS
  fc>FC flocker flexVolume azureFile vsphereVolume quobyte azureDisk photonPersistentDisk portworxVolume
  scaleIO local:LocalVolumeSource storageos>StorageOS csi>CSI:CSIPersistentVolumeSource
Volume name'' hostPath:HostPathVolumeSource emptyDir:EmptyDirVolumeSource
  gcePersistentDisk>GCEPersistentDisk awsElasticBlockStore>AWSElasticBlockStore gitRepo
  secret:SecretVolumeSource nfs>NFS:NFSVolumeSource iscsi>ISCSI glusterfs
  persistentVolumeClaim:PersistentVolumeClaimVolumeSource rbd>RBD quobyte flexVolume cinder cephfs>CephFS
  flocker downwardAPI:DownwardAPIVolumeSource fc>FC azureFile configMap:ConfigMapVolumeSource vsphereVolume
  azureDisk photonPersistentDisk projected:ProjectedVolumeSource portworxVolume scaleIO storageos>StorageOS
  csi>CSI:CSIVolumeSource ephemeral:EphemeralVolumeSource image:ImageVolumeSource
Container name'' image'' command args workingDir'' ports:ContainerPort envFrom:EnvFromSource env:EnvVar
  resources=ResourceRequirements resizePolicy:ContainerResizePolicy restartPolicy
  restartPolicyRules:ContainerRestartRule volumeMounts:VolumeMount volumeDevices:VolumeDevice
  livenessProbe:Probe readinessProbe:Probe startupProbe:Probe lifecycle:Lifecycle terminationMessagePath''
  terminationMessagePolicy'' imagePullPolicy'' securityContext:SecurityContext stdin? stdinOnce? tty>TTY?
EphemeralContainer name'' image'' command args workingDir'' ports:ContainerPort envFrom:EnvFromSource
  env:EnvVar resources=ResourceRequirements resizePolicy:ContainerResizePolicy restartPolicy
  restartPolicyRules:ContainerRestartRule volumeMounts:VolumeMount volumeDevices:VolumeDevice
  livenessProbe:Probe readinessProbe:Probe startupProbe:Probe lifecycle:Lifecycle terminationMessagePath''
  terminationMessagePolicy'' imagePullPolicy'' securityContext:SecurityContext stdin? stdinOnce? tty>TTY?
  targetContainerName''
PodSecurityContext hostNetwork? hostPID? hostIPC? shareProcessNamespace hostUsers
  seLinuxOptions>SELinuxOptions:SELinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot
  supplementalGroups supplementalGroupsPolicy fsGroup>FSGroup fsGroupChangePolicy>FSGroupChangePolicy
  sysctls:Sysctl seccompProfile:SeccompProfile appArmorProfile:AppArmorProfile
  seLinuxChangePolicy>SELinuxChangePolicy
LocalObjectReference name''
Affinity nodeAffinity:NodeAffinity podAffinity:PodAffinity podAntiAffinity:PodAntiAffinity
Toleration key'' operator'' value'' effect'' tolerationSeconds
HostAlias ip>IP'' hostnames
PodDNSConfig nameservers searches options:PodDNSConfigOption
PodReadinessGate conditionType''
TopologySpreadConstraint maxSkew# topologyKey'' whenUnsatisfiable'' labelSelector minDomains
  nodeAffinityPolicy nodeTaintsPolicy matchLabelKeys
PodOS name''
PodSchedulingGate name''
PodResourceClaim name'' resourceClaimName resourceClaimTemplateName
ResourceRequirements limits requests claims:ResourceClaim
PodSchedulingGroup podGroupName
VolumeResourceRequirements limits requests
TypedLocalObjectReference apiGroup>APIGroup kind'' name''
TypedObjectReference apiGroup>APIGroup kind'' name'' namespace
HostPathVolumeSource path'' type
NFSVolumeSource server'' path'' readOnly?
LocalVolumeSource path'' fsType>FSType
CSIPersistentVolumeSource driver'' volumeHandle'' readOnly? fsType>FSType'' volumeAttributes
  controllerPublishSecretRef:SecretReference nodeStageSecretRef:SecretReference
  nodePublishSecretRef:SecretReference controllerExpandSecretRef:SecretReference
  nodeExpandSecretRef:SecretReference
EmptyDirVolumeSource medium'' sizeLimit
SecretVolumeSource secretName'' items:KeyToPath defaultMode optional
PersistentVolumeClaimVolumeSource claimName'' readOnly?
DownwardAPIVolumeSource items:DownwardAPIVolumeFile defaultMode
ConfigMapVolumeSource name'' items:KeyToPath defaultMode optional
ProjectedVolumeSource sources:VolumeProjection defaultMode
CSIVolumeSource driver'' readOnly fsType>FSType volumeAttributes nodePublishSecretRef:LocalObjectReference
EphemeralVolumeSource volumeClaimTemplate
ImageVolumeSource reference'' pullPolicy''
ContainerPort name'' hostPort# containerPort# protocol'' hostIP''
EnvFromSource prefix'' configMapRef:ConfigMapEnvSource secretRef:SecretEnvSource
EnvVar name'' value'' valueFrom:EnvVarSource
ContainerResizePolicy resourceName'' restartPolicy''
ContainerRestartRule action'' exitCodes:ContainerRestartRuleOnExitCodes
VolumeMount name'' readOnly? recursiveReadOnly mountPath'' subPath'' mountPropagation subPathExpr''
VolumeDevice name'' devicePath''
Probe exec:ExecAction httpGet>HTTPGet:HTTPGetAction tcpSocket>TCPSocket:TCPSocketAction grpc>GRPC:GRPCAction
  initialDelaySeconds# timeoutSeconds# periodSeconds# successThreshold# failureThreshold#
  terminationGracePeriodSeconds
Lifecycle postStart:LifecycleHandler preStop:LifecycleHandler stopSignal
SecurityContext capabilities:Capabilities privileged seLinuxOptions>SELinuxOptions:SELinuxOptions
  windowsOptions runAsUser runAsGroup runAsNonRoot readOnlyRootFilesystem allowPrivilegeEscalation procMount
  seccompProfile:SeccompProfile appArmorProfile:AppArmorProfile
SELinuxOptions user'' role'' type'' level''
Sysctl name'' value''
SeccompProfile type'' localhostProfile
AppArmorProfile type'' localhostProfile
NodeAffinity requiredDuringSchedulingIgnoredDuringExecution:NodeSelector
  preferredDuringSchedulingIgnoredDuringExecution:PreferredSchedulingTerm
PodAffinity requiredDuringSchedulingIgnoredDuringExecution:PodAffinityTerm
  preferredDuringSchedulingIgnoredDuringExecution:WeightedPodAffinityTerm
PodAntiAffinity requiredDuringSchedulingIgnoredDuringExecution:PodAffinityTerm
  preferredDuringSchedulingIgnoredDuringExecution:WeightedPodAffinityTerm
PodDNSConfigOption name'' value
ResourceClaim name'' request''
SecretReference name'' namespace''
ObjectReference kind'' namespace'' name'' uid>UID'' apiVersion>APIVersion'' resourceVersion'' fieldPath''
KeyToPath key'' path'' mode
DownwardAPIVolumeFile path'' fieldRef:ObjectFieldSelector resourceFieldRef:ResourceFieldSelector mode
VolumeProjection secret:SecretProjection downwardAPI:DownwardAPIProjection configMap:ConfigMapProjection
  serviceAccountToken:ServiceAccountTokenProjection clusterTrustBundle podCertificate
ConfigMapEnvSource name'' optional
SecretEnvSource name'' optional
EnvVarSource fieldRef:ObjectFieldSelector resourceFieldRef:ResourceFieldSelector
  configMapKeyRef:ConfigMapKeySelector secretKeyRef:SecretKeySelector fileKeyRef:FileKeySelector
ContainerRestartRuleOnExitCodes operator'' values
ExecAction command
HTTPGetAction path'' port# host'' scheme'' httpHeaders>HTTPHeaders:HTTPHeader
TCPSocketAction port# host''
GRPCAction port# service
LifecycleHandler exec:ExecAction httpGet>HTTPGet:HTTPGetAction tcpSocket>TCPSocket:TCPSocketAction
  sleep:SleepAction
Capabilities add drop
NodeSelector nodeSelectorTerms:NodeSelectorTerm
PreferredSchedulingTerm weight# preference=NodeSelectorTerm
PodAffinityTerm labelSelector namespaces topologyKey'' namespaceSelector matchLabelKeys mismatchLabelKeys
WeightedPodAffinityTerm weight# podAffinityTerm=PodAffinityTerm
ObjectFieldSelector apiVersion>APIVersion'' fieldPath''
ResourceFieldSelector containerName'' resource'' divisor0
SecretProjection name'' items:KeyToPath optional
DownwardAPIProjection items:DownwardAPIVolumeFile
ConfigMapProjection name'' items:KeyToPath optional
ServiceAccountTokenProjection audience'' expirationSeconds path''
ConfigMapKeySelector name'' key'' optional
SecretKeySelector name'' key'' optional
FileKeySelector volumeName'' path'' key'' optional
HTTPHeader name'' value''
SleepAction seconds#
NodeSelectorTerm matchExpressions:NodeSelectorRequirement matchFields:NodeSelectorRequirement
NodeSelectorRequirement key'' operator'' values
"""
_OF_THE_POD = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")
_ZEROS: dict[str, Any] = {"''": "", "#": 0, "?": False, "0": "0", "": None}


class _Field(NamedTuple):
    json: str
    go: str
    struct: str
    always: bool
    zero: Any


@lru_cache(maxsize=1)
def _structs() -> dict[str, list[_Field]]:
    found: dict[str, list[_Field]] = {}
    fields: list[_Field] = []
    for line in _STRUCTS.strip().splitlines():
        words = line.split()
        if not line.startswith(" "):
            fields = found.setdefault(words.pop(0), [])
        for word in words:
            fields.append(_field(word))
    return found


def _field(word: str) -> _Field:
    head, colon, struct = word.partition(":")
    always = False
    if not colon:
        head, equals, struct = word.partition("=")
        always = bool(equals)
    mark = next((mark for mark in ("''", "#", "?", "0") if head.endswith(mark)), "") if not struct else ""
    head = head.removesuffix(mark) if mark else head
    name, arrow, go = head.partition(">")
    return _Field(name, go if arrow else name[0].upper() + name[1:], struct, always, _ZEROS[mark])


def value(struct: str, found: Any) -> Any:
    """A value of a struct with Go's names, complete and in order."""
    fields = _structs().get(struct)
    if fields is None or not isinstance(found, dict):
        return found
    if struct == "PodSpec":
        context = {
            **found.get("securityContext", {}),
            **{key: found[key] for key in _OF_THE_POD if key in found},
        }
        found = {**found, "securityContext": context}
    return {field.go: _shown(field, found) for field in fields}


def _shown(field: _Field, holder: Object) -> Any:
    found = holder.get(field.json)
    if found is None:
        return value(field.struct, {}) if field.always else field.zero
    if field.struct:
        return (
            [value(field.struct, item) for item in found]
            if isinstance(found, list)
            else value(field.struct, found)
        )
    return dict(sorted(found.items())) if isinstance(found, dict) else found


def difference(struct: str, old: Object, new: Object) -> str:
    """What changed, as the unified diff that Kubernetes appends to a message."""
    before, after = (
        json.dumps(value(struct, item), indent=1, ensure_ascii=False).splitlines() for item in (old, new)
    )
    lines = list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]
    return "\n".join(lines) + "\n"
