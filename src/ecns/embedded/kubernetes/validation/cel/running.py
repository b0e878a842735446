"""Evaluating expressions: a tree becomes functions of the variables, which also count what they cost.

Costs are counted as Kubernetes does (about one for each step), so that a rule ends when it takes too long.
Source: https://kubernetes.io/docs/reference/using-api/cel/#resource-constraints
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any

from ecns.embedded.kubernetes.validation.cel import library, operators, syntax, values
from ecns.embedded.kubernetes.validation.cel.library import overload
from ecns.embedded.kubernetes.validation.cel.operators import length, truth
from ecns.embedded.kubernetes.validation.cel.syntax import (
    Call,
    CelError,
    Entries,
    Index,
    Items,
    Literal,
    Macro,
    Name,
    Node,
    Select,
)
from ecns.embedded.kubernetes.validation.cel.values import NONE, Optional, Type, Unsigned

CALL_LIMIT = 1_000_000
"""What one evaluation may cost."""
_LIST, _MAP = 10, 30
_TYPES = frozenset({"int", "uint", "double", "string", "bool", "bytes", "list", "map", "null_type", "type"})
_LONG = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}
_KEYS = (str, int, float)
_UNSET: Any = object()
Scope = dict[str, Any]
Run = Callable[[Scope], Any]


class LimitError(CelError):
    """The evaluation costs more than is allowed."""


class Meter:
    """Counts the cost of an evaluation; it is in each scope as "" ."""

    __slots__ = ("limit", "spent")

    def __init__(self, limit: int = CALL_LIMIT) -> None:
        self.limit = limit
        self.spent = 0

    def spend(self, cost: int) -> None:
        """Counts; raises `LimitError` when it is too much."""
        self.spent += cost
        if self.spent > self.limit:
            raise LimitError("operation cancelled: actual cost limit exceeded")


def _field(holder: Any, name: str) -> Any:
    if isinstance(holder, Optional):
        return Optional(_field(holder.value, name)) if holder.present else NONE
    if not isinstance(holder, dict):
        raise overload()
    found = holder.get(name, _UNSET)
    if found is _UNSET:
        plain = values.field_name(name)
        found = holder.get(plain, _UNSET)
        if found is _UNSET:
            raise CelError(f"no such key: {plain}")
    return found


def _has(holder: Any, name: str) -> bool:
    if isinstance(holder, Optional):
        return holder.present and _has(holder.value, name)
    return isinstance(holder, dict) and (name in holder or values.field_name(name) in holder)


def _item(holder: Any, key: Any) -> Any:
    if isinstance(holder, Optional):
        return Optional(_item(holder.value, key)) if holder.present else NONE
    if isinstance(holder, list):
        if isinstance(key, bool) or not isinstance(key, int | float):
            raise overload()
        if not 0 <= key < len(holder):
            raise CelError(f"index out of bounds: {key}")
        return holder[int(key)]
    if not isinstance(holder, dict) or not isinstance(key, _KEYS):
        raise overload()
    if key not in holder:
        raise CelError(f"no such key: {key}")
    return holder[key]


def _perhaps(get: Callable[[Any, Any], Any], holder: Any, key: Any) -> Optional:
    if isinstance(holder, Optional):
        if not holder.present:
            return NONE
        holder = holder.value
    try:
        return Optional(get(holder, key))
    except CelError:
        return NONE


def _select(node: Select) -> Run:
    target, name = _run(node.target), node.name
    if node.tests:
        return lambda scope: _has(target(scope), name)
    if node.optional:

        def perhaps(scope: Scope) -> Optional:
            scope[""].spend(1)
            return _perhaps(_field, target(scope), name)

        return perhaps

    def select(scope: Scope) -> Any:
        holder = target(scope)
        scope[""].spend(1)
        return _field(holder, name)

    return select


def _index(node: Index) -> Run:
    target, key, optional = _run(node.target), _run(node.key), node.optional

    def index(scope: Scope) -> Any:
        holder, at = target(scope), key(scope)
        scope[""].spend(1)
        return _perhaps(_item, holder, at) if optional else _item(holder, at)

    return index


def _name(node: Name) -> Run:
    name = node.name

    def look(scope: Scope) -> Any:
        scope[""].spend(1)
        found = scope.get(name, _UNSET)
        if found is _UNSET:
            if name in _TYPES or name in _LONG:
                return Type(_LONG.get(name, name))
            raise CelError(f"undeclared reference to '{name}' (in container '')", node.at)
        return found

    return look


def _either(left: Run, right: Run, *, wins: bool) -> Run:
    """`||` (wins is true) and `&&`: an error on one side does not count when the other side decides."""

    def run(scope: Scope) -> bool:
        try:
            first: bool | CelError = truth(left(scope))
        except LimitError:
            raise
        except CelError as error:
            first = error
        if first is wins:
            return wins
        second = truth(right(scope))
        if second is wins or not isinstance(first, CelError):
            return second
        raise first

    return run


def _operator(name: str, arguments: list[Run]) -> Run | None:
    """An operator, or None for another function."""
    if name in {"_&&_", "_||_"}:
        return _either(*arguments, wins=name == "_||_")
    first = arguments[0] if arguments else None
    if first is None:
        return None
    if name == "_?_:_":
        yes, no = arguments[1:]
        return lambda scope: yes(scope) if truth(first(scope)) else no(scope)
    if name in operators.UNARY:
        change = operators.UNARY[name]
        return _counted(lambda scope: change(first(scope)))
    found = operators.BINARY.get(name)
    if found is None:
        return None
    compute, second = found, arguments[1]

    def run(scope: Scope) -> Any:
        left, right = first(scope), second(scope)
        scope[""].spend(operators.cost(name, left, right))
        return compute(left, right)

    return run


def _counted(run: Run, cost: int = 1) -> Run:
    def counted(scope: Scope) -> Any:
        scope[""].spend(cost)
        return run(scope)

    return counted


def _dotted(node: Node) -> str:
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Select) and not node.tests and not node.optional:
        inner = _dotted(node.target)
        return f"{inner}.{node.name}" if inner else ""
    return ""


def _called(node: Call) -> Run:
    arguments = [_run(item) for item in node.arguments]
    name = node.name
    if node.target is None:
        operator = _operator(name, arguments)
        if operator is not None:
            return operator
    spaced = f"{_dotted(node.target)}.{name}" if node.target is not None else name
    function = library.FUNCTIONS.get(spaced)
    if function is not None:

        def call(scope: Scope) -> Any:
            given = [item(scope) for item in arguments]
            scope[""].spend(1 + sum(len(item) for item in given if isinstance(item, str | list)) // 10)
            return library.call(function, given)

        return call
    if node.target is None:
        raise CelError(f"undeclared reference to '{name}' (in container '')", node.at)
    target = _run(node.target)

    def method(scope: Scope) -> Any:
        holder = target(scope)
        given = [item(scope) for item in arguments]
        size = length(holder)
        scope[""].spend(1 + (size if isinstance(holder, list) and name != "size" else size // 10))
        return library.call(library.method(holder, name), [holder, *given])

    return method


def _items(node: Items) -> Run:
    parts = [(_run(item), index in node.optional) for index, item in enumerate(node.items)]

    def build(scope: Scope) -> list[Any]:
        scope[""].spend(_LIST)
        found = []
        for part, optional in parts:
            value = part(scope)
            if not optional:
                found.append(value)
            elif value.present:
                found.append(value.value)
        return found

    return build


def _entries(node: Entries) -> Run:
    parts = [(_run(k), _run(v), index in node.optional) for index, (k, v) in enumerate(node.entries)]

    def build(scope: Scope) -> dict[Any, Any]:
        scope[""].spend(_MAP)
        found = {}
        for key, part, optional in parts:
            name, value = key(scope), part(scope)
            if not isinstance(name, _KEYS):
                raise overload()
            if not optional:
                found[name] = value
            elif value.present:
                found[name] = value.value
        return found

    return build


def _pairs(holder: Any, count: int) -> Any:
    if isinstance(holder, dict):
        return holder.items() if count > 1 else ((key,) for key in holder)
    if not isinstance(holder, list):
        raise overload()
    return enumerate(holder) if count > 1 else ((item,) for item in holder)


def _macro(node: Macro) -> Run:
    holder, names = _run(node.range), node.variables
    bodies = [_run(body) for body in node.bodies]
    if node.name in {"optMap", "optFlatMap"}:

        def optional(scope: Scope) -> Any:
            value = holder(scope)
            if not isinstance(value, Optional):
                raise overload()
            if not value.present:
                return NONE
            found = bodies[0]({**scope, names[0]: value.value})
            return Optional(found) if node.name == "optMap" else found

        return optional
    loop = _LOOPS[node.name]

    def run(scope: Scope) -> Any:
        meter, inner = scope[""], dict(scope)

        def steps() -> Any:
            for step in _pairs(holder(scope), len(names)):
                inner.update(zip(names, step, strict=True))
                meter.spend(3)
                yield step

        return loop(bodies, inner, steps())

    return run


def _quantified(wins: bool) -> Callable[[list[Run], Scope, Any], bool]:  # noqa: FBT001  which of the two
    def loop(bodies: list[Run], scope: Scope, steps: Any) -> bool:
        failed: CelError | None = None
        for _ in steps:
            try:
                if truth(bodies[0](scope)) is wins:
                    return wins
            except LimitError:
                raise
            except CelError as error:
                failed = error
        if failed is not None:
            raise failed
        return not wins

    return loop


def _mapped(bodies: list[Run], scope: Scope, steps: Any) -> list[Any]:
    return [
        bodies[-1](scope)
        for _ in steps
        if scope[""].spend(_LIST) or len(bodies) == 1 or truth(bodies[0](scope))
    ]


def _merged(bodies: list[Run], scope: Scope, steps: Any) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for _ in steps:
        if len(bodies) == 1 or truth(bodies[0](scope)):
            entry = bodies[-1](scope)
            if not isinstance(entry, dict):
                raise overload()
            found |= entry
    return found


def _sorted(bodies: list[Run], scope: Scope, steps: Any) -> list[Any]:
    pairs = [(bodies[0](scope), step[0]) for step in steps]
    try:
        return [item for _, item in sorted(pairs, key=itemgetter(0))]
    except TypeError:
        raise overload() from None


_LOOPS: dict[str, Callable[[list[Run], Scope, Any], Any]] = {
    "all": _quantified(wins=False),
    "exists": _quantified(wins=True),
    "exists_one": lambda bodies, scope, steps: sum(truth(bodies[0](scope)) for _ in steps) == 1,
    "existsOne": lambda bodies, scope, steps: sum(truth(bodies[0](scope)) for _ in steps) == 1,
    "filter": lambda bodies, scope, steps: [step[0] for step in steps if truth(bodies[0](scope))],
    "map": _mapped,
    "sortBy": _sorted,
    "transformList": _mapped,
    "transformMap": lambda bodies, scope, steps: {
        step[0]: bodies[-1](scope) for step in steps if len(bodies) == 1 or truth(bodies[0](scope))
    },
    "transformMapEntry": _merged,
}


def _run(node: Node) -> Run:
    match node:
        case Literal():
            value = Unsigned(node.value) if node.sort == "uint" else node.value
            return lambda _: value
        case Name():
            return _name(node)
        case Select():
            return _select(node)
        case Index():
            return _index(node)
        case Call():
            return _called(node)
        case Items():
            return _items(node)
        case Entries():
            return _entries(node)
        case Macro():
            return _macro(node)
    raise CelError("an expression of an unknown sort")


@lru_cache(maxsize=1024)
def compiled(text: str) -> Run:
    """An expression, ready to be evaluated in a scope (with a `Meter` as "").

    Raises:
        CelError: it cannot be parsed.
    """
    return _run(syntax.parsed(text))


def evaluate(text: str, meter: Meter | None = None, /, **variables: Any) -> Any:
    """Evaluates an expression.

    Raises:
        CelError: it cannot be parsed or has no value.
    """
    try:
        return compiled(text)({"": meter or Meter(), **variables})
    except RecursionError:
        raise CelError("expression recursion limit exceeded: 250") from None
