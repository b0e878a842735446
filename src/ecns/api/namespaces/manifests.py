"""Between the reference's namespaces and Kubernetes' Namespace, ResourceQuota and Pod Security labels.

Source: decisions, "Units" and "Other chapters";
https://kubernetes.io/docs/concepts/security/pod-security-admission/,
https://kubernetes.io/docs/concepts/policy/resource-quotas/.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from ecns.api.namespaces.types import (
    UNLIMITED,
    Namespace,
    NamespaceBase,
    NamespaceStatus,
    Quota,
    QuotaStatus,
    SecurityPolicy,
    User,
)
from ecns.backends.kubernetes.kinds import core
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.backends.kubernetes.kinds.quantities import amount, from_gib, from_mib, gib, mib
from ecns.identity.place import (
    BUSINESS_TYPE_LABEL,
    DOMAIN_NAME_ANNOTATION,
    PROJECT_LABEL,
    PROJECT_NAME_ANNOTATION,
    ROLES_ANNOTATION,
    USERS_ANNOTATION,
)

QUOTA_NAME = "ecns"
"""The ResourceQuota that ECNS keeps in a namespace; others beside it are left alone."""

_ENFORCE = "pod-security.kubernetes.io/enforce"
_WARN = "pod-security.kubernetes.io/warn"
_LEVELS: dict[SecurityPolicy, dict[str, str | None]] = {
    "Limited": {_ENFORCE: "baseline", _WARN: "restricted"},
    "Unlimited": {_ENFORCE: "privileged", _WARN: None},
}

_COUNTS = {
    "pods": "pods",
    "statefulsets": "count/statefulsets.apps",
    "deployments": "count/deployments.apps",
    "jobs": "count/jobs.batch",
    "cronjobs": "count/cronjobs.batch",
    "persistentvolumeclaims": "persistentvolumeclaims",
    "configmaps": "configmaps",
    "services": "services",
    "loadbalancers": "services.loadbalancers",
    "secrets": "secrets",
    "ingress": "count/ingresses.networking.k8s.io",
}
_Reader = Callable[[Any], int]
_Writer = Callable[[int], str]


def _whole(quantity: Any) -> int:
    return int(amount(quantity))


_KEYS: dict[str, tuple[str, _Reader, _Writer]] = {
    **{name: (key, _whole, str) for name, key in _COUNTS.items()},
    "cpu": ("limits.cpu", _whole, str),
    "memory": ("limits.memory", mib, from_mib),
    "storage": ("requests.storage", gib, from_gib),
}


def namespace_object(namespace: Namespace) -> JsonObject:
    """The Namespace to make; its base is complete."""
    base = namespace.namespace_base
    labels = {PROJECT_LABEL: base.project_id, "app.kubernetes.io/managed-by": "ecns"}
    if base.business_type is not None:
        labels[BUSINESS_TYPE_LABEL] = base.business_type
    if namespace.psp is not None:
        labels |= {key: level for key, level in security_labels(namespace.psp).items() if level is not None}
    annotations = {PROJECT_NAME_ANNOTATION: base.project or "", DOMAIN_NAME_ANNOTATION: base.domain or ""}
    if base.role:
        annotations[ROLES_ANNOTATION] = json.dumps(base.role)
    if base.user_ids:
        annotations[USERS_ANNOTATION] = users_annotation(base.user_ids)
    return {
        "apiVersion": core.NAMESPACE.api_version,
        "kind": core.NAMESPACE.kind,
        "metadata": {"name": base.name, "labels": labels, "annotations": annotations},
    }


def security_labels(policy: SecurityPolicy) -> dict[str, str | None]:
    """The labels of a security policy; None takes one away."""
    return _LEVELS[policy]


def users_annotation(users: list[User]) -> str:
    """How the users who may see a namespace are kept."""
    return json.dumps([msgspec.to_builtins(user) for user in users], ensure_ascii=False)


def hard(quota: Quota) -> dict[str, str]:
    """The limits of a ResourceQuota; what is unlimited or not named has none."""
    limits = {}
    for name, (key, _, write) in _KEYS.items():
        value = getattr(quota, name)
        if value is not None and value != UNLIMITED:
            limits[key] = write(value)
    return limits


def quota_object(quota: Quota, namespace: str) -> JsonObject:
    """The ResourceQuota to apply."""
    return {
        "apiVersion": core.RESOURCE_QUOTA.api_version,
        "kind": core.RESOURCE_QUOTA.kind,
        "metadata": {
            "name": QUOTA_NAME,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "ecns"},
        },
        "spec": {"hard": hard(quota)},
    }


def quota(limits: dict[str, Any] | None, *, missing: int = UNLIMITED) -> Quota:
    """The reference's quota from a ResourceQuota's quantities."""
    found = limits or {}
    values = {name: read(found[key]) if key in found else missing for name, (key, read, _) in _KEYS.items()}
    return Quota(**values)


def quota_status(resource_quota: core.ResourceQuota | None) -> QuotaStatus:
    """The limits and what is used; without a ResourceQuota everything is unlimited."""
    if resource_quota is None:
        return QuotaStatus(hard=quota(None), used=quota(None, missing=0), exceeded=[])
    limits = quota(resource_quota.spec.hard)
    used = quota(resource_quota.status.used, missing=0)
    exceeded = [name for name in _KEYS if UNLIMITED != getattr(limits, name) < getattr(used, name)]
    return QuotaStatus(hard=limits, used=used, exceeded=exceeded)


def namespace(
    found: core.Namespace, resource_quota: core.ResourceQuota | None, *, cluster_name: str, cluster_type: Any
) -> Namespace:
    """The reference's namespace from Kubernetes' objects; total: a foreign namespace shows too."""
    metadata = found.metadata
    labels, annotations = metadata.labels or {}, metadata.annotations or {}
    level = labels.get(_ENFORCE)
    business_type: Any = labels.get(BUSINESS_TYPE_LABEL)
    return Namespace(
        namespace_base=NamespaceBase(
            name=metadata.name,
            cluster_name=cluster_name,
            cluster_type=cluster_type,
            business_type=business_type,
            domain=annotations.get(DOMAIN_NAME_ANNOTATION, ""),
            project=annotations.get(PROJECT_NAME_ANNOTATION, ""),
            project_id=labels.get(PROJECT_LABEL, ""),
            role=_kept(annotations.get(ROLES_ANNOTATION), list[str]),
            user_ids=_kept(annotations.get(USERS_ANNOTATION), list[User]),
        ),
        psp=None if level is None else "Unlimited" if level == "privileged" else "Limited",
        quota=quota(resource_quota.spec.hard) if resource_quota else None,
        namespace_status=NamespaceStatus(
            status=found.status.phase, creation_time=metadata.creation_timestamp or ""
        ),
    )


def _kept(text: str | None, kind: Any) -> Any:
    """What an annotation of ours holds; somebody else's writing in it shows as nothing."""
    try:
        return msgspec.json.decode(text or "[]", type=kind)
    except msgspec.DecodeError:
        return []
