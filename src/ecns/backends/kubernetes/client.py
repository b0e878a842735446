"""The Kubernetes API of one cluster over HTTP: raw bytes in, the fields we keep out.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, ClassVar, Generic, Literal, TypeVar
from urllib.parse import quote

import msgspec
import structlog

from ecns.backends.kubernetes.errors import ExpiredError, transport_error
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind, ListMeta, Resource
from ecns.backends.kubernetes.transport import Actor, Bearer, Impersonation, Query, Stream, Transport
from ecns.errors import BadRequestError, EcnsError

__all__ = ["Actor", "Bearer", "Client", "Impersonation", "Listing", "Patch", "Query", "Stream"]

_log = structlog.get_logger(__name__)

FIELD_MANAGER = "ecns"
LONGEST_NAME = 253
"""Characters that a name can have, of whatever kind."""
PAGE_SIZE = 500
LIGHT = 1024 * 1024
"""Bytes of a page after which the next may be twice as long, up to `PAGE_SIZE` objects."""

T = TypeVar("T")
Propagation = Literal["Foreground", "Background", "Orphan"]
FieldValidation = Literal["Strict", "Warn", "Ignore"]


class Patch(msgspec.Struct, frozen=True):
    """A change of some fields; made by one of the class methods."""

    content_type: str
    body: bytes
    field_manager: str = FIELD_MANAGER
    force: bool = False

    @classmethod
    def json(cls, operations: Iterable[Mapping[str, Any]]) -> Patch:
        """RFC 6902; a `test` operation makes it conditional."""
        return cls("application/json-patch+json", msgspec.json.encode(list(operations)))

    @classmethod
    def merge(cls, changes: Mapping[str, Any]) -> Patch:
        """RFC 7386: objects are merged, lists replaced, null removes."""
        return cls("application/merge-patch+json", msgspec.json.encode(changes))

    @classmethod
    def strategic(cls, changes: Mapping[str, Any]) -> Patch:
        """Kubernetes' own: lists of things with a key are merged by it; not for custom resources."""
        return cls("application/strategic-merge-patch+json", msgspec.json.encode(changes))

    @classmethod
    def apply(cls, obj: Any, *, field_manager: str = FIELD_MANAGER, force: bool = False) -> Patch:
        """Server-side apply of all fields that the manager wants to own; creates what is not there."""
        return cls("application/apply-patch+yaml", msgspec.json.encode(obj), field_manager, force)


class Listing(msgspec.Struct, Generic[T]):
    """A collection, or a page of it."""

    items: list[T]
    resource_version: str
    """Of the collection: where a watch begins."""


class _Page(msgspec.Struct, Generic[T]):
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    items: list[T] | None = None


class Client(Transport):
    """The objects of one cluster.

    All methods raise `UpstreamError` when it does not answer, or not sensibly.
    """

    _decoders: ClassVar[dict[Any, msgspec.json.Decoder[Any]]] = {}

    async def get(
        self,
        kind: Kind[T],
        name: str,
        namespace: str = "",
        *,
        subresource: str = "",
        actor: Actor | None = None,
    ) -> T:
        """Read one object.

        Raises:
            NotFoundError: it is not there.
            NotServedError: the cluster does not know the kind.
            UpstreamError: the cluster does not answer, or not sensibly.
        """
        path = object_path(kind, namespace, name, subresource)
        return self._decode(kind.type, await self.request("GET", path, actor=actor))

    async def list(
        self,
        kind: Kind[T],
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        page_size: int | None = None,
        actor: Actor | None = None,
    ) -> Listing[T]:
        """Read a collection, of all namespaces when `namespace` is empty; what makes no sense is left out.

        Args:
            kind: of what.
            namespace: only there.
            labels: a label selector.
            fields: a field selector.
            page_size: objects a request; None: as the kind has it, more while they are small.
            actor: as whom.
        """
        for size in (page_size, 0):
            items: list[T] = []
            version = ""
            try:
                pages = self.pages(kind, namespace, labels=labels, fields=fields, page_size=size, actor=actor)
                async for page in pages:
                    items += page.items
                    version = page.resource_version
            except ExpiredError:
                if size == 0:
                    raise
                continue  # the pages took longer than the server remembers: all in one
            return Listing(items, version)
        raise AssertionError

    async def pages(
        self,
        kind: Kind[T],
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        page_size: int | None = None,
        actor: Actor | None = None,
        background: bool = False,
    ) -> AsyncIterator[Listing[T]]:
        """Read a collection page by page, all of one moment.

        Raises:
            ExpiredError: the pages took longer than the server remembers.
        """
        path = object_path(kind, namespace)
        selectors = [
            (key, value) for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value
        ]
        size = kind.page_size if page_size is None else page_size
        token = ""
        while True:
            limit = [("limit", str(size))] if size else []
            query = [*selectors, *limit, *([("continue", token)] if token else [])]
            body = await self.request("GET", path, query=query, actor=actor, background=background)
            page = self._page(kind, body)
            yield Listing(page.items or [], page.metadata.resource_version)
            token = page.metadata.continue_
            if not token:
                return
            if page_size is None:
                size = min(2 * size, PAGE_SIZE) if len(body) < LIGHT else kind.page_size

    async def create(
        self,
        kind: Kind[T],
        obj: Resource | JsonObject,
        namespace: str = "",
        *,
        name: str = "",
        subresource: str = "",
        dry_run: bool = False,
        actor: Actor | None = None,
        field_validation: FieldValidation = "Strict",
    ) -> T:
        """Make an object; with `name` and `subresource` one of an object (an eviction, a token).

        Raises:
            ConflictError: it exists.
            BadRequestError: it is not valid; `field` names the first field.
        """
        path = object_path(kind, namespace or _namespace(obj), name or None, subresource)
        query = _write(dry_run=dry_run, field_validation=field_validation)
        body = _body(kind, obj) if not subresource else msgspec.json.encode(obj)
        return self._decode(kind.type, await self.request("POST", path, query=query, body=body, actor=actor))

    async def replace(
        self,
        kind: Kind[T],
        obj: JsonObject,
        namespace: str = "",
        *,
        subresource: str = "",
        dry_run: bool = False,
        actor: Actor | None = None,
        field_validation: FieldValidation = "Strict",
    ) -> T:
        """Replace a whole object, which is why only a JSON object with all fields is taken.

        Raises:
            ConflictError: it has changed since its `metadata.resourceVersion`.
        """
        path = object_path(
            kind, namespace or _namespace(obj), str(obj.get("metadata", {}).get("name", "")), subresource
        )
        query = _write(dry_run=dry_run, field_validation=field_validation)
        body = await self.request("PUT", path, query=query, body=_body(kind, obj), actor=actor)
        return self._decode(kind.type, body)

    async def patch(
        self,
        kind: Kind[T],
        name: str,
        namespace: str,
        patch: Patch,
        *,
        subresource: str = "",
        dry_run: bool = False,
        actor: Actor | None = None,
        field_validation: FieldValidation = "Strict",
    ) -> T:
        """Change some fields of an object.

        Raises:
            ConflictError: a resourceVersion in it has passed, or apply would take another manager's fields.
        """
        query = _write(dry_run=dry_run, field_validation=field_validation, manager=patch.field_manager)
        if patch.force:
            query.append(("force", "true"))
        path = object_path(kind, namespace, name, subresource)
        body = await self.request(
            "PATCH", path, query=query, body=patch.body, content_type=patch.content_type, actor=actor
        )
        return self._decode(kind.type, body)

    async def delete(
        self,
        kind: Kind[T],
        name: str,
        namespace: str = "",
        *,
        propagation: Propagation | None = None,
        grace_seconds: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        dry_run: bool = False,
        actor: Actor | None = None,
    ) -> T | None:
        """Delete an object.

        Args:
            kind: of what.
            name: which.
            namespace: where.
            propagation: what becomes of its dependants; None: the kind's default.
            grace_seconds: time for a pod to end; None: its own.
            uid: only this very object.
            resource_version: only in this state.
            dry_run: do not, but say whether it could be done.
            actor: as whom.

        Returns:
            The object while it is still going (finalizers, grace); None when it is gone.

        Raises:
            ConflictError: it is another one, or in another state.
        """
        conditions = {"uid": uid, "resourceVersion": resource_version}
        answer = await self.request(
            "DELETE",
            object_path(kind, namespace, name),
            body=_delete_options(propagation, grace_seconds, conditions, dry_run=dry_run),
            actor=actor,
        )
        seen = self._decode(_Deleted, answer)
        if seen.kind == "Status" or seen.metadata.deletion_timestamp is None:
            return None
        return self._decode(kind.type, answer)

    async def delete_collection(
        self,
        kind: Kind[T],
        namespace: str,
        *,
        labels: str = "",
        fields: str = "",
        propagation: Propagation | None = None,
        grace_seconds: int | None = None,
        dry_run: bool = False,
        actor: Actor | None = None,
    ) -> None:
        """Delete all objects of a kind in a namespace that match the selectors."""
        query = [
            (key, value) for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value
        ]
        body = _delete_options(propagation, grace_seconds, {}, dry_run=dry_run)
        await self.request("DELETE", object_path(kind, namespace), query=query, body=body, actor=actor)

    def _decode(self, type_: type[T], body: bytes) -> T:
        decoder = self._decoders.get(type_)
        if decoder is None:
            decoder = self._decoders[type_] = msgspec.json.Decoder(type_)
        try:
            decoded: T = decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise transport_error(self.name, error) from error
        return decoded

    def _page(self, kind: Kind[T], body: bytes) -> _Page[T]:
        of: Any = kind.type
        try:
            page: _Page[T] = self._decode(_Page[of], body)
        except EcnsError:
            raws = self._decode(_Page[msgspec.Raw], body)
            readable = []
            for raw in raws.items or ():
                try:
                    readable.append(self._decode(kind.type, bytes(raw)))
                except EcnsError as error:
                    _log.warning("an object cannot be read", kind=kind.resource, error=error.message)
            page = _Page(raws.metadata, readable)
        complete(kind, page.items or ())
        return page


class _DeletedMeta(msgspec.Struct, rename="camel"):
    deletion_timestamp: str | None = None


class _Deleted(msgspec.Struct):
    kind: str = ""
    metadata: _DeletedMeta = msgspec.field(default_factory=_DeletedMeta)


def complete(kind: Kind[Any], items: Iterable[Any]) -> None:
    """Say in each object what it is; items of a list do not."""
    api_version, name = kind.api_version, kind.kind
    if kind.type is dict:
        for item in items:
            item.setdefault("apiVersion", api_version)
            item.setdefault("kind", name)
    elif issubclass(kind.type, Resource):
        for item in items:
            item.api_version = api_version
            item.kind = name


def object_path(kind: Kind[Any], namespace: str = "", name: str | None = None, subresource: str = "") -> str:
    """The path of a collection, or of an object of it, or of a part of that; names are checked and quoted.

    Raises:
        BadRequestError: a name is none of Kubernetes.
    """
    if name is None:
        return kind.path(_segment(namespace, "namespace") if namespace else "")
    return kind.path(
        _segment(namespace, "namespace") if namespace else "", _segment(name, "name"), subresource
    )


def _segment(value: str, what: str) -> str:
    """A name as one segment of a path, whatever a caller has put into it.

    Source: `IsValidPathSegmentName` of Kubernetes; the server would take a `/` for the end of the segment.
    """
    if not 0 < len(value) <= LONGEST_NAME or value in {".", ".."} or "/" in value or "%" in value:
        raise BadRequestError(f"{value[:80]!r} is no {what} of Kubernetes", field=what)
    return quote(value, safe=":")


def _write(
    *, dry_run: bool, field_validation: FieldValidation, manager: str = FIELD_MANAGER
) -> list[tuple[str, str]]:
    query = [("fieldManager", manager), ("fieldValidation", field_validation)]
    return [*query, ("dryRun", "All")] if dry_run else query


def _body(kind: Kind[Any], obj: Resource | JsonObject) -> bytes:
    if isinstance(obj, dict):
        return msgspec.json.encode({"apiVersion": kind.api_version, "kind": kind.kind, **obj})
    complete(kind, [obj])
    return msgspec.json.encode(obj)


def _namespace(obj: Resource | JsonObject) -> str:
    if isinstance(obj, dict):
        return str((obj.get("metadata") or {}).get("namespace") or "")
    return obj.metadata.namespace


def _delete_options(
    propagation: str | None, grace_seconds: int | None, conditions: Mapping[str, str | None], *, dry_run: bool
) -> bytes | None:
    options: dict[str, Any] = {}
    if propagation:
        options["propagationPolicy"] = propagation
    if grace_seconds is not None:
        options["gracePeriodSeconds"] = grace_seconds
    if given := {key: value for key, value in conditions.items() if value}:
        options["preconditions"] = given
    if dry_run:
        options["dryRun"] = ["All"]
    return msgspec.json.encode({"apiVersion": "v1", "kind": "DeleteOptions", **options}) if options else None
