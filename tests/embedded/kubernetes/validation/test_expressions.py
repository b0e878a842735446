"""RE2's syntax on Python's `re`: what fits, and what Go says of what is none."""

from __future__ import annotations

import pytest

from ecns.embedded.kubernetes.validation.expressions import ExpressionError, compiled


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("^[a-z]+$", "abc\n", False),
        ("(?m)^a$", "x\na\nb", True),
        ("(?i)ab|cd", "CD", True),
        ("ab(?i)c|d", "abC", True),
        ("ab(?i)c|d", "ABc", False),
        ("a(?-i:b)", "aB", False),
        (r"^[[:alpha:]-]+\z", "a-b", True),
        ("^[]a]$", "]", True),
        ("(?P<n>a)(?<m>b)", "ab", True),
        (r"\Qa.b\E+$", "a.bb", True),
        (r"^\x{41}a{,2}$", "Aa{,2}", True),
        (r"^\d$", "٣", False),
        (r"^[\p{Lu}x]\PL$", "É1", True),
    ],
)
def test_an_expression_fits_as_in_re2(pattern: str, text: str, fits: object) -> None:
    assert bool(compiled(pattern).search(text)) is fits


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "missing closing ): `(`"),
        ("a)", "unexpected ): `a)`"),
        ("[a", "missing closing ]: `[a`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        (r"(a)\1", r"invalid escape sequence: `\1`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a\\", "trailing backslash at end of expression: ``"),
        ("[b-a]", "invalid character class range: `b-a`"),
        ("(?=x)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?<=x)", "invalid named capture: `(?<=x)`"),
        (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
    ],
)
def test_what_is_no_expression(pattern: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compiled(pattern)
    assert str(caught.value) == f"error parsing regexp: {said}"
