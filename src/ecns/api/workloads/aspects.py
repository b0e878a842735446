"""Changes of one aspect of a workload, as JSON Patches of the whole object (reference 1.21, PATCH and PUT).

Each function takes the object with all of its fields and gives the operations that change the aspect and
nothing else; no operations when there is nothing to do. What ECNS has no word for stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from ecns.api.common import names
from ecns.api.common.patching import MISSING, Operations, Path, find, merge, operations
from ecns.api.workloads.kept import ANNOTATIONS, kept, typed
from ecns.api.workloads.manifests import controllers, scheduling
from ecns.api.workloads.manifests.status import is_stopped
from ecns.api.workloads.plans import Plan, plan_access, plan_scale_strategy
from ecns.api.workloads.types import (
    AccessMode,
    Container,
    Network,
    SchedulerStrategy,
    UpdateStrategy,
)
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.errors import BadRequestError, ConflictError

__all__ = [
    "Plan",
    "containers",
    "labels",
    "network",
    "plan_access",
    "plan_scale_strategy",
    "recreate",
    "rollback",
    "scale",
    "scheduler_strategy",
    "sent_access_modes",
    "start",
    "stop",
    "update_strategy",
]

LABELS: Path = ("metadata", "labels")
REPLICAS: Path = ("spec", "replicas")
TEMPLATE: Path = ("spec", "template")
POD: Path = (*TEMPLATE, "spec")
TEMPLATE_LABELS: Path = (*TEMPLATE, "metadata", "labels")
TEMPLATE_ANNOTATIONS: Path = (*TEMPLATE, "metadata", "annotations")
STOPPED: Path = (*ANNOTATIONS, names.STOPPED_REPLICAS)
STOPPED_NODE: Path = (*POD, "nodeSelector", names.STOPPED_NODE)
HASH_LABEL = "pod-template-hash"


def scale(whole: JsonObject, kind: str, replicas: int) -> Operations:
    """Set the replicas; a stopped workload that is scaled is not stopped any more.

    Raises:
        BadRequestError: it is a DaemonSet.
    """
    if kind == "DaemonSet":
        raise BadRequestError("a DaemonSet has one pod a node and cannot be scaled", field="replicas")
    return operations(whole, {REPLICAS: replicas, STOPPED: MISSING})


def containers(
    whole: JsonObject, kind: str, new: Sequence[Container], *, registry_domain: str = ""
) -> Operations:
    """Change the containers; volumes are not touched."""
    paths = (
        (*POD, "containers"),
        (*POD, "initContainers"),
        (*POD, "imagePullSecrets"),
        (*POD, "hostPID"),
        (*POD, "hostIPC"),
        (*TEMPLATE_ANNOTATIONS, names.LOG_SIDECAR),
    )
    return _change(whole, kind, "containers", list(new), paths=paths, registry_domain=registry_domain)


def scheduler_strategy(
    whole: JsonObject, kind: str, new: Sequence[SchedulerStrategy], *, registry_domain: str = ""
) -> Operations:
    """Change where pods go."""
    paths = ((*POD, "nodeSelector"), (*POD, "affinity"))
    return _change(whole, kind, "scheduler_strategy", list(new), paths=paths, registry_domain=registry_domain)


def network(whole: JsonObject, kind: str, new: Network | None, *, registry_domain: str = "") -> Operations:
    """Change the network settings."""
    wanted = new or Network()
    paths = [(*POD, "hostNetwork"), (*POD, "dnsPolicy"), (*POD, "hostAliases")]
    made = _change(whole, kind, "network", wanted, paths=paths, registry_domain=registry_domain)
    if find(whole, (*POD, "hostNetwork")) is True and not wanted.host_network:
        # With the host's network Kubernetes sets each hostPort to the containerPort.
        place = (*POD, "containers")
        made += operations(whole, {place: [_without_host_ports(one) for one in find(whole, place)]})
    return made


def update_strategy(
    whole: JsonObject, kind: str, new: UpdateStrategy | None, *, registry_domain: str = ""
) -> Operations:
    """Change how pods are replaced; without a type only the period."""
    shown = controllers.workload(typed(whole, kind), registry_domain=registry_domain)
    place: Path = ("spec", "strategy" if kind == "Deployment" else "updateStrategy")
    changes: dict[Path, Any] = {}
    if new == shown.update_strategy:
        return []
    wanted = scheduling.update_strategy(new, kind)
    if wanted is not None:
        old = scheduling.update_strategy(shown.update_strategy, kind)
        have = find(whole, place)
        merged = merge(have, msgspec.to_builtins(old), msgspec.to_builtins(wanted))
        if wanted.type != "RollingUpdate":
            merged = {key: value for key, value in merged.items() if key != "rollingUpdate"}
        changes[place] = merged
    if new is not None and new.period is not None:
        changes["spec", "minReadySeconds"] = new.period or MISSING
    return operations(whole, changes | kept(shown, "update_strategy", new, registry_domain))


def labels(whole: JsonObject, kind: str, new: Mapping[str, str]) -> Operations:
    """Change the labels of the workload and of its pods; those that select the pods stay.

    Raises:
        BadRequestError: a label that selects the pods has another value.
    """
    controller = typed(whole, kind)
    selecting = controller.spec.selector.match_labels or {}
    have = controller.metadata.labels or {}
    for key, value in new.items():
        if value not in {selecting.get(key, value), have.get(key)}:
            raise BadRequestError(
                f"labels: {key}={selecting[key]} selects the workload's pods and cannot be changed",
                field=f"labels.{key}",
            )
    shown, wanted = names.shown_labels(have), names.shown_labels(new)
    changes: dict[Path, Any] = {}
    for key in {**shown, **wanted}:
        stays = have.get(key, MISSING) if key in selecting else MISSING
        label: Any = wanted.get(key, stays)
        changes[*LABELS, key] = label
        if key not in selecting and label != shown.get(key, MISSING):
            changes[*TEMPLATE_LABELS, key] = label
    return operations(whole, changes)


def stop(whole: JsonObject, kind: str) -> Operations:
    """Want no pods, and remember how many there were; nothing to do when it is stopped."""
    controller = typed(whole, kind)
    if is_stopped(controller):
        return []
    if kind == "DaemonSet":
        return operations(whole, {STOPPED_NODE: "true"})
    replicas = 1 if controller.spec.replicas is None else controller.spec.replicas
    return operations(whole, {STOPPED: str(replicas), REPLICAS: 0})


def start(whole: JsonObject, kind: str) -> Operations:
    """Want the pods there were before it was stopped; nothing to do when it is not stopped."""
    if not is_stopped(typed(whole, kind)):
        return []
    if kind == "DaemonSet":
        return operations(whole, {STOPPED_NODE: MISSING})
    remembered = find(whole, STOPPED)
    text = remembered if isinstance(remembered, str) else ""
    replicas = int(text) if text.isdecimal() and int(text) else 1
    return operations(whole, {REPLICAS: replicas, STOPPED: MISSING})


def recreate(whole: JsonObject, kind: str, now: str) -> Operations:
    """Replace every pod, as `kubectl rollout restart` does; `now` in RFC 3339.

    Raises:
        ConflictError: the Deployment is paused.
    """
    if kind == "Deployment" and find(whole, ("spec", "paused")) is True:
        raise ConflictError("the Deployment is paused: its pods are not replaced until it is resumed")
    return operations(whole, {(*TEMPLATE_ANNOTATIONS, names.RESTARTED_AT): now})


def rollback(whole: JsonObject, kind: str, revision: JsonObject) -> Operations:
    """Go back to the pods of a revision.

    Args:
        whole: the workload.
        kind: its kind.
        revision: the whole ReplicaSet or ControllerRevision.

    Raises:
        ConflictError: the revision holds no template.
    """
    source = revision.get("data", {}) if "data" in revision else revision
    template = find(source, TEMPLATE)
    if not isinstance(template, dict):
        raise ConflictError("the revision has no pod template")
    template = {key: value for key, value in template.items() if key != "$patch"}
    metadata = dict(template.get("metadata") or {})
    found = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL}
    template["metadata"] = {**metadata, "labels": found}
    marked = find(whole, STOPPED_NODE)
    spec = template["spec"]
    selector = {
        key: value for key, value in (spec.get("nodeSelector") or {}).items() if key != names.STOPPED_NODE
    }
    if kind == "DaemonSet" and marked is not MISSING:
        selector[names.STOPPED_NODE] = marked
    rest = {key: value for key, value in spec.items() if key != "nodeSelector"}
    template["spec"] = {**rest, "nodeSelector": selector} if selector else rest
    same = template == find(whole, TEMPLATE)
    return [] if same else operations(whole, {TEMPLATE: template})


def sent_access_modes(whole: JsonObject, kind: str, modes: Sequence[AccessMode]) -> Operations:
    """Keep what the Services cannot say of access modes; goes with `plan_access`."""
    shown = controllers.workload(typed(whole, kind))
    return operations(whole, kept(shown, "access_mode", list(modes)))


def _change(
    whole: JsonObject,
    kind: str,
    field: str,
    new: Any,
    *,
    paths: Sequence[Path],
    registry_domain: str,
) -> Operations:
    """Change what a field of the workload says in the pod template."""
    shown = controllers.workload(typed(whole, kind), registry_domain=registry_domain)
    if new == getattr(shown, field):
        return []
    wanted = replace(shown, **{field: new})
    old = {"spec": {"template": msgspec.to_builtins(controllers.template(shown, registry_domain))}}
    after = {"spec": {"template": msgspec.to_builtins(controllers.template(wanted, registry_domain))}}
    changes = {path: merge(find(whole, path), find(old, path), find(after, path), path[-1]) for path in paths}
    return operations(whole, changes | kept(shown, field, new, registry_domain))


def _without_host_ports(container: JsonObject) -> JsonObject:
    if not container.get("ports"):
        return container
    ports = [
        {key: value for key, value in port.items() if key != "hostPort" or value != port.get("containerPort")}
        for port in container["ports"]
    ]
    return {**container, "ports": ports}
