"""The uniqueness check: whether a name is taken where something is to be made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ecns.api.common.objects import Objects
from ecns.api.virtualmachines.service import VirtualMachines
from ecns.backends.kubernetes.errors import NotServedError
from ecns.backends.kubernetes.kinds import apps, batch, configuration, core, extensions, networking, storage
from ecns.backends.kubernetes.kinds.meta import Kind
from ecns.errors import BadRequestError, NotFoundError

if TYPE_CHECKING:
    from ecns.backends.kubernetes.clusters import Cluster
    from ecns.backends.openstack.cloud import OpenStack
    from ecns.config import ClusterType
    from ecns.identity.caller import Caller
    from ecns.identity.place import Places
    from ecns.identity.policy import Policy
    from ecns.identity.workspaces import Workspaces

_KINDS: dict[str, Kind[Any]] = {
    "Application": extensions.APPLICATION,
    "Deployment": apps.DEPLOYMENT,
    "StatefulSet": apps.STATEFUL_SET,
    "DaemonSet": apps.DAEMON_SET,
    "Job": batch.JOB,
    "Cronjob": batch.CRON_JOB,
    "PVC": core.PERSISTENT_VOLUME_CLAIM,
    "Configmap": configuration.CONFIG_MAP,
    "Secret": configuration.SECRET,
    "Service": core.SERVICE,
    "Ingress": networking.INGRESS,
}
_OF_CLUSTERS = ("Namespace", "StorageClass", "PV")
"""What is in no namespace; the last two are ours on top."""

TYPES = [*_KINDS, "VirtualMachine", *_OF_CLUSTERS, "HarborProject"]
_BY_LOWER = {name.lower(): name for name in TYPES}


class Uniqueness:
    """Asks for one caller whether names are taken."""

    def __init__(
        self, places: Places, workspaces: Workspaces, openstack: OpenStack, policy: Policy, caller: Caller
    ) -> None:
        self.places = places
        self.workspaces = workspaces
        self.openstack = openstack
        self.policy = policy
        self.caller = caller

    async def exists(
        self, resource_type: str, name: str, *, cluster: str, cluster_type: ClusterType | None, namespace: str
    ) -> bool:
        """Whether there is one of this type and name.

        Args:
            resource_type: one of `TYPES`, in any case.
            name: of the resource.
            cluster: its name or address; empty: the caller's place.
            cluster_type: for what is in no namespace, any cluster of this type.
            namespace: where; empty: the caller's place.

        Raises:
            BadRequestError: the type is unknown.
            NotFoundError: the cluster or namespace is not there for this caller.
            NotSupportedError: the type's own service is not part of this installation.
            ForbiddenError: virtual machines of a namespace of another project than the token's.
        """
        known = _BY_LOWER.get(resource_type.lower())
        if known is None:
            raise BadRequestError(f"{resource_type!r} is none of the types {', '.join(TYPES)}", field="type")
        if known == "HarborProject":
            return await self.workspaces.taken(self.caller, name)
        if known in _OF_CLUSTERS:
            ask = {
                "Namespace": self._namespace_exists,
                "StorageClass": self._class_exists,
                "PV": self._volume_exists,
            }[known]
            found = await asyncio.gather(
                *(ask(one, name) for one in await self._clusters(cluster, cluster_type))
            )
            return any(found)
        place = await self.places.resolve(self.caller, cluster=cluster, namespace=namespace)
        if known == "VirtualMachine":
            return await VirtualMachines(Objects(place, self.places), self.openstack).exists(name)
        try:
            await place.cluster.client.get(_KINDS[known], name, place.namespace)
        except (NotFoundError, NotServedError):
            return False
        return True

    async def _clusters(self, name: str, cluster_type: ClusterType | None) -> list[Cluster]:
        if name or cluster_type is None:
            found = await self.places.current_cluster(self.caller, name)
            if cluster_type not in {None, found.type}:
                raise BadRequestError(f"cluster {found.name!r} is of type {found.type}", field="cluster_type")
            return [found]
        return [one for one in self.places.usable(self.caller) if one.type == cluster_type]

    async def _namespace_exists(self, cluster: Cluster, name: str) -> bool:
        """Namespaces are one world for all projects, so who may make one learns that a name is taken.

        Everybody else learns only of those that they may see.
        """
        try:
            if not self.policy.is_project_admin(self.caller):
                await self.places.namespace(self.caller, cluster, name)
            else:
                await cluster.client.get(core.NAMESPACE, name)
        except NotFoundError:
            return False
        return True

    async def _class_exists(self, cluster: Cluster, name: str) -> bool:
        """Everybody who may use a cluster sees its classes."""
        try:
            await cluster.client.get(storage.STORAGE_CLASS, name)
        except NotFoundError:
            return False
        return True

    async def _volume_exists(self, cluster: Cluster, name: str) -> bool:
        """Volumes are told to those who may see them."""
        try:
            volume = await cluster.client.get(core.PERSISTENT_VOLUME, name)
        except NotFoundError:
            return False
        await self.places.namespaces(self.caller, cluster)
        return self.places.may_see_volume(self.caller, cluster, volume)
