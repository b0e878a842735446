"""Who uses a ConfigMap, a Secret or a claim.

What something names is read from its pod template (`references`, pure); who counts as a user, by
`user`; `users_of` asks the watch caches, which have an index of it.

Sources: the fields of https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ that
name other objects; https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
for what does not count: pods that have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

from ecns.api.common.objects import Objects
from ecns.backends.kubernetes.clusters import Cluster
from ecns.backends.kubernetes.kinds.apps import (
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    Controller,
    ReplicaSet,
    StatefulSet,
)
from ecns.backends.kubernetes.kinds.batch import CRON_JOB, JOB, CronJob, Job
from ecns.backends.kubernetes.kinds.meta import Kind, OwnerReference, Resource
from ecns.backends.kubernetes.kinds.networking import INGRESS, Ingress
from ecns.backends.kubernetes.kinds.pods import POD, POD_ROW, Container, DriverVolume, Pod, PodSpec, Volume
from ecns.backends.kubernetes.kinds.rbac import SERVICE_ACCOUNT, ServiceAccount
from ecns.errors import ConflictError, NotFoundError

Referred = Literal["ConfigMap", "Secret", "PersistentVolumeClaim"]

_READ: tuple[Kind[Any], ...] = (
    *(DEPLOYMENT, STATEFUL_SET, DAEMON_SET, REPLICA_SET, JOB, CRON_JOB),
    *(INGRESS, SERVICE_ACCOUNT),
)
"""Kinds whose objects are read whole from the watch cache."""
_FINISHED_POD = frozenset({"Succeeded", "Failed"})
_FINISHED_JOB = frozenset({"Complete", "Failed"})
_OWNERS: Final = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet", "Job"})
"""Whose pods are told by their template."""
NAMED = 10
"""Users that a message names."""
FEW = 20
"""So many pods are asked for one by one; more in one list."""
INDEX = "reference"
"""The index of users by (namespace, kind, name) of what they use."""
BARE = "bare"
"""The index of pods without a controller that ECNS knows, by namespace."""


class Reference(NamedTuple):
    """Something that is used, in the namespace of its user."""

    kind: Referred
    name: str


class User(msgspec.Struct, frozen=True, order=True):
    """Who uses something; the kind is Kubernetes' name, such as `Deployment`."""

    kind: str
    name: str


# What is named


def references(obj: Resource) -> set[Reference]:
    """The ConfigMaps, Secrets and claims that an object names, of whatever kind it is.

    The claims that a StatefulSet has by its templates are told by `templated`: nobody names them.
    """
    found: set[Reference] = set()
    match obj:
        case Ingress():
            found = {Reference("Secret", tls.secret_name) for tls in obj.spec.tls or ()}
        case ServiceAccount():
            found = {Reference("Secret", secret.name) for secret in obj.image_pull_secrets or ()}
        case Pod():
            found = set(_pod(obj.spec))
        case CronJob():
            found = set(_pod(obj.spec.job_template.spec.template.spec))
        case Job():
            found = set(_pod(obj.spec.template.spec))
        case Controller():
            found = set(_pod(obj.spec.template.spec))
    return {one for one in found if one.name}


def templated(obj: StatefulSet, claim: str) -> bool:
    """Whether a claim is that of one of the replicas that a StatefulSet has now."""
    stem, _, number = claim.rpartition("-")
    stems = {f"{one.metadata.name}-{obj.metadata.name}" for one in obj.spec.volume_claim_templates or ()}
    replicas = 1 if obj.spec.replicas is None else obj.spec.replicas
    return stem in stems and number.isdecimal() and number.isascii() and int(number) < replicas


def _pod(spec: PodSpec) -> Iterator[Reference]:
    for secret in spec.image_pull_secrets or ():
        yield Reference("Secret", secret.name)
    for container in (*spec.containers, *(spec.init_containers or ())):
        yield from _container(container)
    for volume in spec.volumes or ():
        yield from _volume(volume)


def _container(container: Container) -> Iterator[Reference]:
    for variable in container.env or ():
        if source := variable.value_from:
            if source.config_map_key_ref:
                yield Reference("ConfigMap", source.config_map_key_ref.name)
            if source.secret_key_ref:
                yield Reference("Secret", source.secret_key_ref.name)
    for each in container.env_from or ():
        if each.config_map_ref:
            yield Reference("ConfigMap", each.config_map_ref.name)
        if each.secret_ref:
            yield Reference("Secret", each.secret_ref.name)


def _volume(volume: Volume) -> Iterator[Reference]:
    if volume.config_map:
        yield Reference("ConfigMap", volume.config_map.name)
    if volume.secret:
        yield Reference("Secret", volume.secret.secret_name)
    if volume.persistent_volume_claim:
        yield Reference("PersistentVolumeClaim", volume.persistent_volume_claim.claim_name)
    for source in (volume.projected.sources or ()) if volume.projected else ():
        if source.config_map:
            yield Reference("ConfigMap", source.config_map.name)
        if source.secret:
            yield Reference("Secret", source.secret.name)
    drivers = (volume.csi, volume.azure_file, volume.cephfs, volume.flex_volume)
    for driver in (*drivers, volume.iscsi, volume.rbd, volume.scale_io, volume.storageos):
        if driver is not None:
            yield from _driver(driver)


def _driver(driver: DriverVolume) -> Iterator[Reference]:
    for secret in (driver.secret_ref, driver.node_publish_secret_ref):
        if secret is not None:
            yield Reference("Secret", secret.name)
    yield Reference("Secret", driver.secret_name)


# Who counts


def user(obj: Resource) -> User | None:
    """As whom an object uses what it names; None when it does not use it, or not any more.

    A revision of a Deployment that still has pods counts as the Deployment. Pods count when no controller
    that ECNS knows made them. What is being deleted, has ended, or is only kept to roll back to, does not.
    """
    metadata = obj.metadata
    if metadata.deletion_timestamp is not None:
        return None
    owner = controller_of(obj)
    match obj:
        case ReplicaSet() if owner is not None and owner.kind == "Deployment":
            return User("Deployment", owner.name) if obj.spec.replicas != 0 else None
        case Job() if any(
            one.type in _FINISHED_JOB and one.status == "True" for one in obj.status.conditions or ()
        ):
            return None
        case Pod() if obj.status.phase in _FINISHED_POD or (owner is not None and owner.kind in _OWNERS):
            return None
    return User(type(obj).__name__, metadata.name)


def controller_of(obj: Resource) -> OwnerReference | None:
    """Who made an object and tends it."""
    return next((owner for owner in obj.metadata.owner_references or () if owner.controller), None)


def users(objects: Iterable[Resource]) -> dict[Reference, set[User]]:
    """By what is named, who of these objects use it."""
    found: dict[Reference, set[User]] = {}
    for obj in objects:
        if (one := user(obj)) is not None:
            for reference in references(obj):
                found.setdefault(reference, set()).add(one)
    return found


def in_use(what: str, who: Sequence[User]) -> ConflictError:
    """The refusal to delete what is used; `used_by` of its details names all who do.

    Args:
        what: such as `configmap 'x'`.
        who: the users, of whom there is one at least.
    """
    said = ", ".join(f"{one.kind} {one.name}" for one in who[:NAMED])
    more = f" and {len(who) - NAMED} more" if len(who) > NAMED else ""
    return ConflictError(
        f"{what} is used by {said}{more}; force=true deletes it all the same",
        details={"used_by": msgspec.to_builtins(list(who))},
    )


# Asking the cluster


async def users_of(objects: Objects, wanted: Iterable[Reference]) -> dict[Reference, list[User]]:
    """Who uses these in a place, in order; what nobody uses is left out.

    Raises:
        UpstreamError: the cluster does not answer.
    """
    cluster, namespace = objects.place.cluster, objects.namespace
    several = list(dict.fromkeys(wanted))
    follow(cluster)
    *caches, pods = await objects.caches(*_READ, POD_ROW)
    bare = [one.metadata.name for one in pods.index(BARE, namespace)]
    alone = users(await _pods(objects, bare))
    found = {}
    for one in several:
        using = [obj for cache in caches for obj in cache.index(INDEX, (namespace, *one))]
        if one.kind == "PersistentVolumeClaim":
            sets = caches[_READ.index(STATEFUL_SET)].namespace(namespace)
            using += [obj for obj in sets if templated(obj, one.name)]
        who = {known for obj in using if (known := user(obj)) is not None} | alone.get(one, set())
        if who:
            found[one] = sorted(who)
    return found


def follow(cluster: Cluster) -> None:
    """Let the caches of a cluster find what is used, by `INDEX` and `BARE`."""
    for kind in _READ:
        cluster.cache(kind, **{INDEX: _index})
    cluster.cache(POD_ROW, **{BARE: _bare})


def _index(obj: Resource) -> Iterator[tuple[str, str, str]]:
    if isinstance(obj, ReplicaSet) and obj.spec.replicas == 0:
        return  # an old revision: there are ten of each Deployment
    for reference in references(obj):
        yield obj.metadata.namespace, reference.kind, reference.name


def _bare(pod: Resource) -> Iterator[str]:
    owner = controller_of(pod)
    if owner is None or owner.kind not in _OWNERS:
        yield pod.metadata.namespace


async def _pods(objects: Objects, names: list[str]) -> list[Pod]:
    if len(names) > FEW:
        wanted = frozenset(names)
        listing = await objects.client.list(POD, objects.namespace)
        return [pod for pod in listing.items if pod.metadata.name in wanted]
    found = await asyncio.gather(
        *(objects.client.get(POD, name, objects.namespace) for name in names), return_exceptions=True
    )
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, NotFoundError):
            raise one
    return [one for one in found if not isinstance(one, BaseException)]
