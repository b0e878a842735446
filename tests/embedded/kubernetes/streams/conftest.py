from __future__ import annotations

from tests.embedded.kubernetes.simulation import world

__all__ = ["world"]
