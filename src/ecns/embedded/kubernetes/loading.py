"""Puts very many settled objects into a cluster at once, for benchmarks.

One Deployment is made and brought to readiness by the controllers; the others are its copies.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes import bootstrap, controllers
from ecns.embedded.kubernetes.cluster import Cluster
from ecns.embedded.kubernetes.metadata import clone, suffix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecns.embedded.kubernetes.errors import Object

_NAME = "load"
_DEPLOYMENTS, _SETS, _PODS = "deployments.apps", "replicasets.apps", "pods"
_PATIENCE = 30.0


def _wanted(replicas: int) -> Object:
    labels = {"app": _NAME}
    container = {
        "name": "web",
        "image": "nginx:1.27",
        "ports": [{"containerPort": 80}],
        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}},
    }
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": _NAME, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


async def _models(replicas: int) -> list[tuple[str, Object]]:
    """(resource, object) of a Deployment that is ready, its ReplicaSet and its pods."""
    cluster = Cluster()
    bootstrap.ensure(cluster)
    running = controllers.start(cluster)
    loop = asyncio.get_running_loop()
    end = loop.time() + _PATIENCE
    try:
        while cluster.find("serviceaccounts", "default", "default") is None and loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        cluster.create(_DEPLOYMENTS, _wanted(replicas), namespace="default")
        while (status := cluster.get(_DEPLOYMENTS, _NAME, "default").get("status", {})) is not None:
            if status.get("readyReplicas", 0) == replicas and status.get("availableReplicas", 0) == replicas:
                break
            if loop.time() > end:
                raise TimeoutError("the model of the loaded Deployments did not become ready")
            await asyncio.sleep(0.02)
        return [
            (resource, clone(obj))
            for resource in (_DEPLOYMENTS, _SETS, _PODS)
            for obj in cluster.list(resource, "default")
        ]
    finally:
        for controller in running:
            controller.stop()
        cluster.close()


def _copies(
    models: list[tuple[str, Object]], number: int, namespace: str, first_pod: int
) -> Iterator[tuple[str, Object]]:
    """The models once more, under other names, uids and addresses."""
    name = f"{_NAME}-{number}"
    uids: dict[str, str] = {}
    address = first_pod
    for resource, model in models:
        obj = clone(model)
        metadata: dict[str, Any] = obj["metadata"]
        fresh = str(uuid.UUID(int=random.getrandbits(128), version=4))
        uids[metadata["uid"]] = fresh
        metadata |= {"uid": fresh, "namespace": namespace}
        metadata["name"] = name + metadata["name"].removeprefix(_NAME)
        if resource == _PODS:
            metadata["generateName"] = name + metadata["generateName"].removeprefix(_NAME)
            metadata["name"] = metadata["generateName"] + suffix()
            address += 1
            place = f"10.{64 + (address >> 16)}.{address >> 8 & 255}.{address & 255}"
            obj["status"] |= {"podIP": place, "podIPs": [{"ip": place}]}
        for owner in metadata.get("ownerReferences", ()):
            owner["uid"] = uids[owner["uid"]]
            owner["name"] = name + owner["name"].removeprefix(_NAME)
        _relabel(obj, name)
        yield resource, obj


def _relabel(value: Any, name: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "app" and item == _NAME:
                value[key] = name
            else:
                _relabel(item, name)
    elif isinstance(value, list):
        for item in value:
            _relabel(item, name)


async def load(cluster: Cluster, deployments: int, replicas: int, namespaces: int) -> int:
    """Puts Deployments with their ReplicaSets and ready pods in, spread over some namespaces.

    Args:
        cluster: where to; its controllers must not be running.
        deployments: how many.
        replicas: pods of each.
        namespaces: `load-0` and so on.

    Returns:
        How many objects were put in.

    """
    models = await _models(replicas)
    for index in range(namespaces):
        name = f"{_NAME}-{index}"
        if cluster.find("namespaces", name) is None:
            body = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}
            cluster.create("namespaces", body)

    def every() -> Iterator[tuple[str, Object]]:
        for number in range(deployments):
            yield from _copies(models, number, f"{_NAME}-{number % namespaces}", number * replicas)

    return cluster.store.load(every())
