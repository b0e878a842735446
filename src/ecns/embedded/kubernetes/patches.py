"""JSON patch, JSON merge patch and strategic merge patch.

Source: RFC 6902, RFC 7396 and
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from ecns.embedded.kubernetes import bodies, mergekeys, schemas
from ecns.embedded.kubernetes.errors import ApiError, Cause, Object, bad_request, invalid

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.resources import Resource

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_MOST_OPERATIONS = 10_000
_PATCH, _RETAIN = "$patch", "$retainKeys"
_DELETE_FROM, _ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"


def decode(data: bytes, content_type: str) -> tuple[Any, list[str]]:
    """Decodes the body of a PATCH, and says which fields it has twice.

    They are said as `duplicate field "spec.x"` of JSON, as the decoder's error of what is applied.

    Raises:
        ApiError: 400 when it does not decode.

    """
    if content_type == APPLY:
        return _decode_applied(data)
    try:
        body = bodies.decode_json(data)
    except ValueError as error:
        if content_type == STRATEGIC:
            raise bad_request(str(error)) from None
        raise bad_request(f"error decoding patch: {error}") from None
    return body.value, body.duplicates


def _decode_applied(data: bytes) -> tuple[Object, list[str]]:
    duplicates: list[str] = []
    try:
        value: Any = _plain_json(data)
        if value is None:
            body = bodies.decode_yaml(data)
            value, duplicates = body.value, body.duplicates
    except ValueError as error:
        raise bad_request(f"error decoding YAML: error converting YAML to JSON: {error}") from None
    if value is None:
        value = {}
    if not isinstance(value, dict):
        sort = "array" if isinstance(value, list) else "string" if isinstance(value, str) else "number"
        raise bad_request(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: "
            f"json: cannot unmarshal {sort} into Go value of type map[string]interface {{}}"
        )
    if duplicates:  # a decoder tells all of them together
        head, lines = duplicates[0].partition("\n")[0], [item.partition("\n")[2] for item in duplicates]
        duplicates = [f"error converting YAML to JSON: {head}\n" + "\n".join(lines)]
    return value, duplicates


def _plain_json(data: bytes) -> Object | None:
    """The object of a body that is JSON, as most clients send it; as YAML it takes 50 times as long."""
    if not data.startswith(b"{"):
        return None
    try:
        body = bodies.decode_json(data)
    except ValueError:
        return None
    value: Object | None = None if body.duplicates else body.value
    return value


def apply(base: Object, patch: Any, content_type: str, kind: Resource, version: str) -> Any:
    """Applies a patch of one of the three types to an object, which may be changed.

    Raises:
        ApiError: 400 or 422 when it cannot be applied, 415 for another type.

    """
    if content_type == JSON:
        return json_patch(base, patch)
    if patch is None and content_type == MERGE:
        raise bad_request("Invalid JSON Patch")
    if not isinstance(patch, dict | None):
        why = f"json: cannot unmarshal {_go_sort(patch)} into Go value of type map[string]interface {{}}"
        raise bad_request(why if content_type == STRATEGIC else f"error decoding patch: {why}")
    patch = patch or {}
    if content_type == MERGE:
        return merge_patch(base, patch)
    return strategic_merge_patch(base, patch, mergekeys.schema_of(kind, version))


_MAPS = frozenset(
    {"data", "binaryData", "stringData", "labels", "annotations", "matchLabels", "nodeSelector", "parameters"}
)
_GO_VALUES = {"object": "map", "array": "slice", "number": "int64", "bool": "bool", "string": "string"}
_MISFIT = re.compile(r"json: cannot unmarshal (\w+)(?: \S+)? into Go struct field \S+ of type (\S+)")


def _unconverted(found: str, wanted: str) -> str:
    """Why apimachinery's converter of trees cannot make a Go value of another."""
    if wanted.startswith(("map[", "[]")):
        return f"cannot restore {'map' if wanted.startswith('map') else 'slice'} from {found}"
    is_text = wanted == "string" or wanted in schemas.NAMED
    if is_text and found == "int64":
        return f"cannot convert {found} to {wanted}"
    if is_text or wanted in {"bool", "int32", "int64", "float64"}:
        return f"unrecognized type: {'string' if is_text else wanted}"
    return f"cannot restore struct from: {found}"


def refused(obj: Any, patch: Any, content_type: str, why: str) -> ApiError:
    """422 for a patch whose result is no object of its kind."""
    if content_type == STRATEGIC:
        shown = go_text(patch)
        found = _MISFIT.match(why)
        if found:
            why = _unconverted(_GO_VALUES.get(found[1], found[1]), found[2])
    else:
        shown = _go_json(obj, patch)
    cause = Cause(
        "FieldValueInvalid", f"Invalid value: {msgspec.json.encode(shown).decode()}: {why}", "patch"
    )
    return invalid("", "", "", [cause])


def _go_json(obj: Any, patch: Any) -> str:
    """A patched object as Go quotes it, with sorted keys in maps and in what the patch went through."""

    def ordered(value: Any, touched: Any, key: str = "") -> Any:
        if isinstance(value, list):
            return [ordered(item, None) for item in value]
        if not isinstance(value, dict):
            return value
        within = touched if isinstance(touched, dict) else {}
        keys = sorted(value) if touched is not None or key in _MAPS else value
        return {name: ordered(value[name], within.get(name), name) for name in keys}

    touched = patch if isinstance(patch, dict) else _touched(patch)
    text = msgspec.json.encode(ordered(obj, touched or {})).decode()
    for sign in "&<>":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _touched(operations: Any) -> Object:
    found: Object = {}
    for operation in operations if isinstance(operations, list) else ():
        place = found
        for part in str(operation.get("path", "")).strip("/").split("/")[:-1]:
            place = place.setdefault(part, {})
    return found


def _go_sort(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "bool", type(None): "null"}
    return names.get(type(value), "number")


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396; neither argument is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def _failed() -> ApiError:
    return ApiError(
        422,
        "Invalid",
        "the server rejected our request due to an error in our request",
        details={},
    )


def _pointer(path: object) -> list[str]:
    if not isinstance(path, str) or (path and "/" not in path):
        raise _failed()
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _index(key: str, length: int, *, adding: bool = False) -> int:
    if adding and key == "-":
        return length
    try:
        index = int(key)
    except ValueError:
        raise _failed() from None
    limit = length if adding else length - 1
    if index < 0:
        index += length + (1 if adding else 0)
    if not 0 <= index <= limit:
        raise _failed()
    return index


def _walk(document: Any, keys: list[str]) -> Any:
    for key in keys:
        if isinstance(document, dict):
            if key not in document:
                raise _failed()
            document = document[key]
        elif isinstance(document, list):
            document = document[_index(key, len(document))]
        else:
            raise _failed()
    return document


def _add(document: Any, keys: list[str], value: Any, *, replacing: bool = False) -> Any:
    if not keys:
        return value
    parent = _walk(document, keys[:-1])
    key = keys[-1]
    if isinstance(parent, dict):
        parent[key] = value
    elif isinstance(parent, list):
        if replacing:
            parent[_index(key, len(parent))] = value
        else:
            parent.insert(_index(key, len(parent), adding=True), value)
    else:
        raise _failed()
    return document


def _remove(document: Any, keys: list[str]) -> Any:
    if not keys:
        raise _failed()
    parent = _walk(document, keys[:-1])
    key = keys[-1]
    if isinstance(parent, dict):
        if key not in parent:
            raise _failed()
        return parent.pop(key)
    if isinstance(parent, list):
        return parent.pop(_index(key, len(parent)))
    raise _failed()


def json_patch(document: Any, patch: Any) -> Any:
    """RFC 6902; `document` may be changed, the result is returned.

    Raises:
        ApiError: 422 when an operation fails, 400 when the patch is not one.

    """
    if not isinstance(patch, list):
        sort = _go_sort(patch)
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {sort} into Go value of type "
            "[]handlers.jsonPatchOp"
        )
    if len(patch) > _MOST_OPERATIONS:
        raise ApiError(
            413,
            "RequestEntityTooLarge",
            "Request entity too large: The allowed maximum operations in a JSON patch is "
            f"{_MOST_OPERATIONS}, got {len(patch)}",
        )
    for operation in patch:
        if not isinstance(operation, dict):
            raise bad_request(
                f"error decoding patch: json: cannot unmarshal {_go_sort(operation)} into Go value of type "
                "handlers.jsonPatchOp"
            )
        document = _operate(document, operation)
    return document


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    keys = _pointer(operation.get("path"))
    match operation.get("op"):
        case "add":
            return _add(document, keys, operation.get("value"))
        case "replace":
            return _add(document, keys, operation.get("value"), replacing=True)
        case "remove":
            _remove(document, keys)
            return document
        case "move":
            value = _remove(document, _pointer(operation.get("from")))
            return _add(document, keys, value)
        case "copy":
            return _add(document, keys, copy(_walk(document, _pointer(operation.get("from")))))
        case "test":
            parent = _walk(document, keys[:-1])
            # A key that is not there is as good as null; an index that is not there is an error.
            there = parent.get(keys[-1]) if keys and isinstance(parent, dict) else _walk(document, keys)
            if there != operation.get("value"):
                raise _failed()
            return document
        case _:
            raise _failed()


def copy(value: Any) -> Any:
    """A deep copy of a JSON value."""
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy(item) for item in value]
    return value


def strategic_merge_patch(target: Object, patch: Object, schema: mergekeys.Schema) -> Object:
    """Kubernetes' strategic merge patch; neither argument is changed.

    Args:
        target: the object.
        patch: the patch, with its directives.
        schema: the merge strategies of the object's kind.

    Raises:
        ApiError: 400 or 500 for directives that make no sense.

    """
    return _merge_map(target, patch, schema)


def _merge_map(  # noqa: C901, PLR0912  the directives of a map, one after the other
    target: Object, patch: Object, schema: mergekeys.Schema
) -> Object:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {key: copy(value) for key, value in patch.items() if key != _PATCH}
    if directive == "delete":
        return {}
    if directive not in {None, "merge"}:
        raise ApiError(500, "", f"unknown patch type: {directive} in map: {go_text(patch)}")
    result = dict(target)
    retain = patch.get(_RETAIN)
    if retain is not None:
        kept = set(retain)
        for key in patch:
            if key not in kept and not key.startswith("$") and patch[key] is not None:
                raise bad_request(f"fields {key} are not in the {_RETAIN} list")
        result = {key: value for key, value in result.items() if key in kept}
    orders = {key.removeprefix(_ORDER): value for key, value in patch.items() if key.startswith(_ORDER)}
    removals = {
        key.removeprefix(_DELETE_FROM): value for key, value in patch.items() if key.startswith(_DELETE_FROM)
    }
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if key in orders and isinstance(value, list):
            _check_order(value, orders[key], schema.child(key).merge_key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            present = result.get(key)
            result[key] = _merge_map(present if isinstance(present, dict) else {}, value, schema.child(key))
        elif isinstance(value, list):
            result[key] = _merge_list(result.get(key), value, schema.child(key))
        else:
            result[key] = value
    for key, values in removals.items():
        if isinstance(result.get(key), list):
            result[key] = [item for item in result[key] if item not in values]
    for key, order in orders.items():
        if isinstance(result.get(key), list):
            result[key] = _ordered(result[key], order, schema.child(key), target.get(key) or [])
    return result


def _merge_list(present: Any, patch: list[Any], schema: mergekeys.Schema) -> list[Any]:
    have = list(present) if isinstance(present, list) else []
    if not schema.merges:
        return [_plain(item) for item in patch if not _is_directive(item)]
    if not schema.merge_key:
        merged = have + [item for item in patch if item not in have]
        return _ordered(merged, patch, schema, have)
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
        return [_plain(item) for item in patch if isinstance(item, dict) and item.get(_PATCH) != "replace"]
    key, item_schema, before = schema.merge_key, schema.items(), list(have)
    fresh: list[Any] = []
    for item in patch:
        if not isinstance(item, dict):
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        if key not in item:
            raise ApiError(500, "", f"map: {go_text(item)} does not contain declared merge key: {key}")
        value = item[key]
        if item.get(_PATCH) == "delete":
            have = [old for old in have if old.get(key) != value]
            continue
        index = next((at for at, old in enumerate(have) if old.get(key) == value), None)
        if index is None:
            fresh.append(_merge_map({}, item, item_schema))
        else:
            have[index] = _merge_map(have[index], item, item_schema)
    return _ordered(have + fresh, patch, schema, before)


def _is_directive(item: Any) -> bool:
    return isinstance(item, dict) and set(item) == {_PATCH}


def _plain(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _plain(value) for key, value in item.items() if not key.startswith("$")}
    if isinstance(item, list):
        return [_plain(value) for value in item]
    return item


def go_text(value: Any) -> str:
    """A value as Go's `%v` prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_text(item)}" for key, item in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_text, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)


def _check_order(patch: list[Any], order: list[Any], merge_key: str) -> None:
    """Whether the items of a patch come in the order of its $setElementOrder."""

    def identity(item: Any) -> Any:
        return _hashable(item.get(merge_key) if merge_key and isinstance(item, dict) else item)

    places = {identity(item): at for at, item in enumerate(order)}
    shown = [item for item in patch if not (isinstance(item, dict) and _PATCH in item)]
    found = [places.get(identity(item), -1) for item in shown]
    if -1 in found or found != sorted(found):
        raise ApiError(
            500,
            "",
            f"The order in patch list:\n{go_text(patch)}\n doesn't match $setElementOrder "
            f"list:\n{go_text(order)}\n",
        )


def _ordered(values: list[Any], order: list[Any], schema: mergekeys.Schema, before: list[Any]) -> list[Any]:
    """Puts what the patch names in its order; what only the server has keeps its place among them."""
    key = schema.merge_key

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    rank = {_hashable(identity(item)): at for at, item in enumerate(order)}
    named = sorted(
        (item for item in values if _hashable(identity(item)) in rank),
        key=lambda item: rank[_hashable(identity(item))],
    )
    place = {_hashable(identity(item)): at for at, item in reversed(list(enumerate(before)))}
    rest = [item for item in values if _hashable(identity(item)) not in rank]
    result: list[Any] = []
    while named and rest:
        left, right = _hashable(identity(named[0])), _hashable(identity(rest[0]))
        server_first = left in place and right in place and place[right] < place[left]
        result.append((rest if server_first else named).pop(0))
    return result + named + rest


def _hashable(value: Any) -> Any:
    return str(value) if isinstance(value, dict | list) else value
