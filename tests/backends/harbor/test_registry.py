"""Pushing to registries: as a real Harbor was recorded, and as they fail."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from ecns.backends.harbor import registry as module
from ecns.backends.harbor.registry import BlobUnknownError
from ecns.errors import (
    BadRequestError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from tests.backends.harbor.servers import exchanges, registry, serving

if TYPE_CHECKING:
    from tests.backends.harbor.conftest import Scene

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
CHALLENGED = ("upload/none", "auth/token-admin")
"""The first request of a client, without an account, and the token that it is then told to get."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)


def pieces(content: bytes, size: int = 65536) -> module.Pieces:
    async def give() -> AsyncIterator[bytes]:
        for at in range(0, len(content), size):
            yield content[at : at + size]

    return give


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


async def test_a_push_as_it_was_recorded(scene: Scene) -> None:
    put = exchanges()["upload5/put"]["request"]
    content = put["body"].encode() if isinstance(put["body"], str) else b""
    digest = put["query"]["digest"]
    assert digest_of(content) == digest
    scene.recorded.expect(*CHALLENGED, "upload5/start", "upload5/put")
    await scene.registry.push_blob("team/app", digest, len(content), pieces(content))
    there = exchanges()["upload2/head"]["request"]["path"].rpartition("/")[2]
    scene.recorded.expect("upload/head-missing", "upload2/head")
    assert not await scene.registry.has_blob("team/app", there)
    assert await scene.registry.has_blob("team/app", there)
    manifest = exchanges()["manifest/put"]["request"]["body"].encode()
    scene.recorded.expect("manifest/put", "manifest/put-missing-blobs", "manifest/put-not-json")
    await scene.registry.put_manifest("team/app", "1.0", DOCKER, manifest)
    with pytest.raises(BlobUnknownError, match="blob unknown"):
        await scene.registry.put_manifest("team/app", "2.0", DOCKER, manifest)
    with pytest.raises(BadRequestError, match="unmarshal manifest failed"):
        await scene.registry.put_manifest("team/app", "1.0", DOCKER, b"not JSON")


async def test_a_token_that_ran_out_is_replaced_once(scene: Scene) -> None:
    """Harbor asks for Basic when it does not take a token: the remembered realm is what helps."""
    digest = exchanges()["upload2/head"]["request"]["path"].rpartition("/")[2]
    scene.recorded.expect("upload/head-none", "auth/token-admin", "upload2/head")
    assert await scene.registry.has_blob("team/app", digest)
    refused = exchanges()["guest/post-bearer"]["response"]
    assert refused["headers"]["www-authenticate"].startswith("Basic")
    renewed = {**exchanges()["upload2/head"], "response": refused}
    scene.recorded.expected.append(renewed)
    scene.recorded.expect("auth/token-admin", "upload2/head")
    assert await scene.registry.has_blob("team/app", digest)


async def test_storage_limits_and_immutable_tags_are_told(scene: Scene) -> None:
    scene.recorded.expect("quota/post-full")
    with pytest.raises(ForbiddenError, match=r"upper limit of 1\.0 KiB"):
        await scene.registry.push_blob("tiny/app", "sha256:0", 1, pieces(b"a"))
    scene.recorded.expect("quota2/start", "quota2/put")
    content = exchanges()["quota2/put"]["request"]["body"]
    assert "base64" in content
    put = exchanges()["quota2/put"]["request"]
    state = {"_state": put["query"]["_state"]}
    dropped = {**put, "method": "DELETE", "query": state, "body": None, "headers": {}}
    scene.recorded.expected.append(
        {
            **exchanges()["quota2/put"],
            "id": "dropped",
            "request": dropped,
            "response": exchanges()["upload3/cancel"]["response"],
        }
    )
    digest = exchanges()["quota2/put"]["request"]["query"]["digest"]
    with pytest.raises(ForbiddenError, match=r"upper limit of 4\.0 KiB"):
        await scene.registry.push_blob("tiny/app", digest, 4, pieces(b"abcd"))
    manifest = exchanges()["immutable/push"]["request"]["body"].encode()
    scene.recorded.expect("immutable/push")
    with pytest.raises(ConflictError, match="immutable"):
        await scene.registry.put_manifest("wide/fixed", "1.0", DOCKER, manifest)


async def test_mounting_as_it_was_recorded(scene: Scene) -> None:
    mount = exchanges()["mount/done"]["request"]["query"]
    scene.recorded.expect("mount/done")
    await scene.registry.push_blob("team/mounted", mount["mount"], 5, pieces(b"never"), mount="team/app")


async def test_a_workspace_that_is_not_there(scene: Scene) -> None:
    scene.recorded.expect("missing-project/none")
    with pytest.raises(NotFoundError, match="no-such-project"):
        await scene.registry.push_blob("no-such-project/app", "sha256:0", 1, pieces(b"a"))


async def test_reading_counts_as_no_pull(scene: Scene) -> None:
    scene.recorded.expect("pulls/own-agent")
    media_type, body = await scene.registry.manifest("team/multi", "1.0")
    assert media_type == "application/vnd.oci.image.index.v1+json"
    assert body == exchanges()["pulls/own-agent"]["response"]["body"].encode()


class Fake:
    """A registry in memory that fails as it is told."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.sent: list[str] = []
        self.fail: list[Any] = []
        """What to do with the next PUTs of a blob: a status to answer early, `abort`, or `stall`."""
        self.closes = True
        """The connection, after such a status."""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.sent.append(request.method)
        if request.method == "HEAD":
            digest = request.path.rpartition("/")[2]
            return web.Response(status=200 if digest in self.blobs else 404)
        if request.method == "POST":
            return web.Response(
                status=202, headers={"Location": f"http://elsewhere.test{request.path}1?_state=x"}
            )
        assert request.query["_state"] == "x"
        if request.method == "DELETE":
            return web.Response(status=204)
        how = self.fail.pop(0) if self.fail else "take"
        assert request.transport is not None
        if how == "abort":
            await request.content.read(1000)
            request.transport.abort()
            return web.Response()
        if how == "keep and abort":
            self.blobs[request.query["digest"]] = await request.content.read()
            request.transport.abort()
            return web.Response()
        if how == "stall":
            await asyncio.sleep(30)
        if isinstance(how, int):
            # Without reading what comes, as Harbor does when the storage limit is reached.
            body = b'{"errors":[{"code":"DENIED","message":"will exceed the configured upper limit"}]}'
            answer = web.Response(status=how, body=body)
            if self.closes:
                answer.force_close()
            return answer
        content = await request.content.read()
        if digest_of(content) != request.query["digest"]:
            return web.json_response({"errors": [{"code": "DIGEST_INVALID", "message": "no"}]}, status=400)
        self.blobs[request.query["digest"]] = content
        return web.Response(status=201)


LARGE = bytes(range(256)) * 40_000


async def test_a_broken_push_begins_again(tmp_path: Path) -> None:
    fake = Fake()
    fake.fail = ["abort", 503]
    async with serving(fake) as url, registry(url, tmp_path) as found:
        await found.push_blob("a/b", digest_of(LARGE), len(LARGE), pieces(LARGE))
        assert fake.blobs == {digest_of(LARGE): LARGE}
        assert fake.sent == ["POST", "PUT", "DELETE", "HEAD"] * 2 + ["POST", "PUT"]
        fake.fail = ["abort", "abort", "abort"]
        with pytest.raises(UpstreamUnavailableError, match="broke"):
            await found.push_blob("a/c", "sha256:1", len(LARGE), pieces(LARGE))


async def test_a_push_whose_answer_was_lost_is_found_done(tmp_path: Path) -> None:
    fake = Fake()
    fake.fail = ["keep and abort"]
    async with serving(fake) as url, registry(url, tmp_path) as found:
        await found.push_blob("a/b", digest_of(LARGE), len(LARGE), pieces(LARGE))
    assert fake.sent == ["POST", "PUT", "DELETE", "HEAD"]


@pytest.mark.parametrize("closes", [True, False])
async def test_a_refusal_in_the_middle_of_a_layer_is_told(tmp_path: Path, closes: bool) -> None:  # noqa: FBT001
    fake = Fake()
    fake.fail, fake.closes = [403], closes
    given = 0

    async def slowly() -> AsyncIterator[bytes]:
        nonlocal given
        for at in range(0, len(LARGE), 65536):
            given += 1
            yield LARGE[at : at + 65536]
            await asyncio.sleep(0.01)

    async with serving(fake) as url, registry(url, tmp_path) as found:
        with pytest.raises(ForbiddenError, match="upper limit"):
            await found.push_blob("a/b", digest_of(LARGE), len(LARGE), slowly)
        assert await found.has_blob("a/b", "sha256:1") is False
    assert fake.sent == ["POST", "PUT", "DELETE", "HEAD"]
    assert given < len(LARGE) // 65536, "the rest of it was not sent"


@pytest.mark.parametrize("size", [len(LARGE), 3], ids=["a layer", "a small layer"])
async def test_a_registry_that_takes_nothing_any_more_is_waited_for_once(tmp_path: Path, size: int) -> None:
    fake = Fake()
    fake.fail = ["stall"] * 3
    began = asyncio.get_running_loop().time()
    async with serving(fake) as url, registry(url, tmp_path, stall_timeout=0.2) as found:
        with pytest.raises(UpstreamTimeoutError, match=r"within 0\.2 s"):
            await found.push_blob("a/b", digest_of(LARGE[:size]), size, pieces(LARGE[:size]))
    assert fake.sent == ["POST", "PUT", "DELETE"], "what came of it takes no place there"
    assert asyncio.get_running_loop().time() - began < 5


async def test_a_registry_that_never_answers_is_waited_for_once(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.method)
        await asyncio.sleep(30)
        return web.Response()

    async with serving(handle) as url, registry(url, tmp_path, timeout=0.2) as found:
        with pytest.raises(UpstreamTimeoutError, match=r"within 0\.2 s"):
            await found.push_blob("a/b", digest_of(b"abc"), 3, pieces(b"abc"))
        assert asked == ["POST"]
        for _ in range(2):
            with pytest.raises(UpstreamTimeoutError):
                await found.has_blob("a/b", digest_of(b"abc"))
        with pytest.raises(UpstreamUnavailableError, match="did not answer"):
            await found.has_blob("a/b", digest_of(b"abc"))
        assert asked == ["POST", "HEAD", "HEAD"], "what is known to be down is not asked"


async def test_a_slow_push_lasts_as_long_as_it_makes_progress(tmp_path: Path) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for at in range(8):
            await asyncio.sleep(0.05)
            yield b"%d" % at

    fake = Fake()
    async with serving(fake) as url, registry(url, tmp_path, stall_timeout=0.2, timeout=0.2) as found:
        await found.push_blob("a/b", digest_of(b"01234567"), 8, slowly)
    assert list(fake.blobs.values()) == [b"01234567"]


async def test_what_arrives_otherwise_is_sent_again(tmp_path: Path) -> None:
    fake = Fake()
    async with serving(fake) as url, registry(url, tmp_path) as found:
        with pytest.raises(UpstreamError, match="did not arrive as it was sent"):
            await found.push_blob("a/b", digest_of(b"other"), 3, pieces(b"abc"))
    assert fake.sent.count("PUT") == module.ATTEMPTS


async def test_a_registry_with_basic_authentication(tmp_path: Path) -> None:
    fake = Fake()

    async def handle(request: web.Request) -> web.StreamResponse:
        if not request.headers.get("Authorization", "").startswith("Basic "):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="Registry"'})
        return await fake(request)

    async with serving(handle) as url, registry(url, tmp_path) as found:
        await found.push_blob("a/b", digest_of(b"abc"), 3, pieces(b"abc"))
        assert await found.has_blob("a/b", digest_of(b"abc"))


async def test_a_password_is_told_to_no_other_host(tmp_path: Path) -> None:
    told: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        told.append(request.path)
        realm = 'Bearer realm="http://evil.test/token",service="x"'
        return web.Response(status=401, headers={"WWW-Authenticate": realm})

    async with serving(handle) as url, registry(url, tmp_path) as found:
        with pytest.raises(UpstreamInvalidError, match=r"evil\.test"):
            await found.has_blob("a/b", "sha256:1")
    assert told == ["/v2/a/b/blobs/sha256:1"]


async def test_an_account_without_the_right_is_no_endless_story(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path == "/service/token":
            return web.json_response({"token": "t", "expires_in": 1800})
        realm = f'Bearer realm="http://{request.host}/service/token",service="harbor-registry"'
        return web.Response(status=401, headers={"WWW-Authenticate": realm})

    async with serving(handle) as url, registry(url, tmp_path) as found:
        with pytest.raises(UpstreamError, match="does not let ECNS's account"):
            await found.has_blob("a/b", "sha256:1")
    assert len(asked) <= 5


async def test_tokens_are_got_once_for_many(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        if request.path == "/service/token":
            asked.append(request.query_string)
            return web.json_response({"token": "t", "expires_in": 1800})
        if request.headers.get("Authorization") != "Bearer t":
            realm = f'Bearer realm="http://{request.host}/service/token",service="s"'
            return web.Response(status=401, headers={"WWW-Authenticate": realm})
        return web.Response(status=200)

    async with serving(handle) as url, registry(url, tmp_path) as found:
        await asyncio.gather(*(found.has_blob("a/b", f"sha256:{one}") for one in range(20)))
        assert asked == ["service=s&scope=repository:a/b:pull,push"]
        await found.has_blob("a/c", "sha256:1")
        assert len(asked) == 2


async def test_the_configuration_of_an_image(tmp_path: Path) -> None:
    manifests = {
        "sha256:1": {"manifests": [{"digest": "sha256:2"}]},
        "sha256:2": {"config": {"digest": "sha256:3"}},
        "sha256:4": {"manifests": [{"digest": "sha256:4"}]},
    }

    async def handle(request: web.Request) -> web.Response:
        name = request.path.rpartition("/")[2]
        if "/blobs/" in request.path:
            return web.Response(status=307, headers={"Location": f"/stored/{name}"})
        if request.path.startswith("/stored/"):
            return web.json_response({"docker_version": "24.0.7"})
        return web.json_response(manifests[name])

    async with serving(handle) as url, registry(url, tmp_path) as found:
        assert await found.configuration("a/b", "sha256:1") == {"docker_version": "24.0.7"}
        with pytest.raises(NotFoundError):
            await found.configuration("a/b", "sha256:4")
