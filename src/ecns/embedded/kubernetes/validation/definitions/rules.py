"""The rules (`x-kubernetes-validations`) and selectable fields of a CustomResourceDefinition's schemas.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ecns.embedded.kubernetes.validation import cel
from ecns.embedded.kubernetes.validation.cel import checking, kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

RULES = "x-kubernetes-validations"
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_RULE_LIMIT, _TOTAL_LIMIT = 10_000_000, 100_000_000
_MOST_SELECTABLE = 8
_DEAREST, _DEAR_SHARE = 4, 0.01
_CONTRIBUTED = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
_LINES = re.compile(r"[\n\r]")
_STEP = re.compile(r"\.([^.\[\]]+)|\['((?:\\.|[^'\\])*)'\]")
_DELIMITERS = re.compile(r"[.\[\]]")
_ADVICE = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, "
    "and strings are declared)"
)


class _PathError(ValueError):
    pass


class _Place(NamedTuple):
    """A schema in a schema: where, how often it may occur (None for no limit), what cannot be followed."""

    path: str
    schema: Object
    root: bool
    often: int | None
    unfollowed: str


def _places(place: _Place) -> Iterator[_Place]:
    yield place
    path, schema, _, often, unfollowed = place
    items, more = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, dict):
        follows = schema.get("x-kubernetes-list-type") == "map"
        yield from _places(
            _Place(
                f"{path}.items",
                items,
                _embedded(items),
                _multiplied(often, schema.get("maxItems")),
                unfollowed if follows else unfollowed or path,
            )
        )
    atomic = schema.get("x-kubernetes-map-type") == "atomic"
    within = unfollowed or path if atomic else unfollowed
    if isinstance(more, dict):
        most = _multiplied(often, schema.get("maxProperties"))
        yield from _places(_Place(f"{path}.additionalProperties", more, _embedded(more), most, within))
    for name, inner in (schema.get("properties") or {}).items():
        if isinstance(inner, dict):
            yield from _places(_Place(f"{path}.properties[{name}]", inner, _embedded(inner), often, within))


def _embedded(schema: Object) -> bool:
    return bool(schema.get("x-kubernetes-embedded-resource"))


def _multiplied(often: int | None, most: int | None) -> int | None:
    return None if often is None or most is None else often * most


def _texts(causes: Causes, at: str, rule: Object, schema: Object) -> None:
    """What is wrong with a rule's texts themselves."""
    text, message = str(rule.get("rule", "")).strip(), rule.get("message") or ""
    if not text:
        causes.required(f"{at}.rule", "rule is not specified")
    elif message and not message.strip():
        causes.invalid(f"{at}.message", message, "must be non-empty if specified")
    elif _LINES.search(message.strip()):
        causes.invalid(f"{at}.message", message, "must not contain line breaks")
    elif _LINES.search(text) and not message.strip():
        causes.required(f"{at}.message", "message must be specified if rule contains line breaks")
    if rule.get("messageExpression") and not rule["messageExpression"].strip():
        causes.required(f"{at}.messageExpression", "messageExpression must be non-empty if specified")
    if rule.get("reason") is not None and rule["reason"] not in _REASONS:
        causes.unsupported(f"{at}.reason", rule["reason"], _REASONS)
    field = rule.get("fieldPath") or ""
    if field and not field.strip():
        causes.invalid(f"{at}.fieldPath", field, "must be non-empty if specified")
    if _LINES.search(field):
        causes.invalid(f"{at}.fieldPath", field, "must not contain line breaks")
    if field:
        try:
            _followed(schema, field)
        except _PathError:
            causes.invalid(f"{at}.fieldPath", field, "must be a valid path")


def _followed(schema: Object, path: str, *, brackets: bool = True) -> Object:
    """The schema that a simple JSON path leads to.

    Raises:
        _PathError: with the reason why it leads nowhere.
    """
    at, found = 0, schema
    while at < len(path):
        if path[at] == "[" and not brackets:
            raise _PathError("array notation is not allowed")
        step = _STEP.match(path, at)
        if step is None:
            raise _PathError(f"expected [ or . but got: {re.split(_DELIMITERS, path[at:])[0] or path[at]}")
        name, more = step[1] if step[1] is not None else step[2], found.get("additionalProperties")
        if found.get("properties"):
            inner = found["properties"].get(name)
        else:
            inner = more if isinstance(more, dict) else None
        if not isinstance(inner, dict):
            raise _PathError("does not refer to a valid field")
        found, at = inner, step.end()
    return found


def _shown(rule: Object) -> Object:
    """A rule as messages show it."""
    return {
        "Rule": rule.get("rule", ""),
        "Message": rule.get("message", ""),
        "MessageExpression": rule.get("messageExpression", ""),
        "Reason": rule.get("reason"),
        "FieldPath": rule.get("fieldPath", ""),
        "OptionalOldSelf": rule.get("optionalOldSelf"),
    }


def _too_dear(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    times = "more than 100x" if factor > 100 else f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"  # noqa: PLR2004  as Kubernetes words it
    return f"{what} exceeds budget by factor of {times} {_ADVICE}"


def check(causes: Causes, path: str, schema: Object) -> None:
    """Checks all rules of a schema, whose shape is fine.

    Args:
        causes: what is wrong is added.
        path: of the schema, such as `spec.validation.openAPIV3Schema`.
        schema: an `openAPIV3Schema`.
    """
    places = [place for place in _places(_Place(path, schema, True, 1, "")) if place.schema.get(RULES)]
    before = len(causes)
    for place in places:
        for index, rule in enumerate(place.schema[RULES]):
            _texts(causes, f"{place.path}.{RULES}[{index}]", rule, place.schema)
    if len(causes) > before:
        return
    costs: dict[str, int] = {}
    for place in places:
        kind = kinds.declared(place.schema, root=place.root)
        if kind is None:
            continue
        often = place.often if place.often is not None else kinds.REQUEST // (kind.smallest + 1)
        for index, rule in enumerate(place.schema[RULES]):
            at = f"{place.path}.{RULES}[{index}]"
            costs |= _checked(causes, at, rule, kind, often, place.unfollowed)
    total = sum(costs.values())
    if total > _TOTAL_LIMIT:
        for at in sorted(costs, key=lambda at: -costs[at])[:_DEAREST]:
            if costs[at] >= _TOTAL_LIMIT * _DEAR_SHARE:
                causes.forbidden(at, _CONTRIBUTED)
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        causes.forbidden(path, _too_dear(what, total, _TOTAL_LIMIT))


def _checked(  # noqa: PLR0917  each is a fact of the rule
    causes: Causes, at: str, rule: Object, kind: kinds.Kind, often: int, unfollowed: str
) -> dict[str, int]:
    """Checks one rule; returns what its parts may cost at most."""
    text, optional = rule["rule"], bool(rule.get("optionalOldSelf"))
    variables = {"self": kind, "oldSelf": kinds.Kind("optional", kind) if optional else kind}
    try:
        found = checking.check(text, variables)
        if found.kind.name != "bool":
            causes.invalid(f"{at}.rule", _shown(rule), "cel expression must evaluate to a bool")
            return _unused(causes, at, rule)
    except cel.CelError as error:
        causes.invalid(f"{at}.rule", _shown(rule), f"compilation failed: {cel.located(error, text)}")
        return _unused(causes, at, rule)
    cost = found.cost * often
    costs = {f"{at}.rule": cost}
    if cost > _RULE_LIMIT:
        causes.forbidden(f"{at}.rule", _too_dear("estimated rule cost", cost, _RULE_LIMIT))
    if rule.get("messageExpression"):
        said = f"{at}.messageExpression"
        costs[said] = _message(causes, said, rule, variables)
    if cel.uses(text, "oldSelf"):
        if unfollowed:
            why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {unfollowed}"
            causes.invalid(f"{at}.rule", text, why)
    else:
        _unused(causes, at, rule)
    return costs


def _unused(causes: Causes, at: str, rule: Object) -> dict[str, int]:
    """Refuses an optional old value that the rule does not use; the cost of such a rule is none."""
    if rule.get("optionalOldSelf") is not None:
        why = "may not be set if oldSelf is not used in rule"
        causes.invalid(f"{at}.optionalOldSelf", rule["optionalOldSelf"], why)
    return {}


def _message(causes: Causes, at: str, rule: Object, variables: dict[str, kinds.Kind]) -> int:
    text = rule["messageExpression"]
    try:
        found = checking.check(text, variables)
    except cel.CelError as error:
        why = f"messageExpression compilation failed: {cel.located(error, text)}"
        causes.invalid(at, _shown(rule), why)
        return 0
    if found.kind.name != "string":
        causes.invalid(at, _shown(rule), "messageExpression must evaluate to a string")
        return 0
    if found.cost > _RULE_LIMIT:
        causes.forbidden(at, _too_dear("estimated messageExpression cost", found.cost, _RULE_LIMIT))
    return found.cost


def selectable(causes: Causes, path: str, fields: list[Any], schema: Object) -> None:
    """Checks which fields of custom resources field selectors may name."""
    seen: set[str] = set()
    for index, field in enumerate(fields):
        at, text = f"{path}[{index}].jsonPath", field.get("jsonPath", "")
        if not text:
            causes.required(at)
            continue
        try:
            found = _followed(schema, text, brackets=False)
        except _PathError as error:
            causes.invalid(at, text, f"is an invalid path: {error}")
            continue
        if text == ".metadata" or text.startswith(".metadata."):
            causes.invalid(at, text, "must not point to fields in metadata")
        if found.get("type") not in {"string", "boolean", "integer"}:
            why = (
                "must point to a field of type string, boolean or integer. "
                "Enum string fields and strings with formats are allowed."
            )
            causes.invalid(at, text, why)
        if text in seen:
            causes.duplicate(at, text)
        seen.add(text)
    if len(seen) > _MOST_SELECTABLE:
        causes.too_many(path, len(seen), _MOST_SELECTABLE)
