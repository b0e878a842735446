"""What the operations of chapter 1.16 do with pods."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import msgspec

from ecns.api.common.lists import ListQuery, Page, Selection, kept_page, select
from ecns.api.pods import manifests
from ecns.api.pods.types import PodDetail
from ecns.api.workloads.manifests import events
from ecns.backends.kubernetes.kinds.core import EVENT
from ecns.backends.kubernetes.kinds.pods import POD, POD_ROW, PodRow

if TYPE_CHECKING:
    from ecns.api.common.objects import Objects
    from ecns.backends.kubernetes.cache import Cache
    from ecns.backends.kubernetes.clusters import Cluster

ROWS = 60_000
"""Rows kept encoded for each cluster, about 0.5 KiB each; the longest unused go first."""

_encode = msgspec.json.Encoder().encode
_rows: WeakKeyDictionary[Cluster, OrderedDict[str, tuple[str, str, bytes]]] = WeakKeyDictionary()


class Pods:
    """The pods of one place, for one request."""

    def __init__(self, objects: Objects, registry_domain: str) -> None:
        self.objects = objects
        self.registry_domain = registry_domain
        self.rows = _rows.setdefault(objects.place.cluster, OrderedDict())

    async def page(self, query: ListQuery, *, status: str | None) -> Page:
        """A page of pods."""
        cache = await self.objects.cache(POD_ROW, fresh=query.fresh)
        where = self.objects.namespace

        def make() -> Page:
            selection = self._select(cache, query, status)
            return Page(b",".join([self._row(pod)[1] for pod in selection.items]), selection.total)

        return kept_page(
            self.objects.place.cluster, ("pods", where, status, query.key), cache.generation(where), make
        )

    def _select(self, cache: Cache[PodRow], query: ListQuery, status: str | None) -> Selection:
        return select(
            cache.namespace(self.objects.namespace),
            query,
            metadata=lambda pod: pod.metadata,
            sorts={"status": lambda pod: self._row(pod)[0], "node": lambda pod: pod.spec.node_name},
            filters=[] if status is None else [lambda pod: self._row(pod)[0] == status],
        )

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

    def _row(self, pod: PodRow) -> tuple[str, bytes]:
        metadata = pod.metadata
        known = self.rows.get(metadata.uid)
        if known is None or known[0] != metadata.resource_version:
            row = manifests.row(pod, self.registry_domain)
            known = self.rows[metadata.uid] = (metadata.resource_version, row.status, _encode(row))
            if len(self.rows) > ROWS:
                self.rows.popitem(last=False)
        self.rows.move_to_end(metadata.uid)
        return known[1], known[2]
