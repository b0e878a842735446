"""Events: what controllers, scheduler and kubelets say about objects.

Repeated ones are counted, as client-go's recorder does.
Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.errors import Object

_log = logging.getLogger(__name__)
_REMEMBERED = 4096


def reference(obj: Object, field_path: str = "") -> Object:
    """`involvedObject` for an object."""
    metadata = obj["metadata"]
    found: Object = {"kind": obj["kind"]}
    if metadata.get("namespace"):
        found["namespace"] = metadata["namespace"]
    found["name"] = metadata["name"]
    found["uid"] = metadata.get("uid", "")
    found["apiVersion"] = obj["apiVersion"]
    if metadata.get("resourceVersion"):
        found["resourceVersion"] = metadata["resourceVersion"]
    if field_path:
        found["fieldPath"] = field_path
    return found


class Events:
    """The recorder that all components share."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: OrderedDict[tuple[str, ...], tuple[str, str]] = OrderedDict()
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
        place = (namespace, involved["kind"], involved["name"], involved["uid"], field_path)
        key = (*place, kind, reason, message, component, host)
        try:
            if not self._count(key, modern=bool(action)):
                name = self._create(namespace, involved, kind, reason, message, component, host, action)
                self._known[key] = namespace, name
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        except ApiError as error:
            _log.debug("event %s of %s: %s", reason, involved["name"], error)

    def _count(self, key: tuple[str, ...], *, modern: bool) -> bool:
        known = self._known.get(key)
        if known is None:
            return False
        event = self._cluster.find("events", known[1], known[0])
        if event is None:
            return False
        now = self._cluster.now()
        again = dict(event)
        if modern:
            series = dict(event.get("series") or {"count": 1})
            again["series"] = {"count": series["count"] + 1, "lastObservedTime": clock.micro_stamp(now)}
        else:
            again["count"] = event.get("count", 1) + 1
            again["lastTimestamp"] = clock.stamp(now)
        self._cluster.update("events", again)
        self._known.move_to_end(key)
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
            event |= {
                "source": {"component": component, **({"host": host} if host else {})},
                "firstTimestamp": at,
                "lastTimestamp": at,
                "count": 1,
                "type": kind,
                "eventTime": None,
                "reportingComponent": component,
                "reportingInstance": host,
            }
        made = self._cluster.create("events", event, namespace=namespace)
        name: str = made["metadata"]["name"]
        return name
