"""A list whose rows show one object each: the simple case of `composed`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ecns.api.common import marks
from ecns.api.common.composed import KEPT, Composed
from ecns.backends.kubernetes.kinds.meta import Kind, Resource

R = TypeVar("R", bound=Resource)


class _Alone:
    """Nothing stands around these objects."""

    def __init__(self, kind: Kind[R], row: Callable[[R], Any], word: Callable[[R], str]) -> None:
        self.kinds: tuple[Kind[Any], ...] = (kind,)
        self.row: Callable[[Any], Any] = row
        self.word: Callable[[Any], str] = word

    def versions(self, obj: Resource) -> str:
        return obj.metadata.resource_version

    def applications(self, obj: Resource) -> tuple[str, ...]:
        return (name,) if (name := marks.part_of(obj)) else ()

    def touched(self, other: Resource, namespace: str) -> Iterable[str]:  # noqa: ARG002  there is no other
        return ()


def rows(
    kind: Kind[R],
    row: Callable[[R], Any],
    *,
    word: Callable[[R], str] | None = None,
    sorts: Mapping[str, Callable[[R], Any]] | None = None,
    status: Callable[[Any], str] | None = None,
    most: int = KEPT,
) -> Composed[R]:
    """How the objects of a kind are listed; one for the whole process.

    Args:
        kind: of what.
        row: what is shown of an object, to be encoded.
        word: what kind of item an object is, for lists that are asked for one; the object's kind if None.
        sorts: more values of `sort_by`, with their keys.
        status: the word in a row that the list can be asked for by `status`, and sorted by.
        most: rows kept encoded for each cluster.
    """
    alone = _Alone(kind, row, word or (lambda _: kind.kind))
    return Composed((kind,), lambda _: alone, sorts=sorts, status=status, most=most)
