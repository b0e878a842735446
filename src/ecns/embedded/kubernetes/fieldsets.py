"""Sets of fields: which paths an object has, how two objects differ, merging and cutting by path.

A path is a tuple of elements as in `fieldsV1`: `f:name` of a field, `k:{"name":"a"}` of an item of a keyed
list, `v:"x"` of a value of a set.
Source: https://github.com/kubernetes-sigs/structured-merge-diff and
https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.mergekeys import Schema

Path = tuple[str, ...]
_encode = msgspec.json.encode


class SchemaError(ValueError):
    """A value that its schema does not allow, in the words of server-side apply."""


def key_of(item: Any, schema: Schema) -> str:
    """The path element of a list's item."""
    if schema.list_type == "set":
        return "v:" + _encode(item).decode()
    keys = {}
    for key in sorted(schema.list_keys):
        value = item.get(key) if isinstance(item, dict) else None
        keys[key] = schema.default(key) if value is None else value
    return "k:" + _encode(keys).decode()


def _grouped(items: list[Any], schema: Schema) -> dict[str, list[Any]]:
    """A list's items by their keys; a key that comes more than once is owned without its fields."""
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(key_of(item, schema), []).append(item)
    return found


def _is_leaf(value: Any, schema: Schema) -> bool:
    if isinstance(value, dict):
        return schema.atomic_map
    return not isinstance(value, list) or schema.list_type == "atomic"


def paths(value: Any, schema: Schema) -> set[Path]:
    """Every field that a value sets, as its applier owns them."""
    found: set[Path] = set()
    _collect(value, schema, (), found)
    return found


def _collect(value: Any, schema: Schema, path: Path, found: set[Path]) -> None:
    if _is_leaf(value, schema):
        found.add(path)
    elif isinstance(value, dict):
        for key, item in value.items():
            where = (*path, f"f:{key}")
            _collect(item, schema.child(key), where, found)
            if item is None or item == {}:
                found.add(where)
    else:
        inner = schema.items()
        for key, items in _grouped(value, schema).items():
            where = (*path, key)
            found.add(where)
            if len(items) == 1:
                _collect(items[0], inner, where, found)


class Comparison(NamedTuple):
    """The paths at which a second object differs from a first one."""

    added: set[Path]
    modified: set[Path]
    removed: set[Path]


_ABSENT: Any = object()


def compare(old: Any, new: Any, schema: Schema) -> Comparison:
    """How `new` differs from `old`."""
    result = Comparison(set(), set(), set())
    _compare(old, new, schema, (), result)
    return result


def _compare(old: Any, new: Any, schema: Schema, path: Path, result: Comparison) -> None:
    if old is new or old == new:
        return
    if old is _ABSENT:
        _every(new, schema, path, result.added)
        result.added.add(path)
        return
    if new is _ABSENT:
        _every(old, schema, path, result.removed)
        result.removed.add(path)
        return
    present = old if new is None else new
    if _is_leaf(present, schema) or not _alike(old, new):
        result.modified.add(path)
    elif isinstance(present, dict):
        left, right = old or {}, new or {}
        for key in {**left, **right}:
            _compare(
                left.get(key, _ABSENT),
                right.get(key, _ABSENT),
                schema.child(key),
                (*path, f"f:{key}"),
                result,
            )
    else:
        inner = schema.items()
        before, after = _grouped(old or [], schema), _grouped(new or [], schema)
        for key in {**before, **after}:
            _compare_items(before.get(key, []), after.get(key, []), inner, (*path, key), result)


def _compare_items(old: list[Any], new: list[Any], schema: Schema, path: Path, result: Comparison) -> None:
    """Compares the items of one key."""
    if len(old) > 1 and len(new) > 1:
        if old != new:
            result.modified.add(path)
        return
    if len(old) > 1:
        result.removed.add(path)
        old = []
    elif len(new) > 1:
        result.added.add(path)
        new = []
    if old or new:
        _compare(old[0] if old else _ABSENT, new[0] if new else _ABSENT, schema, path, result)


def _every(value: Any, schema: Schema, path: Path, found: set[Path]) -> None:
    """Every path below one that is in one of the two objects only."""
    if isinstance(value, dict):
        if not schema.atomic_map:
            for key, item in value.items():
                where = (*path, f"f:{key}")
                found.add(where)
                if isinstance(item, dict | list):
                    _every(item, schema.child(key), where, found)
    elif isinstance(value, list) and schema.list_type != "atomic":
        inner = schema.items()
        for key, items in _grouped(value, schema).items():
            where = (*path, key)
            found.add(where)
            if len(items) == 1 and isinstance(items[0], dict | list):
                _every(items[0], inner, where, found)


def _alike(old: Any, new: Any) -> bool:
    """Whether both are maps, both lists or both neither; null is like everything."""
    if old is None or new is None:
        return True
    return isinstance(old, dict) == isinstance(new, dict) and isinstance(old, list) == isinstance(new, list)


def merge(live: Any, config: Any, schema: Schema) -> Any:
    """What applying `config` to `live` makes; neither is changed."""
    if _is_leaf(config, schema) or not _alike(live, config):
        return config
    if isinstance(config, dict):
        result = dict(live) if isinstance(live, dict) else {}
        for key, value in config.items():
            result[key] = merge(result.get(key), value, schema.child(key))
        return result
    return _merge_lists(live if isinstance(live, list) else [], config, schema)


def _merge_lists(live: list[Any], config: list[Any], schema: Schema) -> list[Any]:
    """Merges keyed lists: items of `config` in its order, those of `live` alone where they are in its own."""
    inner = schema.items()
    groups = _grouped(live, schema)
    left = [(key_of(item, schema), item) for item in live]
    wanted = {key_of(item, schema): item for item in config}
    order = list(wanted)
    shared = deque(key for key in order if key in groups)
    taken: set[str] = set()
    result: list[Any] = []

    def take(key: str) -> None:
        taken.add(key)
        same = groups.get(key, [])  # items whose key came more than once are replaced, not merged
        result.append(merge(same[0], wanted[key], inner) if len(same) == 1 else wanted[key])

    at_left = at_order = 0
    while at_left < len(left) or at_order < len(order):
        if at_left < len(left):
            key, item = left[at_left]
            if at_order < len(order):
                if key == order[at_order]:
                    take(key)
                    at_left, at_order = at_left + 1, at_order + 1
                    if shared:
                        shared.popleft()
                    continue
                if key in wanted and shared and shared[0] != key:
                    at_left += 1
                    continue
            if key not in wanted:
                result.append(item)
                at_left += 1
                continue
            if key in taken:
                at_left += 1
        if at_order < len(order):
            key = order[at_order]
            take(key)
            at_order += 1
            if shared and shared[0] == key:
                shared.popleft()
    return result


def members(found: AbstractSet[Path]) -> set[Path]:
    """A set together with the named fields on the way to its members."""
    result = set(found)
    for path in found:
        for length in range(1, len(path)):
            if path[length - 1].startswith("f:"):
                result.add(path[:length])
    return result


def without(value: Any, cut: set[Path], schema: Schema) -> Any:
    """A value without the fields at `cut`."""
    return _cut(value, cut, schema, ())


def _cut(value: Any, cut: set[Path], schema: Schema, path: Path) -> Any:
    if _is_leaf(value, schema):
        return value
    if isinstance(value, dict):
        result = {}
        for key, item in value.items():
            where = (*path, f"f:{key}")
            if where not in cut:
                result[key] = _cut(item, cut, schema.child(key), where)
        return result
    inner, items = schema.items(), []
    for item in value:
        where = (*path, key_of(item, schema))
        if where not in cut:
            items.append(_cut(item, cut, inner, where))
    return items


def check(value: Any, schema: Schema, path: str = "") -> None:
    """Looks for fields that the schema has not and keys that come twice.

    Raises:
        SchemaError: with the words of server-side apply.

    """
    found = list(_faults(value, schema, path))
    if found:
        raise SchemaError(found[0] if len(found) == 1 else "\n  ".join(("errors:", *found)))


def _faults(value: Any, schema: Schema, path: str) -> Iterator[str]:
    declared = schema.node.get("type")
    sort = declared[0] if isinstance(declared, list) else declared
    if value is None or not schema.known:
        return
    if sort == "string" and not isinstance(value, str):
        if schema.node.get("format") == "int-or-string" or schema.node.get("x-kubernetes-int-or-string"):
            return
        shown = f"&value.valueUnstructured{{Value:{_go(value)}}}"
        yield f"{path}: expected string, got {shown}"
    if isinstance(value, dict):
        free = schema.node.get("x-kubernetes-preserve-unknown-fields") or "properties" not in schema.node
        for key, item in value.items():
            if (
                not free
                and key not in schema.node["properties"]
                and not schema.node.get("additionalProperties")
            ):
                if not path and key in {"apiVersion", "kind"}:
                    continue
                yield f"{path}.{key}: field not declared in schema"
                return  # the rest of this object is not looked at
            yield from _faults(item, schema.child(key), f"{path}.{key}")
    elif isinstance(value, list):
        seen: set[str] = set()
        inner = schema.items()
        for index, item in enumerate(value):
            if schema.list_type != "atomic":
                key = key_of(item, schema)
                if key in seen:
                    yield f"{path}: duplicate entries for key {shown_element(key)}"
                    continue
                seen.add(key)
                yield from _faults(item, inner, path + shown_element(key))
            else:
                yield from _faults(item, inner, f"{path}[{index}]")


def _go(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown_element(element: str) -> str:
    """A path element as messages show it."""
    if element.startswith("f:"):
        return "." + element[2:]
    if element.startswith("v:"):
        return f"[={element[2:]}]"
    keys = msgspec.json.decode(element[2:])
    return "[" + ",".join(f"{key}={_encode(value).decode()}" for key, value in keys.items()) + "]"


def shown(path: Path) -> str:
    """A path as messages show it: `.spec.containers[name="a"].image`."""
    return "".join(map(shown_element, path))


_REMEMBERED, _LARGE = 1024, 200
"""How many sets are remembered, none larger: a controller sets the same fields of every object."""


def encode(found: AbstractSet[Path]) -> Object:
    """A set as `fieldsV1`, which is shared: it is not to be changed."""
    return _encoded(frozenset(found)) if len(found) < _LARGE else _encoded.__wrapped__(found)


@lru_cache(_REMEMBERED)
def _encoded(found: AbstractSet[Path]) -> Object:
    root: Object = {}
    for path in sorted(found):
        node, known = root, False
        for element in path:
            if known and not node:  # it came before as a member itself
                node["."] = {}
            below = node.get(element)
            known = below is not None
            if below is None:
                below = node[element] = {}
            node = below
    return root


def decode(fields: Object) -> frozenset[Path]:
    """`fieldsV1` as a set."""
    return _decoded(_encode(fields))


@lru_cache(_REMEMBERED)
def _decoded(fields: bytes) -> frozenset[Path]:
    found: set[Path] = set()
    _collect_paths(msgspec.json.decode(fields), (), found)
    return frozenset(found)


def _collect_paths(node: Object, path: Path, found: set[Path]) -> None:
    if path and (not node or "." in node):
        found.add(path)
    for key, value in node.items():
        if key != ".":
            _collect_paths(value, (*path, key), found)
