from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecns.embedded.kubernetes import quantities
from ecns.embedded.kubernetes.quantities import canonical, parse, total


@pytest.mark.parametrize(
    ("given_", "canon"),
    [
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("1000Ki", "1000Ki"),
        ("1e3", "1e3"),
        ("1000", "1k"),
        ("100", "100"),
        (1, "1"),
        (1.5, "1500m"),
        ("512", "512"),
        ("0Gi", "0"),
        ("0.5Ki", "512"),
        ("-1Gi", "-1Gi"),
        ("1.5Gi", "1536Mi"),
        ("100n", "100n"),
        ("0.0000000001", "1n"),
        ("12E", "9223372036854775807"),
        ("1E3", "1e3"),
        ("+5", "5"),
        (".5", "500m"),
    ],
)
def test_spelling(given_: object, canon: str) -> None:
    assert canonical(given_) == canon


@pytest.mark.parametrize("text", ["", "abc", "1GB", "1 Gi", "1e", "--1", "1.2.3", "Ki", True, None, []])
def test_what_is_no_quantity(text: object) -> None:
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        parse(text)


def test_arithmetic_and_units() -> None:
    assert str(total("1Gi", "512Mi")) == "1536Mi"
    assert str(total("100m", "0.9")) == "1"
    assert str(parse("2") - parse("500m")) == "1500m"
    assert parse("1.2").value == 2
    assert parse("0.0001").milli == 1
    assert str(parse("0.0001").rounded_up()) == "1m"
    assert parse("1Ki") < parse("1025") <= parse("1025")
    assert quantities.ZERO.nano == 0


@settings(max_examples=60)
@given(st.integers(-(10**15), 10**15), st.sampled_from(["", "m", "k", "Ki", "Mi", "G"]))
def test_spelling_keeps_the_amount(number: int, suffix: str) -> None:
    amount = parse(f"{number}{suffix}")
    if abs(amount.nano) < (2**63 - 1) * quantities.NANO:
        assert parse(str(amount)).nano == amount.nano
        assert canonical(str(amount)) == str(amount)
