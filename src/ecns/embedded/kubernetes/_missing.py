"""Stand-ins for rooms that are being built, until they are there."""

from __future__ import annotations

import sys
import types
import importlib
import msgspec
from typing import Any


class Request(msgspec.Struct):
    operation: str
    resource: str
    subresource: str
    namespace: str
    name: str
    obj: Any
    old: Any
    user: Any
    dry_run: bool


def _nothing(*_a: Any, **_k: Any) -> None:
    return None


def _empty(*_a: Any, **_k: Any) -> list[Any]:
    return []


def _prepare_update(resource, new, old, subresource=""):
    if subresource == "status":
        status = new.get("status")
        md = new["metadata"]
        new.update({k: v for k, v in old.items() if k not in ("status", "metadata")})
        if status is not None:
            new["status"] = status
    elif "status" in old:
        new["status"] = old["status"]


def _fake(name: str, **what: Any) -> None:
    full = f"ecns.embedded.kubernetes.{name}"
    try:
        found = importlib.import_module(full)
        if all(hasattr(found, key) for key in what):
            return
        for key, value in what.items():
            if not hasattr(found, key):
                setattr(found, key, value)
    except ImportError as error:
        if error.name and not full.startswith(error.name): raise
        module = types.ModuleType(full)
        module.__path__ = []
        for key, value in what.items():
            setattr(module, key, value)
        sys.modules[full] = module
        parent, _, child = full.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)


_fake("defaults", apply_defaults=_nothing)
_fake("validation", prepare_for_create=_nothing, prepare_for_update=_prepare_update, validate_create=_empty, validate_update=_empty, unknown_fields=_empty, warnings=_empty)
_fake("validation.schema", prune=_nothing, default=_nothing, validate=_empty)
_fake("admission", Request=Request, mutate=_nothing, check=_nothing)
_fake("controllers", start=_empty)
_fake("controllers.services", allocate=_nothing)
