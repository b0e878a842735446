"""The labels that say what an object belongs to (design, "Names used in Kubernetes")."""

from __future__ import annotations

PART_OF = "app.kubernetes.io/part-of"
"""Which application."""
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "ecns"
"""`MANAGED_BY` of what ECNS made."""
