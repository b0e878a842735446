"""`/v2` and the token service: Harbor in front of a registry.

Sources: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md and the answers of
Harbor 2.9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.harbor.answers import JSON_UTF8, Answer, encoded
from ecns.embedded.harbor.registry import blobs, faults, gate, images, lists, paths, pushing

if TYPE_CHECKING:
    from ecns.embedded.harbor.registry.paths import Target
    from ecns.embedded.harbor.requests import Call

__all__ = ["dispatch"]


async def dispatch(call: Call, target: Target | None) -> Answer:
    """The answer to a request of `/v2`.

    Raises:
        ProblemError: whatever is wrong.
    """
    project = gate.enter(call, target)
    if target is None or target.kind == paths.BASE:
        if call.method not in {"GET", "HEAD"}:
            return faults.not_allowed("GET")
        return Answer(200, encoded({}), JSON_UTF8, dict(gate.VERSION))
    if target.kind == paths.CATALOG or project is None:
        return lists.catalog(call)
    match target.kind:
        case paths.TAGS:
            return lists.tags(call, target)
        case paths.REFERRERS:
            return lists.referrers(call, target)
        case paths.MANIFEST:
            return await images.manifest(call, target, project)
        case paths.BLOB:
            return blobs.blob(call, target)
        case paths.BEGIN:
            return await pushing.begin(call, target, project)
    return await pushing.session(call, target, project)
