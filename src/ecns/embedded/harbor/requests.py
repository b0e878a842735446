"""A request as the handlers see it: parameters and bodies, and the complaints that Harbor has of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from ecns.embedded.harbor.errors import ProblemError, bad_request, forbidden, invalid, unauthorized, unknown
from ecns.embedded.harbor.names import PROJECT

if TYPE_CHECKING:
    from aiohttp import web

    from ecns.embedded.harbor.callers import Caller
    from ecns.embedded.harbor.harbor import Harbor
    from ecns.embedded.harbor.store import Row

MOST_OF_BODY = 4 << 20
"""Bytes of a body of the API, or of a manifest."""
INT64 = 2**63


def _no_number(text: str) -> float:
    """Raise for what Python takes for a number and JSON does not."""
    raise ValueError(f"invalid character '{text[0]}' looking for beginning of value")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_number)
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}", re.DOTALL)

Pairs = list[tuple[str, str]]


def query_of(raw: str) -> Pairs:
    """The parameters of a query.

    Raises:
        ProblemError: 400, a percent sign is followed by no number.
    """
    if found := _BAD_ESCAPE.search(raw):
        raise bad_request(f'invalid URL escape "{found[0]}"')
    return parse_qsl(raw, keep_blank_values=True, errors="replace")


@dataclass(frozen=True)
class Shape:
    """What a body is read as.

    Args:
        name: of the type, for complaints.
        fields: the type of each field: str, int, bool, a Shape, a list of one, dict (of texts) or object.
    """

    name: str
    fields: dict[str, Any]

    def read(self, value: dict[str, Any], path: str = "") -> dict[str, Any]:
        """The known fields; names are compared without regard to case, null is left out.

        Raises:
            ProblemError: 422, a value is not of its field's type.
        """
        known = {name.lower(): name for name in self.fields}
        found = {}
        for key, item in value.items():
            name = known.get(key.lower())
            if name is None or item is None:
                continue
            found[name] = self._value(self.fields[name], item, f"{path}{name}")
        return found

    def _value(self, kind: Any, item: Any, path: str) -> Any:
        if isinstance(kind, Shape):
            if not isinstance(item, dict):
                raise self._refused(item, path, f"models.{kind.name}")
            return kind.read(item, f"{path}.")
        if isinstance(kind, list):
            if not isinstance(item, list):
                shown = kind[0].name if isinstance(kind[0], Shape) else "string"
                raise self._refused(item, path, f"[]*models.{shown}")
            return [self._value(kind[0], one, path) for one in item if one is not None]
        if kind is object:
            return item
        if kind is dict:
            if not isinstance(item, dict):
                raise self._refused(item, path, "map[string]interface {}")
            return item
        if kind is int and (
            isinstance(item, bool) or not isinstance(item, int) or not -INT64 <= item < INT64
        ):
            raise self._refused(item, path, "int64")
        if kind is not int and not isinstance(item, kind):
            raise self._refused(item, path, {str: "string", bool: "bool"}[kind])
        if kind is str:
            return _text(item)
        return item

    def _refused(self, item: Any, path: str, wanted: str) -> ProblemError:
        shown = _go_kind(item)
        if wanted == "int64" and shown == "number":
            shown = f"number {json.dumps(item)}"
        return _UnreadError(
            f"json: cannot unmarshal {shown} into Go struct field {self.name}.{path} of type {wanted}"
        )


class _UnreadError(ProblemError):
    """A body that cannot be read; whoever knows its name says so."""

    def __init__(self, message: str) -> None:
        super().__init__(invalid(message).status, message)


def _go_kind(item: Any) -> str:
    match item:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _text(value: str) -> str:
    """A text without halves of surrogate pairs.

    Raises:
        ProblemError: 500, as Harbor: its database takes no NUL.
    """
    if "\0" in value:
        raise unknown()
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass
class Call:
    """One request of the API."""

    harbor: Harbor
    request: web.BaseRequest
    method: str
    path: str
    shown_path: str
    query: Pairs
    caller: Caller
    names: dict[str, str] = field(default_factory=dict)
    """What the path names, decoded once."""

    def header(self, name: str) -> str:
        """A header, empty when it is not there."""
        return str(self.request.headers.get(name, ""))

    # Parameters

    def text(self, name: str) -> str:
        """A parameter; the last one when it is given several times."""
        return next((value for key, value in reversed(self.query) if key == name), "")

    def given(self, name: str) -> bool:
        """Whether a parameter is there."""
        return any(key == name for key, _ in self.query)

    def integer(self, name: str, default: int, most: int | None = None) -> int:
        """A whole number.

        Raises:
            ProblemError: 422, it is none or too large.
        """
        text = self.text(name)
        if not text:
            return default
        number = _int64(text)
        if number is None:
            raise invalid(f'{name} in query must be of type int64: "{text}"')
        if most is not None and number > most:
            raise invalid(f"{name} in query should be less than or equal to {most}")
        return number

    def page(self) -> tuple[int, int]:
        """Number and size of the page that is asked for.

        Raises:
            ProblemError: 422, they are no numbers or too large.
        """
        return self.integer("page", 1), self.integer("page_size", 10, 100)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A parameter that is true or false.

        Raises:
            ProblemError: 422, it is neither.
        """
        text = self.text(name)
        if not text:
            return default
        found = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}.get(text.lower())
        if found is None:
            raise invalid(f'{name} in query must be of type bool: "{text}"')
        return found

    def number_in_path(self, name: str) -> int:
        """A number that the path holds.

        Raises:
            ProblemError: 422, it is none.
        """
        number = _int64(self.names[name])
        if number is None:
            raise invalid(f'{name} in path must be of type int64: "{self.names[name]}"')
        return number

    # Bodies

    async def body(self, name: str, shape: Shape) -> dict[str, Any]:
        """The body, as a shape.

        Raises:
            ProblemError: 422, it is absent, not JSON, or not of the shape.
        """
        raw = await self.read()
        media = self.header("Content-Type")
        if raw and media.partition(";")[0].strip().lower() != "application/json":
            shown = media or "application/octet-stream"
            raise invalid(f'unsupported media type "{shown}", only [application/json] are allowed')
        if not raw.strip():
            raise invalid(f"{name} in body is required")
        text = raw.decode("utf-8", "replace").lstrip()
        try:
            value, _ = _DECODER.raw_decode(text)
        except json.JSONDecodeError as error:
            raise self._unparsed(name, _go_complaint(text, error)) from error
        except ValueError as error:
            raise self._unparsed(name, str(error)) from error
        except RecursionError as error:
            raise self._unparsed(name, "exceeded max depth") from error
        if value is None:
            return {}
        if not isinstance(value, dict):
            shown = _go_kind(value)
            raise self._unparsed(
                name, f"json: cannot unmarshal {shown} into Go value of type models.{shape.name}"
            )
        try:
            return shape.read(value)
        except _UnreadError as error:
            raise self._unparsed(name, error.message) from error

    async def read(self) -> bytes:
        """The raw body.

        Raises:
            ProblemError: 413, it is too large.
        """
        found = bytearray()
        async for chunk in self.request.content.iter_any():
            found += chunk
            if len(found) > MOST_OF_BODY:
                raise too_large()
        return bytes(found)

    @staticmethod
    def _unparsed(name: str, because: str) -> ProblemError:
        return invalid(f'parsing {name} body from "" failed, because {because}')

    # Rights

    def project(self, reference: str | None = None, *, by_name: bool = False) -> Row | None:
        """The project that the path or a reference names; digits are an id unless a header denies it."""
        reference = self.names["project_name_or_id"] if reference is None else reference
        store = self.harbor.store
        named = by_name or self.header("X-Is-Resource-Name").lower() in {"true", "1", "t"}
        if not named and re.fullmatch(r"[0-9]{1,18}", reference):
            return store.one("SELECT * FROM project WHERE id = ?", int(reference))
        return store.one("SELECT * FROM project WHERE name = ?", reference)

    def require(
        self, resource: str, action: str, *, by_name: bool = False, reference: str | None = None
    ) -> Row | None:
        """The project that the path names, if there is one and the caller may; an administrator gets None.

        Raises:
            ProblemError: 401 or 403, they may not.
        """
        project = self.project(reference, by_name=by_name)
        named = self.names.get("project_name_or_id", "") if reference is None else reference
        if project is None and not PROJECT.fullmatch(named):
            raise forbidden() if self.caller.authenticated else unauthorized()
        if not self.caller.can(project, resource, action):
            raise forbidden() if self.caller.authenticated else unauthorized()
        return project

    def require_system(self, resource: str, action: str) -> None:
        """Only who may do something that is of no project.

        Raises:
            ProblemError: 401 or 403, they may not.
        """
        if not self.caller.authenticated:
            raise unauthorized()
        if not self.caller.can_system(resource, action):
            raise forbidden(self.caller.name)


def _int64(text: str) -> int | None:
    """A number of 64 bits, None when it is none."""
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        return None
    return int(text) if -INT64 <= int(text) < INT64 else None


def too_large() -> ProblemError:
    """The body is larger than what anybody needs."""
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request body is too large", "SIZE_INVALID")


def _go_complaint(text: str, error: json.JSONDecodeError) -> str:
    if not text[error.pos :].strip() or "Unterminated" in error.msg:
        return "unexpected EOF"
    found = text[error.pos :].lstrip()[0]
    return f"invalid character '{found}' looking for beginning of value"


def segments_of(raw_path: str) -> list[str]:
    """The pieces of a path, each decoded once; empty ones are left out."""
    return [unquote(piece, errors="replace") for piece in raw_path.split("/") if piece]
