"""Where pods may run: affinity, tolerations, topology spread.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#scheduling
and recorded refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.validation import meta, names

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_WEIGHTS = range(1, 101)


def _node_requirement(causes: Causes, path: str, item: Object, *, fields: bool) -> None:
    operator, values = item.get("operator", ""), item.get("values", [])
    if fields:
        if operator not in {"In", "NotIn"}:
            causes.invalid(f"{path}.operator", operator, "not a valid selector operator")
        elif len(values) != 1:
            causes.required(
                f"{path}.values",
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            )
        if item.get("key") != "metadata.name":
            causes.invalid(f"{path}.key", item.get("key", ""), "not a valid field selector key")
        return
    if operator in {"In", "NotIn"}:
        if not values:
            causes.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            causes.forbidden(
                f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            )
    elif operator in {"Gt", "Lt"}:
        if len(values) != 1:
            causes.required(
                f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'"
            )
    else:
        causes.invalid(f"{path}.operator", operator, "not a valid selector operator")
    causes.each(f"{path}.key", item.get("key", ""), names.qualified_name(item.get("key", "")))


def _node_term(causes: Causes, path: str, term: Object) -> None:
    for index, item in enumerate(term.get("matchExpressions", ())):
        _node_requirement(causes, f"{path}.matchExpressions[{index}]", item, fields=False)
    for index, item in enumerate(term.get("matchFields", ())):
        _node_requirement(causes, f"{path}.matchFields[{index}]", item, fields=True)


def node_selector(causes: Causes, path: str, selector: Object) -> None:
    """Checks a node selector with its terms."""
    terms = selector.get("nodeSelectorTerms") or []
    if not terms:
        causes.required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")
    for index, term in enumerate(terms):
        at = f"{path}.nodeSelectorTerms[{index}]"
        _node_term(causes, at, term)
        for number, item in enumerate(term.get("matchExpressions", ())):
            for position, value in enumerate(item.get("values", ())):
                where = f"{at}.matchExpressions[{number}].values[{position}]"
                causes.each(where, value, names.label_value(value))


def _pod_term(causes: Causes, path: str, term: Object) -> None:
    for name in ("labelSelector", "namespaceSelector"):
        if name in term:
            meta.label_selector(causes, f"{path}.{name}", term[name])
    for index, namespace in enumerate(term.get("namespaces", ())):
        causes.each(f"{path}.namespace[{index}]", namespace, names.dns_label(namespace))
    key = term.get("topologyKey", "")
    if not key:
        causes.required(f"{path}.topologyKey", "can not be empty")
    causes.each(f"{path}.topologyKey", key, names.qualified_name(key))


def affinity(causes: Causes, path: str, found: Object) -> None:
    """Checks node affinity, pod affinity and anti-affinity."""
    node = found.get("nodeAffinity", {})
    if _REQUIRED in node:
        node_selector(causes, f"{path}.nodeAffinity.{_REQUIRED}", node[_REQUIRED])
    for index, item in enumerate(node.get(_PREFERRED, ())):
        at = f"{path}.nodeAffinity.{_PREFERRED}[{index}]"
        _weight(causes, at, item)
        _node_term(causes, f"{at}.preference", item.get("preference", {}))
    for kind in ("podAffinity", "podAntiAffinity"):
        for index, term in enumerate(found.get(kind, {}).get(_REQUIRED, ())):
            _pod_term(causes, f"{path}.{kind}.{_REQUIRED}[{index}]", term)
        for index, item in enumerate(found.get(kind, {}).get(_PREFERRED, ())):
            at = f"{path}.{kind}.{_PREFERRED}[{index}]"
            _weight(causes, at, item)
            _pod_term(causes, f"{at}.podAffinityTerm", item.get("podAffinityTerm", {}))


def _weight(causes: Causes, path: str, item: Object) -> None:
    if item.get("weight", 0) not in _WEIGHTS:
        causes.invalid(f"{path}.weight", item.get("weight", 0), "must be in the range 1-100")


def tolerations(causes: Causes, path: str, items: list[Object]) -> None:
    """Checks tolerations."""
    for index, item in enumerate(items):
        at, key, operator, value = (
            f"{path}[{index}]",
            item.get("key"),
            item.get("operator", ""),
            item.get("value", ""),
        )
        if key:
            causes.each(f"{at}.key", key, names.qualified_name(key))
        elif operator != "Exists":
            detail = (
                'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            )
            causes.invalid(f"{at}.operator", operator, detail)
        if "tolerationSeconds" in item and item.get("effect") != "NoExecute":
            causes.invalid(
                f"{at}.effect",
                item.get("effect", ""),
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            )
        if operator in {"", "Equal"}:
            wrong = names.label_value(value)
            if wrong:
                causes.invalid(f"{at}.operator", value, ";".join(wrong))
        elif operator == "Exists":
            if value:
                causes.invalid(f"{at}.operator", value, "value must be empty when `operator` is 'Exists'")
        else:
            causes.unsupported(f"{at}.operator", operator, ("Equal", "Exists"))
        if item.get("effect"):
            causes.one_of(f"{at}.effect", item["effect"], _EFFECTS)


def topology_spread(causes: Causes, path: str, items: list[Object]) -> None:
    """Checks topology spread constraints."""
    seen: set[tuple[str, str]] = set()
    for index, item in enumerate(items):
        at, key, action = f"{path}[{index}]", item.get("topologyKey", ""), item.get("whenUnsatisfiable", "")
        if item.get("maxSkew", 0) <= 0:
            causes.invalid(f"{at}.maxSkew", item.get("maxSkew", 0), "must be greater than zero")
        if not key:
            causes.required(f"{at}.topologyKey", "can not be empty")
        else:
            causes.each(f"{at}.topologyKey", key, names.qualified_name(key))
        causes.one_of(f"{at}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway"))
        if (key, action) in seen:
            causes.duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}")
        seen.add((key, action))
        domains = item.get("minDomains")
        if domains is not None and domains <= 0:
            causes.invalid(f"{at}.minDomains", domains, "must be greater than zero")
        if domains is not None and action != "DoNotSchedule":
            detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
            causes.invalid(f"{at}.minDomains", domains, detail)
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if name in item:
                causes.one_of(f"{at}.{name}", item[name], ("Honor", "Ignore"))
        meta.label_selector(causes, f"{at}.labelSelector", item.get("labelSelector"))
