"""Checks of single values, and of labels and annotations; each refusal names its field."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence

from ecns.api.common import names
from ecns.api.common.checks import is_dns_subdomain
from ecns.api.workloads.manifests.containers import MAX_PORT
from ecns.errors import BadRequestError

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
MAX_LABEL = 63


def check_labels(
    labels: Mapping[str, str] | None, *, at: str = "labels", application: str | None = None
) -> None:
    """Check labels as Kubernetes does, and that they are not those ECNS sets itself.

    Raises:
        BadRequestError: a label cannot be.
    """
    check_selector(labels, at=at)
    if (labels or {}).get(names.PART_OF, application) != application:
        raise BadRequestError(
            f"{at}: {names.PART_OF} is set by application_name", field=f"{at}.{names.PART_OF}"
        )


def check_selector(labels: Mapping[str, str] | None, *, at: str) -> None:
    """Check labels that something selects by, as Kubernetes does: they may be anybody's.

    Raises:
        BadRequestError: a label cannot be.
    """
    for key, value in (labels or {}).items():
        _key(key, at)
        if value and (not QUALIFIED.fullmatch(value) or len(value) > MAX_LABEL):
            raise BadRequestError(
                f"{at}: the value of {key!r} has only letters, digits, '-', '_' and '.', at most 63",
                field=f"{at}.{key}",
            )


def check_annotations(annotations: Mapping[str, str] | None, *, at: str) -> None:
    """Check the keys of annotations.

    Raises:
        BadRequestError: one cannot be.
    """
    for key in annotations or ():
        _key(key, at)


def _key(key: str, at: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if slash and not is_dns_subdomain(prefix):
        raise BadRequestError(f"{at}: the prefix of {key[:80]!r} is not a DNS subdomain", field=at)
    if not QUALIFIED.fullmatch(name) or len(name) > MAX_LABEL:
        raise BadRequestError(
            f"{at}: {key[:80]!r} is not a key: letters, digits, '-', '_' and '.', at most 63", field=at
        )


def name(called: str, at: str) -> None:
    """Check the name of something that names pods.

    Raises:
        BadRequestError: it is none; `field` is `at`.
    """
    if not LABEL.fullmatch(called) or len(called) > MAX_LABEL:
        raise BadRequestError(
            f"{at}: {called[:80]!r} is no name: small letters, digits and '-', a letter or digit at both"
            " ends, at most 63 (RFC 1123)",
            field=at,
        )


def address(value: str, at: str) -> None:
    """Check an IP address.

    Raises:
        BadRequestError: it is none; `field` is `at`.
    """
    try:
        ipaddress.ip_address(value)
    except ValueError as error:
        raise BadRequestError(f"{at}: {value!r} is no IP address", field=at) from error


def port(number: int, at: str) -> None:
    """Check a port's number.

    Raises:
        BadRequestError: it is none; `field` is `at`.
    """
    between(number, 1, MAX_PORT, at)


def between(value: int, least: int, most: int, at: str) -> None:
    """Check a number.

    Raises:
        BadRequestError: it is not between the two.
    """
    if not least <= value <= most:
        raise BadRequestError(f"{at}: {value} is not between {least} and {most}", field=at)


def one_of(value: str, known: Iterable[str], at: str) -> None:
    """Check a word.

    Raises:
        BadRequestError: it is none of those known.
    """
    if value not in (known := tuple(known)):
        raise BadRequestError(f"{at}: {value!r} is none of {', '.join(known)}", field=at)


def unique(found: Sequence[object], at: str, what: str) -> None:
    """Refuse what comes twice; `#` in `at` is the place of the second one.

    Raises:
        BadRequestError: something does.
    """
    seen: set[object] = set()
    for place, one in enumerate(found):
        if one in seen:
            where = at.replace("#", str(place))
            shown = "/".join(map(str, one)) if isinstance(one, tuple) else one
            raise BadRequestError(f"{where}: two {what} are {shown}", field=where)
        seen.add(one)
