"""What an object carries of its owner, its application and the request that makes it.

What is made of several objects has the label `CREATING` from its first object until its last one is there: it
is seen by it, and the same request sent again completes it. The annotation `REQUEST` stays; it tells a repeat
of the very request that made something (one with the same `Idempotency-Key`, or one whose answer was lost)
from another request for the same name. The first is a label because Kubernetes copies the annotations of a
Deployment to its ReplicaSets, and `kubectl rollout undo` back from there.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from ecns.api.common.names import CREATING, PART_OF, REQUEST
from ecns.api.common.patching import MISSING, Operations, find, operations
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind, ObjectMeta, OwnerReference, Resource
from ecns.errors import ConflictError

LENGTH = 40
"""Characters of a digest; the value of a label has at most 63."""
INCOMPLETE = "It was not made completely: send the same request again to complete it, or delete it."
"""What is said of something that has the label `CREATING`."""
_PART_OF = ("metadata", "labels", PART_OF)


def digest(sent: msgspec.Struct, key: str = "") -> str:
    """What tells a request from others.

    Args:
        sent: what was sent.
        key: whose `Idempotency-Key` came with it, and which.
    """
    return sha256(msgspec.json.encode((key, sent))).hexdigest()[:LENGTH]


def mark(metadata: ObjectMeta, sent: msgspec.Struct, key: str, *, alone: bool) -> None:
    """Let an object carry what it is made from; `alone` when nothing else is made with it."""
    metadata.annotations = {**(metadata.annotations or {}), REQUEST: digest(sent, key)}
    if not alone:
        metadata.labels = {**(metadata.labels or {}), CREATING: digest(sent)}


def creating(found: Resource) -> str:
    """The digest of the request that has not made all of something; empty when all is made."""
    return (found.metadata.labels or {}).get(CREATING, "")


def request(found: Resource) -> str:
    """The digest of the request that made something; empty when nobody knows."""
    return (found.metadata.annotations or {}).get(REQUEST, "")


def finished(whole: JsonObject) -> Operations:
    """Say that all of something is made."""
    return operations(whole, {("metadata", "labels", CREATING): MISSING})


def owner_reference(owner: Resource, kind: Kind[Any]) -> OwnerReference:
    """The reference that makes an object go with `owner`, which has been made."""
    return OwnerReference(
        api_version=kind.api_version, kind=kind.kind, name=owner.metadata.name, uid=owner.metadata.uid
    )


def owned_by(found: Resource, uid: str) -> bool:
    """Whether an object belongs to the one with this uid."""
    return any(owner.uid == uid for owner in found.metadata.owner_references or ())


def part_of(found: Resource) -> str | None:
    """The application that an object is part of."""
    return (found.metadata.labels or {}).get(PART_OF)


def member_of(whole: JsonObject) -> str | None:
    """As `part_of`, of a whole object."""
    found = find(whole, _PART_OF)
    return None if found is MISSING else found


def attach(whole: JsonObject, application: str) -> Operations:
    """Make an object a member of an application.

    Raises:
        ConflictError: it is a member of another one.
    """
    if (other := find(whole, _PART_OF)) not in {MISSING, application}:
        raise ConflictError(f"{find(whole, ('metadata', 'name'))!r} belongs to application {other!r}")
    return operations(whole, {_PART_OF: application})


def detach(whole: JsonObject, application: str) -> Operations:
    """Let an object leave an application; nothing to do when it is no member."""
    return operations(whole, {_PART_OF: MISSING}) if find(whole, _PART_OF) == application else []


def belong(whole: JsonObject, application: str | None) -> Operations:
    """Let an object be a member of an application, or of none when the name is empty; None leaves it.

    Raises:
        ConflictError: it is a member of another one.
    """
    if application is None:
        return []
    if application:
        return attach(whole, application)
    return detach(whole, member_of(whole) or "")
