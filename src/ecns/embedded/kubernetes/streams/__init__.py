"""What flows between a client and a container: its log, its output, programs run in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes.errors import ApiError
from ecns.embedded.kubernetes.streams.logs import log
from ecns.embedded.kubernetes.streams.sessions import attach, execute

if TYPE_CHECKING:
    from aiohttp import web

    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.requests import Target

_NOT_SIMULATED = 501


async def handle(cluster: Cluster, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """Answers `pods/{name}/log`, `exec` and `attach`.

    Raises:
        ApiError: as Kubernetes would answer; 501 for what is not simulated (portforward and proxies).

    """
    if target.resource == "pods":
        match target.subresource:
            case "log":
                return await log(cluster, request, target)
            case "exec":
                return await execute(cluster, request, target)
            case "attach":
                return await attach(cluster, request, target)
    what = f"{target.resource}/{target.subresource}"
    raise ApiError(
        _NOT_SIMULATED,
        "NotImplemented",
        f"{what} is not simulated: no program listens in the pods of this embedded cluster",
    )
