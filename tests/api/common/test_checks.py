"""Names and amounts, before anything is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.common.checks import capacity, dns_subdomain
from ecns.backends.kubernetes.kinds import quantities
from ecns.errors import BadRequestError


@pytest.mark.parametrize(
    ("sent", "quantity"),
    [
        ("10", "10Gi"),
        (10, "10Gi"),
        (1.5, "1.5Gi"),
        (".5", "0.5Gi"),
        (" 7 ", "7Gi"),
        (1000.0, "1000Gi"),
        (1e-7, "0.0000001Gi"),
        ("10Gi", "10Gi"),
        ("500M", "500M"),
        ("1e3", "1e3"),
    ],
)
def test_a_capacity_is_gib_or_a_quantity(sent: str | float, quantity: str) -> None:
    assert capacity(sent, "f") == quantity


@pytest.mark.parametrize(
    "sent",
    [
        "0",
        "-1",
        "-0.5",
        "0Gi",
        "10 GiB",
        "10gi",
        "",
        "ten",
        "1_0",
        "\u0661\u0660",
        "NaN",
        "1e999",
        "10E",
        "1Gi1",
    ],
)
def test_what_is_no_capacity_is_refused_with_its_field(sent: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        capacity(sent, "pvc.capacity")
    assert refused.value.field == "pvc.capacity"


@pytest.mark.parametrize("sent", [0, -1, -0.5, 10**30, 1e300])
def test_what_is_no_capacity_as_a_number(sent: float) -> None:
    with pytest.raises(BadRequestError):
        capacity(sent, "pvc.capacity")


@given(st.text() | st.integers() | st.floats())
def test_a_capacity_is_a_quantity_that_kubernetes_takes_or_refused(sent: str | float) -> None:
    try:
        quantity = capacity(sent, "f")
    except BadRequestError:
        return
    assert 0 < quantities.amount(quantity) < 2**63


def test_names_are_subdomains() -> None:
    for name in ("a", "a.b-c", "0", "a" * 253):
        dns_subdomain(name, "f")
    for name in ("", "A", "a_b", "-a", "a-", "a..b", ".a", "a" * 254, "a\n", "ä"):
        with pytest.raises(BadRequestError):
            dns_subdomain(name, "f")
