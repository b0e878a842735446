"""A whole workload and its objects, both ways (reference 1.21; decisions, "Workloads")."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct, field

from ecns.api.common import marks, names
from ecns.api.workloads.manifests import access, containers, scheduling, sent, status, volumes
from ecns.api.workloads.types import AccessMode, Container, Volume, VolumeMount, Workload, WorkloadBase
from ecns.backends.kubernetes.kinds import apps
from ecns.backends.kubernetes.kinds import pods as k
from ecns.backends.kubernetes.kinds.autoscaling import HORIZONTAL_POD_AUTOSCALER, HorizontalPodAutoscaler
from ecns.backends.kubernetes.kinds.core import (
    PERSISTENT_VOLUME_CLAIM,
    SERVICE,
    LabelSelector,
    LocalObjectReference,
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
    seen = msgspec.to_builtins(_shown(made.controller, _around(made), registry_domain))
    wanted = msgspec.to_builtins(workload)
    kept: dict[str, str] = {}
    for name in sent.FIELDS:
        missing = sent.difference(seen[name], wanted[name], name)
        if missing is not sent.SAME and (text := sent.dump(missing)):
            kept[sent.annotation(name)] = text
    return kept


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
    sent_volumes = workload.volumes or []
    claimed = workload.workload_base.type == "StatefulSet"
    mounts = volumes.own_mounts(sent_volumes, workload.containers)
    pod = k.PodSpec(
        volumes=[
            found
            for one in sent_volumes
            if not (claimed and one.type == "StorageClass")
            and (found := volumes.volume(one, workload.workload_base.name))
        ]
        or None,
        runtime_class_name=workload.runtime_class_name or "",
        host_pid=any(one.security and one.security.host_pid for one in workload.containers),
        host_ipc=any(one.security and one.security.host_ipc for one in workload.containers),
    )
    made: dict[str, list[k.Container]] = {"worker": [], "init": []}
    for one in workload.containers:
        extra = mounts if one.type == "worker" else []
        made[one.type].append(containers.container(one, registry_domain, extra))
    pod.containers, pod.init_containers = made["worker"], made["init"] or None
    secrets = dict.fromkeys(one.image.image_secret for one in workload.containers if one.image.image_secret)
    pod.image_pull_secrets = [LocalObjectReference(name=name) for name in secrets] or None
    pod.node_selector, pod.affinity = scheduling.schedule(workload.scheduler_strategy)
    scheduling.network(workload.network, pod)
    if ports and pod.containers:
        pod.containers[0].ports = _ports(workload.access_mode or ())
    labels = {**names.shown_labels(workload.labels), names.WORKLOAD: workload.workload_base.name}
    return k.PodTemplateSpec(
        metadata=k.TemplateMeta(labels=labels, annotations=_log_annotation(workload.containers, mounts)),
        spec=pod,
    )


def _objects(workload: Workload, *, namespace: str, registry_domain: str) -> WorkloadObjects:
    base, modes = workload.workload_base, workload.access_mode or []
    name, kind = base.name, KINDS[base.type]
    own = names.own_labels(name, workload.application_name)
    claims = {
        one.name: one.storage_class
        for one in workload.volumes or ()
        if one.type == "StorageClass" and one.storage_class
    }
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
            volumes.claim(claim, storage, None) for claim, storage in claims.items()
        ] or None
        claims = {}
    controller = kind.type(
        api_version=kind.api_version,
        kind=kind.kind,
        metadata=ObjectMeta(name=name, labels={**own, **names.shown_labels(workload.labels)}),
        spec=spec,
    )
    made = WorkloadObjects(kind=kind, controller=controller)
    made.claims = [
        volumes.claim(volumes.claim_name(name, one), storage, own) for one, storage in claims.items()
    ]
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
    logs = _logs(spec.template)
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
        containers=[
            containers.shown(
                one, init=init, pod=pod, registry_domain=registry_domain, logs=logs.get(one.name, [])
            )
            for init, several in ((False, pod.containers), (True, pod.init_containers or []))
            for one in several
        ],
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
    kept = sent.load(controller.metadata.annotations)
    if not kept:
        return shown
    seen = msgspec.to_builtins(shown)
    claimed = {**seen, **{name: sent.overlay(seen[name], part, name) for name, part in kept.items()}}
    try:
        candidate = msgspec.convert(claimed, Workload)
        made = _objects(candidate, namespace="", registry_domain=registry_domain)
        made.claims = [claim for claim in made.claims if claim.metadata.name in around.claims]
        again = msgspec.to_builtins(_shown(made.controller, _around(made), registry_domain))
        same = [name for name in kept if sent.difference(seen[name], again[name], name) is sent.SAME]
        return msgspec.convert({**seen, **{name: claimed[name] for name in same}}, Workload)
    except (msgspec.ValidationError, ValueError, KeyError):
        return shown


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


# Log side-car


def log_place(path: str, mounts: Sequence[VolumeMount]) -> tuple[str, str] | None:
    """The volume and the path in it of an absolute path in a container; None if no mount holds it."""
    held = [(mount, rest) for mount in mounts if (rest := _under(path, mount.mount_path)) is not None]
    if not held:
        return None
    mount, rest = max(held, key=lambda pair: len(pair[0].mount_path))
    return mount.volume_name, "/".join(part for part in ((mount.sub_path or "").strip("/"), rest) if part)


def _under(path: str, directory: str) -> str | None:
    """The path relative to a directory it is in."""
    base = directory.rstrip("/") + "/"
    return path[len(base) :] if path.startswith(base) and len(path) > len(base) else None


def _log_annotation(several: Sequence[Container], own: Sequence[VolumeMount]) -> dict[str, str] | None:
    configs: dict[str, dict[str, list[str]]] = {}
    for one in several:
        mounts = [*(one.volume_mounts or ()), *(own if one.type == "worker" else ())]
        for path in one.logsidecar_injector or ():
            if place := log_place(path, mounts):
                configs.setdefault(one.name, {}).setdefault(place[0], []).append(place[1])
    if not configs:
        return None
    return {names.LOG_SIDECAR: json.dumps({"containerLogConfigs": configs}, separators=(",", ":"))}


def _logs(found: k.PodTemplateSpec) -> dict[str, list[str]]:
    """The absolute paths that the log side-car follows, by container."""
    text = (found.metadata.annotations or {}).get(names.LOG_SIDECAR)
    several = {one.name: one for one in [*found.spec.containers, *(found.spec.init_containers or ())]}
    shown: dict[str, list[str]] = {}
    with suppress(ValueError, TypeError, AttributeError):
        for name, places in json.loads(text or "{}").get("containerLogConfigs", {}).items():
            for volume, paths in places.items():
                shown.setdefault(name, [])
                shown[name] += [_absolute(several.get(name), volume, path) for path in paths]
    return shown


def _absolute(container: k.Container | None, volume: str, path: str) -> str:
    for mount in (container.volume_mounts if container else None) or ():
        rest = path if not mount.sub_path else _under(path, mount.sub_path)
        if mount.name == volume and rest is not None:
            return f"{mount.mount_path.rstrip('/')}/{rest}"
    return f"/{path}"
