"""managedFields: who owns which field, conflicts between them, and server-side apply.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ecns.embedded.kubernetes import clock, conversion, fieldsets, lastapplied, mergekeys, schemas
from ecns.embedded.kubernetes.errors import ApiError, Object, bad_request
from ecns.embedded.kubernetes.validation.strategies import STATUS_ALONE

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from ecns.embedded.kubernetes.fieldsets import Path
    from ecns.embedded.kubernetes.resources import Resource

_STRIPPED = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{key}")
            for key in (
                "name",
                "namespace",
                "creationTimestamp",
                "selfLink",
                "uid",
                "generation",
                "managedFields",
                "resourceVersion",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
            )
        ),
    }
)
_APPLY, _UPDATE = "Apply", "Update"
_BEFORE = "before-first-apply"
_CONTROLLER = "kube-controller-manager"
_MOST_UPDATES = 10
_ANCIENT = "ancient-changes"
_EVENT = "events.events.k8s.io"
_OTHER_SHAPES = {
    "events": ("events.k8s.io/v1",),
    "horizontalpodautoscalers.autoscaling": ("autoscaling/v1",),
}


class Manager(NamedTuple):
    """Who writes, for managedFields: the field manager's name and the API version it spoke.

    `shown` is the resource that it spoke of (`events.events.k8s.io` for one that is kept as `events`).
    """

    name: str = ""
    version: str = ""
    force: bool = False
    shown: Resource | None = None


class Owner(NamedTuple):
    """Who: manager, operation, API version, subresource."""

    manager: str
    operation: str
    version: str
    subresource: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """An applier is one whatever version it speaks."""
        version = "" if self.operation == _APPLY else self.version
        return (self.manager, self.operation, version, self.subresource)


class _Share(NamedTuple):
    owner: Owner
    fields: AbstractSet[Path]
    time: str


_Shares = dict[tuple[str, ...], _Share]


class _UnreadableError(ValueError):
    """managedFields that cannot be read; they count as none."""


def _load(metadata: Object) -> _Shares:
    found: _Shares = {}
    for entry in metadata.get("managedFields") or ():
        fields = entry.get("fieldsV1") or {}
        if (
            entry.get("fieldsType") != "FieldsV1"
            or entry.get("operation") not in {_APPLY, _UPDATE}
            or not isinstance(fields, dict)
        ):
            raise _UnreadableError
        owner = Owner(
            entry.get("manager", ""),
            entry["operation"],
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        found[owner.identity] = _Share(owner, fieldsets.decode(fields), entry.get("time", ""))
    return found


def _known(metadata: Object) -> _Shares:
    try:
        return _load(metadata)
    except _UnreadableError:
        return {}


def _meant(live: Object, new: Object) -> _Shares:
    """The managers that a write begins with: those that it brings, else those that the object has."""
    if new.get("managedFields") in ([], [{}]):
        return {}
    return _known(new) or _known(live)


def _save(metadata: Object, shares: _Shares) -> None:
    entries: list[Object] = []
    listed = sorted(shares.values(), key=lambda share: (share.owner.operation, share.time, share.owner))
    for share in listed:
        if not share.fields:
            continue
        entry: Object = {
            "manager": share.owner.manager,
            "operation": share.owner.operation,
            "apiVersion": share.owner.version,
            **({"time": share.time} if share.time else {}),
            "fieldsType": "FieldsV1",
            "fieldsV1": fieldsets.encode(share.fields),
        }
        if share.owner.subresource:
            entry["subresource"] = share.owner.subresource
        entries.append(entry)
    if entries:
        metadata["managedFields"] = entries
    else:
        metadata.pop("managedFields", None)


def _cap(shares: _Shares) -> None:
    """Makes one entry of the oldest updates when there are too many."""
    updates = sorted(
        (share for share in shares.values() if share.owner.operation == _UPDATE), key=lambda share: share.time
    )
    while len(updates) > _MOST_UPDATES:
        first, second, *rest = updates
        for share in (first, second):
            shares.pop(share.owner.identity, None)
        owner = Owner(_ANCIENT, _UPDATE, first.owner.version)
        merged = _Share(owner, first.fields | second.fields, second.time)
        shares[owner.identity] = merged
        updates = [merged, *rest]


def _blank(kind: Resource, version: str) -> Object:
    """What an object of the kind is before anything is set, but for its status."""
    if kind.definition:
        return {}
    return dict(_blank_built_in(kind.name, kind.kind, kind.api_version(version)))


@cache
def _blank_built_in(resource: str, kind: str, api_version: str) -> Object:
    obj: Object = {"kind": kind, "apiVersion": api_version}
    schemas.decode(resource, obj)
    obj.pop("status", None)
    return obj


def _compare(kind: Resource, version: str, old: Object, new: Object) -> fieldsets.Comparison:
    schema = mergekeys.schema_of(kind, version)
    left = {**old, "metadata": _shown(old.get("metadata") or {})}
    right = {**new, "metadata": _shown(new.get("metadata") or {})}
    found = fieldsets.compare(left, right, schema)
    return fieldsets.Comparison(*(part - _STRIPPED - {()} for part in found))


def _shape(kind: Resource, version: str) -> str:
    """The API version when its objects look otherwise than they are kept, else ""."""
    return version if version in _OTHER_SHAPES.get(kind.name, ()) else ""


def _change(kind: Resource, shape: str, old: Object | None, new: Object) -> fieldsets.Comparison:
    """What a write changes, as a client of that shape sees it."""
    shown, version = kind, kind.storage_version
    if shape:
        shown = schemas.builtin(_EVENT if shape.startswith("events") else kind.name) or kind
        version = shape.rpartition("/")[2]
        new = conversion.convert(new, shown)
        old = old if old is None else conversion.convert(old, shown)
    return _compare(shown, version, _blank(shown, version) if old is None else old, new)


def _shown(metadata: Object) -> Object:
    return {key: value for key, value in metadata.items() if ("f:metadata", f"f:{key}") not in _STRIPPED}


def _named(kind: Resource, manager: Manager | None, subresource: str) -> Owner:
    spoken = (manager.shown if manager else None) or kind
    version = spoken.api_version((manager.version if manager else "") or kind.storage_version)
    if manager is None or not manager.name:
        name = "kubelet" if kind.name in {"pods", "nodes"} and subresource == "status" else _CONTROLLER
    else:
        name = manager.name
    return Owner(name, _UPDATE, version, subresource)


def update(  # noqa: PLR0917  each is a fact of the write
    kind: Resource, old: Object | None, new: Object, manager: Manager | None, subresource: str, now: datetime
) -> None:
    """Brings `new`'s managedFields up to date after a create (`old` is None) or a change that is no apply."""
    metadata = new["metadata"]
    owner = _named(kind, manager, subresource)
    sent = metadata.get("managedFields")
    kept = [] if old is None else old["metadata"].get("managedFields")
    brings = old is None or not (subresource or sent in (None, kept))
    if not brings and not kept:  # whoever took all managers away wants none
        metadata.pop("managedFields", None)
        return
    changes: dict[str, fieldsets.Comparison] = {}

    def change(spoken: str) -> fieldsets.Comparison:
        if spoken not in changes:
            found = _change(kind, spoken, old, new)
            if not subresource and kind.subresource("status"):
                parts = ({path for path in part if path[0] != "f:status"} for part in found)
                found = fieldsets.Comparison(*parts)
            changes[spoken] = found
        return changes[spoken]

    changed = change(_shape(kind, owner.version))
    if not brings and not any(changed):
        metadata["managedFields"] = kept
        return
    shares = _meant(old["metadata"] if old else {}, metadata) if brings else _known({"managedFields": kept})
    if old is not None and not shares:
        metadata.pop("managedFields", None)
        return
    for identity, share in list(shares.items()):
        gone = change(_shape(kind, share.owner.version))
        left = share.fields - gone.added - gone.modified - gone.removed
        if len(left) != len(share.fields):
            shares[identity] = share._replace(fields=left)
    fresh = changed.added | changed.modified
    if subresource == "scale" and not new.get("spec", {}).get("replicas"):
        fresh = set()  # a Scale leaves out replicas that are zero, so that nobody sets them
    if fresh:
        own = shares.get(owner.identity)
        time = "" if subresource == "scale" else clock.stamp(now)
        shares[owner.identity] = _Share(owner, fresh | (own.fields if own else set()), time)
    _cap(shares)
    _save(metadata, shares)


class Applied(NamedTuple):
    """The object that an apply makes, with its managedFields."""

    obj: Object
    unchanged: bool


def check(kind: Resource, version: str, config: Object) -> None:
    """Looks at an applied configuration.

    Raises:
        ApiError: 400 and 500, as Kubernetes answers.

    """
    metadata = config.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    try:
        fieldsets.check(config, mergekeys.schema_of(kind, version))
    except fieldsets.SchemaError as error:
        where = _where(kind, config)
        raise ApiError(500, "", f"failed to create typed patch object {where}: {error}") from None


def _reset(kind: Resource, subresource: str) -> tuple[Path, ...]:
    """Fields that an apply to this endpoint never owns."""
    if subresource == "status":
        if kind.definition or kind.name in STATUS_ALONE:
            return (("f:spec",), ("f:metadata",))
        kept = {"deployments.apps": ("labels",), "pods": ("deletionTimestamp", "ownerReferences")}
        return (("f:spec",), *(("f:metadata", f"f:{name}") for name in kept.get(kind.name, ())))
    return (("f:status",),) if kind.subresource("status") else ()


def not_an_object(kind: Resource, config: Object, why: str) -> ApiError:
    """The error of what the schema allows and the kind's own type does not, such as base64 that is none."""
    return ApiError(500, "", f"failed to convert new typed object {_where(kind, config)} to object: {why}")


def _where(kind: Resource, config: Object) -> str:
    metadata = config.get("metadata") or {}
    namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
    version = config["apiVersion"] if kind.group else f"/{config['apiVersion']}"
    return f"({namespace}/{name}; {version}, Kind={config['kind']})"


def apply(  # noqa: PLR0917  each is a fact of the write
    kind: Resource,
    version: str,
    live: Object | None,
    config: Object,
    manager: Manager,
    subresource: str,
    now: datetime,
) -> Applied:
    """Applies a configuration to an object (None for one that does not exist).

    Raises:
        ApiError: 409 when other managers own what it sets otherwise, unless `manager.force`.

    """
    schema = mergekeys.schema_of(kind, version)
    owner = Owner(manager.name, _APPLY, kind.api_version(version), subresource)
    ignored = _reset(kind, subresource)
    fields = {
        path
        for path in fieldsets.paths({**config, "metadata": _shown(config.get("metadata") or {})}, schema)
        if path not in _STRIPPED and not any(path[: len(cut)] == cut for cut in ignored)
    }
    shares = _known(live["metadata"]) if live is not None else {}
    if live is not None and not shares:
        before = _blank(kind, version)
        found = _compare(
            kind, version, before, {key: value for key, value in live.items() if key != "status"}
        )
        first = Owner(_BEFORE, _UPDATE, owner.version)
        if found.added | found.modified:
            shares[first.identity] = _Share(first, found.added | found.modified, clock.stamp(now))
    last = shares.get(owner.identity)
    time = "" if subresource == "scale" else clock.stamp(now)
    if live is None:
        new = dict(config)
        new["metadata"] = dict(config.get("metadata") or {})
        _save(new["metadata"], {owner.identity: _Share(owner, fields, time)})
        return Applied(new, unchanged=False)
    wanted = {key: value for key, value in config.items() if (f"f:{key}",) not in ignored}
    merged: Object = fieldsets.merge(live, wanted, schema)
    shares[owner.identity] = _Share(owner, fields, last.time if last else time)
    if last is not None:
        owned: set[Path] = set()
        for share in shares.values():
            owned |= fieldsets.members(share.fields)
        given_up = fieldsets.members(last.fields) - owned - {("f:metadata",)}
        merged = fieldsets.without(merged, given_up, schema)
    changed = _compare(kind, version, live, merged)
    conflicts = _take(shares, owner, changed)
    if conflicts and manager.name == lastapplied.MANAGER:
        conflicts = _but(conflicts, lastapplied.allowed(live, schema, owner.version))
    if conflicts and not manager.force:
        raise _conflict(conflicts)
    unchanged = not any(changed) and last is not None and last.fields == fields
    if not unchanged:
        shares[owner.identity] = shares[owner.identity]._replace(time=time)
    metadata = merged["metadata"] = dict(merged["metadata"])
    if manager.name == lastapplied.MANAGER:
        lastapplied.renew(metadata, config)
    _save(metadata, shares)
    return Applied(merged, unchanged)


_Conflicts = list[tuple[Owner, list["Path"]]]


def _take(shares: _Shares, owner: Owner, changed: fieldsets.Comparison) -> _Conflicts:
    """Takes what an apply changes away from its other owners; returns whose it was."""
    conflicts: _Conflicts = []
    for identity, share in list(shares.items()):
        if identity == owner.identity:
            continue
        disputed = share.fields & (changed.added | changed.modified)
        if disputed:
            conflicts.append((share.owner, sorted(disputed, key=_order)))
        shares[identity] = share._replace(fields=share.fields - disputed - changed.removed)
    return conflicts


def _but(conflicts: _Conflicts, allowed: set[Path]) -> _Conflicts:
    """The conflicts about other fields than the allowed ones."""
    left = ((owner, [path for path in listed if path not in allowed]) for owner, listed in conflicts)
    return [(owner, listed) for owner, listed in left if listed]


def _order(path: Path) -> list[tuple[bool, str]]:
    """Of each field, what stands in it before what stands deeper."""
    last = len(path) - 1
    return [(at < last, step) for at, step in enumerate(path)]


def _described(owner: Owner) -> str:
    text = msgspec.json.encode(owner.manager).decode()
    if owner.subresource:
        text += f' with subresource "{owner.subresource}"'
    return text if owner.operation == _APPLY else f"{text} using {owner.version}"


def _conflict(conflicts: _Conflicts) -> ApiError:
    conflicts.sort(key=lambda conflict: conflict[0].identity)
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {_described(owner)}",
            "field": fieldsets.shown(path),
        }
        for owner, listed in conflicts
        for path in listed
    ]
    count = len(causes)
    if count == 1:
        text = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = []
        for owner, listed in conflicts:
            lines.append(f"conflicts with {_described(owner)}:")
            lines += [f"- {fieldsets.shown(path)}" for path in listed]
        text = f"{count} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", f"Apply failed with {text}", details={"causes": causes})
