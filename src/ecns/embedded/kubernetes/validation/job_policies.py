"""What a Job says of its pods' failure and success, of indexes and of who manages it.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
and the refusals of a Kubernetes 1.36.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.validation import names

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_MODES = ("NonIndexed", "Indexed")
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATES = ("False", "True", "Unknown")
_MOST_RULES, _MOST_CODES, _MOST_PARALLEL = 20, 255, 100_000
_NUMBER = re.compile(r"[0-9]{1,18}")


def _chosen(causes: Causes, path: str, value: str, supported: tuple[str, ...]) -> None:
    if not value:
        listed = " ".join(f'"{item}"' for item in supported)
        causes.required(path, f"valid values: [{listed}]")
    else:
        causes.one_of(path, value, supported)


def indexes(causes: Causes, path: str, spec: Object) -> None:
    """Checks the completion mode and what only a Job with indexes has."""
    mode, completions = spec.get("completionMode"), spec.get("completions")
    failed = spec.get("maxFailedIndexes")
    for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
        causes.not_negative(f"{path}.{name}", spec.get(name))
    if failed is not None and "backoffLimitPerIndex" not in spec:
        causes.required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    if "managedBy" in spec:
        _manager(causes, f"{path}.managedBy", spec["managedBy"])
    if mode is not None:
        causes.one_of(f"{path}.completionMode", mode, _MODES)
    if mode == "Indexed":
        if completions is None:
            causes.required(f"{path}.completions", "when completion mode is Indexed")
        elif failed is not None and failed > completions:
            causes.invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions")
        if spec.get("parallelism", 0) > _MOST_PARALLEL:
            detail = f"must be less than or equal to {_MOST_PARALLEL} when completion mode is Indexed"
            causes.invalid(f"{path}.parallelism", spec["parallelism"], detail)
    elif mode == "NonIndexed":
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if name in spec:
                causes.invalid(f"{path}.{name}", spec[name], "requires indexed completion mode")


def _manager(causes: Causes, path: str, name: str) -> None:
    domain, slash, rest = name.partition("/")
    if not name:
        causes.required(path)
    elif not slash or not domain or not rest:
        causes.invalid(path, name, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        causes.each(path, domain, names.dns_subdomain(domain))
        if len(name) > names.LABEL_LENGTH:
            causes.too_long(path, names.LABEL_LENGTH)


def policies(causes: Causes, path: str, spec: Object) -> None:
    """Checks `podFailurePolicy`, `successPolicy` and `podReplacementPolicy`."""
    if "podFailurePolicy" in spec:
        at, rules = f"{path}.podFailurePolicy.rules", spec["podFailurePolicy"].get("rules") or []
        if len(rules) > _MOST_RULES:
            causes.too_many(at, len(rules), _MOST_RULES)
        for index, rule in enumerate(rules):
            _failure_rule(causes, f"{at}[{index}]", rule, spec)
    if "successPolicy" in spec:
        _success(causes, f"{path}.successPolicy", spec)
    replacing = spec.get("podReplacementPolicy")
    if replacing is not None:
        choices = ("Failed",) if "podFailurePolicy" in spec else ("Failed", "TerminatingOrFailed")
        causes.one_of(f"{path}.podReplacementPolicy", replacing, choices)


def _failure_rule(causes: Causes, path: str, rule: Object, spec: Object) -> None:
    action, conditions = rule.get("action", ""), rule.get("onPodConditions") or []
    if action == "FailIndex" and "backoffLimitPerIndex" not in spec:
        causes.invalid(f"{path}.action", action, "requires the backoffLimitPerIndex to be set")
    else:
        _chosen(causes, f"{path}.action", action, _ACTIONS)
    if "onExitCodes" in rule:
        _exit_codes(causes, f"{path}.onExitCodes", rule["onExitCodes"], spec)
    if len(conditions) > _MOST_RULES:
        causes.too_many(f"{path}.onPodConditions", len(conditions), _MOST_RULES)
    for index, condition in enumerate(conditions):
        at, kind = f"{path}.onPodConditions[{index}]", condition.get("type", "")
        causes.each(f"{at}.type", kind, names.qualified_name(kind))
        _chosen(causes, f"{at}.status", condition.get("status", ""), _STATES)
    if "onExitCodes" in rule and conditions:
        causes.wrong(path, "specifying both OnExitCodes and OnPodConditions is not supported")
    if "onExitCodes" not in rule and not conditions:
        causes.wrong(path, "specifying one of OnExitCodes and OnPodConditions is required")


def _exit_codes(causes: Causes, path: str, found: Object, spec: Object) -> None:
    operator, codes, container = (
        found.get("operator", ""),
        found.get("values") or [],
        found.get("containerName"),
    )
    pod = spec["template"].get("spec", {})
    there = {item.get("name") for field in ("containers", "initContainers") for item in pod.get(field) or ()}
    _chosen(causes, f"{path}.operator", operator, _OPERATORS)
    if container is not None and container not in there:
        detail = "must be one of the container or initContainer names in the pod template"
        causes.invalid(f"{path}.containerName", container, detail)
    if not codes:
        causes.invalid(f"{path}.values", codes, "at least one value is required")
    elif len(codes) > _MOST_CODES:
        causes.too_many(f"{path}.values", len(codes), _MOST_CODES)
    seen: set[int] = set()
    for index, code in enumerate(codes):
        if operator == "In" and code == 0:
            causes.invalid(f"{path}.values[{index}]", code, "must not be 0 for the In operator")
        if code in seen:
            causes.duplicate(f"{path}.values[{index}]", code)
        seen.add(code)
    if codes != sorted(codes):
        causes.invalid(f"{path}.values", codes, "must be ordered")


def success_shown(policy: Object | None) -> Object | None:
    """A `successPolicy` as messages show it."""
    if policy is None:
        return None
    fields = {"SucceededIndexes": "succeededIndexes", "SucceededCount": "succeededCount"}
    shown = [{name: rule.get(field) for name, field in fields.items()} for rule in policy.get("rules") or ()]
    return {"Rules": shown or None}


def _success(causes: Causes, path: str, spec: Object) -> None:
    rules, at = spec["successPolicy"].get("rules") or [], f"{path}.rules"
    if spec.get("completionMode") != "Indexed":
        causes.invalid(path, success_shown(spec["successPolicy"]), "requires indexed completion mode")
        return
    if not rules:
        causes.required(at, "at least one rules must be specified when the successPolicy is specified")
    elif len(rules) > _MOST_RULES:
        causes.too_many(at, len(rules), _MOST_RULES)
    for index, rule in enumerate(rules):
        _success_rule(causes, f"{at}[{index}]", rule, spec.get("completions") or 0)


def _success_rule(causes: Causes, path: str, rule: Object, completions: int) -> None:
    listed, count = rule.get("succeededIndexes"), rule.get("succeededCount")
    if listed is None and count is None:
        causes.required(path, "at least one of succeededCount or succeededIndexes must be specified")
        return
    total: int | None = None
    if listed is not None:
        try:
            total = counted(listed, completions)
        except ValueError as error:
            detail = f"error parsing succeededIndexes: {error}"
            causes.invalid(f"{path}.succeededIndexes", listed, detail)
            total = 0
    if count is None:
        return
    at = f"{path}.succeededCount"
    causes.not_negative(at, count)
    if count > completions:
        detail = f"must be less than or equal to {completions} (the number of specified completions)"
        causes.invalid(at, count, detail)
    if total is not None and count > total:
        where = "the number of indexes in the specified succeededIndexes field"
        causes.invalid(at, count, f"must be less than or equal to {total} ({where})")


def indexes_of(listed: str) -> set[int]:
    """The indexes that a text such as `0,2-4` names; none if it is no such text."""
    found: set[int] = set()
    for part in listed.split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def counted(listed: str, completions: int) -> int:
    """How many indexes a text such as `0,2-4` names.

    Raises:
        ValueError: it is not such a text, or an index is not below `completions`.
    """
    total, previous = 0, -1
    for part in listed.split(",") if listed else ():
        ends = part.split("-")
        if len(ends) > 2:  # noqa: PLR2004  first and last
            raise ValueError(
                f'the fragment "{part}" violates the requirement that an index interval '
                "can have at most two parts separated by '-'"
            )
        first = previous
        for end in ends:
            if not _NUMBER.fullmatch(end):
                raise ValueError(f'cannot convert string to integer for index: "{end}"')
            if int(end) >= completions:
                raise ValueError(f'too large index: "{end}"')
            if int(end) <= previous:
                raise ValueError(f"non-increasing order, previous: {previous}, current: {int(end)}")
            first, previous = (int(end), int(end)) if end is ends[0] else (first, int(end))
        total += previous - first + 1
    return total
