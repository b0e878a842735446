"""Events, in either shape: what core asks of them, and the more that events.k8s.io does.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.validation import names

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.validation.causes import Causes

_LIMITS = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}
_OLD = ("firstTimestamp", "lastTimestamp", "count", "source")
_FIXED = (
    *("involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type"),
    *("eventTime", "action", "related", "reportingComponent", "reportingInstance"),
)
_NAMES = {"reportingComponent": "reportingController"}
_KEPT = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_FEWEST = 2


def core(causes: Causes, obj: Object) -> None:
    """Checks an Event of core/v1."""
    _common(causes, obj, "reportingComponent")


def create(causes: Causes, obj: Object) -> None:
    """Checks a new Event of events.k8s.io/v1."""
    obj = _kept(obj)
    _common(causes, obj, "reportingController")
    _series(causes, obj)
    if not obj.get("eventTime"):
        causes.required("eventTime")
    kind = obj.get("type", "")
    if kind not in {"Normal", "Warning"}:
        causes.invalid("type", "", f"has invalid value: {kind}")
    for key in _OLD:
        if obj.get(key):
            causes.invalid(key, "", "needs to be unset")


def update(causes: Causes, new: Object, old: Object) -> None:
    """Checks a change of an Event through events.k8s.io/v1: only its series may change."""
    new, old = _kept(new), _kept(old)
    _common(causes, new, "reportingController")
    if new.get("series") != old.get("series"):
        _series(causes, new)
    for key in _FIXED:
        if (new.get(key) or None) != (old.get(key) or None):
            causes.immutable(_NAMES.get(key, key), new.get(key), old.get(key))


def _kept(obj: Object) -> Object:
    return {_KEPT.get(key, key): value for key, value in obj.items()}


def _series(causes: Causes, obj: Object) -> None:
    series = obj.get("series")
    if series is None:
        return
    if series.get("count", 0) < _FEWEST:
        causes.invalid("series.count", "", f"should be at least {_FEWEST}")
    if not series.get("lastObservedTime"):
        causes.required("series.lastObservedTime")


def _common(causes: Causes, obj: Object, controller: str) -> None:
    about = (obj.get("involvedObject") or {}).get("namespace", "")
    namespace = obj["metadata"].get("namespace", "")
    dated = obj.get("eventTime")
    if (about and about != namespace and not dated) or (
        not about and namespace not in ({"default", "kube-system"} if dated else {"default"})
    ):
        causes.invalid("involvedObject.namespace", about, "does not match event.namespace")
    if not dated:
        return
    reporter = obj.get("reportingComponent", "")
    if not reporter:
        causes.required(controller)
    causes.each(controller, reporter, names.qualified_name(reporter))
    for key, most in _LIMITS.items():
        value = obj.get(key) or ""
        if not value and key != "message":
            causes.required(key)
        if len(value.encode()) > most:
            causes.invalid(key, "", f"can have at most {most} characters")
