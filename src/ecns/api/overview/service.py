"""What the operations of chapter 1.14 count: all of a cluster that the caller may see.

Pods are counted by an index of the watch cache, which each change of a pod keeps right, so that the count
costs the namespaces and not the pods.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from ecns.api.claims.cached import ClaimRows
from ecns.api.common.kept import KeptRows, kept_rows
from ecns.api.common.lists import Page, kept_page, merged
from ecns.api.common.objects import Objects
from ecns.api.overview import manifests
from ecns.api.overview.manifests import CLAIM_STATES, POD_STATES, ClaimState, PodState
from ecns.api.overview.types import PodInNamespace
from ecns.backends.kubernetes.kinds.core import PersistentVolumeClaim
from ecns.backends.kubernetes.kinds.pods import POD_ROW, PodRow
from ecns.backends.kubernetes.objects import newest_first

if TYPE_CHECKING:
    from ecns.backends.kubernetes.cache import Cache
    from ecns.identity.place import Place

ROWS = 5_000
"""Pods kept encoded for each cluster, about 0.7 KiB each."""
FEW = 2_000
"""So many pods are sorted; of more, those asked for are picked from all pods in order."""
STATE = "state"


class Span:
    """Which of a list are shown.

    Args:
        page: from 1.
        page_size: of each list.
    """

    def __init__(self, page: int, page_size: int) -> None:
        self.start = (page - 1) * page_size
        self.stop = page * page_size


class Overview:
    """One cluster, as one caller may see it.

    Args:
        place: the whole cluster.
        namespaces: names of those that the caller may see.
    """

    def __init__(self, place: Place, namespaces: Sequence[str]) -> None:
        self.place = place
        self.namespaces = namespaces
        self.objects = Objects(place, place.places)

    @classmethod
    async def of(cls, place: Place) -> Overview:
        """The overview of a cluster.

        Raises:
            UpstreamError: the cluster does not answer.
        """
        seen = await place.places.namespaces(place.caller, place.cluster)
        return cls(place, [one.metadata.name for one in seen])

    async def pods(self, span: Span, *, fresh: bool = False) -> dict[PodState, Page]:
        """By state, a page of the pods and how many there are.

        Raises:
            UpstreamError: the cluster does not answer.
        """
        cluster = self.place.cluster
        cluster.cache(POD_ROW, **{STATE: lambda pod: [(pod.metadata.namespace, manifests.pod_state(pod))]})
        pods = await self.objects.cache(POD_ROW)
        if fresh:
            await asyncio.gather(*(pods.reload(name) for name in self.namespaces))
        rows: KeptRows[PodInNamespace] = kept_rows(cluster, "overview pods", ROWS)

        def row(pod: PodRow) -> bytes:
            metadata = pod.metadata
            return rows.row(metadata.uid, metadata.resource_version, lambda: manifests.pod(pod)).encoded

        def page(state: PodState) -> Page:
            several = [pods.index(STATE, (name, state)) for name in self.namespaces]
            total = sum(map(len, several))
            return Page(b",".join(map(row, self._newest(pods, several, state, total, span))), total)

        generation = tuple(pods.generation(name) for name in self.namespaces)
        return {state: self._kept(state, generation, span, page) for state in POD_STATES}

    def _newest(
        self,
        pods: Cache[PodRow],
        several: Sequence[Collection[PodRow]],
        state: PodState,
        total: int,
        span: Span,
    ) -> Sequence[PodRow]:
        """The pods of a span, newest first; `several` are all in that state, by namespace."""
        if total <= FEW:
            found = sorted((pod for each in several for pod in each), key=newest_first)
            return found[span.start : span.stop]
        views = [pods.namespace(name) for name in self.namespaces]
        every = merged(views, lambda pod: pod.metadata)
        matching = (pod for pod in every if manifests.pod_state(pod) == state)
        return list(islice(matching, span.start, min(span.stop, total)))

    async def claims(self, span: Span, *, fresh: bool = False) -> dict[ClaimState, Page]:
        """By state, a page of the claims and how many there are.

        Raises:
            UpstreamError: the cluster does not answer.
        """
        rows = await ClaimRows.of(self.objects, fresh=fresh)

        @cache
        def by_state() -> dict[ClaimState, list[PersistentVolumeClaim]]:
            found: dict[ClaimState, list[PersistentVolumeClaim]] = {state: [] for state in CLAIM_STATES}
            views = [rows.claims.namespace(name) for name in self.namespaces]
            for claim in merged(views, lambda one: one.metadata):
                found[manifests.claim_state(claim, mounted=bool(rows.users.pods(claim)))].append(claim)
            return found

        def page(state: ClaimState) -> Page:
            several = by_state()[state]
            shown = several[span.start : span.stop]
            return Page(b",".join([rows.row(claim).encoded for claim in shown]), len(several))

        generation = rows.generation(self.namespaces)
        return {state: self._kept(state, generation, span, page) for state in CLAIM_STATES}

    def _kept(self, state: Any, generation: Hashable, span: Span, make: Callable[[Any], Page]) -> Page:
        key = ("overview", state, tuple(self.namespaces), span.start, span.stop)
        return kept_page(self.place.cluster, key, generation, lambda: make(state))
