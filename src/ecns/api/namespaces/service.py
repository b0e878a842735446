"""What the namespace operations do.

Namespaces, their labels and quotas are the cluster's, where no role of a project reaches: ECNS changes them
under its own name, and its policy alone decides who may.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ecns.api.common.checks import between, dns_label
from ecns.api.common.lists import ListQuery, Selection, select
from ecns.api.namespaces import manifests
from ecns.api.namespaces.types import (
    UNLIMITED,
    ClusterSelector,
    ListedClusterType,
    Namespace,
    NamespaceBase,
    ProjectSelector,
    Quota,
    QuotaStatus,
    Removed,
    SecurityPolicy,
    User,
)
from ecns.api.virtualmachines import manifests as machines
from ecns.backends.kubernetes.client import Patch
from ecns.backends.kubernetes.errors import NotServedError
from ecns.backends.kubernetes.kinds import core
from ecns.backends.kubernetes.kinds.apps import DAEMON_SET, DEPLOYMENT, STATEFUL_SET
from ecns.backends.kubernetes.kinds.core import NAMESPACE, RESOURCE_QUOTA
from ecns.backends.kubernetes.kinds.extensions import APPLICATION
from ecns.backends.kubernetes.kinds.meta import Kind
from ecns.errors import BadRequestError, ConflictError, EcnsError, ForbiddenError, NotFoundError
from ecns.identity.place import (
    BUSINESS_TYPE_LABEL,
    PROJECT_LABEL,
    PROJECT_NAME_ANNOTATION,
    SYSTEM_NAMESPACES,
    USERS_ANNOTATION,
    bind_project,
)

if TYPE_CHECKING:
    from ecns.backends.kubernetes.clusters import Cluster
    from ecns.backends.openstack.keystone import Keystone
    from ecns.identity.caller import Caller
    from ecns.identity.place import Places, Visible
    from ecns.identity.policy import Policy

COUNTED: tuple[Kind[Any], ...] = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)
LARGEST = 2**31 - 1
"""Of a limit: 2 PiB of memory and 2 EiB of storage; Kubernetes cuts what is beyond 8 EiB."""


class Namespaces:
    """The namespaces that one caller may see and manage, for one request."""

    def __init__(self, places: Places, policy: Policy, keystone: Keystone, caller: Caller) -> None:
        self.places = places
        self.policy = policy
        self.keystone = keystone
        self.caller = caller

    # Reading

    async def page(
        self, query: ListQuery, cluster_type: ListedClusterType, business_type: str | None
    ) -> tuple[Selection, list[Namespace], list[str]]:
        """The namespaces of the clusters of a type, and the names of clusters that did not answer.

        Raises:
            ForbiddenError: CLOUD_ALL is for cloud administrators.
        """
        if cluster_type == "CLOUD_ALL" and not self.policy.is_cloud_admin(self.caller):
            raise ForbiddenError("CLOUD_ALL is for cloud administrators")
        visible = await self.places.visible(self.caller)
        wanted = {"PROJECT_ALL", "CLOUD_ALL"}
        chosen = [seen for seen in visible if cluster_type in wanted or seen.cluster.type == cluster_type]
        own = cluster_type == "PROJECT_ALL"
        found = [
            (seen.cluster, namespace)
            for seen in chosen
            for namespace in seen.namespaces
            if _matches(namespace, business_type)
            and (not own or _project(namespace) == self.caller.project_id)
        ]
        found.sort(key=lambda one: one[1].metadata.creation_timestamp or "", reverse=True)
        selection = select(found, query, metadata=lambda one: one[1].metadata)
        shown = await asyncio.gather(*(self._shown(*one) for one in selection.items))
        return selection, list(shown), [seen.cluster.name for seen in chosen if seen.error]

    async def tree(self, business_type: str | None) -> tuple[list[ProjectSelector], list[str]]:
        """What the caller may choose from, and the names of the clusters that did not answer."""
        visible = await self.places.visible(self.caller)
        names: dict[str, str] = {self.caller.project_id: self.caller.project_name}
        chosen: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for seen in visible:
            chosen[self.caller.project_id][seen.cluster.name] = []
        for seen in visible:
            for namespace in seen.namespaces:
                project_id = _project(namespace)
                if project_id and _matches(namespace, business_type):
                    chosen[project_id][seen.cluster.name].append(namespace.metadata.name)
                    annotations = namespace.metadata.annotations or {}
                    names.setdefault(project_id, annotations.get(PROJECT_NAME_ANNOTATION, ""))
        if self.policy.is_cloud_admin(self.caller) and not all(names.values()):
            names |= await self._project_names()
        projects = [
            ProjectSelector(
                project_name=names.get(project_id, ""),
                project_id=project_id,
                clusters=_selectors(visible, clusters),
            )
            for project_id, clusters in chosen.items()
        ]
        projects.sort(key=lambda project: (project.project_name, project.project_id))
        return projects, [seen.cluster.name for seen in visible if seen.error]

    async def quota(self, cluster_name: str, name: str) -> QuotaStatus:
        """A namespace's limits and what is used of them.

        Raises:
            NotFoundError: the namespace is not there for this caller.
        """
        cluster, _ = await self._find(cluster_name, name)
        return manifests.quota_status(await self._quota(cluster, name))

    async def _shown(self, cluster: Cluster, namespace: core.Namespace) -> Namespace:
        try:
            cache = cluster.cache(RESOURCE_QUOTA)
            await cache.ready()
            resource_quota = cache.get(manifests.QUOTA_NAME, namespace.metadata.name)
        except EcnsError:
            resource_quota = None
        return manifests.namespace(
            namespace, resource_quota, cluster_name=cluster.name, cluster_type=cluster.type
        )

    async def _quota(self, cluster: Cluster, name: str) -> core.ResourceQuota | None:
        try:
            return await cluster.client.get(RESOURCE_QUOTA, manifests.QUOTA_NAME, name)
        except NotFoundError:
            return None

    async def _project_names(self) -> dict[str, str]:
        """Names by id; without them the tree shows ids, which is better than no tree."""
        try:
            projects = await self.keystone.projects(self.caller.token)
        except EcnsError:
            return {}
        return {project.id: project.name for project in projects}

    async def _find(self, cluster_name: str, name: str) -> tuple[Cluster, core.Namespace]:
        cluster = self.places.cluster(self.caller, cluster_name)
        return cluster, await self.places.namespace(self.caller, cluster, name)

    async def _manageable(self, cluster_name: str, name: str) -> tuple[Cluster, core.Namespace]:
        """A namespace that the caller may change.

        Raises:
            ForbiddenError: it is the system's.
            NotFoundError: it is not there for this caller.
        """
        if name in SYSTEM_NAMESPACES:
            raise ForbiddenError(f"namespace {name!r} is the system's")
        cluster, found = await self._find(cluster_name, name)
        if not _project(found):
            raise ForbiddenError(f"namespace {name!r} belongs to no project; ECNS does not manage it")
        return cluster, found

    # Changing

    async def create(self, namespace: Namespace) -> Namespace:
        """Make a namespace of a project, with its limits and the rights of the project's people.

        Raises:
            BadRequestError: the name, the cluster's type, a limit or a user is wrong.
            ForbiddenError: the project is another one, or the name is the system's.
            ConflictError: there is one of this name.
        """
        base = self._complete(namespace.namespace_base)
        namespace.namespace_base = base
        _check_users(base.user_ids or [], "namespace.namespace_base.user_ids")
        if namespace.quota is not None:
            _check_quota(namespace.quota, "namespace.quota")
        cluster = self.places.cluster(self.caller, base.cluster_name)
        made = await cluster.client.create(NAMESPACE, manifests.namespace_object(namespace))
        cluster.cache(NAMESPACE).fold(made)
        try:
            await bind_project(cluster, made)
            if namespace.quota is not None and manifests.hard(namespace.quota):
                await self._apply_quota(cluster, base.name, namespace.quota)
        except EcnsError:
            await cluster.client.delete(NAMESPACE, base.name, uid=made.metadata.uid)
            await cluster.cache(NAMESPACE).refresh(base.name)
            raise
        return await self._shown(cluster, made)

    def _complete(self, base: NamespaceBase) -> NamespaceBase:
        dns_label(base.name, "namespace.namespace_base.name")
        if base.name in SYSTEM_NAMESPACES or base.name.startswith("kube-"):
            raise ForbiddenError(f"namespace {base.name!r} is the system's")
        cluster = self.places.cluster(self.caller, base.cluster_name)
        if base.cluster_type not in {None, cluster.type}:
            raise BadRequestError(
                f"cluster {cluster.name!r} is of type {cluster.type}",
                field="namespace.namespace_base.cluster_type",
            )
        caller = self.caller
        base.project_id = base.project_id or caller.project_id
        if base.project_id == caller.project_id:
            base.project, base.domain = caller.project_name, caller.project_domain_name
        elif not self.policy.is_cloud_admin(caller):
            raise ForbiddenError("a namespace can be made for the project of the token only")
        return base

    async def delete(self, cluster_name: str, name: str) -> Removed:
        """Delete a namespace and everything in it; the answer says how much that was.

        Raises:
            ForbiddenError: it is the system's, or no project's.
            NotFoundError: it is not there for this caller.
            ConflictError: applications in it have virtual machines, which would stay in the cloud.
        """
        cluster, found = await self._manageable(cluster_name, name)
        await self._without_machines(cluster, name)
        caches = [cluster.cache(kind) for kind in COUNTED]
        await asyncio.gather(*(cache.ready() for cache in caches))
        removed = {kind.kind: len(cache.namespace(name)) for kind, cache in zip(COUNTED, caches, strict=True)}
        await cluster.client.delete(NAMESPACE, name, uid=found.metadata.uid)
        await cluster.cache(NAMESPACE).refresh(name)
        return Removed(removed={kind: count for kind, count in removed.items() if count})

    @staticmethod
    async def _without_machines(cluster: Cluster, name: str) -> None:
        try:
            found = (await cluster.client.list(APPLICATION, name)).items
        except NotServedError:
            return
        if hybrid := [one.metadata.name for one in found if machines.definitions(one)]:
            raise ConflictError(
                f"namespace {name!r}: application {hybrid[0]!r} has virtual machines, which would stay in the"
                " cloud: delete it first",
                details={"applications": hybrid},
            )

    async def set_security_policy(self, cluster_name: str, name: str, policy: SecurityPolicy) -> None:
        """Say what pods of a namespace may do to their nodes."""
        cluster, _ = await self._manageable(cluster_name, name)
        await self._patch(cluster, name, {"labels": manifests.security_labels(policy)})

    async def set_users(self, cluster_name: str, name: str, users: list[User]) -> None:
        """Say who of the project may see a namespace; nobody named means everybody."""
        _check_users(users, "user_ids")
        cluster, _ = await self._manageable(cluster_name, name)
        kept = manifests.users_annotation(users) if users else None
        changed = await self._patch(cluster, name, {"annotations": {USERS_ANNOTATION: kept}})
        await bind_project(cluster, changed)

    async def set_quota(self, cluster_name: str, name: str, quota: Quota) -> None:
        """Set a namespace's limits; those not named stay, -1 takes one away."""
        _check_quota(quota, "quota")
        cluster, _ = await self._manageable(cluster_name, name)
        present = await self._quota(cluster, name)
        limits = manifests.quota(present.spec.hard if present else None)
        for field in quota.__struct_fields__:
            if (value := getattr(quota, field)) is not None:
                setattr(limits, field, value)
        await self._apply_quota(cluster, name, limits)

    async def _apply_quota(self, cluster: Cluster, name: str, quota: Quota) -> None:
        patch = Patch.apply(manifests.quota_object(quota, name), force=True)
        applied = await cluster.client.patch(RESOURCE_QUOTA, manifests.QUOTA_NAME, name, patch)
        cluster.cache(RESOURCE_QUOTA).fold(applied)

    async def _patch(self, cluster: Cluster, name: str, metadata: dict[str, Any]) -> core.Namespace:
        changed = await cluster.client.patch(NAMESPACE, name, "", Patch.merge({"metadata": metadata}))
        cluster.cache(NAMESPACE).fold(changed)
        return changed


def _check_users(users: list[User], at: str) -> None:
    for place, user in enumerate(users):
        if not user.id:
            raise BadRequestError(f"{at}[{place}].id: is needed", field=f"{at}[{place}].id")


def _check_quota(quota: Quota, at: str) -> None:
    for name in quota.__struct_fields__:
        if (value := getattr(quota, name)) is not None:
            between(value, UNLIMITED, LARGEST, f"{at}.{name}")


def _project(namespace: core.Namespace) -> str:
    return (namespace.metadata.labels or {}).get(PROJECT_LABEL, "")


def _matches(namespace: core.Namespace, business_type: str | None) -> bool:
    labels = namespace.metadata.labels or {}
    return business_type is None or labels.get(BUSINESS_TYPE_LABEL, "Normal") == business_type


def _selectors(visible: list[Visible], namespaces: dict[str, list[str]]) -> list[ClusterSelector]:
    return [
        ClusterSelector(
            cluster_name=seen.cluster.name,
            cluster_addr=seen.cluster.addr,
            cluster_type=seen.cluster.type,
            namespaces=namespaces[seen.cluster.name],
        )
        for seen in visible
        if seen.cluster.name in namespaces
    ]
