"""Names of images and their versions: what a registry takes.

Source: https://github.com/distribution/reference/blob/main/reference.go
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from ecns.errors import BadRequestError, NotFoundError

LONGEST = 255
"""Of a workspace and an image together, the slash between them included."""

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HOST = re.compile(
    r"(?:localhost|[A-Za-z0-9.-]*\.[A-Za-z0-9.-]*|[A-Za-z0-9.-]+:\d+|\[[0-9a-fA-F:]+\](?::\d+)?)"
)


def is_image(name: str) -> bool:
    """Whether a registry takes a name for an image."""
    return len(name) < LONGEST and _IMAGE.fullmatch(name) is not None


def is_tag(name: str) -> bool:
    """Whether a registry takes a name for a version."""
    return _TAG.fullmatch(name) is not None


def from_path(segment: str) -> str:
    """An image's name as it stands in a path, where its slashes are `%2F`.

    Raises:
        NotFoundError: no image can be called so.
    """
    name = unquote(segment)
    if not is_image(name):
        raise NotFoundError(f"image {name!r} is not there")
    return name


def check_image(name: str, workspace: str, field: str) -> None:
    """Check an image's name.

    Raises:
        BadRequestError: no registry takes it; `field` says where it stands.
    """
    if not is_image(name):
        raise BadRequestError(
            f"{field}: {name!r} is not an image's name (a-z and 0-9, with . _ - in between, parted by /)",
            field=field,
        )
    if len(workspace) + 1 + len(name) > LONGEST:
        raise BadRequestError(f"{field}: {workspace}/{name} is longer than {LONGEST} characters", field=field)


def check_tag(name: str, field: str) -> None:
    """Check a version's name.

    Raises:
        BadRequestError: no registry takes it; `field` says where it stands.
    """
    if not is_tag(name):
        raise BadRequestError(
            f"{field}: {name!r} is not a version's name (up to 128 of A-Z a-z 0-9 _ . -, no . or - first)",
            field=field,
        )


def split(reference: str) -> tuple[str, str]:
    """The name and the tag of an image reference such as `quay.io/coreos/etcd:v3`; "" where one is missing.

    The registry's host is left out, and `library/`, which Docker Hub's own images have before their names.
    """
    name, _, _digest = reference.partition("@")
    tag = ""
    head, colon, tail = name.rpartition(":")
    if colon and "/" not in tail:
        name, tag = head, tail
    first, slash, rest = name.partition("/")
    if slash and _HOST.fullmatch(first):
        name = rest
    return name.removeprefix("library/"), tag
