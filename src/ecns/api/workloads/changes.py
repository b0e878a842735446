"""Changes of one aspect of a workload, and its revisions (chapter 1.21).

Each change is a patch that tests what it replaces: two people who change two aspects both succeed, two who
change the same get a 200 and a 409.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ecns.api.common.documents import written
from ecns.api.common.objects import Objects, Operations
from ecns.api.common.taken import alone
from ecns.api.common.waiting import all_of
from ecns.api.workloads import aspects, checks, manifests
from ecns.api.workloads.cached import Surroundings
from ecns.api.workloads.carrying import carry_out
from ecns.api.workloads.manifests import access
from ecns.api.workloads.plans import plan_access, plan_scale_strategy
from ecns.api.workloads.service import Workloads
from ecns.api.workloads.types import (
    AccessMode,
    Container,
    Network,
    Revision,
    ScaleStrategy,
    SchedulerStrategy,
    UpdateStrategy,
    Workload,
)
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.kinds.apps import CONTROLLER_REVISION, DEPLOYMENT, REPLICA_SET, Controller
from ecns.backends.kubernetes.kinds.autoscaling import HORIZONTAL_POD_AUTOSCALER
from ecns.backends.kubernetes.kinds.core import SERVICE
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind
from ecns.backends.kubernetes.kinds.networking import INGRESS
from ecns.errors import BadRequestError, ConflictError, NotFoundError


class Changes:
    """Changes of one workload, for one request.

    Args:
        workloads: those of the place.
        name: which.
        workload_type: of which kind; None looks for it.
    """

    def __init__(self, workloads: Workloads, name: str, workload_type: str | None) -> None:
        self.workloads = workloads
        self.objects: Objects = workloads.objects
        self.name = name
        self.workload_type = workload_type

    async def _change(self, build: Callable[[JsonObject, str], Operations]) -> Workload:
        return await self.workloads.change(self.name, self.workload_type, build)

    async def _autoscaler(self, kind: Kind[Any]) -> str:
        """The name of the workload's autoscaler, or nothing."""
        cache = await self.objects.cache(HORIZONTAL_POD_AUTOSCALER)
        found = cache.index(indexes.TARGET, (self.objects.namespace, kind.kind, self.name))
        return next((one.metadata.name for one in found), "")

    async def scale(self, replicas: int) -> Workload:
        """Set the number of replicas by hand.

        Raises:
            ConflictError: an autoscaler sets it.
        """
        kind = await self.workloads.kind(self.name, self.workload_type)
        checks.check_replicas(replicas, kind.kind)
        if scaler := await self._autoscaler(kind):
            raise ConflictError(
                f"autoscaler {scaler!r} sets the replicas of {self.name!r}; remove the scale strategy first"
            )
        return await self._change(lambda whole, name: aspects.scale(whole, name, replicas))

    async def containers(self, containers: list[Container]) -> Workload:
        """Change the containers; what ECNS has no word for in them is kept."""
        checks.check_containers(containers, volumes=None, at="containers", sidecars=True)
        domain = self.workloads.registry_domain
        return await self._change(
            lambda whole, name: aspects.containers(whole, name, containers, registry_domain=domain)
        )

    async def labels(self, labels: dict[str, str] | None) -> Workload:
        """Change the labels; those that select the pods stay."""
        checks.check_labels(labels, at="labels")
        return await self._change(lambda whole, name: aspects.labels(whole, name, labels or {}))

    async def network(self, network: Network | None) -> Workload:
        """Change the network settings of the pods."""
        checks.check_network(network)
        return await self._change(lambda whole, name: aspects.network(whole, name, network))

    async def update_strategy(self, strategy: UpdateStrategy) -> Workload:
        """Change how pods are replaced."""
        kind = await self.workloads.kind(self.name, self.workload_type)
        checks.check_update_strategy(strategy, kind.kind)
        return await self._change(lambda whole, name: aspects.update_strategy(whole, name, strategy))

    async def scheduler_strategy(self, strategies: list[SchedulerStrategy] | None) -> Workload:
        """Change where pods may run."""
        checks.check_scheduler_strategy(strategies)
        return await self._change(
            lambda whole, name: aspects.scheduler_strategy(whole, name, strategies or [])
        )

    async def scale_strategy(self, strategy: ScaleStrategy | None) -> Workload:
        """Make, change or (with None) remove the autoscaler."""
        kind = await self.workloads.kind(self.name, self.workload_type)
        checks.check_scale_strategy(strategy, kind.kind)
        whole = await self.objects.whole(kind, self.name)
        scaler = await self._autoscaler(kind)
        present = await self.objects.whole(HORIZONTAL_POD_AUTOSCALER, scaler) if scaler else None
        plan = plan_scale_strategy(whole, kind.kind, strategy, present, namespace=self.objects.namespace)
        await carry_out(self.objects, plan, [present] if present else [])
        return await self._now(kind)

    async def access_modes(self, modes: list[AccessMode]) -> Workload:
        """Make, change and remove Services and Ingresses until they are what is sent.

        Raises:
            ConflictError: a node port, cluster IP or route is taken, or somebody else changed one of them.
        """
        checks.check_access_modes(modes, workload=self.name)
        kind = await self.workloads.kind(self.name, self.workload_type)
        whole = await self.objects.whole(kind, self.name)
        controller = await self.objects.client.get(kind, self.name, self.objects.namespace)
        around = await Surroundings.of(self.objects, self.workloads.registry_domain)
        companions = around.companions(controller)
        shown = (await self.workloads.shown(controller)).access_mode or ()
        modes = await self.workloads.balancing.chosen(modes, "access_modes[#]", shown)
        claims = [one for at, mode in enumerate(modes) for one in access.claims(mode, f"access_modes[{at}]")]
        services = await all_of(
            *(self.objects.whole(SERVICE, one.metadata.name) for one in companions.services)
        )
        ingresses = await all_of(
            *(self.objects.whole(INGRESS, one.metadata.name) for one in companions.ingresses)
        )
        plan = plan_access(whole, kind.kind, modes, services, ingresses, namespace=self.objects.namespace)
        mine = [[one.metadata.name for one in some] for some in (companions.services, companions.ingresses)]
        async with alone(self.objects, claims, services=mine[0], ingresses=mine[1]):
            await carry_out(self.objects, plan, [*services, *ingresses])
        return await self._change(lambda now, name: aspects.sent_access_modes(now, name, modes))

    async def _now(self, kind: Kind[Any]) -> Workload:
        return await self.workloads.workload(self.name, kind.kind)

    # Revisions

    async def _found(self) -> tuple[Kind[Any], Controller]:
        return await self.workloads.find(self.name, self.workload_type)

    async def revisions(self) -> list[Revision]:
        """The revisions, newest first."""
        kind, controller = await self._found()
        return manifests.revisions(controller, await self.workloads.history(kind, controller))

    async def _revision(self, version: str) -> tuple[Kind[Any], Controller, Kind[Any], Any]:
        """A revision's object, with its kind and the workload.

        Raises:
            BadRequestError: the version is no number.
            NotFoundError: there is no such revision.
        """
        if not version.isascii() or not version.isdigit():
            raise BadRequestError(f"version {version!r} is not a number", field="target_version")
        kind, controller = await self._found()
        keeper: Kind[Any] = REPLICA_SET if kind is DEPLOYMENT else CONTROLLER_REVISION
        for one in await self.workloads.history(kind, controller):
            if manifests.revision_of(one) == int(version):
                return kind, controller, keeper, one
        raise NotFoundError(f"{kind.kind} {self.name!r} has no revision {version}")

    async def revision_yaml(self, version: str) -> str:
        """A revision as YAML, without what the server keeps for itself."""
        _, _, keeper, one = await self._revision(version)
        whole = await self.objects.whole(keeper, one.metadata.name)
        whole["metadata"].pop("managedFields", None)
        return written(whole)

    async def rollback(self, version: str) -> Workload:
        """Make the template what it was in a revision."""
        _, _, keeper, one = await self._revision(version)
        revision = await self.objects.whole(keeper, one.metadata.name)
        return await self._change(lambda whole, name: aspects.rollback(whole, name, revision))

    async def delete_revision(self, version: str) -> None:
        """Forget a revision.

        Raises:
            ConflictError: it is the one in use.
        """
        kind, controller, keeper, one = await self._revision(version)
        history = await self.workloads.history(kind, controller)
        if manifests.current_revision(controller, history) == int(version):
            raise ConflictError(f"revision {version} of {self.name!r} is in use")
        # The roles of Kubernetes let people read ControllerRevisions, not delete them.
        await self.objects.delete(
            keeper, one.metadata.name, uid=one.metadata.uid, as_ecns=keeper is CONTROLLER_REVISION
        )
