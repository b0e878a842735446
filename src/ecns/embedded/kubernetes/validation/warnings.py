"""What the API server accepts with a warning.

Source: recorded `Warning` headers and https://kubernetes.io/blog/2020/09/03/warnings/
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.validation import names
from ecns.embedded.kubernetes.validation.causes import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecns.embedded.kubernetes.errors import Object

_OLD_LABELS = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}
_IN_POD_NAMES = (
    "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; "
    "a DNS label is recommended: "
)
_IN_HOSTNAME = (
    "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; "
    "a DNS label is recommended: "
)
_TEMPLATES = {
    "deployments.apps": ("spec", "template"),
    "replicasets.apps": ("spec", "template"),
    "statefulsets.apps": ("spec", "template"),
    "daemonsets.apps": ("spec", "template"),
    "replicationcontrollers": ("spec", "template"),
    "jobs.batch": ("spec", "template"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
    "podtemplates": ("template",),
}
_NAMED_PODS = frozenset(
    {"deployments.apps", "replicasets.apps", "jobs.batch", "cronjobs.batch", "replicationcontrollers"}
)
_FORMATS = {
    "string": frozenset(
        {
            *("bsonobjectid", "uri", "email", "hostname", "ipv4", "ipv6", "cidr", "mac", "uuid", "uuid3"),
            *("uuid4", "uuid5", "isbn", "isbn10", "isbn13", "creditcard", "ssn", "hexcolor", "rgbcolor"),
            *("byte", "password", "date", "duration", "datetime", "k8sshortname", "k8slongname"),
        }
    ),
    "integer": frozenset({"int32", "int64"}),
    "number": frozenset({"float", "double"}),
}
"""By type, the formats of schemas that are looked at."""
_ALL_REVISIONS = (
    "spec.revisionHistoryLimit: a negative value retains all historical revisions; "
    "a value >= 0 is recommended"
)
_KINDS = ("requests", "limits")
_WHEN = ("required", "preferred")
_OLD_CLASS = (
    "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"
)
_RECYCLES = (
    "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. "
    "Instead, the recommended approach is to use dynamic provisioning."
)
_NO_PEM = "tls: failed to find any PEM data in certificate input"


def _resources(path: str, found: Object) -> Iterator[str]:
    for kind in _KINDS:
        for name in ("memory", "ephemeral-storage", "storage"):
            amount = found.get(kind, {}).get(name)
            if amount and quantities.parse(amount).nano % quantities.NANO:
                text = f'fractional byte value "{amount}" is invalid, must be an integer'
                yield f"{path}.{kind}[{name}]: {text}"


def _container(path: str, item: Object) -> Iterator[str]:
    yield from _resources(f"{path}.resources", item.get("resources", {}))
    known: set[str] = set()
    for index, variable in enumerate(item.get("env", ())):
        name = variable.get("name", "")
        if name in known and f"$({name})" not in variable.get("value", ""):
            hides = f"hides previous definition of {quoted(name)}, which may be dropped when using apply"
            yield f"{path}.env[{index}]: {hides}"
        known.add(name)
    ports: dict[tuple[object, ...], str] = {}
    for index, port in enumerate(item.get("ports", ())):
        key = tuple(port.get(field, "") for field in ("protocol", "containerPort", "hostPort", "hostIP"))
        at = f"{path}.ports[{index}]"
        if key in ports:
            yield f"{at}: duplicate port definition with {ports[key]}"
        else:
            ports[key] = at


def _pull_secrets(path: str, secrets: list[Object]) -> Iterator[str]:
    seen: set[str] = set()
    for index, secret in enumerate(secrets):
        name = secret.get("name", "")
        if not name:
            yield f'{path}[{index}].name: invalid empty name ""'
        elif name in seen:
            yield f"{path}[{index}].name: duplicate name {quoted(name)}"
        seen.add(name)


def _scheduling(path: str, spec: Object) -> Iterator[str]:
    for key in spec.get("nodeSelector", {}):
        if key in _OLD_LABELS:
            use = f"deprecated since v1.14; use {quoted(_OLD_LABELS[key])} instead"
            yield f"{path}.nodeSelector[{key}]: {use}"
    for index, item in enumerate(spec.get("topologySpreadConstraints", ())):
        if "labelSelector" not in item:
            at = f"{path}.topologySpreadConstraints[{index}].labelSelector"
            yield f"{at}: a null labelSelector results in matching no pod"
    for kind in ("podAffinity", "podAntiAffinity"):
        found = spec.get("affinity", {}).get(kind, {})
        required, preferred = (f"{when}DuringSchedulingIgnoredDuringExecution" for when in _WHEN)
        terms = [(f"{required}[{at}]", term) for at, term in enumerate(found.get(required, ()))]
        terms += [
            (f"{preferred}[{at}].podAffinityTerm", item.get("podAffinityTerm", {}))
            for at, item in enumerate(found.get(preferred, ()))
        ]
        for at, term in terms:
            if "labelSelector" not in term:
                where = f"{path}.affinity.{kind}.{at}.labelSelector"
                yield f"{where}: a null labelSelector results in matching no pod"


def _pod_spec(path: str, spec: Object) -> Iterator[str]:
    yield from _scheduling(path, spec)
    hosts: set[str] = set()
    for index, alias in enumerate(spec.get("hostAliases", ())):
        if alias.get("ip") in hosts:
            yield f"{path}.hostAliases[{index}].ip: duplicate ip {quoted(alias['ip'])}"
        hosts.add(alias.get("ip", ""))
    yield from _pull_secrets(f"{path}.imagePullSecrets", spec.get("imagePullSecrets", []))
    for index, volume in enumerate(spec.get("volumes", ())):
        if "gitRepo" in volume:
            yield f"{path}.volumes[{index}].gitRepo: deprecated in v1.11"
    for kind in ("initContainers", "containers"):
        for index, item in enumerate(spec.get(kind) or ()):
            yield from _container(f"{path}.{kind}[{index}]", item)
    yield from _resources(f"{path}.overhead", {"requests": spec.get("overhead", {})})
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{path}.terminationGracePeriodSeconds: {text}"


def _name(prefix: str, obj: Object) -> Iterator[str]:
    wrong = names.dns_label(obj["metadata"].get("name", ""))
    if wrong:
        yield f"{prefix}[{' '.join(wrong)}]"


def _certificate(obj: Object, old: Object | None) -> Iterator[str]:
    if obj.get("type") != "kubernetes.io/tls" or (old and old.get("data") == obj.get("data")):
        return
    data = obj.get("data", {})
    if b"-----BEGIN" not in base64.b64decode(data.get("tls.crt", "")):
        yield _NO_PEM


def _outside(obj: Object, old: Object | None) -> Iterator[str]:
    if obj["spec"].get("externalIPs") and not (old and old["spec"].get("externalIPs")):
        yield "spec.externalIPs is deprecated and may no longer be implemented in some clusters"


def warnings(resource: str, obj: Object, old: Object | None = None) -> list[str]:
    """The warnings that a create or an update of a valid object is answered with.

    Args:
        resource: `pods` or `deployments.apps`.
        obj: the object to be stored.
        old: the stored object, for an update.
    """
    return list(_warnings(resource, obj, old))


def _warnings(resource: str, obj: Object, old: Object | None) -> Iterator[str]:
    if resource == "endpoints":
        yield "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
    elif resource == "pods":
        if old is None:
            yield from _name(_IN_HOSTNAME, obj)
            yield from _pod_spec("spec", obj["spec"])
    elif resource == "services":
        yield from _outside(obj, old)
    elif resource == "persistentvolumeclaims":
        yield from _resources("spec.resources", obj["spec"].get("resources", {}))
    elif resource == "nodes":
        yield from _external_id(obj["spec"], old["spec"] if old else {})
    elif resource == "secrets":
        yield from _certificate(obj, old)
    elif resource == "ingresses.networking.k8s.io":
        if "kubernetes.io/ingress.class" in obj["metadata"].get("annotations", {}) and old is None:
            yield _OLD_CLASS
    elif resource == "persistentvolumes":
        yield from _recycled(obj["spec"])
    elif resource == "customresourcedefinitions.apiextensions.k8s.io":
        known = set(_definition(old)) if old else set()
        yield from (warning for warning in _definition(obj) if warning not in known)
    elif resource in _TEMPLATES:
        yield from _of_template(resource, obj, old)


def _external_id(spec: Object, before: Object) -> Iterator[str]:
    if "externalID" in spec and "externalID" not in before:
        yield "spec.externalID: this field is deprecated, and is unused by Kubernetes"


def _recycled(spec: Object) -> Iterator[str]:
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        yield _RECYCLES


def _definition(obj: Object) -> Iterator[str]:
    roots = [
        (version.get("schema") or {}).get("openAPIV3Schema") for version in obj["spec"].get("versions") or ()
    ]
    formats: dict[str, None] = {}
    for schema in (inner for root in roots for inner in _schemas(root)):
        if _unrecognized(schema):
            formats[f"unrecognized format {quoted(schema['format'])}"] = None
    yield from formats


def _unrecognized(schema: Object) -> bool:
    kind, form = schema.get("type") or "string", schema.get("format") or ""
    name = form.replace("-", "") if kind == "string" else form
    return bool(form) and name not in _FORMATS.get(kind, ())


def _schemas(schema: object) -> Iterator[Object]:
    """A schema and all in it."""
    if not isinstance(schema, dict):
        return
    yield schema
    for key in ("items", "not", "additionalProperties"):
        yield from _schemas(schema.get(key))
    for key in ("allOf", "anyOf", "oneOf"):
        for inner in schema.get(key) or ():
            yield from _schemas(inner)
    for key in ("properties", "patternProperties"):
        for inner in (schema.get(key) or {}).values():
            yield from _schemas(inner)


def _of_template(resource: str, obj: Object, old: Object | None) -> Iterator[str]:
    if resource == "statefulsets.apps" and obj["spec"].get("revisionHistoryLimit", 0) < 0:
        yield _ALL_REVISIONS
    if old is None and resource in _NAMED_PODS:
        yield from _name(_IN_POD_NAMES, obj)
    steps = _TEMPLATES[resource]
    found, before = _at(obj, steps), _at(old, steps)
    if found is not None and found != before:
        yield from _pod_spec(".".join((*steps, "spec")), found.get("spec", {}))


def _at(obj: Object | None, steps: tuple[str, ...]) -> Object | None:
    for step in steps:
        obj = obj.get(step) if obj else None
    return obj
