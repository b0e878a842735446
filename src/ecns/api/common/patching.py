"""Changing a part of a whole object without losing what ECNS has no word for.

A change is the difference between what ECNS would write for the old and for the new value of an aspect,
laid over what is there, as `kubectl apply` does it. It is sent as a JSON Patch that first tests that the
part is still what was read, so that two people who change the same thing at once do not overwrite one
another. Source: RFC 6902; https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ecns.backends.kubernetes.kinds.meta import JsonObject

Operations = list[JsonObject]
"""A JSON Patch."""
Path = tuple[str, ...]

MISSING: Final = object()

KEYS: Final[Mapping[str, Path]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("port", "protocol"),
}
"""Lists whose items are known by some of their fields."""
SHARED: Final = frozenset(
    {"resources", "requests", "limits", "securityContext", "capabilities", "lifecycle", "affinity"}
)
"""Objects that hold other things too: what is taken out of them leaves the rest."""


def merge(have: Any, old: Any, new: Any, name: str = "") -> Any:
    """What is there with the difference between `old` and `new` laid over it.

    Args:
        have: what is there, or MISSING.
        old: what ECNS would have written for it, or MISSING.
        new: what ECNS writes now, or MISSING.
        name: the key it is under.
    """
    if old == new:
        return have
    if name in KEYS and isinstance(have, list):
        return _merge_lists(have, _items(old), _items(new), KEYS[name])
    if isinstance(have, dict) and isinstance(new, dict):
        return _merge_objects(have, old if isinstance(old, dict) else {}, new)
    if new is MISSING and name in SHARED and isinstance(have, dict) and isinstance(old, dict):
        return _merge_objects(have, old, {}) or MISSING
    if isinstance(have, list) and isinstance(old, list) and isinstance(new, list) and len(have) == len(old):
        return [have[old.index(item)] if item in old else item for item in new]
    return new


def operations(whole: JsonObject, changes: Mapping[Path, Any]) -> Operations:
    """The JSON Patch that sets parts of an object, each tested to be as it was.

    Args:
        whole: the object as it was read.
        changes: new values by path; MISSING removes.
    """
    made: Operations = []
    document = whole
    for path, value in changes.items():
        old = find(document, path)
        if old == value or (old is MISSING and value is MISSING):
            continue
        place, wanted = path, value
        for length in range(1, len(path)):
            if find(document, path[:length]) in (MISSING, None):
                for key in reversed(path[length:]):
                    wanted = {key: wanted}
                place, old = path[:length], MISSING
                break
        where = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in place)
        made.append({"op": "test", "path": where, "value": None if old is MISSING else old})
        if value is MISSING:
            made.append({"op": "remove", "path": where})
        else:
            made.append({"op": "add" if old is MISSING else "replace", "path": where, "value": wanted})
        document = put(document, place, wanted)
    return made


def find(document: Any, path: Path) -> Any:
    """The value at a path, or MISSING."""
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return MISSING
        document = document[key]
    return document


def put(document: Any, path: Path, value: Any) -> Any:
    """A copy of a document with another value at a path; MISSING removes."""
    if not path:
        return value
    base = document if isinstance(document, dict) else {}
    changed = put(base.get(path[0], MISSING), path[1:], value)
    if changed is MISSING:
        return {key: item for key, item in base.items() if key != path[0]}
    return {**base, path[0]: changed}


def _merge_objects(have: JsonObject, old: JsonObject, new: JsonObject) -> JsonObject:
    merged = {
        key: merge(item, old.get(key, MISSING), new.get(key, MISSING), key) for key, item in have.items()
    }
    merged |= {key: item for key, item in new.items() if key not in have and old.get(key, MISSING) != item}
    return {key: item for key, item in merged.items() if item is not MISSING}


def _items(several: Any) -> list[JsonObject]:
    return several if isinstance(several, list) else []


def _merge_lists(
    have: list[JsonObject], old: list[JsonObject], new: list[JsonObject], keys: Path
) -> list[JsonObject] | Any:
    """The new items in their order, each with what it had; what ECNS cannot say stays in its place."""

    def key(item: JsonObject) -> tuple[Any, ...]:
        return tuple(item.get(one) for one in keys)

    there, before = {key(item): item for item in have}, {key(item): item for item in old}
    if len(there) < len(have) or len({key(item) for item in new}) < len(new):
        return new or MISSING
    merged = [
        merge(there[key(item)], before[key(item)], item)
        if key(item) in there and key(item) in before
        else item
        for item in new
    ]
    known = {key(item) for item in new} | set(before)
    neighbour: tuple[Any, ...] | None = None
    for item in have:
        if key(item) not in known:
            places = [key(one) for one in merged]
            merged.insert(places.index(neighbour) + 1 if neighbour in places else 0, item)
        neighbour = key(item)
    return merged or MISSING
