"""Events: what controllers, scheduler and kubelets say about objects.

As client-go's recorder does: repeated ones are counted, very many of one reason that differ in their message
become one, and who says too much about one object is not listened to for a while.
Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object

Value = TypeVar("Value")
_log = logging.getLogger(__name__)
_REMEMBERED = 4096
_SIMILAR, _SIMILAR_FOR = 10, 600.0
_BURST, _REFILL = 25.0, 1 / 300
_COMBINED = "(combined from similar events): "


class _Similar:
    """Messages of one reason about one object, and when the last came."""

    def __init__(self, at: float) -> None:
        self.messages: dict[str, None] = {}
        self.at = at


class _Bucket:
    """How many more events one source may tell about one object now."""

    def __init__(self, at: float) -> None:
        self.left = _BURST
        self.at = at

    def take(self, now: float) -> bool:
        self.left = min(self.left + (now - self.at) * _REFILL, _BURST)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


def reference(obj: Object, field_path: str = "") -> Object:
    """`involvedObject` for an object."""
    metadata = obj["metadata"]
    found: Object = {"kind": obj["kind"]}
    if metadata.get("namespace"):
        found["namespace"] = metadata["namespace"]
    found["name"] = metadata["name"]
    if metadata.get("uid"):
        found["uid"] = metadata["uid"]
    found["apiVersion"] = obj["apiVersion"]
    if metadata.get("resourceVersion"):
        found["resourceVersion"] = metadata["resourceVersion"]
    if field_path:
        found["fieldPath"] = field_path
    return found


def _remember(known: OrderedDict[tuple[str, ...], Value], key: tuple[str, ...], value: Value) -> None:
    known[key] = value
    known.move_to_end(key)
    while len(known) > _REMEMBERED:
        known.popitem(last=False)


class Events:
    """The recorder that all components share."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: OrderedDict[tuple[str, ...], tuple[str, str]] = OrderedDict()
        self._similar: OrderedDict[tuple[str, ...], _Similar] = OrderedDict()
        self._buckets: OrderedDict[tuple[str, ...], _Bucket] = OrderedDict()
        self._last_name = 0

    def record(
        self,
        about: Object,
        kind: str,
        reason: str,
        message: str,
        *,
        component: str,
        host: str = "",
        field_path: str = "",
        action: str = "",
    ) -> None:
        """Records an event, or counts one more of it.

        Args:
            about: the object.
            kind: `Normal` or `Warning`.
            reason: `ScalingReplicaSet`.
            message: for people.
            component: who says it.
            host: the node, of a kubelet's.
            field_path: the container, as `spec.containers{c}`.
            action: set by components that speak events.k8s.io themselves (the scheduler); their events
                have an eventTime, and no count.

        """
        involved = reference(about, field_path)
        namespace = involved.get("namespace", "default")
        place = (namespace, involved["kind"], involved["name"], involved.get("uid", ""), field_path)
        key: tuple[str, ...] = (*place, kind, reason, message, component, host)
        if not action:
            message, key = self._combine((*place[:4], kind, reason, component, host), message, key)
            if not self._may_say((*place[:4], component, host)):
                return
        try:
            if not self._count(key, message, modern=bool(action)):
                name = self._create(namespace, involved, kind, reason, message, component, host, action)
                _remember(self._known, key, (namespace, name))
        except ApiError as error:
            _log.debug("event %s of %s: %s", reason, involved["name"], error)

    def _combine(
        self, group: tuple[str, ...], message: str, key: tuple[str, ...]
    ) -> tuple[str, tuple[str, ...]]:
        now = self._cluster.now().timestamp()
        similar = self._similar.get(group)
        if similar is None or now - similar.at > _SIMILAR_FOR:
            similar = _Similar(now)
        similar.at = now
        similar.messages[message] = None
        _remember(self._similar, group, similar)
        if len(similar.messages) < _SIMILAR:
            return message, key
        del similar.messages[next(iter(similar.messages))]
        return _COMBINED + message, group

    def _may_say(self, source: tuple[str, ...]) -> bool:
        now = self._cluster.now().timestamp()
        bucket = self._buckets.get(source) or _Bucket(now)
        _remember(self._buckets, source, bucket)
        return bucket.take(now)

    def _count(self, key: tuple[str, ...], message: str, *, modern: bool) -> bool:
        known = self._known.get(key)
        if known is None:
            return False
        event = self._cluster.find("events", known[1], known[0])
        if event is None:
            return False
        now = self._cluster.now()
        again = {**event, "message": message}
        if modern:
            series = dict(event.get("series") or {"count": 1})
            again["series"] = {"count": series["count"] + 1, "lastObservedTime": clock.micro_stamp(now)}
        else:
            again["count"] = event.get("count", 1) + 1
            again["lastTimestamp"] = clock.stamp(now)
        self._cluster.update("events", again)
        return True

    def _create(  # noqa: PLR0917  the fields of an Event
        self,
        namespace: str,
        involved: Object,
        kind: str,
        reason: str,
        message: str,
        component: str,
        host: str,
        action: str,
    ) -> str:
        now = self._cluster.now()
        stamp = max(int(now.timestamp() * 1_000_000) * 1000, self._last_name + 1)
        self._last_name = stamp
        event: Object = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": f"{involved['name']}.{stamp:016x}", "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
        }
        if action:
            event |= {
                "source": {},
                "firstTimestamp": None,
                "lastTimestamp": None,
                "type": kind,
                "eventTime": clock.micro_stamp(now),
                "action": action,
                "reportingComponent": component,
                "reportingInstance": f"{component}-control-plane-0",
            }
        else:
            at = clock.stamp(now)
            combined = message.startswith(_COMBINED)
            event |= {
                "source": {"component": component, **({"host": host} if host else {})},
                "firstTimestamp": at,
                "lastTimestamp": at,
                "count": 1,
                "type": kind,
                "eventTime": None,
                "reportingComponent": "" if combined else component,
                "reportingInstance": "" if combined else host,
            }
        made = self._cluster.create("events", event, namespace=namespace)
        name: str = made["metadata"]["name"]
        return name
