"""Kubernetes' quantities as the reference's units: cores, MiB, GiB.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/; decisions, "Units".
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_SUFFIXES: dict[str, Decimal] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{letter: Decimal(10) ** (3 * power) for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?", re.ASCII)
MEBI = Decimal(2**20)
GIBI = Decimal(2**30)


def amount(quantity: str | float) -> Decimal:
    """The exact amount, in cores or bytes.

    Raises:
        ValueError: it is no quantity.
    """
    found = _QUANTITY.fullmatch(str(quantity).strip())
    if not found:
        raise ValueError(f"{quantity!r} is not a quantity such as 500m, 10Gi or 10")
    number, suffix, exponent = found.groups()
    return Decimal(number) * (_SUFFIXES[suffix or ""] if exponent is None else Decimal(10) ** int(exponent))


def cores(quantity: str | float) -> float:
    """CPU in cores."""
    return float(amount(quantity))


def mib(quantity: str | float) -> int:
    """Memory in MiB, rounded up."""
    return int((amount(quantity) / MEBI).to_integral_value(ROUND_CEILING))


def gib(quantity: str | float) -> int:
    """Storage in GiB, rounded up."""
    return int((amount(quantity) / GIBI).to_integral_value(ROUND_CEILING))


def from_cores(value: float) -> str:
    """A CPU quantity; Kubernetes keeps thousandths of a core, so more precise values are rounded up."""
    milli = int((Decimal(str(value)) * 1000).to_integral_value(ROUND_CEILING))
    return f"{milli // 1000}" if milli % 1000 == 0 else f"{milli}m"


def from_mib(value: int) -> str:
    """A memory quantity, as Kubernetes writes it: `1024` is `1Gi`."""
    if value and value % 1024 == 0:
        return f"{value // 1024}Gi"
    return f"{value}Mi" if value else "0"


def from_gib(value: int) -> str:
    """A storage quantity."""
    return f"{value}Gi" if value else "0"


def capacity(value: str | float) -> str:
    """The quantity that a capacity of the reference means: a plain number is GiB.

    Raises:
        ValueError: it is neither a number nor a quantity.
    """
    text = str(value).strip()
    if not isinstance(value, str) or re.fullmatch(r"\d+\.?\d*|\.\d+", text, re.ASCII):
        number = Decimal(text)
        return f"{number.normalize():f}Gi" if number else "0"
    amount(text)
    return text


def shown_capacity(quantity: str | float) -> str:
    """The capacity that a quantity is shown as: GiB as a plain number if it is whole, else the quantity."""
    number = amount(quantity) / GIBI
    return str(int(number)) if number == number.to_integral_value() else str(quantity)
