"""Objects in Kubernetes' protobuf form, which kubectl's `create` and other typed clients send.

Only the kinds that they send are understood; others are refused with a message that says what to do. Types
are those of the schemas; the table adds the numbers that fields have on the wire.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding and the numbers of
`generated.proto` of Kubernetes' API packages.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.errors import ApiError, Object, bad_request
from ecns.embedded.kubernetes.schemas import definitions

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = b"k8s\x00"
_CORE, _MACHINERY = "io.k8s.api.", "io.k8s.apimachinery.pkg.apis."
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIGN, _RANGE = 1 << 63, 1 << 64
_LONGEST = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Value = int | bytes

# A message a line: its fields in the order of their numbers, which start at 1 and go on by one unless one is
# given; ^Message for a message whose fields are the containing one's own in JSON.
_NUMBERS = """
apps.v1.Deployment metadata spec
apps.v1.DeploymentSpec replicas selector template strategy minReadySeconds revisionHistoryLimit paused
  9:progressDeadlineSeconds
apps.v1.DeploymentStrategy type rollingUpdate
apps.v1.RollingUpdateDeployment maxUnavailable maxSurge
authentication.v1.BoundObjectReference kind apiVersion name uid
authentication.v1.SelfSubjectReview metadata
authentication.v1.TokenRequest metadata spec
authentication.v1.TokenRequestSpec audiences 3:boundObjectRef expirationSeconds
authorization.v1.FieldSelectorAttributes rawSelector requirements
authorization.v1.LabelSelectorAttributes rawSelector requirements
authorization.v1.NonResourceAttributes path verb
authorization.v1.NonResourceRule verbs nonResourceURLs
authorization.v1.ResourceAttributes namespace verb group version resource subresource name fieldSelector
  labelSelector
authorization.v1.ResourceRule verbs apiGroups resources resourceNames
authorization.v1.SelfSubjectAccessReview metadata spec
authorization.v1.SelfSubjectAccessReviewSpec resourceAttributes nonResourceAttributes
authorization.v1.SelfSubjectRulesReview metadata spec
authorization.v1.SelfSubjectRulesReviewSpec namespace
autoscaling.v1.CrossVersionObjectReference kind name apiVersion
autoscaling.v1.HorizontalPodAutoscaler metadata spec
autoscaling.v1.HorizontalPodAutoscalerSpec scaleTargetRef minReplicas maxReplicas
  targetCPUUtilizationPercentage
autoscaling.v2.ContainerResourceMetricSource name target container
autoscaling.v2.CrossVersionObjectReference kind name apiVersion
autoscaling.v2.ExternalMetricSource metric target
autoscaling.v2.HPAScalingPolicy type value periodSeconds
autoscaling.v2.HPAScalingRules selectPolicy policies stabilizationWindowSeconds tolerance
autoscaling.v2.HorizontalPodAutoscaler metadata spec
autoscaling.v2.HorizontalPodAutoscalerBehavior scaleUp scaleDown
autoscaling.v2.HorizontalPodAutoscalerSpec scaleTargetRef minReplicas maxReplicas metrics behavior
autoscaling.v2.MetricIdentifier name selector
autoscaling.v2.MetricSpec type object pods resource external 7:containerResource
autoscaling.v2.MetricTarget type value averageValue averageUtilization
autoscaling.v2.ObjectMetricSource describedObject target metric
autoscaling.v2.PodsMetricSource metric target
autoscaling.v2.ResourceMetricSource name target
batch.v1.CronJob metadata spec
batch.v1.CronJobSpec schedule startingDeadlineSeconds concurrencyPolicy suspend jobTemplate
  successfulJobsHistoryLimit failedJobsHistoryLimit timeZone
batch.v1.Job metadata spec
batch.v1.JobSpec parallelism completions activeDeadlineSeconds selector manualSelector template backoffLimit
  ttlSecondsAfterFinished completionMode suspend podFailurePolicy backoffLimitPerIndex maxFailedIndexes
  podReplacementPolicy managedBy successPolicy
batch.v1.JobTemplateSpec metadata spec
batch.v1.PodFailurePolicy rules
batch.v1.PodFailurePolicyOnExitCodesRequirement containerName operator values
batch.v1.PodFailurePolicyOnPodConditionsPattern type
batch.v1.PodFailurePolicyRule action onExitCodes onPodConditions
batch.v1.SuccessPolicy rules
batch.v1.SuccessPolicyRule succeededIndexes succeededCount
core.v1.AWSElasticBlockStoreVolumeSource volumeID fsType partition readOnly
core.v1.Affinity nodeAffinity podAffinity podAntiAffinity
core.v1.AppArmorProfile type localhostProfile
core.v1.AzureDiskVolumeSource diskName diskURI cachingMode fsType readOnly kind
core.v1.AzureFileVolumeSource secretName shareName readOnly
core.v1.CSIVolumeSource driver readOnly fsType volumeAttributes nodePublishSecretRef
core.v1.Capabilities add drop
core.v1.CephFSVolumeSource monitors path user secretFile secretRef readOnly
core.v1.CinderVolumeSource volumeID fsType readOnly secretRef
core.v1.ClientIPConfig timeoutSeconds
core.v1.ClusterTrustBundleProjection name signerName labelSelector path optional
core.v1.ConfigMap metadata data binaryData immutable
core.v1.ConfigMapEnvSource ^LocalObjectReference optional
core.v1.ConfigMapKeySelector ^LocalObjectReference key optional
core.v1.ConfigMapProjection ^LocalObjectReference items 4:optional
core.v1.ConfigMapVolumeSource ^LocalObjectReference items defaultMode optional
core.v1.Container name image command args workingDir ports env resources volumeMounts livenessProbe
  readinessProbe lifecycle terminationMessagePath imagePullPolicy securityContext stdin stdinOnce tty
  envFrom terminationMessagePolicy volumeDevices startupProbe resizePolicy restartPolicy restartPolicyRules
core.v1.ContainerPort name hostPort containerPort protocol hostIP
core.v1.ContainerResizePolicy resourceName restartPolicy
core.v1.ContainerRestartRule action exitCodes
core.v1.ContainerRestartRuleOnExitCodes operator values
core.v1.DownwardAPIProjection items
core.v1.DownwardAPIVolumeFile path fieldRef resourceFieldRef mode
core.v1.DownwardAPIVolumeSource items defaultMode
core.v1.EmptyDirVolumeSource medium sizeLimit
core.v1.EnvFromSource prefix configMapRef secretRef
core.v1.EnvVar name value valueFrom
core.v1.EnvVarSource fieldRef resourceFieldRef configMapKeyRef secretKeyRef fileKeyRef
core.v1.EphemeralContainer ^Container targetContainerName
core.v1.EphemeralVolumeSource volumeClaimTemplate
core.v1.ExecAction command
core.v1.FCVolumeSource targetWWNs lun fsType readOnly wwids
core.v1.FileKeySelector volumeName path key optional
core.v1.FlexVolumeSource driver fsType secretRef readOnly options
core.v1.FlockerVolumeSource datasetName datasetUUID
core.v1.GCEPersistentDiskVolumeSource pdName fsType partition readOnly
core.v1.GRPCAction port service
core.v1.GitRepoVolumeSource repository revision directory
core.v1.GlusterfsVolumeSource endpoints path readOnly
core.v1.HTTPGetAction path port host scheme httpHeaders
core.v1.HTTPHeader name value
core.v1.HostAlias ip hostnames
core.v1.HostPathVolumeSource path type
core.v1.ISCSIVolumeSource targetPortal iqn lun iscsiInterface fsType readOnly portals chapAuthDiscovery
  10:secretRef chapAuthSession initiatorName
core.v1.ImageVolumeSource reference pullPolicy
core.v1.KeyToPath key path mode
core.v1.Lifecycle postStart preStop stopSignal
core.v1.LifecycleHandler exec httpGet tcpSocket sleep
core.v1.LocalObjectReference name
core.v1.NFSVolumeSource server path readOnly
core.v1.Namespace metadata spec
core.v1.NamespaceSpec finalizers
core.v1.NodeAffinity requiredDuringSchedulingIgnoredDuringExecution
  preferredDuringSchedulingIgnoredDuringExecution
core.v1.NodeSelector nodeSelectorTerms
core.v1.NodeSelectorRequirement key operator values
core.v1.NodeSelectorTerm matchExpressions matchFields
core.v1.ObjectFieldSelector apiVersion fieldPath
core.v1.ObjectReference kind namespace name uid apiVersion resourceVersion fieldPath
core.v1.PersistentVolumeClaimSpec accessModes resources volumeName selector storageClassName volumeMode
  dataSource dataSourceRef volumeAttributesClassName
core.v1.PersistentVolumeClaimTemplate metadata spec
core.v1.PersistentVolumeClaimVolumeSource claimName readOnly
core.v1.PhotonPersistentDiskVolumeSource pdID fsType
core.v1.Pod metadata spec
core.v1.PodAffinity requiredDuringSchedulingIgnoredDuringExecution
  preferredDuringSchedulingIgnoredDuringExecution
core.v1.PodAffinityTerm labelSelector namespaces topologyKey namespaceSelector matchLabelKeys
  mismatchLabelKeys
core.v1.PodAntiAffinity requiredDuringSchedulingIgnoredDuringExecution
  preferredDuringSchedulingIgnoredDuringExecution
core.v1.PodCertificateProjection signerName keyType maxExpirationSeconds credentialBundlePath keyPath
  certificateChainPath userAnnotations
core.v1.PodDNSConfig nameservers searches options
core.v1.PodDNSConfigOption name value
core.v1.PodOS name
core.v1.PodReadinessGate conditionType
core.v1.PodResourceClaim name 3:resourceClaimName resourceClaimTemplateName
core.v1.PodSchedulingGate name
core.v1.PodSchedulingGroup podGroupName
core.v1.PodSecurityContext seLinuxOptions runAsUser runAsNonRoot supplementalGroups fsGroup runAsGroup
  sysctls windowsOptions fsGroupChangePolicy seccompProfile appArmorProfile supplementalGroupsPolicy
  seLinuxChangePolicy
core.v1.PodSpec volumes containers restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds
  dnsPolicy nodeSelector serviceAccountName serviceAccount nodeName hostNetwork hostPID hostIPC
  securityContext imagePullSecrets hostname subdomain affinity schedulerName initContainers
  automountServiceAccountToken tolerations hostAliases priorityClassName priority dnsConfig
  shareProcessNamespace readinessGates runtimeClassName enableServiceLinks preemptionPolicy overhead
  topologySpreadConstraints ephemeralContainers setHostnameAsFQDN os hostUsers schedulingGates
  resourceClaims resources hostnameOverride 43:schedulingGroup
core.v1.PodTemplateSpec metadata spec
core.v1.PortworxVolumeSource volumeID fsType readOnly
core.v1.PreferredSchedulingTerm weight preference
core.v1.Probe ^ProbeHandler initialDelaySeconds timeoutSeconds periodSeconds successThreshold
  failureThreshold terminationGracePeriodSeconds
core.v1.ProbeHandler exec httpGet tcpSocket grpc
core.v1.ProjectedVolumeSource sources defaultMode
core.v1.QuobyteVolumeSource registry volume readOnly user group tenant
core.v1.RBDVolumeSource monitors image fsType pool user keyring secretRef readOnly
core.v1.ResourceClaim name request
core.v1.ResourceFieldSelector containerName resource divisor
core.v1.ResourceQuota metadata spec
core.v1.ResourceQuotaSpec hard scopes scopeSelector
core.v1.ResourceRequirements limits requests claims
core.v1.SELinuxOptions user role type level
core.v1.ScaleIOVolumeSource gateway system secretRef sslEnabled protectionDomain storagePool storageMode
  volumeName fsType readOnly
core.v1.ScopeSelector matchExpressions
core.v1.ScopedResourceSelectorRequirement scopeName operator values
core.v1.SeccompProfile type localhostProfile
core.v1.Secret metadata data type stringData immutable
core.v1.SecretEnvSource ^LocalObjectReference optional
core.v1.SecretKeySelector ^LocalObjectReference key optional
core.v1.SecretProjection ^LocalObjectReference items 4:optional
core.v1.SecretVolumeSource secretName items defaultMode optional
core.v1.SecurityContext capabilities privileged seLinuxOptions runAsUser runAsNonRoot readOnlyRootFilesystem
  allowPrivilegeEscalation runAsGroup procMount windowsOptions seccompProfile appArmorProfile
core.v1.Service metadata spec
core.v1.ServiceAccount metadata secrets imagePullSecrets automountServiceAccountToken
core.v1.ServiceAccountTokenProjection audience expirationSeconds path
core.v1.ServicePort name protocol port targetPort nodePort appProtocol
core.v1.ServiceSpec ports selector clusterIP type externalIPs 7:sessionAffinity loadBalancerIP
  loadBalancerSourceRanges externalName externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses
  sessionAffinityConfig 17:ipFamilyPolicy clusterIPs ipFamilies allocateLoadBalancerNodePorts
  loadBalancerClass internalTrafficPolicy trafficDistribution
core.v1.SessionAffinityConfig clientIP
core.v1.SleepAction seconds
core.v1.StorageOSVolumeSource volumeName volumeNamespace fsType readOnly secretRef
core.v1.Sysctl name value
core.v1.TCPSocketAction port host
core.v1.Toleration key operator value effect tolerationSeconds
core.v1.TopologySpreadConstraint maxSkew topologyKey whenUnsatisfiable labelSelector minDomains
  nodeAffinityPolicy nodeTaintsPolicy matchLabelKeys
core.v1.TypedLocalObjectReference apiGroup kind name
core.v1.TypedObjectReference apiGroup kind name namespace
core.v1.Volume name ^VolumeSource
core.v1.VolumeDevice name devicePath
core.v1.VolumeMount name readOnly mountPath subPath mountPropagation subPathExpr recursiveReadOnly
core.v1.VolumeProjection secret downwardAPI configMap serviceAccountToken clusterTrustBundle podCertificate
core.v1.VolumeResourceRequirements limits requests
core.v1.VolumeSource hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi
  glusterfs persistentVolumeClaim rbd flexVolume cinder cephfs flocker downwardAPI fc azureFile configMap
  vsphereVolume quobyte azureDisk photonPersistentDisk portworxVolume scaleIO projected storageos csi
  ephemeral image
core.v1.VsphereVirtualDiskVolumeSource volumePath fsType storagePolicyName storagePolicyID
core.v1.WeightedPodAffinityTerm weight podAffinityTerm
core.v1.WindowsSecurityContextOptions gmsaCredentialSpecName gmsaCredentialSpec runAsUserName hostProcess
meta.v1.DeleteOptions gracePeriodSeconds preconditions orphanDependents propagationPolicy dryRun
meta.v1.FieldSelectorRequirement key operator values
meta.v1.LabelSelector matchLabels matchExpressions
meta.v1.LabelSelectorRequirement key operator values
meta.v1.ObjectMeta name generateName namespace 5:uid resourceVersion generation creationTimestamp
  deletionTimestamp deletionGracePeriodSeconds labels annotations ownerReferences finalizers
meta.v1.OwnerReference kind 3:name uid apiVersion controller blockOwnerDeletion
meta.v1.Preconditions uid resourceVersion
networking.v1.HTTPIngressPath path backend pathType
networking.v1.HTTPIngressRuleValue paths
networking.v1.Ingress metadata spec
networking.v1.IngressBackend 3:resource service
networking.v1.IngressRule host ^IngressRuleValue
networking.v1.IngressRuleValue http
networking.v1.IngressServiceBackend name port
networking.v1.IngressSpec defaultBackend tls rules ingressClassName
networking.v1.IngressTLS hosts secretName
networking.v1.ServiceBackendPort name number
policy.v1.Eviction metadata deleteOptions
policy.v1.PodDisruptionBudget metadata spec
policy.v1.PodDisruptionBudgetSpec minAvailable selector maxUnavailable unhealthyPodEvictionPolicy
rbac.v1.AggregationRule clusterRoleSelectors
rbac.v1.ClusterRole metadata rules aggregationRule
rbac.v1.ClusterRoleBinding metadata subjects roleRef
rbac.v1.PolicyRule verbs apiGroups resources resourceNames nonResourceURLs
rbac.v1.Role metadata rules
rbac.v1.RoleBinding metadata subjects roleRef
rbac.v1.RoleRef apiGroup kind name
rbac.v1.Subject kind apiGroup name namespace
scheduling.v1.PriorityClass metadata value globalDefault description preemptionPolicy
"""


class _MalformedError(Exception):
    """Bytes that are not what they should be."""


def decode(data: bytes) -> Object:
    """An object in JSON form from its protobuf form.

    Fields that were sent empty are there as empty values: the schemas know which of them mean something.

    Args:
        data: the request's body: the magic number, then a `runtime.Unknown` around the object.

    Returns:
        The object, with kind and apiVersion.

    Raises:
        ApiError: 400 when the bytes are malformed, 415 for a kind that is not understood in this form.
    """
    if not data.startswith(_MAGIC):
        raise bad_request("the body is not in Kubernetes' protobuf form: it does not begin with k8s\\x00")
    try:
        envelope = dict(_fields(data[len(_MAGIC) :]))
        names = dict(_fields(_bytes(envelope.get(1, b""))))
        api_version, kind = _bytes(names.get(1, b"")).decode(), _bytes(names.get(2, b"")).decode()
        definition = _definition(api_version, kind)
        if definition is None:
            raise ApiError(
                415,
                "UnsupportedMediaType",
                f"{kind} of {api_version} is not understood as application/vnd.kubernetes.protobuf: "
                "send it as application/json",
            )
        return {"kind": kind, "apiVersion": api_version, **_message(definition, _bytes(envelope.get(2, b"")))}
    except (_MalformedError, UnicodeDecodeError) as error:
        raise bad_request(f"the body is not in Kubernetes' protobuf form: {error}") from None


@cache
def _numbers() -> dict[str, dict[int, str]]:
    """Definition → number → field."""
    found: dict[str, dict[int, str]] = {}
    for line in _NUMBERS.replace("\n  ", " ").strip().splitlines():
        name, *words = line.split()
        number, fields = 0, {}
        for word in words:
            given, _, field = word.rpartition(":")
            number = int(given) if given else number + 1
            fields[number] = field
        found[(_MACHINERY if name.startswith("meta.") else _CORE) + name] = fields
    return found


def _definition(api_version: str, kind: str) -> str | None:
    if kind == "DeleteOptions":
        return f"{_MACHINERY}meta.v1.DeleteOptions"
    group, _, version = api_version.rpartition("/")
    name = f"{_CORE}{group.partition('.')[0] or 'core'}.{version}.{kind}"
    return name if name in _numbers() else None


# --- the wire


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise _MalformedError("a number stands where a message should")
    return value


def _number(value: Value) -> int:
    if isinstance(value, bytes):
        raise _MalformedError("bytes stand where a number should")
    return value - _RANGE if value >= _SIGN else value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : position + _LONGEST]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004  the bit that says that more follows
            return value, position + index + 1
    raise _MalformedError("a number does not end")


def _fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """The (number, value) pairs of a message."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == _BYTES:
            size, position = _varint(data, position)
        elif wire in {_FIXED64, _FIXED32}:
            size = 8 if wire == _FIXED64 else 4
        else:
            raise _MalformedError(f"wire type {wire} is unknown")
        if position + size > len(data):
            raise _MalformedError("a field does not end")
        yield number, data[position : position + size]
        position += size


# --- the types


def _message(definition: str, data: bytes) -> Object:
    """The fields of a message in JSON form; those that are not known are left out."""
    return _read(definition, definitions()[definition].get("properties", {}), data)


def _read(message: str, properties: Object, data: bytes) -> Object:
    numbers = _numbers().get(message, {})
    made: Object = {}
    for number, value in _fields(data):
        field = numbers.get(number, "")
        if field.startswith("^"):
            inlined = f"{message.rpartition('.')[0]}.{field[1:]}"
            made.update(_read(inlined, properties, _bytes(value)))
        elif field in properties:
            _put(made, field, properties[field], value)
    return made


def _put(made: Object, field: str, schema: Object, value: Value) -> None:
    kind = _kind(schema)
    if kind == "array":
        made.setdefault(field, []).append(_value(schema["items"], value))
    elif kind == "object" and "additionalProperties" in schema:
        entry = dict(_fields(_bytes(value)))
        key = _bytes(entry.get(1, b"")).decode()
        made.setdefault(field, {})[key] = _value(schema["additionalProperties"], entry.get(2, b""))
    else:
        made[field] = _value(schema, value)


def _kind(schema: Object) -> str:
    declared = schema.get("type", "")
    return next(kind for kind in declared if kind != "null") if isinstance(declared, list) else str(declared)


def _value(schema: Object, value: Value) -> Any:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        special = _SPECIAL.get(name.rpartition(".")[2])
        return special(_bytes(value)) if special else _message(name, _bytes(value))
    kind = _kind(schema)
    if kind == "string":
        text = _bytes(value)
        return base64.b64encode(text).decode() if schema.get("format") == "byte" else text.decode()
    if kind == "boolean":
        return bool(_number(value))
    if kind == "integer":
        return _number(value)
    raise _MalformedError(f"a field of type {kind or 'any'} cannot be read")


def _quantity(data: bytes) -> str:
    return _bytes(dict(_fields(data)).get(1, b"0")).decode()


def _int_or_string(data: bytes) -> int | str:
    found = dict(_fields(data))
    return _bytes(found.get(3, b"")).decode() if found.get(1) else _number(found.get(2, 0))


def _time(data: bytes) -> str | None:
    """A time; the empty message is none."""
    found = dict(_fields(data))
    if not found:
        return None
    moment = _EPOCH + timedelta(
        seconds=_number(found.get(1, 0)), microseconds=_number(found.get(2, 0)) // 1000
    )
    return moment.isoformat().replace("+00:00", "Z")


_SPECIAL = {"Quantity": _quantity, "IntOrString": _int_or_string, "Time": _time, "MicroTime": _time}
