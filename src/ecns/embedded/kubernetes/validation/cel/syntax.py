"""The grammar of CEL: an expression as a tree whose nodes know where they stand.

Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NoReturn

import msgspec

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<number>\d+\.\d+(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|0[xX][0-9a-fA-F]+[uU]?|\d+[uU]?)
    |(?P<text>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|\"(?:\\.|[^"\\\n])*\"|'(?:\\.|[^'\\\n])*'))
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*|`[^`\n]+`)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE = re.compile(
    r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL
)
_CONSTANTS = {"true": True, "false": False, "null": None}
_RELATIONS = ("==", "!=", "<", "<=", ">", ">=", "in")
_MACROS = {
    "all": (2, 3),
    "exists": (2, 3),
    "exists_one": (2, 3),
    "existsOne": (2, 3),
    "filter": (2,),
    "map": (2, 3),
    "transformList": (3, 4),
    "transformMap": (3, 4),
    "transformMapEntry": (3, 4),
    "sortBy": (2,),
    "optMap": (2,),
    "optFlatMap": (2,),
}
_WORDS = frozenset(
    {
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    }
)
_DEEPEST = 250


class CelError(Exception):
    """An expression that cannot be parsed, checked or evaluated; `at` is where, if that is known."""

    def __init__(self, text: str, at: int | None = None) -> None:
        super().__init__(text)
        self.at = at


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an expression; `at` is its place in the text."""

    at: int = 0


class Literal(Node, frozen=True):
    """A constant; `sort` is its type's name."""

    value: Any
    sort: str


class Name(Node, frozen=True):
    """A variable, or a name like `optional` that begins a function's."""

    name: str


class Select(Node, frozen=True):
    """A field of a value: `a.b`, `a.?b`, or `has(a.b)`."""

    target: Node
    name: str
    tests: bool = False
    optional: bool = False


class Index(Node, frozen=True):
    """An item: `a[b]` or `a[?b]`."""

    target: Node
    key: Node
    optional: bool = False


class Call(Node, frozen=True):
    """A function, a method (with a target) or an operator (`_+_`)."""

    name: str
    arguments: tuple[Node, ...]
    target: Node | None = None


class Items(Node, frozen=True):
    """A list; `optional` are the indices of items that may be absent."""

    items: tuple[Node, ...]
    optional: frozenset[int] = frozenset()


class Entries(Node, frozen=True):
    """A map; `optional` are the indices of entries that may be absent."""

    entries: tuple[tuple[Node, Node], ...]
    optional: frozenset[int] = frozenset()


class Macro(Node, frozen=True):
    """A loop over a list, map or optional: its name, range, variables and bodies."""

    name: str
    range: Node
    variables: tuple[str, ...]
    bodies: tuple[Node, ...]


class _Token(msgspec.Struct, frozen=True):
    sort: str
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None or token.lastgroup is None:
            end = at + 1 + (text[at + 1 : at + 2].isspace() and text[at] not in "&|")
            raise CelError(f"Syntax error: token recognition error at: '{text[at:end]}'", at)
        if token.lastgroup != "space":
            found.append(_Token(token.lastgroup, token[0], at))
        at = token.end()
    return [*found, _Token("end", "<EOF>", len(text))]


def _text(raw: str) -> tuple[Any, str]:
    prefix = raw[: len(raw) - len(raw.lstrip("rRbB"))].lower()
    body = raw[len(prefix) :]
    width = 3 if body[:3] in {'"""', "'''"} else 1
    inner = body[width:-width]
    if "r" not in prefix:

        def unescape(found: re.Match[str]) -> str:
            code = found[1] or found[2] or found[3]
            if code:
                return chr(int(code, 16))
            return chr(int(found[4], 8)) if found[4] else _ESCAPES.get(found[5], found[5])

        inner = _ESCAPE.sub(unescape, inner)
    return (inner.encode(), "bytes") if "b" in prefix else (inner, "string")


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._now
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _accept(self, *signs: str) -> _Token | None:
        now = self._now
        return self._take() if now.text in signs and now.sort in {"sign", "name"} else None

    def _expect(self, sign: str) -> _Token:
        token = self._accept(sign)
        if token is None:
            self._fail(f"mismatched input '{self._now.text}' expecting '{sign}'")
        return token

    def _failure(self, why: str) -> CelError:
        return CelError(f"Syntax error: {why}", self._now.at)

    def _fail(self, why: str) -> NoReturn:
        raise self._failure(why)

    def whole(self) -> Node:
        found = self._ternary()
        if self._now.sort != "end":
            self._fail(f"extraneous input '{self._now.text}' expecting <EOF>")
        return found

    def _ternary(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail("expression recursion limit exceeded: 250")
        condition = self._or()
        sign = self._accept("?")
        if sign is not None:
            yes = self._or()
            self._expect(":")
            condition = Call("_?_:_", (condition, yes, self._ternary()), at=sign.at)
        self._depth -= 1
        return condition

    def _left(self, inner: Any, *signs: str) -> Node:
        left: Node = inner()
        while (sign := self._accept(*signs)) is not None:
            name = "@in" if sign.text == "in" else f"_{sign.text}_"
            left = Call(name, (left, inner()), at=sign.at)
        return left

    def _or(self) -> Node:
        return self._left(self._and, "||")

    def _and(self) -> Node:
        return self._left(self._relation, "&&")

    def _relation(self) -> Node:
        return self._left(self._sum, *_RELATIONS)

    def _sum(self) -> Node:
        return self._left(self._product, "+", "-")

    def _product(self) -> Node:
        return self._left(self._unary, "*", "/", "%")

    def _unary(self) -> Node:
        sign = self._accept("!", "-")
        if sign is None:
            return self._member()
        inner = self._unary()
        if sign.text == "-" and isinstance(inner, Literal) and inner.sort in {"int", "double"}:
            return Literal(-inner.value, inner.sort, at=sign.at)
        return Call(f"{sign.text}_", (inner,), at=sign.at)

    def _member(self) -> Node:
        found = self._primary()
        while True:
            if (dot := self._accept(".")) is not None:
                found = self._after_dot(found, dot.at)
            elif (bracket := self._accept("[")) is not None:
                optional = self._accept("?") is not None
                found = Index(found, self._ternary(), optional, at=bracket.at)
                self._expect("]")
            else:
                return found

    def _after_dot(self, target: Node, at: int) -> Node:
        optional = self._accept("?") is not None
        token = self._take()
        if token.sort != "name":
            self._at -= 1
            self._fail(f"no viable alternative at input '.{token.text if token.sort != 'end' else ''}'")
        name = token.text.strip("`")
        opened = None if optional else self._accept("(")
        if opened is None:
            return Select(target, name, optional=optional, at=at)
        if name in _MACROS:
            return self._macro(target, name, opened.at)
        return Call(name, self._arguments(")")[0], target, at=opened.at)

    def _macro(self, target: Node, name: str, at: int) -> Node:
        arguments, _ = self._arguments(")")
        if len(arguments) not in _MACROS[name]:
            return Call(name, arguments, target, at=at)
        pairs = name.startswith("transform") or (len(arguments) == 3 and name != "map")  # noqa: PLR2004
        names = arguments[: 2 if pairs else 1]
        for item in names:
            if not isinstance(item, Name):
                raise CelError("argument must be a simple name", item.at)
        variables = tuple(item.name for item in names if isinstance(item, Name))
        return Macro(name, target, variables, arguments[len(names) :], at=at)

    def _arguments(self, end: str) -> tuple[tuple[Node, ...], frozenset[int]]:
        found: list[Node] = []
        optional = set()
        while self._accept(end) is None:
            if end == "]" and self._accept("?") is not None:
                optional.add(len(found))
            found.append(self._ternary())
            if self._accept(",") is None:
                self._expect(end)
                break
        return tuple(found), frozenset(optional)

    def _primary(self) -> Node:
        token = self._take()
        at = token.at
        if token.sort == "number":
            return _number(token.text, at)
        if token.sort == "text":
            return Literal(*_text(token.text), at=at)
        if token.sort == "name":
            return self._named(token)
        match token.text:
            case "(":
                inner = self._ternary()
                self._expect(")")
                return inner
            case "[":
                return Items(*self._arguments("]"), at=at)
            case "{":
                return self._map(at)
            case ".":
                return self._named(self._take())
        self._at = max(self._at - 1, 0) if token.sort != "end" else self._at
        raise self._failure(
            f"mismatched input '{token.text}' expecting {{'[', '{{', '(', '.', '-', '!', 'true', 'false', "
            "'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
        )

    def _named(self, token: _Token) -> Node:
        if token.text in _CONSTANTS:
            value = _CONSTANTS[token.text]
            return Literal(value, "null_type" if value is None else "bool", at=token.at)
        if token.text in _WORDS:
            raise CelError(f"reserved identifier: {token.text}", token.at)
        opened = self._accept("(")
        if opened is None:
            return Name(token.text, at=token.at)
        arguments, _ = self._arguments(")")
        if token.text == "has":
            if len(arguments) == 1 and isinstance(arguments[0], Select):
                inner = arguments[0]
                return Select(inner.target, inner.name, tests=True, at=opened.at)
            raise CelError("invalid argument to has() macro", opened.at)
        return Call(token.text, arguments, at=opened.at)

    def _map(self, at: int) -> Node:
        pairs: list[tuple[Node, Node]] = []
        optional = set()
        while self._accept("}") is None:
            if self._accept("?") is not None:
                optional.add(len(pairs))
            key = self._ternary()
            self._expect(":")
            pairs.append((key, self._ternary()))
            if self._accept(",") is None:
                self._expect("}")
                break
        return Entries(tuple(pairs), frozenset(optional), at=at)


def _number(text: str, at: int) -> Literal:
    unsigned = text[-1] in "uU"
    digits = text.rstrip("uU")
    if not unsigned and not digits.lower().startswith("0x") and not digits.isdigit():
        return Literal(float(digits), "double", at=at)
    value = int(digits, 16 if digits.lower().startswith("0x") else 10)
    if value >= (2**64 if unsigned else 2**63):
        raise CelError("invalid uint literal" if unsigned else "invalid int literal", at)
    return Literal(value, "uint" if unsigned else "int", at=at)


@lru_cache(maxsize=1024)
def parsed(text: str) -> Node:
    """The tree of an expression.

    Raises:
        CelError: it is none.
    """
    return _Parser(text).whole()


@lru_cache(maxsize=1024)
def uses(text: str, name: str) -> bool:
    """Whether an expression speaks of a variable."""
    try:
        return any(token.sort == "name" and token.text == name for token in _tokens(text))
    except CelError:
        return False


def located(error: CelError, text: str) -> str:
    """A fault with its line, as a compiler shows it."""
    at = len(text) if error.at is None else error.at
    before = text[:at]
    line, column = before.count("\n") + 1, at - (before.rfind("\n") + 1)
    shown = text.split("\n")[line - 1].replace("\t", " ")
    return f"ERROR: <input>:{line}:{column + 1}: {error}\n | {shown}\n | {'.' * column}^"
