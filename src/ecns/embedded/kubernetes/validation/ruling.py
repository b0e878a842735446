"""Evaluating the rules of a schema on a custom resource, within a budget.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.errors import Cause
from ecns.embedded.kubernetes.validation import cel
from ecns.embedded.kubernetes.validation.causes import Causes, shown

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

_BUDGET = 10_000_000
"""What the rules of one object may cost together."""


def has_rules(schema: Any) -> bool:
    """Whether a schema has rules anywhere."""
    if isinstance(schema, dict):
        return "x-kubernetes-validations" in schema or any(has_rules(inner) for inner in schema.values())
    return isinstance(schema, list) and any(has_rules(inner) for inner in schema)


class Ruling:
    """Looks at the rules for one object; what they refuse is added to `causes`."""

    def __init__(self, causes: Causes) -> None:
        self._causes = causes
        self._left = _BUDGET

    def _invalid(self, path: str, value: str, why: str) -> None:
        self._causes.append(Cause("FieldValueInvalid", f"Invalid value: {value}{why}", path))

    def check(self, path: str, schema: Object, value: Any, old: Any) -> None:
        """Evaluates the rules of a schema and of all in it.

        Args:
            path: where the value stands.
            schema: of the value.
            value: the new value.
            old: what it was before; None if it was not there.
        """
        if value is None or self._left < 0:
            return
        for rule in schema.get("x-kubernetes-validations", ()):
            self._one(path or "<nil>", rule, schema, value, old)
        for inner in schema.get("allOf") or ():
            self.check(path, inner, value, old)
        if isinstance(value, dict):
            known, more = schema.get("properties", {}), schema.get("additionalProperties")
            for name, item in value.items():
                inner = known.get(name, more)
                if isinstance(inner, dict):
                    below = f"{path}.{name}" if path else name
                    at = below if name in known else f"{path}[{name}]"
                    self.check(at, inner, item, old.get(name) if isinstance(old, dict) else None)
        elif isinstance(value, list) and isinstance(schema.get("items"), dict):
            keys = schema.get("x-kubernetes-list-map-keys")
            for index, item in enumerate(value):
                self.check(f"{path}[{index}]", schema["items"], item, counterpart(old, item, keys))

    def _one(self, path: str, rule: Object, schema: Object, value: Any, old: Any) -> None:
        if self._left < 0:
            return
        sort = f"{shown(schema.get('type', ''))}: "
        if not self._left:
            self._left = -1
            why = (
                "validation failed due to running out of cost budget, no further validation rules will be run"
            )
            self._invalid(path, sort, why)
            return
        variables = {"self": cel.typed(schema, value)}
        optional = bool(rule.get("optionalOldSelf"))
        if cel.uses(rule.get("rule", ""), "oldSelf"):
            if old is None and not optional:
                return
            before = None if old is None else cel.typed(schema, old)
            if optional:
                before = cel.NONE if old is None else cel.Optional(before)
            variables["oldSelf"] = before
        elif value == old:
            return
        if self._holds(path, sort, rule, variables):
            return
        message = _message(rule, variables)
        at, reason = path + (rule.get("fieldPath") or ""), rule.get("reason")
        if reason == "FieldValueRequired":
            self._causes.required(at, message)
        elif reason == "FieldValueForbidden":
            self._causes.forbidden(at, message)
        elif reason == "FieldValueDuplicate":
            self._causes.duplicate(at, value)
        else:
            self._invalid(
                at, "" if schema.get("type") in {"object", "array"} else f"{shown(value)}: ", message
            )

    def _holds(self, path: str, sort: str, rule: Object, variables: Object) -> bool:
        """Whether a rule is kept, or could not be evaluated, which is told."""
        meter, named = cel.Meter(), (rule.get("message") or rule.get("rule", "")).strip()
        try:
            return cel.evaluate(rule.get("rule", ""), meter, **variables) is True
        except cel.LimitError as error:
            why = "no further validation rules will be run due to call cost exceeds limit for rule"
            self._invalid(path, sort, f"'{error}': {why}: {named}")
            self._left = -1
        except cel.CelError as error:
            if str(error).startswith("no such overload"):
                why = (
                    "call arguments did not match a supported operator, function or macro signature for rule"
                )
                self._invalid(path, sort, f"'{error}': {why}: {named}")
            else:
                self._invalid(path, sort, f"{error} evaluating rule: {named}")
        finally:
            if self._left > 0:
                self._left = max(self._left - meter.spent, 0)
        return True


def _message(rule: Object, variables: Object) -> str:
    """Why a rule was not kept: by its expression, else its message, else the rule itself."""
    if rule.get("messageExpression"):
        with contextlib.suppress(cel.CelError):
            said = cel.evaluate(rule["messageExpression"], **variables)
            if isinstance(said, str) and said.strip() and "\n" not in said.strip():
                return said.strip()
    return (
        str(rule["message"]).strip()
        if rule.get("message")
        else f"failed rule: {rule.get('rule', '').strip()}"
    )


def counterpart(old: Any, item: Any, keys: list[str] | None) -> Any:
    """The element of the old list that an element of the new one continues; lists without keys have none."""
    if not keys or not isinstance(old, list) or not isinstance(item, dict):
        return None
    wanted = [item.get(key) for key in keys]
    return next(
        (one for one in old if isinstance(one, dict) and [one.get(key) for key in keys] == wanted), None
    )
