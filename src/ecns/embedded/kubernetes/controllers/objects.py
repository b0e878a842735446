"""Questions that controllers ask of objects."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.selectors import Requirement, matches

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from ecns.embedded.kubernetes.errors import Object

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
_MASK = 0xFFFFFFFF
_SAFE = "bcdfghjklmnpqrstvwxz2456789"


def requirements(selector: Object | None) -> tuple[Requirement, ...]:
    """A `metav1.LabelSelector` as terms; none of an empty one, which matches everything."""
    if not selector:
        return ()
    found = [Requirement(key, "=", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    found += [
        Requirement(term["key"], _OPERATORS.get(term["operator"], "!"), tuple(term.get("values") or ()))
        for term in selector.get("matchExpressions") or ()
    ]
    return tuple(found)


def selects(selector: tuple[Requirement, ...], obj: Object) -> bool:
    """Whether an object's labels match."""
    return matches(selector, obj["metadata"].get("labels") or {})


def controller_of(obj: Object) -> Object | None:
    """The owner reference that says `controller`."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            found: Object = owner
            return found
    return None


def owned_by(owner: Object) -> Object:
    """The reference by which something is controlled by `owner`."""
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_active(pod: Object) -> bool:
    """Whether a pod counts as a replica: not finished, not going."""
    return not is_finished(pod) and not pod["metadata"].get("deletionTimestamp")


def is_finished(pod: Object) -> bool:
    """Whether a pod has Succeeded or Failed."""
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def condition(obj: Object, kind: str) -> Object | None:
    """A condition of an object's status."""
    for item in obj.get("status", {}).get("conditions") or ():
        if item.get("type") == kind:
            found: Object = item
            return found
    return None


def is_ready(pod: Object) -> bool:
    """Whether a pod is Ready."""
    ready = condition(pod, "Ready")
    return ready is not None and ready.get("status") == "True"


def ready_since(pod: Object) -> datetime | None:
    """When a pod became Ready, None if it is not."""
    ready = condition(pod, "Ready")
    if ready is None or ready.get("status") != "True":
        return None
    return clock.parse(ready["lastTransitionTime"])


def is_available(pod: Object, min_ready: int, now: datetime) -> bool:
    """Whether a pod has been Ready for `min_ready` seconds."""
    since = ready_since(pod)
    return since is not None and (not min_ready or since + timedelta(seconds=min_ready) <= now)


def available_in(pods: list[Object], min_ready: int, now: datetime) -> float | None:
    """Seconds until the next of the pods becomes available, None when none is on its way."""
    waits = [
        (since + timedelta(seconds=min_ready) - now).total_seconds()
        for since in map(ready_since, pods)
        if since is not None and since + timedelta(seconds=min_ready) > now
    ]
    return min(waits) if waits else None


def from_template(template: Object, owner: Object, *, name: str = "") -> Object:
    """A pod of a template, controlled by `owner`; without a `name` one is made from the owner's."""
    meta = template.get("metadata") or {}
    metadata: Object = {"name": name} if name else {"generateName": prefix(owner["metadata"]["name"])}
    metadata["namespace"] = owner["metadata"]["namespace"]
    for key in ("labels", "annotations", "finalizers"):
        if meta.get(key):
            metadata[key] = meta[key] if key == "finalizers" else dict(meta[key])
    metadata["ownerReferences"] = [owned_by(owner)]
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": dict(template.get("spec") or {})}


def prefix(owner: str) -> str:
    """The beginning of the names of an owner's pods."""
    return f"{owner}-"


def percentage(value: Any, total: int, *, up: bool) -> int:
    """An IntOrString such as `25%` of a total."""
    if isinstance(value, str):
        share = int(value.removesuffix("%")) * total / 100
        return math.ceil(share) if up else math.floor(share)
    return int(value or 0)


def set_condition(conditions: list[Object], new: Object) -> list[Object]:
    """The conditions with one put last, in place of the one of its type; equal ones stay as they are.

    A condition whose status stays keeps its lastTransitionTime.
    """
    current = next((item for item in conditions if item["type"] == new["type"]), None)
    if current is not None:
        if current["status"] == new["status"] and current.get("reason") == new.get("reason"):
            return conditions
        if current["status"] == new["status"]:
            new = {**new, "lastTransitionTime": current["lastTransitionTime"]}
    return [item for item in conditions if item["type"] != new["type"]] + [new]


def without_condition(conditions: list[Object], kind: str) -> list[Object]:
    """The conditions without those of a type."""
    return [item for item in conditions if item["type"] != kind]


def fnv32a(data: bytes) -> int:
    """The 32 bit FNV-1a hash."""
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & _MASK
    return value


def safe(number: int) -> str:
    """A number as Kubernetes writes hashes in names: its digits, without vowels."""
    return "".join(_SAFE[ord(digit) % len(_SAFE)] for digit in str(number))


def drop_empty(status: Object, *keep: str) -> Object:
    """A status without zeroes and empty lists, as Kubernetes leaves them out; `keep` names what stays."""
    return {
        key: value
        for key, value in status.items()
        if key in keep or (value not in (0, "", None) and value != [])
    }
