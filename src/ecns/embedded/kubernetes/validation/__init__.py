"""Validation: what Kubernetes refuses, in its own words and order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ecns.embedded.kubernetes import patches, schemas
from ecns.embedded.kubernetes.validation import (
    batch,
    configuration,
    csi,
    definitions,
    events,
    job_status,
    limits,
    meta,
    names,
    network,
    others,
    pods,
    rbac,
    services,
    storage,
    workloads,
)
from ecns.embedded.kubernetes.validation.causes import Causes
from ecns.embedded.kubernetes.validation.strategies import prepare_for_create, prepare_for_update
from ecns.embedded.kubernetes.validation.warnings import warnings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecns.embedded.kubernetes.errors import Cause, Object

    Check = Callable[[Causes, Object], None]
    CheckUpdate = Callable[[Causes, Object, Object], None]

__all__ = [
    "prepare_for_create",
    "prepare_for_update",
    "unknown_fields",
    "validate_create",
    "validate_update",
    "warnings",
]


class _Rules(NamedTuple):
    """How a kind is checked; `again` tells that an update looks at the metadata once more as on a create."""

    create: Check
    update: CheckUpdate | None = None
    name: Callable[[str], list[str]] = names.dns_subdomain
    again: bool = False
    status: CheckUpdate | None = None


_RBAC = "rbac.authorization.k8s.io"
_RULES: dict[str, _Rules] = {
    "pods": _Rules(pods.pod, pods.update),
    "podtemplates": _Rules(pods.pod_template),
    "replicationcontrollers": _Rules(workloads.replication_controller, status=workloads.replica_set_status),
    "services": _Rules(
        services.service, services.service_update, names.dns_label, status=services.service_status
    ),
    "endpoints": _Rules(services.endpoints),
    "endpointslices.discovery.k8s.io": _Rules(services.endpoint_slice, services.endpoint_slice_update),
    "configmaps": _Rules(configuration.config_map, configuration.config_map_update, again=True),
    "secrets": _Rules(configuration.secret, configuration.secret_update, again=True),
    "serviceaccounts": _Rules(others.nothing),
    "namespaces": _Rules(others.namespace, name=names.dns_label, status=others.namespace_status),
    "nodes": _Rules(others.node, others.node_update, status=others.node_update),
    "events": _Rules(events.core),
    "events.events.k8s.io": _Rules(events.create, events.update),
    "persistentvolumes": _Rules(storage.volume, storage.volume_update),
    "persistentvolumeclaims": _Rules(storage.claim, storage.claim_update),
    "resourcequotas": _Rules(
        limits.resource_quota, limits.resource_quota_update, status=limits.resource_quota_status
    ),
    "limitranges": _Rules(limits.limit_range, limits.limit_range_update),
    "deployments.apps": _Rules(
        workloads.deployment, workloads.deployment_update, status=workloads.deployment_status
    ),
    "replicasets.apps": _Rules(
        workloads.replica_set, workloads.replica_set_update, status=workloads.replica_set_status
    ),
    "statefulsets.apps": _Rules(
        workloads.stateful_set,
        workloads.stateful_set_update,
        names.dns_label,
        status=workloads.stateful_set_status,
    ),
    "daemonsets.apps": _Rules(workloads.daemon_set, workloads.daemon_set_update),
    "controllerrevisions.apps": _Rules(workloads.controller_revision, workloads.controller_revision_update),
    "jobs.batch": _Rules(batch.job, batch.job_update, status=job_status.status_update),
    "cronjobs.batch": _Rules(batch.cron_job, batch.cron_job_update, batch.cron_job_name),
    "horizontalpodautoscalers.autoscaling": _Rules(limits.autoscaler, limits.autoscaler_update),
    "poddisruptionbudgets.policy": _Rules(
        limits.disruption_budget,
        limits.disruption_budget_update,
        names.path_segment,
        status=limits.disruption_budget_status,
    ),
    "ingresses.networking.k8s.io": _Rules(
        network.ingress, network.ingress_update, status=network.ingress_status
    ),
    "ingressclasses.networking.k8s.io": _Rules(network.ingress_class, network.ingress_class_update),
    "networkpolicies.networking.k8s.io": _Rules(network.network_policy, network.network_policy_update),
    "servicecidrs.networking.k8s.io": _Rules(network.service_cidr, network.service_cidr_update),
    "ipaddresses.networking.k8s.io": _Rules(network.ip_object, network.ip_object_update, names.canonical_ip),
    "storageclasses.storage.k8s.io": _Rules(storage.storage_class, storage.storage_class_update),
    "csidrivers.storage.k8s.io": _Rules(csi.driver, csi.driver_update),
    "csinodes.storage.k8s.io": _Rules(csi.node, csi.node_update),
    "csistoragecapacities.storage.k8s.io": _Rules(csi.capacity, csi.capacity_update),
    "volumeattachments.storage.k8s.io": _Rules(csi.attachment, csi.attachment_update),
    "volumeattributesclasses.storage.k8s.io": _Rules(csi.attributes_class, csi.attributes_class_update),
    f"roles.{_RBAC}": _Rules(rbac.role, name=names.path_segment),
    f"clusterroles.{_RBAC}": _Rules(rbac.cluster_role, name=names.path_segment),
    f"rolebindings.{_RBAC}": _Rules(rbac.role_binding, rbac.role_binding_update, names.path_segment),
    f"clusterrolebindings.{_RBAC}": _Rules(
        rbac.cluster_role_binding, rbac.cluster_role_binding_update, names.path_segment
    ),
    "leases.coordination.k8s.io": _Rules(others.lease),
    "priorityclasses.scheduling.k8s.io": _Rules(limits.priority_class, limits.priority_class_update),
    "runtimeclasses.node.k8s.io": _Rules(others.runtime_class, others.runtime_class_update),
    "customresourcedefinitions.apiextensions.k8s.io": _Rules(
        definitions.definition, definitions.definition_update
    ),
}
_ANY = _Rules(others.nothing)


def unknown_fields(resource: str, obj: Object) -> list[str]:
    """What strict decoding of a built-in object complains of, such as `unknown field "spec.foo"`.

    Args:
        resource: `pods` or `deployments.apps`.
        obj: the object as it was sent, which is not changed.

    Raises:
        ApiError: 400, when a value does not fit its field (`json: cannot unmarshal …`).
    """
    try:
        found = schemas.decode(resource, patches.copy(obj))
    except schemas.DecodeError as error:
        kind = schemas.builtin(resource)
        raise schemas.cannot_handle(obj, kind.kind if kind else str(obj.get("kind")), str(error)) from None
    return [f'unknown field "{path}"' for path in found]


def _is_namespaced(resource: str, obj: Object) -> bool:
    kind = schemas.builtin(resource)
    return kind.namespaced if kind else bool(obj.get("metadata", {}).get("namespace"))


def _is_kube(resource: str) -> bool:
    kind = schemas.builtin(resource)
    return kind is not None and kind.group != "apiextensions.k8s.io"


def _without_generated_labels(job: Object) -> Object:
    """A Job as it is checked: the labels of its pods are shown on it, but are not its own yet."""
    metadata = job["metadata"]
    own = {
        key: value for key, value in metadata.get("labels", {}).items() if key not in batch.GENERATED_LABELS
    }
    return {**job, "metadata": {**metadata, "labels": own}}


def validate_create(resource: str, obj: Object) -> list[Cause]:
    """Everything that is wrong with a new object, which has its defaults; [] when it is fine.

    Of a custom resource only the metadata is checked (see `validation.schema` for the rest).
    """
    rules, causes = _RULES.get(resource, _ANY), Causes()
    checked = _without_generated_labels(obj) if resource == "jobs.batch" else obj
    namespaced, kube = _is_namespaced(resource, obj), _is_kube(resource)
    meta.create(causes, checked, namespaced=namespaced, check_name=rules.name, kube=kube)
    rules.create(causes, obj)
    return causes


def validate_update(resource: str, new: Object, old: Object, subresource: str = "") -> list[Cause]:
    """Everything that is wrong with a change of a stored object; [] when it is fine."""
    rules, causes = _RULES.get(resource, _ANY), Causes()
    # the server looks at the metadata three times, so that a fault in it gives as many causes
    meta.common(causes, new["metadata"], kube=False)
    meta.update(causes, new, old, kube=False)
    meta.update(causes, new, old, kube=_is_kube(resource))
    if schemas.builtin(resource) is None:
        return causes
    if subresource == "status":
        if rules.status is not None:
            rules.status(causes, new, old)
        return causes
    if subresource == "resize":
        pods.resize(causes, new, old)
        return causes
    if subresource:
        return causes
    if rules.again:
        meta.common(causes, new["metadata"], kube=True)
    if rules.update is not None:
        rules.update(causes, new, old)
    else:
        rules.create(causes, new)
    return causes
