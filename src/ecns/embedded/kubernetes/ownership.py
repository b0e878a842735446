"""Who owns which field (managedFields)."""

from __future__ import annotations

from typing import Any


def update(kind: Any, old: Any, new: Any, manager: Any, subresource: str, now: Any) -> None:
    if old is not None and "managedFields" in old["metadata"]:
        new["metadata"]["managedFields"] = old["metadata"]["managedFields"]
    else:
        new["metadata"].pop("managedFields", None)
