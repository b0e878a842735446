"""How stored objects look from outside: their JSON in the asked version, as Table or as metadata alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ecns.embedded.kubernetes import clock, conversion, negotiation
from ecns.embedded.kubernetes.errors import ApiError, bad_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.resources import Resource
    from ecns.embedded.kubernetes.store import Record

_encode = msgspec.json.encode
_PARTIAL = "PartialObjectMetadata"


class View:
    """One representation of one resource in one version.

    Args:
        resource: what is shown.
        version: the API version that the request names.
        shape: the negotiated representation.
        include: what a Table's rows carry beside their cells: `Metadata`, `Object` or `None`.
        now: the clock that ages are counted from.

    """

    def __init__(
        self,
        resource: Resource,
        version: str,
        shape: negotiation.Representation,
        include: str = "",
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self.resource = resource
        self.version = version
        self.shape = shape
        self.include = include
        self._now = now
        self.converts = conversion.is_needed(resource, version)
        head = {"kind": resource.kind, "apiVersion": resource.api_version(version)}
        self.head = _encode(head)[:-1] + b","
        self.plain = not shape.kind and shape.media == negotiation.JSON

    def check_include(self) -> None:
        """Refuses rows that carry what no row carries.

        Raises:
            ApiError: 400.

        """
        if self.include not in {"", "Metadata", "Object", "None"}:
            raise bad_request(
                f'Unable to convert to Table as requested: includeObject: Invalid value: "{self.include}": '
                "must be 'Metadata', 'Object', 'None', or empty"
            )

    def object(self, record: Record) -> Object:
        """The object in the view's version."""
        return self.converted(record.obj)

    def converted(self, obj: Object) -> Object:
        """An object of the storage's version in the view's."""
        if self.converts:
            return conversion.convert(obj, self.resource)
        version = self.resource.api_version(self.version)
        return obj if obj.get("apiVersion") == version else {**obj, "apiVersion": version}

    def data(self, record: Record) -> bytes:
        """One object's JSON."""
        if self.converts:
            return _encode(self.object(record))
        return self.head + record.data[1:]

    def item(self, record: Record) -> bytes:
        """The JSON of an object in a list: without kind and apiVersion, except of a custom resource."""
        if self.resource.definition:
            return self.data(record)
        if self.converts:
            obj = self.object(record)
            return _encode({key: value for key, value in obj.items() if key not in {"kind", "apiVersion"}})
        return record.data

    def single(self, obj: Object) -> bytes:
        """The answer that is one object."""
        return negotiation.encode(self.shaped(self.converted(obj)), self.shape.media)

    def shaped(self, obj: Object, *, columns: bool = True) -> Object:
        """One object, of the view's version, in the negotiated shape."""
        if self.shape.kind == "Table":
            version = obj.get("metadata", {}).get("resourceVersion")
            return self.table([obj], {"resourceVersion": version} if version else {}, headers=columns)
        if self.shape.kind == _PARTIAL:
            return partial(obj, self.shape.version)
        if self.shape.kind:
            group = self.resource.group.partition(".")[0] or "core"
            raise ApiError(
                406,
                "NotAcceptable",
                f"you requested {self.shape.kind}, but the requested object is not a list "
                f"(*{group}.{self.resource.kind})",
            )
        return obj

    def table(self, objects: list[Object], metadata: Object, *, headers: bool = True) -> Object:
        """A Table of objects."""
        from ecns.embedded.kubernetes import tables  # noqa: PLC0415  most clients ask for none

        return tables.table(
            self.resource,
            objects,
            metadata,
            now=self._now(),
            version=self.version,
            include=self.include,
            api_version=f"meta.k8s.io/{self.shape.version}",
            headers=headers,
        )

    def list(self, records: Iterable[Record], metadata: Object) -> bytes:
        """The answer that is a list."""
        if self.plain:
            head = {"kind": self.resource.list_kind, "apiVersion": self.resource.api_version(self.version)}
            if self.resource.definition:
                metadata = {"continue": "", **metadata}
            start = _encode({**head, "metadata": metadata})[:-1]
            return b"".join((start, b',"items":[', b",".join(map(self.item, records)), b"]}\n"))
        return negotiation.encode(self._shaped_list(records, metadata), self.shape.media)

    def _shaped_list(self, records: Iterable[Record], metadata: Object) -> Object:
        objects = [self.object(record) for record in records]
        if self.shape.kind == "Table":
            return self.table(objects, metadata)
        if self.shape.kind == f"{_PARTIAL}List":
            items = [partial(obj, self.shape.version) for obj in objects]
            return {
                "kind": self.shape.kind,
                "apiVersion": f"meta.k8s.io/{self.shape.version}",
                "metadata": metadata,
                "items": items or None,
            }
        if self.shape.kind:
            raise ApiError(
                406, "NotAcceptable", f"you requested {self.shape.kind}, but the requested object is a list"
            )
        drop = set() if self.resource.definition else {"kind", "apiVersion"}
        return {
            "kind": self.resource.list_kind,
            "apiVersion": self.resource.api_version(self.version),
            "metadata": metadata,
            "items": [{key: value for key, value in obj.items() if key not in drop} for obj in objects],
        }


def partial(obj: Object, version: str = "v1") -> Object:
    """An object's metadata alone."""
    return {"kind": _PARTIAL, "apiVersion": f"meta.k8s.io/{version}", "metadata": obj["metadata"]}
