"""Objects' metadata: its order, its place, and whether an object is the one that a path names."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from ecns.embedded.kubernetes.errors import Object, bad_request

_OWNERS_AGAIN = (
    ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, "
    "and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: "
)

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.resources import Resource

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_GENERATED = 5
_OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"


def clone(obj: Object) -> Object:
    """A deep copy of an object."""
    copied: Object = msgspec.json.decode(msgspec.json.encode(obj))
    return copied


def suffix() -> str:
    """Five characters as `generateName` appends."""
    return "".join(random.choices(ALPHABET, k=_GENERATED))  # noqa: S311  a name, not a secret


_ORDER = (
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
)


def in_order(metadata: Object) -> Object:
    """Metadata as Kubernetes writes it: in its order, without what is empty."""
    return {key: metadata[key] for key in _ORDER if metadata.get(key) not in (None, "", {}, [])}


def of(obj: Object) -> Object:
    """An object's metadata, made when it is missing.

    Raises:
        ApiError: 400 when it is no object.
    """
    metadata = obj.get("metadata")
    if metadata is None:
        metadata = obj["metadata"] = {}
    if not isinstance(metadata, dict):
        raise bad_request("metadata: must be an object")
    return metadata


def place(kind: Resource, metadata: Object, namespace: str) -> None:
    """Puts a new object's metadata into the request's namespace.

    Raises:
        ApiError: 400 when it names another.
    """
    if not kind.namespaced:
        if metadata.get("namespace"):
            raise bad_request("namespace: must not be set on a cluster scoped object")
        metadata.pop("namespace", None)
        return
    if namespace and metadata.get("namespace") and metadata["namespace"] != namespace:
        raise bad_request(_OTHER_NAMESPACE)
    metadata["namespace"] = namespace or metadata.get("namespace", "")


def check_applied(
    kind: Resource, version: str, config: Object, name: str, namespace: str, *, exists: bool
) -> None:
    """Compares an applied configuration with the path it was sent to; what exists has its name.

    Raises:
        ApiError: 400.

    """
    api_version, sent = config.get("apiVersion") or "", config.get("kind") or ""
    if (api_version, sent) != (kind.api_version(version), kind.kind):
        raise bad_request(
            f"invalid object type: {api_version if '/' in api_version else '/' + api_version}, Kind={sent}"
        )
    metadata = config.get("metadata") or {}
    given = (metadata.get("name") or (name if exists else "")) if isinstance(metadata, dict) else ""
    if not given:
        raise bad_request(
            f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )
    if kind.namespaced and metadata.get("namespace", namespace) != namespace:
        raise bad_request(_OTHER_NAMESPACE)
    if given != name:
        raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")


def check_identity(new: Object, base: Object) -> None:
    """Refuses a patch that makes another object of it."""
    if not isinstance(new, dict):
        raise bad_request("the patch leaves no object")
    for key in ("kind", "apiVersion"):
        if new.get(key) not in {None, base[key]}:
            raise bad_request(f"the {key} of an object cannot be changed")
    before, after = base["metadata"], of(new)
    for key in ("kind", "apiVersion"):
        new.setdefault(key, base[key])
    if before.get("namespace"):
        after.setdefault("namespace", before["namespace"])
    if after.get("namespace", "") != before.get("namespace", ""):
        raise bad_request(_OTHER_NAMESPACE)
    name, asked = after.get("name", ""), before.get("name", "")
    if not name:
        raise bad_request(
            f"the name of the object ({asked} based on URL) was undeterminable: name must be provided"
        )
    if name != asked:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({asked})")


def same(old: Object, new: Object) -> bool:
    """Whether a write would change nothing."""
    if any(
        old.get(key) != value for key, value in new.items() if key not in {"metadata", "kind", "apiVersion"}
    ):
        return False
    if any(key not in new for key in old if key not in {"kind", "apiVersion"}):
        return False
    return _clean(old["metadata"]) == _clean(new["metadata"])


def _clean(metadata: Object) -> Object:
    """What counts; the times of managers alone do not."""
    found = {key: value for key, value in metadata.items() if value and key != "resourceVersion"}
    if "managedFields" in found:
        found["managedFields"] = [{**entry, "time": ""} for entry in found["managedFields"]]
    return found


def dedupe_owners(metadata: Object, warnings: list[str]) -> None:
    """Keeps each owner reference once, and warns of those that were there again."""
    references = metadata.get("ownerReferences") or []
    kept = [one for at, one in enumerate(references) if one not in references[:at]]
    if len(kept) < len(references):
        again = {one.get("uid", "") for at, one in enumerate(references) if one in references[:at]}
        metadata["ownerReferences"] = kept
        warnings.append(_OWNERS_AGAIN + ", ".join(sorted(again)))
