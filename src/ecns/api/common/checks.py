"""Names and amounts that Kubernetes takes; checked first, so that the field is named as the caller knows it.

Sources: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/; decisions, "Units".
"""

from __future__ import annotations

import re

from ecns.backends.kubernetes.kinds import quantities
from ecns.errors import BadRequestError

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MOST = 2**63 - 1
"""Bytes of a quantity."""


def dns_label(name: str, field: str) -> None:
    """Check an RFC 1123 label.

    Raises:
        BadRequestError: it is none; `field` says where it stands.
    """
    if not _LABEL.fullmatch(name):
        raise BadRequestError(
            f"{field}: {name!r} is not a name (at most 63 of a-z, 0-9 and -, not - at its ends)",
            field=field,
        )


def is_dns_subdomain(name: str) -> bool:
    """Whether a name is an RFC 1123 subdomain, which most objects are named by."""
    return bool(_SUBDOMAIN.fullmatch(name)) and len(name) <= 253  # noqa: PLR2004  as RFC 1123 has it


def dns_subdomain(name: str, field: str) -> None:
    """Check an RFC 1123 subdomain.

    Raises:
        BadRequestError: it is none; `field` says where it stands.
    """
    if not is_dns_subdomain(name):
        raise BadRequestError(
            f"{field}: {name[:80]!r} is no name: small letters, digits, '-' and '.', at most 253 (RFC 1123)",
            field=field,
        )


def capacity(value: str | float, field: str) -> str:
    """The quantity of a capacity: a plain number is GiB, everything else a Kubernetes quantity.

    Raises:
        BadRequestError: it is neither, nothing, less than nothing or more than there can be; `field` says
            where it stands.
    """
    try:
        quantity = quantities.capacity(value)
        amount = quantities.amount(quantity)
    except ValueError as error:
        raise BadRequestError(
            f"{field}: {str(value)[:80]!r} is neither a number of GiB nor a quantity such as 10Gi",
            field=field,
        ) from error
    if not 0 < amount <= _MOST:
        size = "more than nothing" if amount <= 0 else "less than 8 EiB"
        raise BadRequestError(f"{field}: must be {size}", field=field)
    return quantity


def between(value: int, least: int, most: int, field: str) -> None:
    """Check a number.

    Raises:
        BadRequestError: it is not between the two; `field` says where it stands.
    """
    if not least <= value <= most:
        raise BadRequestError(f"{field}: {value} is not between {least} and {most}", field=field)
