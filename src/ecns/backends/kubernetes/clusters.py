"""The registered clusters: for each a client, its watch caches, and whether it is up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec

from ecns import config
from ecns.backends.kubernetes.breaker import State
from ecns.backends.kubernetes.cache import Cache
from ecns.backends.kubernetes.client import Client
from ecns.backends.kubernetes.credentials import Credentials
from ecns.backends.kubernetes.errors import transport_error
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind
from ecns.backends.kubernetes.objects import Indexer, R, owners
from ecns.errors import NotFoundError, UpstreamError

IDLE_SECONDS = 30 * 60.0
"""A cache that nobody has read for so long is given up; the next reader fills it again."""
TEND_SECONDS = 60.0

_REVIEW = Kind(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    JsonObject,
    namespaced=False,
)
_RIGHTS = (
    ("", "namespaces", "watch"),
    ("", "namespaces", "create"),
    ("", "pods", "watch"),
    ("", "nodes", "list"),
    ("", "secrets", "create"),
    ("apps", "deployments", "watch"),
    ("apps", "deployments", "create"),
    ("rbac.authorization.k8s.io", "rolebindings", "create"),
)
_IMPERSONATION = (("", "users", "impersonate"), ("", "groups", "impersonate"))


class Check(msgspec.Struct, frozen=True):
    """What a cluster says of itself and of ECNS's rights there."""

    version: str
    """Kubernetes', such as `v1.36.2`."""
    missing: tuple[str, ...]
    """Rights that ECNS needs and does not have, such as `create deployments.apps`."""


class _Version(msgspec.Struct, rename="camel"):
    git_version: str = ""


class Cluster:
    """One registered cluster.

    Args:
        entry: its configuration.

    Raises:
        ConfigError: its credentials cannot be read.
    """

    def __init__(self, entry: config.Cluster) -> None:
        self.name = entry.name
        self.type: config.ClusterType = entry.type
        self.projects = entry.projects
        self.impersonate = entry.impersonate
        credentials = Credentials(entry.name, entry.kubeconfig, entry.context)
        self.client = Client(entry.name, credentials, timeout=entry.timeout)
        self._caches: dict[Kind[Any], Cache[Any]] = {}
        self._tended_at = time.monotonic()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def addr(self) -> str:
        """The API server's URL; it changes when the kubeconfig does."""
        return self.client.credentials.server

    @property
    def state(self) -> State:
        """Up or down, why and since when, as the last request found it."""
        return self.client.breaker.state

    def cache(self, kind: Kind[R], **indexes: Indexer[R]) -> Cache[R]:
        """The watch cache of a kind; it begins when it is first asked to be `ready`.

        All caches have the index `owner`, by the uids in `ownerReferences`.

        Args:
            kind: with the Struct to keep; another Struct of the same kind is another cache.
            indexes: what else objects are found by.
        """
        found = self._caches.get(kind)
        if found is None:
            found = self._caches[kind] = Cache(self.client, kind, indexes={"owner": owners})
        for name, indexer in indexes.items():
            found.add_index(name, indexer)
        self._tend(found)
        return cast("Cache[R]", found)

    async def ping(self) -> None:
        """Ask whether the cluster answers.

        Raises:
            UpstreamError: it does not.
        """
        await self.client.request("GET", "/version")

    async def check(self) -> Check:
        """Ask the cluster for its version and for ECNS's rights.

        Raises:
            UpstreamError: it does not answer, or does not accept the credentials.
        """
        body = await self.client.request("GET", "/version", background=True)
        try:
            version = msgspec.json.decode(body, type=_Version).git_version
        except msgspec.MsgspecError as error:
            raise transport_error(self.name, error) from error
        rights = _RIGHTS + (_IMPERSONATION if self.impersonate else ())
        allowed = await asyncio.gather(*(self._may(*right) for right in rights))
        missing = tuple(
            f"{verb} {resource}{f'.{group}' if group else ''}"
            for (group, resource, verb), may in zip(rights, allowed, strict=True)
            if not may
        )
        return Check(version, missing)

    async def close(self) -> None:
        """Stop the caches, then close the connections."""
        caches = list(self._caches.values())
        self._caches.clear()
        await asyncio.gather(*(cache.close() for cache in caches), *self._closing)
        await self.client.close()

    async def _may(self, group: str, resource: str, verb: str) -> bool:
        attributes = {"group": group, "resource": resource, "verb": verb}
        answer = await self.client.create(_REVIEW, {"spec": {"resourceAttributes": attributes}})
        return bool((answer.get("status") or {}).get("allowed"))

    def _tend(self, used: Cache[Any]) -> None:
        """Give up the caches that nobody uses any more."""
        now = time.monotonic()
        if now - self._tended_at < TEND_SECONDS:
            return
        self._tended_at = now
        for kind, cache in list(self._caches.items()):
            if cache is not used and not cache.followed and now - cache.used_at > IDLE_SECONDS:
                del self._caches[kind]
                task = asyncio.create_task(cache.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)


class Clusters:
    """All registered clusters, in the order of the configuration.

    Args:
        entries: their configuration.

    Raises:
        ConfigError: the credentials of one cannot be read. (One that cannot be reached stops nobody.)
    """

    def __init__(self, entries: Iterable[config.Cluster]) -> None:
        self._clusters = {entry.name: Cluster(entry) for entry in entries}

    def __iter__(self) -> Iterator[Cluster]:
        return iter(self._clusters.values())

    def __len__(self) -> int:
        return len(self._clusters)

    def __getitem__(self, name: str) -> Cluster:
        """The cluster of a name.

        Raises:
            NotFoundError: there is none.
        """
        try:
            return self._clusters[name]
        except KeyError:
            raise NotFoundError(f"cluster {name!r} is not there") from None

    async def check(self) -> dict[str, Check | UpstreamError]:
        """Ask all clusters at once; by name what each says, or why it does not."""

        async def asked(cluster: Cluster) -> Check | UpstreamError:
            try:
                return await cluster.check()
            except UpstreamError as error:
                return error

        answers = await asyncio.gather(*(asked(cluster) for cluster in self))
        return dict(zip(self._clusters, answers, strict=True))

    async def close(self) -> None:
        """Close all."""
        await asyncio.gather(*(cluster.close() for cluster in self))
