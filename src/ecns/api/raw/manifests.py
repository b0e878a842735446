"""Documents as objects of Kubernetes: what they are, in which order they are made, what of them is shown.

Sources: `InstallOrder` of Helm (`pkg/release/util/kind_sorter.go`), which is kubectl's way as well;
decisions, "Other chapters".
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from ecns.api.common import marks
from ecns.api.common.contents import binaries
from ecns.api.common.documents import Document
from ecns.api.common.names import LAST_APPLIED, PART_OF
from ecns.api.common.patching import MISSING, Operations, Path, operations, put
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.errors import BadRequestError, ConflictError

APPLICATION: Final = "application"
"""The kind in a path that stands for an application with all that belongs to it."""
HIDDEN: Final = "***"
MOST: Final = 1000
"""Objects of one request; a `List` holds several."""

ORDER: Final = (
    *(
        "Namespace",
        "CustomResourceDefinition",
        "PriorityClass",
        "NetworkPolicy",
        "ResourceQuota",
        "LimitRange",
    ),
    *("PodDisruptionBudget", "ServiceAccount", "Secret", "ConfigMap", "StorageClass", "PersistentVolume"),
    *("PersistentVolumeClaim", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "IngressClass"),
    *("Application", "Service", "DaemonSet", "Pod", "ReplicationController", "ReplicaSet", "Deployment"),
    *("HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob", "Ingress", "APIService"),
)
"""What comes first is made first; then other kinds, and last what guards the making of others."""
LAST: Final = frozenset(
    {
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
)
_RANKS = {kind: rank for rank, kind in enumerate(ORDER)}


class Sent(msgspec.Struct, frozen=True):
    """An object of a request."""

    line: int
    """Where its document begins."""
    api_version: str
    kind: str
    name: str
    """Empty when Kubernetes is to find one (`generateName`)."""
    namespace: str
    """Empty when the object does not say."""
    whole: JsonObject

    @property
    def rank(self) -> int:
        """Its place in the order of making."""
        return rank(self.kind)


def rank(kind: str) -> int:
    """The place of a kind in the order of making."""
    return len(ORDER) + 1 if kind in LAST else _RANKS.get(kind, len(ORDER))


class Wrong(msgspec.Struct, frozen=True):
    """Something of a request that is no object."""

    line: int
    kind: str
    name: str
    value: Any
    error: BadRequestError


def sent(documents: Iterable[Document]) -> list[Sent | Wrong]:
    """The objects of documents, those in lists too.

    Raises:
        BadRequestError: there are none, or too many.
    """
    found: list[Sent | Wrong] = []
    for document in documents:
        for value in _objects(document.value):
            if len(found) == MOST:
                raise BadRequestError(f"yaml: more than {MOST} objects", field="yaml")
            found.append(_object(document.line, value))
    if not found:
        raise BadRequestError("yaml: there is no object in it", field="yaml")
    return found


def _objects(value: Any) -> Iterable[Any]:
    """An object, or those of a list (`kind: List`, and such as `DeploymentList`)."""
    if not isinstance(value, dict) or not isinstance(value.get("items"), list):
        return (value,)
    kind, metadata = value.get("kind"), value.get("metadata")
    named = isinstance(metadata, dict) and "name" in metadata
    if not isinstance(kind, str) or not kind.endswith("List") or named:
        return (value,)
    of = kind.removesuffix("List")
    # Items of a typed list need not say what they are.
    implied = {"apiVersion": value.get("apiVersion"), "kind": of} if of else {}
    return [{**implied, **one} if isinstance(one, dict) else one for one in value["items"]]


def _object(line: int, value: Any) -> Sent | Wrong:
    if not isinstance(value, dict):
        return _wrong(
            line, {}, value, "yaml", "is no object: a document has the keys apiVersion, kind, metadata"
        )
    metadata = value.get("metadata")
    for field in ("apiVersion", "kind"):
        if not isinstance(value.get(field), str) or not value[field]:
            return _wrong(line, value, value, field, "is needed, a text")
    if not isinstance(metadata, dict):
        return _wrong(line, value, value, "metadata", "is needed, an object with a name")
    for field in ("name", "generateName", "namespace", "resourceVersion"):
        if not isinstance(metadata.get(field), str | None):
            return _wrong(line, value, value, f"metadata.{field}", "is no text; write it in quotes")
    for field in ("labels", "annotations"):
        if not isinstance(several := metadata.get(field), dict | None) or not all(
            isinstance(one, str | None) for one in (several or {}).values()
        ):
            return _wrong(line, value, value, f"metadata.{field}", "takes texts alone; write them in quotes")
    if not metadata.get("name") and not metadata.get("generateName"):
        return _wrong(line, value, value, "metadata.name", "is needed")
    if value["kind"] == "Secret" and isinstance(data := value.get("data"), dict):
        try:
            binaries({key: one for key, one in data.items() if isinstance(one, str)}, "data")
        except BadRequestError as error:
            return Wrong(line, "Secret", str(metadata.get("name") or ""), value, error)
    return Sent(
        line,
        value["apiVersion"],
        value["kind"],
        metadata.get("name") or "",
        metadata.get("namespace") or "",
        value,
    )


def _wrong(line: int, value: JsonObject, whole: Any, field: str, message: str) -> Wrong:
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else ""
    kind = value.get("kind")
    error = BadRequestError(f"{field}: {message}", field=field)
    return Wrong(
        line, kind if isinstance(kind, str) else "", name if isinstance(name, str) else "", whole, error
    )


def placed(one: Sent, namespace: str) -> JsonObject:
    """An object in a namespace, empty for none; without what only the server writes of it."""
    metadata = {key: value for key, value in one.whole["metadata"].items() if key != "managedFields"}
    metadata.pop("namespace", None)
    if namespace:
        metadata["namespace"] = namespace
    return {**one.whole, "metadata": metadata}


def without_nulls(whole: JsonObject, causes: Any) -> JsonObject | None:
    """An object without those of its nulls that were refused; None if there are none among the causes.

    A manifest may say `key:` with nothing behind it. In whatever is sent as a whole Kubernetes takes that for
    left out, where a field takes no null; of a server-side apply of a custom resource it does not.
    """
    if not isinstance(causes, list):
        return None
    refused = {
        _steps(str(one.get("field", "")))
        for one in causes
        if isinstance(one, dict) and str(one.get("message", "")).endswith(': "null"')
    }
    return _left(whole, "", refused) if refused else None


def _left(value: Any, at: str, refused: set[str]) -> Any:
    if isinstance(value, list):
        return [_left(one, f"{at}.{index}", refused) for index, one in enumerate(value)]
    if not isinstance(value, dict):
        return value
    found = {key: (_steps(f"{at}.{key}"), one) for key, one in value.items()}
    return {
        key: _left(one, path, refused)
        for key, (path, one) in found.items()
        if one is not None or path not in refused
    }


def _steps(field: str) -> str:
    """A field's path with nothing but dots, as `spec.rules.0.host`."""
    return field.replace("[", ".").replace("]", "").lstrip(".")


def member(whole: JsonObject, application: str) -> JsonObject:
    """An object as a member of an application.

    Raises:
        ConflictError: it says that it is one of another.
    """
    other = marks.member_of(whole)
    if other not in {None, application}:
        raise ConflictError(f"its label {PART_OF} says that it belongs to application {other!r}")
    labels = {**(whole["metadata"].get("labels") or {}), PART_OF: application}
    changed: JsonObject = put(whole, ("metadata", "labels"), labels)
    return changed


def edited(now: JsonObject, new: JsonObject) -> Operations:
    """The JSON Patch that makes of an object what it was edited to, as long as nobody else changes it.

    What was not shown stays: `managedFields`.
    """
    changes: dict[Path, Any] = {
        (key,): new.get(key, MISSING) for key in (*now, *new) if key not in {"apiVersion", "kind", "metadata"}
    }
    before, after = now["metadata"], new["metadata"]
    for key in (*before, *after):
        if key != "managedFields" and (key in after or key in _OWN):
            changes["metadata", key] = after.get(key) or MISSING if key in _OWN else after[key]
    made = [one for one in operations(now, changes) if one["op"] != "test"]
    version = before["resourceVersion"]
    return [{"op": "test", "path": "/metadata/resourceVersion", "value": version}, *made] if made else []


_OWN = frozenset({"labels", "annotations", "finalizers", "ownerReferences"})
"""What of the metadata is there only while it is said."""


def shown(whole: JsonObject, *, hidden: bool = False) -> JsonObject:
    """An object as it is shown: without `managedFields`, and on demand without the values of a Secret."""
    metadata = {key: value for key, value in whole["metadata"].items() if key != "managedFields"}
    first = {"apiVersion": whole.get("apiVersion"), "kind": whole.get("kind"), "metadata": metadata}
    made: JsonObject = {**first, **{key: value for key, value in whole.items() if key not in first}}
    return concealed(made) if hidden else made


def wanted(whole: JsonObject) -> JsonObject:
    """What of an object people say, without its state and the server's notes."""
    notes = {"managedFields", "resourceVersion", "generation"}
    metadata = {key: value for key, value in whole["metadata"].items() if key not in notes}
    return {**{key: value for key, value in whole.items() if key != "status"}, "metadata": metadata}


def concealed(value: Any) -> Any:
    """Something that was sent or is there, without what is secret in it; total, whatever it is."""
    if not isinstance(value, dict) or str(value.get("kind", "")).lower() not in {"secret", "secrets"}:
        return value
    made = {
        key: _masked(one) if key in {"data", "stringData"} or key.lower() in {"data", "stringdata"} else one
        for key, one in value.items()
    }
    metadata = value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        made["metadata"] = {**value["metadata"], "annotations": {**annotations, LAST_APPLIED: HIDDEN}}
    return made


def _masked(value: Any) -> Any:
    return dict.fromkeys(value, HIDDEN) if isinstance(value, dict) else HIDDEN


def secrets(whole: JsonObject) -> list[str]:
    """What is secret in an object, as it was written and as it is meant."""
    if whole.get("kind") != "Secret":
        return []
    stored, texts = (
        [one for one in several.values() if isinstance(one, str) and one]
        if isinstance(several := whole.get(field), dict)
        else []
        for field in ("data", "stringData")
    )
    for value in stored:
        with contextlib.suppress(ValueError):  # no base64, which is told without it
            texts.append(base64.b64decode(value, validate=True).decode(errors="replace"))
    return stored + texts


def in_order(objects: Iterable[Sent]) -> list[list[Sent]]:
    """Objects by the order of making; those of one list may be made together."""
    ranks: dict[int, list[Sent]] = {}
    for one in objects:
        ranks.setdefault(one.rank, []).append(one)
    return [ranks[rank] for rank in sorted(ranks)]


def defines(one: Sent) -> tuple[str, str, Sequence[str]] | None:
    """Group, kind and served versions of what an object defines; None: it is no CustomResourceDefinition."""
    if one.kind != "CustomResourceDefinition":
        return None
    spec = one.whole.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(names, dict):
        return None
    group, kind, versions = spec.get("group"), names.get("kind"), spec.get("versions")
    if not isinstance(group, str) or not isinstance(kind, str) or not isinstance(versions, list):
        return None
    served = [v.get("name") for v in versions if isinstance(v, dict) and v.get("served")]
    return group, kind, [name for name in served if isinstance(name, str)]
