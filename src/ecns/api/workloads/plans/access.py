"""Services, and Ingresses for their routers (reference 1.21, "access modes"; 1.19).

Services that stay keep their cluster IPs, their node ports and all that ECNS has no word for. Source:
https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from ecns.api.common import names
from ecns.api.common.patching import MISSING, Path, find, merge, operations
from ecns.api.workloads.kept import typed
from ecns.api.workloads.manifests import access, routes
from ecns.api.workloads.plans.plan import Plan, own, spec_of
from ecns.api.workloads.types import Access, AccessMode
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.core import SERVICE, Service
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.backends.kubernetes.kinds.networking import INGRESS

ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy", "selector")
"""What a Service of type ExternalName does not have."""
BALANCED = (
    "allocateLoadBalancerNodePorts",
    "healthCheckNodePort",
    "loadBalancerClass",
    "loadBalancerSourceRanges",
)
"""What only Services of type LoadBalancer have."""

HEADLESS = "None"
"""The cluster IP of a Service that has none."""


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
    known = {name: msgspec.convert(one, Service) for name, one in found.items()}
    in_order = called == [one.metadata.name for one in access.ordered(known.values())]
    plan = Plan()
    labels = names.own_labels(controller.metadata.name, (controller.metadata.labels or {}).get(names.PART_OF))
    selector = access.pod_selector(controller)
    for at, mode in enumerate(named):
        order = at if len(named) > 1 and not in_order else None
        name = called[at]
        if name in found:
            present = find(found[name], ("spec", "selector"))
            wanted = selector if present is MISSING else present
            changes = service_changes(found[name], mode, selector=wanted, controller=controller, order=order)
            if made := operations(found[name], changes):
                plan.patch.append((SERVICE, name, made))
        else:
            plan.create.append((SERVICE, access.service(mode, name, labels, selector, order)))
    plan.delete += [(SERVICE, name) for name in found if name not in called]
    plan_routes(plan, named, ingresses, labels, routes.numbers(known))
    own(plan, controller, kind, namespace)
    return plan


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


def service_changes(
    whole: JsonObject,
    mode: AccessMode,
    *,
    selector: dict[str, str] | None,
    controller: Controller | None = None,
    order: int | None = None,
) -> dict[Path, Any]:
    """The parts of a Service that make it an access mode, for `patching.operations`.

    Args:
        whole: the Service, with all of its fields.
        mode: what it is to be; what is not said of a port stays.
        selector: the pods that it is to lead to; none, or none of type ExternalName.
        controller: the workload behind it, which knows the numbers of named ports.
        order: its place among several.
    """
    found = msgspec.convert(whole, Service)
    shown = access.shown([found], [], controller)[0]
    mode = replace(mode, access=_ports_called(mode, shown))
    unallocated = [replace(one, node_port=None) for one in shown.access or ()]
    old = spec_of(access.service(replace(shown, access=unallocated, cluster_ip=None), "", {}, {}, order))
    same_address = mode.cluster_ip == shown.cluster_ip
    wanted = replace(mode, cluster_ip=None if same_address else mode.cluster_ip)
    new = spec_of(access.service(wanted, "", {}, {}, order))
    new.setdefault("clusterIP", old.get("clusterIP", MISSING))
    have = whole.get("spec", {})
    changes: dict[Path, Any] = {}
    for key in ("ports", "externalName", "clusterIP"):
        changes["spec", key] = merge(
            have.get(key, MISSING), old.get(key, MISSING), new.get(key, MISSING), key
        )
    changes["spec", "type"] = mode.type
    changes["spec", "selector"] = MISSING if mode.type == "ExternalName" or selector is None else selector
    if isinstance(ports := changes["spec", "ports"], list):
        changes["spec", "ports"] = _ports(ports, new.get("ports", []), mode.type)
    if mode.type == "ExternalName":
        changes |= {("spec", key): MISSING for key in ALLOCATED}
    if mode.type != shown.type:
        changes |= {("spec", key): MISSING for key in BALANCED if mode.type != "LoadBalancer"}
        if mode.type not in access.EXPOSED and not have.get("externalIPs"):
            changes["spec", "externalTrafficPolicy"] = MISSING
    before = {**(shown.annotations or {}), **_annotations(shown, order)}
    after = {**(mode.annotations or {}), **_annotations(mode, order)}
    if mode.annotations is None:
        after = {**(shown.annotations or {}), **after}
    for key in {**before, **after}:
        changes["metadata", "annotations", key] = after.get(key, MISSING)
    return changes


def _ports_called(mode: AccessMode, shown: AccessMode) -> list[Access] | None:
    """The ports of a mode, those that are there already by the names that they have."""
    called = {(one.port, (one.protocol or "").upper()): one.name for one in shown.access or ()}

    def name(one: Access) -> str | None:
        return one.name or called.get((one.port, (one.protocol or access.DEFAULT_PROTOCOL).upper()))

    return None if mode.access is None else [replace(one, name=name(one)) for one in mode.access]


def _ports(ports: list[JsonObject], made: Sequence[JsonObject], kind: str) -> list[JsonObject]:
    """Ports with a name each, if there are several, and node ports only where the type has them."""
    called = {(one["port"], one.get("protocol")): one.get("name") for one in made}
    several: list[JsonObject] = []
    for one in ports:
        port = dict(one)
        if kind not in access.EXPOSED:
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


def plan_routes(
    plan: Plan,
    modes: Sequence[AccessMode],
    ingresses: Sequence[JsonObject],
    labels: dict[str, str],
    number: routes.Number,
) -> None:
    """Our Ingress of each mode, named after its Service; routes of others stay where they are, or go.

    Args:
        plan: where it is noted; Services that it deletes lose their routes.
        modes: all access modes with their names.
        ingresses: the Ingresses that lead to their Services, whole.
        labels: of Ingresses that are made.
        number: knows the ports of the Services.
    """

    def key(one: routes.Route) -> tuple[Any, ...]:
        return (one.host, one.path, one.service, one.port(number))

    wanted = {mode.name or "": access.ingress(mode, mode.name or "", labels) for mode in modes}
    asked = {
        name: {key(route): route for route in routes.read(msgspec.to_builtins(one.spec.rules))}
        for name, one in wanted.items()
        if one is not None
    }
    left = {name: dict(several) for name, several in asked.items()}
    services = {name for name in wanted if name} | {name for kind, name in plan.delete if kind is SERVICE}
    there = {one["metadata"]["name"]: one for one in ingresses}
    for name, whole in there.items():
        if name in left:
            continue
        present = find(whole, ("spec", "rules"))
        found = routes.read([] if present is MISSING else present)
        stay = [
            route
            for route in found
            if route.service not in services
            or not route.port(number)
            or any(key(route) in several for several in asked.values())
        ]
        _rewrite(plan, whole, stay, number)
        for route in found:
            for several in left.values():
                several.pop(key(route), None)
    for name, one in wanted.items():
        if one is None or not left[name]:
            if name in there and one is not None:
                plan.delete.append((INGRESS, name))
        elif name in there:
            present = find(there[name], ("spec", "rules"))
            others = [route for route in routes.read(present) if not route.service]
            _rewrite(plan, there[name], [*asked[name].values(), *others], number)
        else:
            plan.create.append((INGRESS, one))


def _rewrite(plan: Plan, whole: JsonObject, wanted: list[routes.Route], number: routes.Number) -> None:
    """Make the routes of an Ingress these; without any it goes."""
    present = find(whole, ("spec", "rules"))
    rules = routes.written(wanted, [] if present is MISSING else present, number)
    name = whole["metadata"]["name"]
    if not rules and find(whole, ("spec", "defaultBackend")) is MISSING:
        plan.delete.append((INGRESS, name))
    elif made := operations(whole, {("spec", "rules"): rules or MISSING}):
        plan.patch.append((INGRESS, name, made))
