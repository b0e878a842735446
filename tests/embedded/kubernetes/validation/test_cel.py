from __future__ import annotations

from typing import Any

import pytest

from ecns.embedded.kubernetes.validation import cel

SELF: dict[str, Any] = {
    "a": 1,
    "b": "text",
    "list": [1, 2, 3],
    "map": {"k": "v"},
    "x-y": True,
    "rows": [{"n": 1}, {"n": 2}],
}


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("1 + 2 * 3 == 7 && !(1 > 2)", True),
        ("self.a in self.list || false", True),
        ("'k' in self.map ? 'yes' : 'no'", "yes"),
        ("has(self.a) && !has(self.nosuch)", True),
        ("self.b.startsWith('te') && self.b.endsWith(\"xt\") && self.b.matches('^t.*t$')", True),
        ("size(self.list) == 3 && self.b.size() == 4", True),
        ("self.list.all(x, x > 0) && self.list.exists(x, x == 2) && self.list.exists_one(x, x == 3)", True),
        ("self.list.map(x, x * 2)", [2, 4, 6]),
        ("self.list.map(x, x > 1, x * 2)", [4, 6]),
        ("self.list.filter(x, x % 2 == 1)", [1, 3]),
        ("self.rows.map(r, r.n).sum()", 3),
        ("self.map.all(k, self.map[k] == 'v')", True),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("7.0 / 2.0", 3.5),
        ("self.x__dash__y", True),
        ("{'a': [1, 2]}['a'][1]", 2),
        ("r'\\d' + '\\n'", "\\d\n"),
        ("int('4') + 0x10", 20),
        ("string(1) + 'a'.upperAscii()", "1A"),
        ("'a,b'.split(',').join('-')", "a-b"),
        ("self.nosuch > 1 || true", True),
        ("false && self.nosuch > 1", False),
        ("null == null && true != 1", True),
        ("isQuantity('1Gi') && !isQuantity('x')", True),
    ],
)
def test_expressions(rule: str, value: object) -> None:
    assert cel.evaluate(rule, self=SELF) == value


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("self.nosuch", "no such key: nosuch"),
        ("self.list[9]", "index out of bounds: 9"),
        ("1 / 0", "division by zero"),
        ("1 +", "Syntax error"),
        ("a ~ b", "token recognition error"),
        ("nosuch", "undeclared reference to 'nosuch'"),
        ("nosuch(1)", "undeclared reference to 'nosuch'"),
        ("self.b < 1", "no such overload"),
        ("self.b.nosuch()", "no such overload: nosuch"),
        ("has(1)", "invalid argument to has"),
        ("int('x')", "type conversion error"),
        ("(1", "expecting"),
        ("1 1", "extraneous"),
    ],
)
def test_faults(rule: str, why: str) -> None:
    with pytest.raises(cel.CelError, match=why.replace("(", r"\(")):
        cel.evaluate(rule, self=SELF)


def test_what_a_rule_speaks_of() -> None:
    assert cel.uses("self.a == oldSelf.a", "oldSelf")
    assert not cel.uses("self.oldSelfish == 'oldSelf'", "oldSelf")
