"""Defaults: what an API server fills in when an object comes in.

Source: the answers of Kubernetes 1.36 to minimal objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import schemas
from ecns.embedded.kubernetes.defaults import network, pods, storage, workloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecns.embedded.kubernetes.errors import Object

_RBAC = "rbac.authorization.k8s.io"
_DEFAULTS: dict[str, Callable[[Object], None]] = {
    "pods": pods.pod,
    "podtemplates": pods.pod_template,
    "replicationcontrollers": workloads.replication_controller,
    "deployments.apps": workloads.deployment,
    "replicasets.apps": workloads.replica_set,
    "statefulsets.apps": workloads.stateful_set,
    "daemonsets.apps": workloads.daemon_set,
    "jobs.batch": workloads.job,
    "cronjobs.batch": workloads.cron_job,
    "horizontalpodautoscalers.autoscaling": workloads.horizontal_pod_autoscaler,
    "persistentvolumeclaims": storage.persistent_volume_claim,
    "persistentvolumes": storage.persistent_volume,
    "storageclasses.storage.k8s.io": storage.storage_class,
    "csidrivers.storage.k8s.io": storage.csi_driver,
    "secrets": storage.secret,
    "resourcequotas": storage.resource_quota,
    "limitranges": storage.limit_range,
    "namespaces": storage.namespace,
    "nodes": storage.node,
    "services": network.service,
    "endpoints": network.endpoints,
    "endpointslices.discovery.k8s.io": network.endpoint_slice,
    "ingressclasses.networking.k8s.io": network.ingress_class,
    "networkpolicies.networking.k8s.io": network.network_policy,
    f"rolebindings.{_RBAC}": network.role_binding,
    f"clusterrolebindings.{_RBAC}": network.role_binding,
    "priorityclasses.scheduling.k8s.io": network.priority_class,
    "customresourcedefinitions.apiextensions.k8s.io": network.custom_resource_definition,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": network.webhook_configuration,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": network.webhook_configuration,
}


def apply_defaults(resource: str, obj: Object) -> None:
    """Brings a built-in object into the server's form and fills in the defaults, in place.

    Fields that are unknown or empty go, quantities and times get their canonical spelling. Objects of custom
    resources are left alone (see `validation.schema`).

    Args:
        resource: `pods` or `deployments.apps`.
        obj: the object, with `apiVersion` and `kind` when its resource has several versions.

    Raises:
        ecns.embedded.kubernetes.schemas.DecodeError: a value does not fit its field.
    """
    if schemas.of_object(resource, obj) is None:
        return
    schemas.decode(resource, obj)
    default = _DEFAULTS.get(resource)
    if default is not None:
        default(obj)
