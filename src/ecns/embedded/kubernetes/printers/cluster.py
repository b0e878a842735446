"""Configuration, storage, limits, rights, nodes and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.printers.common import (
    NONE,
    age,
    age_of,
    name_of,
    prints,
    shortened,
    spec_of,
    status_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from ecns.embedded.kubernetes.errors import Object

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


@prints("configmaps")
def _config_map(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), age_of(obj, now)]


@prints("secrets")
def _secret(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("type", ""), len(obj.get("data") or ()), age_of(obj, now)]


@prints("serviceaccounts")
def _service_account(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), age_of(obj, now)]


def _modes(found: Iterable[str] | None) -> str:
    have = set(found or ())
    return ",".join(short for mode, short in _MODES.items() if mode in have)


def _volume_phase(obj: Object) -> str:
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else str(status_of(obj).get("phase", ""))


def _class(obj: Object) -> str:
    annotated = (obj["metadata"].get("annotations") or {}).get("volume.beta.kubernetes.io/storage-class")
    return str(annotated or spec_of(obj).get("storageClassName") or "")


@prints("persistentvolumeclaims")
def _claim(obj: Object, now: datetime) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    bound = bool(spec.get("volumeName"))
    return [
        name_of(obj),
        _volume_phase(obj),
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "0") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        _class(obj),
        spec.get("volumeAttributesClassName") or "<unset>",
        age_of(obj, now),
        spec.get("volumeMode") or "<unset>",
    ]


@prints("persistentvolumes")
def _volume(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    claim = spec.get("claimRef")
    return [
        name_of(obj),
        (spec.get("capacity") or {}).get("storage", "0"),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _volume_phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class(obj),
        spec.get("volumeAttributesClassName") or "<unset>",
        status_of(obj).get("reason", ""),
        age_of(obj, now),
        spec.get("volumeMode") or "<unset>",
    ]


@prints("storageclasses.storage.k8s.io")
def _storage_class(obj: Object, now: datetime) -> list[Any]:
    notes = obj["metadata"].get("annotations") or {}
    marks = (
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    )
    default = any(notes.get(mark) == "true" for mark in marks)
    return [
        f"{name_of(obj)} (default)" if default else name_of(obj),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or "Immediate",
        bool(obj.get("allowVolumeExpansion")),
        age_of(obj, now),
    ]


@prints("volumeattributesclasses.storage.k8s.io")
def _attributes_class(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("driverName", ""), age_of(obj, now)]


@prints("csidrivers.storage.k8s.io")
def _csi_driver(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    return [
        name_of(obj),
        spec.get("attachRequired", True),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        ",".join(item.get("audience", "") for item in spec.get("tokenRequests") or ()) or "<unset>",
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or NONE,
        age_of(obj, now),
    ]


@prints("csinodes.storage.k8s.io")
def _csi_node(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), len(spec_of(obj).get("drivers") or ()), age_of(obj, now)]


@prints("volumeattachments.storage.k8s.io")
def _attachment(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    volume = (spec.get("source") or {}).get("persistentVolumeName", "")
    attached = bool(status_of(obj).get("attached"))
    return [
        name_of(obj),
        spec.get("attacher", ""),
        volume,
        spec.get("nodeName", ""),
        attached,
        age_of(obj, now),
    ]


# --- limits and scaling


@prints("poddisruptionbudgets.policy")
def _budget(obj: Object, now: datetime) -> list[Any]:
    spec = spec_of(obj)
    limits = (str(spec.get(key, "N/A")) for key in ("minAvailable", "maxUnavailable"))
    return [name_of(obj), *limits, status_of(obj).get("disruptionsAllowed", 0), age_of(obj, now)]


def _metric(spec: Object, status: Object) -> str:
    """One metric of an autoscaler: what is measured of what is aimed at."""
    key = spec["type"][:1].lower() + spec["type"][1:]
    source, now = spec.get(key) or {}, (status.get(key) or {}).get("current") or {}
    target = source.get("target") or {}
    resource = key in {"resource", "containerResource"}
    if target.get("averageValue") is not None:
        text = f"{now.get('averageValue', '<unknown>')}/{target['averageValue']}"
        text += " (avg)" if key in {"external", "object"} else ""
    elif resource:
        measured, aimed = now.get("averageUtilization"), target.get("averageUtilization")
        text = "<unknown>" if measured is None else f"{measured}%"
        text += "/<auto>" if aimed is None else f"/{aimed}%"
    else:
        text = f"{now.get('value', '<unknown>')}/{target.get('value', '<unknown>')}"
    return f"{source.get('name', '')}: {text}" if resource else text


@prints("horizontalpodautoscalers.autoscaling")
def _autoscaler(obj: Object, now: datetime) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    target = spec["scaleTargetRef"]
    measured = status.get("currentMetrics") or ()
    metrics = [
        _metric(item, measured[index] if index < len(measured) else {})
        for index, item in enumerate(spec.get("metrics") or ())
    ]
    return [
        name_of(obj),
        f"{target['kind']}/{target['name']}",
        shortened(metrics, NONE, 2).replace(",", ", "),
        str(spec["minReplicas"]) if "minReplicas" in spec else "<unset>",
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age_of(obj, now),
    ]


@prints("resourcequotas")
def _quota(obj: Object, now: datetime) -> list[Any]:
    status = status_of(obj)
    used = status.get("used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for name, hard in sorted((status.get("hard") or {}).items()):
        column = limits if "limits" in name else requests
        column.append(f"{name}: {used.get(name, '0')}/{hard}")
    return [name_of(obj), ", ".join(requests), ", ".join(limits), age_of(obj, now)]


@prints("priorityclasses.scheduling.k8s.io")
def _priority_class(obj: Object, now: datetime) -> list[Any]:
    policy = obj.get("preemptionPolicy") or "PreemptLowerPriority"
    return [name_of(obj), obj.get("value", 0), bool(obj.get("globalDefault")), age_of(obj, now), policy]


# --- who may, and the cluster itself


@prints("rolebindings.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io")
def _binding(obj: Object, now: datetime) -> list[Any]:
    role = obj["roleRef"]
    subjects = obj.get("subjects") or ()
    named = {kind: [item["name"] for item in subjects if item["kind"] == kind] for kind in ("User", "Group")}
    accounts = [
        f"{item.get('namespace', '')}/{item['name']}" for item in subjects if item["kind"] == "ServiceAccount"
    ]
    return [
        name_of(obj),
        f"{role['kind']}/{role['name']}",
        age_of(obj, now),
        ", ".join(named["User"]),
        ", ".join(named["Group"]),
        ", ".join(accounts),
    ]


@prints("namespaces")
def _namespace(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), status_of(obj).get("phase", ""), age_of(obj, now)]


@prints("nodes")
def _node(obj: Object, now: datetime) -> list[Any]:
    info = status_of(obj).get("nodeInfo") or {}
    ready = [item for item in status_of(obj).get("conditions") or () if item["type"] == "Ready"]
    states = ["Unknown"] if not ready else ["Ready" if ready[0]["status"] == "True" else "NotReady"]
    if spec_of(obj).get("unschedulable"):
        states.append("SchedulingDisabled")
    prefix, roles = "node-role.kubernetes.io/", set()
    for key, value in (obj["metadata"].get("labels") or {}).items():
        if key.startswith(prefix):
            roles.add(key.removeprefix(prefix))
        elif key == "kubernetes.io/role":
            roles.add(value)
    found: dict[str, str] = {}
    for item in status_of(obj).get("addresses") or ():
        found.setdefault(item["type"], item["address"])
    kernel = info.get("kernelVersion") or "<unknown>"
    if info.get("architecture"):
        kernel += f" ({info['architecture']})"
    return [
        name_of(obj),
        ",".join(states),
        ",".join(sorted(roles - {""})) or NONE,
        age_of(obj, now),
        info.get("kubeletVersion", ""),
        found.get("InternalIP", NONE),
        found.get("ExternalIP", NONE),
        info.get("osImage") or "<unknown>",
        kernel,
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


@prints("events")
def _event(obj: Object, now: datetime) -> list[Any]:
    first, last = obj.get("firstTimestamp") or obj.get("eventTime"), obj.get("lastTimestamp")
    series = obj.get("series") or {}
    target, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    parts = (target.get("kind", "").lower(), target.get("name"))
    origin = (
        source.get("component") or obj.get("reportingComponent"),
        source.get("host") or obj.get("reportingInstance"),
    )
    return [
        age(series.get("lastObservedTime") or last or first, now),
        obj.get("type", ""),
        obj.get("reason", ""),
        "/".join(part for part in parts if part),
        target.get("fieldPath", ""),
        ", ".join(part for part in origin if part),
        obj.get("message", "").strip(),
        age(first, now),
        series.get("count") or obj.get("count") or 1,
        name_of(obj),
    ]


@prints("componentstatuses")
def _component(obj: Object, _: datetime) -> list[Any]:
    found = [item for item in obj.get("conditions") or () if item["type"] == "Healthy"]
    if not found:
        return [name_of(obj), "Unknown", "", ""]
    healthy = "Healthy" if found[0]["status"] == "True" else "Unhealthy"
    return [name_of(obj), healthy, found[0].get("message", ""), found[0].get("error", "")]


@prints("leases.coordination.k8s.io")
def _lease(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), spec_of(obj).get("holderIdentity", ""), age_of(obj, now)]


@prints("runtimeclasses.node.k8s.io")
def _runtime_class(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("handler", ""), age_of(obj, now)]
