"""Storage classes.

Source: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/storage-class-v1/
"""

from __future__ import annotations

from ecns.backends.kubernetes.kinds.meta import Kind, Resource


class StorageClass(Resource):
    """A way to get storage."""

    provisioner: str = ""
    parameters: dict[str, str] | None = None
    reclaim_policy: str = ""
    volume_binding_mode: str = ""
    allow_volume_expansion: bool | None = None


STORAGE_CLASS = Kind("storage.k8s.io", "v1", "storageclasses", "StorageClass", StorageClass, namespaced=False)
