"""Pods' service accounts: the default one, its token as a volume, its pull secrets.

Source: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.errors import forbidden

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.admission import Reader, Request
    from ecns.embedded.kubernetes.errors import Object

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607
PREFIX = "kube-api-access-"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX = 5
_MIRROR = "kubernetes.io/config.mirror"


def mount_token(cluster: Reader, request: Request) -> None:
    """Gives a new pod its service account and mounts the account's token."""
    if request.operation != "CREATE" or request.resource != "pods" or request.subresource:
        return
    obj = request.obj
    spec = obj["spec"]
    if _MIRROR in obj["metadata"].get("annotations", {}):
        return
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    account = cluster.find("serviceaccounts", name, request.namespace)
    if account is None:
        why = (
            f'error looking up service account {request.namespace}/{name}: serviceaccount "{name}" not found'
        )
        raise forbidden("pods", request.name, why)
    wanted = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
    if wanted:
        _mount(spec)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(item) for item in account["imagePullSecrets"]]


def _mount(spec: Object) -> None:
    volumes = spec.get("volumes", [])
    present = next((item["name"] for item in volumes if item.get("name", "").startswith(PREFIX)), "")
    name = present or PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX))
    mounted = False
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or ():
            mounts = container.get("volumeMounts", [])
            if any(mount.get("mountPath") == MOUNT_PATH for mount in mounts):
                continue
            mounts.append({"name": name, "readOnly": True, "mountPath": MOUNT_PATH})
            container["volumeMounts"] = mounts
            mounted = True
    if mounted and not present:
        spec["volumes"] = [*volumes, {"name": name, "projected": _token_sources()}]


def _token_sources() -> Object:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace]}},
        ],
        "defaultMode": 0o644,
    }
