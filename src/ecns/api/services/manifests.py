"""Between the reference's services and Kubernetes' objects; pure, and total in the direction of showing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from ecns.api.common import marks, names
from ecns.api.common.patching import MISSING, Path
from ecns.api.services import types
from ecns.api.workloads.manifests import KINDS, access
from ecns.api.workloads.plans import service_changes
from ecns.api.workloads.types import Access, AccessMode
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.core import SERVICE, Node, Service
from ecns.backends.kubernetes.kinds.discovery import EndpointSlice
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind, Resource
from ecns.backends.kubernetes.kinds.networking import INGRESS, Ingress

EXTERNAL_NAME = "ExternalName"


class Around(Struct, kw_only=True):
    """What is around one Service."""

    controllers: Sequence[Controller] = ()
    """The workloads that it leads to, the oldest first."""
    ingresses: Sequence[Ingress] = ()
    slices: Sequence[EndpointSlice] = ()
    nodes: Sequence[Node] = ()


class ServiceObjects(Struct, kw_only=True):
    """A Service to be made, and the Ingress for its routers."""

    kind: Kind[Any]
    controller: Service
    dependants: list[tuple[Kind[Any], Resource]] = field(default_factory=list)


# Showing


def service(found: Service, around: Around) -> types.Service:
    """A Service as its users see it, whoever made it."""
    chosen = target(found, around.controllers)
    spec, labels = found.spec, found.metadata.labels or {}
    mode = access.shown([found], around.ingresses, chosen, around.nodes)[0]
    ready, total = endpoints(around.slices)
    bodiless = mode.type == EXTERNAL_NAME
    addresses = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
    return types.Service(
        access_mode=mode,
        target_workload=chosen.metadata.name if chosen else target_name(found),
        workload_type=kind_of(chosen) if chosen else "",
        labels=names.shown_labels(labels),
        creation_time=found.metadata.creation_timestamp,
        name=found.metadata.name,
        workloads=[types.Target(name=one.metadata.name, type=kind_of(one)) for one in around.controllers],
        selector=spec.selector or None,
        ready_endpoints=None if bodiless else ready,
        endpoints=None if bodiless else total,
        session_affinity=spec.session_affinity or "None",
        external_traffic_policy=spec.external_traffic_policy or None,
        cluster_ips=addresses,
        reasons=[marks.INCOMPLETE] if marks.creating(found) else [],
    )


def kind_of(controller: Controller) -> str:
    """Deployment, StatefulSet or DaemonSet."""
    return type(controller).__name__


def target_name(found: Service) -> str:
    """The workload that a Service names, whether that is there or not; of others empty."""
    selector = found.spec.selector
    labels = selector or found.metadata.labels or {}
    return labels.get(names.WORKLOAD, "")


def target(found: Service, controllers: Sequence[Controller]) -> Controller | None:
    """Of the workloads that a Service leads to the one that it was made for, else the oldest."""
    named = (found.metadata.labels or {}).get(names.WORKLOAD)
    mine = next((one for one in controllers if one.metadata.name == named), None)
    return mine or next(iter(controllers), None)


def applications(found: Service, controllers: Sequence[Controller]) -> set[str]:
    """The applications that a Service is part of: those of its workloads, else the one that it says itself.

    What ECNS made for a workload says what that was part of when it was made.
    """
    theirs = {part for one in controllers if (part := marks.part_of(one))}
    own = marks.part_of(found)
    ours = (found.metadata.labels or {}).get(names.MANAGED_BY) == names.MANAGER
    if theirs or not own or (controllers and ours):
        return theirs
    return {own}


def endpoints(slices: Sequence[EndpointSlice]) -> tuple[int, int]:
    """How many answer for a Service, and of how many; what has an address of each family counts once."""
    ready: dict[str, set[str]] = {}
    known: dict[str, set[str]] = {}
    for one in slices:
        for endpoint in one.endpoints or ():
            address = next(iter(endpoint.addresses), "")
            known.setdefault(one.address_type, set()).add(address)
            if endpoint.conditions.ready is not False:
                ready.setdefault(one.address_type, set()).add(address)
    return max(map(len, ready.values()), default=0), max(map(len, known.values()), default=0)


# Making


def made(sent: types.NewService, name: str, workload: Controller | None, *, namespace: str) -> ServiceObjects:
    """The objects of a Service that `checks` let through.

    Args:
        sent: what was sent.
        name: the Service's name.
        workload: the workload that it is to lead to.
        namespace: where the objects go.
    """
    mode = sent.access_mode
    labels = own_labels(workload)
    selector = sent.selector or (access.pod_selector(workload) if workload else None)
    found = access.service(mode, name, {**names.shown_labels(sent.labels), **labels}, selector or {}, None)
    found.spec.selector = None if mode.type == EXTERNAL_NAME else selector
    found.spec.session_affinity = sent.session_affinity or ""
    found.spec.external_traffic_policy = sent.external_traffic_policy or ""
    planned = ServiceObjects(kind=SERVICE, controller=found)
    if (ingress := access.ingress(mode, name, labels)) is not None:
        planned.dependants.append((INGRESS, ingress))
    for one in (found, *(obj for _, obj in planned.dependants)):
        one.metadata.namespace = namespace
    return planned


def own_labels(workload: Controller | None) -> dict[str, str]:
    """The labels of what ECNS makes for a workload, or for none."""
    if workload is None:
        return {names.MANAGED_BY: names.MANAGER}
    return names.own_labels(workload.metadata.name, marks.part_of(workload))


# Changing


def completed(sent: types.ChangedMode | None, shown: AccessMode) -> AccessMode:
    """An access mode with what an update does not name as it is.

    A port is known by its number and protocol.
    """
    if sent is None:
        return shown
    kind = sent.type or shown.type
    fields = {name: getattr(sent, name) for name in AccessMode.__struct_fields__}
    mode = AccessMode(**{**fields, "type": kind})
    there = {(one.port, one.protocol): one for one in shown.access or ()}

    def port(one: Access) -> Access:
        protocol = (one.protocol or access.DEFAULT_PROTOCOL).upper()
        known = there.get((one.port, protocol), Access())
        return Access(
            name=one.name or known.name,
            port=one.port,
            protocol=protocol,
            node_port=(one.node_port or known.node_port) if kind in access.EXPOSED else None,
            target_port=one.target_port or known.target_port,
            routers=known.routers if one.routers is None else one.routers,
        )

    mode.name = shown.name
    mode.access = shown.access if sent.access is None else [port(one) for one in sent.access]
    mode.external_name = sent.external_name or shown.external_name
    mode.cluster_ip = sent.cluster_ip or (shown.cluster_ip if kind == "ClusterIP" else None)
    if sent.external is None:
        mode.external = shown.external
    mode.subnet = sent.subnet or shown.subnet
    balancer = mode.external.loadbalancer if mode.external else None
    if mode.external and balancer and balancer.vip_subnet_id == shown.subnet != mode.subnet:
        # The subnet is said twice; the one that is new is meant.
        mode.external = replace(mode.external, loadbalancer=replace(balancer, vip_subnet_id=mode.subnet))
    return mode


def changes(
    whole: JsonObject,
    sent: types.ChangedService,
    mode: AccessMode,
    *,
    selector: Mapping[str, str] | None,
    workload: Controller | None,
    behind: Controller | None,
) -> dict[Path, Any]:
    """The parts of a Service that an update changes, for `patching.operations`.

    Args:
        whole: the Service.
        sent: what was sent.
        mode: the access mode that it is to be, complete.
        selector: what it is to select.
        workload: the workload that it is to lead to from now on; None leaves what its labels say.
        behind: the workload that it leads to now, which knows the numbers of named ports.
    """
    found = msgspec.convert(whole, Service)
    made = service_changes(
        whole, mode, selector=dict(selector) if selector else None, controller=behind, order=_order(found)
    )
    if sent.session_affinity:
        made["spec", "sessionAffinity"] = sent.session_affinity
        if sent.session_affinity == "None":
            made["spec", "sessionAffinityConfig"] = MISSING
    if sent.external_traffic_policy:
        made["spec", "externalTrafficPolicy"] = sent.external_traffic_policy
        if sent.external_traffic_policy == "Cluster":
            made["spec", "healthCheckNodePort"] = MISSING
    labels = found.metadata.labels or {}
    if sent.labels is not None:
        before, after = names.shown_labels(labels), names.shown_labels(sent.labels)
        made |= {("metadata", "labels", key): after.get(key, MISSING) for key in {**before, **after}}
    if workload is not None:
        made |= released(whole, workload)
    if workload is not None and labels.get(names.MANAGED_BY) == names.MANAGER:
        ours = {names.WORKLOAD: MISSING, names.PART_OF: MISSING, **own_labels(workload)}
        made |= {("metadata", "labels", key): value for key, value in ours.items()}
    return made


def released(whole: JsonObject, workload: Controller) -> dict[Path, Any]:
    """The change by which a Service or its Ingress no longer goes with any other workload than this one."""
    owners = whole["metadata"].get("ownerReferences") or []
    left = [one for one in owners if one["kind"] not in KINDS or one["uid"] == workload.metadata.uid]
    return {} if left == owners else {("metadata", "ownerReferences"): left or MISSING}


def _order(found: Service) -> int | None:
    order = (found.metadata.annotations or {}).get(names.ORDER, "")
    return int(order) if order.isdecimal() else None


def names_routes(sent: types.ChangedMode | None, mode: AccessMode, shown: AccessMode) -> bool:
    """Whether an update says where hosts and paths are to lead, and that is not as it is.

    Args:
        sent: what was sent.
        mode: the same, complete.
        shown: the access mode as it is.
    """
    named = any(port.routers is not None for port in (sent.access if sent else None) or ())
    return named and _routers(mode) != _routers(shown)


def _routers(mode: AccessMode) -> list[Any]:
    return [router for port in mode.access or () for router in port.routers or ()]
