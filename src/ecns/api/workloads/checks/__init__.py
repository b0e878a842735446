"""What types cannot say of a workload: checked before anything is sent, each refusal naming its field.

Source: reference 1.21 (the tables' remarks); decisions, "Workloads";
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from ecns.api.common.checks import capacity, dns_subdomain
from ecns.api.workloads.checks import simple
from ecns.api.workloads.checks.access import check_access_modes
from ecns.api.workloads.checks.simple import check_labels, check_selector
from ecns.api.workloads.manifests import images, volumes
from ecns.api.workloads.manifests.scheduling import values, words
from ecns.api.workloads.manifests.templates import log_place
from ecns.api.workloads.types import (
    Capability,
    Container,
    Env,
    Health,
    Image,
    Network,
    RequiredPrefered,
    Resources,
    ScaleResource,
    ScaleStrategy,
    SchedulerRule,
    SchedulerStrategy,
    UpdateStrategy,
    Volume,
    VolumeMount,
    Workload,
)
from ecns.errors import BadRequestError

__all__ = [
    "check_access_modes",
    "check_containers",
    "check_labels",
    "check_network",
    "check_replicas",
    "check_scale_strategy",
    "check_scheduler_strategy",
    "check_update_strategy",
    "check_volumes",
    "check_workload",
]

ENV_NAME = re.compile(r"[\x20-\x3c\x3e-\x7e]+")
CAPABILITY = re.compile(r"[A-Z_]+")
PERCENT = re.compile(r"\d{1,3}%")
MAX_WEIGHT = 100
MAX_INT32 = 2**31 - 1
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
VOLUME_TYPES = ("StorageClass", "PVC", "LocalStorage", "EmptyDir", "ConfigMap", "Secret")
STRATEGIES = {
    "Deployment": ("first_up", "first_down", "recreate", "custom"),
    "StatefulSet": ("rolling_update", "on_delete"),
    "DaemonSet": ("rolling_update", "on_delete"),
}


def check_workload(workload: Workload, product_type: str, *, at: str = "workload") -> Workload:
    """Check a whole workload.

    Args:
        workload: what was sent.
        product_type: gives defaults: `security` the runtime class, `hybrid` the application type.
        at: the workload's path in the request, for messages.

    Returns:
        The workload with the defaults filled in.

    Raises:
        BadRequestError: something in it cannot be; `field` says where.
    """
    base = workload.workload_base
    # The name is the value of a label and begins the names of pods.
    simple.name(base.name, f"{at}.workload_base.name")
    if base.replicas or (base.replicas is not None and base.type != "DaemonSet"):
        check_replicas(base.replicas, base.type, at=f"{at}.workload_base.replicas")
    if workload.application_name:
        simple.name(workload.application_name, f"{at}.application_name")
    check_labels(workload.labels, at=f"{at}.labels", application=workload.application_name)
    check_access_modes(workload.access_mode or [], workload=base.name, at=f"{at}.access_mode")
    check_volumes(workload.volumes or [], base.name, base.type, at=f"{at}.volumes")
    check_containers(workload.containers, volumes=workload.volumes or [], at=f"{at}.containers")
    check_update_strategy(workload.update_strategy, base.type, at=f"{at}.update_strategy")
    check_scale_strategy(workload.scale_strategy, base.type, at=f"{at}.scale_strategy")
    check_scheduler_strategy(workload.scheduler_strategy, at=f"{at}.scheduler_strategy")
    check_network(workload.network, at=f"{at}.network")
    if workload.runtime_class_name:
        dns_subdomain(workload.runtime_class_name, f"{at}.runtime_class_name")
    return replace(
        workload,
        application_type=workload.application_type or ("Hybrid" if product_type == "hybrid" else None),
        runtime_class_name=workload.runtime_class_name or ("rune" if product_type == "security" else None),
    )


def check_replicas(replicas: int, kind: str, *, at: str = "replicas") -> None:
    """Check a number of replicas.

    Raises:
        BadRequestError: it is negative, too large, or the kind has none.
    """
    if kind == "DaemonSet":
        raise BadRequestError(f"{at}: a DaemonSet has one pod a node and cannot be scaled", field=at)
    simple.between(replicas, 0, MAX_INT32, at)


# Containers


def check_containers(
    containers: Sequence[Container],
    *,
    volumes: Sequence[Volume] | None = None,
    at: str = "containers",
    sidecars: bool = False,
) -> None:
    """Check containers.

    Args:
        containers: all of a workload's.
        volumes: the workload's volumes; None when they are not known here.
        at: their path in the request.
        sidecars: init containers may be some, of a workload that others made; Kubernetes knows.

    Raises:
        BadRequestError: one of them cannot be.
    """
    if not any(one.type == "worker" for one in containers):
        raise BadRequestError(f"{at}: a container of type worker is needed", field=at)
    simple.unique([one.name for one in containers], f"{at}[#].name", "containers")
    known = None if volumes is None else {volume.name for volume in volumes}
    for place, one in enumerate(containers):
        here = f"{at}[{place}]"
        simple.name(one.name, f"{here}.name")
        _image(one.image, one.image_source, here)
        _resources(one.resources, f"{here}.resources")
        for index, variable in enumerate(one.env or ()):
            _env(variable, f"{here}.env[{index}]")
        for index, mount in enumerate(one.volume_mounts or ()):
            _mount(mount, known, f"{here}.volume_mounts[{index}]")
        paths = [mount.mount_path for mount in one.volume_mounts or ()]
        simple.unique(
            paths,
            f"{here}.volume_mounts[#].mount_path",
            "mounts of a container",
        )
        _logs(one, containers, volumes, here)
        checks = one.health or ()
        simple.unique([check.type for check in checks], f"{here}.health", "checks of a type")
        for index, check in enumerate(checks):
            if one.type == "init" and not sidecars:
                raise BadRequestError(
                    f"{here}.health: an init container has no health checks", field=f"{here}.health"
                )
            _health(check, f"{here}.health[{index}]")
        _security(one, here)
        _hooks(one, here, sidecars=sidecars)


def _image(image: Image, source: str | None, at: str) -> None:
    here = f"{at}.image"
    if not image.image.strip() or re.search(r"\s", image.image.strip()):
        raise BadRequestError(f"{here}.image: an image is needed, without spaces", field=f"{here}.image")
    version = image.image_version or ""
    if re.search(r"[\s@/]", version):
        raise BadRequestError(
            f"{here}.image_version: a tag or a digest (sha256:…) is needed", field=f"{here}.image_version"
        )
    tag = images.split(image.image)[1]
    if tag and version and not version.startswith(images.DIGEST) and tag != version:
        raise BadRequestError(
            f"{here}.image_version: the image already names version {tag!r}", field=f"{here}.image_version"
        )
    if source == "ecns" and not image.harbor_project_name and "/" not in image.image:
        raise BadRequestError(
            f"{here}.harbor_project_name: an image of source ecns needs its Harbor project",
            field=f"{here}.harbor_project_name",
        )
    if image.image_pull_policy:
        simple.one_of(image.image_pull_policy, PULL_POLICIES, f"{here}.image_pull_policy")
    if image.image_secret:
        dns_subdomain(image.image_secret, f"{here}.image_secret")


def _resources(resources: Resources | None, at: str) -> None:
    if resources is None:
        return
    for name in ("cpu", "memory"):
        asked = getattr(resources.requests, name, None)
        limit = getattr(resources.limits, name, None)
        for part, value in (("requests", asked), ("limits", limit)):
            if value is not None and not 0 <= value <= MAX_INT32:
                raise BadRequestError(
                    f"{at}.{part}.{name}: must not be negative", field=f"{at}.{part}.{name}"
                )
        if asked is not None and limit is not None and asked > limit:
            raise BadRequestError(
                f"{at}.requests.{name}: more is requested ({asked}) than the limit ({limit})",
                field=f"{at}.requests.{name}",
            )


def _env(variable: Env, at: str) -> None:
    if not ENV_NAME.fullmatch(variable.name):
        raise BadRequestError(
            f"{at}.name: a variable's name has printable ASCII characters without '='", field=f"{at}.name"
        )
    if variable.type != "Normal":
        if not variable.key:
            raise BadRequestError(f"{at}.key: the name of the {variable.type} is needed", field=f"{at}.key")
        if not variable.value:
            raise BadRequestError(
                f"{at}.value: the key in the {variable.type} is needed", field=f"{at}.value"
            )
        dns_subdomain(variable.key, f"{at}.key")


def _mount(mount: VolumeMount, known: set[str] | None, at: str) -> None:
    if known is not None and mount.volume_name not in known:
        raise BadRequestError(
            f"{at}.volume_name: there is no volume {mount.volume_name!r}", field=f"{at}.volume_name"
        )
    if not mount.mount_path.startswith("/") or ":" in mount.mount_path:
        raise BadRequestError(
            f"{at}.mount_path: an absolute path without ':' is needed", field=f"{at}.mount_path"
        )
    if mount.sub_path and (mount.sub_path.startswith("/") or ".." in mount.sub_path.split("/")):
        raise BadRequestError(
            f"{at}.sub_path: a relative path without '..' is needed", field=f"{at}.sub_path"
        )


def _logs(one: Container, several: Sequence[Container], sent: Sequence[Volume] | None, at: str) -> None:
    own = volumes.own_mounts(sent or (), several) if one.type == "worker" else []
    mounts = [*(one.volume_mounts or ()), *own]
    for index, path in enumerate(one.logsidecar_injector or ()):
        here = f"{at}.logsidecar_injector[{index}]"
        if not path.startswith("/"):
            raise BadRequestError(f"{here}: an absolute path is needed", field=here)
        if ".." in path.split("/") or log_place(path, mounts) is None:
            raise BadRequestError(f"{here}: {path!r} is under none of the container's mounts", field=here)


def _health(check: Health, at: str) -> None:
    if check.type in {"liveness", "startup"} and check.success_threshold not in {None, 1}:
        raise BadRequestError(
            f"{at}.success_threshold: must be 1 for {check.type}", field=f"{at}.success_threshold"
        )
    if check.protocol == "cmd":
        if not check.cmd:
            raise BadRequestError(f"{at}.cmd: a command is needed", field=f"{at}.cmd")
    elif check.port is None:
        raise BadRequestError(f"{at}.port: a port is needed for {check.protocol}", field=f"{at}.port")
    else:
        simple.port(check.port, f"{at}.port")
    for name, least in (
        ("initial_delay", 0),
        ("period", 1),
        ("timeout", 1),
        ("success_threshold", 1),
        ("failure_threshold", 1),
    ):
        value = getattr(check, name)
        if value is not None:
            simple.between(value, least, MAX_INT32, f"{at}.{name}")


def _security(one: Container, at: str) -> None:
    security = one.security
    if security is None:
        return
    here = f"{at}.security"
    for name in ("run_as_user", "run_as_group"):
        value = getattr(security, name)
        if value is not None:
            simple.between(value, 0, MAX_INT32, f"{here}.{name}")
    if security.run_as_nonroot and security.run_as_user == 0:
        raise BadRequestError(
            f"{here}.run_as_user: user 0 is root, which run_as_nonroot forbids", field=f"{here}.run_as_user"
        )
    found = security.capabilities
    sets: list[Capability] = [found] if isinstance(found, Capability) else found or []
    for capability in sets:
        for cap in capability.caps:
            if not CAPABILITY.fullmatch(cap.upper()):
                raise BadRequestError(
                    f"{here}.capabilities.caps: {cap!r} is no capability", field=f"{here}.capabilities.caps"
                )


def _hooks(one: Container, at: str, *, sidecars: bool) -> None:
    hooks = one.hooks or ()
    simple.unique([hook.type for hook in hooks], f"{at}.hooks[#].type", "hooks of a type")
    for index, hook in enumerate(hooks):
        here = f"{at}.hooks[{index}].cmd"
        if one.type == "init" and not sidecars:
            raise BadRequestError(f"{at}.hooks: an init container has no hooks", field=f"{at}.hooks")
        if not hook.cmd:
            raise BadRequestError(f"{here}: a command is needed", field=here)


# Volumes


def check_volumes(several: Sequence[Volume], workload: str, kind: str, *, at: str = "volumes") -> None:
    """Check volumes.

    Raises:
        BadRequestError: one of them cannot be.
    """
    simple.unique([one.name for one in several], f"{at}[#].name", "volumes")
    for place, one in enumerate(several):
        here = f"{at}[{place}]"
        simple.name(one.name, f"{here}.name")
        simple.one_of(one.type, VOLUME_TYPES, f"{here}.type")
        if one.type == "StorageClass" and kind != "StatefulSet":
            dns_subdomain(volumes.claim_name(workload, one.name), f"{here}.name")
        _source(one, here)


def _source(one: Volume, at: str) -> None:
    """Check that the part that the volume's type needs is there and makes sense."""
    field = {"LocalStorage": "local_storage", "StorageClass": "storage_class"}.get(one.type, one.type.lower())
    here = f"{at}.{field}"
    part = getattr(one, field)
    if part is None and one.type != "EmptyDir":
        raise BadRequestError(f"{here}: is needed for type {one.type}", field=here)
    match one.type:
        case "StorageClass" if one.storage_class:
            _capacity(one.storage_class.capacity, f"{here}.capacity", needed=True)
            if one.storage_class.class_name:
                dns_subdomain(one.storage_class.class_name, f"{here}.class_name")
        case "PVC" if one.pvc:
            dns_subdomain(one.pvc.name, f"{here}.name")
        case "LocalStorage":
            if not (one.local_storage or "").startswith("/"):
                raise BadRequestError(f"{here}: an absolute path of the host is needed", field=here)
        case "EmptyDir":
            if one.emptydir and one.emptydir.strip().lower() != volumes.MEMORY.lower():
                _capacity(one.emptydir, here, needed=False)
        case _:
            config = one.configmap if one.type == "ConfigMap" else one.secret
            if config is None:
                return
            dns_subdomain(config.name, f"{here}.name")
            if config.path and not config.path.startswith("/"):
                raise BadRequestError(f"{here}.path: an absolute path is needed", field=f"{here}.path")
            for index, item in enumerate(config.items or ()):
                if item.path.startswith("/") or ".." in item.path.split("/") or not item.path:
                    raise BadRequestError(
                        f"{here}.items[{index}].path: a relative path without '..' is needed",
                        field=f"{here}.items[{index}].path",
                    )


def _capacity(value: str | int | None, at: str, *, needed: bool) -> None:
    if value is None or value == "":
        if needed:
            raise BadRequestError(f"{at}: a capacity in GiB is needed", field=at)
        return
    capacity(value, at)


# Strategies and network


def check_update_strategy(strategy: UpdateStrategy | None, kind: str, *, at: str = "update_strategy") -> None:
    """Check an update strategy.

    Raises:
        BadRequestError: the kind does not have it, or its numbers cannot be.
    """
    if strategy is None:
        return
    if strategy.type is not None and strategy.type not in STRATEGIES[kind]:
        raise BadRequestError(
            f"{at}.type: a {kind} has {', '.join(STRATEGIES[kind])}, not {strategy.type}", field=f"{at}.type"
        )
    if strategy.batch_size is not None:
        simple.between(strategy.batch_size, 1, MAX_INT32, f"{at}.batch_size")
    if strategy.period is not None:
        simple.between(strategy.period, 0, MAX_INT32, f"{at}.period")
    zero = []
    for name in ("max_surge", "max_unavailable"):
        value = getattr(strategy, name)
        if isinstance(value, str) and not value.strip().isdecimal() and not PERCENT.fullmatch(value.strip()):
            raise BadRequestError(
                f"{at}.{name}: a number or a percentage such as 25% is needed", field=f"{at}.{name}"
            )
        if isinstance(value, int):
            simple.between(value, 0, MAX_INT32, f"{at}.{name}")
        zero.append(value is not None and str(value).strip().rstrip("%").strip("0") == "")
    if strategy.type == "custom" and all(zero):
        raise BadRequestError(f"{at}: max_surge and max_unavailable cannot both be 0", field=at)


def check_scale_strategy(strategy: ScaleStrategy | None, kind: str, *, at: str = "scale_strategy") -> None:
    """Check a scale strategy; none or an empty one is no autoscaler.

    Raises:
        BadRequestError: the kind cannot be scaled, or its numbers cannot be.
    """
    if strategy is None or strategy == ScaleStrategy():
        return
    if kind == "DaemonSet":
        raise BadRequestError(f"{at}: a DaemonSet has one pod a node and cannot be scaled", field=at)
    if strategy.max_replicas is None:
        raise BadRequestError(f"{at}.max_replicas: is needed", field=f"{at}.max_replicas")
    simple.between(strategy.max_replicas, 1, MAX_INT32, f"{at}.max_replicas")
    if strategy.min_replicas is not None:
        simple.between(strategy.min_replicas, 1, strategy.max_replicas, f"{at}.min_replicas")
    resource = strategy.resource or ScaleResource()
    if resource.cpu is None and resource.memory is None:
        raise BadRequestError(
            f"{at}.resource: a percentage of cpu or of memory is needed", field=f"{at}.resource"
        )
    for name in ("cpu", "memory"):
        value = getattr(resource, name)
        if value is not None:
            simple.between(value, 1, MAX_INT32, f"{at}.resource.{name}")


def check_scheduler_strategy(
    strategies: Sequence[SchedulerStrategy] | None, *, at: str = "scheduler_strategy"
) -> None:
    """Check scheduling strategies.

    Raises:
        BadRequestError: an expression or a weight cannot be.
    """
    for place, strategy in enumerate(strategies or ()):
        for name in ("node_selector", "node_terms", "pod_affinity", "pod_anti_affinity"):
            rule: SchedulerRule | None = getattr(strategy, name)
            if rule is None:
                continue
            for part, rules in (("required", rule.required), ("prefered", rule.prefered)):
                for index, one in enumerate(rules or ()):
                    here = f"{at}[{place}].{name}.{part}[{index}]"
                    _rule(one, here, pods=name.startswith("pod"))


def _rule(rule: RequiredPrefered, at: str, *, pods: bool) -> None:
    if pods and not rule.expression:
        raise BadRequestError(f"{at}.expression: an expression is needed", field=f"{at}.expression")
    if rule.topology_key:
        check_selector({rule.topology_key: ""}, at=f"{at}.topology_key")
    for index, expression in enumerate(rule.expression or ()):
        here = f"{at}.expression[{index}]"
        check_selector({expression.key: ""}, at=f"{here}.key")
        given = values(expression.values)
        operator = expression.operator
        if pods and operator in {"Gt", "Lt"}:
            raise BadRequestError(f"{here}.operator: {operator} is for nodes only", field=f"{here}.operator")
        if operator in {"In", "NotIn"} and not given:
            raise BadRequestError(f"{here}.values: {operator} needs values", field=f"{here}.values")
        if operator in {"Exists", "DoesNotExist"} and given:
            raise BadRequestError(f"{here}.values: {operator} has no values", field=f"{here}.values")
        if operator in {"Gt", "Lt"} and (len(given) != 1 or not re.fullmatch(r"[+-]?\d+", given[0])):
            raise BadRequestError(f"{here}.values: {operator} needs one number", field=f"{here}.values")
        if expression.weight is not None:
            simple.between(expression.weight, 1, MAX_WEIGHT, f"{here}.weight")


def check_network(network: Network | None, *, at: str = "network") -> None:
    """Check network settings.

    Raises:
        BadRequestError: one of them cannot be.
    """
    if network is None:
        return
    if network.dns_policy:
        simple.one_of(network.dns_policy, DNS_POLICIES[:3], f"{at}.dns_policy")
    for index, alias in enumerate(network.host_aliases or ()):
        here = f"{at}.host_aliases[{index}]"
        simple.address(alias.ip, f"{here}.ip")
        if not words(alias.hostnames):
            raise BadRequestError(f"{here}.hostnames: a host name is needed", field=f"{here}.hostnames")
        for name in words(alias.hostnames):
            dns_subdomain(name, f"{here}.hostnames")
