"""Roles and bindings.

Source: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/ and recorded refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.validation import meta, names

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_GROUP = "rbac.authorization.k8s.io"


def _rules(causes: Causes, rules: list[Object], *, namespaced: bool) -> None:
    for index, rule in enumerate(rules):
        path = f"rules[{index}]"
        if not rule.get("verbs"):
            causes.required(f"{path}.verbs", "verbs must contain at least one value")
        urls = rule.get("nonResourceURLs", [])
        if urls:
            if namespaced:
                causes.invalid(
                    f"{path}.nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs"
                )
            if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                detail = "rules cannot apply to both regular resources and non-resource URLs"
                causes.invalid(f"{path}.nonResourceURLs", urls, detail)
            continue
        if not rule.get("apiGroups"):
            causes.required(f"{path}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            causes.required(f"{path}.resources", "resource rules must supply at least one resource")


def role(causes: Causes, obj: Object) -> None:
    """Checks a Role."""
    _rules(causes, obj.get("rules") or [], namespaced=True)


def cluster_role(causes: Causes, obj: Object) -> None:
    """Checks a ClusterRole."""
    _rules(causes, obj.get("rules") or [], namespaced=False)
    for index, selector in enumerate(obj.get("aggregationRule", {}).get("clusterRoleSelectors", ())):
        meta.label_selector(causes, f"aggregationRule.clusterRoleSelectors[{index}]", selector)


def _subject(causes: Causes, path: str, subject: Object, *, namespaced: bool) -> None:
    name, kind, group = subject.get("name", ""), subject.get("kind", ""), subject.get("apiGroup", "")
    if not name:
        causes.required(f"{path}.name")
    if kind == "ServiceAccount":
        if name:
            causes.each(f"{path}.name", name, names.dns_subdomain(name))
        if group:
            causes.unsupported(f"{path}.apiGroup", group, ("",))
        if not namespaced and not subject.get("namespace"):
            causes.required(f"{path}.namespace")
    elif kind in {"User", "Group"}:
        if group != _GROUP:
            causes.unsupported(f"{path}.apiGroup", group, (_GROUP,))
    else:
        causes.unsupported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group"))


def _binding(causes: Causes, obj: Object, *, namespaced: bool) -> None:
    reference = obj.get("roleRef", {})
    if reference.get("apiGroup") != _GROUP:
        causes.unsupported("roleRef.apiGroup", reference.get("apiGroup", ""), (_GROUP,))
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    if reference.get("kind") not in kinds:
        causes.unsupported("roleRef.kind", reference.get("kind", ""), kinds)
    if not reference.get("name"):
        causes.required("roleRef.name")
    else:
        causes.each("roleRef.name", reference["name"], names.path_segment(reference["name"]))
    for index, subject in enumerate(obj.get("subjects", ())):
        _subject(causes, f"subjects[{index}]", subject, namespaced=namespaced)


def role_binding(causes: Causes, obj: Object) -> None:
    """Checks a RoleBinding."""
    _binding(causes, obj, namespaced=True)


def cluster_role_binding(causes: Causes, obj: Object) -> None:
    """Checks a ClusterRoleBinding."""
    _binding(causes, obj, namespaced=False)


def _same_role(causes: Causes, new: Object, old: Object) -> None:
    reference = new.get("roleRef", {})
    if reference != old.get("roleRef"):
        shown = {name[0].upper() + name[1:]: reference.get(name, "") for name in ("apiGroup", "kind", "name")}
        shown = {"APIGroup" if name == "ApiGroup" else name: value for name, value in shown.items()}
        causes.invalid("roleRef", shown, "cannot change roleRef")


def role_binding_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a RoleBinding."""
    role_binding(causes, new)
    _same_role(causes, new, old)


def cluster_role_binding_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a ClusterRoleBinding."""
    cluster_role_binding(causes, new)
    _same_role(causes, new, old)
