"""PersistentVolumeClaims' specs, alone and in templates.

Source: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/persistent-volume-claim-v1/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.validation import meta, names

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")


def access_modes(causes: Causes, path: str, modes: list[str]) -> None:
    """Checks the modes of a claim or volume."""
    for mode in modes:
        causes.one_of(path, mode, ACCESS_MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        causes.forbidden(path, "may not use ReadWriteOncePod with other access modes")


def spec(causes: Causes, path: str, found: Object) -> None:
    """Checks a claim's spec."""
    modes = found.get("accessModes", [])
    if not modes:
        causes.required(f"{path}.accessModes", "at least 1 access mode is required")
    if "selector" in found:
        meta.label_selector(causes, f"{path}.selector", found["selector"])
    access_modes(causes, f"{path}.accessModes", modes)
    size = found.get("resources", {}).get("requests", {}).get("storage")
    at = f"{path}.resources[storage]"
    if size is None:
        causes.required(at)
    elif quantities.parse(size).nano <= 0:
        causes.invalid(at, size, "must be greater than zero")
    name = found.get("storageClassName")
    if name:
        causes.each(f"{path}.storageClassName", name, names.dns_subdomain(name))
    mode = found.get("volumeMode")
    if mode is not None:
        causes.one_of(f"{path}.volumeMode", mode, VOLUME_MODES)
    source = found.get("dataSource")
    if source is not None:
        for field in ("name", "kind"):
            if not source.get(field):
                causes.required(f"{path}.dataSource.{field}")
