"""How each field of a kind merges: merge keys and list types out of Kubernetes' published schemas.

Source: the OpenAPI extensions `x-kubernetes-patch-merge-key`, `-patch-strategy`, `-list-type`,
`-list-map-keys` and `-map-type`, as in the schemas of PyPI `kubernetes-validate`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.resources import Resource

RELEASE = "v1.36.0"


class Schema:
    """A node of a schema; one that says nothing about a field answers as atomic lists and merging maps."""

    __slots__ = ("node",)

    def __init__(self, node: dict[str, Any]) -> None:
        self.node = node

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
    def list_type(self) -> str:
        """`map`, `set` or `atomic`."""
        kind: str = self.node.get("x-kubernetes-list-type", "atomic")
        return kind

    @property
    def list_keys(self) -> list[str]:
        """The keys that tell the items of a `map` list apart."""
        keys: list[str] = self.node.get("x-kubernetes-list-map-keys", [])
        return keys

    @property
    def atomic_map(self) -> bool:
        """Whether a map is owned as a whole."""
        return self.node.get("x-kubernetes-map-type") == "atomic"

    @property
    def known(self) -> bool:
        """Whether the schema says anything of this node."""
        return bool(self.node)

    def child(self, key: str) -> Schema:
        """The schema of a map's field."""
        node = self.node.get("properties", {}).get(key)
        if node is None:
            more = self.node.get("additionalProperties")
            node = more if isinstance(more, dict) else {}
        return _resolve(node)

    def items(self) -> Schema:
        """The schema of a list's items."""
        return _resolve(self.node.get("items") or {})

    def default(self, key: str) -> Any:
        """The default of a list key that an item leaves out (`protocol` is TCP)."""
        node = self.items().node.get("properties", {}).get(key) or {}
        return node.get("default", _KEY_DEFAULTS.get(key))


_KEY_DEFAULTS = {"protocol": "TCP"}


@cache
def definitions() -> dict[str, dict[str, Any]]:
    """Every definition of the release, by its long name (`io.k8s.api.core.v1.Pod`)."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"{RELEASE}-local"
    document = msgspec.json.decode((folder / "_definitions.json").read_bytes())
    found: dict[str, dict[str, Any]] = document["$defs"]
    return found


@cache
def _kinds() -> dict[tuple[str, str, str], dict[str, Any]]:
    found = {}
    for definition in definitions().values():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            found[kind.get("group", ""), kind["version"], kind["kind"]] = definition
    return found


def _resolve(node: dict[str, Any]) -> Schema:
    reference = node.get("$ref")
    if reference is None:
        return Schema(node)
    target = definitions().get(reference.rpartition("/")[2], {})
    extra = {key: value for key, value in node.items() if key.startswith("x-kubernetes-")}
    return Schema({**target, **extra} if extra else target)


_META = {"properties": {"metadata": {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}}}


def schema_of(resource: Resource, version: str, kind: str = "", group: str | None = None) -> Schema:
    """The schema of a resource's kind, or of another kind that one of its subresources speaks."""
    if resource.definition and not kind:
        custom = resource.schemas.get(version, {})
        properties = {**custom.get("properties", {}), **_META["properties"]}
        return Schema({**custom, "properties": properties})
    found = _kinds().get((resource.group if group is None else group, version, kind or resource.kind))
    return Schema(found if found is not None else _META)
