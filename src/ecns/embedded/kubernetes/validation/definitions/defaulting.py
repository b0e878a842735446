"""Whether the defaults of a schema are what the schema itself takes.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.errors import Cause
from ecns.embedded.kubernetes.validation import schema as structural
from ecns.embedded.kubernetes.validation.definitions.structure import EMBEDDED

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_META = frozenset({"metadata", "kind", "apiVersion"})


def check(causes: Causes, path: str, schema: Object) -> None:
    """Adds what is wrong with the defaults of a structural schema.

    Args:
        causes: what is wrong is added.
        path: of the schema.
        schema: an `openAPIV3Schema` that is structural.
    """
    _check(causes, path, {**schema, EMBEDDED: True}, in_meta=False)


def _check(causes: Causes, path: str, schema: Object, *, in_meta: bool) -> None:
    if schema.get("default") is not None:
        _one(causes, f"{path}.default", schema, schema["default"], in_meta=in_meta)
    items = schema.get("items")
    if isinstance(items, dict):
        _check(causes, f"{path}.items", items, in_meta=in_meta and not schema.get(EMBEDDED))
    for name, inner in (schema.get("properties") or {}).items():
        meta = (name in _META) if schema.get(EMBEDDED) else in_meta
        _check(causes, f"{path}.properties[{name}]", inner, in_meta=meta)


def _one(causes: Causes, path: str, schema: Object, value: Any, *, in_meta: bool) -> None:
    if not in_meta:
        pruned = {"x": deepcopy(value)}
        structural.prune({"properties": {"x": schema}}, pruned)
        if pruned["x"] != value:
            causes.invalid(path, value, "must not have unknown fields")
    if schema.get(EMBEDDED) and not in_meta and isinstance(value, dict):
        missing = [name for name in ("apiVersion", "kind") if not value.get(name)]
        for name in missing:
            causes.required(f"{path}.{name}")
        if missing:
            return
    for cause in structural.faults(schema, value):
        at = f"{path}.{cause.field}" if cause.field not in {"", "<nil>"} else path
        causes.append(Cause(cause.reason, cause.message, at))
