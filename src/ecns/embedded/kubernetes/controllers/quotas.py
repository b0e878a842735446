"""What a ResourceQuota's namespace uses, in its status.

Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.admission import quota as accounting
from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.base import Controller, Key

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

_QUOTAS = "resourcequotas"


class Quotas(Controller):
    """Recounts quotas."""

    name = "resourcequota-controller"
    resource = _QUOTAS

    def begin(self) -> None:
        """Watches quotas and everything that they may count."""
        self._watched: set[str] = set()
        self.watch_own(_QUOTAS)
        self._watch_all()

        def defined(_event: str, _new: Object | None, _old: Object | None) -> None:
            self._watch_all()

        self.watch("customresourcedefinitions.apiextensions.k8s.io", defined)

    def _watch_all(self) -> None:
        for resource in self.cluster.resources:
            counted = resource.namespaced and resource.stored_as == resource.name
            if counted and resource.name not in self._watched and resource.name not in {_QUOTAS, "events"}:
                self._watched.add(resource.name)
                self.watch(resource.name, self._changed)

    def _changed(self, event: str, new: Object | None, old: Object | None) -> None:
        obj = new or old
        if obj is None:
            return
        quotas = self.cluster.store.all(_QUOTAS, obj["metadata"].get("namespace", ""))
        if not quotas:
            return
        if event == "MODIFIED" and new is not None and old is not None:
            finished = objects.is_finished(new) != objects.is_finished(old)
            if not finished and new.get("spec") == old.get("spec"):
                return
        for record in quotas:
            self.enqueue((record.namespace, record.name))

    def sync(self, key: Key) -> None:
        """Recounts one."""
        quota = self.cluster.find(_QUOTAS, key[1], key[0])
        if quota is None:
            return
        status = accounting.status(self.cluster, quota)
        if status != quota.get("status", {}):
            self.cluster.update_status(_QUOTAS, {**quota, "status": status})
