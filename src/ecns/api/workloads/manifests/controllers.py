"""A whole workload and its objects, both ways (reference 1.21; decisions, "Workloads")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from ecns.api.common import marks, names
from ecns.api.workloads.manifests import access, scheduling, sent, status, templates, volumes
from ecns.api.workloads.types import AccessMode, Volume, Workload, WorkloadBase
from ecns.backends.kubernetes.kinds import apps
from ecns.backends.kubernetes.kinds import pods as k
from ecns.backends.kubernetes.kinds.autoscaling import HORIZONTAL_POD_AUTOSCALER, HorizontalPodAutoscaler
from ecns.backends.kubernetes.kinds.core import (
    PERSISTENT_VOLUME_CLAIM,
    SERVICE,
    LabelSelector,
    Node,
    PersistentVolumeClaim,
    Service,
)
from ecns.backends.kubernetes.kinds.meta import Kind, ObjectMeta, Resource
from ecns.backends.kubernetes.kinds.networking import INGRESS, Ingress

KINDS: dict[str, Kind[Any]] = {
    kind.kind: kind for kind in (apps.DEPLOYMENT, apps.STATEFUL_SET, apps.DAEMON_SET)
}
"""The three kinds of controllers by name."""


class WorkloadObjects(Struct, kw_only=True):
    """The Kubernetes objects of one workload."""

    kind: Kind[Any]
    controller: apps.Controller
    claims: list[PersistentVolumeClaim] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    ingresses: list[Ingress] = field(default_factory=list)
    autoscaler: HorizontalPodAutoscaler | None = None

    @property
    def dependants(self) -> list[tuple[Kind[Any], Resource]]:
        """What goes with the controller, in the order of making."""
        found: list[tuple[Kind[Any], Resource]] = []
        found += [(PERSISTENT_VOLUME_CLAIM, claim) for claim in self.claims]
        found += [(SERVICE, service) for service in self.services]
        found += [(INGRESS, ingress) for ingress in self.ingresses]
        if self.autoscaler:
            found.append((HORIZONTAL_POD_AUTOSCALER, self.autoscaler))
        return found


class Companions(Struct, kw_only=True):
    """What is around one controller; what is not known stays empty."""

    services: Sequence[Service] = ()
    ingresses: Sequence[Ingress] = ()
    autoscaler: HorizontalPodAutoscaler | None = None
    claims: Mapping[str, PersistentVolumeClaim] = field(default_factory=dict)
    pods: Sequence[k.PodRow] = ()
    nodes: Sequence[Node] = ()
    reasons: Sequence[str] = ()
    """Why it is not ready, in words; see `status.why_not_ready`."""


def kind_of(controller: apps.Controller) -> str:
    """Deployment, StatefulSet or DaemonSet."""
    return type(controller).__name__


def objects(workload: Workload, *, namespace: str, registry_domain: str) -> WorkloadObjects:
    """The objects of a workload that `checks` let through.

    Args:
        workload: what was sent.
        namespace: where the objects go.
        registry_domain: where images of source `ecns` are.
    """
    made = _objects(workload, namespace=namespace, registry_domain=registry_domain)
    kept = _kept(workload, made, registry_domain)
    if kept:
        metadata = made.controller.metadata
        metadata.annotations = {**(metadata.annotations or {}), **kept}
    return made


def kept_annotations(workload: Workload, registry_domain: str) -> dict[str, str]:
    """The annotations for what a workload's objects do not say; see `sent`."""
    made = _objects(workload, namespace="", registry_domain=registry_domain)
    return _kept(workload, made, registry_domain)


def _kept(workload: Workload, made: WorkloadObjects, registry_domain: str) -> dict[str, str]:
    return sent.kept(_shown(made.controller, _around(made), registry_domain), workload)


def workload(
    controller: apps.Controller, companions: Companions | None = None, *, registry_domain: str = ""
) -> Workload:
    """The workload that a controller and what is around it are; total, whoever made them.

    Args:
        controller: a Deployment, StatefulSet or DaemonSet.
        companions: what is around it.
        registry_domain: where images of source `ecns` are.
    """
    around = companions or Companions()
    shown = _remembered(_shown(controller, around, registry_domain), controller, around, registry_domain)
    for container in shown.containers:
        container.container_statuses = status.container_state(container.name, around.pods)
    shown.pods_status = [status.pod_status(pod) for pod in around.pods]
    shown.workload_status = status.workload_status(
        controller,
        shown.containers,
        shown.access_mode or [],
        around.pods,
        [*([marks.INCOMPLETE] if marks.creating(controller) else []), *around.reasons],
    )
    return shown


def template(workload: Workload, registry_domain: str, *, ports: bool = False) -> k.PodTemplateSpec:
    """The pod template of a workload.

    Args:
        workload: the workload.
        registry_domain: where images of source `ecns` are.
        ports: name the ports that Services lead to on the first container, for people and tools.
    """
    labels = {**names.shown_labels(workload.labels), names.WORKLOAD: workload.workload_base.name}
    made = templates.template(
        workload.containers,
        workload.volumes or [],
        name=workload.workload_base.name,
        registry_domain=registry_domain,
        labels=labels,
        runtime_class_name=workload.runtime_class_name,
        claimed=workload.workload_base.type == "StatefulSet",
    )
    pod = made.spec
    pod.node_selector, pod.affinity = scheduling.schedule(workload.scheduler_strategy)
    scheduling.network(workload.network, pod)
    if ports and pod.containers:
        pod.containers[0].ports = _ports(workload.access_mode or ())
    return made


def _objects(workload: Workload, *, namespace: str, registry_domain: str) -> WorkloadObjects:
    base, modes = workload.workload_base, workload.access_mode or []
    name, kind = base.name, KINDS[base.type]
    own = names.own_labels(name, workload.application_name)
    selector = {names.WORKLOAD: name}
    called = access.service_names(name, modes)
    spec = apps.ControllerSpec(
        selector=LabelSelector(match_labels=selector),
        template=template(workload, registry_domain, ports=True),
        min_ready_seconds=(workload.update_strategy.period or 0) if workload.update_strategy else 0,
    )
    strategy = scheduling.update_strategy(workload.update_strategy, base.type)
    if base.type == "Deployment":
        spec.strategy = strategy
    else:
        spec.update_strategy = strategy
    if base.type != "DaemonSet":
        spec.replicas = 1 if base.replicas is None else base.replicas
    if base.type == "StatefulSet":
        headless = [found for found, mode in zip(called, modes, strict=True) if mode.cluster_ip == "None"]
        spec.service_name = (headless or called or [name])[0]
        spec.volume_claim_templates = [
            volumes.claim(one.name, one.storage_class, None)
            for one in workload.volumes or ()
            if one.type == "StorageClass" and one.storage_class
        ] or None
    controller = kind.type(
        api_version=kind.api_version,
        kind=kind.kind,
        metadata=ObjectMeta(name=name, labels={**own, **names.shown_labels(workload.labels)}),
        spec=spec,
    )
    made = WorkloadObjects(kind=kind, controller=controller)
    if base.type != "StatefulSet":
        made.claims = volumes.claims(workload.volumes or (), name, own)
    for at, (mode, service_name) in enumerate(zip(modes, called, strict=True)):
        order = at if len(modes) > 1 else None
        made.services.append(access.service(mode, service_name, own, selector, order))
        if found := access.ingress(mode, service_name, own):
            made.ingresses.append(found)
    made.autoscaler = scheduling.autoscaler(workload.scale_strategy, name, base.type)
    if made.autoscaler:
        made.autoscaler.metadata.labels = own
    for one in (made.controller, *(found for _, found in made.dependants)):
        one.metadata.namespace = namespace
    return made


def _around(made: WorkloadObjects) -> Companions:
    return Companions(
        services=made.services,
        ingresses=made.ingresses,
        autoscaler=made.autoscaler,
        claims={claim.metadata.name: claim for claim in made.claims},
    )


def _shown(controller: apps.Controller, around: Companions, registry_domain: str) -> Workload:
    """What the objects alone say."""
    kind, metadata, spec = kind_of(controller), controller.metadata, controller.spec
    pod, labels = spec.template.spec, metadata.labels or {}
    ours = names.WORKLOAD in (spec.selector.match_labels or {})
    found = [volumes.shown(one, metadata.name, around.claims, ours=ours) for one in pod.volumes or ()]
    found += [
        Volume(name=one.metadata.name, type="StorageClass", storage_class=volumes.shown_storage(one))
        for one in spec.volume_claim_templates or ()
    ]
    replicas = None if kind == "DaemonSet" else 1 if spec.replicas is None else spec.replicas
    return Workload(
        application_name=labels.get(names.PART_OF),
        application_type="Normal",
        workload_base=WorkloadBase(
            name=metadata.name,
            type=kind,  # type: ignore[arg-type]  # one of the three
            replicas=replicas,
        ),
        labels=names.shown_labels(labels),
        access_mode=access.shown(around.services, around.ingresses, controller, around.nodes),
        runtime_class_name=pod.runtime_class_name or None,
        containers=templates.shown_containers(spec.template, registry_domain),
        volumes=found,
        update_strategy=scheduling.shown_update_strategy(spec, kind),
        scale_strategy=scheduling.shown_scale_strategy(around.autoscaler),
        scheduler_strategy=scheduling.shown_schedule(pod),
        network=scheduling.shown_network(pod),
    )


def _remembered(
    shown: Workload, controller: apps.Controller, around: Companions, registry_domain: str
) -> Workload:
    """`shown` with what was sent beside it, as far as the objects still say the same."""

    def again(candidate: Workload) -> Workload:
        made = _objects(candidate, namespace="", registry_domain=registry_domain)
        made.claims = [claim for claim in made.claims if claim.metadata.name in around.claims]
        return _shown(made.controller, _around(made), registry_domain)

    return sent.recalled(shown, controller.metadata.annotations, again)


def _ports(modes: Sequence[AccessMode]) -> list[k.ContainerPort] | None:
    found = dict.fromkeys(
        (one.target_port or one.port, (one.protocol or access.DEFAULT_PROTOCOL).upper())
        for mode in modes
        if mode.type != "ExternalName"
        for one in mode.access or ()
    )
    return [
        k.ContainerPort(container_port=port, protocol=protocol) for port, protocol in found if port
    ] or None
