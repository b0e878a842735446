"""Endpoints and EndpointSlices of Services, and the slices that mirror Endpoints made by hand.

Source: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.base import Controller, Key

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.controllers.shared import Shared
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Record

SLICES = "endpointslices.discovery.k8s.io"
SERVICE = "kubernetes.io/service-name"
_MANAGED = "endpointslice.kubernetes.io/managed-by"
_TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
_SLICER, _MIRROR = "endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"
_ENDPOINTS_MANAGED = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
_SKIPPED = "endpointslice.kubernetes.io/skip-mirror"
_MOST = 100


class _OfServices(Controller):
    """Both controllers look at Services and the pods behind them."""

    resource = "services"

    def __init__(self, cluster: Cluster, shared: Shared) -> None:
        super().__init__(cluster, shared)
        self._seen: dict[str, dict[str, str]] = {}

    def trigger(self, service: Object) -> str:
        """The time of the earliest change since the last look: a Service's creation, a pod's readiness."""
        uid, namespace = service["metadata"]["uid"], service["metadata"]["namespace"]
        times = {uid: str(service["metadata"]["creationTimestamp"])}
        selected = service["spec"]["selector"].items()
        for record in self.cluster.store.all("pods", namespace):
            if selected <= record.labels.items():
                ready = objects.condition(record.obj, "Ready")
                if ready is not None:
                    times[record.uid] = str(ready["lastTransitionTime"])
        before = self._seen.get(uid, {})
        self._seen[uid] = times
        return min((time for key, time in times.items() if time > before.get(key, "")), default="")

    def begin(self) -> None:
        """Watches Services and pods."""
        self.watch_own("services")
        self.watch("pods", self._pod)
        self.watch("services", self._gone)

    def _gone(self, event: str, _new: Object | None, old: Object | None) -> None:
        if event == "DELETED" and old is not None:
            self._seen.pop(old["metadata"]["uid"], None)

    def is_settled(self, record: Record) -> bool:
        """Its Endpoints are there; pods that change later are seen."""
        return self.cluster.store.get("endpoints", record.namespace, record.name) is not None

    def _pod(self, _event: str, new: Object | None, old: Object | None) -> None:
        if new is not None and old is not None and _view(new) == _view(old):
            return
        pods = [pod for pod in (new, old) if pod is not None]
        namespace = pods[0]["metadata"]["namespace"]
        for record in self.cluster.store.all("services", namespace):
            selector = record.obj["spec"].get("selector")
            if selector and any(_matches(selector, pod) for pod in pods):
                self.enqueue((namespace, record.name))

    def backends(self, service: Object) -> list[Object]:
        """The pods that a Service selects and that have an address, by name."""
        selector, namespace = service["spec"]["selector"], service["metadata"]["namespace"]
        found = [
            record.obj
            for record in self.cluster.store.all("pods", namespace)
            if selector.items() <= record.labels.items()
        ]
        return [pod for pod in found if pod.get("status", {}).get("podIP") and not objects.is_finished(pod)]


class Endpoints(_OfServices):
    """Keeps the Endpoints of Services that have a selector."""

    name = "endpoint-controller"

    def sync(self, key: Key) -> None:
        """Works on one Service."""
        service = self.cluster.find("services", key[1], key[0])
        current = self.cluster.find("endpoints", key[1], key[0])
        if service is None:
            if current is not None and _by_controller(current):
                self.cluster.delete("endpoints", key[1], key[0])
            return
        if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
            return
        subsets = self._subsets(service)
        trigger = self.trigger(service)
        labels = {**(service["metadata"].get("labels") or {}), **_ENDPOINTS_MANAGED}
        if service["spec"].get("clusterIP") == "None":
            labels["service.kubernetes.io/headless"] = ""
        if current is None:
            metadata: Object = {"name": key[1], "namespace": key[0], "labels": labels}
            if trigger:
                metadata["annotations"] = {_TRIGGER: trigger}
            made: Object = {"kind": "Endpoints", "apiVersion": "v1", "metadata": metadata}
            self.cluster.create(
                "endpoints", {**made, **({"subsets": subsets} if subsets else {})}, namespace=key[0]
            )
            return
        if (current.get("subsets") or []) == subsets and current["metadata"].get("labels") == labels:
            return
        metadata = _annotated({**current["metadata"], "labels": labels}, trigger)
        changed = {name: value for name, value in current.items() if name != "subsets"} | {
            "metadata": metadata
        }
        self.cluster.update("endpoints", {**changed, **({"subsets": subsets} if subsets else {})})

    def _subsets(self, service: Object) -> list[Object]:
        tolerant = service["spec"].get("publishNotReadyAddresses", False)
        groups: dict[tuple[tuple[object, ...], ...], tuple[list[Object], list[Object], list[Object]]] = {}
        for pod in self.backends(service):
            if pod["metadata"].get("deletionTimestamp") and not tolerant:
                continue
            ports = [
                port for port in (_port(pod, item) for item in service["spec"].get("ports") or ()) if port
            ]
            if not ports and service["spec"].get("clusterIP") != "None":
                continue
            address: Object = {"ip": pod["status"]["podIP"]}
            if _hostname(service, pod):
                address["hostname"] = pod["spec"]["hostname"]
            address |= {"nodeName": pod["spec"].get("nodeName", ""), "targetRef": _reference(pod)}
            group = groups.setdefault(tuple(tuple(sorted(port.items())) for port in ports), ([], [], ports))
            group[0 if tolerant or objects.is_ready(pod) else 1].append(address)
        subsets: list[Object] = []
        for ready, waiting, ports in groups.values():
            subset: Object = {}
            if ready:
                subset["addresses"] = sorted(ready, key=lambda item: str(item["ip"]))
            if waiting:
                subset["notReadyAddresses"] = sorted(waiting, key=lambda item: str(item["ip"]))
            if ports:
                subset["ports"] = ports
            subsets.append(subset)
        return subsets


class EndpointSlices(_OfServices):
    """Keeps the EndpointSlices of Services that have a selector."""

    name = "endpoint-slice-controller"

    def begin(self) -> None:
        """Watches slices too, which come back when they are deleted."""
        super().begin()
        self.watch(SLICES, self._slice)

    def _slice(self, event: str, _new: Object | None, old: Object | None) -> None:
        if event == "DELETED" and old is not None:
            labels = old["metadata"].get("labels") or {}
            if labels.get(_MANAGED) == _SLICER and labels.get(SERVICE):
                self.enqueue((old["metadata"]["namespace"], labels[SERVICE]))

    def sync(self, key: Key) -> None:
        """Works on one Service."""
        service = self.cluster.find("services", key[1], key[0])
        if (
            service is None
            or not service["spec"].get("selector")
            or service["spec"].get("type") == "ExternalName"
        ):
            return
        current = [
            item
            for resource, item in self.cluster.owned(service["metadata"]["uid"])
            if resource == SLICES and (item["metadata"].get("labels") or {}).get(_MANAGED) == _SLICER
        ]
        current.sort(key=lambda item: str(item["metadata"]["name"]))
        pods = self.backends(service)
        groups = self._groups(service, pods, current)
        trigger = self.trigger(service)
        labels = {**(service["metadata"].get("labels") or {}), _MANAGED: _SLICER, SERVICE: key[1]}
        if service["spec"].get("clusterIP") == "None":
            labels["service.kubernetes.io/headless"] = ""
        for index, (endpoints, ports) in enumerate(groups):
            content = {"addressType": "IPv4", "endpoints": endpoints or None, "ports": ports or None}
            if index < len(current):
                self._update(current[index], content, labels, trigger)
            else:
                _make(self, service, labels, content, trigger)
        for extra in current[max(len(groups), 1) :]:
            self.cluster.delete(SLICES, extra["metadata"]["name"], key[0])

    def _update(self, current: Object, content: Object, labels: dict[str, str], trigger: str) -> None:
        same = all((current.get(name) or None) == content[name] for name in ("endpoints", "ports"))
        if same and current["metadata"].get("labels") == labels:
            return
        metadata = _annotated({**current["metadata"], "labels": labels}, trigger)
        self.cluster.update(SLICES, {**current, **content, "metadata": metadata})

    def _groups(
        self, service: Object, pods: list[Object], current: list[Object]
    ) -> list[tuple[list[Object], list[Object]]]:
        order = {
            (item.get("targetRef") or {}).get("uid"): place
            for place, item in enumerate(item for one in current for item in one.get("endpoints") or ())
        }
        tolerant = service["spec"].get("publishNotReadyAddresses", False)
        found: dict[str, tuple[list[Object], list[Object]]] = {}
        for pod in sorted(pods, key=lambda pod: order.get(pod["metadata"]["uid"], len(order))):
            ports = [
                port for port in (_port(pod, item) for item in service["spec"].get("ports") or ()) if port
            ]
            ready, going = objects.is_ready(pod), bool(pod["metadata"].get("deletionTimestamp"))
            endpoint: Object = {
                "addresses": [pod["status"]["podIP"]],
                "conditions": {
                    "ready": tolerant or (ready and not going),
                    "serving": ready,
                    "terminating": going,
                },
            }
            if _hostname(service, pod):
                endpoint["hostname"] = pod["spec"]["hostname"]
            endpoint |= {"targetRef": _reference(pod), "nodeName": pod["spec"].get("nodeName", "")}
            found.setdefault(repr(ports), ([], ports))[0].append(endpoint)
        groups: list[tuple[list[Object], list[Object]]] = []
        for endpoints, ports in found.values():
            groups += [(endpoints[start : start + _MOST], ports) for start in range(0, len(endpoints), _MOST)]
        return groups or [([], [])]


class MirroredSlices(Controller):
    """Copies Endpoints that somebody made by hand into EndpointSlices."""

    name = "endpoint-slice-mirroring-controller"
    resource = "endpoints"

    def begin(self) -> None:
        """Watches Endpoints, and Services that come or lose their selector."""
        self.watch_own("endpoints")
        self.watch_own("services")

    def is_settled(self, record: Record) -> bool:
        """Those of the controller are none of its business."""
        return _by_controller(record.obj)

    def sync(self, key: Key) -> None:
        """Works on one."""
        source = self.cluster.find("endpoints", key[1], key[0])
        service = self.cluster.find("services", key[1], key[0])
        if source is None or _by_controller(source):
            return
        labels = source["metadata"].get("labels") or {}
        mirrored = (
            service is not None and not service["spec"].get("selector") and labels.get(_SKIPPED) != "true"
        )
        current = [
            item
            for resource, item in self.cluster.owned(source["metadata"]["uid"])
            if resource == SLICES and (item["metadata"].get("labels") or {}).get(_MANAGED) == _MIRROR
        ]
        wanted = [self._content(subset) for subset in source.get("subsets") or ()] if mirrored else []
        own = {**labels, _MANAGED: _MIRROR, SERVICE: key[1]}
        for content in wanted:
            twin = next((item for item in current if item.get("ports") == content["ports"]), None)
            if twin is None:
                _make(self, source, own, content, "")
                continue
            current.remove(twin)
            if twin.get("endpoints") != content["endpoints"]:
                self.cluster.update(SLICES, {**twin, **content})
        for extra in current:
            self.cluster.delete(SLICES, extra["metadata"]["name"], key[0])

    def _content(self, subset: Object) -> Object:
        endpoints = [
            {
                "addresses": [address["ip"]],
                "conditions": {"ready": key == "addresses"},
                **{name: address[name] for name in ("hostname", "targetRef", "nodeName") if name in address},
            }
            for key in ("addresses", "notReadyAddresses")
            for address in subset.get(key) or ()
        ]
        ports = [
            {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), "port": port["port"]}
            for port in subset.get("ports") or ()
        ]
        return {"addressType": "IPv4", "endpoints": endpoints, "ports": ports}


def _make(
    controller: Controller, owner: Object, labels: dict[str, str], content: Object, trigger: str
) -> None:
    metadata: Object = {
        "generateName": f"{owner['metadata']['name']}-",
        "namespace": owner["metadata"]["namespace"],
        "labels": labels,
        "ownerReferences": [objects.owned_by(owner)],
    }
    if trigger:
        metadata["annotations"] = {_TRIGGER: trigger}
    made = {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "metadata": metadata, **content}
    controller.cluster.create(SLICES, made, namespace=metadata["namespace"])


def _annotated(metadata: Object, trigger: str) -> Object:
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key != _TRIGGER
    }
    if trigger:
        annotations[_TRIGGER] = trigger
    found = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**found, "annotations": annotations} if annotations else found


def _by_controller(endpoints: Object) -> bool:
    labels = endpoints["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in _ENDPOINTS_MANAGED.items())


def _matches(selector: dict[str, str], pod: Object) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in selector.items())


def _view(pod: Object) -> tuple[object, ...]:
    status, metadata = pod.get("status", {}), pod["metadata"]
    return (
        status.get("podIP"),
        objects.is_ready(pod),
        objects.is_finished(pod),
        bool(metadata.get("deletionTimestamp")),
        metadata.get("labels"),
    )


def _reference(pod: Object) -> Object:
    metadata = pod["metadata"]
    return {
        "kind": "Pod",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }


def _hostname(service: Object, pod: Object) -> bool:
    return bool(pod["spec"].get("hostname") and pod["spec"].get("subdomain") == service["metadata"]["name"])


def _port(pod: Object, port: Object) -> Object | None:
    target, protocol = port.get("targetPort", port["port"]), port.get("protocol", "TCP")
    if isinstance(target, str):
        sidecars = [
            item for item in pod["spec"].get("initContainers") or () if item.get("restartPolicy") == "Always"
        ]
        numbers = (
            item["containerPort"]
            for container in [*pod["spec"]["containers"], *sidecars]
            for item in container.get("ports") or ()
            if item.get("name") == target and item.get("protocol", "TCP") == protocol
        )
        target = next(numbers, None)
        if target is None:
            return None
    found: Object = {"name": port.get("name", ""), "protocol": protocol, "port": target}
    if port.get("appProtocol"):
        found["appProtocol"] = port["appProtocol"]
    return found
