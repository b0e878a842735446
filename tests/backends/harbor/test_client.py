"""The client asks what was asked of a real Harbor, and reads what that answered."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from ecns.backends.harbor import client as module
from ecns.backends.harbor.client import Harbor
from ecns.backends.harbor.transport import Account
from ecns.backends.harbor.types import Access, Permission, Repository, Robot
from ecns.config import ConfigError
from ecns.config import Harbor as Settings
from ecns.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    TooManyRequestsError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from tests.backends.harbor.servers import client, exchanges, serving

if TYPE_CHECKING:
    from tests.backends.harbor.conftest import Scene

PUSH = [Permission("team", [Access("repository", "pull"), Access("repository", "push")])]


async def test_the_system(scene: Scene) -> None:
    scene.recorded.expect("system/ping", "system/volumes")
    await scene.harbor.ping()
    volume = await scene.harbor.volumes()
    assert (volume.free, volume.total) == (67776561152, 270553174016)


async def test_an_account_is_verified(scene: Scene) -> None:
    scene.recorded.expect("users/current-admin", "robots/list-system", "system/info-admin")
    assert await scene.harbor.verify() == "-"
    scene.recorded.expect("users/current-user")
    with pytest.raises(UpstreamError, match=r"user-a.*not an administrator"):
        await scene.harbor.verify()
    scene.recorded.expect("users/current-wrong")
    with pytest.raises(UpstreamError, match="does not accept ECNS's account"):
        await scene.harbor.verify()
    scene.recorded.expect("robots/current", "robots/list-user")
    with pytest.raises(UpstreamError, match="lacks the right"):
        await scene.harbor.verify()


async def test_projects(scene: Scene) -> None:
    harbor = scene.harbor
    scene.recorded.expect("projects/list-size-100")
    projects = await harbor.projects()
    assert {one.name for one in projects} >= {"team", "secret", "library"}
    assert {one.name: one.public for one in projects}["secret"] is False
    scene.recorded.expect("projects/show-name", "projects/show-numeric-as-name", "projects/show-missing")
    assert (await harbor.project("team")).project_id == 2
    assert (await harbor.project("12345")).name == "12345"
    with pytest.raises(NotFoundError):
        await harbor.project("no-such-project")
    scene.recorded.expect("projects/head-exists", "projects/head-missing")
    assert await harbor.has_project("team")
    assert not await harbor.has_project("no-such-project")
    scene.recorded.expect("projects/create-private", "projects/create-duplicate", "projects/create-name-dash")
    assert await harbor.create_project("secret", public=False) == 3
    with pytest.raises(ConflictError, match="already exists"):
        await harbor.create_project("team", public=True)
    with pytest.raises(BadRequestError, match="lower case"):
        await harbor.create_project("-team", public=False)
    scene.recorded.expect("projects/delete-id", "projects/update-id")
    await harbor.delete_project(5)
    await harbor.set_public(
        4, public=exchanges()["projects/update-id"]["request"]["body"]["metadata"]["public"] == "true"
    )


async def test_what_counts_as_public(scene: Scene) -> None:
    """Harbor takes any spelling in an update, and goes by it."""
    scene.recorded.expect("projects/list-updated-top")
    answer = exchanges()["projects/list-updated-top"]["response"]["body"]
    found = await scene.harbor._get("/projects", list[Any], {"public": "true", "name": "flag"})
    assert found == answer
    for spelling, public in (("true", True), ("TRUE", True), ("1", True), ("false", False), ("", False)):
        assert module.types.Project(1, "a", {"public": spelling}).public is public
    assert not module.types.Project(1, "a").public


async def test_repositories(scene: Scene) -> None:
    harbor = scene.harbor
    scene.recorded.expect("repositories/all-q-projects")
    page = await harbor.repositories([3, 2], start=0, count=20)
    assert page.total == 6
    assert [one.name for one in page.items][:3] == ["team/of-user", "team/pages", "secret/app"]
    assert (await harbor.repositories([])).total == 0
    scene.recorded.expect("repositories/show-nested-twice", "repositories/show-missing")
    assert (await harbor.repository("team", "nested/deep/app")).name == "team/nested/deep/app"
    with pytest.raises(NotFoundError):
        await harbor.repository("team", "no-such-repo")
    scene.recorded.expect("repositories/update-special", "repositories/show-special")
    description = exchanges()["repositories/update-special"]["request"]["body"]["description"]
    await harbor.describe("team", "app", description)
    assert await harbor.description(await harbor.repository("team", "app")) == description
    scene.recorded.expect(
        "repositories/delete-nested", "repositories/delete-missing", "immutable/delete-repository"
    )
    await harbor.delete_repository("team", "nested/deep/app")
    with pytest.raises(NotFoundError):
        await harbor.delete_repository("team", "no-such-repo")
    with pytest.raises(ConflictError, match="immutable"):
        await harbor.delete_repository("wide", "fixed")


async def test_artifacts_and_tags(scene: Scene) -> None:
    harbor = scene.harbor
    scene.recorded.expect("artifacts/list-tagged", "artifacts/list-missing-repo")
    found = await harbor.artifacts("team", "pages")
    assert [tag.name for one in found for tag in one.tags or ()] == ["v4", "v3", "v2", "v1", "v0"]
    assert await harbor.all_artifacts("team", "no-such-repo") == []
    scene.recorded.expect("artifacts/show-index", "artifacts/show-left-over")
    index = await harbor.artifact("team", "multi", "1.0")
    assert index.references is not None
    assert [one.platform and one.platform.architecture for one in index.references] == ["amd64", "arm64"]
    left = exchanges()["artifacts/show-left-over"]["response"]["body"]["digest"]
    assert (await harbor.artifact("team", "pages", left)).tags is None
    scene.recorded.expect("tags/all", "tags/lonely", "tags/missing-repo")
    assert await harbor.tags("team", "pages") == ["v0", "v1", "v2", "v3", "v4"]
    assert await harbor.tags("team", "lonely") == []
    assert await harbor.tags("team", "no-such-repo") == []
    scene.recorded.expect("tags/delete-last", "immutable/delete-tag", "artifacts/delete-child")
    await harbor.delete_tag("team", "pages", "v4")
    with pytest.raises(ConflictError, match="immutable"):
        await harbor.delete_tag("wide", "fixed", "1.0")
    child = exchanges()["artifacts/delete-child"]["request"]["path"].rpartition("/")[2]
    with pytest.raises(ConflictError, match="referenced"):
        await harbor.delete_artifact("team", "multi", child)


async def test_robots(scene: Scene) -> None:
    harbor = scene.harbor
    scene.recorded.expect("robots/list-system", "robots/create-system")
    (found,) = await harbor.robots()
    assert (found.name, found.level, found.expires_at) == ("robot$sys", "system", 1798019137)
    every = [Permission("*", [Access("repository", "pull")])]
    made = await harbor.create_robot("sys", "builds", every, days=30)
    assert (made.name, made.id) == ("robot$sys", 6)
    robot = Robot(1, "robot$team+builder", level="project")
    scene.recorded.expect("robots/enable", "robots/refresh-weak", "robots/delete", "robots/delete-again")
    await harbor.update_robot(robot, description="builds", permissions=PUSH)
    with pytest.raises(BadRequestError, match="the secret must be"):
        await harbor.set_secret(1, "weak")
    await harbor.delete_robot(1)
    with pytest.raises(NotFoundError):
        await harbor.delete_robot(1)
    scene.recorded.expect("auth/v2-basic", "auth/v2-wrong")
    assert await harbor.accepts("robot$a", "secret")
    assert not await harbor.accepts("robot$a", "other")


async def test_garbage_collection(scene: Scene) -> None:
    harbor = scene.harbor
    scene.recorded.expect("gc/history-empty", "gc/post-manual", "gc/history-running", "gc/stop", "gc/history")
    assert await harbor.collections() == []
    await harbor.collect()
    running = await harbor.collections()
    assert [run.over for run in running][:2] == [False, False]
    await harbor.stop_collecting(7)
    assert all(run.over for run in await harbor.collections())


@pytest.mark.parametrize(
    ("version", "escapes"),
    [
        ("v2.9.5-1a2b", False),
        ("v2.12.3", False),
        ("v2.12.4-x", True),
        ("v2.13.0", False),
        ("v2.13.1", True),
        ("v2.14.0-rc1", True),
        ("v3.0.0", True),
        ("-", False),
        ("", False),
    ],
)
def test_which_harbors_escape_descriptions(version: str, escapes: bool) -> None:  # noqa: FBT001
    assert module._escapes(version) is escapes


async def test_an_escaped_description_is_read_as_it_was_written(tmp_path: Path) -> None:
    version = "v2.13.1-abc"

    async def handle(request: web.Request) -> web.Response:
        assert request.path.endswith("/systeminfo")
        return web.json_response({"harbor_version": version})

    written = "# A <b> & \"c\" 'd' &amp; &lt;"
    kept = written.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
    kept = kept.replace("'", "&#39;")
    async with serving(handle) as url, client(url, tmp_path) as harbor:
        assert await harbor.description(Repository(1, "a/b", 1, description=kept)) == written
        # One that an older Harbor kept as it was, before it was replaced.
        raw = "a < b &amp; c"
        assert await harbor.description(Repository(1, "a/b", 1, description=raw)) == raw
    version = "v2.12.0"
    async with serving(handle) as url, client(url, tmp_path) as harbor:
        assert await harbor.description(Repository(1, "a/b", 1, description=kept)) == kept


class Many:
    """A list of so many repositories, in pages."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.asked: list[tuple[int, int]] = []

    async def __call__(self, request: web.Request) -> web.Response:
        page, size = int(request.query["page"]), int(request.query["page_size"])
        assert 1 <= size <= 100, "Harbor refuses more, and takes 0 for all"
        self.asked.append((page, size))
        ids = range(self.total)[(page - 1) * size : page * size]
        items = [{"id": one, "name": f"p/{one}", "project_id": 1} for one in ids]
        return web.json_response(items, headers={"X-Total-Count": str(self.total)})


@pytest.mark.parametrize(
    ("total", "start", "count"),
    [(250, 0, 20), (250, 240, 20), (250, 0, 100), (250, 150, 150), (250, 499, 499), (0, 0, 20), (250, 14, 7)],
)
async def test_a_page_costs_the_page(tmp_path: Path, total: int, start: int, count: int) -> None:
    many = Many(total)
    async with serving(many) as url, client(url, tmp_path) as harbor:
        page = await harbor.repositories([1], start=start, count=count)
    assert page.total == total
    assert [one.id for one in page.items] == list(range(total))[start : start + count]
    assert len(many.asked) <= count // 100 + 2


async def test_all_pages_are_read_and_what_moves_comes_once(tmp_path: Path) -> None:
    many = Many(250)
    async with serving(many) as url, client(url, tmp_path) as harbor:
        every = await harbor.repositories([1])
    assert [one.id for one in every.items] == list(range(250))
    assert sorted(many.asked) == [(1, 100), (2, 100), (3, 100)]


async def test_many_projects_are_asked_for_in_parts(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.query["q"])
        return web.json_response([], headers={"X-Total-Count": "0"})

    async with serving(handle) as url, client(url, tmp_path) as harbor:
        await harbor.repositories(range(1, 231))
    assert len(asked) == 3
    assert all(len(one) < 700 for one in asked)


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (
            500,
            '{"errors":[{"code":"UNKNOWN","message":"internal server error"}]}',
            UpstreamError,
            "internal server",
        ),
        (502, "<html>", UpstreamUnavailableError, "not available"),
        (503, "", UpstreamUnavailableError, "not available"),
        (504, "", UpstreamTimeoutError, "in time"),
        (418, "", UpstreamInvalidError, "418"),
        (429, "", TooManyRequestsError, "429"),
        (200, "<html>a portal</html>", UpstreamInvalidError, "API 2.0"),
        (200, '{"a": 1}', UpstreamInvalidError, "API 2.0"),
        (403, '{"errors":[{"code":"FORBIDDEN","message":"forbidden"}]}', UpstreamError, "lacks the right"),
    ],
)
async def test_errors(tmp_path: Path, status: int, body: str, kind: type[Exception], says: str) -> None:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    async with serving(handle) as url, client(url, tmp_path) as harbor:
        with pytest.raises(kind, match=says):
            await harbor.project("team")


async def test_what_may_be_done_twice_is_tried_twice(tmp_path: Path) -> None:
    sent: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        sent.append(request.method)
        assert request.transport is not None
        if len(sent) == 1:
            request.transport.abort()
            return web.Response()
        return web.json_response({"project_id": 1, "name": "team"})

    async with serving(handle) as url, client(url, tmp_path) as harbor:
        assert (await harbor.project("team")).project_id == 1
        assert sent == ["GET", "GET"]
        sent.clear()
        with pytest.raises(UpstreamUnavailableError, match="broke"):
            await harbor.create_project("team", public=True)
        assert sent == ["POST"]
        sent.clear()
        await harbor.set_public(1, public=True)
        assert sent == ["PUT", "PUT"]


async def test_a_deletion_whose_answer_was_lost_was_done(tmp_path: Path) -> None:
    sent: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        sent.append(request.method)
        assert request.transport is not None
        if len(sent) == 1:
            request.transport.abort()
            return web.Response()
        return web.Response(status=404)

    async with serving(handle) as url, client(url, tmp_path) as harbor:
        await harbor.delete_project(1)
        with pytest.raises(NotFoundError):
            await harbor.delete_project(1)


async def test_a_password_that_changed_is_read_again(tmp_path: Path) -> None:
    right = "new-Password1"
    seen: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        assert "Cookie" not in request.headers
        seen.append(request.headers["Authorization"])
        good = request.headers["Authorization"] == Account("admin", right).header
        answer = web.json_response({"project_id": 1, "name": "team"}, status=200 if good else 401)
        answer.set_cookie("sid", "1")
        return answer

    async with serving(handle) as url, client(url, tmp_path) as harbor:
        with pytest.raises(UpstreamError, match="account"):
            await harbor.project("team")
        assert len(seen) == 1, "the same password again would lock the account"
        (tmp_path / "password").write_text(right)
        assert (await harbor.project("team")).name == "team"
        assert len(seen) == 3


async def test_a_harbor_that_is_silent_or_away(tmp_path: Path) -> None:
    async def handle(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with serving(handle) as url, client(url, tmp_path, timeout=0.2) as harbor:
        with pytest.raises(UpstreamTimeoutError, match=r"within 0\.2 s"):
            await harbor.ping()
    async with client(url, tmp_path) as harbor:
        with pytest.raises(UpstreamUnavailableError, match="cannot be reached"):
            await harbor.ping()


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    for url in ("harbor.example", "ftp://harbor.example", "http://"):
        with pytest.raises(ConfigError, match=r"harbor\.url"):
            Harbor(Settings(url=url))
    with pytest.raises(ConfigError, match=r"harbor\.password_file"):
        Harbor(Settings(url="http://h", username="a", password_file=tmp_path / "none"))
    authority = tmp_path / "ca.pem"
    authority.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"harbor\.ca_file"):
        Harbor(Settings(url="https://h", ca_file=authority))


def test_the_registrys_name() -> None:
    assert Harbor(Settings(url="https://harbor.example:8443/")).domain == "harbor.example:8443"
    assert Harbor(Settings(url="https://10.0.0.1", domain="harbor.example")).domain == "harbor.example"


def test_recorded_bodies_are_read_whatever_is_in_them() -> None:
    """Every list and object that a real Harbor answered with decodes as the type that ECNS reads it as."""
    kinds = {"repositories/all": Repository, "robots/list": Robot}
    for name, exchange in exchanges().items():
        body = exchange["response"]["body"]
        for prefix, kind in kinds.items():
            if name.startswith(prefix) and exchange["response"]["status"] == 200:
                module.msgspec.json.decode(json.dumps(body), type=list[kind])  # type: ignore[valid-type]
