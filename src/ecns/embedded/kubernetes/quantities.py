"""Kubernetes quantities: `500m`, `1Gi`, `1e3`, exact arithmetic and the canonical spelling.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal, localcontext
from functools import lru_cache
from typing import Literal

import msgspec

Form = Literal["binary", "decimal", "exponent"]

NANO = 1_000_000_000
MESSAGE = r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
"""What Kubernetes says of a text that is no quantity."""

_PATTERN = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)([A-Za-z]*)([+-]?\d+)?")
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_NAMES = {power: name for name, power in _BINARY.items()}
_DECIMAL_NAMES = {power: name for name, power in _DECIMAL.items()}
_MAXIMUM = (2**63 - 1) * NANO
_BINARY_STEP = 1024


class Quantity(msgspec.Struct, frozen=True):
    """An amount in billionths, and the family of suffixes it is written with."""

    nano: int
    form: Form = "decimal"

    @property
    def value(self) -> int:
        """In whole units, rounded up (bytes, cores)."""
        return -(-self.nano // NANO)

    @property
    def milli(self) -> int:
        """In thousandths, rounded up (millicores)."""
        return -(-self.nano // 1_000_000)

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.nano + other.nano, self.form if self.nano else other.form)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nano - other.nano, self.form if self.nano else other.form)

    def __lt__(self, other: Quantity) -> bool:
        return self.nano < other.nano

    def __le__(self, other: Quantity) -> bool:
        return self.nano <= other.nano

    def rounded_up(self) -> Quantity:
        """The next whole thousandth, as the API server keeps the amounts of resources."""
        return Quantity(-(-self.nano // 1_000_000) * 1_000_000, self.form)

    def __str__(self) -> str:
        if self.form == "binary" and not -_BINARY_STEP * NANO < self.nano < _BINARY_STEP * NANO:
            amount, power = self.value, 0
            while amount % _BINARY_STEP == 0 and power < max(_BINARY_NAMES):
                amount, power = amount // _BINARY_STEP, power + 1
            return f"{amount}{_BINARY_NAMES.get(power, '')}"
        if not self.nano:
            return "0"
        amount, power = self.nano, -9
        while amount % 1000 == 0 and power < max(_DECIMAL_NAMES):
            amount, power = amount // 1000, power + 3
        if self.form == "exponent":
            return f"{amount}e{power}" if power else str(amount)
        return f"{amount}{_DECIMAL_NAMES[power]}"


ZERO = Quantity(0)


@lru_cache(maxsize=4096)
def _parse(text: str) -> Quantity:
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise ValueError(MESSAGE)
    sign, number, suffix, exponent = found.groups()
    form: Form
    with localcontext(prec=200):
        if suffix in {"e", "E"} and exponent is not None:
            scale, form = Decimal(10) ** int(exponent), "exponent"
        elif exponent is not None:
            raise ValueError(MESSAGE)
        elif suffix in _BINARY:
            scale, form = Decimal(_BINARY_STEP ** _BINARY[suffix]), "binary"
        elif suffix in _DECIMAL:
            scale, form = Decimal(10) ** _DECIMAL[suffix], "decimal"
        else:
            raise ValueError(MESSAGE)
        amount = int((Decimal(number) * scale * NANO).to_integral_value(rounding=ROUND_UP))
    amount = min(amount, _MAXIMUM)
    return Quantity(-amount if sign == "-" else amount, form)


def parse(value: object) -> Quantity:
    """Reads a quantity.

    Args:
        value: its text, or a number as JSON has it.

    Raises:
        ValueError: it is none; the message is Kubernetes' own.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(MESSAGE)  # noqa: TRY004  one kind of error for everything that is no quantity
    return _parse(value.strip() if isinstance(value, str) else format(Decimal(repr(value)), "f"))


def canonical(value: object) -> str:
    """The spelling that the API server answers with."""
    return str(parse(value))


def total(*amounts: object) -> Quantity:
    """The sum of quantities."""
    summed = ZERO
    for amount in amounts:
        summed += parse(amount)
    return summed
