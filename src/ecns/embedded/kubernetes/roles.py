"""The roles and bindings that every cluster has.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.rbac import CLUSTER_BINDINGS, CLUSTER_ROLES, GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecns.embedded.kubernetes.errors import Object

_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_ANNOTATIONS = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_READ = "get list watch"
_WRITE = "create delete deletecollection patch update"
_BOTH = "create delete deletecollection get list patch update watch"
_WORKLOADS = (
    "daemonsets daemonsets/status deployments deployments/scale deployments/status {}replicasets "
    "replicasets/scale "
    "replicasets/status {}"
)
_ALL_READERS = "/healthz /livez /readyz /version /version/"

_VIEW = (
    (
        _READ,
        "",
        (
            "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods "
            "replicationcontrollers "
            "replicationcontrollers/scale serviceaccounts services services/status"
        ),
    ),
    (
        _READ,
        "",
        (
            "bindings limitranges namespaces/status pods/log pods/status "
            "replicationcontrollers/status resourcequotas "
            "resourcequotas/status"
        ),
    ),
    (_READ, "", "namespaces"),
    (_READ, ",events.k8s.io", "events"),
    (_READ, "discovery.k8s.io", "endpointslices"),
    (
        _READ,
        "apps",
        "controllerrevisions " + _WORKLOADS.format("", "statefulsets statefulsets/scale statefulsets/status"),
    ),
    (_READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    (_READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
    (
        _READ,
        "extensions",
        _WORKLOADS.format("ingresses ingresses/status networkpolicies ", "replicationcontrollers/scale"),
    ),
    (_READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    (_READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    (_READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
)
_EDIT = (
    (_READ, "", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
    ("impersonate", "", "serviceaccounts"),
    (_WRITE, "", "pods pods/attach pods/exec pods/portforward pods/proxy"),
    ("create", "", "pods/eviction"),
    (
        _WRITE,
        "",
        (
            "configmaps events persistentvolumeclaims replicationcontrollers "
            "replicationcontrollers/scale secrets "
            "serviceaccounts services services/proxy"
        ),
    ),
    ("create", "", "serviceaccounts/token"),
    (
        _WRITE,
        "apps",
        (
            "daemonsets deployments deployments/rollback deployments/scale replicasets "
            "replicasets/scale statefulsets "
            "statefulsets/scale"
        ),
    ),
    (_WRITE, "autoscaling", "horizontalpodautoscalers"),
    (_WRITE, "batch", "cronjobs jobs"),
    (
        _WRITE,
        "extensions",
        (
            "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies "
            "replicasets replicasets/scale replicationcontrollers/scale"
        ),
    ),
    (_WRITE, "policy", "poddisruptionbudgets"),
    (_WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    (_BOTH, "coordination.k8s.io", "leases"),
    (_WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
)
_ADMIN = (
    ("create", "authorization.k8s.io", "localsubjectaccessreviews"),
    (_BOTH, GROUP, "rolebindings roles"),
)


def _rules(table: tuple[tuple[str, str, str], ...]) -> list[Object]:
    return [
        {"verbs": verbs.split(), "apiGroups": groups.split(","), "resources": resources.split()}
        for verbs, groups, resources in table
    ]


def _paths(*urls: str) -> list[Object]:
    return [{"verbs": ["get"], "nonResourceURLs": listed.split()} for listed in urls]


def _role(name: str, rules: list[Object] | None, *, joins: str = "", gathers: str = "") -> tuple[str, Object]:
    labels = dict(_LABELS)
    if joins:
        labels[f"{_AGGREGATE}{joins}"] = "true"
    role: Object = {
        "metadata": {"name": name, "labels": labels, "annotations": dict(_ANNOTATIONS)},
        "rules": rules,
    }
    if gathers:
        role["aggregationRule"] = {
            "clusterRoleSelectors": [{"matchLabels": {f"{_AGGREGATE}{gathers}": "true"}}]
        }
    return CLUSTER_ROLES, role


def _binding(name: str, *groups: str) -> tuple[str, Object]:
    return CLUSTER_BINDINGS, {
        "metadata": {"name": name, "labels": dict(_LABELS), "annotations": dict(_ANNOTATIONS)},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": GROUP, "kind": "Group", "name": group} for group in groups],
    }


def defaults() -> Iterator[tuple[str, Object]]:
    """(resource, object) of each."""
    everything = [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
    ]
    yield _role("cluster-admin", everything)
    yield _role("system:aggregate-to-view", _rules(_VIEW), joins="view")
    yield _role("system:aggregate-to-edit", _rules(_EDIT), joins="edit")
    yield _role("system:aggregate-to-admin", _rules(_ADMIN), joins="admin")
    yield _role("view", None, joins="edit", gathers="view")
    yield _role("edit", None, joins="admin", gathers="edit")
    yield _role("admin", None, gathers="admin")
    own = (
        ("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
        ("create", "authentication.k8s.io", "selfsubjectreviews"),
    )
    yield _role("system:basic-user", _rules(own))
    yield _role(
        "system:discovery",
        _paths("/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"),
    )
    yield _role("system:public-info-viewer", _paths(_ALL_READERS))
    yield _role("system:service-account-issuer-discovery", _paths("/.well-known /.well-known/*"))
    yield _binding("cluster-admin", "system:masters")
    yield _binding("system:basic-user", "system:authenticated")
    yield _binding("system:discovery", "system:authenticated")
    yield _binding("system:public-info-viewer", "system:authenticated", "system:unauthenticated")
    yield _binding("system:service-account-issuer-discovery", "system:authenticated")
