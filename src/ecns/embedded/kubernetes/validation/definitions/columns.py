"""What a CustomResourceDefinition lets be read: printed columns, and the scale subresource.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
and the refusals of a Kubernetes 1.36.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")


def columns(causes: Causes, path: str, found: list[Object]) -> None:
    """Checks `additionalPrinterColumns`."""
    for index, column in enumerate(found):
        at, kind, shape = f"{path}[{index}]", column.get("type", ""), column.get("format")
        if not column.get("name"):
            causes.required(f"{at}.name")
        if not kind:
            causes.required(f"{at}.type", f"must be one of {','.join(_COLUMN_TYPES)}")
        elif kind not in _COLUMN_TYPES:
            causes.invalid(f"{at}.type", kind, f"must be one of {','.join(_COLUMN_TYPES)}")
        if shape and shape not in _COLUMN_FORMATS:
            causes.invalid(f"{at}.format", shape, f"must be one of {','.join(_COLUMN_FORMATS)}")
        _simple_path(causes, f"{at}.JSONPath", column.get("jsonPath", ""))


def subresources(causes: Causes, path: str, found: Object) -> None:
    """Checks where the scale subresource reads and writes."""
    scale = found.get("scale")
    if scale is None:
        return
    for name, part in (("specReplicasPath", "spec"), ("statusReplicasPath", "status")):
        _under(causes, f"{path}.scale.{name}", scale.get(name, ""), part)
    selected, at = scale.get("labelSelectorPath"), f"{path}.scale.labelSelectorPath"
    if selected and _simple_path(causes, at, selected) and not selected.startswith((".spec.", ".status.")):
        causes.invalid(at, selected, "should be a json path under either .spec or .status")


def _simple_path(causes: Causes, path: str, value: str) -> bool:
    if not value:
        causes.required(path)
    elif not value.startswith("."):
        causes.invalid(path, value, "must be a simple json path starting with .")
    else:
        return True
    return False


def _under(causes: Causes, path: str, value: str, part: str) -> None:
    if _simple_path(causes, path, value) and not value.startswith(f".{part}."):
        causes.invalid(path, value, f"should be a json path under .{part}")
