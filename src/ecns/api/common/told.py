"""What a route knows of its request that the audit log is to know, too: what it was about, and where."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

TOLD = "ecns.told"
"""Under this name in the state of the request's scope."""


def tell(scope: Any, **facts: str | int | list[str]) -> None:
    """Tell the audit log `cluster`, `namespace`, `names`, or the `status` that a stream came to."""
    state: MutableMapping[str, Any] = scope["state"]
    state.setdefault(TOLD, {}).update(facts)
