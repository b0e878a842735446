"""Where a request acts: a cluster and a namespace that the caller may see; the one place that decides it.

Source: decisions, "Place: cluster and namespace"; reference chapter 1.12 (switch, tree).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from ecns.backends.kubernetes.access import (
    CLOUD_ADMIN_GROUP,
    bind,
    bind_cloud_admins,
    project_group,
    user_group,
)
from ecns.backends.kubernetes.client import Actor, Bearer, Impersonation
from ecns.backends.kubernetes.clusters import Cluster, Clusters
from ecns.backends.kubernetes.kinds.core import NAMESPACE, Namespace, PersistentVolume
from ecns.backends.kubernetes.kinds.meta import ObjectMeta
from ecns.errors import (
    BadRequestError,
    ConflictError,
    EcnsError,
    ForbiddenError,
    NotFoundError,
    UpstreamUnavailableError,
)
from ecns.identity.caller import Caller

if TYPE_CHECKING:
    from ecns.backends.memory import Memory
    from ecns.identity.policy import Policy

PROJECT_LABEL = "ecns.easystack.com/project-id"
BUSINESS_TYPE_LABEL = "ecns.easystack.com/business-type"
USERS_ANNOTATION = "ecns.easystack.com/user-ids"
ROLES_ANNOTATION = "ecns.easystack.com/roles"
DOMAIN_NAME_ANNOTATION = "ecns.easystack.com/domain"
PROJECT_NAME_ANNOTATION = "ecns.easystack.com/project"

DOUBT_SECONDS = 600
"""So long a request whose answer was an error may be repeated though it was done."""

SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})


class Place(msgspec.Struct, frozen=True):
    """A cluster and a namespace, as one caller may use them."""

    caller: Caller
    cluster: Cluster
    namespace: str
    """Empty: the whole cluster."""
    actor: Actor | None
    """As whom changes are made; None where the cluster does not allow impersonation."""
    places: Places
    """Who made it, and remembers what is written in it."""
    written: dict[str, int]
    """By resource, the newest resourceVersion this caller wrote here: nothing older is shown to them."""


class Visible(msgspec.Struct, frozen=True):
    """The namespaces of one cluster that a caller may see; `error` when the cluster did not answer."""

    cluster: Cluster
    namespaces: list[Namespace]
    error: EcnsError | None = None


class _Session(msgspec.Struct):
    """What is remembered for a token."""

    cluster: str = ""
    namespace: str = ""
    written: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    """By cluster and resource."""


class Places:
    """Finds and remembers where a caller works.

    Args:
        clusters: the registered clusters.
        sessions: what is remembered for each token, shared by all replicas.
        policy: tells cloud administrators and readers.
    """

    def __init__(self, clusters: Clusters, sessions: Memory, policy: Policy) -> None:
        self.clusters = clusters
        self.sessions = sessions
        self.policy = policy
        self._names: dict[str, tuple[str, str]] = {}
        """By id, the names of the domain and the project of those who have called."""

    @property
    def known(self) -> int:
        """So many projects are known by their names; what `whose` says may change with it."""
        return len(self._names)

    def whose(self, namespace: Namespace | None) -> tuple[str, str]:
        """The names of the domain and the project that a namespace belongs to, as far as they are known."""
        metadata = namespace.metadata if namespace else ObjectMeta()
        annotations = metadata.annotations or {}
        domain, project = self._names.get((metadata.labels or {}).get(PROJECT_LABEL, ""), ("", ""))
        return (
            annotations.get(DOMAIN_NAME_ANNOTATION) or domain,
            annotations.get(PROJECT_NAME_ANNOTATION) or project,
        )

    def may_use(self, caller: Caller, cluster: Cluster) -> bool:
        """Whether a cluster is open to the caller's project."""
        if self.policy.is_cloud_admin(caller):
            return True
        return "*" in cluster.projects or caller.project_id in cluster.projects

    def may_see(self, caller: Caller, namespace: Namespace) -> bool:
        """Whether a namespace is the caller's project's, and open to this user and role."""
        if self.policy.is_cloud_admin(caller):
            return True
        metadata = namespace.metadata
        if metadata.name in SYSTEM_NAMESPACES or not caller.project_id:
            return False
        if (metadata.labels or {}).get(PROJECT_LABEL) != caller.project_id:
            return False
        if self.policy.is_project_admin(caller):
            return True
        users = _listed(metadata.annotations, USERS_ANNOTATION)
        if users and caller.user_id not in users:
            return False
        roles = _listed(metadata.annotations, ROLES_ANNOTATION)
        return not roles or ("Developer" if self.policy.is_member(caller) else "Visitor") in roles

    def project(self, place: Place) -> str:
        """The id of the project of a place's namespace, as far as that is known; empty: none."""
        found = place.cluster.cache(NAMESPACE).get(place.namespace)
        return ((found.metadata.labels if found else None) or {}).get(PROJECT_LABEL, "")

    def own_project(self, place: Place) -> bool:
        """Whether a place's namespace is of the project of the caller's token, as far as that is known."""
        return self.project(place) == place.caller.project_id

    def sees(self, place: Place, namespace: str) -> bool:
        """Whether the caller of a place may see another namespace of its cluster, as far as that is known."""
        found = place.cluster.cache(NAMESPACE).get(namespace)
        return found is not None and self.may_see(place.caller, found)

    def may_see_volume(self, caller: Caller, cluster: Cluster, volume: PersistentVolume) -> bool:
        """Whether a volume is that of a claim in a namespace the caller may see; administrators see all.

        Not one that was released before the namespace was made: it was another's of the same name.
        """
        if self.policy.is_cloud_admin(caller):
            return True
        claim = volume.spec.claim_ref
        namespace = cluster.cache(NAMESPACE).get(claim.namespace) if claim is not None else None
        if namespace is None or not self.may_see(caller, namespace):
            return False
        since = volume.status.last_phase_transition_time or volume.metadata.creation_timestamp or ""
        return since >= (namespace.metadata.creation_timestamp or "")

    async def visible(self, caller: Caller) -> list[Visible]:
        """All clusters and namespaces that a caller may see; one that is down comes with its error."""

        async def of(cluster: Cluster) -> Visible:
            try:
                return Visible(cluster, await self.namespaces(caller, cluster))
            except EcnsError as error:
                return Visible(cluster, [], error)

        return list(await asyncio.gather(*(of(cluster) for cluster in self.usable(caller))))

    async def namespaces(self, caller: Caller, cluster: Cluster) -> list[Namespace]:
        """The namespaces of a cluster that a caller may see, by name.

        Raises:
            UpstreamError: the cluster does not answer.
        """
        cache = cluster.cache(NAMESPACE)
        await cache.ready()
        seen = [namespace for namespace in cache.namespace("") if self.may_see(caller, namespace)]
        return sorted(seen, key=lambda namespace: namespace.metadata.name)

    def usable(self, caller: Caller) -> list[Cluster]:
        """The clusters that are open to the caller's project."""
        return [cluster for cluster in self.clusters if self.may_use(caller, cluster)]

    async def resolve(self, caller: Caller, *, cluster: str = "", namespace: str = "") -> Place:
        """The place for one request: what it names, else what was switched to, else the only one there is.

        Raises:
            BadRequestError: there are several places and none was chosen.
            NotFoundError: the cluster or namespace is not there for this caller.
            UpstreamError: the cluster does not answer.
        """
        session = await self._session(caller)
        self._names[caller.project_id] = (caller.project_domain_name, caller.project_name)
        if not cluster and namespace in {"", session.namespace}:
            cluster, namespace = session.cluster, session.namespace
        elif not namespace and session.cluster and self.cluster(caller, cluster).name == session.cluster:
            namespace = session.namespace
        if not cluster or not namespace:
            cluster, namespace = await self._only(caller, cluster, namespace)
        found = self.cluster(caller, cluster)
        await self.namespace(caller, found, namespace)
        return Place(
            caller=caller,
            cluster=found,
            namespace=namespace,
            actor=self.actor(caller, found),
            places=self,
            written=session.written.get(found.name, {}),
        )

    def cluster(self, caller: Caller, name: str) -> Cluster:
        """The registered cluster of this name or API server address.

        Raises:
            NotFoundError: there is none that the caller may use.
        """
        for cluster in self.clusters:
            if name in {cluster.name, cluster.addr} and self.may_use(caller, cluster):
                return cluster
        raise NotFoundError(f"cluster {name!r} is not there")

    async def current_cluster(self, caller: Caller, name: str = "") -> Cluster:
        """The cluster that is named, else the one that was switched to, else the only one there is.

        Raises:
            BadRequestError: there are several and none was chosen.
            NotFoundError: it is not there for this caller.
        """
        if named := name or (await self._session(caller)).cluster:
            return self.cluster(caller, named)
        usable = self.usable(caller)
        return usable[0] if len(usable) == 1 else (await self.resolve(caller)).cluster

    async def whole(self, caller: Caller, cluster: Cluster, *, as_caller: bool = False) -> Place:
        """A whole cluster, for what belongs to no namespace.

        Args:
            caller: who.
            cluster: which.
            as_caller: changes are made as the caller, otherwise in ECNS's own name.
        """
        session = await self._session(caller)
        self._names[caller.project_id] = (caller.project_domain_name, caller.project_name)
        return Place(
            caller=caller,
            cluster=cluster,
            namespace="",
            actor=self.actor(caller, cluster) if as_caller else None,
            places=self,
            written=session.written.get(cluster.name, {}),
        )

    async def beside(self, place: Place, namespace: str) -> Place:
        """Another namespace of the same cluster.

        Raises:
            NotFoundError: it is not there for this caller.
        """
        if namespace == place.namespace:
            return place
        await self.namespace(place.caller, place.cluster, namespace)
        return msgspec.structs.replace(place, namespace=namespace)

    async def switch(self, caller: Caller, project_id: str, cluster: str, namespace: str) -> Place:
        """Make a namespace the current one of this token.

        Raises:
            NotFoundError: it is not there for this caller, or not the project's.
        """
        found = self.cluster(caller, cluster)
        session = await self._session(caller)
        there = await self.namespace(caller, found, namespace)
        if (there.metadata.labels or {}).get(PROJECT_LABEL) != project_id:
            raise NotFoundError(f"namespace {namespace!r} is not there")
        session.cluster, session.namespace = found.name, namespace
        await self._remember(caller, session)
        return await self.resolve(caller, cluster=found.name, namespace=namespace)

    async def writing(self, place: Place) -> None:
        """Make ready for a change as the caller: the namespace's RoleBindings stand in the cluster.

        Raises:
            ForbiddenError: the namespace is the system's.
            ConflictError: it is being deleted, and its RoleBindings with it; administrators may go on.
            UpstreamError: the cluster refuses or does not answer.
        """
        if place.namespace in SYSTEM_NAMESPACES:
            raise ForbiddenError(f"namespace {place.namespace!r} is the system's")
        namespace = place.cluster.cache(NAMESPACE).get(place.namespace)
        ending = namespace is not None and namespace.metadata.deletion_timestamp is not None
        if ending and not self.policy.is_cloud_admin(place.caller):
            raise ConflictError(f"namespace {place.namespace!r} is being deleted")
        await self.reading(place)

    async def reading(self, place: Place) -> None:
        """Make ready for reading as the caller.

        Raises:
            UpstreamError: the cluster refuses or does not answer.
        """
        if place.namespace in SYSTEM_NAMESPACES:
            return
        if (namespace := place.cluster.cache(NAMESPACE).get(place.namespace)) is not None:
            await bind_project(place.cluster, namespace)

    async def wrote(self, place: Place, resource: str, resource_version: str) -> None:
        """Remember the newest state of a resource that the caller has written, for all replicas.

        What was written stays written when that cannot be.
        """
        if not resource_version.isdigit():
            return
        version = int(resource_version)
        place.written[resource] = max(version, place.written.get(resource, 0))
        with contextlib.suppress(UpstreamUnavailableError):
            session = await self._session(place.caller)
            written = session.written.setdefault(place.cluster.name, {})
            if version > written.get(resource, 0):
                written[resource] = version
                await self._remember(place.caller, session)

    async def doubt(self, place: Place, request: str) -> None:
        """Remember that a request may have been done though its answer was an error, for all replicas."""
        await self.sessions.set(_doubted(place, request), b"?", expires_in=DOUBT_SECONDS)

    async def doubted(self, place: Place, request: str) -> bool:
        """Whether a request may have been done though its answer was an error; asking it settles that."""
        if await self.sessions.get(name := _doubted(place, request)) is None:
            return False
        await self.sessions.delete(name)
        return True

    def actor(self, caller: Caller, cluster: Cluster) -> Actor | None:
        """Whom the cluster sees: the user by id, and the group of their right in their project."""
        if cluster.auth == "keystone-token":
            return Bearer(caller.token)
        if not cluster.impersonate:
            return None
        if self.policy.is_cloud_admin(caller):
            groups: tuple[str, ...] = (CLOUD_ADMIN_GROUP,)
        else:
            right = "member" if self.policy.is_member(caller) else "reader"
            if self.policy.is_project_admin(caller):
                right = "admin"
            groups = (project_group(caller.project_id, right), user_group(caller.user_id, right))
        return Impersonation(user=f"ecns:user:{caller.user_id}", groups=(*groups, "system:authenticated"))

    async def namespace(self, caller: Caller, cluster: Cluster, name: str) -> Namespace:
        """A namespace of a cluster.

        Raises:
            NotFoundError: it is not there for this caller.
            UpstreamError: the cluster does not answer.
        """
        cache = cluster.cache(NAMESPACE)
        await cache.ready()
        found = cache.get(name)
        if found is None:
            found = await cache.refresh(name)
        if found is None or not self.may_see(caller, found):
            raise NotFoundError(f"namespace {name!r} is not there")
        return found

    async def _only(self, caller: Caller, cluster: str, namespace: str) -> tuple[str, str]:
        if cluster:
            self.cluster(caller, cluster)
        visible = await self.visible(caller)
        choices = [
            (seen.cluster.name, found.metadata.name)
            for seen in visible
            for found in seen.namespaces
            if cluster in {"", seen.cluster.name, seen.cluster.addr}
            and namespace in {"", found.metadata.name}
            and (namespace or PROJECT_LABEL in (found.metadata.labels or {}))
        ]
        if len(choices) == 1:
            return choices[0]
        if not choices:
            errors = [seen.error for seen in visible if seen.error]
            if errors:
                raise errors[0]
            if namespace:
                raise NotFoundError(f"namespace {namespace!r} is not there")
            raise BadRequestError("there is no namespace that you may use; ask an administrator for one")
        raise BadRequestError(
            "choose a namespace: switch with GET …/namespace/<project_id>/cluster/<cluster>/ns/<name>/, "
            "or send the headers X-Ecns-Cluster and X-Ecns-Namespace",
            field="X-Ecns-Namespace",
        )

    async def _session(self, caller: Caller) -> _Session:
        stored = await self.sessions.get(f"ecns:{caller.token_digest}")
        return msgspec.json.decode(stored, type=_Session) if stored else _Session()

    async def _remember(self, caller: Caller, session: _Session) -> None:
        left = max(1, int(caller.expires_at - time.time()))
        await self.sessions.set(f"ecns:{caller.token_digest}", msgspec.json.encode(session), expires_in=left)


def _doubted(place: Place, request: str) -> str:
    return f"doubt:{place.cluster.name}/{place.namespace}/{request}"


def _listed(annotations: dict[str, str] | None, key: str) -> list[str]:
    """The names, or the ids of the objects, of a JSON list in an annotation; junk names nobody."""
    text = (annotations or {}).get(key, "")
    if not text:
        return []
    try:
        listed = json.loads(text)
    except ValueError:
        return [text]
    if not isinstance(listed, list):
        return [text]
    return [str(entry.get("id", "")) if isinstance(entry, dict) else str(entry) for entry in listed]


async def bind_project(cluster: Cluster, namespace: Namespace) -> None:
    """Give the people of a namespace's project their rights in it; a namespace of no project has none.

    Only where changes are made as the caller by impersonation: elsewhere nobody is in these groups.

    Raises:
        UpstreamError: the cluster refuses or does not answer.
    """
    if not cluster.impersonate:
        return
    metadata = namespace.metadata
    if project_id := (metadata.labels or {}).get(PROJECT_LABEL):
        await bind(cluster, namespace, project_id, _listed(metadata.annotations, USERS_ANNOTATION))


async def seed(cluster: Cluster, namespaces: Mapping[str, tuple[str, str]]) -> None:
    """Make namespaces of projects, where there are none of their names yet; cloud administrators may do all.

    Args:
        cluster: where.
        namespaces: by name, the id and the name of the project.

    Raises:
        UpstreamError: the cluster does not answer.
    """
    for name, (project_id, project_name) in namespaces.items():
        namespace = {
            "apiVersion": NAMESPACE.api_version,
            "kind": NAMESPACE.kind,
            "metadata": {
                "name": name,
                "labels": {PROJECT_LABEL: project_id},
                "annotations": {PROJECT_NAME_ANNOTATION: project_name},
            },
        }
        with contextlib.suppress(ConflictError):
            await cluster.client.create(NAMESPACE, namespace)
    await bind_cloud_admins(cluster)
