"""Health, readiness and metrics: the paths that need no token."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Response, get
from litestar.datastructures import State

from ecns.errors import EcnsError
from ecns.server import metrics

CHECK_SECONDS = 2.0
"""For one that hangs must not make who asks give up."""


@get("/healthz", include_in_schema=False)
async def healthz() -> dict[str, str]:
    """Whether this process answers."""
    return {"status": "ok"}


@get("/readyz", include_in_schema=False)
async def readyz(state: State) -> Response[dict[str, Any]]:
    """Whether requests can be served: 503 without Keystone; a cluster or Harbor that is down is named."""

    async def tried(check: Any) -> str:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await check()
        except EcnsError as error:
            return error.message
        except TimeoutError:
            return f"no answer within {CHECK_SECONDS:g} s"
        return "ok"

    names = ["keystone", *(f"cluster {cluster.name}" for cluster in state.clusters)]
    checks = [state.keystone.ping, *(cluster.ping for cluster in state.clusters)]
    if state.harbor is not None:
        names.append("harbor")
        checks.append(state.harbor.ping)
    results = dict(zip(names, await asyncio.gather(*(tried(check) for check in checks)), strict=True))
    clusters = [result for name, result in results.items() if name.startswith("cluster ")]
    ready = results["keystone"] == "ok" and (not clusters or "ok" in clusters)
    body = {"status": "ready" if ready else "not ready", "checks": results}
    return Response(body, status_code=200 if ready else 503)


@get("/metrics", include_in_schema=False, media_type="text/plain; version=0.0.4")
async def metrics_page() -> bytes:
    """Prometheus metrics."""
    return metrics.page()


ROUTES = [healthz, readyz, metrics_page]
