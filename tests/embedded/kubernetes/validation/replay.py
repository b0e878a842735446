"""Feeds recorded requests through defaults, admission and validation, without a server.

The state of the cluster before each request is what the recording itself said before.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from copy import deepcopy
from typing import Any

import msgspec
from tests.embedded.kubernetes.recorded import ORACLE

from ecns.embedded.kubernetes import admission, errors, patches, schemas, validation
from ecns.embedded.kubernetes.defaults import apply_defaults
from ecns.embedded.kubernetes.resources import Resource, Resources, Subresource
from ecns.embedded.kubernetes.validation import schema as structural

Object = dict[str, Any]
CREATED = "2026-11-23T10:00:00Z"
_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>v[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/[^/]))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SUFFIX = re.compile(r"(kube-api-access|gen|ok|Bad)-[bcdfghjklmnpqrstvwxz2456789]{5}")
_SUBRESOURCES = {"status", "finalize", "ephemeralcontainers", "resize"}


class NotOursError(Exception):
    """The request is of a sort that is not for these rooms."""


class _Asked(msgspec.Struct):
    resource: Resource
    version: str
    method: str
    namespace: str
    name: str
    sub: str
    content: str
    strictness: str


class Replay:
    """A cluster as admission sees it, whose objects are those that the recording showed."""

    def __init__(self) -> None:
        self.resources = Resources()
        self.objects: dict[tuple[str, str, str], Object] = {}

    def find(self, resource: str, name: str, namespace: str = "") -> Object | None:
        found = self.objects.get((resource, namespace, name))
        if found is None and name != "nosuch":
            if resource == "namespaces":
                return {
                    "metadata": {"name": name, "labels": _LABELS.get(name, {})},
                    "status": {"phase": "Active"},
                }
            if resource == "serviceaccounts" and name == "default":
                return {"metadata": {"name": name, "namespace": namespace}}
        return found

    def get(self, resource: str, name: str, namespace: str = "") -> Object:
        found = self.find(resource, name, namespace)
        if found is None:
            raise errors.not_found(resource, name)
        return found

    def list(self, resource: str, namespace: str | None = None) -> list[Object]:
        roots = [{"metadata": {"name": "kube-root-ca.crt"}}] if resource == "configmaps" else []
        return roots + [
            obj
            for (kind, space, _), obj in self.objects.items()
            if kind == resource and namespace in {None, space}
        ]

    def resource(self, group: str, version: str, plural: str) -> Resource:
        found = self.resources.by_path(group, version, plural)
        if found is None:
            raise NotOursError(plural)
        return found

    def remember(self, exchange: Object) -> None:
        """Takes over what the recording showed."""
        request, answer = exchange["request"], exchange["response"]
        body = answer["body"]
        found = _PATH.fullmatch(request["path"])
        if found is None or answer["status"] >= 300 or not isinstance(body, dict):
            return
        if (request.get("query") or {}).get("dryRun"):
            return
        resource = self.resources.by_path(found["group"] or "", found["version"], found["plural"])
        if resource is None or found["sub"] in {"scale", "binding", "eviction", "log", "exec", "token"}:
            return
        items = body.get("items") if body.get("kind", "").endswith("List") else [body]
        for item in items or ():
            metadata = item.get("metadata", {})
            key = (resource.stored_as, metadata.get("namespace", ""), metadata.get("name", ""))
            if (
                request["method"] == "DELETE"
                and not metadata.get("finalizers")
                and resource.plural != "namespaces"
            ):
                name = found["name"] or metadata.get("name", "")
                self.objects.pop((resource.stored_as, found["namespace"] or "", name), None)
            elif body.get("kind") == resource.kind or len(items) > 1:
                self.objects[key] = item
        if resource.plural == "customresourcedefinitions" and request["method"] == "POST":
            self._serve(body)

    def _serve(self, definition: Object) -> None:
        spec = definition["spec"]
        self.resources.add(
            Resource(
                group=spec["group"],
                versions=tuple(version["name"] for version in spec["versions"]),
                plural=spec["names"]["plural"],
                singular=spec["names"]["singular"],
                kind=spec["names"]["kind"],
                list_kind=spec["names"]["listKind"],
                namespaced=spec["scope"] == "Namespaced",
                storage_version=spec["versions"][0]["name"],
                stored_as=f"{spec['names']['plural']}.{spec['group']}",
                subresources=(Subresource("status", spec["names"]["kind"]),),
                definition=definition["metadata"]["name"],
                schemas={
                    version["name"]: version["schema"]["openAPIV3Schema"] for version in spec["versions"]
                },
                scales={
                    version["name"]: version.get("subresources", {}).get("scale", {})
                    for version in spec["versions"]
                },
            )
        )

    def answer(self, exchange: Object) -> Object:
        """What our pure functions make of a request: `{"status", "body", "warnings"}`.

        Raises:
            NotOursError: the request is for the server to answer.
        """
        request = exchange["request"]
        found = _PATH.fullmatch(request["path"])
        body = deepcopy(request["body"])
        content = request["headers"].get("content-type", "application/json")
        if found is None or found["sub"] not in {None, *_SUBRESOURCES} or not isinstance(body, dict):
            raise NotOursError(request["path"])
        if request["method"] not in {"POST", "PUT", "PATCH"} or (request["method"] == "POST") == bool(
            found["name"]
        ):
            raise NotOursError(request["method"])
        resource = self.resource(found["group"] or "", found["version"], found["plural"])
        if request["method"] == "PATCH" and content not in {patches.MERGE, patches.STRATEGIC}:
            raise NotOursError(content)
        body = _expanded(body)
        old = self.find(resource.name, found["name"] or "", found["namespace"] or "")
        warnings: list[str] = []
        asked = _Asked(
            resource=resource,
            version=found["version"],
            method=request["method"],
            namespace=found["namespace"] or "",
            name=found["name"] or "",
            sub=found["sub"] or "",
            content=content,
            strictness=(request.get("query") or {}).get("fieldValidation", "Warn"),
        )
        try:
            obj = self._run(asked, body, old, warnings)
        except errors.ApiError as error:
            return {"status": error.code, "body": error.status(), "warnings": warnings}
        return {"status": 200 + (request["method"] == "POST"), "body": obj, "warnings": warnings}

    def _run(self, asked: _Asked, body: Object, old: Object | None, warnings: list[str]) -> Object:
        resource, sub = asked.resource, asked.sub
        if asked.method == "PATCH":
            if old is None:
                raise errors.not_found(resource.name, asked.name)
            kind = asked.content if asked.content == patches.STRATEGIC else patches.MERGE
            body = patches.apply(deepcopy(old), body, kind, resource, asked.version)
        self._identify(asked, body, old)
        schema = resource.schemas.get(asked.version) if resource.definition else None
        unknown = self._unknown(asked, body, schema)
        if unknown and asked.strictness == "Strict":
            raise schemas.cannot_handle(body, resource.kind, "strict decoding error: " + ", ".join(unknown))
        warnings += unknown if asked.strictness != "Ignore" else []
        if schema is not None:
            structural.prune(schema, body)
            structural.default(schema, body)
        apply_defaults(resource.name, body)
        metadata = body["metadata"]
        if asked.method == "POST":
            old = None
            if not metadata.get("name") and metadata.get("generateName"):
                metadata["name"] = metadata["generateName"][:58] + "xxxxx"
            metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": CREATED}
            if (resource.stored_as, asked.namespace, metadata.get("name", "")) in self.objects:
                raise NotOursError("exists")
        elif old is None:
            raise errors.not_found(resource.name, asked.name)
        request = admission.Request(
            operation="CREATE" if old is None else "UPDATE",
            resource=resource.name,
            subresource=sub,
            namespace=asked.namespace,
            name=metadata.get("name", ""),
            obj=body,
            old=old,
        )
        admission.mutate(self, request)
        causes = self._prepared(resource.name, body, old, sub)
        if schema is not None:
            causes += structural.validate(schema, body, old, resource.scales.get(asked.version))
        if causes:
            raise errors.invalid(resource.kind, resource.group, metadata.get("name", ""), causes)
        admission.check(self, request)
        warnings += validation.warnings(resource.name, body, old) + request.warnings
        return body

    def _prepared(self, name: str, body: Object, old: Object | None, sub: str) -> list[errors.Cause]:
        if old is None:
            validation.prepare_for_create(name, body)
            return validation.validate_create(name, body)
        validation.prepare_for_update(name, body, old, sub)
        return validation.validate_update(name, body, old, sub)

    def _identify(self, asked: _Asked, body: Object, old: Object | None) -> None:
        wanted = (asked.resource.api_version(asked.version), asked.resource.kind)
        if (body.setdefault("apiVersion", wanted[0]), body.setdefault("kind", wanted[1])) != wanted:
            raise NotOursError("kind")
        metadata = body.setdefault("metadata", {})
        if asked.namespace and metadata.setdefault("namespace", asked.namespace) != asked.namespace:
            raise NotOursError("namespace")
        if not asked.resource.namespaced:
            metadata.pop("namespace", None)
        version = metadata.get("resourceVersion")
        if version and (old is None or version != old["metadata"].get("resourceVersion")):
            raise NotOursError("conflict")
        if asked.name and metadata.get("name") != asked.name:
            raise NotOursError("name")

    def _unknown(self, asked: _Asked, body: Object, schema: Object | None) -> list[str]:
        if schema is None:
            return validation.unknown_fields(asked.resource.name, body)
        return [f'unknown field "{path}"' for path in structural.unknown_fields(schema, body)]


_SECURITY = "pod-security.kubernetes.io/"
_LABELS = {
    "err-pod-security-restricted": {_SECURITY + "enforce": "restricted"},
    "err-pod-security-baseline": {_SECURITY + "enforce": "baseline", _SECURITY + "warn": "restricted"},
}


def _expanded(value: Any) -> Any:
    """Values that the recording shortened, such as `(262145 times v)`, at their full length."""
    if isinstance(value, dict):
        return {key: _expanded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    if isinstance(value, str):
        found = re.fullmatch(r"\((\d+) times v\)", value)
        if found:
            return "v" * int(found[1])
        found = re.fullmatch(r"\(base64 of (\d+) times v\)", value)
        if found:
            return base64.b64encode(b"v" * int(found[1])).decode()
    return value


def normal(value: Any, key: str = "") -> Any:
    """An answer without what varies between runs."""
    if isinstance(value, dict):
        return {name: normal(item, name) for name, item in value.items() if name not in _VARIES}
    if isinstance(value, list):
        items = [normal(item) for item in value]
        return sorted(items, key=str) if key == "causes" else items
    if isinstance(value, str):
        text = _SUFFIX.sub(r"\1-*****", _UUID.sub("UID", value).replace("gen-xxxxx", "gen-*****"))
        text = text.replace("Bad-xxxxx", "Bad-*****")
        return re.sub(r"bbbb+-?xxxxx|bbbb+[a-z0-9]*", "BBB", text)
    return value


_VARIES = {
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "lastPhaseTransitionTime",
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "healthCheckNodePort",
}


def warnings_of(exchange: Object) -> list[str]:
    found = []
    for header in exchange["response"]["headers"].get("warning", ()):
        text = header.removeprefix('299 - "').removesuffix('"')
        found.append(text.replace('\\"', '"').replace("\\\\", "\\"))
    return found


def differences(file: str, *, only: str = "") -> tuple[list[tuple[str, str]], int]:
    """(exchange, what differs) of those that differ, and how many were compared."""
    replay, found, compared, scenario = Replay(), [], 0, ""
    for line in (ORACLE / file).read_text().splitlines():
        exchange = msgspec.json.decode(line)
        current = exchange["id"].partition("/")[0]
        if current != scenario:
            scenario = current
        if not exchange["id"].startswith(only):
            replay.remember(exchange)
            continue
        try:
            ours = replay.answer(exchange)
        except NotOursError:
            replay.remember(exchange)
            continue
        compared += 1
        why = _difference(exchange, ours)
        if why:
            found.append((exchange["id"], why))
        replay.remember(exchange)
    return found, compared


def _difference(exchange: Object, ours: Object) -> str:
    theirs = exchange["response"]
    if theirs["status"] != ours["status"]:
        return f"status {theirs['status']} ours {ours['status']}: {_message(theirs)} | ours: {_message(ours)}"
    if theirs["status"] >= 400:
        if normal(theirs["body"]) != normal(ours["body"]):
            if theirs["body"]["message"] == ours["body"]["message"]:
                return f"details {theirs['body'].get('details')} | ours {ours['body'].get('details')}"
            return f"message\n   {normal(_message(theirs))}\n   {normal(_message(ours))}"
        return ""
    wanted, have = normal(theirs["body"]), normal(ours["body"])
    if exchange["request"]["method"] != "POST":
        for answer in (wanted, have):
            _forget_controllers(answer)
    if wanted != have:
        paths = list(_paths(wanted, have, ""))
        return "body " + "; ".join(paths[:8])
    if warnings_of(exchange) != ours["warnings"]:
        return f"warnings {warnings_of(exchange)} | ours {ours['warnings']}"
    return ""


def _forget_controllers(answer: Object) -> None:
    """What controllers wrote between two requests."""
    answer.pop("status", None)
    annotations = answer["metadata"].get("annotations", {})
    annotations.pop("deployment.kubernetes.io/revision", None)
    if not annotations:
        answer["metadata"].pop("annotations", None)


def _message(answer: Object) -> str:
    body = answer["body"]
    return body.get("message", "") if isinstance(body, dict) else str(body)


def _paths(wanted: Any, have: Any, path: str) -> Any:
    if isinstance(wanted, dict) and isinstance(have, dict):
        for key in {*wanted, *have}:
            if key not in have:
                yield f"{path}.{key} missing {json.dumps(wanted[key])[:200]}"
            elif key not in wanted:
                yield f"{path}.{key} too much {json.dumps(have[key])[:200]}"
            else:
                yield from _paths(wanted[key], have[key], f"{path}.{key}")
    elif isinstance(wanted, list) and isinstance(have, list) and len(wanted) == len(have):
        for index, (one, other) in enumerate(zip(wanted, have, strict=True)):
            yield from _paths(one, other, f"{path}[{index}]")
    elif wanted != have:
        yield f"{path}: {json.dumps(wanted)[:200]} ours {json.dumps(have)[:200]}"
