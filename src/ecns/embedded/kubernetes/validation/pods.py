"""Pods and pod templates.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ and recorded refusals.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.validation import containers, internal, meta, names, qos, scheduling, volumes

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_NAMESERVERS, _SEARCHES = 3, 32
_MAY_CHANGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def _security_context(causes: Causes, path: str, found: Object) -> None:
    for name in ("fsGroup", "runAsUser", "runAsGroup"):
        if name in found:
            causes.each(f"{path}.{name}", found[name], names.user_id(found[name]))
    for index, group in enumerate(found.get("supplementalGroups", ())):
        causes.each(f"{path}.supplementalGroups[{index}]", group, names.user_id(group))
    policy = found.get("fsGroupChangePolicy")
    if policy is not None:
        causes.one_of(f"{path}.fsGroupChangePolicy", policy, ("Always", "OnRootMismatch"))
    for index, item in enumerate(found.get("sysctls", ())):
        if not item.get("name"):
            causes.required(f"{path}.sysctls[{index}].name")
    containers.seccomp(causes, f"{path}.seccompProfile", found.get("seccompProfile"))


def _dns(causes: Causes, path: str, spec: Object) -> None:
    found, at = spec.get("dnsConfig"), f"{path}.dnsConfig"
    if spec.get("dnsPolicy") == "None":
        if found is None:
            causes.required(at, "must provide `dnsConfig` when `dnsPolicy` is None")
            return
        if not found.get("nameservers"):
            causes.required(
                f"{at}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None"
            )
            return
    if found is None:
        return
    servers = found.get("nameservers", [])
    if len(servers) > _NAMESERVERS:
        causes.invalid(f"{at}.nameservers", servers, f"must not have more than {_NAMESERVERS} nameservers")
    for index, server in enumerate(servers):
        causes.each(f"{at}.nameservers[{index}]", server, names.ip_address(server))
    searches = found.get("searches", [])
    if len(searches) > _SEARCHES:
        causes.invalid(f"{at}.searches", searches, f"must not have more than {_SEARCHES} search paths")
    for index, option in enumerate(found.get("options", ())):
        if not option.get("name"):
            causes.required(f"{at}.options[{index}]", "must not be empty")


def _names(causes: Causes, path: str, spec: Object) -> None:
    for name, check in (
        ("serviceAccountName", names.dns_subdomain),
        ("nodeName", names.dns_subdomain),
    ):
        if spec.get(name):
            causes.each(f"{path}.{name}", spec[name], check(spec[name]))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline < 2**31:
        causes.invalid(
            f"{path}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive"
        )
    for name in ("hostname", "subdomain"):
        if spec.get(name):
            causes.each(f"{path}.{name}", spec[name], names.dns_label(spec[name]))


def pod_spec(causes: Causes, path: str, spec: Object) -> None:
    """Checks the spec of a pod or of a template."""
    mountable = volumes.volumes(causes, f"{path}.volumes", spec.get("volumes", []))
    containers.containers(causes, path, spec, mountable)
    restarts = spec.get("restartPolicy", "")
    causes.required_one_of(f"{path}.restartPolicy", restarts, ("Always", "OnFailure", "Never"))
    causes.required_one_of(f"{path}.dnsPolicy", spec.get("dnsPolicy", ""), _DNS_POLICIES)
    meta.labels(causes, f"{path}.nodeSelector", spec.get("nodeSelector"))
    _security_context(causes, f"{path}.securityContext", spec.get("securityContext", {}))
    scheduling.affinity(causes, f"{path}.affinity", spec.get("affinity", {}))
    _dns(causes, path, spec)
    for index, gate in enumerate(spec.get("readinessGates", ())):
        kind = gate.get("conditionType", "")
        causes.each(f"{path}.readinessGates[{index}].conditionType", kind, names.qualified_name(kind))
    gates: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates", ())):
        name, at = gate.get("name", ""), f"{path}.schedulingGates[{index}]"
        causes.each(at, name, names.qualified_name(name))
        if name in gates:
            causes.duplicate(at, name)
        gates.add(name)
    scheduling.topology_spread(
        causes, f"{path}.topologySpreadConstraints", spec.get("topologySpreadConstraints", [])
    )
    if spec.get("hostUsers") is False:
        for name, shown in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
            if spec.get(name):
                causes.forbidden(f"{path}.{shown}", "when `pod.Spec.HostUsers` is false")
    _names(causes, path, spec)
    scheduling.tolerations(causes, f"{path}.tolerations", spec.get("tolerations", []))
    for index, alias in enumerate(spec.get("hostAliases", ())):
        at = f"{path}.hostAliases[{index}]"
        causes.each(f"{at}.ip", alias.get("ip", ""), names.ip_address(alias.get("ip", "")))
        for number, host in enumerate(alias.get("hostnames", ())):
            causes.each(f"{at}.hostnames[{number}]", host, names.dns_subdomain(host))
    for name in ("priorityClassName", "runtimeClassName"):
        if spec.get(name):
            causes.each(f"{path}.{name}", spec[name], names.dns_subdomain(spec[name]))
    policy = spec.get("preemptionPolicy")
    if policy is not None:
        causes.one_of(f"{path}.preemptionPolicy", policy, ("PreemptLowerPriority", "Never"))
    for name, amount in spec.get("overhead", {}).items():
        containers.quantity(causes, f"{path}.overhead[{name}]", name, amount)


def template(causes: Causes, path: str, found: Object) -> None:
    """Checks a pod template."""
    metadata = found.get("metadata", {})
    meta.labels(causes, f"{path}.labels", metadata.get("labels"))
    meta.check_annotations(causes, f"{path}.annotations", metadata.get("annotations"))
    pod_spec(causes, f"{path}.spec", found.get("spec", {}))
    if found.get("spec", {}).get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        causes.forbidden(f"{path}.spec.ephemeralContainers", detail)


def pod(causes: Causes, obj: Object) -> None:
    """Checks a new Pod."""
    pod_spec(causes, "spec", obj["spec"])
    _images(causes, obj["spec"], missing=False)
    if obj["spec"].get("ephemeralContainers"):
        causes.forbidden("spec.ephemeralContainers", "cannot be set on create")


def pod_template(causes: Causes, obj: Object) -> None:
    """Checks a PodTemplate."""
    template(causes, "template", obj["template"])


def _images(causes: Causes, spec: Object, *, missing: bool) -> None:
    for name in ("containers", "initContainers"):
        for index, item in enumerate(spec.get(name) or ()):
            if missing and not item.get("image"):
                causes.required(f"spec.{name}[{index}].image")
            containers.image(causes, f"spec.{name}[{index}]", item)


def _deadline(causes: Causes, spec: Object, before: Object) -> None:
    new, old, at = (
        spec.get("activeDeadlineSeconds"),
        before.get("activeDeadlineSeconds"),
        "spec.activeDeadlineSeconds",
    )
    if new is not None:
        if not 0 <= new < 2**31:
            causes.invalid(at, new, "must be between 0 and 2147483647, inclusive")
        elif old is not None and old < new:
            causes.invalid(at, new, "must be less than or equal to previous value")
    elif old is not None:
        causes.invalid(at, None, "must not update from a positive integer to nil value")


def _tolerations(causes: Causes, spec: Object, before: Object) -> None:
    new, old = spec.get("tolerations", []), before.get("tolerations", [])
    kept = [{**item, "tolerationSeconds": None} for item in new]
    if any({**item, "tolerationSeconds": None} not in kept for item in old):
        causes.forbidden(
            "spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"
        )
    else:
        scheduling.tolerations(causes, "spec.tolerations", new)


def update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what an update of a pod may change: images and a few numbers."""
    spec, before = new["spec"], old["spec"]
    for name in ("containers", "initContainers"):
        if len(spec.get(name) or ()) != len(before.get(name) or ()):
            causes.forbidden(f"spec.{name}", "pod updates may not add or remove containers")
            return
    _images(causes, spec, missing=True)
    _deadline(causes, spec, before)
    _tolerations(causes, spec, before)
    munged = {**spec}
    for name in ("containers", "initContainers"):
        if name in before:
            pairs = zip(spec[name], before[name], strict=True)
            munged[name] = [{**item, "image": other.get("image")} for item, other in pairs]
    for name in ("activeDeadlineSeconds", "tolerations"):
        if name in before:
            munged[name] = before[name]
        else:
            munged.pop(name, None)
    if before.get("terminationGracePeriodSeconds", 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = before["terminationGracePeriodSeconds"]
    if before.get("schedulingGates"):
        for index, gate in enumerate(spec.get("schedulingGates", ())):
            if gate not in before["schedulingGates"]:
                detail = f"only deletion is allowed, but found new scheduling gate '{gate['name']}'"
                causes.forbidden(f"spec.schedulingGates[{index}].name", detail)
        munged["schedulingGates"] = before["schedulingGates"]
    if munged != before:
        difference = internal.difference("PodSpec", deepcopy(before), munged)
        causes.forbidden("spec", f"{_MAY_CHANGE}\n{difference}")


def resize(causes: Causes, new: Object, old: Object) -> None:
    """Checks a change of resources."""
    for name in ("containers", "initContainers"):
        for index, item in enumerate(new["spec"].get(name) or ()):
            containers.resources(causes, f"spec.{name}[{index}].resources", item.get("resources", {}))
    before = qos.qos_class(old["spec"])
    if qos.qos_class(new["spec"]) != before:
        causes.invalid("spec", before, "Pod QOS Class may not change as a result of resizing")
    for name in ("containers", "initContainers"):
        pairs = zip(new["spec"].get(name) or (), old["spec"].get(name) or (), strict=False)
        for index, (item, former) in enumerate(pairs):
            for sort in ("requests", "limits"):
                if (former.get("resources") or {}).get(sort, {}).keys() - (
                    (item.get("resources") or {}).get(sort) or {}
                ):
                    causes.forbidden(
                        f"spec.{name}[{index}].resources.{sort}", f"resource {sort} cannot be removed"
                    )


def total_requests(spec: Object, name: str) -> quantities.Quantity:
    """What a pod asks of a resource altogether."""
    return quantities.total(
        *(
            item.get("resources", {}).get("requests", {}).get(name, "0")
            for item in spec.get("containers") or ()
        )
    )
