"""Which kinds a cluster serves: as new clusters tell it at once, and as old ones tell it step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from ecns.backends.kubernetes.served import Catalogue, catalogue
from ecns.errors import UpstreamError
from tests.backends.kubernetes.server import status
from tests.backends.kubernetes.test_clusters import entry, registered

if TYPE_CHECKING:
    from pathlib import Path

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def resource(
    plural: str, kind: str, *short: str, namespaced: bool = True, verbs: list[str] = VERBS
) -> dict[str, Any]:
    singular = kind.lower()
    new = {"resource": plural, "responseKind": {"kind": kind}, "singularResource": singular}
    new["scope"] = "Namespaced" if namespaced else "Cluster"
    old = {"name": plural, "kind": kind, "singularName": singular, "namespaced": namespaced}
    return {
        "new": {**new, "verbs": verbs, "shortNames": list(short)},
        "old": {**old, "verbs": verbs, "shortNames": list(short)},
    }


GROUPS: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("", "v1"): [
        resource("pods", "Pod", "po"),
        resource("nodes", "Node", "no", namespaced=False),
        resource("events", "Event", "ev"),
    ],
    ("apps", "v1"): [resource("deployments", "Deployment", "deploy")],
    ("events.k8s.io", "v1"): [resource("events", "Event", "ev")],
    ("autoscaling", "v2"): [resource("horizontalpodautoscalers", "HorizontalPodAutoscaler", "hpa")],
    ("autoscaling", "v1"): [resource("horizontalpodautoscalers", "HorizontalPodAutoscaler", "hpa")],
    ("authentication.k8s.io", "v1"): [
        resource("tokenreviews", "TokenReview", namespaced=False, verbs=["create"])
    ],
}


class Old:
    """A cluster before aggregated discovery; one of its aggregated APIs is down."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.strip("/").split("/")
        if path == ["api"]:
            return web.json_response({"kind": "APIVersions", "versions": ["v1"]})
        if path == ["apis"]:
            names = dict.fromkeys([*(group for group, _ in GROUPS if group), "metrics.k8s.io"])
            groups = [
                {
                    "name": name,
                    # The preferred one is not always the first.
                    "versions": [{"version": v} for g, v in reversed(GROUPS) if g == name]
                    or [{"version": "v1"}],
                    "preferredVersion": {"version": next((v for g, v in GROUPS if g == name), "v1")},
                }
                for name in names
            ]
            return web.json_response({"kind": "APIGroupList", "groups": groups})
        key = ("", path[1]) if path[0] == "api" else (path[1], path[2])
        if key not in GROUPS:
            return status(503, "ServiceUnavailable", "the server is currently unable to handle the request")
        listed = [one["old"] for one in GROUPS[key]] + [
            {"name": "pods/log", "kind": "Pod", "namespaced": True}
        ]
        return web.json_response({"kind": "APIResourceList", "resources": listed})


class New:
    """A cluster with aggregated discovery."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert "APIGroupDiscoveryList" in request.headers["Accept"]
        core = request.path.strip("/") == "api"
        names = dict.fromkeys(group for group, _ in GROUPS if bool(group) != core)
        items = [
            {
                "metadata": {"name": name} if name else {},
                "versions": [
                    {"version": version, "resources": [one["new"] for one in resources]}
                    for (group, version), resources in GROUPS.items()
                    if group == name
                ],
            }
            for name in names
        ]
        return web.json_response({"kind": "APIGroupDiscoveryList", "items": items})


class Broken:
    """No Kubernetes."""

    async def answer(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>")


async def discovered(directory: Path, api: Old | New | Broken) -> Catalogue:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", api.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        async with registered(entry(directory, "east", f"http://127.0.0.1:{port}")) as clusters:
            (cluster,) = clusters
            known = await catalogue(cluster)
            assert await catalogue(cluster) is known
            assert await catalogue(cluster, newer_than=known.at) is not known
            return known
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("api", [Old(), New()], ids=["old", "new"])
async def test_kinds_by_all_their_names(tmp_path: Path, api: Old | New) -> None:
    known = await discovered(tmp_path, api)
    for word in ("Deployment", "deployments", "DEPLOY", "deployment.apps", "deployments.v1.apps"):
        found = known.named(word)
        assert found is not None
        assert found.kind.path("n", "x") == "/apis/apps/v1/namespaces/n/deployments/x"
    event, autoscaler, node = known.named("ev"), known.named("hpa"), known.named("no")
    assert event is not None
    assert event.kind.api_version == "v1"
    assert autoscaler is not None
    assert autoscaler.kind.api_version == "autoscaling/v2"
    assert node is not None
    assert node.kind.path("", "x") == "/api/v1/nodes/x"
    other = known.named("events.events.k8s.io")
    assert other is not None
    assert other.kind.group == "events.k8s.io"
    assert known.named("deployments.extensions") is None
    assert known.named("log") is None
    assert known.exact("autoscaling/v1", "HorizontalPodAutoscaler") is not None
    assert known.exact("autoscaling/v1", "horizontalpodautoscaler") is None
    assert known.versions("HorizontalPodAutoscaler") == ["autoscaling/v2", "autoscaling/v1"]
    review = known.named("TokenReview")
    assert review is not None
    assert review.verbs == {"create"}
    once = [one.kind.resource for one in known.preferred()]
    assert len(once) == len(set(once))


async def test_what_is_no_kubernetes(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match="nonsense"):
        await discovered(tmp_path, Broken())
