"""Pod Security: the levels that a namespace's labels ask for.

Source: https://kubernetes.io/docs/concepts/security/pod-security-admission/ and pod-security-standards/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ecns.embedded.kubernetes.admission.standards import LEVELS, Fault, faults
from ecns.embedded.kubernetes.errors import Cause, forbidden, invalid

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.admission import Reader, Request
    from ecns.embedded.kubernetes.errors import Object

PREFIX = "pod-security.kubernetes.io/"
_VERSION = re.compile(r"latest|v1\.(0|[1-9][0-9]*)")
_TEMPLATES = {
    "deployments.apps": ("spec", "template", "spec"),
    "replicasets.apps": ("spec", "template", "spec"),
    "statefulsets.apps": ("spec", "template", "spec"),
    "daemonsets.apps": ("spec", "template", "spec"),
    "replicationcontrollers": ("spec", "template", "spec"),
    "jobs.batch": ("spec", "template", "spec"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template", "spec"),
    "podtemplates": ("template", "spec"),
}
_ANSWERING = 3000


class Policy(NamedTuple):
    """A level with the version of the standards that it is of."""

    level: str = "privileged"
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"


def _policy(labels: Object, mode: str) -> Policy:
    return Policy(labels.get(PREFIX + mode, "privileged"), labels.get(f"{PREFIX}{mode}-version", "latest"))


def policies(namespace: Object) -> tuple[Policy, Policy]:
    """What a namespace enforces and what it warns of, which is at least what it enforces."""
    labels = namespace["metadata"].get("labels", {})
    enforced, warned = _policy(labels, "enforce"), _policy(labels, "warn")
    if PREFIX + "warn" not in labels and LEVELS.get(enforced.level, 0) > LEVELS.get(warned.level, 0):
        warned = enforced
    return enforced, warned


def _text(found: list[Fault]) -> str:
    return ", ".join(f"{fault.reason} ({fault.detail})" if fault.detail else fault.reason for fault in found)


def check(cluster: Reader, request: Request) -> None:
    """Refuses pods below the enforced level, warns of pods and templates below the warned one."""
    if request.resource == "namespaces":
        _check_namespace(cluster, request)
        return
    is_pod = request.resource == "pods" and request.subresource in {"", "ephemeralcontainers"}
    if not is_pod and (request.resource not in _TEMPLATES or request.subresource):
        return
    namespace = cluster.find("namespaces", request.namespace)
    if namespace is None:
        return
    enforced, warned = policies(namespace)
    spec, metadata = _pod_of(request)
    if spec is None:
        return
    if is_pod:
        if request.operation == "UPDATE" and not request.subresource and not _matters(request):
            return
        found = faults(enforced.level, metadata, spec)
        if found:
            why = f'violates PodSecurity "{enforced}": {_text(found)}'
            raise forbidden("pods", request.name, why)
        if warned == enforced:
            return
    found = faults(warned.level, metadata, spec)
    if found:
        request.warnings.append(f'would violate PodSecurity "{warned}": {_text(found)}')


def _matters(request: Request) -> bool:
    return {**request.obj["spec"], "tolerations": []} != {**request.old["spec"], "tolerations": []}


def _pod_of(request: Request) -> tuple[Object | None, Object]:
    if request.resource == "pods":
        return request.obj["spec"], request.obj["metadata"]
    holder: Object | None = request.obj
    for step in _TEMPLATES[request.resource][:-1]:
        holder = (holder or {}).get(step)
    return (holder.get("spec"), holder.get("metadata", {})) if holder else (None, {})


def _check_namespace(cluster: Reader, request: Request) -> None:
    labels = request.obj["metadata"].get("labels", {})
    causes = []
    for mode in ("enforce", "audit", "warn"):
        level, version = labels.get(PREFIX + mode), labels.get(f"{PREFIX}{mode}-version")
        if level is not None and level not in LEVELS:
            detail = "must be one of privileged, baseline, restricted"
            causes.append(_cause(f"{PREFIX}{mode}", level, detail))
        if version is not None and not _VERSION.fullmatch(version):
            causes.append(_cause(f"{PREFIX}{mode}-version", version, 'must be "latest" or "v1.x"'))
    if causes and (request.old is None or labels != request.old["metadata"].get("labels", {})):
        raise invalid("Namespace", "", request.name, causes)
    if request.operation == "UPDATE" and not request.subresource and not causes:
        request.warnings.extend(_existing(cluster, request))


def _cause(label: str, value: str, detail: str) -> Cause:
    return Cause("FieldValueInvalid", f'Invalid value: "{value}": {detail}', f"metadata.labels[{label}]")


def _existing(cluster: Reader, request: Request) -> list[str]:
    """Names the pods that a stricter level would refuse."""
    new, old = policies(request.obj)[0], policies(request.old)[0]
    if new == old or LEVELS[new.level] <= LEVELS.get(old.level, 0):
        return []
    said: dict[str, list[str]] = {}
    for pod in cluster.list("pods", request.name)[:_ANSWERING]:
        found = faults(new.level, pod["metadata"], pod["spec"])
        if found:
            said.setdefault(", ".join(fault.reason for fault in found), []).append(pod["metadata"]["name"])
    if not said:
        return []
    lines = []
    for reasons, names in said.items():
        others = len(names) - 1
        more = f" (and {others} other pod{'s' if others > 1 else ''})" if others else ""
        lines.append(f"{min(names)}{more}: {reasons}")
    head = f'existing pods in namespace "{request.name}" violate the new PodSecurity enforce level "{new}"'
    return [head, *sorted(lines)]
