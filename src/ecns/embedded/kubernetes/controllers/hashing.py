"""Names of ReplicaSets and ControllerRevisions: hashes of pod templates.

Kubernetes hashes Go structures; these are of the canonical JSON, in the same alphabet and length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ecns.embedded.kubernetes.controllers.objects import fnv32a, safe

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

HASH_LABEL = "pod-template-hash"
_encode = msgspec.json.Encoder(order="sorted").encode


def template_hash(template: Object, collisions: int) -> str:
    """The value of `pod-template-hash` for a template, another one for each count of collisions."""
    data = _encode(canonical(template))
    return safe(fnv32a(data + str(collisions).encode() if collisions else data))


def data_hash(data: Any, collisions: int = 0) -> str:
    """The hash in the name of a ControllerRevision."""
    return safe(fnv32a(_encode(data) + (str(collisions).encode() if collisions else b"")))


def canonical(template: Object) -> Object:
    """A template without what makes no difference: its hash label, empty maps of metadata."""
    meta = dict(template.get("metadata") or {})
    meta.pop("creationTimestamp", None)
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH_LABEL}
    meta["labels"] = labels
    found = {key: value for key, value in template.items() if key != "metadata" and value not in (None, [])}
    found["metadata"] = {key: value for key, value in meta.items() if value}
    return found
