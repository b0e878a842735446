"""The Pod Security Standards, check by check.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecns.embedded.kubernetes.errors import Object

LEVELS = {"privileged": 0, "baseline": 1, "restricted": 2}
_DEFAULT_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    }
)
_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


class Fault(NamedTuple):
    """A check that a pod does not pass."""

    reason: str
    detail: str


def _containers(spec: Object) -> Iterator[tuple[str, Object]]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for item in spec.get(kind) or ():
            yield item.get("name", ""), item


def _contexts(spec: Object) -> Iterator[tuple[str, Object]]:
    for name, item in _containers(spec):
        yield name, item.get("securityContext", {})


def _quoted(items: list[str]) -> str:
    return ", ".join(f'"{item}"' for item in items)


def _named(noun: str, items: list[str]) -> str:
    return f"{noun}{'s' if len(items) > 1 else ''} {_quoted(items)}"


def _is_windows(spec: Object) -> bool:
    return bool(spec.get("os", {}).get("name") == "windows")


def _app_armor(metadata: Object, spec: Object) -> Fault | None:
    found = [
        f'annotation "{key}={value}"'
        for key, value in metadata.get("annotations", {}).items()
        if key.startswith(_APPARMOR)
        and value
        and value != "runtime/default"
        and not value.startswith("localhost/")
    ]
    if spec.get("securityContext", {}).get("appArmorProfile", {}).get("type") == "Unconfined":
        found.append('pod must not set AppArmor profile type to "Unconfined"')
    bad = [
        name
        for name, context in _contexts(spec)
        if context.get("appArmorProfile", {}).get("type") == "Unconfined"
    ]
    if bad:
        found.append(f'{_named("container", bad)} must not set AppArmor profile type to "Unconfined"')
    return (
        Fault("forbidden AppArmor profile" + ("s" if len(found) > 1 else ""), ", ".join(found))
        if found
        else None
    )


def _added(spec: Object, allowed: frozenset[str]) -> tuple[list[str], list[str]]:
    containers, capabilities = [], set()
    for name, context in _contexts(spec):
        extra = [item for item in context.get("capabilities", {}).get("add", ()) if item not in allowed]
        if extra:
            containers.append(name)
            capabilities.update(extra)
    return containers, sorted(capabilities)


def _must_not_add(containers: list[str], capabilities: list[str]) -> str:
    said = f"{_named('container', containers)} must not include {_quoted(capabilities)}"
    return f"{said} in securityContext.capabilities.add"


def _capabilities(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    containers, capabilities = _added(spec, _DEFAULT_CAPABILITIES)
    if not containers:
        return None
    return Fault("non-default capabilities", _must_not_add(containers, capabilities))


def _host_namespaces(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    found = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    return Fault("host namespaces", ", ".join(found)) if found else None


def _host_paths(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    found = [volume.get("name", "") for volume in spec.get("volumes", ()) if "hostPath" in volume]
    return Fault("hostPath volumes", _named("volume", found)) if found else None


def _host_ports(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    containers, ports = [], set()
    for name, item in _containers(spec):
        found = [port["hostPort"] for port in item.get("ports", ()) if port.get("hostPort")]
        if found:
            containers.append(name)
            ports.update(found)
    if not containers:
        return None
    verb = "use" if len(containers) > 1 else "uses"
    noun = "hostPorts" if len(ports) > 1 else "hostPort"
    listed = ", ".join(str(port) for port in sorted(ports))
    return Fault("hostPort", f"{_named('container', containers)} {verb} {noun} {listed}")


def _privileged(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    found = [name for name, context in _contexts(spec) if context.get("privileged")]
    if not found:
        return None
    return Fault("privileged", f"{_named('container', found)} must not set securityContext.privileged=true")


def _proc_mount(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    found = [(n, c["procMount"]) for n, c in _contexts(spec) if c.get("procMount", "Default") != "Default"]
    if not found or spec.get("hostUsers") is False:
        return None
    values = sorted({value for _, value in found})
    holders = _named("container", [name for name, _ in found])
    return Fault("procMount", f"{holders} must not set securityContext.procMount to {_quoted(values)}")


def _selinux(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    holders, types, roles, users = [], [], [], []
    pod = spec.get("securityContext", {}).get("seLinuxOptions", {})
    everyone = [
        ("pod", pod),
        *((name, context.get("seLinuxOptions", {})) for name, context in _contexts(spec)),
    ]
    for index, (name, options) in enumerate(everyone):
        wrong = False
        if options.get("type", "") not in _SELINUX_TYPES:
            types.append(options["type"])
            wrong = True
        if options.get("user"):
            users.append(options["user"])
            wrong = True
        if options.get("role"):
            roles.append(options["role"])
            wrong = True
        if wrong:
            holders.append("pod" if index == 0 else _named("container", [name]))
    if not holders:
        return None
    said = [f"type{'s' if len(types) > 1 else ''} {_quoted(types)}"] if types else []
    said += ["user may not be set"] if users else []
    said += ["role may not be set"] if roles else []
    detail = f"{' and '.join(holders)} set forbidden securityContext.seLinuxOptions: {'; '.join(said)}"
    return Fault("seLinuxOptions", detail)


def _seccomp_baseline(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    found = []
    if spec.get("securityContext", {}).get("seccompProfile", {}).get("type") == "Unconfined":
        found.append("pod")
    bad = [
        name
        for name, context in _contexts(spec)
        if context.get("seccompProfile", {}).get("type") == "Unconfined"
    ]
    if bad:
        found.append(_named("container", bad))
    if not found:
        return None
    return Fault(
        "seccompProfile",
        f'{" and ".join(found)} must not set securityContext.seccompProfile.type to "Unconfined"',
    )


def _sysctls(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    listed = [item.get("name", "") for item in spec.get("securityContext", {}).get("sysctls", ())]
    found = [name for name in listed if name not in _SYSCTLS]
    return Fault("forbidden sysctls", ", ".join(found)) if found else None


def _host_process(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    found = []
    if spec.get("securityContext", {}).get("windowsOptions", {}).get("hostProcess"):
        found.append("pod")
    bad = [name for name, context in _contexts(spec) if context.get("windowsOptions", {}).get("hostProcess")]
    if bad:
        found.append(_named("container", bad))
    if not found:
        return None
    return Fault(
        "hostProcess", f"{' and '.join(found)} must not set securityContext.windowsOptions.hostProcess=true"
    )


def _escalation(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    found = [
        name for name, context in _contexts(spec) if context.get("allowPrivilegeEscalation") is not False
    ]
    if not found or _is_windows(spec):
        return None
    detail = f"{_named('container', found)} must set securityContext.allowPrivilegeEscalation=false"
    return Fault("allowPrivilegeEscalation != false", detail)


def _capabilities_restricted(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    if _is_windows(spec):
        return None
    keeping = [
        name
        for name, context in _contexts(spec)
        if "ALL" not in context.get("capabilities", {}).get("drop", ())
    ]
    containers, capabilities = _added(spec, frozenset({"NET_BIND_SERVICE"}))
    details = []
    if keeping:
        details.append(f'{_named("container", keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if containers:
        details.append(_must_not_add(containers, capabilities))
    return Fault("unrestricted capabilities", "; ".join(details)) if details else None


def _restricted_volumes(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    found = [
        (volume.get("name", ""), next((key for key in volume if key != "name"), ""))
        for volume in spec.get("volumes", ())
        if not _VOLUMES & set(volume)
    ]
    if not found:
        return None
    kinds = sorted({kind for _, kind in found})
    verb = "use" if len(found) > 1 else "uses"
    noun = f"restricted volume type{'s' if len(kinds) > 1 else ''} {_quoted(kinds)}"
    return Fault("restricted volume types", f"{_named('volume', [name for name, _ in found])} {verb} {noun}")


def _non_root(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    pod = spec.get("securityContext", {}).get("runAsNonRoot")
    bad = [name for name, context in _contexts(spec) if context.get("runAsNonRoot") is False]
    silent = [name for name, context in _contexts(spec) if "runAsNonRoot" not in context]
    if bad or (pod is False and silent):
        holders = (["pod"] if pod is False else []) + ([_named("container", bad)] if bad else [])
        return Fault(
            "runAsNonRoot != true", f"{' and '.join(holders)} must not set securityContext.runAsNonRoot=false"
        )
    if pod or not silent or spec.get("hostUsers") is False:
        return None
    return Fault(
        "runAsNonRoot != true",
        f"pod or {_named('container', silent)} must set securityContext.runAsNonRoot=true",
    )


def _user(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    holders = ["pod"] if spec.get("securityContext", {}).get("runAsUser") == 0 else []
    bad = [name for name, context in _contexts(spec) if context.get("runAsUser") == 0]
    if bad:
        holders.append(_named("container", bad))
    if not holders or spec.get("hostUsers") is False:
        return None
    return Fault("runAsUser=0", f"{' and '.join(holders)} must not set runAsUser=0")


def _seccomp_restricted(metadata: Object, spec: Object) -> Fault | None:
    del metadata
    if _is_windows(spec):
        return None
    good = {"RuntimeDefault", "Localhost"}
    pod = spec.get("securityContext", {}).get("seccompProfile", {}).get("type")
    bad, silent = [], []
    for name, context in _contexts(spec):
        kind = context.get("seccompProfile", {}).get("type")
        if kind is None:
            silent.append(name)
        elif kind not in good:
            bad.append(name)
    if bad or (pod is not None and pod not in good):
        holders = (["pod"] if pod is not None and pod not in good else []) + (
            [_named("container", bad)] if bad else []
        )
        return Fault(
            "seccompProfile",
            f'{" and ".join(holders)} must not set securityContext.seccompProfile.type to "Unconfined"',
        )
    if pod in good or not silent:
        return None
    wanted = 'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Fault("seccompProfile", f"pod or {_named('container', silent)} must set {wanted}")


_BASELINE: tuple[tuple[Callable[[Object, Object], Fault | None], bool], ...] = (
    (_app_armor, False),
    (_capabilities, True),
    (_host_namespaces, False),
    (_host_paths, True),
    (_host_ports, False),
    (_privileged, False),
    (_proc_mount, False),
    (_selinux, False),
    (_seccomp_baseline, True),
    (_sysctls, False),
    (_host_process, False),
)
"""Checks of the baseline, and whether a stricter one takes their place in the restricted level."""
_RESTRICTED: tuple[Callable[[Object, Object], Fault | None], ...] = (
    _escalation,
    _capabilities_restricted,
    _restricted_volumes,
    _non_root,
    _user,
    _seccomp_restricted,
)


def faults(level: str, metadata: Object, spec: Object) -> list[Fault]:
    """The checks of a level that a pod does not pass, in Kubernetes' order.

    Args:
        level: `privileged`, `baseline` or `restricted`.
        metadata: the pod's, for annotations.
        spec: the pod's.
    """
    if level not in {"baseline", "restricted"}:
        return []
    restricted = level == "restricted"
    checks = [check for check, replaced in _BASELINE if not (restricted and replaced)]
    if restricted:
        checks += _RESTRICTED
    return [found for check in checks if (found := check(metadata, spec)) is not None]
