"""What an update says of the object that it replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.errors import ApiError, Cause, conflict, invalid

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.resources import Resource
    from ecns.embedded.kubernetes.store import Record

_STALE = "the object has been modified; please apply your changes to the latest version and try again"
MADE_BY_UPDATE = frozenset(
    {
        "endpoints",
        "events",
        "leases.coordination.k8s.io",
        "limitranges",
        "rolebindings.rbac.authorization.k8s.io",
        "roles.rbac.authorization.k8s.io",
        "clusterroles.rbac.authorization.k8s.io",
        "clusterrolebindings.rbac.authorization.k8s.io",
        "runtimeclasses.node.k8s.io",
        "services",
    }
)
"""Resources of which a PUT makes what is not there."""
_NEEDS_VERSION = frozenset(
    {
        "customresourcedefinitions.apiextensions.k8s.io",
        "leases.coordination.k8s.io",
        "poddisruptionbudgets.policy",
        "runtimeclasses.node.k8s.io",
        "csidrivers.storage.k8s.io",
        "csinodes.storage.k8s.io",
        "csistoragecapacities.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
    }
)
"""Resources (besides custom ones) whose PUT must say which resourceVersion it replaces."""


def check(kind: Resource, record: Record, metadata: Object) -> None:
    """Compares the resourceVersion and uid that an update names with the object's.

    Raises:
        ApiError: 409 when they are others, 422 when the kind needs a version and there is none.
    """
    asked = metadata.get("resourceVersion") or ""
    if asked in {"", "0"}:
        if kind.definition or kind.name in _NEEDS_VERSION:
            cause = Cause(
                "FieldValueInvalid",
                "Invalid value: 0: must be specified for an update",
                "metadata.resourceVersion",
            )
            name = kind.plural if kind.definition else kind.kind
            raise invalid(name, kind.group, record.name, [cause])
    elif asked != str(record.rv):
        if not asked.isdigit():
            raise ApiError(500, "", f'strconv.ParseUint: parsing "{asked}": invalid syntax')
        raise conflict(kind.name, record.name, _STALE)
    uid = metadata.get("uid")
    if uid and uid != record.uid:
        place = f"{record.namespace}/{record.name}" if record.namespace else record.name
        why = (
            f"StorageError: invalid object, Code: 4, Key: /registry/{kind.plural}/{place}, "
            "ResourceVersion: 0, "
            f"AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in "
            f"object meta: {record.uid}"
        )
        raise conflict(kind.name, record.name, why)
