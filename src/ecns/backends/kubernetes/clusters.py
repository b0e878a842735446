"""The registered clusters: for each a client, its watch caches, and whether it is up."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import structlog

from ecns import config
from ecns.backends.common.breaker import State
from ecns.backends.kubernetes import rights
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
LOOK_SECONDS = 1.0
"""How often a directory of kubeconfigs is looked at, at most."""

_log = structlog.get_logger(__name__)

_REVIEW = Kind(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    JsonObject,
    namespaced=False,
)


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
        self.auth = entry.auth
        self.impersonate = entry.impersonate and entry.auth == "kubeconfig"
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
        needed = rights.needed(impersonate=self.impersonate, keystone_token=self.auth == "keystone-token")
        allowed = await asyncio.gather(*(self._may(right) for right in needed))
        missing = tuple(str(right) for right, may in zip(needed, allowed, strict=True) if not may)
        return Check(version, missing)

    async def close(self) -> None:
        """Stop the caches, then close the connections."""
        caches = list(self._caches.values())
        self._caches.clear()
        await asyncio.gather(*(cache.close() for cache in caches), *self._closing)
        await self.client.close()

    async def _may(self, right: rights.Right) -> bool:
        attributes = {"group": right.group, "resource": right.resource, "verb": right.verb}
        if right.name:
            attributes["name"] = right.name
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


class _Folder:
    """A directory with a kubeconfig for each cluster."""

    def __init__(self, entry: config.Cluster, path: Path) -> None:
        self.entry = entry
        self.path = path
        self.clusters: dict[str, Cluster] = {}
        self._seen: dict[str, tuple[int, int]] | None = None

    def changed(self) -> bool:
        """Whether there are other files than before, or other content in them."""
        try:
            with os.scandir(self.path) as files:
                stats = {
                    file.name: file.stat()
                    for file in files
                    if not file.name.startswith(".") and file.is_file()
                }
        except OSError as error:
            _log.warning("a directory of kubeconfigs cannot be read", path=str(self.path), reason=str(error))
            return False
        seen = {name: (stat.st_mtime_ns, stat.st_size) for name, stat in stats.items()}
        if seen == self._seen:
            return False
        self._seen = seen
        return True

    def read(self, taken: Collection[str]) -> list[Cluster]:
        """Make the clusters of new files; those whose files are gone, to be closed."""
        files = {Path(name).stem: self.path / name for name in sorted(self._seen or ())}
        gone = [cluster for name, cluster in self.clusters.items() if name not in files]
        kept = {name: cluster for name, cluster in self.clusters.items() if name in files}
        for name, file in files.items():
            if name in kept:
                continue  # its credentials look at the file themselves
            if name in taken:
                _log.warning("a cluster is left out", file=str(file), reason=f"there is another {name!r}")
                continue
            try:
                kept[name] = Cluster(msgspec.structs.replace(self.entry, name=name, kubeconfig=file))
            except config.ConfigError as error:
                _log.warning("a cluster is left out", file=str(file), reason=str(error))
        self.clusters = dict(sorted(kept.items()))
        return gone


class Clusters:
    """All registered clusters, in the order of the configuration.

    Args:
        entries: their configuration; a `kubeconfig` that is a directory stands for one cluster a file, which
            come and go with the files.

    Raises:
        ConfigError: the credentials of one cannot be read. (One that cannot be reached stops nobody, nor does
            one of a directory.)
    """

    def __init__(self, entries: Iterable[config.Cluster]) -> None:
        self._named: dict[str, Cluster] = {}
        self._folders: list[_Folder] = []
        for entry in entries:
            if entry.kubeconfig is not None and entry.kubeconfig.is_dir():
                self._folders.append(_Folder(entry, entry.kubeconfig))
            else:
                self._named[entry.name] = Cluster(entry)
        self._all = self._named
        self._look_at = 0.0
        self._closing: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[Cluster]:
        return iter(list(self._present().values()))

    def __len__(self) -> int:
        return len(self._present())

    def __getitem__(self, name: str) -> Cluster:
        """The cluster of a name.

        Raises:
            NotFoundError: there is none.
        """
        try:
            return self._present()[name]
        except KeyError:
            raise NotFoundError(f"cluster {name!r} is not there") from None

    async def check(self) -> dict[str, Check | UpstreamError]:
        """Ask all clusters at once; by name what each says, or why it does not."""

        async def asked(cluster: Cluster) -> Check | UpstreamError:
            try:
                return await cluster.check()
            except UpstreamError as error:
                return error

        clusters = list(self)
        answers = await asyncio.gather(*(asked(cluster) for cluster in clusters))
        return {cluster.name: answer for cluster, answer in zip(clusters, answers, strict=True)}

    async def close(self) -> None:
        """Close all."""
        await asyncio.gather(*(cluster.close() for cluster in self._all.values()), *self._closing)

    def _present(self) -> dict[str, Cluster]:
        """By name, the clusters that there are now; directories are looked at once in `LOOK_SECONDS`."""
        now = time.monotonic()
        if not self._folders or now < self._look_at:
            return self._all
        self._look_at = now + LOOK_SECONDS
        changed = [folder.changed() for folder in self._folders]  # all are asked: each remembers what it saw
        if any(changed):
            found = dict(self._named)
            for folder in self._folders:
                for gone in folder.read(found):
                    task = asyncio.ensure_future(gone.close())
                    self._closing.add(task)
                    task.add_done_callback(self._closing.discard)
                found |= folder.clusters
            self._all = found
        return self._all
