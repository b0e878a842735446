"""What the API server sets or puts back before it checks an object: status, generation, system metadata.

Source: the answers of Kubernetes 1.36 to creates, updates and patches.
"""

from __future__ import annotations

import uuid
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import schemas
from ecns.embedded.kubernetes.defaults.workloads import TEMPLATE_GENERATION
from ecns.embedded.kubernetes.validation import qos, service_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecns.embedded.kubernetes.errors import Object

CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"

_GENERATIONS: dict[str, tuple[str, ...]] = {
    "pods": ("spec",),
    "podtemplates": ("template",),
    "replicationcontrollers": ("spec",),
    "deployments.apps": ("spec",),
    "replicasets.apps": ("spec",),
    "statefulsets.apps": ("spec",),
    "daemonsets.apps": ("spec",),
    "jobs.batch": ("spec",),
    "cronjobs.batch": ("spec",),
    "ingresses.networking.k8s.io": ("spec",),
    "ingressclasses.networking.k8s.io": ("spec",),
    "networkpolicies.networking.k8s.io": ("spec",),
    "poddisruptionbudgets.policy": ("spec",),
    "priorityclasses.scheduling.k8s.io": (),
    "endpointslices.discovery.k8s.io": ("endpoints", "ports", "addressType"),
    "customresourcedefinitions.apiextensions.k8s.io": ("spec",),
    "validatingwebhookconfigurations.admissionregistration.k8s.io": ("webhooks",),
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": ("webhooks",),
}
"""Resources whose objects have a generation, and the fields whose change makes it go up."""

_KEPT = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)
_NOT_OF_STATUS = ("generation", "selfLink", "labels", "annotations", "finalizers", "ownerReferences")
STATUS_ALONE = frozenset({"servicecidrs.networking.k8s.io", "volumeattachments.storage.k8s.io"})
"""Built-in resources whose status, like a custom one's, is changed without anything of the metadata."""
_STATUS_KEPT_ON_CREATE = frozenset({"nodes"})


def is_custom(resource: str, obj: Object) -> bool:
    """Whether the object is of a custom resource."""
    return schemas.of_object(resource, obj) is None


def fresh_status(resource: str, obj: Object) -> Object | None:
    """The status of a new object, as it is shown; None for kinds that have none."""
    found = schemas.of_object(resource, obj)
    if not isinstance(found, schemas.ObjectType) or "status" not in found.fields:
        return None
    status: Object = found["status"].decode({}, [])
    return status


def prepare_for_create(resource: str, obj: Object, *, status_subresource: bool = True) -> None:
    """Sets what a client may not choose, in place, before a new object is checked.

    The object has its defaults, its name, `uid` and `creationTimestamp` (of which a Job's labels and selector
    are made).

    Args:
        resource: `pods` or `deployments.apps`.
        obj: the new object.
        status_subresource: of custom resources: whether the status is a subresource, which a create drops.
    """
    metadata = obj.setdefault("metadata", {})
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        metadata.pop(name, None)
    if is_custom(resource, obj):
        metadata["generation"] = 1
        if status_subresource:
            obj.pop("status", None)
        return
    if resource in _GENERATIONS:
        metadata["generation"] = 1
    status = None if resource in _STATUS_KEPT_ON_CREATE else fresh_status(resource, obj)
    if status is not None:
        obj["status"] = status
    create = _CREATE.get(resource)
    if create is not None:
        create(obj)


def _pod(obj: Object) -> None:
    status = obj["status"]
    status["phase"] = "Pending"
    status["qosClass"] = qos.qos_class(obj["spec"])
    if obj["spec"].get("schedulingGates"):
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": obj["metadata"].get("creationTimestamp"),
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }
        status["conditions"] = [condition]


def _namespace(obj: Object) -> None:
    obj["metadata"].pop("namespace", None)
    finalizers = obj["spec"].setdefault("finalizers", [])
    if "kubernetes" not in finalizers:
        finalizers.append("kubernetes")
    obj["status"]["phase"] = "Active"


def _claim(obj: Object) -> None:
    obj["status"]["phase"] = "Pending"


def _volume(obj: Object) -> None:
    obj["status"]["phase"] = "Pending"
    obj["status"]["lastPhaseTransitionTime"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _daemon_set(obj: Object) -> None:
    obj["metadata"].setdefault("annotations", {})[TEMPLATE_GENERATION] = "1"


def _job(obj: Object) -> None:
    metadata, spec = obj["metadata"], obj["spec"]
    if not spec.get("manualSelector"):
        uid, name = metadata.setdefault("uid", str(uuid.uuid4())), metadata.get("name", "")
        shared = metadata.get("labels") is spec["template"]["metadata"].get("labels")
        labels = spec["template"]["metadata"].setdefault("labels", {})
        labels.update({CONTROLLER_UID: uid, JOB_NAME: name, "controller-uid": uid, "job-name": name})
        match = spec.setdefault("selector", {}).setdefault("matchLabels", {})
        match.setdefault(CONTROLLER_UID, uid)
        if shared or not metadata.get("labels"):
            metadata["labels"] = dict(labels)


def _definition(obj: Object) -> None:
    stored = [version["name"] for version in obj["spec"].get("versions") or () if version.get("storage")]
    obj["status"]["storedVersions"] = stored[:1] or None


def _definition_update(new: Object, _old: Object) -> None:
    """Counts a new storage version among those that objects may be stored in."""
    for version in new["spec"].get("versions") or ():
        stored = new["status"].get("storedVersions") or []
        if version.get("storage") and version["name"] not in stored:
            new["status"] = {**new["status"], "storedVersions": [*stored, version["name"]]}


def _node(obj: Object) -> None:
    obj["spec"].pop("configSource", None)


def _limit_range(obj: Object) -> None:
    if not obj["metadata"].get("name"):
        obj["metadata"]["name"] = str(uuid.uuid4())


def _stateful_set(obj: Object) -> None:
    """Drops `maxUnavailable`, which 1.36 knows only where its gate is switched on."""
    obj["spec"].get("updateStrategy", {}).get("rollingUpdate", {}).pop("maxUnavailable", None)


def _service(obj: Object) -> None:
    service_fields.normalise(obj, None)
    service_fields.families(obj)


_CREATE: dict[str, Callable[[Object], None]] = {
    "pods": _pod,
    "namespaces": _namespace,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "daemonsets.apps": _daemon_set,
    "jobs.batch": _job,
    "services": _service,
    "nodes": _node,
    "limitranges": _limit_range,
    "statefulsets.apps": _stateful_set,
    "customresourcedefinitions.apiextensions.k8s.io": _definition,
}


def prepare_for_update(
    resource: str, new: Object, old: Object, subresource: str = "", *, status_subresource: bool = True
) -> None:
    """Puts back what this update may not change, and raises the generation where the kind's rule says so.

    Args:
        resource: `pods` or `deployments.apps`.
        new: the object to be stored, with its defaults; changed in place.
        old: the stored object, which is not changed.
        subresource: "", `status`, `ephemeralcontainers`, `resize`, `finalize`.
        status_subresource: for custom resources: whether the status is a subresource.
    """
    metadata, before = new.setdefault("metadata", {}), old.get("metadata", {})
    for name in _KEPT:
        if name != "uid" or not metadata.get("uid"):
            _put_back(metadata, before, name)
    if subresource == "status":
        _only_status(resource, new, old)
    elif is_custom(resource, new):
        if status_subresource:
            _put_back(new, old, "status")
        _raise_custom_generation(new, old, status_subresource=status_subresource)
    else:
        _prepare_builtin(resource, new, old, subresource)


def _prepare_builtin(resource: str, new: Object, old: Object, subresource: str) -> None:
    if subresource in {"ephemeralcontainers", "resize"}:
        _only_containers(new, old, subresource)
    elif subresource == "finalize":
        _only_finalizers(new, old)
    else:
        _put_back(new, old, "status")
    update = _UPDATE.get(resource)
    if update is not None and not subresource:
        update(new, old)
    fields = _GENERATIONS.get(resource)
    if fields is None:
        return
    metadata, before = new["metadata"], old["metadata"]
    changed = any(new.get(name) != old.get(name) for name in fields)
    if resource == "deployments.apps":
        changed = changed or metadata.get("annotations") != before.get("annotations")
    elif resource == "endpointslices.discovery.k8s.io":
        changed = changed or metadata.get("labels") != before.get("labels")
    if changed:
        metadata["generation"] = before.get("generation", 0) + 1


def _only_finalizers(new: Object, old: Object) -> None:
    finalizers, version = new.get("spec", {}).get("finalizers"), new["metadata"].get("resourceVersion")
    _put_back(new, old, "status")
    new["spec"] = {name: value for name, value in old["spec"].items() if name != "finalizers"}
    if finalizers:
        new["spec"]["finalizers"] = finalizers
    new["metadata"] = deepcopy(old["metadata"])
    if version:
        new["metadata"]["resourceVersion"] = version


def _put_back(new: Object, old: Object, name: str) -> None:
    if name in old:
        new[name] = old[name]
    else:
        new.pop(name, None)


def _only_status(resource: str, new: Object, old: Object) -> None:
    custom = is_custom(resource, new)
    for name in set(new) | set(old):
        if name not in {"apiVersion", "kind", "metadata", "status"}:
            _put_back(new, old, name)
    if custom or resource in STATUS_ALONE:
        for name in _NOT_OF_STATUS:
            _put_back(new["metadata"], old["metadata"], name)
    elif resource == "deployments.apps":
        _put_back(new["metadata"], old["metadata"], "labels")
    elif resource == "pods":
        _put_back(new["metadata"], old["metadata"], "ownerReferences")
        if "qosClass" in old.get("status", {}):
            new["status"].setdefault("qosClass", old["status"]["qosClass"])


def _only_containers(new: Object, old: Object, subresource: str) -> None:
    wanted = new["spec"]
    new["spec"] = deepcopy(old["spec"])
    _put_back(new, old, "status")
    if subresource == "ephemeralcontainers":
        if "ephemeralContainers" in wanted:
            new["spec"]["ephemeralContainers"] = wanted["ephemeralContainers"]
        return
    for name in ("containers", "initContainers"):
        resources = {item["name"]: item for item in wanted.get(name) or ()}
        for item in new["spec"].get(name) or ():
            for field in ("resources", "resizePolicy"):
                if field in resources.get(item["name"], {}):
                    item[field] = resources[item["name"]][field]


def _raise_custom_generation(new: Object, old: Object, *, status_subresource: bool) -> None:
    left_out = {"metadata", "status"} if status_subresource else {"metadata"}
    if {k: v for k, v in new.items() if k not in left_out} != {
        k: v for k, v in old.items() if k not in left_out
    }:
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _update_daemon_set(new: Object, old: Object) -> None:
    annotations = new["metadata"].setdefault("annotations", {})
    before = old["metadata"].get("annotations", {}).get(TEMPLATE_GENERATION, "1")
    same = new["spec"].get("template") == old["spec"].get("template")
    annotations[TEMPLATE_GENERATION] = before if same else str(int(before) + 1)


def _update_service(new: Object, old: Object) -> None:
    service_fields.normalise(new, old)
    service_fields.keep_allocated(new, old)
    service_fields.drop_by_type(new, old)
    service_fields.families(new, old)


def _update_namespace(new: Object, old: Object) -> None:
    _put_back(new["spec"], old.get("spec", {}), "finalizers")


_UPDATE: dict[str, Callable[[Object, Object], None]] = {
    "daemonsets.apps": _update_daemon_set,
    "services": _update_service,
    "statefulsets.apps": lambda new, _old: _stateful_set(new),
    "namespaces": _update_namespace,
    "customresourcedefinitions.apiextensions.k8s.io": _definition_update,
}
