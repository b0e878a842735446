"""Containers: names, images, ports, environment, mounts, probes, resources, security contexts.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ and recorded refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.validation import names
from ecns.embedded.kubernetes.validation.causes import Causes

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

_NOT_EPHEMERAL = (
    "ports",
    "resources",
    "resizePolicy",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)
PROTOCOLS = ("SCTP", "TCP", "UDP")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.hostname",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_POD_FIELDS = (*_ENV_FIELDS, "metadata.labels", "metadata.annotations", "spec.restartPolicy", "status.phase")
_RESOURCE_FIELDS = tuple(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_STANDARD = frozenset({"cpu", "memory", "ephemeral-storage"})
_INTEGER = "must be an integer"
_NATIVE = "kubernetes.io/"


def is_native(name: str) -> bool:
    """Whether a resource's name is Kubernetes' own."""
    return "/" not in name or _NATIVE in name


def is_extended(name: str) -> bool:
    """Whether it is a device that someone advertises, such as `nvidia.com/gpu`."""
    return (
        not is_native(name)
        and not name.startswith("requests.")
        and not names.qualified_name(f"requests.{name}")
    )


def can_overcommit(name: str) -> bool:
    """Whether limits may be over requests."""
    return is_native(name) and not name.startswith("hugepages-")


def resource_name(causes: Causes, path: str, name: str) -> None:
    """Checks the name of a resource of any kind."""
    causes.each(path, name, names.qualified_name(name))
    if "/" not in name and name not in _STANDARD_NAMES and not name.startswith("hugepages-"):
        causes.invalid(path, name, "must be a standard resource type or fully qualified")


_STANDARD_NAMES = frozenset(
    {
        *_STANDARD,
        "storage",
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
        *(f"{kind}.{name}" for kind in ("requests", "limits") for name in _STANDARD),
        "requests.storage",
    }
)


def quantity(causes: Causes, path: str, name: str, amount: str) -> None:
    """Checks the amount of a resource."""
    parsed = quantities.parse(amount)
    if parsed.nano < 0:
        causes.invalid(path, amount, "must be greater than or equal to 0")
    if (
        is_extended(name) or name in _WHOLE or name.startswith(("count/", "hugepages-"))
    ) and parsed.milli % 1000:
        causes.invalid(path, amount, _INTEGER)


_WHOLE = frozenset(
    {
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    }
)


def container_resource(causes: Causes, path: str, name: str) -> None:
    """Checks the name of a resource that a container asks for."""
    before = len(causes)
    resource_name(causes, path, name)
    if "/" not in name:
        if name not in _STANDARD and not name.startswith("hugepages-"):
            causes.invalid(path, name, "must be a standard resource for containers")
    elif not is_native(name) and not is_extended(name) and len(causes) == before:
        causes.invalid(path, name, "doesn't follow extended resource name standard")


def resources(causes: Causes, path: str, found: Object) -> None:
    """Checks the requests and limits of a container."""
    limits, requests = found.get("limits", {}), found.get("requests", {})
    for name, amount in limits.items():
        container_resource(causes, f"{path}.limits[{name}]", name)
        quantity(causes, f"{path}.limits[{name}]", name, amount)
    for name, amount in requests.items():
        container_resource(causes, f"{path}.requests[{name}]", name)
        quantity(causes, f"{path}.requests[{name}]", name, amount)
        limit = limits.get(name)
        if limit is not None:
            asked, most = quantities.parse(amount), quantities.parse(limit)
            if asked.nano != most.nano and not can_overcommit(name):
                causes.invalid(f"{path}.requests", amount, f"must be equal to {name} limit of {limit}")
            elif asked.nano > most.nano:
                causes.invalid(
                    f"{path}.requests", amount, f"must be less than or equal to {name} limit of {limit}"
                )
        elif not can_overcommit(name):
            causes.required(f"{path}.limits", "Limit must be set for non overcommitable resources")


def field_ref(causes: Causes, path: str, found: Object, fields: tuple[str, ...] = _ENV_FIELDS) -> None:
    """Checks a reference to a field of the pod."""
    label, at = found.get("fieldPath", ""), f"{path}.fieldPath"
    if not found.get("apiVersion"):
        causes.required(f"{path}.apiVersion")
        return
    if not label:
        causes.required(at)
        return
    name, bracket, key = label.partition("['")
    if bracket and key.endswith("']"):
        key = key.removesuffix("']")
        if name not in {"metadata.labels", "metadata.annotations"}:
            causes.invalid(at, label, "does not support subscript")
        else:
            causes.each(at, key, names.qualified_name(key if name.endswith("labels") else key.lower()))
        return
    if label not in {*_POD_FIELDS, *fields}:
        causes.invalid(at, label, f"error converting fieldPath: field label not supported: {label}")
    elif label not in fields:
        causes.unsupported(at, label, sorted(fields))


def resource_field_ref(causes: Causes, path: str, found: Object, *, volume: bool = False) -> None:
    """Checks a reference to a request or limit."""
    if volume and not found.get("containerName"):
        causes.required(f"{path}.containerName")
    elif not found.get("resource"):
        causes.required(f"{path}.resource")
    elif found["resource"] not in _RESOURCE_FIELDS and "hugepages-" not in found["resource"]:
        causes.unsupported(f"{path}.resource", found["resource"], sorted(_RESOURCE_FIELDS))


def _key_ref(causes: Causes, path: str, found: Object) -> None:
    if not found.get("name"):
        causes.required(f"{path}.name")
    if not found.get("key"):
        causes.required(f"{path}.key")
    else:
        causes.each(f"{path}.key", found["key"], names.config_key(found["key"]))


def _environment(causes: Causes, path: str, items: list[Object]) -> None:
    for index, item in enumerate(items):
        at = f"{path}[{index}]"
        if not item.get("name"):
            causes.required(f"{at}.name")
        else:
            causes.each(f"{at}.name", item["name"], names.env_name(item["name"]))
        source = item.get("valueFrom")
        if source is None:
            continue
        given = [
            name
            for name in ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef")
            if name in source
        ]
        if "fieldRef" in source:
            field_ref(causes, f"{at}.valueFrom.fieldRef", source["fieldRef"])
        if "resourceFieldRef" in source:
            resource_field_ref(causes, f"{at}.valueFrom.resourceFieldRef", source["resourceFieldRef"])
        for name in ("configMapKeyRef", "secretKeyRef"):
            if name in source:
                _key_ref(causes, f"{at}.valueFrom.{name}", source[name])
        if not given and "fileKeyRef" not in source:
            listed = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
            causes.invalid(f"{at}.valueFrom", "", f"must specify one of: {listed}")
        elif item.get("value"):
            causes.invalid(f"{at}.valueFrom", "", "may not be specified when `value` is not empty")
        elif len(given) > 1:
            causes.invalid(f"{at}.valueFrom", "", "may not have more than one field specified at a time")


def _environment_from(causes: Causes, path: str, items: list[Object]) -> None:
    for index, item in enumerate(items):
        at = f"{path}[{index}]"
        if item.get("prefix"):
            causes.each(f"{at}.prefix", item["prefix"], names.env_name(item["prefix"]))
        given = [name for name in ("configMapRef", "secretRef") if name in item]
        for name in given:
            if not item[name].get("name"):
                causes.required(f"{at}.{name}.name")
        if not given:
            causes.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(given) > 1:
            causes.invalid(path, "", "may not have more than one field specified at a time")


def _mounts(causes: Causes, path: str, item: Object, volumes: set[str]) -> None:
    devices = item.get("volumeDevices", [])
    device_paths = {device.get("devicePath") for device in devices}
    device_names = {device.get("name") for device in devices}
    seen: set[str] = set()
    for index, mount in enumerate(item.get("volumeMounts", ())):
        at, name, target = f"{path}[{index}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            causes.required(f"{at}.name")
        if name not in volumes:
            causes.not_found(f"{at}.name", name)
        if not target:
            causes.required(f"{at}.mountPath")
        if target in seen:
            causes.invalid(f"{at}.mountPath", target, "must be unique")
        seen.add(target)
        if name in device_names:
            causes.invalid(f"{at}.name", name, "must not already exist in volumeDevices")
        if target in device_paths:
            causes.invalid(f"{at}.mountPath", target, "must not already exist as a path in volumeDevices")
        _mount_details(causes, path, at, mount)


def _mount_details(causes: Causes, path: str, at: str, mount: Object) -> None:
    """Sub-paths and propagation, whose faults Kubernetes reports without the mount's number."""
    below, expression = mount.get("subPath"), mount.get("subPathExpr")
    if below:
        _below(causes, f"{path}.subPath", below)
    if expression:
        if below:
            causes.invalid(f"{at}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive")
        _below(causes, f"{path}.subPathExpr", expression)
    propagation = mount.get("mountPropagation")
    if propagation is not None:
        supported = ("Bidirectional", "HostToContainer", "None")
        causes.one_of(f"{path}.mountPropagation", propagation, supported)


def _devices(causes: Causes, path: str, item: Object, volumes: set[str]) -> None:
    mounts = item.get("volumeMounts", [])
    mount_names = {mount.get("name") for mount in mounts}
    mount_paths = {mount.get("mountPath") for mount in mounts}
    names_seen: set[str] = set()
    paths_seen: set[str] = set()
    for index, device in enumerate(item.get("volumeDevices", ())):
        at, name, target = f"{path}[{index}]", device.get("name", ""), device.get("devicePath", "")
        if not name:
            causes.required(f"{at}.name")
        if name in names_seen:
            causes.invalid(f"{at}.name", name, "must be unique")
        if name not in volumes:
            causes.not_found(f"{at}.name", name)
        if not target:
            causes.required(f"{at}.devicePath")
        if target in paths_seen:
            causes.invalid(f"{at}.devicePath", target, "must be unique")
        if ".." in target.split("/"):
            causes.invalid(f"{at}.devicePath", target, "can not contain backsteps ('..')")
        if name in mount_names:
            causes.invalid(f"{at}.name", name, "must not already exist in volumeMounts")
        if target in mount_paths:
            causes.invalid(f"{at}.devicePath", target, "must not already exist as a path in volumeMounts")
        names_seen.add(name)
        paths_seen.add(target)


def _below(causes: Causes, path: str, value: str) -> None:
    from ecns.embedded.kubernetes.validation import volumes  # noqa: PLC0415  they know of one another

    volumes.relative(causes, path, value)


def _handler(causes: Causes, path: str, found: Object) -> None:
    given = 0
    for name in ("exec", "httpGet", "tcpSocket", "grpc", "sleep"):
        if name not in found:
            continue
        given += 1
        if given > 1:
            causes.forbidden(f"{path}.{name}", "may not specify more than 1 handler type")
            continue
        action, at = found[name], f"{path}.{name}"
        if name == "exec" and not action.get("command"):
            causes.required(f"{at}.command")
        elif name == "httpGet":
            if not action.get("path"):
                causes.required(f"{at}.path")
            port(causes, f"{at}.port", action.get("port", 0))
            causes.one_of(f"{at}.scheme", action.get("scheme", ""), ("HTTP", "HTTPS"))
            for header in action.get("httpHeaders", ()):
                _header(causes, f"{at}.httpHeaders", header)
        elif name == "tcpSocket":
            port(causes, f"{at}.port", action.get("port", 0))
        elif name == "grpc":
            causes.each(f"{at}.port", action.get("port", 0), names.port_number(action.get("port", 0)))
    if not given:
        causes.required(path, "must specify a handler type")


def _header(causes: Causes, path: str, header: Object) -> None:
    import re  # noqa: PLC0415  seldom needed

    name = header.get("name", "")
    if not re.fullmatch("[-A-Za-z0-9]+", name):
        detail = (
            "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', "
            "regex used for validation is '[-A-Za-z0-9]+')"
        )
        causes.invalid(path, name, detail)


def port(causes: Causes, path: str, value: Any) -> None:
    """Checks a port by number or by name."""
    causes.each(path, value, names.port_name(value) if isinstance(value, str) else names.port_number(value))


def _probe(causes: Causes, path: str, probe: Object, *, once: bool) -> None:
    _handler(causes, path, probe)
    for name in (
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ):
        causes.not_negative(f"{path}.{name}", probe.get(name))
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        causes.invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")
    if once and probe.get("successThreshold", 1) != 1:
        causes.invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1")
    if not once and grace is not None:
        causes.invalid(f"{path}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes")


def _probes(causes: Causes, path: str, item: Object, patience: int) -> None:
    for name in ("postStart", "preStop"):
        hook, at = item.get("lifecycle", {}).get(name), f"{path}.lifecycle.{name}"
        if hook is None:
            continue
        _handler(causes, at, hook)
        if (seconds := hook.get("sleep", {}).get("seconds", 0)) < 0 or seconds > patience:
            detail = f"must be non-negative and less than terminationGracePeriodSeconds ({patience})"
            causes.invalid(f"{at}.sleep", seconds, detail)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in item:
            _probe(causes, f"{path}.{name}", item[name], once=name != "readinessProbe")


def _ports(causes: Causes, path: str, items: list[Object]) -> None:
    seen: set[str] = set()
    for index, item in enumerate(items):
        at, name = f"{path}[{index}]", item.get("name", "")
        if name:
            wrong = names.port_name(name)
            causes.each(f"{at}.name", name, wrong)
            if not wrong and name in seen:
                causes.duplicate(f"{at}.name", name)
            seen.add(name)
        number = item.get("containerPort", 0)
        if not number:
            causes.required(f"{at}.containerPort")
        else:
            causes.each(f"{at}.containerPort", number, names.port_number(number))
        if item.get("hostPort"):
            causes.each(f"{at}.hostPort", item["hostPort"], names.port_number(item["hostPort"]))
        causes.required_one_of(f"{at}.protocol", item.get("protocol"), PROTOCOLS)


def security_context(causes: Causes, path: str, found: Object) -> None:
    """Checks a container's security context."""
    for name in ("runAsUser", "runAsGroup"):
        if name in found:
            causes.each(f"{path}.{name}", found[name], names.user_id(found[name]))
    seccomp(causes, f"{path}.seccompProfile", found.get("seccompProfile"))
    if found.get("allowPrivilegeEscalation") is False:
        if found.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            causes.invalid(path, _internal_context(found), detail)
        if "SYS_ADMIN" in found.get("capabilities", {}).get("add", ()):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            causes.invalid(path, _internal_context(found), detail)


def _internal_context(found: Object) -> Any:
    from ecns.embedded.kubernetes.validation import internal  # noqa: PLC0415  only for this message

    return internal.value("SecurityContext", found)


def seccomp(causes: Causes, path: str, profile: Object | None) -> None:
    """Checks a seccomp profile."""
    if profile is None:
        return
    kind = profile.get("type", "")
    if kind == "Localhost":
        if profile.get("localhostProfile") is None:
            causes.required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost")
    else:
        if profile.get("localhostProfile") is not None:
            causes.invalid(
                f"{path}.localhostProfile",
                profile["localhostProfile"],
                "can only be set when seccomp type is Localhost",
            )
        if not kind:
            causes.required(f"{path}.type", "type is required when seccompProfile is set")
        else:
            causes.one_of(f"{path}.type", kind, ("Localhost", "RuntimeDefault", "Unconfined"))


def common(causes: Causes, path: str, item: Object, volumes: set[str]) -> None:
    """Checks what containers of all sorts have in common."""
    name = item.get("name", "")
    if not name:
        causes.required(f"{path}.name")
    else:
        causes.each(f"{path}.name", name, names.dns_label(name))
    image = item.get("image", "")
    if not image:
        causes.required(f"{path}.image")
    policy = item.get("terminationMessagePolicy")
    if policy:
        causes.one_of(f"{path}.terminationMessagePolicy", policy, ("File", "FallbackToLogsOnError"))
    _ports(causes, f"{path}.ports", item.get("ports", []))
    _environment(causes, f"{path}.env", item.get("env", []))
    _environment_from(causes, f"{path}.envFrom", item.get("envFrom", []))
    _mounts(causes, f"{path}.volumeMounts", item, volumes)
    _devices(causes, f"{path}.volumeDevices", item, volumes)
    causes.required_one_of(f"{path}.imagePullPolicy", item.get("imagePullPolicy"), PULL_POLICIES)
    resources(causes, f"{path}.resources", item.get("resources", {}))
    security_context(causes, f"{path}.securityContext", item.get("securityContext", {}))


def _host_ports(causes: Causes, path: str, items: list[Object]) -> None:
    taken: set[str] = set()
    for index, item in enumerate(items):
        for number, found in enumerate(item.get("ports", ())):
            if found.get("hostPort"):
                key = f"{found.get('protocol', '')}/{found.get('hostIP', '')}/{found['hostPort']}"
                if key in taken:
                    causes.duplicate(f"{path}[{index}].ports[{number}].hostPort", key)
                taken.add(key)


def _host_network(causes: Causes, path: str, items: list[Object]) -> None:
    for index, item in enumerate(items):
        for number, found in enumerate(item.get("ports", ())):
            host = found.get("hostPort", 0)
            if host and host != found.get("containerPort"):
                detail = "must match `containerPort` when `hostNetwork` is true"
                causes.invalid(f"{path}[{index}].ports[{number}].hostPort", host, detail)


def containers(causes: Causes, path: str, spec: Object, volumes: set[str]) -> None:
    """Checks all containers of a pod's spec."""
    items = spec.get("containers") or []
    if not items:
        causes.required(f"{path}.containers")
    seen: set[str] = set()
    patience = spec.get("terminationGracePeriodSeconds", 30)
    for index, item in enumerate(items):
        at = f"{path}.containers[{index}]"
        common(causes, at, item, volumes)
        _unique(causes, at, item, seen)
        _probes(causes, at, item, patience)
    _host_ports(causes, f"{path}.containers", items)
    for index, item in enumerate(spec.get("initContainers", ())):
        at = f"{path}.initContainers[{index}]"
        _init(causes, at, item, volumes, seen)
        if item.get("restartPolicy") == "Always":
            _probes(causes, at, item, patience)
    lasting = frozenset(seen)
    for index, item in enumerate(spec.get("ephemeralContainers", ())):
        at = f"{path}.ephemeralContainers[{index}]"
        common(causes, at, item, volumes)
        image(causes, at, item)
        _unique(causes, at, item, seen)
        _ephemeral(causes, at, item, lasting)
    if spec.get("hostNetwork"):
        _host_network(causes, f"{path}.containers", items)


def _ephemeral(causes: Causes, path: str, item: Object, lasting: frozenset[str]) -> None:
    """Checks what is particular to an ephemeral container; `lasting` are the names of the other sorts."""
    target = item.get("targetContainerName")
    if target and target not in lasting:
        causes.not_found(f"{path}.targetContainerName", target)
    detail = "cannot be set for an Ephemeral Container"
    for name in _NOT_EPHEMERAL:
        if item.get(name):
            causes.forbidden(f"{path}.{name}", detail)
    for index, mount in enumerate(item.get("volumeMounts", ())):
        for name in ("subPath", "subPathExpr"):
            if mount.get(name):
                causes.forbidden(f"{path}.volumeMounts[{index}].{name}", detail)


def image(causes: Causes, path: str, item: Object) -> None:
    """Checks an image's name as it is checked in pods, but not in templates."""
    name = item.get("image", "")
    if name != name.strip():
        causes.invalid(f"{path}.image", name, "must not have leading or trailing whitespace")


def _unique(causes: Causes, path: str, item: Object, seen: set[str]) -> None:
    name = item.get("name", "")
    if name in seen:
        causes.duplicate(f"{path}.name", name)
    elif name:
        seen.add(name)


def _init(causes: Causes, path: str, item: Object, volumes: set[str], seen: set[str]) -> None:
    common(causes, path, item, volumes)
    _unique(causes, path, item, seen)
    restarts = item.get("restartPolicy")
    if restarts is not None and restarts not in {"Always", "OnFailure", "Never"}:
        causes.unsupported(f"{path}.restartPolicy", restarts, ("Always", "Never", "OnFailure"))
    if restarts == "Always":
        return
    for name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if item.get(name):
            causes.forbidden(
                f"{path}.{name}", "may not be set for init containers without restartPolicy=Always"
            )
