"""The Common Expression Language, as the rules of CustomResourceDefinitions use it.

`syntax` makes a tree of an expression, `checking` finds what is wrong with it before it is used and what it
may cost, `running` evaluates it on JSON values with the functions of `library`.

Source: https://kubernetes.io/docs/reference/using-api/cel/ and https://github.com/google/cel-spec
"""

from ecns.embedded.kubernetes.validation.cel.running import LimitError, Meter, evaluate
from ecns.embedded.kubernetes.validation.cel.syntax import CelError, located, uses
from ecns.embedded.kubernetes.validation.cel.values import NONE, Optional, field_name, typed

__all__ = [
    "NONE",
    "CelError",
    "LimitError",
    "Meter",
    "Optional",
    "evaluate",
    "field_name",
    "located",
    "typed",
    "uses",
]
