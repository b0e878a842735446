"""The services as Keystone's catalog names them; light, since whoever starts the stand-in imports it."""

from __future__ import annotations

PATHS = {
    "compute": ("nova", "/compute/v2.1"),
    "network": ("neutron", "/network"),
    "block-storage": ("cinder", "/volume/v3"),
    "image": ("glance", "/image"),
    "load-balancer": ("octavia", "/load-balancer"),
    "orchestration": ("heat", "/orchestration/v1/%(project_id)s"),
}
"""Type → name and path."""


def offered(url: str) -> list[str]:
    """What the embedded Keystone is told on its command line.

    Args:
        url: of the stand-in.
    """
    told: list[str] = []
    for kind, (name, path) in PATHS.items():
        told += ["--service", f"{kind}={name}={url}{path}"]
    return told
