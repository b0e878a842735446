"""ConfigMaps and Secrets: what they are called and which keys they have, never what stands under these.

The Structs drop the values, and the annotations (`kubectl apply` keeps the values there too), while they are
decoded: so no value can get into a watch cache, and 1,000 Secrets take 0.6 MB whatever they hold. Values are
read as whole objects (`Kind.whole`), by those who are to see them.

Source: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/
"""

from __future__ import annotations

import base64
from sys import intern

from cryptography import x509

from ecns.backends.kubernetes.kinds.meta import Kind, Resource

FEW = 50
"""Objects of the first request of a list: each may be a MiB."""

TLS = "kubernetes.io/tls"
CERTIFICATE = "tls.crt"

_Values = dict[str, str | None] | None


class ConfigMap(Resource):
    """A ConfigMap without its values."""

    immutable: bool | None = None
    keys: tuple[str, ...] = ()
    """Of `data` and `binaryData`, in order."""
    data: _Values = None
    """Always None; so is `binary_data`."""
    binary_data: _Values = None

    def __post_init__(self) -> None:
        if self.data or self.binary_data:
            self.keys = _keys(self.data, self.binary_data)
        self.data = self.binary_data = self.metadata.annotations = None


class Secret(Resource):
    """A Secret without its values."""

    type: str = ""
    immutable: bool | None = None
    keys: tuple[str, ...] = ()
    """Of `data`, in order."""
    expires: str = ""
    """Until when the certificate of a `kubernetes.io/tls` is good, RFC 3339 in UTC; empty if nobody knows."""
    data: _Values = None
    """Always None."""

    def __post_init__(self) -> None:
        if self.data:
            self.keys = _keys(self.data)
            if self.type == TLS:
                self.expires = expiry(self.data.get(CERTIFICATE) or "")
        self.data = self.metadata.annotations = None


def _keys(*several: _Values) -> tuple[str, ...]:
    return tuple(intern(key) for key in sorted({key for each in several for key in each or ()}))


def expiry(encoded: str) -> str:
    """Until when the first certificate of a base64 PEM text is good, RFC 3339 in UTC; empty without one."""
    try:
        found = x509.load_pem_x509_certificate(base64.b64decode(encoded))
        return found.not_valid_after_utc.isoformat().replace("+00:00", "Z")
    except Exception:  # noqa: BLE001  whatever a cluster holds: a Secret is to be listed
        return ""


CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap", ConfigMap, page_size=FEW)
SECRET = Kind("", "v1", "secrets", "Secret", Secret, page_size=FEW)
