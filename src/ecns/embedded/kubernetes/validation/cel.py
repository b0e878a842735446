"""The Common Expression Language, as far as the rules of CustomResourceDefinitions use it.

Expressions are parsed once and evaluated on JSON values. There are literals, operators, `?:`, `in`, lists and
maps, `has`, the macros `all`, `exists`, `exists_one`, `filter` and `map`, conversions, and the functions of
strings and lists that Kubernetes documents. What is not known is a `CelError` when it is reached.

Source: https://kubernetes.io/docs/reference/using-api/cel/ and https://github.com/google/cel-spec
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

Scope = dict[str, Any]
Node = Callable[[Scope], Any]

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|0[xX][0-9a-fA-F]+u?|\d+u?)
    |(?P<text>[rR]?(?:\"(?:\\.|[^"\\])*\"|'(?:\\.|[^'\\])*'))
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "`": "`", "?": "?"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))")
_CONSTANTS = {"true": True, "false": False, "null": None}
_MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
# names that are reserved in CEL are written __name__ in rules of Kubernetes
_RESERVED = re.compile(
    "__(in|true|false|null|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while)__"
)
_UNESCAPED = {"__underscores__": "__", "__dot__": ".", "__dash__": "-", "__slash__": "/"}


class CelError(Exception):
    """An expression that cannot be parsed or evaluated."""


def field_name(name: str) -> str:
    """The field that an identifier of a rule means: `x__dash__y` is `x-y`."""
    found = _RESERVED.fullmatch(name)
    if found:
        return found[1]
    for mark, sign in _UNESCAPED.items():
        name = name.replace(mark, sign)
    return name


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None or token.lastgroup is None:
            raise CelError(f"Syntax error: token recognition error at: '{text[at:]}'")
        found.append((token.lastgroup, token[token.lastgroup]))
        at = token.end()
    return [*found, ("end", "")]


def _text(raw: str) -> str:
    if raw[0] in "rR":
        return raw[2:-1]

    def unescape(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        return chr(int(code, 16)) if code else _ESCAPES.get(found[3], found[3])

    return _ESCAPE.sub(unescape, raw[1:-1])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compare(sign: str, left: Any, right: Any) -> bool:
    comparable = (_is_number(left) and _is_number(right)) or (
        isinstance(left, str) and isinstance(right, str)
    )
    if not comparable:
        raise CelError("no such overload")
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign])


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def _arithmetic(sign: str, left: Any, right: Any) -> Any:
    if sign == "+" and type(left) is type(right) and isinstance(left, str | list):
        return left + right
    if not _is_number(left) or not _is_number(right):
        raise CelError("no such overload")
    if sign in "/%" and not right:
        raise CelError("division by zero" if sign == "/" else "modulus by zero")
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    if isinstance(left, float) or isinstance(right, float):
        return left / right
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return quotient if sign == "/" else left - quotient * right


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise CelError("no such overload")
    return value


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    @property
    def _next(self) -> str:
        return self._tokens[self._at][1] if self._tokens[self._at][0] != "text" else ""

    def _take(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _accept(self, *signs: str) -> str:
        if self._tokens[self._at][0] != "text" and self._next in signs and self._next:
            return self._take()[1]
        return ""

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise CelError(f"Syntax error: mismatched input '{self._tokens[self._at][1]}' expecting '{sign}'")

    def whole(self) -> Node:
        found = self._ternary()
        if self._tokens[self._at][0] != "end":
            raise CelError(f"Syntax error: extraneous input '{self._tokens[self._at][1]}'")
        return found

    def _ternary(self) -> Node:
        condition = self._or()
        if not self._accept("?"):
            return condition
        yes = self._or()
        self._expect(":")
        no = self._ternary()
        return lambda scope: yes(scope) if _truth(condition(scope)) else no(scope)

    def _or(self) -> Node:
        left = self._and()
        while self._accept("||"):
            left = _either(left, self._and(), wins=True)
        return left

    def _and(self) -> Node:
        left = self._relation()
        while self._accept("&&"):
            left = _either(left, self._relation(), wins=False)
        return left

    def _relation(self) -> Node:
        left = self._sum()
        while sign := self._accept("==", "!=", "<", "<=", ">", ">=", "in"):
            left = _relation(sign, left, self._sum())
        return left

    def _sum(self) -> Node:
        left = self._product()
        while sign := self._accept("+", "-"):
            left = _operation(sign, left, self._product())
        return left

    def _product(self) -> Node:
        left = self._unary()
        while sign := self._accept("*", "/", "%"):
            left = _operation(sign, left, self._unary())
        return left

    def _unary(self) -> Node:
        if self._accept("!"):
            inner = self._unary()
            return lambda scope: not _truth(inner(scope))
        if self._accept("-"):
            inner = self._unary()
            return lambda scope: _arithmetic("-", 0, inner(scope))
        return self._member()

    def _member(self) -> Node:
        found = self._primary()
        while True:
            if self._accept("."):
                name = self._take()[1]
                found = self._call(found, name) if self._accept("(") else _select(found, field_name(name))
            elif self._accept("["):
                found = _index(found, self._ternary())
                self._expect("]")
            else:
                return found

    def _call(self, target: Node, name: str) -> Node:
        if name in _MACROS:
            variable = self._take()[1]
            self._expect(",")
            bodies = [self._ternary()]
            while self._accept(","):
                bodies.append(self._ternary())
            self._expect(")")
            return _macro(name, target, variable, bodies)
        arguments = self._arguments(")")
        return lambda scope: _method(name, target(scope), [item(scope) for item in arguments])

    def _arguments(self, end: str) -> list[Node]:
        found = []
        while not self._accept(end):
            found.append(self._ternary())
            if not self._accept(","):
                self._expect(end)
                break
        return found

    def _primary(self) -> Node:
        sort, text = self._take()
        if sort == "number":
            number = _number(text)
            return lambda _: number
        if sort == "text":
            literal = _text(text)
            return lambda _: literal
        if text == "(":
            inner = self._ternary()
            self._expect(")")
            return inner
        if text == "[":
            items = self._arguments("]")
            return lambda scope: [item(scope) for item in items]
        if text == "{":
            return self._map()
        if sort != "name":
            raise CelError(f"Syntax error: unexpected '{text}'")
        if text in _CONSTANTS:
            constant = _CONSTANTS[text]
            return lambda _: constant
        if self._accept("("):
            if text == "has":
                inner = self._member()
                self._expect(")")
                return _has(inner)
            arguments = self._arguments(")")
            return lambda scope: _function(text, [item(scope) for item in arguments])
        return _variable(text)

    def _map(self) -> Node:
        pairs = []
        while not self._accept("}"):
            key = self._ternary()
            self._expect(":")
            pairs.append((key, self._ternary()))
            if not self._accept(","):
                self._expect("}")
                break
        return lambda scope: {key(scope): value(scope) for key, value in pairs}


class _Select:
    """A field of a value, which `has` asks for."""

    def __init__(self, target: Node, name: str) -> None:
        self.target = target
        self.name = name

    def __call__(self, scope: Scope) -> Any:
        holder = self.target(scope)
        if not isinstance(holder, dict):
            raise CelError("no such overload")
        if self.name not in holder:
            raise CelError(f"no such key: {self.name}")
        return holder[self.name]


def _select(target: Node, name: str) -> Node:
    return _Select(target, name)


def _has(inner: Node) -> Node:
    if not isinstance(inner, _Select):
        raise CelError("invalid argument to has() macro")

    def evaluate(scope: Scope) -> bool:
        holder = inner.target(scope)
        return isinstance(holder, dict) and inner.name in holder

    return evaluate


def _variable(name: str) -> Node:
    def evaluate(scope: Scope) -> Any:
        if name not in scope:
            raise CelError(f"undeclared reference to '{name}' (in container '')")
        return scope[name]

    return evaluate


def _number(text: str) -> int | float:
    if text.lower().startswith("0x"):
        return int(text.rstrip("u"), 16)
    if "." in text or "e" in text.lower():
        return float(text)
    return int(text.rstrip("u"))


def _either(left: Node, right: Node, *, wins: bool) -> Node:
    """`||` (wins is true) and `&&`: an error on one side does not count when the other side decides."""

    def evaluate(scope: Scope) -> bool:
        try:
            first: bool | CelError = _truth(left(scope))
        except CelError as error:
            first = error
        if first is wins:
            return wins
        second = _truth(right(scope))
        if second is wins or not isinstance(first, CelError):
            return second
        raise first

    return evaluate


def _relation(sign: str, left: Node, right: Node) -> Node:
    def evaluate(scope: Scope) -> bool:
        first, second = left(scope), right(scope)
        if sign == "==":
            return _equal(first, second)
        if sign == "!=":
            return not _equal(first, second)
        if sign == "in":
            if not isinstance(second, list | dict):
                raise CelError("no such overload")
            return any(_equal(first, item) for item in second)
        return _compare(sign, first, second)

    return evaluate


def _operation(sign: str, left: Node, right: Node) -> Node:
    return lambda scope: _arithmetic(sign, left(scope), right(scope))


def _index(target: Node, key: Node) -> Node:
    def evaluate(scope: Scope) -> Any:
        holder, at = target(scope), key(scope)
        if isinstance(holder, list):
            if not isinstance(at, int) or not 0 <= at < len(holder):
                raise CelError(f"index out of bounds: {at}")
            return holder[at]
        if not isinstance(holder, dict) or at not in holder:
            raise CelError(f"no such key: {at}")
        return holder[at]

    return evaluate


def _macro(name: str, target: Node, variable: str, bodies: list[Node]) -> Node:
    def evaluate(scope: Scope) -> Any:
        holder = target(scope)
        if not isinstance(holder, list | dict):
            raise CelError("no such overload")
        scopes = [{**scope, variable: item} for item in holder]
        if name == "map":
            chosen = scopes if len(bodies) == 1 else [inner for inner in scopes if _truth(bodies[0](inner))]
            return [bodies[-1](inner) for inner in chosen]
        if name == "filter":
            return [inner[variable] for inner in scopes if _truth(bodies[0](inner))]
        if name == "exists_one":
            return sum(_truth(bodies[0](inner)) for inner in scopes) == 1
        return _quantified(bodies[0], scopes, wins=name == "exists")

    return evaluate


def _quantified(body: Node, scopes: list[Scope], *, wins: bool) -> bool:
    failed: CelError | None = None
    for inner in scopes:
        try:
            if _truth(body(inner)) is wins:
                return wins
        except CelError as error:
            failed = error
    if failed is not None:
        raise failed
    return not wins


def _function(name: str, arguments: list[Any]) -> Any:
    if name == "size" and len(arguments) == 1 and isinstance(arguments[0], str | list | dict):
        return len(arguments[0])
    if len(arguments) != 1:
        raise CelError(f"undeclared reference to '{name}' (in container '')")
    value = arguments[0]
    try:
        if name in {"int", "uint"}:
            return int(value)
        if name == "double":
            return float(value)
        if name == "string":
            return str(value).lower() if isinstance(value, bool) else str(value)
        if name in {"dyn", "type", "bool"}:
            return value
    except (TypeError, ValueError):
        raise CelError("type conversion error") from None
    if name == "isQuantity":
        from ecns.embedded.kubernetes import quantities  # noqa: PLC0415  seldom used

        try:
            quantities.parse(value)
        except ValueError:
            return False
        return True
    raise CelError(f"undeclared reference to '{name}' (in container '')")


_TEXT_METHODS: dict[str, Callable[..., Any]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": lambda text, part: part in text,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
    "size": len,
    "lowerAscii": str.lower,
    "upperAscii": str.upper,
    "trim": str.strip,
    "split": lambda text, sign, most=-1: (
        text.split(sign, most - 1 if most > 0 else -1) if sign else list(text)
    ),
    "replace": lambda text, old, new, most=-1: text.replace(old, new, most),
    "indexOf": lambda text, part: text.find(part),
    "lastIndexOf": lambda text, part: text.rfind(part),
    "charAt": lambda text, at: text[at],
    "substring": lambda text, start, end=None: text[start:end],
    "find": lambda text, pattern: found[0] if (found := re.search(pattern, text)) else "",
}
_LIST_METHODS: dict[str, Callable[..., Any]] = {
    "size": len,
    "sum": sum,
    "min": min,
    "max": max,
    "isSorted": lambda items: all(one <= other for one, other in pairwise(items)),
    "indexOf": lambda items, item: items.index(item) if item in items else -1,
    "join": lambda items, sign="": sign.join(items),
}


def _method(name: str, target: Any, arguments: list[Any]) -> Any:
    methods = (
        _TEXT_METHODS
        if isinstance(target, str)
        else _LIST_METHODS
        if isinstance(target, list)
        else {"size": len}
    )
    method = methods.get(name)
    if method is None:
        raise CelError(f"no such overload: {name}")
    try:
        return method(target, *arguments)
    except (TypeError, ValueError, IndexError, re.error) as error:
        raise CelError(f"no such overload: {name} ({error})") from None


@lru_cache(maxsize=1024)
def compiled(text: str) -> Node:
    """An expression, ready to be evaluated with its variables.

    Raises:
        CelError: it cannot be parsed.
    """
    return _Parser(text).whole()


@lru_cache(maxsize=1024)
def uses(text: str, name: str) -> bool:
    """Whether an expression speaks of a variable."""
    return ("name", name) in _tokens(text)


def evaluate(text: str, **variables: Any) -> Any:
    """Evaluates an expression.

    Raises:
        CelError: it cannot be parsed or has no value.
    """
    return compiled(text)(variables)
