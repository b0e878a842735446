"""Kubernetes' quantities in the reference's units, and back, exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.backends.kubernetes.kinds import quantities


@given(st.integers(0, 10**7))
def test_cores_to_the_thousandth(milli: int) -> None:
    assert quantities.amount(quantities.from_cores(milli / 1000)) == Decimal(milli) / 1000
    assert quantities.cores(quantities.from_cores(milli / 1000)) == milli / 1000


@given(st.integers(0, 2**40))
def test_memory_and_storage(value: int) -> None:
    assert quantities.mib(quantities.from_mib(value)) == value
    assert quantities.gib(quantities.from_gib(value)) == value
    assert quantities.shown_capacity(quantities.capacity(value)) == str(value)


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("100m", "0.1"),
        ("1Gi", 2**30),
        ("1.5Ki", 1536),
        ("1e3", 1000),
        ("12E", 12 * 10**18),
        ("2Ei", 2**61),
        ("5u", "0.000005"),
        ("100n", "0.0000001"),
        (".5", "0.5"),
        ("5.", 5),
        (3, 3),
        (0.5, "0.5"),
        ("-1", -1),
    ],
)
def test_amounts(quantity: str | float, expected: str | int) -> None:
    assert quantities.amount(quantity) == Decimal(expected)


@pytest.mark.parametrize("text", ["", "1 Gi", "Gi", "1gi", "1e", "ten", "1KiB", "1e99999"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        quantities.amount(text)


@pytest.mark.parametrize(
    ("sent", "quantity", "shown"),
    [
        ("10", "10Gi", "10"),
        (3, "3Gi", "3"),
        ("1.5", "1.5Gi", "1.5Gi"),
        ("500Mi", "500Mi", "500Mi"),
        ("20Gi", "20Gi", "20"),
    ],
)
def test_capacities(sent: str | int, quantity: str, shown: str) -> None:
    assert quantities.capacity(sent) == quantity
    assert quantities.shown_capacity(quantity) == shown


def test_memory_is_rounded_up() -> None:
    assert quantities.mib("100M") == 96
    assert quantities.gib("1") == 1
