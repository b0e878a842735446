"""The reference's types of chapter 1.16, raw YAML; more than it has is said in the fields' docstrings."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

Outcome = Literal["created", "changed", "unchanged"]


class Shown(Struct, kw_only=True):
    """An object, or an application with what belongs to it, as YAML."""

    name: str
    kind: str
    yaml: str


class Send(Struct, kw_only=True):
    """What is uploaded or edited; instead of this, the text alone may be sent as `application/yaml`."""

    yaml: str
    """One document or several, in YAML or JSON."""


class YamlItem(Struct, kw_only=True, omit_defaults=True):
    """What became of one document."""

    name: str
    kind: str
    yaml: str
    """The object as it is now, or as it was sent when it failed; the values of Secrets are hidden."""
    reason: str = ""
    """Why it failed."""
    namespace: str = ""
    """Empty for what belongs to none."""
    outcome: Outcome | None = None
    code: int = 0
    """The HTTP status that it alone would have been answered with, when it failed."""
    line: int = 0
    """Where in the text the document begins."""
    details: dict[str, Any] | None = None
    """Facts for programs, as those of an error: the field, who else has it."""
    diff: str = ""
    """With `dry_run=true`: what would change, unified."""


class Results(Struct, kw_only=True, omit_defaults=True):
    """What became of all documents, in the order in which they were sent."""

    succeed: list[YamlItem]
    failed: list[YamlItem]
    dry_run: bool = False
    """Nothing was changed."""
    diff: str = ""
    """With `dry_run=true`: of all documents."""
