"""Collecting what is wrong with an object, in the words of Kubernetes' `field.Error`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ecns.embedded.kubernetes.errors import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SORTED_MAPS = frozenset({"labels", "annotations"})


def as_json(value: Any) -> str:
    """JSON as Go writes it: compact, with `&`, `<` and `>` escaped."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def quoted(text: str) -> str:
    """A string as Go's `%q` writes it."""
    return json.dumps(text, ensure_ascii=False)


def shown(value: Any) -> str:
    """A value as it stands in a message."""
    return quoted(value) if isinstance(value, str) else as_json(value)


def sorted_map(value: Any) -> Any:
    """A map with its keys in order, as Go writes maps."""
    return dict(sorted(value.items())) if isinstance(value, dict) else value


class Causes(list[Cause]):
    """A list of causes that knows how to word them. Paths are such as `spec.ports[0].name`."""

    def required(self, path: str, detail: str = "") -> None:
        """A value is missing."""
        self.append(
            Cause("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", path)
        )

    def invalid(self, path: str, value: Any, detail: str) -> None:
        """A value is wrong."""
        told = f": {detail}" if detail else ""
        self.append(Cause("FieldValueInvalid", f"Invalid value: {shown(value)}{told}", path))

    def wrong(self, path: str, detail: str) -> None:
        """A value is wrong that the message does not show."""
        self.append(Cause("FieldValueInvalid", f"Invalid value: {detail}", path))

    def unsupported(self, path: str, value: Any, supported: Iterable[str]) -> None:
        """A value is not among those that there are."""
        listed = ", ".join(quoted(item) for item in supported)
        message = f"Unsupported value: {shown(value)}: supported values: {listed}"
        self.append(Cause("FieldValueNotSupported", message, path))

    def forbidden(self, path: str, detail: str) -> None:
        """A value may not be there, or may not change."""
        self.append(Cause("FieldValueForbidden", f"Forbidden: {detail}", path))

    def duplicate(self, path: str, value: Any) -> None:
        """A value is there twice."""
        self.append(Cause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", path))

    def not_found(self, path: str, value: Any) -> None:
        """What a value names is not there."""
        self.append(Cause("FieldValueNotFound", f"Not found: {shown(value)}", path))

    def too_long(self, path: str, most: int) -> None:
        """A value has too many bytes."""
        self.append(Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", path))

    def too_many(self, path: str, count: int, most: int) -> None:
        """A list has too many items."""
        self.append(Cause("FieldValueTooMany", f"Too many: {count}: must have at most {most} items", path))

    def each(self, path: str, value: Any, details: Iterable[str]) -> None:
        """One invalid value for each text."""
        for detail in details:
            self.invalid(path, value, detail)

    def one_of(self, path: str, value: Any, supported: Iterable[str]) -> None:
        """Unsupported, unless the value is one of these."""
        choices = tuple(supported)
        if value not in choices:
            self.unsupported(path, value, choices)

    def required_one_of(self, path: str, value: Any, supported: Iterable[str]) -> None:
        """Required when it is empty, unsupported when it is not one of these."""
        if not value:
            self.required(path)
        else:
            self.one_of(path, value, supported)

    def not_negative(self, path: str, value: int | None) -> None:
        """Invalid when it is below zero; nothing when it is not there."""
        if value is not None and value < 0:
            self.invalid(path, value, "must be greater than or equal to 0")

    def immutable(self, path: str, new: Any, old: Any) -> None:
        """Invalid when it has changed."""
        if new != old:
            self.invalid(path, new, "field is immutable")

    def checked(self, path: str, value: str | None, check: Callable[[str], list[str]]) -> None:
        """Required when it is empty, else what the check says."""
        if not value:
            self.required(path)
        else:
            self.each(path, value, check(value))
