"""Containers, both ways.

Source: reference 1.21 (container and all below); https://kubernetes.io/docs/reference/kubernetes-api/
workload-resources/pod-v1/#Container. What Kubernetes fills in when it is not sent is shown as if it was.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from ecns.api.workloads.manifests import images
from ecns.api.workloads.types import (
    Capability,
    Command,
    Container,
    Env,
    Health,
    Hook,
    Resource,
    Resources,
    Security,
    VolumeMount,
)
from ecns.backends.kubernetes.kinds import pods as k
from ecns.backends.kubernetes.kinds import quantities
from ecns.backends.kubernetes.kinds.core import IntOrString, Quantity

SHELL = ["/bin/sh", "-c"]
MAX_PORT = 65535


def container(sent: Container, registry_domain: str, mounts: Sequence[VolumeMount] = ()) -> k.Container:
    """A container for Kubernetes.

    Args:
        sent: the container.
        registry_domain: where images of source `ecns` are.
        mounts: more mounts than it names itself.
    """
    commands, health = sent.commands or Command(), {check.type: check for check in sent.health or ()}
    return k.Container(
        name=sent.name,
        image=images.reference(sent.image, sent.image_source, registry_domain),
        image_pull_policy=sent.image.image_pull_policy or "",
        command=commands.cmd or None,
        args=commands.args or None,
        env=[_env(variable) for variable in sent.env or ()] or None,
        resources=_resources(sent.resources),
        volume_mounts=[
            k.VolumeMount(
                name=mount.volume_name,
                mount_path=mount.mount_path,
                read_only=bool(mount.read_only),
                sub_path=mount.sub_path or "",
            )
            for mount in [*(sent.volume_mounts or ()), *mounts]
        ]
        or None,
        liveness_probe=_probe(health.get("liveness")),
        readiness_probe=_probe(health.get("readiness")),
        startup_probe=_probe(health.get("startup")),
        lifecycle=_lifecycle(sent.hooks),
        security_context=_security(sent.security),
    )


def shown(
    found: k.Container, *, init: bool, pod: k.PodSpec, registry_domain: str, logs: Sequence[str] = ()
) -> Container:
    """A container of the reference.

    Args:
        found: the container.
        init: it is an init container.
        pod: the template it is in.
        registry_domain: where images of source `ecns` are.
        logs: paths that the log side-car follows.
    """
    image, source = images.shown(found.image, registry_domain)
    image.image_secret = pod.image_pull_secrets[0].name if pod.image_pull_secrets else None
    image.image_pull_policy = found.image_pull_policy or images.default_pull_policy(found.image)
    ports = {port.name: port.container_port for port in found.ports or () if port.name}
    probes = (
        ("liveness", found.liveness_probe),
        ("readiness", found.readiness_probe),
        ("startup", found.startup_probe),
    )
    commands = Command(cmd=found.command, args=found.args) if found.command or found.args else None
    return Container(
        name=found.name,
        type="init" if init else "worker",
        image=image,
        image_source=source,
        resources=_shown_resources(found.resources),
        env=[shown for variable in found.env or () if (shown := _shown_env(variable))],
        volume_mounts=[
            VolumeMount(
                volume_name=mount.name,
                mount_path=mount.mount_path,
                read_only=mount.read_only,
                sub_path=mount.sub_path or None,
            )
            for mount in found.volume_mounts or ()
        ],
        logsidecar_injector=list(logs),
        health=[health for kind, probe in probes if probe and (health := _shown_probe(kind, probe, ports))],
        security=_shown_security(found.security_context, pod),
        commands=commands,
        hooks=list(_shown_hooks(found.lifecycle)),
    )


def _env(sent: Env) -> k.EnvVar:
    if sent.type == "Normal":
        return k.EnvVar(name=sent.name, value=sent.key or "")
    selector = k.KeySelector(name=sent.key or "", key=sent.value or "")
    source = (
        k.EnvVarSource(config_map_key_ref=selector)
        if sent.type == "ConfigMap"
        else k.EnvVarSource(secret_key_ref=selector)
    )
    return k.EnvVar(name=sent.name, value_from=source)


def _shown_env(found: k.EnvVar) -> Env | None:
    """None for what ECNS has no word for, such as fields of the pod."""
    source = found.value_from
    if source is None:
        return Env(type="Normal", name=found.name, key=found.value)
    if ref := source.config_map_key_ref:
        return Env(type="ConfigMap", name=found.name, key=ref.name, value=ref.key)
    if ref := source.secret_key_ref:
        return Env(type="Secret", name=found.name, key=ref.name, value=ref.key)
    return None


def _resources(sent: Resources | None) -> k.ResourceRequirements | None:
    if sent is None:
        return None
    found = k.ResourceRequirements(requests=_amounts(sent.requests), limits=_amounts(sent.limits))
    return found if found.requests or found.limits else None


def _amounts(sent: Resource | None) -> dict[str, Quantity] | None:
    amounts: dict[str, Quantity] = {}
    if sent and sent.cpu is not None:
        amounts["cpu"] = quantities.from_cores(sent.cpu)
    if sent and sent.memory is not None:
        amounts["memory"] = quantities.from_mib(sent.memory)
    return amounts or None


def _shown_resources(found: k.ResourceRequirements | None) -> Resources | None:
    requests = _shown_amounts(found.requests if found else None)
    limits = _shown_amounts(found.limits if found else None)
    return Resources(requests=requests, limits=limits) if requests or limits else None


def _shown_amounts(found: Mapping[str, Quantity] | None) -> Resource | None:
    if not found or not {"cpu", "memory"} & set(found):
        return None
    cpu, memory = found.get("cpu"), found.get("memory")
    return Resource(
        cpu=None if cpu is None else quantities.cores(cpu),
        memory=None if memory is None else quantities.mib(memory),
    )


def _probe(sent: Health | None) -> k.Probe | None:
    if sent is None:
        return None
    probe = k.Probe(
        initial_delay_seconds=sent.initial_delay,
        period_seconds=sent.period,
        timeout_seconds=sent.timeout,
        success_threshold=sent.success_threshold,
        failure_threshold=sent.failure_threshold,
    )
    port = sent.port or 0
    if sent.protocol == "cmd":
        probe.exec = k.ExecAction(command=[*SHELL, sent.cmd or ""])
    elif sent.protocol == "tcp":
        probe.tcp_socket = k.TCPSocketAction(port=port, host=sent.host or "")
    elif sent.protocol == "grpc":
        probe.grpc = k.GRPCAction(port=port)
    else:
        probe.http_get = k.HTTPGetAction(
            path=sent.path or "/", port=port, host=sent.host or "", scheme=sent.protocol.upper()
        )
    return probe


def _shown_probe(kind: str, found: k.Probe, ports: Mapping[str, int]) -> Health | None:
    """None for a probe whose action ECNS has no word for."""
    health = Health(
        type=kind,  # type: ignore[arg-type]  # one of three literals
        protocol="cmd",
        initial_delay=found.initial_delay_seconds or 0,
        period=found.period_seconds or 10,
        timeout=found.timeout_seconds or 1,
        success_threshold=found.success_threshold or 1,
        failure_threshold=found.failure_threshold or 3,
    )
    if http := found.http_get:
        health.protocol = "https" if http.scheme.upper() == "HTTPS" else "http"
        health.path, health.host, health.port = http.path or "/", http.host or None, _port(http.port, ports)
    elif tcp := found.tcp_socket:
        health.protocol, health.host, health.port = "tcp", tcp.host or None, _port(tcp.port, ports)
    elif grpc := found.grpc:
        health.protocol, health.port = "grpc", grpc.port
    elif found.exec:
        command = found.exec.command or []
        shell = len(command) == len(SHELL) + 1 and command[: len(SHELL)] == SHELL
        health.cmd = command[-1] if shell else shlex.join(command)
    else:
        return None
    return health


def _port(port: IntOrString, names: Mapping[str, int]) -> int | None:
    if isinstance(port, str):
        return int(port) if port.isdecimal() else names.get(port)
    return port


def _lifecycle(hooks: Iterable[Hook] | None) -> k.Lifecycle | None:
    lifecycle = k.Lifecycle()
    for hook in hooks or ():
        handler = k.LifecycleHandler(exec=k.ExecAction(command=hook.cmd or []))
        if hook.type == "PreStop":
            lifecycle.pre_stop = handler
        else:
            lifecycle.post_start = handler
    return lifecycle if lifecycle.pre_stop or lifecycle.post_start else None


def _shown_hooks(found: k.Lifecycle | None) -> Iterable[Hook]:
    if found and found.post_start and found.post_start.exec:
        yield Hook(type="PostStart", cmd=found.post_start.exec.command)
    if found and found.pre_stop and found.pre_stop.exec:
        yield Hook(type="PreStop", cmd=found.pre_stop.exec.command)


def _capability(word: str) -> str:
    """A capability as Kubernetes' own rules write it: `cap_net_raw` and `all` are taken, too."""
    return word.upper().removeprefix("CAP_")


def _security(sent: Security | None) -> k.SecurityContext | None:
    if sent is None:
        return None
    given: dict[str, list[str]] = {"add": [], "drop": []}
    sets = sent.capabilities if isinstance(sent.capabilities, list) else [sent.capabilities]
    for capability in sets:
        if capability is not None:
            given[capability.action] += map(_capability, capability.caps)
    found = k.SecurityContext(
        run_as_non_root=sent.run_as_nonroot,
        read_only_root_filesystem=sent.rootfs_readonly,
        run_as_user=sent.run_as_user,
        run_as_group=sent.run_as_group,
        privileged=sent.privileged,
        capabilities=k.Capabilities(add=given["add"] or None, drop=given["drop"] or None)
        if given["add"] or given["drop"]
        else None,
    )
    return None if found == k.SecurityContext() else found


def _shown_security(found: k.SecurityContext | None, pod: k.PodSpec) -> Security | None:
    context = found or k.SecurityContext()
    capabilities: list[Capability] = []
    if context.capabilities and context.capabilities.add:
        capabilities.append(Capability(action="add", caps=[*map(_capability, context.capabilities.add)]))
    if context.capabilities and context.capabilities.drop:
        capabilities.append(Capability(action="drop", caps=[*map(_capability, context.capabilities.drop)]))
    security = Security(
        run_as_nonroot=context.run_as_non_root,
        rootfs_readonly=context.read_only_root_filesystem,
        host_pid=pod.host_pid or None,
        host_ipc=pod.host_ipc or None,
        run_as_user=context.run_as_user,
        run_as_group=context.run_as_group,
        privileged=context.privileged,
        capabilities=capabilities[0] if len(capabilities) == 1 else capabilities or None,
    )
    return None if security == Security() else security
