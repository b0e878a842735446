"""Watches Services and nodes of a cluster, and brings load balancers to what they ask for.

What Kubernetes' service controller does around a cloud provider is done here too: the finalizer, the status,
the events.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp

from ecns.embedded.cloudprovider import wishes
from ecns.embedded.cloudprovider.kubernetes import KubernetesError
from ecns.embedded.cloudprovider.openstack import RefusedError

if TYPE_CHECKING:
    from ecns.embedded.cloudprovider.balancers import Balancers
    from ecns.embedded.cloudprovider.kubernetes import Kubernetes, Object

_log = logging.getLogger(__name__)
SERVICES, NODES = "/api/v1/services", "/api/v1/nodes"
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
_FAILED = (RefusedError, KubernetesError, aiohttp.ClientError, TimeoutError, KeyError)


class Controller:
    """One cluster.

    Args:
        kubernetes: the cluster.
        balancers: its load balancers.
        project_id: whose they are, unless their namespace says otherwise.
        project_label: the label of namespaces that does.
    """

    def __init__(
        self, kubernetes: Kubernetes, balancers: Balancers, project_id: str, project_label: str = ""
    ) -> None:
        self._kubernetes = kubernetes
        self._balancers = balancers
        self._project_id = project_id
        self._project_label = project_label
        self._services: dict[str, Object] = {}
        self._nodes: dict[str, Object] = {}
        self._due: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Go on for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(NODES, self._nodes))
            group.create_task(self._follow(SERVICES, self._services))

    async def _follow(self, path: str, known: dict[str, Object]) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                said = await self._kubernetes.call("GET", path)
                fresh = {_key(item): item for item in said["items"]}
                for key in [*fresh, *(key for key in known if key not in fresh)]:
                    self._changed(path, known, key, fresh.get(key))
                version = said["metadata"]["resourceVersion"]
                async for kind, item in self._kubernetes.watch(path, version):
                    wait = FIRST_WAIT
                    self._changed(path, known, _key(item), None if kind == "DELETED" else item)
            except _FAILED as error:
                _log.info("watching %s of %s: %s", path, self._kubernetes.name, error)
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)

    def _changed(self, path: str, known: dict[str, Object], key: str, item: Object | None) -> None:
        before = known.pop(key, None)
        if item is not None:
            known[key] = item
        if path == SERVICES:
            if item is None:
                self._forget(key)
            else:
                self._touch(key)
        elif _members(before) != _members(item):
            for service in self._services:
                self._touch(service)

    def _forget(self, key: str) -> None:
        self._due.pop(key, None)
        if (task := self._tasks.pop(key, None)) is not None:
            task.cancel()

    def _touch(self, key: str) -> None:
        """Look at a Service again."""
        service = self._services[key]
        if not wishes.wanted(service) and wishes.FINALIZER not in (
            service["metadata"].get("finalizers") or ()
        ):
            return
        if key not in self._tasks:
            self._due[key] = asyncio.Event()
            self._tasks[key] = asyncio.get_running_loop().create_task(self._tend(key, self._due[key]))
        self._due[key].set()

    async def _tend(self, key: str, due: asyncio.Event) -> None:
        wait = FIRST_WAIT
        while True:
            await due.wait()
            due.clear()
            service = self._services[key]
            try:
                if wishes.wanted(service):
                    await self._ensure(service)
                elif wishes.FINALIZER in (service["metadata"].get("finalizers") or ()):
                    await self._remove(service)
                wait = FIRST_WAIT
            except _FAILED as error:
                if isinstance(error, KubernetesError) and error.status in {
                    HTTPStatus.CONFLICT,
                    HTTPStatus.NOT_FOUND,
                }:
                    continue  # it has changed meanwhile, and that is told
                deleting = not wishes.wanted(service)
                about = "deleting" if deleting else "syncing"
                verb = "delete" if deleting else "ensure"
                text = f"Error {about} load balancer: failed to {verb} load balancer: {error}"
                await self._event(service, "Warning", "SyncLoadBalancerFailed", text)
                with suppress(TimeoutError):
                    await asyncio.wait_for(due.wait(), wait)
                wait = min(wait * 2, LONGEST_WAIT)
                due.set()

    async def _ensure(self, service: Object) -> None:
        path = _path(service)
        finalizers = service["metadata"].get("finalizers") or []
        if wishes.FINALIZER not in finalizers:
            version = service["metadata"]["resourceVersion"]
            meta = {"resourceVersion": version, "finalizers": [*finalizers, wishes.FINALIZER]}
            service = await self._kubernetes.patch(path, {"metadata": meta})
        told = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        if not told:
            await self._event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
        project = await self._project(service)
        members = wishes.members(list(self._nodes.values()))
        identity, address = await self._balancers.ensure(service, members, project)
        annotations = {wishes.ID: identity, wishes.ADDRESS: address}
        has = service["metadata"].get("annotations") or {}
        if any(has.get(name) != value for name, value in annotations.items()):
            await self._kubernetes.patch(path, {"metadata": {"annotations": annotations}})
        ingress = [{"ip": address, "ipMode": "VIP"}]
        if [one.get("ip") for one in told] != [address]:
            await self._kubernetes.patch(f"{path}/status", {"status": {"loadBalancer": {"ingress": ingress}}})
            await self._event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")

    async def _project(self, service: Object) -> str:
        if not self._project_label:
            return self._project_id
        space = await self._kubernetes.call("GET", f"/api/v1/namespaces/{service['metadata']['namespace']}")
        labels = space["metadata"].get("labels") or {}
        return str(labels.get(self._project_label) or self._project_id)

    async def _remove(self, service: Object) -> None:
        await self._event(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer")
        await self._balancers.remove(service)
        path, meta = _path(service), service["metadata"]
        kept = [one for one in meta.get("finalizers") or () if one != wishes.FINALIZER]
        if not meta.get("deletionTimestamp"):
            await self._kubernetes.patch(f"{path}/status", {"status": {"loadBalancer": {"ingress": None}}})
        annotations = {wishes.ID: None, wishes.ADDRESS: None}
        await self._kubernetes.patch(path, {"metadata": {"finalizers": kept, "annotations": annotations}})
        await self._event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer")

    async def _event(self, service: Object, kind: str, reason: str, message: str) -> None:
        meta, moment = service["metadata"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "metadata": {"name": f"{meta['name']}.{uuid.uuid4().hex[:16]}", "namespace": meta["namespace"]},
            "involvedObject": {
                "kind": "Service",
                "apiVersion": "v1",
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": "service-controller"},
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        with suppress(*_FAILED):  # an event that is lost harms nobody
            await self._kubernetes.call("POST", f"/api/v1/namespaces/{meta['namespace']}/events", event)


def _key(item: Object) -> str:
    meta = item["metadata"]
    return f"{meta.get('namespace', '')}/{meta['name']}"


def _path(service: Object) -> str:
    meta = service["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/services/{meta['name']}"


def _members(node: Object | None) -> list[wishes.Member]:
    return wishes.members([node]) if node else []
