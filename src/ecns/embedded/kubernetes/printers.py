"""The cells of a table's row for each built-in kind, as `kubectl get` shows them.

Source: the Table answers of Kubernetes 1.36.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ecns.embedded.kubernetes.errors import Object

NONE = "<none>"
_MOST = 3
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}

_PRINTERS: dict[str, Callable[[Object, datetime], list[Any]]] = {}


def _prints(*resources: str) -> Callable[[Any], Any]:
    def register(function: Any) -> Any:
        _PRINTERS.update(dict.fromkeys(resources, function))
        return function

    return register


def cells(resource: str, obj: Object, now: datetime) -> list[Any]:
    """The cells of one object of a built-in resource, in the order of its columns."""
    printer = _PRINTERS.get(resource)
    if printer is not None:
        return printer(obj, now)
    return [obj["metadata"].get("name", ""), obj["metadata"].get("creationTimestamp")]


def duration(span: timedelta) -> str:
    """A span as Kubernetes writes ages: `59s`, `2m5s`, `3h`, `45d`, `2y30d`."""
    seconds = int(span.total_seconds())
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    steps = (
        (seconds < 120, seconds, "s", 0, ""),  # noqa: PLR2004  two minutes
        (minutes < 10, minutes, "m", seconds % 60, "s"),  # noqa: PLR2004  minutes with seconds up to here
        (minutes < 180, minutes, "m", 0, ""),  # noqa: PLR2004  three hours
        (hours < 8, hours, "h", minutes % 60, "m"),  # noqa: PLR2004  hours with minutes up to here
        (hours < 48, hours, "h", 0, ""),  # noqa: PLR2004  two days
        (hours < 192, days, "d", hours % 24, "h"),  # noqa: PLR2004  eight days
        (hours < 17520, days, "d", 0, ""),  # noqa: PLR2004  two years
        (hours < 70080, days // 365, "y", days % 365, "d"),  # noqa: PLR2004  eight years
        (True, days // 365, "y", 0, ""),
    )
    _, large, unit, small, subunit = next(step for step in steps if step[0])
    return f"{large}{unit}{small}{subunit}" if small else f"{large}{unit}"


def parse_time(text: str) -> datetime:
    """An RFC 3339 time; raises ValueError when it is none."""
    return datetime.fromisoformat(text).astimezone(UTC)


def age(text: str | None, now: datetime) -> str:
    """How long ago a time was."""
    return duration(now - parse_time(text)) if text else "<unknown>"


def _name(obj: Object) -> str:
    name: str = obj["metadata"].get("name", "")
    return name


def _age(obj: Object, now: datetime) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


def labels(found: Mapping[str, str] | None) -> str:
    """`a=b,c=d`, or `<none>`."""
    return ",".join(f"{key}={value}" for key, value in sorted((found or {}).items())) or NONE


def selector(found: Object | None) -> str:
    """A LabelSelector in the notation of the query parameter."""
    if found is None:
        return NONE
    terms = [(key, f"{key}={value}") for key, value in (found.get("matchLabels") or {}).items()]
    for term in found.get("matchExpressions") or ():
        key, values = term["key"], ",".join(sorted(term.get("values") or ()))
        notation = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        terms.append((key, notation.get(term["operator"], f"!{key}")))
    return ",".join(text for _, text in sorted(terms, key=lambda term: term[0])) or NONE


def _containers(template: Object) -> list[str]:
    found = (template.get("spec") or {}).get("containers") or ()
    return [",".join(item["name"] for item in found), ",".join(item.get("image", "") for item in found)]


def _more(found: list[str], empty: str, most: int = _MOST) -> str:
    if len(found) > most:
        return f"{','.join(found[:most])} + {len(found) - most} more..."
    return ",".join(found) or empty


def _spec(obj: Object) -> Object:
    return obj.get("spec") or {}


def _status(obj: Object) -> Object:
    return obj.get("status") or {}


def _condition(obj: Object, kind: str) -> bool:
    found = _status(obj).get("conditions") or ()
    return any(item["type"] == kind and item["status"] == "True" for item in found)


# --- pods and what makes them


class _Restarts:
    """How often containers were started again, and when the last of them ended before."""

    def __init__(self) -> None:
        self.count = 0
        self.last = ""

    def add(self, status: Object) -> None:
        self.count += status.get("restartCount", 0)
        ended = (status.get("lastState") or {}).get("terminated") or {}
        self.last = max(self.last, ended.get("finishedAt") or "")

    def text(self, now: datetime) -> str:
        return f"{self.count} ({age(self.last, now)} ago)" if self.count and self.last else str(self.count)


def _ended(state: Object, prefix: str = "") -> str:
    if state.get("reason"):
        return f"{prefix}{state['reason']}"
    if state.get("signal"):
        return f"{prefix}Signal:{state['signal']}"
    return f"{prefix}ExitCode:{state.get('exitCode', 0)}"


def _sidecars(pod: Object) -> set[str]:
    found = _spec(pod).get("initContainers") or ()
    return {item["name"] for item in found if item.get("restartPolicy") == "Always"}


def _init(pod: Object, sidecars: set[str]) -> tuple[str, int, _Restarts, _Restarts]:
    """Why init containers are not through ("" if they are), ready sidecars, restarts of all and sidecars."""
    everyone, lasting, ready = _Restarts(), _Restarts(), 0
    total = len(_spec(pod).get("initContainers") or ())
    for index, status in enumerate(_status(pod).get("initContainerStatuses") or ()):
        everyone.add(status)
        state = status.get("state") or {}
        if status["name"] in sidecars:
            lasting.add(status)
            if status.get("started"):
                ready += bool(status.get("ready"))
                continue
        ended, waiting = state.get("terminated"), state.get("waiting")
        if ended is not None:
            if ended.get("exitCode", 0) == 0:
                continue
            return _ended(ended, "Init:"), ready, everyone, lasting
        if waiting is not None and waiting.get("reason") not in {None, "", "PodInitializing"}:
            return f"Init:{waiting['reason']}", ready, everyone, lasting
        return f"Init:{index}/{total}", ready, everyone, lasting
    return "", ready, everyone, lasting


def _pod_state(pod: Object) -> tuple[str, int, _Restarts]:
    """A pod's shown status, its ready containers and its restarts."""
    status = _status(pod)
    reason = status.get("reason") or status.get("phase", "")
    if any(
        item["type"] == "PodScheduled" and item.get("reason") == "SchedulingGated"
        for item in status.get("conditions") or ()
    ):
        reason = "SchedulingGated"
    unready, ready, restarts, lasting = _init(pod, _sidecars(pod))
    reason = unready or reason
    if not unready or _condition(pod, "Initialized"):
        restarts, running = lasting, False
        for container in reversed(status.get("containerStatuses") or ()):
            restarts.add(container)
            state = container.get("state") or {}
            if (state.get("waiting") or {}).get("reason"):
                reason = state["waiting"]["reason"]
            elif state.get("terminated") is not None:
                reason = _ended(state["terminated"])
            elif container.get("ready") and state.get("running") is not None:
                running = True
                ready += 1
        if reason == "Completed" and running:
            reason = "Running" if _condition(pod, "Ready") else "NotReady"
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif status.get("phase") not in {"Succeeded", "Failed"}:
            reason = "Terminating"
    return reason, ready, restarts


@_prints("pods")
def _pod(pod: Object, now: datetime) -> list[Any]:
    spec, status = _spec(pod), _status(pod)
    reason, ready, restarts = _pod_state(pod)
    total = len(spec.get("containers") or ()) + len(_sidecars(pod))
    gates = [item["conditionType"] for item in spec.get("readinessGates") or ()]
    addresses = [item.get("ip", "") for item in status.get("podIPs") or ()] or [status.get("podIP", "")]
    return [
        _name(pod),
        f"{ready}/{total}",
        reason,
        restarts.text(now),
        _age(pod, now),
        addresses[0] or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        f"{sum(_condition(pod, gate) for gate in gates)}/{len(gates)}" if gates else NONE,
    ]


def pod_conditions(pod: Object) -> list[Object]:
    """The conditions of a pod's row: whether it has ended."""
    phase = _status(pod).get("phase")
    ends = {
        "Succeeded": "The pod has completed successfully.",
        "Failed": "The pod failed.",
    }
    if phase not in ends:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": ends[phase]}]


@_prints("podtemplates")
def _pod_template(obj: Object, _: datetime) -> list[Any]:
    template = obj.get("template") or {}
    return [_name(obj), *_containers(template), labels((template.get("metadata") or {}).get("labels"))]


@_prints("deployments.apps")
def _deployment(obj: Object, now: datetime) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    return [
        _name(obj),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        _age(obj, now),
        *_containers(spec["template"]),
        selector(spec["selector"]),
    ]


@_prints("replicasets.apps", "replicationcontrollers")
def _replica_set(obj: Object, now: datetime) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    chosen = spec.get("selector")
    plain = chosen is None or not {"matchLabels", "matchExpressions"} & set(chosen)
    return [
        _name(obj),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        _age(obj, now),
        *_containers(spec.get("template") or {}),
        labels(chosen) if plain else selector(chosen),
    ]


@_prints("statefulsets.apps")
def _stateful_set(obj: Object, now: datetime) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [_name(obj), ready, _age(obj, now), *_containers(spec["template"])]


@_prints("daemonsets.apps")
def _daemon_set(obj: Object, now: datetime) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    numbers = (
        "desiredNumberScheduled currentNumberScheduled numberReady updatedNumberScheduled numberAvailable"
    )
    return [
        _name(obj),
        *(status.get(number, 0) for number in numbers.split()),
        labels(_spec(spec["template"]).get("nodeSelector")),
        _age(obj, now),
        *_containers(spec["template"]),
        selector(spec["selector"]),
    ]


@_prints("controllerrevisions.apps")
def _controller_revision(obj: Object, now: datetime) -> list[Any]:
    owners = [owner for owner in obj["metadata"].get("ownerReferences") or () if owner.get("controller")]
    controller = NONE
    if owners:
        group = owners[0]["apiVersion"].rpartition("/")[0]
        kind = owners[0]["kind"].lower()
        controller = f"{kind}.{group}/{owners[0]['name']}" if group else f"{kind}/{owners[0]['name']}"
    return [_name(obj), controller, obj.get("revision", 0), _age(obj, now)]


@_prints("jobs.batch")
def _job(obj: Object, now: datetime) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    done, wanted, parallel = status.get("succeeded", 0), spec.get("completions"), spec.get("parallelism", 0)
    if wanted is not None:
        completions = f"{done}/{wanted}"
    else:
        completions = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    kinds = ["Complete", "Failed", "", "Suspended", "FailureTarget", "SuccessCriteriaMet"]
    shown = "Running"
    for kind in kinds:
        if _condition(obj, kind) if kind else obj["metadata"].get("deletionTimestamp"):
            shown = kind or "Terminating"
            break
    start, end = status.get("startTime"), status.get("completionTime")
    took = duration((parse_time(end) if end else now) - parse_time(start)) if start else ""
    return [
        _name(obj),
        shown,
        completions,
        took,
        _age(obj, now),
        *_containers(spec["template"]),
        selector(spec.get("selector")),
    ]


@_prints("cronjobs.batch")
def _cron_job(obj: Object, now: datetime) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    job = _spec(spec["jobTemplate"])
    last = status.get("lastScheduleTime")
    return [
        _name(obj),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        str(spec["suspend"]) if "suspend" in spec else "<unset>",
        len(status.get("active") or ()),
        age(last, now) if last else NONE,
        _age(obj, now),
        *_containers(job["template"]),
        selector(job.get("selector")),
    ]


# --- network


def _balanced(obj: Object) -> str:
    found = (_status(obj).get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(sorted({item.get("ip") or item.get("hostname") or "" for item in found} - {""}))


def _external_address(obj: Object) -> str:
    spec = _spec(obj)
    kind, addresses = spec.get("type"), list(spec.get("externalIPs") or ())
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind == "LoadBalancer":
        balanced = _balanced(obj)
        return ",".join([*(balanced.split(",") if balanced else ()), *addresses]) or "<pending>"
    return ",".join(addresses) or NONE


@_prints("services")
def _service(obj: Object, now: datetime) -> list[Any]:
    spec = _spec(obj)
    ports = []
    for port in spec.get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        ports.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    address = (spec.get("clusterIPs") or [spec.get("clusterIP")])[0]
    return [
        _name(obj),
        spec.get("type", ""),
        address or NONE,
        _external_address(obj),
        ",".join(ports) or NONE,
        _age(obj, now),
        labels(spec.get("selector")),
    ]


def _reached(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@_prints("endpoints")
def _endpoints(obj: Object, now: datetime) -> list[Any]:
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [item["ip"] for item in subset.get("addresses") or ()]
        ports = [port["port"] for port in subset.get("ports") or ()]
        found += [_reached(address, port) for port in ports for address in addresses] if ports else addresses
    return [_name(obj), _more(found, NONE if not obj.get("subsets") else ""), _age(obj, now)]


@_prints("endpointslices.discovery.k8s.io")
def _endpoint_slice(obj: Object, now: datetime) -> list[Any]:
    ports = [str(port.get("port") or port.get("name") or "*") for port in obj.get("ports") or ()]
    addresses = [item for endpoint in obj.get("endpoints") or () for item in endpoint.get("addresses") or ()]
    return [
        _name(obj),
        obj.get("addressType", ""),
        _more(ports, "<unset>"),
        _more(addresses, "<unset>"),
        _age(obj, now),
    ]


@_prints("ingresses.networking.k8s.io")
def _ingress(obj: Object, now: datetime) -> list[Any]:
    spec = _spec(obj)
    rules = spec.get("rules") or ()
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    shown = ",".join(hosts[:_MOST]) or "*"
    if len(hosts) >= _MOST and len(rules) > _MOST:
        shown += f" + {len(rules) - _MOST} more..."
    ports = "80, 443" if spec.get("tls") else "80"
    return [_name(obj), spec.get("ingressClassName") or NONE, shown, _balanced(obj), ports, _age(obj, now)]


@_prints("ingressclasses.networking.k8s.io")
def _ingress_class(obj: Object, now: datetime) -> list[Any]:
    spec = _spec(obj)
    given = spec.get("parameters")
    shown = NONE
    if given:
        group = f".{given['apiGroup']}" if given.get("apiGroup") else ""
        shown = f"{given['kind']}{group}/{given['name']}"
    return [_name(obj), spec.get("controller", ""), shown, _age(obj, now)]


@_prints("networkpolicies.networking.k8s.io")
def _network_policy(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), selector(_spec(obj).get("podSelector")), _age(obj, now)]


@_prints("servicecidrs.networking.k8s.io")
def _service_cidr(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), ",".join(_spec(obj).get("cidrs") or ()), _age(obj, now)]


@_prints("ipaddresses.networking.k8s.io")
def _ip_address(obj: Object, now: datetime) -> list[Any]:
    parent = _spec(obj).get("parentRef") or {}
    places = (parent.get("group"), parent.get("resource"), parent.get("namespace"), parent.get("name"))
    kind = ".".join(item for item in (places[1], places[0]) if item)
    return [_name(obj), "/".join(item for item in (kind, *places[2:]) if item), _age(obj, now)]


# --- configuration and storage


@_prints("configmaps")
def _config_map(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), _age(obj, now)]


@_prints("secrets")
def _secret(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), obj.get("type", ""), len(obj.get("data") or ()), _age(obj, now)]


@_prints("serviceaccounts")
def _service_account(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), _age(obj, now)]


def _modes(found: Iterable[str] | None) -> str:
    have = set(found or ())
    return ",".join(short for mode, short in _MODES.items() if mode in have)


def _volume_phase(obj: Object) -> str:
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else str(_status(obj).get("phase", ""))


def _class(obj: Object) -> str:
    annotated = (obj["metadata"].get("annotations") or {}).get("volume.beta.kubernetes.io/storage-class")
    return str(annotated or _spec(obj).get("storageClassName") or "")


@_prints("persistentvolumeclaims")
def _claim(obj: Object, now: datetime) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    bound = bool(spec.get("volumeName"))
    return [
        _name(obj),
        _volume_phase(obj),
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "0") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        _class(obj),
        spec.get("volumeAttributesClassName") or "<unset>",
        _age(obj, now),
        spec.get("volumeMode") or "<unset>",
    ]


@_prints("persistentvolumes")
def _volume(obj: Object, now: datetime) -> list[Any]:
    spec = _spec(obj)
    claim = spec.get("claimRef")
    return [
        _name(obj),
        (spec.get("capacity") or {}).get("storage", "0"),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _volume_phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class(obj),
        spec.get("volumeAttributesClassName") or "<unset>",
        _status(obj).get("reason", ""),
        _age(obj, now),
        spec.get("volumeMode") or "<unset>",
    ]


@_prints("storageclasses.storage.k8s.io")
def _storage_class(obj: Object, now: datetime) -> list[Any]:
    notes = obj["metadata"].get("annotations") or {}
    marks = (
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    )
    default = any(notes.get(mark) == "true" for mark in marks)
    return [
        f"{_name(obj)} (default)" if default else _name(obj),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or "Immediate",
        bool(obj.get("allowVolumeExpansion")),
        _age(obj, now),
    ]


@_prints("volumeattributesclasses.storage.k8s.io")
def _attributes_class(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), obj.get("driverName", ""), _age(obj, now)]


@_prints("csidrivers.storage.k8s.io")
def _csi_driver(obj: Object, now: datetime) -> list[Any]:
    spec = _spec(obj)
    return [
        _name(obj),
        spec.get("attachRequired", True),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        ",".join(item.get("audience", "") for item in spec.get("tokenRequests") or ()) or "<unset>",
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or NONE,
        _age(obj, now),
    ]


@_prints("csinodes.storage.k8s.io")
def _csi_node(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), len(_spec(obj).get("drivers") or ()), _age(obj, now)]


@_prints("volumeattachments.storage.k8s.io")
def _attachment(obj: Object, now: datetime) -> list[Any]:
    spec = _spec(obj)
    volume = (spec.get("source") or {}).get("persistentVolumeName", "")
    attached = bool(_status(obj).get("attached"))
    return [_name(obj), spec.get("attacher", ""), volume, spec.get("nodeName", ""), attached, _age(obj, now)]


# --- limits and scaling


@_prints("poddisruptionbudgets.policy")
def _budget(obj: Object, now: datetime) -> list[Any]:
    spec = _spec(obj)
    limits = (str(spec.get(key, "N/A")) for key in ("minAvailable", "maxUnavailable"))
    return [_name(obj), *limits, _status(obj).get("disruptionsAllowed", 0), _age(obj, now)]


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


@_prints("horizontalpodautoscalers.autoscaling")
def _autoscaler(obj: Object, now: datetime) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    target = spec["scaleTargetRef"]
    measured = status.get("currentMetrics") or ()
    metrics = [
        _metric(item, measured[index] if index < len(measured) else {})
        for index, item in enumerate(spec.get("metrics") or ())
    ]
    return [
        _name(obj),
        f"{target['kind']}/{target['name']}",
        _more(metrics, NONE, 2).replace(",", ", "),
        str(spec["minReplicas"]) if "minReplicas" in spec else "<unset>",
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        _age(obj, now),
    ]


@_prints("resourcequotas")
def _quota(obj: Object, now: datetime) -> list[Any]:
    status = _status(obj)
    used = status.get("used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for name, hard in sorted((status.get("hard") or {}).items()):
        column = limits if "limits" in name else requests
        column.append(f"{name}: {used.get(name, '0')}/{hard}")
    return [_name(obj), ", ".join(requests), ", ".join(limits), _age(obj, now)]


@_prints("priorityclasses.scheduling.k8s.io")
def _priority_class(obj: Object, now: datetime) -> list[Any]:
    policy = obj.get("preemptionPolicy") or "PreemptLowerPriority"
    return [_name(obj), obj.get("value", 0), bool(obj.get("globalDefault")), _age(obj, now), policy]


# --- who may, and the cluster itself


@_prints("rolebindings.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io")
def _binding(obj: Object, now: datetime) -> list[Any]:
    role = obj["roleRef"]
    subjects = obj.get("subjects") or ()
    named = {kind: [item["name"] for item in subjects if item["kind"] == kind] for kind in ("User", "Group")}
    accounts = [
        f"{item.get('namespace', '')}/{item['name']}" for item in subjects if item["kind"] == "ServiceAccount"
    ]
    return [
        _name(obj),
        f"{role['kind']}/{role['name']}",
        _age(obj, now),
        ", ".join(named["User"]),
        ", ".join(named["Group"]),
        ", ".join(accounts),
    ]


@_prints("namespaces")
def _namespace(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), _status(obj).get("phase", ""), _age(obj, now)]


@_prints("nodes")
def _node(obj: Object, now: datetime) -> list[Any]:
    info = _status(obj).get("nodeInfo") or {}
    ready = [item for item in _status(obj).get("conditions") or () if item["type"] == "Ready"]
    states = ["Unknown"] if not ready else ["Ready" if ready[0]["status"] == "True" else "NotReady"]
    if _spec(obj).get("unschedulable"):
        states.append("SchedulingDisabled")
    prefix, roles = "node-role.kubernetes.io/", set()
    for key, value in (obj["metadata"].get("labels") or {}).items():
        if key.startswith(prefix):
            roles.add(key.removeprefix(prefix))
        elif key == "kubernetes.io/role":
            roles.add(value)
    found: dict[str, str] = {}
    for item in _status(obj).get("addresses") or ():
        found.setdefault(item["type"], item["address"])
    kernel = info.get("kernelVersion") or "<unknown>"
    if info.get("architecture"):
        kernel += f" ({info['architecture']})"
    return [
        _name(obj),
        ",".join(states),
        ",".join(sorted(roles - {""})) or NONE,
        _age(obj, now),
        info.get("kubeletVersion", ""),
        found.get("InternalIP", NONE),
        found.get("ExternalIP", NONE),
        info.get("osImage") or "<unknown>",
        kernel,
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


@_prints("events")
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
        _name(obj),
    ]


@_prints("componentstatuses")
def _component(obj: Object, _: datetime) -> list[Any]:
    found = [item for item in obj.get("conditions") or () if item["type"] == "Healthy"]
    if not found:
        return [_name(obj), "Unknown", "", ""]
    healthy = "Healthy" if found[0]["status"] == "True" else "Unhealthy"
    return [_name(obj), healthy, found[0].get("message", ""), found[0].get("error", "")]


@_prints("leases.coordination.k8s.io")
def _lease(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), _spec(obj).get("holderIdentity", ""), _age(obj, now)]


@_prints("runtimeclasses.node.k8s.io")
def _runtime_class(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), obj.get("handler", ""), _age(obj, now)]
