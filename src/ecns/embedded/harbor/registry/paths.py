"""The paths of `/v2`: what is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ecns.embedded.harbor.files import DIGEST
from ecns.embedded.harbor.names import REPOSITORY, is_repository

BASE, CATALOG, TAGS, MANIFEST, BLOB, BEGIN, UPLOAD, REFERRERS = range(8)
"""What a path is of."""

_NAME = rf"/v2/(?P<repository>{REPOSITORY.pattern})"
_PATTERNS = (
    (MANIFEST, re.compile(rf"{_NAME}/manifests/(?P<reference>[^/]*)")),
    (TAGS, re.compile(rf"{_NAME}/tags/list")),
    (UPLOAD, re.compile(rf"{_NAME}/blobs/uploads/(?P<reference>[a-zA-Z0-9_.=-]+)/?")),
    (BEGIN, re.compile(rf"{_NAME}/blobs/uploads/?")),
    (BLOB, re.compile(rf"{_NAME}/blobs/(?P<reference>{DIGEST.pattern})")),
    (REFERRERS, re.compile(rf"{_NAME}/referrers/(?P<reference>[^/]*)")),
)


@dataclass(frozen=True)
class Target:
    """What a request is about."""

    kind: int
    repository: str = ""
    reference: str = ""
    """A tag, a digest or the id of an upload."""


def parse(path: str) -> Target | None:
    """What a decoded path is of; None when it is of nothing here."""
    if path == "/v2/":
        return Target(BASE)
    if path == "/v2/_catalog" or path.startswith("/v2/_catalog/"):
        return Target(CATALOG)
    for kind, pattern in _PATTERNS:
        found = pattern.fullmatch(path)
        if found is not None and is_repository(found["repository"]):
            return Target(kind, found["repository"], found.groupdict().get("reference") or "")
    return None
