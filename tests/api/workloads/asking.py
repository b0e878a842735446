"""Workloads as requests say them, and the requests of chapter 1.21."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from ecns.api.workloads import types
from tests.api.answers import told

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
LIST = "/workloads/"
_numbers = itertools.count(1)


def unused() -> str:
    """A name that no workload has."""
    return f"w{next(_numbers)}"


def container(name: str = "main", version: str = "1.27", **more: Any) -> Json:
    """A container as it is sent."""
    return {"name": name, "image": {"image": "nginx", "image_version": version}, **more}


def workload(name: str, kind: str = "Deployment", replicas: int = 1, **more: Any) -> Json:
    """A workload as it is sent."""
    base: Json = {"name": name, "type": kind}
    if kind != "DaemonSet":
        base["replicas"] = replicas
    return {"workload_base": base, "containers": [container()], **more}


def create(client: httpx.Client, *sent: Json) -> list[types.Workload]:
    """Make workloads, all of which are made."""
    return told(client.post(LIST, json={"workloads": list(sent)}), types.Workloads).workloads


def delete(client: httpx.Client, *bases: tuple[str, str], **more: Any) -> httpx.Response:
    """Delete workloads by name and type."""
    named = [{"name": name, "type": kind} for name, kind in bases]
    return client.request("DELETE", LIST, json={"workloads_base": named, **more})


def one(name: str, part: str = "") -> str:
    """The path of a workload, or of a part of it."""
    return f"/workloads/workload/{name}/{part}"


def change(client: httpx.Client, name: str, action: str, sent: Json, **query: Any) -> httpx.Response:
    """Change an aspect."""
    return client.patch(one(name), params={"action": action, **query}, json=sent)


def changed(client: httpx.Client, name: str, action: str, sent: Json) -> types.Workload:
    """Change an aspect, which succeeds."""
    return told(change(client, name, action, sent), types.OneWorkload).workload


def shown(client: httpx.Client, name: str) -> types.WorkloadDetail:
    """A workload with all that belongs to it."""
    return told(client.get(one(name)), types.WorkloadDetail)


def listed(client: httpx.Client, **query: Any) -> dict[str, types.Workload]:
    """The workloads of a list, by name."""
    found = told(client.get(LIST, params=query), types.Workloads).workloads
    return {row.workload_base.name: row for row in found}


def revisions(client: httpx.Client, name: str) -> list[types.Revision]:
    """A workload's revisions."""
    return told(client.get(one(name, "revisions/")), types.Revisions).revisions
