"""What to make, change and remove so that Services, Ingresses and the autoscaler are as asked for.

Services that stay keep their cluster IPs and node ports (reference 1.21, "access modes" and "scale
strategy"). Source for Services: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from ecns.api.common import marks, names
from ecns.api.common.patching import MISSING, Operations, Path, find, merge, operations
from ecns.api.workloads.kept import typed
from ecns.api.workloads.manifests import access, controllers, scheduling
from ecns.api.workloads.types import AccessMode, ScaleStrategy
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.autoscaling import HORIZONTAL_POD_AUTOSCALER, HorizontalPodAutoscaler
from ecns.backends.kubernetes.kinds.core import SERVICE, Service
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind, Resource
from ecns.backends.kubernetes.kinds.networking import INGRESS, Ingress

ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy", "selector")
"""What a Service of type ExternalName does not have."""
OUTSIDE = ("externalTrafficPolicy", "healthCheckNodePort", "allocateLoadBalancerNodePorts")
"""What only Services that are reached from outside have."""

HEADLESS = "None"
"""The cluster IP of a Service that has none."""


class Plan(Struct, kw_only=True):
    """Changes to the objects around a workload; empty when all is as asked for."""

    create: list[tuple[Kind[Any], Resource]] = field(default_factory=list)
    patch: list[tuple[Kind[Any], str, Operations]] = field(default_factory=list)
    delete: list[tuple[Kind[Any], str]] = field(default_factory=list)


def plan_access(
    whole: JsonObject,
    kind: str,
    modes: Sequence[AccessMode],
    services: Sequence[JsonObject],
    ingresses: Sequence[JsonObject],
    *,
    namespace: str,
) -> Plan:
    """Make a workload's access modes what was sent.

    Args:
        whole: the workload's controller.
        kind: its kind.
        modes: the access modes, all of them.
        services: the Services that belong to it, whole.
        ingresses: the Ingresses that lead to these Services, whole.
        namespace: where all of them are.
    """
    controller = typed(whole, kind)
    found = {one["metadata"]["name"]: one for one in services}
    called = _names(controller, modes, services)
    named = [replace(mode, name=name) for mode, name in zip(modes, called, strict=True)]
    plan = Plan()
    own = names.own_labels(controller.metadata.name, (controller.metadata.labels or {}).get(names.PART_OF))
    labels = controller.spec.template.metadata.labels or {}
    selector = controller.spec.selector.match_labels or {names.WORKLOAD: controller.metadata.name}
    if names.WORKLOAD in labels:
        selector = {names.WORKLOAD: labels[names.WORKLOAD]}
    for at, mode in enumerate(named):
        order = at if len(named) > 1 else None
        name = called[at]
        if name in found:
            if changes := _changed_service(controller, found[name], mode, selector, order):
                plan.patch.append((SERVICE, name, changes))
        else:
            plan.create.append((SERVICE, access.service(mode, name, own, selector, order)))
    plan.delete += [(SERVICE, name) for name in found if name not in called]
    _plan_ingresses(plan, named, ingresses, own)
    _own(plan, controller, kind, namespace)
    return plan


def plan_scale_strategy(
    whole: JsonObject,
    kind: str,
    strategy: ScaleStrategy | None,
    autoscaler: JsonObject | None,
    *,
    namespace: str,
) -> Plan:
    """Make a workload's autoscaler what was sent; none or an empty strategy removes it.

    Args:
        whole: the workload's controller.
        kind: its kind.
        strategy: the strategy.
        autoscaler: the autoscaler that scales the workload, whole, if there is one.
        namespace: where both are.
    """
    controller = typed(whole, kind)
    plan = Plan()
    wanted = scheduling.autoscaler(strategy, controller.metadata.name, kind)
    if wanted is None:
        if autoscaler is not None:
            plan.delete.append((HORIZONTAL_POD_AUTOSCALER, autoscaler["metadata"]["name"]))
    elif autoscaler is None:
        application = (controller.metadata.labels or {}).get(names.PART_OF)
        wanted.metadata.labels = names.own_labels(controller.metadata.name, application)
        plan.create.append((HORIZONTAL_POD_AUTOSCALER, wanted))
    else:
        known = msgspec.convert(autoscaler, HorizontalPodAutoscaler)
        old = scheduling.autoscaler(scheduling.shown_scale_strategy(known), controller.metadata.name, kind)
        before, after = _spec(old), _spec(wanted)
        metrics = _metrics(autoscaler, before.get("metrics", []), after.get("metrics", []))
        changes: dict[Path, Any] = {
            ("spec", key): merge(
                find(autoscaler, ("spec", key)), before.get(key, MISSING), after.get(key, MISSING), key
            )
            for key in ("minReplicas", "maxReplicas")
        }
        changes["spec", "metrics"] = metrics
        if made := operations(autoscaler, changes):
            plan.patch.append((HORIZONTAL_POD_AUTOSCALER, autoscaler["metadata"]["name"], made))
    _own(plan, controller, kind, namespace)
    return plan


def _own(plan: Plan, controller: Controller, kind: str, namespace: str) -> None:
    """What is made goes with the controller."""
    owner = marks.owner_reference(controller, controllers.KINDS[kind])
    for _, one in plan.create:
        one.metadata.namespace = namespace
        one.metadata.owner_references = [owner]


def _names(controller: Controller, modes: Sequence[AccessMode], services: Sequence[JsonObject]) -> list[str]:
    """The Service of each mode: the one named, else a free one of the same type, else any free one.

    Kubernetes makes no Service headless, or not so any more.
    """
    asked = {mode.name for mode in modes}
    free = {name: one["spec"] for one in services if (name := one["metadata"]["name"]) not in asked}
    chosen = list(modes)
    for same_type in (True, False):
        for place, mode in enumerate(chosen):
            found = next(
                (name for name, spec in free.items() if _may_become(spec, mode, same_type=same_type)), None
            )
            if not mode.name and found:
                chosen[place] = replace(mode, name=found)
                del free[found]
    taken = [one["metadata"]["name"] for one in services]
    return access.service_names(controller.metadata.name, chosen, taken)


def _may_become(spec: JsonObject, mode: AccessMode, *, same_type: bool) -> bool:
    headless = spec.get("clusterIP") == HEADLESS
    if spec.get("type") == mode.type:
        return not mode.cluster_ip or headless == (mode.cluster_ip == HEADLESS)
    return not same_type and not headless and mode.cluster_ip != HEADLESS


def _changed_service(
    controller: Controller,
    whole: JsonObject,
    mode: AccessMode,
    selector: dict[str, str],
    order: int | None,
) -> Operations:
    found = msgspec.convert(whole, Service)
    shown = access.shown([found], [], controller)[0]
    unallocated = [replace(one, node_port=None) for one in shown.access or ()]
    old = _spec(access.service(replace(shown, access=unallocated, cluster_ip=None), "", {}, selector, order))
    same_address = mode.cluster_ip == shown.cluster_ip
    wanted = access.service(
        replace(mode, cluster_ip=None if same_address else mode.cluster_ip), "", {}, {}, order
    )
    wanted.spec.selector = None if mode.type == "ExternalName" else found.spec.selector or selector
    new = _spec(wanted)
    new.setdefault("clusterIP", old.get("clusterIP", MISSING))
    have = whole.get("spec", {})
    changes: dict[Path, Any] = {}
    for key in ("ports", "externalName", "clusterIP"):
        value = merge(have.get(key, MISSING), old.get(key, MISSING), new.get(key, MISSING), key)
        changes["spec", key] = value
    changes["spec", "type"] = mode.type
    changes["spec", "selector"] = new.get("selector", MISSING)
    if isinstance(ports := changes["spec", "ports"], list):
        changes["spec", "ports"] = _ports(ports, new.get("ports", []), mode.type)
    if mode.type == "ExternalName":
        changes |= {("spec", key): MISSING for key in ALLOCATED}
    if mode.type in {"ClusterIP", "ExternalName"}:
        changes |= {("spec", key): MISSING for key in OUTSIDE}
    before = {**(shown.annotations or {}), **_annotations(shown, order)}
    after = {**(mode.annotations or {}), **_annotations(mode, order)}
    if mode.annotations is None:
        after = {**(shown.annotations or {}), **after}
    for key in {**before, **after}:
        changes["metadata", "annotations", key] = after.get(key, MISSING)
    return operations(whole, changes)


def _ports(ports: list[JsonObject], made: Sequence[JsonObject], kind: str) -> list[JsonObject]:
    """Ports with a name each, if there are several, and node ports only where the type has them."""
    called = {(one["port"], one.get("protocol")): one.get("name") for one in made}
    several: list[JsonObject] = []
    for one in ports:
        port = dict(one)
        if kind not in {"NodePort", "LoadBalancer"}:
            port.pop("nodePort", None)
        name = called.get((port["port"], port.get("protocol", access.DEFAULT_PROTOCOL)))
        if len(ports) > 1 and name:
            port.setdefault("name", name)
        several.append(port)
    return several


def _annotations(mode: AccessMode, order: int | None) -> dict[str, str]:
    """The annotations of a mode's Service that are not the user's."""
    made = access.service(replace(mode, annotations=None), "", {}, {}, order)
    return made.metadata.annotations or {}


def _plan_ingresses(
    plan: Plan, modes: Sequence[AccessMode], ingresses: Sequence[JsonObject], labels: dict[str, str]
) -> None:
    """Our Ingress of each mode, named after its Service; rules of others stay where they are, or go."""
    wanted = {mode.name or "": access.ingress(mode, mode.name or "", labels) for mode in modes}
    left = {
        name: {_route(host, path): (host, path) for host, path, _ in access.routes(one)}
        for name, one in wanted.items()
        if one is not None
    }
    asked = {route for routes in left.values() for route in routes}
    known = {name for name in wanted if name} | {name for kind, name in plan.delete if kind is SERVICE}
    for whole in ingresses:
        name = whole["metadata"]["name"]
        if name in left:
            continue
        _prune(plan, whole, asked, known)
        for host, path, _ in access.routes(msgspec.convert(whole, Ingress)):
            for routes in left.values():
                routes.pop(_route(host, path), None)
    there = {one["metadata"]["name"]: one for one in ingresses}
    for name, one in wanted.items():
        if one is None or not left[name]:
            if name in there and one is not None:
                plan.delete.append((INGRESS, name))
            continue
        if name in there:
            rules = msgspec.to_builtins(one.spec.rules)
            if _routes(msgspec.convert(there[name], Ingress)) != _routes(one) and (
                made := operations(there[name], {("spec", "rules"): rules})
            ):
                plan.patch.append((INGRESS, name, made))
        else:
            plan.create.append((INGRESS, one))


def _prune(plan: Plan, whole: JsonObject, asked: set[tuple[Any, ...]], services: set[str]) -> None:
    """Take the rules that lead to the workload's Services and were not asked for out of an Ingress."""
    rules: list[JsonObject] = []
    for rule in find(whole, ("spec", "rules")) or []:
        paths = find(rule, ("http", "paths"))
        if paths is MISSING:
            rules.append(rule)
            continue
        kept = []
        for path in paths:
            backend = find(path, ("backend", "service"))
            name = backend.get("name") if isinstance(backend, dict) else None
            number = find(backend, ("port", "number"))
            route = (rule.get("host", ""), path.get("path") or access.ANY_PATH, name, number)
            if name not in services or number is MISSING or route in asked:
                kept.append(path)
        if kept:
            rules.append({**rule, "http": {**rule["http"], "paths": kept}})
    name = whole["metadata"]["name"]
    if not rules and find(whole, ("spec", "defaultBackend")) is MISSING:
        plan.delete.append((INGRESS, name))
    elif made := operations(whole, {("spec", "rules"): rules}):
        plan.patch.append((INGRESS, name, made))


def _route(host: str, path: Any) -> tuple[Any, ...]:
    backend = path.backend.service
    return (host, path.path or access.ANY_PATH, backend.name, backend.port.number)


def _routes(one: Ingress) -> list[tuple[Any, ...]]:
    return [_route(host, path) for host, path, _ in access.routes(one)]


def _spec(one: Service | HorizontalPodAutoscaler | None) -> JsonObject:
    found: JsonObject = msgspec.to_builtins(one.spec) if one else {}
    return found


def _metrics(
    autoscaler: JsonObject, old: Sequence[JsonObject], new: Sequence[JsonObject]
) -> list[JsonObject]:
    """The metrics asked for, and those that ECNS has no word for."""
    before = {one["resource"]["name"] for one in old if one["resource"]["target"].get("averageUtilization")}
    others = [
        one
        for one in find(autoscaler, ("spec", "metrics")) or []
        if find(one, ("resource", "name")) not in before
    ]
    asked = {one["resource"]["name"] for one in new}
    return [*new, *(one for one in others if find(one, ("resource", "name")) not in asked)]
