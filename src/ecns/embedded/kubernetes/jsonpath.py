"""The JSONPath of additional printer columns: fields, indexes, wildcards and simple filters.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#additional-printer-columns
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_STEP = re.compile(
    r"""\.(?P<field>(?:\\.|[^.\[\]\\*])+)
      | (?P<all>\.\* | \[\*\])
      | \['(?P<quoted>(?:\\.|[^'\\])*)'\]
      | \[(?P<index>-?\d+)\]
      | \[\?\(\s*@(?P<path>[^=!<>\s]+)\s*(?P<operator>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[^)\s]+)\s*\)\]
    """,
    re.VERBOSE,
)


@cache
def _steps(path: str) -> tuple[re.Match[str], ...] | None:
    """The path's steps; None when it is not understood."""
    found, position = [], 0
    path = path if path.startswith((".", "[")) else f".{path}"
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            return None
        found.append(match)
        position = match.end()
    return tuple(found)


def find(path: str, value: Any) -> list[Any]:
    """The values that a path such as `.status.conditions[?(@.type=="Ready")].status` leads to."""
    steps = _steps(path)
    if steps is None:
        return []
    values = [value]
    for step in steps:
        values = [found for item in values for found in _follow(step, item)]
    return values


def _follow(step: re.Match[str], value: Any) -> list[Any]:
    name = step["field"] if step["field"] is not None else step["quoted"]
    if name is not None:
        name = re.sub(r"\\(.)", r"\1", name)
        return [value[name]] if isinstance(value, dict) and value.get(name) is not None else []
    items = list(value.values()) if isinstance(value, dict) else value
    if step["all"]:
        return list(items) if isinstance(items, list) else []
    if not isinstance(value, list):
        return []
    if step["index"]:
        index = int(step["index"])
        return [value[index]] if -len(value) <= index < len(value) else []
    wanted, equal = step["value"].strip("\"'"), step["operator"] == "=="
    return [
        item for item in value if any(show(found) == wanted for found in find(step["path"], item)) is equal
    ]


def show(value: Any) -> str:
    """A value as text, composite ones in Go's notation, as Kubernetes shows them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{show(item)}" for key, item in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(show(item) for item in value) + "]"
    return "<nil>" if value is None else str(value)
