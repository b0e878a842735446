"""ConfigMaps and Secrets.

Source: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/
and recorded refusals.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.validation import gojson, names

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

MOST_BYTES = 1024 * 1024
_IMMUTABLE = "field is immutable when `immutable` is set"
_ACCOUNT = "kubernetes.io/service-account.name"
_REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_DOCKER_KEYS = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}
_REDACTED = "<secret contents redacted>"


def _bytes(text: str) -> int:
    return len(text) * 3 // 4 - text[-2:].count("=")


def config_map(causes: Causes, obj: Object) -> None:
    """Checks a ConfigMap."""
    data, binary = obj.get("data", {}), obj.get("binaryData", {})
    size = 0
    for key, value in data.items():
        causes.each(f"data[{key}]", key, names.config_key(key))
        if key in binary:
            causes.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
        size += len(value.encode())
    for key, value in binary.items():
        causes.each(f"binaryData[{key}]", key, names.config_key(key))
        size += _bytes(value)
    if size > MOST_BYTES:
        causes.too_long("[]", MOST_BYTES)


def config_map_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a ConfigMap."""
    if old.get("immutable"):
        if not new.get("immutable"):
            causes.forbidden("immutable", _IMMUTABLE)
        for name in ("data", "binaryData"):
            if new.get(name, {}) != old.get(name, {}):
                causes.forbidden(name, _IMMUTABLE)
    config_map(causes, new)


def secret(causes: Causes, obj: Object) -> None:
    """Checks a Secret."""
    data, kind = obj.get("data", {}), obj.get("type", "")
    size = 0
    for key, value in data.items():
        causes.each(f"data[{key}]", key, names.config_key(key))
        size += _bytes(value)
    if size > MOST_BYTES:
        causes.too_long("data", MOST_BYTES)
    if kind == "kubernetes.io/service-account-token":
        if not obj.get("metadata", {}).get("annotations", {}).get(_ACCOUNT):
            causes.required(f"metadata.annotations[{_ACCOUNT}]")
    elif kind in _DOCKER_KEYS:
        _docker(causes, data, _DOCKER_KEYS[kind])
    elif kind == "kubernetes.io/basic-auth":
        if "username" not in data and "password" not in data:
            causes.required("data[username]")
            causes.required("data[password]")
    else:
        for key in _REQUIRED_KEYS.get(kind, ()):
            if key not in data:
                causes.required(f"data[{key}]")


def _docker(causes: Causes, data: Object, key: str) -> None:
    if key not in data:
        causes.required(f"data[{key}]")
        return
    fault = gojson.fault(base64.b64decode(data[key]))
    if fault:
        causes.invalid(f"data[{key}]", _REDACTED, fault)


def secret_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a Secret."""
    causes.immutable("type", new.get("type"), old.get("type"))
    if old.get("immutable"):
        if not new.get("immutable"):
            causes.forbidden("immutable", _IMMUTABLE)
        if new.get("data", {}) != old.get("data", {}):
            causes.forbidden("data", _IMMUTABLE)
    secret(causes, new)
