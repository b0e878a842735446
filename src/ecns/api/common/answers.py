"""What changes are answered with."""

from __future__ import annotations

from typing import Any

from litestar import Response

from ecns.api.common.objects import Objects


def answered(objects: Objects, done: Any) -> Response[Any]:
    """What a change has done, or with `dry_run=true` what it would do (`DryRun`).

    Args:
        objects: where it was made, or tried.
        done: the answer, or what it tells.
    """
    if objects.dry_run:
        return Response(objects.report())
    return done if isinstance(done, Response) else Response(done)
