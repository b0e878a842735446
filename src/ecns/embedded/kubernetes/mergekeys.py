"""How each field of a kind merges: merge keys and list types out of Kubernetes' published schemas.

Source: the OpenAPI extensions `x-kubernetes-patch-merge-key`, `-patch-strategy`, `-list-type`,
`-list-map-keys` and `-map-type`, as in the schemas of PyPI `kubernetes-validate`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes import schemas

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.resources import Resource


class Schema:
    """A node of a schema; one that says nothing about a field answers as atomic lists and merging maps."""

    __slots__ = ("_children", "_items", "atomic_map", "list_keys", "list_type", "node")

    def __init__(self, node: dict[str, Any]) -> None:
        self.node = node
        self.list_type: str = node.get("x-kubernetes-list-type", "atomic")
        """`map`, `set` or `atomic`."""
        self.list_keys: list[str] = node.get("x-kubernetes-list-map-keys", [])
        """The keys that tell the items of a `map` list apart."""
        self.atomic_map = node.get("x-kubernetes-map-type") == "atomic"
        """Whether a map is owned as a whole."""
        self._children: dict[str, Schema] = {}
        self._items: Schema | None = None

    @property
    def merges(self) -> bool:
        """Whether a strategic merge patch merges this list instead of replacing it."""
        return "merge" in self.node.get("x-kubernetes-patch-strategy", "").split(",")

    @property
    def retains(self) -> bool:
        """Whether a strategic merge patch may tell which keys to retain."""
        return "retainKeys" in self.node.get("x-kubernetes-patch-strategy", "").split(",")

    @property
    def merge_key(self) -> str:
        """The key that tells a list's items apart in a strategic merge patch; "" for primitives."""
        key: str = self.node.get("x-kubernetes-patch-merge-key", "")
        return key

    @property
    def known(self) -> bool:
        """Whether the schema says anything of this node."""
        return bool(self.node)

    def child(self, key: str) -> Schema:
        """The schema of a map's field."""
        found = self._children.get(key)
        if found is None:
            node = self.node.get("properties", {}).get(key)
            if node is None:
                more = self.node.get("additionalProperties")
                found = _resolve(more if isinstance(more, dict) else {})
            else:
                found = self._children[key] = _resolve(node)
        return found

    def items(self) -> Schema:
        """The schema of a list's items."""
        if self._items is None:
            self._items = _resolve(self.node.get("items") or {})
        return self._items

    def default(self, key: str) -> Any:
        """The default of a list key that an item leaves out (`protocol` is TCP)."""
        node = self.items().node.get("properties", {}).get(key) or {}
        return node.get("default", _KEY_DEFAULTS.get(key))


_KEY_DEFAULTS = {"protocol": "TCP"}


def _resolve(node: dict[str, Any]) -> Schema:
    reference = node.get("$ref")
    if reference is None:
        return Schema(node)
    target = schemas.definitions().get(reference.rpartition("/")[2], {})
    extra = {key: value for key, value in node.items() if key.startswith("x-kubernetes-")}
    return Schema({**target, **extra} if extra else target)


_META = {"properties": {"metadata": {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}}}


def schema_of(resource: Resource, version: str) -> Schema:
    """The schema of a resource's kind."""
    if resource.definition:
        custom = resource.schemas.get(version, {})
        properties = {**custom.get("properties", {}), **_META["properties"]}
        return Schema({**custom, "properties": properties})
    return built_in(resource.group, version, resource.kind)


@cache
def built_in(group: str, version: str, kind: str) -> Schema:
    """The schema of a kind that is no custom resource."""
    for definition in schemas.definitions().values():
        for named in definition.get("x-kubernetes-group-version-kind", ()):
            if (named.get("group", ""), named["version"], named["kind"]) == (group, version, kind):
                return Schema(definition)
    return Schema(_META)
