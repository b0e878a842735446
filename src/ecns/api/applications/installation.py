"""Makes a cluster able to keep applications: its kind, and the right of a project's people to it.

Both stand in `definition.yaml` and are made with ECNS's own rights when the first application is made.
Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/,
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any
from weakref import WeakKeyDictionary

import yaml

from ecns.backends.kubernetes.client import Impersonation, Patch
from ecns.backends.kubernetes.clusters import Cluster
from ecns.backends.kubernetes.errors import NotServedError
from ecns.backends.kubernetes.kinds.extensions import (
    APPLICATION,
    CUSTOM_RESOURCE_DEFINITION,
    CustomResourceDefinition,
)
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind
from ecns.errors import ConflictError, NotSupportedError, UpstreamError, UpstreamTimeoutError
from ecns.identity.place import Place

PATIENCE = 10.0
"""Seconds for the cluster to serve a new kind, or to take in a new role; both take it well under one."""
INTERVAL = 0.05

_CLUSTER_ROLE = Kind[JsonObject](
    "rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", dict, namespaced=False
)
_REVIEW = Kind[JsonObject](
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    dict,
    namespaced=False,
)

_allowed: WeakKeyDictionary[Cluster, set[tuple[str, str]]] = WeakKeyDictionary()
"""By cluster, namespaces and users that are known to have the right."""


@functools.cache
def documents() -> tuple[JsonObject, ...]:
    """The objects of `definition.yaml`."""
    text = (files("ecns.api.applications") / "definition.yaml").read_text()
    return tuple(yaml.load_all(text, Loader=yaml.CSafeLoader))


async def ensure(place: Place) -> None:
    """Make sure that the caller can make applications in a place that is ready for writing.

    Raises:
        NotSupportedError: something is missing there, and ECNS may not make it; the message names the right.
        UpstreamError: the cluster does not answer, or does not take the definition.
    """
    if not await _served(place.cluster):
        await _define(place.cluster)
    await _allow(place)


async def _served(cluster: Cluster) -> bool:
    """Whether the cluster serves the kind at this moment; its cache may not know yet that it does not."""
    try:
        await cluster.client.request("GET", APPLICATION.path(), query=(("limit", "1"),))
    except NotServedError:
        return False
    return True


async def _define(cluster: Cluster) -> None:
    definition, *_ = documents()
    try:
        await cluster.client.create(CUSTOM_RESOURCE_DEFINITION, definition)
    except ConflictError:
        pass  # somebody else was quicker, or it is not served yet
    except UpstreamError as error:
        raise _without(cluster, error, f"create {CUSTOM_RESOURCE_DEFINITION.resource}") from error
    name = definition["metadata"]["name"]

    async def served() -> bool:
        _check(cluster, await cluster.client.get(CUSTOM_RESOURCE_DEFINITION, name))
        return await _served(cluster)

    if not await _soon(served):
        raise UpstreamTimeoutError(
            f"cluster {cluster.name} does not serve {name} within {PATIENCE:g} s of its definition",
            upstream=f"cluster {cluster.name}",
        )


def _check(cluster: Cluster, definition: CustomResourceDefinition) -> None:
    for condition in definition.status.conditions or ():
        if condition.type == "NamesAccepted" and condition.status == "False":
            raise UpstreamError(
                f"cluster {cluster.name} cannot serve {definition.metadata.name}: {condition.message}",
                upstream=f"cluster {cluster.name}",
            )
    served = [version.name for version in definition.spec.versions if version.served]
    if APPLICATION.version not in served:
        raise NotSupportedError(
            f"cluster {cluster.name}: its {definition.metadata.name} has no version {APPLICATION.version}"
        )


async def _allow(place: Place) -> None:
    """Make sure that whom the cluster sees may make applications; by roles that join those it has."""
    actor = place.actor
    if not isinstance(actor, Impersonation):
        return
    known = _allowed.setdefault(place.cluster, set())
    who = (place.namespace, place.caller.user_id)
    if who in known:
        return
    client = place.cluster.client
    attributes = {
        "group": APPLICATION.group,
        "resource": APPLICATION.plural,
        "verb": "create",
        "namespace": place.namespace,
    }

    async def may() -> bool:
        answer = await client.create(_REVIEW, {"spec": {"resourceAttributes": attributes}}, actor=actor)
        return bool((answer.get("status") or {}).get("allowed"))

    if not await may():
        for role in documents()[1:]:
            try:
                await client.patch(_CLUSTER_ROLE, role["metadata"]["name"], "", Patch.apply(role, force=True))
            except UpstreamError as error:
                raise _without(
                    place.cluster, error, f"create and escalate {_CLUSTER_ROLE.resource}"
                ) from error
        if not await _soon(may):
            return  # a role of the operator's own: the cluster itself says what it lacks
    known.add(who)


def _without(cluster: Cluster, error: UpstreamError, right: str) -> Exception:
    """The error for want of a right of ECNS's own; any other as it is."""
    if error.details.get("reason") != "Forbidden":
        return error
    return NotSupportedError(
        f"cluster {cluster.name} is not prepared for applications, and ECNS lacks the right to do it"
        f" ({right}): give it that right, or apply the definition that comes with ECNS"
        f" (ecns/api/applications/definition.yaml); {error.message}",
        details=error.details,
    )


async def _soon(check: Callable[[], Awaitable[Any]]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not await check():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(INTERVAL)
    return True
