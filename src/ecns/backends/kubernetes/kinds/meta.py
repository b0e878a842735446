"""What every Kubernetes object has, and the table row (`Kind`) that says where a kind lives.

Structs here and beside this file hold the fields that ECNS reads or writes, by Kubernetes' names in
snake case; what else an object has is left alone on the server. Unset fields are not sent.
Source: the Kubernetes API reference, https://kubernetes.io/docs/reference/kubernetes-api/.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

JsonObject = dict[str, Any]
"""A JSON object of any shape: a Kubernetes object with all of its fields."""


class Part(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True, gc=False):
    """A piece of a Kubernetes object; JSON has no cycles, so the garbage collector need not look."""


class OwnerReference(Part, frozen=True):  # type: ignore[misc]  # msgspec allows it, unlike dataclasses
    """Whom an object belongs to and goes with."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Part):
    """The metadata of an object; times are RFC 3339 in UTC, as Kubernetes sends them."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None
    finalizers: list[str] | None = None


class ListMeta(Part):
    """The metadata of a list; `continue_` goes on with the next page."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class Resource(Part):
    """A whole Kubernetes object."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


T = TypeVar("T")


class Kind(msgspec.Struct, Generic[T], frozen=True):
    """Where a kind lives in the API, and the Struct its objects are decoded into."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str
    kind: str
    type: type[T]  # noqa: A003  what a Struct's field of this meaning is called everywhere
    namespaced: bool = True
    page_size: int = 500
    """Objects of the first request when listing; fewer of a kind whose objects may be large."""

    @property
    def api_version(self) -> str:
        """What an object's `apiVersion` says."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The name in RBAC and in messages, such as `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def whole(self) -> Kind[JsonObject]:
        """The same kind with all fields, as a JSON object."""
        return Kind(self.group, self.version, self.plural, self.kind, dict, self.namespaced, self.page_size)

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, the object or its subresource."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)
