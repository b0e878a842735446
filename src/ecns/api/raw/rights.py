"""Who may see and change what as YAML: never more than the other chapters let them.

A kind that a chapter is about needs that chapter's right, too; what belongs to no namespace has rules of its
own; and where changes are not made as the caller, only what ECNS changes for people anyway can be changed.
"""

from __future__ import annotations

from typing import Literal

from ecns.backends.kubernetes.kinds.core import PERSISTENT_VOLUME
from ecns.backends.kubernetes.kinds.extensions import APPLICATION
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind
from ecns.backends.kubernetes.kinds.storage import STORAGE_CLASS
from ecns.backends.kubernetes.rights import CHANGES, Right
from ecns.errors import ForbiddenError
from ecns.identity.caller import Caller
from ecns.identity.place import Place
from ecns.identity.policy import Policy

Doing = Literal["show", "create", "update"]

_CHAPTERS: dict[str, tuple[str, str, str]] = {
    # by resource: what is needed to show, to make and to change one
    "applications.app.k8s.io": ("app.show", "app.create", "app.describe"),
    "configmaps": ("configmap.show", "configmap.create", "configmap.update"),
    "cronjobs.batch": ("cronjob.show", "cronjob.create", "cronjob.create"),
    "daemonsets.apps": ("workload.show", "workload.create", "workload.set_containers"),
    "deployments.apps": ("workload.show", "workload.create", "workload.set_containers"),
    "ingresses.networking.k8s.io": ("ingress.list", "ingress.create", "ingress.update"),
    "jobs.batch": ("job.show", "job.create", "job.create"),
    "persistentvolumeclaims": ("storage.list", "pvc.create", "pvc.expand"),
    "persistentvolumes": ("storage.list", "raw.change_cluster", "raw.change_cluster"),
    "pods": ("pod.show", "raw.create", "raw.update"),
    "secrets": ("secret.show", "secret.create", "secret.update"),
    "services": ("service.list", "service.create", "service.update"),
    "statefulsets.apps": ("workload.show", "workload.create", "workload.set_containers"),
    "storageclasses.storage.k8s.io": ("storage.list", "storage.create_class", "storage.create_class"),
}
_PLACES = {"show": 0, "create": 1, "update": 2}
_OPEN = frozenset({PERSISTENT_VOLUME.resource, STORAGE_CLASS.resource})
"""What belongs to no namespace and is shown to those who may see it in a list."""
_KEPT = frozenset({APPLICATION.resource, STORAGE_CLASS.resource})
"""What ECNS may change in its own name wherever it is."""


class Rights:
    """What a caller may do as YAML.

    Args:
        policy: decides.
        caller: who.
    """

    def __init__(self, policy: Policy, caller: Caller) -> None:
        self.policy = policy
        self.caller = caller

    def check(self, doing: Doing, kind: Kind[JsonObject], place: Place | None = None) -> None:
        """Let the caller do something with objects of a kind.

        Args:
            doing: what.
            kind: with what.
            place: where a change is to be made.

        Raises:
            ForbiddenError: they may not.
        """
        if not kind.namespaced and not (doing == "show" and kind.resource in _OPEN):
            self._check("raw.show_cluster" if doing == "show" else "raw.change_cluster")
        if (rules := _CHAPTERS.get(kind.resource)) is not None:
            self._check(rules[_PLACES[doing]])
        if doing != "show" and place is not None and place.actor is None:
            known = Right(kind.group, kind.plural, "patch") in CHANGES or kind.resource in _KEPT
            if not known:
                raise ForbiddenError(
                    f"{kind.kind} cannot be changed in cluster {place.cluster.name}, where changes are not"
                    " made as the caller (impersonate = false)"
                )

    def sees_values(self) -> bool:
        """Whether the caller sees the values of Secrets: who may change them does."""
        return self.allows("secret.update")

    def allows(self, operation: str) -> bool:
        """Whether the caller may do an operation."""
        return self.policy.allows(operation, self.caller, {"project_id": self.caller.project_id})

    def _check(self, operation: str) -> None:
        self.policy.check(operation, self.caller, {"project_id": self.caller.project_id})
