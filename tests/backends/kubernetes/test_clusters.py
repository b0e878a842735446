from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from ecns import config
from ecns.backends.kubernetes import clusters as module
from ecns.backends.kubernetes.clusters import Check, Clusters
from ecns.config import ConfigError
from ecns.errors import NotFoundError, UpstreamUnavailableError
from tests.backends.kubernetes.server import CONFIG, THING, Watches, event, kubeconfig, thing, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Cluster(Watches):
    """Answers about its version and rights, too."""

    async def kubernetes(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.36.2", "major": "1"})
        if request.path.endswith("selfsubjectaccessreviews"):
            asked = json.loads(await request.read())["spec"]["resourceAttributes"]
            return web.json_response({"status": {"allowed": asked["verb"] != "impersonate"}}, status=201)
        return await super().kubernetes(request)


def entry(directory: Path, name: str, url: str, **more: Any) -> config.Cluster:
    return config.Cluster(
        name=name, kubeconfig=kubeconfig(directory / f"{name}.yaml", url), timeout=2, **more
    )


@asynccontextmanager
async def registered(*entries: config.Cluster) -> AsyncIterator[Clusters]:
    clusters = Clusters(entries)
    try:
        yield clusters
    finally:
        await clusters.close()


async def test_what_each_cluster_says_of_itself_also_when_one_is_down(tmp_path: Path) -> None:
    api = Cluster()
    async with api.serving() as url:
        up = entry(tmp_path, "up", url, type="EOS", projects=("p1",))
        plain = entry(tmp_path, "plain", url, impersonate=False)
        down = entry(tmp_path, "down", "http://127.0.0.1:1")
        async with registered(up, plain, down) as clusters:
            said = await clusters.check()
            assert said["up"] == Check("v1.36.2", ("impersonate users", "impersonate groups"))
            assert said["plain"] == Check("v1.36.2", ())
            failure = said["down"]
            assert isinstance(failure, UpstreamUnavailableError)
            assert "cluster down cannot be reached" in failure.message
            assert [cluster.name for cluster in clusters] == ["up", "plain", "down"]
            assert len(clusters) == 3
            one = clusters["up"]
            assert (one.addr, one.type, one.projects, one.impersonate) == (url, "EOS", ("p1",), True)
            await one.ping()
            assert one.state.up
            with pytest.raises(UpstreamUnavailableError):
                await clusters["down"].ping()
            assert not clusters["down"].state.up
            assert "cannot be reached" in clusters["down"].state.reason
            with pytest.raises(NotFoundError):
                clusters["other"]


async def test_one_cache_for_each_kind(tmp_path: Path) -> None:
    api = Cluster()
    api.items = [thing("a", 1)]
    async with api.serving() as url, registered(entry(tmp_path, "east", url)) as clusters:
        cluster = clusters["east"]
        cache = cluster.cache(THING)
        assert cluster.cache(THING, replicas=lambda obj: [obj.spec.replicas]) is cache
        assert cluster.cache(CONFIG) is not cache
        assert not api.requests
        await cache.ready()
        assert len(cache.index("replicas", 1)) == 1


async def test_caches_that_nobody_reads_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api = Cluster()
    async with api.serving() as url, registered(entry(tmp_path, "east", url)) as clusters:
        cluster = clusters["east"]
        idle, followed = cluster.cache(THING), cluster.cache(CONFIG)
        await idle.ready()
        await followed.ready()
        await until(lambda: len(api.open) == 2)
        monkeypatch.setattr(module, "IDLE_SECONDS", -1.0)
        monkeypatch.setattr(module, "TEND_SECONDS", 0.0)
        with followed.subscribe():
            cluster.cache(CONFIG)
            await until(lambda: len(api.open) == 1)
            assert cluster.cache(CONFIG) is followed
        monkeypatch.undo()
        again = cluster.cache(THING)
        assert again is not idle
        await again.ready()


async def test_a_cluster_that_moves_is_listed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecns.backends.kubernetes.credentials.LOOK_EVERY", 0.0)
    old, new = Cluster(), Cluster()
    old.items, old.version = [thing("old", 900)], 900
    new.items, new.version = [thing("new", 5)], 6
    async with (
        old.serving() as before,
        new.serving() as after,
        registered(entry(tmp_path, "east", before)) as clusters,
    ):
        cluster = clusters["east"]
        cache = cluster.cache(THING)
        await cache.ready()
        assert cache.get("old", "default")
        kubeconfig(tmp_path / "east.yaml", after)
        await cluster.ping()
        assert cluster.addr == after
        await cache.ready()
        assert [obj.metadata.name for obj in cache] == ["new"]
        await new.tell(event("ADDED", thing("newer", 7)))
        await until(lambda: len(cache) == 2)


def test_credentials_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"clusters.east: kubeconfig: .*: No such file"):
        Clusters((config.Cluster(name="east", kubeconfig=tmp_path / "nowhere"),))


async def test_a_directory_has_a_cluster_for_each_file_at_every_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    folder = tmp_path / "folder"
    folder.mkdir()
    api = Cluster()
    async with api.serving() as url:
        kubeconfig(folder / "west.kubeconfig", url)
        (folder / "broken.yaml").write_text("{")
        (folder / ".hidden").write_text("{")
        kubeconfig(folder / "fixed.yaml", url)
        template = config.Cluster(type="EOS", kubeconfig=folder, projects=("p1",), impersonate=False)
        async with registered(entry(tmp_path, "fixed", url), template) as clusters:
            assert [cluster.name for cluster in clusters] == ["fixed", "west"]
            west = clusters["west"]
            assert (west.type, west.projects, west.impersonate) == ("EOS", ("p1",), False)
            kubeconfig(folder / "broken.yaml", url)
            assert [cluster.name for cluster in clusters] == ["fixed", "broken", "west"]
            assert clusters["west"] is west
            await clusters["broken"].ping()
            (folder / "broken.yaml").unlink()
            assert [cluster.name for cluster in clusters] == ["fixed", "west"]
            with pytest.raises(NotFoundError):
                clusters["broken"]
            folder.rename(tmp_path / "away")
            assert len(clusters) == 2
