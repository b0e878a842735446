"""Lists: the `q` and `sort` parameters, pages and the Link header.

Source: https://github.com/goharbor/harbor/blob/v2.9.5/api/v2.0/swagger.yaml, parameters `query` and `sort`
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus, urlencode

from ecns.embedded.harbor.answers import Answer, json_of
from ecns.embedded.harbor.clock import milliseconds
from ecns.embedded.harbor.errors import bad_request, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row, Store, Value

BIGGEST = 2**63 - 1


@dataclass(frozen=True)
class Fuzzy:
    """`k=~v`: contains."""

    value: str


@dataclass(frozen=True)
class Between:
    """`k=[min~max]`, both included; empty is open."""

    least: str
    most: str


@dataclass(frozen=True)
class AnyOf:
    """`k={v1 v2}`."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class AllOf:
    """`k=(v1 v2)`."""

    values: tuple[str, ...]


Pattern = str | Fuzzy | Between | AnyOf | AllOf


def keywords(text: str) -> dict[str, Pattern]:
    """The conditions of a `q` parameter, which may be encoded once more.

    Raises:
        ProblemError: 400, it is not of the form.
    """
    found: dict[str, Pattern] = {}
    for part in unquote_plus(text).split(",") if text else ():
        key, equals, value = part.partition("=")
        if not (key and equals and value):
            raise bad_request('the query string must contain "=" and the key/value cannot be empty')
        found[key] = _pattern(value)
    return found


def _pattern(value: str) -> Pattern:
    first, last = value[0], value[-1]
    wrong = bad_request(f"invalid query string value: {value}")
    if first == "~":
        if len(value) == 1:
            raise wrong
        return Fuzzy(value[1:])
    if first == "[":
        least, _, most = value[1:-1].partition("~")
        if last != "]" or value.count("~") != 1 or not (least.strip() or most.strip()):
            raise wrong
        return Between(least.strip(), most.strip())
    if first in "{(":
        if last != {"{": "}", "(": ")"}[first] or len(value) == 1:
            raise wrong
        words = tuple(word for word in (part.strip().strip("\"'") for part in value[1:-1].split(" ")) if word)
        return AnyOf(words) if first == "{" else AllOf(words)
    return value.removeprefix("\\")


@dataclass(frozen=True)
class Column:
    """What a key of `q` and `sort` stands for: an expression, and what it is (text, int, time, bool)."""

    sql: str
    kind: str = "text"


@dataclass
class Listing:
    """A list over one table.

    Args:
        sql: from FROM on, without conditions.
        columns: what can be asked for and sorted by; other keys are ignored.
        order: unless another order is asked for.
        row: how a row is shown.
    """

    sql: str
    columns: dict[str, Column]
    order: str
    conditions: list[str] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)

    def where(self, condition: str, *values: Value) -> None:
        """Only rows of which a condition holds."""
        self.conditions.append(f"({condition})")
        self.values += values

    def narrow(self, found: dict[str, Pattern]) -> None:
        """Only rows that a `q` asks for.

        Raises:
            ProblemError: 500, as Harbor: the database does not take the value.
        """
        for key, pattern in found.items():
            column = self.columns.get(key)
            if column is not None:
                self._narrow(column, pattern)

    def _narrow(self, column: Column, pattern: Pattern) -> None:
        match pattern:
            case Fuzzy(value):
                self.where(f"instr(lower({column.sql}), lower(?))", value)
            case Between(least, most):
                if least:
                    self.where(f"{column.sql} >= ?", _typed(column, least))
                if most:
                    self.where(f"{column.sql} <= ?", _typed(column, most))
            case AnyOf(values):
                marks = ",".join("?" * len(values))
                self.where(f"{column.sql} IN ({marks})", *(_typed(column, value) for value in values))
            case AllOf(values):
                for value in values:
                    self.where(f"{column.sql} = ?", _typed(column, value))
            case str(value):
                self.where(f"{column.sql} = ?", _typed(column, value))

    def ordered(self, sort: str) -> str:
        """The ORDER BY of a `sort` parameter."""
        keys = []
        for part in sort.split(","):
            column = self.columns.get(part.removeprefix("-"))
            if column is not None:
                direction = "DESC" if part.startswith("-") else "ASC"
                keys.append(f"{column.sql} {direction}")
                if column.kind == "time":  # what came within a millisecond came in the order of its ids
                    keys.append(f"{self.sql.partition(' ')[0]}.id {direction}")
        return ", ".join([*keys, self.order])

    def page(self, store: Store, call: Call, columns: str) -> tuple[list[Row], int]:
        """The rows of the page that is asked for, and how many there are in all."""
        condition = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        total = store.value(f"SELECT count(*) FROM {self.sql}{condition}", *self.values)  # noqa: S608  ours alone
        number, size = call.page()
        limit = size if size > 0 else -1
        skipped = min((max(number, 1) - 1) * size, BIGGEST) if size > 0 else 0
        rows = store.all(
            f"SELECT {columns} FROM {self.sql}{condition}"  # noqa: S608  values are bound
            f" ORDER BY {self.ordered(call.text('sort'))} LIMIT ? OFFSET ?",
            *self.values,
            limit,
            skipped,
        )
        return rows, int(total)


def _typed(column: Column, value: str) -> Value:
    if column.kind == "text":
        return value
    try:
        if column.kind == "time":
            return milliseconds(value)
        if column.kind == "bool":
            return {"true": 1, "false": 0}[value.lower()]
        number = int(value)
    except (ValueError, KeyError) as error:
        raise unknown() from error
    if not -BIGGEST <= number <= BIGGEST:
        raise unknown()
    return number


def listed(call: Call, items: Sequence[Any], total: int) -> Answer:
    """A page of a list, with how many there are and the neighbouring pages."""
    headers = {"X-Total-Count": str(total)}
    if links := _links(call, total):
        headers["Link"] = " , ".join(links)
    return json_of(items, headers=headers)


def _links(call: Call, total: int) -> list[str]:
    number, size = call.page()
    if size == 0:
        return []
    found = []
    if number > 1 and (number - 1) * size < total:
        found.append(_link(call, number - 1, size, "prev"))
    if number * size < total:
        found.append(_link(call, number + 1, size, "next"))
    return found


def _link(call: Call, number: int, size: int, relation: str) -> str:
    parameters = [(key, value) for key, value in call.query if key not in {"page", "page_size"}]
    parameters += [("page", str(number)), ("page_size", str(size))]
    parameters.sort(key=lambda pair: pair[0])
    shown = unquote_plus(urlencode(parameters))
    safe = shown.replace("\r", "%0D").replace("\n", "%0A")  # a header has one line
    return f'<{call.shown_path}?{safe}>; rel="{relation}"'
