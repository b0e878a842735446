"""What clients send: JSON and YAML (and protobuf) bodies, checked as strictly as they ask for.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#validation-for-unrecognized-or-duplicate-fields
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from ecns.embedded.kubernetes.errors import ApiError, Cause, MalformedError, Object, bad_request, invalid

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.resources import Resources

LIMIT = 3 * 1024 * 1024
_JSON, _YAML = "application/json", "application/yaml"
_PROTOBUF = "application/vnd.kubernetes.protobuf"
_HEAD = 30


def too_large() -> ApiError:
    """413."""
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {LIMIT}")


def unsupported(accepted: str) -> ApiError:
    """415; `accepted` lists the types that would do."""
    return ApiError(
        415,
        "UnsupportedMediaType",
        f"the body of the request was in an unknown format - accepted media types include: {accepted}",
    )


class Body(msgspec.Struct):
    """A decoded body, and the fields that came more than once in it (as messages)."""

    value: Any
    duplicates: list[str]


def media_type(content_type: str) -> str:
    """The type without its parameters; JSON when there is none."""
    return content_type.partition(";")[0].strip().lower() or _JSON


def decode(data: bytes, content_type: str, kind: str, *, custom: bool = False) -> Body:
    """Decodes the body of a create or update.

    Args:
        data: the body.
        content_type: its Content-Type header.
        kind: the kind that is expected, for errors.
        custom: whether it is a custom resource, which takes no protobuf.

    Raises:
        ApiError: 400 for what cannot be decoded, 415 for a type that is not spoken.

    """
    media = media_type(content_type)
    if media == _PROTOBUF and not custom:
        from ecns.embedded.kubernetes import protobuf  # noqa: PLC0415  seldom needed

        return Body(protobuf.decode(data), [])
    if media not in {_JSON, _YAML}:
        accepted = f"{_JSON}, {_YAML}" + ("" if custom else f", {_PROTOBUF}")
        raise unsupported(accepted)
    try:
        body = decode_yaml(data) if media == _YAML else decode_json(data)
        if not isinstance(body.value, dict | None):
            raise MalformedError(_not_an_object(body.value))  # noqa: TRY301  told like what does not parse
    except MalformedError as error:
        prefix = "" if media == _YAML else "couldn't get version/kind; json parse error: "
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): {prefix}{error} "
            f"({_summary(data)})"
        ) from None
    if body.value is None:
        body.value = {}
    version = body.value.get("apiVersion")
    if isinstance(version, str) and version.count("/") > 1:
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): "
            f"unexpected GroupVersion string: {version} ({_summary(data)})"
        )
    return body


def check_custom_kind(obj: Object, kind: str, api_version: str, data: bytes) -> None:
    """Looks whether the body of a custom resource says what it is, and rightly so.

    Raises:
        ApiError: 400 when it does not say, 422 for another kind.
    """
    for key, label in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not obj.get(key):
            text = data.decode(errors="replace")
            raise bad_request(
                f"the object provided is unrecognized (must be of type {kind}): "
                f"Object '{label}' is missing in '{text}' ({_summary(data)})"
            )
    if obj["kind"] != kind and obj["apiVersion"] == api_version:
        group = api_version.rpartition("/")[0]
        cause = Cause("FieldValueInvalid", f'Invalid value: "{obj["kind"]}": must be {kind}', "kind")
        raise invalid(obj["kind"], group, (obj.get("metadata") or {}).get("name", ""), [cause])


def check_kind(obj: Object, kind: str, api_version: str, resources: Resources) -> None:
    """Compares an object's kind and apiVersion with those of the path, and fills in what is missing.

    Raises:
        ApiError: 400 when they are others.

    """
    has_kind, has_version = obj.get("kind") or kind, obj.get("apiVersion") or api_version
    if "kind" not in obj or "apiVersion" not in obj:
        rest = dict(obj)
        obj.clear()
        obj.update({"kind": has_kind, "apiVersion": has_version, **rest})  # in the order of an answer
    obj["kind"], obj["apiVersion"] = has_kind, has_version
    if (has_kind, has_version) == (kind, api_version):
        return
    if has_kind == kind and has_version != "v1":
        raise bad_request(
            f"the API version in the data ({has_version}) does not match the expected API version "
            f"({api_version})"
        )
    known = resources.by_kind(has_version, has_kind)
    if known is None or has_version not in {known.api_version(version) for version in known.versions}:
        why = (
            f'no kind "{has_kind}" is registered for version "{has_version}" in scheme '
            '"pkg/api/legacyscheme/scheme.go:30"'
        )
    else:
        short = has_version.rpartition("/")[2]
        package = (known.group or "core").partition(".")[0]
        own = resources.by_kind(api_version, kind)
        target = (own.group if own else "").partition(".")[0] or "core"
        why = f"converting ({short}.{has_kind}) to ({target}.{kind}): unknown conversion"
        if package != target and short == "v1":
            why = f"converting ({short}.{has_kind}) to ({target}.{kind}): unknown conversion"
    raise bad_request(
        f'{has_kind} in version "{has_version.rpartition("/")[2]}" cannot be handled as a {kind}: {why}'
    )


def _not_an_object(value: Any) -> str:
    kind = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}[type(value)]
    return (
        f"json: cannot unmarshal {kind} into Go value of type struct "
        '{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
    )


def _summary(data: bytes) -> str:
    if not data:
        return "<empty>"
    more = " ..." if len(data) > _HEAD else ""
    head = data[:_HEAD]
    return (head.decode(errors="replace") if data.startswith(b"{") else head.hex()) + more


def decode_json(data: bytes) -> Body:
    """Decodes JSON; of a key that comes twice the last value counts.

    Raises:
        ValueError: with Go's words.

    """
    twice = False

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        found = dict(pairs)
        twice = twice or len(found) != len(pairs)
        return found

    try:
        text = data.decode()
        value = json.loads(text, object_pairs_hook=collect)
    except UnicodeDecodeError:
        raise MalformedError("invalid character '\\ufffd' looking for beginning of value") from None
    except json.JSONDecodeError as error:
        raise MalformedError(_go_error(error)) from None
    except RecursionError:
        raise MalformedError("exceeded max depth") from None
    return Body(value, _duplicates(text) if twice else [])


def _duplicates(text: str) -> list[str]:
    class Pairs(list[Any]):
        pass

    found: list[str] = []

    def walk(value: Any, path: str) -> None:
        if isinstance(value, Pairs):
            seen = set()
            for key, item in value:
                where = f"{path}.{key}" if path else key
                if key in seen:
                    found.append(f'duplicate field "{where}"')
                seen.add(key)
                walk(item, where)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                walk(item, f"{path}[{index}]")

    walk(json.loads(text, object_pairs_hook=Pairs), "")
    return found


_WHERE = (
    ("Expecting value", "looking for beginning of value"),
    ("Expecting property name", "looking for beginning of object key string"),
    ("Expecting ':'", "after object key"),
    ("Extra data", "after top-level value"),
    ("Invalid control character", "in string literal"),
    ("Invalid \\escape", "in string escape code"),
)


def _go_error(error: json.JSONDecodeError) -> str:
    rest = error.doc[error.pos :].lstrip()
    if not rest or error.msg.startswith("Unterminated"):
        return "unexpected end of JSON input"
    where = next((words for start, words in _WHERE if error.msg.startswith(start)), "")
    if not where:
        opened = error.doc[: error.pos]
        in_list = opened.count("[") - opened.count("]") > 0 and opened.rfind("[") > opened.rfind("{")
        where = "after array element" if in_list else "after object key:value pair"
    return f"invalid character {_quoted(rest[0])} {where}"


def _quoted(character: str) -> str:
    return {"\n": "'\\n'", "\t": "'\\t'", "'": "'\\''"}.get(character, f"'{character}'")


def decode_yaml(data: bytes) -> Body:
    """Decodes YAML (of which JSON is a part) as `decode_json` does.

    Raises:
        ValueError: with Go's words.

    """
    from ecns.embedded.kubernetes import yamls  # noqa: PLC0415  seldom sent, and slow to import

    return Body(*yamls.load(data))
