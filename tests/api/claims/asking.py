"""Claims as requests say them, and manifests of what mounts them."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from ecns.api.claims.types import Claim, OneClaim
from ecns.api.storage.types import Storage
from tests.api.answers import told

if TYPE_CHECKING:
    import httpx

    from tests.gateway import Gateway

Json = dict[str, Any]
LIST = "/kubernetes/storage/"
_numbers = itertools.count(1)


def unused(stem: str = "c") -> str:
    """A name that nothing has."""
    return f"{stem}{next(_numbers)}"


def one(name: str) -> str:
    """The path of a claim."""
    return f"/kubernetes/pvc/{name}/"


def create(client: httpx.Client, name: str, **more: Any) -> Claim:
    """Make a claim, which succeeds."""
    sent = {"pvc": {"capacity": "1", **more}}
    return told(client.post(one(name), json=sent), OneClaim).pvc


def storage(client: httpx.Client, kind: str, selector: str = "current", **query: Any) -> Storage:
    """The lists of some types."""
    params = {"type": kind, "cluster_selector": selector, **query}
    return told(client.get(LIST, params=params), Storage)


def claims(client: httpx.Client, selector: str = "current", **query: Any) -> dict[str, Claim]:
    """Claims by name."""
    return {row.name: row for row in storage(client, "PVC", selector, **query).pvc or []}


def pod_spec(claim: str, *command: str) -> Json:
    """What a pod that mounts a claim is made of."""
    container: Json = {
        "name": "c",
        "image": "busybox:1.35",
        "command": list(command or ("sleep", "3600")),
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    }
    return {
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}],
    }


def controller(kind: str, name: str, spec: Json, *, replicas: int | None = None, **more: Any) -> Json:
    """A Deployment, StatefulSet or DaemonSet."""
    labels = {"app": name}
    body: Json = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": spec},
        **more,
    }
    if replicas is not None:
        body["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": body}


def apply(gateway: Gateway, namespace: str, *manifests: Json) -> None:
    """Have kubectl make things."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    gateway.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(listed))
