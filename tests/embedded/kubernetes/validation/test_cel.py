from __future__ import annotations

from typing import Any

import pytest

from ecns.embedded.kubernetes.validation import cel
from ecns.embedded.kubernetes.validation.cel import checking, kinds

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
        ("quantity('1Gi').compareTo(quantity('1024Mi'))", 0),
        ("self.?nosuch.?deep.orValue('no') + self.?b.orValue('no')", "notext"),
        ("[?self.?nosuch, ?self.?a]", [1]),
        ("optional.of(3).optMap(x, x + 1).value()", 4),
        ("self.map.all(k, v, k == v) || [1, 2].exists(i, v, i == 1 && v == 2)", True),
        ("self.map.transformList(k, v, k + v)", ["kv"]),
        ("semver('1.2.3-rc.1').isLessThan(semver('1.2.3')) && isSemver('1.0.0') && !isSemver('v1')", True),
        ("[3, 1, 2].sortBy(x, -x)", [3, 2, 1]),
        ("timestamp('2026-01-31T00:00:00Z') + duration('24h') == timestamp('2026-02-01T00:00:00Z')", True),
        ("timestamp('2026-01-31T23:00:00Z').getDayOfWeek('Asia/Tokyo')", 0),
        ("duration('1h30m').getMinutes()", 90),
        ("ip('10.0.0.1').family() == 4 && cidr('10.0.0.0/8').containsIP('10.0.0.1')", True),
        ("cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').prefixLength() == 8", True),
        ("url('https://a.b:81/c').getPort() + url('https://a.b/c?x=1').getQuery()['x'][0]", "811"),
        ("'%s has %d'.format(['x', 3])", "x has 3"),
        ("!format.dns1123Label().validate('a').hasValue()", True),
        ("type(1) == int && type('') != int && 1.0 == 1", True),
        ("'a' in {'a': 1} && [1, 2, 3].max() == 3 && [[1], [2]].flatten().sum() == 3", True),
    ],
)
def test_expressions(rule: str, value: object) -> None:
    assert cel.evaluate(rule, self=SELF) == value


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("self.nosuch", "no such key: nosuch"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("1 + 1.0", "no such overload"),
        ("optional.none().value()", "optional.none"),
        ("url('x y')", "URL parse error"),
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


def test_an_evaluation_that_costs_too_much_ends() -> None:
    numbers = list(range(800))
    with pytest.raises(cel.LimitError, match="actual cost limit exceeded"):
        cel.evaluate("self.all(x, self.all(y, x + y >= 0))", self=numbers)


SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "s": {"type": "string", "maxLength": 10},
        "when": {"type": "string", "format": "date-time"},
        "x-y": {"type": "boolean"},
        "list": {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 10}},
        "map": {"type": "object", "maxProperties": 5, "additionalProperties": {"type": "integer"}},
        "either": {"x-kubernetes-int-or-string": True},
    },
}
KIND = kinds.declared(SCHEMA, root=True)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ("self.n > 0 && self.s.startsWith('a') && self.x__dash__y", "bool"),
        ("self.list.map(x, x.size()).sum() + self.map['a']", "int"),
        ("self.?s.orValue('x') + self.metadata.name", "string"),
        ("self.when + duration('1h')", "google.protobuf.Timestamp"),
        ("self.either + 1", "dyn"),
        ("self.map.exists(k, v, k == 'a' && v > 1) ? [1] : []", "list(int)"),
        ("type(self.either) == string || self.n in [1, 2]", "bool"),
        ("has(self.s) && dyn(self.n) == 'a'", "bool"),
        ("{'a': self.n}", "map(string, int)"),
    ],
)
def test_types(rule: str, kind: str) -> None:
    assert KIND is not None
    assert str(checking.check(rule, {"self": KIND}).kind) == kind


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("self.nosuch == 1", "ERROR: <input>:1:5: undefined field 'nosuch'\n | self.nosuch == 1\n | ....^"),
        ("self.n == 'a'", "1:8: found no matching overload for '_==_' applied to '(int, string)'"),
        ("self.n + self.s", "applied to '(int, string)'"),
        ("self.n.startsWith('a')", "found no matching overload for 'startsWith' applied to 'int.(string)'"),
        ("self.s.nosuch()", "undeclared reference to 'nosuch'"),
        ("nosuch(1)", "1:7: undeclared reference to 'nosuch'"),
        ("other", "undeclared reference to 'other'"),
        ("self.n.x", "type 'int' does not support field selection"),
        ("self.list.all(x, x)", "expected type 'bool' but found 'string'"),
        ("self.n.all(x, true)", "cannot be range of a comprehension"),
        ("self.n ? 1 : 2", "found no matching overload for '_?_:_' applied to '(int, int, int)'"),
        ("self = 42", "1:6: Syntax error: token recognition error at: '= '"),
        ("self.n +", "Syntax error: mismatched input '<EOF>'"),
        ("self.n >\n  self.nosuch", "2:7: undefined field"),
        ("(" * 300 + "1" + ")" * 300, "recursion limit"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(rule: str, why: str) -> None:
    assert KIND is not None
    with pytest.raises(cel.CelError) as caught:
        checking.check(rule, {"self": KIND})
    assert why in cel.located(caught.value, rule)


def test_costs_grow_with_what_a_schema_allows() -> None:
    def cost(rule: str, schema: dict[str, Any]) -> int:
        kind = kinds.declared(schema)
        assert kind is not None
        return checking.check(rule, {"self": kind}).cost

    rule = "self.all(x, self.all(y, x == y))"
    few = {"type": "array", "maxItems": 10, "items": {"type": "integer"}}
    assert cost(rule, few) < cost(rule, {**few, "maxItems": 100}) < 10_000_000
    del few["maxItems"]
    assert cost(rule, few) > 10_000_000
    text = {"type": "string", "maxLength": 5}
    assert cost("self.contains('a')", text) < cost("self.contains('a')", {"type": "string"})


@pytest.mark.parametrize(
    ("rule", "weight"),
    [
        ("has(self.s) && !has(self.n)", 3),
        ("(has(self.s) ? 1 : 0) + (has(self.n) ? 1 : 0) == 1", 4),
        ("[has(self.s), has(self.n)].filter(x, x == true).size() <= 1", 53),
        ("self == self && self.map == self.map", 7),
        ("self.n == 1 && self.x__dash__y", 4),
        ("self.map.all(key, !key.contains('*'))", 28),
        ("self.list.all(x, self.list.exists_one(y, x == y))", 873),
        ("cidr(self.s) == cidr(self.s).masked()", 14),
        ("!cidr('fe80::/10').containsIP(cidr(self.s).ip()) && !cidr(self.s).containsIP('fe80::')", 25),
        ("(has(self.list) ? self.list : []).exists(k, k.contains('/'))", 62),
    ],
)
def test_rules_are_weighed_as_kubernetes_weighs_them(rule: str, weight: int) -> None:
    assert KIND is not None
    assert checking.check(rule, {"self": KIND}).cost == weight
