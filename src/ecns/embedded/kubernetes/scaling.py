"""The scale subresource: an object's replicas as a Scale, read and changed by every kind of patch.

Source: https://kubernetes.io/docs/reference/kubernetes-api/autoscaling-resources/scale-v1/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes import bodies, fieldsets, mergekeys, ownership, patches
from ecns.embedded.kubernetes import metadata as meta
from ecns.embedded.kubernetes.applying import keep_managers
from ecns.embedded.kubernetes.cluster import Cluster
from ecns.embedded.kubernetes.errors import Cause, Object, bad_request, conflict, invalid
from ecns.embedded.kubernetes.metadata import clone
from ecns.embedded.kubernetes.ownership import Manager

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.options import WriteOptions
    from ecns.embedded.kubernetes.resources import Resource
    from ecns.embedded.kubernetes.rest import Call

_VERSION, _KIND = "autoscaling/v1", "Scale"


def _lookup(obj: Object, path: str) -> Any:
    value: Any = obj
    for key in path.strip(".").split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def selector_text(selector: Object | None) -> str:
    """A label selector written as a query writes it."""
    if not selector:
        return ""
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        key, operator, values = (
            expression["key"],
            expression["operator"],
            sorted(expression.get("values") or ()),
        )
        match operator:
            case "In" | "NotIn":
                terms.append(f"{key} {operator.lower()} ({','.join(values)})")
            case "Exists":
                terms.append(key)
            case _:
                terms.append(f"!{key}")
    return ",".join(terms)


def scale_of(resource: Resource, obj: Object, version: str = "") -> Object:
    """The Scale of an object."""
    metadata = obj["metadata"]
    shown = {
        key: metadata[key]
        for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if key in metadata
    }
    spec: Object = {}
    if resource.definition:
        paths = resource.scales.get(version or resource.storage_version, {})
        replicas = _lookup(obj, paths.get("specReplicasPath", ".spec.replicas")) or 0
        status: Object = {"replicas": _lookup(obj, paths.get("statusReplicasPath", ".status.replicas")) or 0}
        if paths.get("labelSelectorPath"):
            text = _lookup(obj, paths["labelSelectorPath"])
            if text:
                status["selector"] = text
    else:
        replicas = obj.get("spec", {}).get("replicas", 0)
        status = {"replicas": obj.get("status", {}).get("replicas", 0)}
        selector = obj.get("spec", {}).get("selector")
        if resource.name == "replicationcontrollers":
            selector = {"matchLabels": selector or {}}
        text = selector_text(selector)
        if text:
            status["selector"] = text
    if replicas:
        spec["replicas"] = replicas
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": shown,
        "spec": spec,
        "status": status,
    }


def change(
    cluster: Cluster,
    resource: Resource,
    call: Call,
    asked: WriteOptions,
    *,
    namespace: str,
    sent: Object | None,
) -> Object:
    """Sets the replicas that a request asks for; returns the Scale that comes of it.

    Args:
        cluster: the objects.
        resource: whose scale.
        call: the request.
        asked: its options.
        namespace: of the object.
        sent: the Scale that replaces the present one; None for a patch.

    Raises:
        ApiError: as Kubernetes would answer.

    """
    target = call.target
    version = target.version if resource.definition else ""
    record = cluster.record(resource.name, target.name, namespace)
    present = scale_of(resource, record.obj, version)
    kind = bodies.media_type(call.headers.get("Content-Type", "")) if sent is None else ""
    if sent is None:
        patch, _ = patches.decode(call.body, kind)
        wanted = _patched(present, patch, kind)
    else:
        patch, wanted = None, sent
    _check(resource, record.rv, target.name, wanted)
    replicas = _replicas(resource, target.name, wanted)
    new = _with(resource, version, record.obj, replicas)
    manager = Manager(asked.manager, target.version, bool(asked.force))
    track = None
    if kind == patches.APPLY:
        config: Object = {"apiVersion": record.obj["apiVersion"], "kind": resource.kind, "metadata": {}}
        if "replicas" in (patch.get("spec") or {}):
            config = _with(resource, version, config, replicas)
        applied = ownership.apply(
            resource, target.version, record.obj, config, manager, "scale", cluster.now()
        )
        new = clone(applied.obj)
        track = keep_managers(new["metadata"].get("managedFields"))
    changed = cluster.replace(
        resource,
        record,
        new,
        subresource="scale",
        user=call.user,
        dry_run=asked.dry_run,
        manager=manager,
        version=version,
        track=track,
    )
    return scale_of(resource, changed, version)


def _patched(present: Object, patch: Any, kind: str) -> Object:
    schema = mergekeys.built_in("autoscaling", "v1", _KIND)
    new: Object
    if kind == patches.JSON:
        new = patches.json_patch(clone(present), patch)
    elif kind == patches.MERGE:
        new = patches.merge_patch(present, patch)
    elif kind == patches.STRATEGIC:
        new = patches.strategic_merge_patch(present, patch, schema)
    else:
        named = patch.get("apiVersion", ""), patch.get("kind", "")
        if named != (_VERSION, _KIND):
            raise bad_request(f"invalid object type: {named[0]}, Kind={named[1]}")
        new = fieldsets.merge(present, patch, schema)
    return new


def _check(resource: Resource, revision: int, name: str, wanted: Object) -> None:
    metadata = meta.of(wanted)
    if metadata.get("name", name) != name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        )
    given = metadata.get("resourceVersion")
    if given and given != str(revision):
        why = "the object has been modified; please apply your changes to the latest version and try again"
        raise conflict(resource.name, name, why)


def _replicas(resource: Resource, name: str, wanted: Object) -> int:
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request(
            'Scale in version "v1" cannot be handled as a Scale: spec.replicas must be a number'
        )
    if replicas < 0 and not resource.definition:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid(_KIND, "autoscaling", name, [Cause("FieldValueInvalid", why, "spec.replicas")])
    return replicas


def _with(resource: Resource, version: str, obj: Object, replicas: int) -> Object:
    """A copy of an object with other replicas."""
    new = clone(obj)
    paths = resource.scales.get(version or resource.storage_version, {})
    holder: Any = new
    *parents, last = paths.get("specReplicasPath", ".spec.replicas").strip(".").split(".")
    for key in parents:
        holder = holder.setdefault(key, {})
    holder[last] = replicas
    return new
