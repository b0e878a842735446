"""What OpenAPI does not tell of Kubernetes' types: which zero values are shown and which are left out.

An API server decodes JSON into structs and encodes them again, so what it answers depends on how a field is
declared. A line of `FACTS` is a definition and its fields that differ from the rule; the rule is that a
scalar is left out when it is zero (shown even so when it is required), an empty list or map is left out,
and an object is shown when it was sent. The marks:

- `*field`: a scalar that may be unset, so that a zero that was sent is kept and an absent one stays absent
- `field!`: a scalar that is shown although it is zero and was not sent
- `field?`: a required scalar that is left out when it is zero
- `field-`: shown as null when it was not sent (or is an empty list)
- `field{}`: an object that is shown although it was not sent

`metadata`, `spec`, `status` and `template` of whatever has an ObjectMeta are objects of the last sort.

Source: the answers of an API server 1.36, and the declarations of its types (k8s.io/api v0.36).
"""

FACTS = """
admissionregistration.v1.MatchResources *matchPolicy
admissionregistration.v1.MutatingAdmissionPolicySpec *failurePolicy
admissionregistration.v1.MutatingWebhook *failurePolicy *matchPolicy *sideEffects *timeoutSeconds
  *reinvocationPolicy clientConfig{} admissionReviewVersions-
admissionregistration.v1.NamedRuleWithOperations *scope
admissionregistration.v1.ParamRef *parameterNotFoundAction
admissionregistration.v1.RuleWithOperations *scope
admissionregistration.v1.ServiceReference *path *port
admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec policyName?
admissionregistration.v1.ValidatingAdmissionPolicySpec *failurePolicy
admissionregistration.v1.ValidatingWebhook *failurePolicy *matchPolicy *sideEffects *timeoutSeconds
  clientConfig{} admissionReviewVersions-
admissionregistration.v1.Validation *reason
admissionregistration.v1.WebhookClientConfig *url
apiextensions.v1.CustomResourceDefinitionCondition lastTransitionTime-
apiextensions.v1.CustomResourceDefinitionSpec names{} versions-
apiextensions.v1.CustomResourceDefinitionStatus conditions- acceptedNames{} storedVersions-
apiextensions.v1.CustomResourceDefinitionVersion *deprecationWarning
apiextensions.v1.CustomResourceSubresourceScale *labelSelectorPath
apiextensions.v1.JSONSchemaProps *maximum *minimum *maxLength *minLength *maxItems *minItems *multipleOf
  *maxProperties *minProperties *items *additionalProperties *additionalItems
  *x-kubernetes-preserve-unknown-fields *x-kubernetes-list-type
  *x-kubernetes-map-type
apiextensions.v1.ServiceReference *path *port
apiextensions.v1.ValidationRule *reason *optionalOldSelf
apiextensions.v1.WebhookClientConfig *url
apiextensions.v1.WebhookConversion conversionReviewVersions-
apps.v1.DaemonSetCondition lastTransitionTime-
apps.v1.DaemonSetSpec *revisionHistoryLimit template{} updateStrategy{}
apps.v1.DaemonSetStatus *collisionCount
apps.v1.DeploymentCondition lastUpdateTime- lastTransitionTime-
apps.v1.DeploymentSpec *replicas *revisionHistoryLimit *progressDeadlineSeconds template{} strategy{}
apps.v1.DeploymentStatus *terminatingReplicas *collisionCount
apps.v1.ReplicaSetCondition lastTransitionTime-
apps.v1.ReplicaSetSpec *replicas template{}
apps.v1.ReplicaSetStatus *terminatingReplicas
apps.v1.RollingUpdateDaemonSet *maxUnavailable *maxSurge
apps.v1.RollingUpdateDeployment *maxUnavailable *maxSurge
apps.v1.RollingUpdateStatefulSetStrategy *partition *maxUnavailable
apps.v1.StatefulSetCondition lastTransitionTime-
apps.v1.StatefulSetOrdinals start!
apps.v1.StatefulSetSpec *replicas *revisionHistoryLimit template{} serviceName! updateStrategy{}
apps.v1.StatefulSetStatus *collisionCount availableReplicas!
authentication.v1.SelfSubjectReviewStatus userInfo{}
authentication.v1.TokenRequestSpec *expirationSeconds audiences-
authentication.v1.TokenRequestStatus token! expirationTimestamp-
authentication.v1.TokenReviewSpec token?
authentication.v1.TokenReviewStatus user{}
authorization.v1.NonResourceRule verbs-
authorization.v1.ResourceRule verbs-
authorization.v1.SubjectRulesReviewStatus resourceRules- nonResourceRules-
autoscaling.v1.HorizontalPodAutoscalerSpec *minReplicas *targetCPUUtilizationPercentage scaleTargetRef{}
autoscaling.v1.HorizontalPodAutoscalerStatus *observedGeneration *currentCPUUtilizationPercentage
autoscaling.v2.ContainerResourceMetricSource target{}
autoscaling.v2.ContainerResourceMetricStatus current{}
autoscaling.v2.ExternalMetricSource metric{} target{}
autoscaling.v2.ExternalMetricStatus metric{} current{}
autoscaling.v2.HPAScalingRules *stabilizationWindowSeconds *selectPolicy *tolerance *policies
autoscaling.v2.HorizontalPodAutoscalerCondition lastTransitionTime-
autoscaling.v2.HorizontalPodAutoscalerSpec *minReplicas scaleTargetRef{}
autoscaling.v2.HorizontalPodAutoscalerStatus *observedGeneration currentMetrics-
autoscaling.v2.MetricTarget *value *averageValue *averageUtilization
autoscaling.v2.MetricValueStatus *value *averageValue *averageUtilization
autoscaling.v2.ObjectMetricSource describedObject{} target{} metric{}
autoscaling.v2.ObjectMetricStatus metric{} current{} describedObject{}
autoscaling.v2.PodsMetricSource metric{} target{}
autoscaling.v2.PodsMetricStatus metric{} current{}
autoscaling.v2.ResourceMetricSource target{}
autoscaling.v2.ResourceMetricStatus current{}
batch.v1.CronJobSpec *timeZone *startingDeadlineSeconds *suspend *successfulJobsHistoryLimit
  *failedJobsHistoryLimit jobTemplate{}
batch.v1.JobCondition lastProbeTime- lastTransitionTime-
batch.v1.JobSpec *parallelism *completions *activeDeadlineSeconds *backoffLimit *backoffLimitPerIndex
  *maxFailedIndexes *manualSelector *ttlSecondsAfterFinished *completionMode *suspend *podReplacementPolicy
  *managedBy template{}
batch.v1.JobStatus *terminating *failedIndexes *ready
batch.v1.PodFailurePolicy rules-
batch.v1.PodFailurePolicyOnExitCodesRequirement *containerName values-
batch.v1.PodFailurePolicyOnPodConditionsPattern status!
batch.v1.SuccessPolicy rules-
batch.v1.SuccessPolicyRule *succeededIndexes *succeededCount
coordination.v1.LeaseSpec *holderIdentity *leaseDurationSeconds *leaseTransitions *strategy *preferredHolder
core.v1.AppArmorProfile *localhostProfile
core.v1.AzureDiskVolumeSource *cachingMode *fsType *readOnly *kind
core.v1.AzureFilePersistentVolumeSource *secretNamespace
core.v1.Binding target{}
core.v1.CSIVolumeSource *readOnly *fsType
core.v1.CephFSPersistentVolumeSource monitors-
core.v1.CephFSVolumeSource monitors-
core.v1.ClientIPConfig *timeoutSeconds
core.v1.ClusterTrustBundleProjection *name *signerName *optional
core.v1.ConfigMap *immutable
core.v1.ConfigMapEnvSource *optional
core.v1.ConfigMapKeySelector *optional
core.v1.ConfigMapProjection *optional
core.v1.ConfigMapVolumeSource *defaultMode *optional
core.v1.Container *restartPolicy resources{}
core.v1.ContainerImage names-
core.v1.ContainerRestartRule action?
core.v1.ContainerRestartRuleOnExitCodes operator?
core.v1.ContainerStateRunning startedAt-
core.v1.ContainerStateTerminated startedAt- finishedAt-
core.v1.ContainerStatus *started *stopSignal state{} lastState{}
core.v1.DownwardAPIVolumeFile *mode
core.v1.DownwardAPIVolumeSource *defaultMode
core.v1.EmptyDirVolumeSource *sizeLimit
core.v1.EndpointAddress *nodeName
core.v1.EndpointPort *appProtocol
core.v1.EphemeralContainer *restartPolicy resources{}
core.v1.Event involvedObject{} source{} firstTimestamp- lastTimestamp- eventTime- reportingComponent!
  reportingInstance!
core.v1.EventSeries lastObservedTime-
core.v1.FCVolumeSource *lun
core.v1.FileKeySelector *optional
core.v1.GRPCAction *service
core.v1.GlusterfsPersistentVolumeSource *endpointsNamespace
core.v1.HTTPGetAction port!
core.v1.HostPathVolumeSource *type
core.v1.ISCSIPersistentVolumeSource *initiatorName
core.v1.ISCSIVolumeSource *initiatorName
core.v1.ImageVolumeStatus imageRef?
core.v1.KeyToPath *mode
core.v1.Lifecycle *stopSignal
core.v1.LimitRangeSpec limits-
core.v1.LoadBalancerIngress *ipMode
core.v1.LocalVolumeSource *fsType
core.v1.NamespaceCondition lastTransitionTime-
core.v1.NodeAllocatableResourceClaimStatus resources-
core.v1.NodeCondition lastHeartbeatTime- lastTransitionTime-
core.v1.NodeDaemonEndpoints kubeletEndpoint{}
core.v1.NodeFeatures *supplementalGroupsPolicy
core.v1.NodeRuntimeHandler name!
core.v1.NodeRuntimeHandlerFeatures *recursiveReadOnlyMounts *userNamespaces
core.v1.NodeSelector nodeSelectorTerms-
core.v1.NodeStatus daemonEndpoints{} nodeInfo{}
core.v1.NodeSwapStatus *capacity
core.v1.PersistentVolumeClaimCondition lastProbeTime- lastTransitionTime-
core.v1.PersistentVolumeClaimSpec *storageClassName *volumeMode *volumeAttributesClassName resources{}
core.v1.PersistentVolumeClaimStatus *currentVolumeAttributesClassName
core.v1.PersistentVolumeSpec *volumeMode *volumeAttributesClassName
core.v1.PodCertificateProjection *maxExpirationSeconds signerName? keyType?
core.v1.PodCondition lastProbeTime- lastTransitionTime-
core.v1.PodDNSConfigOption *value
core.v1.PodExtendedResourceClaimStatus requestMappings-
core.v1.PodResourceClaim *resourceClaimName *resourceClaimTemplateName
core.v1.PodResourceClaimStatus *resourceClaimName
core.v1.PodSchedulingGroup *podGroupName
core.v1.PodSecurityContext *runAsUser *runAsGroup *runAsNonRoot *supplementalGroupsPolicy *fsGroup
  *fsGroupChangePolicy *seLinuxChangePolicy
core.v1.PodSpec *terminationGracePeriodSeconds *activeDeadlineSeconds *automountServiceAccountToken
  *shareProcessNamespace *priority *runtimeClassName *enableServiceLinks *preemptionPolicy
  *setHostnameAsFQDN *hostUsers *hostnameOverride containers-
core.v1.PortStatus *error
core.v1.PreferredSchedulingTerm preference{}
core.v1.Probe *terminationGracePeriodSeconds
core.v1.ProjectedVolumeSource *defaultMode sources-
core.v1.RBDPersistentVolumeSource monitors-
core.v1.RBDVolumeSource monitors-
core.v1.ReplicationControllerCondition lastTransitionTime-
core.v1.ReplicationControllerSpec *replicas
core.v1.ResourceFieldSelector divisor!
core.v1.ResourceHealth *message
core.v1.SeccompProfile *localhostProfile
core.v1.Secret *immutable
core.v1.SecretEnvSource *optional
core.v1.SecretKeySelector *optional
core.v1.SecretProjection *optional
core.v1.SecretVolumeSource *defaultMode *optional
core.v1.SecurityContext *privileged *runAsUser *runAsGroup *runAsNonRoot *readOnlyRootFilesystem
  *allowPrivilegeEscalation *procMount
core.v1.ServiceAccount *automountServiceAccountToken
core.v1.ServiceAccountTokenProjection *expirationSeconds
core.v1.ServicePort *appProtocol targetPort!
core.v1.ServiceSpec *ipFamilyPolicy *allocateLoadBalancerNodePorts *loadBalancerClass *internalTrafficPolicy
  *trafficDistribution
core.v1.ServiceStatus loadBalancer{}
core.v1.TCPSocketAction port!
core.v1.Toleration *tolerationSeconds
core.v1.TopologySelectorLabelRequirement values-
core.v1.TopologySpreadConstraint *minDomains *nodeAffinityPolicy *nodeTaintsPolicy
core.v1.TypedLocalObjectReference *apiGroup
core.v1.TypedObjectReference *apiGroup *namespace
core.v1.VolumeMount *recursiveReadOnly *mountPropagation
core.v1.VolumeMountStatus *recursiveReadOnly
core.v1.WeightedPodAffinityTerm podAffinityTerm{}
core.v1.WindowsSecurityContextOptions *gmsaCredentialSpecName *gmsaCredentialSpec *runAsUserName
  *hostProcess
discovery.v1.Endpoint *hostname *nodeName *zone addresses- conditions{}
discovery.v1.EndpointConditions *ready *serving *terminating
discovery.v1.EndpointPort *name *protocol *port *appProtocol
discovery.v1.EndpointSlice endpoints- ports-
events.v1.Event eventTime- regarding{} deprecatedSource{} deprecatedFirstTimestamp- deprecatedLastTimestamp-
events.v1.EventSeries lastObservedTime-
meta.v1.ObjectMeta *deletionGracePeriodSeconds *managedFields
meta.v1.OwnerReference *controller *blockOwnerDeletion
networking.v1.HTTPIngressPath *pathType backend{}
networking.v1.HTTPIngressRuleValue paths-
networking.v1.IngressClassParametersReference *apiGroup *scope *namespace
networking.v1.IngressPortStatus *error
networking.v1.IngressServiceBackend port{}
networking.v1.IngressSpec *ingressClassName
networking.v1.IngressStatus loadBalancer{}
networking.v1.NetworkPolicyPort *protocol *port *endPort
networking.v1.NetworkPolicySpec podSelector{}
networking.v1.ParentReference resource? name?
policy.v1.PodDisruptionBudgetSpec *minAvailable *maxUnavailable *unhealthyPodEvictionPolicy
policy.v1.PodDisruptionBudgetStatus disruptionsAllowed! currentHealthy! desiredHealthy! expectedPods!
rbac.v1.ClusterRole rules-
rbac.v1.ClusterRoleBinding roleRef{}
rbac.v1.PolicyRule verbs-
rbac.v1.Role rules-
rbac.v1.RoleBinding roleRef{}
rbac.v1.RoleRef apiGroup!
scheduling.v1.PriorityClass *preemptionPolicy value!
storage.v1.CSIDriverSpec *attachRequired *podInfoOnMount *storageCapacity *fsGroupPolicy *requiresRepublish
  *seLinuxMount *nodeAllocatableUpdatePeriodSeconds *serviceAccountTokenInSecrets
  *preventPodSchedulingIfMissing
storage.v1.CSINodeDriver topologyKeys-
storage.v1.CSINodeSpec drivers-
storage.v1.CSIStorageCapacity *capacity *maximumVolumeSize
storage.v1.StorageClass *reclaimPolicy *allowVolumeExpansion *volumeBindingMode
storage.v1.TokenRequest *expirationSeconds
storage.v1.VolumeAttachmentSource *persistentVolumeName
storage.v1.VolumeAttachmentSpec source{}
storage.v1.VolumeError *errorCode time-
storage.v1.VolumeNodeResources *count
"""
