"""Deployments, ReplicaSets, StatefulSets, DaemonSets, ReplicationControllers.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/ and recorded refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.validation import claims, meta, names, pods
from ecns.embedded.kubernetes.validation.causes import Causes, sorted_map

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

_MISMATCH = "`selector` does not match template `labels`"
_STATEFUL_MAY_CHANGE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_STATEFUL_CHANGES = frozenset(
    {
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    }
)
_HUNDRED = 100


def amount_or_percent(causes: Causes, path: str, value: Any) -> None:
    """A number that is not negative, or a percentage."""
    if isinstance(value, str):
        causes.each(path, value, names.percentage(value))
    elif value is not None:
        causes.not_negative(path, value)


def at_most_hundred(causes: Causes, path: str, value: Any) -> None:
    """A percentage of no more than 100%."""
    if isinstance(value, str) and not names.percentage(value) and int(value[:-1]) > _HUNDRED:
        causes.invalid(path, value, "must not be greater than 100%")


def _amount(value: Any) -> int:
    if isinstance(value, str):
        return int(value[:-1]) if not names.percentage(value) else 0
    return int(value or 0)


def selector(causes: Causes, spec: Object, kind: str, unreadable: str = "invalid label selector") -> bool:
    """Checks the selector of a workload; tells whether it can be compared with labels."""
    found = spec.get("selector")
    if found is None:
        causes.required("spec.selector")
        return True
    understood = meta.label_selector(causes, "spec.selector", found)
    if not found.get("matchLabels") and not found.get("matchExpressions"):
        causes.invalid("spec.selector", {}, f"empty selector is invalid for {kind}")
    elif not understood:
        causes.invalid("spec.selector", meta.shown_selector(found), unreadable)
    return understood


def _labels_match(causes: Causes, spec: Object) -> None:
    labels = spec.get("template", {}).get("metadata", {}).get("labels")
    found = spec.get("selector")
    empty = found is not None and not found.get("matchLabels") and not found.get("matchExpressions")
    if not empty and not meta.selector_matches(found, labels):
        causes.invalid("spec.template.metadata.labels", sorted_map(labels), _MISMATCH)


def _always(causes: Causes, spec: Object, kind: str) -> None:
    pod = spec.get("template", {}).get("spec", {})
    if pod.get("restartPolicy") != "Always":
        causes.unsupported("spec.template.spec.restartPolicy", pod.get("restartPolicy", ""), ("Always",))
    if "activeDeadlineSeconds" in pod:
        detail = f"activeDeadlineSeconds in {kind} is not Supported"
        causes.forbidden("spec.template.spec.activeDeadlineSeconds", detail)


def _replica_template(causes: Causes, spec: Object, *, matches: bool = True) -> None:
    if matches:
        _labels_match(causes, spec)
    pods.template(causes, "spec.template", spec["template"])
    _always(causes, spec, "ReplicaSet")


def _internal_strategy(strategy: Object, *names: str) -> Object:
    rolling = strategy.get("rollingUpdate")
    if rolling is not None:
        order = names or ("maxUnavailable", "maxSurge")
        rolling = {name[0].upper() + name[1:]: rolling.get(name) for name in order}
    return {"Type": strategy.get("type", ""), "RollingUpdate": rolling}


def _deployment_strategy(causes: Causes, strategy: Object) -> None:
    rolling, kind = strategy.get("rollingUpdate"), strategy.get("type")
    if kind == "Recreate":
        if rolling is not None:
            causes.forbidden(
                "spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"
            )
    elif kind == "RollingUpdate":
        if rolling is None:
            causes.required("spec.strategy.rollingUpdate", "this should be defaulted and never be nil")
        else:
            _rolling_update(causes, "spec.strategy.rollingUpdate", rolling)
    else:
        causes.unsupported("spec.strategy", _internal_strategy(strategy), ("Recreate", "RollingUpdate"))


def _rolling_update(causes: Causes, path: str, rolling: Object) -> None:
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    amount_or_percent(causes, f"{path}.maxUnavailable", unavailable)
    amount_or_percent(causes, f"{path}.maxSurge", surge)
    if _amount(unavailable) == 0 and _amount(surge) == 0:
        causes.invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
    at_most_hundred(causes, f"{path}.maxUnavailable", unavailable)


def deployment(causes: Causes, obj: Object) -> None:
    """Checks a Deployment's spec."""
    spec = obj["spec"]
    causes.not_negative("spec.replicas", spec.get("replicas"))
    before = len(causes)
    if selector(causes, spec, "deployment") or len(causes) == before:
        _replica_template(causes, spec)
    _deployment_strategy(causes, spec.get("strategy", {}))
    causes.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    causes.not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        causes.not_negative("spec.progressDeadlineSeconds", deadline)
        if deadline <= spec.get("minReadySeconds", 0):
            causes.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def deployment_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a Deployment."""
    deployment(causes, new)
    _same_selector(causes, new, old)


def _same_selector(causes: Causes, new: Object, old: Object) -> None:
    selected = new["spec"].get("selector")
    if selected != old["spec"].get("selector"):
        causes.invalid("spec.selector", meta.shown_selector(selected), "field is immutable")


def replica_set(causes: Causes, obj: Object) -> None:
    """Checks a ReplicaSet's spec."""
    spec = obj["spec"]
    causes.not_negative("spec.replicas", spec.get("replicas"))
    causes.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    if selector(causes, spec, "deployment"):
        _replica_template(causes, spec)


def replica_set_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a ReplicaSet."""
    replica_set(causes, new)
    _same_selector(causes, new, old)


def replication_controller(causes: Causes, obj: Object) -> None:
    """Checks a ReplicationController's spec."""
    spec = obj["spec"]
    causes.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    chosen = spec.get("selector")
    if not chosen:
        causes.required("spec.selector")
    causes.not_negative("spec.replicas", spec.get("replicas"))
    if "template" not in spec:
        causes.required("spec.template")
        return
    labels = spec["template"].get("metadata", {}).get("labels")
    if chosen and not meta.selector_matches({"matchLabels": chosen}, labels):
        causes.invalid("spec.template.metadata.labels", sorted_map(labels), _MISMATCH)
    pods.template(causes, "spec.template", spec["template"])
    _always(causes, spec, "ReplicationController")


def _stateful_strategy(causes: Causes, strategy: Object) -> None:
    kind, rolling, path = strategy.get("type", ""), strategy.get("rollingUpdate"), "spec.updateStrategy"
    if not kind:
        causes.required(path)
    elif kind == "OnDelete":
        if rolling is not None:
            detail = "only allowed for updateStrategy 'RollingUpdate'"
            shown = {"Partition": rolling.get("partition", 0), "MaxUnavailable": None}
            causes.invalid(f"{path}.rollingUpdate", shown, detail)
    elif kind == "RollingUpdate":
        if rolling is not None:
            causes.not_negative(f"{path}.rollingUpdate.partition", rolling.get("partition"))
    else:
        shown = _internal_strategy(strategy, "partition", "maxUnavailable")
        causes.invalid(path, shown, "must be 'RollingUpdate' or 'OnDelete'")


def stateful_set(causes: Causes, obj: Object) -> None:
    """Checks a new StatefulSet's spec."""
    _stateful_set(causes, obj)
    service = obj["spec"].get("serviceName")
    if service:
        causes.each("spec.serviceName", service, names.dns_label(service))


def _stateful_set(causes: Causes, obj: Object) -> None:
    spec = obj["spec"]
    management = spec.get("podManagementPolicy", "")
    if not management:
        causes.required("spec.podManagementPolicy")
    elif management not in {"OrderedReady", "Parallel"}:
        causes.invalid("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'")
    _stateful_strategy(causes, spec.get("updateStrategy", {}))
    for name in ("whenDeleted", "whenScaled"):
        policy = spec.get("persistentVolumeClaimRetentionPolicy", {}).get(name)
        if policy is not None:
            causes.one_of(f"spec.persistentVolumeClaimRetentionPolicy.{name}", policy, ("Retain", "Delete"))
    causes.not_negative("spec.replicas", spec.get("replicas"))
    causes.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    causes.not_negative("spec.ordinals.start", spec.get("ordinals", {}).get("start"))
    if selector(causes, spec, "statefulset", unreadable=""):
        _labels_match(causes, spec)
        template = _with_claims(spec)
        pods.template(causes, "spec.template", template)
    _always(causes, spec, "StatefulSet")
    for index, claim in enumerate(spec.get("volumeClaimTemplates", ())):
        claims.spec(causes, f"spec.volumeClaimTemplates[{index}].spec", claim["spec"])


def _with_claims(spec: Object) -> Object:
    """The template with a volume for each claim, as its pods will have."""
    template: Object = spec["template"]
    claimed = [claim.get("metadata", {}).get("name", "") for claim in spec.get("volumeClaimTemplates", ())]
    own = [item for item in template["spec"].get("volumes", ()) if item.get("name") not in claimed]
    extra = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claimed if name]
    return {**template, "spec": {**template["spec"], "volumes": [*own, *extra]}} if extra else template


def stateful_set_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a StatefulSet."""
    fixed = {name: value for name, value in new["spec"].items() if name not in _STATEFUL_CHANGES}
    _stateful_set(causes, new)
    if fixed != {name: value for name, value in old["spec"].items() if name not in _STATEFUL_CHANGES}:
        causes.forbidden("spec", _STATEFUL_MAY_CHANGE)


def daemon_set(causes: Causes, obj: Object) -> None:
    """Checks a DaemonSet's spec."""
    spec = obj["spec"]
    if spec.get("selector") is None:
        causes.required("spec.selector")
        _labels_match(causes, spec)
        matches = False
    else:
        found = spec["selector"]
        matches = meta.label_selector(causes, "spec.selector", found)
        if matches:
            _labels_match(causes, spec)
        if not found.get("matchLabels") and not found.get("matchExpressions"):
            causes.invalid("spec.selector", {}, "empty selector is invalid for daemonset")
    pods.template(causes, "spec.template", spec["template"])
    _always(causes, spec, "DaemonSet")
    causes.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    strategy = spec.get("updateStrategy", {})
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "RollingUpdate":
        if rolling is None:
            causes.required("spec.updateStrategy.rollingUpdate")
        else:
            _daemon_rolling_update(causes, "spec.updateStrategy.rollingUpdate", rolling)
    elif strategy.get("type") != "OnDelete":
        causes.unsupported("spec.updateStrategy", _internal_strategy(strategy), ("RollingUpdate", "OnDelete"))
    causes.not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))


def _daemon_rolling_update(causes: Causes, path: str, rolling: Object) -> None:
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    amount_or_percent(causes, f"{path}.maxUnavailable", unavailable)
    amount_or_percent(causes, f"{path}.maxSurge", surge)
    at_most_hundred(causes, f"{path}.maxUnavailable", unavailable)
    at_most_hundred(causes, f"{path}.maxSurge", surge)
    both = _amount(unavailable) != 0 and _amount(surge) != 0
    if both:
        causes.invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero")
    if _amount(unavailable) == 0 and _amount(surge) == 0:
        causes.required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")


def daemon_set_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a DaemonSet."""
    _same_selector(causes, new, old)
    daemon_set(causes, new)


def controller_revision(causes: Causes, obj: Object) -> None:
    """Checks a ControllerRevision."""
    data = obj.get("data")
    if data is None:
        causes.required("data", "data is mandatory")
    elif not isinstance(data, dict):
        causes.required("data", "data must be a valid JSON object")
    causes.not_negative("revision", obj.get("revision"))


def controller_revision_update(causes: Causes, new: Object, old: Object) -> None:
    """Checks what may change of a ControllerRevision: nothing but its number."""
    controller_revision(causes, new)
    causes.immutable("data", new.get("data"), old.get("data"))


_DEPLOYMENT_COUNTS = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
)
_STATEFUL_COUNTS = (
    "replicas",
    "readyReplicas",
    "currentReplicas",
    "updatedReplicas",
    "availableReplicas",
    "observedGeneration",
)
_REPLICA_COUNTS = (
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "observedGeneration",
)


def _counts(causes: Causes, status: Object, names_: tuple[str, ...]) -> None:
    for name in names_:
        causes.not_negative(f"status.{name}", status.get(name))
    replicas, ready, available = (status.get(f"{name}eplicas", 0) for name in ("r", "readyR", "availableR"))
    for name in names_:
        if name.endswith("Replicas") and name != "unavailableReplicas" and status.get(name, 0) > replicas:
            causes.invalid(f"status.{name}", status[name], "cannot be greater than status.replicas")
    if available > ready:
        causes.invalid("status.availableReplicas", available, "cannot be greater than readyReplicas")


def deployment_status(causes: Causes, new: Object, old: Object) -> None:
    """Checks the numbers of a Deployment's status."""
    del old
    _counts(causes, new.get("status", {}), _DEPLOYMENT_COUNTS)


def stateful_set_status(causes: Causes, new: Object, old: Object) -> None:
    """Checks the numbers of a StatefulSet's status."""
    del old
    _counts(causes, new.get("status", {}), _STATEFUL_COUNTS)


def replica_set_status(causes: Causes, new: Object, old: Object) -> None:
    """Checks the numbers of a ReplicaSet's or ReplicationController's status."""
    del old
    _counts(causes, new.get("status", {}), _REPLICA_COUNTS)
