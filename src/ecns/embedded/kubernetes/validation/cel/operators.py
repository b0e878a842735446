"""The operators of CEL on values, and what they cost.

Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md#list-of-standard-definitions
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ecns.embedded.kubernetes.validation.cel.library import overload
from ecns.embedded.kubernetes.validation.cel.syntax import CelError
from ecns.embedded.kubernetes.validation.cel.values import Type, Unsigned

_ORDERED = ((int, float), (str,), (bytes,), (datetime,), (timedelta,), (bool,))
_SPANS = {
    ("+", datetime, timedelta),
    ("+", timedelta, datetime),
    ("+", timedelta, timedelta),
    ("-", datetime, datetime),
    ("-", datetime, timedelta),
    ("-", timedelta, timedelta),
}
_SIMPLE: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def truth(value: Any) -> bool:
    """A truth value, which it must be."""
    if not isinstance(value, bool):
        raise overload()
    return value


def length(value: Any) -> int:
    """How large a value is, which of scalars is one."""
    return len(value) if isinstance(value, str | bytes | list | dict) else 1


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same to CEL."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, Type) or isinstance(right, Type):
        return type(left) is type(right) and str(left) == str(right)
    return bool(left == right)


def _within(item: Any, holder: Any) -> bool:
    if isinstance(holder, dict):
        return isinstance(item, str | int | float) and item in holder
    if not isinstance(holder, list):
        raise overload()
    return any(equal(item, other) for other in holder)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def run(left: Any, right: Any) -> bool:
        if isinstance(left, bool) is not isinstance(right, bool) or not any(
            isinstance(left, kinds) and isinstance(right, kinds) for kinds in _ORDERED
        ):
            raise overload()
        return bool(compare(left, right))

    return run


def _arithmetic(sign: str) -> Callable[[Any, Any], Any]:
    def run(left: Any, right: Any) -> Any:
        if sign == "+" and type(left) is type(right) and isinstance(left, str | list | bytes):
            return left + right
        if (sign, type(left), type(right)) in _SPANS:
            return _SIMPLE[sign](left, right)
        if (
            not _is_number(left)
            or not _is_number(right)
            or isinstance(left, float) is not isinstance(right, float)
        ):
            raise overload()
        return _fraction(sign, left, right) if isinstance(left, float) else _whole(sign, left, right)

    return run


def _fraction(sign: str, left: float, right: float) -> float:
    if sign == "%":
        raise overload()
    if sign != "/":
        return float(_SIMPLE[sign](left, right))
    if right:
        return left / right
    return float("nan") if not left else float("inf") if left > 0 else float("-inf")


def _whole(sign: str, left: int, right: int) -> int:
    if sign in _SIMPLE:
        found = _SIMPLE[sign](left, right)
    else:
        if not right:
            raise CelError("division by zero" if sign == "/" else "modulus by zero")
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        found = quotient if sign == "/" else left - quotient * right
    unsigned = isinstance(left, Unsigned)
    if not (0 if unsigned else -(2**63)) <= found < (2**64 if unsigned else 2**63):
        raise CelError("unsigned integer overflow" if unsigned else "integer overflow")
    return Unsigned(found) if unsigned else int(found)


def _negated(value: Any) -> Any:
    return _arithmetic("-")(0.0 if isinstance(value, float) else 0, value)


UNARY: dict[str, Callable[[Any], Any]] = {"!_": lambda value: not truth(value), "-_": _negated}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "_==_": equal,
    "_!=_": lambda left, right: not equal(left, right),
    "@in": _within,
    "_<_": _ordered(operator.lt),
    "_<=_": _ordered(operator.le),
    "_>_": _ordered(operator.gt),
    "_>=_": _ordered(operator.ge),
    **{f"_{sign}_": _arithmetic(sign) for sign in "+-*/%"},
}


def cost(name: str, left: Any, right: Any) -> int:
    """What an operator costs on two values."""
    if name in {"_==_", "_!=_"}:
        return 1 + min(length(left), length(right)) // 10
    if name == "@in":
        return length(right) if isinstance(right, list) else 1
    if name == "_+_" and isinstance(left, str | bytes):
        return 1 + (length(left) + length(right)) // 10
    return 1
