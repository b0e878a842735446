"""Objects as a `meta.k8s.io` Table: what `kubectl get` asks for.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes import printers
from ecns.embedded.kubernetes.columns import columns, field_description
from ecns.embedded.kubernetes.errors import Object
from ecns.embedded.kubernetes.jsonpath import find, show
from ecns.embedded.kubernetes.printers.common import age
from ecns.embedded.kubernetes.printers.workloads import pod_conditions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from ecns.embedded.kubernetes.resources import Resource


def table(
    resource: Resource,
    objects: Iterable[Object],
    metadata: Object,
    *,
    now: datetime,
    version: str = "",
    include: str = "",
    api_version: str = "meta.k8s.io/v1",
    headers: bool = True,
) -> Object:
    """A Table of objects.

    Args:
        resource: what they are.
        objects: they themselves, with `kind` and `apiVersion` when whole objects are included.
        metadata: the list's metadata; for one object, its resourceVersion.
        now: what ages are counted to.
        version: the resource's version that was asked for; custom resources have columns for each.
        include: the parameter `includeObject`; "" is `Metadata`.
        api_version: `meta.k8s.io/v1` or `meta.k8s.io/v1beta1`.
        headers: False for the events of a watch after its first one, which have no columns.

    Returns:
        The Table.
    """
    shown = "events" if resource.stored_as == "events" else resource.name
    custom = _custom(resource, version or resource.versions[0]) if resource.definition else None
    rows = []
    for obj in objects:
        if custom is None:
            row: Object = {"cells": printers.cells(shown, obj, now)}
        else:
            row = {"cells": [obj["metadata"].get("name"), *(_cell(obj, column, now) for column in custom)]}
        if shown == "pods" and (conditions := pod_conditions(obj)):
            row["conditions"] = conditions
        row["object"] = _included(obj, include, api_version)
        rows.append(row)
    definitions = _definitions(custom) if custom is not None else columns(shown)
    return {
        "kind": "Table",
        "apiVersion": api_version,
        "metadata": metadata,
        "columnDefinitions": definitions if headers else None,
        "rows": rows,
    }


def partial(obj: Object, api_version: str = "meta.k8s.io/v1") -> Object:
    """An object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": obj["metadata"]}


def _included(obj: Object, include: str, api_version: str) -> Object | None:
    if include == "None":
        return None
    return obj if include == "Object" else partial(obj, api_version)


def _custom(resource: Resource, version: str) -> list[Object]:
    own = resource.columns.get(version)
    if own:
        return own
    description = field_description("meta.ObjectMeta.creationTimestamp")
    created = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
    return [{**created, "description": description}]


def _definitions(custom: list[Object]) -> list[Object]:
    listed = [
        {
            "name": column["name"],
            "type": column["type"],
            "format": column.get("format", ""),
            "description": column.get("description")
            or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
            "priority": column.get("priority", 0),
        }
        for column in custom
    ]
    return [columns("default")[0], *listed]


def _cell(obj: Object, column: Object, now: datetime) -> Any:
    """The value that a column's JSONPath finds, if it is of the column's type."""
    found = find(column["jsonPath"], obj)
    if not found:
        return None
    value, kind = found[0], column["type"]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "string":
        return show(value)
    if kind == "date" and isinstance(value, str):
        try:
            return age(value, now)
        except ValueError:
            return "<invalid>"
    if kind == "integer" and number:
        return int(value)
    if kind == "number" and number:
        return float(value)
    if kind == "boolean" and isinstance(value, bool):
        return value
    return None
