"""Names that Kubernetes takes; checked first, so that the field is named as the caller knows it.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

from __future__ import annotations

import re

from ecns.errors import BadRequestError

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")


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


def between(value: int, least: int, most: int, field: str) -> None:
    """Check a number.

    Raises:
        BadRequestError: it is not between the two; `field` says where it stands.
    """
    if not least <= value <= most:
        raise BadRequestError(f"{field}: {value} is not between {least} and {most}", field=field)
