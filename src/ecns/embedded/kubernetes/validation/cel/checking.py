"""What is wrong with an expression before it runs, its type, and the most that it may cost.

Source: https://kubernetes.io/docs/reference/using-api/cel/#type-checking and the cost model of cel-go
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec

from ecns.embedded.kubernetes.validation import expressions
from ecns.embedded.kubernetes.validation.cel import library
from ecns.embedded.kubernetes.validation.cel.kinds import (
    BOOL,
    DYN,
    INT,
    KEY,
    NULL,
    STRING,
    TYPE,
    UNKNOWN,
    Kind,
    fits,
    joined,
    listed,
)
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
    parsed,
)

_NUMBERS = frozenset({"int", "uint", "double"})
_ORDERED = _NUMBERS | {"string", "bytes", "timestamp", "duration", "bool"}
_LITERALS = {"int": INT, "string": STRING, "bool": BOOL, "null_type": NULL}
_TYPES = frozenset(
    {
        "int",
        "uint",
        "double",
        "string",
        "bool",
        "bytes",
        "list",
        "map",
        "null_type",
        "type",
        "timestamp",
        "duration",
    }
)
_ITEM = "*item"
_SAME = "*same"
_NAMES = {
    "int": """size int sign compareTo family prefixLength asInteger indexOf lastIndexOf getFullYear
        getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds
        getMilliseconds major minor patch""",
    "bool": """bool startsWith endsWith contains matches isSorted hasValue isQuantity isIP isCIDR isURL
        isSemver isInteger isGreaterThan isLessThan isUnspecified isLoopback isLinkLocalMulticast
        isLinkLocalUnicast isGlobalUnicast containsIP containsCIDR ip.isCanonical sets.contains
        sets.equivalent sets.intersects""",
    "string": """string lowerAscii upperAscii trim replace charAt substring find format join getScheme
        getHost getHostname getPort getEscapedPath strings.quote""",
    "double": "double asApproximateFloat",
    "quantity": "quantity add sub",
    "cidr": "cidr masked",
    "strings": "split findAll",
    "formats": "format.named",
    _ITEM: "sum min max value orValue",
    _SAME: "or slice sort distinct reverse",
    **{name: name for name in ("uint", "bytes", "type", "timestamp", "duration", "ip", "url", "semver")},
}
_RESULTS = {name: result for result, found in _NAMES.items() for name in found.split()}
"""What functions and methods give, by their names."""
_TEXTS = ("lowerAscii", "upperAscii", "trim", "charAt", "indexOf", "lastIndexOf", "substring", "format")
_LISTS = ("isSorted", "sum", "min", "max", "indexOf", "lastIndexOf", "sort", "distinct", "reverse", "flatten")
_WALKED = frozenset({*_TEXTS, *_LISTS})
"""Methods whose cost grows with what they are called on."""


_READ = frozenset({"cidr", "ip", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver", "url"})
"""Functions whose cost grows with the text that they read."""
_PLAIN = frozenset({"cidr", "ip", "quantity", "semver"})
"""Types whose values are compared in one step."""


class Checked(NamedTuple):
    """A part's type and the most that it may cost."""

    kind: Kind
    cost: int


def _times(size: int, factor: float) -> int:
    found = math.ceil(size * factor)
    return min(found, UNKNOWN)


def _sum(*costs: int) -> int:
    return min(sum(costs), UNKNOWN)


def check(text: str, variables: dict[str, Kind]) -> Checked:
    """Checks an expression.

    Args:
        text: the expression.
        variables: the types of what it may speak of.

    Raises:
        CelError: the first thing that is wrong, with its place.
    """
    try:
        return _Checker(variables).check(parsed(text))
    except RecursionError:
        raise CelError("expression recursion limit exceeded: 250", 0) from None


def _expression(name: str, argument: Node) -> None:
    """Refuses an expression that stands there and is none; upstream looks at those of `matches` alone."""
    if name == "matches" and isinstance(argument, Literal) and isinstance(argument.value, str):
        try:
            expressions.compiled(argument.value)
        except expressions.ExpressionError:
            raise CelError("invalid matches argument", argument.at) from None


class _Checker:
    def __init__(self, variables: dict[str, Kind]) -> None:
        self._variables = variables

    def check(self, node: Node) -> Checked:
        found = self._checked(node)
        if found.kind.of is None or isinstance(node, Name | Select | Index):
            return found
        # As Kubernetes guesses: what a computed list holds is as large as what the rule is about.
        held = msgspec.structs.replace(found.kind.of, size=self._root)
        return Checked(msgspec.structs.replace(found.kind, of=held), found.cost)

    @property
    def _root(self) -> int:
        return self._variables["self"].size if "self" in self._variables else UNKNOWN

    def _checked(self, node: Node) -> Checked:
        match node:
            case Literal():
                size = len(node.value) if isinstance(node.value, str | bytes) else 1
                known = _LITERALS.get(node.sort, Kind(node.sort))
                return Checked(Kind(known.name, size=size), 0)
            case Name():
                return self._name(node)
            case Select():
                return self._select(node)
            case Index():
                return self._index(node)
            case Items():
                return self._items(node)
            case Entries():
                return self._entries(node)
            case Macro():
                return self._macro(node)
            case Call():
                return self._call(node)
        raise CelError("an expression of an unknown sort", node.at)

    def _within(self, names: dict[str, Kind], node: Node) -> Checked:
        return _Checker({**self._variables, **names}).check(node)

    def _name(self, node: Name) -> Checked:
        kind = self._variables.get(node.name)
        if kind is None and node.name in _TYPES:
            kind = TYPE
        if kind is None:
            raise CelError(f"undeclared reference to '{node.name}' (in container '')", node.at)
        return Checked(kind, 1)

    def _select(self, node: Select) -> Checked:
        target = self.check(node.target)
        holder = target.kind.of if target.kind.name == "optional" and target.kind.of else target.kind
        if holder.name == "map":
            found = holder.of or DYN
        elif holder.name == "object":
            field = holder.field(node.name)
            if field is None:
                raise CelError(f"undefined field '{node.name}'", node.at)
            found = field
        elif holder.name == "dyn":
            found = DYN
        else:
            raise CelError(f"type '{holder}' does not support field selection", node.at)
        if node.tests:
            return Checked(BOOL, target.cost)
        if node.optional or target.kind.name == "optional":
            found = Kind("optional", found)
        return Checked(found, _sum(target.cost, 0 if holder.name == "dyn" else 1))

    def _index(self, node: Index) -> Checked:
        target, key = self.check(node.target), self.check(node.key)
        holder = target.kind.of if target.kind.name == "optional" and target.kind.of else target.kind
        wanted = {"list": _NUMBERS, "map": {"string"}}.get(holder.name)
        if (wanted is None and holder.name != "dyn") or (wanted and key.kind.name not in {*wanted, "dyn"}):
            raise _unmatched("_[_]", [holder, key.kind], node.at)
        found = holder.of or DYN
        if node.optional or target.kind.name == "optional":
            found = Kind("optional", found)
        return Checked(found, _sum(target.cost, key.cost, 1))

    def _items(self, node: Items) -> Checked:
        parts = [self.check(item) for item in node.items]
        of: Kind | None = None
        for index, part in enumerate(parts):
            kind = part.kind.of or DYN if index in node.optional else part.kind
            if of is not None and not fits(of, kind):
                raise CelError(f"expected type '{of}' but found '{kind}'", node.items[index].at)
            of = kind if of is None else joined(of, kind)
        return Checked(listed(of or DYN, len(parts)), _sum(10, *(part.cost for part in parts)))

    def _entries(self, node: Entries) -> Checked:
        pairs = [(self.check(key), self.check(value)) for key, value in node.entries]
        of: Kind | None = None
        for index, (_, value) in enumerate(pairs):
            kind = value.kind.of or DYN if index in node.optional else value.kind
            if of is not None and not fits(of, kind):
                raise CelError(f"expected type '{of}' but found '{kind}'", node.entries[index][1].at)
            of = kind if of is None else joined(of, kind)
        cost = _sum(30, *(key.cost + value.cost for key, value in pairs))
        return Checked(Kind("map", of or DYN, size=len(pairs)), cost)

    # operators and functions

    def _call(self, node: Call) -> Checked:
        arguments = [self.check(item) for item in node.arguments]
        costs = _sum(*(item.cost for item in arguments))
        kinds = [item.kind for item in arguments]
        operator = self._operator(node, arguments, kinds, costs)
        if operator is not None:
            return operator
        spaced = f"{node.target.name}.{node.name}" if isinstance(node.target, Name) else ""
        if (
            spaced in library.FUNCTIONS
            and isinstance(node.target, Name)
            and node.target.name not in self._variables
        ):
            return Checked(
                _optionals(spaced, kinds) or _result(spaced, DYN), _sum(costs, 1, *map(_walk, kinds))
            )
        if node.target is None:
            if node.name not in library.FUNCTIONS or "." in node.name:
                raise CelError(f"undeclared reference to '{node.name}' (in container '')", node.at)
            if len(kinds) != (2 if node.name == "matches" else 1) or not _takes(node.name, kinds[0]):
                raise _unmatched(node.name, kinds, node.at)
            found = kinds[0] if node.name == "dyn" else _result(node.name, DYN)
            walked = _times(kinds[0].extent, 0.1) if node.name in _READ else 1
            return Checked(DYN if node.name == "dyn" else found, _sum(costs, walked))
        return self._method(node, self.check(node.target), kinds, costs)

    def _operator(self, node: Call, parts: list[Checked], kinds: list[Kind], costs: int) -> Checked | None:
        name = node.name
        match name:
            case "_&&_" | "_||_":
                wrong = next((i for i, kind in enumerate(kinds) if kind.name not in {"bool", "dyn"}), None)
                if wrong is not None:
                    raise _unmatched(name, kinds, node.at)
                return Checked(BOOL, costs)
            case "!_":
                if kinds[0].name not in {"bool", "dyn"}:
                    raise _unmatched(name, kinds, node.at)
                return Checked(BOOL, _sum(costs, 1))
            case "-_":
                if kinds[0].name not in {"int", "double", "dyn"}:
                    raise _unmatched(name, kinds, node.at)
                return Checked(kinds[0], _sum(costs, 1))
            case "_?_:_":
                if kinds[0].name not in {"bool", "dyn"} or not fits(kinds[1], kinds[2]):
                    raise _unmatched(name, kinds, node.at)
                cost = _sum(parts[0].cost, max(parts[1].cost, parts[2].cost))
                return Checked(joined(kinds[1], kinds[2]), cost)
            case "_==_" | "_!=_":
                if not fits(*kinds) and not {kind.name for kind in kinds} <= _NUMBERS:
                    raise _unmatched(name, kinds, node.at)
                return Checked(BOOL, _sum(costs, _equal(kinds)))
            case "_<_" | "_<=_" | "_>_" | "_>=_":
                return Checked(BOOL, _sum(costs, self._ordered(node, kinds)))
            case "@in":
                return self._contained(node, kinds, costs)
        if name in {"_+_", "_-_", "_*_", "_/_", "_%_"}:
            return self._arithmetic(node, kinds, costs)
        return None

    def _ordered(self, node: Call, kinds: list[Kind]) -> int:
        names = {kind.name for kind in kinds} - {"dyn"}
        if not names <= _ORDERED or (len(names) > 1 and not names <= _NUMBERS):
            raise _unmatched(node.name, kinds, node.at)
        return _times(min(kind.extent for kind in kinds), 0.1) if names & {"string", "bytes"} else 1

    def _contained(self, node: Call, kinds: list[Kind], costs: int) -> Checked:
        item, holder = kinds
        if holder.name == "list" and fits(item, holder.of or DYN):
            return Checked(BOOL, _sum(costs, holder.size))
        if holder.name == "dyn" or (holder.name == "map" and item.name in {"string", "dyn"}):
            return Checked(BOOL, _sum(costs, 1))
        raise _unmatched("@in", kinds, node.at)

    def _arithmetic(self, node: Call, kinds: list[Kind], costs: int) -> Checked:
        left, right = kinds
        name, names = node.name, {kind.name for kind in kinds}
        if "dyn" in names:
            return Checked(DYN, _sum(costs, 1))
        if name == "_+_" and len(names) == 1 and left.name in {"string", "bytes"}:
            size = _sum(left.size, right.size)
            return Checked(Kind(left.name, size=size), _sum(costs, _times(size, 0.1)))
        if name == "_+_" and names == {"list"} and fits(left, right):
            return Checked(listed(left.of or DYN, _sum(left.size, right.size)), _sum(costs, 1))
        if len(names) == 1 and names <= (_NUMBERS if name != "_%_" else {"int", "uint"}):
            return Checked(Kind(left.name), _sum(costs, 1))
        moments = {
            ("_+_", "timestamp", "duration"): "timestamp",
            ("_+_", "duration", "timestamp"): "timestamp",
            ("_+_", "duration", "duration"): "duration",
            ("_-_", "timestamp", "timestamp"): "duration",
            ("_-_", "timestamp", "duration"): "timestamp",
            ("_-_", "duration", "duration"): "duration",
        }
        found = moments.get((name, left.name, right.name))
        if found is None:
            raise _unmatched(name, kinds, node.at)
        return Checked(Kind(found), _sum(costs, 1))

    def _method(self, node: Call, target: Checked, kinds: list[Kind], costs: int) -> Checked:
        kind, name = target.kind, node.name
        methods = next((found for _, label, found in library.METHODS if label == kind.name), None)
        if kind.name == "dyn" or (kind.name == "formats" and name == "validate"):
            methods = {name: len}
        if methods is None or name not in methods:
            if not any(name in found for _, _, found in library.METHODS):
                raise CelError(f"undeclared reference to '{name}' (in container '')", node.at)
            raise _unmatched(name, kinds, node.at, kind)
        if kind.name == "string" and name != "format":
            wrong = [item for item in kinds if item.name not in {"string", "int", "dyn"}]
            if wrong or (
                name in {"startsWith", "endsWith", "contains", "matches", "find"} and not _text(kinds)
            ):
                raise _unmatched(name, kinds, node.at, kind)
        if node.arguments:
            _expression(name, node.arguments[0])
        return Checked(_result(name, kind), _sum(target.cost, costs, _walked(name, kind, kinds)))

    # loops

    def _macro(self, node: Macro) -> Checked:
        holder = self.check(node.range)
        kind = holder.kind
        if node.name in {"optMap", "optFlatMap"}:
            if kind.name not in {"optional", "dyn"}:
                raise _unmatched(node.name, [], node.at, kind)
            body = self._within({node.variables[0]: kind.of or DYN}, node.bodies[0])
            found = Kind("optional", body.kind) if node.name == "optMap" else body.kind
            return Checked(found, _sum(holder.cost, body.cost, 14))
        if kind.name not in {"list", "map", "dyn"}:
            raise CelError(
                f"expression of type '{kind}' cannot be range of a comprehension "
                "(must be list, map, or dynamic)",
                node.range.at,
            )
        item = KEY if kind.name == "map" else kind.of or DYN
        names = {node.variables[0]: item}
        if len(node.variables) > 1:
            names = {
                node.variables[0]: KEY if kind.name == "map" else INT,
                node.variables[1]: kind.of or DYN,
            }
        bodies = [self._within(names, body) for body in node.bodies]
        last = {"map", "transformList", "transformMap", "transformMapEntry", "sortBy"}
        tests = bodies[:-1] if node.name in last else bodies
        for test, part in zip(tests, node.bodies, strict=False):
            if test.kind.name not in {"bool", "dyn"}:
                raise CelError(f"expected type 'bool' but found '{test.kind}'", part.at)
        return self._looped(node.name, holder, bodies)

    def _looped(self, name: str, holder: Checked, bodies: list[Checked]) -> Checked:
        size = holder.kind.size if holder.kind.name in {"list", "map"} else UNKNOWN
        inner, base, step, found = _sum(*(body.cost for body in bodies)), 1, 12, BOOL
        item = KEY if holder.kind.name == "map" else holder.kind.of or DYN
        if name in {"all", "exists"}:
            step = 3 if name == "all" else 4
        elif name in {"exists_one", "existsOne"}:
            step, base = 2, 2
        elif name in {"filter", "sortBy"}:
            found, base, step = listed(item, size), 11, 13
        elif name in {"map", "transformList"}:
            found, base = listed(bodies[-1].kind, size), 11
        else:
            of = bodies[-1].kind.of if name == "transformMapEntry" else bodies[-1].kind
            found, base = Kind("map", of or DYN, size=size), 31
        return Checked(found, _sum(holder.cost, base, min(size * _sum(step, inner), UNKNOWN)))


def _equal(kinds: list[Kind]) -> int:
    """What it costs to compare two values."""
    plain = {kind.name for kind in kinds} <= _PLAIN
    return 1 if plain else _times(min(kind.extent for kind in kinds), 0.1)


def _walked(name: str, kind: Kind, kinds: list[Kind]) -> int:
    """What a method itself costs, called on a kind with arguments of some kinds."""
    first = kinds[0].extent if kinds else 0
    match name:
        case "contains" if kinds:
            return min(_times(kind.extent, 0.1) * _times(first, 0.1), UNKNOWN)
        case "matches" | "find" | "findAll" if kinds:
            return min(_times(kind.extent + 1, 0.1) * _times(first, 0.25), UNKNOWN)
        case "startsWith" | "endsWith" if kinds:
            return _times(first, 0.1)
        case "containsIP" | "containsCIDR" if kinds:
            text = _times(first, 0.1) if kinds[0].name == "string" else 0
            return (4 if name == "containsIP" else 7) + text
        case "split" | "replace":
            return _times(kind.extent, 0.2)
        case "join":
            between = first * max(kind.extent - 1, 0)
            return _times(_sum(kind.extent * (kind.of.extent if kind.of else UNKNOWN), between), 0.1)
    if name in _WALKED and kind.name == "list":
        text = _times(kind.of.extent, 0.1) if kind.of and kind.of.name in {"string", "bytes"} else 0
        return min(kind.extent * (1 + text), UNKNOWN)
    return _times(kind.extent, 0.1) if name in _WALKED and kind.name == "string" else 1


def _walk(kind: Kind) -> int:
    return _times(kind.extent, 0.1) if kind.name in {"string", "list"} else 0


def _text(kinds: list[Kind]) -> bool:
    return len(kinds) == 1 and kinds[0].name in {"string", "dyn"}


def _takes(name: str, kind: Kind) -> bool:
    if kind.name == "dyn":
        return True
    wanted = {
        "size": {"string", "bytes", "list", "map"},
        "int": {*_NUMBERS, "string", "timestamp", "duration"},
        "uint": {*_NUMBERS, "string"},
        "double": {*_NUMBERS, "string"},
        "bool": {"bool", "string"},
        "timestamp": {"string", "int", "timestamp"},
        "duration": {"string", "int", "duration"},
        "bytes": {"string", "bytes"},
    }.get(name)
    if wanted is None:
        return name in {"dyn", "type", "string"} or kind.name == "string"
    return kind.name in wanted


def _optionals(name: str, kinds: list[Kind]) -> Kind | None:
    if name.startswith("format.") and name != "format.named":
        return Kind("formats")
    if not name.startswith("optional."):
        return None
    return Kind("optional", kinds[0] if kinds else DYN)


def _result(name: str, target: Kind) -> Kind:
    found = _RESULTS.get(name)
    if found == _ITEM:
        return target.of or DYN
    if found == _SAME:
        return target
    if found == "strings":
        return listed(STRING, target.extent)
    if found == "formats":
        return Kind("optional", Kind("formats"))
    if name in {"first", "last"}:
        return Kind("optional", target.of or DYN)
    if found == "string" and target.name == "string":
        return Kind("string", size=target.size)
    return Kind(found) if found else DYN


def _unmatched(name: str, kinds: list[Kind], at: int, target: Kind | None = None) -> CelError:
    given = f"({', '.join(map(str, kinds))})"
    applied = f"{target}.{given}" if target is not None else given
    return CelError(f"found no matching overload for '{name}' applied to '{applied}'", at)


__all__: Any = ["Checked", "check"]
