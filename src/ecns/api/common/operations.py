"""An operation of the reference: its name for policy, audit and metrics, and where it answers.

A route carries its operation in Litestar's `opt`; `ecns.server.authentication` reads it there before
anything else happens. Source: reference chapter 1.1 (product types).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ecns.errors import BadRequestError, NotFoundError

PRODUCT_TYPES = ("eks", "hybrid", "security", "image")

EKS = frozenset({"eks"})
CONTAINERS = frozenset({"eks", "hybrid", "security"})
APPLICATIONS = frozenset({"eks", "hybrid"})
HYBRID = frozenset({"hybrid"})
IMAGES = frozenset({"image"})

JSON = "application/json"
MULTIPART = "multipart/form-data"
YAML = "application/yaml"
"""Stands for JSON as well: an operation that takes YAML takes both."""
YAML_TYPES = frozenset({YAML, "application/x-yaml", "text/yaml", "text/x-yaml"})
"""What YAML is called; the first is the name of RFC 9512."""


class Operations(msgspec.Struct, frozen=True):
    """What one route can do: one operation, or one for each value of the query parameter `action`."""

    products: frozenset[str]
    by_action: Mapping[str, str]
    """`{"": name}` for a route without actions."""
    body: str = JSON
    """The content type of its body; a form is read piece by piece, by limits of its own."""

    def select(self, product_type: str, action: str | None) -> str:
        """The name of the operation that a request asks for.

        Raises:
            NotFoundError: the product type does not have it.
            BadRequestError: the action is missing or unknown.
        """
        if product_type not in self.products:
            raise NotFoundError(f"product type {product_type!r} does not have this operation")
        if name := self.by_action.get(""):
            return name
        if action is not None and (name := self.by_action.get(action)):
            return name
        said = f"action {action!r} is unknown" if action else "the query parameter action is missing"
        raise BadRequestError(f"{said}; it is one of {', '.join(self.by_action)}", field="action")


def operation(name: str, products: frozenset[str], *, body: str = JSON) -> dict[str, Any]:
    """`opt` of a route that does one thing; `name` is the id in the table of operations."""
    return {"operations": Operations(products=products, by_action={"": name}, body=body)}


def actions(names: Mapping[str, str], products: frozenset[str]) -> dict[str, Any]:
    """`opt` of a route that does one of several things, by the query parameter `action`."""
    return {"operations": Operations(products=products, by_action=names)}
