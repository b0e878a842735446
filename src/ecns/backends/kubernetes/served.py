"""The kinds that a cluster serves, its custom ones too, by all the names that kubectl knows them by.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api (aggregated since 1.26;
older clusters are asked version by version).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from weakref import WeakKeyDictionary

import msgspec

from ecns.backends.kubernetes.clusters import Cluster
from ecns.backends.kubernetes.errors import transport_error
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind
from ecns.errors import EcnsError

KEPT_SECONDS = 30.0
"""So long is believed what was discovered; whoever misses something asks again."""
STORED = frozenset({"get", "patch"})
"""Verbs of what is stored; other kinds (reviews, tokens) are questions."""

_ACCEPT = ",".join(
    [
        *(
            f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
            for version in ("v2", "v2beta1")
        ),
        "application/json",
    ]
)


class Served(msgspec.Struct, frozen=True):
    """A kind in one of the versions that are served."""

    kind: Kind[JsonObject]
    verbs: frozenset[str]
    names: frozenset[str]
    """Kind, plural, singular and short names, in small letters."""


class Catalogue:
    """All kinds of a cluster, the preferred version of each group first.

    Args:
        served: they.
        at: when they were asked for, in monotonic seconds.
    """

    def __init__(self, served: Iterable[Served], at: float) -> None:
        self.at = at
        self._exact: dict[tuple[str, str], Served] = {}
        self._named: dict[str, list[Served]] = {}
        for one in served:
            self._exact.setdefault((one.kind.api_version, one.kind.kind), one)
            for name in one.names:
                self._named.setdefault(name, []).append(one)

    def exact(self, api_version: str, kind: str) -> Served | None:
        """A kind as an object names it."""
        return self._exact.get((api_version, kind))

    def named(self, word: str) -> Served | None:
        """A kind by a name as kubectl takes it: `Deployment`, `deploy`, `deployments.apps`; in any case."""
        name, _, group = word.lower().partition(".")
        for one in self._named.get(name, ()):
            kind = one.kind
            if not group or group in {kind.group, f"{kind.version}.{kind.group}", kind.version}:
                return one
        return None

    def versions(self, kind: str) -> list[str]:
        """The `apiVersion`s in which a kind of this name is served."""
        return [api_version for api_version, name in self._exact if name == kind]

    def preferred(self) -> Iterator[Served]:
        """Each resource once."""
        seen: set[str] = set()
        for one in self._exact.values():
            if one.kind.resource not in seen:
                seen.add(one.kind.resource)
                yield one


_catalogues: WeakKeyDictionary[Cluster, Catalogue] = WeakKeyDictionary()


async def catalogue(cluster: Cluster, *, newer_than: float = 0.0) -> Catalogue:
    """The kinds of a cluster.

    Args:
        cluster: which.
        newer_than: discovered after this moment (`time.monotonic()`).

    Raises:
        UpstreamError: it does not answer.
    """
    known, now = _catalogues.get(cluster), time.monotonic()
    if known is not None and known.at > max(newer_than, now - KEPT_SECONDS):
        return known
    return await discover(cluster)


async def discover(cluster: Cluster) -> Catalogue:
    """The kinds of a cluster as they are at this moment.

    Raises:
        UpstreamError: it does not answer.
    """
    begun = time.monotonic()
    parts = await asyncio.gather(_discovered(cluster, "/api"), _discovered(cluster, "/apis"))
    made = _catalogues[cluster] = Catalogue((one for part in parts for one in part), at=begun)
    return made


class _ResponseKind(msgspec.Struct):
    kind: str = ""


class _Resource(msgspec.Struct, rename="camel"):
    """Of both ways of discovery."""

    resource: str = ""
    response_kind: _ResponseKind | None = None
    scope: str = ""
    singular_resource: str = ""
    verbs: list[str] | None = None
    short_names: list[str] | None = None
    # As a cluster before 1.26 has it:
    name: str = ""
    singular_name: str = ""
    kind: str = ""
    namespaced: bool = False


class _Version(msgspec.Struct):
    version: str = ""
    resources: list[_Resource] | None = None


class _Metadata(msgspec.Struct):
    name: str = ""


class _Group(msgspec.Struct, rename="camel"):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    name: str = ""
    versions: list[_Version] = []
    preferred_version: _Version = msgspec.field(default_factory=_Version)


class _Root(msgspec.Struct):
    kind: str = ""
    items: list[_Group] | None = None
    groups: list[_Group] | None = None
    versions: list[str] | None = None


class _Resources(msgspec.Struct):
    resources: list[_Resource] | None = None


async def _discovered(cluster: Cluster, root: str) -> list[Served]:
    body = await cluster.client.request("GET", root, accept=_ACCEPT)
    try:
        found = msgspec.json.decode(body, type=_Root)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise transport_error(cluster.name, error) from error
    if found.items is not None:
        return [
            served
            for group in found.items
            for version in group.versions
            for resource in version.resources or ()
            if (served := _served(group.metadata.name, version.version, resource)) is not None
        ]
    if root == "/api":
        paths = [("", version) for version in found.versions or ()]
    else:
        paths = [
            (group.name, version.version)
            for group in found.groups or ()
            for version in _preferred_first(group)
        ]
    several = await asyncio.gather(*(_version(cluster, root, *path) for path in paths))
    return [served for part in several for served in part]


def _preferred_first(group: _Group) -> list[_Version]:
    preferred = group.preferred_version.version
    return sorted(group.versions, key=lambda one: one.version != preferred)


async def _version(cluster: Cluster, root: str, group: str, version: str) -> list[Served]:
    path = "/".join(part for part in (root, group, version) if part)
    try:
        body = await cluster.client.request("GET", path)
        resources = msgspec.json.decode(body, type=_Resources).resources or ()
    except (EcnsError, msgspec.MsgspecError, UnicodeDecodeError):
        return []  # an aggregated API that is down takes none of the others with it
    return [served for one in resources if (served := _served(group, version, one)) is not None]


def _served(group: str, version: str, resource: _Resource) -> Served | None:
    plural = resource.resource or resource.name
    kind = resource.response_kind.kind if resource.response_kind else resource.kind
    if not plural or not kind or "/" in plural:
        return None
    namespaced = resource.scope == "Namespaced" if resource.scope else resource.namespaced
    singular = resource.singular_resource or resource.singular_name
    names = {kind, plural, singular, *(resource.short_names or ())}
    return Served(
        Kind(group, version, plural, kind, dict, namespaced),
        frozenset(resource.verbs or ()),
        frozenset(name.lower() for name in names if name),
    )
