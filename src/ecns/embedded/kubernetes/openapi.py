"""OpenAPI documents: what kubectl reads to explain, validate and merge.

A document is made from the schemas when it is first asked for and kept until what it describes changes.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from ecns.embedded.kubernetes import clock, swagger_protobuf
from ecns.embedded.kubernetes.discovery import VERSION, Response, not_found_page
from ecns.embedded.kubernetes.enums import with_values
from ecns.embedded.kubernetes.errors import ApiError, Object
from ecns.embedded.kubernetes.schemas import definitions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ecns.embedded.kubernetes.resources import Resource, Resources

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_OBJECT_META, _LIST_META = f"{_META}ObjectMeta", f"{_META}ListMeta"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_EDITION = 2
"""Counted up when the documents of a release tell something else, as clients keep them by their hashes."""
_COMPONENTS, _DEFINITIONS = "#/components/schemas/", "#/definitions/"
_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_INFO = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
_NOT_IN_V2 = frozenset(("oneOf", "anyOf", "allOf", "not", "nullable", "default"))
_OPEN = ("nullable", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string")
"""Marks of schemas that take values of more than their type."""
_KEYED = {
    "type": "apiKey",
    "description": "Bearer Token authentication",
    "name": "authorization",
    "in": "header",
}
_PLAIN = ("api", "apis", "version")
_ANSWERS = {"200": {"description": "OK"}, "401": {"description": "Unauthorized"}}
_JSON_TYPES = ("*/*", "application/*", "application/json", "")

_made: dict[tuple[str, str], bytes] = {}
"""(path, hash) → document."""


def respond(path: str, query: Mapping[str, str], accept: str, resources: Resources) -> Response | None:
    """Answers a GET below `/openapi`.

    Args:
        path: the request's path.
        query: its parameters; `hash` names the document's state that is wanted.
        accept: its Accept header.
        resources: what is served.

    Returns:
        The answer, or None when the path is another's.

    Raises:
        ApiError: 406 when neither JSON nor, for v2, protobuf is accepted.
    """
    head, rest = path.strip("/")[:10], path.strip("/")[11:]
    if head not in {"openapi/v2", "openapi/v3"} or (head == "openapi/v2" and rest):
        return None
    media = {clause.partition(";")[0].strip() for clause in accept.split(",")}
    if head == "openapi/v2" and media & swagger_protobuf.ACCEPTED:
        made = _kept("protobuf", _hash("", resources), lambda: swagger_protobuf.encode(_swagger(resources)))
        return Response(made.body, swagger_protobuf.CONTENT_TYPE, headers=made.headers)
    if not media & set(_JSON_TYPES):
        raise ApiError(406, "NotAcceptable", "only the following media types are accepted: application/json")
    if head == "openapi/v2":
        return _kept("", _hash("", resources), lambda: msgspec.json.encode(_swagger(resources)))
    if not rest:
        index = {
            name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={_hash(name, resources)}"}
            for name in _names(resources)
        }
        return Response(msgspec.json.encode({"paths": index}), "text/plain; charset=utf-8")
    if rest not in set(_names(resources)):
        return not_found_page()
    return _document(rest, query.get("hash", ""), resources)


def _document(name: str, wanted: str, resources: Resources) -> Response:
    current = _hash(name, resources)
    if wanted and wanted != current:
        return Response(b"", status=301, headers={"Location": f"/openapi/v3/{name}?hash={current}"})
    answer = _kept(name, current, lambda: msgspec.json.encode(_openapi(name, resources)))
    if not wanted:
        return answer
    expires = (clock.now() + timedelta(days=365)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    lasting = {"Vary": "Accept", "Cache-Control": "public, immutable", "Expires": expires}
    return Response(answer.body, headers={**answer.headers, **lasting})


def _kept(name: str, current: str, make: Callable[[], bytes]) -> Response:
    body = _made.get((name, current))
    if body is None:
        for old in [key for key in _made if key[0] == name]:
            del _made[old]
        body = _made[name, current] = make()
    return Response(body, headers={"ETag": f'"{current}"', "Vary": "Accept"})


def _names(resources: Resources) -> list[str]:
    names = list(_PLAIN)
    for group, versions in resources.groups().items():
        names += [f"apis/{group}"] if group else []
        names += [_place(group, version) for version in versions]
    return sorted(names)


def _place(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _hash(name: str, resources: Resources) -> str:
    """Of what a document is made from: the release, the resources and the schemas of custom ones."""
    _, _, rest = name.partition("/")
    group, _, version = rest.partition("/") if name.startswith("apis/") else ("", "", rest)
    listed = resources if not name else resources.in_version(group, version)
    made_of = [
        [resource.name, resource.versions, [sub.name for sub in resource.subresources], resource.schemas]
        for resource in listed
    ]
    seed = msgspec.json.encode([VERSION["gitVersion"], _EDITION, name, made_of])
    return hashlib.sha512(seed).hexdigest().upper()


# --- documents


def _openapi(name: str, resources: Resources) -> Object:
    """The OpenAPI v3 document of a name of the index."""
    parts = name.split("/")
    head: Object = {"openapi": "3.0.0", "info": _INFO}
    tail = {"securitySchemes": {"BearerToken": _KEYED}}
    versioned = len(parts) == (2 if parts[0] == "api" else 3) and parts[0] in {"api", "apis"}
    if not versioned:
        slash = "/" if parts[0] in {"api", "apis", "version"} else ""
        return {**head, "paths": {f"/{name}{slash}": {"get": {"responses": _ANSWERS}}}, "components": tail}
    group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
    listed = resources.in_version(group, version)
    found = _schemas([(resource, version) for resource in listed])
    return {
        **head,
        "paths": dict(_paths(listed, group, version)),
        "components": {"schemas": {key: _v3(found[key]) for key in sorted(found)}, **tail},
    }


def _swagger(resources: Resources) -> Object:
    """The OpenAPI v2 document of everything."""
    pairs = [(resource, version) for resource in resources for version in resource.versions]
    found = _schemas(pairs)
    paths: Object = {}
    for group, versions in resources.groups().items():
        for version in versions:
            paths.update(_paths(resources.in_version(group, version), group, version))
    return {
        "swagger": "2.0",
        "info": _INFO,
        "paths": paths,
        "definitions": {key: _v2(found[key]) for key in sorted(found)},
        "securityDefinitions": {"BearerToken": _KEYED},
        "security": [{"BearerToken": []}],
    }


def _schemas(pairs: list[tuple[Resource, str]]) -> dict[str, Object]:
    """The definitions that resources in versions need, with all they refer to."""
    by_kind = _by_kind()
    found: dict[str, Object] = {}
    wanted = [f"{_META}{kind}" for kind in ("DeleteOptions", "Status", "WatchEvent", "Patch")]
    for resource, version in pairs:
        if resource.definition:
            found.update(_custom(resource, version))
            wanted += [_OBJECT_META, _LIST_META]
            continue
        kinds = [(resource.group, version, kind) for kind in (resource.kind, resource.list_kind)]
        kinds += [
            (sub.group if sub.version else resource.group, sub.version or version, sub.kind)
            for sub in resource.subresources
        ]
        wanted += [by_kind[kind] for kind in kinds if kind in by_kind]
    while wanted:
        name = wanted.pop()
        if name not in found and name in definitions():
            found[name] = with_values(name, definitions()[name])
            wanted += _references(found[name])
    return found


def _by_kind() -> dict[tuple[str, str, str], str]:
    """(group, version, kind) → definition."""
    return {
        (kind["group"], kind["version"], kind["kind"]): name
        for name, schema in definitions().items()
        for kind in schema.get("x-kubernetes-group-version-kind", ())
    }


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        target = schema.get("$ref")
        if isinstance(target, str):
            yield target.rpartition("/")[2]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _custom(resource: Resource, version: str) -> Iterator[tuple[str, Object]]:
    """The definitions of a custom resource and its list."""
    head = ".".join([*reversed(resource.group.split(".")), version])
    kind: Object = {"group": resource.group, "version": version}
    common = definitions()[_OBJECT_META.replace("ObjectMeta", "Status")]["properties"]
    texts = {
        key: {"type": "string", "description": common[key]["description"]} for key in ("apiVersion", "kind")
    }
    meta = f"Standard object's metadata. More info: {_CONVENTIONS}#metadata"
    own = dict(
        resource.schemas.get(version) or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    )
    about = {"$ref": f"#/$defs/{_OBJECT_META}", "description": meta}
    own["properties"] = {**own.get("properties", {}), **texts, "metadata": about}
    own["x-kubernetes-group-version-kind"] = [{**kind, "kind": resource.kind}]
    yield f"{head}.{resource.kind}", own
    item = {"$ref": f"#/$defs/{head}.{resource.kind}"}
    listed = f"List of {resource.plural}. More info: {_CONVENTIONS}"
    yield (
        f"{head}.{resource.list_kind}",
        {
            "description": f"{resource.list_kind} is a list of {resource.kind}",
            "type": "object",
            "required": ["items"],
            "properties": {
                **texts,
                "items": {"description": listed, "type": "array", "items": item},
                "metadata": {"$ref": f"#/$defs/{_LIST_META}", "description": meta},
            },
            "x-kubernetes-group-version-kind": [{**kind, "kind": resource.list_kind}],
        },
    )


# --- schemas


def _v3(schema: Any) -> Any:
    """A definition as OpenAPI v3 writes it."""
    return _rewritten(schema, _COMPONENTS)


def _v2(schema: Any) -> Any:
    """A definition as OpenAPI v2 writes it: no alternatives of type, references alone."""
    return _rewritten(schema, _DEFINITIONS)


def _rewritten(schema: Any, prefix: str) -> Any:
    if isinstance(schema, list):
        return [_rewritten(item, prefix) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema and isinstance(schema["$ref"], str):
        return _reference(schema, prefix)
    if isinstance(schema.get("oneOf"), list) and all(
        isinstance(item.get("type"), list) for item in schema["oneOf"]
    ):
        return _either(schema, prefix)
    made = {}
    for key, value in schema.items():
        if key in {"items", "additionalProperties"}:
            made[key] = _property("", value, prefix)
        elif key == "type" and isinstance(value, list):
            made[key] = next(item for item in value if item != "null")
        elif key == "properties":
            made[key] = {name: _property(name, about, prefix) for name, about in value.items()}
        elif key == "enum":
            made[key] = [item for item in value if item is not None]
        else:
            made[key] = _rewritten(value, prefix)
    return made


def _property(name: str, about: Any, prefix: str) -> Any:
    """A field; kind and apiVersion are not limited to their values, as they are in the schemas at hand."""
    if name in {"apiVersion", "kind"} and isinstance(about, dict) and len(about.get("enum") or ()) == 1:
        about = {key: value for key, value in about.items() if key != "enum"}
    if prefix == _DEFINITIONS and isinstance(about, dict):
        about = _simplified(about)
    return _rewritten(about, prefix)


def _simplified(schema: Object) -> Object:
    """A schema within a custom resource's, of which OpenAPI v2 can say less; built-in ones say no more."""
    if "$ref" in schema:
        return schema
    dropped = _NOT_IN_V2
    if any(schema.get(mark) for mark in _OPEN):
        dropped |= {"type", "properties", "items", "required", "additionalProperties"}
    return {key: value for key, value in schema.items() if key not in dropped}


def _reference(schema: Object, prefix: str) -> Object:
    name = schema["$ref"].rpartition("/")[2]
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    target = {"$ref": f"{prefix}{name}"}
    if prefix == _DEFINITIONS:
        return {**target, **rest}
    structured = "properties" in definitions().get(name, {})
    return {"allOf": [target], **({"default": {}} if structured else {}), **rest}


def _either(schema: Object, prefix: str) -> Object:
    """A value of one of two types: text or an integer, or text or a number."""
    kinds = {kind for item in schema["oneOf"] for kind in item["type"]} - {"null"}
    rest = {key: value for key, value in schema.items() if key != "oneOf"}
    named = {"format": "int-or-string"} if "integer" in kinds else {}
    if prefix == _DEFINITIONS:
        return {"type": "string", **named, **rest}
    order = ("integer", "string") if named else ("string", "number")
    return {"oneOf": [{"type": kind} for kind in order], **named, **rest}


# --- paths

_WRITING = ("dryRun", "fieldManager", "fieldValidation", "pretty")
_LISTING = (
    *("allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "pretty"),
    *("resourceVersion", "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch"),
)
_DELETING = ("dryRun", "gracePeriodSeconds", "orphanDependents", "pretty", "propagationPolicy")
_KINDS = {
    "limit": "integer",
    "timeoutSeconds": "integer",
    "gracePeriodSeconds": "integer",
    "force": "boolean",
}
_KINDS |= dict.fromkeys(("watch", "allowWatchBookmarks", "sendInitialEvents", "orphanDependents"), "boolean")
# verb → (method, action, parameters); on the collection, then on one object
_ON_MANY = {
    "list": ("get", "list", _LISTING),
    "create": ("post", "post", _WRITING),
    "deletecollection": ("delete", "deletecollection", (*_LISTING, *_DELETING)),
}
_ON_ONE = {
    "get": ("get", "get", ("pretty",)),
    "update": ("put", "put", _WRITING),
    "patch": ("patch", "patch", (*_WRITING, "force")),
    "delete": ("delete", "delete", _DELETING),
    "create": ("post", "post", _WRITING),
}


def _paths(listed: list[Resource], group: str, version: str) -> Iterator[tuple[str, Object]]:
    root = "/" + _place(group, version)
    for resource in listed:
        many = f"{root}/{resource.plural}"
        kind = {"group": group, "version": version, "kind": resource.kind}
        if resource.namespaced:
            across = {verb: _ON_MANY[verb] for verb in ("list",) if verb in resource.verbs}
            if across:
                yield many, _operations(across, kind, ())
            many = f"{root}/namespaces/{{namespace}}/{resource.plural}"
        scope = ("namespace",) if resource.namespaced else ()
        yield many, _operations(_offered(_ON_MANY, resource.verbs), kind, scope)
        single = {verb: how for verb, how in _offered(_ON_ONE, resource.verbs).items() if verb != "create"}
        if single:
            yield f"{many}/{{name}}", _operations(single, kind, ("name", *scope))
        for sub in resource.subresources:
            foreign = {"group": sub.group, "version": sub.version} if sub.version else {}
            about = {**kind, **foreign, "kind": sub.kind}
            operations = _operations(_offered(_ON_ONE, sub.verbs), about, ("name", *scope))
            yield f"{many}/{{name}}/{sub.name}", operations


def _offered(table: dict[str, Any], verbs: tuple[str, ...]) -> dict[str, Any]:
    return {verb: how for verb, how in table.items() if verb in verbs}


def _operations(table: dict[str, Any], kind: Object, scope: tuple[str, ...]) -> Object:
    made: Object = {}
    for method, action, parameters in table.values():
        made[method] = {
            "parameters": [_parameter(name, "query") for name in dict.fromkeys(parameters)],
            "responses": _ANSWERS,
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind,
        }
    if scope:
        made["parameters"] = [_parameter(name, "path") for name in scope]
    return made


def _parameter(name: str, place: str) -> Object:
    kind = _KINDS.get(name, "string")
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, **required, "schema": {"type": kind, "uniqueItems": True}}
