"""Admission."""
from __future__ import annotations
from typing import Any
import msgspec
class Request(msgspec.Struct, kw_only=True):
    operation: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    obj: Any = None
    old: Any = None
    user: Any = None
    dry_run: bool = False
    warnings: list[str] = []
def mutate(cluster, request): pass
def check(cluster, request): pass
