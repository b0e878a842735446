"""As whom a caller's changes reach a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from ecns import config
from ecns.backends.kubernetes.client import Bearer, Impersonation
from ecns.backends.kubernetes.clusters import Clusters
from ecns.backends.kubernetes.kinds.core import Namespace
from ecns.backends.kubernetes.kinds.meta import ObjectMeta
from ecns.backends.memory import Local
from ecns.errors import NotFoundError
from ecns.identity.place import PROJECT_LABEL, Places, bind_project
from ecns.identity.policy import Policy
from tests.backends.kubernetes.server import Api, kubeconfig
from tests.identity.callers import caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    served = Api()
    async with served.serving():
        yield served


def places(directory: Path, url: str, **more: Any) -> Places:
    file = kubeconfig(directory / "east.yaml", url)
    clusters = Clusters((config.Cluster(name="east", kubeconfig=file, timeout=2, **more),))
    return Places(clusters, Local(), Policy())


OURS = Namespace(metadata=ObjectMeta(name="shop", uid="u", labels={PROJECT_LABEL: "p1"}))


async def test_the_group_is_the_callers_right_in_the_project(api: Api, tmp_path: Path) -> None:
    found = places(tmp_path, api.url)
    cluster = found.clusters["east"]
    for role, right in (("reader", "reader"), ("member", "member"), ("manager", "admin")):
        actor = found.actor(caller(role), cluster)
        assert isinstance(actor, Impersonation)
        assert actor.user == "ecns:user:u1"
        assert f"ecns:project:p1:{right}" in actor.groups
    actor = found.actor(caller("admin"), cluster)
    assert isinstance(actor, Impersonation)
    assert "ecns:cloud:admin" in actor.groups
    for _ in range(3):
        api.say(web.json_response({"metadata": {"name": "ecns"}}))
    await bind_project(cluster, OURS)
    assert len(api.requests) == 3
    await found.clusters.close()


@pytest.mark.parametrize("more", [{"auth": "keystone-token"}, {"impersonate": False}])
async def test_who_is_not_impersonated_needs_no_bindings(
    api: Api, tmp_path: Path, more: dict[str, Any]
) -> None:
    found = places(tmp_path, api.url, **more)
    cluster = found.clusters["east"]
    actor = found.actor(caller("member"), cluster)
    assert actor == (Bearer(caller("member").token) if "auth" in more else None)
    await bind_project(cluster, OURS)
    assert not api.requests
    await found.clusters.close()


async def test_the_current_cluster(tmp_path: Path) -> None:
    entries = [
        config.Cluster(
            name=name, kubeconfig=kubeconfig(tmp_path / name, f"http://{name}:1"), projects=projects
        )
        for name, projects in (("east", ("*",)), ("west", ("p2",)))
    ]
    found = Places(Clusters(entries), Local(), Policy())
    assert (await found.current_cluster(caller("reader"))).name == "east"
    assert (await found.current_cluster(caller("admin"), "http://west:1")).name == "west"
    with pytest.raises(NotFoundError):
        await found.current_cluster(caller("reader"), "west")
    await found.clusters.close()
