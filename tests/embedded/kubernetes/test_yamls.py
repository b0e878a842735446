from __future__ import annotations

from typing import Any

import pytest

from ecns.embedded.kubernetes import yamls
from ecns.embedded.kubernetes.errors import MalformedError

BOMB = 'a: &a ["l"]\n' + "".join(f"{c}: &{c} [{','.join([f'*{chr(ord(c) - 1)}'] * 9)}]\n" for c in "bcdefgh")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{a: 12:30, b: 2026-01-01, c: yes, d: ~}", {"a": "12:30", "b": "2026-01-01", "c": True, "d": None}),
        ("{a: 012, b: 0o12, c: 0x1F, d: -1_000, e: 089}", {"a": 10, "b": 10, "c": 31, "d": -1000, "e": 89}),
        ("{a: 1e3, b: .5, c: 1.}", {"a": 1000.0, "b": 0.5, "c": 1.0}),
        ("{1: a, 1.5: b, true: c}", {"1": "a", "1.5": "b", "true": "c"}),
        ("a: !!binary aGk=", {"a": "hi"}),
        ("a: &x {b: 1}\nc: {<<: *x, d: *x}", {"a": {"b": 1}, "c": {"b": 1, "d": {"b": 1}}}),
        ("a: 1\n---\nb: 2", {"a": 1}),
        ("", None),
    ],
)
def test_values_are_what_their_json_would_be(text: str, value: Any) -> None:
    assert yamls.load(text.encode()) == (value, [])


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "a: &a [*a]",
        "? [a]\n: b",
        "{~: a}",
        "a: .nan",
        "a: !!python/name:os.system x",
        "[" * 5000,
        "a: !!int x",
    ],
)
def test_what_has_no_json_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        yamls.load(text.encode())
