"""What ECNS itself may do in a cluster: `ecns check` asks for it, `deploy/rbac.yaml` gives it.

What people change is not here: it is made as the caller, by the caller's own rights.
Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

import msgspec

from ecns.backends.kubernetes.access import ROLES

_READ = ("get", "list", "watch")
_CHANGE = ("create", "delete", "patch")

_READS = {
    "": (
        "configmaps",
        "events",
        "namespaces",
        "nodes",
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "resourcequotas",
        "secrets",
        "serviceaccounts",
        "services",
    ),
    "apiextensions.k8s.io": ("customresourcedefinitions",),
    "apps": ("controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "discovery.k8s.io": ("endpointslices",),
    "networking.k8s.io": ("ingressclasses", "ingresses"),
    "storage.k8s.io": ("storageclasses",),
}
"""By group, what is shown."""

_CHANGES = {
    "": ("configmaps", "persistentvolumeclaims", "pods", "secrets", "services"),
    "app.k8s.io": ("applications",),
    "apps": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "networking.k8s.io": ("ingresses",),
}
"""By group, what is changed for people, and by ECNS itself only where it cannot act as they."""

_RBAC = "rbac.authorization.k8s.io"


class Right(msgspec.Struct, frozen=True, order=True):
    """A verb on a resource of all namespaces, or on the one object of a name."""

    group: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        of = f" {self.name}" if self.name else ""
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}{of}"


def _rights(table: dict[str, tuple[str, ...]], verbs: tuple[str, ...]) -> tuple[Right, ...]:
    return tuple(
        Right(group, resource, verb)
        for group, resources in table.items()
        for resource in resources
        for verb in verbs
    )


ALWAYS = (
    *_rights(_READS, _READ),
    Right("", "pods/log", "get"),
    *_rights({"": ("namespaces",)}, _CHANGE),
    *_rights({"": ("resourcequotas",)}, ("create", "patch")),
    # Storage that belongs to no namespace.
    *_rights({"storage.k8s.io": ("storageclasses",)}, _CHANGE),
    Right("", "persistentvolumes", "delete"),
    # Old revisions: no role that Kubernetes has for people lets them.
    Right("apps", "controllerrevisions", "delete"),
    # Applications: their kind, and the roles by which people may use it; to give a right is to have it.
    Right("apiextensions.k8s.io", "customresourcedefinitions", "create"),
    *_rights({_RBAC: ("clusterroles",)}, ("create", "patch")),
    *_rights({"app.k8s.io": ("applications",)}, (*_READ, *_CHANGE, "deletecollection", "update")),
)
"""In every cluster."""

SEEN = frozenset((right.group, right.resource) for right in ALWAYS if right.verb == "get")
"""Group and resource of all that ECNS reads in its own name."""

IMPERSONATION = (
    *_rights({"": ("users", "groups")}, ("impersonate",)),
    *_rights({_RBAC: ("rolebindings",)}, ("create", "patch")),
    *(Right(_RBAC, "clusterroles", "bind", name) for name in ROLES.values()),
)
"""Where changes are made as the caller, whose RoleBindings ECNS makes."""

CHANGES = tuple(
    right
    for right in (
        *_rights(_CHANGES, _CHANGE),
        Right("", "pods/exec", "create"),
        Right("", "pods/exec", "get"),  # of a WebSocket, before Kubernetes 1.35
    )
    if right not in ALWAYS
)
"""Where changes are made in ECNS's own name (`impersonate = false`)."""


def needed(*, impersonate: bool, keystone_token: bool) -> tuple[Right, ...]:
    """The rights that ECNS needs in a cluster, by the way in which changes are made there."""
    if impersonate:
        return ALWAYS + IMPERSONATION
    return ALWAYS if keystone_token else ALWAYS + CHANGES
