"""Where a pod may go: node selectors and affinity, taints and tolerations, affinity between pods.

Source: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.selectors import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ecns.embedded.kubernetes.errors import Object

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}


def fits_node(pod: Object, node: Object) -> bool:
    """Whether a node has what the pod's nodeSelector and required node affinity ask for."""
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (pod["spec"].get("nodeSelector") or {}).items()):
        return False
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_term(term, node) for term in required.get("nodeSelectorTerms") or ())


def _term(term: Object, node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    names = {"metadata.name": node["metadata"]["name"]}
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(_requirement(item).matches(labels) for item in expressions) and all(
        _requirement(item).matches(names) for item in fields
    )


def _requirement(item: Object) -> Requirement:
    return Requirement(item["key"], _OPERATORS.get(item["operator"], "!"), tuple(item.get("values") or ()))


def preference(pod: Object, node: Object) -> int:
    """The weight of the preferred node affinity terms that a node meets."""
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return sum(item["weight"] for item in preferred if _term(item["preference"], node))


def tolerates(tolerations: Iterable[Object], taint: Object) -> Object | None:
    """The toleration that lets a taint pass."""
    for item in tolerations:
        if item.get("effect") and item["effect"] != taint.get("effect"):
            continue
        if item.get("key") and item["key"] != taint.get("key"):
            continue
        if item.get("operator") == "Exists" or (
            item.get("key") and item.get("value", "") == taint.get("value", "")
        ):
            return item
    return None


def untolerated(pod: Object, node: Object, effects: tuple[str, ...]) -> Object | None:
    """The first taint of a node, of some effects, that a pod does not tolerate."""
    tolerations = pod["spec"].get("tolerations") or ()
    for taint in node["spec"].get("taints") or ():
        if taint.get("effect") in effects and tolerates(tolerations, taint) is None:
            found: Object = taint
            return found
    return None


def _terms(pod: Object, kind: str) -> list[Object]:
    affinity = (pod["spec"].get("affinity") or {}).get(kind) or {}
    return list(affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ())


def has_pod_affinity(pod: Object) -> bool:
    """Whether other pods matter to it."""
    return bool(_terms(pod, "podAffinity") or _terms(pod, "podAntiAffinity"))


def _takes(term: Object, pod: Object, other: Object) -> bool:
    namespaces = term.get("namespaces") or [pod["metadata"]["namespace"]]
    if other["metadata"]["namespace"] not in namespaces and "namespaceSelector" not in term:
        return False
    return objects.selects(objects.requirements(term.get("labelSelector")), other)


def fits_pods(pod: Object, node: Object, placed: list[tuple[Object, Object]]) -> str:
    """Why the pods that are placed, as (pod, node), keep a pod off a node; "" when they do not."""
    labels = node["metadata"].get("labels") or {}

    def together(term: Object, other: Object) -> bool:
        key = term["topologyKey"]
        return key in labels and (other["metadata"].get("labels") or {}).get(key) == labels[key]

    for term in _terms(pod, "podAffinity"):
        matching = [where for other, where in placed if _takes(term, pod, other)]
        alone = not matching and _takes(term, pod, pod)
        if not alone and not any(together(term, where) for where in matching):
            return "node(s) didn't match pod affinity rules"
    for term in _terms(pod, "podAntiAffinity"):
        if any(_takes(term, pod, other) and together(term, where) for other, where in placed):
            return "node(s) didn't match pod anti-affinity rules"
    for other, where in placed:
        for term in _terms(other, "podAntiAffinity"):
            if _takes(term, other, pod) and together(term, where):
                return "node(s) didn't satisfy existing pods anti-affinity rules"
    return ""
