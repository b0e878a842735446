"""The HTTP face of objects: one method for each verb, bytes in and bytes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ecns.embedded.kubernetes import (
    bodies,
    conversion,
    listing,
    negotiation,
    options,
    patches,
    pipeline,
    reviews,
    schemas,
    subresources,
    validation,
)
from ecns.embedded.kubernetes.auth import User
from ecns.embedded.kubernetes.cluster import Cluster
from ecns.embedded.kubernetes.discovery import unknown_resource
from ecns.embedded.kubernetes.errors import ApiError, Object, bad_request
from ecns.embedded.kubernetes.metadata import clone
from ecns.embedded.kubernetes.ownership import Manager
from ecns.embedded.kubernetes.requests import Target
from ecns.embedded.kubernetes.views import View
from ecns.embedded.kubernetes.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecns.embedded.kubernetes.auth import Authenticator
    from ecns.embedded.kubernetes.resources import Resource

_PATCHES = (patches.JSON, patches.MERGE, patches.STRATEGIC, patches.APPLY)
_SHOWN_WHEN_DELETED = frozenset(
    {
        "pods",
        "namespaces",
        "persistentvolumes",
        "persistentvolumeclaims",
        "services",
        "serviceaccounts",
        "csidrivers.storage.k8s.io",
        "csinodes.storage.k8s.io",
        "resourcequotas",
        "podtemplates",
        "storageclasses.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
        "volumeattributesclasses.storage.k8s.io",
    }
)
"""Resources of which a DELETE answers the object, not a Status."""

_ENDPOINTS = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"


class Call(msgspec.Struct):
    """One request on resources."""

    target: Target
    user: User
    query: Mapping[str, str]
    dry_runs: list[str]
    headers: Mapping[str, str]
    body: bytes = b""


class Answer(msgspec.Struct):
    """What is sent back; `watch` instead of `body` for a stream."""

    body: bytes = b""
    status: int = 200
    media: str = negotiation.JSON
    warnings: list[str] = []
    wrote: bool = False
    watch: Watch | None = None


def not_allowed() -> ApiError:
    """405."""
    return ApiError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", details={}
    )


class Rest:
    """Answers requests on the resources of a cluster.

    Args:
        cluster: the objects.
        authenticator: for reviews of tokens.

    """

    def __init__(self, cluster: Cluster, authenticator: Authenticator) -> None:
        self._cluster = cluster
        self._authenticator = authenticator
        self._verbs: dict[str, Callable[[Resource, Call, View], Answer]] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }

    def answer(self, call: Call) -> Answer:
        """Answers one request that is authorised.

        Raises:
            ApiError: whatever the answer is that is no success.

        """
        target = call.target
        resource = self._cluster.resources.by_path(target.group, target.version, target.resource)
        if resource is None or target.extra:
            raise unknown_resource()
        if target.namespace and not resource.namespaced and target.resource != "namespaces":
            raise unknown_resource()
        _check_method(resource, target)
        conversions = negotiation.OBJECTS if resource.stored else frozenset()
        view = View(
            resource,
            target.version,
            negotiation.negotiate(call.headers.get("Accept", ""), conversions),
            call.query.get("includeObject", ""),
            self._cluster.now,
        )
        if view.shape.kind == "Table" and target.verb in {"get", "list", "watch"}:
            view.check_include()
        if not resource.stored:
            return self._reviewed(resource, call, view)
        self._cluster.warnings.clear()
        if resource.name == "endpoints":
            self._cluster.warnings.append(_ENDPOINTS)
        if view.converts and target.verb in {"delete", "deletecollection"}:
            view.list(self._cluster.store.all(resource.stored_as), {})  # what cannot be told of stays
        answer = self._verbs[target.verb](resource, call, view)
        if self._cluster.warnings:
            answer.warnings = list(dict.fromkeys([*answer.warnings, *self._cluster.warnings]))
        return answer

    # reading

    def _get(self, resource: Resource, call: Call, view: View) -> Answer:
        target = call.target
        if target.subresource and target.subresource != "status":
            return self._sub(resource, call, view)
        version = options.check_version(call.query.get("resourceVersion", ""))
        if version > self._cluster.store.revision:
            raise options.too_new(version, self._cluster.store.revision)
        record = self._cluster.record(resource.name, target.name, _namespace(resource, target))
        if view.plain and not view.converts:
            return Answer(view.data(record) + b"\n")
        return Answer(view.single(record.obj), media=view.shape.media)

    def _list(self, resource: Resource, call: Call, view: View) -> Answer:
        asked = options.list_options(call.query)
        chosen = listing.selection(resource, view.version, asked)
        records, metadata = listing.page(
            self._cluster.store, resource, call.target.namespace or None, chosen, asked
        )
        return Answer(view.list(records, metadata), media=view.shape.media)

    def _watch(self, resource: Resource, call: Call, view: View) -> Answer:
        asked = options.list_options(call.query, watch=True)
        if call.target.name:
            asked = msgspec.structs.replace(asked, fields=f"metadata.name={call.target.name}")
        chosen = listing.selection(resource, view.version, asked)
        stream = Watch(self._cluster.store, view, call.target.namespace or None, chosen, asked)
        return Answer(watch=stream)

    # writing

    def _decoded(self, resource: Resource, call: Call, validation_mode: str) -> tuple[Object, list[str]]:
        target = call.target
        api_version = resource.api_version(target.version)
        body = bodies.decode(
            call.body, call.headers.get("Content-Type", ""), resource.kind, custom=bool(resource.definition)
        )
        obj: Object = body.value
        if resource.definition:
            bodies.check_custom_kind(obj, resource.kind, api_version, call.body)
            if obj["kind"] == resource.kind and obj["apiVersion"] != api_version:
                version = str(obj["apiVersion"]).rpartition("/")[2]
                self._cluster.warnings += self._strict(
                    resource, version, obj, body.duplicates, validation_mode
                )
        bodies.check_kind(obj, resource.kind, api_version, self._cluster.resources)
        problems = self._strict(resource, target.version, obj, body.duplicates, validation_mode)
        self._cluster.warnings += problems
        return obj, problems

    def _strict(
        self, resource: Resource, version: str, obj: Object, duplicates: list[str], validation_mode: str
    ) -> list[str]:
        try:
            unknown = (
                _unknown_custom(resource, version, obj)
                if resource.definition
                else schemas.decode(resource.name, obj)
            )
        except schemas.DecodeError as error:
            raise schemas.cannot_handle(obj, resource.kind, str(error)) from None
        problems = duplicates + [f'unknown field "{path}"' for path in unknown]
        if validation_mode == "Ignore" or not problems:
            return []
        if validation_mode == "Strict":
            why = f"strict decoding error: {', '.join(problems)}"
            raise schemas.cannot_handle(obj, resource.kind, why)
        return problems

    def _create(self, resource: Resource, call: Call, view: View) -> Answer:
        target = call.target
        if target.subresource:
            return self._sub(resource, call, view)
        asked = _write_options(call, "CreateOptions")
        obj, problems = self._decoded(resource, call, asked.validation)
        if resource.namespaced:
            given = (obj.get("metadata") or {}).get("namespace")
            if given and given != target.namespace:
                raise bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
        elif obj.get("metadata"):
            obj["metadata"].pop("namespace", None)
        stored = self._stored(resource)
        new = self._cluster.create(
            stored.name,
            conversion.restore(pipeline.read(resource, target.version, obj), resource, target.version),
            namespace=target.namespace if resource.namespaced else "",
            user=call.user,
            dry_run=asked.dry_run,
            manager=Manager(asked.manager, target.version, shown=resource),
            version=target.version if resource.definition else "",
        )
        warnings = problems + validation.warnings(resource.name, new, None)
        return Answer(view.single(new), 201, view.shape.media, warnings, wrote=True)

    def _update(self, resource: Resource, call: Call, view: View) -> Answer:
        target = call.target
        if target.subresource and subresources.is_other_kind(target.subresource):
            return self._sub(resource, call, view)
        asked = _write_options(call, "UpdateOptions")
        obj, problems = self._decoded(resource, call, asked.validation)
        _check_names(obj, resource, target)
        stored = self._stored(resource)
        namespace = _namespace(resource, target)
        existing = self._cluster.store.get(stored.name, namespace, target.name)
        new = self._cluster.update(
            stored.name,
            conversion.restore(pipeline.read(resource, target.version, obj), resource, target.version),
            subresource=target.subresource,
            user=call.user,
            dry_run=asked.dry_run,
            manager=Manager(asked.manager, target.version, shown=resource),
            version=target.version if resource.definition else "",
        )
        warnings = problems + validation.warnings(resource.name, new, existing.obj if existing else None)
        return Answer(view.single(new), 200 if existing else 201, view.shape.media, warnings, wrote=True)

    def _patch(self, resource: Resource, call: Call, view: View) -> Answer:
        target = call.target
        kind = bodies.media_type(call.headers.get("Content-Type", ""))
        offered = tuple(item for item in _PATCHES if not (resource.definition and item == patches.STRATEGIC))
        if kind not in _PATCHES:
            raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})
        if kind not in offered:
            raise bodies.unsupported(", ".join(offered))
        if target.subresource and subresources.is_other_kind(target.subresource):
            return self._sub(resource, call, view)
        asked = _write_options(call, "PatchOptions", applies=kind == patches.APPLY)
        stored = self._stored(resource)
        patch, duplicates = patches.decode(call.body, kind)
        namespace = _namespace(resource, target)
        existing = self._cluster.store.get(stored.name, namespace, target.name)
        problems: list[str] = []
        new = self._cluster.patch(
            resource.name,
            target.name,
            namespace,
            patch,
            kind,
            subresource=target.subresource,
            user=call.user,
            dry_run=asked.dry_run,
            manager=Manager(asked.manager, target.version, bool(asked.force), resource),
            version=target.version,
            check=lambda obj: problems.extend(
                self._patched(resource, call, obj, patch, kind, duplicates, asked.validation)
            ),
        )
        warnings = problems + validation.warnings(resource.name, new, existing.obj if existing else None)
        return Answer(view.single(new), 200 if existing else 201, view.shape.media, warnings, wrote=True)

    def _patched(  # noqa: PLR0917  what the check of a patch knows
        self,
        resource: Resource,
        call: Call,
        obj: Object,
        patch: Any,
        content_type: str,
        duplicates: list[str],
        validation_mode: str,
    ) -> list[str]:
        """Decodes what a patch made of an object; its problems are the patch's."""
        if content_type == patches.APPLY:
            if duplicates and validation_mode == "Strict":
                raise bad_request(f"error strict decoding patch: {duplicates[0]}")
            return duplicates if validation_mode == "Warn" else []
        if not isinstance(obj, dict):
            raise patches.refused(obj, patch, content_type, "json: cannot unmarshal into an object")
        sent = (obj.get("apiVersion"), obj.get("kind"))
        known = self._cluster.resources.by_kind(str(sent[0]), str(sent[1]))
        if None not in sent and (
            known is None or sent[0] not in [known.api_version(version) for version in known.versions]
        ):
            why = (
                f'no kind "{sent[1]}" is registered for version "{sent[0]}" in scheme '
                '"pkg/api/legacyscheme/scheme.go:30"'
            )
            raise patches.refused(obj, patch, content_type, why)
        shown = obj if content_type == patches.STRATEGIC else clone(obj)
        try:
            return self._strict(resource, call.target.version, obj, duplicates, validation_mode)
        except ApiError as error:
            why = error.message.partition(": ")[2]
            raise patches.refused(shown, patch, content_type, why) from None

    def _delete(self, resource: Resource, call: Call, view: View) -> Answer:
        target = call.target
        if target.subresource:
            return self._sub(resource, call, view)
        asked = options.delete_options(call.query, call.body, call.headers.get("Content-Type", ""))
        stored, namespace = self._stored(resource), _namespace(resource, target)
        warnings = []
        if stored.name == "jobs.batch" and asked.propagation is None:
            warnings.append(
                "child pods are preserved by default when jobs are deleted; set "
                "propagationPolicy=Background to remove "
                "them or set propagationPolicy=Orphan to suppress this warning"
            )
        last = self._cluster.delete(
            stored.name,
            target.name,
            namespace,
            propagation=asked.propagation,
            grace_seconds=asked.grace,
            preconditions=asked.preconditions,
            user=call.user,
            dry_run=asked.dry_run,
        )
        waits = last["metadata"].get("finalizers") or (stored.name == "pods")
        code = 202 if waits and asked.cascades and self._is_there(stored, last) else 200
        if waits or stored.name in _SHOWN_WHEN_DELETED:
            return Answer(view.single(last), code, view.shape.media, warnings, wrote=True)
        status = deleted_status(resource, last)
        return Answer(
            negotiation.encode(status, view.shape.media), 200, view.shape.media, warnings, wrote=True
        )

    def _is_there(self, stored: Resource, obj: Object) -> bool:
        metadata = obj["metadata"]
        found = self._cluster.store.get(stored.name, metadata.get("namespace", ""), metadata["name"])
        return found is not None and found.uid == metadata["uid"]

    def _delete_collection(self, resource: Resource, call: Call, view: View) -> Answer:
        asked = options.list_options({key: value for key, value in call.query.items() if key != "watch"})
        chosen = listing.selection(resource, view.version, asked)
        wanted = options.delete_options(call.query, call.body, call.headers.get("Content-Type", ""))
        stored = self._stored(resource)
        records, metadata = listing.page(
            self._cluster.store, resource, call.target.namespace or None, chosen, asked
        )
        for record in records:
            try:
                self._cluster.delete(
                    stored.name,
                    record.name,
                    record.namespace,
                    propagation=wanted.propagation,
                    grace_seconds=wanted.grace,
                    preconditions=wanted.preconditions,
                    user=call.user,
                    dry_run=wanted.dry_run,
                )
            except ApiError as error:
                if error.code != 404:  # noqa: PLR2004  it went with another one
                    raise
        return Answer(view.list(records, metadata), media=view.shape.media, wrote=True)

    # the rest

    def _sub(self, resource: Resource, call: Call, view: View) -> Answer:
        verb, media = call.target.verb, bodies.media_type(call.headers.get("Content-Type", ""))
        kind = {"create": "CreateOptions", "patch": "PatchOptions"}.get(verb, "UpdateOptions")
        asked = _write_options(call, kind, applies=verb == "patch" and media == patches.APPLY)
        found = subresources.answer(self._cluster, self._authenticator, self._stored(resource), call, asked)
        shape = view.shape
        return Answer(
            negotiation.encode(found.obj, shape.media),
            found.status,
            shape.media,
            found.warnings,
            wrote=found.wrote,
        )

    def _reviewed(self, resource: Resource, call: Call, view: View) -> Answer:
        obj, problems = self._decoded(resource, call, _write_options(call, "CreateOptions").validation)
        if resource.name == "bindings":
            subresources.bind(
                self._cluster, call.target.namespace, (obj.get("metadata") or {}).get("name", ""), obj
            )
            reviewed: Object = {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "code": 201,
            }
            return Answer(negotiation.encode(reviewed, view.shape.media), 201, view.shape.media, wrote=True)
        reviewed = reviews.answer(
            self._cluster, self._authenticator, resource, call.user, call.target.namespace, obj
        )
        return Answer(negotiation.encode(reviewed, view.shape.media), 201, view.shape.media, problems)

    def _stored(self, resource: Resource) -> Resource:
        return self._cluster.resources[resource.stored_as]


def _namespace(resource: Resource, target: Target) -> str:
    return target.namespace if resource.namespaced else ""


def _check_method(resource: Resource, target: Target) -> None:
    if target.subresource:
        sub = resource.subresource(target.subresource)
        if sub is None:
            raise unknown_resource()
        if target.verb not in sub.verbs:
            raise not_allowed()
        return
    verb = target.verb
    if verb not in resource.verbs:
        raise not_allowed()
    if resource.namespaced and target.name and not target.namespace and verb != "watch":
        raise unknown_resource()
    in_collection = verb in {"create", "list", "deletecollection"}
    if in_collection == bool(target.name) and verb != "watch":
        raise not_allowed()
    if resource.namespaced and not target.namespace and verb not in {"list", "watch"}:
        raise not_allowed()


def _write_options(call: Call, kind: str, *, applies: bool = False) -> options.WriteOptions:
    agent = call.headers.get("User-Agent", "")
    return options.write_options(call.query, kind, call.dry_runs, agent, applies=applies)


def _check_names(obj: Object, resource: Resource, target: Target) -> None:
    metadata: dict[str, Any] = obj.setdefault("metadata", {})
    name = metadata.get("name") or ""
    if not name:
        raise bad_request(
            f"the name of the object ({target.name} based on URL) was undeterminable: name must be provided"
        )
    if resource.namespaced:
        given = metadata.get("namespace")
        if given and given != target.namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        metadata["namespace"] = target.namespace
    if name != target.name:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({target.name})"
        )


def _unknown_custom(resource: Resource, version: str, obj: Object) -> list[str]:
    from ecns.embedded.kubernetes.validation import schema  # noqa: PLC0415  of custom resources only

    unknown: list[str] = schema.unknown_fields(resource.schemas.get(version, {}), obj)
    return unknown


def deleted_status(resource: Resource, last: Object) -> Object:
    """The Status that says an object was deleted."""
    metadata = last["metadata"]
    details: Object = {"name": metadata["name"]}
    if resource.group:
        details["group"] = resource.group
    details |= {"kind": resource.plural, "uid": metadata.get("uid", "")}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
