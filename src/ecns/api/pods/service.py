"""What the operations of chapter 1.16 do with pods."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING

from ecns.api.common.rows import rows
from ecns.api.pods import manifests
from ecns.api.pods.types import PodDetail
from ecns.api.workloads.manifests import events
from ecns.backends.kubernetes.kinds.core import EVENT
from ecns.backends.kubernetes.kinds.pods import POD, POD_ROW, PodRow

if TYPE_CHECKING:
    from ecns.api.common.composed import Composed
    from ecns.api.common.objects import Objects

ROWS = 60_000
"""Rows kept encoded for each cluster, about 0.5 KiB each; the longest unused go first."""


@lru_cache
def pod_rows(registry_domain: str) -> Composed[PodRow]:
    """How pods are listed where the registry has this name."""
    return rows(
        POD_ROW,
        lambda pod: manifests.row(pod, registry_domain),
        sorts={"node": lambda pod: pod.spec.node_name},
        status=lambda row: str(row.status),
        most=ROWS,
    )


class Pods:
    """The pods of one place, for one request."""

    def __init__(self, objects: Objects, registry_domain: str) -> None:
        self.objects = objects
        self.registry_domain = registry_domain

    @property
    def rows(self) -> Composed[PodRow]:
        """How they are listed."""
        return pod_rows(self.registry_domain)

    async def show(self, name: str) -> PodDetail:
        """A pod with its conditions and events."""
        pod, listed = await asyncio.gather(
            self.objects.client.get(POD, name, self.objects.namespace),
            self.objects.client.list(
                EVENT, self.objects.namespace, fields=f"involvedObject.kind=Pod,involvedObject.name={name}"
            ),
        )
        mine = [event for event in listed.items if event.involved_object.uid in {"", pod.metadata.uid}]
        return PodDetail(
            pod=manifests.pod(pod, self.registry_domain),
            conditions=manifests.conditions(pod),
            events=events(mine),
        )

    async def delete(self, name: str, *, force: bool) -> None:
        """Delete a pod; with `force` at once, without waiting for its node."""
        await self.objects.delete(POD_ROW, name, force=force)
